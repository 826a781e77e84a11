"""The histogram of one sequence with the two limits of its window, moved by the mouse or by the keys."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.core.histogram import Histogram
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.views.colour_maps import GREY, colour_table
from brainseg_desktop.services.language import mark, tr

_GRAB = 8.0  # pixels beside a limit
_STRIP = 10.0  # height of the strip of colours
_KEYS = {
    Qt.Key.Key_Left: -1.0,
    Qt.Key.Key_Down: -1.0,
    Qt.Key.Key_Right: 1.0,
    Qt.Key.Key_Up: 1.0,
    Qt.Key.Key_PageDown: -10.0,
    Qt.Key.Key_PageUp: 10.0,
}


class Part(Enum):
    """What of the window is moved."""

    LOW = mark("lower limit")
    LEVEL = mark("level")
    HIGH = mark("upper limit")


_PARTS = tuple(Part)


def decimals_of(histogram: Histogram | None) -> int:
    """Digits behind the point that tell two neighbouring grey values of a sequence apart.

    Examples
    --------
    >>> import numpy as np
    >>> decimals_of(Histogram(np.ones(1), np.array([0.0, 2.0]), np.linspace(0, 2, 1001)))
    3
    """
    if histogram is None:
        return 0
    return int(np.clip(3 - np.floor(np.log10(histogram.body)), 0, 8))


class HistogramView(QWidget):
    """Draws what it is given. Tab goes from limit to limit, the arrow keys move the one marked.

    Signals
    -------
    window_moved : (lower, upper) limit the reader asks for.
    """

    window_moved = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histogram: Histogram | None = None
        self._window: tuple[float, float] | None = None
        self._axis = (0.0, 1.0)
        self._table = colour_table(GREY)
        self._part = Part.LOW
        self._drag: tuple[Part, float, tuple[float, float]] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            tr(
                "Drag a limit to move it, or between the limits to move both (the level).\n"
                "Keys: Tab goes from limit to limit, arrow keys move it, with Shift in large steps"
            )
        )

    def sizeHint(self) -> QSize:
        return QSize(220, round(self.fontMetrics().height() * 6.5))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    # What is shown ----------------------------------------------------------------------------------

    def set_shown(
        self,
        name: str,
        histogram: Histogram | None,
        window: tuple[float, float] | None,
        table: NDArray[np.uint32],
    ) -> None:
        """Show the histogram and window of a sequence; None: nothing yet."""
        self._histogram, self._window, self._table = histogram, window, table
        if self._drag is None:  # the axis must not move under the mouse
            self._axis = self._fitting_axis()
        self.setAccessibleName(tr("Histogram of {name}", name=name))
        if window is not None:
            low, high = (self._text(v) for v in window)
            self.setAccessibleDescription(
                tr(
                    "Window from {low} to {high}. The arrow keys move the {part}.",
                    low=low,
                    high=high,
                    part=tr(self._part.value),
                )
            )
        self.update()

    @property
    def part(self) -> Part:
        """What the arrow keys move."""
        return self._part

    def x_of(self, value: float) -> float:
        """Where a grey value lies, in pixels from the left."""
        first, last = self._axis
        return (value - first) / (last - first) * (self.width() - 1)

    def _value_of(self, x: float) -> float:
        first, last = self._axis
        return first + x / max(1, self.width() - 1) * (last - first)

    def _fitting_axis(self) -> tuple[float, float]:
        """Nearly all of the values and the window, as long as that is not absurdly wide."""
        if self._histogram is None:
            return (0.0, 1.0)
        h = self._histogram
        first, last = h.lowest, max(h.value_at(99.9), h.lowest + 1e-6)
        if self._window is not None:
            first = max(min(first, self._window[0]), h.lowest - h.body)
            last = min(max(last, self._window[1]), h.highest + h.body)
        margin = (last - first) * 0.04
        return (first - margin, last + margin)

    def _text(self, value: float) -> str:
        return f"{value:.{decimals_of(self._histogram)}f}"

    # Painting ---------------------------------------------------------------------------------------

    @property
    def _plot(self) -> QRectF:
        """The field of the bars; the strip and the numbers lie below."""
        below = _STRIP + self.fontMetrics().height() + 5
        return QRectF(0.5, 0.5, self.width() - 1, self.height() - below - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        palette, plot = self.palette(), self._plot
        painter.fillRect(plot, palette.color(QPalette.ColorRole.Base))
        if self._histogram is not None and self._window is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_bars(painter, plot)
            self._draw_strip(painter, QRectF(0, plot.bottom() + 1, self.width(), _STRIP))
            self._draw_limits(painter, plot)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        focused = self.hasFocus()
        frame = palette.color(QPalette.ColorRole.Accent if focused else QPalette.ColorRole.Text)
        frame.setAlpha(255 if focused else 70)
        painter.setPen(QPen(frame, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(plot.adjusted(0, 0, -0.5, 0))

    def _heights(self, columns: int) -> NDArray[np.float64]:
        """Square roots of the counts over each pixel column, 0 to 1."""
        assert self._histogram is not None
        h = self._histogram
        # Through the sums, so that a column holds its share of a bin however bins and pixels fall.
        sums = np.concatenate([[0.0], np.cumsum(h.counts)])
        edges = np.linspace(*self._axis, columns + 1)
        inside = np.diff(np.interp(edges, h.edges, sums))
        heights: NDArray[np.float64] = np.sqrt(inside / max(inside.max(), 1e-12))
        return heights

    def _draw_bars(self, painter: QPainter, plot: QRectF) -> None:
        assert self._window is not None
        columns = max(1, int(plot.width()))
        tops = plot.bottom() - self._heights(columns) * (plot.height() - 4)
        points = [QPointF(plot.left() + x + 0.5, y) for x, y in enumerate(tops.tolist())]
        shape = QPolygonF([QPointF(plot.left(), plot.bottom()), *points, plot.bottomRight()])
        text = self.palette().color(QPalette.ColorRole.Text)
        outside, within = QColor(text), QColor(text)
        outside.setAlpha(60)
        within.setAlpha(130)
        low, high = map(self.x_of, self._window)
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, left, right in (
            (outside, plot.left(), low),
            (within, low, high),
            (outside, high, plot.right()),
        ):
            painter.save()
            painter.setClipRect(QRectF(left, plot.top(), max(0.0, right - left), plot.height()))
            painter.setBrush(colour)
            painter.drawPolygon(shape)
            painter.restore()

    def _draw_strip(self, painter: QPainter, strip: QRectF) -> None:
        """The colours that the grey values get."""
        assert self._window is not None
        low, high = map(self.x_of, self._window)
        row = np.ascontiguousarray(self._table)
        image = QImage(row.data, 256, 1, 1024, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
        painter.fillRect(strip, QColor(int(row[0])))
        painter.save()
        painter.setClipRect(strip)
        painter.drawImage(QRectF(low, strip.top(), max(1.0, high - low), strip.height()), image)
        painter.fillRect(QRectF(high, strip.top(), 1e4, strip.height()), QColor(int(row[-1])))
        painter.restore()

    def _draw_limits(self, painter: QPainter, plot: QRectF) -> None:
        assert self._window is not None
        palette = self.palette()
        text, accent = (palette.color(r) for r in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Accent))
        low, high = map(self.x_of, self._window)
        painter.setPen(QPen(text, 1.2))
        corners = (
            plot.bottomLeft(),
            QPointF(low, plot.bottom()),
            QPointF(high, plot.top() + 1),
            QPointF(plot.right(), plot.top() + 1),
        )
        painter.save()
        painter.setClipRect(plot)
        painter.drawPolyline(QPolygonF(corners))
        painter.restore()
        bottom = plot.bottom() + 1 + _STRIP
        for part, x in ((Part.LOW, low), (Part.HIGH, high)):
            marked = self._is_marked(part)
            x = min(max(1.5, x), self.width() - 1.5)
            painter.setPen(QPen(accent if marked else text, 2.4 if marked else 1.4))
            painter.drawLine(QPointF(x, plot.top() + 1), QPointF(x, bottom))
            painter.setBrush(accent if marked else palette.color(QPalette.ColorRole.Button))
            painter.setPen(QPen(text, 1))
            painter.drawRoundedRect(QRectF(x - 3.5, plot.center().y() - 8, 7, 16), 2, 2)
        if self._is_marked(Part.LEVEL):
            painter.fillRect(QRectF(low, bottom - 2, max(2.0, high - low), 3), accent)
        painter.setPen(text)
        self._draw_numbers(painter, bottom + 2, low, high)

    def _is_marked(self, part: Part) -> bool:
        """A limit follows the keys, or the mouse holds it."""
        moved = self._drag[0] if self._drag is not None else self._part if self.hasFocus() else None
        return moved is part or (moved is Part.LEVEL and part is not Part.LEVEL)

    def _draw_numbers(self, painter: QPainter, top: float, low: float, high: float) -> None:
        """The limits below their handles, moved apart where they would touch, never outside."""
        assert self._window is not None
        texts = [self._text(v) for v in self._window]
        widths = [float(self.fontMetrics().horizontalAdvance(t)) for t in texts]
        gap, last = self.fontMetrics().horizontalAdvance("  "), float(self.width())
        lefts = [low - widths[0] / 2, high - widths[1] / 2]
        overlap = lefts[0] + widths[0] + gap - lefts[1]
        if overlap > 0:
            lefts = [lefts[0] - overlap / 2, lefts[1] + overlap / 2]
        lefts[0] = min(max(0.0, lefts[0]), last - widths[0] - gap - widths[1])
        lefts[1] = min(max(lefts[1], lefts[0] + widths[0] + gap), last - widths[1])
        base = top + self.fontMetrics().ascent()
        for left, text in zip(lefts, texts, strict=True):
            painter.drawText(QPointF(left, base), text)

    # Moving -----------------------------------------------------------------------------------------

    def _part_at(self, x: float) -> Part | None:
        """What a press at `x` takes; of two limits near it the nearer."""
        if self._window is None:
            return None
        low, high = (min(max(0.0, self.x_of(v)), self.width() - 1.0) for v in self._window)
        if min(abs(x - low), abs(x - high)) <= min(_GRAB, max(2.0, (high - low) / 3)):
            return Part.LOW if abs(x - low) < abs(x - high) or x < low else Part.HIGH
        if low < x < high:
            return Part.LEVEL
        # Beside a window that is too narrow to be aimed at.
        if low - _GRAB <= x <= high + _GRAB:
            return Part.LOW if x <= low else Part.HIGH
        return None

    def _move(self, part: Part, window: tuple[float, float], by: float) -> None:
        """Ask for `window` with one part moved; a limit stops before the other."""
        assert self._histogram is not None
        low, high = window
        least = max(self._histogram.body / 1000, 2e-6)
        if part is not Part.HIGH:
            low += by
        if part is not Part.LOW:
            high += by
        if high - low < least:
            low, high = (high - least, high) if part is Part.LOW else (low, low + least)
        self.window_moved.emit(low, high)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        part = self._part_at(x)
        if event.button() != Qt.MouseButton.LeftButton or part is None or self._histogram is None:
            return
        assert self._window is not None
        self._part = part
        self._drag = (part, self._value_of(x), self._window)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._drag is None:
            shapes = {Part.LEVEL: Qt.CursorShape.OpenHandCursor, None: Qt.CursorShape.ArrowCursor}
            self.setCursor(shapes.get(self._part_at(x), Qt.CursorShape.SizeHorCursor))
            return
        part, start, window = self._drag
        self._move(part, window, self._value_of(x) - start)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None and event.button() == Qt.MouseButton.LeftButton:
            self._drag = None
            self._axis = self._fitting_axis()
            self.update()

    def event(self, event: QEvent) -> bool:
        # The arrow keys step through the slices elsewhere; here they move a limit.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = event.modifiers() & ~(
                Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
            )
            if event.key() in _KEYS and keys == Qt.KeyboardModifier.NoModifier:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = _KEYS.get(Qt.Key(event.key()))
        if steps is None or self._histogram is None or self._window is None:
            super().keyPressEvent(event)
            return
        large = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        self._move(self._part, self._window, steps * large * self._histogram.body / 100)

    def focusNextPrevChild(self, next: bool) -> bool:
        place = _PARTS.index(self._part) + (1 if next else -1)
        if not 0 <= place < len(_PARTS):
            return super().focusNextPrevChild(next)
        self._part = _PARTS[place]
        self.setAccessibleDescription(tr("The arrow keys move the {part}.", part=tr(self._part.value)))
        self.update()
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        if event.reason() == Qt.FocusReason.TabFocusReason:
            self._part = _PARTS[0]
        elif event.reason() == Qt.FocusReason.BacktabFocusReason:
            self._part = _PARTS[-1]
        super().focusInEvent(event)
