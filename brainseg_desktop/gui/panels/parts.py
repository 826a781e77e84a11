"""Small widgets that several panels share."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.services.language import tr

_WIDEST_EM = 46


def heading(text: str) -> QLabel:
    """The faint heading of a section."""
    label = QLabel(text.upper())
    label.setObjectName("heading")
    return label


def faint(text: str = "") -> QLabel:
    """A line of secondary text that may wrap."""
    label = QLabel(text)
    label.setObjectName("faint")
    label.setWordWrap(True)
    return label


def show_page(view: QWidget, page: QWidget) -> None:
    """Fill a view with one page of text and buttons, as wide as can be read, in its middle.

    Large letters on a small screen: the page scrolls, and the window need not outgrow the screen.
    """
    page.setMaximumWidth(_WIDEST_EM * view.fontMetrics().height())
    host = QWidget()
    row = QHBoxLayout(host)
    row.setContentsMargins(20, 12, 20, 12)
    row.addStretch(1)
    row.addWidget(page, 1000)
    row.addStretch(1)
    scroll = QScrollArea()
    scroll.setObjectName("start")
    scroll.setWidget(host)
    scroll.setWidgetResizable(True)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    whole = QVBoxLayout(view)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(scroll)


def swatch(colour: tuple[int, int, int], *, hidden: bool = False) -> QIcon:
    """A coloured square; only its frame where the label is hidden."""
    pixmap = QPixmap(28, 28)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setPen(QColor(*colour))
    if not hidden:
        painter.setBrush(QColor(*colour))
    painter.drawRoundedRect(1, 1, 12, 12, 2, 2)
    painter.end()
    icon = QIcon(pixmap)
    # Qt would tint it in a selected row and grey it in a disabled one: a tinted colour is another label's.
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    icon.addPixmap(pixmap, QIcon.Mode.Disabled)
    return icon


class LabelledSlider(QWidget):
    """A slider with its name before and its value behind it.

    Signals
    -------
    changed : the new value, moved by the user.
    """

    changed = Signal(int)

    def __init__(self, name: str, low: int, high: int, text: Callable[[int], str]) -> None:
        super().__init__()
        self._text = text
        self._value = QLabel()
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance(text(high)) + 4)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(low, high)
        self.slider.setAccessibleName(name)
        self.slider.valueChanged.connect(self._moved)
        title = QLabel(name)
        title.setMinimumWidth(title.fontMetrics().horizontalAdvance("Opacity") + 8)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(title)
        row.addWidget(self.slider, 1)
        row.addWidget(self._value)
        self.set_value(low)

    def set_value(self, value: int) -> None:
        """Show a value without telling anyone."""
        self.slider.blockSignals(True)
        self.slider.setValue(value)
        self.slider.blockSignals(False)
        self._value.setText(self._text(value))

    def _moved(self, value: int) -> None:
        self._value.setText(self._text(value))
        self.changed.emit(value)


class Column(QScrollArea):
    """Sections one below the other, scrolled where the window is low, never cut at the side."""

    def __init__(self, *sections: QWidget) -> None:
        super().__init__()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(12)
        for section in sections:
            column.addWidget(section)
        column.addStretch(1)
        column.addWidget(faint(tr("For research use only.")))
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        inside = self.widget()
        if event.type() is QEvent.Type.LayoutRequest and inside is not None and watched is inside:
            needed = inside.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
            if needed > self.minimumWidth():
                self.setMinimumWidth(needed)
        return super().eventFilter(watched, event)


class MessageBar(QFrame):
    """One sentence above the pictures: an error that can be mended, or a remark. Never takes the keys."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton()
        self._action.clicked.connect(self._run)
        self._close = QPushButton(tr("Dismiss"))
        self._close.setToolTip(tr("Hide this message"))
        self._close.clicked.connect(self.hide)
        self._call: Callable[[], None] | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 6, 6)
        row.addWidget(self._label, 1)
        row.addWidget(self._action)
        row.addWidget(self._close)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence on the screen; empty while the bar is hidden."""
        return "" if self.isHidden() else self._label.text()

    def show_message(
        self,
        text: str,
        *,
        error: bool,
        action: str = "",
        call: Callable[[], None] | None = None,
    ) -> None:
        """Show a sentence, and a button where something can be done at once."""
        self._label.setText(text)
        self._label.setAccessibleName(text)
        self.setAccessibleName(text)
        self.setProperty("kind", "error" if error else "info")
        self.style().unpolish(self)
        self.style().polish(self)
        self._call = call
        self._action.setText(action)
        self._action.setVisible(call is not None)
        self.show()
        # A screen reader says it at once.
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _run(self) -> None:
        self.hide()
        if self._call is not None:
            self._call()
