"""Volumes on other grids: their values on a plane of the case's grid, sampled through both affines.

Nothing is resampled for good: a plane is cut out of the volume as it was measured, where the millimetres of
the two grids meet. Nearest neighbour shows the volume's own voxels, linear what lies between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainseg_desktop.core.geometry import Grid, nearest_voxel
from brainseg_desktop.core.volume import Volume

# Longest side of a cut in samples: more than this no screen shows.
MAX_SIDE = 1024
# Voxels. Added before rounding: a point on a border goes up, whatever the last digits of its affines are.
_ROUNDING = 1e-5
# Coordinates are fixed-point numbers with so many binary places: integers are summed and floored exactly.
_PLACES = 32
_FAR = 1e8


@dataclass(frozen=True, slots=True, eq=False)
class ResampledSlice:
    """A plane of a grid, filled with the values of a volume on another grid.

    Parameters
    ----------
    values : (H, V) array
        Along the two axes that are left of the grid, in their order, as ``np.take(array, index, axis)`` has
        them. Type of the volume for the nearest voxel, float32 for linear values.
    inside : (H, V) array of bool
        Where the volume has a value; elsewhere `values` is the value asked for.
    samples : (int, int)
        Samples for one voxel of the grid along each of the two axes. They divide the voxel evenly, so the
        array covers exactly the rectangle that the voxels of the plane cover, outer edges included.
    """

    values: NDArray[Any]
    inside: NDArray[np.bool_]
    samples: tuple[int, int]


def slice_of(
    volume: Volume,
    grid: Grid,
    axis: int,
    index: int,
    *,
    linear: bool = False,
    outside: float | None = None,
) -> ResampledSlice:
    """The values of a volume on the plane `index` along `axis` of a grid.

    Finer than the grid where the volume is finer, so that no voxel of it is passed over, but at most
    `MAX_SIDE` samples a side (and never fewer than the grid has voxels).

    Parameters
    ----------
    volume : Volume
        On any grid whose spacing is known.
    grid : Grid
    axis : int
        Of the grid, across the plane.
    index : int
    linear : bool
        Linear between the volume's voxel centres; else the nearest voxel's own value.
    outside : float or None
        Value where the volume has none; None: the smallest of the type (minus infinity for floats), which is
        the darkest under any window. 0 would not do: in z-scored images it is as bright as tissue.

    Examples
    --------
    >>> from pathlib import Path
    >>> from brainseg_desktop.core.volume import Source
    >>> thin = Grid((4, 2, 1), np.array([[0.5, 0, 0, -0.25], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]))
    >>> volume = Volume(np.arange(8).reshape(4, 2, 1), thin, Source(Path("t2.nii"), ""))
    >>> cut = slice_of(volume, Grid((2, 2, 1), np.eye(4)), axis=2, index=0, outside=-1)
    >>> cut.samples, cut.values.tolist()
    ((2, 1), [[-1, 0], [-1, 2], [-1, 4], [-1, 6]])
    """
    step = _steps(volume.grid, grid)
    rows, columns = (a for a in range(3) if a != axis)
    samples = (
        _samples(step, rows, grid.shape[rows], linear),
        _samples(step, columns, grid.shape[columns], linear),
    )
    start = step[:3, axis] * index + step[:3, 3]
    # Coordinate c of sample (i, j) in the volume is along[c, i] + across[c, j].
    along = start[:, None] + np.outer(step[:3, rows], _places(grid.shape[rows], samples[0]))
    across = np.outer(step[:3, columns], _places(grid.shape[columns], samples[1]))
    nearest, inside = _nearest_voxels(volume.data.shape, along, across)
    values = _interpolated(volume.data, along, across) if linear else volume.data[nearest]
    if not inside.all():
        values[~inside] = _smallest(values.dtype) if outside is None else outside
    return ResampledSlice(values, inside, samples)


def value_at(volume: Volume, grid: Grid, voxel: ArrayLike) -> float | None:
    """The volume's own voxel nearest to the centre of a voxel of a grid; None outside of the volume.

    Where both lie on one grid it is the voxel itself, also if their spacing is not known.

    Parameters
    ----------
    volume : Volume
    grid : Grid
        That of the case; it may be the volume's own.
    voxel : (3,) index, may be fractional
    """
    if grid.mismatch(volume.grid) is None:
        nearest = nearest_voxel(voxel)
        return float(volume.data[nearest]) if grid.contains(nearest) else None
    place = _steps(volume.grid, grid) @ np.append(np.asarray(voxel, dtype=np.float64), 1.0)
    nearest = nearest_voxel(place[:3] + _ROUNDING)
    return float(volume.data[nearest]) if volume.grid.contains(nearest) else None


def overlap(one: Grid, other: Grid) -> bool:
    """Whether two grids share a part of the world, from outer voxel edge to outer voxel edge.

    Two boxes, oblique ones too, are apart exactly if they are apart along the normal of one of their faces or
    along the product of two of their edges (separating axis theorem; Gottschalk et al., SIGGRAPH 1996).
    Boxes that only touch share nothing.
    """
    mine, theirs = one.voxel_to_world[:3, :3].T, other.voxel_to_world[:3, :3].T
    normals = [np.cross(edges[a], edges[a - 1]) for edges in (mine, theirs) for a in range(3)]
    products = [np.cross(a, b) for a, b in product(mine, theirs)]
    first, second = _corners(one), _corners(other)
    for direction in (*normals, *products):
        length = float(np.linalg.norm(direction))
        if length < 1e-9:  # parallel edges: the faces say it all
            continue
        a, b = first @ direction / length, second @ direction / length
        if min(a.max(), b.max()) - max(a.min(), b.min()) < 1e-6:
            return False
    return True


def _steps(own: Grid, grid: Grid) -> NDArray[np.float64]:
    """Affine from voxels of a grid to voxels of the volume's own grid."""
    return np.asarray(np.linalg.inv(own.voxel_to_world) @ grid.voxel_to_world)


def _samples(step: NDArray[np.float64], axis: int, side: int, linear: bool) -> int:
    """Samples for one voxel of the grid along an axis: as many as its way in the volume has own voxels.

    For the nearest voxel twice as many, unless they fall on the own voxels' centres: own voxels that are no
    whole number of samples wide would look unequal, and all of them lie up to half a sample off.
    """
    own = int(np.argmax(np.abs(step[:3, axis])))
    rate = abs(float(step[own, axis]))
    wanted = max(1, math.ceil(rate - 0.01))
    first = step[own, axis] * _places(1, wanted)[0] + step[own, 3]
    if not linear and (abs(rate - wanted) > 0.01 or abs(first - round(first)) > 0.1):
        wanted = math.ceil(2 * rate - 0.01)
    return max(1, min(wanted, MAX_SIDE // side))


def _places(side: int, samples: int) -> NDArray[np.float64]:
    """Where the samples of an axis lie, in voxels of the grid: voxel 0 reaches from -0.5 to 0.5.

    Examples
    --------
    >>> _places(2, 2).tolist()
    [-0.25, 0.25, 0.75, 1.25]
    """
    return (np.arange(side * samples) + 0.5) / samples - 0.5


def _nearest_voxels(
    shape: tuple[int, ...], along: NDArray[np.float64], across: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.bool_]]:
    """The index of the voxel nearest to each sample, clipped, and whether the sample lies in the array.

    The three index arrays fit each other by broadcasting and make (H, V) together.
    """
    indices = []
    inside = np.ones((along.shape[1], across.shape[1]), dtype=bool)
    first, second = _fixed(along + 0.5 + _ROUNDING), _fixed(across)
    for size, a, b in zip(shape, first, second, strict=True):
        # An axis that does not change along one side of the plane needs no array of all samples.
        down = a[:1, None] if np.ptp(a) == 0 else a[:, None]
        right = b[None, :1] if np.ptp(b) == 0 else b[None, :]
        index = (down + right) >> _PLACES
        lies = (index >= 0) & (index < size)
        if not lies.all():
            inside &= lies
            index = index.clip(0, size - 1)
        indices.append(index)
    return tuple(indices), inside


def _smallest(dtype: np.dtype[Any]) -> float:
    return -math.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def _fixed(coordinates: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(coordinates.clip(-_FAR, _FAR) * 2.0**_PLACES).astype(np.int64)


def _interpolated(
    data: NDArray[Any], along: NDArray[np.float64], across: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Linear values, (H, V); in the outer half of an outer voxel its own value."""
    from scipy.ndimage import map_coordinates

    coordinates = along[:, :, None] + across[:, None, :]
    values = map_coordinates(data, coordinates, output=np.float32, order=1, mode="nearest")
    return np.asarray(values)


def _corners(grid: Grid) -> NDArray[np.float64]:
    """The eight outer corners of a grid in RAS mm."""
    ends = product(*((-0.5, n - 0.5) for n in grid.shape))
    return grid.world_of(np.array(list(ends)))
