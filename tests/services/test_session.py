"""Which uncertainty belongs to the mask shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.session import Session

SHAPE = (4, 5, 6)


def network(name: str, value: int) -> Rating:
    labels = LabelMap(np.ones(SHAPE, np.uint8))
    doubt = np.full(SHAPE, value, np.uint8)
    return Rating(
        name, RaterKind.MODEL, labels, scheme_named("brats2021"), details={"model": name}, uncertainty=doubt
    )


def test_uncertainty_is_that_of_the_mask_shown_or_of_its_origin(tmp_path: Path) -> None:
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("a.nii"), ""), Sequence.FLAIR)
    session = Session(tmp_path)
    assert session.doubted is None
    session.open(Case("case", grid, {Sequence.FLAIR: volume}))
    assert session.doubted is None
    first, second = network("AI (a)", 10), network("AI (b)", 20)
    session.add(first)
    own = session.start_from(first)
    session.add(second)
    assert session.shown is own
    # The reader's mask came from the first network, though another has spoken since.
    assert session.doubted is first
    session.show(second)
    assert session.doubted is second
    session.close()
    assert session.doubted is None


def test_a_mask_of_its_own_gets_the_newest(tmp_path: Path) -> None:
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("a.nii"), ""), Sequence.FLAIR)
    session = Session(tmp_path)
    session.open(Case("case", grid, {Sequence.FLAIR: volume}))
    session.add(network("AI (a)", 10))
    session.add(network("AI (b)", 20))
    assert session.doubted.rater == "AI (b)"
    session.close()


def test_both_sides_of_the_comparison_can_be_chosen(tmp_path: Path) -> None:
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("a.nii"), ""), Sequence.FLAIR)
    session = Session(tmp_path)
    session.open(Case("case", grid, {Sequence.FLAIR: volume}))
    first, second = network("AI (a)", 10), network("AI (b)", 20)
    session.add(first)
    session.add(second)
    own = session.own_rating()
    session.compare_with(first)
    # By default the mask side follows the mask shown.
    assert session.measured is own
    session.show(second)
    assert (session.measured, session.reference) == (second, first)
    # A chosen mask side stays, whichever mask is shown and edited.
    session.compare_pair(first, second)
    session.show(own)
    assert (session.shown, session.measured, session.reference) == (own, second, first)
    before = session.live.histogram.copy()
    with own.history.edit("Brush") as stroke:
        stroke.replace(Box((0, 0, 0), (1, 1, 1)), np.full((1, 1, 1), 3, np.uint8))
    np.testing.assert_array_equal(session.live.histogram, before)
    # The mask shown as the reference side is followed too.
    session.compare_pair(own, second)
    with own.history.edit("Brush") as stroke:
        stroke.replace(Box((0, 0, 0), (2, 1, 1)), np.full((2, 1, 1), 2, np.uint8))
    assert session.live.histogram[2].sum() == 2
    # A mask is never compared with itself.
    session.compare_pair(own, own)
    assert session.reference is None
    assert session.live is None
    session.close()
    assert session.measured is None
