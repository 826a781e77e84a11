"""The one place that knows how a slice of a canonical array lies on the screen.

Radiological display: the patient's right is on the left of axial and coronal pictures, and the nose points
left in sagittal ones, so both axes of a canonical (R, A, S) slice run against the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF

from brainseg_desktop.core.geometry import Grid

_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


class Plane(Enum):
    """A cut through the array: (name, axis across it, horizontal axis, vertical axis)."""

    AXIAL = ("axial", 2, 0, 1)
    CORONAL = ("coronal", 1, 0, 2)
    SAGITTAL = ("sagittal", 0, 1, 2)

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def axis(self) -> int:
        return self.value[1]

    @property
    def horizontal(self) -> int:
        return self.value[2]

    @property
    def vertical(self) -> int:
        return self.value[3]


def picture(array: NDArray[Any], plane: Plane, index: int) -> NDArray[Any]:
    """The slice `index` as rows from top and columns from left of the screen; a view, not a copy."""
    cut = array[tuple(index if a == plane.axis else slice(None) for a in range(3))]
    return cut.T[::-1, ::-1]


def side_letters(grid: Grid, plane: Plane) -> tuple[str, str, str, str]:
    """Letters for left, right, top and bottom of the screen."""
    left = grid.axis_codes[plane.horizontal]
    top = grid.axis_codes[plane.vertical]
    return (left, _OPPOSITE[left], top, _OPPOSITE[top])


@dataclass(frozen=True, slots=True)
class Camera:
    """What part of the world a view shows: shared by all views, so they stay linked.

    Parameters
    ----------
    zoom : float
        1 fits the whole slice into the view.
    centre : tuple of float
        Voxel position in the middle of every view.
    """

    zoom: float
    centre: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Projection:
    """The way between a widget's pixels and voxel positions on one slice."""

    plane: Plane
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    width: float
    height: float
    camera: Camera

    @property
    def pixels_per_mm(self) -> float:
        h, v = self.plane.horizontal, self.plane.vertical
        fit = min(
            self.width / (self.shape[h] * self.spacing[h]), self.height / (self.shape[v] * self.spacing[v])
        )
        return max(1e-6, fit * self.camera.zoom)

    @property
    def target(self) -> QRectF:
        """Where the whole slice lies on the widget."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        sx, sy = scale * self.spacing[h], scale * self.spacing[v]
        # The outer edge of the last voxel lies half a voxel beyond its centre; it is on the left and top.
        left = self.width / 2 - (self.shape[h] - 0.5 - self.camera.centre[h]) * sx
        top = self.height / 2 - (self.shape[v] - 0.5 - self.camera.centre[v]) * sy
        return QRectF(left, top, self.shape[h] * sx, self.shape[v] * sy)

    def point_of(self, voxel: tuple[float, float, float]) -> QPointF:
        """Widget position of a voxel position."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        return QPointF(
            self.width / 2 - (voxel[h] - self.camera.centre[h]) * scale * self.spacing[h],
            self.height / 2 - (voxel[v] - self.camera.centre[v]) * scale * self.spacing[v],
        )

    def voxel_of(self, point: QPointF, index: int) -> tuple[float, float, float]:
        """Voxel position under a widget position on slice `index`; the inverse of `point_of`."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        voxel = [0.0, 0.0, 0.0]
        voxel[self.plane.axis] = float(index)
        voxel[h] = self.camera.centre[h] - (point.x() - self.width / 2) / (scale * self.spacing[h])
        voxel[v] = self.camera.centre[v] - (point.y() - self.height / 2) / (scale * self.spacing[v])
        return (voxel[0], voxel[1], voxel[2])


# Qt scales 32-bit pictures five times as fast as 8-bit ones.
_GREY = np.arange(256, dtype=np.uint32) * 0x010101 | 0xFF000000


def grey_pixels(cut: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint32]:
    """RGB32 picture of a slice under a window (lower, upper limit); C-contiguous."""
    low, high = window
    scaled = (np.asarray(cut, dtype=np.float32) - np.float32(low)) * np.float32(255.0 / max(high - low, 1e-6))
    return np.ascontiguousarray(_GREY[np.clip(scaled, 0, 255).astype(np.uint8)])
