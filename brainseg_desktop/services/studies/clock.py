"""How long somebody worked on a reading."""

from __future__ import annotations

IDLE_S = 60.0


class ReadingClock:
    """Adds up the time between signs of life, leaving out pauses.

    Parameters
    ----------
    already_s : float
        Time of earlier sittings.
    now : float
        Any clock that does not go back, in s.

    Examples
    --------
    >>> clock = ReadingClock(100.0, now=0.0)
    >>> clock.touch(30.0)
    >>> clock.touch(1030.0)
    >>> clock.active_s
    130.0
    """

    def __init__(self, already_s: float, now: float) -> None:
        self.active_s = already_s
        self._last = now

    def touch(self, now: float) -> None:
        """The reader did something; a gap longer than `IDLE_S` was a pause and does not count."""
        gap = now - self._last
        if 0 < gap <= IDLE_S:
            self.active_s += gap
        self._last = max(now, self._last)
