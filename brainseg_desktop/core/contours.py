"""Contours drawn on a slice: which voxels lie inside a polygon, and the smooth curve through nodes.

Points are fractional voxel coordinates of the two axes of a slice; the centre of voxel (i, j) is the point
(i, j).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Of a curve between two nodes. A quarter of a circle of 100 voxels radius is then within 0.2 voxels.
SAMPLES_PER_NODE = 24
# Below so much of the length of a curve, two nodes are one.
_SAME = 1e-9


def fill_polygon(points: ArrayLike, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The voxels of a slice whose centre lies inside a closed polygon.

    Inside is where the polygon winds around the centre (the non-zero rule), so a lasso that crosses itself
    at its end leaves no hole. Of centres exactly on an edge those count for which the inside lies towards
    higher coordinates: polygons that share an edge share no voxel and leave none out.

    Parameters
    ----------
    points : (N, 2) array
        Corners in order, fractional voxel coordinates; the last is joined to the first. They may lie
        outside of the slice.
    shape : (int, int)
        Of the slice.

    Returns
    -------
    (shape) array of bool

    Raises
    ------
    ValueError
        If a coordinate is not finite.

    Notes
    -----
    A scanline along the second axis: each edge changes the winding number of all voxels beyond the point
    where it crosses the line. O(voxels + edges x lines crossed), and exact wherever the products of
    coordinate differences are exact in double precision (e.g. multiples of 1/1024 voxel).

    Examples
    --------
    >>> fill_polygon([(1, 0), (3, 0), (3, 2), (1, 2)], (4, 3)).astype(int)
    array([[0, 0, 0],
           [1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])
    """
    corners = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError("a corner of the polygon is not finite")
    rows, lines = shape
    winding = np.zeros((rows + 1, lines), dtype=np.int32)
    if len(corners) < 3:
        return np.zeros(shape, dtype=bool)
    a, b = corners, np.roll(corners, -1, axis=0)
    upwards = a[:, 1] < b[:, 1]
    # One direction for both polygons at a shared edge, so that both round alike.
    low, high = np.where(upwards[:, None], a, b), np.where(upwards[:, None], b, a)
    first = np.clip(np.ceil(low[:, 1]), 0, lines).astype(np.int64)
    last = np.clip(np.ceil(high[:, 1]), 0, lines).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(corners)), counts)
    line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    row = _first_beyond(low[edge], high[edge], line)
    np.add.at(winding, (np.clip(row, 0, rows).astype(np.int64), line), np.where(upwards[edge], 1, -1))
    np.cumsum(winding, axis=0, out=winding)
    return np.asarray(winding[:-1] != 0)


def _first_beyond(
    low: NDArray[np.float64], high: NDArray[np.float64], line: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The first whole first coordinate on or beyond each edge, where it crosses its line."""
    along, up = high - low, line - low[:, 1]
    near = np.rint(low[:, 0] + up * along[:, 0] / along[:, 1])
    # The division rounds; the side on which the nearest centre lies is decided without it.
    before = (near - low[:, 0]) * along[:, 1] < along[:, 0] * up
    return np.asarray(near + before)


def close_spline(
    nodes: ArrayLike,
    spacing: tuple[float, float] = (1.0, 1.0),
    samples: int = SAMPLES_PER_NODE,
) -> NDArray[np.float64]:
    """A smooth closed curve through nodes, as a polygon.

    A centripetal Catmull-Rom spline: it passes through every node, and between two nodes it neither crosses
    itself nor makes a cusp, however uneven the nodes.

    Parameters
    ----------
    nodes : (N, 2) array
        In order, fractional voxel coordinates.
    spacing : (float, float)
        Of the two axes, mm; the shape is the same in mm on any grid.
    samples : int
        Points for each node, of which the node is the first.

    Returns
    -------
    (N * samples, 2) array
        Points from ``[k * samples]`` on belong to the piece between node k and the next. With fewer than
        three nodes the nodes themselves, nothing being smooth about them.

    Notes
    -----
    Yuksel, Schaefer, Keyser (2011), "Parameterization and applications of Catmull-Rom curves",
    Computer-Aided Design 43(7); evaluated by the pyramid of Barry and Goldman (1988).
    """
    places = np.asarray(nodes, dtype=np.float64).reshape(-1, 2)
    if len(places) < 3:
        return places.copy()
    scale = np.array(spacing, dtype=np.float64)
    mm = places * scale
    p = [np.roll(mm, shift, axis=0) for shift in (1, 0, -1, -2)]
    # Nodes at one place are drawn apart in the parameter only, which makes a corner there.
    least = _SAME * max(float(np.ptp(mm, axis=0).max()), 1e-6)
    gaps = [np.sqrt(np.maximum(np.hypot(*(second - first).T), least)) for first, second in pairwise(p)]
    t = np.stack([-gaps[0], np.zeros(len(mm)), gaps[1], gaps[1] + gaps[2]])[:, :, None]
    u = t[2] * (np.arange(samples) / samples)
    a = [_between(p[i], p[i + 1], t[i], t[i + 1], u) for i in range(3)]
    b = [_between(a[i], a[i + 1], t[i], t[i + 2], u) for i in range(2)]
    curve = _between(b[0], b[1], t[1], t[2], u)
    return np.asarray(curve.reshape(-1, 2) / scale)


def _between(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    u: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Linear between two points (N, 2) or two curves (N, samples, 2) at the parameters `u` (N, samples)."""
    share = ((u - start) / (stop - start))[:, :, None]
    if first.ndim == 2:
        first, second = first[:, None], second[:, None]
    return np.asarray((1.0 - share) * first + share * second)


def nearest_on(
    points: NDArray[np.float64], place: tuple[float, float], spacing: tuple[float, float] = (1.0, 1.0)
) -> tuple[int, float]:
    """The piece of a closed polygon nearest to a place.

    Parameters
    ----------
    points : (N, 2) array, N > 0
    place : (float, float)
    spacing : (float, float)
        Of the two axes, mm.

    Returns
    -------
    (int, float)
        Number of the corner that the piece starts at, and the distance in mm.

    Examples
    --------
    >>> nearest_on(np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)]), (5.0, 1.0))
    (1, 1.0)
    """
    scale = np.array(spacing, dtype=np.float64)
    a = points * scale
    along = np.roll(a, -1, axis=0) - a
    beside = np.array(place, dtype=np.float64) * scale - a
    squared = (along**2).sum(axis=1)
    share = np.clip((beside * along).sum(axis=1) / np.where(squared > 0, squared, 1.0), 0.0, 1.0)
    distances = np.hypot(*(beside - share[:, None] * along).T)
    piece = int(distances.argmin())
    return piece, float(distances[piece])
