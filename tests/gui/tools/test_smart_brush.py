"""The smart brush by real events: voxels against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from scipy import ndimage

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.tools.smart_brush import LEAST_LIKENESS, MOST_LIKENESS, SmartBrush
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.tools.test_brush_tool import CTRL, SHIFT, Room, covered, lesion, make_case


@pytest.fixture
def room(qtbot: QtBot) -> Room:
    return Room(qtbot, SmartBrush, Mode.SMART_BRUSH)


def alike(room: Room, sequence: Sequence, voxel: tuple[float, float, float], axis: int | None) -> np.ndarray:
    """Which voxels of a volume resemble those around one."""
    data = room.case.volumes[sequence].data
    near = [slice(i, i + 1) if a == axis else slice(i - 1, i + 2) for a, i in enumerate(nearest_voxel(voxel))]
    block = data[tuple(near)].astype(float)
    low, high = room.state.default_windows[sequence]
    reach = room.tool.likeness * max(block.std(), 0.06 * (high - low))
    return np.abs(data - block.mean()) <= reach


def expected(
    room: Room, mask: np.ndarray, similar: np.ndarray, way: np.ndarray, axis: int | None
) -> np.ndarray:
    """The connected part of a dab, by another way than the program's."""
    structure = ndimage.generate_binary_structure(3, 1)
    middle = ndimage.binary_dilation(way, structure)
    return ndimage.binary_propagation(mask & similar & middle, structure, mask & similar)


@pytest.mark.parametrize("ball", [False, True])
def test_it_paints_what_resembles_and_is_connected(room: Room, ball: bool) -> None:
    axis = None if ball else 2
    room.state.set_ball(ball)
    room.state.set_brush_mm(26)
    room.tool.set_likeness(3.0)
    at = room.pixel((30, 25, 15))
    room.click(at)
    voxel = room.voxel(at)
    dab, way = covered(voxel, voxel, 26.0, axis), covered(voxel, voxel, 0.0, axis)
    wanted = expected(room, dab, alike(room, Sequence.FLAIR, voxel, axis), way, axis)
    painted = room.labels == Tissue.OEDEMA
    np.testing.assert_array_equal(painted, wanted)
    # The dab is larger than the lesion, what is painted is not: few are left out for their noise.
    assert (dab & ~lesion()).any()
    assert not (painted & ~lesion()).any()
    assert np.count_nonzero(painted) > 0.8 * np.count_nonzero(dab & lesion())
    assert room.steps == ("Smart brush, oedema, axial 16",)


def test_it_looks_at_the_sequence_of_its_view(room: Room) -> None:
    room.state.set_brush_mm(26)
    at = room.pixel((30, 25, 15), room.other)
    room.click(at, view=room.other)
    voxel = room.voxel(at, room.other)
    dab, way = covered(voxel, voxel, 26.0, 1), covered(voxel, voxel, 0.0, 1)
    wanted = expected(room, dab, alike(room, Sequence.T1CE, voxel, 1), way, 1)
    np.testing.assert_array_equal(room.labels > 0, wanted)
    assert room.steps == ("Smart brush, oedema, coronal 26",)


def test_a_fast_stroke_leaves_no_gap_and_keeps_to_its_beginning(room: Room) -> None:
    room.state.set_brush_mm(5)
    room.tool.set_likeness(4.0)
    first, last = room.pixel((22, 25, 15)), room.pixel((50, 25, 15))
    room.drag(first, last)
    a, b = room.voxel(first), room.voxel(last)
    similar = alike(room, Sequence.FLAIR, a, 2)
    wanted = expected(room, covered(a, a, 5.0), similar, covered(a, a, 0.0), 2)
    wanted |= expected(room, covered(a, b, 5.0), similar, covered(a, b, 0.0), 2)
    np.testing.assert_array_equal(room.labels > 0, wanted)
    assert wanted[22:40, 25, 15].all()
    assert not wanted[43:].any()


def test_ctrl_erases_only_what_resembles(room: Room) -> None:
    everything = np.full(room.labels.shape, Tissue.OEDEMA, np.uint8)
    room.editing.once("All", Box((0, 0, 0), room.labels.shape), everything)
    room.state.set_brush_mm(26)
    room.tool.set_likeness(4.0)
    room.click((30, 25, 15), CTRL)
    gone = room.labels == 0
    assert gone.any()
    assert not (gone & ~lesion()).any()
    assert room.steps[0] == "Smart erase, all labels, axial 16"


def test_a_line_of_the_smart_brush(room: Room) -> None:
    room.state.set_brush_mm(4)
    room.tool.set_likeness(5.0)
    room.click((24, 25, 15))
    room.click((36, 25, 15), SHIFT)
    assert (room.labels[24:37, 25, 15] == Tissue.OEDEMA).all()
    assert len(room.steps) == 2


def test_rules_and_escape(room: Room) -> None:
    room.state.set_brush_mm(20)
    room.press((30, 25, 15))
    assert room.labels.any()
    room.toolbox.cancel()
    room.release((30, 25, 15))
    assert not room.labels.any()
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    room.click((30, 25, 15))
    assert room.steps == ()


def test_what_it_cannot_look_at_is_said(room: Room) -> None:
    room.view.set_shown(Sequence.T2, Plane.AXIAL)
    room.click((30, 25, 15))
    assert room.said == ["T2 lies on another grid than the mask. Use a view of another sequence."]
    room.view.set_shown(Sequence.FLAIR, Plane.AXIAL)
    room.click((-2, 25, 15))
    assert not room.labels.any()
    assert not room.rating.history.is_editing


def test_a_voxel_without_a_number_is_said(qtbot: QtBot) -> None:
    case = make_case()
    volume = case.volumes[Sequence.FLAIR]
    data = volume.data.copy()
    data[30, 25, 15] = np.nan
    broken = replace(volume, data=data)
    case = replace(case, volumes={**case.volumes, Sequence.FLAIR: broken})
    room = Room(qtbot, SmartBrush, Mode.SMART_BRUSH, case=case)
    room.click((30, 25, 15))
    assert "no value here" in room.said[-1]
    room.click((27, 25, 15))
    assert room.labels.any()
    assert room.labels[30, 25, 15] == 0


def test_likeness_by_keys_and_limits(room: Room, qtbot: QtBot) -> None:
    qtbot.keyClick(room.view, Qt.Key.Key_Plus)
    assert room.tool.likeness == 2.75
    qtbot.keyClick(room.view, Qt.Key.Key_Minus)
    qtbot.keyClick(room.view, Qt.Key.Key_Minus)
    assert room.tool.likeness == 2.25
    room.tool.set_likeness(100)
    assert room.tool.likeness == MOST_LIKENESS
    room.tool.set_likeness(0)
    assert room.tool.likeness == LEAST_LIKENESS
    # More alike is never more.
    counts = []
    for likeness in (1.0, 2.0, 4.0):
        room.tool.set_likeness(likeness)
        room.click((30, 25, 15))
        counts.append(int(np.count_nonzero(room.labels)))
        room.rating.history.undo()
    assert counts == sorted(counts)


def test_it_is_drawn(room: Room) -> None:
    room.move((30, 25, 15), held=False)
    before = room.view.grab().toImage()
    room.tool.set_likeness(3.0)
    assert room.view.grab().toImage() != before
