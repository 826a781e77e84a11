"""A volume on another grid, through the millimetres of both."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Volume, background_value
from brainseg_desktop.services.alignment.itk import sitk, to_array, to_image

NEAREST, LINEAR, CUBIC = 0, 1, 3
# A voxel of the grid takes the mean of at most so many samples along an axis.
MAX_SAMPLES = 8


def resample(volume: Volume, grid: Grid, *, order: int = LINEAR) -> Volume:
    """The values of a volume at the voxels of a grid; the volume itself stays as it is.

    Where the grid is coarser than the volume, a voxel takes the mean of samples spread evenly over its
    length, as a scanner's slice does: single points would leave most of the measured voxels out.

    Parameters
    ----------
    volume : Volume
        On any grid whose spacing is known. Voxels that are not finite count as background.
    grid : Grid
    order : {0, 1, 3}
        Nearest voxel, linear, or cubic B-spline (sharper, but it overshoots at edges).

    Returns
    -------
    Volume
        float32 (for the nearest voxel the volume's own type), with the same source and sequence. Outside of
        what was measured it holds the background value; see `covered`.

    Raises
    ------
    ValueError
        Unless both spacings are known, or for another order.
    """
    if not (volume.grid.spacing_known and grid.spacing_known):
        raise ValueError("a grid without known spacing has no place in the world")
    if order not in (NEAREST, LINEAR, CUBIC):
        raise ValueError(f"no interpolation of order {order}")
    empty = background_value(volume.data)
    if volume.grid.mismatch(grid) is None and np.allclose(
        volume.grid.voxel_to_world, grid.voxel_to_world, atol=1e-6
    ):
        return Volume(_typed(volume.data, order, empty), grid, volume.source, volume.sequence)
    image = to_image(_typed(volume.data, order, empty), volume.grid)
    samples = (1, 1, 1) if order == NEAREST else _samples(volume.grid, grid)
    total = np.zeros(grid.shape, np.float32) if math.prod(samples) > 1 else None
    for part in product(*map(range, samples)):
        offset = [(p + 0.5) / n - 0.5 for p, n in zip(part, samples, strict=True)]
        found = _sampled(image, grid, offset, order, empty)
        if total is None:
            return Volume(found, grid, volume.source, volume.sequence)
        total += found
    assert total is not None
    return Volume(total / np.float32(math.prod(samples)), grid, volume.source, volume.sequence)


def covered(own: Grid, grid: Grid) -> float:
    """Share of the voxels of `grid` whose centre lies in a voxel of `own`, about.

    Examples
    --------
    >>> half = np.eye(4)
    >>> half[0, 3] = 4
    >>> covered(Grid((8, 8, 8), half), Grid((8, 8, 8), np.eye(4)))
    0.5
    """
    places = [np.linspace(0, n - 1, min(n, 64)) for n in grid.shape]
    points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)
    voxels = own.voxel_of(grid.world_of(points))
    return float(((voxels > -0.5 - 1e-6) & (voxels < np.array(own.shape) - 0.5)).all(axis=1).mean())


def _typed(data: NDArray[Any], order: int, empty: float) -> NDArray[Any]:
    """Numbers that SimpleITK takes, without NaN: float32, or the volume's own type for the nearest voxel."""
    if order == NEAREST and data.dtype.kind in "iu":
        return data
    numbers = np.asarray(data, np.float32)
    finite = np.isfinite(numbers)
    return numbers if finite.all() else np.where(finite, numbers, np.float32(empty))


def _samples(own: Grid, grid: Grid) -> tuple[int, int, int]:
    """Samples for one voxel of the grid along each axis: as many as own voxels fit beside each other."""
    step = np.linalg.inv(own.voxel_to_world[:3, :3]) @ grid.voxel_to_world[:3, :3]
    lengths = np.linalg.norm(step, axis=0)
    x, y, z = (int(min(max(1, round(float(n))), MAX_SAMPLES)) for n in lengths)
    return (x, y, z)


def _sampled(image: Any, grid: Grid, offset: list[float], order: int, empty: float) -> NDArray[Any]:
    """Values at the voxel centres of the grid, moved by an offset in voxels."""
    itk = sitk()
    spacing = np.array(grid.spacing_mm)
    kinds = {NEAREST: itk.sitkNearestNeighbor, LINEAR: itk.sitkLinear, CUBIC: itk.sitkBSpline}
    found = itk.Resample(
        image,
        list(grid.shape),
        itk.Transform(3, itk.sitkIdentity),
        kinds[order],
        grid.world_of(offset).tolist(),
        spacing.tolist(),
        (grid.voxel_to_world[:3, :3] / spacing).ravel().tolist(),
        float(empty),
        image.GetPixelID(),
    )
    return to_array(found)
