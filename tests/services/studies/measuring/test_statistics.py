"""From scores to means: counts, intervals, order of pairs, rules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import bootstrap_ci
from brainseg_desktop.core.volumes_agreement import bland_altman, icc
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.results import MEASURES, Material, MeanScore, StudyReport
from brainseg_desktop.services.studies.rules import rules_of
from brainseg_desktop.services.studies.statistics import mean_score

from .conftest import Make, box


@pytest.fixture
def report(three_readers: Material) -> StudyReport:
    return measure_study(three_readers, workers=0)


def test_a_mean_has_its_counts_and_spread() -> None:
    scores = [Score(0.5), Score(1.0, "ok"), Score(0.0, "one_empty"), Score(None, "both_empty")]
    found = mean_score(scores, 3, seed=1)
    assert (found.n, found.left_out, found.missing) == (3, 1, 3)
    assert found.mean == pytest.approx(0.5)
    assert found.sd == pytest.approx(0.5)
    assert (found.median, found.lowest, found.highest) == (0.5, 0.0, 1.0)
    direct = bootstrap_ci([0.5, 1.0, 0.0, np.nan], 1)
    assert found.interval == direct.interval


def test_one_score_has_no_spread_and_none_has_no_mean() -> None:
    one = mean_score([Score(0.5)], 0, seed=1)
    assert (one.n, one.mean, one.sd, one.interval) == (1, 0.5, None, None)
    assert mean_score([Score(None, "no_spacing")], 2, seed=1) == MeanScore(0, 1, 2)


def test_cases_are_resampled_with_all_their_pairs(make: Make) -> None:
    # Two cases whose pairs are alike within a case: only the draw of cases may spread the mean.
    names = ("anna", "ben", "cleo")
    wide = {n: box(4, stop) for n, stop in zip(names, (14, 14, 14), strict=True)}
    narrow = {n: box(4, stop) for n, stop in zip(names, (14, 10, 22), strict=True)}
    found = measure_study(make({"c1": wide, "c2": narrow}), workers=0).regions["WT"].measures["dice"]
    low, high = (np.mean([found.scores[p][case].value for p in found.scores]) for case in ("c2", "c1"))
    assert found.readers.interval.lower == pytest.approx(low)
    assert found.readers.interval.upper == pytest.approx(high)
    table = [[found.scores[p][case].value for p in found.scores] for case in ("c1", "c2")]
    assert found.readers.interval == bootstrap_ci(table, 0).interval


def test_the_seed_of_the_study_draws(make: Make) -> None:
    stops = (9, 10, 11, 13, 14, 17, 20)
    material = make({f"c{n}": {"anna": box(4, 12), "ben": box(4, n)} for n in stops})
    drawn = [measure_study(replace(material, seed=seed), workers=0) for seed in (0, 5)]
    first, other = (report.regions["WT"].measures["dice"].readers for report in drawn)
    assert first.interval != other.interval
    assert replace(first, interval=None) == replace(other, interval=None)


def test_volumes_of_readers_make_the_icc_and_of_all_the_bland_altman(report: StudyReport) -> None:
    region = report.regions["WT"]
    # A slice of the box has 10 x 10 voxels of 2 mm3.
    volumes = {"anna": [2.0, 1.2, 2.4], "ben": [1.8, 1.4, 2.2], "cleo": [2.0, 1.0, np.nan]}
    for name, expected in volumes.items():
        known = [region.volumes_ml[name][c].value for c in report.cases if c in region.volumes_ml[name]]
        assert known == pytest.approx([v for v in expected if not math.isnan(v)])
    direct = icc(np.array(list(volumes.values())).T)
    assert region.icc.icc_2_1 == pytest.approx(direct.icc_2_1)
    assert region.icc.ci_3_1.lower == pytest.approx(direct.ci_3_1.lower)
    assert (region.icc.n, region.icc.readers, region.icc.excluded) == (2, 3, 1)
    found = region.bland_altman["anna", "AI"]
    assert found.bias == pytest.approx(bland_altman([2.0, 1.2], [1.8, 1.2]).bias)
    assert (found.n, found.excluded) == (2, 1)
    assert set(region.bland_altman) == set(region.cohen_kappa)


def test_volume_differences_of_readers_do_not_cancel_out(report: StudyReport) -> None:
    table = report.regions["WT"].measures["volume_difference_ml"]
    assert table.scores["anna", "ben"]["c1"].value == pytest.approx(-0.2)
    assert table.scores["ben", "anna"]["c1"].value == pytest.approx(0.2)
    assert table.pairs["anna", "ben"].mean == pytest.approx(np.mean([-0.2, 0.2, -0.2]))
    differences = [0.2, 0.0, 0.2, 0.2, 0.2, 0.4, 0.2]
    assert table.readers.mean == pytest.approx(np.mean(differences))
    assert table.readers.n == 7


def test_both_orders_of_a_directed_measure_count(report: StudyReport) -> None:
    precision = report.regions["WT"].measures["precision"]
    assert precision.readers.n == 14
    assert precision.readers.missing == 4
    sensitivity = report.regions["WT"].measures["sensitivity"]
    assert precision.scores["anna", "ben"] == sensitivity.scores["ben", "anna"]


def test_networks_are_beside_readers_not_among_them(report: StudyReport) -> None:
    dice = report.regions["WT"].measures["dice"]
    assert set(dice.scores) == set(dice.pairs)
    assert len(dice.scores) == 10
    assert dice.readers.n == 7
    assert report.readers == ("anna", "ben", "cleo")
    assert set(report.regions["WT"].consensus) == {"anna", "ben", "cleo", "AI", "Reference"}
    assert (report.regions["WT"].consensus["AI"].n, report.regions["WT"].consensus["AI"].missing) == (2, 1)


def test_time_of_work_is_that_of_first_readings(report: StudyReport) -> None:
    assert report.active_s["anna"] == {"c1": 60.0, "c2": 60.0, "c3": 60.0}


def test_the_worst_case_of_a_pair(report: StudyReport) -> None:
    scores = report.regions["WT"].measures["dice"].scores["anna", "ben"]
    worst = report.worst("WT", "dice", ("anna", "ben"))
    assert scores[worst].value == min(s.value for s in scores.values())


def test_every_number_has_its_rule_in_words() -> None:
    rules = rules_of(2.0)
    assert {m.key for m in MEASURES} <= set(rules)
    others = {"icc", "bland_altman", "fleiss_kappa", "krippendorff_alpha", "conformity", "cohen_kappa"}
    others |= {"consensus", "repeats", "empty", "exclusions", "interval", "readers", "mean", "volume_ml"}
    assert others <= set(rules)
    assert "within 2 mm" in rules["surface_dice"]
    assert all(rule.endswith(".") and "{" not in rule for rule in rules.values())


@pytest.mark.parametrize(
    "masks", [{"c1": {"anna": box(4, 14)}}, {"c1": {"anna": box(0, 0), "ben": box(0, 0)}}]
)
def test_nothing_is_ever_nan(make: Make, masks: dict[str, dict[str, np.ndarray]]) -> None:
    numbers = list(_numbers(measure_study(make(masks), workers=0)))
    assert numbers
    assert all(math.isfinite(n) for n in numbers)


def test_numbers_of_a_whole_study_are_finite(report: StudyReport) -> None:
    assert all(math.isfinite(n) for n in _numbers(report))
    assert [r.kind for r in report.raters][3:] == [RaterKind.MODEL, RaterKind.REFERENCE]


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _numbers(getattr(value, field.name))
