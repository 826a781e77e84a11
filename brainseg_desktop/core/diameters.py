"""Bidimensional diameters of a label, as RANO asks for them, from its largest slice.

Source: Wen et al., RANO 2.0: Update to the Response Assessment in Neuro-Oncology Criteria for High- and
Low-Grade Gliomas in Adults, J Clin Oncol 2023; the product of the longest diameter and the longest one
perpendicular to it goes back to Macdonald et al. 1990. The criteria speak of a reader who draws; what is
drawn here is fixed as follows.

- Slice and part: the connected part (8 neighbours in the slice) with the largest area of all slices, so of
  several lesions the one that is largest in a slice is measured, and never a line from one to another. Of
  equal ones that on the slice with the higher index (in axial slices the more superior), there the first.
- Outline: half way between the centres of the voxels inside and those outside (marching squares), with holes
  filled: a ring is measured across. A row of n voxels of 1 mm is n mm, a disc of d mm within a voxel of d.
- Long diameter: the longest distance of two points of the outline, whether or not the label is left between.
- Short diameter: the longest of all lines exactly perpendicular to the long one that cross it and stay within
  the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.measurements import Measurement, MeasurementKind, Point, as_point

RANO_LEAST_MM = 10.0
_THICK_SLICE_MM = 5.0
_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class Diameters:
    """The two diameters of a label.

    Parameters
    ----------
    axis, index : int
        The slice, from 0.
    points : tuple of four (x, y, z)
        RAS mm: the ends of the long diameter, then those of the short one.
    long, short : float
        Lengths in `unit`.
    unit : str
        ``"mm"``, or ``"px"`` where the grid does not know its spacing.
    slice_mm : float
        Distance of neighbouring slices.
    continues : bool
        Whether a neighbouring slice shows the label over or under the part measured.
    inside : float
        Which part of the long diameter, 0 to 1, stays within the outline. Much below 1 the label is bent
        round something, and the diameters say little of it.
    """

    axis: int
    index: int
    points: tuple[Point, Point, Point, Point]
    long: float
    short: float
    unit: str
    slice_mm: float
    continues: bool
    inside: float

    @property
    def product(self) -> float:
        """Long times short, in mm2 (or px2)."""
        return self.long * self.short

    @property
    def least_mm(self) -> float:
        """What both diameters need for RANO: 10 mm, or two slices where slices are thicker than 5 mm."""
        return RANO_LEAST_MM if self.slice_mm <= _THICK_SLICE_MM else 2 * self.slice_mm

    @property
    def measurable(self) -> bool:
        """Whether RANO calls it measurable: both diameters long enough, on at least two axial slices."""
        return self.unit == "mm" and self.axis == 2 and self.continues and self.short >= self.least_mm

    def measurement(self, name: str) -> Measurement:
        """The diameters as a measurement that the reader may move."""
        return Measurement(MeasurementKind.DIAMETERS, self.axis, self.points, name)


def rano_diameters(mask: NDArray[np.bool_], grid: Grid, axis: int = 2) -> Diameters | None:
    """Longest diameter and longest perpendicular one of a mask, on the slice where it is largest.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    grid : Grid
        Of the mask; in-plane spacing may be anisotropic and the axes oblique.
    axis : int
        Across the slices; 2 is axial, which RANO asks for.

    Returns
    -------
    Diameters or None
        None for an empty mask. Definitions and source: see the module.
    """
    box = Box.of(mask)
    if box.is_empty:
        return None
    across = np.moveaxis(mask[box.slices], axis, 0)
    index, part = _largest_part(across)
    rows, columns = (a for a in range(3) if a != axis)
    flat = _outline(part)
    frame = _in_plane(grid, rows, columns)
    plane = flat @ frame.T
    a, b = _farthest(plane)
    # A gap below one voxel between outline and line is the staircase of the voxels, not the label's shape.
    short, inside = _perpendicular(plane, a, b, near=float(np.linalg.norm(frame, axis=0).max()))
    ends = np.vstack([plane[[a, b]], short])
    voxels = np.tile(np.asarray(box.start, dtype=np.float64), (4, 1))
    voxels[:, axis] += index
    voxels[:, [rows, columns]] += ends @ np.linalg.inv(frame).T
    points = [as_point(p) for p in grid.world_of(voxels)]
    return Diameters(
        axis,
        index + box.start[axis],
        (points[0], points[1], points[2], points[3]),
        float(np.linalg.norm(ends[1] - ends[0])),
        float(np.linalg.norm(ends[3] - ends[2])),
        "mm" if grid.spacing_known else "px",
        _slice_distance(grid, axis),
        any(bool((across[i] & part).any()) for i in (index - 1, index + 1) if 0 <= i < len(across)),
        inside,
    )


def _largest_part(slices: NDArray[np.bool_]) -> tuple[int, NDArray[np.bool_]]:
    """The slice with the largest connected part, and that part; `slices` has the slice axis first."""
    totals = slices.sum(axis=(1, 2))
    best, found = 0, (0, slices[0])
    # Largest total first, and of equal ones the higher index: soon no slice can hold a larger part.
    for index in np.lexsort((np.arange(totals.size), totals))[::-1]:
        if totals[index] < best or totals[index] == 0:
            break
        parts, _ = ndimage.label(slices[index], structure=_NEIGHBOURS)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        largest = int(sizes.max())
        if largest > best or (largest == best and index > found[0]):
            best, found = largest, (int(index), parts == int(np.argmax(sizes)))
    return found


def _outline(part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Corners (n, 2) of the closed outline of a connected part, in voxels; its holes are filled."""
    from skimage.measure import find_contours

    filled = np.pad(ndimage.binary_fill_holes(part), 1).astype(np.float64)
    contours = find_contours(filled, 0.5, fully_connected="high")  # type: ignore[no-untyped-call]
    # One contour, as the part is connected and without holes; the last point repeats the first.
    return np.asarray(max(contours, key=len)[:-1] - 1.0)


def _in_plane(grid: Grid, rows: int, columns: int) -> NDArray[np.float64]:
    """A 2x2 matrix from voxels in a slice to mm along two perpendicular axes of its plane."""
    if not grid.spacing_known:
        return np.eye(2)
    u, v = grid.voxel_to_world[:3, rows], grid.voxel_to_world[:3, columns]
    along = u / np.linalg.norm(u)
    aside = v - (v @ along) * along
    return np.array([[float(np.linalg.norm(u)), float(v @ along)], [0.0, float(np.linalg.norm(aside))]])


def _slice_distance(grid: Grid, axis: int) -> float:
    """Distance of neighbouring slices in mm, measured across them."""
    u, v = (grid.voxel_to_world[:3, a] for a in range(3) if a != axis)
    normal = np.cross(u, v)
    return abs(float(grid.voxel_to_world[:3, axis] @ normal)) / float(np.linalg.norm(normal))


def _farthest(points: NDArray[np.float64]) -> tuple[int, int]:
    """Indices of the two points farthest from each other; they are corners of the convex hull."""
    hull = np.sort(ConvexHull(points).vertices)
    corners = points[hull]
    squared = ((corners[:, None] - corners[None]) ** 2).sum(axis=2)
    first, last = np.unravel_index(int(np.argmax(squared)), squared.shape)
    return int(hull[first]), int(hull[last])


def _perpendicular(
    outline: NDArray[np.float64], a: int, b: int, near: float
) -> tuple[NDArray[np.float64], float]:
    """Ends (2, 2) of the longest line perpendicular to a-b, and which part of a-b stays inside.

    The length of a line across a polygon changes linearly between the polygon's corners, so the longest lies
    at a corner: trying the lines just before and just behind each corner finds it without sampling.
    """
    start, along = outline[a], outline[b] - outline[a]
    length = float(np.linalg.norm(along))
    along = along / length
    aside = np.array([-along[1], along[0]])
    t, v = (outline - start) @ along, (outline - start) @ aside
    stops = np.unique(np.concatenate([t, _crossings(t, v)]))
    stops = stops[np.concatenate([[True], np.diff(stops) > 1e-6 * length])]
    step = 1e-9 * length
    best = (0.0, 0.0, 0.0, 0.0)
    for where in np.concatenate([stops[:-1] + step, stops[1:] - step]):
        low, high = _run_over_zero(t, v, float(where), near)
        if high - low > best[0]:
            best = (high - low, float(where), low, high)
    covered = 0.0
    for first, last in pairwise(stops):
        low, high = _run_over_zero(t, v, float(first + last) / 2, near)
        covered += float(last - first) if high > low else 0.0
    _, where, low, high = best
    foot = start + where * along
    return np.array([foot + low * aside, foot + high * aside]), min(1.0, covered / length)


def _crossings(t: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where along the long diameter the outline crosses it."""
    t2, v2 = np.roll(t, -1), np.roll(v, -1)
    cut = (v < 0) != (v2 < 0)
    return np.asarray(t[cut] - v[cut] * (t2[cut] - t[cut]) / (v2[cut] - v[cut]))


def _run_over_zero(
    t: NDArray[np.float64], v: NDArray[np.float64], where: float, near: float
) -> tuple[float, float]:
    """From where to where the perpendicular at `where` stays within the outline around the long diameter.

    A stretch that comes as close as `near` counts as meeting it; (0, 0) where there is none.
    """
    t2, v2 = np.roll(t, -1), np.roll(v, -1)
    cut = (t < where) != (t2 < where)
    crossed = np.sort(v[cut] + (where - t[cut]) * (v2[cut] - v[cut]) / (t2[cut] - t[cut]))
    low, high = crossed[::2], crossed[1::2]
    meets = (low <= near) & (high >= -near)
    if not meets.any():
        return (0.0, 0.0)
    best = int(np.argmax(np.where(meets, high - low, -1.0)))
    return (float(low[best]), float(high[best]))
