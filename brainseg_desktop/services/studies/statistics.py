"""From the numbers of each case to the report of a study: means, intervals, and who agrees with whom."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Region
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import (
    Statistic,
    bootstrap_ci,
    coefficient_of_variation_of_repeats,
    rmse_of_repeats,
)
from brainseg_desktop.core.volumes_agreement import bland_altman, icc
from brainseg_desktop.io.schemes import PROGRAM, scheme_named
from brainseg_desktop.services.studies.case_numbers import CaseNumbers, PairNumbers, RegionNumbers
from brainseg_desktop.services.studies.results import (
    MEASURES,
    CaseStatistic,
    Exclusion,
    Material,
    MeanScore,
    Measure,
    MeasureTable,
    Pair,
    RatingFile,
    RegionResults,
    Repeats,
    StudyReport,
)
from brainseg_desktop.services.studies.rules import rules_of

SIGNED = "volume_difference_ml"


@dataclass(frozen=True, slots=True)
class MeasuredCase:
    """What came of a case.

    Parameters
    ----------
    files : tuple of RatingFile
        In the order of the numbers' indices.
    numbers : CaseNumbers or None
    failure : UserError or None
        Why there are no numbers of the whole case.
    """

    files: tuple[RatingFile, ...]
    numbers: CaseNumbers | None = None
    failure: UserError | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A case's numbers of one region, with names in place of indices."""

    numbers: RegionNumbers
    files: tuple[RatingFile, ...]

    def rater(self, index: int) -> str:
        return self.files[index].rater

    def is_first(self, index: int) -> bool:
        return self.files[index].repeat == 1


def report_of(material: Material, cases: Mapping[str, MeasuredCase]) -> StudyReport:
    """The report of a study from the numbers of its cases.

    Parameters
    ----------
    cases : mapping of case to MeasuredCase
        Cases without any file are absent.
    """
    active: dict[str, dict[str, float]] = {}
    for file in material.files:
        if file.repeat == 1 and file.active_s is not None:
            active.setdefault(file.rater, {})[file.case] = file.active_s
    return StudyReport(
        name=material.name,
        scheme=material.scheme,
        cases=material.cases,
        raters=material.raters,
        regions={r.name: _region(material, r, cases) for r in scheme_named(material.scheme).regions},
        active_s=active,
        exclusions=(*material.exclusions, *_exclusions(material, cases)),
        design=material.design,
        rules=rules_of(material.tolerance_mm),
        tolerance_mm=material.tolerance_mm,
        software=f"{PROGRAM} {__version__}",
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def mean_score(scores: Iterable[Score], missing: int, seed: int) -> MeanScore:
    """Scores of one pair or rater over cases in short; those without a number are counted, not averaged.

    Examples
    --------
    >>> found = mean_score([Score(0.5), Score(1.0), Score(None, "both_empty")], 2, seed=0)
    >>> found.n, found.left_out, found.missing, found.mean, found.median
    (2, 1, 2, 0.75, 0.75)
    """
    values = [score.value for score in scores]
    return _summary(np.array(values, dtype=np.float64), values, missing, seed)


def _summary(
    table: NDArray[np.float64], values: Sequence[float | None], missing: int, seed: int
) -> MeanScore:
    """Of `values`; `table` has the same by case, for the interval, with NaN where there is none."""
    known = np.array([v for v in values if v is not None], dtype=np.float64)
    left_out = len(values) - known.size
    if known.size == 0:
        return MeanScore(0, left_out, missing)
    return MeanScore(
        n=int(known.size),
        left_out=left_out,
        missing=missing,
        mean=float(known.mean()),
        sd=float(known.std(ddof=1)) if known.size > 1 else None,
        median=float(np.median(known)),
        lowest=float(known.min()),
        highest=float(known.max()),
        interval=bootstrap_ci(table, seed).interval,
    )


def _region(material: Material, region: Region, cases: Mapping[str, MeasuredCase]) -> RegionResults:
    known = {
        case: _Known(found.numbers.regions[region.name], found.files)
        for case, found in cases.items()
        if found.numbers is not None and region.name in found.numbers.regions
    }
    known = {case: known[case] for case in material.cases if case in known}
    names = [rater.name for rater in material.raters]
    humans = [rater.name for rater in material.raters if rater.kind is RaterKind.HUMAN]
    found_pairs = {case: _by_names(numbers, names) for case, numbers in known.items()}
    volumes = _per_rater(known, lambda numbers: numbers.volumes_ml, names)
    consensus = _per_rater(known, lambda numbers: numbers.consensus, names)
    pairs = list(itertools.combinations(names, 2))
    values = {name: [_number(volumes.get(name, {}).get(case)) for case in material.cases] for name in names}
    return RegionResults(
        region=region.name,
        measures={m.key: _table(material, m, found_pairs, names, humans) for m in MEASURES},
        volumes_ml=volumes,
        icc=icc(np.array([values[h] for h in humans]).reshape(len(humans), len(material.cases)).T),
        bland_altman={(a, b): bland_altman(values[a], values[b]) for a, b in pairs},
        cohen_kappa={
            (a, b): _case_statistic(
                material,
                {c: p[a, b].cohen_kappa for c, p in found_pairs.items() if (a, b) in p},
            )
            for a, b in pairs
        },
        fleiss_kappa=_case_statistic(material, {c: k.numbers.fleiss_kappa for c, k in known.items()}),
        krippendorff_alpha=_case_statistic(
            material, {c: k.numbers.krippendorff_alpha for c, k in known.items()}
        ),
        conformity=_case_statistic(material, {c: k.numbers.conformity for c, k in known.items()}),
        against_consensus=consensus,
        consensus={
            name: mean_score(scores.values(), len(material.cases) - len(scores), material.seed)
            for name, scores in consensus.items()
        },
        repeats=_repeats(material, known, names),
    )


def _number(score: Score | None) -> float:
    return np.nan if score is None or score.value is None else score.value


def _per_rater(
    known: Mapping[str, _Known], of: Callable[[RegionNumbers], Mapping[int, Score]], names: Sequence[str]
) -> dict[str, dict[str, Score]]:
    """Scores of first readings by rater and case; raters without any are absent."""
    found: dict[str, dict[str, Score]] = {name: {} for name in names}
    for case, numbers in known.items():
        for index, score in of(numbers.numbers).items():
            if numbers.is_first(index):
                found[numbers.rater(index)][case] = score
    return {name: scores for name, scores in found.items() if scores}


def _by_names(known: _Known, names: Sequence[str]) -> dict[Pair, PairNumbers]:
    """The pairs of a case in the order of the report: turned where the indices run the other way."""
    place = {name: i for i, name in enumerate(names)}
    found: dict[Pair, PairNumbers] = {}
    for pair in known.numbers.pairs:
        first, second = known.rater(pair.first), known.rater(pair.second)
        if place[first] < place[second]:
            found[first, second] = pair
        else:
            there = pair.there | pair.back
            back = {key: pair.there[key] for key in pair.back}
            found[second, first] = PairNumbers(pair.second, pair.first, there, back, pair.cohen_kappa)
    return found


def _table(
    material: Material,
    measure: Measure,
    found: Mapping[str, Mapping[Pair, PairNumbers]],
    names: Sequence[str],
    humans: Sequence[str],
) -> MeasureTable:
    scores: dict[Pair, dict[str, Score]] = {}
    for a, b in itertools.combinations(names, 2):
        both = {case: pairs[a, b] for case, pairs in found.items() if (a, b) in pairs}
        scores[a, b] = {case: pair.there[measure.key] for case, pair in both.items()}
        if measure.directed:
            scores[b, a] = {case: pair.back[measure.key] for case, pair in both.items()}
    total = len(material.cases)
    return MeasureTable(
        measure,
        scores,
        {
            p: mean_score(by_case.values(), total - len(by_case), material.seed)
            for p, by_case in scores.items()
        },
        _of_readers(material, measure, scores, humans),
    )


def _of_readers(
    material: Material,
    measure: Measure,
    scores: Mapping[Pair, Mapping[str, Score]],
    humans: Sequence[str],
) -> MeanScore:
    """All pairs of humans on all cases; a case is resampled with all its pairs."""
    chosen = [p for p in scores if p[0] in humans and p[1] in humans]
    if measure.key == SIGNED:
        # Both orders would only cancel out.
        chosen = [p for p in chosen if humans.index(p[0]) < humans.index(p[1])]
    present = [scores[p][case] for case in material.cases for p in chosen if case in scores[p]]
    table = np.array(
        [[_number(scores[p].get(case)) for p in chosen] for case in material.cases], dtype=np.float64
    )
    values = [score.value for score in present]
    if measure.key == SIGNED:
        table, values = np.abs(table), [None if v is None else abs(v) for v in values]
    missing = len(material.cases) * len(chosen) - len(present)
    return _summary(table, values, missing, material.seed)


def _case_statistic(material: Material, found: Mapping[str, Statistic]) -> CaseStatistic:
    """A statistic of each case and its mean; cases with too few readers are missing, not left out."""
    enough = {case: s for case, s in found.items() if s.state != "too_few"}
    scores = [Score(s.value, "ok" if s.value is not None else "both_empty") for s in enough.values()]
    return CaseStatistic(dict(found), mean_score(scores, len(material.cases) - len(enough), material.seed))


def _repeats(material: Material, known: Mapping[str, _Known], names: Sequence[str]) -> dict[str, Repeats]:
    planned = {name: {f.case for f in material.files if f.rater == name and f.repeat > 1} for name in names}
    found: dict[str, Repeats] = {}
    for name in names:
        if not planned[name]:
            continue
        volumes: dict[str, tuple[float, float]] = {}
        dices: dict[str, Score] = {}
        for case, numbers in known.items():
            first, second = (_of_reading(numbers, name, reading) for reading in (1, 2))
            if first is None or second is None:
                continue
            dices[case] = numbers.numbers.repeats[second]
            one, other = (numbers.numbers.volumes_ml[n].value for n in (first, second))
            if one is not None and other is not None:
                volumes[case] = (one, other)
        readings = np.array(list(volumes.values()), dtype=np.float64).reshape(-1, 2)
        found[name] = Repeats(
            volumes_ml=volumes,
            dice=mean_score(dices.values(), len(planned[name]) - len(dices), material.seed),
            variation=coefficient_of_variation_of_repeats(readings),
            rmse_ml=rmse_of_repeats(readings[:, 0], readings[:, 1]),
        )
    return found


def _of_reading(known: _Known, rater: str, reading: int) -> int | None:
    """The index of a rater's first or second reading of a case, if it was measured."""
    return next(
        (
            index
            for index in known.numbers.volumes_ml
            if known.files[index].rater == rater and known.files[index].repeat == reading
        ),
        None,
    )


def _exclusions(material: Material, cases: Mapping[str, MeasuredCase]) -> list[Exclusion]:
    """Masks and cases that no number was made of, in the order of cases and raters."""
    place = {rater.name: i for i, rater in enumerate(material.raters)}
    found = []
    for case in material.cases:
        measured = cases.get(case)
        if measured is None:
            continue
        if measured.failure is not None:
            found.append(Exclusion(case, "", measured.failure))
        if measured.numbers is None:
            continue
        for index in sorted(
            measured.numbers.left_out,
            key=lambda i: (place[measured.files[i].rater], measured.files[i].repeat),
        ):
            problem, file = measured.numbers.left_out[index], measured.files[index]
            reason = UserError(problem.code, **{**problem.params, "path": file.path, "case": case})
            found.append(Exclusion(case, file.rater, reason))
    return found
