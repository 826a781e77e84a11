"""Augmentation of a batch of network slices, on tensors, seeded by the generator that is passed in.

The generator is the processor's, also for slices that lie on a GPU: the few numbers of each slice are drawn
there and sent over, and nothing waits for the GPU. Only noise is drawn where the slices are.

All neighbours of a slice (2.5-D) or all slices of a block (3-D) are moved and shaded alike: a sample's
channels are K times the C sequences, slice by slice. What has strength 0 costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.inference.preprocess import CLIP
from brainseg_desktop.training.config import AugmentConfig

# Grey values of the network slices. Those of "zscore" have no bounds; nearly all lie between these.
RANGES = {"tissue": CLIP, "zscore": CLIP, "minmax": (0.0, 1.0)}
# Share of the slices that get a bias field, and that get noise.
OFTEN = 0.4
BIAS_KNOTS = 4
# Distance of the knots of the elastic displacement.
ELASTIC_KNOT = 24
CPU = torch.device("cpu")
# Pixels by which a pasted tumour takes its surroundings along, at most.
MIX_MARGIN = 6


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Slices, or blocks of them, on one canvas.

    Parameters
    ----------
    images : (N, K * C, H, W) float32
    targets : (N, T, H, W) float32
        0 or 1; on the device of the images. All else is on the processor.
    present : (N, C) bool
        A missing sequence is all zero, and stays so.
    taught : (N, R) float32
    kinds : (N,) int
        Samples of one number may lend each other tumours.
    sizes : (N, 2) int
        Rows and columns of each slice, in the middle of the canvas.
    """

    images: Tensor
    targets: Tensor
    present: Tensor
    taught: Tensor
    kinds: Tensor
    sizes: Tensor


def augment(
    samples: Samples,
    patch: tuple[int, int] | None,
    preparation: Preparation,
    config: AugmentConfig,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Turned, scaled, flipped and re-shaded patches.

    Parameters
    ----------
    patch : (int, int) or None
        Size of the result; None for the canvas.

    Returns
    -------
    images : (N, K * C, *patch)
    targets : (N, T, *patch)
    """
    images, targets = mix(samples, config.mix, generator)
    images, targets = move(images, targets, samples.sizes, patch, config, generator)
    sequences = samples.present.shape[1]
    images = shade(images, sequences, RANGES[preparation.normalise], config, generator)
    if preparation.normalise != "zscore":
        images.clamp_(*RANGES[preparation.normalise])
    kept = drop_sequences(samples.present, preparation.channels, config, generator)
    return images.mul_(_each(sent(kept.to(images.dtype), images.device), images)), targets


def mix(samples: Samples, chance: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Tumours of other slices of the batch, with a margin, pasted in (Zhang et al., "CarveMix", MICCAI 2021).

    Both slices are of one kind and have the same sequences and known targets; image and targets go together.
    """
    images, targets = samples.images, samples.targets
    if chance == 0 or len(images) == 1:
        return images, targets
    n = len(images)
    wanted = torch.rand(n, generator=generator) < chance
    donors = (torch.arange(n) + torch.randint(1, n, (n,), generator=generator)) % n
    margins = torch.randint(0, MIX_MARGIN + 1, (n,), generator=generator)
    for held in (samples.kinds[:, None], samples.present, samples.taught):
        wanted &= (held == held[donors]).all(dim=1)
    takers = torch.nonzero(wanted).flatten()
    if len(takers) == 0:
        return images, targets
    place, donor = sent(takers, images.device), sent(donors[takers], images.device)
    carved = grown(targets[donor].amax(dim=1, keepdim=True) > 0, margins[takers])
    mixed, mixed_targets = images.clone(), targets.clone()
    mixed[place] = torch.where(carved, images[donor], images[place])
    mixed_targets[place] = torch.where(carved, targets[donor], targets[place])
    return mixed, mixed_targets


def grown(masks: Tensor, margins: Tensor) -> Tensor:
    """Masks (N, 1, H, W) bool, each grown by its own margin of pixels in all eight directions."""
    wider, found = masks.to(torch.float32), masks
    for margin in range(1, int(margins.max()) + 1):
        wider = functional.max_pool2d(wider, 3, stride=1, padding=1)
        reached = sent(margins >= margin, masks.device)[:, None, None, None]
        found = torch.where(reached, wider > 0, found)
    return found


def move(
    images: Tensor,
    targets: Tensor,
    sizes: Tensor,
    patch: tuple[int, int] | None,
    config: AugmentConfig,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Flip, turn, scale, shift, bend and crop in one resampling; beyond the edge the edge is repeated.

    The patch lies anywhere within the slice, or around it where it is the larger one.
    """
    n, channels, height, width = images.shape
    geometry = (config.flip, config.flip_rows, config.quarter_turns, config.rotation, config.scale)
    if not any((*geometry, config.shift, config.elastic)) and patch in (None, (height, width)):
        return images, targets
    patch = patch or (height, width)
    room = (sizes - torch.tensor(patch)).clamp(min=0) / 2
    centre = _uniform((n, 2), 1.0, generator) * room + _uniform((n, 2), config.shift, generator)
    device = images.device
    # Places are (row, column) offsets in pixels from the centre of the canvas.
    rows = torch.arange(patch[0], device=device) - (patch[0] - 1) / 2
    columns = torch.arange(patch[1], device=device) - (patch[1] - 1) / 2
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
    turned = places.reshape(1, -1, 2) @ sent(_matrices(n, config, generator), device).transpose(1, 2)
    turned = turned.reshape(n, *patch, 2) + sent(centre, device)[:, None, None]
    if config.elastic:
        turned = turned + config.elastic * displacement(n, patch, generator, device)
    grid = (turned * sent(torch.tensor([2 / height, 2 / width]), device)).flip(-1)
    both = torch.cat([images, targets], dim=1)
    both = functional.grid_sample(both, grid, padding_mode="border", align_corners=False)
    return both[:, :channels], (both[:, channels:] >= 0.5).to(targets.dtype)


def _matrices(n: int, config: AugmentConfig, generator: Generator) -> Tensor:
    """(n, 2, 2): from places of the patch to places of the slice."""
    angle = torch.randn(n, generator=generator).clamp(-2, 2) * math.radians(config.rotation) / 2
    turns = torch.randint(1, 4, (n,), generator=generator)
    angle = angle + turns * (math.pi / 2) * (torch.rand(n, generator=generator) < config.quarter_turns)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], dim=1)
    scale = torch.exp(
        _uniform((n, 1), config.scale, generator) + _uniform((n, 2), config.scale / 4, generator)
    )
    flipped = torch.rand((n, 2), generator=generator) < torch.tensor([config.flip, config.flip_rows])
    return rotation * torch.where(flipped, -scale, scale)[:, None, :]


def displacement(n: int, patch: tuple[int, int], generator: Generator, device: torch.device = CPU) -> Tensor:
    """Smooth random fields (n, *patch, 2) with mean square length 1."""
    knots = tuple(side // ELASTIC_KNOT + 3 for side in patch)
    fields = smooth(sent(torch.randn((n, 2, *knots), generator=generator), device), patch)
    length = fields.square().sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True).sqrt()
    return (fields / length).permute(0, 2, 3, 1)


def smooth(knots: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic interpolation of (..., h, w) to a size, as two small matrix products: several times as fast."""
    rows, columns = (sent(_cubic(k, n), knots.device) for k, n in zip(knots.shape[-2:], size, strict=True))
    return rows @ knots @ columns.T


def _cubic(knots: int, side: int) -> Tensor:
    """Weights (side, knots) of a cubic interpolation."""
    unit = torch.eye(knots)[None, None]
    return functional.interpolate(unit, (side, knots), mode="bicubic", align_corners=False)[0, 0]


def shade(
    images: Tensor, sequences: int, bounds: tuple[float, float], config: AugmentConfig, generator: Generator
) -> Tensor:
    """Gamma, contrast, brightness, a smooth bias field, noise and blur, each sequence on its own.

    Brightness and noise are given for grey values that span 10, as those of ``tissue`` do.
    """
    n, _, height, width = images.shape
    low, high = bounds
    span = high - low
    # One copy, changed in place: most of the time goes into memory.
    images = images.clone()
    if config.gamma:
        unit = (images - low).div_(span).clamp_(0, 1)
        gamma = torch.exp(_uniform((n, sequences), config.gamma, generator))
        images += unit.pow(_each(sent(gamma, images.device), images)).sub_(unit).mul_(span)
    if config.contrast:
        contrast = torch.exp(_uniform((n, sequences), config.contrast, generator))
        images *= _each(sent(contrast, images.device), images)
    if config.brightness:
        brightness = _uniform((n, sequences), config.brightness * span / 10, generator)
        images += _each(sent(brightness, images.device), images)
    if config.bias:
        chosen = _some(n, OFTEN, generator)
        knots = torch.randn((len(chosen), sequences, BIAS_KNOTS, BIAS_KNOTS), generator=generator)
        field = smooth(sent(knots * (0.3 * config.bias), images.device), (height, width))
        place = sent(chosen, images.device)
        images[place] += _over_slices(field, images) * (images[place] - low)
    if config.noise:
        chosen = _some(n, OFTEN, generator)
        noise = _normal((len(chosen), *images.shape[1:]), images.device, generator)
        strength = torch.rand((len(noise), sequences), generator=generator) * (config.noise * span / 10)
        images[sent(chosen, images.device)] += noise.mul_(_each(sent(strength, images.device), images))
    if config.blur:
        place = sent(_some(n, config.blur, generator), images.device)
        images[place] = blur(images[place], generator)
    return images


def blur(images: Tensor, generator: Generator) -> Tensor:
    """A 3x3 mean mixed in, for thick slices and low resolution."""
    amount = sent(torch.rand((len(images), 1, 1, 1), generator=generator), images.device)
    around = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return torch.lerp(images, functional.avg_pool2d(around, 3, stride=1), amount)


def drop_sequences(
    present: Tensor, channels: tuple[str, ...], config: AugmentConfig, generator: Generator
) -> Tensor:
    """Which of the present sequences are kept, (N, C) bool; at least one of each slice's."""
    chance = torch.tensor([config.drop_flair if name == "FLAIR" else config.drop for name in channels])
    kept = present & (torch.rand(present.shape, generator=generator) >= chance)
    return torch.where(kept.any(dim=1, keepdim=True), kept, present)


def _each(values: Tensor, images: Tensor) -> Tensor:
    """A number for each sequence (N, C) beside images (N, K * C, H, W)."""
    return _over_slices(values[:, :, None, None], images)


def _over_slices(values: Tensor, images: Tensor) -> Tensor:
    """(N, C, ...) repeated for the K slices of images (N, K * C, H, W)."""
    return values.repeat(1, images.shape[1] // values.shape[1], 1, 1)


def _uniform(shape: tuple[int, ...], bound: float, generator: Generator) -> Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values on a device, on their way there: a GPU is not waited for, which would empty its queue."""
    return values.to(device, non_blocking=True)


def _some(n: int, share: float, generator: Generator) -> Tensor:
    """The numbers of the samples that are chosen."""
    return torch.nonzero(torch.rand(n, generator=generator) < share).flatten()


def _normal(shape: tuple[int, ...], device: torch.device, generator: Generator) -> Tensor:
    """Standard normal numbers, drawn on the device: there are too many to send."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.randn(shape, generator=Generator(device).manual_seed(seed), device=device)
