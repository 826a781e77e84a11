"""A network's mask at other thresholds: nested, equal to its own at its own, and deaf to handwork."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.core.labels import ET, TC, WT, Tissue
from brainseg_desktop.core.regrowth import Answer, Cleaning, Regrowth, by_hand, cut_of, regrow, thresholds_of
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.postprocess import clean, label_tissues

THREE = ("WT", "TC", "ET")
SHAPE = (9, 8, 7)


def noise(seed: int, regions: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (regions, *SHAPE)).astype(np.uint8)


def answer_of(seed: int, regions: tuple[str, ...] = THREE, cleaning: Cleaning | None = None) -> Answer:
    p, cleaning = noise(seed, len(regions)), cleaning or Cleaning()
    return Answer(p, regions, regrow(p, regions, {}, cleaning), cleaning=cleaning)


def percent() -> st.SearchStrategy[float]:
    return st.integers(1, 100).map(lambda n: n / 100)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 999), percent(), percent(), percent())
def test_regions_stay_nested_and_each_is_its_threshold_inside_the_outer_one(seed, wt, tc, et):
    p = noise(seed)
    labels = regrow(p, THREE, {"WT": wt, "TC": tc, "ET": et})
    whole, core, enhancing = (
        values.astype(float) / 255 >= t - 1e-9 for values, t in zip(p, (wt, tc, et), strict=True)
    )
    core &= whole
    assert np.array_equal(WT.mask(labels), whole)
    assert np.array_equal(TC.mask(labels), core)
    assert np.array_equal(ET.mask(labels), enhancing & core)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), percent(), st.sampled_from([THREE, ("WT",)]), st.booleans())
def test_it_is_what_the_worker_makes_of_the_same_card(seed, wt, regions, holes):
    p = noise(seed, len(regions))
    post = Postprocess(thresholds={"WT": wt}, speck_share=0.3, speck_voxels=12, fill_holes=holes)
    expected = clean(label_tissues(p, regions, post), post)
    assert np.array_equal(regrow(p, regions, {"WT": wt}, Cleaning(0.3, 12, holes)), expected)


def test_the_lowest_threshold_is_not_the_whole_head():
    assert cut_of(0.0) == 1
    assert cut_of(0.01) == 3
    assert cut_of(1.0) == 255


def test_an_answer_must_fit_its_labels():
    with pytest.raises(ValueError, match="no labels"):
        Answer(noise(1), ("ET", "TC", "WT"), np.zeros(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="do not fit"):
        Answer(noise(1), ("WT",), np.zeros(SHAPE, np.uint8))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), percent(), percent())
def test_an_untouched_mask_follows_and_comes_back(seed, wt, tc):
    answer = answer_of(seed, cleaning=Cleaning(0.3, 12))
    regrowth = Regrowth(answer, answer.labels)
    wanted = {"WT": wt, "TC": tc, "ET": 0.5}
    whole = np.zeros(SHAPE, np.uint8)
    whole[regrowth.box.slices] = regrowth.at(wanted)
    expected = regrow(answer.probabilities, THREE, wanted, answer.cleaning)
    assert np.array_equal(whole, answer.labels if wanted == answer.own else expected)
    whole[regrowth.box.slices] = regrowth.at(answer.own)
    assert np.array_equal(whole, answer.labels)


def apply(history: History, answer: Answer, region: str, value: float) -> None:
    steps = history.steps[: history.depth]
    regrowth = Regrowth(answer, history.label_map.array, steps)
    with history.edit(f"Threshold {region} {round(100 * value)} %") as stroke:
        stroke.replace(regrowth.box, regrowth.at({**regrowth.thresholds, region: value}))


_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("paint"), st.integers(0, 5), st.integers(0, 5), st.integers(0, 6)),
        st.tuples(st.just("threshold"), st.sampled_from(THREE), percent()),
        st.tuples(st.just("undo")),
        st.tuples(st.just("redo")),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 50), _ACTS)
def test_no_threshold_ever_changes_what_was_done_by_hand(seed, acts):
    answer = answer_of(seed)
    history = History(LabelMap(answer.labels))
    for act in acts:
        if act[0] == "paint":
            box = Box((act[1], act[2], 1), (act[1] + 3, act[2] + 2, 4))
            with history.edit("Brush, x") as stroke:
                stroke.paint(box, np.ones(box.shape, bool), act[3])
        elif act[0] == "undo":
            history.undo()
        elif act[0] == "redo":
            history.redo()
        else:
            before = history.label_map.array.copy()
            hand = by_hand(history.steps[: history.depth], Box((0, 0, 0), SHAPE))
            apply(history, answer, act[1], act[2])
            assert np.array_equal(history.label_map.array[hand], before[hand])
            now = thresholds_of(history.steps[: history.depth], answer)
            expected = regrow(answer.probabilities, THREE, now)
            # All that nobody has touched is the network's at the thresholds in effect.
            assert np.array_equal(history.label_map.array[~hand], expected[~hand])


def test_handwork_outlives_a_threshold_at_which_the_network_agrees():
    p = np.full((3, 4, 4, 4), 0, np.uint8)
    p[0, 1:3, 1:3, 1:3] = 150
    answer = Answer(p, THREE, regrow(p, THREE, {}))
    history = History(LabelMap(answer.labels))
    with history.edit("Erase, oedema") as stroke:
        stroke.paint(Box((1, 1, 1), (2, 2, 2)), np.ones((1, 1, 1), bool), 0)
    for value in (0.9, 0.3):
        apply(history, answer, "WT", value)
    assert history.label_map.array[1, 1, 1] == 0
    assert (history.label_map.array > 0).sum() == 7


def test_the_answer_taken_again_in_a_box_ends_the_handwork_there_and_a_new_start_everywhere():
    history = History(LabelMap(np.zeros(SHAPE, np.uint8)))
    ones = np.ones((4, 4, 4), bool)
    with history.edit("Brush") as stroke:
        stroke.paint(Box((0, 0, 0), (4, 4, 4)), ones, 2)
    with history.edit("AI again in box") as stroke:
        stroke.paint(Box((0, 0, 0), (2, 4, 4)), ones[:2], 3)
    hand = by_hand(history.steps, Box((1, 1, 1), (5, 5, 5)))
    expected = np.zeros((4, 4, 4), bool)
    expected[1:3, :3, :3] = True
    assert np.array_equal(hand, expected)
    with history.edit("Start from AI") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), np.zeros(SHAPE, np.uint8))
    assert not by_hand(history.steps, Box((0, 0, 0), SHAPE)).any()


@pytest.mark.parametrize(
    "name", ["Threshold, oedema, 3 mL", "Threshold WT", "Threshold WT 35 % more", "AI againx"]
)
def test_a_step_of_another_tool_is_handwork(name):
    history = History(LabelMap(np.zeros(SHAPE, np.uint8)))
    box = Box((1, 1, 1), (3, 3, 3))
    with history.edit(name) as stroke:
        stroke.paint(box, np.ones(box.shape, bool), 2)
    assert by_hand(history.steps, box).all()
    assert thresholds_of(history.steps, answer_of(3)) == answer_of(3).own


def test_thresholds_follow_the_steps_that_stand():
    answer = answer_of(3)
    history = History(LabelMap(answer.labels))
    apply(history, answer, "WT", 0.35)
    apply(history, answer, "TC", 0.9)
    assert thresholds_of(history.steps, answer) == {"WT": 0.35, "TC": 0.9, "ET": 0.5}
    history.undo()
    assert thresholds_of(history.steps[: history.depth], answer) == {"WT": 0.35, "TC": 0.5, "ET": 0.5}
    with history.edit("Thresholds of the network") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), answer.labels.copy())
    assert thresholds_of(history.steps[: history.depth], answer) == answer.own


def test_nothing_to_grow():
    answer = Answer(np.zeros((1, *SHAPE), np.uint8), ("WT",), np.zeros(SHAPE, np.uint8))
    regrowth = Regrowth(answer, answer.labels)
    assert regrowth.box.is_empty
    assert regrowth.at({"WT": 0.1}).size == 0


def test_one_region_gives_the_whole_tumour():
    p = np.full((1, 2, 2, 2), 200, np.uint8)
    assert (regrow(p, ("WT",), {"WT": 0.5}) == Tissue.TUMOUR).all()
