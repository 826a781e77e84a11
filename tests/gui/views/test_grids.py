"""Sequences on grids of their own, in the window: shown at their own millimetres, and told as such."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import nearest_voxel
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.panels.readout import readout
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.conftest import dab, open_case
from tests.gui.phantom import BLOCK, BLOCK_HALF_MM, BLOCK_MM, make_image, rotation, save_exam
from tests.gui.views.test_sides import levels, middle_of_block

SHAPE, SPACING = (44, 52, 38), (2.0, 1.75, 2.25)
OTHERS = {
    "finer": lambda: make_image((120, 130, 100), (0.8, 0.8, 0.9), "LPS"),
    "thick coronal slices": lambda: make_image((100, 26, 100), (0.9, 4.0, 0.9), "RSA"),
    "oblique": lambda: make_image((60, 60, 60), (1.6, 1.6, 1.6), "LAS", rotation(20, -20)),
    "half the head": lambda: make_image((24, 52, 38), (2.0, 1.75, 2.25), "RAS", None, (-24.3, 0.0, 0.0)),
}


@pytest.fixture(params=OTHERS)
def exam(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    image = make_image(SHAPE, SPACING, "LPS")
    images = {**dict.fromkeys(("t1", "t1ce", "flair"), image), "t2": OTHERS[request.param]()}
    return save_exam(tmp_path / "exam", images)


@pytest.fixture
def shown(qtbot: QtBot, window: MainWindow, exam: Path) -> MainWindow:
    open_case(qtbot, window, exam)
    state = window.state
    assert state.case is not None
    for sequence in Sequence:
        state.set_window(sequence, (0.0, float(BLOCK)))
    state.set_cursor(nearest_voxel(state.case.grid.voxel_of(BLOCK_MM)))
    return window


def view_of(window: MainWindow, sequence: Sequence, plane: Plane) -> SliceView:
    window.viewer.set_plane(plane)
    return next(v for v in window.viewer.views if v.sequence is sequence)


def test_the_same_place_is_at_the_same_place_on_the_screen(shown: MainWindow) -> None:
    for plane in Plane:
        one, other = (view_of(shown, s, plane) for s in (Sequence.FLAIR, Sequence.T2))
        distance = QPointF(middle_of_block(one) - middle_of_block(other))
        assert one.projection is not None
        # A thick slice holds the block, or not, as a whole: half of its 4 mm is the most that it is off.
        assert np.hypot(distance.x(), distance.y()) < 2.2 * one.projection.pixels_per_mm


def test_smooth_pictures_lie_at_the_same_place(shown: MainWindow) -> None:
    shown.state.set_smooth(True)
    test_the_same_place_is_at_the_same_place_on_the_screen(shown)


def test_it_is_said_when_the_case_opens(shown: MainWindow) -> None:
    assert "T2" in shown.messages.text
    assert "another grid" in shown.messages.text
    assert "not given to the network" in shown.messages.text


def test_the_readout_gives_the_own_value_of_that_place(shown: MainWindow, exam: Path) -> None:
    state = shown.state
    assert state.case is not None
    image = nibabel.load(exam / "exam_t2.nii.gz")
    data = np.asarray(image.dataobj)
    random, outside = np.random.default_rng(2), 0
    for voxel in [*random.integers(0, SHAPE, (60, 3)).tolist(), [0, 0, 0], [43, 51, 37]]:
        place = np.append(state.case.grid.world_of(voxel), 1.0)
        own = np.rint(np.linalg.inv(image.affine) @ place)[:3].astype(int)
        if all(0 <= i < n for i, n in zip(own, data.shape, strict=True)):
            expected = f"T2 {data[tuple(own)]}    "
        else:
            expected, outside = "T2 -    ", outside + 1
        assert expected in readout(state, (voxel[0], voxel[1], voxel[2])) + "    "
    if data.shape == (24, 52, 38):
        assert outside > 10


def test_where_it_was_not_measured_it_is_black(shown: MainWindow) -> None:
    case = shown.state.case
    assert case is not None
    shown.state.set_window(Sequence.T2, (-1000.0, 1000.0))
    view = view_of(shown, Sequence.T2, Plane.AXIAL)
    image = levels(view.picture(annotated=False))
    assert view.projection is not None
    for voxel in np.random.default_rng(4).integers(0, SHAPE[:2], (40, 2)).tolist():
        there = (voxel[0], voxel[1], view.index)
        point = view.projection.point_of((float(voxel[0]), float(voxel[1]), 0.0)).toPoint()
        if not view.rect().contains(point):
            continue
        measured = "T2 -" not in readout(shown.state, there)
        assert (image[point.y(), point.x()] > 100).all() == measured


def test_what_is_painted_on_it_lies_on_the_grid_of_the_masks(qtbot: QtBot, shown: MainWindow) -> None:
    state, own = shown.state, shown.session.own_rating()
    case = state.case
    assert case is not None
    assert own.label_map.shape == case.grid.shape == SHAPE
    state.set_mode(Mode.BRUSH)
    state.set_brush_mm(4)
    for plane in Plane:
        view = view_of(shown, Sequence.T2, plane)
        dab(qtbot, view, middle_of_block(view))
        painted = case.grid.world_of(np.argwhere(own.label_map.array))
        assert len(painted) > 1
        assert (np.abs(painted - BLOCK_MM) < BLOCK_HALF_MM + 2).all()
        shown.session.undo()


def test_the_view_says_so(shown: MainWindow) -> None:
    """The mark stands in the view of T2 alone: its picture has more orange than that of another sequence."""
    marked = {}
    for sequence in Sequence:
        pixels = levels(view_of(shown, sequence, Plane.AXIAL).grab().toImage()).astype(int)
        marked[sequence] = int((np.abs(pixels - [255, 165, 60]).sum(axis=-1) < 30).sum())
    assert marked[Sequence.T2] > 10
    assert marked[Sequence.FLAIR] == marked[Sequence.T1] == 0


def test_a_mask_beside_decides_whose_grid_it_is(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    reference, other = make_image(SHAPE, SPACING, "LPS"), make_image((60, 60, 30), (1.5, 1.5, 3.0), "LAS")
    seg = nibabel.Nifti1Image((np.asarray(other.dataobj) == BLOCK).astype(np.uint8), other.affine)
    images = {"t1": reference, "t1ce": reference, "flair": reference, "t2": other, "seg": seg}
    open_case(qtbot, window, save_exam(tmp_path / "BraTS2021_00009", images))
    case = window.session.case
    assert case is not None
    assert list(case.aligned) == [Sequence.T2]
    assert case.grid.shape == (60, 60, 30)
    labels = case.rating("Reference").label_map.array
    np.testing.assert_array_equal(labels > 0, case.volumes[Sequence.T2].data == BLOCK)
    # The camera was fitted to the head although the first sequence lies elsewhere.
    for view in window.viewer.views:
        window.state.set_window(view.sequence, (0.0, float(BLOCK)))
        rows, columns = np.nonzero((levels(view.picture(annotated=False)) > 20).all(axis=-1))
        assert abs(columns.mean() - view.width() / 2) < 0.1 * view.width()
        assert abs(rows.mean() - view.height() / 2) < 0.1 * view.height()
