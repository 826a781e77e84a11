"""Loss and figures of the validation side after an epoch, at the working resolution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.losses import Loss
from brainseg_desktop.training.predict import predict_logits, probabilities
from brainseg_desktop.training.targets import taught_rows

METRICS = ("dice", "iou", "accuracy", "precision", "sensitivity", "specificity")

Counts = NDArray[np.float64]
"""(R, 4): pixels that are rightly found, wrongly found, missed, rightly left."""


def validate(
    network: nn.Module, exams: Sequence[PreparedExam], recipe: Recipe, loss: Loss
) -> tuple[float, dict[str, float]]:
    """Loss, the mean of the exams, and `METRICS`.

    Of regions the outermost is measured, of classes the mean over the tumour classes. Each figure is the mean
    of the patients for whom it is defined; one that none defines is left out.
    """
    rows = list(taught_rows(recipe))
    losses, patients = [], defaultdict[str, Counts](lambda: np.zeros((len(rows), 4)))
    for exam in exams:
        taught = np.array([exam.taught[row] for row in rows])
        if not taught.any():
            continue
        logits = torch.from_numpy(predict_logits(network, exam, recipe, bf16=recipe.schedule.bf16))
        targets = torch.from_numpy(np.asarray(exam.targets[:, rows], np.float32))
        weight = torch.from_numpy(taught.astype(np.float32)).expand(len(targets), -1)
        losses.append(float(loss(logits, targets, weight)))
        patients[exam.patient] += count(decide(logits, recipe), targets > 0) * taught[:, None]
    measured = len(rows) if recipe.selection.targets == "classes" else 1
    return float(np.mean(losses)) if losses else float("nan"), metrics(
        [counts[:measured] for counts in patients.values()]
    )


def decide(logits: Tensor, recipe: Recipe) -> Tensor:
    """Masks (Z, R, H, W) of logits: the likeliest class, or what is likelier than not."""
    found = probabilities(logits, recipe)
    if recipe.selection.targets == "classes":
        likeliest = found.argmax(dim=1, keepdim=True)
        return likeliest == torch.arange(1, found.shape[1])[None, :, None, None]
    return found > 0.5


def count(found: Tensor, reference: Tensor) -> Counts:
    """Pixels of masks (Z, R, H, W), for each R."""
    pairs = ((found, reference), (found, ~reference), (~found, reference), (~found, ~reference))
    return np.stack([(a & b).sum(dim=(0, 2, 3)).double().numpy() for a, b in pairs], axis=1)


def metrics(patients: Sequence[Counts]) -> dict[str, float]:
    """`METRICS` of the patients' counts: mean over the patients, then over the R."""
    if not patients:
        return {}
    right, false, missed, left = np.moveaxis(np.stack(patients), 2, 0)
    shares = {
        "dice": (2 * right, 2 * right + false + missed),
        "iou": (right, right + false + missed),
        "accuracy": (right + left, right + false + missed + left),
        "precision": (right, right + false),
        "sensitivity": (right, right + missed),
        "specificity": (left, left + false),
    }
    means = {}
    for name, (part, whole) in shares.items():
        of_rows = [
            float((part[:, row][known] / whole[:, row][known]).mean())
            for row in range(part.shape[1])
            if (known := whole[:, row] > 0).any()
        ]
        if of_rows:
            means[name] = float(np.mean(of_rows))
    return means
