"""Counts, ratios and their named empty states."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.labels import REGIONS, Tissue
from brainseg_desktop.core.metrics import Confusion, Score, confusion, confusion_of, joint_histogram

RATIOS = ("dice", "iou", "precision", "sensitivity", "specificity", "accuracy")
masks = hnp.arrays(bool, (4, 5, 3))
labels = hnp.arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 6))


def test_shifted_boxes_have_the_closed_form():
    reference, mask = np.zeros((2, 20, 20, 20), bool)
    reference[2:12, 2:12, 2:12] = True
    mask[5:15, 2:12, 2:12] = True
    counts = confusion(reference, mask)
    assert counts == Confusion(tp=700, fp=300, fn=300, tn=8000 - 1300)
    assert counts.dice.value == pytest.approx(0.7)
    assert counts.iou.value == pytest.approx(7 / 13)
    assert counts.precision.value == counts.sensitivity.value == pytest.approx(0.7)
    assert counts.specificity.value == pytest.approx(6700 / 7000)
    assert counts.accuracy.value == pytest.approx(7400 / 8000)


def test_both_empty_has_no_overlap_value():
    counts = confusion(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool))
    assert counts.dice == counts.iou == counts.precision == counts.sensitivity == Score(None, "both_empty")
    assert counts.specificity == counts.accuracy == Score(1.0, "both_empty")
    assert counts.volume_ml(0.001) == (Score(0.0, "ok", "mL"), Score(0.0, "ok", "mL"))


def test_one_empty_scores_zero_where_a_denominator_is_left():
    full, empty = np.eye(3, dtype=bool)[None], np.zeros((1, 3, 3), bool)
    missed, extra = confusion(full, empty), confusion(empty, full)
    assert missed.dice == missed.iou == extra.dice == extra.iou == Score(0.0, "one_empty")
    assert missed.precision == extra.sensitivity == Score(None, "one_empty")
    assert missed.sensitivity == extra.precision == Score(0.0, "one_empty")


def test_a_reference_that_fills_the_image_has_no_specificity():
    full = np.ones((2, 2, 2), bool)
    assert confusion(full, full).specificity.value is None
    assert confusion(full, full).specificity.state != "ok"


def test_no_spacing_no_millilitres():
    counts = Confusion(2, 1, 0, 5)
    assert counts.volume_ml(None) == (Score(None, "no_spacing", "mL"),) * 2
    assert counts.volume_difference_ml(None) == Score(None, "no_spacing", "mL")
    assert counts.volume_difference_ml(0.5).value == pytest.approx(0.5)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        confusion(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 1), bool))


@given(masks, masks)
@settings(deadline=None)
def test_bounds_and_symmetry(a, b):
    there, back = confusion(a, b), confusion(b, a)
    assert there.dice == back.dice
    assert there.iou == back.iou
    assert there.precision == back.sensitivity
    for name in RATIOS:
        value = getattr(there, name).value
        assert value is None or 0.0 <= value <= 1.0
    if there.dice.value is not None:
        assert there.iou.value <= there.dice.value
        assert there.dice.value == pytest.approx(2 * there.iou.value / (1 + there.iou.value))


@given(labels, labels)
@settings(deadline=None)
def test_the_joint_histogram_tells_every_region(a, b):
    histogram = joint_histogram(a, b)
    assert histogram.sum() == a.size
    for region in REGIONS:
        assert confusion_of(histogram, region.tissues) == confusion(region.mask(a), region.mask(b))
    for tissue in Tissue:
        assert confusion_of(histogram, (tissue,)) == confusion(a == tissue, b == tissue)


def test_simpleitk_agrees():
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 9, 8, 7)) < 0.4
    oracle = sitk.LabelOverlapMeasuresImageFilter()
    # Source is the mask, target the reference.
    oracle.Execute(*(sitk.GetImageFromArray(m.astype(np.uint8)) for m in (b, a)))
    counts = confusion(a, b)
    assert counts.dice.value == pytest.approx(oracle.GetDiceCoefficient())
    assert counts.iou.value == pytest.approx(oracle.GetJaccardCoefficient())
    assert counts.sensitivity.value == pytest.approx(1 - oracle.GetFalseNegativeError())
    assert counts.precision.value == pytest.approx(1 - oracle.GetFalseDiscoveryRate())
