"""Contours in the making on the picture of a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from brainseg_desktop.gui.views.overlay import Colour
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.slice_view import SliceView

Flat = tuple[float, float]

_SHADOW = QColor(0, 0, 0, 180)
_WHITE = QColor(255, 255, 255)
_FILL_ALPHA = 60
# What would be removed is dimmed.
_REMOVED = QColor(0, 0, 0, 90)
_NODE = 3.5


@dataclass(frozen=True, slots=True)
class Place:
    """The slice that a contour is drawn on; its points are voxel positions along the plane's two axes."""

    plane: Plane
    index: int

    @staticmethod
    def of(view: SliceView) -> Place:
        """The slice that a view shows."""
        return Place(view.plane, view.index)

    def __str__(self) -> str:
        return f"{self.plane.title} {self.index + 1}"

    def is_on(self, view: SliceView) -> bool:
        """Whether a view shows this slice."""
        return view.plane is self.plane and view.index == self.index

    def flat(self, voxel: tuple[float, float, float]) -> Flat:
        """A voxel position without the axis across the slice."""
        return (voxel[self.plane.horizontal], voxel[self.plane.vertical])

    def voxel(self, point: Flat) -> tuple[float, float, float]:
        """The voxel position of a point."""
        voxel = [0.0, 0.0, 0.0]
        voxel[self.plane.axis] = float(self.index)
        voxel[self.plane.horizontal], voxel[self.plane.vertical] = point
        return (voxel[0], voxel[1], voxel[2])

    def on_screen(self, points: Sequence[Flat], projection: Projection) -> list[QPointF]:
        """Where points lie on the widget."""
        origin = projection.point_of(self.voxel((0.0, 0.0)))
        unit = projection.point_of(self.voxel((1.0, 1.0))) - origin
        return [QPointF(origin.x() + h * unit.x(), origin.y() + v * unit.y()) for h, v in points]


class Shade(Enum):
    """What is tinted: the part of the slice that closing the contour would change."""

    NONE = "none"
    INSIDE = "inside"
    OUTSIDE = "outside"


def draw_contour(
    painter: QPainter,
    outline: Sequence[QPointF],
    colour: Colour | None,
    *,
    closed: bool,
    shade: Shade = Shade.NONE,
) -> None:
    """Draw a line through points of the widget; white and dashed where it would remove (None).

    Parameters
    ----------
    closed : bool
        Whether the last point is joined to the first.
    shade : Shade
    """
    if len(outline) < 2:
        return
    ink = _WHITE if colour is None else QColor(*colour)
    path = QPainterPath()
    path.addPolygon(QPolygonF(list(outline)))
    # As `core.contours` counts the inside.
    path.setFillRule(Qt.FillRule.WindingFill)
    if closed:
        path.closeSubpath()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    if shade is not Shade.NONE:
        tint = _REMOVED if colour is None else QColor(*colour, _FILL_ALPHA)
        painter.fillPath(_outside(painter, path) if shade is Shade.OUTSIDE else path, tint)
    for pen in (QPen(_SHADOW, 3), QPen(ink, 1.5)):
        if colour is None:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.strokePath(path, pen)
    painter.restore()


def _outside(painter: QPainter, path: QPainterPath) -> QPainterPath:
    whole = QPainterPath()
    whole.addRect(QRectF(painter.viewport()))
    return whole.subtracted(path)


def draw_rubber(painter: QPainter, start: QPointF, pointer: QPointF, end: QPointF | None) -> None:
    """Draw where the next node would lead, and (thin, dotted) how the contour would then be closed."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(_WHITE, 1))
    painter.drawLine(start, pointer)
    if end is not None:
        painter.setPen(QPen(_WHITE, 1, Qt.PenStyle.DotLine))
        painter.drawLine(pointer, end)
    painter.restore()


def draw_nodes(
    painter: QPainter, nodes: Sequence[QPointF], colour: Colour | None, selected: int | None, *, ring: bool
) -> None:
    """Draw handles on nodes; the selected one filled white.

    Parameters
    ----------
    ring : bool
        Around the first node: a click on it closes the contour.
    """
    ink = _WHITE if colour is None else QColor(*colour)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(_SHADOW, 1))
    for number, node in enumerate(nodes):
        painter.setBrush(_WHITE if number == selected else ink)
        painter.drawRect(QRectF(node.x() - _NODE, node.y() - _NODE, 2 * _NODE, 2 * _NODE))
    if ring and nodes:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(_WHITE, 1.5))
        painter.drawEllipse(nodes[0], 2.2 * _NODE, 2.2 * _NODE)
    painter.restore()
