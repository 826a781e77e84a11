"""From where the surface is looked at: a camera that turns around a point, and its geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Half of the opening angle over the shorter side of the picture: narrow, so that sizes can be compared.
_HALF_ANGLE = math.radians(14.0)
_NEAREST_MM, _FARTHEST_MM = 30.0, 3000.0


@dataclass(frozen=True, slots=True)
class Orbit:
    """Looks at a centre from an angle and a distance; superior is up.

    Nothing is mirrored here: seen from the front, the patient's left is on the right of the screen, as when
    one stands before the patient.

    Parameters
    ----------
    azimuth : float
        Degrees around the long axis of the body: 90 looks from the front, 180 from the patient's left.
    elevation : float
        Degrees above the horizontal plane.
    distance_mm : float
    centre_mm : tuple of float
        RAS mm.
    """

    azimuth: float = 125.0
    elevation: float = 20.0
    distance_mm: float = 600.0
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3): directions in RAS of the right and the top of the screen, and of the way to the viewer."""
        azimuth, elevation = math.radians(self.azimuth), math.radians(self.elevation)
        ca, sa, ce, se = math.cos(azimuth), math.sin(azimuth), math.cos(elevation), math.sin(elevation)
        return np.array([[-sa, ca, 0.0], [-se * ca, -se * sa, ce], [ce * ca, ce * sa, se]])

    def turned(self, right: float, up: float) -> Orbit:
        """The object turned by degrees to the right and up, never so far that it stands on its head."""
        elevation = min(max(-89.9, self.elevation - up), 89.9)
        return replace(self, azimuth=(self.azimuth - right) % 360.0, elevation=elevation)

    def zoomed(self, factor: float) -> Orbit:
        """Nearer by a factor above 1, farther by one below."""
        return replace(self, distance_mm=min(max(_NEAREST_MM, self.distance_mm / factor), _FARTHEST_MM))

    def panned(self, right: float, up: float, width: float, height: float) -> Orbit:
        """The object moved over the screen by pixels."""
        mm = self.distance_mm * math.tan(_HALF_ANGLE) / (min(width, height) / 2)
        x, y, z = np.array(self.centre_mm) - mm * (right * self.axes[0] + up * self.axes[1])
        return replace(self, centre_mm=(float(x), float(y), float(z)))

    def fitted(self, points_mm: ArrayLike) -> Orbit:
        """The same angles, on all of some points of shape (N, 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        radius = float(np.linalg.norm(points - centre, axis=1).max())
        x, y, z = (float(c) for c in centre)
        distance = max(_NEAREST_MM, radius / math.sin(_HALF_ANGLE))
        return replace(self, distance_mm=min(distance, _FARTHEST_MM), centre_mm=(x, y, z))

    def matrix(self, width: float, height: float) -> NDArray[np.float64]:
        """(4, 4): from RAS mm to the clip space of OpenGL."""
        view = np.eye(4)
        view[:3, :3] = self.axes
        view[:3, 3] = -self.axes @ np.array(self.centre_mm)
        view[2, 3] -= self.distance_mm
        near, far = self.distance_mm * 0.05, self.distance_mm + 1000.0
        scale = min(width, height) / math.tan(_HALF_ANGLE)
        projection = np.zeros((4, 4))
        projection[0, 0], projection[1, 1] = scale / width, scale / height
        projection[2, 2], projection[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
        projection[3, 2] = -1.0
        return projection @ view

    def pixels_of(self, points_mm: ArrayLike, width: float, height: float) -> NDArray[np.float64]:
        """Pixels (x to the right, y down) of points of shape (N, 3); NaN for what is behind the viewer."""
        points = np.asarray(points_mm, dtype=np.float64)
        clip = np.column_stack([points, np.ones(len(points))]) @ self.matrix(width, height).T
        depth = np.where(clip[:, 3:] > 0, clip[:, 3:], np.nan)
        plane = clip[:, :2] / depth
        return np.column_stack([(plane[:, 0] + 1) * width / 2, (1 - plane[:, 1]) * height / 2])

    def ray(
        self, x: float, y: float, width: float, height: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where the viewer is, and the direction (length 1) of what is under a pixel; RAS mm."""
        right, up, back = self.axes
        slope = math.tan(_HALF_ANGLE) / (min(width, height) / 2)
        way = (x - width / 2) * slope * right + (height / 2 - y) * slope * up - back
        return np.array(self.centre_mm) + self.distance_mm * back, way / np.linalg.norm(way)
