"""The sliders, buttons and keys of correcting with the network, and the doubtful regions' buttons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QPushButton, QSlider, QStyle, QStyleOptionSlider, QTableWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.regrowth import regrow
from brainseg_desktop.gui.panels.doubt_panel import DoubtPanel
from brainseg_desktop.gui.panels.refine_panel import RefinePanel
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.tools.scribble_tool import ScribbleTool
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.tasks.test_refining import SHAPE, THREE, Room
from tests.gui.tasks.test_refining import room as room  # the fixture

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot: QtBot, room: Room) -> RefinePanel:
    scribbles = ScribbleTool(room.editing, room.desk.jobs, room.refining.opinion)
    panel = RefinePanel(room.refining, room.state, scribbles)
    qtbot.addWidget(panel)
    panel.resize(300, 420)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def slider_of(panel: RefinePanel, region: str) -> QSlider:
    return next(s for s in panel.findChildren(QSlider) if s.accessibleName() == f"Threshold {region}")


def button_of(panel: object, text: str) -> QPushButton:
    return next(b for b in panel.findChildren(QPushButton) if b.text() == text)  # type: ignore[attr-defined]


def handle(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def mouse(slider: QSlider, kind: QEvent.Type, point: QPoint) -> None:
    """An event for the slider itself, whatever else is open in the program."""
    held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else LEFT
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    where = QPointF(point)
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(slider, QMouseEvent(kind, where, slider.mapToGlobal(where), button, held, keys))


def test_dragging_shows_the_mask_and_release_makes_one_step(
    qtbot: QtBot, room: Room, panel: RefinePanel
) -> None:
    ai = room.begin()
    slider, names = slider_of(panel, "WT"), room.own.history.undo_names
    qtbot.waitUntil(slider.isEnabled)
    qtbot.wait(20)  # until everything is laid out
    start = handle(slider)
    mouse(slider, QEvent.Type.MouseButtonPress, start)
    for way in (10, 25, -20, -30):
        mouse(slider, QEvent.Type.MouseMove, start + QPoint(way, 0))
        qtbot.wait(5)
        expected = regrow(ai.probabilities, THREE, {"WT": slider.value() / 100})
        assert np.array_equal(room.own.label_map.array, expected)
        assert room.own.history.undo_names == names
    assert slider.value() < 45
    mouse(slider, QEvent.Type.MouseButtonRelease, start + QPoint(-30, 0))
    assert room.own.history.undo_names == (f"Threshold WT {slider.value()} %", *names)
    value = slider.value()
    room.session.undo()
    assert slider.value() == 50
    room.session.redo()
    assert slider.value() == value


def test_esc_while_dragging_takes_it_back(qtbot: QtBot, room: Room, panel: RefinePanel) -> None:
    ai = room.begin()
    slider, names = slider_of(panel, "TC"), room.own.history.undo_names
    qtbot.waitUntil(slider.isEnabled)
    qtbot.wait(20)  # until everything is laid out
    start = handle(slider)
    mouse(slider, QEvent.Type.MouseButtonPress, start)
    mouse(slider, QEvent.Type.MouseMove, start + QPoint(30, 0))
    qtbot.wait(5)
    assert not np.array_equal(room.own.label_map.array, ai.label_map.array)
    qtbot.keyClick(slider, Qt.Key.Key_Escape)
    mouse(slider, QEvent.Type.MouseMove, start + QPoint(40, 0))
    mouse(slider, QEvent.Type.MouseButtonRelease, start + QPoint(40, 0))
    assert np.array_equal(room.own.label_map.array, ai.label_map.array)
    assert room.own.history.undo_names == names
    assert slider.value() == 50


def test_a_key_is_a_step_and_the_wheel_changes_nothing(qtbot: QtBot, room: Room, panel: RefinePanel) -> None:
    ai = room.begin()
    slider = slider_of(panel, "WT")
    qtbot.keyClick(slider, Qt.Key.Key_Left)
    assert room.own.history.undo_names[0] == "Threshold WT 49 %"
    now = room.own.label_map.array.copy()
    middle = QPointF(slider.rect().center())
    wheel = QWheelEvent(
        middle,
        slider.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(slider, wheel)
    assert slider.value() == 49
    assert np.array_equal(room.own.label_map.array, now)
    qtbot.mouseClick(button_of(panel, "Network's own"), LEFT)
    assert np.array_equal(room.own.label_map.array, ai.label_map.array)
    assert slider.value() == 50
    assert not button_of(panel, "Network's own").isEnabled()


def test_without_probabilities_it_says_why(room: Room, panel: RefinePanel) -> None:
    room.open()
    assert not slider_of(panel, "WT").isEnabled()
    assert "No network" in panel._why.text()
    room.session.add(room.ai())
    assert "Start from this mask" in panel._why.text()


def test_a_network_of_one_region_has_one_slider(room: Room, panel: RefinePanel) -> None:
    room.begin(("WT",))
    assert slider_of(panel, "WT").isVisible()
    assert not slider_of(panel, "TC").isVisible()


def test_a_drag_on_a_locked_mask_goes_back(qtbot: QtBot, room: Room, panel: RefinePanel) -> None:
    room.begin()
    room.own.history.begin()
    slider = slider_of(panel, "WT")
    qtbot.waitUntil(slider.isEnabled)
    qtbot.wait(20)  # until everything is laid out
    start = handle(slider)
    mouse(slider, QEvent.Type.MouseButtonPress, start)
    mouse(slider, QEvent.Type.MouseMove, start + QPoint(30, 0))
    mouse(slider, QEvent.Type.MouseButtonRelease, start + QPoint(30, 0))
    assert slider.value() == 50
    room.own.history.cancel()


def test_scribble_buttons(qtbot: QtBot, room: Room, panel: RefinePanel) -> None:
    room.begin()
    qtbot.mouseClick(button_of(panel, "Scribble"), LEFT)
    assert room.state.mode is Mode.SCRIBBLE
    assert not button_of(panel, "Take over").isEnabled()
    panel._reach.slider.setValue(20)
    assert panel._scribbles.reach_mm == 20
    qtbot.mouseClick(button_of(panel, "Scribble"), LEFT)
    assert room.state.mode is Mode.CROSSHAIR


def test_ai_again_round_the_crosshair(qtbot: QtBot, room: Room, panel: RefinePanel) -> None:
    ai = room.begin()
    box = Box((0, 0, 0), SHAPE)
    with room.own.history.edit("Brush") as stroke:
        stroke.paint(box, np.ones(SHAPE, bool), Tissue.OEDEMA)
    room.state.set_cursor((15, 14, 10))
    panel._side.slider.setValue(10)
    qtbot.mouseClick(button_of(panel, "AI again in box"), LEFT)
    inside = Box((10, 9, 5), (21, 20, 16)).slices
    assert np.array_equal(room.own.label_map.array[inside], ai.label_map.array[inside])
    rest = np.ones(SHAPE, bool)
    rest[inside] = False
    assert (room.own.label_map.array[rest] == Tissue.OEDEMA).all()


# Doubtful regions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A doubtful region as `core.doubt` gives it."""

    centre: tuple[int, int, int]
    box: Box
    mask: np.ndarray
    volume_ml: float = 1.0
    mean_bits: float = 0.8
    voxels: int = 8
    tissue: Tissue = Tissue.OEDEMA


@pytest.fixture
def doubt(qtbot: QtBot, room: Room) -> DoubtPanel:
    navigator = Navigator(room.desk)
    panel = DoubtPanel(navigator, room.state, room.refining)
    qtbot.addWidget(panel)
    room.begin()
    qtbot.waitUntil(lambda: not navigator.is_looking, timeout=10_000)
    places = []
    for x in (12, 15, 18):
        mask = np.ones((2, 2, 2), bool)
        mask[0, 0, 0] = False
        places.append(Place((x, 14, 10), Box((x, 14, 10), (x + 2, 16, 12)), mask, voxels=x))
    navigator.regions = tuple(places)  # type: ignore[assignment]
    navigator.regions_changed.emit()
    panel.resize(300, 300)
    panel.show()
    return panel


def test_accept_ticks_and_goes_on(qtbot: QtBot, room: Room, doubt: DoubtPanel) -> None:
    navigator, table = doubt._navigator, doubt.findChild(QTableWidget)
    doubt.accept_region()
    assert navigator.region == 0
    assert "✓" not in table.item(0, 0).text()
    qtbot.mouseClick(button_of(doubt, "Accept"), LEFT)
    assert table.item(0, 0).text() == "✓ 1"
    assert navigator.region == 1
    assert room.state.cursor == (15, 14, 10)
    navigator.go_to_region(2)
    doubt.accept_region()
    # The first is ticked already.
    assert navigator.region == 1
    doubt.accept_region()
    assert [table.item(row, 0).text() for row in range(3)] == ["✓ 1", "✓ 2", "✓ 3"]
    navigator.regions_changed.emit()
    assert table.item(2, 0).text() == "✓ 3"


def test_edit_takes_the_brush(qtbot: QtBot, room: Room, doubt: DoubtPanel) -> None:
    doubt._navigator.go_to_region(1)
    room.state.set_cursor((1, 1, 1))
    qtbot.mouseClick(button_of(doubt, "Edit"), LEFT)
    assert room.state.mode is Mode.BRUSH
    assert room.state.cursor == (15, 14, 10)


def test_clear_is_one_step_of_that_region_alone(qtbot: QtBot, room: Room, doubt: DoubtPanel) -> None:
    doubt._navigator.go_to_region(2)
    before = room.own.label_map.array.copy()
    room.state.set_cursor((1, 1, 1))
    doubt.clear_region()
    # What is not looked at is shown first.
    assert np.array_equal(room.own.label_map.array, before)
    assert room.state.cursor == (18, 14, 10)
    qtbot.mouseClick(button_of(doubt, "Clear"), LEFT)
    place = doubt._navigator.regions[2]
    expected = before.copy()
    expected[place.box.slices][place.mask] = 0
    assert np.array_equal(room.own.label_map.array, expected)
    assert room.own.history.undo_names[0] == "Clear doubtful region 3"
    assert doubt.findChild(QTableWidget).item(2, 0).text() == "✓ 3"
    doubt.clear_region()
    assert "no label" in room.said
