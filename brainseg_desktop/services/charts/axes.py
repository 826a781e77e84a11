"""Scales of charts: round numbers along them, and where a value lies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# What is smaller is 0 in a chart.
TINY = 1e-100


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that span an interval: 1, 2 or 5 times a power of ten apart.

    Examples
    --------
    >>> ticks(0.03, 0.97)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(3, 3)
    [2.0, 3.0, 4.0]
    """
    if high - low < max(1e-9 * max(abs(low), abs(high)), TINY):
        if abs(low) <= TINY:
            return [0.0, 1.0]
        room = 10.0 ** math.floor(math.log10(abs(low)))
        return [low - room, float(low), low + room]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Axis:
    """A straight scale: values `low` to `high` lie at the places `start` to `stop`.

    Examples
    --------
    >>> axis = Axis(0.0, 10.0, 100.0, 200.0, (0.0, 5.0, 10.0))
    >>> axis.place(2.5), axis.value(125.0)
    (125.0, 2.5)
    """

    low: float
    high: float
    start: float
    stop: float
    ticks: tuple[float, ...]

    @staticmethod
    def over(values: Iterable[float], start: float, stop: float, most: int = 6) -> Axis:
        """From the round number below all values to the one above.

        Values that nobody could tell apart get a scale round them.

        Examples
        --------
        >>> Axis.over([24.525, 24.525], 0, 1).ticks
        (18.0, 20.0, 22.0, 24.0, 26.0, 28.0, 30.0)
        """
        found = list(values)
        low, high = min(found), max(found)
        if low != 0 and high - low < 1e-9 * abs(low):
            room = 10.0 ** math.floor(math.log10(abs(low))) / 2
            low, high = low - room, high + room
        marks = ticks(low, high, most)
        return Axis(marks[0], marks[-1], start, stop, tuple(marks))

    def place(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def value(self, place: float) -> float:
        """What lies at a place; the inverse of `place`."""
        return self.low + (place - self.start) / (self.stop - self.start) * (self.high - self.low)
