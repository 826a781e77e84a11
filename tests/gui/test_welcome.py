"""The first start: nothing passes by the research-use notice, and it is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.panels.welcome_view import WelcomeView
from brainseg_desktop.io import atomic
from brainseg_desktop.services import notice
from brainseg_desktop.services.notice import accepted
from brainseg_desktop.services.settings import Settings, load_settings, save_settings


def offer(window: MainWindow, waiting: str = "") -> list[str]:
    """Start as `gui.app.run` does; the list tells whether the start went on, and whether with the files."""
    went_on: list[str] = []
    window.welcoming.offer(lambda files: went_on.append("files" if files else "on"), waiting)
    return went_on


def shown(window: MainWindow) -> WelcomeView:
    view = window.welcoming.view
    assert view is not None
    assert view.isVisible()
    return view


def test_the_notice_is_acknowledged_by_keys_and_kept(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow]
) -> None:
    went_on = offer(window)
    view = shown(window)
    assert not window.empty.isVisible()
    assert view.tick.hasFocus()
    assert not any(b.isEnabled() for b in view.buttons.values())
    qtbot.keyClick(view.tick, Qt.Key.Key_Space)
    assert all(b.isEnabled() for b in view.buttons.values())
    assert went_on == []
    assert not load_settings().settings.notice_accepted
    qtbot.keyClick(view.buttons["tour"], Qt.Key.Key_Space)
    assert went_on == ["on"]
    kept = load_settings().settings
    assert (kept.notice_accepted, kept.notice_date) == (notice.notice_version(), date.today().isoformat())
    qtbot.waitUntil(lambda: window.touring.is_on, timeout=20_000)
    window.touring.leave()
    second = make()
    assert offer(second) == ["files"]
    assert second.welcoming.view is None
    assert second.empty.isVisible()


def test_no_way_leads_past_it(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    went_on = offer(window)
    spared = {"quit", "theme", "about", "help", "log_folder"}
    assert {n for n, a in window.actions_by_name.items() if a.isEnabled()} == spared
    assert not window.tool_bar.isEnabled()
    assert not window.acceptDrops()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    view = shown(window)
    # Ticked and taken back.
    for _ in range(2):
        qtbot.keyClick(view.tick, Qt.Key.Key_Space)
    assert not any(b.isEnabled() for b in view.buttons.values())
    view.chosen.emit("sample")
    assert shown(window) is view
    assert went_on == []


def test_afterwards_everything_is_as_usual(qtbot: QtBot, window: MainWindow) -> None:
    usual = {n for n, a in window.actions_by_name.items() if a.isEnabled()}
    offer(window)
    view = shown(window)
    view.tick.click()
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.mouseClick(view.buttons["sample"], Qt.MouseButton.LeftButton)
    assert window.acceptDrops()
    assert window.tool_bar.isEnabled()
    window.close_case()
    assert {n for n, a in window.actions_by_name.items() if a.isEnabled()} == usual
    assert window.empty.isVisible()


def test_what_was_double_clicked_waits(qtbot: QtBot, window: MainWindow) -> None:
    went_on = offer(window, "t1.nii.gz")
    view = shown(window)
    assert view.buttons["go_on"].text() == "Go on to t1.nii.gz"
    view.tick.click()
    assert view.buttons["go_on"].hasFocus()
    qtbot.keyClick(view.buttons["go_on"], Qt.Key.Key_Space)
    assert went_on == ["files"]
    assert not window.touring.is_on


def test_a_long_name_fits_its_button(qtbot: QtBot, window: MainWindow) -> None:
    offer(window, f"{'very_' * 20}long_t1.nii.gz")
    assert shown(window).buttons["go_on"].text() == "Go on to very_very_very_ve..._t1.nii.gz"


def test_it_is_asked_again_when_its_text_changes(
    qtbot: QtBot, make: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_settings(accepted(Settings(), date(2026, 1, 2)))
    assert offer(make()) == ["files"]
    monkeypatch.setattr(notice, "NOTICE", (*notice.NOTICE, "One more sentence."))
    window = make()
    assert offer(window) == []
    assert shown(window).buttons["go_on"].text() == "Go on"


def test_settings_that_cannot_be_written_do_not_lock_anybody_out(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on = offer(window)
    view = shown(window)
    view.tick.click()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(atomic.os, "replace", refuse)
    monkeypatch.setattr(atomic.Path, "replace", refuse)
    qtbot.mouseClick(view.buttons["sample"], Qt.MouseButton.LeftButton)
    assert went_on == ["on"]
    assert "settings" in window.messages.text
    qtbot.waitUntil(lambda: window.session.case is not None, timeout=20_000)


def test_tour_and_sample_stay_within_reach(window: MainWindow) -> None:
    texts = [b.text() for b in window.empty.findChildren(QPushButton) if b.isVisible()]
    assert {"Try the sample case", "Take the tour"} <= set(texts)
    menus = [m for m in window.menuBar().findChildren(QMenu) if m.title() == "&Help"]
    names = {a.text() for m in menus for a in m.actions()}
    assert {"Take the tour (3 minutes)", "Open the sample case", "Open log folder"} <= names
