"""Every case as a dot, in one row for each pair of raters, with a box of the quartiles behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.services.charts.axes import Axis, ticks
from brainseg_desktop.services.charts.chart import Chart, Circle, Line, Rect, Spot, Text
from brainseg_desktop.services.charts.letters import elided, text_width
from brainseg_desktop.services.charts.scores import (
    all_human,
    missing_words,
    named,
    pair_label,
    pair_words,
    state_counts,
    with_unit,
)
from brainseg_desktop.services.charts.sheet import LABEL, MARGIN, RISE, TICK, Sheet, nothing
from brainseg_desktop.services.studies.results import MEASURES, Measure, Pair, StudyReport

LONGEST_LABEL = 170.0
LEAST_ROW = 20.0
TALLEST_ROW = 90.0
HUMAN, OTHER = "series0", "series1"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of dots.

    Parameters
    ----------
    label : str
    scores : mapping of case to Score
    missing : int
        Cases without any score.
    role : str
        Colour of the dots.
    pair : (str, str) or None
        For the spots.
    name : str
        The label as the tips say it, in full; empty for the label itself.
    """

    label: str
    scores: Mapping[str, Score]
    missing: int
    role: str
    pair: Pair | None = None
    name: str = ""

    @property
    def values(self) -> dict[str, float]:
        """The cases that have a number."""
        return {c: s.value for c, s in self.scores.items() if s.value is not None}


def box_and_swarm(
    report: StudyReport, region: str, measure_key: str, pairs: Sequence[Pair] | None = None
) -> Chart:
    """One row for each pair of raters: every case a dot, median and quartiles a box.

    Parameters
    ----------
    pairs : sequence of Pair, optional
        Those to draw, where all have no room on a page; the scale is that of all.
    """
    table = report.regions[region].measures[measure_key]
    chosen = list(table.scores) if pairs is None else [p for p in pairs if p in table.scores]
    rows = [
        Row(
            pair_label(table.measure, pair, LABEL, LONGEST_LABEL),
            table.scores[pair],
            table.pairs[pair].missing if pair in table.pairs else 0,
            HUMAN if all_human(report, pair) else OTHER,
            pair,
            pair_words(table.measure, pair),
        )
        for pair in chosen
    ]
    every = [s.value for scores in table.scores.values() for s in scores.values() if s.value is not None]
    note = (
        "Each dot is a case, the box holds the middle half of them, the line in it is the median, whiskers "
        "reach to the last case within 1.5 box lengths."
    )
    legend = [(HUMAN, "two readers"), (OTHER, "with a network, reference or consensus")]
    return _swarms(f"{region}: {named(table.measure)} of each pair", table.measure, rows, every, legend, note)


def consensus_swarm(report: StudyReport, region: str) -> Chart:
    """Dice of each rater with the consensus of the readers (of the other readers, for a reader)."""
    results = report.regions[region]
    kinds = {r.name: r.kind for r in report.raters}
    rows = [
        Row(
            name,
            scores,
            results.consensus[name].missing if name in results.consensus else 0,
            HUMAN if kinds.get(name) is RaterKind.HUMAN else OTHER,
        )
        for name, scores in results.against_consensus.items()
    ]
    every = [v for row in rows for v in row.values.values()]
    note = (
        "STAPLE consensus of the human readers; a reader is held against that of the other ones (leave one "
        "out). Each dot is a case, the box holds the middle half of them, the line in it is the median."
    )
    legend = [(HUMAN, "reader"), (OTHER, "network, reference or consensus")]
    dice = next(m for m in MEASURES if m.key == "dice")
    return _swarms(f"{region}: Dice with the readers' consensus", dice, rows, every, legend, note)


def swarm(places: Sequence[float], radius: float) -> list[int]:
    """Lanes for dots of one row so that none touches another: 0 is the middle, then 1, -1, 2, ...

    Lanes are two radii apart; each dot takes the first in which it has room.

    Examples
    --------
    >>> swarm([10.0, 10.0, 11.0, 30.0], 2.0)
    [0, 1, -1, 0]
    """
    lanes = [0] * len(places)
    ends: list[float] = []
    for index in sorted(range(len(places)), key=lambda i: (places[i], i)):
        place = places[index]
        lane = next((k for k, end in enumerate(ends) if place - end >= 2 * radius), len(ends))
        if lane == len(ends):
            ends.append(place)
        ends[lane] = place
        lanes[index] = (lane + 1) // 2 * (1 if lane % 2 else -1)
    return lanes


def _swarms(
    title: str,
    measure: Measure,
    rows: Sequence[Row],
    every: Sequence[float],
    legend: list[tuple[str, str]],
    note: str,
) -> Chart:
    said = _said(rows)
    if not any(row.values for row in rows):
        return nothing(title, f"No case has a number. {said}")
    sheet = Sheet(title)
    labels = min(max(text_width(row.label, LABEL) for row in rows), LONGEST_LABEL) + 0.5
    counts = [_count(row) for row in rows]
    left = MARGIN + labels + 12
    right = sheet.width - MARGIN - max(text_width(c, TICK) for c in counts) - 12
    axis = _axis(measure, every, left, right)
    top = sheet.top
    if len({row.role for row in rows}) > 1:
        top = sheet.legend(legend, left, top)
    # The grid lies behind the dots, so the places of all rows are needed first.
    laid, y = [], top + 4
    for row in rows:
        places = [axis.place(v) for v in row.values.values()]
        radius, lanes, tall = _laid(places)
        laid.append((row, places, radius, lanes, y, tall))
        y += tall
    bottom = sheet.draw_across(axis, top, y + 4, named(measure))
    for (row, places, radius, lanes, start, tall), count in zip(laid, counts, strict=True):
        middle = start + tall / 2
        base = middle + RISE * LABEL / 2
        sheet.add(
            Text(left - 12, base, elided(row.label, LABEL, labels), LABEL, "end"),
            Text(right + 12, base, count, TICK, role="faint"),
        )
        _box(sheet, axis, list(row.values.values()), middle, min(tall - 6, 16.0))
        for (case, value), x, lane in zip(row.values.items(), places, lanes, strict=True):
            at = middle + lane * 2 * radius
            sheet.add(Circle(x, at, radius, row.role))
            tip = f"{row.name or row.label}, {case}: {with_unit(value, measure)}"
            sheet.spot(Spot(x - radius, at - radius, 2 * radius, 2 * radius, tip, row.pair, case))
    return sheet.finish(bottom, f"{note} {said}", across=axis)


def _laid(places: Sequence[float]) -> tuple[float, list[int], float]:
    """Radius, lanes and height of a row; smaller dots where they would pile up too high."""
    radius = 3.0
    while True:
        lanes = swarm(places, radius)
        most = max((abs(lane) for lane in lanes), default=0)
        tall = (2 * most + 1) * 2 * radius + 8
        if tall <= TALLEST_ROW or radius <= 0.5:
            return radius, lanes, max(LEAST_ROW, tall)
        radius *= 0.8


def _axis(measure: Measure, values: Sequence[float], left: float, right: float) -> Axis:
    marks = ticks(min(values), max(values))
    if not measure.unit and max(values) <= 1:
        marks = [t for t in marks if t <= 1]
        marks = marks if len(marks) > 1 else [0.0, 1.0]
    return Axis(marks[0], marks[-1], left, right, tuple(marks))


def _box(sheet: Sheet, axis: Axis, values: list[float], middle: float, tall: float) -> None:
    """Quartiles and whiskers; three cases at least, for two have no quartiles worth a box."""
    if len(values) < 3:
        return
    low, median, high = (float(q) for q in np.percentile(values, (25, 50, 75)))
    reach = 1.5 * (high - low)
    ends = min(v for v in values if v >= low - reach), max(v for v in values if v <= high + reach)
    x1, x2, x3 = axis.place(low), axis.place(median), axis.place(high)
    sheet.add(
        Line(axis.place(ends[0]), middle, axis.place(ends[1]), middle, "faint", 0.8),
        Rect(x1, middle - tall / 2, max(x3 - x1, 0.1), tall, "box", "faint"),
        Line(x2, middle - tall / 2, x2, middle + tall / 2, "ink", 1.6),
    )


def _count(row: Row) -> str:
    """How many cases have a dot and why others have none; both ways of being empty in one word, for room."""
    counts = state_counts(row.scores.values())
    empty = counts.pop("both_empty", 0) + counts.pop("one_empty", 0)
    parts = [f"n {len(row.values)}", f"{empty} empty" if empty else "", missing_words(counts, row.missing)]
    return ", ".join(part for part in parts if part)


def _said(rows: Sequence[Row]) -> str:
    """The cases without a dot, in words."""
    counts = sum((state_counts(row.scores.values()) for row in rows), Counter[str]())
    said = missing_words(counts, sum(row.missing for row in rows))
    return f"Left out, of all rows: {said}." if said else "No case is left out."
