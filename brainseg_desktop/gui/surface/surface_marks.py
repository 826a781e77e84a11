"""What is drawn over the surface: the planes of the slices, the crosshair, the sides, and words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.gui.surface.surface_camera import Orbit
from brainseg_desktop.gui.views.plane import Plane

# None of them is the colour of a label.
PLANE_COLOURS = {
    Plane.AXIAL: QColor(120, 170, 255),
    Plane.CORONAL: QColor(235, 150, 235),
    Plane.SAGITTAL: QColor(240, 165, 120),
}
_TEXT, _FAINT = QColor(222, 226, 230), QColor(150, 157, 165)
_SIDES = (("R", 0, 1), ("L", 0, -1), ("A", 1, 1), ("P", 1, -1), ("S", 2, 1), ("I", 2, -1))
_CROSS_MM = 7.0


def draw_planes(
    painter: QPainter,
    area: QRect,
    orbit: Orbit,
    grid: Grid,
    voxel: tuple[int, int, int],
    box: NDArray[np.float64],
) -> None:
    """Frames where the three slices through a voxel lie, and a cross at the voxel.

    Parameters
    ----------
    box : (2, 3) array
        First and last voxel position of the frames.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for plane, colour in PLANE_COLOURS.items():
        h, v = plane.horizontal, plane.vertical
        corners = np.tile(np.array(voxel, dtype=np.float64), (4, 1))
        corners[:, h] = box[[0, 1, 1, 0], h]
        corners[:, v] = box[[0, 0, 1, 1], v]
        points = _pixels(orbit, grid.world_of(corners), area)
        if points is not None:
            painter.setPen(QPen(colour, 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolygon(QPolygonF(points))
    reach = np.eye(3) * _CROSS_MM
    centre = grid.world_of(voxel)
    for shade, width in ((QColor(0, 0, 0, 190), 3.6), (QColor(255, 255, 255), 1.4)):
        painter.setPen(QPen(shade, width))
        for arm in reach:
            ends = _pixels(orbit, np.stack([centre - arm, centre + arm]), area)
            if ends is not None:
                painter.drawLine(ends[0], ends[1])


def draw_sides(painter: QPainter, area: QRect, orbit: Orbit) -> None:
    """A small cross in the lower left corner: where the sides of the patient lie on the screen."""
    metrics = painter.fontMetrics()
    room = 0.8 * metrics.height()
    reach = min(2.4 * metrics.height(), area.height() / 9)
    middle = QPointF(area.left() + reach + 2 * room, area.bottom() - reach - 2 * room)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    arms = [(letter, sign * orbit.axes[:, axis]) for letter, axis, sign in _SIDES]
    # Far ones first, so that a near letter is never covered by a far one.
    for letter, (x, y, near) in sorted(arms, key=lambda arm: arm[1][2]):
        if near < -0.9:
            continue
        colour = QColor(_TEXT if near > -0.15 else _FAINT)
        end = middle + QPointF(x, -y) * reach
        painter.setPen(QPen(colour, 1.4 if near > -0.15 else 0.8))
        painter.drawLine(middle, end)
        place = middle + QPointF(x, -y) * (reach + room)
        width = metrics.horizontalAdvance(letter)
        painter.drawText(
            place + QPointF(-width / 2, metrics.capHeight() / 2),
            letter,
        )


def draw_legend(painter: QPainter, area: QRect) -> None:
    """The names of the planes in their colours, in the lower right corner."""
    height = painter.fontMetrics().height()
    inner = area.adjusted(8, 8, -8, -6)
    for row, (plane, colour) in enumerate(reversed(PLANE_COLOURS.items())):
        painter.setPen(colour)
        line = QRect(inner.left(), inner.bottom() - (row + 1) * height, inner.width(), height)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, plane.words)


def draw_title(painter: QPainter, area: QRect, title: str, note: str) -> None:
    """Whose mask it is, and a fainter line below, in the upper left corner."""
    height = painter.fontMetrics().height()
    inner = area.adjusted(8, 6, -8, -6)
    for row, (text, colour) in enumerate(((title, _TEXT), (note, _FAINT))):
        line = QRect(inner.left(), inner.top() + row * height, inner.width(), height)
        painter.setPen(colour)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def draw_words(painter: QPainter, area: QRect, text: str) -> None:
    """A sentence in the middle."""
    painter.setPen(_TEXT)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(area.adjusted(16, 16, -16, -16), int(flags), text)


def _pixels(orbit: Orbit, points_mm: NDArray[np.float64], area: QRect) -> list[QPointF] | None:
    """Places on the widget; None if one of them is behind the viewer."""
    pixels = orbit.pixels_of(points_mm, area.width(), area.height())
    return [QPointF(x, y) for x, y in pixels.tolist()] if np.isfinite(pixels).all() else None
