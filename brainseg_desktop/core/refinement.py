"""From a few strokes inside and outside to a border: a random walk that similar voxels pass on.

A walker starts at a voxel, steps to neighbours the more readily the more alike they are, and dies on its way
at a steady rate. Its chance to reach a stroke inside before it dies or meets one outside, less the chance of
the reverse, is the influence of the strokes there: 1 on strokes inside, -1 on those outside, 0 far away. It
is the solution of a screened Laplace equation (L. Grady, Random Walks for Image Segmentation, IEEE TPAMI 28,
2006, with a killing rate in the place of his prior). A voxel changes where the influence outweighs how sure
the mask was there; where no stroke reaches, nothing changes.

Chosen over geodesic distances (`skimage.graph.MCP_Geometric`, one run for each side): about three times as
fast, and a single noisy voxel does not open a path. `skimage.segmentation.random_walker` has no killing rate,
so its strokes act on the whole crop, and is slow without pyamg.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue

REACH_MM = 12.0
LEAST_REACH_MM, MOST_REACH_MM = 3.0, 30.0
# Voxels of a crop: 88 voxels a side, which takes about half a second.
MOST_VOXELS = 88**3
# The crop goes on so many reaches beyond the strokes.
_MARGIN = 2.0
# Neighbours that differ by this share of the sequences' range (5 to 95 %) pass 60 % of the walkers.
_LIKENESS = 0.05
# A stroke always reaches a little, however noisy the image.
_LEAST_PASSAGE = 1e-3
# Influence that changes a voxel of which nothing was known, and what certainty adds to it.
_LEAST_INFLUENCE, _CERTAINTY = 0.15, 0.30
# Residual, as a share of the first, at which the solver stops; and its steps at most.
_TOLERANCE, _MOST_STEPS = 2e-3, 300

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def crop_around(strokes: Box, grid: Grid, reach_mm: float = REACH_MM) -> Box | None:
    """The box in which strokes may act, or None if they lie too far apart for one refinement.

    Parameters
    ----------
    strokes : Box
        Bounding box of all strokes.
    grid : Grid
    reach_mm : float
        Nominal mm where the spacing is not known.

    Returns
    -------
    Box or None
        With a margin of twice the reach, less if that would be more than `MOST_VOXELS`; at least one voxel.
    """
    box = strokes
    for share in (1.0, 0.75, 0.5, 0.35, 0.2, 0.1, 0.0):
        margin = [max(1, round(share * _MARGIN * reach_mm / s)) for s in grid.spacing_mm]
        start = [a - m for a, m in zip(strokes.start, margin, strict=True)]
        stop = [b + m for b, m in zip(strokes.stop, margin, strict=True)]
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(grid.shape)
        if math.prod(box.shape) <= MOST_VOXELS:
            return box
    # A single long stroke on a fine slice must have its refinement all the same.
    return box if 1 in strokes.shape else None


def refine(
    images: Sequence[NDArray[Any]],
    spacing_mm: tuple[float, float, float],
    inside: Mask,
    outside: Mask,
    labels: Labels,
    tissue: Tissue,
    probability: NDArray[np.float32] | None = None,
    reach_mm: float = REACH_MM,
) -> Labels:
    """The labels of a crop after strokes for one label; pure, for a thread of its own.

    Parameters
    ----------
    images : sequence of (X, Y, Z) arrays
        The same crop of one or several sequences.
    inside, outside : (X, Y, Z) arrays of bool
        Strokes; a voxel of both is outside.
    labels : (X, Y, Z) array of uint8
        The mask now.
    tissue : Tissue
        The label that the strokes are for.
    probability : (X, Y, Z) array or None
        0..1, a network's for this label; see `probability_of`.
    reach_mm : float
        Distance over which influence falls to 1/e in even tissue.

    Returns
    -------
    (X, Y, Z) array of uint8
        What is no longer `tissue` takes the label of the nearest voxel that is another.
    """
    inside = inside & ~outside
    present = labels == tissue
    pull = influence(images, spacing_mm, inside, outside, reach_mm)
    need = _LEAST_INFLUENCE + _CERTAINTY * _certainty(present, probability)
    chosen = np.where(present, pull > -need, pull > need)
    chosen = (chosen | inside) & ~outside
    refined = labels.copy()
    refined[chosen] = tissue
    gone = present & ~chosen
    if gone.any():
        refined[gone] = _neighbours_label(present, labels, gone, spacing_mm)
    return refined


def influence(
    images: Sequence[NDArray[Any]],
    spacing_mm: tuple[float, float, float],
    inside: Mask,
    outside: Mask,
    reach_mm: float = REACH_MM,
) -> NDArray[np.float32]:
    """How strongly each voxel is drawn inside (1) or outside (-1); 0 beyond the border of the crop.

    Solves, by conjugate gradients, u / reach**2 = sum over the six neighbours of w (u' - u) / h**2 with u
    given on the strokes, h the distance of the neighbour in mm and w = exp(-d**2 / 2) for a difference d of
    intensities in units of 0.05 of the range of a sequence, root mean square over the sequences.

    Returns
    -------
    (X, Y, Z) array of float32
        In -1..1.
    """
    passages = _passages(images, inside.shape, spacing_mm)
    total = np.full(inside.shape, 1.0 / reach_mm**2, np.float32)
    for axis, passage in enumerate(passages):
        total[_part(axis, 1, None)] += passage
        total[_part(axis, None, -1)] += passage
        # Walkers that leave the crop do not come back: influence ends softly, without a cut edge.
        for end in (_part(axis, 0, 1), _part(axis, -1, None)):
            total[end] += np.float32(1.0 / spacing_mm[axis] ** 2)

    def apply(u: NDArray[np.float32]) -> NDArray[np.float32]:
        result = total * u
        for axis, passage in enumerate(passages):
            upper, lower = _part(axis, 1, None), _part(axis, None, -1)
            result[upper] -= passage * u[lower]
            result[lower] -= passage * u[upper]
        return result

    given = inside.astype(np.float32) - outside.astype(np.float32)
    free = (~(inside | outside)).astype(np.float32)
    found = np.zeros_like(given)
    rest = -apply(given) * free
    scaled = free / total * rest
    way = scaled.copy()
    norm = first = float(np.vdot(rest, scaled))
    for _ in range(_MOST_STEPS):
        if norm <= _TOLERANCE**2 * first or first == 0.0:
            break
        moved = apply(way) * free
        step = np.float32(norm / float(np.vdot(way, moved)))
        found += step * way
        rest -= step * moved
        scaled = free / total * rest
        norm, before = float(np.vdot(rest, scaled)), norm
        way *= np.float32(norm / before)
        way += scaled
    return np.clip(given + found, -1.0, 1.0, out=found)


def probability_of(
    probabilities: NDArray[np.uint8], regions: tuple[str, ...], tissue: Tissue
) -> NDArray[np.float32] | None:
    """A label's probability from those of nested regions, 0..1; None if the network does not know the label.

    Parameters
    ----------
    probabilities : (R, X, Y, Z) array of uint8
        255 is certain.
    """
    known: Mapping[str, NDArray[np.uint8]] = dict(zip(regions, probabilities, strict=True))
    outer, inner = _BETWEEN.get(tissue, ("", ""))
    if outer not in known or (inner and inner not in known):
        return None
    found = known[outer].astype(np.float32)
    if inner:
        found -= known[inner]
    return np.asarray(np.maximum(found, np.float32(0.0)) / np.float32(255.0), np.float32)


# A label is what lies in the outer region and not in the inner one.
_BETWEEN = {
    Tissue.TUMOUR: ("WT", ""),
    Tissue.OEDEMA: ("WT", "TC"),
    Tissue.NECROSIS: ("TC", "ET"),
    Tissue.ENHANCING: ("ET", ""),
}


def _certainty(present: Mask, probability: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """How sure the mask is of each voxel, 0..1.

    Where the mask differs from the network's opinion the reader has decided, and that is certain; where
    there is no network, a half.
    """
    if probability is None:
        return np.full(present.shape, 0.5, np.float32)
    agreed = present == (probability >= 0.5)
    return np.where(agreed, np.abs(2 * probability - 1), np.float32(1.0))


def _passages(
    images: Sequence[NDArray[Any]], shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> list[NDArray[np.float32]]:
    """Along each axis, how readily walkers pass between neighbours, in 1/mm2."""
    scaled = [_scaled(image) for image in images]
    passages = []
    for axis in range(3):
        one = list(shape)
        one[axis] -= 1
        difference = np.zeros(one, np.float32)
        for image in scaled:
            step = np.diff(image, axis=axis)
            difference += step * step
        difference *= np.float32(-0.5 / (_LIKENESS**2 * max(1, len(scaled))))
        np.exp(difference, out=difference)
        np.maximum(difference, np.float32(_LEAST_PASSAGE), out=difference)
        difference /= np.float32(spacing_mm[axis] ** 2)
        passages.append(difference)
    return passages


def _scaled(image: NDArray[Any]) -> NDArray[np.float32]:
    """Intensities in units of the range from 5 to 95 % of what is not background; even images become 0."""
    data = np.nan_to_num(np.asarray(image, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    shown = data[data > data.min()]
    if shown.size == 0:
        return np.zeros_like(data)
    low, high = np.percentile(shown[:: max(1, shown.size // 50_000)], (5, 95))
    if high <= low:
        low, high = float(data.min()), float(data.max())
    return (data - np.float32(low)) / np.float32(high - low)


def _neighbours_label(
    present: Mask, labels: Labels, gone: Mask, spacing_mm: tuple[float, float, float]
) -> Labels:
    """For the voxels of `gone` the label of the nearest voxel that was another; background if none was."""
    if present.all():
        return np.zeros(int(gone.sum()), np.uint8)
    places = ndimage.distance_transform_edt(
        present, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    return np.asarray(labels[tuple(axis[gone] for axis in places)])


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, slice, slice]:
    cut = [slice(None)] * 3
    cut[axis] = slice(start, stop)
    return (cut[0], cut[1], cut[2])
