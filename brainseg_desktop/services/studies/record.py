"""A study's results as JSON holds them: every number with its state and unit, the same as the report's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval
from brainseg_desktop.core.volumes_agreement import BlandAltman, Icc
from brainseg_desktop.services.messages import words_without_folders
from brainseg_desktop.services.studies.results import (
    CaseStatistic,
    MeanScore,
    RegionResults,
    Repeats,
    StudyReport,
)


def study_to_dict(report: StudyReport) -> dict[str, Any]:
    """The JSON of a study: every score as value, state and unit, every statistic with what it is made of."""
    return {
        "name": report.name,
        "software": report.software,
        "created_utc": report.created_utc,
        "scheme": report.scheme,
        "tolerance_mm": report.tolerance_mm,
        "design": dict(report.design),
        "cases": list(report.cases),
        "raters": [{"name": r.name, "kind": r.kind.value} for r in report.raters],
        "exclusions": [
            {
                "case": e.case,
                "rater": e.rater,
                "code": e.reason.code,
                "reason": words_without_folders(e.reason),
            }
            for e in report.exclusions
        ],
        "active_s": {rater: dict(times) for rater, times in report.active_s.items()},
        "regions": {name: _region(results) for name, results in report.regions.items()},
        "rules": dict(report.rules),
    }


def _region(results: RegionResults) -> dict[str, Any]:
    return {
        "measures": {
            key: {
                "title": table.measure.title,
                "unit": table.measure.unit or "1",
                "directed": table.measure.directed,
                "readers": _mean(table.readers),
                "pairs": [
                    {
                        "raters": list(pair),
                        "mean": _mean(table.pairs.get(pair)),
                        "cases": {case: score.to_dict() for case, score in scores.items()},
                    }
                    for pair, scores in table.scores.items()
                ],
            }
            for key, table in results.measures.items()
        },
        "volume_ml": _scores(results.volumes_ml),
        "icc": _icc(results.icc),
        "bland_altman_ml": [
            {"raters": list(pair), **_bland_altman(found)} for pair, found in results.bland_altman.items()
        ],
        "cohen_kappa": [
            {"raters": list(pair), **_by_case(found)} for pair, found in results.cohen_kappa.items()
        ],
        "fleiss_kappa": _by_case(results.fleiss_kappa),
        "krippendorff_alpha": _by_case(results.krippendorff_alpha),
        "generalised_conformity_index": _by_case(results.conformity),
        "against_consensus": {
            rater: {"mean": _mean(results.consensus.get(rater)), "cases": cases}
            for rater, cases in _scores(results.against_consensus).items()
        },
        "repeats": {reader: _repeats(found) for reader, found in results.repeats.items()},
    }


def _scores(found: Mapping[str, Mapping[str, Score]]) -> dict[str, dict[str, Any]]:
    return {rater: {case: s.to_dict() for case, s in scores.items()} for rater, scores in found.items()}


def _interval(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.lower, found.upper]


def _mean(found: MeanScore | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "n": found.n,
        "left_out": found.left_out,
        "missing": found.missing,
        "mean": found.mean,
        "interval_95": _interval(found.interval),
        "sd": found.sd,
        "median": found.median,
        "lowest": found.lowest,
        "highest": found.highest,
    }


def _by_case(found: CaseStatistic) -> dict[str, Any]:
    return {"mean": _mean(found.mean), "cases": {c: s.to_dict() for c, s in found.cases.items()}}


def _icc(found: Icc) -> dict[str, Any]:
    return {
        "icc_2_1": found.icc_2_1,
        "icc_2_1_interval_95": _interval(found.ci_2_1),
        "icc_3_1": found.icc_3_1,
        "icc_3_1_interval_95": _interval(found.ci_3_1),
        "state": found.state,
        "n": found.n,
        "readers": found.readers,
        "excluded": found.excluded,
    }


def _bland_altman(found: BlandAltman) -> dict[str, Any]:
    return {
        "bias": found.bias,
        "bias_interval_95": _interval(found.bias_ci),
        "sd": found.sd,
        "lower": found.lower,
        "lower_interval_95": _interval(found.lower_ci),
        "upper": found.upper,
        "upper_interval_95": _interval(found.upper_ci),
        "n": found.n,
        "excluded": found.excluded,
        "state": found.state,
    }


def _repeats(found: Repeats) -> dict[str, Any]:
    return {
        "volumes_ml": {case: list(pair) for case, pair in found.volumes_ml.items()},
        "dice": _mean(found.dice),
        "coefficient_of_variation": found.variation.to_dict(),
        "rmse_ml": found.rmse_ml.to_dict(),
    }
