"""Whole-label tools that move a border: grow, shrink, smooth. Pure: labels in, a proposed change out.

Distances are those between voxel centres, in mm along the axes of the grid, so anisotropic grids are exact.
What lies beyond the edge of the array is unknown: a label cut by it is neither shrunk nor smoothed from
there. A voxel that a label gives up becomes what is nearest to it, background or another label: shrinking the
enhancing rim must leave no gap between it and the oedema.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Kept = frozenset[Tissue]

NONE_KEPT: Kept = frozenset()
# Half a micrometre: 1 mm voxels with a rounding error in the header are 1 mm apart.
_ROUNDING_MM = 5e-4
# Distances are worked out in tiles of at least so many voxels, and so many times their margin, along an axis:
# a lesion with a few specks far away costs no more than its parts, and memory stays bounded.
_TILE_VOXELS, _TILE_MARGINS = 64, 5
# The Gaussian is cut off at this many standard deviations.
_TRUNCATE = 4.0
_UNREACHED = 255


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """New labels that a tool proposes for a box; outside of it nothing changes.

    Parameters
    ----------
    box : Box
        Inside the array; the smallest that holds every voxel that differs.
    labels : array of uint8
        `Tissue` values, of shape ``box.shape``.
    """

    box: Box
    labels: Labels


def grow(labels: Labels, tissue: Tissue, grid: Grid, mm: float) -> Change | None:
    """Add every voxel within a distance of a label to it, also where other labels are.

    Which of them may go is for the constraints to say.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    grid : Grid
    mm : float
        Largest distance of a voxel's centre from that of a voxel of the label.

    Returns
    -------
    Change or None
        None where nothing changes: there is no such label, or `mm` is less than a voxel.
    """
    crop = _around(labels, tissue, grid, mm)
    if crop.is_empty or mm <= 0:
        return None
    before = labels[crop.slices]
    mask = before == tissue
    reached = _nearest(~mask, mask, before, mm, grid.spacing_mm) != _UNREACHED
    return proposal(labels, crop, np.where(reached, np.uint8(tissue), before))


def shrink(labels: Labels, tissue: Tissue, grid: Grid, mm: float, kept: Kept = NONE_KEPT) -> Change | None:
    """Take every voxel of a label within a distance of what is not the label from it.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    grid : Grid
    mm : float
        Voxels whose centre is at most so far from that of a voxel outside are given up.
    kept : frozenset of Tissue
        Labels that stay as they are: the border against them does not move.

    Returns
    -------
    Change or None
    """
    crop = _around(labels, tissue, grid, mm)
    if crop.is_empty or mm <= 0:
        return None
    before = labels[crop.slices]
    mask = before == tissue
    nearest = _nearest(mask, ~mask & ~among(before, kept), before, mm, grid.spacing_mm)
    return proposal(labels, crop, np.where(nearest != _UNREACHED, nearest, before))


def smooth(labels: Labels, tissue: Tissue, grid: Grid, mm: float, kept: Kept = NONE_KEPT) -> Change | None:
    """Round off a label's border without changing its volume.

    The label is blurred by a Gaussian, and as many voxels as it had are taken, the highest first; a plain
    threshold of one half would take thin parts away and shrink all that is convex. Labels that stay as they
    are count as neither inside nor outside (Knutsson and Westin 1993, normalised convolution), so the border
    against them does not move the rest.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    grid : Grid
    mm : float
        Standard deviation of the Gaussian.
    kept : frozenset of Tissue
        Labels that neither lose nor gain a voxel.

    Returns
    -------
    Change or None
        The volume is the same up to voxels of exactly equal rank.
    """
    reach_mm = _TRUNCATE * mm
    crop = _around(labels, tissue, grid, reach_mm)
    if crop.is_empty or mm <= 0:
        return None
    before = labels[crop.slices]
    mask = before == tissue
    after = _highest(_blurred(mask, ~among(before, kept), grid, mm), int(np.count_nonzero(mask)))
    lost = mask & ~after
    sources = ~mask & ~among(before, kept)
    nearest = _nearest(lost, sources, before, reach_mm + max(grid.spacing_mm), grid.spacing_mm)
    new = np.where(nearest != _UNREACHED, nearest, before)
    new[after] = tissue
    return proposal(labels, crop, new)


def proposal(labels: Labels, crop: Box, new: Labels) -> Change | None:
    """The change from `labels` to `new` (of ``crop.shape``) in the smallest box; None if there is none."""
    box = Box.of(labels[crop.slices] != new)
    if box.is_empty:
        return None
    return Change(moved(box, crop.start), np.array(new[box.slices]))


def moved(box: Box, by: tuple[int, int, int]) -> Box:
    """A box moved by so many voxels: from its place in a crop to that in the array."""
    a, b = box
    return Box((a[0] + by[0], a[1] + by[1], a[2] + by[2]), (b[0] + by[0], b[1] + by[1], b[2] + by[2]))


def among(labels: Labels, tissues: Kept) -> Mask:
    """Where labels are one of the tissues; same shape as `labels`."""
    table = np.zeros(256, dtype=bool)
    table[[int(t) for t in tissues]] = True
    return np.asarray(table[labels])


def widened(box: Box, margin: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
    """A box with a margin on each side, inside an array of `shape`; an empty one stays empty."""
    if box.is_empty:
        return box
    start = (box.start[0] - margin[0], box.start[1] - margin[1], box.start[2] - margin[2])
    stop = (box.stop[0] + margin[0], box.stop[1] + margin[1], box.stop[2] + margin[2])
    return Box(start, stop).clipped((shape[0], shape[1], shape[2]))


def _around(labels: Labels, tissue: Tissue, grid: Grid, mm: float) -> Box:
    """The box of a label and what lies within `mm` of it."""
    return widened(Box.of(labels == tissue), _voxels(mm, grid.spacing_mm), labels.shape)


def _voxels(mm: float, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """At least as many voxels as a distance reaches along each axis."""
    x, y, z = (math.floor((mm + _ROUNDING_MM) / s) + 1 for s in spacing_mm)
    return (x, y, z)


def _nearest(
    targets: Mask, sources: Mask, labels: Labels, mm: float, spacing_mm: tuple[float, float, float]
) -> Labels:
    """For each target the label of its nearest source, 255 where none lies within `mm`; all of one shape."""
    found = np.full(targets.shape, _UNREACHED, dtype=np.uint8)
    margin = _voxels(mm, spacing_mm)
    for tile in _tiles(targets, margin):
        wide = widened(tile, margin, targets.shape)
        if not sources[wide.slices].any():
            continue
        # For every voxel the index of its nearest source, (3, X, Y, Z).
        source = ndimage.distance_transform_edt(
            ~sources[wide.slices], sampling=spacing_mm, return_distances=False, return_indices=True
        )
        inner = tuple(slice(a - c, b - c) for a, b, c in zip(tile.start, tile.stop, wide.start, strict=True))
        source = source[(slice(None), *inner)]
        squared = np.zeros(tile.shape, dtype=np.float32)
        for axis in range(3):
            place = np.arange(inner[axis].start, inner[axis].stop, dtype=np.int32)
            place = place.reshape([-1 if a == axis else 1 for a in range(3)])
            squared += ((source[axis] - place) * np.float32(spacing_mm[axis])) ** 2
        reached = targets[tile.slices] & (squared <= (mm + _ROUNDING_MM) ** 2)
        x, y, z = (source[axis][reached] for axis in range(3))
        found[tile.slices][reached] = labels[wide.slices][x, y, z]
    return found


def _tiles(mask: Mask, margin: tuple[int, int, int]) -> Iterator[Box]:
    """Boxes that hold all true voxels, each small enough to be worked on at once with its margin."""
    whole = Box.of(mask)
    sides = [max(_TILE_VOXELS, _TILE_MARGINS * m) for m in margin]
    firsts = (range(a, b, side) for a, b, side in zip(whole.start, whole.stop, sides, strict=True))
    for x, y, z in product(*firsts):
        tile = Box((x, y, z), (x + sides[0], y + sides[1], z + sides[2])).clipped(whole.stop)
        part = Box.of(mask[tile.slices])
        if not part.is_empty:
            yield moved(part, tile.start)


def _blurred(mask: Mask, counted: Mask, grid: Grid, mm: float) -> NDArray[np.float32]:
    """The share of a mask among the voxels counted, under a Gaussian; 0 where a voxel is not counted."""
    sigma = [mm / s for s in grid.spacing_mm]

    def blur(of: Mask) -> NDArray[np.float32]:
        return np.asarray(
            ndimage.gaussian_filter(of, sigma, output=np.float32, mode="nearest", truncate=_TRUNCATE)
        )

    share = blur(mask)
    if not counted.all():
        weight = blur(counted)
        # A voxel counted weighs something itself, so this divides by 0 only where it is not.
        np.divide(share, weight, out=share, where=counted)
        share[~counted] = 0.0
    return share


def _highest(values: NDArray[np.float32], count: int) -> Mask:
    """The `count` highest of the values above 0; of equal ones all or none, whichever is closer."""
    positive = values[values > 0]
    if positive.size <= count:
        return np.asarray(values > 0)
    rank = positive.size - count
    threshold = np.partition(positive, rank)[rank]
    more, fewer = values >= threshold, values > threshold
    too_many = int(np.count_nonzero(more)) - count
    return np.asarray(more if too_many <= count - int(np.count_nonzero(fewer)) else fewer)
