"""Chooses how probabilities become a mask, on patients that the network has not met, never on the test side.

What is chosen is what gives the best mean patient Dice. A rule more, or a threshold other than 0.5, must earn
`LEAST_GAIN`, so that chance differences of few patients do not become rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import REGIONS
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.postprocess import clean, label_tissues
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.evaluate import Predict, measured_places, whole_exam
from brainseg_desktop.training.exams import PreparedExam

THRESHOLDS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7)
# Share of the largest piece and voxels; both must undercut.
SPECKS = (
    (0.0, inf),
    *((share, inf) for share in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)),
    *((share, voxels) for voxels in (60.0, 500.0) for share in (0.05, 0.15)),
)
LEAST_GAIN = 0.002
LEAST_THRESHOLD = min(THRESHOLDS)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """The part of an exam that any threshold could call tumour.

    Parameters
    ----------
    patient : str
    probabilities : (R, x, y, z) uint8 array
    reference : (3, x, y, z) bool array
        WT, TC, ET in the same box.
    outside : tuple of int
        Voxels of each of the three that lie outside the box: missed whatever is chosen.
    known : tuple of bool
    counted : (z,) bool array
        Slices of the box that count.
    """

    patient: str
    probabilities: NDArray[np.uint8]
    reference: NDArray[np.bool_]
    outside: tuple[int, ...]
    known: tuple[bool, ...]
    counted: NDArray[np.bool_]


def tune(predict: Predict, exams: Iterable[PreparedExam], recipe: Recipe) -> Postprocess:
    """Choose thresholds, specks and holes for a recipe's regions.

    Parameters
    ----------
    predict : callable
        Its probabilities are already calibrated.
    exams : iterable of PreparedExam
        The validation side; each is looked at once, and only the part that matters is kept.
    """
    candidates = [cut_candidate(predict(exam), exam, recipe) for exam in exams]
    return choose(candidates, recipe.regions)


def choose(candidates: Sequence[Candidate], regions: tuple[str, ...]) -> Postprocess:
    """The settings that are best for some exams, one after the other: specks, holes, then each threshold."""
    chosen = Postprocess()
    outermost = regions[0]
    chosen = _best(
        chosen,
        [_with(chosen, speck_share=share, speck_voxels=voxels) for share, voxels in SPECKS],
        lambda tried: mean_dice(candidates, regions, tried, outermost),
    )
    chosen = _best(
        chosen,
        [_with(chosen, fill_holes=True)],
        lambda tried: mean_dice(candidates, regions, tried, outermost),
    )
    for region in regions:

        def score(tried: Postprocess, region: str = region) -> float:
            return mean_dice(candidates, regions, tried, region)

        tried = [_with(chosen, thresholds=chosen.thresholds | {region: t}) for t in THRESHOLDS[1:]]
        chosen = _best(chosen, tried, score)
    return chosen


def mean_dice(
    candidates: Sequence[Candidate], regions: tuple[str, ...], postprocess: Postprocess, region: str
) -> float:
    """Mean patient Dice of a region; 1 where nothing is rightly found, so that a removed false piece counts.

    0 where no exam knows the region.
    """
    row = next(i for i, r in enumerate(REGIONS) if r.name == region)
    sums: dict[str, NDArray[np.int64]] = {}
    for candidate in candidates:
        if not candidate.known[row]:
            continue
        labels = clean(label_tissues(candidate.probabilities, regions, postprocess), postprocess)
        mask = REGIONS[row].mask(labels) & candidate.counted
        reference = candidate.reference[row]
        both = np.count_nonzero(mask & reference)
        size = np.count_nonzero(mask) + np.count_nonzero(reference) + candidate.outside[row]
        sums[candidate.patient] = sums.get(candidate.patient, 0) + np.array([both, size])
    scores = [2 * both / size if size else 1.0 for both, size in sums.values()]
    return float(np.mean(scores)) if scores else 0.0


def cut_candidate(probabilities: NDArray[np.uint8], exam: PreparedExam, recipe: Recipe) -> Candidate:
    """Cut an exam to what the lowest threshold would mark."""
    whole = whole_exam(probabilities, exam)
    box = Box.of(whole[0] >= int(255 * LEAST_THRESHOLD))
    counted = np.zeros(whole.shape[3], bool)
    counted[measured_places(exam, recipe)] = True
    reference = np.asarray(exam.regions) & counted
    cut = (slice(None), *box.slices)
    inside = reference[cut].copy()
    outside = np.count_nonzero(reference, axis=(1, 2, 3)) - np.count_nonzero(inside, axis=(1, 2, 3))
    return Candidate(
        patient=exam.patient,
        probabilities=whole[cut].copy(),
        reference=inside,
        outside=tuple(int(n) for n in outside),
        known=exam.known,
        counted=counted[box.slices[2]],
    )


def _best(
    kept: Postprocess, others: Sequence[Postprocess], score: Callable[[Postprocess], float]
) -> Postprocess:
    """The first of the best others if it gains enough over what is kept."""
    scores = [score(other) for other in others]
    best = max(scores)
    return others[scores.index(best)] if best >= score(kept) + LEAST_GAIN else kept


def _with(postprocess: Postprocess, **changes: object) -> Postprocess:
    return msgspec.structs.replace(postprocess, **changes)
