"""What a study came to, as plain data: every score of every pair, and the statistics made of them.

`measuring` makes a `StudyReport` out of `RatingFile`s; tables, charts, pages and the window read it.
Raters, cases and regions have the report's order everywhere, and a pair is two names in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.core.volumes_agreement import BlandAltman, Icc

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of a pair of masks.

    Parameters
    ----------
    key, title, unit : str
        ``"hd95_mm"``, ``"HD95"``, ``"mm"``; the unit is empty for a ratio.
    directed : bool
        Whether it matters which of the two is the reference; then both orders of a pair have a score.
    best : float
        The value of perfect agreement: 1 or 0.
    """

    key: str
    title: str
    unit: str = ""
    directed: bool = False
    best: float = 1.0


MEASURES = (
    Measure("dice", "Dice"),
    Measure("iou", "IoU"),
    Measure("surface_dice", "Surface Dice"),
    Measure("hd95_mm", "HD95", "mm", best=0.0),
    Measure("assd_mm", "ASSD", "mm", best=0.0),
    Measure("precision", "Precision", directed=True),
    Measure("sensitivity", "Sensitivity", directed=True),
    Measure("specificity", "Specificity", directed=True),
    Measure("accuracy", "Accuracy"),
    Measure("volume_difference_ml", "Volume difference", "mL", directed=True, best=0.0),
    Measure("lesion_dice", "Lesion-wise Dice", directed=True),
    Measure("lesion_hd95_mm", "Lesion-wise HD95", "mm", directed=True, best=0.0),
)


@dataclass(frozen=True, slots=True)
class Rater:
    """Who made masks: a reader, a network, a reference or a consensus."""

    name: str
    kind: RaterKind


@dataclass(frozen=True, slots=True)
class RatingFile:
    """One mask of a study.

    Parameters
    ----------
    case, rater : str
    kind : RaterKind
    path : Path
    sha256 : str
        Of the file, as it is now.
    repeat : int
        1, or 2 for the hidden second reading of the same case by the same reader.
    active_s : float or None
        Time of work, where it is known.
    blinded : bool or None
        Whether it was locked before the study was unblinded; None where nobody says.
    """

    case: str
    rater: str
    kind: RaterKind
    path: Path
    sha256: str
    repeat: int = 1
    active_s: float | None = None
    blinded: bool | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A mask (or a whole case, where `rater` is empty) that no number was made of, and why.

    Parameters
    ----------
    reason : UserError
        Its words are what a reader of the report gets.
    """

    case: str
    rater: str
    reason: UserError


@dataclass(frozen=True, slots=True)
class Material:
    """What a study's statistics are made of.

    Parameters
    ----------
    name : str
    scheme : str
        Name of the label scheme, by which every mask is read.
    cases : tuple of str
    raters : tuple of Rater
        Readers first, then networks, references and consensuses.
    files : tuple of RatingFile
    exclusions : tuple of Exclusion
        What had to be left out before anything was measured.
    design : mapping of str to str
        How the study was made, in words, for reports: readers, order, blinding, repeats, start, ...
    seed : int
        Of the bootstrap.
    tolerance_mm : float
        Of the surface Dice.
    """

    name: str
    scheme: str
    cases: tuple[str, ...]
    raters: tuple[Rater, ...]
    files: tuple[RatingFile, ...]
    exclusions: tuple[Exclusion, ...] = ()
    design: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    tolerance_mm: float = 1.0


@dataclass(frozen=True, slots=True)
class MeanScore:
    """Scores of several cases (or pairs) in short.

    Parameters
    ----------
    n : int
        Scores that have a number.
    left_out : int
        Scores without one, because masks are empty or the files state no voxel size.
    missing : int
        Cases that one of the two has not read, or that were excluded.
    mean, sd, median, lowest, highest : float or None
        SD with n - 1, so None for a single score.
    interval : Interval or None
        95 % bootstrap interval of the mean, resampling cases; None with fewer than two.
    """

    n: int
    left_out: int
    missing: int
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    lowest: float | None = None
    highest: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class MeasureTable:
    """One measure of one region over all pairs and cases.

    Parameters
    ----------
    measure : Measure
    scores : mapping of Pair to {case: Score}
        For a directed measure both orders, the first being the reference.
    pairs : mapping of Pair to MeanScore
        Over cases: the cells of the matrix.
    readers : MeanScore
        Over all pairs of human readers on all cases; a case is resampled with all its pairs.
    """

    measure: Measure
    scores: Mapping[Pair, Mapping[str, Score]]
    pairs: Mapping[Pair, MeanScore]
    readers: MeanScore


@dataclass(frozen=True, slots=True)
class CaseStatistic:
    """A statistic of all human readers that each case has, such as kappa, and its mean.

    Parameters
    ----------
    cases : mapping of case to Statistic
    mean : MeanScore
    """

    cases: Mapping[str, Statistic]
    mean: MeanScore


@dataclass(frozen=True, slots=True)
class Repeats:
    """One reader's two readings of the same cases.

    Parameters
    ----------
    volumes_ml : mapping of case to (first, second)
    dice : MeanScore
        Of the second reading with the first.
    variation : Statistic
        Coefficient of variation of the volumes, a ratio.
    rmse_ml : Statistic
    """

    volumes_ml: Mapping[str, tuple[float, float]]
    dice: MeanScore
    variation: Statistic
    rmse_ml: Statistic


@dataclass(frozen=True, slots=True)
class RegionResults:
    """All results of one region.

    Parameters
    ----------
    region : str
    measures : mapping of measure key to MeasureTable
    volumes_ml : mapping of rater to {case: Score}
        First readings.
    icc : Icc
        Of the volumes of the human readers.
    bland_altman : mapping of Pair to BlandAltman
        Of the volumes in mL, all raters; first minus second.
    cohen_kappa : mapping of Pair to CaseStatistic
    fleiss_kappa, krippendorff_alpha, conformity : CaseStatistic
        Of the human readers, voxel by voxel, over the whole grid of each case.
    against_consensus : mapping of rater to {case: Score}
        Dice with the STAPLE consensus of the human readers; for a human, of the other ones (leave one out).
    consensus : mapping of rater to MeanScore
        The same over cases.
    repeats : mapping of reader to Repeats
        Only readers with repeated readings.
    """

    region: str
    measures: Mapping[str, MeasureTable]
    volumes_ml: Mapping[str, Mapping[str, Score]]
    icc: Icc
    bland_altman: Mapping[Pair, BlandAltman]
    cohen_kappa: Mapping[Pair, CaseStatistic]
    fleiss_kappa: CaseStatistic
    krippendorff_alpha: CaseStatistic
    conformity: CaseStatistic
    against_consensus: Mapping[str, Mapping[str, Score]]
    consensus: Mapping[str, MeanScore]
    repeats: Mapping[str, Repeats]


@dataclass(frozen=True, slots=True)
class StudyReport:
    """Everything that a study came to.

    Parameters
    ----------
    name, scheme : str
    cases : tuple of str
    raters : tuple of Rater
    regions : mapping of region name to RegionResults
    active_s : mapping of rater to {case: seconds}
        Time of work of first readings, where it is known.
    exclusions : tuple of Exclusion
    design : mapping of str to str
    rules : mapping of str to str
        What each number is and what was left out of it, in words, to print beside the numbers.
    tolerance_mm : float
    software : str
        Program and version.
    created_utc : str
    """

    name: str
    scheme: str
    cases: tuple[str, ...]
    raters: tuple[Rater, ...]
    regions: Mapping[str, RegionResults]
    active_s: Mapping[str, Mapping[str, float]]
    exclusions: tuple[Exclusion, ...]
    design: Mapping[str, str]
    rules: Mapping[str, str]
    tolerance_mm: float
    software: str
    created_utc: str

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the human raters."""
        return tuple(r.name for r in self.raters if r.kind is RaterKind.HUMAN)

    def worst(self, region: str, measure: str, pair: Pair) -> str | None:
        """The case on which a pair agrees least by a measure; None where no case has a number."""
        table = self.regions[region].measures[measure]
        found = {c: s.value for c, s in table.scores.get(pair, {}).items() if s.value is not None}
        if not found:
            return None
        return max(found, key=lambda case: abs(found[case] - table.measure.best))
