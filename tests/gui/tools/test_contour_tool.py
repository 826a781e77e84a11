"""Polygon, lasso, spline and scissors drawn with the mouse: the voxels they change, and those they do not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.constraints import Constraints, IntensityRange
from brainseg_desktop.core.contours import close_spline, fill_polygon
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools.contour_freehand import LassoTool, ScissorsTool
from brainseg_desktop.gui.tools.contour_nodes import PolygonTool, SplineTool
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.plane import Camera, Orientation, Plane
from brainseg_desktop.gui.views.slice_view import Pen, SliceView
from brainseg_desktop.gui.views.view_state import Mode, ViewState

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ORIENTATIONS = [Orientation(r, n) for r in (True, False) for n in (True, False)]

Flat = tuple[float, float]


def make_case(labels: np.ndarray | None = None) -> Case:
    """Noise on an oblique, anisotropic grid, and a mask of a box in a box."""
    c, s = math.cos(0.2), math.sin(0.2)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([0.9, 1.2, 2.5])
    grid, random = Grid((60, 50, 30), affine), np.random.default_rng(1)
    volumes = {
        s: Volume(random.normal(100, 20, grid.shape).astype(np.float32), grid, Source(Path("x"), ""), s)
        for s in (Sequence.T1CE, Sequence.FLAIR)
    }
    if labels is None:
        labels = np.zeros(grid.shape, dtype=np.uint8)
        labels[10:40, 10:30, 8:20] = Tissue.OEDEMA
        labels[20:30, 15:25, 12:16] = Tissue.ENHANCING
    scheme = LabelScheme("x", "x", (Label(2, Tissue.OEDEMA), Label(4, Tissue.ENHANCING)))
    return Case("x", grid, volumes, [Rating("Reader", RaterKind.HUMAN, LabelMap(labels), scheme)])


class Room:
    """Two linked views of one case and the contour tools."""

    def __init__(self, qtbot: QtBot) -> None:
        self.state, self.said = ViewState(), []  # type: ignore[var-annotated]
        self.is_editable = True
        editing = Editing(self.state, self._editable, self.said.append)
        self.polygon, self.lasso = PolygonTool(editing), LassoTool(editing)
        self.spline, self.scissors = SplineTool(editing), ScissorsTool(editing)
        self.toolbox = Toolbox(
            self.state,
            {
                Mode.POLYGON: self.polygon,
                Mode.LASSO: self.lasso,
                Mode.SPLINE: self.spline,
                Mode.SCISSORS: self.scissors,
            },
        )
        measuring = Measuring(self.state, self.said.append)
        self.views = [
            SliceView(self.state, self.toolbox, measuring, sequence, Plane.AXIAL)
            for sequence in (Sequence.T1CE, Sequence.FLAIR)
        ]
        for view in self.views:
            qtbot.addWidget(view)
            view.resize(430, 390)
            view.show()
        self.view = self.views[0]
        self.open(make_case())

    def open(self, case: Case) -> None:
        self.case, self.rating = case, case.ratings[0]
        self.state.set_case(case)
        self.state.set_rating(self.rating)
        self.rating.history.changed.connect(self.state.touch)

    def _editable(self) -> Rating | None:
        if not self.is_editable:
            self.said.append("read only")
            return None
        return self.state.rating

    @property
    def labels(self) -> np.ndarray:
        return self.rating.label_map.array

    @property
    def names(self) -> tuple[str, ...]:
        return self.rating.history.undo_names

    def pixel(self, point: Flat) -> QPoint:
        """The pixel over a point of the slice shown."""
        projection, plane = self.view.projection, self.view.plane
        assert projection is not None
        voxel = [0.0, 0.0, 0.0]
        voxel[plane.horizontal], voxel[plane.vertical] = point
        return projection.point_of((voxel[0], voxel[1], voxel[2])).toPoint()

    def point(self, pixel: QPoint) -> Flat:
        """The point of the slice under a pixel: what a click there really means."""
        voxel, plane = self.view.voxel_at(pixel.toPointF()), self.view.plane
        return (voxel[plane.horizontal], voxel[plane.vertical])

    def click(self, point: Flat, keys: Qt.KeyboardModifier = NONE) -> Flat:
        pixel = self.pixel(point)
        QTest.mouseMove(self.view, pixel)
        # Far enough apart in time to be no double click.
        QTest.mousePress(self.view, LEFT, keys, pixel)
        QTest.mouseRelease(self.view, LEFT, keys, pixel)
        return self.point(pixel)

    def drag(self, points: list[Flat], keys: Qt.KeyboardModifier = NONE) -> list[Flat]:
        pixels = [self.pixel(p) for p in points]
        QTest.mousePress(self.view, LEFT, keys, pixels[0])
        for pixel in pixels[1:]:
            QTest.mouseMove(self.view, pixel)
        QTest.mouseRelease(self.view, LEFT, keys, pixels[-1])
        return [self.point(p) for p in pixels]

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.keyClick(self.view, key, keys)

    def flat(self, points: list[Flat] | np.ndarray, plane: Plane = Plane.AXIAL) -> np.ndarray:
        """The voxels of a slice inside a polygon."""
        shape = self.case.grid.shape
        return fill_polygon(points, (shape[plane.horizontal], shape[plane.vertical]))

    def painted(
        self, before: np.ndarray, flat: np.ndarray, plane: Plane, index: int, value: int
    ) -> np.ndarray:
        after = before.copy()
        np.moveaxis(after, plane.axis, 0)[index][flat] = value
        return after


@pytest.fixture
def room(qtbot: QtBot) -> Room:
    return Room(qtbot)


TRIANGLE: list[Flat] = [(12.3, 12.1), (45.2, 15.4), (30.8, 40.7)]


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_polygon_fills_its_voxels(room: Room, plane: Plane, orientation: Orientation) -> None:
    state = room.state
    room.view.set_shown(Sequence.T1CE, plane)
    state.set_orientation(orientation)
    state.set_camera(Camera(1.3, state.camera.centre))
    state.set_cursor((25, 20, 14))
    state.set_tissue(Tissue.ENHANCING)
    state.set_mode(Mode.POLYGON)
    index, before = state.cursor[plane.axis], room.labels.copy()
    corners = [(12.3, 7.1), (40.2, 9.4), (30.8, 22.7), (20.1, 15.2)]
    points = [room.click(p) for p in corners]
    room.view.grab()
    assert np.array_equal(room.labels, before)
    assert room.polygon.is_busy
    room.key(Qt.Key.Key_Return)
    assert not room.polygon.is_busy
    expected = room.painted(before, room.flat(points, plane), plane, index, Tissue.ENHANCING)
    assert np.array_equal(room.labels, expected)
    assert room.names == (f"Polygon, enhancing, {plane.title} {index + 1}",)
    room.rating.history.undo()
    assert np.array_equal(room.labels, before)
    # The crosshair did not follow.
    assert state.cursor == (25, 20, 14)


@pytest.mark.parametrize("how", ["enter", "double", "first"])
@pytest.mark.parametrize("cut", [False, True])
def test_three_ways_to_close_and_ctrl_cuts(room: Room, how: str, cut: bool) -> None:
    room.state.set_tissue(Tissue.NECROSIS)
    room.state.set_mode(Mode.POLYGON)
    before, keys = room.labels.copy(), CONTROL if cut else NONE
    points = [room.click(p) for p in TRIANGLE[:2]]
    last = room.pixel(TRIANGLE[2])
    points.append(room.click(TRIANGLE[2], keys))
    if how == "enter":
        room.key(Qt.Key.Key_Enter, keys)
    elif how == "double":
        QTest.mouseDClick(room.view, LEFT, keys, last)
    else:
        room.click(points[0], keys)
    value = Tissue.BACKGROUND if cut else Tissue.NECROSIS
    expected = room.painted(before, room.flat(points), Plane.AXIAL, 15, value)
    assert np.array_equal(room.labels, expected)
    assert room.names == ("Polygon cut, all labels, axial 16" if cut else "Polygon, necrosis, axial 16",)
    assert not room.polygon.is_busy


def test_two_nodes_enclose_nothing(room: Room) -> None:
    room.state.set_mode(Mode.POLYGON)
    before = room.labels.copy()
    room.click(TRIANGLE[0])
    QTest.mouseDClick(room.view, LEFT, NONE, room.pixel(TRIANGLE[0]))
    assert room.polygon.points == [room.point(room.pixel(TRIANGLE[0]))]
    room.click(TRIANGLE[1])
    room.key(Qt.Key.Key_Return)
    assert room.said == ["Polygon: set at least 3 nodes before closing it."]
    assert room.polygon.is_busy
    room.toolbox.cancel()
    assert not room.polygon.is_busy
    assert np.array_equal(room.labels, before)
    assert room.names == ()


def test_nodes_are_moved_and_removed(room: Room) -> None:
    room.state.set_tissue(Tissue.NECROSIS)
    room.state.set_mode(Mode.POLYGON)
    before = room.labels.copy()
    points = [room.click(p) for p in (*TRIANGLE, (5, 45))]
    # The first node moved, taken hold of three pixels beside it, does not close the polygon.
    start, beside, way = room.pixel(points[0]), QPoint(3, -2), QPoint(-20, 14)
    QTest.mousePress(room.view, LEFT, NONE, start + beside)
    QTest.mouseMove(room.view, start + beside + way)
    QTest.mouseRelease(room.view, LEFT, NONE, start + beside + way)
    assert room.polygon.is_busy
    points[0] = room.point(start + way)
    assert room.polygon.points[0] == pytest.approx(points[0], abs=0.05)
    # The node moved is selected; another is, and is removed; then the last.
    room.click(points[1])
    room.key(Qt.Key.Key_Delete)
    room.key(Qt.Key.Key_Backspace)
    room.view.grab()
    assert np.array(room.polygon.points) == pytest.approx(np.array([points[0], points[2]]), abs=0.05)
    room.click((40, 10))
    room.key(Qt.Key.Key_Return)
    outline = [points[0], points[2], room.point(room.pixel((40, 10)))]
    assert np.array_equal(
        room.labels, room.painted(before, room.flat(outline), Plane.AXIAL, 15, Tissue.NECROSIS)
    )


def test_without_its_last_node_there_is_no_contour(room: Room) -> None:
    room.state.set_mode(Mode.SPLINE)
    room.click(TRIANGLE[0])
    room.key(Qt.Key.Key_Backspace)
    assert not room.spline.is_busy
    # The keys then mean what they mean elsewhere.
    room.key(Qt.Key.Key_Backspace)
    room.key(Qt.Key.Key_Return)
    assert room.said == []


@pytest.mark.parametrize("orientation", ORIENTATIONS[::3])
def test_zoom_and_orientation_may_change_while_drawing(room: Room, orientation: Orientation) -> None:
    room.state.set_tissue(Tissue.NECROSIS)
    room.state.set_mode(Mode.POLYGON)
    before = room.labels.copy()
    points = [room.click(p) for p in TRIANGLE[:2]]
    room.state.set_orientation(orientation)
    room.state.set_camera(Camera(2.5, (30.0, 30.0, 15.0)))
    points.append(room.click(TRIANGLE[2]))
    room.view.grab()
    room.key(Qt.Key.Key_Return)
    assert np.array_equal(
        room.labels, room.painted(before, room.flat(points), Plane.AXIAL, 15, Tissue.NECROSIS)
    )


@pytest.mark.parametrize("mode", [Mode.POLYGON, Mode.SPLINE])
def test_another_slice_neither_shows_nor_takes_the_contour(room: Room, mode: Mode) -> None:
    state = room.state
    state.set_mode(mode)
    tool = room.toolbox.active
    assert isinstance(tool, PolygonTool | SplineTool)
    before = room.labels.copy()
    points = [room.click(p) for p in TRIANGLE]
    QTest.mouseMove(room.view, QPoint(5, 5))
    drawn = room.view.grab().toImage()
    state.step(Plane.AXIAL, 3)
    elsewhere = room.view.grab().toImage()
    tool.cancel()
    assert room.view.grab().toImage() == elsewhere
    state.step(Plane.AXIAL, -3)
    assert room.view.grab().toImage() != drawn
    points = [room.click(p) for p in TRIANGLE]
    state.step(Plane.AXIAL, 3)
    room.click((50, 40))
    assert "open on axial 16" in room.said[-1]
    assert len(tool.points) == 3
    # The other plane through the same voxels is another slice too.
    room.view.set_shown(Sequence.T1CE, Plane.CORONAL)
    room.click((20, 20))
    assert len(tool.points) == 3
    room.key(Qt.Key.Key_Return)
    outline = np.array(points) if mode is Mode.POLYGON else close_spline(points, (0.9, 1.2))
    expected = room.painted(before, room.flat(outline), Plane.AXIAL, 15, Tissue.NECROSIS)
    assert np.array_equal(room.labels, expected)
    assert room.names[0].endswith("necrosis, axial 16")


def test_the_linked_view_takes_nodes_of_the_same_contour(room: Room) -> None:
    room.state.set_mode(Mode.POLYGON)
    room.click(TRIANGLE[0])
    room.click(TRIANGLE[1])
    second = room.views[1]
    QTest.mouseClick(second, LEFT, NONE, room.pixel(TRIANGLE[2]))
    assert len(room.polygon.points) == 3
    QTest.keyClick(second, Qt.Key.Key_Return)
    assert len(room.names) == 1


def test_a_spline_fills_its_curve(room: Room) -> None:
    room.state.set_tissue(Tissue.ENHANCING)
    room.state.set_mode(Mode.SPLINE)
    before = room.labels.copy()
    points = [room.click(p) for p in ((12, 12), (40, 10), (45, 35), (20, 38))]
    room.view.grab()
    # A node on the curve, where it bulges between the second and the third, pulled outwards.
    curve = close_spline(points, (0.9, 1.2))
    at = (float(curve[24 + 12][0]), float(curve[24 + 12][1]))
    room.drag([at, (50, 22)])
    assert len(room.spline.points) == 5
    assert room.spline.points[2] == pytest.approx((50, 22), abs=0.3)
    # A node moved and moved back, another one removed.
    room.drag([points[0], (3, 3)])
    room.drag([room.spline.points[0], points[0]])
    room.click(room.spline.points[4])
    room.key(Qt.Key.Key_Delete)
    nodes = list(room.spline.points)
    assert len(nodes) == 4
    room.key(Qt.Key.Key_Return)
    flat = room.flat(close_spline(nodes, (0.9, 1.2)))
    assert np.array_equal(room.labels, room.painted(before, flat, Plane.AXIAL, 15, Tissue.ENHANCING))
    assert room.names == ("Spline, enhancing, axial 16",)
    # Smooth: none of the corners is cut off, and more is covered than by straight lines.
    assert flat[tuple(np.rint(nodes[1]).astype(int))] or flat.sum() > room.flat(nodes).sum()


def test_a_spline_is_kept_when_another_tool_is_chosen_and_a_polygon_is_not(room: Room) -> None:
    before = room.labels.copy()
    room.state.set_mode(Mode.POLYGON)
    for point in TRIANGLE:
        room.click(point)
    room.state.set_mode(Mode.SPLINE)
    assert np.array_equal(room.labels, before)
    assert room.said == ["Polygon: the open contour on axial 16 was dropped."]
    nodes = [room.click(p) for p in TRIANGLE]
    room.state.set_mode(Mode.CROSSHAIR)
    assert room.names == ("Spline, necrosis, axial 16",)
    flat = room.flat(close_spline(nodes, (0.9, 1.2)))
    assert np.array_equal(room.labels, room.painted(before, flat, Plane.AXIAL, 15, Tissue.NECROSIS))
    room.state.set_mode(Mode.SPLINE)
    room.click(TRIANGLE[0])
    room.toolbox.finish()
    assert room.said[-1] == "Spline: the open contour on axial 16 was dropped."
    assert len(room.names) == 1


LOOP: list[Flat] = [(15, 15), (25, 12), (40, 14), (44, 30), (30, 38), (18, 30), (12, 20)]


@pytest.mark.parametrize("cut", [False, True])
def test_a_lasso(room: Room, cut: bool) -> None:
    room.state.set_tissue(Tissue.NECROSIS)
    room.state.set_mode(Mode.LASSO)
    before = room.labels.copy()
    points = room.drag(LOOP, CONTROL if cut else NONE)
    flat, value = room.flat(points), Tissue.BACKGROUND if cut else Tissue.NECROSIS
    assert np.array_equal(room.labels, room.painted(before, flat, Plane.AXIAL, 15, value))
    assert room.names == ("Lasso cut, all labels, axial 16" if cut else "Lasso, necrosis, axial 16",)


def test_a_lasso_begun_at_the_second_of_two_quick_clicks(room: Room) -> None:
    room.state.set_mode(Mode.LASSO)
    before = room.labels.copy()
    pixels = [room.pixel(p) for p in LOOP]
    # The button is down after this.
    QTest.mouseDClick(room.view, LEFT, NONE, pixels[0])
    for pixel in pixels[1:]:
        QTest.mouseMove(room.view, pixel)
    room.view.grab()
    QTest.mouseRelease(room.view, LEFT, NONE, pixels[-1])
    flat = room.flat([room.point(p) for p in pixels])
    assert np.array_equal(room.labels, room.painted(before, flat, Plane.AXIAL, 15, Tissue.NECROSIS))


def test_the_slice_stays_under_a_lasso_and_escape_drops_it(room: Room) -> None:
    room.state.set_mode(Mode.LASSO)
    pixels = [room.pixel(p) for p in LOOP]
    QTest.mousePress(room.view, LEFT, NONE, pixels[0])
    for pixel in pixels[1:]:
        QTest.mouseMove(room.view, pixel)
    wheel = QWheelEvent(
        QPointF(pixels[-1]),
        room.view.mapToGlobal(pixels[-1]).toPointF(),
        QPoint(),
        QPoint(0, 120),
        LEFT,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(room.view, wheel)
    assert room.view.index == 15
    room.toolbox.cancel()
    QTest.mouseRelease(room.view, LEFT, NONE, pixels[-1])
    assert room.names == ()


def test_the_eraser_end_of_a_pen_cuts(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    # The events of this test come from a mouse, which has no eraser's end.
    monkeypatch.setattr(SliceView, "_forget_pen", lambda view, event: None)
    room.state.set_mode(Mode.LASSO)
    room.view.pen = Pen(0.7, True)
    before = room.labels.copy()
    points = room.drag(LOOP)
    assert np.array_equal(room.labels, room.painted(before, room.flat(points), Plane.AXIAL, 15, 0))


@pytest.mark.parametrize("mode", [Mode.LASSO, Mode.SCISSORS])
def test_a_click_of_a_freehand_tool_makes_no_step(room: Room, mode: Mode) -> None:
    room.state.set_mode(mode)
    before = room.labels.copy()
    room.click((20, 20))
    room.drag([(20, 20), (30, 20)])
    assert np.array_equal(room.labels, before)
    assert room.names == ()
    assert room.said == []
    assert not room.toolbox.is_busy


def test_a_contour_between_the_voxels_says_so(room: Room) -> None:
    room.state.set_camera(Camera(8.0, (20.0, 20.0, 15.0)))
    room.state.set_mode(Mode.POLYGON)
    for point in ((20.2, 20.2), (20.8, 20.2), (20.5, 20.8)):
        room.click(point)
    room.key(Qt.Key.Key_Return)
    assert room.said == ["Polygon, necrosis, axial 16: no voxel lies inside."]
    assert room.names == ()
    assert not room.polygon.is_busy


def test_nothing_begins_on_a_mask_that_may_not_be_changed(room: Room) -> None:
    room.is_editable = False
    for mode in (Mode.POLYGON, Mode.SPLINE):
        room.state.set_mode(mode)
        room.click(TRIANGLE[0])
        assert not room.toolbox.is_busy
    for mode in (Mode.LASSO, Mode.SCISSORS):
        room.state.set_mode(mode)
        room.drag(LOOP)
    assert room.said == ["read only"] * 4
    # The history stays free for others.
    assert not room.rating.history.is_editing


def test_a_polygon_waits_while_its_label_is_locked(room: Room) -> None:
    room.state.set_mode(Mode.POLYGON)
    for point in TRIANGLE:
        room.click(point)
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.NECROSIS})))
    room.key(Qt.Key.Key_Return)
    assert "locked" in room.said[-1]
    assert room.polygon.is_busy
    room.state.set_constraints(Constraints())
    room.key(Qt.Key.Key_Return)
    assert room.names == ("Polygon, necrosis, axial 16",)


def test_undo_works_while_a_polygon_is_open(room: Room) -> None:
    room.state.set_mode(Mode.LASSO)
    before = room.labels.copy()
    room.drag(LOOP)
    room.state.set_mode(Mode.POLYGON)
    room.click(TRIANGLE[0])
    assert room.rating.history.undo() is not None
    assert np.array_equal(room.labels, before)


def test_a_contour_never_lands_on_another_case(room: Room) -> None:
    room.state.set_mode(Mode.POLYGON)
    for point in TRIANGLE:
        room.click(point)
    room.open(make_case())
    assert not room.polygon.is_busy
    room.key(Qt.Key.Key_Return)
    assert room.names == ()


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("keys", [NONE, CONTROL, SHIFT])
def test_scissors_go_through_all_slices(room: Room, plane: Plane, keys: Qt.KeyboardModifier) -> None:
    state = room.state
    room.view.set_shown(Sequence.T1CE, plane)
    state.set_tissue(Tissue.NECROSIS)
    state.set_mode(Mode.SCISSORS)
    before = room.labels.copy()
    points = room.drag([(15, 9), (26, 9), (33, 18), (20, 22)], keys)
    flat = room.flat(points, plane)
    column = np.broadcast_to(np.expand_dims(flat, plane.axis), before.shape)
    hit = (~column if keys is CONTROL else column) & (before > 0)
    expected = np.where(hit, np.uint8(Tissue.NECROSIS if keys is SHIFT else 0), before)
    assert hit.any()
    assert np.array_equal(room.labels, expected)
    words = {NONE: "inside removed", CONTROL: "outside removed", SHIFT: "inside to necrosis"}[keys]
    assert room.names == (f"Scissors, {words}, {plane.title}",)
    room.rating.history.undo()
    assert np.array_equal(room.labels, before)


@pytest.mark.parametrize("keys", [NONE, CONTROL, SHIFT])
def test_scissors_spare_hidden_and_locked_labels(room: Room, keys: Qt.KeyboardModifier) -> None:
    state = room.state
    state.set_mode(Mode.SCISSORS)
    before = room.labels.copy()
    around: list[Flat] = [(-5, -5), (65, -5), (65, 55), (-5, 55)]
    contour: list[Flat] = [(2, 2), (3, 2), (3, 3)] if keys is CONTROL else around
    for hidden in (True, False):
        state.set_hidden(Tissue.ENHANCING, hidden)
        if not hidden:
            state.set_constraints(Constraints(locked=frozenset({Tissue.ENHANCING})))
        room.drag(contour, keys)
        to = Tissue.NECROSIS if keys is SHIFT else 0
        assert np.array_equal(room.labels, np.where(before == Tissue.OEDEMA, np.uint8(to), before))
        room.rating.history.undo()
    state.set_show_mask(False)
    room.drag(contour, keys)
    assert np.array_equal(room.labels, before)
    assert "hidden" in room.said[-1]


def test_scissors_on_nothing_say_so(room: Room) -> None:
    room.state.set_mode(Mode.SCISSORS)
    room.drag([(50, 40), (55, 40), (55, 45)])
    assert room.said == ["Scissors, inside removed, axial: no voxel lies inside."]
    room.open(make_case(np.zeros((60, 50, 30), np.uint8)))
    room.drag(LOOP, CONTROL)
    assert room.said[-1] == "Scissors, outside removed, axial: no voxel lies inside."


RULES = [
    Constraints(keep_others=True),
    Constraints(only_inside=Tissue.ENHANCING),
    Constraints(locked=frozenset({Tissue.OEDEMA})),
    Constraints(intensity=IntensityRange(Sequence.FLAIR, 90, 110)),
    Constraints(keep_others=True, intensity=IntensityRange(Sequence.FLAIR, 90, 110, inverse=True)),
]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("mode", [Mode.POLYGON, Mode.LASSO, Mode.SPLINE, Mode.SCISSORS])
@pytest.mark.parametrize("keys", [NONE, CONTROL])
def test_the_rules_hold(room: Room, rules: Constraints, mode: Mode, keys: Qt.KeyboardModifier) -> None:
    state = room.state
    state.set_tissue(Tissue.ENHANCING)
    state.set_constraints(rules)
    state.set_mode(mode)
    before = room.labels.copy()
    if mode in (Mode.LASSO, Mode.SCISSORS):
        room.drag(LOOP, keys)
    else:
        for point in LOOP:
            room.click(point)
        room.key(Qt.Key.Key_Return, keys)
    after = room.labels
    values = room.case.volumes[Sequence.FLAIR].data
    may = rules.permitted(before, after, Tissue.ENHANCING, values)
    changed = before != after
    assert not (changed & ~may).any()
    if not changed.any():
        assert "no voxel" in room.said[-1]
        assert room.names == ()
    else:
        assert len(room.names) == 1


@given(
    st.lists(st.tuples(st.floats(0, 59), st.floats(0, 49)), min_size=3, max_size=7),
    st.booleans(),
    st.sampled_from([Tissue.NECROSIS, Tissue.OEDEMA]),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lasso_is_undone_to_the_voxel(room: Room, loop: list[Flat], cut: bool, tissue: Tissue) -> None:
    room.state.set_tissue(tissue)
    room.state.set_mode(Mode.LASSO)
    before, steps = room.labels.copy(), len(room.names)
    points = room.drag(loop, CONTROL if cut else NONE)
    # Moves to the pixel the mouse is on already are none.
    different = [p for p, q in zip(points, [None, *points], strict=False) if p != q]
    expected = before
    if len(different) >= 3:
        expected = room.painted(before, room.flat(points), Plane.AXIAL, 15, 0 if cut else tissue)
    assert np.array_equal(room.labels, expected)
    if len(room.names) > steps:
        room.rating.history.undo()
        assert np.array_equal(room.labels, before)
        room.rating.history.redo()
        assert np.array_equal(room.labels, expected)
        room.rating.history.undo()
