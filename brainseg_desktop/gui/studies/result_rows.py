"""The results of a study as rows of text, numbers and why there is none."""

from __future__ import annotations

from collections.abc import Mapping

from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.gui.panels.compare_panel import score_text
from brainseg_desktop.gui.studies.reading_bar import duration_text
from brainseg_desktop.services.studies.results import (
    CaseStatistic,
    MeanScore,
    Measure,
    Pair,
    RegionResults,
    StudyReport,
)

MEASURE_HEADS = ("Measure", "Mean", "SD", "Median", "Range", "95 % CI", "n", "Left out", "Missing")
STATISTIC_HEADS = ("Statistic", "Value", "95 % CI", "Of")
RATER_HEADS = ("Rater", "Kind", "Mean mL", "Dice with consensus", "Cases", "Median time")

_REASONS = {
    "too_few": "too few",
    "empty": "nothing marked",
    "no_variation": "no variation",
    "zero_mean": "mean is 0",
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
        ("Fleiss' kappa", results.fleiss_kappa),
        ("Krippendorff's alpha", results.krippendorff_alpha),
        ("Conformity index", results.conformity),
    ):
        rows.append(_of_cases(name, found))
    icc = results.icc
    said = _REASONS.get(icc.state, icc.state)
    of = f"{icc.n} cases, {icc.readers} readers" + (f", {icc.excluded} left out" if icc.excluded else "")
    for name, value, interval in (
        ("ICC(2,1) of volumes", icc.icc_2_1, icc.ci_2_1),
        ("ICC(3,1) of volumes", icc.icc_3_1, icc.ci_3_1),
    ):
        rows.append((name, said if value is None else _number(value), _interval(interval), of))
    for pair, found_kappa in results.cohen_kappa.items():
        rows.append(_of_cases(f"Cohen's kappa, {_pair(pair)}", found_kappa))
    for pair, plot in results.bland_altman.items():
        of = f"{plot.n} cases" + (f", {plot.excluded} left out" if plot.excluded else "")
        name = f"Bias of volume, {_pair(pair)}, mL"
        rows.append(
            (
                name,
                _REASONS.get(plot.state, plot.state) if plot.bias is None else _number(plot.bias, 2),
                _interval(plot.bias_ci, 2),
                of,
            )
        )
        if plot.lower is not None and plot.upper is not None:
            limits = f"{_number(plot.lower, 2)} to {_number(plot.upper, 2)}"
            rows.append((f"Limits of agreement, {_pair(pair)}, mL", limits, "", of))
    for reader, repeats in results.repeats.items():
        rows.append(
            (f"Repeats of {reader}, CV", _statistic(repeats.variation), "", f"{repeats.variation.n} cases")
        )
        rows.append(
            (f"Repeats of {reader}, RMSE mL", _statistic(repeats.rmse_ml), "", f"{repeats.rmse_ml.n} cases")
        )
        mean = repeats.dice
        rows.append((f"Repeats of {reader}, Dice", _number(mean.mean), _interval(mean.interval), _of(mean)))
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
                rater.kind.value,
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
        text = "not read by both" if score is None else score_text(score, decimals)
        if score is not None and score.value is not None and score.state == "one_empty":
            text += " (one empty)"
        rows.append((case, text, *(_volume(volumes, name, case) for name in pair)))
    return rows


def _volume(volumes: Mapping[str, Mapping[str, object]], name: str, case: str) -> str:
    score = volumes.get(name, {}).get(case)
    return "-" if score is None else score_text(score, 2)  # type: ignore[arg-type]


def _title(measure: Measure) -> str:
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def _decimals(measure: Measure) -> int:
    return 2 if measure.unit else 3


def _mean(found: MeanScore, decimals: int) -> tuple[str, ...]:
    def text(value: float | None) -> str:
        return _number(value, decimals)

    ends = "-" if found.lowest is None else f"{text(found.lowest)} to {text(found.highest)}"
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
    why = " or ".join(sorted(_REASONS.get(s, s) for s in states)) or "-"
    mean = found.mean
    value = _number(mean.mean) if mean.mean is not None else why
    return (name, value, _interval(mean.interval), _of(mean))


def _of(mean: MeanScore) -> str:
    parts = [f"{mean.n} cases"]
    parts += [f"{mean.left_out} left out"] if mean.left_out else []
    parts += [f"{mean.missing} missing"] if mean.missing else []
    return ", ".join(parts)


def _statistic(found: Statistic) -> str:
    return _REASONS.get(found.state, found.state) if found.value is None else _number(found.value)


def _pair(pair: Pair) -> str:
    return f"{pair[0]} and {pair[1]}"


def _number(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _interval(found: Interval | None, decimals: int = 3) -> str:
    return "-" if found is None else f"{found.lower:.{decimals}f} to {found.upper:.{decimals}f}"
