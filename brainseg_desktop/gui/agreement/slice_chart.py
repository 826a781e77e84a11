"""Dice of each slice along an axis, and both areas; a click or the arrow keys go to a slice.

Painted by hand: a plotting library's items hold each other in circles, and such a circle may be cleared away
while another thread runs, which ends the program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.gui.agreement.check_picture import MASK_COLOUR, REFERENCE_COLOUR
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.views.overlay import Colour
from brainseg_desktop.services.language import tr

_DICE: Colour = (77, 155, 245)
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: -10, Qt.Key.Key_PageUp: 10}
_TICK = 4.0
# Share of the height that the Dice takes where the areas are shown too.
_DICE_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Areas:
    """Area of the reference and of the mask on each slice, (slices,) each, in `unit`."""

    reference: NDArray[np.float64]
    mask: NDArray[np.float64]
    unit: str


class SlicesChart(QWidget):
    """One axis of slices: Dice above and, if they are given, the areas of both masks below.

    Signals
    -------
    chosen : slice number from 0.
    """

    chosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._dice: NDArray[np.float64] = np.zeros(0)
        self._areas: Areas | None = None
        self._axis = ""
        self._first, self._last, self._current = 0, 0, 0
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_slices(self, dice: NDArray[np.float64], areas: Areas | None = None, axis: str = "") -> None:
        """Show one value a slice, NaN where both masks are empty.

        Parameters
        ----------
        axis : str
            What the slices are, below the chart.
        """
        self._dice, self._areas, self._axis = dice, areas, axis
        filled = np.flatnonzero(np.isfinite(dice))
        # What is marked and a little beside it.
        self._first = max(0, int(filled[0]) - 2) if filled.size else 0
        self._last = min(dice.size - 1, int(filled[-1]) + 2) if filled.size else max(0, dice.size - 1)
        self.update()

    def set_current(self, index: int) -> None:
        """Mark the slice shown (from 0)."""
        if index != self._current:
            self._current = index
            self.update()

    def pixel_of(self, index: int) -> QPoint:
        """The pixel in the middle of a slice."""
        frame = self._frames()[0]
        return QPointF(self._x(frame, index), frame.center().y()).toPoint()

    def sizeHint(self) -> QSize:
        return QSize(280, 8 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 6 * self.fontMetrics().height())

    # Painting ---------------------------------------------------------------------------------------

    def _frames(self) -> tuple[QRectF, QRectF]:
        """Where the curves lie: of the Dice, and of the areas."""
        line = self.fontMetrics().height()
        left = self.fontMetrics().horizontalAdvance("00,000") + 2 * _TICK
        low = (2.2 if self._axis else 1.2) * line + _TICK
        top = line if self._areas is not None else line / 2
        inside = QRectF(left, top, self.width() - left - line / 2, self.height() - top - low)
        if self._areas is None:
            return inside, QRectF()
        above = QRectF(inside)
        above.setHeight(_DICE_SHARE * inside.height() - line / 2)
        below = QRectF(inside)
        below.setTop(above.bottom() + 1.5 * line)
        return above, below

    def _x(self, frame: QRectF, index: float) -> float:
        return frame.left() + (index - self._first + 0.5) / (self._last - self._first + 1) * frame.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._dice.size == 0:
            return
        painter = QPainter(self)
        keep_sides(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        above, below = self._frames()
        self._draw_scale(painter, above, 1.0, tr("Dice"))
        self._draw_curve(painter, above, self._dice, _DICE, dots=True)
        if self._areas is not None:
            values = np.concatenate([self._areas.reference, self._areas.mask])
            most = 1.1 * float(values.max(initial=0.0)) or 1.0
            self._draw_scale(painter, below, most, self._areas.unit)
            for areas, colour in (
                (self._areas.reference, REFERENCE_COLOUR),
                (self._areas.mask, MASK_COLOUR),
            ):
                self._draw_curve(painter, below, areas / most, colour)
        self._draw_slices(painter, above if self._areas is None else below)
        if self._first <= self._current <= self._last:
            painter.setPen(QPen(self._ink(), 1, Qt.PenStyle.DashLine))
            x = self._x(above, self._current)
            bottom = above.bottom() if self._areas is None else below.bottom()
            painter.drawLine(QPointF(x, above.top()), QPointF(x, bottom))
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Accent), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)

    def _ink(self) -> QColor:
        return self.palette().color(QPalette.ColorRole.PlaceholderText)

    def _draw_scale(self, painter: QPainter, frame: QRectF, most: float, title: str) -> None:
        """The axis at the left, its numbers, and what they are."""
        painter.setPen(QPen(self._ink(), 1))
        painter.drawLine(frame.topLeft(), frame.bottomLeft())
        line = self.fontMetrics().height()
        step = round_step(most, max(1.0, min(6.0, frame.height() / (1.6 * line))))
        for number in range(math.floor(most / step + 1e-9) + 1):
            y = frame.bottom() - number * step / most * frame.height()
            painter.drawLine(QPointF(frame.left() - _TICK, y), QPointF(frame.left(), y))
            place = QRectF(0, y - line / 2, frame.left() - 1.5 * _TICK, line)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(place, right, f"{number * step:,.{1 if step < 1 else 0}f}")
        if self._areas is not None:
            # In the corner where the curves begin and end, near 0, there is room.
            words = QRectF(frame.left(), frame.top() - line / 2, frame.width() - _TICK, line)
            painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, title)

    def _draw_slices(self, painter: QPainter, frame: QRectF) -> None:
        """The axis at the bottom; slices are numbered from 1."""
        painter.setPen(QPen(self._ink(), 1))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        metrics = self.fontMetrics()
        wide = 2.5 * metrics.horizontalAdvance("000")
        step = max(1, round(round_step(self._last - self._first + 1, max(1.0, frame.width() / wide))))
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        for index in range(self._first, self._last + 1):
            if (index + 1) % step == 0:
                x = self._x(frame, index)
                painter.drawLine(QPointF(x, frame.bottom()), QPointF(x, frame.bottom() + _TICK))
                place = QRectF(x - wide / 2, frame.bottom() + _TICK, wide, metrics.height())
                painter.drawText(place, centre, str(index + 1))
        if self._axis:
            top = frame.bottom() + _TICK + metrics.height()
            painter.drawText(QRectF(frame.left(), top, frame.width(), metrics.height()), centre, self._axis)

    def _draw_curve(
        self,
        painter: QPainter,
        frame: QRectF,
        shares: NDArray[np.float64],
        colour: Colour,
        *,
        dots: bool = False,
    ) -> None:
        """A line through values from 0 to 1 with a gap where there is none."""
        run = QPolygonF()
        painter.setPen(QPen(QColor(*colour), 2))
        painter.setBrush(QColor(*colour))
        for index in range(self._first, self._last + 2):
            value = float(shares[index]) if index <= self._last else math.nan
            if math.isfinite(value):
                run.append(QPointF(self._x(frame, index), frame.bottom() - value * frame.height()))
                continue
            painter.drawPolyline(run)
            if dots:
                for point in run.toList():
                    painter.drawEllipse(point, 1.2, 1.2)
            run.clear()

    # Events -----------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._dice.size == 0:
            super().mousePressEvent(event)
            return
        frame = self._frames()[0]
        share = (event.position().x() - frame.left()) / max(1.0, frame.width())
        self._choose(self._first + math.floor(share * (self._last - self._first + 1)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            step = 0
        if step is None or self._dice.size == 0:
            super().keyPressEvent(event)
            return
        self._choose(self._current + step)

    def _choose(self, index: int) -> None:
        self.chosen.emit(min(max(0, index), self._dice.size - 1))


def round_step(most: float, at_most: float) -> float:
    """The smallest of 1, 2, 5, 10, ... (or a tenth, ...) that divides a scale into at most so many parts.

    Examples
    --------
    >>> round_step(1.0, 6.0), round_step(23.0, 5.0)
    (0.2, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(most / at_most))
    return next(f * power for f in (1.0, 2.0, 5.0, 10.0) if most / (f * power) <= at_most + 1e-9)
