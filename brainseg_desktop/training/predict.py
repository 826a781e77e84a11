"""What a network says of a whole exam, on its network slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainseg_desktop.inference.preprocess import with_context
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.precision import autocast

SLICES_AT_ONCE = 16


def predict_exam(
    network: nn.Module,
    exam: PreparedExam,
    recipe: Recipe,
    mirrored: bool = False,
    device: torch.device | None = None,
    bf16: bool = False,
) -> NDArray[np.float32]:
    """Probabilities of every slice of an exam.

    Parameters
    ----------
    mirrored : bool
        Average them with those of the left-right mirror image.
    device : torch.device, optional
        The network's own by default.
    bf16 : bool
        Convolutions in half precision, as in training: faster, less exact.

    Returns
    -------
    (Z, R, H, W) array
        Regions: nested, none above the one that holds it. Classes: (Z, 4, H, W), background first. Binary:
        R = 1.
    """
    found = probabilities(_logits(network, exam, recipe, False, device, bf16), recipe)
    if mirrored:
        found = (found + probabilities(_logits(network, exam, recipe, True, device, bf16), recipe)) / 2
    return np.asarray(found.numpy(), np.float32)


def predict_logits(
    network: nn.Module,
    exam: PreparedExam,
    recipe: Recipe,
    device: torch.device | None = None,
    bf16: bool = False,
) -> NDArray[np.float32]:
    """Logits (Z, outputs, H, W) of every slice of an exam, for the calibration; see `predict_exam`."""
    return np.asarray(_logits(network, exam, recipe, False, device, bf16).numpy(), np.float32)


def probabilities(logits: Tensor, recipe: Recipe) -> Tensor:
    """Probabilities of logits (Z, outputs, H, W), as `predict_exam` gives them."""
    match recipe.selection.targets:
        case "classes":
            return torch.softmax(logits, dim=1)
        case "regions":
            return torch.sigmoid(logits).cummin(dim=1).values
        case "binary":
            return torch.sigmoid(logits)


@torch.no_grad()
def _logits(
    network: nn.Module,
    exam: PreparedExam,
    recipe: Recipe,
    flipped: bool,
    device: torch.device | None,
    bf16: bool,
) -> Tensor:
    """Logits on the CPU; of the mirror image, mirrored back."""
    device = device or next(network.parameters()).device
    network.eval()

    def ask(images: Tensor) -> Tensor:
        layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
        images = images.to(device).contiguous(memory_format=layout)
        # Rows run from left to right.
        images = images.flip(-2) if flipped else images
        with autocast(images, device, bf16):
            logits: Tensor = network(images).float()
        return (logits.flip(-2) if flipped else logits).cpu()

    if recipe.network.name == "unet3d":
        return _by_blocks(ask, exam, recipe.network.depth)
    context, length = recipe.preparation.context, len(exam.slices)
    parts = []
    for first in range(0, length, SLICES_AT_ONCE):
        places = range(first, min(first + SLICES_AT_ONCE, length))
        parts.append(ask(torch.from_numpy(with_context(exam.slices, places, context))))
    return torch.cat(parts)


def _by_blocks(ask: Callable[[Tensor], Tensor], exam: PreparedExam, depth: int) -> Tensor:
    """Mean of the logits of overlapping blocks of slices, the middle of a block counted most."""
    length = len(exam.slices)
    last = max(0, length - depth)
    inside = np.arange(depth)
    weight = torch.from_numpy(np.minimum(inside, depth - 1 - inside) + 1.0).float()[:, None, None, None]
    total: Tensor | None = None
    weights = torch.zeros(length, 1, 1, 1)
    for start in sorted({*range(0, last, max(1, depth // 2)), last}):
        block = exam.slices[(start + inside).clip(0, length - 1)].astype(np.float32)
        logits = ask(torch.from_numpy(block.transpose(1, 0, 2, 3)[None]))[0].transpose(0, 1)
        held = min(depth, length - start)
        if total is None:
            total = torch.zeros(length, *logits.shape[1:])
        total[start : start + held] += (logits * weight)[:held]
        weights[start : start + held] += weight[:held]
    assert total is not None
    return total / weights
