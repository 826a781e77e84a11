"""Which uncertainty belongs to the mask shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
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
