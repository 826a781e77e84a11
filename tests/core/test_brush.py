"""Which voxels a dab covers, against the definition voxel by voxel."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.geometry import Box, nearest_voxel

SHAPE = (9, 8, 7)
points = st.tuples(*[st.floats(-4, 12).map(lambda v: round(v, 3))] * 3)
spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 1.7, 3.0])] * 3)


def on_array(dab):
    covered = np.zeros(SHAPE, bool)
    covered[dab.box.slices] = dab.mask
    return covered


def segment_distance(point, a, b):
    along = b - a
    t = 0.0 if not along.any() else np.clip((point - a) @ along / (along @ along), 0, 1)
    return float(np.linalg.norm(point - a - t * along))


def brute(start, end, diameter, spacing, plane_axis):
    """Covered, not covered, and too close to the rim to say."""
    scale = np.array(spacing)
    a, b = np.array(start), np.array(end)
    if plane_axis is not None:
        a[plane_axis] = b[plane_axis] = nearest_voxel(end)[plane_axis]
    inside, outside = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    for index in np.ndindex(*SHAPE):
        if plane_axis is not None and index[plane_axis] != b[plane_axis]:
            outside[index] = True
            continue
        distance = segment_distance(np.array(index) * scale, a * scale, b * scale)
        inside[index] = distance < diameter / 2 - 1e-6
        # The voxels under the path may be further than the radius of a thin brush, by half a diagonal.
        outside[index] = distance > max(diameter / 2, np.linalg.norm(scale) / 2) + 1e-6
    return inside, outside


@given(points, points, st.floats(0.2, 9), spacings, st.sampled_from([None, 0, 1, 2]))
@settings(deadline=None, max_examples=150)
def test_a_capsule_covers_what_lies_within_its_radius(start, end, diameter, spacing, plane_axis):
    dab = capsule(start, end, diameter, spacing, SHAPE, plane_axis)
    assert dab.mask.shape == dab.box.shape
    assert dab.box == dab.box.clipped(SHAPE)
    covered = on_array(dab)
    inside, outside = brute(start, end, diameter, spacing, plane_axis)
    assert covered[inside].all()
    assert not covered[outside].any()
    # A brush wider than a voxel's diagonal covers exactly its radius.
    if diameter > np.linalg.norm(spacing):
        rim = ~inside & ~outside
        np.testing.assert_array_equal(covered[~rim], inside[~rim])


@pytest.mark.parametrize("plane_axis", [None, 0, 1, 2])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 3.0)])
def test_discs_and_balls_are_round_in_mm(plane_axis, spacing):
    centre = (4.0, 4.0, 3.0)
    covered = on_array(capsule(centre, centre, 5.0, spacing, SHAPE, plane_axis))
    offsets = (np.indices(SHAPE).T - np.array(centre)) * np.array(spacing)
    expected = (offsets**2).sum(-1).T <= 2.5**2
    if plane_axis is not None:
        on_plane = np.indices(SHAPE)[plane_axis] == centre[plane_axis]
        expected &= on_plane
    np.testing.assert_array_equal(covered, expected)


@given(points, st.floats(0.01, 0.4))
@settings(deadline=None)
def test_a_brush_smaller_than_a_voxel_covers_the_voxel_under_it(point, diameter):
    covered = on_array(capsule(point, point, diameter, (1.0, 1.0, 1.0), SHAPE, 2))
    under = nearest_voxel(point)
    if all(0 <= u < n for u, n in zip(under, SHAPE, strict=True)):
        assert covered[under]
        assert covered.sum() == 1
    else:
        assert not covered.any()


def test_a_thin_fast_stroke_leaves_no_gap():
    covered = on_array(capsule((0, 0, 3), (8, 5, 3), 0.3, (1.0, 1.0, 1.0), SHAPE, 2))
    assert covered.any(axis=(1, 2)).all()
    assert covered[0, 0, 3]
    assert covered[8, 5, 3]
    rows = [int(np.flatnonzero(covered[x, :, 3])[0]) for x in range(9)]
    assert all(0 <= after - before <= 1 for before, after in pairwise(rows))


def test_a_disc_stays_on_the_slice_it_ends_on():
    dab = capsule((2, 2, 1), (6, 6, 4.4), 3.0, (1.0, 1.0, 1.0), SHAPE, 2)
    assert (dab.box.start[2], dab.box.stop[2]) == (4, 5)


def test_a_dab_beside_the_array_is_empty():
    dab = capsule((-20, 3, 3), (-20, 3, 3), 4.0, (1.0, 1.0, 1.0), SHAPE, None)
    assert dab.box.is_empty
    assert dab.mask.size == 0


def test_a_dab_outside_reaches_in():
    covered = on_array(capsule((-1.0, 3, 3), (-1.0, 3, 3), 4.0, (1.0, 1.0, 1.0), SHAPE, None))
    assert covered[0, 3, 3]
    assert covered[1, 3, 3]
    assert not covered[2, 3, 3]


def test_the_box_is_a_plain_box():
    assert isinstance(capsule((1, 1, 1), (1, 1, 1), 2.0, (1.0, 1.0, 1.0), SHAPE, 2).box, Box)
