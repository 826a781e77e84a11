"""Rules on voxels: what is protected never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainseg_desktop.core.constraints import Constraints, IntensityRange
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence

LABELS = np.array([0, 1, 2, 3], np.uint8)


def test_keep_other_labels() -> None:
    rule, two = Constraints(keep_others=True), Tissue(2)
    assert rule.permitted(LABELS, np.full(4, 2, np.uint8), two).tolist() == [True, False, True, False]
    assert rule.permitted(LABELS, np.zeros(4, np.uint8), two).tolist() == [True, False, True, False]


def test_only_inside_a_label() -> None:
    rule = Constraints(only_inside=Tissue(3))
    assert rule.permitted(LABELS, np.full(4, 1, np.uint8), Tissue(1)).tolist() == [False, False, False, True]


def test_a_locked_label_neither_loses_nor_gains() -> None:
    rule = Constraints(locked=frozenset({Tissue(1)}))
    assert rule.permitted(LABELS, np.full(4, 2, np.uint8), Tissue(2)).tolist() == [True, False, True, True]
    assert not rule.permitted(LABELS, np.full(4, 1, np.uint8), Tissue(1)).any()


def test_an_intensity_range_and_its_inverse() -> None:
    values = np.array([1.0, 5.0, np.nan, 9.0])
    inside = IntensityRange(Sequence.FLAIR, 2.0, 5.0)
    assert inside.holds(values).tolist() == [False, True, False, False]
    outside = IntensityRange(Sequence.FLAIR, 2.0, 5.0, inverse=True)
    assert outside.holds(values).tolist() == [True, False, False, True]
    with pytest.raises(ValueError, match="values"):
        Constraints(intensity=inside).permitted(LABELS, LABELS, Tissue(1))


TISSUES = st.sampled_from(list(Tissue))


@given(
    before=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    after=st.integers(0, 6),
    chosen=TISSUES,
    keep=st.booleans(),
    inside=st.none() | TISSUES,
    locked=st.frozensets(TISSUES, max_size=3),
)
def test_rules_hold_together(
    before: list[int],
    after: int,
    chosen: Tissue,
    keep: bool,
    inside: Tissue | None,
    locked: frozenset[Tissue],
) -> None:
    old = np.array(before, np.uint8)
    new = np.full_like(old, after)
    may = Constraints(keep_others=keep, only_inside=inside, locked=locked).permitted(old, new, chosen)
    for was, allowed in zip(before, may.tolist(), strict=True):
        expected = (
            (not keep or was in (0, chosen))
            and (inside is None or was == inside)
            and was not in locked
            and after not in locked
        )
        assert allowed == expected
