"""Figures of held-out exams, from counts of voxels: slice by slice, patient by patient, region by region.

Everything is derived from four counts (`COUNTS`) of each slice and region, so exams can be measured one after
the other and forgotten. Where a ratio has no denominator:

* slices: Dice and IoU are 1 where reference and mask are both empty, and 0 where one of them is; the other
  measures leave out slices in which they have no value.
* patients: one whose reference and mask are both empty has no Dice and no IoU; it is left out and counted.

Accuracy and specificity count the background, so they are close to 1 for any small tumour: `MEASURES` begins
with Dice, and no table shows accuracy without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.inference.card import Figure

COUNTS = ("tp", "fp", "fn", "tn")
# Numerator and denominator of each measure, as weights of the counts.
FORMULAE: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "dice": ((2, 0, 0, 0), (2, 1, 1, 0)),
    "iou": ((1, 0, 0, 0), (1, 1, 1, 0)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "sensitivity": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
}
MEASURES = tuple(FORMULAE)
OVERLAPS = ("dice", "iou")
CLASSES = ("background", "necrosis", "oedema", "enhancing")
CONFIDENCE = (2.5, 97.5)


@dataclass(frozen=True, slots=True, eq=False)
class ExamCounts:
    """What was counted in one exam.

    Parameters
    ----------
    name, patient, data, kind : str
        `data`: name of the data set; `kind`: kind of exam.
    rows : tuple of str
        Regions, and `CLASSES` where they were measured.
    places : (N,) int array
        Slices of the exam that were measured.
    counts : (N, len(rows), 4) int array
        In the order of `COUNTS`.
    """

    name: str
    patient: str
    data: str
    kind: str
    rows: tuple[str, ...]
    places: NDArray[np.int64]
    counts: NDArray[np.int64]

    def of(self, row: str) -> NDArray[np.int64]:
        """Counts (N, 4) of one region."""
        return np.asarray(self.counts[:, self.rows.index(row)])

    def value(self, row: str, name: str) -> float | None:
        """A measure of the whole exam; None where it has no value."""
        return _or_none(float(measure(self.of(row).sum(axis=0), name)))


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A measure over the patients: mean, median, worst, 95 % bootstrap interval of the mean; `n` counted."""

    mean: float
    median: float
    lowest: float
    low: float
    high: float
    n: int


class RegionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one region in one data set.

    Parameters
    ----------
    patients : dict of measure to Spread
        A measure that no patient has is absent.
    left_out : int
        Patients whose reference and mask are both empty.
    slices : int
        Slices measured.
    all_slices, tumour_slices : dict of measure to float or None
        Means over the slices, and over those whose reference holds the region.
    tumour_slice_count : int
    false_slices : float or None
        Share of the slices without the region in which the mask holds some of it.
    pooled : dict of measure to float or None
        All voxels of all patients counted together.
    """

    data: str
    region: str
    patients: dict[str, Spread]
    left_out: int
    slices: int
    all_slices: dict[str, float | None]
    tumour_slice_count: int
    tumour_slices: dict[str, float | None]
    false_slices: float | None
    pooled: dict[str, float | None]


class ClassMeans(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the four classes, the background among them, as multiclass recipes are published.

    Parameters
    ----------
    means : dict of measure to float or None
        Of the pooled figures of `CLASSES`; `accuracy` is the share of voxels whose class is right.
    """

    data: str
    means: dict[str, float | None]


def count_slices(reference: NDArray[np.bool_], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count every slice of two sets of masks.

    Parameters
    ----------
    reference, mask : (R, X, Y, Z) bool arrays

    Returns
    -------
    (Z, R, 4) array
    """
    if reference.shape != mask.shape:
        raise ValueError(f"masks of shapes {reference.shape} and {mask.shape}")
    both, marked, true = (np.count_nonzero(m, axis=(1, 2)) for m in (reference & mask, mask, reference))
    size = reference.shape[1] * reference.shape[2]
    counts = (both, marked - both, true - both, size - marked - true + both)
    return np.stack(counts, axis=-1).transpose(1, 0, 2).astype(np.int64)


def measure(counts: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """A measure of counts (..., 4); NaN where it has no value.

    Examples
    --------
    >>> measure(np.array([[2, 1, 1, 6], [0, 0, 0, 10]]), "iou").tolist()
    [0.5, nan]
    """
    part, whole = (counts @ np.array(weights) for weights in FORMULAE[name])
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def slice_values(counts: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """A measure of slices, with the rule for empty ones; NaN where a slice is left out.

    Examples
    --------
    >>> slice_values(np.array([[0, 0, 0, 10], [0, 3, 0, 7]]), "dice").tolist()
    [1.0, 0.0]
    """
    values = measure(counts, name)
    return np.nan_to_num(values, nan=1.0) if name in OVERLAPS else values


def summarise(
    exams: Iterable[ExamCounts], *, resamplings: int = 1000, seed: int = 2021
) -> list[RegionFigures]:
    """Figures of each data set and region, in the order in which they first occur."""
    groups: dict[tuple[str, str], list[ExamCounts]] = {}
    for exam in exams:
        for row in exam.rows:
            groups.setdefault((exam.data, row), []).append(exam)
    return [_region_figures(data, row, members, resamplings, seed) for (data, row), members in groups.items()]


def _region_figures(
    data: str, row: str, exams: Sequence[ExamCounts], resamplings: int, seed: int
) -> RegionFigures:
    by_patient = patient_counts(exams, row)
    of_patients = np.stack(list(by_patient.values()))
    slices = np.concatenate([exam.of(row) for exam in exams])
    tumour = slices[:, 0] + slices[:, 2] > 0
    values = {name: measure(of_patients, name) for name in MEASURES}
    return RegionFigures(
        data=data,
        region=row,
        patients={
            name: spread(found[~np.isnan(found)], resamplings, seed)
            for name, found in values.items()
            if not np.isnan(found).all()
        },
        left_out=int(np.isnan(values["dice"]).sum()),
        slices=len(slices),
        all_slices={name: _mean(slice_values(slices, name)) for name in MEASURES},
        tumour_slice_count=int(tumour.sum()),
        tumour_slices={name: _mean(slice_values(slices[tumour], name)) for name in MEASURES},
        false_slices=_mean((slices[~tumour][:, 1] > 0).astype(float)),
        pooled={name: _or_none(float(measure(slices.sum(axis=0), name))) for name in MEASURES},
    )


def patient_counts(exams: Iterable[ExamCounts], row: str) -> dict[str, NDArray[np.int64]]:
    """Counts (4,) of each patient, all his exams together."""
    found: dict[str, NDArray[np.int64]] = {}
    for exam in exams:
        if row in exam.rows:
            found[exam.patient] = found.get(exam.patient, 0) + exam.of(row).sum(axis=0)
    return found


def spread(values: NDArray[np.float64], resamplings: int, seed: int) -> Spread:
    """Mean, median, worst and interval of at least one patient's values.

    The interval is the percentile bootstrap of the mean (Efron and Tibshirani, 1993): patients are drawn with
    replacement `resamplings` times.
    """
    drawn = np.random.default_rng(seed).integers(len(values), size=(max(1, resamplings), len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), CONFIDENCE)
    return Spread(
        mean=float(values.mean()),
        median=float(np.median(values)),
        lowest=float(values.min()),
        low=float(low),
        high=float(high),
        n=len(values),
    )


def class_means(figures: Iterable[RegionFigures]) -> list[ClassMeans]:
    """Means over the classes of each data set in which all four were measured."""
    by_data: dict[str, dict[str, RegionFigures]] = {}
    for figure in figures:
        by_data.setdefault(figure.data, {})[figure.region] = figure
    return [
        ClassMeans(data=data, means=_class_means([rows[name] for name in CLASSES]))
        for data, rows in by_data.items()
        if set(CLASSES) <= set(rows)
    ]


def _class_means(classes: Sequence[RegionFigures]) -> dict[str, float | None]:
    means = {}
    for name in MEASURES:
        values = [value for figure in classes if (value := figure.pooled[name]) is not None]
        means[name] = float(np.mean(values)) if values else None
    # A voxel whose class is wrong counts as wrong in two of the four classes.
    wrong = sum(1 - (figure.pooled["accuracy"] or 0.0) for figure in classes) / 2
    return means | {"accuracy": 1 - wrong}


def card_figures(figures: Iterable[RegionFigures], side: str) -> tuple[Figure, ...]:
    """The figures of regions in the form of a model's card; regions that no patient has are left out."""
    return tuple(
        Figure(
            side=side,
            data=figure.data,
            region=figure.region,
            n=dice.n,
            **{key: round(getattr(dice, at), 4) for key, at in _OF_SPREAD.items()},
            slice_dice=round(figure.all_slices["dice"] or 0.0, 4),
            false_slices=round(figure.false_slices or 0.0, 4),
        )
        for figure in figures
        if figure.region not in CLASSES and (dice := figure.patients.get("dice")) is not None
    )


_OF_SPREAD: Mapping[str, str] = {
    "dice": "mean",
    "median": "median",
    "lowest": "lowest",
    "low": "low",
    "high": "high",
}


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
