from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainseg_desktop.inference.frame import Frame
from brainseg_desktop.training.config import SourceConfig, SplitConfig
from brainseg_desktop.training.data.entries import Entry
from brainseg_desktop.training.data.splits import (
    LEAK,
    SIDES,
    draw,
    patient_key,
    side_counts,
    split_entries,
    split_slices,
)
from brainseg_desktop.training.exams import PreparedExam

SOURCE = SourceConfig(kind="lgg", path="lgg.zip")


def entry(name: str, patient: str = "", side: str = "") -> Entry:
    return Entry(name, patient or name, "lgg", None, lambda problems: None, name, side)


def names(sides: dict[str, list[Entry]]) -> dict[str, list[str]]:
    return {side: [e.name for e in found] for side, found in sides.items() if found}


@given(st.integers(0, 2**32), st.integers(3, 40), st.randoms())
def test_a_patient_is_on_one_side_and_the_order_does_not_matter(seed, patients, shuffler):
    from brainseg_desktop.training.config import Recipe, ScheduleConfig

    recipe = Recipe(name="r", work="w", seed=seed, sources=(SOURCE,), schedule=ScheduleConfig(epochs=1))
    entries = [entry(f"p{k}-{visit}", f"p{k}") for k in range(patients) for visit in range(1 + k % 3)]
    sides, warnings = split_entries(entries, recipe)
    shuffled = list(entries)
    shuffler.shuffle(shuffled)
    assert names(split_entries(shuffled, recipe)[0]) == names(sides)
    assert warnings == []
    of_patient: dict[str, set[str]] = {}
    for side in SIDES:
        for found in sides[side]:
            of_patient.setdefault(found.patient, set()).add(side)
    assert all(len(found) == 1 for found in of_patient.values())
    assert sum(len(found) for found in sides.values()) == len(entries)
    assert all(sides[side] for side in SIDES)


@pytest.mark.parametrize(
    ("total", "fractions", "counts"),
    [
        (100, (0.68, 0.2, 0.12), [68, 20, 12]),
        (110, (0.7, 0.15, 0.15), [77, 17, 16]),
        (7, (0.68, 0.2, 0.12), [5, 1, 1]),
        (3, (0.9, 0.05, 0.05), [1, 1, 1]),
        (2, (0.7, 0.15, 0.15), [1, 1, 0]),
        (1, (0.7, 0.15, 0.15), [1, 0, 0]),
        (10, (0.8, 0.2, 0.0), [8, 2, 0]),
        (0, (0.7, 0.15, 0.15), [0, 0, 0]),
    ],
)
def test_counts_of_the_sides(total, fractions, counts):
    assert side_counts(total, SplitConfig(fractions=fractions)) == counts


@given(st.integers(0, 500), st.floats(0, 1), st.floats(0, 1))
def test_counts_add_up(total, first, second):
    validation = (1 - first) * second
    fractions = (first, validation, max(1 - first - validation, 0.0))
    counts = side_counts(total, SplitConfig(fractions=fractions))
    assert sum(counts) == total
    assert min(counts) >= 0
    assert all(abs(n - total * share) < 3 for n, share in zip(counts, fractions, strict=True))


def test_parts_of_the_training_side_cover_it_once(recipe):
    """And nobody of the other two sides is learnt from or measured."""
    entries = [entry(f"p{k}-{visit}", f"p{k}") for k in range(14) for visit in range(1 + k % 2)]
    sides = {"train": tuple(f"p{k}" for k in range(10)), "validation": ("p10", "p11"), "test": ("p12", "p13")}
    held = []
    for part in range(4):
        for seed in (1, 2):
            given = recipe(SOURCE, seed=seed, split=SplitConfig(parts=4, part=part, **sides))
            found, warnings = split_entries(entries, given)
            assert warnings == []
            patients = {side: {e.patient for e in found[side]} for side in SIDES}
            assert patients["train"] | patients["validation"] == set(sides["train"])
            assert not patients["train"] & patients["validation"]
            assert not patients["test"]
            held.append(frozenset(patients["validation"]))
    assert held[::2] == held[1::2]  # whatever the seed
    assert sum(len(part) for part in held[::2]) == 10
    assert {len(part) for part in held} == {2, 3}
    assert frozenset.union(*held) == set(sides["train"])


def test_folds_cover_everybody_once(recipe):
    patients = [f"p{k:02d}" for k in range(23)]
    validated = []
    for fold in range(5):
        sides = draw(patients, recipe(SOURCE, split=SplitConfig(folds=5, fold=fold)))
        chosen = [name for name, side in sides.items() if side == "validation"]
        assert len(chosen) in (4, 5)
        assert set(sides.values()) == {"train", "validation"}
        validated += chosen
    assert sorted(validated) == patients


def test_named_patients_go_where_they_are_named(recipe):
    split = SplitConfig(train=("a", "BraTS-GLI-00001-000"), validation=("b",), test=("absent",))
    problems: list = []
    entries = [
        entry("a"),
        entry("b"),
        entry("c"),
        entry("BraTS-GLI-00001-000", "BraTS-GLI-00001"),
        entry("d"),
    ]
    sides, warnings = split_entries(entries, recipe(SOURCE, split=split), problems)
    assert names(sides) == {"train": ["BraTS-GLI-00001-000", "a"], "validation": ["b"]}
    assert [(p.code, p.name, p.reason) for p in problems] == [("case_missing", "absent", "split.test")]
    assert warnings == ["2 exams are named on no side of the split and were left out."]


def test_a_side_of_a_source_takes_its_patients_along(recipe):
    entries = [entry("v", "TCGA-DU-7294", side="validation"), entry("w", "TCGA_DU_7294")]
    entries += [entry(f"p{k}") for k in range(20)]
    sides, warnings = split_entries(entries, recipe(SOURCE))
    assert {"v", "w"} <= set(names(sides)["validation"])
    assert warnings == []
    assert patient_key("TCGA-DU-7294") == patient_key("TCGA_DU_7294")


def test_a_patient_on_two_sides_is_told(recipe):
    entries = [entry("train/63", "63", "train"), entry("val/63", "63", "validation")]
    _, warnings = split_entries(entries, recipe(SOURCE))
    assert any("63" in line and "two sides" in line for line in warnings)
    split = SplitConfig(train=("a1",), validation=("a2",))
    _, warnings = split_entries([entry("a1", "a"), entry("a2", "a")], recipe(SOURCE, split=split))
    assert warnings == ["Patient A is on two sides of the split: train and validation."]


def test_another_seed_is_another_split(recipe):
    patients = [f"p{k:02d}" for k in range(40)]
    drawn = [draw(patients, recipe(SOURCE, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_by_slice_it_leaks_and_says_so(recipe):
    random.seed(0)
    leaking = recipe(SOURCE, split=SplitConfig(by="slice"))
    sides, warnings = split_entries([entry("a"), entry("b")], leaking)
    assert names(sides) == {"slices": ["a", "b"]}
    assert warnings == [LEAK]
    kept = np.arange(22, 62)
    exam = PreparedExam(
        "a", "a", "lgg", "whole_head",
        np.broadcast_to(kept[:, None, None, None], (40, 1, 16, 16)).astype(np.float16),
        np.zeros((40, 3, 16, 16), np.uint8),
        (True,), (True, False, False), kept,
        Frame((16, 16, 80), (16, 16), (0, 0), (16, 16)),
        np.zeros((3, 16, 16, 80), bool), (True, False, False),
    )  # fmt: skip
    parts = {side: split_slices(exam, leaking, side) for side in SIDES}
    assert [len(part.kept) for part in parts.values()] == [28, 6, 6]
    assert sorted(z for part in parts.values() for z in part.kept) == kept.tolist()
    for part in parts.values():
        assert part.slices[:, 0, 0, 0].tolist() == part.kept.tolist()
    assert parts["train"].kept.tolist() == sorted(parts["train"].kept)
