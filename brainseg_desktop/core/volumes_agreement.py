"""Agreement of measured values, such as volumes in mL: intraclass correlation and Bland-Altman."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri, stdtrit

from brainseg_desktop.core.reliability import Interval, Reason, complete_rows, finite_table

# Sums of squares of values scaled to at most 1 are rounding below this (some eps, squared).
ROUNDING = 1e-26


@dataclass(frozen=True, slots=True)
class Icc:
    """Intraclass correlation of single readings.

    Parameters
    ----------
    icc_2_1, icc_3_1 : float or None
        Absolute agreement of readers drawn at random, and consistency of these very readers.
    ci_2_1, ci_3_1 : Interval or None
        None where the value is, or where the formula's degrees of freedom are too few for an interval.
    state : {"ok", "too_few", "no_variation"}
        ``too_few``: fewer than two subjects or readers; ``no_variation``: nothing differs, so that there is
        nothing to tell apart.
    n, readers, excluded : int
        Subjects read by all, readers, and subjects left out because a reading is missing.
    """

    icc_2_1: float | None
    ci_2_1: Interval | None
    icc_3_1: float | None
    ci_3_1: Interval | None
    state: Reason
    n: int
    readers: int
    excluded: int


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias and limits of agreement of two readings, first minus second, in the unit of the readings.

    Parameters
    ----------
    bias, sd, lower, upper : float or None
        Mean and standard deviation (n - 1) of the differences, and the limits of agreement.
    bias_ci, lower_ci, upper_ci : Interval or None
        Confidence intervals by Student's t.
    n, excluded : int
        Pairs used, and pairs left out because a reading is missing.
    state : {"ok", "too_few"}
        ``too_few``: no pair at all, or one, which has a bias and nothing else.
    """

    bias: float | None
    sd: float | None
    lower: float | None
    upper: float | None
    bias_ci: Interval | None
    lower_ci: Interval | None
    upper_ci: Interval | None
    n: int
    excluded: int
    state: Reason


def icc(values: ArrayLike, level: float = 0.95) -> Icc:
    """ICC(2,1) and ICC(3,1) from a two-way analysis of variance.

    Parameters
    ----------
    values : (subjects, readers) array
        NaN where a reading is missing: the subject is left out and counted.
    level : float
        Of the confidence intervals.

    References
    ----------
    Shrout, Fleiss (1979), Psychological Bulletin 86, 420-428; the intervals are theirs, equal to
    ICC(A,1) and ICC(C,1) of McGraw, Wong (1996), Psychological Methods 1, 30-46, table 7.

    Examples
    --------
    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = icc(table)
    >>> round(found.icc_2_1, 2), round(found.icc_3_1, 2)
    (0.29, 0.71)
    """
    table, excluded = complete_rows(values)
    n, k = table.shape
    if n < 2 or k < 2:
        return Icc(None, None, None, None, "too_few", n, k, excluded)
    largest = float(np.abs(table).max())
    if largest == 0:
        return Icc(None, None, None, None, "no_variation", n, k, excluded)
    scaled = table / largest
    rows, columns, grand = scaled.mean(axis=1), scaled.mean(axis=0), scaled.mean()
    residual = scaled - rows[:, np.newaxis] - columns + grand
    between = _mean_square(k * np.sum((rows - grand) ** 2), n - 1)
    readers = _mean_square(n * np.sum((columns - grand) ** 2), k - 1)
    error = _mean_square(np.sum(residual**2), (n - 1) * (k - 1))
    spread = between + (k - 1) * error + k * (readers - error) / n
    if between + error == 0 or spread <= ROUNDING:
        return Icc(None, None, None, None, "no_variation", n, k, excluded)
    icc_2_1 = (between - error) / spread
    icc_3_1 = (between - error) / (between + (k - 1) * error)
    tail = (1 + level) / 2
    return Icc(
        icc_2_1,
        _ci_2_1(between, readers, error, icc_2_1, n, k, tail),
        icc_3_1,
        _ci_3_1(between, error, n, k, tail),
        "ok",
        n,
        k,
        excluded,
    )


def _mean_square(total: float, freedom: int) -> float:
    return 0.0 if total < ROUNDING else float(total) / freedom


def _ci_2_1(
    between: float, readers: float, error: float, value: float, n: int, k: int, tail: float
) -> Interval | None:
    if readers == 0 and error == 0:
        return Interval(1.0, 1.0)
    # Shrout and Fleiss write these with F = readers / error; multiplied out, error may be 0.
    rest = n * (1 + (k - 1) * value) - k * value
    top = (k - 1) * (n - 1) * (k * value * readers + rest * error) ** 2
    bottom = (n - 1) * (k * value * readers) ** 2 + (rest * error) ** 2
    freedom = top / bottom if bottom > 0 else 0.0
    if freedom < 1e-6:
        return None
    noise = k * readers + (k * n - k - n) * error
    above = float(fdtri(n - 1, freedom, tail))
    below = float(fdtri(freedom, n - 1, tail))
    # With next to no degrees of freedom the approximation gives an interval beside its own value.
    if not (1 <= above < np.inf and 1 <= below < np.inf):
        return None
    lower_bottom, upper_bottom = above * noise + n * between, noise + n * below * between
    if lower_bottom <= 0 or upper_bottom <= 0:
        return None
    return Interval(
        n * (between - above * error) / lower_bottom, n * (below * between - error) / upper_bottom
    )


def _ci_3_1(between: float, error: float, n: int, k: int, tail: float) -> Interval:
    if error == 0:
        return Interval(1.0, 1.0)
    ratio, freedom = between / error, (n - 1) * (k - 1)
    low = ratio / float(fdtri(n - 1, freedom, tail))
    high = ratio * float(fdtri(freedom, n - 1, tail))
    return Interval((low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def bland_altman(a: ArrayLike, b: ArrayLike, factor: float = 1.96, level: float = 0.95) -> BlandAltman:
    """Bias and limits of agreement of the differences a - b.

    Parameters
    ----------
    a, b : (subjects,) arrays
        NaN where a reading is missing: the pair is left out and counted.
    factor : float
        Limits are bias ± `factor` standard deviations; the paper of 1986 rounds 1.96 to 2.
    level : float
        Of the confidence intervals: t with n - 1 degrees of freedom, standard errors sd / sqrt(n) of the bias
        and sqrt(3 / n) sd of the limits.

    References
    ----------
    Bland, Altman (1986), Lancet 327, 307-310.

    Examples
    --------
    >>> bland_altman([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]).bias
    1.0
    """
    one, other = finite_table(a, (1,)), finite_table(b, (1,))
    if one.shape != other.shape:
        raise ValueError(f"{one.size} readings against {other.size}")
    pairs, excluded = complete_rows(np.stack([one, other], axis=1))
    n = len(pairs)
    if n == 0:
        return BlandAltman(None, None, None, None, None, None, None, 0, excluded, "too_few")
    difference = pairs[:, 0] - pairs[:, 1]
    bias = float(difference.mean())
    if n == 1:
        return BlandAltman(bias, None, None, None, None, None, None, 1, excluded, "too_few")
    sd = float(difference.std(ddof=1))
    lower, upper = bias - factor * sd, bias + factor * sd
    t = float(stdtrit(n - 1, (1 + level) / 2))
    of_bias, of_limit = t * sd / np.sqrt(n), t * sd * np.sqrt(3 / n)
    return BlandAltman(
        bias,
        sd,
        lower,
        upper,
        _around(bias, of_bias),
        _around(lower, of_limit),
        _around(upper, of_limit),
        n,
        excluded,
        "ok",
    )


def _around(centre: float, half_width: float) -> Interval:
    return Interval(float(centre - half_width), float(centre + half_width))
