"""Who is on which side: by patient, named or drawn; by slice only where a recipe asks for it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from brainseg_desktop.training.config import Recipe, SplitConfig
from brainseg_desktop.training.data.entries import Entry
from brainseg_desktop.training.exams import PreparedExam, Problem

SIDES = ("train", "validation", "test")
LEAK = (
    "The split is by slice: neighbouring slices of one patient are on several sides, so the figures are "
    "better than they would be on new patients."
)


def split_entries(
    entries: list[Entry], recipe: Recipe, problems: list[Problem] | None = None
) -> tuple[dict[str, list[Entry]], list[str]]:
    """Put each exam on a side. The order of the exams does not matter, the seed does.

    A source with a side of its own goes there, and so do all exams of its patients. With ``by = "slice"`` the
    others are listed under ``"slices"``, to be cut by `split_slices` once they are read.

    Parameters
    ----------
    entries : list of Entry
    problems : list of Problem, optional
        Appended to: ``case_missing`` for a name that no exam has.

    Returns
    -------
    sides : dict of str to list of Entry
    warnings : list of str
    """
    split = recipe.split
    problems = [] if problems is None else problems
    sides: dict[str, list[Entry]] = {side: [] for side in (*SIDES, "slices")}
    warnings = []
    ordered = sorted(entries, key=lambda entry: entry.name)
    named = {name: side for side in SIDES for name in getattr(split, side)}
    forced: dict[str, str] = {}
    for entry in ordered:
        if entry.side:
            first = forced.setdefault(patient_key(entry.patient), entry.side)
            if first != entry.side:
                warnings.append(
                    f"Patient {entry.patient} is in sources of two sides: {first} and {entry.side}."
                )
    free = [entry for entry in ordered if not entry.side and patient_key(entry.patient) not in forced]
    drawn = (
        {} if named or split.by == "slice" else draw(sorted({patient_key(e.patient) for e in free}), recipe)
    )
    left_out = 0
    for entry in ordered:
        side = entry.side or forced.get(patient_key(entry.patient))
        if side is None and split.by == "slice":
            side = "slices"
        elif side is None and named:
            side = named.get(entry.name) or named.get(entry.patient)
        elif side is None:
            side = drawn[patient_key(entry.patient)]
        if side is None:
            left_out += 1
        else:
            sides[side].append(entry)
    if split.parts:
        sides = _part(sides, recipe)
    known = {name for entry in ordered for name in (entry.name, entry.patient)}
    for name in sorted(set(named) - known):
        problems.append(Problem("case_missing", name, f"split.{named[name]}"))
    warnings += _apart(sides)
    if left_out:
        warnings.append(f"{left_out} exams are named on no side of the split and were left out.")
    if sides["slices"]:
        warnings.append(LEAK)
    return sides, warnings


def split_slices(exam: PreparedExam, recipe: Recipe, side: str) -> PreparedExam | None:
    """The slices of an exam that fall on a side; None if none does. It leaks: see `SplitConfig`."""
    drawn = draw([f"{place:05d}" for place in range(len(exam.kept))], recipe, salt=exam.name)
    chosen = [place for place, name in enumerate(sorted(drawn)) if drawn[name] == side]
    if not chosen:
        return None
    return dataclasses.replace(
        exam, slices=exam.slices[chosen], targets=exam.targets[chosen], kept=exam.kept[chosen]
    )


def _part(sides: dict[str, list[Entry]], recipe: Recipe) -> dict[str, list[Entry]]:
    """One part of the training side as the validation side; see `SplitConfig.parts`."""
    part = part_of((entry.patient for entry in sides["train"]), recipe.split.parts)
    held = [part[patient_key(entry.patient)] == recipe.split.part for entry in sides["train"]]
    train, validation = (
        [entry for entry, is_held in zip(sides["train"], held, strict=True) if is_held == wanted]
        for wanted in (False, True)
    )
    return {"train": train, "validation": validation, "test": [], "slices": []}


def part_of(patients: Iterable[str], parts: int) -> dict[str, int]:
    """The part of each patient, by `patient_key`, in a cross-validation of so many parts.

    It does not depend on the seed of a run: those of a cross-validation may each have their own.
    """
    keys = sorted({patient_key(patient) for patient in patients})
    order = np.random.default_rng(parts).permutation(len(keys))
    return {keys[i]: place % parts for place, i in enumerate(order)}


def draw(names: list[str], recipe: Recipe, salt: str = "") -> dict[str, str]:
    """A side for each name: by fractions, or one fold of several for validation.

    Parameters
    ----------
    names : list of str
        Sorted, each once.
    salt : str
        Lets two lists of equal names be drawn differently.
    """
    random = np.random.default_rng([recipe.seed, *salt.encode()])
    order = [names[i] for i in random.permutation(len(names))]
    if recipe.split.folds:
        return {
            name: SIDES[1] if place % recipe.split.folds == recipe.split.fold else SIDES[0]
            for place, name in enumerate(order)
        }
    counts = side_counts(len(order), recipe.split)
    sides = [side for side, count in zip(SIDES, counts, strict=True) for _ in range(count)]
    return dict(zip(order, sides, strict=True))


def side_counts(total: int, split: SplitConfig) -> list[int]:
    """How many of `total` are on each side: nearest whole numbers, one at least where there is a share.

    Examples
    --------
    >>> side_counts(7, SplitConfig(fractions=(0.68, 0.2, 0.12))), side_counts(100, SplitConfig())
    ([5, 1, 1], [70, 15, 15])
    """
    exact = [total * share for share in split.fractions]
    counts = [int(share + 1e-9) for share in exact]
    by_remainder = sorted(range(3), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    for i in range(3):
        largest = counts.index(max(counts))
        if split.fractions[i] > 0 and counts[i] == 0 and counts[largest] > 1:
            counts[largest] -= 1
            counts[i] += 1
    return counts


def patient_key(patient: str) -> str:
    """A patient's name as two data sets may both write it: TCGA_DU_7294 and TCGA-DU-7294 are one."""
    return patient.upper().replace("-", "_")


def _apart(sides: dict[str, list[Entry]]) -> list[str]:
    """A warning for each patient that is on two sides all the same, as names in a recipe may have it."""
    where: dict[str, set[str]] = defaultdict(set)
    for side in SIDES:
        for entry in sides[side]:
            where[patient_key(entry.patient)].add(side)
    return [
        f"Patient {patient} is on two sides of the split: {' and '.join(sorted(found))}."
        for patient, found in sorted(where.items())
        if len(found) > 1
    ]
