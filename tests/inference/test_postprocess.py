from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from brainseg_desktop.core.labels import ET, TC, WT, Tissue
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.postprocess import clean, label_tissues, uncertainty

ALL = ("WT", "TC", "ET")
HEADS = Postprocess(speck_share=0.15)
STRIPPED = Postprocess(speck_share=0.05, speck_voxels=60)


def test_labels_follow_the_nested_regions():
    probabilities = np.array([[0, 127, 128, 255, 255], [0, 0, 0, 200, 255], [0, 0, 0, 10, 255]], np.uint8)
    labels = label_tissues(probabilities, ALL)
    assert labels.tolist() == [0, 0, Tissue.OEDEMA, Tissue.NECROSIS, Tissue.ENHANCING]


@pytest.mark.parametrize(
    "thresholds", [{}, {"WT": 0.7, "TC": 0.2, "ET": 0.1}, {"WT": 0.05, "TC": 0.9, "ET": 0.5}]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_regions_of_the_labels_are_nested_whatever_the_thresholds(thresholds, dtype):
    random = np.random.default_rng(0)
    probabilities = random.integers(0, 256, (3, 6, 6, 6)).astype(np.uint8)
    given = probabilities if dtype == np.uint8 else (probabilities / 255).astype(dtype)
    labels = label_tissues(given, ALL, Postprocess(thresholds=thresholds))
    whole, core, enhancing = (region.mask(labels) for region in (WT, TC, ET))
    assert not (core & ~whole).any()
    assert not (enhancing & ~core).any()
    assert enhancing.any()
    np.testing.assert_array_equal(whole, probabilities[0] >= 255 * thresholds.get("WT", 0.5))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 0.99), st.integers(0, 255))
def test_a_stored_probability_is_inside_if_it_is_at_least_the_threshold(threshold, stored):
    labels = label_tissues(np.array([[stored]], np.uint8), ("WT",), Postprocess(thresholds={"WT": threshold}))
    assert bool(labels[0]) == (stored >= 255 * threshold - 1e-9)


def test_whole_tumour_alone_is_one_label():
    assert label_tissues(np.array([[0, 200]], np.uint8), ("WT",)).tolist() == [0, Tissue.TUMOUR]


def test_unknown_regions_are_refused():
    with pytest.raises(ValueError, match="TC"):
        label_tissues(np.zeros((1, 2), np.uint8), ("TC",))


def test_specks_go_and_satellites_stay():
    labels = np.zeros((40, 40, 20), np.uint8)
    labels[5:20, 5:20, 5:15] = Tissue.OEDEMA  # 2250 voxels
    labels[30:32, 30:32, 5:8] = Tissue.ENHANCING  # 12: a speck
    labels[30:35, 5:10, 5:10] = Tissue.OEDEMA  # 125: more than 60
    before = labels.copy()
    cleaned = clean(labels, STRIPPED)
    np.testing.assert_array_equal(labels, before)
    assert not cleaned[30:32, 30:32].any()
    assert cleaned[30:35, 5:10, 5:10].all()
    np.testing.assert_array_equal(cleaned[:25], labels[:25])
    # With a share alone, size does not save the 125.
    assert not clean(labels, HEADS)[30:].any()


def test_without_rules_nothing_changes():
    labels = np.zeros((8, 8, 4), np.uint8)
    labels[1, 1, 1] = labels[5:, 5:, 2] = 2
    np.testing.assert_array_equal(clean(labels, Postprocess()), labels)
    for rules in (HEADS, STRIPPED, Postprocess(fill_holes=True)):
        assert not clean(np.zeros((8, 8, 4), np.uint8), rules).any()


def test_a_small_tumour_alone_is_no_speck():
    labels = np.zeros((20, 20, 10), np.uint8)
    labels[3:5, 3:5, 3:5] = Tissue.TUMOUR
    np.testing.assert_array_equal(clean(labels, HEADS), labels)


@pytest.mark.parametrize(
    ("tissue", "filling"), [(Tissue.TUMOUR, Tissue.TUMOUR), (Tissue.ENHANCING, Tissue.OEDEMA)]
)
def test_holes_of_a_slice_are_filled_with_the_outermost_region(tissue, filling):
    labels = np.zeros((12, 12, 3), np.uint8)
    labels[2:9, 2:9, 1] = tissue
    labels[4:7, 4:7, 1] = 0
    labels[4:7, 2, 2] = tissue  # open: no hole
    filled = clean(labels, Postprocess(fill_holes=True))
    assert (filled[4:7, 4:7, 1] == filling).all()
    filled[4:7, 4:7, 1] = 0
    np.testing.assert_array_equal(filled, labels)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6), st.booleans())
def test_cleaning_equals_the_same_without_the_shortcut_of_a_box(seed, density, holes):
    random = np.random.default_rng(seed)
    labels = np.zeros((14, 13, 5), np.uint8)
    labels[2:11, 3:12, 1:4] = np.where(random.random((9, 9, 3)) < density, Tissue.TUMOUR, 0)
    rules = Postprocess(fill_holes=holes, speck_share=0.5, speck_voxels=20)
    expected = labels > 0
    if holes:
        expected = np.stack([ndimage.binary_fill_holes(expected[..., z]) for z in range(5)], axis=-1)
    pieces, count = ndimage.label(expected, np.ones((3, 3, 3)))
    sizes = [int((pieces == i).sum()) for i in range(1, count + 1)]
    for i, size in enumerate(sizes, 1):
        if size < 20 and size < 0.5 * max(sizes):
            expected[pieces == i] = False
    np.testing.assert_array_equal(clean(labels, rules) > 0, expected)


def test_uncertainty_is_the_entropy_of_the_most_doubtful_region():
    assert uncertainty(np.array([[0, 255]], np.uint8)).tolist() == [0, 0]
    values = np.arange(256, dtype=np.uint8)
    p = values[1:-1] / 255
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    np.testing.assert_allclose(uncertainty(values[None])[1:-1] / 255, bits, atol=0.5 / 255)
    # Symmetric, and highest in the middle.
    alone = uncertainty(values[None]).astype(int)
    np.testing.assert_array_equal(alone, alone[::-1])
    assert alone[127] == alone[128] == alone.max() == 255
    three = np.array([[255], [200], [127]], np.uint8)
    assert uncertainty(three)[0] == 255
    assert math.isclose(uncertainty(three[:2])[0] / 255, 0.752, abs_tol=0.005)
