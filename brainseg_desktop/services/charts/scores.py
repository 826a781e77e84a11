"""Scores of a study as charts and tables say them: which pairs, how many digits, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.services.charts.letters import elided, text_width
from brainseg_desktop.services.charts.sheet import DASH, fixed
from brainseg_desktop.services.messages import state_words
from brainseg_desktop.services.studies.results import MeanScore, Measure, MeasureTable, Pair, StudyReport

# The measures that count the background: they differ in the last places only.
FINE = ("specificity", "accuracy")


def digits_of(measure: Measure, *, short: bool = False) -> int:
    """Digits after the point that a measure is told with; fewer in the cells of a matrix."""
    if measure.key in FINE:
        return 4
    if measure.unit:
        return 1 if short else 2
    return 2 if short else 3


def with_unit(value: float, measure: Measure) -> str:
    """A value with its unit.

    Examples
    --------
    >>> with_unit(3.456, Measure("hd95_mm", "HD95", "mm"))
    '3.46 mm'
    """
    return f"{fixed(value, digits_of(measure))} {measure.unit}".rstrip()


def named(measure: Measure) -> str:
    """Title and unit, for an axis or a head.

    Examples
    --------
    >>> named(Measure("hd95_mm", "HD95", "mm")), named(Measure("dice", "Dice"))
    ('HD95 (mm)', 'Dice')
    """
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def stored_pair(table: MeasureTable, pair: Pair) -> Pair | None:
    """The pair as the table holds it: for a measure without direction in either order."""
    if pair in table.pairs or pair in table.scores:
        return pair
    turned = (pair[1], pair[0])
    return (
        turned if not table.measure.directed and (turned in table.pairs or turned in table.scores) else None
    )


def pair_words(measure: Measure, pair: Pair) -> str:
    """A pair in words; of a directed measure the first is the reference."""
    return f"{pair[1]} against {pair[0]}" if measure.directed else f"{pair[0]} and {pair[1]}"


def pair_label(measure: Measure, pair: Pair, size: float, width: float) -> str:
    """A pair for the side of a row; both names give way where there is no room, so that both can be told.

    Examples
    --------
    >>> pair_label(Measure("dice", "Dice"), ("Anna", "Ben"), 9, 100)
    'Anna – Ben'
    """
    whole = pair_words(measure, pair) if measure.directed else f" {DASH} ".join(pair)
    if text_width(whole, size) <= width:
        return whole
    joint = " against " if measure.directed else f" {DASH} "
    first, second = (pair[1], pair[0]) if measure.directed else pair
    room = width - text_width(joint, size)
    wide = [text_width(n, size) for n in (first, second)]
    # A short name leaves its room to the long one.
    rooms = [max(room / 2, room - other) for other in reversed(wide)]
    return joint.join(elided(n, size, r + 0.01) for n, r in zip((first, second), rooms, strict=True))


def state_counts(scores: Iterable[Score]) -> Counter[str]:
    """How many scores have no number, for each reason."""
    return Counter(s.state for s in scores if s.value is None)


def missing_words(counts: Mapping[str, int], missing: int) -> str:
    """What has no number, in words; empty if nothing lacks.

    Examples
    --------
    >>> missing_words({"both_empty": 3}, 1)
    '3 both empty, 1 missing'
    """
    parts = [f"{n} {state_words(state)}" for state, n in sorted(counts.items()) if n]
    return ", ".join([*parts, *([f"{missing} missing"] if missing else [])])


def mean_words(mean: MeanScore, measure: Measure) -> str:
    """Mean, SD and counts of a pair in one phrase."""
    counts = f"n = {mean.n}, {mean.left_out} left out, {mean.missing} missing"
    if mean.mean is None:
        return f"no number ({counts})"
    sd = "" if mean.sd is None else f" (SD {fixed(mean.sd, digits_of(measure))})"
    return f"mean {with_unit(mean.mean, measure)}{sd}, {counts}"


def all_human(report: StudyReport, pair: Pair) -> bool:
    """Whether both raters of a pair are human readers."""
    kinds = {r.name: r.kind for r in report.raters}
    return all(kinds.get(name) is RaterKind.HUMAN for name in pair)
