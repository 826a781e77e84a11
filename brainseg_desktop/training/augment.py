"""Augmentation of a batch of network slices, on tensors, seeded by the generator that is passed in."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.preprocess import CHANNELS, CLIP
from brainseg_desktop.training.config import AugmentConfig

FLAIR = CHANNELS.index(Sequence.FLAIR)


def augment(
    images: Tensor,
    regions: Tensor,
    present: Tensor,
    patch: tuple[int, int],
    config: AugmentConfig,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """A turned, scaled, flipped and re-shaded patch of each slice.

    Parameters
    ----------
    images : (N, C, H, W)
    regions : (N, R, H, W)
        0 or 1.
    present : (N, C) bool
        A missing sequence stays all zero.
    patch : (int, int)
        Size of the result.

    Returns
    -------
    images : (N, C, *patch)
    regions : (N, R, *patch)
    """
    images, regions = move(images, regions, patch, config, generator)
    images = shade(images, config, generator)
    images = blur(images, config, generator)
    kept = drop_sequences(present, config, generator)
    return images * kept[:, :, None, None].to(images.dtype), regions


def move(
    images: Tensor, regions: Tensor, patch: tuple[int, int], config: AugmentConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Flip left to right, rotate, scale and shift, in one resampling."""
    n, _, height, width = images.shape
    angle = torch.randn(n, generator=generator).clamp(-2, 2) * math.radians(config.rotation) / 2
    scale = torch.exp(
        _uniform((n, 1), config.scale, generator) + _uniform((n, 2), config.scale / 4, generator)
    )
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    shift = _uniform((n, 2), config.shift, generator)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Rows of `grid` are (y, x) offsets in pixels from the centre of the slice.
    y = torch.arange(patch[0]) - (patch[0] - 1) / 2
    x = torch.arange(patch[1]) - (patch[1] - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")
    y = y[None] * scale[:, :1, None] * flip[:, None, None]
    x = x[None] * scale[:, 1:, None]
    rows = cos[:, None, None] * y - sin[:, None, None] * x + shift[:, :1, None]
    columns = sin[:, None, None] * y + cos[:, None, None] * x + shift[:, 1:, None]
    grid = torch.stack([columns * 2 / width, rows * 2 / height], dim=-1)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    masks = functional.grid_sample(regions, grid, padding_mode="zeros", align_corners=False)
    return moved, (masks >= 0.5).to(regions.dtype)


def shade(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Gamma, contrast, brightness, a smooth bias field and noise, each sequence on its own."""
    n, c, height, width = images.shape
    low, high = CLIP
    unit = ((images - low) / (high - low)).clamp(0, 1)
    gamma = torch.exp(_uniform((n, c, 1, 1), config.gamma, generator))
    images = unit.pow(gamma) * (high - low) + low
    images = images * torch.exp(_uniform((n, c, 1, 1), config.contrast, generator))
    images = images + _uniform((n, c, 1, 1), config.brightness, generator)
    strength = config.bias * (torch.rand((n, 1, 1, 1), generator=generator) < 0.4)
    coarse = torch.randn((n, c, 4, 4), generator=generator) * strength
    field = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    images = images + field * (images - low) / (high - low) * 3
    strength = config.noise * torch.rand((n, c, 1, 1), generator=generator)
    strength = strength * (torch.rand((n, 1, 1, 1), generator=generator) < 0.4)
    images = images + torch.randn(images.shape, generator=generator) * strength
    return images.clamp(low, high)


def blur(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """A 3x3 mean mixed in, for thick slices and low resolution."""
    n = images.shape[0]
    amount = torch.rand((n, 1, 1, 1), generator=generator)
    amount = amount * (torch.rand((n, 1, 1, 1), generator=generator) < config.blur)
    if not bool(amount.any()):
        return images
    smooth = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.lerp(images, smooth, amount)


def drop_sequences(present: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Which of the present sequences are kept, (N, C) bool; at least one of each slice's."""
    chance = torch.full((present.shape[1],), config.drop)
    chance[FLAIR] = config.drop_flair
    kept = present & (torch.rand(present.shape, generator=generator) >= chance)
    return torch.where(kept.any(dim=1, keepdim=True), kept, present)


def _uniform(shape: tuple[int, ...], bound: float, generator: Generator) -> Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound
