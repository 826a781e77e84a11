"""How far a run over many cases has come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

# Done in this run, done in an earlier one, or not to be done.
Status = Literal["done", "kept", "failed"]


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    Parameters
    ----------
    total : int
    started : float
        On the monotonic clock.
    counts : Counter of status
    part : float
        Share done of the case that is worked on, where that is told.
    """

    total: int
    started: float
    counts: Counter[Status] = field(default_factory=Counter)
    part: float = 0.0

    def count(self, status: Status) -> None:
        """Another case is finished."""
        self.counts[status] += 1
        self.part = 0.0

    @property
    def left(self) -> int:
        return self.total - self.counts.total()

    @property
    def fraction(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return min(1.0, (self.counts.total() + self.part) / self.total) if self.total else 1.0

    def seconds_left(self) -> float | None:
        """By the cases done so far; those that had been done before took no time. None until one is."""
        done = self.counts["done"]
        if not done:
            return None
        return (time.monotonic() - self.started) / done * self.left

    def to_dict(self) -> dict[str, Any]:
        """The counts and the seconds since the beginning, as JSON."""
        counts = {status: self.counts[status] for status in ("done", "kept", "failed")}
        return {"cases": self.total, **counts, "seconds": round(time.monotonic() - self.started, 3)}


Tell = Callable[[Tally], None]
