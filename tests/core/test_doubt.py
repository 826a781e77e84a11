"""Where a network was unsure over more than a thin edge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from brainseg_desktop.core.doubt import FULL_BIT, _eroded, doubtful_regions
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import Tissue

SHAPE = (70, 66, 60)


def grid(spacing: tuple[float, float, float] = (1, 1, 1), *, known: bool = True, shape=SHAPE) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]), known)


def away_from(
    centre: tuple[float, float, float], spacing: tuple[float, float, float] = (1, 1, 1), shape=SHAPE
) -> np.ndarray:
    """Distance from a voxel, in mm."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    return np.sqrt(sum(((a - c) * s) ** 2 for a, c, s in zip(axes, centre, spacing, strict=True)))


def test_a_sure_network_has_no_regions() -> None:
    assert doubtful_regions(np.zeros(SHAPE, np.uint8), grid()) == ()
    assert doubtful_regions(np.full(SHAPE, 127, np.uint8), grid()) == ()


def test_a_thin_shell_round_the_tumour_is_no_region() -> None:
    shell = (abs(away_from((35, 33, 30)) - 18) <= 1.5).astype(np.uint8) * FULL_BIT
    assert shell.sum() / FULL_BIT > 10_000
    assert doubtful_regions(shell, grid()) == ()


def test_a_ball_on_the_shell_is_found_with_its_numbers() -> None:
    uncertainty = (abs(away_from((35, 33, 30)) - 18) <= 1.5).astype(np.uint8) * 200
    ball = away_from((53, 33, 30)) <= 6
    uncertainty[ball] = 230
    (region,) = doubtful_regions(uncertainty, grid())
    assert region.centre == (53, 33, 30)
    # The shell is cut off to within the opening's radius.
    assert ball.sum() * 0.98 <= region.voxels <= ball.sum() * 1.15
    assert region.volume_ml == pytest.approx(region.voxels / 1000)
    assert 200 / 255 < region.mean_bits <= 230 / 255
    assert region.tissue is None
    assert all(a <= i < b for a, i, b in zip(region.box.start, region.centre, region.box.stop, strict=True))


def test_ranked_by_volume_of_doubt_not_by_volume() -> None:
    uncertainty = np.zeros(SHAPE, np.uint8)
    uncertainty[away_from((15, 15, 30)) <= 7] = 140
    uncertainty[away_from((50, 45, 30)) <= 6] = 250
    first, second = doubtful_regions(uncertainty, grid())
    assert first.centre == (50, 45, 30)
    assert second.voxels > first.voxels
    assert first.doubt > second.doubt
    assert first.mean_bits == pytest.approx(250 / 255)
    exact = int((away_from((50, 45, 30)) <= 6).sum())
    assert first.voxels == pytest.approx(exact, rel=0.05)


def test_a_small_separate_spot_stays_however_thin() -> None:
    uncertainty = np.zeros(SHAPE, np.uint8)
    uncertainty[10:20, 10:18, 20] = 255
    (spot,) = doubtful_regions(uncertainty, grid())
    assert (spot.voxels, spot.box.shape, spot.centre[2]) == (80, (10, 8, 1), 20)
    uncertainty[10:15, 10:18, 20] = 0
    assert doubtful_regions(uncertainty, grid()) == ()
    assert len(doubtful_regions(uncertainty, grid(), smallest_ml=0.04)) == 1


def test_a_long_one_is_cut_and_no_voxel_is_lost() -> None:
    shape = (20, 110, 20)
    uncertainty = np.zeros(shape, np.uint8)
    uncertainty[5:15, 5:105, 5:15] = 200
    # Three places where the network was surest that it did not know.
    for y in (15, 55, 95):
        uncertainty[7:13, y - 3 : y + 3, 7:13] = 255
    regions = doubtful_regions(uncertainty, grid(shape=shape))
    opened = ndimage.binary_opening(uncertainty > 0, away_from((2, 2, 2), shape=(5, 5, 5)) <= 2)
    assert sum(r.voxels for r in regions) == opened.sum()
    assert len(regions) > 3
    assert all(region.box.shape[1] < 45 for region in regions)
    for y in (15, 55, 95):
        assert any(abs(region.centre[1] - y) <= 3 for region in regions)
    assert len(doubtful_regions(uncertainty, grid(shape=shape), most=2)) == 2


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.9, 3.0), (0.5, 0.5, 1.1)])
def test_erosion_is_a_ball_in_mm(spacing: tuple[float, float, float]) -> None:
    mask = np.random.default_rng(3).random((24, 22, 20)) < 0.995
    fast = _eroded(mask, spacing, 2.0)
    # What lies more than the radius from the nearest voxel that is not in the mask.
    np.testing.assert_array_equal(fast, ndimage.distance_transform_edt(mask, sampling=spacing) > 2.0)


def test_thickness_is_judged_in_mm() -> None:
    # Three voxels thick: 3 mm is an edge, 9 mm is a place.
    uncertainty = np.zeros(SHAPE, np.uint8)
    uncertainty[10:60, 10:60, 20:23] = 255
    assert doubtful_regions(uncertainty, grid((1, 1, 1))) == ()
    found = doubtful_regions(uncertainty, grid((1, 1, 3)))
    assert sum(r.voxels for r in found) > 0.9 * 50 * 50 * 3
    assert sum(r.volume_ml for r in found) == pytest.approx(sum(r.voxels for r in found) * 0.003)


def test_without_spacing_there_is_no_volume_and_slices_stand_alone() -> None:
    uncertainty = np.zeros((60, 60, 4), np.uint8)
    uncertainty[20:32, 20:32, 2] = 255
    (region,) = doubtful_regions(uncertainty, grid(known=False, shape=(60, 60, 4)))
    assert region.volume_ml is None
    assert region.voxels > 130
    assert region.centre[2] == 2


def test_all_of_the_array_may_be_doubtful() -> None:
    uncertainty = np.full((12, 12, 12), 255, np.uint8)
    (region,) = doubtful_regions(uncertainty, grid(shape=(12, 12, 12)))
    assert region.voxels == 12**3
    assert region.mean_bits == 1


def test_it_tells_what_most_of_a_region_is_drawn_as() -> None:
    uncertainty, labels = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    ball = away_from((30, 30, 30)) <= 6
    uncertainty[ball] = 255
    labels[:29] = Tissue.NECROSIS
    labels[29:] = Tissue.OEDEMA
    (region,) = doubtful_regions(uncertainty, grid(), labels=labels)
    assert region.tissue is Tissue.OEDEMA
    (region,) = doubtful_regions(uncertainty, grid(), labels=np.zeros(SHAPE, np.uint8))
    assert region.tissue is Tissue.BACKGROUND


def test_the_threshold_is_the_least_that_counts() -> None:
    uncertainty = np.zeros(SHAPE, np.uint8)
    uncertainty[away_from((30, 30, 30)) <= 6] = 128
    assert len(doubtful_regions(uncertainty, grid(), threshold_bits=0.5)) == 1
    assert doubtful_regions(uncertainty, grid(), threshold_bits=0.51) == ()


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="grid"):
        doubtful_regions(np.zeros((3, 3, 3), np.uint8), grid())
    with pytest.raises(ValueError, match="grid"):
        doubtful_regions(np.zeros(SHAPE, np.uint8), grid(), labels=np.zeros((3, 3, 3), np.uint8))


def test_a_large_plateau_of_doubt_is_cut_at_once() -> None:
    """A network that is undecided everywhere: thousands of equally dense voxels, a handful of regions."""
    doubt = np.zeros((120, 120, 80), np.uint8)
    doubt[10:110, 10:110, 10:70] = 255
    regions = doubtful_regions(doubt, Grid(doubt.shape, np.eye(4)))
    assert 1 < len(regions) <= 15
    assert all(r.mean_bits == pytest.approx(1.0) for r in regions)
    assert sum(r.voxels for r in regions) <= doubt.astype(bool).sum()
