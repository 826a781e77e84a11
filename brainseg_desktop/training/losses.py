"""The training loss: cross-entropy and Dice, over the regions that each slice teaches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0
# Pixels added to both sums of a slice's Dice: without tumour a few false pixels then cost little.
SLICE_SMOOTH = 20.0


def region_loss(logits: Tensor, target: Tensor, taught: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus soft Dice, with unknown regions left out.

    Dice is the mean of the batch's and the slices': the first is steady, the second weighs small tumours like
    large ones.

    Parameters
    ----------
    logits, target : (N, R, H, W)
        Targets are 0 or 1.
    taught : (N, R)
        1 where the sample's reference knows the region. A region that is not taught adds nothing to the loss
        and gets no gradient.

    Returns
    -------
    scalar
        0 if nothing is taught.
    """
    dice = (dice_loss(logits, target, taught) + slice_dice_loss(logits, target, taught)) / 2
    return cross_entropy(logits, target, taught) + dice


def cross_entropy(logits: Tensor, target: Tensor, taught: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels of taught regions."""
    pixels = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(2, 3))
    return (pixels * taught).sum() / taught.sum().clamp(min=1)


def dice_loss(logits: Tensor, target: Tensor, taught: Tensor) -> Tensor:
    """One minus soft Dice, each region's sums taken over the whole batch, mean over the regions taught."""
    weight = taught[:, :, None, None]
    probability = torch.sigmoid(logits) * weight
    target = target * weight
    overlap = (probability * target).sum(dim=(0, 2, 3))
    size = probability.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = (2 * overlap + SMOOTH) / (size + SMOOTH)
    known = (taught.sum(dim=0) > 0).to(dice.dtype)
    return ((1 - dice) * known).sum() / known.sum().clamp(min=1)


def slice_dice_loss(logits: Tensor, target: Tensor, taught: Tensor) -> Tensor:
    """One minus soft Dice of each slice and region, mean over those taught."""
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dim=(2, 3))
    size = probability.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    dice = (2 * overlap + SLICE_SMOOTH) / (size + SLICE_SMOOTH)
    return ((1 - dice) * taught).sum() / taught.sum().clamp(min=1)
