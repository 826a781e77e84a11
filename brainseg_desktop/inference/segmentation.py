"""Runs a network over an exam: the slice being looked at first, the others outward from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import ModelCard, NetworkCard
from brainseg_desktop.inference.kinds import KINDS
from brainseg_desktop.inference.postprocess import clean, label_tissues, uncertainty
from brainseg_desktop.inference.preprocess import (
    Name,
    Prepared,
    prepare,
    recognise_kind,
    to_native,
    with_context,
)
from brainseg_desktop.inference.segmenter import Prediction, Segmenter

BATCH = 6
# Exams of at most so many slices are seen a second time, mirrored; a larger one would take too long on a CPU.
MIRRORED_SLICES = 90
# A slice that spans less than this share of what the exam spans shows nothing.
EMPTY_SHARE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class SliceResult:
    """Probabilities (R, X, Y, n) uint8 of n slices, and their z positions."""

    z: tuple[int, ...]
    probabilities: NDArray[np.uint8]


def network_for(card: ModelCard, kind: str) -> NetworkCard:
    """The network for a kind of exam.

    Raises
    ------
    UserError
        ``network_for_heads_only``, ``network_for_stripped_only`` (param ``name``).
    """
    network = card.network_for(kind)
    if network is not None:
        return network
    if kind == KINDS[0]:
        raise UserError("network_for_stripped_only", name=card.name)
    raise UserError("network_for_heads_only", name=card.name)


def prepare_for(
    card: ModelCard,
    volumes: Mapping[Name, NDArray[np.generic]],
    spacing_mm: tuple[float, float] | None,
    kind: str | None = None,
) -> tuple[NetworkCard, Prepared]:
    """Choose the network for an exam and prepare the exam for it; see `prepare` for the parameters.

    Raises
    ------
    UserError
        Those of `network_for` and `prepare`.
    """
    kind = kind or recognise_kind(volumes)
    network = network_for(card, kind)
    return network, prepare(volumes, spacing_mm, network.preparation, kind)


def segment(
    segmenter: Segmenter,
    volumes: Mapping[Name, NDArray[np.generic]],
    spacing_mm: tuple[float, float] | None,
    kind: str | None = None,
) -> Prediction:
    """Segment a whole exam; see `prepare_for` for the parameters."""
    network, prepared = prepare_for(segmenter.model.card, volumes, spacing_mm, kind)
    probabilities = np.zeros((len(network.regions), *prepared.frame.native_shape), np.uint8)
    for result in segment_slices(segmenter, network, prepared, None):
        probabilities[..., list(result.z)] = result.probabilities
    return finish(probabilities, network, prepared.kind)


def finish(probabilities: NDArray[np.uint8], network: NetworkCard, kind: str) -> Prediction:
    """What a complete set of probabilities comes to, after the network's own clean-up."""
    labels = label_tissues(probabilities, network.regions, network.postprocess)
    return Prediction(
        probabilities, network.regions, kind, clean(labels, network.postprocess), uncertainty(probabilities)
    )


def segment_slices(
    segmenter: Segmenter, network: NetworkCard, prepared: Prepared, first: int | None
) -> Iterator[SliceResult]:
    """Segment the slices one batch after the other.

    Parameters
    ----------
    network : NetworkCard
        That the exam was prepared for.
    first : int or None
        Slice to begin with, alone, so that it is there at once; None for no preference.

    Yields
    ------
    SliceResult
        Each slice of the exam once.
    """
    shown = shows_tissue(prepared)
    empty = tuple(int(z) for z in np.flatnonzero(~shown))
    mirrored = network.mirrored and shown.sum() <= MIRRORED_SLICES
    predict = predict_mirrored if mirrored else predict_once
    for z in order_slices(np.flatnonzero(shown).tolist(), first):
        slices = with_context(prepared.slices, z, network.preparation.context)
        native = to_native(predict(segmenter, slices, prepared.kind), prepared.frame)
        yield SliceResult(z, np.rint(native.clip(0, 1) * 255).astype(np.uint8))
    if empty:
        shape = (len(network.regions), *prepared.frame.native_shape[:2], len(empty))
        yield SliceResult(empty, np.zeros(shape, np.uint8))


def predict_once(segmenter: Segmenter, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """What the network says of the slices, (N, R, H, W)."""
    return segmenter.predict(slices, kind)


def predict_mirrored(segmenter: Segmenter, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Mean of what the network says of the slices and of their left-right mirror images, (N, R, H, W)."""
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
    highest, lowest = images.max(axis=(2, 3)), images.min(axis=(2, 3))
    spans = highest.max(axis=0) - lowest.min(axis=0)
    return np.asarray((highest - lowest > EMPTY_SHARE * spans).any(axis=1))
