"""A chart in the window: read, pointed at, chosen from by mouse or keys, saved as a picture."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QFileDialog, QMenu, QSizePolicy, QToolTip, QWidget

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.studies.chart_painting import chart_png, draw_chart
from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.services.charts.chart import DARK, LIGHT, Chart, Spot, Theme
from brainseg_desktop.services.charts.svg import to_svg
from brainseg_desktop.services.language import tr

# A chart is not blown up further than this: its words would shout.
LARGEST_SCALE = 1.8
ROOM_OF_MOUSE = 3.0
_KEYS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class ChartView(QWidget):
    """Shows a chart scaled to fit, in the colours of the program's theme.

    Arrow keys go from spot to spot, Enter chooses; the tip of the spot is its accessible description.

    Signals
    -------
    spot_clicked : `Spot`
    saved : Path
        A picture was written by way of the context menu.
    failed : UserError
        It could not be written.
    """

    spot_clicked = Signal(object)
    saved = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart: Chart | None = None
        self._why = ""
        self._hovered: Spot | None = None
        self._chosen: Spot | None = None
        self._pressed: Spot | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAccessibleName(tr("Chart"))

    @property
    def chart(self) -> Chart | None:
        """What is shown."""
        return self._chart

    @property
    def current(self) -> Spot | None:
        """The spot that Enter chooses."""
        return self._chosen

    def set_chart(self, chart: Chart | None, why: str = "") -> None:
        """Show a chart, or the words why there is none."""
        self._chart, self._why = chart, why
        self._hovered = self._chosen = self._pressed = None
        self.unsetCursor()
        self.setAccessibleName(chart.title if chart is not None else tr("Chart"))
        self.setAccessibleDescription(chart.note if chart is not None else why)
        self.updateGeometry()
        self.update()

    def save(self, path: Path) -> None:
        """Write the chart as ``.png`` or ``.svg``, on light paper, whole or not at all.

        Raises
        ------
        UserError
            ``chart_format`` for another suffix; ``disk_full``, ``no_permission`` or ``write_failed``.
        """
        if self._chart is None:
            return
        suffix = path.suffix.lower()
        if suffix not in (".png", ".svg"):
            raise UserError("chart_format", path=path)
        write_bytes(path, chart_png(self._chart) if suffix == ".png" else to_svg(self._chart).encode())

    def sizeHint(self) -> QSize:
        """The chart's own size, a little larger than on paper."""
        if self._chart is None:
            return QSize(480, 320)
        return QSize(round(self._chart.width * 1.25), round(self._chart.height * 1.25))

    def point_of(self, spot: Spot) -> QPoint:
        """The pixel in the middle of a spot."""
        scale, origin = self._fit()
        x, y = spot.centre
        return (origin + QPointF(x, y) * scale).toPoint()

    @property
    def theme(self) -> Theme:
        """Dark or light, as the window's own ground is."""
        return DARK if self.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT

    # Drawing ----------------------------------------------------------------------------------------

    def _fit(self) -> tuple[float, QPointF]:
        """Pixels a point, and where the chart's corner lies."""
        chart = self._chart
        assert chart is not None
        scale = min(self.width() / chart.width, self.height() / chart.height, LARGEST_SCALE)
        left, top = (self.width() - scale * chart.width) / 2, (self.height() - scale * chart.height) / 2
        return scale, QPointF(left, top)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        theme = self.theme
        painter.fillRect(self.rect(), QColor(theme.colour("paper")))
        if self._chart is None:
            painter.setPen(QColor(theme.colour("faint")))
            words = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), words, self._why)
            return
        scale, origin = self._fit()
        painter.translate(origin)
        painter.scale(scale, scale)
        draw_chart(painter, self._chart, theme)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._hovered is not None:
            self._ring(painter, self._hovered, QColor(theme.colour("ink")), 1.2)
        if self._chosen is not None and self.hasFocus():
            self._ring(painter, self._chosen, QColor(theme.colour("accent")), 2.0)
        painter.resetTransform()
        if self.hasFocus() and self._chosen is None:
            painter.setPen(QPen(QColor(theme.colour("accent")), 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    @staticmethod
    def _ring(painter: QPainter, spot: Spot, colour: QColor, width: float) -> None:
        painter.setPen(QPen(colour, width))
        room = 1.5
        painter.drawRect(QRectF(spot.x - room, spot.y - room, spot.width + 2 * room, spot.height + 2 * room))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.update()
        super().changeEvent(event)

    # Mouse ------------------------------------------------------------------------------------------

    def spot_under(self, position: QPointF) -> Spot | None:
        """The spot at a pixel."""
        if self._chart is None:
            return None
        scale, origin = self._fit()
        point = (position - origin) / scale
        return self._chart.spot_at(point.x(), point.y(), ROOM_OF_MOUSE / scale)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            spot = self.spot_under(QPointF(event.pos()))
            if spot is None:
                QToolTip.hideText()
                event.ignore()
            else:
                QToolTip.showText(event.globalPos(), spot.tip, self)
            return True
        return super().event(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.spot_under(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = self.spot_under(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        spot, self._pressed = self._pressed, None
        if spot is not None and spot == self.spot_under(event.position()):
            self._choose(spot)
            self.spot_clicked.emit(spot)

    def _hover(self, spot: Spot | None) -> None:
        if spot == self._hovered:
            return
        self._hovered = spot
        self.setCursor(Qt.CursorShape.PointingHandCursor if spot else Qt.CursorShape.ArrowCursor)
        self.update()

    # Keys -------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        spots = self._chart.spots if self._chart is not None else ()
        key = Qt.Key(event.key())
        if not spots:
            super().keyPressEvent(event)
        elif key in _KEYS:
            self._choose(self._next(*_KEYS[key]))
            self._tell()
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._choose(spots[0 if key == Qt.Key.Key_Home else -1])
            self._tell()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._chosen is not None:
            self.spot_clicked.emit(self._chosen)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        QToolTip.hideText()
        super().focusOutEvent(event)

    def _next(self, across: int, down: int) -> Spot:
        """The nearest spot in a direction; the same one where there is none, the first at the beginning."""
        assert self._chart is not None
        here = self._chosen
        if here is None:
            return self._chart.spots[0]
        x, y = here.centre
        best, least = here, float("inf")
        for spot in self._chart.spots:
            dx, dy = spot.centre[0] - x, spot.centre[1] - y
            along, aside = across * dx + down * dy, abs(down * dx) + abs(across * dy)
            # Within a cone of 45 degrees to either side, so that no spot is out of reach of all keys.
            if along > 1e-6 and aside <= along and along + 2 * aside < least:
                best, least = spot, along + 2 * aside
        return best

    def _choose(self, spot: Spot) -> None:
        self._chosen = spot
        note = self._chart.note if self._chart is not None else ""
        self.setAccessibleDescription(f"{spot.tip}. {note}")
        self.update()

    def _tell(self) -> None:
        """Show the tip of the spot the keys went to."""
        if self._chosen is not None:
            QToolTip.showText(self.mapToGlobal(self.point_of(self._chosen)), self._chosen.tip, self)

    # Saving -----------------------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._chart is None:
            return
        menu = QMenu(self)
        menu.addAction(tr("Save picture…"), self.ask_and_save)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def ask_and_save(self) -> None:
        """Ask for a file and write the chart to it."""
        if self._chart is None:
            return
        name = "".join(c if c.isalnum() else "_" for c in self._chart.title)[:80]
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Save picture"), f"{name}.png", tr("Picture (*.png);;Vector picture (*.svg)")
        )
        if not chosen:
            return
        path = Path(chosen)
        try:
            self.save(path)
        except UserError as error:
            self.failed.emit(error)
        else:
            self.saved.emit(path)
