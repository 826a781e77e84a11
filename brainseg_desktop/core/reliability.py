"""Agreement of several readers in one number, and what every such number carries with it.

A number that cannot be computed is None with a reason, never NaN, 0 or 1 by a library's habit, and every
number says from how many items it came and how many were left out. Kappa and alpha are in `core.kappa`,
agreement of volumes (ICC, Bland-Altman) in `core.volumes_agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reason = Literal["ok", "too_few", "empty", "no_variation", "zero_mean"]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic, or why it has no value.

    Parameters
    ----------
    value : float or None
    state : {"ok", "too_few", "empty", "no_variation", "zero_mean"}
        ``too_few``: fewer than two readers, subjects or readings; ``empty``: nobody marked anything;
        ``no_variation``: all values are equal, so that agreement by chance is certain and there is nothing
        to tell apart; ``zero_mean``: a ratio to a mean that is 0.
    n : int
        Items (voxels, subjects or values) the number was computed from.
    excluded : int
        Items left out because a reading is missing.
    """

    value: float | None
    state: Reason = "ok"
    n: int = 0
    excluded: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The form every statistic has in JSON.

        Examples
        --------
        >>> Statistic(0.5, n=4).to_dict()
        {'value': 0.5, 'state': 'ok', 'n': 4, 'excluded': 0}
        """
        return {"value": self.value, "state": self.state, "n": self.n, "excluded": self.excluded}


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, both ends in the unit of its statistic."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class BootstrapMean:
    """The mean of the given values and its interval by resampling the subjects.

    Parameters
    ----------
    mean : Statistic
        `n` and `excluded` count subjects.
    interval : Interval or None
        None with fewer than two subjects.
    """

    mean: Statistic
    interval: Interval | None


def finite_table(values: ArrayLike, dimensions: tuple[int, ...]) -> NDArray[np.float64]:
    """An array of floats where NaN (or None) means missing.

    Raises
    ------
    ValueError
        For another number of dimensions, or an infinite value, which no reading can be.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim not in dimensions:
        raise ValueError(f"values of {table.ndim} dimensions, expected {dimensions}")
    if np.isinf(table).any():
        raise ValueError("an infinite value among the readings")
    return table


def complete_rows(values: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """The subjects every reader has read, and the number of the others.

    Parameters
    ----------
    values : (subjects, readers) array
        NaN or None where a reading is missing.
    """
    table = finite_table(values, (2,))
    whole = ~np.isnan(table).any(axis=1)
    return table[whole], int(np.count_nonzero(~whole))


def generalised_conformity_index(masks: Sequence[NDArray[Any]]) -> Statistic:
    """Sum over all pairs of readers of the intersection, over the sum of the union.

    Equals the Jaccard index for two readers. It is insensitive to the number of readers, unlike the
    intersection of all over the union of all.

    Parameters
    ----------
    masks : sequence of boolean arrays of one shape
        One mask a reader; every value but 0 counts as marked.

    Returns
    -------
    Statistic
        `n` counts the voxels any reader marked. ``empty`` if there are none.

    References
    ----------
    Kouwenhoven, Giezen, Struikmans (2009), Physics in Medicine and Biology 54, N153-N159:
    measuring the similarity of target volume delineations independent of the number of observers.

    Examples
    --------
    >>> a, b = np.array([True, True, False]), np.array([True, False, False])
    >>> generalised_conformity_index([a, b])
    Statistic(value=0.5, state='ok', n=2, excluded=0)
    """
    if any(mask.shape != masks[0].shape for mask in masks):
        raise ValueError(f"masks of shapes {[mask.shape for mask in masks]}")
    readers = len(masks)
    if readers < 2:
        return Statistic(None, "too_few")
    votes = np.zeros_like(masks[0], dtype=np.uint16)
    for mask in masks:
        votes += mask.astype(bool, copy=False)
    # One slice at a time: bincount turns its input into 8 bytes a voxel.
    slabs = votes if votes.ndim > 1 else votes[np.newaxis]
    voxels = np.zeros(readers + 1, dtype=np.int64)
    for slab in slabs:
        voxels += np.bincount(slab.ravel(order="K"), minlength=readers + 1)
    marked = np.arange(readers + 1, dtype=np.int64)
    # Of all pairs, those where both marked the voxel, and those where at least one did.
    both = marked * (marked - 1) // 2
    unmarked = readers - marked
    either = readers * (readers - 1) // 2 - unmarked * (unmarked - 1) // 2
    count = int(voxels[1:].sum())
    if count == 0:
        return Statistic(None, "empty")
    return Statistic(int(voxels @ both) / int(voxels @ either), n=count)


def coefficient_of_variation(values: ArrayLike) -> Statistic:
    """Standard deviation (n - 1) over the mean, as a ratio.

    Parameters
    ----------
    values : (n,) array
        Volumes of one thing by several readers or readings, not negative; NaN where missing.

    Raises
    ------
    ValueError
        For a negative value: the ratio says something on a scale with a true zero only.

    Examples
    --------
    >>> coefficient_of_variation([10.0, 12.0, 14.0]).value == 2 / 12
    True
    """
    table = finite_table(values, (1,))
    present = table[~np.isnan(table)]
    excluded = table.size - present.size
    if (present < 0).any():
        raise ValueError("a negative value has no coefficient of variation")
    if present.size < 2:
        return Statistic(None, "too_few", present.size, excluded)
    scale = float(present.max())
    if scale == 0:
        return Statistic(None, "zero_mean", present.size, excluded)
    scaled = present / scale
    return Statistic(float(scaled.std(ddof=1) / scaled.mean()), "ok", present.size, excluded)


def coefficient_of_variation_of_repeats(readings: ArrayLike) -> Statistic:
    """Within-reader coefficient of variation: the root mean square of those of the subjects.

    Parameters
    ----------
    readings : (subjects, readings) array
        Volumes by one reader, NaN where missing.

    Returns
    -------
    Statistic
        `n` counts the subjects used; left out are those with fewer than two readings or only zeros.

    References
    ----------
    Glüer et al. (1995), Osteoporosis International 5, 262-270: accurate assessment of precision errors.
    """
    table = finite_table(readings, (2,))
    each = [coefficient_of_variation(row).value for row in table]
    known = np.array([value for value in each if value is not None], dtype=np.float64)
    excluded = len(each) - known.size
    if known.size == 0:
        return Statistic(None, "too_few", 0, excluded)
    return Statistic(float(np.sqrt(np.mean(known**2))), "ok", known.size, excluded)


def rmse_of_repeats(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Root mean square difference of two readings by one reader, in the unit of the values.

    Divided by sqrt(2) it is the within-reader standard deviation of Dahlberg (1940) and of
    Bland and Altman (1996), BMJ 313, 744.

    Parameters
    ----------
    first, second : (subjects,) arrays
        NaN where missing; such subjects are left out and counted.

    Examples
    --------
    >>> rmse_of_repeats([1.0, 2.0, 3.0], [4.0, 6.0, np.nan])
    Statistic(value=3.5355339059327378, state='ok', n=2, excluded=1)
    """
    one, other = finite_table(first, (1,)), finite_table(second, (1,))
    if one.shape != other.shape:
        raise ValueError(f"{one.size} first and {other.size} second readings")
    pairs, excluded = complete_rows(np.stack([one, other], axis=1))
    if len(pairs) == 0:
        return Statistic(None, "too_few", 0, excluded)
    difference = pairs[:, 0] - pairs[:, 1]
    return Statistic(float(np.sqrt(np.mean(difference**2))), "ok", len(pairs), excluded)


def bootstrap_ci(values: ArrayLike, seed: int, resamplings: int = 2000, level: float = 0.95) -> BootstrapMean:
    """The mean and its percentile bootstrap interval; the same seed gives the same interval.

    Parameters
    ----------
    values : (subjects,) or (subjects, pairs) array
        NaN where a value is missing. A subject is resampled with all its pairs, since the scores of pairs of
        readers on one case are not independent: an interval over single pairs would be too narrow.
    seed : int
    resamplings : int
    level : float
        Between 0 and 1.

    Returns
    -------
    BootstrapMean
        The mean is over all values that are there, each with the same weight. Subjects without any value are
        left out and counted.

    References
    ----------
    Efron, Tibshirani (1993), An Introduction to the Bootstrap, chapter 13: percentile interval.
    """
    if resamplings < 1 or not 0 < level < 1:
        raise ValueError(f"{resamplings} resamplings at level {level}")
    table = finite_table(values, (1, 2))
    table = table.reshape(len(table), -1) if table.size else np.empty((len(table), 1)) * np.nan
    known = ~np.isnan(table)
    used = known.any(axis=1)
    counts = known[used].sum(axis=1, dtype=np.float64)
    sums = np.where(known, table, 0.0)[used].sum(axis=1)
    subjects, excluded = int(used.sum()), int((~used).sum())
    if subjects == 0:
        return BootstrapMean(Statistic(None, "too_few", 0, excluded), None)
    mean = Statistic(float(sums.sum() / counts.sum()), "ok", subjects, excluded)
    if subjects < 2:
        return BootstrapMean(mean, None)
    times = _times_drawn(subjects, seed, resamplings)
    # Where no subject lacks a value every resampling has the same number of them.
    values = times @ counts if np.ptp(counts) > 0 else counts.sum()
    means = times @ sums / values
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return BootstrapMean(mean, Interval(float(lower), float(upper)))


@lru_cache(maxsize=4)
def _times_drawn(subjects: int, seed: int, resamplings: int) -> NDArray[np.float64]:
    """How often each resampling draws each subject, (resamplings, subjects): the same for every measure."""
    drawn = np.random.default_rng(seed).integers(0, subjects, (resamplings, subjects))
    drawn += np.arange(resamplings)[:, np.newaxis] * subjects
    times = np.bincount(drawn.ravel(), minlength=resamplings * subjects)
    return times.reshape(resamplings, subjects).astype(np.float64)
