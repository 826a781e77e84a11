"""What the program says of itself, as a reader reads and copies it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QLabel, QLineEdit, QListWidget, QPlainTextEdit, QTabBar, QTextBrowser
from pytestqt.qtbot import QtBot

from brainseg_desktop import __version__
from brainseg_desktop.gui.dialogs.about_window import AboutWindow
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.services.models import default_model_dir
from brainseg_desktop.services.paths import log_dir, state_dir, user_models_dir
from brainseg_desktop.services.settings import settings_path
from tests.gui.settings.conftest import named, press
from tests.gui.test_accessibility import nameless, unreachable


@pytest.fixture
def about(qtbot: QtBot, window: MainWindow) -> AboutWindow:
    window.actions_by_name["about"].trigger()
    shown = window.settings_shower.about
    assert shown is not None
    qtbot.waitUntil(shown.isActiveWindow)
    return shown


def turn_to(qtbot: QtBot, about: AboutWindow, page: int) -> None:
    """With the arrow keys."""
    bar = about.tabs.findChild(QTabBar)
    bar.setFocus()
    for _ in range(page):
        qtbot.keyClick(bar, Qt.Key.Key_Right)
    assert about.tabs.currentIndex() == page


def parts(about: AboutWindow) -> list[str]:
    listed = about.findChild(QListWidget)
    return [listed.item(n).text() for n in range(listed.count()) if not listed.item(n).isHidden()]


def test_versions_notice_and_places_can_be_read(about: AboutWindow) -> None:
    text = named(about, QTextBrowser, "Versions and places").toPlainText()
    assert f"BrainSeg Desktop {__version__}" in text
    assert "For research use only" in text
    assert qVersion() in text
    for path in (settings_path(), state_dir(), user_models_dir(), log_dir()):
        assert str(path) in text


def test_asked_for_twice_it_is_one_window(window: MainWindow, about: AboutWindow) -> None:
    window.actions_by_name["about"].trigger()
    assert window.settings_shower.about is about
    about.close()
    assert window.settings_shower.about is None


def test_the_network_s_figures_can_be_read(qtbot: QtBot, about: AboutWindow) -> None:
    turn_to(qtbot, about, 1)
    card = named(about, QTextBrowser, "Card of the network")
    qtbot.waitUntil(lambda: "95 % interval" in card.toPlainText(), timeout=30_000)
    for network in read_card(default_model_dir()).networks:
        for figure in network.figures:
            assert f"{figure.dice:.3f}" in card.toPlainText()


def test_licences_can_be_searched_and_read(qtbot: QtBot, about: AboutWindow) -> None:
    turn_to(qtbot, about, 2)
    qtbot.waitUntil(lambda: len(parts(about)) > 20, timeout=30_000)
    text = about.findChild(QPlainTextEdit)
    assert "Apache License" in text.toPlainText()
    search = named(about, QLineEdit, "Search licences")
    qtbot.keyClicks(search, "nibabel")
    assert len(parts(about)) == 1
    listed = about.findChild(QListWidget)
    row = next(n for n in range(listed.count()) if not listed.item(n).isHidden())
    place = listed.visualItemRect(listed.item(row)).center()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert "nibabel" in about._head.text()
    assert "MIT" in text.toPlainText()


def test_what_support_needs_is_copied(qtbot: QtBot, window: MainWindow, about: AboutWindow) -> None:
    press(qtbot, about, "Copy for support")
    text = QGuiApplication.clipboard().text()
    assert f"BrainSeg Desktop: {__version__}" in text
    assert "Device: auto" in text
    assert any("Copied" in label.text() for label in about.findChildren(QLabel))


@pytest.mark.parametrize("works", [True, False])
def test_the_log_folder_is_opened(
    qtbot: QtBot, about: AboutWindow, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: bool(opened.append(url.toLocalFile())) or works
    )
    press(qtbot, about, "Open log folder")
    assert [Path(folder) for folder in opened] == [log_dir()]
    assert log_dir().is_dir()
    said = " ".join(label.text() for label in about.findChildren(QLabel))
    assert (str(log_dir()) in said) == (not works)


@pytest.mark.parametrize("page", range(3))
def test_every_control_has_a_name_and_is_reached_without_a_mouse(
    qtbot: QtBot, about: AboutWindow, page: int
) -> None:
    turn_to(qtbot, about, page)
    assert nameless(about) == []
    assert unreachable(about) == []


def test_closing_at_once_leaves_nothing(window: MainWindow, about: AboutWindow, qtbot: QtBot) -> None:
    """The card and the licences are still being read."""
    about.close()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=30_000)
    assert window.messages.text == ""
