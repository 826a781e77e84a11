"""What an exam goes through before the network sees it, and the way back; one code for training and use.

Every array is in canonical RAS+ order. A network slice is ``array[:, :, z]``: rows run to the patient's
right, columns to the front. Slices are resampled in-plane only, so each slice of the exam keeps its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.background import COARSE, Background, coarse, find_background
from brainseg_desktop.inference.frame import FloatArray, Frame, to_native, to_working
from brainseg_desktop.inference.kinds import KINDS, detect_kind

__all__ = ["CHANNELS", "KINDS", "Frame", "Prepared", "prepare", "to_native", "to_working"]

CHANNELS = (Sequence.T1, Sequence.T1CE, Sequence.T2, Sequence.FLAIR)
WORKING_SPACING_MM = 1.5
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
    slices : (Z, 4, H, W) float32 array
        Channels in the order of `CHANNELS`; a missing sequence is all zero.
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
    volumes: Mapping[Sequence, NDArray[np.generic]],
    spacing_mm: tuple[float, float] | None,
    kind: str | None = None,
) -> Prepared:
    """Resample, normalise and crop the sequences of one exam.

    Parameters
    ----------
    volumes : mapping of Sequence to (X, Y, Z) array
        On one grid; at least one.
    spacing_mm : (float, float) or None
        In-plane voxel size; None where the files do not tell (a usual field of view is assumed).
    kind : str, optional
        Taken from the images if not given.
    """
    shapes = {data.shape for data in volumes.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise ValueError(f"sequences must share one 3-D shape, not {sorted(shapes)}")
    native_shape = next(iter(shapes))
    kept = drop_copies(volumes)
    backgrounds = {s: find_background(volumes[s]) for s in kept}
    frame = find_frame({s: (volumes[s], backgrounds[s]) for s in kept}, native_shape, spacing_mm)
    slices = np.zeros((native_shape[2], len(CHANNELS), *frame.size), np.float32)
    for channel, sequence in enumerate(CHANNELS):
        if sequence in kept:
            slices[:, channel] = normalise(
                to_working(volumes[sequence], frame, backgrounds[sequence].value), backgrounds[sequence]
            )
    present = tuple(s in kept for s in CHANNELS)
    return Prepared(slices, present, kind or detect_kind({s: volumes[s] for s in kept}), frame)


def find_frame(
    volumes: Mapping[Sequence, tuple[NDArray[np.generic], Background]],
    native_shape: tuple[int, int, int],
    spacing_mm: tuple[float, float] | None,
) -> Frame:
    """The smallest network slice that holds the head in every slice and sequence, with a margin."""
    working_shape = working_in_plane(native_shape[:2], spacing_mm)
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


def working_in_plane(shape: tuple[int, int], spacing_mm: tuple[float, float] | None) -> tuple[int, int]:
    """In-plane shape at the working spacing."""
    if spacing_mm is None:
        nominal = NOMINAL_FIELD_OF_VIEW_MM / max(shape)
        spacing_mm = (nominal, nominal)
    x, y = (max(1, round(n * s / WORKING_SPACING_MM)) for n, s in zip(shape, spacing_mm, strict=True))
    return x, y


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


def drop_copies(volumes: Mapping[Sequence, NDArray[np.generic]]) -> tuple[Sequence, ...]:
    """The sequences that are measured ones: a copy of another sequence counts as missing.

    FLAIR is kept before the others: in the known data it is FLAIR that was copied into the gaps.
    """
    kept: list[Sequence] = []
    order = sorted(volumes, key=lambda s: (s is not Sequence.FLAIR, CHANNELS.index(s)))
    for sequence in order:
        if not any(_same(volumes[sequence], volumes[other]) for other in kept):
            kept.append(sequence)
    return tuple(kept)


def _same(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    every = max(1, a.shape[2] // 40)
    first, second = (coarse(v)[:, :, ::every].astype(np.float32) for v in (a, b))
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        return False
    span = float(np.percentile(first[both], 99.5) - np.percentile(first[both], 0.5))
    return float(np.abs(first[both] - second[both]).mean()) <= COPY_TOLERANCE * span
