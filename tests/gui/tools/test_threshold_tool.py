"""Threshold paint by real events: the box, its handles, the range, the step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.tools.fill_tool import volume_text
from brainseg_desktop.gui.tools.threshold_tool import ThresholdTool
from brainseg_desktop.gui.views.plane import Orientation, Plane
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.tools.test_brush_tool import CTRL, NONE, SHIFT, Room, lesion, make_case
from tests.gui.tools.test_fill_tool import Now, nothing_open

ORIENTATIONS = [Orientation(r, n) for r in (True, False) for n in (True, False)]


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def room(qtbot: QtBot, now: Now) -> Room:
    return Room(qtbot, lambda editing: ThresholdTool(editing, now), Mode.THRESHOLD)  # type: ignore[arg-type]


def drawn(room: Room, first: tuple[float, float, float], last: tuple[float, float, float]) -> Box:
    """Draw a box and return it."""
    room.drag(first, last)
    placed = room.tool._field
    assert placed is not None
    return placed.box


def wanted(room: Room, box: Box, low: float, high: float, sequence: Sequence = Sequence.FLAIR) -> np.ndarray:
    """The voxels of a box within a range."""
    data = room.case.volumes[sequence].data
    mask = np.zeros(data.shape, dtype=bool)
    mask[box.slices] = True
    return mask & (data >= low) & (data <= high)


def test_a_box_and_a_click_mark_the_lesion(room: Room) -> None:
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    # 20 mm are eight slices of 2.5 mm.
    assert box == Box((17, 14, 12), (45, 37, 20))
    placed = room.tool._field
    mask = wanted(room, box, placed.low, placed.high)
    assert not room.labels.any(), "a preview changes no voxel"
    room.click((30, 25, 15))
    np.testing.assert_array_equal(room.labels == Tissue.OEDEMA, mask)
    inside = np.zeros(mask.shape, dtype=bool)
    inside[box.slices] = True
    np.testing.assert_array_equal(mask, inside & lesion())
    assert room.steps == (f"Threshold, oedema, {volume_text(int(mask.sum()), room.case.grid)}",)
    assert nothing_open(room)
    room.rating.history.undo()
    assert not room.labels.any()


def test_a_dark_lesion_in_another_plane(room: Room) -> None:
    room.tool.set_depth_mm(None)
    room.drag((16, 25, 9), (44, 25, 21), view=room.other)
    placed = room.tool._field
    assert placed.box == Box((16, 0, 9), (45, 50, 22))
    room.qtbot.keyClick(room.other, Qt.Key.Key_Return)
    np.testing.assert_array_equal(room.labels == Tissue.OEDEMA, lesion())


@pytest.mark.parametrize(("depth", "slices"), [(0.0, 1), (2.5, 1), (5.0, 2), (15.0, 6), (None, 30)])
def test_depth(room: Room, depth: float | None, slices: int) -> None:
    room.tool.set_depth_mm(depth)
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    assert box.shape == (28, 23, slices)
    assert box.start[2] <= 15 < box.stop[2]


def test_enter_and_escape(room: Room) -> None:
    drawn(room, (17, 14, 15), (44, 36, 15))
    assert room.tool.is_busy
    room.toolbox.cancel()
    assert nothing_open(room)
    room.qtbot.keyClick(room.view, Qt.Key.Key_Return)
    assert room.steps == ()
    drawn(room, (17, 14, 15), (44, 36, 15))
    room.qtbot.keyClick(room.view, Qt.Key.Key_Enter)
    assert len(room.steps) == 1
    drawn(room, (17, 14, 15), (44, 36, 15))
    room.state.set_mode(Mode.CROSSHAIR)
    assert nothing_open(room)
    assert len(room.steps) == 1


def test_a_click_draws_no_box_and_loses_none(room: Room) -> None:
    room.click((30, 25, 15))
    assert nothing_open(room)
    box = drawn(room, (20, 18, 15), (40, 32, 15))
    room.click((50, 44, 15))
    assert room.tool._field.box == box
    assert room.steps == ()
    # Drawn anew outside, it is another box.
    assert drawn(room, (45, 40, 15), (52, 46, 15)) == Box((45, 40, 12), (53, 47, 20))


def test_a_drag_inside_is_no_click(room: Room) -> None:
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    room.drag((28, 24, 15), (34, 28, 15))
    assert room.steps == ()
    assert room.tool._field.box == box


# Handles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_edge_moves_in_every_view(room: Room, orientation: Orientation) -> None:
    room.state.set_orientation(orientation)
    box = drawn(room, (20, 18, 15), (40, 32, 15))
    at = [30.0, 25.0, 15.0]
    for view, axes in ((room.view, (0, 1)), (room.other, (0, 2))):
        for axis in axes:
            for upper in (False, True):
                first, last = list(at), list(at)
                first[axis] = (box.stop if upper else box.start)[axis] - 0.5
                last[axis] = first[axis] + (3 if upper else -3)
                room.drag(tuple(first), tuple(last), view=view)
                start, stop = list(box.start), list(box.stop)
                (stop if upper else start)[axis] += 3 if upper else -3
                box = Box(tuple(start), tuple(stop))  # type: ignore[arg-type]
                assert room.tool._field.box == box, (view.plane, axis, upper)
    assert room.steps == ()
    # No edge passes its opposite, none leaves the image.
    room.drag((box.start[0] - 0.5, 25, 15), (58, 25, 15))
    assert room.tool._field.box.shape[0] == 1
    assert not room.labels.any()


def bar(room: Room) -> QRectF:
    found = room.tool._bar(room.view)
    assert found is not None
    return found


def on_bar(room: Room, value: float) -> QPoint:
    """The pixel of a value on the bar of the range."""
    where, placed = bar(room), room.tool._field
    first, last = placed.extent
    x = where.left() + (value - first) / (last - first) * where.width()
    return QPointF(x, where.center().y()).toPoint()


def test_the_ends_of_the_range_move(room: Room) -> None:
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    placed = room.tool._field
    first, last = placed.extent
    middle = (first + last) / 2
    per_pixel = (last - first) / bar(room).width()
    room.drag(on_bar(room, placed.high), on_bar(room, middle + 40))
    room.drag(on_bar(room, placed.low), on_bar(room, middle - 40))
    placed = room.tool._field
    assert placed.high == pytest.approx(middle + 40, abs=per_pixel)
    assert placed.low == pytest.approx(middle - 40, abs=per_pixel)
    # They do not pass each other, nor the bar's ends.
    room.drag(on_bar(room, placed.low), on_bar(room, last + 100))
    placed = room.tool._field
    assert placed.low == placed.high
    room.drag(on_bar(room, placed.low) - QPoint(2, 0), on_bar(room, first - 100))
    assert room.tool._field.low == first
    assert room.steps == ()
    room.click((30, 25, 15))
    np.testing.assert_array_equal(room.labels > 0, wanted(room, box, first, placed.high))


def test_the_wheel_changes_range_and_depth(room: Room) -> None:
    tool, point = room.tool, QPointF(5, 5)
    assert not tool.wheel(room.view, point, 1, CTRL)
    assert not tool.wheel(room.view, point, 1, NONE)
    room.wheel((30, 25, 15), 2, SHIFT)
    assert tool.depth_mm == 20 + 4 * 2.5
    assert room.state.brush_mm == 8
    drawn(room, (17, 14, 15), (44, 36, 15))
    before = tool._field
    step = (before.extent[1] - before.extent[0]) / 100
    assert tool.wheel(room.view, point, 3, CTRL)
    assert tool._field.low == pytest.approx(before.low + 3 * step)
    assert tool.wheel(room.view, point, -2, CTRL | SHIFT)
    assert tool._field.high == pytest.approx(before.high - 2 * step)
    room.wheel((30, 25, 15), -2, SHIFT)
    assert tool._field.box.shape[2] == before.box.shape[2] - 4
    assert tool._field.low == pytest.approx(before.low + 3 * step)
    # Without a key it goes through the slices.
    room.wheel((30, 25, 15), 1)
    assert room.state.cursor[2] == 16


def test_an_end_that_took_in_all_still_does_in_a_larger_box(room: Room) -> None:
    drawn(room, (26, 22, 15), (34, 28, 15))
    old = room.tool._field
    assert old.high == old.extent[1]
    room.drag((25.5, 25, 15), (20, 25, 15))
    placed = room.tool._field
    assert placed.extent[1] >= old.extent[1]
    assert (placed.low, placed.high) == (old.low, placed.extent[1])


# Rules, counts --------------------------------------------------------------------------------------


def test_rules_hold_and_are_counted(room: Room) -> None:
    kept = np.zeros(room.labels.shape, np.uint8)
    kept[:30] = Tissue.ENHANCING
    room.editing.once("Half", Box((0, 0, 0), kept.shape), kept)
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    placed = room.tool._field
    mask = wanted(room, box, placed.low, placed.high)
    assert room.tool._voxels == mask.sum()
    room.state.set_constraints(Constraints(keep_others=True))
    free = mask & (kept == 0)
    assert room.tool._voxels == free.sum()
    room.qtbot.keyClick(room.view, Qt.Key.Key_Return)
    np.testing.assert_array_equal(room.labels[kept > 0], kept[kept > 0])
    np.testing.assert_array_equal(room.labels == Tissue.OEDEMA, free)
    assert room.steps[0].endswith(volume_text(int(free.sum()), room.case.grid))


def test_a_count_that_is_not_wanted_any_more_is_dropped(room: Room, now: Now) -> None:
    now.holds = True
    drawn(room, (17, 14, 15), (44, 36, 15))
    room.toolbox.cancel()
    now.let_go()
    assert room.tool._voxels is None
    assert nothing_open(room)
    # A change of the mask counts anew.
    now.holds = False
    drawn(room, (17, 14, 15), (44, 36, 15))
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    assert room.tool._voxels == 0
    room.state.set_constraints(Constraints())
    voxels = room.tool._voxels
    room.editing.once("All", Box((0, 0, 0), room.labels.shape), np.full(room.labels.shape, 1, np.uint8))
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    assert room.tool._voxels == voxels


def test_what_cannot_be_done_is_said(room: Room) -> None:
    drawn(room, (17, 14, 15), (44, 36, 15))
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.OEDEMA})))
    room.click((30, 25, 15))
    assert "locked" in room.said[-1]
    assert room.tool.is_busy
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    room.click((30, 25, 15))
    assert "no voxel changes" in room.said[-1]
    assert room.steps == ()
    room.toolbox.cancel()
    room.drag((62, 25, 15), (66, 30, 15))
    assert "no image in this box" in room.said[-1]
    room.view.set_shown(Sequence.T2, Plane.AXIAL)
    room.drag((17, 14, 15), (44, 36, 15))
    assert "another grid" in room.said[-1]
    assert nothing_open(room)


def test_without_a_voxel_size(qtbot: QtBot, now: Now) -> None:
    room = Room(
        qtbot,
        lambda editing: ThresholdTool(editing, now),  # type: ignore[arg-type]
        Mode.THRESHOLD,
        case=make_case(known=False),
    )
    drawn(room, (17, 14, 15), (44, 36, 15))
    assert "voxels" in room.tool._text(room.tool._field)
    assert room.tool._text(room.tool._field).endswith("8 slices")
    room.qtbot.keyClick(room.view, Qt.Key.Key_Return)
    assert room.steps[0].endswith(" voxels")


def test_the_preview_lies_on_its_voxels(room: Room) -> None:
    for sequence in room.case.volumes:
        room.state.set_window(sequence, (1e6, 2e6))
    box = drawn(room, (17, 14, 15), (44, 36, 15))
    placed = room.tool._field
    mask = wanted(room, box, placed.low, placed.high)
    room.state.set_cursor((1, 1, 16))
    room.view.pointer = None
    image = room.view.grab().toImage()
    for i in range(19, 43):
        pixel = room.pixel((i, 25, 16))
        assert nearest_voxel(room.voxel(pixel)) == (i, 25, 16)
        assert (image.pixelColor(pixel).green() > 60) == bool(mask[i, 25, 16])
    room.state.set_cursor((1, 1, 2))
    assert room.view.grab().toImage().pixelColor(room.pixel((30, 25, 2))).green() < 60


def test_what_is_around_the_head_is_never_marked(qtbot: QtBot, now: Now) -> None:
    """A z-scored image may have its background between its values."""
    case = make_case()
    volume = case.volumes[Sequence.FLAIR]
    data = volume.data - 210
    data[:22], data[:, :18] = 0.0, 0.0
    data[[0, -1]] = data[:, [0, -1]] = data[:, :, [0, -1]] = 0.0
    case = replace(case, volumes={**case.volumes, Sequence.FLAIR: replace(volume, data=data)})
    room = Room(qtbot, lambda editing: ThresholdTool(editing, now), Mode.THRESHOLD, case=case)  # type: ignore[arg-type]
    drawn(room, (10, 10, 15), (44, 36, 15))
    placed = room.tool._field
    room.drag(on_bar(room, placed.low), on_bar(room, placed.extent[0] - 50))
    assert room.tool._field.low < 0 < room.tool._field.high
    room.qtbot.keyClick(room.view, Qt.Key.Key_Return)
    assert room.labels.any()
    assert not room.labels[data == 0].any()
