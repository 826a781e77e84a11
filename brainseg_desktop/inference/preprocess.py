"""What an exam goes through before the network sees it, and the way back; one code for training and use.

Every array is in canonical RAS+ order. A network slice is ``array[:, :, z]``: rows run to the patient's
right, columns to the front. Slices are resampled in-plane only, so each slice of the exam keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.background import COARSE, Background, coarse, find_background
from brainseg_desktop.inference.frame import FloatArray, Frame, to_native, to_working
from brainseg_desktop.inference.kinds import KINDS, PICTURE, detect_kind
from brainseg_desktop.inference.preparation import Preparation

__all__ = [
    "CHANNELS",
    "KINDS",
    "PICTURE",
    "Frame",
    "Prepared",
    "prepare",
    "recognise_kind",
    "to_native",
    "to_working",
    "with_context",
]

# A sequence by its name; `Sequence` members are names.
Name = TypeVar("Name", bound=str)

CHANNELS = (Sequence.T1, Sequence.T1CE, Sequence.T2, Sequence.FLAIR)
# Slices without a known spacing (LGG) are taken to be a head in a usual field of view.
NOMINAL_FIELD_OF_VIEW_MM = 240.0
MULTIPLE = 16
MARGIN = 5
CLIP = (-4.0, 6.0)
# Slices from lossy files: a copy differs from its original by compression noise only.
COPY_TOLERANCE = 0.004


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An exam ready for the network.

    Parameters
    ----------
    slices : (Z, C, H, W) float32 array
        Channels in the order of `Preparation.channels`; a missing sequence is all zero. Without neighbours:
        `with_context` adds them.
    present : tuple of bool
        Which channels carry a sequence.
    kind : str
        One of `KINDS`.
    frame : Frame
    """

    slices: FloatArray
    present: tuple[bool, ...]
    kind: str
    frame: Frame


def prepare(
    volumes: Mapping[Name, NDArray[np.generic]],
    spacing_mm: tuple[float, float] | None,
    preparation: Preparation = Preparation(),  # noqa: B008 (frozen)
    kind: str | None = None,
) -> Prepared:
    """Resample, normalise and crop the sequences of one exam.

    Parameters
    ----------
    volumes : mapping of sequence name to (X, Y, Z) array
        On one grid; at least one. `Sequence` members are names; a picture is called `PICTURE`.
    spacing_mm : (float, float) or None
        In-plane voxel size; None where the files do not tell (a usual field of view is assumed).
    preparation : Preparation
        Of the network; sequences that it does not name are not used.
    kind : str, optional
        Taken from the images if not given.

    Raises
    ------
    UserError
        ``network_inputs_missing`` (params ``wanted``, ``present``) if the exam has none of the sequences.
    """
    shapes = {data.shape for data in volumes.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise ValueError(f"sequences must share one 3-D shape, not {sorted(shapes)}")
    x, y, z = next(iter(shapes))
    measured = drop_copies(volumes)
    used = {name: volumes[name] for name in measured if name in preparation.channels}
    if not used:
        wanted = list(preparation.channels)
        raise UserError("network_inputs_missing", wanted=wanted, present=sorted(map(str.__str__, measured)))
    backgrounds = {name: find_background(data) for name, data in used.items()}
    frame = find_frame(
        {name: (data, backgrounds[name]) for name, data in used.items()}, (x, y, z), spacing_mm, preparation
    )
    slices = np.zeros((z, len(preparation.channels), *frame.size), np.float32)
    for channel, name in enumerate(preparation.channels):
        if name in used:
            slices[:, channel] = scaled(used[name], frame, backgrounds[name], preparation.normalise)
    present = tuple(name in used for name in preparation.channels)
    return Prepared(slices, present, kind or detect_kind({name: volumes[name] for name in measured}), frame)


def recognise_kind(volumes: Mapping[Name, NDArray[np.generic]]) -> str:
    """One of `KINDS`, told from the sequences that are measured ones."""
    return detect_kind({name: volumes[name] for name in drop_copies(volumes)})


def with_context(slices: NDArray[np.floating], places: Iterable[int], context: tuple[int, ...]) -> FloatArray:
    """Slices with their neighbours, as the network takes them; see `Preparation.context`.

    Parameters
    ----------
    slices : (Z, C, H, W) array
    places : iterable of int
        The n slices to outline.

    Returns
    -------
    (n, len(context) * C, H, W) float32 array
    """
    near = np.add.outer(np.fromiter(places, int), context).clip(0, len(slices) - 1)
    stacked = slices[near].reshape(len(near), -1, *slices.shape[2:])
    return np.asarray(stacked, np.float32)


def find_frame(
    volumes: Mapping[Name, tuple[NDArray[np.generic], Background]],
    native_shape: tuple[int, int, int],
    spacing_mm: tuple[float, float] | None,
    preparation: Preparation,
) -> Frame:
    """The smallest network slice that holds the head in every slice and sequence, with a margin.

    Where the preparation states a size, it is the whole slice instead.
    """
    if preparation.size is not None:
        return Frame(native_shape, preparation.size, (0, 0), preparation.size)
    working_shape = working_in_plane(native_shape[:2], spacing_mm, preparation.spacing_mm)
    start, size = [0, 0], [0, 0]
    for axis in range(2):
        first, last = native_shape[axis], 0
        for data, background in volumes.values():
            profile = _bright(data, background).mean(axis=tuple({0, 1, 2} - {axis}))
            inside = np.flatnonzero(profile > 0.06 * profile.max())
            if inside.size:
                first = min(first, int(inside[0]) * COARSE)
                last = max(last, (int(inside[-1]) + 1) * COARSE)
        if last <= first:
            first, last = 0, native_shape[axis]
        scale = working_shape[axis] / native_shape[axis]
        wanted = int(np.ceil((last - first) * scale)) + 2 * MARGIN
        size[axis] = -(-wanted // MULTIPLE) * MULTIPLE
        start[axis] = round((first + last) * scale / 2 - size[axis] / 2)
    return Frame(native_shape, working_shape, (start[0], start[1]), (size[0], size[1]))


def _bright(data: NDArray[np.generic], background: Background) -> NDArray[np.bool_]:
    """Voxels clearly above the noise around the head, on the coarse grid."""
    sample = np.nan_to_num(coarse(data).astype(np.float32), nan=background.value)
    distance = np.abs(sample - background.value) if background.both_sides else sample - background.value
    return np.asarray(distance > max(0.15 * float(np.percentile(distance, 99)), background.tolerance))


def working_in_plane(
    shape: tuple[int, int], spacing_mm: tuple[float, float] | None, working_mm: float
) -> tuple[int, int]:
    """In-plane shape at the working spacing."""
    if spacing_mm is None:
        nominal = NOMINAL_FIELD_OF_VIEW_MM / max(shape)
        spacing_mm = (nominal, nominal)
    x, y = (max(1, round(n * s / working_mm)) for n, s in zip(shape, spacing_mm, strict=True))
    return x, y


def scaled(data: NDArray[np.generic], frame: Frame, background: Background, how: str) -> FloatArray:
    """One sequence as network slices (Z, H, W), scaled as `Preparation.normalise` says."""
    if how == "tissue":
        return normalise(to_working(data, frame, background.value), background)
    values = np.asarray(data[(data != 0) & np.isfinite(data)], np.float32)
    if values.size == 0:
        return np.zeros((frame.native_shape[2], *frame.size), np.float32)
    if how == "zscore":
        zero, unit = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    else:
        zero, unit = float(values.min()), float(np.ptp(values))
    if unit <= 1e-5 * float(np.abs(values).max()):
        return np.zeros((frame.native_shape[2], *frame.size), np.float32)
    slices = np.asarray((to_working(data, frame) - np.float32(zero)) / np.float32(unit), np.float32)
    return slices.clip(0, 1) if how == "minmax" else slices


def normalise(slices: FloatArray, background: Background) -> FloatArray:
    """Scale a sequence to mean 0 and standard deviation 1 over its tissue, and clip it.

    Mean and deviation are taken between the 0.5th and the 99.5th percentile, so that a few bright vessels do
    not set the scale.
    """
    sample = slices[:, ::2, ::2]
    tissue = sample[background.foreground(sample)]
    if tissue.size < 16:
        return np.zeros_like(slices)
    low, high = np.percentile(tissue, (0.5, 99.5))
    tissue = np.clip(tissue, low, high)
    deviation = float(tissue.std())
    # No more than rounding: an image of one value.
    if deviation <= 1e-5 * float(np.abs(tissue).max()):
        return np.zeros_like(slices)
    return np.asarray(
        np.clip((slices - np.float32(tissue.mean())) / np.float32(deviation), *CLIP), np.float32
    )


def drop_copies(volumes: Mapping[Name, NDArray[np.generic]]) -> tuple[Name, ...]:
    """The sequences that are measured ones: a copy of another sequence counts as missing.

    FLAIR is kept before the others: in the known data it is FLAIR that was copied into the gaps.
    """
    kept: list[Name] = []
    rank: dict[str, int] = {name: place for place, name in enumerate((Sequence.FLAIR, *CHANNELS[:-1]))}
    for name in sorted(volumes, key=lambda s: rank.get(s, len(rank))):
        if not any(_same(volumes[name], volumes[other]) for other in kept):
            kept.append(name)
    return tuple(kept)


def _same(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    every = max(1, a.shape[2] // 40)
    first, second = (coarse(v)[:, :, ::every].astype(np.float32) for v in (a, b))
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        return False
    span = float(np.percentile(first[both], 99.5) - np.percentile(first[both], 0.5))
    return float(np.abs(first[both] - second[both]).mean()) <= COPY_TOLERANCE * span
