"""Where a network was unsure over more than a thin edge: the places worth a second look, worst first.

A network is always unsure along every border it draws, so a plain threshold gives one shell round the whole
tumour. `doubtful_regions` drops what is thin and cuts what is long, and gives a list short enough to
go through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue

FULL_BIT = 255
THRESHOLD_BITS = 0.5
SMALLEST_ML = 0.05
# A shell that is no thicker than twice this counts as the edge of something drawn.
EDGE_MM = 2.0
# A separate spot below this volume is kept however thin it is: it may be a second lesion.
SPOT_ML = 1.0
# Doubt is gathered over about this distance to find where it is densest ...
GATHER_MM = 3.0
# ... and two such places closer than this are one.
APART_MM = 20.0
# More places of one piece are not told apart: a network unsure of the whole head has none to single out.
MOST_PEAKS = 30
MOST = 15

_TOUCHING = np.ones((3, 3, 3), dtype=bool)
# Stands for a distance that never counts, e.g. between slices whose thickness no file tells.
_FAR = 1e4

Mask = NDArray[np.bool_]
Points = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class DoubtfulRegion:
    """A place where a network was unsure.

    Parameters
    ----------
    centre : (int, int, int)
        The voxel of the region round which doubt is densest.
    box : Box
        Bounding box.
    volume_ml : float or None
        None where the spacing is not known.
    mean_bits : float
        Mean uncertainty of its voxels, 0..1 bit.
    voxels : int
    tissue : Tissue or None
        What most of it is drawn as (background: not drawn); None if no labels were given.
    mask : array of bool of ``box.shape``, or None
        Its voxels; None where a region was made without them.
    """

    centre: tuple[int, int, int]
    box: Box
    volume_ml: float | None
    mean_bits: float
    voxels: int
    tissue: Tissue | None = None
    mask: Mask | None = field(default=None, compare=False, repr=False)

    @property
    def doubt(self) -> float:
        """What regions are ranked by: bits summed over the voxels; a voxel's volume is the same for all."""
        return self.mean_bits * self.voxels


def doubtful_regions(
    uncertainty: NDArray[np.uint8],
    grid: Grid,
    *,
    threshold_bits: float = THRESHOLD_BITS,
    smallest_ml: float = SMALLEST_ML,
    most: int = MOST,
    labels: NDArray[np.uint8] | None = None,
) -> tuple[DoubtfulRegion, ...]:
    """The places where a network was unsure, the largest volume of doubt first.

    A voxel counts from `threshold_bits` on. At 0.5 bit that is everything to which the network gives a chance
    between 11 and 89 %. On BraTS2021_00006 this alone is one shell of 77 mL, so

    1. what is thinner than about 5 mm is dropped (opening by a ball of `EDGE_MM`): the ordinary edge of
       something drawn. A separate spot (26-connected) of less than `SPOT_ML` stays whole, however thin;
    2. a large piece is cut between the places where doubt is densest (Gaussian mean of `GATHER_MM`, at least
       `APART_MM` apart; each voxel goes to the nearest), so that every entry is a place to look at;
    3. parts below `smallest_ml` are left out, and no more than `most` are returned.

    Parameters
    ----------
    uncertainty : (X, Y, Z) array of uint8
        255 = 1 bit.
    grid : Grid
        Of `uncertainty`. Without known spacing a voxel counts as 1 mm wide and 1 mm3, and an edge is judged
        within each axial slice alone, since slices may be any distance apart.
    threshold_bits : float
    smallest_ml : float
    most : int
    labels : (X, Y, Z) array of uint8, optional
        `Tissue` values, to tell what a region is drawn as.

    Returns
    -------
    tuple of DoubtfulRegion
        Ranked by summed bits times voxel volume.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if uncertainty.shape != grid.shape or (labels is not None and labels.shape != grid.shape):
        raise ValueError("uncertainty and labels must lie on the grid")
    outer = _crop(uncertainty, threshold_bits)
    if outer.is_empty:
        return ()
    spacing = grid.spacing_mm if grid.spacing_known else (1.0, 1.0, 1.0)
    voxel_ml = grid.voxel_volume_ml if grid.spacing_known else 0.001
    bits = uncertainty[outer.slices].astype(np.float32) / FULL_BIT
    doubtful = uncertainty[outer.slices] >= _least(threshold_bits)
    thickness = spacing if grid.spacing_known else (1.0, 1.0, _FAR)
    kept = _without_edges(doubtful, thickness, SPOT_ML / voxel_ml)
    sigma = [GATHER_MM / s for s in spacing]
    # The middle of a thick place is denser than its rim even where all of it is at 1 bit.
    dense = ndimage.gaussian_filter(np.where(doubtful, bits, np.float32(0)), sigma, truncate=2.0)
    found = []
    for points in _parts(kept, dense, spacing):
        if len(points) * voxel_ml < smallest_ml:
            continue
        where = tuple(points.T)
        middle = points[int(np.argmax(dense[where]))] + outer.start
        low, high = points.min(axis=0) + outer.start, points.max(axis=0) + outer.start + 1
        mask = np.zeros(high - low, dtype=bool)
        mask[tuple((points + outer.start - low).T)] = True
        found.append(
            DoubtfulRegion(
                (int(middle[0]), int(middle[1]), int(middle[2])),
                Box((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))),
                len(points) * voxel_ml if grid.spacing_known else None,
                float(bits[where].mean(dtype=np.float64)),
                len(points),
                None if labels is None else _most_common(labels[outer.slices][where]),
                mask,
            )
        )
    found.sort(key=lambda region: (-region.doubt, region.centre))
    return tuple(found[:most])


def _crop(uncertainty: NDArray[np.uint8], threshold_bits: float) -> Box:
    """Box of what counts, with one voxel round it where the array goes on."""
    # Compared as whole numbers: a float copy of the whole array would take longer than all the rest.
    start, stop = Box.of(uncertainty >= _least(threshold_bits))
    if Box(start, stop).is_empty:
        return Box(start, stop)
    wide = Box(
        (start[0] - 1, start[1] - 1, start[2] - 1),
        (stop[0] + 1, stop[1] + 1, stop[2] + 1),
    )
    return wide.clipped((uncertainty.shape[0], uncertainty.shape[1], uncertainty.shape[2]))


def _least(threshold_bits: float) -> int:
    """The smallest stored value that counts."""
    return int(np.ceil(threshold_bits * FULL_BIT))


def _without_edges(mask: Mask, spacing: tuple[float, float, float], spot_voxels: float) -> Mask:
    """Opening by a ball of `EDGE_MM` (at least one voxel), and the small spots that it would lose whole."""
    radius = max(EDGE_MM, min(spacing))
    # Dilation of the core is erosion of what is not core.
    thick = ~_eroded(~_eroded(mask, spacing, radius), spacing, radius)
    pieces, count = ndimage.label(mask, _TOUCHING)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    spots = sizes < spot_voxels
    spots[0] = False
    return np.asarray(thick | spots[pieces])


def _eroded(mask: Mask, spacing: tuple[float, float, float], radius_mm: float) -> Mask:
    """Voxels whose whole ball of `radius_mm` is in the mask; beyond the array everything counts as in it.

    Shifted copies are several times faster than two distance transforms for so small a ball.
    """
    slack = 1e-6  # A spacing of 0.9999999 is 1.
    reach = [int((radius_mm + slack) / s) for s in spacing]
    runs = [mask]  # runs[h]: all of the 2 h + 1 voxels along the last axis are in the mask.
    for half in range(1, reach[2] + 1):
        run = runs[-1].copy()
        run[:, :, half:] &= mask[:, :, :-half]
        run[:, :, :-half] &= mask[:, :, half:]
        runs.append(run)
    result = runs[-1].copy()
    for i in range(-reach[0], reach[0] + 1):
        for j in range(-reach[1], reach[1] + 1):
            left = (radius_mm + slack) ** 2 - (i * spacing[0]) ** 2 - (j * spacing[1]) ** 2
            if left >= 0:
                run = runs[min(reach[2], int(left**0.5 / spacing[2]))]
                here, there = _overlap(i, mask.shape[0]), _overlap(-i, mask.shape[0])
                along, across = _overlap(j, mask.shape[1]), _overlap(-j, mask.shape[1])
                result[here, along] &= run[there, across]
    return result


def _overlap(shift: int, n: int) -> slice:
    """The part of an axis of `n` that a copy moved by `shift` covers."""
    return slice(max(0, min(n, shift)), max(0, min(n, n + shift)))


def _parts(kept: Mask, dense: NDArray[np.float32], spacing: tuple[float, float, float]) -> Iterator[Points]:
    """The connected pieces, the long ones cut; each as (N, 3) voxel indices."""
    near = tuple(1 + 2 * max(1, round(GATHER_MM / s)) for s in spacing)
    tops = dense >= ndimage.maximum_filter(dense, size=near)
    pieces, _ = ndimage.label(kept, _TOUCHING)
    for number, place in enumerate(ndimage.find_objects(pieces), start=1):
        start = np.array([s.start for s in place])
        points = np.argwhere(pieces[place] == number) + start
        where = tuple(points.T)
        peaks = _peaks(points, dense[where], tops[where], spacing)
        if len(peaks) == 1:
            yield points
            continue
        nearest = _nearest(points * np.array(spacing, np.float32), peaks)
        for cell in range(len(peaks)):
            yield from _connected(points[nearest == cell])


def _peaks(
    points: Points, dense: NDArray[np.float32], tops: Mask, spacing: tuple[float, float, float]
) -> list[int]:
    """Numbers of the points where doubt is densest, at least `APART_MM` from each other; one at least."""
    first = int(np.argmax(dense))
    candidates = np.flatnonzero(tops)
    order = np.concatenate([[first], candidates[np.argsort(-dense[candidates], kind="stable")]])
    scaled = (points * np.array(spacing))[order]
    # A plateau of equal doubt is one top after another: what is near a chosen one is left out all at once.
    free = np.ones(len(order), dtype=bool)
    chosen: list[int] = []
    while free.any() and len(chosen) < MOST_PEAKS:
        place = int(free.argmax())
        chosen.append(int(order[place]))
        free &= ((scaled - scaled[place]) ** 2).sum(axis=1) >= APART_MM**2
    return chosen


def _nearest(scaled: NDArray[np.float32], peaks: list[int]) -> NDArray[np.intp]:
    """Which peak each point, in mm, is nearest to; one peak at a time, as pieces may be whole heads."""
    nearest = np.zeros(len(scaled), np.intp)
    least = np.full(len(scaled), np.inf, np.float32)
    for cell, peak in enumerate(peaks):
        distance = ((scaled - scaled[peak]) ** 2).sum(axis=1)
        closer = distance < least
        nearest[closer] = cell
        least[closer] = distance[closer]
    return nearest


def _connected(points: Points) -> Iterator[Points]:
    """The 26-connected pieces of a set of voxels: a straight cut can part a bent region in three."""
    start = points.min(axis=0)
    mask = np.zeros(points.max(axis=0) - start + 1, dtype=bool)
    mask[tuple((points - start).T)] = True
    pieces, count = ndimage.label(mask, _TOUCHING)
    numbers = pieces[tuple((points - start).T)]
    for number in range(1, count + 1):
        yield points[numbers == number]


def _most_common(tissues: NDArray[np.uint8]) -> Tissue:
    return Tissue(int(np.bincount(tissues, minlength=1).argmax()))
