"""Whether an exam shows the whole head or a brain whose skull was removed, told from the images alone.

Two signs must agree. Outside a stripped brain every voxel holds exactly the background value, while scanners
leave noise, and a thin scalp, around a head. And from the outline inwards a stripped brain keeps about one
brightness, while a head shows bright scalp, then the dark ring of the skull.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.inference.background import Background, find_background

Name = TypeVar("Name", bound=str)

KINDS = ("whole_head", "skull_stripped")
# Name of the one channel of an exam that is a picture and no sequence.
PICTURE = "image"
# Measured on 88 whole heads and 8 stripped brains, also in shifted and z-scored form: `exact` is at most 0.91
# and at least 0.99, `evenness` at most 0.6 in heads on a clean background, at least 0.8 in stripped brains.
LEAST_EXACT = 0.955
LEAST_EVENNESS = 0.65

# Depth below the outline, as shares of the radius of a disc of the head's area.
SCALP, SKULL = (0.02, 0.14), (0.10, 0.22)
RING = 0.04
CORE = 0.35


@dataclass(frozen=True, slots=True)
class Signs:
    """What one sequence tells: shares and a ratio, all without unit.

    Parameters
    ----------
    exact : float
        Share of the voxels outside the outline that hold the background value.
    evenness : float
        Darkest ring at the depth of the skull over the brightest ring at the depth of the scalp.
    """

    exact: float
    evenness: float


def detect_kind(volumes: Mapping[Name, NDArray[np.generic]]) -> str:
    """One of `KINDS`, from whatever sequences there are; whole head where nothing can be told.

    A picture's greys are not those of any sequence, and its margins may be anything: nothing is told from it.
    """
    signs = [s for name, data in volumes.items() if name != PICTURE and (s := read_signs(data)) is not None]
    if not signs:
        return KINDS[0]
    exact = float(np.mean([s.exact for s in signs]))
    evenness = float(np.mean([s.evenness for s in signs]))
    return KINDS[int(exact >= LEAST_EXACT and evenness >= LEAST_EVENNESS)]


def read_signs(data: NDArray[np.generic]) -> Signs | None:
    """Median signs of nine slices above the middle of a volume (X, Y, Z); None if none shows a head."""
    background = find_background(data)
    depth = data.shape[2]
    chosen = np.unique(np.linspace(0.4 * depth, 0.8 * depth, 9).astype(int).clip(0, depth - 1))
    found = [s for z in chosen if (s := _read_slice(data[::2, ::2, z], background)) is not None]
    if not found:
        return None
    return Signs(float(np.median([s.exact for s in found])), float(np.median([s.evenness for s in found])))


def _read_slice(data: NDArray[np.generic], background: Background) -> Signs | None:
    image = data.astype(np.float32)
    image[~np.isfinite(image)] = background.value
    head = _outline(image, background)
    if head.sum() < 400:
        return None
    depth = ndimage.distance_transform_edt(head) / np.sqrt(head.sum() / np.pi)
    # With tissue on both sides of the background brightness is counted from the darkest tissue.
    floor = float(np.percentile(image[head], 1)) if background.both_sides else background.value
    core = float(np.median(image[depth > CORE])) - floor
    if core <= 0:
        return None
    rings = {at: float(np.median(image[ring])) - floor for at in _steps() if (ring := _ring(depth, at)).any()}
    scalp = [v for at, v in rings.items() if SCALP[0] <= at < SCALP[1] - 1e-6]
    skull = [v for at, v in rings.items() if SKULL[0] <= at < SKULL[1] - 1e-6]
    if not scalp or not skull or max(scalp) <= 0:
        return None
    outside = ~ndimage.binary_dilation(head, iterations=3)
    same = np.abs(image[outside] - background.value) <= 1e-3 * core
    return Signs(float(same.mean()) if same.size else 0.0, min(skull) / max(scalp))


def _outline(image: NDArray[np.float32], background: Background) -> NDArray[np.bool_]:
    """The largest bright thing in a slice, its holes filled."""
    if background.both_sides:
        bright = background.foreground(image)
    else:
        above = image - background.value
        bright = above > max(0.15 * float(np.percentile(above, 98)), background.tolerance)
    labels, count = ndimage.label(ndimage.binary_opening(bright))
    if count == 0:
        return np.zeros(image.shape, bool)
    largest = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    closed = ndimage.binary_closing(np.pad(largest, 8), iterations=8)
    return np.asarray(ndimage.binary_fill_holes(closed)[8:-8, 8:-8])


def _steps() -> list[float]:
    return [round(float(a), 2) for a in np.arange(SCALP[0], SKULL[1], RING)]


def _ring(depth: NDArray[np.floating], at: float) -> NDArray[np.bool_]:
    return np.asarray((depth > at) & (depth <= at + RING))
