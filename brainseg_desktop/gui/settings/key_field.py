"""Waits for the one key that an action is to have."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit

from brainseg_desktop.gui.keys import pressed_key
from brainseg_desktop.services.language import tr


class KeyField(QLineEdit):
    """While it has the focus the next key is the answer; Esc, Tab and a click elsewhere leave it.

    Signals
    -------
    pressed : the key in Qt's spelling.
    left : nothing was chosen.
    """

    pressed = Signal(str)
    left = Signal()

    def __init__(self) -> None:
        # Qt sends events while it is being made.
        self.is_waiting = False
        super().__init__()
        self.setReadOnly(True)
        self.setAccessibleName(tr("New key"))
        self.setPlaceholderText(tr("Choose an action above, Enter, then press its new key"))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def wait(self, text: str) -> None:
        """Ask for a key."""
        self.is_waiting = True
        self.setText(text)
        self.setAccessibleDescription(text)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def rest(self, text: str = "") -> None:
        """Wait no longer; say what came of it."""
        self.is_waiting = False
        self.setText(text)
        self.setCursorPosition(0)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def event(self, event: QEvent) -> bool:
        kind = event.type()
        if self.is_waiting and isinstance(event, QKeyEvent):
            if kind is QEvent.Type.ShortcutOverride:
                # Whatever it opens elsewhere: here it is an answer.
                event.accept()
                return True
            if kind is QEvent.Type.KeyPress:
                return self._answer(event)
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if self.is_waiting and event.reason() is not Qt.FocusReason.ActiveWindowFocusReason:
            self.rest()
            self.left.emit()

    def _answer(self, event: QKeyEvent) -> bool:
        if event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            # The way on must never be shut.
            return super().event(event)
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            self.rest()
            self.left.emit()
            return True
        key = pressed_key(event)
        if key:
            self.pressed.emit(key)
        return True
