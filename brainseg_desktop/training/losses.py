"""Training losses by name, over the targets that each slice teaches.

Every loss takes logits (N, R, ...), targets (N, R, ...) of 0 and 1, and `taught` (N, R), 1 where the sample's
reference knows the target; the dots are rows and columns, or slices, rows and columns. A target that is not
taught adds nothing to the loss and gets no gradient; the loss is 0 if nothing is taught. Dice sums of a
target are taken over the whole batch unless a name says "slice".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from brainseg_desktop.training.config import LossConfig

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

SMOOTH = 1.0
# Pixels added to both sums of a slice's Dice: without tumour a few false pixels then cost little.
SLICE_SMOOTH = 20.0


def build_loss(config: LossConfig) -> Loss:
    """The loss of a recipe.

    ``ce_dice`` takes one logit more than targets: the background's, first.
    """
    match config.name:
        case "dice":
            return dice_loss
        case "bce_dice":
            return weighted_bce_dice_loss
        case "weighted_bce_dice":
            return partial(weighted_bce_dice_loss, pos_weight=config.pos_weight)
        case "ce_dice":
            return ce_dice_loss
        case "focal_tversky":
            return partial(focal_tversky_loss, alpha=config.alpha, beta=config.beta, gamma=config.gamma)
        case "region":
            return region_loss


def region_loss(logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus soft Dice.

    Dice is the mean of the batch's and the slices': the first is steady, the second weighs small tumours like
    large ones.
    """
    dice = (dice_loss(logits, targets, taught) + slice_dice_loss(logits, targets, taught)) / 2
    return cross_entropy(logits, targets, taught) + dice


def weighted_bce_dice_loss(
    logits: Tensor, targets: Tensor, taught: Tensor, pos_weight: float = 1.0
) -> Tensor:
    """Binary cross-entropy, tumour pixels counted `pos_weight` times, plus one minus soft Dice."""
    return cross_entropy(logits, targets, taught, pos_weight) + dice_loss(logits, targets, taught)


def ce_dice_loss(logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
    """Cross-entropy of exclusive classes plus one minus soft Dice, the mean of the tumour classes.

    Logits are (N, 1 + R, ...), background first. Classes exclude each other, so a sample teaches all or none.
    """
    known = taught.amin(dim=1)
    # The background is what no class claims; of two that claim a pixel (resampling) the first has it.
    background = torch.full_like(targets[:, :1], 0.5)
    classes = torch.cat([background, targets], dim=1).argmax(dim=1)
    pixels = functional.cross_entropy(logits, classes, reduction="none").flatten(1).mean(dim=1)
    entropy = (pixels * known).sum() / known.sum().clamp(min=1)
    probability = torch.softmax(logits, dim=1)[:, 1:]
    return entropy + _batch_dice(probability, targets, known[:, None].expand_as(taught))


def focal_tversky_loss(
    logits: Tensor, targets: Tensor, taught: Tensor, alpha: float, beta: float, gamma: float
) -> Tensor:
    """``(1 - T) ** gamma``, T the Tversky index with `alpha` on false positives and `beta` on missed pixels.

    Salehi et al., MLMI 2017, for the index; Abraham & Khan, ISBI 2019, for the exponent.
    """
    probability, targets = _known(torch.sigmoid(logits), targets, taught)
    overlap = (probability * targets).sum(dim=(0, 2))
    false = (probability * (1 - targets)).sum(dim=(0, 2))
    missed = ((1 - probability) * targets).sum(dim=(0, 2))
    index = (overlap + SMOOTH) / (overlap + alpha * false + beta * missed + SMOOTH)
    # The slope of a power below 1 has no bound at 0.
    return _mean_of_known((1 - index).clamp(min=1e-6) ** gamma, taught)


def cross_entropy(logits: Tensor, targets: Tensor, taught: Tensor, pos_weight: float = 1.0) -> Tensor:
    """Mean binary cross-entropy over the pixels of taught targets."""
    weight = None if pos_weight == 1 else logits.new_tensor(pos_weight)
    pixels = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none", pos_weight=weight)
    return (pixels.flatten(2).mean(dim=2) * taught).sum() / taught.sum().clamp(min=1)


def dice_loss(logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
    """One minus soft Dice (Milletari et al., 3DV 2016), mean over the targets taught."""
    return _batch_dice(torch.sigmoid(logits), targets, taught)


def slice_dice_loss(logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
    """One minus soft Dice of each sample and target, mean over those taught."""
    probability, targets = torch.sigmoid(logits).flatten(2), targets.flatten(2)
    overlap = (probability * targets).sum(dim=2)
    size = probability.sum(dim=2) + targets.sum(dim=2)
    dice = (2 * overlap + SLICE_SMOOTH) / (size + SLICE_SMOOTH)
    return ((1 - dice) * taught).sum() / taught.sum().clamp(min=1)


def _batch_dice(probability: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
    probability, targets = _known(probability, targets, taught)
    overlap = (probability * targets).sum(dim=(0, 2))
    size = probability.sum(dim=(0, 2)) + targets.sum(dim=(0, 2))
    return _mean_of_known(1 - (2 * overlap + SMOOTH) / (size + SMOOTH), taught)


def _known(probability: Tensor, targets: Tensor, taught: Tensor) -> tuple[Tensor, Tensor]:
    """Both as (N, R, pixels), 0 where a target is not taught."""
    weight = taught[:, :, None]
    return probability.flatten(2) * weight, targets.flatten(2) * weight


def _mean_of_known(losses: Tensor, taught: Tensor) -> Tensor:
    """Mean of the targets' losses (R,) over those that any sample teaches."""
    known = (taught.sum(dim=0) > 0).to(losses.dtype)
    return (losses * known).sum() / known.sum().clamp(min=1)
