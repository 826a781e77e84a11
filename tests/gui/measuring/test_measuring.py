"""Ruler, angle, region and diameters drawn with the mouse: millimetres, voxels and pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QListWidget, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import ET, WT, Label, LabelScheme, Tissue
from brainseg_desktop.core.measurements import (
    Measurement,
    MeasurementKind,
    angle_degrees,
    as_point,
    diameters_mm,
    length_mm,
    roi_statistics,
)
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.measuring.measurement_drawing import Drawn, draw_measurements
from brainseg_desktop.gui.measuring.measurement_text import lines
from brainseg_desktop.gui.measuring.measurements_panel import MeasurementsPanel
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.plane import Camera, Orientation, Plane, Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode, ViewState

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
ORIENTATIONS = [Orientation(r, n) for r in (True, False) for n in (True, False)]


def oblique_grid(*, known: bool = True) -> Grid:
    c, s = math.cos(0.2), math.sin(0.2)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([0.9, 1.2, 2.5])
    affine[:3, 3] = (-40.0, 12.5, -30.0)
    if not known:
        affine = np.diag([1.0, 1.0, 4.0, 1.0])
    return Grid((60, 50, 30), affine, known)


def make_case(*, known: bool = True) -> Case:
    """Noise in two sequences, and a box of oedema with a smaller one of enhancing tumour in it."""
    grid, random = oblique_grid(known=known), np.random.default_rng(1)
    volumes = {
        s: Volume(random.normal(100 * n, 20, grid.shape).astype(np.float32), grid, Source(Path("x"), ""), s)
        for n, s in ((1, Sequence.T1CE), (2, Sequence.FLAIR))
    }
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[10:40, 10:30, 8:20] = Tissue.OEDEMA
    labels[20:25, 15:19, 12] = Tissue.ENHANCING
    scheme = LabelScheme("x", "x", (Label(2, Tissue.OEDEMA), Label(4, Tissue.ENHANCING)))
    return Case("x", grid, volumes, [Rating("Reader", RaterKind.HUMAN, LabelMap(labels), scheme)])


class Room:
    """Two linked views of one case, the measuring tool, and what it said."""

    def __init__(self, qtbot: QtBot, case: Case) -> None:
        self.qtbot, self.case = qtbot, case
        self.state, self.said = ViewState(), []  # type: ignore[var-annotated]
        self.measuring = Measuring(self.state, self.said.append)
        brush = Toolbox(self.state, {})
        self.views = [
            SliceView(self.state, brush, self.measuring, sequence, Plane.AXIAL)
            for sequence in (Sequence.T1CE, Sequence.FLAIR)
        ]
        for view in self.views:
            qtbot.addWidget(view)
            view.resize(430, 390)
            view.show()
        self.view = self.views[0]
        self.state.set_case(case)
        self.state.set_rating(case.ratings[0])

    def pixel(self, voxel: tuple[float, float, float]) -> QPoint:
        projection = self.view.projection
        assert projection is not None
        return projection.point_of(voxel).toPoint()

    def press(self, voxel: tuple[float, float, float]) -> None:
        self.qtbot.mousePress(self.view, LEFT, NONE, self.pixel(voxel))

    def move(self, voxel: tuple[float, float, float]) -> None:
        self.qtbot.mouseMove(self.view, self.pixel(voxel))

    def release(self, voxel: tuple[float, float, float]) -> None:
        self.qtbot.mouseRelease(self.view, LEFT, NONE, self.pixel(voxel))

    def drag(self, start: tuple[float, float, float], end: tuple[float, float, float]) -> None:
        self.press(start)
        self.move(as_point((np.array(start) + end) / 2))
        self.move(end)
        self.release(end)

    def click(self, voxel: tuple[float, float, float]) -> None:
        self.move(voxel)
        self.press(voxel)
        self.release(voxel)

    @property
    def only(self) -> Measurement:
        (measurement,) = self.state.measurements
        return measurement

    @property
    def pixel_mm(self) -> float:
        projection = self.view.projection
        assert projection is not None
        return 1 / projection.pixels_per_mm


@pytest.fixture
def room(qtbot: QtBot) -> Room:
    return Room(qtbot, make_case())


def in_plane(plane: Plane, horizontal: float, vertical: float, index: float) -> tuple[float, float, float]:
    voxel = [0.0, 0.0, 0.0]
    voxel[plane.horizontal], voxel[plane.vertical], voxel[plane.axis] = horizontal, vertical, index
    return as_point(voxel)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_ruler_has_the_millimetres_of_its_voxels(
    room: Room, plane: Plane, orientation: Orientation
) -> None:
    state, grid = room.state, room.case.grid
    room.view.set_shown(Sequence.T1CE, plane)
    state.set_orientation(orientation)
    state.set_camera(Camera(1.6, state.camera.centre))
    state.set_cursor((30, 25, 15))
    state.set_mode(Mode.RULER)
    index = state.cursor[plane.axis]
    ends = in_plane(plane, 20, 12, index), in_plane(plane, 41, 19, index)
    room.drag(*ends)
    world = grid.world_of(ends)
    assert room.only.kind is MeasurementKind.RULER
    assert (room.only.plane_axis, room.only.sequence) == (plane.axis, Sequence.T1CE)
    assert np.abs(np.array(room.only.points) - world).max() < room.pixel_mm
    assert length_mm(room.only) == pytest.approx(np.linalg.norm(world[0] - world[1]), abs=1.5 * room.pixel_mm)
    assert not room.measuring.is_busy
    # The crosshair did not follow.
    assert state.cursor == (30, 25, 15)


@pytest.mark.parametrize("orientation", ORIENTATIONS[::3])
def test_zoom_and_orientation_do_not_move_it(room: Room, orientation: Orientation) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((20, 12, 15), (41, 19, 15))
    before = room.only
    room.state.set_orientation(orientation)
    room.state.set_camera(Camera(3.0, (25.0, 20.0, 15.0)))
    for view in room.views:
        view.grab()
    assert room.only is before
    # Its end is under the mouse where the voxel is now.
    end = room.pixel((20, 12, 15)).toPointF()
    assert room.measuring.cursor_for(room.view, end) is Qt.CursorShape.PointingHandCursor


def test_a_ruler_by_two_clicks_and_the_next_at_once(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.click((10, 10, 15))
    assert room.measuring.is_busy
    assert room.state.measurements == ()
    room.click((30, 10, 15))
    room.drag((10, 30, 15), (10, 40, 15))
    first, second = room.state.measurements
    assert length_mm(first) == pytest.approx(20 * 0.9, abs=2 * room.pixel_mm)
    assert length_mm(second) == pytest.approx(10 * 1.2, abs=2 * room.pixel_mm)
    assert room.measuring.selected is second


def test_a_second_click_on_the_same_place_is_no_ruler(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.click((10, 10, 15))
    room.qtbot.mouseDClick(room.view, LEFT, NONE, room.pixel((10, 10, 15)))
    room.release((10, 10, 15))
    assert room.state.measurements == ()
    room.click((30, 10, 15))
    assert length_mm(room.only) == pytest.approx(18, abs=2 * room.pixel_mm)


def test_a_trembling_click_is_a_click(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    start = room.pixel((10, 10, 15))
    room.qtbot.mousePress(room.view, LEFT, NONE, start)
    room.qtbot.mouseMove(room.view, start + QPoint(2, 1))
    room.qtbot.mouseRelease(room.view, LEFT, NONE, start + QPoint(2, 1))
    assert room.state.measurements == ()
    assert room.measuring.is_busy


@pytest.mark.parametrize("by_drag", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS[::3])
def test_an_angle(room: Room, by_drag: bool, orientation: Orientation) -> None:
    room.state.set_orientation(orientation)
    room.state.set_mode(Mode.ANGLE)
    points = ((12, 30, 15), (30, 10, 15), (50, 25, 15))
    if by_drag:
        room.drag(points[0], points[1])
    else:
        room.click(points[0])
        room.click(points[1])
    assert room.state.measurements == ()
    room.move((20, 20, 15))
    room.view.grab()
    room.click(points[2])
    world = room.case.grid.world_of(points)
    u, v = world[0] - world[1], world[2] - world[1]
    expected = math.degrees(math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
    assert angle_degrees(room.only) == pytest.approx(expected, abs=2.0)
    assert not room.measuring.is_busy


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_region_counts_the_voxels_under_it(room: Room, orientation: Orientation) -> None:
    state, grid = room.state, room.case.grid
    state.set_orientation(orientation)
    state.set_mode(Mode.ROI)
    a, b = np.array([14.37, 11.3, 15]), np.array([33.6, 38.4, 15])
    room.drag(as_point(a), as_point(b))
    ends = np.sort(grid.voxel_of(room.only.points), axis=0)
    assert ends == pytest.approx(np.array([a, b]), abs=room.pixel_mm / 0.9)
    centre, radius = ends.mean(axis=0), np.diff(ends, axis=0)[0] / 2
    inside = [
        (i, j, 15)
        for i in range(60)
        for j in range(50)
        if ((i - centre[0]) / radius[0]) ** 2 + ((j - centre[1]) / radius[1]) ** 2 <= 1
    ]
    for sequence in (Sequence.T1CE, Sequence.FLAIR):
        volume = room.case.volumes[sequence]
        values = np.array([volume.data[v] for v in inside])
        found = roi_statistics(room.only, volume, grid)
        assert found is not None
        assert (found.voxels, found.mean) == (len(inside), pytest.approx(values.mean()))
    # A corner not given by the reader, and the middle, can be taken as well.
    state.set_mode(Mode.CROSSHAIR)
    room.drag((a[0], b[1], 15), (a[0] - 5, b[1] + 5, 15))
    ends = np.sort(grid.voxel_of(room.only.points), axis=0)
    assert ends == pytest.approx(np.array([a - [5, 0, 0], b - [0, -5, 0]]), abs=room.pixel_mm / 0.9)
    middle = ends.mean(axis=0)
    room.drag(as_point(middle), as_point(middle - [-3, 4, 0]))
    moved = np.sort(grid.voxel_of(room.only.points), axis=0)
    assert moved == pytest.approx(ends - [-3, 4, 0], abs=room.pixel_mm / 0.9)


def test_a_drawing_stays_inside_the_image(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((30, 25, 15), (30, 25 + 400, 15))
    assert room.case.grid.voxel_of(room.only.points)[1] == pytest.approx((30, 49.5, 15), abs=0.3)


def test_a_handle_is_moved_in_crosshair_mode(room: Room) -> None:
    state = room.state
    state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    state.set_mode(Mode.CROSSHAIR)
    state.set_cursor((5, 5, 15))
    fixed = room.only.points[0]
    # Taken hold of three pixels beside the end: it does not jump there.
    start, end = room.pixel((30, 10, 15)), room.pixel((30, 40, 15))
    beside = QPoint(3, 0)
    room.qtbot.mousePress(room.view, LEFT, NONE, start + beside)
    room.qtbot.mouseMove(room.view, end + beside)
    room.view.grab()
    assert room.measuring.is_busy
    room.qtbot.mouseRelease(room.view, LEFT, NONE, end + beside)
    assert room.only.points[0] == fixed
    moved = room.case.grid.voxel_of(room.only.points[1])
    assert moved == pytest.approx((30, 40, 15), abs=room.pixel_mm)
    assert state.cursor == (5, 5, 15)
    # Away from the handles the crosshair goes where the reader clicks, and nothing is selected any more.
    room.click((20, 30, 15))
    assert state.cursor[:2] == (20, 30)
    assert room.measuring.selected is None


def test_escape_gives_a_handle_back_and_drops_a_drawing(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    before = room.only
    room.press((30, 10, 15))
    room.move((40, 40, 15))
    room.measuring.cancel()
    room.release((40, 40, 15))
    assert room.only is before
    room.press((10, 30, 15))
    room.move((30, 30, 15))
    room.measuring.cancel()
    room.release((30, 30, 15))
    assert room.only is before
    assert not room.measuring.is_busy


@pytest.mark.parametrize("mode", [Mode.BRUSH, Mode.ERASER, Mode.WINDOW])
def test_other_tools_never_take_a_handle(room: Room, mode: Mode) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    before = room.only
    room.state.set_mode(mode)
    point = room.pixel((30, 10, 15)).toPointF()
    assert not room.measuring.press(room.view, point, NONE)
    assert room.measuring.cursor_for(room.view, point) is None
    room.drag((30, 10, 15), (40, 40, 15))
    assert room.state.measurements == (before,)


@pytest.mark.parametrize("key", [Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier])
def test_keys_with_a_meaning_of_their_own_are_left_alone(room: Room, key: Qt.KeyboardModifier) -> None:
    room.state.set_mode(Mode.RULER)
    assert not room.measuring.press(room.view, QPointF(100, 100), key)


def test_only_what_is_near_is_taken(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    end = room.pixel((30, 10, 15)).toPointF()
    shape = room.measuring.cursor_for
    assert shape(room.view, end + QPointF(0, 6)) is Qt.CursorShape.PointingHandCursor
    assert shape(room.view, end + QPointF(0, 11)) is Qt.CursorShape.CrossCursor
    room.state.set_mode(Mode.CROSSHAIR)
    assert shape(room.view, end + QPointF(0, 11)) is None


def test_another_slice_neither_shows_nor_takes_it(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    end = room.pixel((30, 10, 15)).toPointF()
    room.state.step(Plane.AXIAL, 1)
    assert room.measuring.cursor_for(room.view, end) is Qt.CursorShape.CrossCursor
    # What is not seen is not removed.
    assert room.measuring.selected is None
    assert not room.measuring.delete_selected()
    assert len(room.state.measurements) == 1


def test_scrolling_while_drawing_does_not_bend_it(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.press((10, 10, 15))
    room.state.step(Plane.AXIAL, 2)
    room.move((30, 10, 17))
    room.release((30, 10, 17))
    assert room.state.measurements == ()
    room.drag((10, 20, 17), (30, 20, 17))
    assert room.case.grid.voxel_of(room.only.points)[:, 2] == pytest.approx([17, 17])


def test_delete(room: Room) -> None:
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    room.drag((10, 30, 15), (30, 30, 15))
    first, _ = room.state.measurements
    assert room.measuring.delete_selected()
    assert room.state.measurements == (first,)
    assert not room.measuring.delete_selected()
    room.click((30, 10, 15))  # a click on a handle selects
    assert room.measuring.delete_selected()
    assert room.state.measurements == ()


def test_another_tool_or_case_ends_a_drawing(room: Room) -> None:
    room.state.set_mode(Mode.ANGLE)
    room.click((10, 10, 15))
    room.state.set_brush_mm(12)
    assert room.measuring.is_busy
    room.state.set_mode(Mode.ROI)
    assert not room.measuring.is_busy
    room.click((10, 10, 15))
    room.state.set_case(None)
    assert not room.measuring.is_busy
    room.view.grab()


# Diameters ------------------------------------------------------------------------------------------


def test_diameters_of_a_label(room: Room) -> None:
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    found = room.only
    assert (found.kind, found.name, found.plane_axis) == (MeasurementKind.DIAMETERS, "Whole tumour", 2)
    # The topmost of equal slices, from corner to corner of 30 by 20 voxels, and it is shown.
    assert room.state.cursor[2] == 19
    long, short = diameters_mm(found)
    assert long == pytest.approx(math.hypot(30 * 0.9, 20 * 1.2), abs=1.2)
    assert room.measuring.selected is found
    (said,) = room.said
    assert said.startswith(f"Whole tumour, axial 20: {long:.1f} × {short:.1f} mm, product ")  # noqa: RUF001
    assert "Measurable by RANO" in said
    # Asked for again it is not there twice.
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    assert len(room.state.measurements) == 1
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.CORONAL)
    assert [m.plane_axis for m in room.state.measurements] == [2, 1]
    assert "RANO asks for axial slices" in room.said[-1]


def test_small_diameters_are_said_not_to_be_measurable(room: Room) -> None:
    room.measuring.add_diameters(ET.tissues, "Enhancing", Plane.AXIAL)
    assert room.state.cursor[2] == 12
    assert "Not measurable by RANO: both must be at least 10 mm." in room.said[-1]


def test_diameters_of_nothing_say_so(room: Room) -> None:
    room.measuring.add_diameters(frozenset({Tissue.CAVITY}), "Resection cavity", Plane.AXIAL)
    assert room.state.measurements == ()
    assert room.said == ["Resection cavity: no voxel of this mask is marked so, there is nothing to measure."]
    room.state.set_rating(None)
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    assert "There is no mask to measure" in room.said[-1]


def test_edited_diameters_say_so_and_stay(room: Room) -> None:
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    grid = room.case.grid
    before = room.only
    start = as_point(grid.voxel_of(before.points[2]))
    room.click(start)
    assert room.only is before  # a click alone edits nothing
    room.drag(start, (start[0], start[1] + 8, start[2]))
    edited = room.only
    assert edited.name == "Whole tumour (edited)"
    assert edited.points[:2] == before.points[:2]
    assert edited.points[3] == before.points[3]
    text = lines(edited, grid, None)
    assert text[0] == "Whole tumour (edited)"
    assert "not 90°" in text[-1]
    room.drag(as_point(grid.voxel_of(edited.points[2])), start)
    assert room.only.name == "Whole tumour (edited)"
    # A fresh measurement stands beside it.
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    assert [m.name for m in room.state.measurements] == ["Whole tumour (edited)", "Whole tumour"]


def test_without_a_voxel_size_all_is_in_pixels(qtbot: QtBot) -> None:
    room = Room(qtbot, make_case(known=False))
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.CORONAL)
    assert " px, product " in room.said[-1]
    assert "no voxel size" in room.said[-1]
    assert "RANO" not in room.said[-1]
    # 30 by 12 voxels, though slices are drawn 4 high.
    text = lines(room.only, room.case.grid, None)
    assert text[1].endswith("px")
    assert float(text[1].split()[0]) == pytest.approx(math.hypot(30, 12), abs=1)


# Pixels ---------------------------------------------------------------------------------------------


def brightness(view: SliceView, voxel: tuple[float, float, float]) -> int:
    """The greatest green of nine pixels around a voxel: lines have much, the crosshair at most 115."""
    projection = view.projection
    assert projection is not None
    at, image = projection.point_of(voxel).toPoint(), view.grab().toImage()
    around = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    return max(QColor(image.pixel(at.x() + x, at.y() + y)).green() for x, y in around)


def test_it_is_seen_in_every_view_of_its_slice_and_nowhere_else(room: Room) -> None:
    for sequence in room.case.volumes:
        room.state.set_window(sequence, (1e6, 2e6))  # images black
    room.state.set_show_mask(False)
    room.state.set_mode(Mode.RULER)
    room.drag((10, 12, 15), (50, 12, 15))
    room.state.set_cursor((55, 45, 15))
    room.measuring.select(None)
    on_line = (22.0, 12.0, 15.0)
    assert all(brightness(view, on_line) > 140 for view in room.views)
    for orientation in ORIENTATIONS:
        room.state.set_orientation(orientation)
        assert brightness(room.view, on_line) > 140
    room.state.step(Plane.AXIAL, 1)
    assert all(brightness(view, on_line) < 60 for view in room.views)
    room.state.step(Plane.AXIAL, -1)
    room.views[1].set_shown(Sequence.FLAIR, Plane.CORONAL)
    room.state.set_cursor((55, 12, 15))
    assert brightness(room.views[1], on_line) < 120


def test_what_is_being_drawn_is_seen(room: Room) -> None:
    for sequence in room.case.volumes:
        room.state.set_window(sequence, (1e6, 2e6))
    room.state.set_show_mask(False)
    room.state.set_mode(Mode.ANGLE)
    room.click((10, 12, 15))
    room.move((50, 12, 15))
    assert brightness(room.view, (20, 12, 15)) > 140
    room.measuring.cancel()
    assert brightness(room.view, (20, 12, 15)) < 60


@pytest.mark.parametrize("kind", list(MeasurementKind))
def test_values_stay_inside_the_view(qapp: object, kind: MeasurementKind) -> None:
    """Painted on a sheet larger than the view: outside its frame nothing is written."""
    random = np.random.default_rng(0)
    width, height, edge = 260, 200, 150
    projection = Projection(Plane.AXIAL, (9, 9, 9), (1, 1, 1), width, height, Camera(1.0, (4.0, 4.0, 4.0)))
    text = ("mean 1234   SD 123.4", "min 1   max 5000")
    for _ in range(30):
        a, b, c, d = (QPointF(*p) for p in random.uniform((6, 6), (width - 6, height - 6), (4, 2)))
        handles = {
            MeasurementKind.RULER: (a, b),
            MeasurementKind.ANGLE: (a, b, c),
            MeasurementKind.ROI: (a, QPointF(b.x(), a.y()), b, QPointF(a.x(), b.y()), (a + b) / 2),
            MeasurementKind.DIAMETERS: (a, b, c, d),
        }[kind]
        sheet = QImage(width + 2 * edge, height + 2 * edge, QImage.Format.Format_RGB32)
        sheet.fill(QColor(60, 0, 0))
        painter = QPainter(sheet)
        painter.translate(edge, edge)
        draw_measurements(painter, projection, [Drawn(kind, handles, text, False)])
        painter.end()
        raw = np.frombuffer(sheet.constBits(), np.uint32).reshape(sheet.height(), sheet.width())
        changed = raw != raw[0, 0]
        assert changed.any()
        changed[edge : edge + height, edge : edge + width] = False
        assert not changed.any()


def test_a_view_too_small_for_a_value_cuts_no_number(qapp: object) -> None:
    projection = Projection(Plane.AXIAL, (9, 9, 9), (1, 1, 1), 60, 60, Camera(1.0, (4.0, 4.0, 4.0)))

    def painted(text: tuple[str, ...]) -> QImage:
        sheet = QImage(60, 60, QImage.Format.Format_RGB32)
        sheet.fill(0)
        painter = QPainter(sheet)
        ruler = Drawn(MeasurementKind.RULER, (QPointF(10, 10), QPointF(50, 40)), text, False)
        draw_measurements(painter, projection, [ruler])
        painter.end()
        return sheet

    assert painted(("a value that is much wider than the view",)) == painted(())
    assert painted(("1",)) != painted(())


# The list -------------------------------------------------------------------------------------------


@pytest.fixture
def panel(room: Room) -> MeasurementsPanel:
    panel = MeasurementsPanel(room.state)
    room.qtbot.addWidget(panel)
    return panel


def rows(panel: MeasurementsPanel) -> list[str]:
    found = panel.findChild(QListWidget)
    assert found is not None
    return [found.item(i).text() for i in range(found.count())]


def button(panel: MeasurementsPanel, text: str) -> QPushButton:
    return next(b for b in panel.findChildren(QPushButton) if b.text() == text)


def test_the_list_follows(room: Room, panel: MeasurementsPanel) -> None:
    assert panel.isHidden()
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    assert not panel.isHidden()
    assert rows(panel) == [f"{length_mm(room.only):.1f} mm\nRuler, axial 16"]
    room.measuring.add_diameters(WT.tissues, "Whole tumour", Plane.AXIAL)
    values, where = rows(panel)[1].split("\n")
    assert where == "Whole tumour, diameters, axial 20"
    long, short = diameters_mm(room.state.measurements[1])
    assert values == f"{long:.1f} × {short:.1f} mm, product {long * short:.0f} mm²"  # noqa: RUF001
    button(panel, "Delete").click()
    assert len(rows(panel)) == 1
    # Nothing is chosen now, so a second click deletes nothing.
    assert not button(panel, "Delete").isEnabled()
    room.state.set_case(None)
    assert panel.isHidden()


def test_a_click_goes_to_the_slice(
    room: Room, panel: MeasurementsPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.chosen.connect(room.measuring.select)
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    room.state.set_cursor((3, 4, 2))
    assert room.measuring.selected is None
    listed = panel.findChild(QListWidget)
    assert listed is not None
    panel.show()
    with qtbot.waitSignal(panel.chosen) as caught:
        where = listed.visualItemRect(listed.item(0)).center()
        qtbot.mouseClick(listed.viewport(), LEFT, NONE, where)
    assert caught.args == [room.only]
    assert room.state.cursor == (3, 4, 15)
    assert room.measuring.selected is room.only
    panel.select(None)
    assert listed.currentRow() == -1
    panel.select(room.only)
    assert listed.currentRow() == 0


def test_copy_table(room: Room, panel: MeasurementsPanel) -> None:
    state = room.state
    state.set_mode(Mode.ROI)
    room.drag((14, 11, 15), (33, 38, 15))
    state.set_mode(Mode.ANGLE)
    for voxel in ((12, 30, 15), (40, 10, 15), (50, 45, 15)):
        room.click(voxel)
    room.measuring.add_diameters(WT.tissues, "Whole\ttumour", Plane.SAGITTAL)
    button(panel, "Copy table").click()
    lines_of = QGuiApplication.clipboard().text().splitlines()
    header, *values = [line.split("\t") for line in lines_of]
    assert {len(header)} == {len(v) for v in values}
    table = [dict(zip(header, v, strict=True)) for v in values]
    region, angle, diameters = table
    roi = roi_statistics(state.measurements[0], room.case.volumes[Sequence.T1CE], room.case.grid)
    assert roi is not None
    assert (region["Kind"], region["Plane"], region["Slice"]) == ("ROI", "axial", "16")
    assert region["Sequence"] == "T1CE"
    assert float(region["Mean"]) == pytest.approx(roi.mean, rel=1e-5)
    assert int(region["Voxels"]) == roi.voxels
    assert roi.area_mm2 is not None
    assert float(region["Area (mm2)"]) == pytest.approx(roi.area_mm2, abs=0.01)
    assert float(angle["Angle (degrees)"]) == pytest.approx(angle_degrees(state.measurements[1]), abs=0.01)
    long, short = diameters_mm(state.measurements[2])
    assert (diameters["Name"], diameters["Plane"]) == ("Whole tumour", "sagittal")
    assert float(diameters["Length (mm)"]) == pytest.approx(long, abs=0.01)
    assert float(diameters["Second diameter (mm)"]) == pytest.approx(short, abs=0.01)
    assert float(diameters["Product (mm2)"]) == pytest.approx(long * short, abs=0.1)


def test_the_table_without_a_voxel_size(qtbot: QtBot) -> None:
    room = Room(qtbot, make_case(known=False))
    panel = MeasurementsPanel(room.state)
    qtbot.addWidget(panel)
    room.state.set_mode(Mode.RULER)
    room.drag((10, 10, 15), (30, 10, 15))
    assert rows(panel) == [f"{length_mm(room.only):.1f} px\nRuler, axial 16"]
    button(panel, "Copy table").click()
    assert "Length (px)" in QGuiApplication.clipboard().text()
    assert "(mm)" not in QGuiApplication.clipboard().text()


def test_a_region_without_voxels_says_so(room: Room) -> None:
    grid = room.case.grid
    corners = grid.world_of([[5.2, 5.2, 15], [5.8, 5.8, 15]])
    roi = Measurement(MeasurementKind.ROI, 2, tuple(as_point(c) for c in corners), "", Sequence.T1CE)
    found = roi_statistics(roi, room.case.volumes[Sequence.T1CE], grid)
    assert lines(roi, grid, found) == ("no voxel inside",)
