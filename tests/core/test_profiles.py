"""What lies in each slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.profiles import LabelProfiles, central_voxel, doubt_profile

SHAPE = (41, 37, 5)


def from_scratch(labels: np.ndarray, axis: int) -> np.ndarray:
    """Counts by brute force."""
    slices = np.moveaxis(labels, axis, 0)
    return np.array([[(cut == t).sum() for t in Tissue] for cut in slices])


def boxes(shape: tuple[int, int, int]) -> st.SearchStrategy[Box]:
    spans = [st.tuples(st.integers(-2, n + 1), st.integers(0, n + 1)) for n in shape]
    return st.tuples(*spans).map(
        lambda pairs: Box(tuple(a for a, _ in pairs), tuple(max(a, 0) + b for a, b in pairs))
    )


@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(st.tuples(boxes(SHAPE), st.integers(0, 6), st.integers(0, 2**31)), max_size=6),
    start=st.booleans(),
)
def test_update_is_a_count_from_scratch(edits: list[tuple[Box, int, int]], start: bool) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    if start:
        labels[20:24, 10:20, 1:3] = Tissue.OEDEMA
    profiles = LabelProfiles(labels)
    for box, tissue, seed in edits:
        inside = box.clipped(SHAPE)
        random = np.random.default_rng(seed).random(inside.shape) < 0.4
        before = labels.copy()
        labels[inside.slices][random] = tissue
        assert profiles.update(labels, box) == bool((labels != before).any())
        for axis in range(3):
            np.testing.assert_array_equal(profiles.counts(axis), from_scratch(labels, axis))
        for t in Tissue:
            if t is not Tissue.BACKGROUND:
                assert profiles.box_of(t) == Box.of(labels == t)
        np.testing.assert_array_equal(profiles.totals, np.bincount(labels.ravel(), minlength=len(Tissue)))


def test_changes_outside_the_box_wait_for_their_own_update() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    profiles = LabelProfiles(labels)
    labels[3, 3, 3] = labels[30, 30, 1] = Tissue.NECROSIS
    assert profiles.update(labels, Box((3, 3, 3), (4, 4, 4)))
    assert profiles.totals[Tissue.NECROSIS] == 1
    assert profiles.update(labels, Box((0, 0, 0), SHAPE))
    assert profiles.totals[Tissue.NECROSIS] == 2
    assert not profiles.update(labels, Box((0, 0, 0), SHAPE))


def test_counts_cannot_be_written_and_shapes_must_fit() -> None:
    profiles = LabelProfiles(np.zeros(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        profiles.counts(0)[0, 0] = 1
    with pytest.raises(ValueError, match="shape"):
        profiles.update(np.zeros((2, 2, 2), np.uint8), Box((0, 0, 0), (2, 2, 2)))


def test_doubt_is_summed_in_bits() -> None:
    uncertainty = np.zeros((4, 5, 6), np.uint8)
    uncertainty[1, :, 2] = 255
    uncertainty[3, 0, 2] = 51
    assert doubt_profile(uncertainty, 0) == pytest.approx([0, 5, 0, 0.2])
    assert doubt_profile(uncertainty, 1) == pytest.approx([1.2, 1, 1, 1, 1])
    assert doubt_profile(uncertainty, 2) == pytest.approx([0, 0, 5.2, 0, 0, 0])


def test_doubt_of_a_full_large_slice_does_not_overflow() -> None:
    uncertainty = np.full((2, 600, 600), 255, np.uint8)
    assert doubt_profile(uncertainty, 0) == pytest.approx([360_000, 360_000])


def test_centre_lies_in_the_largest_piece() -> None:
    mask = np.zeros((30, 30, 9), bool)
    mask[2:4, 2:4, 2:4] = True
    mask[10:21, 12:19, 3:6] = True
    assert central_voxel(mask) == (15, 15, 4)


def test_centre_of_a_ring_lies_on_it() -> None:
    x, y, _ = np.ogrid[:31, :31, :3]
    ring = np.broadcast_to(abs(np.hypot(x - 15, y - 15) - 10) < 1.5, (31, 31, 3))
    voxel = central_voxel(ring)
    assert ring[voxel]
    assert voxel[2] == 1


def test_nearest_is_meant_in_mm() -> None:
    # The centroid is (2, 0, 2): three voxels off along x is nearer than one of 5 mm along z.
    mask = np.zeros((6, 1, 5), bool)
    mask[[1, 2, 3], 0, 1] = mask[[1, 2, 3], 0, 3] = True
    mask[5, 0, 2] = mask[4, 0, 2] = mask[0, 0, 2] = True
    points = np.argwhere(mask)
    for spacing in ((1.0, 1.0, 1.0), (1.0, 1.0, 5.0), (5.0, 1.0, 1.0)):
        away = ((points - points.mean(axis=0)) * spacing) ** 2
        chosen = (np.array(central_voxel(mask, spacing)) - points.mean(axis=0)) * spacing
        assert (chosen**2).sum() == pytest.approx(away.sum(axis=1).min())


def test_an_empty_mask_has_no_centre() -> None:
    with pytest.raises(ValueError, match="empty"):
        central_voxel(np.zeros((3, 3, 3), bool))
