"""Charts drawn by Qt, on the screen and into PNG files, with the letters they were laid out with."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QImage, QPainter, QPen

from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.services.charts.chart import PAPER, Chart, Circle, Line, Text, Theme
from brainseg_desktop.services.charts.letters import font_path

# Fonts have whole pixels: letters are set this much larger and drawn this much smaller.
_FINER = 16
POINTS_PER_METRE = 72 / 0.0254


def draw_chart(painter: QPainter, chart: Chart, theme: Theme) -> None:
    """Draw on whatever the painter stands on, one point of the chart a unit."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for shape in chart.shapes:
        if isinstance(shape, Text):
            _write(painter, shape, theme)
        elif isinstance(shape, Line):
            pen = QPen(QColor(theme.colour(shape.role)), shape.width)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if shape.dashed:
                pen.setDashPattern([4 / shape.width, 3 / shape.width])
            painter.setPen(pen)
            painter.drawLine(QPointF(shape.x1, shape.y1), QPointF(shape.x2, shape.y2))
        else:
            thick = 0.5 if isinstance(shape, Circle) else 1.0
            outline = None if shape.stroke is None else QPen(QColor(theme.colour(shape.stroke)), thick)
            painter.setPen(outline if outline is not None else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.colour(shape.fill)))
            if isinstance(shape, Circle):
                painter.drawEllipse(QPointF(shape.x, shape.y), shape.radius, shape.radius)
            else:
                painter.drawRect(QRectF(shape.x, shape.y, shape.width, shape.height))


def chart_png(chart: Chart, scale: float = 3.0, theme: Theme = PAPER) -> bytes:
    """The chart as a PNG, `scale` pixels a point, on paper."""
    image = QImage(round(chart.width * scale), round(chart.height * scale), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.colour("paper")))
    dots = round(scale * POINTS_PER_METRE)
    image.setDotsPerMeterX(dots)
    image.setDotsPerMeterY(dots)
    painter = QPainter(image)
    keep_sides(painter)
    painter.scale(scale, scale)
    draw_chart(painter, chart, theme)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    buffer.close()
    return bytes(data.data())


def chart_font(size: float, bold: bool = False) -> QFont:
    """The font that charts are laid out with, in pixels of a finer grid."""
    font = QFont(_family(bold))
    font.setBold(bold)
    font.setPixelSize(max(1, round(size * _FINER)))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


@cache
def _family(bold: bool) -> str:
    families = QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(font_path(bold))))
    return families[0]


def _write(painter: QPainter, text: Text, theme: Theme) -> None:
    font = chart_font(text.size, text.bold)
    width = QFontMetricsF(font).horizontalAdvance(text.text)
    shift = {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    painter.save()
    painter.translate(text.x, text.y)
    painter.rotate(text.angle)
    painter.scale(1 / _FINER, 1 / _FINER)
    painter.setFont(font)
    painter.setPen(QColor(theme.colour(text.role)))
    painter.drawText(QPointF(-shift, 0.0), text.text)
    painter.restore()
