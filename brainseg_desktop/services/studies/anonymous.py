"""Results without the names of cases: those of a hospital's folders often name the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.studies.results import (
    CaseStatistic,
    Exclusion,
    MeasureTable,
    RegionResults,
    Repeats,
    StudyReport,
)

T = TypeVar("T")


def without_names(report: StudyReport) -> StudyReport:
    """The same results with cases called by their place in the study, and files without their folders.

    Examples
    --------
    The third case of a study of 20 is ``"Case 03"``.
    """
    width = max(2, len(str(len(report.cases))))
    label = {case: f"Case {number:0{width}d}" for number, case in enumerate(report.cases, start=1)}

    def by_case(found: Mapping[str, T]) -> dict[str, T]:
        return {label[case]: value for case, value in found.items()}

    def statistic(found: CaseStatistic) -> CaseStatistic:
        return replace(found, cases=by_case(found.cases))

    def table(found: MeasureTable) -> MeasureTable:
        return replace(found, scores={pair: by_case(scores) for pair, scores in found.scores.items()})

    def repeats(found: Repeats) -> Repeats:
        return replace(found, volumes_ml=by_case(found.volumes_ml))

    def region(found: RegionResults) -> RegionResults:
        return replace(
            found,
            measures={key: table(one) for key, one in found.measures.items()},
            volumes_ml={rater: by_case(volumes) for rater, volumes in found.volumes_ml.items()},
            cohen_kappa={pair: statistic(one) for pair, one in found.cohen_kappa.items()},
            fleiss_kappa=statistic(found.fleiss_kappa),
            krippendorff_alpha=statistic(found.krippendorff_alpha),
            conformity=statistic(found.conformity),
            against_consensus={rater: by_case(scores) for rater, scores in found.against_consensus.items()},
            repeats={reader: repeats(one) for reader, one in found.repeats.items()},
        )

    return replace(
        report,
        cases=tuple(label.values()),
        regions={name: region(found) for name, found in report.regions.items()},
        active_s={rater: by_case(times) for rater, times in report.active_s.items()},
        exclusions=tuple(_exclusion(e, label) for e in report.exclusions),
    )


def _exclusion(found: Exclusion, label: Mapping[str, str]) -> Exclusion:
    """Whatever a reason says of the case or of a file of it, without its name and its folders."""
    name = label.get(found.case, "")

    def said(value: object) -> object:
        if isinstance(value, Path):
            value = value.name
        return value.replace(found.case, name) if isinstance(value, str) and found.case else value

    reason = UserError(found.reason.code, **{key: said(v) for key, v in found.reason.params.items()})
    return Exclusion(name, found.rater, reason)
