"""Numbers as the cells of report tables say them; what has none says why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Interval, Statistic
from brainseg_desktop.services.charts.scores import named
from brainseg_desktop.services.charts.sheet import DASH, fixed
from brainseg_desktop.services.messages import state_words
from brainseg_desktop.services.studies.results import MEASURES, MeanScore

KINDS = {
    RaterKind.HUMAN: "reader",
    RaterKind.MODEL: "network",
    RaterKind.CONSENSUS: "consensus",
    RaterKind.REFERENCE: "reference",
}
TERMS = {
    "icc": "ICC",
    "bland_altman": "Bland-Altman",
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "krippendorff_alpha": "Krippendorff's alpha",
    "lesion_wise": "Lesion-wise scores",
}
MEAN_HEADS = ("n", "Mean", "95 % interval", "SD", "Median", "Range", "Left out", "Missing")
MEAN_NOTE = (
    "n: scores with a number. Left out: scores without one, because masks are empty or the files state no "
    "voxel size. Missing: cases not read by one of the two, or excluded. The interval of the mean is by "
    "bootstrap over cases; it and the SD need two scores."
)


def number(value: float | None, digits: int) -> str:
    """A value, or a stroke where there is none."""
    return DASH if value is None else fixed(value, digits)


def span(low: float | None, high: float | None, digits: int) -> str:
    """Two ends of a range.

    Examples
    --------
    >>> span(0.5, 0.75, 2)
    '0.50 to 0.75'
    """
    return DASH if low is None or high is None else f"{fixed(low, digits)} to {fixed(high, digits)}"


def interval(found: Interval | None, digits: int) -> str:
    """A confidence interval."""
    return DASH if found is None else span(found.lower, found.upper, digits)


def score(found: Score | None, digits: int) -> str:
    """A score, or why it has no value.

    Examples
    --------
    >>> score(Score(0.5), 3), score(Score(None, "one_empty"), 3), score(None, 3)
    ('0.500', 'one empty', 'missing')
    """
    if found is None:
        return "missing"
    return state_words(found.state) if found.value is None else fixed(found.value, digits)


def statistic(found: Statistic, digits: int, factor: float = 1.0) -> str:
    """A statistic, or why it has no value; `factor` 100 for one in per cent."""
    return state_words(found.state) if found.value is None else fixed(found.value * factor, digits)


def rule_terms(rules: Mapping[str, str]) -> dict[str, str]:
    """Rules by the titles of what they are about; the one on states is for files, tables say it in words.

    Examples
    --------
    >>> list(rule_terms({"hd95_mm": "...", "lesion_wise": "...", "state": "..."}))
    ['HD95 (mm)', 'Lesion-wise scores']
    """
    titles = {m.key: named(m) for m in MEASURES} | TERMS
    return {
        titles.get(key, (key[:1].upper() + key[1:]).replace("_ml", " (mL)").replace("_", " ")): text
        for key, text in rules.items()
        if key != "state"
    }


def moment(created_utc: str) -> str:
    """A time for readers, to the minute; what is no time stays as it is.

    Examples
    --------
    >>> moment("2026-03-04T10:00:59+00:00")
    '2026-03-04 10:00 UTC'
    """
    try:
        return f"{datetime.fromisoformat(created_utc):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return created_utc


def mean_cells(found: MeanScore, digits: int) -> tuple[str, ...]:
    """The cells under `MEAN_HEADS`."""
    return (
        str(found.n),
        number(found.mean, digits),
        interval(found.interval, digits),
        number(found.sd, digits),
        number(found.median, digits),
        span(found.lowest, found.highest, digits),
        str(found.left_out),
        str(found.missing),
    )
