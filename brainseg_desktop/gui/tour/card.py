"""A card with one step of the tour, and the frame around what it speaks of."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.services.language import tr

_WIDTH_EM = 19
_GAP = 18
_MARGIN = 8


class TourCard(QFrame):
    """Lies on the window and never takes the keys.

    Signals
    -------
    back, forward, ended : the buttons.
    """

    back = Signal()
    forward = Signal()
    ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setObjectName("tour")
        self.setAutoFillBackground(True)
        self._count = faint()
        self._title = QLabel()
        self._title.setObjectName("step")
        self._text = QLabel()
        self._status = faint()
        for label in (self._title, self._text):
            label.setWordWrap(True)
        self._back = QPushButton(tr("Back"))
        self._forward = QPushButton()
        self._end = QPushButton(tr("End tour"))
        self._end.setToolTip(tr("Close the sample case; nothing of the tour is kept (Esc)"))
        row = QHBoxLayout()
        row.addWidget(self._end)
        row.addStretch(1)
        row.addWidget(self._back)
        row.addWidget(self._forward)
        for button, signal in (
            (self._back, self.back),
            (self._forward, self.forward),
            (self._end, self.ended),
        ):
            button.clicked.connect(signal)
            # A click leaves the keys where they are: the next step may need one.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(6)
        for widget in (self._count, self._title, self._text, self._status):
            column.addWidget(widget)
        column.addLayout(row)

    @property
    def said(self) -> str:
        """All that can be read on the card."""
        parts = (self._count, self._title, self._text, self._status)
        return " ".join(label.text() for label in parts if label.text())

    def show_step(self, place: int, count: int, title: str, text: str) -> None:
        """Show a step."""
        self._count.setText(tr("Tour, {place} of {count}", place=place + 1, count=count))
        self._title.setText(title)
        self._text.setText(text)
        self._back.setEnabled(place > 0)
        self._end.setVisible(place < count - 1)
        self.set_status("")
        self.setAccessibleName(f"{title}. {text}")
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def set_forward(self, text: str, *, main: bool) -> None:
        """Name the button that goes on; the main one of the card once nothing is left to do."""
        self._forward.setText(text)
        self._forward.setDefault(main)
        # `default` is for dialogs, where Qt repaints it by itself.
        self._forward.style().unpolish(self._forward)
        self._forward.style().polish(self._forward)

    def set_status(self, text: str) -> None:
        """What has come of the step so far."""
        self._status.setText(text)
        self._status.setVisible(bool(text))

    def place(self, target: QRect | None) -> None:
        """Lie beside the target, inside of the window; in its middle without one."""
        room = self._window.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        width = min(_WIDTH_EM * self.fontMetrics().height(), room.width())
        layout = self.layout()
        assert layout is not None
        height = max(layout.totalHeightForWidth(width), self.minimumSizeHint().height())
        size = QRect(0, 0, width, min(height, room.height()))
        if target is None:
            size.moveCenter(room.center())
        else:
            size = _beside(size, target, room)
        if size != self.geometry():
            self.setGeometry(size)


class TourFrame(QWidget):
    """Draws a frame around the target and a tip from the card to it; lets everything through."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._target: QRect | None = None
        self._card = QRect()

    @property
    def target(self) -> QRect | None:
        """What is framed, in the window's pixels."""
        return self._target

    def point(self, target: QRect | None, card: QRect) -> None:
        """Frame this part of the window."""
        self.setGeometry(self._window.rect())
        if (target, card) != (self._target, self._card):
            self._target, self._card = target, QRect(card)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._target is None:
            return
        colour = QColor(self.palette().color(QPalette.ColorRole.Accent))
        painter = QPainter(self)
        keep_sides(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour, 3))
        painter.drawRoundedRect(self._target.adjusted(-1, -1, 1, 1), 6, 6)
        tip = _tip(self._card, self._target)
        if tip is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawPolygon(tip)
        painter.end()


def _beside(card: QRect, target: QRect, room: QRect) -> QRect:
    """The first place next to the target that does not cover it; a corner of the room if there is none."""
    wide, high = card.width(), card.height()
    across = min(max(room.left(), target.center().x() - wide // 2), room.right() - wide + 1)
    down = min(max(room.top(), target.center().y() - high // 2), room.bottom() - high + 1)
    for corner in (
        QPoint(across, target.bottom() + _GAP),
        QPoint(target.left() - _GAP - wide, down),
        QPoint(target.right() + _GAP, down),
        QPoint(across, target.top() - _GAP - high),
    ):
        found = QRect(corner, card.size())
        if room.contains(found):
            return found
    return QRect(QPoint(room.right() - wide + 1, room.bottom() - high + 1), card.size())


def _tip(card: QRect, target: QRect) -> QPolygonF | None:
    """A triangle from the edge of the card to the target; None where the two lie on each other."""
    if card.intersects(target):
        return None
    x = min(max(target.center().x(), card.left() + 16), card.right() - 16)
    y = min(max(target.center().y(), card.top() + 16), card.bottom() - 16)
    half = 9
    if card.top() > target.bottom():
        points = [(x - half, card.top()), (x + half, card.top()), (x, target.bottom() + 4)]
    elif card.bottom() < target.top():
        points = [(x - half, card.bottom()), (x + half, card.bottom()), (x, target.top() - 4)]
    elif card.left() > target.right():
        points = [(card.left(), y - half), (card.left(), y + half), (target.right() + 4, y)]
    else:
        points = [(card.right(), y - half), (card.right(), y + half), (target.left() - 4, y)]
    return QPolygonF([QPointF(*p) for p in points])
