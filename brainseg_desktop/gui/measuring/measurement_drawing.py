"""Measurements on the picture of a slice: lines with a dark shadow, handles, values beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.measurements import Measurement, MeasurementKind, as_point, handle_voxels
from brainseg_desktop.gui.views.plane import Projection

_LINE = QColor(240, 244, 248)
_SELECTED = QColor(90, 215, 255)
_SHADOW = QColor(0, 0, 0, 170)
_HANDLE = 3.0
_GAP = 9.0
# The side letters stand along the edges of a view; values keep off them where there is room.
_EDGE = 26.0

Line = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One measurement to be drawn.

    Parameters
    ----------
    kind : MeasurementKind
    handles : tuple of QPointF
        On the widget, in the order of `handle_voxels`; fewer while it is being drawn.
    lines : tuple of str
        Its values; empty while there is nothing to say.
    selected : bool
    """

    kind: MeasurementKind
    handles: tuple[QPointF, ...]
    lines: tuple[str, ...]
    selected: bool

    @property
    def segments(self) -> tuple[tuple[QPointF, QPointF], ...]:
        """Its straight lines; of a ROI the sides of its box, which are not drawn."""
        p = self.handles
        if self.kind is MeasurementKind.ROI:
            return tuple((p[i], p[(i + 1) % 4]) for i in range(4)) if len(p) == 5 else ()
        if self.kind is MeasurementKind.DIAMETERS:
            return ((p[0], p[1]), (p[2], p[3]))
        return tuple(pairwise(p))


def handle_points(m: Measurement, grid: Grid, projection: Projection) -> tuple[QPointF, ...]:
    """The handles of a measurement on the widget."""
    return tuple(projection.point_of(as_point(v)) for v in handle_voxels(m, grid))


def draw_measurements(painter: QPainter, projection: Projection, shapes: Iterable[Drawn]) -> None:
    """Draw measurements and write their values beside them, inside the view and off each other."""
    frame = QRectF(0, 0, projection.width, projection.height)
    visible = [shape for shape in shapes if _bounds(shape.handles).intersects(frame)]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for shape in visible:
        _draw_lines(painter, shape)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    taken: list[QRectF] = []
    drawn = [(a.x(), a.y(), b.x(), b.y()) for shape in visible for a, b in shape.segments]
    # The selected one is written first and so has the best place.
    for shape in sorted(visible, key=lambda s: not s.selected):
        if shape.lines:
            _write(painter, shape, frame, drawn, taken)
    painter.restore()


def _draw_lines(painter: QPainter, shape: Drawn) -> None:
    colour = _SELECTED if shape.selected else _LINE
    lines, dots = QPainterPath(), QPainterPath()
    if shape.kind is MeasurementKind.ROI:
        if len(shape.handles) == 5:
            lines.addEllipse(QRectF(shape.handles[0], shape.handles[2]).normalized())
    else:
        for start, end in shape.segments:
            lines.moveTo(start)
            lines.lineTo(end)
    radius = _HANDLE + 1.0 if shape.selected else _HANDLE
    for point in shape.handles:
        dots.addEllipse(point, radius, radius)
    painter.setPen(QPen(_SHADOW, 3.5))
    painter.drawPath(lines)
    painter.drawPath(dots)
    painter.setPen(QPen(colour, 1.5))
    painter.drawPath(lines)
    if shape.selected:
        painter.fillPath(dots, colour)
    painter.drawPath(dots)


def _write(painter: QPainter, shape: Drawn, frame: QRectF, drawn: list[Line], taken: list[QRectF]) -> None:
    """Write the values where they fit best, and add that place to those taken.

    What would lie over other values, or be cut in a small view, is left to the list of measurements: half a
    number is a wrong number.
    """
    metrics, lines = QFontMetricsF(painter.font()), shape.lines
    width = max(metrics.horizontalAdvance(line) for line in lines) + 6
    height = metrics.height() * len(lines) + 2
    if width > frame.width() - 8 or height > frame.height() / 2:
        return
    where = _place(shape, width, height, frame, drawn, taken)
    if any(where.intersects(other) for other in taken):
        return
    taken.append(where)
    painter.fillRect(where, QColor(0, 0, 0, 110))
    colour = _SELECTED if shape.selected else _LINE
    for number, line in enumerate(lines):
        at = QPointF(where.left() + 3, where.top() + 1 + metrics.ascent() + number * metrics.height())
        painter.setPen(_SHADOW)
        painter.drawText(at + QPointF(1, 1), line)
        painter.setPen(colour)
        painter.drawText(at, line)


def _place(
    shape: Drawn, width: float, height: float, frame: QRectF, drawn: list[Line], taken: list[QRectF]
) -> QRectF:
    """The rectangle beside the shape that hides least of all that is drawn and written; inside the view."""
    quiet = frame.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
    bounds = _bounds(shape.handles)
    places = []
    for p in reversed(shape.handles[:4]):
        places += [
            QRectF(p.x() + _GAP, p.y() - height / 2, width, height),
            QRectF(p.x() - _GAP - width, p.y() - height / 2, width, height),
            QRectF(p.x() - width / 2, p.y() + _GAP, width, height),
            QRectF(p.x() - width / 2, p.y() - _GAP - height, width, height),
        ]
    middle = bounds.center()
    places += [
        QRectF(bounds.right() + _GAP, middle.y() - height / 2, width, height),
        QRectF(bounds.left() - _GAP - width, middle.y() - height / 2, width, height),
        QRectF(middle.x() - width / 2, bounds.bottom() + _GAP, width, height),
        QRectF(middle.x() - width / 2, bounds.top() - _GAP - height, width, height),
    ]
    best, found = math.inf, places[0]
    for number, wish in enumerate(places):
        place = _moved_into(wish, frame.adjusted(2, 2, -2, -2))
        cost = 0.01 * number + 0.5 * (place != wish) + 1.0 * (not quiet.contains(place))
        if cost < best:
            cost += 6.0 * sum(place.intersects(other) for other in taken)
            cost += 4.0 * _crossings(place, drawn)
        if cost < best:
            best, found = cost, place
    return found


def _crossings(place: QRectF, lines: list[Line]) -> int:
    """How many lines touch a rectangle; plain numbers, as this is asked for at every repaint."""
    left, top, right, bottom = place.left(), place.top(), place.right(), place.bottom()
    count = 0
    for x1, y1, x2, y2 in lines:
        if max(x1, x2) < left or min(x1, x2) > right or max(y1, y2) < top or min(y1, y2) > bottom:
            continue
        # The box of the line meets the rectangle: so does the line unless all corners are on one side of it.
        dx, dy = x2 - x1, y2 - y1
        sides = [dx * (y - y1) - dy * (x - x1) for x in (left, right) for y in (top, bottom)]
        count += min(sides) <= 0 <= max(sides)
    return count


def _moved_into(place: QRectF, frame: QRectF) -> QRectF:
    x = max(frame.left(), min(place.left(), frame.right() - place.width()))
    y = max(frame.top(), min(place.top(), frame.bottom() - place.height()))
    return QRectF(x, y, place.width(), place.height())


def _bounds(points: tuple[QPointF, ...]) -> QRectF:
    """The box around the points, never without area, so that a level line has one too."""
    xs, ys = [p.x() for p in points], [p.y() for p in points]
    return QRectF(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)).adjusted(-1, -1, 1, 1)
