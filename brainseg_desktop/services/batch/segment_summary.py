"""What a run over many cases came to: counts, reasons, and a table with a row for each case."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg_desktop.core.labels import REGIONS
from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.services.batch.tally import Status
from brainseg_desktop.services.headless import Segmented

SUMMARY_FILE = "segment-summary.csv"
_WORDS = ("scheme", "model", "device")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, and whether it was done now, had been done before, or failed."""

    segmented: Segmented
    status: Status

    def to_dict(self) -> dict[str, Any]:
        """One entry of the JSON of ``brainseg segment``."""
        return self.segmented.to_dict() | {"status": self.status}


@dataclass(frozen=True, slots=True)
class Reason:
    """Cases that failed for one reason, and the sentence of the first."""

    code: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a few numbers.

    Parameters
    ----------
    counts : mapping of status to number
    seconds : float
        Of the whole run.
    seconds_median : float or None
        Of a case, by those done now.
    volumes_ml : mapping of region to (number, least, median, most)
    reasons : tuple of Reason
        The most frequent first.
    """

    counts: dict[Status, int]
    seconds: float
    seconds_median: float | None
    volumes_ml: dict[str, tuple[int, float, float, float]]
    reasons: tuple[Reason, ...]

    def to_dict(self) -> dict[str, Any]:
        """For the JSON of ``brainseg segment``."""
        names = ("n", "least", "median", "most")
        return {
            "cases": sum(self.counts.values()),
            **{str(status): count for status, count in self.counts.items()},
            "seconds": round(self.seconds, 3),
            "seconds_median": self.seconds_median,
            "volumes_ml": {r: dict(zip(names, v, strict=True)) for r, v in self.volumes_ml.items()},
            "reasons": [{"code": r.code, "count": r.count, "example": r.example} for r in self.reasons],
        }


def summarise(outcomes: Sequence[Outcome], seconds: float) -> Summary:
    """The numbers of a run."""
    found = Counter(o.status for o in outcomes)
    counts: dict[Status, int] = {status: found[status] for status in ("done", "kept", "failed")}
    taken = [o.segmented.seconds for o in outcomes if o.status == "done" and o.segmented.seconds is not None]
    volumes = {}
    for region in REGIONS:
        values = sorted(v for o in outcomes if (v := o.segmented.volumes_ml.get(region.name)) is not None)
        if values:
            volumes[region.name] = (len(values), values[0], statistics.median(values), values[-1])
    failed = [o.segmented for o in outcomes if o.status == "failed"]
    reasons = Counter(s.code or "" for s in failed)
    examples = {s.code or "": s.error or "" for s in reversed(failed)}
    return Summary(
        counts,
        seconds,
        round(statistics.median(taken), 3) if taken else None,
        volumes,
        tuple(Reason(code, n, examples[code]) for code, n in reasons.most_common()),
    )


def write_summary(folder: Path, outcomes: Iterable[Outcome]) -> Path:
    """Write a table with a row for each case.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    from brainseg_desktop.services.studies.tables import csv_bytes

    regions = [region.name for region in REGIONS]
    rows: list[list[object]] = [
        [
            "case",
            "status",
            "seconds",
            *(f"{r}_ml" for r in regions),
            *_WORDS,
            "output",
            "error",
        ]
    ]
    for outcome in outcomes:
        s = outcome.segmented
        rows.append(
            [
                s.case,
                outcome.status,
                s.seconds,
                *(s.volumes_ml.get(r) for r in regions),
                *(getattr(s, name) for name in _WORDS),
                None if s.output is None else s.output.name,
                s.error,
            ]
        )
    path = folder / SUMMARY_FILE
    write_bytes(path, csv_bytes(rows))
    return path
