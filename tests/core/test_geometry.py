"""Boxes, grids and the way between voxels and millimetres."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from brainseg_desktop.core.geometry import Box, Grid, centre_voxel, nearest_voxel

numbers = st.integers(-4, 12)
boxes = st.tuples(st.tuples(*[numbers] * 3), st.tuples(*[numbers] * 3)).map(lambda pair: Box(*pair))


def affine(angles, spacing, flips, order, offset):
    """A rotated, flipped, permuted grid."""
    matrix = np.eye(4)
    turned = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, :3] = (turned @ np.diag(np.array(spacing) * np.array(flips)))[:, order]
    matrix[:3, 3] = offset
    return matrix


affines = st.builds(
    affine,
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.3, 6)] * 3),
    st.tuples(*[st.sampled_from([1, -1])] * 3),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.floats(-200, 200)] * 3),
)


@given(boxes, boxes)
def test_union_holds_both_and_ignores_empty_ones(a, b):
    union = a.union(b)
    for box in (a, b):
        if not box.is_empty:
            assert all(u <= s for u, s in zip(union.start, box.start, strict=True))
            assert all(u >= s for u, s in zip(union.stop, box.stop, strict=True))
    if a.is_empty:
        assert union == b


@given(boxes)
def test_clipping_keeps_exactly_what_lies_inside(box):
    shape = (5, 6, 7)
    clipped = box.clipped(shape)
    inside = np.zeros(shape, bool)
    for index in np.ndindex(*shape):
        inside[index] = all(a <= i < b for a, i, b in zip(box.start, index, box.stop, strict=True))
    found = np.zeros(shape, bool)
    found[clipped.slices] = True
    if clipped.is_empty:
        assert not inside.any()
    else:
        np.testing.assert_array_equal(found, inside)


@given(hnp.arrays(bool, (3, 4, 5)))
def test_the_bounding_box_is_tight(mask):
    box = Box.of(mask)
    assert box.is_empty == (not mask.any())
    assert mask[box.slices].sum() == mask.sum()
    if not box.is_empty:
        where = np.argwhere(mask)
        assert box.start == tuple(where.min(axis=0))
        assert box.stop == tuple(where.max(axis=0) + 1)
        assert box.holds_plane(1, box.start[1])
        assert not box.holds_plane(1, box.stop[1])


@given(affines, hnp.arrays(float, (4, 3), elements=st.floats(-300, 300)))
@settings(deadline=None)
def test_world_and_voxel_are_inverse(matrix, points):
    grid = Grid((5, 6, 7), matrix)
    np.testing.assert_allclose(grid.voxel_of(grid.world_of(points)), points, atol=1e-6)
    np.testing.assert_allclose(
        grid.world_of(points), nib.affines.apply_affine(matrix, points), atol=1e-9, rtol=1e-12
    )


@given(affines)
@settings(deadline=None)
def test_spacing_volume_and_obliquity_agree_with_nibabel(matrix):
    grid = Grid((5, 6, 7), matrix)
    np.testing.assert_allclose(grid.spacing_mm, nib.affines.voxel_sizes(matrix))
    assert grid.voxel_volume_ml == pytest.approx(float(np.prod(grid.spacing_mm)) / 1000)
    oblique = np.degrees(nib.affines.obliquity(matrix)).max()
    if oblique < 30:  # beyond it nibabel's angle, taken per world axis, is another one
        assert grid.obliquity_degrees == pytest.approx(oblique, abs=0.05)


def test_axis_codes_agree_with_nibabel_however_oblique():
    spacings = np.random.default_rng(0).uniform(0.5, 3, (500, 3))
    for turned, spacing in zip(Rotation.random(500, random_state=1).as_matrix(), spacings, strict=True):
        matrix = np.eye(4)
        matrix[:3, :3] = turned * spacing
        assert Grid((2, 3, 4), matrix).axis_codes == nib.aff2axcodes(matrix)
        image = nib.as_closest_canonical(nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), matrix))
        assert Grid(image.shape, image.affine).axis_codes == ("R", "A", "S")


def test_bad_affines_are_refused():
    for bad in (np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3), np.diag([1.0, 1.0, 0.0, 1.0])):
        with pytest.raises(ValueError, match="voxel_to_world"):
            Grid((2, 2, 2), bad)


def test_a_grid_does_not_share_its_affine():
    matrix = np.eye(4)
    grid = Grid((2, 2, 2), matrix)
    matrix[0, 0] = 9
    assert grid.spacing_mm == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        grid.voxel_to_world[0, 0] = 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"shape": (11, 10, 10)}, "shape"),
        ({"scale": 1.02}, "spacing"),
        ({"turn": 20.0}, "orientation"),
        ({"flip": True}, "orientation"),
        ({"shift": 1.0}, "position"),
        ({"shift": 0.005}, None),
        ({"shift": 1.0, "spacing_known": False}, None),
    ],
)
def test_mismatch_names_the_reason(change, reason):
    matrix = np.eye(4)
    turned = Rotation.from_euler("z", change.get("turn", 0.0), degrees=True).as_matrix()
    matrix[:3, :3] = turned * change.get("scale", 1.0)
    if change.get("flip"):
        matrix[:3, 0] *= -1
    matrix[0, 3] = change.get("shift", 0.0)
    other = Grid(change.get("shape", (10, 10, 10)), matrix, change.get("spacing_known", True))
    grid = Grid((10, 10, 10), np.eye(4))
    assert grid.mismatch(other) == other.mismatch(grid) == reason


def test_small_things():
    assert centre_voxel((5, 4, 1)) == (2, 2, 0)
    assert nearest_voxel((-0.5, -0.51, 2.5)) == (0, -1, 3)
    assert Grid((2, 3, 4), np.eye(4)).contains((1, 2, 3))
    assert not Grid((2, 3, 4), np.eye(4)).contains((1, 2, 4))
    assert not Grid((2, 3, 4), np.eye(4)).contains((-1, 0, 0))
