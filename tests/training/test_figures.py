"""Figures from counts: the rules for empty masks, oracles of core.metrics, intervals, means over classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.training.figures import (
    CLASSES,
    MEASURES,
    ExamCounts,
    card_figures,
    class_means,
    count_slices,
    measure,
    slice_values,
    spread,
    summarise,
)

MASKS = arrays(bool, (2, 3, 4, 5))


def exam_of(name: str, counts: list[list[int]], *, patient: str = "", row: str = "WT") -> ExamCounts:
    """One region; counts of its slices."""
    rows = np.array(counts, np.int64)[:, None]
    return ExamCounts(name, patient or name, "LGG", "whole_head", (row,), np.arange(len(rows)), rows)


@given(MASKS, MASKS)
def test_counts_and_measures_are_those_of_the_program(reference: np.ndarray, mask: np.ndarray) -> None:
    counts = count_slices(reference, mask)
    assert counts.shape == (5, 2, 4)
    for z in range(5):
        for row in range(2):
            expected = confusion(reference[row, :, :, z], mask[row, :, :, z])
            found = counts[z, row]
            assert found.tolist() == [expected.tp, expected.fp, expected.fn, expected.tn]
            for name in MEASURES:
                value = getattr(expected, name).value
                # The program gives no ratio to a pair of empty masks, except specificity and accuracy.
                np.testing.assert_equal(measure(found, name), np.nan if value is None else value)


def test_masks_of_two_shapes_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shapes"):
        count_slices(np.zeros((1, 2, 2, 2), bool), np.zeros((1, 2, 2, 3), bool))


def test_empty_slices_count_as_the_rule_says() -> None:
    both_empty, false, missed, right = [0, 0, 0, 9], [0, 2, 0, 7], [0, 0, 3, 6], [4, 0, 0, 5]
    counts = np.array([both_empty, false, missed, right])
    assert slice_values(counts, "dice").tolist() == [1, 0, 0, 1]
    assert slice_values(counts, "iou").tolist() == [1, 0, 0, 1]
    np.testing.assert_equal(slice_values(counts, "precision"), [np.nan, 0, np.nan, 1])
    np.testing.assert_equal(slice_values(counts, "sensitivity"), [np.nan, np.nan, 0, 1])
    (figure,) = summarise([exam_of("a", [both_empty, false, missed, right])], resamplings=10)
    assert figure.all_slices["dice"] == 0.5
    assert (figure.slices, figure.tumour_slice_count) == (4, 2)
    assert figure.tumour_slices["dice"] == 0.5
    assert figure.false_slices == 0.5
    assert figure.pooled["dice"] == pytest.approx(8 / 13)
    assert figure.pooled["accuracy"] == pytest.approx(31 / 36)


def test_exams_of_one_patient_are_one_and_an_empty_patient_is_left_out() -> None:
    exams = [
        exam_of("a1", [[4, 0, 0, 5]], patient="a"),
        exam_of("a2", [[0, 4, 4, 1]], patient="a"),
        exam_of("b", [[0, 0, 0, 9]]),
        exam_of("c", [[0, 0, 2, 7]]),
    ]
    (figure,) = summarise(exams)
    dice = figure.patients["dice"]
    assert (dice.n, figure.left_out) == (2, 1)
    assert (dice.mean, dice.lowest) == (pytest.approx(0.25), 0)
    assert figure.patients["accuracy"].n == 3
    assert "precision" in figure.patients
    assert figure.patients["precision"].n == 1


def test_a_side_without_any_tumour_has_no_dice() -> None:
    (figure,) = summarise([exam_of("a", [[0, 0, 0, 9]])])
    assert "dice" not in figure.patients
    assert figure.tumour_slices["dice"] is None
    assert figure.false_slices == 0
    assert card_figures([figure], "test") == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(0, 99))
def test_an_interval_holds_the_mean_and_is_repeatable(values: list[float], seed: int) -> None:
    found = spread(np.array(values), 200, seed)
    assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12
    assert found.lowest == min(values)
    assert found == spread(np.array(values), 200, seed)


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    found = spread(values, 4000, 3)
    error = values.std() / 20
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_means_over_classes_count_the_background() -> None:
    # Ten voxels: 6 background, 2 oedema, 1 necrosis, 1 enhancing; the enhancing one is told as necrosis.
    rows = {"background": [6, 0, 0, 4], "necrosis": [1, 1, 0, 8], "oedema": [2, 0, 0, 8]}
    rows |= {"enhancing": [0, 0, 1, 9]}
    counts = np.array([[rows[name] for name in CLASSES]])
    exam = ExamCounts("a", "a", "BraTS", "skull_stripped", CLASSES, np.arange(1), counts)
    (means,) = class_means(summarise([exam]))
    assert means.means["accuracy"] == pytest.approx(0.9)
    assert means.means["dice"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert means.means["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert card_figures(summarise([exam]), "test") == ()


def test_the_card_gets_rounded_figures() -> None:
    exams = [exam_of("a", [[2, 1, 0, 6], [0, 0, 0, 9]]), exam_of("b", [[1, 0, 0, 8], [0, 1, 0, 8]])]
    (figure,) = card_figures(summarise(exams), "validation")
    assert (figure.side, figure.data, figure.region, figure.n) == ("validation", "LGG", "WT", 2)
    assert figure.dice == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)
    assert figure.slice_dice == pytest.approx((0.8 + 1 + 1 + 0) / 4)
    assert figure.false_slices == 0.5
