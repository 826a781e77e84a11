"""Histogram of what is not background, and windows as shares of it."""

from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.histogram import (
    WINDOW_SHARES,
    Histogram,
    carried_window,
    histogram_of,
    percentile_window,
)
from brainseg_desktop.core.volume import default_window


def head(background: float = 0.0, dtype: type = np.int16, size: int = 40) -> np.ndarray:
    """Noise around 1,000 in a border of background."""
    data = np.full((size,) * 3, background, dtype)
    inner = size - 8
    data[4:-4, 4:-4, 4:-4] = np.random.default_rng(1).normal(1000, 120, (inner,) * 3).astype(dtype)
    return data


@pytest.mark.parametrize("background", [0, -500, 300])
def test_counts_are_those_of_a_full_count(background: int) -> None:
    data = head(background)
    found = histogram_of(data)
    inside = data[data != background]
    assert found.counts.sum() == inside.size
    brute = [
        np.count_nonzero((inside >= a) & (inside < b))
        for a, b in zip(found.edges[:-1], found.edges[1:], strict=True)
    ]
    np.testing.assert_array_equal(found.counts, brute)
    np.testing.assert_allclose(found.quantiles, np.percentile(inside, np.linspace(0, 100, 1001)))


def test_bins_of_whole_values_hold_equally_many_values() -> None:
    found = histogram_of(head())
    width = found.edges[1] - found.edges[0]
    assert width == round(width) >= 1
    np.testing.assert_allclose(found.edges % 1, 0.5)
    assert np.allclose(np.diff(found.edges), width)


def test_far_values_do_not_coarsen_the_bins() -> None:
    data = head(dtype=np.float32)
    data[20, 20, 20] = 20_000.5
    found = histogram_of(data)
    assert found.highest == 20_000.5
    assert found.edges[-1] >= found.highest
    assert len(found.counts) <= 2001
    low, high = percentile_window(found, 0.5, 99.5)
    assert np.count_nonzero((found.edges > low) & (found.edges < high)) > 50


def test_extremes_are_those_of_all_voxels_though_a_sample_is_counted() -> None:
    data = np.zeros((240, 240, 60), np.int16)
    data[40:200, 40:200, 10:50] = 500
    data[60:180, 60:180, 20:40] = np.random.default_rng(2).integers(400, 600, (120, 120, 20))
    data[101, 103, 31], data[110, 104, 31] = 9_000, -70
    found = histogram_of(data)
    assert (found.lowest, found.highest) == (-70, 9_000)
    assert 0 < found.counts.sum() < 200_000
    assert percentile_window(found, 0, 100) == (-70, 9_000)


def test_auto_is_the_first_window_of_a_case() -> None:
    for data in (head(), head(-3.0, np.float32), np.zeros((5, 5, 5)), np.arange(6000.0).reshape(20, 20, 15)):
        assert percentile_window(data, 0.5, 99.5) == default_window(data)


def test_values_that_are_not_finite_are_left_out() -> None:
    data = head(dtype=np.float32)
    clean = histogram_of(data)
    data[20, 20, 20:23] = np.nan, np.inf, -np.inf
    found = histogram_of(data)
    assert np.isfinite(found.quantiles).all()
    assert found.counts.sum() == clean.counts.sum() - 3


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_an_image_of_one_value_has_a_window(value: float) -> None:
    found = histogram_of(np.full((4, 4, 4), value))
    for share in WINDOW_SHARES:
        low, high = percentile_window(found, share.low_percent, share.high_percent)
        assert high > low


def test_one_value_besides_background() -> None:
    data = np.zeros((9, 9, 9), np.uint8)
    data[3:6, 3:6, 3:6] = 255
    found = histogram_of(data)
    assert found.counts.tolist() == [27]
    assert percentile_window(found, 0.5, 99.5) == (255.0, 256.0)
    assert found.percent_of(255.0) == 50.0


@pytest.mark.parametrize("percent", [-80.0, -5.0, 0.0, 0.05, 12.34, 50.0, 99.95, 100.0, 140.0])
def test_values_and_shares_are_inverse(percent: float) -> None:
    found = histogram_of(head(dtype=np.float32))
    assert found.percent_of(found.value_at(percent)) == pytest.approx(percent, abs=1e-6)


def test_a_share_of_tied_values_is_the_middle() -> None:
    # 30 % ones, 70 % twos.
    quantiles = np.where(np.linspace(0, 100, 1001) < 30, 1.0, 2.0)
    found = Histogram(np.array([30, 70]), np.array([0.5, 1.5, 2.5]), quantiles)
    assert found.percent_of(1.0) == pytest.approx(14.95)
    assert found.percent_of(2.0) == pytest.approx(65)
    assert found.value_at(found.percent_of(1.0)) == 1.0
    assert 29.8 < found.percent_of(1.5) < 30.1


def test_a_window_is_carried_to_a_rescaled_copy_of_the_image() -> None:
    data = head(dtype=np.float32)
    source, target = histogram_of(data), histogram_of(np.where(data == 0, 0, data * 3 - 500))
    for window in ((900.0, 1100.0), (400.0, 3000.0), (1000.0, 1000.5)):
        carried = carried_window(window, source, target)
        assert carried == pytest.approx([v * 3 - 500 for v in window], rel=1e-4)
        assert carried_window(carried, target, source) == pytest.approx(window, rel=1e-4)


def test_the_offered_windows_have_names_of_their_own_and_a_width() -> None:
    titles = [s.title for s in WINDOW_SHARES]
    assert len(set(titles)) == len(titles)
    assert all(0 <= s.low_percent < s.high_percent <= 100 for s in WINDOW_SHARES)
