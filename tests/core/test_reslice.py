"""Volumes on other grids: cut through both affines, held against SimpleITK and against the definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.reslice import MAX_SIDE, overlap, slice_of, value_at
from brainseg_desktop.core.volume import Source, Volume

REFERENCE = Grid((22, 20, 17), np.diag([1.0, 1.1, 1.3, 1.0]))


def turned(degrees_z, degrees_x):
    """Rotation about z, then about x."""
    (c, s), (d, t) = [(np.cos(a), np.sin(a)) for a in np.radians([degrees_z, degrees_x])]
    return np.array([[1, 0, 0], [0, d, -t], [0, t, d]]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def grid_around(middle_mm, shape, spacing, rotation=None):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) * np.array(spacing)
    affine[:3, 3] = np.array(middle_mm) - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def volume_on(grid, dtype=np.int16, order="C"):
    data = np.random.default_rng(7).integers(-300, 3000, grid.shape).astype(dtype, order=order)
    return Volume(data, grid, Source(Path("t2.nii"), ""))


MIDDLE = REFERENCE.world_of((np.array(REFERENCE.shape) - 1) / 2)
GRIDS = {
    "thick slices": grid_around(MIDDLE, (22, 20, 5), (1.0, 1.1, 4.7)),
    "finer": grid_around(MIDDLE + 0.21, (40, 30, 20), (0.43, 0.61, 0.77)),
    "oblique": grid_around(MIDDLE, (20, 21, 22), (1.0, 1.2, 0.9), turned(20, 20)),
    "oblique and thick": grid_around(MIDDLE + 2, (30, 30, 6), (0.7, 0.7, 5.0), turned(-33, 12)),
    "other axes": Grid((17, 22, 20), REFERENCE.voxel_to_world @ np.eye(4)[[2, 0, 1, 3]].T),
    "beside": grid_around(MIDDLE + np.array([9, -8, 4]), (18, 18, 18), (1.0, 1.0, 1.0), turned(5, 3)),
}


def to_itk(sitk, data, grid):
    """RAS as it is: the same axes for both images is all that a resampler needs."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(data.T.astype(np.float32)))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.voxel_to_world[:3, 3].tolist())
    image.SetDirection((grid.voxel_to_world[:3, :3] / grid.spacing_mm).ravel().tolist())
    return image


def fine_plane(axis, index, samples):
    """The samples of a cut as a grid of one slice."""
    rest = [a for a in range(3) if a != axis]
    scale = np.eye(4)
    shape = [1, 1, 1]
    for a, n in zip(rest, samples, strict=True):
        scale[a, a], scale[a, 3] = 1 / n, 0.5 / n - 0.5
        shape[a] = REFERENCE.shape[a] * n
    scale[axis, 3] = index
    return Grid(tuple(shape), REFERENCE.voxel_to_world @ scale)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", GRIDS)
def test_a_cut_is_what_simpleitk_resamples(name, axis, linear):
    sitk = pytest.importorskip("SimpleITK")
    volume, compared = volume_on(GRIDS[name], order="F"), 0
    for index in (0, REFERENCE.shape[axis] // 3, REFERENCE.shape[axis] - 1):
        cut = slice_of(volume, REFERENCE, axis, index, linear=linear, outside=-7)
        plane = fine_plane(axis, index, cut.samples)
        wanted = sitk.ResampleImageFilter()
        wanted.SetSize(plane.shape)
        wanted.SetOutputSpacing(plane.spacing_mm)
        wanted.SetOutputOrigin(plane.voxel_to_world[:3, 3].tolist())
        wanted.SetOutputDirection((plane.voxel_to_world[:3, :3] / plane.spacing_mm).ravel().tolist())
        wanted.SetInterpolator(sitk.sitkLinear if linear else sitk.sitkNearestNeighbor)
        wanted.SetDefaultPixelValue(-7)
        expected = sitk.GetArrayFromImage(wanted.Execute(to_itk(sitk, volume.data, volume.grid))).T
        expected = np.take(expected, 0, axis)
        assert cut.values.shape == expected.shape
        # Where a sample lies on the border of two voxels, or on the outer edge, both are right.
        places = volume.grid.voxel_of(plane.world_of(np.moveaxis(np.indices(plane.shape), 0, -1)))
        places = np.take(places, 0, axis)
        border = (np.abs(places % 1 - 0.5) < 1e-3).any(axis=-1)
        if linear:
            border = ((places < -0.499) | (places > np.array(volume.grid.shape) - 0.501)).any(axis=-1)
        agree = np.isclose(cut.values, expected, rtol=1e-4, atol=0.5 if linear else 0)
        assert agree[~border].all()
        assert (cut.values[~cut.inside] == -7).all()
        compared += np.count_nonzero(~border & cut.inside)
    assert compared > 100


def test_the_plane_of_the_own_grid_is_the_array_itself():
    volume = volume_on(REFERENCE)
    for axis in range(3):
        for linear in (False, True):
            cut = slice_of(volume, REFERENCE, axis, 5, linear=linear)
            assert (cut.samples, cut.inside.all()) == ((1, 1), True)
            np.testing.assert_array_equal(cut.values, np.take(volume.data, 5, axis))
    assert slice_of(volume, REFERENCE, 2, 5).values.dtype == np.int16


def test_finer_voxels_are_all_shown_and_coarser_ones_evenly():
    fine = grid_around(MIDDLE, (44, 40, 17), (0.5, 0.55, 1.3))
    cut = slice_of(volume_on(fine), REFERENCE, 2, 8)
    assert cut.samples == (2, 2)
    np.testing.assert_array_equal(cut.values, volume_on(fine).data[:, :, 8])
    # Three voxels of the grid to two of the volume: three samples to one of its own, each.
    coarse = grid_around(MIDDLE, (14, 20, 17), (1.5, 1.1, 1.3))
    cut = slice_of(volume_on(coarse), REFERENCE, 2, 8)
    assert cut.samples == (2, 1)
    inner = np.repeat(volume_on(coarse).data[:, :, 8], 3, axis=0)
    np.testing.assert_array_equal(cut.values[1:43], inner[:42])


def test_no_side_grows_beyond_what_a_screen_shows():
    grid = Grid((300, 1100, 3), np.eye(4))
    cut = slice_of(volume_on(Grid((8, 8, 8), np.diag([0.05, 0.05, 0.05, 1.0]))), grid, 2, 0)
    assert cut.samples == (MAX_SIDE // 300, 1)
    assert cut.values.shape == (900, 1100)


@pytest.mark.parametrize("name", GRIDS)
def test_a_value_is_that_of_the_nearest_own_voxel(name):
    volume = volume_on(GRIDS[name])
    for voxel in np.random.default_rng(3).integers(-4, 25, (200, 3)):
        place = volume.grid.voxel_of(REFERENCE.world_of(voxel))
        nearest = np.floor(place + 0.5).astype(int)
        inside = all(0 <= i < n for i, n in zip(nearest, volume.grid.shape, strict=True))
        expected = float(volume.data[tuple(nearest)]) if inside else None
        if (np.abs(place % 1 - 0.5) > 1e-3).all():
            assert value_at(volume, REFERENCE, voxel) == expected


def test_values_on_the_own_grid_need_no_known_spacing():
    nominal = Grid((4, 5, 6), np.diag([9.0, 1.0, 1.0, 1.0]), spacing_known=False)
    volume = volume_on(nominal)
    assert value_at(volume, Grid((4, 5, 6), np.eye(4)), (3, 2, 1)) == volume.data[3, 2, 1]
    assert value_at(volume, nominal, (4, 0, 0)) is None


@pytest.mark.parametrize(
    ("dtype", "linear", "value"),
    [
        (np.uint8, False, 0),
        (np.int16, False, -32768),
        (np.float32, False, -np.inf),
        (np.int16, True, -np.inf),
    ],
)
def test_where_nothing_was_measured_it_is_dark_under_any_window(dtype, linear, value):
    volume = Volume(np.full((4, 4, 4), 9, dtype), Grid((4, 4, 4), np.eye(4)), Source(Path("a"), ""))
    cut = slice_of(volume, Grid((6, 4, 4), np.eye(4)), 2, 1, linear=linear)
    assert (cut.values[:4] == 9).all()
    assert (cut.values[4:] == value).all()
    np.testing.assert_array_equal(cut.inside, cut.values == 9)


def test_a_border_falls_on_one_side_whatever_the_rounding_of_the_affines():
    fine, shift = Grid((60, 4, 4), np.diag([0.1, 1.0, 1.0, 1.0])), np.eye(4)
    shift[0, 3] = 0.05
    volume = Volume(np.arange(60)[:, None, None] * np.ones((1, 4, 4), int), fine, Source(Path("a"), ""))
    grid = Grid((5, 4, 4), shift)
    assert [value_at(volume, grid, (i, 0, 0)) for i in range(5)] == [1, 11, 21, 31, 41]
    assert slice_of(volume, grid, 0, 3).values[0, 0] == 31


def test_linear_values_of_a_ramp_are_exact():
    grid = GRIDS["oblique"]
    ramp = grid.world_of(np.moveaxis(np.indices(grid.shape), 0, -1)) @ np.array([3.0, -2.0, 5.0])
    volume = Volume(ramp.astype(np.float32), grid, Source(Path("a"), ""))
    cut = slice_of(volume, REFERENCE, 1, 9, linear=True, outside=np.nan)
    plane = fine_plane(1, 9, cut.samples)
    world = np.take(plane.world_of(np.moveaxis(np.indices(plane.shape), 0, -1)), 0, 1)
    places = volume.grid.voxel_of(world)
    inner = ((places >= 0) & (places <= np.array(grid.shape) - 1)).all(axis=-1)
    assert inner.sum() > 100
    np.testing.assert_allclose(cut.values[inner], (world @ [3.0, -2.0, 5.0])[inner], atol=1e-3)
    assert np.isnan(cut.values[~cut.inside]).all()


angles = st.floats(-90, 90)
shifts = st.tuples(*[st.floats(-30, 30)] * 3)


@given(angles, angles, shifts)
@settings(deadline=None, max_examples=60)
def test_overlap_holds_against_points(z, x, shift):
    one = grid_around((0, 0, 0), (10, 6, 20), (1.0, 2.0, 0.5))
    other = grid_around(shift, (8, 12, 4), (1.5, 0.7, 3.0), turned(z, x))
    points = np.moveaxis(np.mgrid[-0.45:7.5:0.33, -0.45:11.5:0.33, -0.45:3.5:0.33], 0, -1)
    mine = one.voxel_of(other.world_of(points))
    shared = ((mine > -0.5) & (mine < np.array(one.shape) - 0.5)).all(axis=-1).any()
    if shared:
        assert overlap(one, other)
        assert overlap(other, one)
    elif overlap(one, other):
        # Between the points: grown by the distance of points they must meet.
        grown = 0.33 * np.array(other.spacing_mm).max()
        margin = grown / np.array(one.spacing_mm)
        assert ((mine > -0.5 - margin) & (mine < np.array(one.shape) - 0.5 + margin)).all(axis=-1).any()


def test_boxes_that_only_touch_share_nothing():
    one = Grid((4, 4, 4), np.eye(4))
    for axis in range(3):
        beside = np.eye(4)
        beside[axis, 3] = 4.0
        assert not overlap(one, Grid((4, 4, 4), beside))
        beside[axis, 3] = 3.9
        assert overlap(one, Grid((4, 4, 4), beside))
    # Corner to side: their extents along x, y and z overlap, they do not.
    other = grid_around((5.0, 5.0, 1.5), (4, 4, 4), (1, 1, 1), turned(45, 0))
    assert not overlap(one, other)
    assert overlap(one, grid_around((4.8, 4.8, 1.5), (4, 4, 4), (1, 1, 1), turned(45, 0)))
