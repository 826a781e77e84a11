"""Surface distances against closed forms, brute force and SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.surface import SurfaceDistances, hd95_voxel, surface_distances, surface_of

masks = hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(2, 6), st.integers(1, 6)))
spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 2.5])] * 3)


def box(shape, start, stop):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def ball(n, centre, radius):
    squared = ((np.indices((n, n, n)).T - np.array(centre)) ** 2).sum(-1).T
    return squared <= radius**2


def brute_surface(mask):
    padded = np.pad(mask, 1)
    found = np.zeros_like(mask)
    for index in np.argwhere(mask):
        for axis in range(3):
            if mask.shape[axis] == 1:
                continue
            for step in (-1, 1):
                neighbour = index + 1
                neighbour[axis] += step
                found[tuple(index)] |= not padded[tuple(neighbour)]
    return found


def brute_distances(a, b, spacing):
    p, q = (np.argwhere(brute_surface(m)) * np.array(spacing) for m in (a, b))
    if len(p) == 0 or len(q) == 0:
        return np.full(len(p), np.inf), np.full(len(q), np.inf)
    table = np.sqrt(((p[:, None] - q[None]) ** 2).sum(-1))
    return table.min(axis=1), table.min(axis=0)


@given(masks)
@settings(deadline=None)
def test_the_surface_is_every_voxel_with_a_face_outside(mask):
    np.testing.assert_array_equal(surface_of(mask), brute_surface(mask))


@given(st.data(), spacings)
@settings(deadline=None, max_examples=60)
def test_distances_equal_brute_force(data, spacing):
    a = data.draw(masks)
    b = data.draw(hnp.arrays(bool, a.shape))
    found = surface_distances(a, b, spacing)
    there, back = brute_distances(a, b, spacing)
    np.testing.assert_allclose(found.reference_to_mask, there, atol=1e-9)
    np.testing.assert_allclose(found.mask_to_reference, back, atol=1e-9)


@pytest.mark.parametrize("size", [2, 9])
def test_far_masks_take_the_tree_or_the_transform_to_the_same_end(size):
    # Few far points are left to the tree, many to the distance transform.
    shape = (60, 12, 12)
    a, b = box(shape, (1, 1, 1), (1 + size,) * 3), box(shape, (45, 2, 1), (45 + size, 2 + size, 1 + size))
    found = surface_distances(a, b, (1.0, 2.0, 0.5))
    there, back = brute_distances(a, b, (1.0, 2.0, 0.5))
    np.testing.assert_allclose(found.reference_to_mask, there)
    np.testing.assert_allclose(found.mask_to_reference, back)


@given(st.data(), spacings)
@settings(deadline=None, max_examples=40)
def test_measures_are_symmetric_and_bounded(data, spacing):
    a = data.draw(masks)
    b = data.draw(hnp.arrays(bool, a.shape))
    there, back = surface_distances(a, b, spacing), surface_distances(b, a, spacing)
    assert there.hd95_mm == back.hd95_mm
    assert there.surface_dice(1.0) == back.surface_dice(1.0)
    if there.state == "ok":
        assert there.assd_mm.value == pytest.approx(back.assd_mm.value)
        assert 0 <= there.hd95_mm.value <= there.hausdorff_mm(100).value
        assert there.surface_dice(0.0).value <= there.surface_dice(1.0).value <= 1.0
    same = surface_distances(a, a, spacing)
    if a.any():
        assert same.hd95_mm.value == same.assd_mm.value == 0.0
        assert same.surface_dice(0.0).value == 1.0


def test_a_plate_moved_by_three_slices_is_three_spacings_away():
    shape = (10, 10, 10)
    a, b = box(shape, (2, 2, 2), (8, 8, 3)), box(shape, (2, 2, 5), (8, 8, 6))
    found = surface_distances(a, b, (1.0, 1.0, 1.5))
    assert found.hd95_mm == Score(4.5, "ok", "mm")
    assert found.assd_mm == Score(4.5, "ok", "mm")
    assert found.surface_dice(4.0).value == 0.0
    assert found.surface_dice(4.5).value == 1.0


def test_concentric_balls_are_a_shell_apart():
    found = surface_distances(ball(51, (25, 25, 25), 20), ball(51, (25, 25, 25), 15), (1.0, 1.0, 1.0))
    assert found.assd_mm.value == pytest.approx(5.0, abs=0.3)
    assert found.hd95_mm.value == pytest.approx(5.0, abs=0.8)


def test_empty_masks_have_named_states():
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    none, one = surface_distances(empty, empty, (1, 1, 1)), surface_distances(full, empty, (1, 1, 1))
    assert none.hd95_mm == none.assd_mm == Score(None, "both_empty", "mm")
    assert none.surface_dice(1.0) == Score(None, "both_empty")
    assert one.hd95_mm == one.assd_mm == Score(None, "one_empty", "mm")
    assert one.surface_dice(1.0) == Score(0.0, "one_empty")


def test_the_larger_direction_counts():
    found = SurfaceDistances(np.array([0.0, 1.0]), np.array([0.0, 0.0, 9.0]))
    assert found.hausdorff_mm(100).value == 9.0
    assert found.hd95_mm.value == pytest.approx(np.percentile([0, 0, 9], 95))
    assert found.assd_mm.value == pytest.approx(2.0)


def test_simpleitk_agrees_on_the_maximum_and_the_means():
    # SimpleITK measures from all voxels of a set; given the surfaces as sets, the definitions coincide.
    spacing = (1.0, 2.0, 0.5)
    a, b = ball(24, (11, 10, 12), 7) & (np.indices((24,) * 3)[0] > 6), ball(24, (13, 12, 11), 6)
    images = []
    for mask in (a, b):
        image = sitk.GetImageFromArray(surface_of(mask).T.astype(np.uint8))
        image.SetSpacing(spacing)
        images.append(image)
    oracle = sitk.HausdorffDistanceImageFilter()
    oracle.Execute(*images)
    found = surface_distances(a, b, spacing)
    means = found.reference_to_mask.mean(), found.mask_to_reference.mean()
    assert found.hausdorff_mm(100).value == pytest.approx(oracle.GetHausdorffDistance(), rel=1e-5)
    assert sum(means) / 2 == pytest.approx(oracle.GetAverageHausdorffDistance(), rel=1e-5)


@given(st.data(), spacings)
@settings(max_examples=60, deadline=None)
def test_hd95_is_met_at_a_surface_voxel_whose_distance_is_nearest_to_it(data, spacing):
    first = data.draw(masks)
    second = data.draw(hnp.arrays(bool, first.shape))
    distances = surface_distances(first, second, spacing)
    at = hd95_voxel(first, second, distances)
    if not (first.any() and second.any()):
        assert at is None
        return
    value = distances.hd95_mm.value
    for from_one, origin, target in (
        (distances.reference_to_mask, first, second),
        (distances.mask_to_reference, second, first),
    ):
        if np.percentile(from_one, 95.0) == value and brute_surface(origin)[at]:
            steps = (np.argwhere(brute_surface(target)) - np.array(at)) * np.array(spacing)
            own = np.sqrt((steps**2).sum(axis=1)).min()
            if abs(own - value) == pytest.approx(np.abs(from_one - value).min(), abs=1e-9):
                return
    pytest.fail("HD95 is not met there")
