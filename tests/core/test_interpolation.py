"""Interpolation between drawn slices: cones, axes found, pieces matched, noise survived."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.interpolation import Interpolated, interpolate
from brainseg_desktop.core.labels import Tissue

OEDEMA = Tissue.OEDEMA


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1, 1, 1)) -> Grid:
    """An oblique grid: only its spacing may matter."""
    c, s = math.cos(0.4), math.sin(0.4)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) @ np.diag(spacing)
    affine[:3, 3] = (-50, 20, 7)
    return Grid(shape, affine)


def whole(labels: np.ndarray, found: Interpolated | None) -> np.ndarray:
    """The label with what is proposed, and that this is new and fills its box."""
    assert found is not None
    mask = labels == OEDEMA
    assert found.mask.shape == found.box.shape
    assert not (mask[found.box.slices] & found.mask).any()
    rest = [tuple(a for a in range(3) if a != axis) for axis in range(3)]
    for axis in range(3):
        line = found.mask.any(axis=rest[axis])
        assert line[0]
        assert line[-1]
    line = np.flatnonzero(found.mask.any(axis=rest[found.axis])) + found.box.start[found.axis]
    assert found.slices == tuple(line.tolist())
    mask[found.box.slices] |= found.mask
    return mask


def disc(
    labels: np.ndarray,
    axis: int,
    index: int,
    centre: tuple[float, float],
    radius: float,
    spacing: tuple[float, float, float] = (1, 1, 1),
) -> None:
    """Draw a disc of a radius in mm around a centre in voxels."""
    flat = np.moveaxis(labels, axis, 0)[index]
    in_plane = [spacing[a] for a in range(3) if a != axis]
    i, j = np.indices(flat.shape)
    squared = ((i - centre[0]) * in_plane[0]) ** 2 + ((j - centre[1]) * in_plane[1]) ** 2
    flat[squared <= radius**2] = OEDEMA


@given(
    st.integers(0, 2),
    st.sampled_from([(1.0, 1.0, 1.0), (0.8, 0.8, 3.0), (1.0, 1.5, 1.2), (2.0, 0.9, 1.0)]),
    st.floats(4, 14),
    st.floats(4, 14),
    st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
    st.integers(2, 9),
)
@settings(max_examples=60, deadline=None)
def test_two_discs_make_the_cone_within_a_voxel(axis, spacing, first, last, way, gap):
    shape = [64, 64, 64]
    shape[axis] = 14
    in_plane = [spacing[a] for a in range(3) if a != axis]
    # Discs further apart than that are two lesions.
    assume(np.hypot(*np.multiply(way, in_plane)) < first + last)
    labels = np.zeros(shape, np.uint8)
    middle = np.array([32.0, 32.0])
    disc(labels, axis, 2, tuple(middle - np.array(way) / 2), first, spacing)
    disc(labels, axis, 2 + gap, tuple(middle + np.array(way) / 2), last, spacing)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape, spacing))
    assert found is not None
    assert found.axis == axis
    assert found.slices == tuple(range(3, 2 + gap))
    filled = np.moveaxis(whole(labels, found), axis, 0)
    i, j = np.indices(filled.shape[1:])
    for k in range(gap + 1):
        t = k / gap
        centre = middle + (t - 0.5) * np.array(way)
        distance = np.hypot((i - centre[0]) * in_plane[0], (j - centre[1]) * in_plane[1])
        radius = (1 - t) * first + t * last
        assert filled[2 + k][distance <= radius - max(in_plane)].all()
        assert not filled[2 + k][distance > radius + max(in_plane)].any()
    # Nothing beyond what was drawn.
    assert not filled[:2].any()
    assert not filled[3 + gap :].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_same_shape_twice_makes_a_prism(axis):
    labels = np.zeros((30, 30, 30), np.uint8)
    # With a hole, a corner and a second piece.
    flat = np.zeros((30, 30), bool)
    flat[5:20, 6:15] = True
    flat[10:14, 9:12] = False
    flat[22:27, 3:9] = True
    for index in (4, 9):
        np.moveaxis(labels, axis, 0)[index][flat] = OEDEMA
    # Other labels do not count.
    labels[labels == 0] = Tissue.NECROSIS
    found = interpolate(labels, OEDEMA, grid_of(labels.shape, (1.0, 1.3, 2.2)))
    filled = np.moveaxis(whole(labels, found), axis, 0)
    assert (filled[4:10] == flat).all()
    assert filled.sum() == 6 * flat.sum()


def test_reversing_an_axis_reverses_the_result():
    random = np.random.default_rng(3)
    labels = np.zeros((40, 36, 20), np.uint8)
    for index in (3, 8, 9, 15):
        disc(labels, 2, index, tuple(random.uniform(15, 22, 2)), random.uniform(4, 10))
        disc(labels, 2, index, tuple(random.uniform(12, 25, 2)), random.uniform(2, 6))
    grid = grid_of(labels.shape)
    expected = whole(labels, interpolate(labels, OEDEMA, grid))
    for axis in range(3):
        flipped = np.ascontiguousarray(np.flip(labels, axis))
        assert np.array_equal(np.flip(whole(flipped, interpolate(flipped, OEDEMA, grid)), axis), expected)


def test_gaps_of_different_sizes_and_neighbours():
    labels = np.zeros((40, 40, 30), np.uint8)
    for index, radius in ((3, 4), (4, 5), (5, 6), (12, 10), (14, 12), (25, 3)):
        disc(labels, 2, index, (20, 20), radius)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert found is not None
    assert found.slices == (*range(6, 12), 13, *range(15, 25))


def test_contours_of_another_plane_are_left_alone():
    labels = np.zeros((60, 60, 60), np.uint8)
    for index in (15, 25, 35, 45):
        disc(labels, 2, index, (30, 30), 14)
    alone = interpolate(labels, OEDEMA, grid_of(labels.shape))
    expected = whole(labels, alone)
    # A sagittal contour through all of them that also reaches beyond; the axial slices it crosses are not
    # drawn slices because of it.
    before = labels.copy()
    disc(labels, 0, 30, (30, 30), 19)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert found is not None
    assert found.axis == 2
    filled = whole(labels, found)
    assert np.array_equal(filled, expected | (labels != before))
    # Two sagittal ones weigh less than four axial ones, unless they are asked for.
    disc(labels, 0, 20, (30, 30), 8)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert found is not None
    assert found.axis == 2
    found = interpolate(labels, OEDEMA, grid_of(labels.shape), axis=0)
    assert found is not None
    assert found.axis == 0
    assert found.slices == tuple(range(21, 30))


def test_two_lesions_beside_each_other_do_not_make_their_cuts_drawn_slices():
    labels = np.zeros((80, 40, 40), np.uint8)
    for index in (10, 11, 20, 21, 30, 31):
        disc(labels, 2, index, (18, 20), 9)
        disc(labels, 2, index, (60, 20), 11)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert found is not None
    assert found.axis == 2
    filled = whole(labels, found)
    assert not filled[30:48].any()
    assert filled[18, 20, 10:32].all()
    assert filled[60, 20, 10:32].all()


def test_a_piece_that_ends_does_not_spoil_the_other():
    labels = np.zeros((80, 40, 30), np.uint8)
    for index in (5, 15):
        disc(labels, 2, index, (20, 20), 10)
    expected = whole(labels, interpolate(labels, OEDEMA, grid_of(labels.shape)))
    disc(labels, 2, 5, (65, 20), 8)
    filled = whole(labels, interpolate(labels, OEDEMA, grid_of(labels.shape)))
    assert np.array_equal(filled[:40], expected[:40])
    assert not filled[40:, :, 6:].any()


def test_pieces_that_split_and_join():
    labels = np.zeros((60, 40, 20), np.uint8)
    disc(labels, 2, 4, (30, 20), 16)
    disc(labels, 2, 14, (20, 20), 6)
    disc(labels, 2, 14, (40, 20), 6)
    filled = whole(labels, interpolate(labels, OEDEMA, grid_of(labels.shape)))
    assert filled[20, 20, 4:15].all()
    assert filled[40, 20, 4:15].all()
    areas = filled.sum(axis=(0, 1))[4:15]
    assert (np.diff(areas) <= 0).all()


@pytest.mark.parametrize(("beside", "joined"), [(18, True), (40, False)])
def test_what_moves_sideways_is_followed_up_to_45_degrees(beside, joined):
    labels = np.zeros((80, 40, 30), np.uint8)
    disc(labels, 2, 5, (15, 20), 5)
    disc(labels, 2, 15, (15 + beside, 20), 5)
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert (found is not None) == joined
    if found is not None:
        filled = whole(labels, found)
        assert filled[15 + beside // 2, 20, 10]
        areas = filled.sum(axis=(0, 1))[5:16]
        assert abs(areas - areas[0]).max() <= 12


def test_nothing_to_interpolate():
    labels = np.zeros((20, 20, 20), np.uint8)
    grid = grid_of(labels.shape)
    assert interpolate(labels, OEDEMA, grid) is None
    disc(labels, 2, 5, (10, 10), 5)
    assert interpolate(labels, OEDEMA, grid) is None
    disc(labels, 2, 6, (10, 10), 5)
    assert interpolate(labels, OEDEMA, grid) is None
    disc(labels, 2, 9, (10, 10), 5)
    assert interpolate(labels, OEDEMA, grid, axis=0) is None
    assert interpolate(labels, Tissue.NECROSIS, grid) is None
    found = interpolate(labels, OEDEMA, grid)
    assert found is not None
    assert found.slices == (7, 8)
    labels[:] = OEDEMA
    assert interpolate(labels, OEDEMA, grid) is None


def test_a_lone_voxel_and_a_thread_count_as_drawn():
    labels = np.zeros((20, 20, 20), np.uint8)
    grid = grid_of(labels.shape)
    labels[10, 10, 5] = labels[10, 10, 9] = OEDEMA
    assert whole(labels, interpolate(labels, OEDEMA, grid))[10, 10].sum() == 5
    labels[10, 4:15, 5] = labels[10, 4:15, 9] = OEDEMA
    filled = whole(labels, interpolate(labels, OEDEMA, grid))
    assert filled[10, 4:15, 5:10].all()
    assert filled.sum() == 55


def test_a_thin_bridge_between_solid_parts_is_no_gap():
    labels = np.zeros((30, 30, 40), np.uint8)
    labels[8:20, 8:20, 4:12] = labels[8:20, 8:20, 24:34] = OEDEMA
    labels[12, 12, 12:24] = OEDEMA
    assert interpolate(labels, OEDEMA, grid_of(labels.shape)) is None


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.9))
@settings(max_examples=25, deadline=None)
def test_noise_is_survived_and_what_was_drawn_stays(seed, density):
    random = np.random.default_rng(seed)
    labels = (random.random((24, 20, 18)) < density).astype(np.uint8) * np.uint8(OEDEMA)
    labels[:, :, 7:11] = 0
    found = interpolate(labels, OEDEMA, grid_of(labels.shape))
    if found is not None:
        whole(labels, found)


def test_the_input_is_left_as_it_was():
    labels = np.zeros((20, 20, 20), np.uint8)
    disc(labels, 2, 5, (10, 10), 5)
    disc(labels, 2, 9, (10, 10), 5)
    labels.flags.writeable = False
    before = labels.copy()
    interpolate(labels, OEDEMA, grid_of(labels.shape))
    assert np.array_equal(labels, before)
