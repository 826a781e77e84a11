"""A mask cut to the part that is marked, put back on the grid it was cut from.

Nothing is resampled: every voxel centre of the part must be a voxel centre of the grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid

# Of a voxel: what headers lose by rounding is far less, and a shift that shows is far more.
TOLERANCE_VOXELS = 0.05


def offset_on(part: Grid, grid: Grid) -> tuple[int, int, int] | str:
    """Where the first voxel of a part lies on a grid.

    Parameters
    ----------
    part, grid : Grid
        Both canonical. Along an axis on which `part` is one voxel thick its spacing does not count.

    Returns
    -------
    tuple of int, or str
        The offset; or why the voxel centres are not the same: ``"shape"`` (the part sticks out),
        ``"spacing"``, ``"orientation"`` or ``"position"``, as `Grid.mismatch` says it.
    """
    if part.shape == grid.shape:
        return grid.mismatch(part) or (0, 0, 0)
    if not (part.spacing_known and grid.spacing_known):
        return "shape"
    last = np.array(part.shape) - 1
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * last
    first = grid.voxel_of(part.world_of((0, 0, 0)))
    wanted = first + corners
    found = grid.voxel_of(part.world_of(corners))
    if float(np.abs(found - wanted).max()) > TOLERANCE_VOXELS:
        wide = last > 0
        mine, theirs = np.array(part.spacing_mm)[wide], np.array(grid.spacing_mm)[wide]
        return "orientation" if np.allclose(mine, theirs, rtol=1e-3) else "spacing"
    offset = np.rint(first).astype(int)
    if float(np.abs(first - offset).max()) > TOLERANCE_VOXELS:
        return "position"
    if (offset < 0).any() or (offset + last >= np.array(grid.shape)).any():
        return "shape"
    return (int(offset[0]), int(offset[1]), int(offset[2]))


def placed(labels: NDArray[np.uint8], offset: tuple[int, int, int], grid: Grid) -> NDArray[np.uint8]:
    """The labels of a part on the whole grid, background around them.

    Examples
    --------
    >>> grid = Grid((3, 1, 1), np.eye(4))
    >>> placed(np.full((1, 1, 1), 7, np.uint8), (2, 0, 0), grid).ravel().tolist()
    [0, 0, 7]
    """
    if labels.shape == grid.shape:
        return labels
    whole = np.zeros(grid.shape, dtype=np.uint8)
    x, y, z = offset
    a, b, c = labels.shape
    whole[x : x + a, y : y + b, z : z + c] = labels
    return whole


def joint_grid(first: Grid, second: Grid) -> Grid | str:
    """The smallest grid with the voxels of two parts of one grid; or why they are not parts of one."""
    offset = offset_on(second, _around(first, second))
    if isinstance(offset, str):
        return offset
    place = np.rint(first.voxel_of(second.world_of((0, 0, 0)))).astype(int)
    start = np.minimum(place, 0)
    stop = np.maximum(place + np.array(second.shape), np.array(first.shape))
    affine = first.voxel_to_world.copy()
    affine[:3, 3] = first.world_of(start)
    x, y, z = (stop - start).tolist()
    return Grid((x, y, z), affine)


def _around(first: Grid, second: Grid) -> Grid:
    """The grid of the first, widened far enough to hold the second wherever it lies near it."""
    reach = np.abs(np.rint(first.voxel_of(second.world_of((0, 0, 0))))).astype(int) + np.array(second.shape)
    affine = first.voxel_to_world.copy()
    affine[:3, 3] = first.world_of(-reach)
    x, y, z = (2 * reach + np.array(first.shape)).tolist()
    return Grid((x, y, z), affine)
