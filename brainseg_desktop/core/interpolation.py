"""Shape-based interpolation: what lies between slices that were drawn by hand.

A reader draws a label on every tenth slice, of any plane, and perhaps some of it in another plane too. The
slices between are filled by going over from one drawn shape to the next (Raya and Udupa 1990, "Shape-based
interpolation of multidimensional objects", IEEE Trans Med Imaging 9(1)): the signed distance to the outline
changes linearly. A shape that has moved sideways is moved along, so that a shifted disc stays a disc.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue

# Outlines are one piece also where they touch at a corner only.
_CONNECTED_8 = np.ones((3, 3), dtype=bool)
# A slice with more pieces than this is noise, not drawn: its pieces are not matched one by one.
_MOST_PIECES = 32

Mask = NDArray[np.bool_]
_Flat = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interpolated:
    """Voxels proposed between drawn slices.

    Parameters
    ----------
    box : Box
    mask : array of bool
        Of ``box.shape``; only voxels that do not have the label yet.
    axis : int
        Across the drawn slices.
    slices : tuple of int
        Slices along `axis` on which something is proposed, ascending.
    """

    box: Box
    mask: Mask
    axis: int
    slices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The slices drawn across one axis, and what speaks for this axis."""

    axis: int
    slices: NDArray[np.int64]
    weight: float

    @property
    def has_gaps(self) -> bool:
        return len(self.slices) > 1 and bool((np.diff(self.slices) > 1).any())


def interpolate(
    labels: NDArray[np.uint8], tissue: Tissue, grid: Grid, axis: int | None = None
) -> Interpolated | None:
    """Fill the empty slices between slices on which a label is drawn.

    Of contours on several axes those of one axis are gone over; the others are left as they are and do not
    count as drawn on the slices they merely cross. The axis, unless given, is the one with the largest sum of
    squares of drawn area, i.e. (total area in mm2) squared by the number of drawn slices: many whole contours
    beat few, and few large contours beat the many thin cuts through contours of another axis.

    Pieces of two neighbouring drawn slices belong together where they overlap, or where the way from one to
    the other is no flatter than 45 degrees. A piece that belongs to none ends where it was drawn.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    grid : Grid
        Its spacing gives the distances.
    axis : int or None
        Across the slices to interpolate; None to find it.

    Returns
    -------
    Interpolated or None
        None if there is no empty slice between two drawn ones, or nothing on them belongs together.

    Examples
    --------
    >>> labels = np.zeros((9, 9, 5), np.uint8)
    >>> labels[2:7, 2:7, 0] = labels[2:7, 2:7, 4] = Tissue.OEDEMA
    >>> found = interpolate(labels, Tissue.OEDEMA, Grid(labels.shape, np.eye(4)))
    >>> found.axis, found.slices, int(found.mask.sum())
    (2, (1, 2, 3), 75)
    """
    whole = labels == tissue
    box = _box_of(whole)
    if box.is_empty:
        return None
    mask = whole[box.slices]
    sheets = _sheets(mask)
    axes = range(3) if axis is None else (axis,)
    candidates = [d for d in (_drawn(mask, sheets, a, grid.spacing_mm) for a in axes) if d.has_gaps]
    if not candidates:
        return None
    drawn = max(candidates, key=lambda d: d.weight)
    proposed = _fill(_own(mask, sheets, drawn.axis), drawn, grid.spacing_mm)
    proposed &= ~mask
    inner = Box.of(proposed)
    if inner.is_empty:
        return None
    start = tuple(a + b for a, b in zip(box.start, inner.start, strict=True))
    stop = tuple(a + b for a, b in zip(box.start, inner.stop, strict=True))
    proposed = proposed[inner.slices].copy()
    others = tuple(a for a in range(3) if a != drawn.axis)
    filled = np.flatnonzero(np.any(proposed, axis=others)) + start[drawn.axis]
    return Interpolated(
        Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])),
        proposed,
        drawn.axis,
        tuple(int(i) for i in filled),
    )


def _box_of(mask: Mask) -> Box:
    """`Box.of`, reading a large array once only."""
    flat = np.any(mask, axis=2)
    start, stop = [], []
    for line in (np.any(flat, axis=1), np.any(flat, axis=0)):
        where = np.flatnonzero(line)
        if where.size == 0:
            return Box((0, 0, 0), (0, 0, 0))
        start.append(int(where[0]))
        stop.append(int(where[-1]) + 1)
    heights = np.flatnonzero(np.any(mask[start[0] : stop[0], start[1] : stop[1]], axis=(0, 1)))
    return Box((start[0], start[1], int(heights[0])), (stop[0], stop[1], int(heights[-1]) + 1))


# Which slices were drawn ----------------------------------------------------------------------------


def _drawn(mask: Mask, sheets: NDArray[np.uint8], axis: int, spacing: tuple[float, float, float]) -> _Drawn:
    """The slices drawn across an axis."""
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(_own(mask, sheets, axis), axis=others)
    slices = np.flatnonzero(counts)
    area_mm2 = float(counts.sum()) * spacing[others[0]] * spacing[others[1]]
    return _Drawn(axis, slices, area_mm2**2 / max(1, len(slices)))


def _own(mask: Mask, sheets: NDArray[np.uint8], axis: int) -> Mask:
    """The mask without the sheets that were drawn across other axes only."""
    return np.asarray(mask & ((sheets == 0) | (sheets & np.uint8(1 << axis) != 0)))


def _sheets(mask: Mask) -> NDArray[np.uint8]:
    """For each voxel a bit for each axis across which it belongs to a sheet one voxel thick.

    A sheet is a piece of one slice of which at least half is thin across this axis only: a contour that was
    drawn and filled on that slice, without its neighbours. A thread or a lone voxel is none, and a solid mask
    has none.
    """
    bits = np.zeros(mask.shape, dtype=np.uint8)
    for axis in range(3):
        planes, out = np.moveaxis(mask, axis, 0), np.moveaxis(bits, axis, 0)
        for i in range(len(planes)):
            thin = planes[i].copy()
            for j in (i - 1, i + 1):
                if 0 <= j < len(planes):
                    thin &= ~planes[j]
            if not thin.any():
                continue
            flat = thin & ~_is_thin(planes[i], 0) & ~_is_thin(planes[i], 1)
            pieces, count = ndimage.label(thin, _CONNECTED_8)
            sizes = np.bincount(pieces.ravel(), minlength=count + 1)
            bodies = np.bincount(pieces[flat], minlength=count + 1)
            is_sheet = 2 * bodies >= sizes
            is_sheet[0] = False
            out[i] |= is_sheet[pieces].astype(np.uint8) << np.uint8(axis)
    return bits


def _is_thin(plane: Mask, axis: int) -> Mask:
    """Voxels of a slice without a neighbour of the mask on either side along an axis of the slice."""
    padded = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in range(2)])
    n = plane.shape[axis]
    before, after = padded.take(range(n), axis), padded.take(range(2, n + 2), axis)
    return np.asarray(plane & ~before & ~after)


# What lies between them -----------------------------------------------------------------------------


def _fill(mask: Mask, drawn: _Drawn, spacing: tuple[float, float, float]) -> Mask:
    """What lies in the gaps between the drawn slices, of the shape of the mask."""
    result = np.zeros_like(mask)
    slices, out = np.moveaxis(mask, drawn.axis, 0), np.moveaxis(result, drawn.axis, 0)
    in_plane = tuple(spacing[a] for a in range(3) if a != drawn.axis)
    flat_spacing = (in_plane[0], in_plane[1])
    for first, last in zip(drawn.slices[:-1].tolist(), drawn.slices[1:].tolist(), strict=True):
        if last - first < 2:
            continue
        gap_mm = (last - first) * spacing[drawn.axis]
        for start, stop in _pairs(slices[first], slices[last], flat_spacing, gap_mm):
            between = _Between.of(start, stop, flat_spacing)
            for i in range(first + 1, last):
                between.paint(out[i], (i - first) / (last - first))
    return result


def _pairs(
    start: Mask, stop: Mask, spacing: tuple[float, float], gap_mm: float
) -> Iterator[tuple[Mask, Mask]]:
    """The pieces of two drawn slices that belong together: one to one, or several that overlap."""
    firsts, n = ndimage.label(start, _CONNECTED_8)
    lasts, m = ndimage.label(stop, _CONNECTED_8)
    if max(n, m) > _MOST_PIECES:
        yield start, stop
        return
    overlap = np.zeros((n + 1, m + 1), dtype=bool)
    overlap[firsts, lasts] = True
    overlap = overlap[1:, 1:]
    _join_near(overlap, _centres(firsts, n, spacing), _centres(lasts, m, spacing), gap_mm)
    rows = set(range(n))
    while rows:
        group, columns = {rows.pop()}, set[int]()
        while True:
            wider = set(np.flatnonzero(np.any(overlap[list(group)], axis=0)).tolist())
            more = set(np.flatnonzero(np.any(overlap[:, list(wider)], axis=1)).tolist()) if wider else set()
            if wider == columns and more <= group:
                break
            columns, group = wider, group | more
        rows -= group
        if columns:
            yield (
                np.isin(firsts, [r + 1 for r in group]),
                np.isin(lasts, [c + 1 for c in columns]),
            )


@dataclass(frozen=True, slots=True)
class _Centres:
    """Centres of pieces in mm, (N, 2), and the radii of circles as large as they."""

    places: _Flat
    radii: _Flat


def _centres(pieces: NDArray[np.int32], count: int, spacing: tuple[float, float]) -> _Centres:
    numbers = np.arange(1, count + 1)
    places = np.array(ndimage.center_of_mass(pieces > 0, pieces, numbers), dtype=np.float64)
    areas = np.bincount(pieces.ravel(), minlength=count + 1)[1:] * spacing[0] * spacing[1]
    return _Centres(places.reshape(-1, 2) * spacing, np.sqrt(areas / math.pi))


def _join_near(overlap: Mask, first: _Centres, last: _Centres, gap_mm: float) -> None:
    """Join pieces that overlap nothing, nearest first, where one is less than 45 degrees beside the other."""
    free = ~np.any(overlap, axis=1)[:, None] & ~np.any(overlap, axis=0)
    apart = first.places[:, None] - last.places
    distances = np.hypot(apart[..., 0], apart[..., 1])
    near = free & (distances - first.radii[:, None] - last.radii <= gap_mm)
    for i, j in sorted(np.argwhere(near).tolist(), key=lambda pair: float(distances[pair[0], pair[1]])):
        if not overlap[i].any() and not overlap[:, j].any():
            overlap[i, j] = True


@dataclass(frozen=True, slots=True)
class _Between:
    """Two shapes and the way between them.

    Parameters
    ----------
    window : (slice, slice)
        The part of the slice that holds both.
    first, last : arrays
        Signed distances to the outlines, mm, negative inside, with a margin of `margin` voxels around the
        window.
    way : (float, float)
        From the centre of the first shape to that of the last, voxels; zero where shapes split or join.
    """

    window: tuple[slice, slice]
    first: _Flat
    last: _Flat
    way: tuple[float, float]
    margin: tuple[int, int]

    @staticmethod
    def of(start: Mask, stop: Mask, spacing: tuple[float, float]) -> _Between:
        """Measure two shapes of one slice's shape."""
        both = start | stop
        window = (_range(np.any(both, axis=1)), _range(np.any(both, axis=0)))
        shapes = (start[window], stop[window])
        way = (0.0, 0.0)
        if all(ndimage.label(s, _CONNECTED_8)[1] == 1 for s in shapes):
            a, b = (np.array(np.nonzero(s)).mean(axis=1) for s in shapes)
            way = (float(b[0] - a[0]), float(b[1] - a[1]))
        # The distances are looked up as far beside the window as a shape moves.
        margin = (math.ceil(abs(way[0])) + 1, math.ceil(abs(way[1])) + 1)
        first, last = (_signed_distance(s, margin, spacing) for s in shapes)
        return _Between(window, first, last, way, margin)

    def paint(self, out: Mask, share: float) -> None:
        """Add the shape at a share of the way, 0 to 1, to a slice."""
        field = (1.0 - share) * self._moved(self.first, share) + share * self._moved(self.last, share - 1.0)
        # A centre on the outline is inside, as with the brush.
        out[self.window] |= field <= 1e-9

    def _moved(self, distances: _Flat, share: float) -> _Flat:
        """Distances of a shape carried a share of the way, within the window."""
        inner = tuple(slice(m, n - m) for m, n in zip(self.margin, distances.shape, strict=True))
        by = (share * self.way[0], share * self.way[1])
        if max(abs(by[0]), abs(by[1])) < 1e-6:
            return distances[inner]
        moved = ndimage.shift(distances, by, order=1, mode="nearest", prefilter=False)
        return np.asarray(moved[inner])


def _range(line: Mask) -> slice:
    where = np.flatnonzero(line)
    return slice(int(where[0]), int(where[-1]) + 1)


def _signed_distance(shape: Mask, margin: tuple[int, int], spacing: tuple[float, float]) -> _Flat:
    """Distance to the outline in mm, negative inside, with a margin around.

    Distances are those between centres; the outline lies half a voxel before the other side's.
    """
    padded = np.pad(shape, [(m, m) for m in margin])
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing)
    half = 0.5 * min(spacing)
    return np.asarray(np.where(padded, half - inside, outside - half))
