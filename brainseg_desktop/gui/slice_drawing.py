"""What lies over the image of a view: mask, crosshair, captions, side letters, brush."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter, QPen, QTransform
from PySide6.QtWidgets import QWidget

from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.gui.overlay import UNCERTAINTY_COLOURS, MaskPicture
from brainseg_desktop.gui.plane import Projection

_TEXT = QColor(222, 226, 230)
_FAINT = QColor(150, 156, 163)
_LETTER = QColor(240, 200, 80)
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
    if mask.outlines:
        painter.save()
        painter.setTransform(QTransform(x, 0, 0, y, target.x(), target.y()))
        for colour, path in mask.outlines:
            pen = QPen(QColor(*colour), 1.6)
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


def draw_brush(painter: QPainter, centre: QPointF, radius: float, tissue: Tissue | None) -> None:
    """Draw the outline of the brush in pixels; dashed and white for the eraser (None)."""
    colour = QColor(255, 255, 255) if tissue is None else QColor(*TISSUE_COLOURS[tissue])
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    # Black under the colour: seen on bright oedema and on black background alike.
    for pen in (QPen(QColor(0, 0, 0, 180), 3), QPen(colour, 1.5)):
        if tissue is None:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawEllipse(centre, radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_corners(
    painter: QPainter, view: QWidget, captions: tuple[str, str, str], letters: tuple[str, str, str, str]
) -> None:
    """Draw sequence and slice at the top, the window at the bottom, the sides at the edges.

    Parameters
    ----------
    captions : sequence, place of the slice, window
    letters : left, right, top, bottom
    """
    base = view.font()
    title, bold = QFont(base), QFont(base)
    title.setPointSizeF(base.pointSizeF() * 1.25)
    bold.setBold(True)
    painter.setFont(title)
    _write(painter, view, _LEFT | _TOP, captions[0], _TEXT)
    painter.setFont(base)
    below = round(painter.fontMetrics().height() * 1.35)
    _write(painter, view, _LEFT | _TOP, captions[1], _FAINT, top=below)
    _write(painter, view, _LEFT | _BOTTOM, captions[2], _FAINT)
    painter.setFont(bold)
    for where, letter in zip(
        (_LEFT | _CENTRE, _RIGHT | _CENTRE, _MIDDLE | _TOP, _MIDDLE | _BOTTOM), letters, strict=True
    ):
        _write(painter, view, where, letter, _LETTER)


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


def draw_missing(painter: QPainter, view: QWidget, name: str) -> None:
    """Say that the exam lacks the sequence of this view."""
    painter.setPen(_FAINT)
    painter.drawText(view.rect(), Qt.AlignmentFlag.AlignCenter, f"{name}\nnot in this exam")


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
) -> None:
    """Text with a dark shadow: it must be read on bright bone too."""
    frame = QRectF(view.rect()).adjusted(8, 6 + top, -8 - right, -6)
    painter.setPen(QColor(0, 0, 0, 200))
    painter.drawText(frame.translated(1, 1), where, text)
    painter.setPen(colour)
    painter.drawText(frame, where, text)
