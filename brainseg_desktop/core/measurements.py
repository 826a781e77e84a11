"""What a reader measures on a slice: lengths, angles, the values in an ellipse, two diameters.

The points of a measurement are RAS millimetres, so zoom, display orientation and the choice of sequence do
not move them. Where the spacing of the files is not known millimetres are nominal, and lengths are counted
in voxels instead: see `in_units_of`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid, nearest_voxel
from brainseg_desktop.core.volume import Sequence, Volume

Point = tuple[float, float, float]

# Rounding between voxels and millimetres must not push a voxel centre off the rim of an ellipse.
_RIM = 1e-9


class MeasurementKind(str, Enum):
    """What is measured."""

    RULER = "ruler"
    ANGLE = "angle"
    ROI = "roi"
    DIAMETERS = "diameters"

    @property
    def points(self) -> int:
        """How many points a measurement of this kind has."""
        return _POINTS[self]


_POINTS = {
    MeasurementKind.RULER: 2,
    MeasurementKind.ANGLE: 3,
    MeasurementKind.ROI: 2,
    MeasurementKind.DIAMETERS: 4,
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement on one slice.

    Parameters
    ----------
    kind : MeasurementKind
    plane_axis : int
        Axis of the grid (0, 1, 2) across the slice it lies on.
    points : tuple of (x, y, z)
        RAS mm. Ruler: its two ends. Angle: end, vertex, end. ROI: two opposite corners of the box of the
        ellipse. Diameters: the ends of the long one, then those of the short one.
    name : str
        What it is of, e.g. ``"Whole tumour"``; may be empty.
    sequence : Sequence or None
        The sequence it was drawn on.

    Raises
    ------
    ValueError
        If the number of points is not that of the kind, or a number is not finite.
    """

    kind: MeasurementKind
    plane_axis: int
    points: tuple[Point, ...]
    name: str = ""
    sequence: Sequence | None = None

    def __post_init__(self) -> None:
        if self.plane_axis not in (0, 1, 2):
            raise ValueError(f"plane_axis must be 0, 1 or 2, not {self.plane_axis!r}")
        if len(self.points) != self.kind.points:
            raise ValueError(f"{self.kind.value} needs {self.kind.points} points, not {len(self.points)}")
        if any(len(p) != 3 or not all(math.isfinite(v) for v in p) for p in self.points):
            raise ValueError("a point must be three finite numbers")


@dataclass(frozen=True, slots=True)
class RoiStatistics:
    """The values of an image inside an ellipse.

    Parameters
    ----------
    mean, minimum, maximum, median : float
    sd : float
        Of the sample (divided by n - 1); NaN for a single voxel.
    voxels : int
        How many finite values were counted.
    area_mm2 : float or None
        Of the ellipse as drawn, not of the voxels counted; None where the spacing is not known.
    """

    mean: float
    sd: float
    minimum: float
    maximum: float
    median: float
    voxels: int
    area_mm2: float | None


def as_point(values: Any) -> Point:
    """Three numbers as a point."""
    x, y, z = values
    return (float(x), float(y), float(z))


def in_units_of(m: Measurement, grid: Grid) -> tuple[Measurement, str]:
    """The measurement with its points in what its lengths are reported in, and that unit.

    Returns
    -------
    (Measurement, str)
        The measurement itself and ``"mm"``; where `grid` does not know its spacing, the measurement with
        voxel indices for points and ``"px"``.
    """
    if grid.spacing_known:
        return m, "mm"
    return replace(m, points=tuple(as_point(p) for p in grid.voxel_of(m.points))), "px"


def length_mm(m: Measurement) -> float:
    """Distance of the first two points, in mm.

    Examples
    --------
    >>> length_mm(Measurement(MeasurementKind.RULER, 2, ((0, 0, 5), (3, 4, 5))))
    5.0
    """
    return math.dist(m.points[0], m.points[1])


def angle_degrees(m: Measurement) -> float:
    """Angle at the second point between the first and the third, 0 to 180; NaN where two points coincide.

    Examples
    --------
    >>> round(angle_degrees(Measurement(MeasurementKind.ANGLE, 2, ((2, 0, 0), (0, 0, 0), (0, 3, 0)))), 9)
    90.0
    """
    first, vertex, last = (np.asarray(p, dtype=np.float64) for p in m.points[:3])
    return _between(first - vertex, last - vertex)


def diameters_mm(m: Measurement) -> tuple[float, float]:
    """The longer and the shorter of the two lines, in mm, whichever the reader has drawn longer."""
    a, b, c, d = m.points
    one, other = math.dist(a, b), math.dist(c, d)
    return (max(one, other), min(one, other))


def product_mm2(m: Measurement) -> float:
    """Product of the two diameters in mm2: the bidimensional size of Macdonald and of RANO."""
    long, short = diameters_mm(m)
    return long * short


def crossing_degrees(m: Measurement) -> float:
    """Angle between the two diameters, 0 to 90 (90: perpendicular); NaN where one has no length."""
    a, b, c, d = (np.asarray(p, dtype=np.float64) for p in m.points)
    angle = _between(b - a, d - c)
    return min(angle, 180.0 - angle)


def _between(u: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Angle of two vectors in degrees; through the arc tangent, which is exact near 0 and 180 too."""
    cross, dot = float(np.linalg.norm(np.cross(u, v))), float(u @ v)
    return math.degrees(math.atan2(cross, dot)) if cross or dot else math.nan


def slice_index(m: Measurement, grid: Grid) -> int:
    """Number of the slice the measurement lies on, from 0, along its own axis."""
    return nearest_voxel(grid.voxel_of(m.points[0]))[m.plane_axis]


def on_slice(m: Measurement, grid: Grid, axis: int, index: int) -> bool:
    """Whether the whole measurement lies on the slice `index` along `axis` and was made in that plane."""
    if m.plane_axis != axis:
        return False
    across = np.floor(grid.voxel_of(m.points)[:, axis] + 0.5)
    return bool((across == index).all())


def handle_voxels(m: Measurement, grid: Grid) -> NDArray[np.float64]:
    """Where the reader can take hold of a measurement, as voxel positions (n, 3) of `grid`.

    Its points; of a ROI the four corners of its box, each opposite to the next but one, then its centre.
    """
    points = grid.voxel_of(m.points)
    if m.kind is not MeasurementKind.ROI:
        return points
    first, last = points
    rows = next(a for a in range(3) if a != m.plane_axis)
    corners = np.array([first, first, last, last])
    corners[1, rows], corners[3, rows] = last[rows], first[rows]
    return np.vstack([corners, (first + last) / 2])


def with_handle_at(m: Measurement, grid: Grid, handle: int, voxel: Point) -> Measurement:
    """The measurement after one of its `handle_voxels` was moved to a voxel position of its slice."""
    handles = handle_voxels(m, grid)
    if m.kind is not MeasurementKind.ROI:
        handles[handle] = voxel
    elif handle == 4:
        handles = handles[[0, 2]] + (np.asarray(voxel) - handles[4])
    else:
        handles = np.array([voxel, handles[(handle + 2) % 4]])
    return replace(m, points=tuple(as_point(p) for p in grid.world_of(handles)))


def roi_statistics(m: Measurement, volume: Volume, grid: Grid) -> RoiStatistics | None:
    """Statistics of the voxels whose centre lies inside an ellipse, its rim included.

    Parameters
    ----------
    m : Measurement
        A ROI: two opposite corners of the box of the ellipse, whose sides run along the axes of `grid`.
    volume : Volume
        Where the values come from. On another grid its voxel nearest in mm to each voxel centre of `grid` is
        taken, so a coarser image is counted once per voxel of `grid`.
    grid : Grid
        The grid on whose slice the ellipse was drawn.

    Returns
    -------
    RoiStatistics or None
        None where no finite value lies inside. Parts outside the image are left out.
    """
    voxels = _inside_ellipse(m, grid)
    if grid is not volume.grid and grid.mismatch(volume.grid) is not None:
        voxels = np.floor(volume.grid.voxel_of(grid.world_of(voxels)) + 0.5).astype(np.intp)
    held = ((voxels >= 0) & (voxels < np.array(volume.data.shape))).all(axis=1)
    values = np.asarray(volume.data[tuple(voxels[held].T)], dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    return RoiStatistics(
        float(values.mean()),
        float(values.std(ddof=1)) if values.size > 1 else math.nan,
        float(values.min()),
        float(values.max()),
        float(np.median(values)),
        int(values.size),
        _ellipse_area(m, grid) if grid.spacing_known else None,
    )


def _inside_ellipse(m: Measurement, grid: Grid) -> NDArray[np.intp]:
    """Indices (n, 3) of the voxels of `grid` with their centre inside the ellipse."""
    corners = grid.voxel_of(m.points)
    centre, radius = corners.mean(axis=0), np.abs(corners[0] - corners[1]) / 2
    ranges, distances = [], []
    for axis, n in enumerate(grid.shape):
        if axis == m.plane_axis:
            index = math.floor(centre[axis] + 0.5)
            ranges.append(np.arange(max(0, index), min(index + 1, n)))
            distances.append(np.zeros(ranges[-1].size))
            continue
        if radius[axis] == 0.0:
            return np.empty((0, 3), dtype=np.intp)
        first = max(0, math.ceil(centre[axis] - radius[axis] - _RIM))
        last = min(n - 1, math.floor(centre[axis] + radius[axis] + _RIM))
        ranges.append(np.arange(first, last + 1))
        distances.append(((ranges[-1] - centre[axis]) / radius[axis]) ** 2)
    x, y, z = distances
    inside = x[:, None, None] + y[None, :, None] + z[None, None, :] <= 1.0 + _RIM
    found = [line[where] for line, where in zip(ranges, np.nonzero(inside), strict=True)]
    return np.stack(found, axis=1).astype(np.intp)


def _ellipse_area(m: Measurement, grid: Grid) -> float:
    """Area in mm2: pi/4 of the box, whose sides may be oblique to each other where the affine is sheared."""
    extent = np.abs(np.diff(grid.voxel_of(m.points), axis=0)[0])
    sides = [grid.voxel_to_world[:3, a] * extent[a] for a in range(3) if a != m.plane_axis]
    return float(np.linalg.norm(np.cross(sides[0], sides[1]))) * math.pi / 4


def to_dict(m: Measurement) -> dict[str, Any]:
    """The measurement as plain values, for a JSON file."""
    return {
        "kind": m.kind.value,
        "plane_axis": m.plane_axis,
        "points_ras_mm": [list(p) for p in m.points],
        "name": m.name,
        "sequence": m.sequence.value if m.sequence is not None else None,
    }


def from_dict(values: Mapping[str, Any]) -> Measurement:
    """The measurement of plain values; the inverse of `to_dict`.

    Raises
    ------
    ValueError
        If anything is missing, of the wrong kind or not finite.
    """
    try:
        kind = MeasurementKind(values["kind"])
        axis, name, sequence = values["plane_axis"], values["name"], values["sequence"]
        points = [list(p) for p in values["points_ras_mm"]]
        plain = all(type(v) in (int, float) for p in points for v in p)
        if type(axis) is not int or not isinstance(name, str) or not plain:
            raise ValueError("not a measurement")
        return Measurement(
            kind,
            axis,
            tuple(as_point(p) for p in points),
            name,
            None if sequence is None else Sequence(sequence),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a measurement: {error}") from error
