"""Rigid motions: a rotation and a shift in RAS millimetres, as a head makes them between two sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainseg_desktop.core.geometry import Grid

# How far from a rotation a matrix may be: what is left of one after it went through text and back.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RigidTransform:
    """The motion x -> rotation x + translation of points in RAS mm.

    Parameters
    ----------
    rotation : (3, 3) array
    translation : (3,) array
        In mm: where the origin of the world goes. See `shift_mm` for how far a head moves.

    Raises
    ------
    ValueError
        If the matrix is no rotation (it mirrors, stretches or shears) or a number is not finite.

    Examples
    --------
    >>> quarter = RigidTransform.about((0, 0, 1), 90, centre=(1, 0, 0))
    >>> quarter.apply([2, 0, 0]).round(6).tolist()
    [1.0, 1.0, 0.0]
    >>> round(quarter.angle_degrees, 6)
    90.0
    >>> round(quarter.compose(quarter.inverse()).angle_degrees, 6)
    0.0
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def __post_init__(self) -> None:
        rotation = np.array(self.rotation, dtype=np.float64)
        translation = np.array(self.translation, dtype=np.float64)
        if rotation.shape != (3, 3) or translation.shape != (3,):
            raise ValueError("a rigid motion is a 3x3 matrix and three millimetres")
        if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
            raise ValueError("a rigid motion must be finite")
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _TOLERANCE or np.linalg.det(rotation) < 0:
            raise ValueError("the matrix is no rotation")
        for name, array in (("rotation", rotation), ("translation", translation)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @staticmethod
    def identity() -> RigidTransform:
        """The motion that leaves everything where it is."""
        return RigidTransform(np.eye(3), np.zeros(3))

    @staticmethod
    def about(
        axis: ArrayLike, degrees: float, centre: ArrayLike = (0, 0, 0), shift_mm: ArrayLike = (0, 0, 0)
    ) -> RigidTransform:
        """Turn about an axis through `centre`, then shift (Rodrigues' formula)."""
        x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        angle = math.radians(degrees)
        rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
        middle = np.asarray(centre, dtype=np.float64)
        return RigidTransform(rotation, middle - rotation @ middle + np.asarray(shift_mm, np.float64))

    @staticmethod
    def from_matrix(matrix: ArrayLike) -> RigidTransform:
        """The motion of a homogeneous 4x4 matrix."""
        values = np.asarray(matrix, dtype=np.float64)
        if values.shape != (4, 4) or not np.allclose(values[3], (0, 0, 0, 1)):
            raise ValueError("a rigid motion is a homogeneous 4x4 matrix")
        return RigidTransform(values[:3, :3], values[:3, 3])

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Homogeneous 4x4 matrix."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.translation
        return matrix

    @property
    def angle_degrees(self) -> float:
        """Angle of the rotation, 0 to 180 degrees.

        From sine and cosine together: the arc cosine alone loses small angles.
        """
        r = self.rotation
        sine = np.linalg.norm([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]) / 2
        return math.degrees(math.atan2(float(sine), (float(np.trace(r)) - 1) / 2))

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where points (..., 3) in RAS mm go."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation)

    def shift_mm(self, at: ArrayLike) -> NDArray[np.float64]:
        """How far points (..., 3) move, in mm."""
        points = np.asarray(at, dtype=np.float64)
        return np.asarray(np.linalg.norm(self.apply(points) - points, axis=-1))

    def inverse(self) -> RigidTransform:
        """The motion back."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.translation)

    def compose(self, first: RigidTransform) -> RigidTransform:
        """The motion `first`, and then this one."""
        turned = self.rotation @ first.rotation
        # Rounding must not add up over many steps: the rotation closest to the product.
        left, _, right = np.linalg.svd(turned)
        return RigidTransform(left @ right, self.rotation @ first.translation + self.translation)

    def moved(self, grid: Grid) -> Grid:
        """A grid carried along: the same voxels at their new place."""
        return Grid(grid.shape, self.matrix @ grid.voxel_to_world, grid.spacing_known)
