"""Disc and ball brushes: which voxels a dab or a stroke covers.

A voxel is covered where its centre lies within the radius, measured in mm, so a brush is round on any
spacing. A brush smaller than a voxel covers the voxels under it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Box


@dataclass(frozen=True, slots=True)
class Dab:
    """Voxels covered at one place: a box and a mask of its shape."""

    box: Box
    mask: NDArray[np.bool_]


def capsule(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    diameter_mm: float,
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    plane_axis: int | None,
) -> Dab:
    """Voxels within half a diameter of the segment from `start` to `end`.

    A fast hand moves further than the brush is wide between two mouse events; the segment leaves no gaps.
    With ``start == end`` this is a disc or a ball. However thin the brush, the voxels under it are covered.

    Parameters
    ----------
    start, end : fractional voxel indices
    diameter_mm : float
    spacing_mm : of the grid
    shape : of the array; the dab is clipped to it
    plane_axis : int or None
        The array axis across which a disc is flat (it stays on the slice of `end`); None for a ball.

    Returns
    -------
    Dab
        An empty box where the brush does not touch the array.
    """
    spacing = np.array(spacing_mm)
    a, b = np.array(start, dtype=np.float64), np.array(end, dtype=np.float64)
    if plane_axis is not None:
        a[plane_axis] = b[plane_axis] = np.floor(b[plane_axis] + 0.5)
    radius = diameter_mm / 2.0
    reach = radius / spacing
    if plane_axis is not None:
        reach[plane_axis] = 0.0
    low, high = np.minimum(a, b) - reach, np.maximum(a, b) + reach
    under = _voxels_under(a, b)
    first = np.minimum(np.ceil(low - 1e-9), under.min(axis=0)).astype(int)
    last = np.maximum(np.floor(high + 1e-9), under.max(axis=0)).astype(int)
    box = Box(
        (int(first[0]), int(first[1]), int(first[2])),
        (int(last[0]) + 1, int(last[1]) + 1, int(last[2]) + 1),
    ).clipped(shape)
    if box.is_empty:
        return Dab(box, np.zeros(box.shape, dtype=bool))
    points = [(np.arange(box.start[i], box.stop[i], dtype=np.float64) - a[i]) * spacing[i] for i in range(3)]
    along = (b - a) * spacing
    length_squared = float(along @ along)
    x, y, z = points[0][:, None, None], points[1][None, :, None], points[2][None, None, :]
    if length_squared > 0:
        t = np.clip((x * along[0] + y * along[1] + z * along[2]) / length_squared, 0.0, 1.0)
        squared = (x - t * along[0]) ** 2 + (y - t * along[1]) ** 2 + (z - t * along[2]) ** 2
    else:
        squared = x**2 + y**2 + z**2
    mask = squared <= radius**2 + 1e-9
    inside = under[((under >= box.start) & (under < box.stop)).all(axis=1)] - box.start
    mask[tuple(inside.T)] = True
    return Dab(box, mask)


def _voxels_under(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.int64]:
    """The voxels under a segment, (N, 3), without a gap: one for each step along its longest axis."""
    steps = int(np.ceil(np.abs(b - a).max()))
    t = np.linspace(0.0, 1.0, steps + 1)[:, None] if steps else np.ones((1, 1))
    return np.asarray(np.floor(a + t * (b - a) + 0.5), dtype=np.int64)
