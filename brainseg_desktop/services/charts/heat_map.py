"""The matrix of raters: how well each agrees with each other one, in numbers and in colours."""

from __future__ import annotations

from brainseg_desktop.services.charts.axes import Axis, ticks
from brainseg_desktop.services.charts.chart import Chart, Rect, Spot, Text
from brainseg_desktop.services.charts.colours import cividis, ink_on
from brainseg_desktop.services.charts.letters import elided, fitting_size, text_width
from brainseg_desktop.services.charts.scores import (
    digits_of,
    mean_words,
    named,
    pair_words,
    stored_pair,
)
from brainseg_desktop.services.charts.sheet import (
    DASH,
    LABEL,
    MARGIN,
    RISE,
    TICK,
    Sheet,
    fixed,
    nothing,
    number,
)
from brainseg_desktop.services.studies.results import MeanScore, Measure, MeasureTable, StudyReport

LARGEST_CELL = 32.0
LONGEST_NAME = 96.0
# The one measure with a sign: its colours go with the distance from 0.
SIGNED = "volume_difference_ml"
BAR, BAR_ROOM, BAR_STEPS = 10.0, 64.0, 40


def heat_map(report: StudyReport, region: str, measure_key: str) -> Chart:
    """Mean over the cases of each pair of raters, by colour and in numbers.

    Of a measure without direction both halves show the same; of a directed one rows are the reference. The
    colour goes with closeness of agreement, so that the brightest cells agree best whatever the measure.

    Raises
    ------
    KeyError
        For a region or measure that the report does not have.
    """
    table = report.regions[region].measures[measure_key]
    measure = table.measure
    title = f"{region}: {named(measure)}, mean over the cases of each pair"
    values = [m.mean for m in table.pairs.values() if m.mean is not None]
    if not values:
        return nothing(title, f"No pair has a number. {_counts(table)}")
    names = [r.name for r in report.raters]
    scale = _scale(measure, values)
    sheet = Sheet(title)
    labels = min(max(text_width(n, LABEL) for n in names), LONGEST_NAME)
    left = MARGIN + labels + 8
    cell = min(LARGEST_CELL, (sheet.width - left - BAR_ROOM - MARGIN) / len(names))
    top = _heads(sheet, names, left, cell)
    texts = [fixed(v, digits_of(measure, short=True)) for v in values]
    size = fitting_size(texts, 10.0, cell - 4)
    for row, first in enumerate(names):
        y = top + row * cell
        sheet.add(
            Text(left - 8, y + cell / 2 + RISE * LABEL / 2, elided(first, LABEL, labels + 0.5), LABEL, "end")
        )
        for column, second in enumerate(names):
            _cell(sheet, table, (first, second), (left + column * cell, y, cell), scale, size)
    bottom = top + len(names) * cell
    _bar(sheet, scale, measure, left + len(names) * cell + 14, top, bottom)
    return sheet.finish(bottom, _note(table))


def _scale(measure: Measure, values: list[float]) -> Axis:
    """From the worst to the best; of a measure whose best is 0, by distance from 0."""
    if measure.best == 0:
        marks = ticks(0.0, max(abs(v) for v in values), 5)
        return Axis(marks[-1], marks[0], 0.0, 1.0, tuple(marks))
    marks = [t for t in ticks(min(values), max(values), 5) if t <= 1] if max(values) <= 1 else ticks(0, 1)
    if len(marks) < 2:
        marks = [0.0, 1.0]
    return Axis(marks[0], marks[-1], 0.0, 1.0, tuple(marks))


def _heads(sheet: Sheet, names: list[str], left: float, cell: float) -> float:
    """Names above the columns, upright if they have room; where the cells begin."""
    if all(text_width(n, LABEL) <= cell - 4 for n in names):
        y = sheet.top + RISE * LABEL
        for column, name in enumerate(names):
            sheet.add(Text(left + (column + 0.5) * cell, y, name, LABEL, "middle"))
        return sheet.top + LABEL + 4
    tall = min(max(text_width(n, LABEL) for n in names), LONGEST_NAME) + 0.5
    size = min(LABEL, cell * 0.8)
    for column, name in enumerate(names):
        x = left + (column + 0.5) * cell + RISE * size / 2
        sheet.add(Text(x, sheet.top + tall, elided(name, size, tall), size, angle=-90))
    return sheet.top + tall + 6


def _cell(
    sheet: Sheet,
    table: MeasureTable,
    pair: tuple[str, str],
    place: tuple[float, float, float],
    scale: Axis,
    size: float,
) -> None:
    x, y, cell = place
    if pair[0] == pair[1]:
        sheet.add(Rect(x, y, cell, cell, "box", "paper"))
        return
    measure, stored = table.measure, stored_pair(table, pair)
    mean = table.pairs.get(stored, MeanScore(0, 0, 0)) if stored is not None else MeanScore(0, 0, 0)
    middle, base = x + cell / 2, y + cell / 2 + RISE * size / 2
    if mean.mean is None:
        sheet.add(Rect(x, y, cell, cell, "paper", "grid"), Text(middle, base, DASH, size, "middle", "faint"))
    else:
        closeness = scale.place(abs(mean.mean) if measure.best == 0 else mean.mean)
        colour = cividis(closeness)
        words = fixed(mean.mean, digits_of(measure, short=True))
        sheet.add(
            Rect(x, y, cell, cell, colour, "paper"), Text(middle, base, words, size, "middle", ink_on(colour))
        )
    tip = f"{pair_words(measure, stored or pair)}: {mean_words(mean, measure)}"
    sheet.spot(Spot(x, y, cell, cell, tip, stored or pair))


def _bar(sheet: Sheet, scale: Axis, measure: Measure, x: float, top: float, bottom: float) -> None:
    """The colours with their numbers, the best at the top."""
    step = (bottom - top) / BAR_STEPS
    for i in range(BAR_STEPS):
        # A little overlap, so that no gap shows between the steps.
        tall = step + (0.4 if i < BAR_STEPS - 1 else 0.0)
        sheet.add(Rect(x, top + i * step, BAR, tall, cividis(1 - (i + 0.5) / BAR_STEPS)))
    for tick in scale.ticks:
        y = bottom - scale.place(tick) * (bottom - top)
        sign = "±" if tick and measure.key == SIGNED else ""
        sheet.add(Text(x + BAR + 5, y + TICK * RISE / 2, sign + number(tick), TICK, role="faint"))


def _counts(table: MeasureTable) -> str:
    n = sum(m.n for m in table.pairs.values())
    left_out, missing = (sum(getattr(m, k) for m in table.pairs.values()) for k in ("left_out", "missing"))
    return (
        f"Of {n + left_out + missing} scores (pairs times cases) {n} have a number; {left_out} are left out "
        f"(empty masks, or no voxel size), {missing} are missing (not read, or excluded)."
    )


def _note(table: MeasureTable) -> str:
    sides = "Rows are the reference, columns the mask held against it. " if table.measure.directed else ""
    return (
        f"Each cell is the mean over the cases in which its pair has a number; {DASH} where there is none. "
        f"{sides}The brighter, the closer they agree. {_counts(table)}"
    )
