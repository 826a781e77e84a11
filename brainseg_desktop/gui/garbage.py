"""Python's garbage collected on the main thread alone.

A collection runs in whichever thread happens to allocate. If that is a worker, it may destroy widgets that
are part of a cycle, and Qt crashes when its objects die outside the main thread. So collection by itself is
switched off while a window is open, and a timer of the main thread does it.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer

_EVERY_MS = 300
# The oldest generation holds every module: looking through it takes some 50 ms.
_OLDEST_EVERY_S = 10.0
# After a case was let go: when its successor is on the screen.
_SOON_MS = 1500


class Garbage(QObject):
    """Collects as often as Python would; until `stop`, or the end of its parent."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_on = gc.isenabled()
        self._oldest_at = time.monotonic()
        gc.disable()
        self._timer = QTimer(self, interval=_EVERY_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self.collect_all)

    def collect_soon(self) -> None:
        """Something large was let go, such as a case: do not wait until many small things have gathered."""
        self._soon.start()

    def collect_all(self) -> None:
        """Collect every generation."""
        self._oldest_at = time.monotonic()
        gc.collect()

    def collect(self) -> None:
        """Collect the generations that are due."""
        counts, limits = gc.get_count(), gc.get_threshold()
        if counts[0] <= limits[0]:
            return
        oldest_due = counts[2] > limits[2] and time.monotonic() - self._oldest_at > _OLDEST_EVERY_S
        if oldest_due:
            self._oldest_at = time.monotonic()
        gc.collect(2 if oldest_due else 1 if counts[1] > limits[1] else 0)

    def stop(self) -> None:
        """Let Python collect by itself again; twice does no harm."""
        self._timer.stop()
        self._soon.stop()
        if self._was_on:
            gc.enable()
