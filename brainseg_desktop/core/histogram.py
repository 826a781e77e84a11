"""The grey values of a volume: how often each occurs, and grey windows as shares of them.

MR values have no absolute unit, so a window that suits one sequence or exam is carried to another by its
shares of the histogram, never by its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import background_value

Window = tuple[float, float]

_SAMPLE = 500_000  # voxels, as for the first window of a case
_PERCENTS = np.linspace(0.0, 100.0, 1001)
# Bins between the 0.5th and the 99.5th percentile, and at most in all: vessels after contrast reach far out.
_BODY_BINS, _MAX_BINS = 200, 2000


@dataclass(frozen=True, slots=True)
class WindowShare:
    """A window by its shares of the histogram.

    Parameters
    ----------
    title : str
    low_percent, high_percent : float
        Percentiles of the voxels that are not background.
    purpose : str
        What it is good for, in a few words.
    """

    title: str
    low_percent: float
    high_percent: float
    purpose: str


AUTO = WindowShare("Auto", 0.5, 99.5, "the whole head, without the few extreme values")
# Chosen by looking at T1, T1CE, T2 and FLAIR of gliomas: 2-98 % keeps the rim of a tumour apart from the
# brain, 25-99.9 % keeps what is brightest below white, 0-75 % opens necrosis, cysts and ventricles.
WINDOW_SHARES = (
    AUTO,
    WindowShare("Full range", 0.0, 100.0, "every value, nothing black or white by the window"),
    WindowShare("Higher contrast", 2.0, 98.0, "brain and tumour together"),
    WindowShare("Brain tissue", 5.0, 95.0, "grey against white matter; bright lesions turn white"),
    WindowShare("Bright lesions", 25.0, 99.9, "inside of enhancing or bright tissue"),
    WindowShare("Dark structures", 0.0, 75.0, "necrosis, cysts, fluid in T1 and FLAIR"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts and percentiles of the voxels of a volume that are not background.

    Parameters
    ----------
    counts : (N,) int64 array
        Voxels of the sample in each bin; not those of the whole volume.
    edges : (N + 1,) float64 array
        Limits of the bins, evenly spaced; between whole numbers where all values are whole.
    quantiles : (1001,) float64 array
        Values at 0, 0.1, ... 100 %; the largest is that of the whole volume.
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    @property
    def lowest(self) -> float:
        """The smallest value."""
        return float(self.quantiles[0])

    @property
    def highest(self) -> float:
        """The largest value."""
        return float(self.quantiles[-1])

    @property
    def body(self) -> float:
        """Distance of the 0.5th and the 99.5th percentile: the scale of the values, never 0."""
        low, high = percentile_window(self, AUTO.low_percent, AUTO.high_percent)
        return high - low

    def value_at(self, percent: float) -> float:
        """The value below which `percent` of the voxels lie.

        Below 0 and above 100 % it goes on with `body` for each 100 %, so that windows wider than the image
        can be carried over too.
        """
        if percent < 0:
            return self.lowest + percent / 100 * self.body
        if percent > 100:
            return self.highest + (percent - 100) / 100 * self.body
        return float(np.interp(percent, _PERCENTS, self.quantiles))

    def percent_of(self, value: float) -> float:
        """The share of voxels below `value` in percent; the inverse of `value_at`.

        Where many voxels have this very value, the middle of their shares.
        """
        if value < self.lowest:
            return (value - self.lowest) / self.body * 100
        if value > self.highest:
            return 100 + (value - self.highest) / self.body * 100
        first = int(np.searchsorted(self.quantiles, value, "left"))
        last = int(np.searchsorted(self.quantiles, value, "right")) - 1
        if last >= first:
            return float((_PERCENTS[first] + _PERCENTS[last]) / 2)
        before, after = float(self.quantiles[last]), float(self.quantiles[first])
        share = (value - before) / (after - before)
        return float(_PERCENTS[last] + share * (_PERCENTS[first] - _PERCENTS[last]))


def histogram_of(data: NDArray[Any]) -> Histogram:
    """The histogram of a volume, from a sample of at most about 500,000 voxels.

    The sample is that of `volume.default_window`, so that both give the same percentiles. Only the extremes
    are those of all voxels: the full range must not cut off a small calcification or vessel.

    Parameters
    ----------
    data : (X, Y, Z) array
        Any real dtype; values that are not finite are left out. No copy of it is made.
    """
    step = max(1, round((data.size / _SAMPLE) ** (1 / 3)))
    sample = np.asarray(data[::step, ::step, ::step], dtype=np.float32)
    background = background_value(data)
    sample = sample[np.isfinite(sample) & (sample != background)]
    if sample.size == 0:
        return Histogram(np.zeros(1, np.int64), np.array([0.0, 1.0]), np.zeros(_PERCENTS.size))
    sample.sort()
    quantiles = np.percentile(sample, _PERCENTS).astype(np.float64)
    for at, extreme in ((0, float(data.min())), (-1, float(data.max()))):
        if np.isfinite(extreme) and extreme != background:
            quantiles[at] = extreme
    edges = _edges(quantiles, whole=bool((sample == np.rint(sample)).all()))
    counts, _ = np.histogram(sample, len(edges) - 1, (float(edges[0]), float(edges[-1])))
    return Histogram(counts.astype(np.int64), edges, quantiles)


def _edges(quantiles: NDArray[np.float64], *, whole: bool) -> NDArray[np.float64]:
    """Limits of bins that hold every value, fine where most values lie."""
    low, high = float(quantiles[0]), float(quantiles[-1])
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    body = float(np.interp(99.5, _PERCENTS, quantiles) - np.interp(0.5, _PERCENTS, quantiles))
    width = max(body / _BODY_BINS, (high - low) / _MAX_BINS)
    if whole:
        # Bins with two whole numbers beside bins with three would draw a comb that is not in the image.
        width = float(np.ceil(width))
        count = int((high - low + 0.5) // width) + 1
        return low - 0.5 + width * np.arange(count + 1, dtype=np.float64)
    count = max(1, int(np.ceil((high - low) / width)))
    return low + (high - low) * (np.arange(count + 1, dtype=np.float64) / count)


def percentile_window(source: Histogram | NDArray[Any], low_percent: float, high_percent: float) -> Window:
    """Lower and upper grey limit at two percentiles of the voxels that are not background.

    Parameters
    ----------
    source : Histogram, or (X, Y, Z) array
    low_percent, high_percent : float

    Returns
    -------
    low, high : float
        1 apart where both percentiles have one value.
    """
    histogram = source if isinstance(source, Histogram) else histogram_of(source)
    low, high = (float(np.interp(p, _PERCENTS, histogram.quantiles)) for p in (low_percent, high_percent))
    return (low, high) if high > low else (low, low + 1.0)


def carried_window(window: Window, source: Histogram, target: Histogram) -> Window:
    """The window that has the same shares of `target` as `window` has of `source`."""
    low, high = (target.value_at(source.percent_of(value)) for value in window)
    return (low, high) if high > low else (low, low + 1.0)
