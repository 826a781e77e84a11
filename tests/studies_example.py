"""A study's report with everything that a real one may hold: empty masks, exclusions, repeats, a network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.core.volumes_agreement import bland_altman, icc
from brainseg_desktop.services.studies.results import (
    MEASURES,
    CaseStatistic,
    Exclusion,
    MeanScore,
    Measure,
    MeasureTable,
    Pair,
    Rater,
    RegionResults,
    Repeats,
    StudyReport,
)

READERS = ("Łukasz", "Müller", "Ιωάννα", "Ольга Константиновна")
NETWORK = "AI (glioma-unet)"
REGIONS = ("WT", "TC", "ET")
RULES = {
    "dice": "2 TP / (2 TP + FP + FN). No value if both masks are empty, 0 if one is.",
    "mean": "Over the cases that have a number; left out are those with empty masks.",
    "bootstrap": "95 % percentile interval of the mean, 2000 resamples of the cases.",
}
DESIGN = {
    "Readers": "4, of whom each read all cases",
    "Order": "shuffled for each reader, seed 7",
    "Blinding": "the masks of others, the network's and all scores hidden until a reading was locked",
    "Repeats": "2 of 8 cases a second time, hidden",
    "Start": "from the network's mask",
}


def mean_of(scores: Mapping[str, Score], missing: int = 0) -> MeanScore:
    """The summary of scores, by numpy."""
    values = np.array([s.value for s in scores.values() if s.value is not None])
    left_out = len(scores) - values.size
    if not values.size:
        return MeanScore(0, left_out, missing)
    several = values.size > 1
    half = 1.96 * float(values.std(ddof=1)) / values.size**0.5 if several else 0.0
    mean = float(values.mean())
    return MeanScore(
        int(values.size),
        left_out,
        missing,
        mean,
        float(values.std(ddof=1)) if several else None,
        float(np.median(values)),
        float(values.min()),
        float(values.max()),
        Interval(mean - half, mean + half) if several else None,
    )


def _score(measure: Measure, random: np.random.Generator) -> Score:
    unit = measure.unit or "1"
    if measure.best == 1:
        return Score(float(np.clip(random.normal(0.82, 0.07), 0, 1)), "ok", unit)
    signed = measure.key == "volume_difference_ml"
    return Score(float(random.normal(0, 6) if signed else random.gamma(3, 1.5)), "ok", unit)


class _Maker:
    def __init__(self, readers: Sequence[str], network: str | None, cases: Sequence[str], seed: int) -> None:
        self.readers, self.cases = tuple(readers), tuple(cases)
        self.raters = (*readers, *([network] if network else []))
        self.random = np.random.default_rng(seed)
        # The last reader lacks a case, the network another one.
        self.absent = set()
        if len(self.cases) > 2:
            self.absent = {(self.readers[-1], self.cases[-1])} | (
                {(network, self.cases[1])} if network else set()
            )

    def region(self, name: str) -> RegionResults:
        empty = set(self.cases[2:3]) if name == "ET" else set()
        volumes = self._volumes(empty, {"WT": 60.0, "TC": 25.0, "ET": 12.0}.get(name, 30.0))
        pairs = list(itertools.combinations(self.raters, 2))
        by_case = self._statistic(empty)
        consensus = {
            r: {
                c: self._value(Score(float(self.random.uniform(0.75, 0.95))), c in empty)
                for c in self._read(r)
            }
            for r in self.raters
        }
        table = np.array([[self._number(volumes[r].get(c)) for r in self.readers] for c in self.cases])
        return RegionResults(
            region=name,
            measures={m.key: self._table(m, pairs, empty) for m in MEASURES},
            volumes_ml=volumes,
            icc=icc(table),
            bland_altman={
                (a, b): bland_altman(*([self._number(volumes[r].get(c)) for c in self.cases] for r in (a, b)))
                for a, b in pairs
            },
            cohen_kappa={p: self._statistic(empty) for p in pairs},
            fleiss_kappa=by_case,
            krippendorff_alpha=self._statistic(empty),
            conformity=self._statistic(empty),
            against_consensus=consensus,
            consensus={r: mean_of(s, len(self.cases) - len(s)) for r, s in consensus.items()},
            repeats=self._repeats(volumes),
        )

    def _read(self, *raters: str) -> list[str]:
        return [c for c in self.cases if not any((r, c) in self.absent for r in raters)]

    def _volumes(self, empty: set[str], usual: float) -> dict[str, dict[str, Score]]:
        true = {c: float(self.random.gamma(4, usual / 4)) + 1 for c in self.cases}
        return {
            r: {
                c: Score(
                    0.0 if c in empty else true[c] * float(self.random.normal(1 + 0.03 * i, 0.08)), "ok", "mL"
                )
                for c in self._read(r)
            }
            for i, r in enumerate(self.raters)
        }

    def _table(self, measure: Measure, pairs: list[Pair], empty: set[str]) -> MeasureTable:
        both = [*pairs, *((b, a) for a, b in pairs)] if measure.directed else pairs
        scores = {
            p: {c: self._value(_score(measure, self.random), c in empty) for c in self._read(*p)}
            for p in both
        }
        human = {
            f"{p}{c}": s for p, by in scores.items() for c, s in by.items() if set(p) <= set(self.readers)
        }
        means = {p: mean_of(s, len(self.cases) - len(s)) for p, s in scores.items()}
        return MeasureTable(measure, scores, means, mean_of(human, 3))

    def _statistic(self, empty: set[str]) -> CaseStatistic:
        cases = {
            c: Statistic(None, "empty")
            if c in empty
            else Statistic(float(self.random.uniform(0.6, 0.95)), n=900)
            for c in self.cases
        }
        return CaseStatistic(
            cases,
            mean_of({c: Score(s.value, "both_empty" if s.value is None else "ok") for c, s in cases.items()}),
        )

    def _repeats(self, volumes: Mapping[str, Mapping[str, Score]]) -> dict[str, Repeats]:
        chosen = self.cases[:2]
        found = {}
        for reader in self.readers[:2]:
            pairs = {
                c: (float(volumes[reader][c].value or 0), float(volumes[reader][c].value or 0) * 1.05)
                for c in chosen
            }
            dice = mean_of({c: Score(0.9 + 0.01 * i) for i, c in enumerate(chosen)})
            found[reader] = Repeats(pairs, dice, Statistic(0.034, n=2), Statistic(1.7, n=2))
        return found

    @staticmethod
    def _value(score: Score, empty: bool) -> Score:
        return Score(None, "both_empty", score.unit) if empty else score

    @staticmethod
    def _number(score: Score | None) -> float:
        return float("nan") if score is None or score.value is None else score.value


def make_report(
    readers: Sequence[str] = READERS,
    network: str | None = NETWORK,
    cases: int = 8,
    regions: Sequence[str] = REGIONS,
    seed: int = 4,
) -> StudyReport:
    """A report of made-up scores; the statistics follow from them."""
    names = tuple(f"case-{i + 1:02d}" for i in range(cases))
    maker = _Maker(readers, network, names, seed)
    raters = [Rater(r, RaterKind.HUMAN) for r in readers]
    raters += [Rater(network, RaterKind.MODEL)] if network else []
    exclusions = []
    for rater, case in sorted(maker.absent):
        path = Path(f"{case}_dseg.nii.gz")
        reason = UserError("mask_grid_mismatch", path=path, reason="spacing")
        if rater == network:
            reason = UserError("label_outside_scheme", path=path, values=[9], scheme="brats2021")
        exclusions.append(Exclusion(case, rater, reason))
    random = np.random.default_rng(seed + 1)
    return StudyReport(
        name="Gliomas of the upper ward",
        scheme="brats2021",
        cases=names,
        raters=tuple(raters),
        regions={r: maker.region(r) for r in regions},
        active_s={r: {c: float(random.uniform(240, 1900)) for c in names} for r in readers},
        exclusions=tuple(exclusions),
        design=DESIGN,
        rules=RULES,
        tolerance_mm=1.0,
        software="BrainSeg Desktop 0.0.0",
        created_utc="2025-03-04T10:00:00+00:00",
    )


@cache
def example_report() -> StudyReport:
    """Four readers and a network, eight cases, three regions."""
    return make_report()


def with_table(
    report: StudyReport, region: str, key: str, change: Callable[[MeasureTable], MeasureTable]
) -> StudyReport:
    """The report with one table of measures changed."""
    results = report.regions[region]
    measures = {**results.measures, key: change(results.measures[key])}
    return replace(report, regions={**report.regions, region: replace(results, measures=measures)})
