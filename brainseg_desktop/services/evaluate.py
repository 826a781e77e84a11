"""A network measured on cases that have a reference beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.layouts import CaseFiles, find_case, find_cases
from brainseg_desktop.services.compare import AgreementReport, compare
from brainseg_desktop.services.headless import Segmenting, segment_cases, told_regions
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import open_case


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of each case, and what could not be scored.

    Parameters
    ----------
    reports : mapping of case name to AgreementReport
    problems : list of str
        Sentences; a case without a reference is one.
    """

    reports: dict[str, AgreementReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def mean_dice(self) -> dict[str, tuple[float, int, int]]:
        """For each region: mean Dice, cases in the mean, cases left out of it (both masks empty)."""
        found: dict[str, list[float | None]] = {}
        for report in self.reports.values():
            for name, scores in report.regions.items():
                found.setdefault(name, []).append(scores.overlap.dice.value)
        means = {}
        for name, values in found.items():
            counted = [v for v in values if v is not None]
            if counted:
                means[name] = (float(np.mean(counted)), len(counted), len(values) - len(counted))
        return means

    def rows(self) -> list[list[str]]:
        """Case, region, Dice, HD95 and both volumes; the means last."""
        rows = []
        for case, report in self.reports.items():
            for name, scores in report.regions.items():
                hd95 = scores.surface.hd95_mm.value if scores.surface is not None else None
                cells = [scores.overlap.dice.value, hd95, *(v.value for v in scores.overlap.volume_ml)]
                rows.append([case, name, *("-" if v is None else f"{v:.3f}" for v in cells)])
        for name, (mean, counted, left_out) in self.mean_dice().items():
            rows.append([f"Mean of {counted}, {left_out} left out", name, f"{mean:.3f}", "-", "-", "-"])
        return rows

    def to_dict(self) -> dict[str, Any]:
        """For ``brainseg evaluate --json``."""
        return {
            "cases": {name: report.to_dict() for name, report in self.reports.items()},
            "mean_dice": {
                name: {"value": mean, "cases": counted, "left_out": left_out}
                for name, (mean, counted, left_out) in self.mean_dice().items()
            },
            "problems": self.problems,
        }


def evaluate_cases(model: str, data: Path, progress: Callable[[float], None]) -> Evaluation:
    """Segment every case in a folder and compare each mask with the reference beside it.

    Parameters
    ----------
    model : str
        Folder of a network, or its name in `models/`.
    data : Path
        A case, or a folder of cases.
    progress : callable
        Gets the share done.

    Raises
    ------
    UserError
        ``case_not_found``, and what is wrong with the network; faults of single cases are told in the result.
    """
    cases = (find_cases(data) if data.is_dir() else []) or [find_case(data)]
    result = Evaluation()
    with tempfile.TemporaryDirectory() as folder, segment_cases(Path(folder), model) as segment:
        for done, files in enumerate(cases):

            def part(fraction: float, done: int = done) -> None:
                progress((done + fraction) / len(cases))

            try:
                result.reports[files.name] = _score(files, segment, part)
            except UserError as error:
                result.problems.append(words(error))
    return result


def _score(files: CaseFiles, segment: Segmenting, progress: Callable[[float], None]) -> AgreementReport:
    opened = open_case(files)
    case = opened.case
    reference = next((r for r in case.ratings if r.kind is RaterKind.REFERENCE), None)
    if reference is None:
        raise next(iter(opened.problems), UserError("reference_missing", name=case.name))
    rating, _ = segment.predict(case, progress)
    return compare(
        reference.label_map.array,
        rating.label_map.array,
        case.grid,
        [r for r in reference.scheme.regions if r in told_regions(rating)],
        (),
        scheme=reference.scheme.name,
    )
