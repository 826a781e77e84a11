"""What runs in the background, how long it will take, and a button that ends it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from brainseg_desktop.services.language import tr


def time_text(seconds: float) -> str:
    """Time left as a reader says it.

    Examples
    --------
    >>> time_text(0.4), time_text(75)
    ('a moment left', '1 min 15 s left')
    """
    whole = round(seconds)
    if whole < 1:
        return tr("a moment left")
    return (
        tr("{seconds} s left", seconds=whole)
        if whole < 60
        else tr("{minutes} min {seconds} s left", minutes=whole // 60, seconds=whole % 60)
    )


class JobBar(QWidget):
    """One job.

    Signals
    -------
    cancelled : the user wants it ended.
    """

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._text = QLabel()
        self._bar = QProgressBar()
        self._bar.setFixedWidth(160)
        self._bar.setTextVisible(False)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.setAccessibleName(tr("Cancel segmentation"))
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        for widget in (self._text, self._bar, self._cancel):
            row.addWidget(widget)
        self.hide()

    def start(self, text: str) -> None:
        """Show a job of which nothing is known yet."""
        self._text.setText(text)
        self._bar.setRange(0, 0)
        self._cancel.setEnabled(True)
        self.show()

    def set_progress(self, text: str, done: int, total: int, seconds_left: float | None) -> None:
        """Show how far it is."""
        left = f", {time_text(seconds_left)}" if seconds_left is not None else ""
        self._text.setText(f"{text} {done}/{total}{left}")
        self._bar.setRange(0, total)
        self._bar.setValue(done)

    def finish(self) -> None:
        """The job has ended."""
        self.hide()
