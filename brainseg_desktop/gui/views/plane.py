"""The one place that knows how a slice of a canonical array lies on the screen.

In the default, radiological display the patient's right is on the left of axial and coronal pictures, and the
nose points left in sagittal ones, so both axes of a canonical (R, A, S) slice run against the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.services.language import mark, tr

_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


class Plane(Enum):
    """A cut through the array: (name, axis across it, horizontal axis, vertical axis)."""

    AXIAL = (mark("axial"), 2, 0, 1)
    CORONAL = (mark("coronal"), 1, 0, 2)
    SAGITTAL = (mark("sagittal"), 0, 1, 2)

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def words(self) -> str:
        """Its name in the language of the window; the title is that of files and settings."""
        return tr(self.title)

    @property
    def axis(self) -> int:
        return self.value[1]

    @property
    def horizontal(self) -> int:
        return self.value[2]

    @property
    def vertical(self) -> int:
        return self.value[3]


@dataclass(frozen=True, slots=True)
class Orientation:
    """From which side the reader looks; a matter of display alone.

    Parameters
    ----------
    radiological : bool
        Axial and coronal pictures as seen from the feet and from in front: the patient's right on the left.
    nose_left : bool
        Sagittal pictures with the nose to the left.
    """

    radiological: bool = True
    nose_left: bool = True

    def mirrored(self, plane: Plane) -> bool:
        """Whether the horizontal axis of the array runs against the screen."""
        return self.nose_left if plane is Plane.SAGITTAL else self.radiological

    def remark(self, plane: Plane) -> str:
        """What a view must say where it is not shown in the usual way; empty where it is."""
        if self.mirrored(plane):
            return ""
        return tr("nose right") if plane is Plane.SAGITTAL else tr("neurological")


USUAL = Orientation()


def turned(cut: NDArray[Any], plane: Plane, orientation: Orientation = USUAL) -> NDArray[Any]:
    """A slice [horizontal, vertical] as rows from top and columns from left of the screen; no copy."""
    return cut.T[::-1, ::-1] if orientation.mirrored(plane) else cut.T[::-1]


def picture(array: NDArray[Any], plane: Plane, index: int, orientation: Orientation = USUAL) -> NDArray[Any]:
    """The slice `index` of an array as on the screen; a view, not a copy."""
    cut = array[tuple(index if a == plane.axis else slice(None) for a in range(3))]
    return turned(cut, plane, orientation)


def side_letters(grid: Grid, plane: Plane, orientation: Orientation = USUAL) -> tuple[str, str, str, str]:
    """Letters for left, right, top and bottom of the screen."""
    right, top = grid.axis_codes[plane.horizontal], grid.axis_codes[plane.vertical]
    if orientation.mirrored(plane):
        right = _OPPOSITE[right]
    return (_OPPOSITE[right], right, top, _OPPOSITE[top])


@dataclass(frozen=True, slots=True)
class Camera:
    """What part of the world a view shows: shared by all views, so they stay linked.

    Parameters
    ----------
    zoom : float
        1 fits `extent` into the view.
    centre : tuple of float
        Voxel position in the middle of every view.
    extent : tuple of float or None
        Voxels along each axis that zoom 1 fits, e.g. those of the head; None for the whole grid.
    """

    zoom: float
    centre: tuple[float, float, float]
    extent: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """The way between a widget's pixels and voxel positions on one slice."""

    plane: Plane
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    width: float
    height: float
    camera: Camera
    orientation: Orientation = USUAL

    @property
    def pixels_per_mm(self) -> float:
        h, v = self.plane.horizontal, self.plane.vertical
        extent = self.camera.extent or self.shape
        fit = min(self.width / (extent[h] * self.spacing[h]), self.height / (extent[v] * self.spacing[v]))
        return max(1e-6, fit * self.camera.zoom)

    @property
    def _right(self) -> float:
        """1 where the horizontal axis grows to the right of the screen, else -1."""
        return -1.0 if self.orientation.mirrored(self.plane) else 1.0

    @property
    def target(self) -> QRectF:
        """Where the whole slice lies on the widget."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        sx, sy = scale * self.spacing[h], scale * self.spacing[v]
        # The outer edge of a voxel lies half a voxel beyond its centre. The last row is on top.
        outer = (
            self.shape[h] - 0.5 - self.camera.centre[h]
            if self.orientation.mirrored(self.plane)
            else self.camera.centre[h] + 0.5
        )
        left = self.width / 2 - outer * sx
        top = self.height / 2 - (self.shape[v] - 0.5 - self.camera.centre[v]) * sy
        return QRectF(left, top, self.shape[h] * sx, self.shape[v] * sy)

    def point_of(self, voxel: tuple[float, float, float]) -> QPointF:
        """Widget position of a voxel position."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        return QPointF(
            self.width / 2 + self._right * (voxel[h] - self.camera.centre[h]) * scale * self.spacing[h],
            self.height / 2 - (voxel[v] - self.camera.centre[v]) * scale * self.spacing[v],
        )

    def voxel_of(self, point: QPointF, index: int) -> tuple[float, float, float]:
        """Voxel position under a widget position on slice `index`; the inverse of `point_of`."""
        h, v, scale = self.plane.horizontal, self.plane.vertical, self.pixels_per_mm
        voxel = [0.0, 0.0, 0.0]
        voxel[self.plane.axis] = float(index)
        beside = (point.x() - self.width / 2) / (scale * self.spacing[h])
        voxel[h] = self.camera.centre[h] + self._right * beside
        voxel[v] = self.camera.centre[v] - (point.y() - self.height / 2) / (scale * self.spacing[v])
        return (voxel[0], voxel[1], voxel[2])


# Qt scales 32-bit pictures five times as fast as 8-bit ones.
GREY: NDArray[np.uint32] = np.arange(256, dtype=np.uint32) * np.uint32(0x010101) | np.uint32(0xFF000000)


def grey_pixels(
    cut: NDArray[Any], window: tuple[float, float], table: NDArray[np.uint32] = GREY
) -> NDArray[np.uint32]:
    """RGB32 picture of a slice under a window (lower, upper limit) and a colour map of 256; C-contiguous."""
    low, high = window
    scaled = np.subtract(cut, np.float32(low), dtype=np.float32)
    scaled *= np.float32(255.0 / max(high - low, 1e-6))
    # A voxel that is not a number is shown as the darkest.
    np.clip(scaled, 0, 255, out=scaled)
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(table[scaled.astype(np.uint8)])
