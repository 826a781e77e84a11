"""A study's results as tables and JSON: the same numbers as the report's, units in the headers.

A cell without a number is empty, and the column beside it says why. Cells that a spreadsheet would run as a
formula begin with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.io.atomic import staged, write_error
from brainseg_desktop.services.messages import words_without_folders
from brainseg_desktop.services.studies.record import study_to_dict
from brainseg_desktop.services.studies.results import (
    CaseStatistic,
    MeanScore,
    Measure,
    StudyReport,
)

__all__ = ["csv_bytes", "study_to_dict", "write_tables"]

JSON_FILE = "study.json"
# What a spreadsheet takes for the beginning of a formula; tab and carriage return are skipped by it first.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Rows = Iterator[list[object]]


def write_tables(report: StudyReport, folder: Path) -> tuple[Path, ...]:
    """Write every table as CSV and everything as JSON into a folder, all or nothing.

    Returns
    -------
    tuple of Path
        ``study.json`` first, then the tables.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``; older files are then as they were.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    encoded = (
        msgspec.json.format(msgspec.json.encode(study_to_dict(report), enc_hook=float), indent=2) + b"\n"
    )
    files = {JSON_FILE: encoded} | {f"{n}.csv": csv_bytes(make(report)) for n, make in _TABLES.items()}
    with staged(folder) as stage:
        for name, data in files.items():
            stage.add(folder / name, data)
        stage.commit()
    return tuple(folder / name for name in files)


_MEAN_HEADS = (
    "n",
    "left_out",
    "missing",
    "mean",
    "lower_95",
    "upper_95",
    "sd",
    "median",
    "lowest",
    "highest",
)


def _mean_cells(found: MeanScore) -> list[object]:
    ends = (None, None) if found.interval is None else (found.interval.lower, found.interval.upper)
    counts = (found.n, found.left_out, found.missing)
    return [*counts, found.mean, *ends, found.sd, found.median, found.lowest, found.highest]


def _unit(measure: Measure) -> str:
    return measure.unit or "1"


def _pair_rows(report: StudyReport) -> Rows:
    """A row for each region, measure, pair and case; of a directed measure the first is the reference."""
    yield ["region", "measure", "unit", "directed", "rater", "other_rater", "case", "value", "state"]
    for name, results in report.regions.items():
        for table in results.measures.values():
            measure = table.measure
            directed = "yes" if measure.directed else "no"
            for pair, scores in table.scores.items():
                first = [name, measure.key, _unit(measure), directed, *pair]
                for case in report.cases:
                    score = scores.get(case)
                    yield [*first, case, *_value_and_state(score)]


def _value_and_state(score: Score | None) -> tuple[float | None, str]:
    return (None, "missing") if score is None else (score.value, score.state)


def _summary_rows(report: StudyReport) -> Rows:
    """Means of each pair, and in a row without raters of all pairs of human readers."""
    yield ["region", "measure", "unit", "rater", "other_rater", *_MEAN_HEADS]
    for name, results in report.regions.items():
        for table in results.measures.values():
            first = [name, table.measure.key, _unit(table.measure)]
            yield [*first, "all readers", "all readers", *_mean_cells(table.readers)]
            for pair, mean in table.pairs.items():
                yield [*first, *pair, *_mean_cells(mean)]


def _volume_rows(report: StudyReport) -> Rows:
    yield ["region", "rater", "case", "volume_mL", "state", "active_time_s"]
    for name, results in report.regions.items():
        for rater in report.raters:
            volumes, times = results.volumes_ml.get(rater.name, {}), report.active_s.get(rater.name, {})
            for case in report.cases:
                yield [name, rater.name, case, *_value_and_state(volumes.get(case)), times.get(case)]


def _agreement_rows(report: StudyReport) -> Rows:
    """One number a row, with its interval and its counts: coefficients of cases, their means, of volumes."""
    yield [
        *("region", "statistic", "unit", "rater", "other_rater", "case", "value", "state"),
        *("lower_95", "upper_95", "n", "left_out", "missing"),
    ]
    for name, results in report.regions.items():
        groups = {
            "fleiss_kappa": results.fleiss_kappa,
            "krippendorff_alpha": results.krippendorff_alpha,
            "generalised_conformity_index": results.conformity,
        }
        for key, found in groups.items():
            yield from _statistic_rows([name, key, "1", "all readers", "all readers"], found)
        for pair, found in results.cohen_kappa.items():
            yield from _statistic_rows([name, "cohen_kappa", "1", *pair], found)
        icc = results.icc
        for key, value, reach in (("icc_2_1", icc.icc_2_1, icc.ci_2_1), ("icc_3_1", icc.icc_3_1, icc.ci_3_1)):
            first: list[object] = [name, key, "1", "all readers", "all readers", "all"]
            yield [*first, value, icc.state, *_ends(reach), icc.n, icc.excluded, ""]
        for pair, bland in results.bland_altman.items():
            levels = {
                "bland_altman_bias": (bland.bias, bland.bias_ci),
                "bland_altman_sd": (bland.sd, None),
                "bland_altman_lower": (bland.lower, bland.lower_ci),
                "bland_altman_upper": (bland.upper, bland.upper_ci),
            }
            for key, (value, reach) in levels.items():
                counts = (bland.n, bland.excluded, "")
                yield [name, key, "mL", *pair, "all", value, bland.state, *_ends(reach), *counts]


def _statistic_rows(first: list[object], found: CaseStatistic) -> Rows:
    mean = found.mean
    state = "ok" if mean.mean is not None else "empty"
    counts = (mean.n, mean.left_out, mean.missing)
    yield [*first, "mean", mean.mean, state, *_ends(mean.interval), *counts]
    for case, statistic in found.cases.items():
        yield [*first, case, statistic.value, statistic.state, "", "", statistic.n, statistic.excluded, ""]


def _ends(found: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if found is None else (found.lower, found.upper)


def _consensus_rows(report: StudyReport) -> Rows:
    """Dice with the readers' consensus: of each case, and in rows of the case ``mean`` over them."""
    yield [
        "region",
        "rater",
        "kind",
        "case",
        "dice",
        "state",
        "lower_95",
        "upper_95",
        "n",
        "left_out",
        "missing",
    ]
    kinds = {r.name: r.kind.value for r in report.raters}
    for name, results in report.regions.items():
        for rater, scores in results.against_consensus.items():
            first: list[object] = [name, rater, kinds.get(rater, "")]
            mean = results.consensus.get(rater)
            if mean is not None:
                state = "ok" if mean.mean is not None else "empty"
                counts = (mean.n, mean.left_out, mean.missing)
                yield [*first, "mean", mean.mean, state, *_ends(mean.interval), *counts]
            for case in report.cases:
                yield [*first, case, *_value_and_state(scores.get(case)), *[""] * 5]


def _repeat_rows(report: StudyReport) -> Rows:
    """The two volumes of each case, and in rows of the case ``all`` what they come to."""
    yield [
        *("region", "reader", "case", "first_mL", "second_mL", "dice_mean", "dice_n"),
        *("coefficient_of_variation_1", "coefficient_of_variation_state", "rmse_mL", "rmse_state"),
    ]
    for name, results in report.regions.items():
        for reader, found in results.repeats.items():
            spread = [*_both(found.variation), *_both(found.rmse_ml)]
            yield [name, reader, "all", "", "", found.dice.mean, found.dice.n, *spread]
            for case, (first, second) in found.volumes_ml.items():
                yield [name, reader, case, first, second, *[""] * 6]


def _both(found: Statistic) -> tuple[float | None, str]:
    return found.value, found.state


def _exclusion_rows(report: StudyReport) -> Rows:
    yield ["case", "rater", "code", "reason"]
    for exclusion in report.exclusions:
        yield [
            exclusion.case,
            exclusion.rater,
            exclusion.reason.code,
            words_without_folders(exclusion.reason),
        ]


_TABLES = {
    "pairs": _pair_rows,
    "summary": _summary_rows,
    "volumes": _volume_rows,
    "agreement": _agreement_rows,
    "consensus": _consensus_rows,
    "repeats": _repeat_rows,
    "exclusions": _exclusion_rows,
}


def csv_bytes(rows: Iterable[list[object]]) -> bytes:
    """A table as a file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def csv_cell(value: object) -> str:
    """Numbers in full, words such that no spreadsheet runs them.

    Examples
    --------
    >>> csv_cell(-0.5), csv_cell("=1+1"), csv_cell(None)
    ('-0.5', "'=1+1", '')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(float(value)) if isinstance(value, float) else str(value)
