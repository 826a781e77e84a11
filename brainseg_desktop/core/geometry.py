"""Where voxels lie: grids, boxes, and the way between voxel indices and millimetres.

World coordinates are RAS millimetres (x to the patient's right, y to the front, z up), as in NIfTI.
Inside the program every array is in canonical order: its axes are those closest to R, A, S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Affine = NDArray[np.float64]


class Box(NamedTuple):
    """A box of voxels, half open: start is inside, stop is not.

    Examples
    --------
    >>> Box((0, 0, 0), (2, 3, 4)).shape
    (2, 3, 4)
    """

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        a, b = self.start, self.stop
        return (max(0, b[0] - a[0]), max(0, b[1] - a[1]), max(0, b[2] - a[2]))

    @property
    def is_empty(self) -> bool:
        return 0 in self.shape

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The index expression that cuts this box out of an array."""
        a, b = self.start, self.stop
        return (slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2]))

    def union(self, other: Box) -> Box:
        """The smallest box that holds both.

        Examples
        --------
        >>> Box((0, 0, 0), (1, 1, 1)).union(Box((2, 0, 0), (3, 4, 1)))
        Box(start=(0, 0, 0), stop=(3, 4, 1))
        """
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        start = tuple(min(p, q) for p, q in zip(self.start, other.start, strict=True))
        stop = tuple(max(p, q) for p, q in zip(self.stop, other.stop, strict=True))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def clipped(self, shape: tuple[int, int, int]) -> Box:
        """The part of this box inside an array of `shape`; may be empty."""
        start = tuple(min(max(0, p), n) for p, n in zip(self.start, shape, strict=True))
        stop = tuple(min(max(0, p), n) for p, n in zip(self.stop, shape, strict=True))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def holds_plane(self, axis: int, index: int) -> bool:
        """Whether the plane `index` along `axis` cuts this box."""
        return self.start[axis] <= index < self.stop[axis]

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> Box:
        """The bounding box of the true voxels of a 3-D mask; empty if there are none.

        Examples
        --------
        >>> mask = np.zeros((4, 5, 6), bool); mask[1, 2:4, 5] = True
        >>> Box.of(mask)
        Box(start=(1, 2, 5), stop=(2, 4, 6))
        """
        start, stop = [], []
        for axis in range(3):
            rest = tuple(a for a in range(3) if a != axis)
            where = np.flatnonzero(mask.any(axis=rest))
            if where.size == 0:
                return Box((0, 0, 0), (0, 0, 0))
            start.append(int(where[0]))
            stop.append(int(where[-1]) + 1)
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Shape of an array and its place in the world.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along each axis, canonical (closest to R, A, S).
    voxel_to_world : (4, 4) array
        Homogeneous affine from voxel index (centre of voxel) to RAS millimetres.
    spacing_known : bool
        False where the files state no spacing (TIFF slices): the affine is then nominal, for display only,
        and nothing may be reported in mm or mL.

    Raises
    ------
    ValueError
        If the affine is singular or not finite.
    """

    shape: tuple[int, int, int]
    voxel_to_world: Affine
    spacing_known: bool = True

    def __post_init__(self) -> None:
        affine = np.array(self.voxel_to_world, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("voxel_to_world must be a finite 4x4 matrix")
        if abs(float(np.linalg.det(affine[:3, :3]))) < 1e-12:
            raise ValueError("voxel_to_world is singular")
        affine.flags.writeable = False
        object.__setattr__(self, "voxel_to_world", affine)
        n = self.shape
        object.__setattr__(self, "shape", (int(n[0]), int(n[1]), int(n[2])))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along each axis, in mm.

        Examples
        --------
        >>> Grid((2, 2, 2), np.diag([1.0, 2.0, 3.0, 1.0])).spacing_mm
        (1.0, 2.0, 3.0)
        """
        lengths = np.sqrt((self.voxel_to_world[:3, :3] ** 2).sum(axis=0))
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres (1 mL = 1000 mm3)."""
        return abs(float(np.linalg.det(self.voxel_to_world[:3, :3]))) / 1000.0

    @property
    def axis_codes(self) -> tuple[str, str, str]:
        """The anatomical direction in which each axis grows, e.g. ``('R', 'A', 'S')``."""
        # The rotation closest to the affine, its strongest axis served first: nibabel's rule, so that what
        # it calls canonical is R, A, S here however oblique the scan.
        left, _, right = np.linalg.svd(self.voxel_to_world[:3, :3] / np.array(self.spacing_mm))
        rotation = left @ right
        strength = np.abs(rotation)
        codes = ["", "", ""]
        for axis in np.argsort(-strength.max(axis=0), kind="stable"):
            world = int(np.argmax(strength[:, axis]))
            strength[world] = -1.0
            codes[axis] = ("RL", "AP", "SI")[world][0 if rotation[world, axis] > 0 else 1]
        return (codes[0], codes[1], codes[2])

    @property
    def obliquity_degrees(self) -> float:
        """Largest angle between an axis of the array and the anatomical axis closest to it."""
        columns = self.voxel_to_world[:3, :3] / np.array(self.spacing_mm)
        cosines = np.abs(columns).max(axis=0).clip(-1.0, 1.0)
        return float(np.degrees(np.arccos(cosines)).max())

    def world_of(self, voxel: ArrayLike) -> NDArray[np.float64]:
        """RAS millimetres of voxel indices of shape (..., 3); indices may be fractional."""
        points = np.asarray(voxel, dtype=np.float64)
        return np.asarray(points @ self.voxel_to_world[:3, :3].T + self.voxel_to_world[:3, 3])

    def voxel_of(self, world: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices of RAS millimetres of shape (..., 3)."""
        points = np.asarray(world, dtype=np.float64) - self.voxel_to_world[:3, 3]
        return np.asarray(points @ np.linalg.inv(self.voxel_to_world[:3, :3]).T)

    def contains(self, voxel: tuple[int, int, int]) -> bool:
        """Whether the index lies inside the array."""
        return all(0 <= i < n for i, n in zip(voxel, self.shape, strict=True))

    def mismatch(self, other: Grid, tolerance_mm: float = 0.01) -> str | None:
        """Why two grids are not the same, or None if they are.

        Compared by where the corner voxels lie, so a rounding error in a header does not count and a
        real shift does.

        Returns
        -------
        str or None
            ``"shape"``, ``"spacing"``, ``"orientation"`` or ``"position"``.
        """
        if self.shape != other.shape:
            return "shape"
        if not (self.spacing_known and other.spacing_known):
            return None
        if not np.allclose(self.spacing_mm, other.spacing_mm, rtol=1e-3, atol=1e-4):
            return "spacing"
        corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64)
        corners = corners * (np.array(self.shape) - 1)
        mine, theirs = self.world_of(corners), other.world_of(corners)
        relative = (mine - mine.mean(axis=0)) - (theirs - theirs.mean(axis=0))
        limit = max(tolerance_mm, 0.05 * min(self.spacing_mm))
        if float(np.abs(relative).max()) > limit:
            return "orientation"
        if float(np.abs(mine - theirs).max()) > limit:
            return "position"
        return None


def centre_voxel(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Index of the middle voxel.

    Examples
    --------
    >>> centre_voxel((240, 240, 155))
    (120, 120, 77)
    """
    return (shape[0] // 2, shape[1] // 2, shape[2] // 2)


def nearest_voxel(point: ArrayLike) -> tuple[int, int, int]:
    """Integer index nearest to a fractional one; halves go up, so that pixels have no preferred side.

    Examples
    --------
    >>> nearest_voxel([0.5, 1.49, -0.2])
    (1, 1, 0)
    """
    p = np.asarray(point, dtype=np.float64)
    return (math.floor(p[0] + 0.5), math.floor(p[1] + 0.5), math.floor(p[2] + 0.5))
