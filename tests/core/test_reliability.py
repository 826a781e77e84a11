"""Statistics of several readers against published worked examples, definitions and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core import kappa
from brainseg_desktop.core.labels import WT
from brainseg_desktop.core.reliability import (
    Interval,
    Statistic,
    bootstrap_ci,
    coefficient_of_variation,
    coefficient_of_variation_of_repeats,
    generalised_conformity_index,
    rmse_of_repeats,
)
from brainseg_desktop.core.volumes_agreement import bland_altman, icc

NAN = float("nan")

# Fleiss (1971), table 1: six psychiatrists put thirty patients into five categories, kappa 0.430.
FLEISS_1971 = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# The example most textbooks work: 14 raters, 10 items, 5 categories, kappa 0.210.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
# Krippendorff (2011), example C: four observers, twelve units, alpha 0.743.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
# Shrout and Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# Bland and Altman (1986): first readings by the large and the mini Wright meter, l/min.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def labels_of(seed: int, readers: int, shape: tuple[int, ...] = (5, 6, 7), top: int = 4) -> list[np.ndarray]:
    """Noisy copies of one drawing, with an empty margin."""
    generator = np.random.default_rng(seed)
    truth = np.zeros(shape, np.uint8)
    truth[1:4, 2:5, 2:6] = generator.integers(0, top, (3, 3, 4))
    masks = []
    for _ in range(readers):
        mask = truth.copy()
        wrong = generator.random(shape) < 0.1
        wrong[:, 0] = False
        mask[wrong] = generator.integers(0, top, int(wrong.sum()))
        masks.append(mask)
    return masks


def one_hot(masks: list[np.ndarray], categories: int, scope: str) -> np.ndarray:
    """The long way: a row of counts for every voxel of the scope."""
    stack = np.stack(masks)
    marked = (stack > 0).any(axis=0)
    if scope == "grid":
        inside = np.ones(marked.shape, bool)
    elif scope == "union":
        inside = marked
    else:
        inside = np.zeros(marked.shape, bool)
        inside[tuple(slice(p.min(), p.max() + 1) for p in np.nonzero(marked))] = True
    return np.stack([(stack == c).sum(axis=0)[inside] for c in range(categories)], axis=1)


# Fleiss ----------------------------------------------------------------------------------------------


def test_fleiss_kappa_of_the_worked_example() -> None:
    found = kappa.fleiss_kappa(FLEISS)
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert (found.state, found.n) == ("ok", 10)


def test_fleiss_kappa_of_the_paper() -> None:
    counts = np.array([[int(digit) for digit in row] for row in FLEISS_1971.split()])
    assert (counts.sum(axis=0) / 180).round(3).tolist() == [0.144, 0.144, 0.167, 0.306, 0.239]
    found = kappa.fleiss_kappa(counts)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.n == 30


def test_weights_repeat_items() -> None:
    weights = [1, 2, 0, 3, 1, 1, 5, 1, 1, 1]
    assert kappa.fleiss_kappa(FLEISS, weights).value == pytest.approx(
        kappa.fleiss_kappa(np.repeat(FLEISS, weights, axis=0)).value, abs=1e-12
    )


def test_fleiss_kappa_is_one_for_perfect_agreement() -> None:
    assert kappa.fleiss_kappa([[3, 0], [0, 3]]).value == 1


@pytest.mark.parametrize(
    ("counts", "state"),
    [([[3, 0], [3, 0]], "no_variation"), ([[1, 0], [0, 1]], "too_few"), (np.zeros((0, 2)), "too_few")],
)
def test_fleiss_kappa_that_has_no_value(counts: object, state: str) -> None:
    found = kappa.fleiss_kappa(counts)
    assert (found.value, found.state) == (None, state)


@pytest.mark.parametrize("counts", [[[2, 1], [2, 0]], [[1.5, 1.5]], [[-1, 4]], [3, 0]])
def test_fleiss_kappa_refuses_bad_counts(counts: object) -> None:
    with pytest.raises(ValueError, match=r"readers|whole|shape"):
        kappa.fleiss_kappa(counts)


@pytest.mark.parametrize("scope", ["union", "box", "grid"])
@pytest.mark.parametrize("few", [1 << 20, 0])
@pytest.mark.parametrize("slab", [1 << 20, 7])
def test_masks_equal_the_long_way(monkeypatch: pytest.MonkeyPatch, scope, few: int, slab: int) -> None:
    monkeypatch.setattr(kappa, "FEW_CODES", few)
    monkeypatch.setattr(kappa, "SLAB_VOXELS", slab)
    for seed in range(5):
        masks = labels_of(seed, readers=4)
        long = one_hot(masks, 4, scope)
        # Files give arrays with the first axis fastest.
        for given_masks in (masks, [np.asfortranarray(m) for m in masks]):
            fleiss = kappa.fleiss_kappa_of_masks(given_masks, scope=scope)
            alpha = kappa.krippendorff_alpha_of_masks(given_masks, [[1], [2], [3]], scope=scope)
            assert fleiss.n == alpha.n == len(long)
            assert fleiss.value == pytest.approx(kappa.fleiss_kappa(long).value, abs=1e-12)
            assert alpha.value == pytest.approx(kappa.krippendorff_alpha(long).value, abs=1e-12)


@pytest.mark.parametrize("scope", ["union", "box", "grid"])
def test_a_region_is_one_category(scope) -> None:
    masks = labels_of(3, readers=3)
    region = [WT.mask(m) for m in masks]
    expected = kappa.fleiss_kappa(one_hot(region, 2, scope)).value
    assert kappa.fleiss_kappa_of_masks(masks, [WT.tissues], scope=scope).value == pytest.approx(expected)
    assert kappa.fleiss_kappa_of_masks(region, [[1]], scope=scope).value == pytest.approx(expected)


def test_the_box_is_that_of_the_categories_asked_for() -> None:
    a = np.zeros((6, 6, 6), np.uint8)
    a[0, 0, 0], a[2:4, 2:4, 2:4] = 2, 1
    assert kappa.fleiss_kappa_of_masks([a, a], [[1]], scope="box").state == "no_variation"
    assert kappa.fleiss_kappa_of_masks([a, a], [[1]], scope="box").n == 8
    assert kappa.fleiss_kappa_of_masks([a, a], scope="box").n == 64


def test_masks_nobody_marked_and_a_single_reader_have_no_kappa() -> None:
    empty, cavity = np.zeros((3, 3, 3), np.uint8), np.full((3, 3, 3), 5, np.uint8)
    for scope in ("union", "box", "grid"):
        for function in (kappa.fleiss_kappa_of_masks, kappa.krippendorff_alpha_of_masks):
            assert function([empty, empty], scope=scope).state == "empty"
            assert function([cavity, cavity], [[1]], scope=scope).state == "empty"
            assert function([cavity], scope=scope).state == "too_few"
        assert kappa.cohen_kappa(empty, empty, scope=scope).state == "empty"
        assert kappa.cohen_kappa(cavity, cavity, [[1]], scope=scope).state == "empty"
        assert kappa.cohen_kappa(cavity, cavity, scope=scope).state == "no_variation"


def test_bad_masks_are_refused() -> None:
    good = np.ones((2, 2, 2), np.uint8)
    for bad in (np.ones((2, 2, 3), np.uint8), good.astype(np.int64), good * np.uint8(9)):
        with pytest.raises(ValueError, match=r"shapes|types|no tissue"):
            kappa.fleiss_kappa_of_masks([good, bad], scope="grid")
        with pytest.raises(ValueError, match=r"shapes|types|no tissue"):
            kappa.cohen_kappa(good, bad, scope="grid")
    for categories in ([[1], [1, 2]], [[0]], [[7]]):
        with pytest.raises(ValueError, match="tissue"):
            kappa.count_votes([good, good], categories, scope="grid")
    with pytest.raises(ValueError, match="too many readers"):
        kappa.count_votes([good] * 2000, scope="grid")


def test_votes_of_many_readers_and_all_tissues() -> None:
    masks = labels_of(1, readers=12, top=7)
    votes = kappa.count_votes(masks, scope="grid")
    assert votes.voxels.sum() == masks[0].size
    assert (votes.counts.sum(axis=1) == 12).all()
    assert (votes.voxels @ votes.counts == [sum((m == t).sum() for m in masks) for t in range(7)]).all()


# Cohen -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_cohen_kappa_equals_its_definition(cells: list[int]) -> None:
    table = np.array(cells).reshape(3, 3)
    found, total = kappa.cohen_kappa_of_counts(table), table.sum()
    if found.value is None:
        assert total == 0 or (table > 0).sum() == 1
        return
    p = table / total
    expected = p.sum(axis=1) @ p.sum(axis=0)
    assert found.value == pytest.approx((np.trace(p) - expected) / (1 - expected), abs=1e-9)
    assert found.value <= 1


@pytest.mark.parametrize("scope", ["union", "box", "grid"])
def test_cohen_kappa_of_masks_equals_the_long_way(scope) -> None:
    a, b = labels_of(2, readers=2)
    inside = np.ones(a.shape, bool) if scope == "grid" else (a > 0) | (b > 0)
    if scope == "box":
        inside[tuple(slice(p.min(), p.max() + 1) for p in np.nonzero(inside))] = True
    table = np.zeros((4, 4), int)
    np.add.at(table, (a[inside], b[inside]), 1)
    found = kappa.cohen_kappa(a, b, scope=scope)
    assert found.n == inside.sum()
    assert found.value == pytest.approx(kappa.cohen_kappa_of_counts(table).value, abs=1e-12)


def test_kappa_over_a_large_grid_tends_to_dice_and_over_the_union_is_not_above_zero() -> None:
    a, b = np.zeros((2, 60, 60, 60), bool)
    a[20:30, 20:30, 20:30], b[21:31, 20:30, 20:30] = True, True
    assert kappa.cohen_kappa(a, b, [[1]], scope="grid").value == pytest.approx(0.9, abs=1e-3)
    assert kappa.fleiss_kappa_of_masks([a, b], [[1]], scope="grid").value == pytest.approx(0.9, abs=1e-3)
    assert kappa.cohen_kappa(a, b, [[1]], scope="union").value < 0


@pytest.mark.parametrize("table", [[[1, 2, 3]], [[1, -1], [0, 0]]])
def test_cohen_kappa_refuses_bad_tables(table: object) -> None:
    with pytest.raises(ValueError, match="counts"):
        kappa.cohen_kappa_of_counts(table)


# Krippendorff ----------------------------------------------------------------------------------------


def test_krippendorff_alpha_of_the_published_example() -> None:
    found = kappa.krippendorff_alpha_nominal(KRIPPENDORFF)
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert (found.n, found.excluded) == (11, 1)


def test_krippendorff_alpha_of_the_published_binary_example() -> None:
    # Krippendorff (2011), example A: two observers, ten units, alpha 0.095.
    readings = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert kappa.krippendorff_alpha_nominal(readings).value == pytest.approx(0.095, abs=5e-4)


def test_krippendorff_alpha_that_has_no_value() -> None:
    assert kappa.krippendorff_alpha_nominal([[1, 1], [1, 1]]).state == "no_variation"
    assert kappa.krippendorff_alpha_nominal([[1, None], [None, 1]]) == Statistic(None, "too_few", 0, 2)
    assert kappa.krippendorff_alpha_nominal([[None], [None]]).state == "too_few"


# ICC -------------------------------------------------------------------------------------------------


def test_icc_of_shrout_and_fleiss() -> None:
    found = icc(SHROUT_FLEISS)
    assert found.icc_2_1 == pytest.approx(0.2898, abs=5e-5)
    assert found.icc_3_1 == pytest.approx(0.7148, abs=5e-5)
    # The intervals R's psych::ICC gives for this table.
    assert (found.ci_2_1.lower, found.ci_2_1.upper) == pytest.approx((0.019, 0.761), abs=6e-4)
    assert (found.ci_3_1.lower, found.ci_3_1.upper) == pytest.approx((0.342, 0.946), abs=6e-4)
    assert (found.n, found.readers, found.excluded, found.state) == (6, 4, 0, "ok")


def test_icc_leaves_out_subjects_a_reader_lacks_and_does_not_mind_the_unit() -> None:
    table = np.array([*SHROUT_FLEISS, [5, NAN, 1, 2]], dtype=float)
    found = icc(table)
    assert (found.icc_2_1, found.n, found.excluded) == (icc(SHROUT_FLEISS).icc_2_1, 6, 1)
    assert icc(table * 1e-3).ci_2_1.lower == pytest.approx(found.ci_2_1.lower, abs=1e-9)


def test_icc_of_equal_readers_is_one() -> None:
    found = icc(np.repeat([[0.1], [0.7], [31.3]], 3, axis=1))
    assert (found.icc_2_1, found.icc_3_1) == (1, 1)
    assert found.ci_2_1 == found.ci_3_1 == Interval(1, 1)


def test_icc_of_a_constant_offset_is_consistent_and_not_in_agreement() -> None:
    found = icc([[1, 11], [2, 12], [3, 13]])
    # MSB 2, MSJ 150, MSE 0.
    assert found.icc_2_1 == pytest.approx(2 / (2 + 2 * 150 / 3))
    assert (found.icc_3_1, found.ci_3_1) == (1, Interval(1, 1))
    assert found.ci_2_1.lower <= found.icc_2_1 <= found.ci_2_1.upper


@pytest.mark.parametrize(
    ("table", "state"),
    [
        ([[1, 2]], "too_few"),
        ([[1], [2]], "too_few"),
        ([[1, NAN], [NAN, 2]], "too_few"),
        (np.zeros((4, 3)), "no_variation"),
        (np.full((4, 3), 7.3), "no_variation"),
        ([[1, 2], [1, 2], [1, 2]], "no_variation"),
    ],
)
def test_icc_that_has_no_value(table: object, state: str) -> None:
    found = icc(table)
    assert (found.icc_2_1, found.ci_2_1, found.icc_3_1, found.ci_3_1) == (None,) * 4
    assert found.state == state


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(2, 5), st.data())
def test_icc_intervals_hold_their_values_and_nothing_is_nan(n: int, k: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 5), min_size=n * k, max_size=n * k))
    found = icc(np.array(values).reshape(n, k))
    for value, ci in ((found.icc_2_1, found.ci_2_1), (found.icc_3_1, found.ci_3_1)):
        if value is None:
            assert ci is None
            continue
        assert np.isfinite(value)
        assert value <= 1 + 1e-12
        if ci is not None:
            assert ci.lower - 1e-9 <= value <= ci.upper + 1e-9


# Bland and Altman ------------------------------------------------------------------------------------


def test_bland_altman_of_the_published_example() -> None:
    found = bland_altman(LARGE, MINI, factor=2)
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert (found.lower, found.upper) == pytest.approx((-79.7, 75.5), abs=0.1)
    # The paper's intervals, with its rounded t = 2.12 and standard errors 9.4 and 16.3.
    assert (found.bias_ci.lower, found.bias_ci.upper) == pytest.approx((-22.0, 17.8), abs=0.15)
    assert (found.lower_ci.lower, found.lower_ci.upper) == pytest.approx((-114.3, -45.1), abs=0.2)
    assert (found.upper_ci.lower, found.upper_ci.upper) == pytest.approx((40.9, 110.1), abs=0.2)
    assert (found.n, found.state) == (17, "ok")


def test_bland_altman_turns_its_sign_with_the_readers_and_counts_missing_pairs() -> None:
    found, turned = bland_altman([*LARGE, NAN], [*MINI, 3.0]), bland_altman(MINI, LARGE)
    assert (found.n, found.excluded) == (17, 1)
    assert found.bias == -turned.bias
    assert found.lower == pytest.approx(-turned.upper)
    assert found.upper == pytest.approx(found.bias + 1.96 * found.sd)


def test_bland_altman_of_few_pairs() -> None:
    assert (bland_altman([], []).bias, bland_altman([], []).state) == (None, "too_few")
    one = bland_altman([3.0], [1.0])
    assert (one.bias, one.sd, one.lower_ci, one.state) == (2.0, None, None, "too_few")
    with pytest.raises(ValueError, match="against"):
        bland_altman([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="infinite"):
        bland_altman([np.inf], [1.0])


# Conformity, repeats, bootstrap ----------------------------------------------------------------------


def test_conformity_index_equals_the_sums_over_pairs() -> None:
    for order in ("C", "F"):
        masks = [np.array(m > 0, order=order) for m in labels_of(4, readers=5)]
        pairs = list(itertools.combinations(masks, 2))
        expected = sum((a & b).sum() for a, b in pairs) / sum((a | b).sum() for a, b in pairs)
        found = generalised_conformity_index(masks)
        assert found.value == pytest.approx(expected, abs=1e-12)
        assert found.n == np.any(masks, axis=0).sum()


def test_conformity_index_of_two_readers_is_jaccard_and_of_equal_ones_is_one() -> None:
    a, b = (m > 0 for m in labels_of(5, readers=2))
    assert generalised_conformity_index([a, b]).value == (a & b).sum() / (a | b).sum()
    assert generalised_conformity_index([a] * 4).value == 1


def test_conformity_index_that_has_no_value() -> None:
    empty = np.zeros((2, 2, 2), bool)
    assert generalised_conformity_index([empty, empty]).state == "empty"
    assert generalised_conformity_index([~empty]).state == "too_few"
    assert generalised_conformity_index([]).state == "too_few"
    with pytest.raises(ValueError, match="shapes"):
        generalised_conformity_index([empty, np.zeros((2, 2), bool)])


def test_coefficient_of_variation() -> None:
    assert coefficient_of_variation([9.0, 11.0, NAN]) == Statistic(pytest.approx(np.sqrt(2) / 10), "ok", 2, 1)
    assert coefficient_of_variation([0.0, 0.0]).state == "zero_mean"
    assert coefficient_of_variation([5.0]).state == "too_few"
    with pytest.raises(ValueError, match="negative"):
        coefficient_of_variation([-1.0, 1.0])


def test_repeats() -> None:
    found = coefficient_of_variation_of_repeats([[9, 11], [18, 22], [3, NAN], [0, 0]])
    assert found.value == pytest.approx(np.sqrt(2) / 10)
    assert (found.n, found.excluded) == (2, 2)
    assert coefficient_of_variation_of_repeats([[1, NAN]]).state == "too_few"
    assert rmse_of_repeats([1, 2], [1, 2]).value == 0
    assert rmse_of_repeats([NAN], [1]) == Statistic(None, "too_few", 0, 1)
    with pytest.raises(ValueError, match="second readings"):
        rmse_of_repeats([1, 2], [1])


def test_bootstrap_is_repeatable_and_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.05, 400)
    found = bootstrap_ci(values, seed=7)
    assert found == bootstrap_ci(values, seed=7)
    assert found != bootstrap_ci(values, seed=8)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.mean.value == pytest.approx(values.mean())
    assert found.interval.lower == pytest.approx(values.mean() - half, abs=half / 5)
    assert found.interval.upper == pytest.approx(values.mean() + half, abs=half / 5)


def test_bootstrap_equals_drawing_one_resampling_after_the_other() -> None:
    table = np.random.default_rng(3).random((12, 3))
    table[4, 1] = table[7, 0] = NAN
    for values in (table, table[:, :2], table[:, 2]):
        generator = np.random.default_rng(8)
        means = [np.nanmean(values[generator.integers(0, 12, 12)]) for _ in range(2000)]
        found = bootstrap_ci(values, 8).interval
        assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_bootstrap_resamples_cases_not_pairs() -> None:
    cases = np.random.default_rng(1).normal(0, 1, 50)
    alone = bootstrap_ci(cases, seed=3)
    # Ten equal pairs a case hold no more knowledge than one.
    tenfold = bootstrap_ci(np.repeat(cases[:, np.newaxis], 10, axis=1), seed=3)
    assert tenfold.interval.lower == pytest.approx(alone.interval.lower)
    assert tenfold.interval.upper == pytest.approx(alone.interval.upper)


def test_bootstrap_with_missing_values() -> None:
    found = bootstrap_ci([[1.0, NAN], [NAN, NAN], [3.0, 5.0]], seed=1)
    assert found.mean == Statistic(3.0, "ok", 2, 1)
    assert found.interval == Interval(1.0, 4.0)
    assert bootstrap_ci([2.0, None], seed=1).interval is None
    assert bootstrap_ci([2.0, None], seed=1).mean == Statistic(2.0, "ok", 1, 1)
    for nothing in ([], [NAN], np.empty((0, 3)), np.empty((3, 0))):
        assert bootstrap_ci(nothing, seed=1).mean.state == "too_few"
    with pytest.raises(ValueError, match="resamplings"):
        bootstrap_ci([1.0], seed=1, resamplings=0)
