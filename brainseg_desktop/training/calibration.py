"""How sure the network may say it is: one temperature for each region, fitted on patients not met.

Temperature scaling divides the logits by a number and leaves the order of the voxels as it was (Guo et al.,
"On calibration of modern neural networks", ICML 2017). Where the network is used with a mirror image, the
mean of both answers is what is calibrated, since it is what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from brainseg_desktop.inference.card import Calibration
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.exams import PreparedExam

FloatArray = NDArray[np.float32]
# Logits (Z, outputs, H, W) of an exam: one array for each view, the exam and perhaps its mirror image.
Views = Callable[[PreparedExam], Sequence[FloatArray]]

BINS = 15
LEAST_PROBABILITY = 0.01
# Voxels are chosen by what the network says alone: to add tumour that it misses, without the background of
# the same probability, would make any network look too sure. Ten times lower than `LEAST_PROBABILITY`, since
# a temperature above 1 lifts voxels over it.
LEAST_SAMPLED = 0.001
VOXELS_OF_EXAM = 20000
TEMPERATURES = (0.2, 10.0)


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the reliability curve: mean probability, share of tumour, share of the voxels."""

    confidence: float
    accuracy: float
    share: float


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """The reliability curves of one region."""

    region: str
    calibration: Calibration
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Voxels of one exam.

    Parameters
    ----------
    logits : (N, V, outputs) array
        Of V views.
    truth : (N, R) bool array
        Nested regions.
    taught : tuple of bool
        Which of the R regions the reference knows.
    """

    logits: FloatArray
    truth: NDArray[np.bool_]
    taught: tuple[bool, ...]


def region_probabilities(logits: Tensor, targets: str, temperatures: Tensor) -> Tensor:
    """Nested region probabilities of logits.

    Parameters
    ----------
    logits : (N, outputs, ...) tensor
    targets : {"regions", "classes", "binary"}
        Of the recipe. Classes are added up: WT is all but the background, TC necrosis and enhancing.
    temperatures : (outputs,) tensor
        One for each region; for classes all are the same.

    Returns
    -------
    (N, R, ...) tensor
        Outermost region first, none above the one that holds it.
    """
    scaled = logits / temperatures.reshape(1, -1, *[1] * (logits.ndim - 2))
    if targets == "classes":
        background, necrosis, _, enhancing = torch.split(torch.softmax(scaled, dim=1), 1, dim=1)
        return torch.cat([1 - background, necrosis + enhancing, enhancing], dim=1)
    rows = list(torch.split(torch.sigmoid(scaled), 1, dim=1))
    # Not torch.cummin, which the ONNX exporter does not know.
    for index in range(1, len(rows)):
        rows[index] = torch.minimum(rows[index - 1], rows[index])
    return torch.cat(rows, dim=1)


def region_targets(targets: NDArray[np.uint8], kind: str) -> NDArray[np.bool_]:
    """The nested regions (Z, R, ...) that the targets (Z, R, ...) of a `PreparedExam` stand for."""
    found = targets > 0
    if kind != "classes":
        return np.asarray(found)
    necrosis, oedema, enhancing = found[:, 0], found[:, 1], found[:, 2]
    return np.stack([necrosis | oedema | enhancing, necrosis | enhancing, enhancing], axis=1)


def temperature_tensor(temperatures: Mapping[str, float], recipe: Recipe, outputs: int) -> Tensor:
    """Temperatures by the network's outputs; 1 for a region that has none."""
    if recipe.selection.targets == "classes":
        return torch.full((outputs,), temperatures.get(recipe.regions[0], 1.0))
    names = ("WT", "TC", "ET")[:outputs]
    return torch.tensor([temperatures.get(name, 1.0) for name in names])


def calibrate(
    views: Views, exams: Iterable[PreparedExam], recipe: Recipe
) -> tuple[dict[str, float], list[Reliability]]:
    """Fit the temperatures of a recipe's regions.

    Returns
    -------
    temperatures : dict of region to float
        1 where no exam knows the region.
    reliabilities : list
        Of the regions that some exam knows.
    """
    kind = recipe.selection.targets
    samples = [
        sample_voxels(views(exam), exam, kind, np.random.default_rng([recipe.seed, index]))
        for index, exam in enumerate(exams)
    ]
    known = {
        name: chosen
        for row, name in enumerate(recipe.regions)
        if (chosen := [s for s in samples if s.taught[row] and len(s.truth)])
    }
    temperatures = dict.fromkeys(recipe.regions, 1.0)
    if kind == "classes":
        every = next(iter(known.values()), [])
        temperatures = dict.fromkeys(recipe.regions, fit_classes(every) if every else 1.0)
    else:
        for row, name in enumerate(recipe.regions):
            if name in known:
                temperatures[name] = fit_region(known[name], row)
    reliabilities = []
    for row, name in enumerate(recipe.regions):
        if name not in known:
            continue
        truth = np.concatenate([s.truth[:, row] for s in known[name]])
        before, after = (
            np.concatenate([_shown(s, kind, used, recipe)[:, row] for s in known[name]])
            for used in ({}, temperatures)
        )
        found = Calibration(
            temperature=round(temperatures[name], 4),
            ece_before=round(expected_error(before, truth), 5),
            ece_after=round(expected_error(after, truth), 5),
        )
        curves = {"before": tuple(reliability(before, truth)), "after": tuple(reliability(after, truth))}
        reliabilities.append(Reliability(region=name, calibration=found, **curves))
    return temperatures, reliabilities


def sample_voxels(
    views: Sequence[FloatArray], exam: PreparedExam, kind: str, random: np.random.Generator
) -> Sample:
    """Draw at most `VOXELS_OF_EXAM` voxels of which the network thinks that they could be tumour."""
    outputs = views[0].shape[1]
    ones = torch.ones(outputs)
    whole = np.mean(
        [region_probabilities(torch.from_numpy(v), kind, ones)[:, 0].numpy() for v in views], axis=0
    )
    places = np.flatnonzero(whole.ravel() > LEAST_SAMPLED)
    if len(places) > VOXELS_OF_EXAM:
        places = np.sort(random.choice(places, VOXELS_OF_EXAM, replace=False))
    logits = np.stack([v.transpose(0, 2, 3, 1).reshape(-1, outputs)[places] for v in views], axis=1)
    regions = region_targets(np.asarray(exam.targets), kind)
    truth = regions.transpose(0, 2, 3, 1).reshape(-1, regions.shape[1])[places]
    return Sample(logits.astype(np.float32), truth, exam.taught)


def fit_region(samples: Sequence[Sample], row: int) -> float:
    """The temperature of one sigmoid output with the least negative log likelihood."""
    logits = [s.logits[:, :, row].astype(np.float64) for s in samples]
    truth = np.concatenate([s.truth[:, row] for s in samples])

    def loss(log_temperature: float) -> float:
        shown = np.concatenate([_sigmoid(v / np.exp(log_temperature)).mean(axis=1) for v in logits])
        return _mean_log_loss(np.where(truth, shown, 1 - shown))

    return _minimum(loss)


def fit_classes(samples: Sequence[Sample]) -> float:
    """The one temperature of a softmax over the classes with the least negative log likelihood."""
    logits = [s.logits.astype(np.float64) for s in samples]
    truth = np.concatenate([s.truth for s in samples]).astype(int)
    # Nested regions to classes: none, WT alone (oedema), TC without ET (necrosis), ET.
    classes = np.array([0, 2, 1, 3])[truth.sum(axis=1)]

    def loss(log_temperature: float) -> float:
        shown = np.concatenate([_softmax(v / np.exp(log_temperature)).mean(axis=1) for v in logits])
        return _mean_log_loss(shown[np.arange(len(classes)), classes])

    return _minimum(loss)


def expected_error(probabilities: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over the bins, by their voxels.

    Voxels up to `LEAST_PROBABILITY` are left out: background that nobody doubts would hide every error.
    """
    return sum(abs(b.confidence - b.accuracy) * b.share for b in reliability(probabilities, truth))


def reliability(probabilities: NDArray[np.floating], truth: NDArray[np.bool_]) -> list[Bin]:
    """The bins of equal width that hold any voxel."""
    counted = probabilities > LEAST_PROBABILITY
    shown, tumour = probabilities[counted].astype(np.float64), truth[counted].astype(np.float64)
    place = np.minimum((shown * BINS).astype(int), BINS - 1)
    sizes = np.bincount(place, minlength=BINS)
    sums = (np.bincount(place, weights=values, minlength=BINS) for values in (shown, tumour))
    rows = zip(*sums, sizes, strict=True)
    return [
        Bin(confidence=float(p / n), accuracy=float(t / n), share=float(n / len(shown)))
        for p, t, n in rows
        if n
    ]


def _shown(sample: Sample, kind: str, temperatures: Mapping[str, float], recipe: Recipe) -> FloatArray:
    """What is shown of the voxels, (N, R): the mean of the views."""
    count, views, outputs = sample.logits.shape
    scale = temperature_tensor(temperatures, recipe, outputs)
    flat = torch.from_numpy(sample.logits.reshape(-1, outputs))
    shown = region_probabilities(flat, kind, scale).numpy()
    return np.asarray(shown.reshape(count, views, -1).mean(axis=1), np.float32)


def _minimum(loss: Callable[[float], float]) -> float:
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def _mean_log_loss(of_truth: NDArray[np.float64]) -> float:
    return float(-np.log(np.clip(of_truth, 1e-12, None)).mean())


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
