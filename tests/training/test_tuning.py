"""What is chosen on exams whose best settings are known."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.postprocess import clean, label_tissues
from brainseg_desktop.training.tuning import Candidate, choose, cut_candidate, mean_dice, tune
from tests.training.miniature import make_exam, make_recipe

SHAPE = (24, 24, 6)


def candidate(
    probabilities: np.ndarray, reference: np.ndarray, patient: str = "a", known=(True, False, False)
) -> Candidate:
    regions = np.zeros((3, *SHAPE), bool)
    regions[: len(reference)] = reference
    return Candidate(
        patient=patient,
        probabilities=np.rint(255 * probabilities).astype(np.uint8),
        reference=regions,
        outside=(0, 0, 0),
        known=known,
        counted=np.ones(SHAPE[2], bool),
    )


def block(*edges: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in edges)] = True
    return mask


TUMOUR = block((4, 16), (4, 16), (1, 5))
FAR = block((20, 23), (20, 23), (1, 3))


def test_defaults_stay_where_nothing_is_to_be_gained() -> None:
    assert choose([candidate(TUMOUR[None] * 0.9, TUMOUR[None])], ("WT",)) == Postprocess()


def test_a_timid_network_gets_a_lower_threshold() -> None:
    rim = block((2, 18), (2, 18), (1, 5)) & ~TUMOUR
    chosen = choose([candidate((0.42 * TUMOUR + 0.33 * rim)[None], TUMOUR[None])], ("WT",))
    assert chosen.thresholds == {"WT": 0.4}
    assert chosen.speck_share == 0
    assert not chosen.fill_holes


def test_false_pieces_and_holes_are_dealt_with() -> None:
    hole = block((8, 11), (8, 11), (1, 5))
    shown = 0.9 * (TUMOUR | FAR) * ~hole
    chosen = choose([candidate(shown[None], TUMOUR[None])], ("WT",))
    assert chosen.speck_share > 0
    assert chosen.speck_voxels == inf
    assert chosen.fill_holes
    labels = clean(label_tissues(np.rint(255 * shown[None]).astype(np.uint8), ("WT",), chosen), chosen)
    assert np.array_equal(labels > 0, TUMOUR)


def test_a_gain_below_the_least_is_left() -> None:
    # One voxel of some hundred thousand: a rule for it would be a rule for chance.
    big = np.ones(SHAPE, bool)
    speck = np.zeros(SHAPE, bool)
    speck[0, 0, 0] = True
    shown = 0.9 * (TUMOUR | speck)
    assert choose([candidate(shown[None], TUMOUR[None])], ("WT",)).speck_share == 0
    assert choose([candidate(0.9 * big[None], big[None])], ("WT",)) == Postprocess()


def test_inner_regions_have_thresholds_of_their_own() -> None:
    core, middle = block((6, 12), (6, 12), (2, 4)), block((7, 10), (7, 10), (2, 4))
    shown = np.stack([0.9 * TUMOUR, 0.36 * core, 0.33 * middle])
    chosen = choose(
        [candidate(shown, np.stack([TUMOUR, core, middle]), known=(True, True, True))], ("WT", "TC", "ET")
    )
    assert "WT" not in chosen.thresholds
    assert chosen.thresholds == {"TC": 0.35, "ET": 0.3}


def test_an_empty_patient_counts_once_its_false_piece_is_gone() -> None:
    nothing = np.zeros((1, *SHAPE), bool)
    exams = [candidate(0.4 * FAR[None], nothing, "b"), candidate(0.9 * TUMOUR[None], TUMOUR[None])]
    assert mean_dice(exams, ("WT",), Postprocess(), "WT") == 1
    assert mean_dice(exams, ("WT",), Postprocess(thresholds={"WT": 0.3}), "WT") == 0.5
    assert mean_dice(exams, ("WT",), Postprocess(), "TC") == 0


def test_what_is_cut_off_is_still_missed(tmp_path: Path) -> None:
    exam = make_exam("a")
    shown = np.zeros((1, 32, 32, 4), np.uint8)
    shown[0, 2:5, 2:5, 0] = 200
    found = cut_candidate(shown, exam, make_recipe(tmp_path))
    assert found.probabilities.shape == (1, 3, 3, 1)
    assert found.outside[0] == exam.regions[0].sum() - exam.regions[0, 2:5, 2:5, 0].sum()
    assert mean_dice([found], ("WT",), Postprocess(), "WT") < 0.1


def test_slices_that_do_not_count_are_no_reason(tmp_path: Path) -> None:
    exam = make_exam("a")
    shown = np.rint(255 * 0.9 * exam.regions[:1]).astype(np.uint8)
    recipe = make_recipe(tmp_path, selection={"first_slice": 2})
    exam_of_two = make_exam("a")
    object.__setattr__(exam_of_two, "kept", np.array([2, 3]))
    found = cut_candidate(shown[..., 2:], exam_of_two, recipe)
    assert mean_dice([found], ("WT",), Postprocess(), "WT") == 1
    assert tune(lambda _: shown[..., 2:], [exam_of_two], recipe) == Postprocess()
