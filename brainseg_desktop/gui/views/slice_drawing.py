"""What lies over the image of a view: mask, crosshair, captions, side letters, brush."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen, QTransform
from PySide6.QtWidgets import QWidget

from brainseg_desktop.gui.views.overlay import UNCERTAINTY_COLOURS, Colour, MaskPicture, vote_colours
from brainseg_desktop.gui.views.plane import Projection
from brainseg_desktop.services.language import tr

_TEXT = QColor(222, 226, 230)
_FAINT = QColor(150, 156, 163)
_LETTER = QColor(240, 200, 80)
_MARK = QColor(255, 165, 60)
# Kept free in the upper right corner for the button of the view's menu, in pixels.
MENU_ROOM = 26
# Opaque: Qt draws a translucent line ten times as slowly.
_CROSSHAIR = QColor(70, 115, 170)

_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_TOP, _BOTTOM = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
_MIDDLE, _CENTRE = Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignVCenter


def draw_mask(painter: QPainter, mask: MaskPicture, target: QRectF) -> None:
    """Draw fill and outlines of a mask onto the rectangle of the whole slice."""
    rows, columns = mask.labels.shape
    x, y = target.width() / columns, target.height() / rows
    part = mask.filled
    if not part.isEmpty():
        where = QRectF(
            target.x() + part.x() * x, target.y() + part.y() * y, part.width() * x, part.height() * y
        )
        painter.drawImage(where, mask.image, part)
    if mask.outlines or mask.others:
        painter.save()
        painter.setTransform(QTransform(x, 0, 0, y, target.x(), target.y()), True)
        for lines, style in ((mask.outlines, Qt.PenStyle.SolidLine), (mask.others, Qt.PenStyle.DashLine)):
            for colour, path in lines:
                pen = QPen(QColor(*colour), 1.6, style)
                pen.setCosmetic(True)
                painter.setPen(pen)
                painter.drawPath(path)
        painter.restore()


def draw_crosshair(painter: QPainter, projection: Projection, cursor: tuple[int, int, int]) -> None:
    """Draw the lines of the other planes through the cursor."""
    point = projection.point_of((float(cursor[0]), float(cursor[1]), float(cursor[2])))
    painter.setPen(QPen(_CROSSHAIR, 1))
    painter.drawLine(QPointF(point.x(), 0), QPointF(point.x(), projection.height))
    painter.drawLine(QPointF(0, point.y()), QPointF(projection.width, point.y()))


def draw_brush(painter: QPainter, centre: QPointF, radius: float, colour: Colour | None) -> None:
    """Draw the outline of the brush in pixels; dashed and white for the eraser (None)."""
    ink = QColor(255, 255, 255) if colour is None else QColor(*colour)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    # Black under the colour: seen on bright oedema and on black background alike.
    for pen in (QPen(QColor(0, 0, 0, 180), 3), QPen(ink, 1.5)):
        if colour is None:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawEllipse(centre, radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_curtain(painter: QPainter, view: QWidget, share: float) -> None:
    """Draw the edge behind which the second image or mask is seen, with a grip in the middle."""
    x, y = share * view.width(), view.height() / 2
    painter.setPen(QPen(_MARK, 1))
    painter.drawLine(QPointF(x, 0), QPointF(x, view.height()))
    painter.setBrush(_MARK)
    painter.drawRect(QRectF(x - 3, y - 14, 6, 28))
    painter.setBrush(Qt.BrushStyle.NoBrush)


@dataclass(frozen=True, slots=True)
class Captions:
    """What is written on a view.

    Parameters
    ----------
    sequence, place, window, case : str
    marks : tuple of str
        What is not as usual: another display side, a link held off, another grid.
    left, right : str
        What is on which side of the curtain; only the right one while blinking.
    """

    sequence: str
    place: str
    window: str
    case: str
    marks: tuple[str, ...] = ()
    left: str = ""
    right: str = ""


def draw_captions(
    painter: QPainter, view: QWidget, captions: Captions, letters: tuple[str, str, str, str]
) -> None:
    """Draw what the picture is, the case, the window and the sides.

    Parameters
    ----------
    letters : left, right, top, bottom
    """
    base = view.font()
    title, bold = QFont(base), QFont(base)
    title.setPointSizeF(base.pointSizeF() * 1.25)
    bold.setBold(True)
    line = QFontMetricsF(base).height() * 1.15
    painter.setFont(title)
    _write(painter, view, _LEFT | _TOP, captions.sequence, _TEXT)
    top = QFontMetricsF(title).height() * 1.05
    painter.setFont(base)
    _write(painter, view, _LEFT | _TOP, captions.place, _FAINT, top=round(top))
    for mark in captions.marks:
        top += line
        _write(painter, view, _LEFT | _TOP, mark, _MARK, top=round(top))
    metrics = painter.fontMetrics()
    gap = metrics.averageCharWidth()
    # In a narrow view the name goes below, and the window above the letter of the side.
    half = view.width() // 2 - 8 - 2 * gap
    if metrics.horizontalAdvance(captions.case) <= half - MENU_ROOM:
        _write(painter, view, _RIGHT | _TOP, captions.case, _FAINT, right=MENU_ROOM)
    else:
        name = metrics.elidedText(captions.case, Qt.TextElideMode.ElideMiddle, view.width() - 16)
        _write(painter, view, _LEFT | _TOP, name, _FAINT, top=round(top + line))
    low = 0 if metrics.horizontalAdvance(captions.window) <= half else round(line)
    _write(painter, view, _LEFT | _BOTTOM, captions.window, _FAINT, bottom=low)
    for where, text in ((_LEFT, captions.left), (_RIGHT, captions.right)):
        if text:
            _write(painter, view, where | _BOTTOM, text, _MARK, bottom=round(1.6 * line))
    painter.setFont(bold)
    for where, letter in zip(
        (_LEFT | _CENTRE, _RIGHT | _CENTRE, _MIDDLE | _TOP, _MIDDLE | _BOTTOM), letters, strict=True
    ):
        _write(painter, view, where, letter, _LETTER)
    painter.setFont(base)


def draw_scale_bar(painter: QPainter, view: QWidget, pixels_per_mm: float, *, beside_legend: bool) -> None:
    """Draw a bar of a round length in the lower right corner."""
    length = bar_length_mm(view.width() / pixels_per_mm)
    width = length * pixels_per_mm
    right = (
        view.width() - 10 - (painter.fontMetrics().horizontalAdvance("1 bit") + 24 if beside_legend else 0)
    )
    bottom = view.height() - 9
    for pen, move in ((QPen(QColor(0, 0, 0), 1), 1), (QPen(_FAINT, 1), 0)):
        painter.setPen(pen)
        y, end = bottom + move, right + move
        painter.drawLine(QPointF(end - width, y), QPointF(end, y))
        for x in (end - width, end):
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y))
    text = f"{length:g} mm" if length < 10 else f"{length / 10:g} cm"
    _write(painter, view, _RIGHT | _BOTTOM, text, _FAINT, right=round(view.width() - right - 8), bottom=7)


def bar_length_mm(width_mm: float) -> float:
    """The longest of 1, 2, 5, 10, ... mm that takes at most a quarter of a view so wide.

    Examples
    --------
    >>> bar_length_mm(240.0), bar_length_mm(11.0)
    (50.0, 2.0)
    """
    power = 10.0 ** math.floor(math.log10(max(width_mm, 1e-6) / 4))
    return max(f * power for f in (1.0, 2.0, 5.0) if f * power <= width_mm / 4 * (1 + 1e-9))


def draw_scale(painter: QPainter, view: QWidget) -> None:
    """Draw what the colours of uncertainty mean, in the lower right corner."""
    line = painter.fontMetrics().height()
    height = min(7.0 * line, view.height() / 3)
    bar = QRectF(view.width() - 18, view.height() - 10 - height, 9, height)
    gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
    for number, colour in enumerate(UNCERTAINTY_COLOURS):
        gradient.setColorAt(number / (len(UNCERTAINTY_COLOURS) - 1), QColor(*colour))
    painter.setPen(QPen(_FAINT, 1))
    painter.setBrush(gradient)
    painter.drawRect(bar)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    beside = round(view.width() - bar.left())
    _write(painter, view, _RIGHT | _TOP, "1 bit", _TEXT, top=round(bar.top()) - 8, right=beside)
    _write(painter, view, _RIGHT | _BOTTOM, "0", _TEXT, right=beside)


def draw_votes(painter: QPainter, view: QWidget, readers: int) -> None:
    """Draw what the colours of the agreement map mean, in the lower right corner."""
    line = painter.fontMetrics().height()
    step = min(1.1 * line, view.height() / 3 / readers)
    # Where there is no room for each number, the ends are enough.
    every = 1 if step >= 0.9 * line else max(1, readers - 1)
    bottom = view.height() - 10.0
    for votes, colour in vote_colours(readers).items():
        block = QRectF(view.width() - 20, bottom - votes * step, 11, step)
        painter.fillRect(block, QColor(*colour))
        if (votes - 1) % every == 0:
            low = round(view.height() - block.center().y() - line / 2) - 6
            _write(painter, view, _RIGHT | _BOTTOM, str(votes), _TEXT, right=16, bottom=low)
    painter.setPen(QPen(_FAINT, 1))
    painter.drawRect(QRectF(view.width() - 20, bottom - readers * step, 11, readers * step))


def draw_missing(painter: QPainter, view: QWidget, name: str) -> None:
    """Say that the exam lacks the sequence of this view."""
    painter.setPen(_FAINT)
    painter.drawText(view.rect(), Qt.AlignmentFlag.AlignCenter, tr("{name}\nnot in this exam", name=name))


def draw_focus(painter: QPainter, view: QWidget) -> None:
    """Frame the view that has the keys."""
    painter.setPen(QPen(_CROSSHAIR, 1))
    painter.drawRect(view.rect().adjusted(0, 0, -1, -1))


def _write(
    painter: QPainter,
    view: QWidget,
    where: Qt.AlignmentFlag,
    text: str,
    colour: QColor,
    top: int = 0,
    right: int = 0,
    bottom: int = 0,
) -> None:
    """Text with a dark shadow: it must be read on bright bone too."""
    frame = QRectF(view.rect()).adjusted(8, 6 + top, -8 - right, -6 - bottom)
    painter.setPen(QColor(0, 0, 0, 200))
    painter.drawText(frame.translated(1, 1), where, text)
    painter.setPen(colour)
    painter.drawText(frame, where, text)
