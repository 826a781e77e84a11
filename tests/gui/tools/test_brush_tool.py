"""The brush and the eraser by real events: sizes, pen, straight lines, scrolling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QInputDevice, QMouseEvent, QPointingDevice, QTabletEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Grid, nearest_voxel
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools.brush_tool import LEAST_PRESSURE, BrushTool
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.plane import Camera, Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode, ViewState

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
SHAPE, SPACING = (60, 50, 30), (0.9, 1.2, 2.5)
SCHEME = LabelScheme(
    "x",
    "x",
    (Label(1, Tissue.NECROSIS), Label(2, Tissue.OEDEMA), Label(4, Tissue.ENHANCING)),
)


def make_case(*, known: bool = True) -> Case:
    """T1CE: a dark ellipsoid of noise in grey noise; FLAIR: a bright one. T2 lies on another grid."""
    grid = Grid(SHAPE, np.diag([*SPACING, 1.0]), known)
    random = np.random.default_rng(1)
    inside = lesion()
    volumes = {}
    for sequence, value in ((Sequence.T1CE, 40.0), (Sequence.FLAIR, 400.0)):
        data = np.where(inside, value, 200.0) + random.normal(0, 10, SHAPE)
        volumes[sequence] = Volume(data.astype(np.float32), grid, Source(Path("x"), ""), sequence)
    other = Grid((30, 25, 15), np.diag([1.8, 2.4, 5.0, 1.0]))
    if known:  # without a voxel size nothing ties two grids together
        data = np.ones(other.shape, np.float32)
        volumes[Sequence.T2] = Volume(data, other, Source(Path("x"), ""), Sequence.T2)
    labels = LabelMap(np.zeros(SHAPE, dtype=np.uint8))
    return Case("x", grid, volumes, [Rating("Reader", RaterKind.HUMAN, labels, SCHEME)])


def lesion() -> np.ndarray:
    """The ellipsoid: a ball of 10 mm around voxel (30, 25, 15)."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    squared = ((x - 30) * 0.9) ** 2 + ((y - 25) * 1.2) ** 2 + ((z - 15) * 2.5) ** 2
    return np.asarray(squared <= 10**2)


class Room:
    """Two views (FLAIR axial, T1CE coronal) of one case, with one tool in one or several modes."""

    def __init__(
        self, qtbot: QtBot, make: Callable[[Editing], Tool], *modes: Mode, case: Case | None = None
    ) -> None:
        self.qtbot, self.case = qtbot, case or make_case()
        self.state, self.said = ViewState(), []  # type: ignore[var-annotated]
        self.rating = self.case.ratings[0]
        self.editing = Editing(self.state, lambda: self.rating, self.said.append)
        self.state.set_case(self.case)
        self.state.set_rating(self.rating)
        self.rating.history.changed.connect(self.state.touch)
        self.state.set_tissue(Tissue.OEDEMA)
        self.tool: Any = make(self.editing)
        self.toolbox = Toolbox(self.state, dict.fromkeys(modes, self.tool))
        measuring = Measuring(self.state, self.said.append)
        self.view, self.other = (
            SliceView(self.state, self.toolbox, measuring, sequence, plane)
            for sequence, plane in ((Sequence.FLAIR, Plane.AXIAL), (Sequence.T1CE, Plane.CORONAL))
        )
        for view in (self.view, self.other):
            qtbot.addWidget(view)
            view.resize(430, 390)
            view.show()
        self.state.set_mode(modes[0])
        self.state.set_cursor((30, 25, 15))
        # Six pixels and more for a voxel.
        self.state.set_camera(Camera(1.0, (30.0, 25.0, 15.0), (55.0, 45.0, 30.0)))

    @property
    def labels(self) -> np.ndarray:
        return self.rating.label_map.array

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps, newest first."""
        return self.rating.history.undo_names

    def pixel(self, voxel: tuple[float, float, float], view: SliceView | None = None) -> QPoint:
        projection = (view or self.view).projection
        assert projection is not None
        return projection.point_of(voxel).toPoint()

    def voxel(self, pixel: QPoint, view: SliceView | None = None) -> tuple[float, float, float]:
        return (view or self.view).voxel_at(pixel.toPointF())

    def press(self, at: Any, keys: Qt.KeyboardModifier = NONE, view: SliceView | None = None) -> None:
        self._send(QEvent.Type.MouseButtonPress, at, keys, view, LEFT, LEFT)

    def move(
        self,
        at: Any,
        keys: Qt.KeyboardModifier = NONE,
        view: SliceView | None = None,
        *,
        held: bool = True,
    ) -> None:
        buttons = LEFT if held else Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseMove, at, keys, view, Qt.MouseButton.NoButton, buttons)

    def release(self, at: Any, keys: Qt.KeyboardModifier = NONE, view: SliceView | None = None) -> None:
        self._send(QEvent.Type.MouseButtonRelease, at, keys, view, LEFT, Qt.MouseButton.NoButton)

    def click(self, at: Any, keys: Qt.KeyboardModifier = NONE, view: SliceView | None = None) -> None:
        self.move(at, keys, view, held=False)
        self.press(at, keys, view)
        self.release(at, keys, view)

    def drag(self, *way: Any, keys: Qt.KeyboardModifier = NONE, view: SliceView | None = None) -> None:
        self.press(way[0], keys, view)
        for at in way[1:]:
            self.move(at, keys, view)
        self.release(way[-1], keys, view)

    def wheel(
        self, at: Any, steps: int, keys: Qt.KeyboardModifier = NONE, view: SliceView | None = None
    ) -> None:
        shown = view or self.view
        point = self._point(at, shown).toPointF()
        event = QWheelEvent(
            point,
            shown.mapToGlobal(point),
            QPoint(),
            QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton,
            keys,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(shown, event)

    def _point(self, at: Any, view: SliceView) -> QPoint:
        return at if isinstance(at, QPoint) else self.pixel(at, view)

    def _send(
        self,
        kind: QEvent.Type,
        at: Any,
        keys: Qt.KeyboardModifier,
        view: SliceView | None,
        button: Qt.MouseButton,
        buttons: Qt.MouseButton,
    ) -> None:
        shown = view or self.view
        point = self._point(at, shown).toPointF()
        QApplication.sendEvent(
            shown, QMouseEvent(kind, point, shown.mapToGlobal(point), button, buttons, keys)
        )


_PENS: dict[QPointingDevice.PointerType, QPointingDevice] = {}


def pen_of(end: QPointingDevice.PointerType) -> QPointingDevice:
    """A pen with one of its ends down; kept, as Qt's events point at it."""
    if end not in _PENS:
        capabilities = QInputDevice.Capability.Position | QInputDevice.Capability.Pressure
        _PENS[end] = QPointingDevice(
            "pen", 7000 + len(_PENS), QInputDevice.DeviceType.Stylus, end, capabilities, 1, 1
        )
    return _PENS[end]


def pen_event(
    room: Room,
    kind: QEvent.Type,
    at: tuple[float, float, float],
    pressure: float,
    end: QPointingDevice.PointerType = QPointingDevice.PointerType.Pen,
) -> None:
    """What Qt sends for a pen: its own event, then the event of a mouse made from it."""
    device, view = pen_of(end), room.view
    point = room.pixel(at).toPointF()
    mouse, button = {
        QEvent.Type.TabletPress: (QEvent.Type.MouseButtonPress, LEFT),
        QEvent.Type.TabletMove: (QEvent.Type.MouseMove, Qt.MouseButton.NoButton),
        QEvent.Type.TabletRelease: (QEvent.Type.MouseButtonRelease, LEFT),
    }[kind]
    buttons = LEFT if pressure else Qt.MouseButton.NoButton
    here = view.mapToGlobal(point)
    QApplication.sendEvent(
        view, QTabletEvent(kind, device, point, here, pressure, 0, 0, 0, 0, 0, NONE, button, buttons)
    )
    QApplication.sendEvent(
        view,
        QMouseEvent(
            mouse,
            point,
            QPointF(view.mapTo(view.window(), point)),
            here,
            button,
            buttons,
            NONE,
            Qt.MouseEventSource.MouseEventSynthesizedByQt,
            device,
        ),
    )


@pytest.fixture
def room(qtbot: QtBot) -> Room:
    return Room(qtbot, BrushTool, Mode.BRUSH, Mode.ERASER)


def covered(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    diameter: float,
    axis: int | None = 2,
) -> np.ndarray:
    """The voxels of a stroke from one place to another."""
    mask = np.zeros(SHAPE, dtype=bool)
    dab = capsule(start, end, diameter, SPACING, SHAPE, axis)
    mask[dab.box.slices] = dab.mask
    return mask


@pytest.mark.parametrize("ball", [False, True])
def test_a_dab_covers_what_lies_under_it(room: Room, ball: bool) -> None:
    room.state.set_ball(ball)
    room.state.set_brush_mm(9)
    at = room.pixel((31, 22, 15))
    room.click(at)
    voxel = room.voxel(at)
    expected = covered(voxel, voxel, 9.0, None if ball else 2)
    np.testing.assert_array_equal(room.labels == Tissue.OEDEMA, expected)
    assert room.steps == ("Brush, oedema, axial 16",)


def test_the_eraser_has_its_own_size(room: Room) -> None:
    room.state.set_brush_mm(20)
    room.state.set_mode(Mode.ERASER)
    room.state.set_tool_mm(6)
    assert (room.state.brush_mm, room.state.eraser_mm) == (20, 6)
    room.state.set_mode(Mode.BRUSH)
    at = room.pixel((30, 25, 15))
    room.click(at)
    room.state.set_mode(Mode.ERASER)
    room.click(at)
    voxel = room.voxel(at)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, 20.0) & ~covered(voxel, voxel, 6.0))
    # Ctrl in the brush's mode erases with the brush that is seen.
    room.state.set_mode(Mode.BRUSH)
    room.click(at, CTRL)
    assert not room.labels.any()
    assert room.steps[:2] == ("Erase, all labels, axial 16", "Erase, all labels, axial 16")


@pytest.mark.parametrize("pressure", [0.05, 0.5, 1.0])
def test_a_pen_paints_by_its_pressure(room: Room, pressure: float) -> None:
    room.state.set_brush_mm(16)
    at = (30.0, 25.0, 15.0)
    pen_event(room, QEvent.Type.TabletPress, at, pressure)
    pen_event(room, QEvent.Type.TabletRelease, at, 0.0)
    voxel = room.voxel(room.pixel(at))
    size = 16 * (LEAST_PRESSURE + (1 - LEAST_PRESSURE) * pressure)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, size))
    # The mouse that comes after it has no pressure.
    room.rating.history.undo()
    room.click(at)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, 16.0))


def test_pressure_changes_along_a_stroke(room: Room) -> None:
    room.state.set_brush_mm(10)
    start, end = (20.0, 25.0, 15.0), (40.0, 25.0, 15.0)
    pen_event(room, QEvent.Type.TabletPress, start, 1.0)
    pen_event(room, QEvent.Type.TabletMove, end, 0.2)
    pen_event(room, QEvent.Type.TabletRelease, end, 0.0)
    first, last = room.voxel(room.pixel(start)), room.voxel(room.pixel(end))
    expected = covered(first, first, 10.0) | covered(first, last, 10 * (0.3 + 0.7 * 0.2))
    np.testing.assert_array_equal(room.labels > 0, expected)
    assert len(room.steps) == 1


def test_a_pen_that_hovered_leaves_no_pressure_to_the_mouse(room: Room) -> None:
    room.state.set_brush_mm(16)
    pen_event(room, QEvent.Type.TabletMove, (10.0, 10.0, 15.0), 0.0)
    at = room.pixel((30, 25, 15))
    room.click(at)
    voxel = room.voxel(at)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, 16.0))


def test_the_other_end_of_the_pen_erases_with_the_erasers_size(room: Room) -> None:
    room.state.set_brush_mm(20)
    room.state.eraser_mm = 8.0
    at = room.pixel((30, 25, 15))
    room.click(at)
    end = QPointingDevice.PointerType.Eraser
    pen_event(room, QEvent.Type.TabletPress, (30.0, 25.0, 15.0), 1.0, end)
    pen_event(room, QEvent.Type.TabletRelease, (30.0, 25.0, 15.0), 0.0, end)
    voxel = room.voxel(at)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, 20.0) & ~covered(voxel, voxel, 8.0))


# Straight lines -------------------------------------------------------------------------------------


def test_shift_click_draws_a_line_from_the_last_stroke(room: Room) -> None:
    room.state.set_brush_mm(4)
    first, second, third = (room.pixel(v) for v in ((15, 12, 15), (45, 20, 15), (40, 40, 15)))
    a, b, c = (room.voxel(p) for p in (first, second, third))
    room.click(first)
    room.click(second, SHIFT)
    expected = covered(a, a, 4.0) | covered(a, b, 4.0)
    np.testing.assert_array_equal(room.labels > 0, expected)
    # It goes on from there; with Ctrl it takes away.
    room.click(third, SHIFT)
    room.state.set_brush_mm(6)
    room.click(second, SHIFT | CTRL)
    expected = (expected | covered(b, c, 4.0)) & ~covered(c, b, 6.0)
    np.testing.assert_array_equal(room.labels > 0, expected)
    assert room.steps[0].startswith("Erase")
    assert len(room.steps) == 4


def test_a_line_needs_a_stroke_on_this_slice(room: Room) -> None:
    at = (30, 25, 15)
    room.click(at, SHIFT)
    assert not room.labels.any()
    assert room.steps == ()
    assert "from the end of the last stroke" in room.said[-1]
    room.click(at)
    before = room.labels.copy()
    room.state.step(Plane.AXIAL, 1)
    room.click((40, 25, 16), SHIFT)
    # Another plane has no end either, though its slice goes through it.
    room.state.set_cursor((30, 25, 15))
    room.click((40, 25, 10), SHIFT, room.other)
    # Nor has another case of the same size.
    case = make_case()
    room.rating = case.ratings[0]
    room.state.set_case(case)
    room.click((40, 25, 15), SHIFT)
    assert not room.labels.any()
    assert len(room.said) == 4
    np.testing.assert_array_equal(room.case.ratings[0].label_map.array, before)


def test_shift_and_moving_stays_the_crosshairs(room: Room) -> None:
    room.click((20, 20, 15))
    steps = room.steps
    room.move((41, 33, 15), SHIFT, held=False)
    assert room.state.cursor == (41, 33, 15)
    assert room.steps == steps
    # Held down it is both: a line, and the crosshair goes along.
    room.press((25, 20, 15), SHIFT)
    room.move((28, 20, 15), SHIFT)
    assert room.state.cursor == (28, 20, 15)
    room.release((28, 20, 15), SHIFT)
    assert len(room.steps) == len(steps) + 1


def test_the_line_is_seen_before_it_is_drawn(room: Room) -> None:
    for sequence in room.case.volumes:
        room.state.set_window(sequence, (1e6, 2e6))
    room.state.set_show_mask(False)
    room.click((15, 25, 15))
    room.state.set_cursor((5, 5, 15))

    def ink() -> int:
        image = room.view.grab().toImage()
        a, b = room.pixel((20, 25, 15)), room.pixel((40, 25, 15))
        row = range(min(a.x(), b.x()), max(a.x(), b.x()))
        return sum(image.pixelColor(x, a.y()).green() > 100 for x in row)

    room.move((48, 25, 15), held=False)
    assert ink() == 0
    room.move((48, 25, 15), SHIFT, held=False)
    room.state.set_cursor((5, 5, 15))
    assert ink() > 50


# Slices ---------------------------------------------------------------------------------------------


def test_scrolling_while_painting_goes_on_there(room: Room) -> None:
    room.state.set_brush_mm(7)
    at = room.pixel((30, 25, 15))
    room.press(at)
    room.wheel(at, 2)
    room.release(at)
    voxel = room.voxel(at)
    assert voxel[2] == 17
    below = (voxel[0], voxel[1], 15.0)
    np.testing.assert_array_equal(room.labels > 0, covered(voxel, voxel, 7.0) | covered(below, below, 7.0))
    assert room.steps == ("Brush, oedema, axial 18",)


def test_rules_hold_for_lines_and_pens(room: Room) -> None:
    room.state.set_tissue(Tissue.ENHANCING)
    room.drag((25, 25, 15), (35, 25, 15))
    kept = room.labels.copy()
    room.state.set_tissue(Tissue.OEDEMA)
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.ENHANCING})))
    room.click((20, 20, 15))
    room.click((40, 30, 15), SHIFT)
    pen_event(room, QEvent.Type.TabletPress, (30.0, 25.0, 15.0), 1.0, QPointingDevice.PointerType.Eraser)
    pen_event(room, QEvent.Type.TabletRelease, (30.0, 25.0, 15.0), 0.0, QPointingDevice.PointerType.Eraser)
    np.testing.assert_array_equal(room.labels[kept > 0], kept[kept > 0])


def test_escape_and_an_empty_click(room: Room) -> None:
    room.press((30, 25, 15))
    assert room.labels.any()
    room.toolbox.cancel()
    room.release((30, 25, 15))
    assert not room.labels.any()
    room.click((30, 25, 15), CTRL)
    assert room.steps == ()
    assert nearest_voxel(room.voxel(room.pixel((30, 25, 15)))) == (30, 25, 15)
