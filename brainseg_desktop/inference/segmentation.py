"""Runs a network over an exam: the slice being looked at first, the others outward from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.postprocess import label_tissues, remove_specks
from brainseg_desktop.inference.preprocess import Prepared, prepare, to_native
from brainseg_desktop.inference.segmenter import Prediction, Segmenter
from brainseg_desktop.inference.weights import REGIONS

BATCH = 6
# Exams of at most so many slices are seen a second time, mirrored; a larger one would take too long on a CPU.
MIRRORED_SLICES = 90


@dataclass(frozen=True, slots=True, eq=False)
class SliceResult:
    """Probabilities (R, X, Y, n) uint8 of n slices, and their z positions."""

    z: tuple[int, ...]
    probabilities: NDArray[np.uint8]


def segment(
    segmenter: Segmenter,
    volumes: Mapping[Sequence, NDArray[np.generic]],
    spacing_mm: tuple[float, float] | None,
    kind: str | None = None,
) -> Prediction:
    """Segment a whole exam; see `prepare` for the parameters."""
    prepared = prepare(volumes, spacing_mm, kind)
    regions = taught_regions(segmenter, prepared.kind)
    probabilities = np.zeros((len(regions), *prepared.frame.native_shape), np.uint8)
    for result in segment_slices(segmenter, prepared, None):
        probabilities[..., list(result.z)] = result.probabilities
    return finish(probabilities, regions, prepared.kind)


def finish(probabilities: NDArray[np.uint8], regions: tuple[str, ...], kind: str) -> Prediction:
    """Labels of a complete set of probabilities, without specks."""
    labels = remove_specks(label_tissues(probabilities, regions), kind)
    return Prediction(probabilities, regions, kind, labels)


def segment_slices(segmenter: Segmenter, prepared: Prepared, first: int | None) -> Iterator[SliceResult]:
    """Segment the slices one batch after the other.

    Parameters
    ----------
    first : int or None
        Slice to begin with, alone, so that it is there at once; None for no preference.

    Yields
    ------
    SliceResult
        Each slice of the exam once.
    """
    count = len(prepared.slices)
    regions = taught_regions(segmenter, prepared.kind)
    shown = shows_tissue(prepared)
    empty = tuple(int(z) for z in np.flatnonzero(~shown))
    predict = predict_mirrored if shown.sum() <= MIRRORED_SLICES else predict_once
    for z in order_slices([z for z in range(count) if shown[z]], first):
        probabilities = predict(segmenter, prepared.slices[list(z)], prepared.kind)
        native = to_native(probabilities[:, : len(regions)], prepared.frame)
        yield SliceResult(z, np.rint(native.clip(0, 1) * 255).astype(np.uint8))
    if empty:
        shape = (len(regions), *prepared.frame.native_shape[:2], len(empty))
        yield SliceResult(empty, np.zeros(shape, np.uint8))


def predict_once(segmenter: Segmenter, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """What the network says of the slices, (N, 3, H, W)."""
    return segmenter.predict(slices, kind)


def predict_mirrored(segmenter: Segmenter, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Mean of what the network says of the slices and of their left-right mirror images, (N, 3, H, W)."""
    both = segmenter.predict(np.concatenate([slices, slices[:, :, ::-1]]), kind)
    n = len(slices)
    return np.asarray((both[:n] + both[n:, :, ::-1]) / 2, np.float32)


def order_slices(slices: list[int], first: int | None) -> list[tuple[int, ...]]:
    """Batches of slices by their distance from the first one, which stands alone.

    Examples
    --------
    >>> order_slices([0, 1, 2, 3, 4], 3)
    [(3,), (4, 2, 1, 0)]
    """
    if first is None:
        order, batches = list(slices), []
    else:
        order = sorted(slices, key=lambda z: (abs(z - first), -z))
        batches = [tuple(order[:1])] if order else []
        order = order[1:]
    return batches + [tuple(order[i : i + BATCH]) for i in range(0, len(order), BATCH)]


def shows_tissue(prepared: Prepared) -> NDArray[np.bool_]:
    """Which slices differ from an empty one in any sequence, (Z,)."""
    images = prepared.slices[:, :, ::2, ::2]
    return np.asarray((images.max(axis=(2, 3)) - images.min(axis=(2, 3)) > 0.3).any(axis=1))


def taught_regions(segmenter: Segmenter, kind: str) -> tuple[str, ...]:
    """The regions that the network knows in this kind of exam, outermost first."""
    taught = segmenter.model.card.regions.get(kind, ())
    return tuple(region for region in REGIONS if region in taught)
