"""Regions that grow from a voxel: over like intensities, over one label, or within a dab of the brush.

A region is found on a box around its seed that is enlarged only where the region touches its faces, so the
cost follows the region and not the volume, and a region that leaks is stopped before it floods the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.brush import Dab
from brainseg_desktop.core.geometry import Box

Voxel = tuple[int, int, int]
# For a box, which of its voxels a region may hold: an array of ``box.shape``.
Accept = Callable[[Box], NDArray[np.bool_]]

FACES, CORNERS = 1, 3
# The first box reaches so many voxels beyond the seed; a face that is touched moves at least half of it.
_FIRST_REACH = 12
# `ndimage.label` takes about 20 ms for a million voxels of noise, and 4 bytes for each.
MOST_BOX_VOXELS = 8_000_000
_BISECTIONS, _BISECTION_END = 6, 0.02
_SAMPLE = 500_000


@dataclass(frozen=True, slots=True)
class Growth:
    """A connected region.

    Parameters
    ----------
    box : Box
        As small as the region allows; empty if there is none.
    mask : array of bool
        Of shape ``box.shape``.
    is_whole : bool
        False where a limit stopped it: the mask is then a part.
    is_open : bool
        Whether it reaches the border of the array (of the slice, for a region in a plane).
    """

    box: Box
    mask: NDArray[np.bool_]
    is_whole: bool = True
    is_open: bool = False

    @property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.mask))


NOTHING = Growth(Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=bool))


def reach_around(
    seed: Voxel,
    shape: Voxel,
    spacing_mm: tuple[float, float, float],
    radius_mm: float,
    most_voxels: int = MOST_BOX_VOXELS,
) -> Box:
    """The box of the array within a distance of the seed, made smaller until it holds at most so many voxels.

    Parameters
    ----------
    seed, shape : voxel index and shape of the array
    spacing_mm : of the grid
    radius_mm : float
        Half of the edge of the box.
    """
    while True:
        half = [int(radius_mm / s) for s in spacing_mm]
        start = tuple(i - h for i, h in zip(seed, half, strict=True))
        stop = tuple(i + h + 1 for i, h in zip(seed, half, strict=True))
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(shape)
        if int(np.prod(box.shape, dtype=np.int64)) <= most_voxels:
            return box
        radius_mm *= 0.9


def grow(
    accept: Accept,
    seed: Voxel,
    shape: Voxel,
    *,
    plane_axis: int | None = None,
    connectivity: int = FACES,
    most_voxels: int | None = None,
    reach: Box | None = None,
    start: Box | None = None,
    stop_at_border: bool = False,
) -> Growth:
    """The accepted voxels that are connected to the seed.

    Parameters
    ----------
    accept : callable
        Which voxels of a box the region may hold. Asked again for larger boxes.
    seed : voxel index
        Inside the array; where it is not accepted there is no region.
    shape : of the array
    plane_axis : int or None
        Stay on the slice of the seed across this axis; None for three dimensions.
    connectivity : int
        `FACES`, or `CORNERS` for edges and corners too.
    most_voxels : int or None
        A region with more is not whole.
    reach : Box or None
        A region that touches its faces inside the array is not whole; None for the array.
    start : Box or None
        Where a similar region was found: begin there.
    stop_at_border : bool
        Give up (not whole, open) as soon as the border of the array is reached.

    Returns
    -------
    Growth
    """
    whole = Box((0, 0, 0), shape)
    limits = whole if reach is None else reach.clipped(shape)
    free = [True, True, True]
    if plane_axis is not None:
        limits, free[plane_axis] = _flat(limits, plane_axis, seed), False
    first = Box(
        (seed[0] - _FIRST_REACH, seed[1] - _FIRST_REACH, seed[2] - _FIRST_REACH),
        (seed[0] + _FIRST_REACH + 1, seed[1] + _FIRST_REACH + 1, seed[2] + _FIRST_REACH + 1),
    )
    box = _within(first if start is None else first.union(start), limits)
    structure = ndimage.generate_binary_structure(3, connectivity)
    while True:
        at = (seed[0] - box.start[0], seed[1] - box.start[1], seed[2] - box.start[2])
        accepted = accept(box)
        if not accepted[at]:
            return NOTHING
        numbers = ndimage.label(accepted, structure)[0]
        mask = numbers == numbers[at]
        inner = Box.of(mask)
        low = [free[a] and inner.start[a] == 0 for a in range(3)]
        high = [free[a] and inner.stop[a] == box.shape[a] for a in range(3)]
        is_open = any(
            (low[a] and box.start[a] == 0) or (high[a] and box.stop[a] == shape[a]) for a in range(3)
        )
        too_many = most_voxels is not None and np.count_nonzero(mask) > most_voxels
        larger = _enlarged(box, limits, low, high)
        if too_many or (is_open and stop_at_border):
            return tightened(box, mask, is_whole=False, is_open=is_open)
        if larger == box:
            beyond = any(
                (low[a] and box.start[a] > 0) or (high[a] and box.stop[a] < shape[a]) for a in range(3)
            )
            return tightened(box, mask, is_whole=not beyond, is_open=is_open)
        box = larger


def _flat(box: Box, axis: int, seed: Voxel) -> Box:
    start, stop = list(box.start), list(box.stop)
    start[axis], stop[axis] = seed[axis], seed[axis] + 1
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _within(box: Box, limits: Box) -> Box:
    start = [max(a, b) for a, b in zip(box.start, limits.start, strict=True)]
    stop = [min(a, b) for a, b in zip(box.stop, limits.stop, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _enlarged(box: Box, limits: Box, low: list[bool], high: list[bool]) -> Box:
    """Move the faces that are touched outwards, as far as the limits."""
    start, stop = list(box.start), list(box.stop)
    for axis in range(3):
        step = max(_FIRST_REACH, box.shape[axis] // 2)
        start[axis] -= step if low[axis] else 0
        stop[axis] += step if high[axis] else 0
    return _within(Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])), limits)


def _padded(box: Box) -> Box:
    margin = [max(2, n // 8) for n in box.shape]
    start = [a - m for a, m in zip(box.start, margin, strict=True)]
    stop = [a + m for a, m in zip(box.stop, margin, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def tightened(box: Box, mask: NDArray[np.bool_], *, is_whole: bool = True, is_open: bool = False) -> Growth:
    """The true voxels of a mask of ``box.shape``, in the smallest box that holds them."""
    inner = Box.of(mask)
    start = tuple(a + b for a, b in zip(box.start, inner.start, strict=True))
    stop = tuple(a + b for a, b in zip(box.start, inner.stop, strict=True))
    tight = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return Growth(tight, mask[inner.slices].copy(), is_whole, is_open)


def label_component(labels: NDArray[np.uint8], voxel: Voxel, plane_axis: int | None) -> Growth:
    """The connected part of the label under a voxel, corners counted as connected; or a hole of background.

    A hole is background enclosed by labels, connected by faces; not whole where it is open to the border.
    """
    value = labels[voxel]
    is_hole = value == 0
    reach = reach_around(voxel, _shape(labels), (1.0, 1.0, 1.0), max(labels.shape), 4 * MOST_BOX_VOXELS)
    return grow(
        lambda box: labels[box.slices] == value,
        voxel,
        _shape(labels),
        plane_axis=plane_axis,
        connectivity=FACES if is_hole else CORNERS,
        # One slice is never too large.
        reach=reach if plane_axis is None else None,
        stop_at_border=is_hole,
    )


def _shape(array: NDArray[Any]) -> Voxel:
    n = array.shape
    return (n[0], n[1], n[2])


# Like intensities -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Level:
    """Mean and standard deviation of the intensities around a voxel, as stored in the image."""

    mean: float
    sd: float

    def within(self, tolerance: float) -> tuple[float, float]:
        """The range of intensities at most so far from the mean."""
        return (self.mean - tolerance, self.mean + tolerance)


def level_near(values: NDArray[Any], voxel: Voxel, plane_axis: int | None = None) -> Level | None:
    """Intensities of the 3 x 3 x 3 voxels around one, or 3 x 3 in a plane; None if the voxel has no number.

    Parameters
    ----------
    values : (X, Y, Z) array
    voxel : index inside the array
    plane_axis : int or None
        The axis across the plane.
    """
    if not np.isfinite(values[voxel]):
        return None
    cut = tuple(
        slice(i, i + 1) if a == plane_axis else slice(max(0, i - 1), i + 2) for a, i in enumerate(voxel)
    )
    near = np.asarray(values[cut], dtype=np.float64)
    near = near[np.isfinite(near)]
    return Level(float(near.mean()), float(near.std()))


def connected_part(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of a 3-D mask, connected by faces, that hold a seed; both of one shape."""
    numbers, count = ndimage.label(mask)
    kept = np.zeros(count + 1, dtype=bool)
    kept[numbers[seeds]] = True
    kept[0] = False
    return np.asarray(kept[numbers])


def touching(way: Dab, box: Box) -> NDArray[np.bool_]:
    """The voxels of a dab, and those that share a face with one, as a mask of another box."""
    near = ndimage.binary_dilation(np.pad(way.mask, 1), ndimage.generate_binary_structure(3, FACES))
    wide = Box(
        (way.box.start[0] - 1, way.box.start[1] - 1, way.box.start[2] - 1),
        (way.box.stop[0] + 1, way.box.stop[1] + 1, way.box.stop[2] + 1),
    )
    mask = np.zeros(box.shape, dtype=bool)
    both = _within(wide, box)
    if not (way.box.is_empty or both.is_empty):
        mask[_inside(both, box)] = near[_inside(both, wide)]
    return mask


def _inside(part: Box, box: Box) -> tuple[slice, slice, slice]:
    """The index of a part in an array that holds a box."""
    at = [slice(a - c, b - c) for a, b, c in zip(part.start, part.stop, box.start, strict=True)]
    return (at[0], at[1], at[2])


@dataclass(frozen=True, slots=True)
class Fill:
    """A region at a tolerance.

    Parameters
    ----------
    growth : Growth
        Always whole; `NOTHING` where even the least tolerance leaks.
    tolerance : float
        The one it has, below the one asked for if that leaks.
    is_limited : bool
        Whether the tolerance asked for leaks.
    """

    growth: Growth
    tolerance: float
    is_limited: bool


class SeededRegion:
    """The region around a seed for any tolerance, each found from the ones before.

    A voxel belongs to it if its intensity is at most the tolerance from that around the seed and it is
    connected to the seed by faces of such voxels: seeded region growing with a fixed level, after Adams and
    Bischof (IEEE PAMI 16, 1994) as ITK's ConnectedThreshold has it. So a larger tolerance never takes
    voxels away.

    Parameters
    ----------
    values : (X, Y, Z) array
    seed : index inside the array
    level : Level
    plane_axis : int or None
        Stay on the slice of the seed across this axis.
    permitted : callable or None
        The region does not grow through voxels that this forbids.
    most_voxels : int
        A larger region is a leak.
    reach : Box
        A region that touches its faces is a leak too.
    """

    def __init__(
        self,
        values: NDArray[Any],
        seed: Voxel,
        level: Level,
        *,
        plane_axis: int | None = None,
        permitted: Accept | None = None,
        most_voxels: int | None = None,
        reach: Box | None = None,
    ) -> None:
        self._values, self._seed, self._level = values, seed, level
        self._plane_axis, self._permitted = plane_axis, permitted
        self._most_voxels, self._reach = most_voxels, reach
        self._start: Box | None = None
        self._best = Fill(NOTHING, 0.0, True)
        self._leaks_at = np.inf

    def at(self, tolerance: float) -> Fill:
        """The region at a tolerance, or at the largest known to be below a leak."""
        if tolerance < self._leaks_at:
            found = self._grown(tolerance)
            if found is not None:
                return found
        # Between what is known to hold and what is known to leak.
        for _ in range(_BISECTIONS):
            low, high = self._best.tolerance, self._leaks_at
            if high - low <= _BISECTION_END * high:
                break
            self._grown((low + high) / 2)
        best = self._best
        return Fill(best.growth, best.tolerance, True)

    def _grown(self, tolerance: float) -> Fill | None:
        low, high = self._level.within(tolerance)

        def accept(box: Box) -> NDArray[np.bool_]:
            values = self._values[box.slices]
            accepted = (values >= low) & (values <= high)
            at = tuple(i - b for i, b in zip(self._seed, box.start, strict=True))
            # What was clicked is meant, however noisy.
            accepted[at] = True
            if self._permitted is not None:
                accepted &= self._permitted(box)
            return np.asarray(accepted)

        growth = grow(
            accept,
            self._seed,
            _shape(self._values),
            plane_axis=self._plane_axis,
            most_voxels=self._most_voxels,
            reach=self._reach,
            start=self._start,
        )
        if not growth.is_whole:
            self._leaks_at = min(self._leaks_at, tolerance)
            return None
        found = Fill(growth, tolerance, False)
        # With a margin, or the next larger region would touch its faces at once.
        self._start = _padded(growth.box)
        if tolerance >= self._best.tolerance:
            self._best = found
        return found


# A range of intensities inside a box ----------------------------------------------------------------


def otsu_threshold(values: NDArray[Any]) -> float:
    """The value that parts a sample best into dark and bright (Otsu, IEEE SMC 9, 1979).

    The extreme 0.5 % on both sides are moved in, as a single vessel would widen all bins.

    Parameters
    ----------
    values : array of finite numbers, not empty
    """
    sample = np.asarray(values, dtype=np.float64).ravel()
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    if not high > low:
        return low
    counts, edges = np.histogram(np.clip(sample, low, high), bins=256, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    sums = np.cumsum(counts * centres)
    mean_below = sums[:-1] / below
    mean_above = (sums[-1] - sums[:-1]) / above
    best = int(np.argmax(below * above * (mean_below - mean_above) ** 2))
    return float(edges[best + 1])


def lesion_range(values: NDArray[Any], background: float) -> tuple[float, float] | None:
    """The range of what looks like the lesion in a box drawn around it; None where the box has no image.

    Otsu's threshold parts dark and bright; the one of which there is more in the middle of the box than in
    all of it is the lesion (a dark one in T1, a bright one in FLAIR).

    Parameters
    ----------
    values : (x, y, z) array
        The box.
    background : float
        The value around the head, left out.

    Returns
    -------
    tuple of float or None
        Lower and upper end, both inside; one of them is infinite.
    """
    step = max(1, round((values.size / _SAMPLE) ** (1 / 3)))
    steps = tuple(slice(None, None, step if n > step else 1) for n in values.shape)
    sample = np.asarray(values[steps], dtype=np.float64)
    image = np.isfinite(sample) & (sample != background)
    if not image.any():
        return None
    threshold = otsu_threshold(sample[image])
    bright = sample >= threshold
    middle = tuple(slice(n // 4, n - n // 4) for n in sample.shape)
    in_middle = image[middle]
    share = float(bright[image].mean())
    middle_share = float(bright[middle][in_middle].mean()) if in_middle.any() else share
    return (threshold, np.inf) if middle_share >= share else (-np.inf, threshold)


def extent(values: NDArray[Any], background: float) -> tuple[float, float] | None:
    """The smallest and the largest finite value that is not background; None where there is none."""
    image = values[np.isfinite(values) & (values != background)]
    return (float(image.min()), float(image.max())) if image.size else None
