"""The tour, by real events from the first card to the last; whatever happens, nothing of it is left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QDockWidget, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.dialogs.export_dialog import ExportDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.tasks import segmenting
from brainseg_desktop.gui.tour import touring
from brainseg_desktop.gui.tour.steps import STEPS
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.recovery import pending
from brainseg_desktop.services.settings import load_settings
from tests.gui.conftest import dab, open_case
from tests.gui.test_crash_safety import paint_at


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tour works."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def toured(qtbot: QtBot, window: MainWindow, temp: Path) -> Iterator[MainWindow]:
    """A window with the first card of the tour."""
    begin(qtbot, window)
    yield window
    window.touring.leave()


def begin(qtbot: QtBot, window: MainWindow) -> None:
    """As from the start page."""
    button = next(b for b in window.empty.findChildren(QPushButton) if b.text() == "Take the tour")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.touring.is_on, timeout=20_000)


def press(qtbot: QtBot, window: MainWindow, text: str) -> None:
    """A button of the card."""
    assert window.touring.card is not None
    buttons = window.touring.card.findChildren(QPushButton)
    button = next(b for b in buttons if b.text() == text and b.isVisible())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def go_to(qtbot: QtBot, window: MainWindow, step: str) -> None:
    """Skip what lies before."""
    while window.touring.step != step:
        press(qtbot, window, "Next" if window.touring.step == "start" else "Skip")


def wait_for(qtbot: QtBot, window: MainWindow, step: str) -> None:
    """The tour goes on by itself once a step is done."""
    qtbot.waitUntil(lambda: window.touring.step == step, timeout=60_000)


def framed(window: MainWindow) -> QRect | None:
    frame = window.findChild(touring.TourFrame)
    return frame.target if isinstance(frame, touring.TourFrame) else None


def place_of(widget: QWidget, window: MainWindow) -> QRect:
    return QRect(widget.mapTo(window, QPoint()), widget.size())


def wheel(view: QWidget) -> None:
    middle = QPointF(view.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(view.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def drag(qtbot: QtBot, view: QWidget) -> None:
    start = view.rect().center()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in range(1, 6):
        qtbot.mouseMove(view, start + QPoint(8 * step, 5 * step))
    qtbot.mouseRelease(
        view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start + QPoint(40, 25)
    )


def click_tool(qtbot: QtBot, window: MainWindow, name: str) -> None:
    button = window.tool_bar.widgetForAction(window.actions_by_name[name])
    assert isinstance(button, QWidget)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(12, button.height() // 2))


def test_from_the_first_card_to_the_last(
    qtbot: QtBot, window: MainWindow, temp: Path, own_home: Path
) -> None:
    settings = window.settings
    state, view = window.state, window.viewer.views[0]
    before = (state.mode, state.tissue, state.brush_mm)
    begin(qtbot, window)
    assert "1 of 10" in window.touring.card.said
    press(qtbot, window, "Next")
    # Each control that is spoken of has a frame around it, and the card does not lie on it.
    assert framed(window) == place_of(view, window)
    wheel(view)
    wait_for(qtbot, window, "window")
    button = window.tool_bar.widgetForAction(window.actions_by_name["window"])
    assert framed(window) == place_of(button, window)
    assert not window.touring.card.geometry().intersects(framed(window))
    click_tool(qtbot, window, "window")
    assert window.touring.step == "window"
    drag(qtbot, view)
    wait_for(qtbot, window, "segment")
    click_tool(qtbot, window, "segment")
    qtbot.waitUntil(lambda: "working" in window.touring.card.said, timeout=5000)
    wait_for(qtbot, window, "label")
    own = window.session.own_rating()
    assert own.label_map.array.any()
    qtbot.keyClick(view, Qt.Key.Key_3)
    wait_for(qtbot, window, "paint")
    click_tool(qtbot, window, "brush")
    assert state.mode is Mode.BRUSH
    painted = own.label_map.array.copy()
    dab(qtbot, view, view.rect().center() + QPoint(0, 60))
    assert not np.array_equal(painted, own.label_map.array)
    wait_for(qtbot, window, "undo")
    qtbot.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(painted, own.label_map.array)
    wait_for(qtbot, window, "compare")
    click_tool(qtbot, window, "compare")
    wait_for(qtbot, window, "export")
    click_tool(qtbot, window, "export")
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    destination = dialog.destination
    assert temp in destination.parents
    box = dialog.findChild(QDialogButtonBox)
    qtbot.mouseClick(box.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.touring.exports == 1, timeout=20_000)
    assert destination.is_file()
    wait_for(qtbot, window, "end")
    journals = list(temp.glob("*/state/journals/*"))
    assert journals
    press(qtbot, window, "Finish")
    qtbot.wait(50)
    # Nothing is left: no case, no journal, no file, no setting, no card.
    assert not window.touring.is_on
    assert window.session.case is None
    assert window.empty.isVisible()
    assert list(temp.iterdir()) == []
    assert pending(window.session.state_dir) == []
    assert not list(own_home.rglob("*.journal"))
    assert window.settings.recent_cases == settings.recent_cases == load_settings().settings.recent_cases
    assert window.exporter.folder is None
    assert not window.agreement.reporting.window.isVisible()
    assert (state.mode, state.tissue, state.brush_mm) == before
    assert window.findChild(touring.TourCard) is None or not window.findChild(touring.TourCard).isVisible()


def test_back_and_skip(qtbot: QtBot, toured: MainWindow) -> None:
    press(qtbot, toured, "Next")
    press(qtbot, toured, "Skip")
    assert toured.touring.step == "window"
    press(qtbot, toured, "Back")
    assert toured.touring.step == "scroll"
    wheel(toured.viewer.views[0])
    wait_for(qtbot, toured, "window")
    for step in STEPS[3:]:
        press(qtbot, toured, "Skip")
        assert toured.touring.step == step.name


def test_esc_ends_it_but_first_the_stroke(qtbot: QtBot, toured: MainWindow, temp: Path) -> None:
    go_to(qtbot, toured, "paint")
    toured.actions_by_name["brush"].trigger()
    view = toured.viewer.views[0]
    view.setFocus()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert toured.touring.step == "paint"
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert not toured.touring.is_on
    assert toured.session.case is None
    assert list(temp.iterdir()) == []


def test_the_reader_closes_the_case(qtbot: QtBot, toured: MainWindow, temp: Path) -> None:
    go_to(qtbot, toured, "undo")
    toured.actions_by_name["close_case"].trigger()
    assert not toured.touring.is_on
    assert list(temp.iterdir()) == []


def test_another_case_is_opened(qtbot: QtBot, toured: MainWindow, temp: Path, small_case: Path) -> None:
    """What is painted after that is a reader's work, kept where it always is."""
    go_to(qtbot, toured, "paint")
    open_case(qtbot, toured, small_case)
    assert not toured.touring.is_on
    assert toured.session.case is not None
    assert toured.session.case.name == small_case.name
    assert list(temp.iterdir()) == []
    paint_at(qtbot, toured, 0)
    assert len(list((toured.session.state_dir / "journals").glob("*.journal"))) == 1
    assert toured.settings.recent_cases == (str(small_case),)


def test_the_window_is_closed(qtbot: QtBot, toured: MainWindow, temp: Path, own_home: Path) -> None:
    go_to(qtbot, toured, "paint")
    paint_at(qtbot, toured, 0)
    toured.close()
    assert list(temp.iterdir()) == []
    assert not list(own_home.rglob("*.journal"))


def test_a_reader_is_asked_and_his_strokes_are_kept(
    qtbot: QtBot, window: MainWindow, temp: Path, sample_dir: Path
) -> None:
    """Even on the sample itself: the tour neither shows nor touches what he has drawn there."""
    open_case(qtbot, window, sample_dir)
    paint_at(qtbot, window, 0)
    drawn = window.session.own_rating().label_map.array.copy()
    window.actions_by_name["tour"].trigger()
    stay = next(b for b in window.touring.dialog.buttons() if b.text() == "Stay here")
    qtbot.mouseClick(stay, Qt.MouseButton.LeftButton)
    assert window.session.case is not None
    assert not window.touring.is_on
    window.actions_by_name["tour"].trigger()
    go = next(b for b in window.touring.dialog.buttons() if b.text() != "Stay here")
    qtbot.mouseClick(go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.touring.is_on, timeout=20_000)
    assert not window.session.own_rating().label_map.array.any()
    go_to(qtbot, window, "paint")
    paint_at(qtbot, window, 4)
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_Escape)
    assert not window.touring.is_on
    [left] = pending(window.session.state_dir)
    assert left.strokes == 1
    open_case(qtbot, window, sample_dir)
    assert np.array_equal(window.session.own_rating().label_map.array, drawn)


def test_the_network_fails(qtbot: QtBot, toured: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UserError("disk_full", path=Path("somewhere"))

    monkeypatch.setattr(segmenting, "predict_case", fail)
    go_to(qtbot, toured, "segment")
    click_tool(qtbot, toured, "segment")
    qtbot.waitUntil(lambda: "no outline this time" in toured.touring.card.said, timeout=10_000)
    assert "no room left" in toured.messages.text
    press(qtbot, toured, "Next")
    go_to(qtbot, toured, "paint")
    paint_at(qtbot, toured, 0)
    wait_for(qtbot, toured, "undo")


def test_window_resized_dock_hidden_look_changed(qtbot: QtBot, toured: MainWindow) -> None:
    go_to(qtbot, toured, "export")
    for size in (QSize(1000, 640), QSize(1500, 900)):
        toured.resize(size)
        qtbot.wait(300)
        assert toured.rect().contains(toured.touring.card.geometry())
        assert framed(toured) is not None
        assert toured.rect().contains(framed(toured))
    toured.actions_by_name["theme"].trigger()
    press(qtbot, toured, "Back")
    assert framed(toured) is not None
    dock = toured.findChild(QDockWidget, "Reading")
    dock.hide()
    qtbot.waitUntil(lambda: framed(toured) is None, timeout=5000)
    assert toured.touring.step == "compare"
    assert toured.rect().contains(toured.touring.card.geometry())
    dock.show()
    dock.raise_()
    qtbot.waitUntil(lambda: framed(toured) is not None, timeout=5000)
    toured.actions_by_name["theme"].trigger()


def test_a_control_in_another_tab_is_brought_forward(qtbot: QtBot, toured: MainWindow) -> None:
    toured.findChild(QDockWidget, "Display").raise_()
    go_to(qtbot, toured, "label")
    qtbot.waitUntil(lambda: toured.labels.isVisible() and framed(toured) is not None, timeout=5000)


def test_nowhere_to_work_is_a_sentence(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    window.actions_by_name["tour"].trigger()
    assert "no room left" in window.messages.text
    assert not window.touring.is_on


def test_pressed_twice_and_left_before_it_came(qtbot: QtBot, window: MainWindow, temp: Path) -> None:
    window.touring.ask()
    window.touring.ask()
    window.touring.leave()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=20_000)
    assert not window.touring.is_on
    assert window.session.case is None
    assert list(temp.iterdir()) == []
    assert window.empty.isEnabled()
