"""The results of a study as rows of text, numbers and why there is none."""

from __future__ import annotations

from collections.abc import Mapping

from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.gui.panels.compare_panel import score_text
from brainseg_desktop.gui.studies.reading_bar import duration_text
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.studies.results import (
    CaseStatistic,
    MeanScore,
    Measure,
    Pair,
    RegionResults,
    StudyReport,
)

MEASURE_HEADS = (
    mark("Measure"),
    mark("Mean"),
    "SD",
    mark("Median"),
    mark("Range"),
    mark("95 % CI"),
    "n",
    mark("Left out"),
    mark("Missing"),
)
STATISTIC_HEADS = (mark("Statistic"), mark("Value"), mark("95 % CI"), mark("Of"))
RATER_HEADS = (
    mark("Rater"),
    mark("Kind"),
    mark("Mean mL"),
    mark("Dice with consensus"),
    mark("Cases"),
    mark("Median time"),
)

_REASONS = {
    "too_few": mark("too few"),
    "empty": mark("nothing marked"),
    "no_variation": mark("no variation"),
    "zero_mean": mark("mean is 0"),
}

Rows = list[tuple[str, ...]]


def measures(results: RegionResults) -> Rows:
    """Each measure over all pairs of human readers on all cases."""
    return [
        (_title(table.measure), *_mean(table.readers, _decimals(table.measure)))
        for table in results.measures.values()
    ]


def statistics(results: RegionResults) -> Rows:
    """What is said of all readers together, then of each pair and of repeats."""
    rows: Rows = []
    for name, found in (
        (tr("Fleiss' kappa"), results.fleiss_kappa),
        (tr("Krippendorff's alpha"), results.krippendorff_alpha),
        (tr("Conformity index"), results.conformity),
    ):
        rows.append(_of_cases(name, found))
    icc = results.icc
    said = _REASONS.get(icc.state, icc.state)
    of = tr("{cases} cases, {readers} readers", cases=icc.n, readers=icc.readers) + (
        tr(", {count} left out", count=icc.excluded) if icc.excluded else ""
    )
    for name, value, interval in (
        (tr("ICC(2,1) of volumes"), icc.icc_2_1, icc.ci_2_1),
        (tr("ICC(3,1) of volumes"), icc.icc_3_1, icc.ci_3_1),
    ):
        rows.append((name, said if value is None else _number(value), _interval(interval), of))
    for pair, found_kappa in results.cohen_kappa.items():
        rows.append(_of_cases(tr("Cohen's kappa, {pair}", pair=_pair(pair)), found_kappa))
    for pair, plot in results.bland_altman.items():
        of = tr("{count} cases", count=plot.n) + (
            tr(", {count} left out", count=plot.excluded) if plot.excluded else ""
        )
        name = tr("Bias of volume, {pair}, mL", pair=_pair(pair))
        rows.append(
            (
                name,
                _REASONS.get(plot.state, plot.state) if plot.bias is None else _number(plot.bias, 2),
                _interval(plot.bias_ci, 2),
                of,
            )
        )
        if plot.lower is not None and plot.upper is not None:
            limits = tr("{low} to {high}", low=_number(plot.lower, 2), high=_number(plot.upper, 2))
            rows.append((tr("Limits of agreement, {pair}, mL", pair=_pair(pair)), limits, "", of))
    for reader, repeats in results.repeats.items():
        rows.append(
            (
                tr("Repeats of {reader}, CV", reader=reader),
                _statistic(repeats.variation),
                "",
                tr("{count} cases", count=repeats.variation.n),
            )
        )
        rows.append(
            (
                tr("Repeats of {reader}, RMSE mL", reader=reader),
                _statistic(repeats.rmse_ml),
                "",
                tr("{count} cases", count=repeats.rmse_ml.n),
            )
        )
        mean = repeats.dice
        rows.append(
            (
                tr("Repeats of {reader}, Dice", reader=reader),
                _number(mean.mean),
                _interval(mean.interval),
                _of(mean),
            )
        )
    return rows


def raters(report: StudyReport, results: RegionResults) -> Rows:
    """Each rater: mean volume, agreement with the consensus of the readers, time."""
    rows: Rows = []
    for rater in report.raters:
        volumes = [s.value for s in results.volumes_ml.get(rater.name, {}).values() if s.value is not None]
        mean = results.consensus.get(rater.name)
        times = sorted(report.active_s.get(rater.name, {}).values())
        rows.append(
            (
                rater.name,
                tr(rater.kind.value),
                _number(sum(volumes) / len(volumes), 1) if volumes else "-",
                _number(mean.mean) if mean is not None else "-",
                _of(mean) if mean is not None else "-",
                duration_text(times[len(times) // 2]) if times else "-",
            )
        )
    return rows


def cases(report: StudyReport, region: str, measure: str, pair: Pair) -> Rows:
    """Each case with the score of a pair and both volumes, the worst first, those without a number last."""
    table = report.regions[region].measures[measure]
    scores = table.scores.get(pair, {})
    volumes = report.regions[region].volumes_ml
    decimals = _decimals(table.measure)

    def badness(case: str) -> float:
        value = scores[case].value if case in scores else None
        return -1.0 if value is None else abs(value - table.measure.best)

    rows: Rows = []
    for case in sorted(report.cases, key=badness, reverse=True):
        score = scores.get(case)
        text = tr("not read by both") if score is None else score_text(score, decimals)
        if score is not None and score.value is not None and score.state == "one_empty":
            text += tr(" (one empty)")
        rows.append((case, text, *(_volume(volumes, name, case) for name in pair)))
    return rows


def _volume(volumes: Mapping[str, Mapping[str, object]], name: str, case: str) -> str:
    score = volumes.get(name, {}).get(case)
    return "-" if score is None else score_text(score, 2)  # type: ignore[arg-type]


def _title(measure: Measure) -> str:
    return f"{tr(measure.title)}, {measure.unit}" if measure.unit else tr(measure.title)


def _decimals(measure: Measure) -> int:
    return 2 if measure.unit else 3


def _mean(found: MeanScore, decimals: int) -> tuple[str, ...]:
    def text(value: float | None) -> str:
        return _number(value, decimals)

    ends = (
        "-"
        if found.lowest is None
        else tr("{low} to {high}", low=text(found.lowest), high=text(found.highest))
    )
    return (
        text(found.mean),
        text(found.sd),
        text(found.median),
        ends,
        _interval(found.interval, decimals),
        str(found.n),
        str(found.left_out),
        str(found.missing),
    )


def _of_cases(name: str, found: CaseStatistic) -> tuple[str, ...]:
    states = {s.state for s in found.cases.values() if s.value is None}
    why = f" {tr('or')} ".join(sorted(tr(_REASONS.get(s, s)) for s in states)) or "-"
    mean = found.mean
    value = _number(mean.mean) if mean.mean is not None else why
    return (name, value, _interval(mean.interval), _of(mean))


def _of(mean: MeanScore) -> str:
    parts = [tr("{count} cases", count=mean.n)]
    parts += [tr("{count} left out", count=mean.left_out)] if mean.left_out else []
    parts += [tr("{count} missing", count=mean.missing)] if mean.missing else []
    return ", ".join(parts)


def _statistic(found: Statistic) -> str:
    return tr(_REASONS.get(found.state, found.state)) if found.value is None else _number(found.value)


def _pair(pair: Pair) -> str:
    return tr("{a} and {b}", a=pair[0], b=pair[1])


def _number(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _interval(found: Interval | None, decimals: int = 3) -> str:
    return (
        "-"
        if found is None
        else tr(
            "{low:.{decimals}f} to {high:.{decimals}f}",
            low=found.lower,
            decimals=decimals,
            high=found.upper,
        )
    )
