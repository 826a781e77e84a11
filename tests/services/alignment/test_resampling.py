"""Resampling against closed forms and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.services.alignment.resampling import covered, resample

SOURCE = Source(Path("a.nii"), "1")


def volume_of(data: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    grid = Grid(data.shape, np.eye(4) if affine is None else affine)
    return Volume(data, grid, SOURCE, Sequence.T2)


def shifted(*mm: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 3] = mm
    return affine


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_on_its_own_grid_a_volume_stays_as_it_is(order: int, random: np.random.Generator) -> None:
    volume = volume_of(random.integers(0, 900, (5, 6, 7)).astype(np.int16), shifted(3, -2, 9))
    found = resample(volume, volume.grid, order=order)
    assert np.array_equal(found.data, volume.data)
    assert (found.source, found.sequence) == (SOURCE, Sequence.T2)


@pytest.mark.parametrize("order", [0, 1])
def test_a_shift_of_whole_voxels_moves_the_voxels(order: int, random: np.random.Generator) -> None:
    data = random.integers(1, 900, (5, 6, 7)).astype(np.int16)
    data[0] = data[-1] = data[:, 0] = data[:, -1] = data[:, :, 0] = data[:, :, -1] = 0
    found = resample(volume_of(data), Grid((5, 6, 7), shifted(2, -1, 0)), order=order)
    expected = np.zeros_like(data)
    expected[:3, 1:] = data[2:, :-1]
    assert np.array_equal(found.data, expected)


def test_outside_is_background_and_not_zero() -> None:
    data = np.full((4, 4, 4), -3.0, np.float32)
    data[1:3, 1:3, 1:3] = 5
    found = resample(volume_of(data), Grid((4, 4, 4), shifted(50, 0, 0)))
    assert (found.data == -3).all()


def test_a_linear_ramp_is_exact_on_oblique_grids() -> None:
    own = Grid((30, 30, 30), shifted(-15, -15, -15))
    slope = np.array([1.5, -2.0, 0.7])
    places = own.world_of(np.argwhere(np.ones(own.shape)))
    volume = Volume((places @ slope + 4).reshape(own.shape), own, SOURCE)
    for size in ((1.0, 1.0, 1.0), (0.7, 0.9, 3.2)):
        turned = RigidTransform.about((1, 2, 3), 25).moved(Grid((7, 6, 3), np.diag([*size, 1.0])))
        found = resample(volume, turned)
        expected = turned.world_of(np.argwhere(np.ones(turned.shape))) @ slope + 4
        assert found.data.ravel() == pytest.approx(expected, abs=1e-3)


def test_a_thick_voxel_takes_the_mean_of_the_thin_ones(random: np.random.Generator) -> None:
    data = random.normal(size=(4, 4, 10)).astype(np.float32)
    thick = Grid((4, 4, 2), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 5, 2], [0, 0, 0, 1.0]]))
    found = resample(volume_of(data), thick)
    assert found.data == pytest.approx(data.reshape(4, 4, 2, 5).mean(axis=-1), abs=1e-6)


def test_nan_counts_as_background() -> None:
    data = np.zeros((6, 6, 6), np.float32)
    data[2:4, 2:4, 2:4] = 7
    data[3, 3, 3] = np.nan
    found = resample(volume_of(data), Grid((6, 6, 6), shifted(0.5, 0, 0)))
    assert np.isfinite(found.data).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    target=st.tuples(*[st.integers(1, 9)] * 3),
    degrees=st.floats(0, 180),
)
def test_random_grids_agree_with_scipy(seed: int, shape: tuple, target: tuple, degrees: float) -> None:
    random = np.random.default_rng(seed)
    motion = RigidTransform.about(random.normal(size=3) + 1e-3, degrees, shift_mm=random.normal(size=3))
    own = Grid(shape, np.diag([*random.uniform(0.8, 4, 3), 1.0]))
    grid = motion.moved(Grid(target, np.diag([*random.uniform(0.5, 1.1, 3), 1.0])))
    volume = Volume(random.normal(size=shape).astype(np.float32), own, SOURCE)
    found = resample(volume, grid)
    voxels = own.voxel_of(grid.world_of(np.argwhere(np.ones(target)))).T
    inside = ((voxels > -0.49) & (voxels < np.array(shape)[:, None] - 0.51)).all(axis=0)
    expected = map_coordinates(volume.data, voxels, order=1, mode="nearest")
    assert found.data.ravel()[inside] == pytest.approx(expected[inside], abs=1e-4)
    assert found.data.shape == target


def test_a_volume_without_spacing_has_no_place() -> None:
    volume = volume_of(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="spacing"):
        resample(volume, Grid((2, 2, 2), np.eye(4), spacing_known=False))
    with pytest.raises(ValueError, match="order"):
        resample(volume, volume.grid, order=2)


def test_what_is_covered() -> None:
    grid = Grid((10, 10, 10), np.eye(4))
    assert covered(grid, grid) == 1
    assert covered(Grid((10, 10, 10), shifted(100, 0, 0)), grid) == 0
    assert covered(Grid((10, 5, 10), np.eye(4)), grid) == pytest.approx(0.5)
