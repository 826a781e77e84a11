"""Lesion-wise scores against a plain retelling of the challenge's steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from brainseg_desktop.core.lesions import MISSED_HD95_MM, dilated, lesion_wise
from brainseg_desktop.core.surface import surface_distances

SPACING = (1.0, 1.0, 1.0)
ELEMENT = ndimage.generate_binary_structure(3, 2)


def cube(shape, start, size):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, a + size) for a in start)] = True
    return mask


def plain(reference, mask, spacing):
    """Mean Dice and HD95, one lesion after the other, with whole-volume arrays."""
    volume = float(np.prod(spacing))
    grown = ndimage.binary_dilation(reference, ELEMENT, iterations=3)
    grown, count = ndimage.label(grown, np.ones((3, 3, 3)))
    parts, part_count = ndimage.label(mask, np.ones((3, 3, 3)))
    dices, distances, touched = [], [], set()
    for number in range(1, count + 1):
        lesion = reference & (grown == number)
        reach = ndimage.binary_dilation(lesion, ELEMENT, iterations=3)
        mine = set(np.unique(parts[reach])) - {0}
        touched |= mine
        if lesion.sum() * volume <= 50:
            continue
        found = np.isin(parts, list(mine)) if mine else np.zeros_like(mask)
        dices.append(2 * (lesion & found).sum() / (lesion.sum() + found.sum()))
        distances.append(surface_distances(lesion, found, spacing).hd95_mm.value if mine else 374.0)
    false = part_count - len(touched)
    if len(dices) + false == 0:
        return None, None
    return sum(dices) / (len(dices) + false), (sum(distances) + 374.0 * false) / (len(dices) + false)


def test_matched_missed_false_and_small():
    shape = (60, 40, 40)
    near, far, small = cube(shape, (4, 4, 4), 8), cube(shape, (40, 4, 4), 8), cube(shape, (4, 30, 30), 3)
    mask = cube(shape, (5, 4, 4), 8) | cube(shape, (40, 30, 30), 2)
    scores = lesion_wise(near | far | small, mask, SPACING)
    assert (scores.count("matched"), scores.count("missed"), scores.count("false")) == (1, 1, 1)
    assert [lesion.counted for lesion in scores.lesions].count(False) == 1
    assert scores.dice.value == pytest.approx((7 / 8 + 0 + 0) / 3)
    matched = next(lesion for lesion in scores.lesions if lesion.status == "matched")
    expected = surface_distances(near, cube(shape, (5, 4, 4), 8), SPACING).hd95_mm.value
    assert matched.hd95_mm == pytest.approx(expected)
    assert scores.hd95_mm.value == pytest.approx((expected + 2 * MISSED_HD95_MM) / 3)
    assert matched.reference_ml == pytest.approx(0.512)
    assert matched.centre == (7, 7, 7)
    false = next(lesion for lesion in scores.lesions if lesion.status == "false")
    assert false.centre == (40, 30, 30)
    assert scores.to_dict()["left_out"] == 1


def test_fifty_cubic_millimetres_is_left_out_and_a_bit_more_is_not():
    reference = np.zeros((20, 20, 20), bool)
    reference[2:7, 2:7, 2:4] = True
    assert lesion_wise(reference, reference, SPACING).dice.state == "both_empty"
    assert lesion_wise(reference, reference, (1.0, 1.0, 1.01)).dice.value == 1.0


def test_neighbours_within_the_dilation_are_one_lesion():
    shape = (40, 20, 20)
    reference = cube(shape, (2, 2, 2), 6) | cube(shape, (13, 2, 2), 6)
    assert len(lesion_wise(reference, reference, SPACING).lesions) == 1
    apart = cube(shape, (2, 2, 2), 6) | cube(shape, (16, 2, 2), 6)
    assert len(lesion_wise(apart, apart, SPACING).lesions) == 2


def test_a_lesion_found_in_two_pieces_is_matched_once_with_both():
    shape = (40, 20, 20)
    reference = np.zeros(shape, bool)
    reference[4:20, 4:12, 4:12] = True
    mask = cube(shape, (4, 4, 4), 6) | cube(shape, (13, 4, 4), 6)
    scores = lesion_wise(reference, mask, SPACING)
    assert [lesion.status for lesion in scores.lesions] == ["matched"]
    assert scores.dice.value == pytest.approx(2 * 2 * 216 / (1024 + 2 * 216))
    assert scores.lesions[0].mask_ml == pytest.approx(0.432)


def test_a_part_that_touches_two_lesions_counts_whole_with_each():
    shape = (60, 20, 20)
    reference = cube(shape, (4, 4, 4), 8) | cube(shape, (24, 4, 4), 8)
    mask = np.zeros(shape, bool)
    mask[4:32, 4:12, 4:12] = True
    scores = lesion_wise(reference, mask, SPACING)
    assert [lesion.status for lesion in scores.lesions] == ["matched", "matched"]
    assert [lesion.mask_ml for lesion in scores.lesions] == pytest.approx([1.792, 1.792])
    assert scores.dice.value == pytest.approx(2 * 512 / (512 + 1792))
    # Turned round there is one lesion, and both pieces belong to it.
    turned = lesion_wise(mask, reference, SPACING)
    assert len(turned.lesions) == 1
    assert turned.dice.value == pytest.approx(2 * 1024 / (1024 + 1792))


def test_a_false_lesion_counts_however_small_and_a_small_missed_one_does_not():
    shape = (40, 40, 20)
    large, small, speck = cube(shape, (4, 4, 4), 8), cube(shape, (25, 4, 4), 3), cube(shape, (4, 30, 4), 1)
    assert lesion_wise(large | small, large, SPACING).dice.value == 1.0
    scores = lesion_wise(large, large | speck, SPACING)
    assert (scores.dice.value, scores.hd95_mm.value) == (0.5, 187.0)
    # A mask of a lesion that is left out belongs to that lesion: it is not false.
    assert lesion_wise(large | small, large | small, SPACING).dice.value == 1.0


def test_a_part_near_a_lesion_belongs_to_it_and_is_not_false():
    shape = (40, 20, 20)
    reference = cube(shape, (2, 2, 2), 8)
    beside = cube(shape, (12, 2, 2), 4)
    scores = lesion_wise(reference, beside, SPACING)
    assert [lesion.status for lesion in scores.lesions] == ["matched"]
    assert scores.dice.value == 0.0
    assert scores.hd95_mm.value < 20


def test_empty_masks():
    empty, full = np.zeros((9, 9, 9), bool), cube((9, 9, 9), (1, 1, 1), 6)
    assert lesion_wise(empty, empty, SPACING).dice.state == "both_empty"
    for scores in (lesion_wise(full, empty, SPACING), lesion_wise(empty, full, SPACING)):
        assert (scores.dice.value, scores.hd95_mm.value) == (0.0, 374.0)


@given(hnp.arrays(bool, st.tuples(*[st.integers(1, 9)] * 3)))
@settings(deadline=None)
def test_dilation_equals_scipys(mask):
    expected = ndimage.binary_dilation(mask, ELEMENT, iterations=3)
    np.testing.assert_array_equal(dilated(mask), expected)


@given(st.integers(0, 10_000), st.booleans())
@settings(deadline=None, max_examples=30)
def test_equals_the_plain_retelling(seed, with_known_distances):
    rng = np.random.default_rng(seed)
    shape, spacing = (30, 24, 22), (1.0, 1.5, 2.0)
    pair = np.zeros((2, *shape), bool)
    for mask in pair:
        for _ in range(rng.integers(0, 7)):
            mask |= cube(shape, [rng.integers(0, n - 2) for n in shape], int(rng.integers(1, 6)))
    known = surface_distances(pair[0], pair[1], spacing) if with_known_distances else None
    scores = lesion_wise(pair[0], pair[1], spacing, known)
    assert (scores.dice.value, scores.hd95_mm.value) == pytest.approx(plain(pair[0], pair[1], spacing))
