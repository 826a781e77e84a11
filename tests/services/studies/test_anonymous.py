"""Results without names: every number stays, no name of a case does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.report.html import to_html
from brainseg_desktop.services.report.study_pages import study_document
from brainseg_desktop.services.studies.anonymous import without_names
from brainseg_desktop.services.studies.results import Exclusion, StudyReport
from brainseg_desktop.services.studies.tables import study_to_dict
from tests.studies_example import example_report


@pytest.fixture(scope="module")
def named() -> StudyReport:
    """The example, its cases called as a hospital calls its folders."""
    report = example_report()
    case = report.cases[2]
    path = Path("/exams") / case / f"{case}_seg-anna_dseg.nii.gz"
    reason = UserError("reading_mask_changed", path=path)
    return replace(report, exclusions=(*report.exclusions, Exclusion(case, "Anna", reason)))


def test_numbers_stay_and_names_go(named: StudyReport) -> None:
    plain = without_names(named)
    assert plain.cases[0] == "Case 01"
    assert len(plain.cases) == len(named.cases)
    for region, results in named.regions.items():
        for key, table in results.measures.items():
            other = plain.regions[region].measures[key]
            assert other.pairs == table.pairs
            for pair, scores in table.scores.items():
                assert list(other.scores[pair].values()) == list(scores.values())
        assert plain.regions[region].icc == results.icc
    text = repr(study_to_dict(plain)) + to_html(study_document(plain))
    assert not [case for case in named.cases if case in text]
    assert "/exams" not in text
    # The names were there to begin with.
    before = repr(study_to_dict(named)) + to_html(study_document(named))
    assert all(case in before for case in named.cases)


def test_the_worst_case_is_the_same_by_another_name(named: StudyReport) -> None:
    plain = without_names(named)
    for pair in named.regions["WT"].measures["dice"].pairs:
        worst = named.worst("WT", "dice", pair)
        assert worst is not None
        assert plain.worst("WT", "dice", pair) == plain.cases[named.cases.index(worst)]
