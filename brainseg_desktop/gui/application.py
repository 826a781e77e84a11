"""The application object: on macOS files come as events, to the program that already runs too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from brainseg_desktop.io.neighbours import path_given

# Files chosen together come one by one, at once.
_TOGETHER_MS = 150


class Application(QApplication):
    """Qt's, which hands on the files that the system asks it to open."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(list(arguments))
        self._files: list[Path] = []
        self._open: Callable[[list[Path]], None] | None = None
        self._wait = QTimer(self, interval=_TOGETHER_MS, singleShot=True)
        self._wait.timeout.connect(self._hand_on)

    def hand_files_to(self, call: Callable[[list[Path]], None] | None) -> None:
        """Have files opened by `call`; those that have come before, too. None: nobody takes them now."""
        self._open = call
        self._hand_on()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FileOpen and isinstance(event, QFileOpenEvent):
            given = event.file() or event.url().toString()
            if given:
                self._files.append(path_given(given))
                self._wait.start()
            return True
        return super().event(event)

    def _hand_on(self) -> None:
        if self._open is not None and self._files:
            files, self._files = self._files, []
            self._open(files)
