"""A consensus of masks as a rating of the case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.consensus import majority_vote, staple_labels
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.consensus import (
    Consensus,
    Fusion,
    consensus_name,
    consensus_rating,
    fuse,
    remarks,
)
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.session import Session

SHAPE = (12, 10, 8)
BRATS = scheme_named("brats2021")


def case_of(*ratings: Rating) -> Case:
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("a.nii"), ""), Sequence.FLAIR)
    return Case("case", grid, {Sequence.FLAIR: volume}, list(ratings))


def rating(name: str, seed: int, scheme=BRATS, values=(0, 0, 1, 2, 3)) -> Rating:
    labels = np.random.default_rng(seed).choice(np.array(values, np.uint8), SHAPE)
    return Rating(name, RaterKind.HUMAN, LabelMap(labels), scheme, source=Source(Path(name), ""))


def test_voxels_are_those_of_the_core_and_the_details_say_how() -> None:
    readers = [rating(name, seed) for seed, name in enumerate("ABC")]
    case = case_of(*readers)
    masks = [r.label_map.array for r in readers]
    fusion = Fusion.of("majority", readers)
    made = consensus_rating(case, fusion, fuse(fusion))
    np.testing.assert_array_equal(made.label_map.array, majority_vote(masks))
    assert made.rater == "Majority (A, B, C)"
    assert made.kind is RaterKind.CONSENSUS
    assert made.details == {"consensus": "majority", "raters": ["A", "B", "C"]}
    fusion = Fusion.of("staple", readers)
    found = fuse(fusion)
    made = consensus_rating(case, fusion, found)
    expected = staple_labels(masks, BRATS.tissues)
    np.testing.assert_array_equal(made.label_map.array, expected.labels)
    told = made.details["regions"]["WT"]
    performance = expected.regions["WT"]
    assert told["iterations"] == performance.iterations
    assert told["converged"] is performance.converged
    assert told["readers"]["B"]["sensitivity"] == performance.sensitivity[1].to_dict()
    assert told["readers"]["C"]["specificity"] == performance.specificity[2].to_dict()


def test_a_consensus_is_read_only_and_can_be_started_from(tmp_path: Path) -> None:
    readers = [rating(name, seed) for seed, name in enumerate("AB")]
    session = Session(tmp_path)
    session.open(case_of(*readers))
    fusion = Fusion.of("staple", readers)
    made = consensus_rating(session.case, fusion, fuse(fusion))
    session.add(made)
    session.show(made)
    assert session.editable() is None
    own = session.start_from(made)
    np.testing.assert_array_equal(own.label_map.array, made.label_map.array)
    assert own.details["started_from"]["consensus"] == "staple"
    session.close()


def test_the_same_consensus_twice_has_two_names() -> None:
    readers = [rating(name, seed) for seed, name in enumerate("AB")]
    case = case_of(*readers)
    fusion = Fusion.of("majority", readers)
    case.ratings.append(consensus_rating(case, fusion, fuse(fusion)))
    assert consensus_rating(case, fusion, fuse(fusion)).rater == "Majority (A, B) 2"


def test_what_cannot_be_fused_is_refused_in_words() -> None:
    with pytest.raises(UserError) as few:
        Fusion.of("staple", [rating("A", 0)])
    assert "two masks" in words(few.value)
    other = rating("LGG", 1, scheme_named("lgg"), (0, 6))
    with pytest.raises(UserError) as mixed:
        Fusion.of("majority", [rating("A", 0), other])
    assert "LGG" in words(mixed.value)
    # An empty mask of another scheme hinders nobody.
    blank = rating("Blank", 0, scheme_named("lgg"), (0,))
    assert Fusion.of("majority", [blank, rating("A", 0)]).scheme is BRATS


def test_long_lists_of_names_are_cut_and_counted() -> None:
    assert consensus_name("majority", ["A", "B"]) == "Majority (A, B)"
    name = consensus_name("staple", ["x" * 60, "B", "C"])
    assert len(name) < 50
    assert name.endswith("+2)")


def test_a_staple_that_did_not_settle_is_said() -> None:
    regions = {"WT": {"converged": True}, "TC": {"converged": False}}
    text = remarks(Consensus(np.zeros(SHAPE, np.uint8), {"regions": regions}))
    assert "TC" in text
    assert "WT" not in text
    assert remarks(Consensus(np.zeros(SHAPE, np.uint8), {})) == ""
