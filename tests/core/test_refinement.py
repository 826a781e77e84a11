"""The influence of strokes against closed forms and a dense solver; what refinement may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.refinement import (
    MOST_VOXELS,
    crop_around,
    influence,
    probability_of,
    refine,
)

ISO = (1.0, 1.0, 1.0)


def blank(shape: tuple[int, int, int]) -> np.ndarray:
    return np.zeros(shape, bool)


def dense(image: np.ndarray, spacing, inside, outside, reach_mm: float) -> np.ndarray:
    """The same equations as one matrix, solved directly."""
    shape, n = image.shape, image.size
    number = np.arange(n).reshape(shape)
    shown = image[image > image.min()]
    low, high = np.percentile(shown, (5, 95))
    scaled = (image - low) / (high - low)
    matrix = np.eye(n) / reach_mm**2
    for voxel in np.ndindex(*shape):
        for axis in range(3):
            for way in (-1, 1):
                other = list(voxel)
                other[axis] += way
                i = number[voxel]
                if not 0 <= other[axis] < shape[axis]:
                    matrix[i, i] += 1 / spacing[axis] ** 2
                    continue
                d = scaled[voxel] - scaled[tuple(other)]
                w = max(np.exp(-0.5 * (d / 0.05) ** 2), 1e-3) / spacing[axis] ** 2
                matrix[i, i] += w
                matrix[i, number[tuple(other)]] -= w
    u = inside.astype(float) - outside
    fixed = (inside | outside).ravel()
    rest = -matrix @ u.ravel()
    found = u.ravel().copy()
    found[~fixed] += np.linalg.solve(matrix[np.ix_(~fixed, ~fixed)], rest[~fixed])
    return found.reshape(shape)


@pytest.mark.parametrize("spacing", [ISO, (0.8, 1.2, 3.0)])
def test_influence_is_that_of_a_dense_solver(spacing):
    random = np.random.default_rng(4)
    shape = (7, 6, 5)
    image = random.normal(100, 3, shape)
    inside, outside = blank(shape), blank(shape)
    inside[1, 1:4, 2] = True
    outside[5, 2:5, 3] = True
    found = influence([image], spacing, inside, outside, 6.0)
    assert np.abs(found - dense(image, spacing, inside, outside, 6.0)).max() < 0.02
    assert (found[inside] == 1).all()
    assert (found[outside] == -1).all()


def test_in_even_tissue_influence_falls_as_the_screened_equation_says():
    # A whole plane as a stroke, read in the middle of a wide crop: r + 1/r = 2 + (h / reach)**2.
    shape, reach = (41, 61, 61), 4.0
    inside = blank(shape)
    inside[20] = True
    found = influence([np.ones(shape)], ISO, inside, blank(shape), reach)[:, 30, 30]
    g = 2 + reach**-2
    r = (g - np.sqrt(g * g - 4)) / 2
    assert found[20:30] == pytest.approx(r ** np.arange(10), abs=0.02)
    assert found[11:21][::-1] == pytest.approx(found[20:30], abs=0.01)


def test_an_edge_of_the_image_stops_it():
    shape = (24, 16, 16)
    image = np.zeros(shape)
    image[:12], image[12:] = 100, 500
    inside = blank(shape)
    inside[6, 8, 6:10] = True
    found = influence([image], ISO, inside, blank(shape))
    assert found[11, 8, 8] > 10 * found[12, 8, 8]


def test_only_the_side_of_the_edge_that_holds_the_stroke_is_labelled():
    random = np.random.default_rng(1)
    shape = (30, 30, 20)
    image = np.full(shape, 100.0)
    block = blank(shape)
    block[8:20, 8:20, 5:15] = True
    image[block] = 300
    image += random.normal(0, 2, shape)
    inside, outside = blank(shape), blank(shape)
    inside[10:18, 14, 10] = True
    outside[2:28, 4, 10] = True
    found = refine([image], ISO, inside, outside, np.zeros(shape, np.uint8), Tissue.OEDEMA) == Tissue.OEDEMA
    dice = 2 * (found & block).sum() / (found.sum() + block.sum())
    assert dice > 0.97


def test_removed_voxels_take_the_label_beside_them():
    shape = (20, 12, 12)
    labels = np.zeros(shape, np.uint8)
    labels[4:16] = Tissue.OEDEMA
    labels[16:] = Tissue.NECROSIS
    outside = blank(shape)
    outside[13:16, 6, 4:8] = True
    found = refine([np.ones(shape)], ISO, blank(shape), outside, labels, Tissue.OEDEMA, None, 3.0)
    assert found[15, 6, 6] == Tissue.NECROSIS
    assert (found[:4] == 0).all()
    assert (found[labels == Tissue.NECROSIS] == Tissue.NECROSIS).all()


def test_a_mask_of_one_label_alone_gives_way_to_background():
    labels = np.full((6, 6, 6), Tissue.OEDEMA, np.uint8)
    outside = blank(labels.shape)
    outside[3, 3, 3] = True
    assert (
        refine([np.ones(labels.shape)], ISO, blank(labels.shape), outside, labels, Tissue.OEDEMA)[3, 3, 3]
        == 0
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.floats(3, 30), st.booleans())
def test_strokes_are_obeyed_and_nothing_else_is_touched(seed, reach, with_network):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(2, 9, 3))
    image = random.normal(0, 1, shape)
    image[random.random(shape) < 0.05] = np.nan
    labels = random.integers(0, 5, shape).astype(np.uint8)
    inside, outside = random.random(shape) < 0.05, random.random(shape) < 0.05
    p = random.random(shape).astype(np.float32) if with_network else None
    before = labels.copy()
    found = refine([image], (0.7, 1, 4), inside, outside, labels, Tissue.ENHANCING, p, reach)
    assert np.array_equal(labels, before)
    assert (found[inside & ~outside] == Tissue.ENHANCING).all()
    if (labels != Tissue.ENHANCING).any():
        assert (found[outside] != Tissue.ENHANCING).all()
    changed = found != labels
    assert ((found == Tissue.ENHANCING) | (labels == Tissue.ENHANCING))[changed].all()
    if not (inside | outside).any():
        assert not changed.any()
    pull = influence([image], (0.7, 1, 4), inside, outside, reach)
    assert np.isfinite(pull).all()
    assert np.abs(pull).max() <= 1


def test_where_the_network_was_sure_a_stroke_changes_less():
    shape = (31, 31, 15)
    labels, inside = np.zeros(shape, np.uint8), blank(shape)
    inside[10:21, 15, 7] = True
    changed = [
        int((refine([np.ones(shape)], ISO, inside, blank(shape), labels, Tissue.OEDEMA, p) > 0).sum())
        for p in (np.full(shape, 0.45, np.float32), np.full(shape, 0.01, np.float32))
    ]
    assert changed[0] > 1.5 * changed[1] > 0


def test_a_label_is_what_lies_between_two_regions():
    p = np.array([[200], [100], [30]], np.uint8).reshape(3, 1, 1, 1)
    three = ("WT", "TC", "ET")
    for tissue, value in ((Tissue.OEDEMA, 100), (Tissue.NECROSIS, 70), (Tissue.ENHANCING, 30)):
        found = probability_of(p, three, tissue)
        assert found is not None
        assert found[0, 0, 0] == pytest.approx(value / 255)
    assert probability_of(p, three, Tissue.CAVITY) is None
    assert probability_of(p[:1], ("WT",), Tissue.OEDEMA) is None


def test_the_crop_is_bounded_and_holds_the_strokes():
    grid = Grid((240, 240, 155), np.eye(4))
    stroke = Box((100, 100, 70), (110, 104, 71))
    assert crop_around(stroke, grid, 12.0) == Box((76, 76, 46), (134, 128, 95))
    wide = Box((20, 20, 70), (200, 200, 71))
    found = crop_around(wide, grid, 30.0)
    assert found is not None
    assert np.prod(found.shape) <= MOST_VOXELS
    assert found.union(wide) == found
    assert crop_around(Box((0, 0, 0), (240, 240, 155)), grid) is None
    # Thick slices get fewer of them.
    thick = Grid((240, 240, 30), np.diag([1.0, 1.0, 6.0, 1.0]))
    assert crop_around(Box((100, 100, 15), (110, 104, 16)), thick, 12.0) == Box((76, 76, 11), (134, 128, 20))
