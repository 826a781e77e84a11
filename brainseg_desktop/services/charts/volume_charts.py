"""Volumes of two raters: difference over mean after Bland and Altman, and one over the other."""

from __future__ import annotations

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval
from brainseg_desktop.core.volumes_agreement import BlandAltman, Icc
from brainseg_desktop.services.charts.axes import Axis
from brainseg_desktop.services.charts.chart import Chart, Circle, Line, Rect, Spot, Text
from brainseg_desktop.services.charts.letters import text_width
from brainseg_desktop.services.charts.scores import all_human, missing_words
from brainseg_desktop.services.charts.sheet import (
    MARGIN,
    MINUS,
    RISE,
    TICK,
    WIDTH,
    Sheet,
    fixed,
    left_of_axis,
    nothing,
)
from brainseg_desktop.services.charts.swarms import HUMAN, OTHER
from brainseg_desktop.services.messages import state_words
from brainseg_desktop.services.studies.results import Pair, RegionResults, StudyReport

PLOT_HEIGHT = 250.0
SQUARE = 300.0
RADIUS = 3.2
APART = 11.0
LINES = ("+1.96 SD", "bias", f"{MINUS}1.96 SD")


def bland_altman_chart(report: StudyReport, region: str, pair: Pair) -> Chart:
    """Difference of two raters' volumes over their mean, in mL, with bias and limits of agreement.

    The bands are the confidence intervals of the bias and of the limits.
    """
    results = report.regions[region]
    title = f"{region}: volumes of {pair[0]} and {pair[1]}, difference over mean"
    found = results.bland_altman.get(pair)
    both = _both(results, pair)
    if found is None or found.bias is None or not both:
        return nothing(
            title, f"The two have no case in common with a volume. {_left_out(report, results, pair)}"
        )
    points = {case: ((a + b) / 2, a - b) for case, (a, b) in both.items()}
    levels = [v for v in (found.upper, found.bias, found.lower) if v is not None]
    bands = [i for i in (found.upper_ci, found.bias_ci, found.lower_ci) if i is not None]
    reach = [*levels, 0.0, *(d for _, d in points.values()), *(e for i in bands for e in (i.lower, i.upper))]
    sheet = Sheet(title)
    bottom = sheet.top + PLOT_HEIGHT
    up = Axis.over(reach, bottom, sheet.top)
    left = left_of_axis(up)
    said = [f"{name} {fixed(v, 2)}" for name, v in zip(_names(found), levels, strict=True)]
    right = sheet.width - MARGIN - max(text_width(s, TICK) for s in said) - 6
    across = Axis.over([m for m, _ in points.values()], left, right)
    _bands(sheet, up, left, right, bands)
    end = sheet.draw_across(across, sheet.top, bottom, f"Mean of {pair[0]} and {pair[1]} (mL)")
    sheet.draw_up(up, left, right, "Difference, first minus second (mL)")
    sheet.add(Line(left, up.place(0), right, up.place(0), "faint", 0.8))
    for name, level in zip(_names(found), levels, strict=True):
        y = up.place(level)
        sheet.add(Line(left, y, right, y, "accent", 1.4, dashed=name != "bias"))
    for number, band in enumerate(bands):
        _whisker(sheet, right - 6 - 7 * (number % 2), up.place(band.upper), up.place(band.lower))
    for y, words in zip(_apart([up.place(v) for v in levels]), said, strict=True):
        sheet.add(Text(right + 5, y + RISE * TICK / 2, words, TICK))
    role = HUMAN if all_human(report, pair) else OTHER
    for case, (mean, difference) in points.items():
        tip = f"{case}: mean {fixed(mean, 2)} mL, difference {fixed(difference, 2)} mL"
        _dot(sheet, across.place(mean), up.place(difference), role, tip, pair, case)
    note = f"{_bland_altman_words(found)} {_left_out(report, results, pair)}"
    return sheet.finish(end, note, across, up)


def volume_scatter(report: StudyReport, region: str, pair: Pair) -> Chart:
    """The volumes of one rater over those of another, in mL, with the line on which they would be equal."""
    results = report.regions[region]
    title = f"{region}: volumes of {pair[1]} over those of {pair[0]}"
    both = _both(results, pair)
    if not both:
        return nothing(
            title, f"The two have no case in common with a volume. {_left_out(report, results, pair)}"
        )
    volumes = [v for values in both.values() for v in values]
    sheet = Sheet(title)
    bottom = sheet.top + SQUARE
    up = Axis.over([0.0, *volumes], bottom, sheet.top)
    left = (WIDTH - SQUARE + left_of_axis(up)) / 2
    across = Axis(up.low, up.high, left, left + SQUARE, up.ticks)
    end = sheet.draw_across(across, sheet.top, bottom, f"{pair[0]} (mL)")
    sheet.draw_up(up, left, left + SQUARE, f"{pair[1]} (mL)", left - left_of_axis(up))
    sheet.add(Line(left, bottom, left + SQUARE, sheet.top, "faint", 1.2, dashed=True))
    role = HUMAN if all_human(report, pair) else OTHER
    for case, (first, second) in both.items():
        tip = f"{case}: {pair[0]} {fixed(first, 2)} mL, {pair[1]} {fixed(second, 2)} mL"
        _dot(sheet, across.place(first), up.place(second), role, tip, pair, case)
    words = icc_words(results.icc)
    note = f"n = {len(both)} cases; equal volumes lie on the line. {words} {_left_out(report, results, pair)}"
    return sheet.finish(end, note, across, up)


def icc_words(icc: Icc) -> str:
    """Both coefficients of the readers' volumes in a sentence."""
    if icc.icc_2_1 is None or icc.icc_3_1 is None:
        return f"The readers' volumes have no ICC: {state_words(icc.state)}."
    return (
        f"All {icc.readers} readers' volumes: ICC(2,1) {fixed(icc.icc_2_1, 3)}{_interval(icc.ci_2_1)}, "
        f"ICC(3,1) {fixed(icc.icc_3_1, 3)}{_interval(icc.ci_3_1)}, n = {icc.n}, {icc.excluded} excluded."
    )


def _interval(interval: Interval | None, digits: int = 3) -> str:
    if interval is None:
        return ""
    return f" [{fixed(interval.lower, digits)}, {fixed(interval.upper, digits)}]"


def _both(results: RegionResults, pair: Pair) -> dict[str, tuple[float, float]]:
    """The volumes of the cases in which both raters have one."""
    first, second = (results.volumes_ml.get(name, {}) for name in pair)
    found = {}
    for case, score in first.items():
        other = second.get(case)
        if score.value is not None and other is not None and other.value is not None:
            found[case] = (score.value, other.value)
    return found


def _left_out(report: StudyReport, results: RegionResults, pair: Pair) -> str:
    """Why cases have no dot, in words."""
    counts: dict[str, int] = {}
    missing = 0
    for case in report.cases:
        scores: list[Score | None] = [results.volumes_ml.get(name, {}).get(case) for name in pair]
        states = [s.state for s in scores if s is not None and s.value is None]
        if None in scores:
            missing += 1
        elif states:
            counts[states[0]] = counts.get(states[0], 0) + 1
    said = missing_words(counts, missing)
    return f"Cases left out: {said}." if said else "No case is left out."


def _bland_altman_words(found: BlandAltman) -> str:
    if found.bias is None:
        return f"No bias: {state_words(found.state)}."
    counts = f"n = {found.n}, {found.excluded} excluded"
    bias = f"{counts}: bias {fixed(found.bias, 2)}{_interval(found.bias_ci, 2)} mL"
    if found.lower is None or found.upper is None:
        return f"{bias}; limits of agreement need two cases."
    return (
        f"{bias}, limits of agreement {fixed(found.lower, 2)}{_interval(found.lower_ci, 2)} and "
        f"{fixed(found.upper, 2)}{_interval(found.upper_ci, 2)} mL (bias ± 1.96 SD); "
        "bands are 95 % intervals."
    )


def _names(found: BlandAltman) -> tuple[str, ...]:
    """The lines that there are, from the top."""
    return LINES if found.upper is not None else LINES[1:2]


def _bands(sheet: Sheet, up: Axis, left: float, right: float, bands: list[Interval]) -> None:
    for band in bands:
        top, bottom = up.place(band.upper), up.place(band.lower)
        sheet.add(Rect(left, top, right - left, bottom - top, "band"))


def _whisker(sheet: Sheet, x: float, top: float, bottom: float) -> None:
    """The two ends of an interval: bands of few cases run into each other."""
    sheet.add(Line(x, top, x, bottom, "accent"))
    sheet.add(*(Line(x - 2.5, y, x + 2.5, y, "accent") for y in (top, bottom)))


def _apart(places: list[float]) -> list[float]:
    """Places from the top, moved so far that words at them do not overlap; the middle one stays."""
    if len(places) < 3:
        return places
    top, middle, bottom = places
    return [min(top, middle - APART), middle, max(bottom, middle + APART)]


def _dot(sheet: Sheet, x: float, y: float, role: str, tip: str, pair: Pair, case: str) -> None:
    sheet.add(Circle(x, y, RADIUS, role, "paper"))
    sheet.spot(Spot(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, tip, pair, case))
