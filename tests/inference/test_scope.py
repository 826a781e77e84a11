"""What lies outside of what the networks know: told with a reason, and nothing said of usual exams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.scope import is_hopeless, outside_scope
from tests.exams import read_sample

FLAIR, T1 = Sequence.FLAIR, Sequence.T1


@pytest.fixture(scope="module")
def sample(sample_dir: Path):
    return {s: v.data for s, v in read_sample(sample_dir).items()}


@pytest.fixture(scope="module")
def grid(sample_dir: Path) -> Grid:
    return read_sample(sample_dir)[FLAIR].grid


def codes(volumes, grid: Grid, modalities=None) -> list[str]:
    return [remark.code for remark in outside_scope(volumes, grid, modalities)]


def scaled(grid: Grid, *factors: float) -> Grid:
    return Grid(grid.shape, grid.voxel_to_world @ np.diag([*factors, 1.0]))


def test_nothing_is_said_of_a_usual_exam(sample, grid: Grid) -> None:
    assert codes(sample, grid) == []
    assert codes(sample, grid, dict.fromkeys(sample, "MR")) == []
    # Nor of one whose values were scaled or shifted to a z-score.
    z = {s: (d - d.mean(dtype=float)) / d.std(dtype=float) for s, d in sample.items()}
    assert codes(z, grid) == []


@pytest.mark.data
def test_nothing_is_said_of_the_marker_case(data_dir: Path) -> None:
    volumes = read_sample(data_dir / "brats" / "BraTS2021_00006", "BraTS2021_00006_{}.nii.gz")
    assert codes({s: v.data for s, v in volumes.items()}, volumes[FLAIR].grid) == []


def test_ct_is_refused_by_its_header_and_by_its_numbers(sample, grid: Grid) -> None:
    two = {FLAIR: sample[FLAIR], T1: sample[T1]}
    remarks = outside_scope(two, grid, {FLAIR: "CT", T1: "MR"})
    assert [(r.code, r.params["modality"]) for r in remarks] == [("outside_not_mr", "CT")]
    assert is_hopeless(remarks, two)
    brain = sample[FLAIR] > 0
    hounsfield = np.where(brain, 30 + sample[FLAIR] % 20, -1000).astype(np.int16)
    assert codes({FLAIR: hounsfield, T1: sample[T1]}, grid) == ["outside_not_mr"]


def test_inverted_greys_are_told_and_hopeless_if_nothing_else_is_there(sample, grid: Grid) -> None:
    inverted = {s: d.max() - d for s, d in sample.items()}
    remarks = outside_scope(inverted, grid)
    assert {r.code for r in remarks} == {"outside_inverted"}
    assert is_hopeless(remarks, inverted)
    one = {**sample, T1: inverted[T1]}
    remarks = outside_scope(one, grid)
    assert [(r.code, r.params["sequence"]) for r in remarks] == [("outside_inverted", "T1")]
    assert not is_hopeless(remarks, one)


def test_a_mask_given_as_an_image_is_told(sample, grid: Grid) -> None:
    mask = (sample[FLAIR] > 0).astype(np.uint8) * 2
    assert codes({FLAIR: mask, T1: sample[T1]}, grid) == ["outside_greys"]


def test_noise_is_no_head(sample, grid: Grid) -> None:
    noise = np.random.default_rng(0).normal(100, 20, grid.shape).astype(np.float32)
    assert "outside_no_head" in codes({FLAIR: noise, T1: sample[T1]}, grid)


def test_nothing_but_nan_says_nothing(sample, grid: Grid) -> None:
    assert codes({FLAIR: np.full(grid.shape, np.nan), T1: sample[T1]}, grid) == []


@pytest.mark.parametrize(
    ("factors", "code"),
    [
        ((1, 1, 12), "outside_voxels"),
        ((0.1, 0.1, 1), "outside_voxels"),
        ((4, 1, 1), "outside_voxels"),
        ((1, 1, 0.2), "outside_few_slices"),
        ((0.4, 0.4, 1), "outside_small"),
        ((1.9, 1.9, 1), "outside_large"),
    ],
)
def test_sizes_that_are_no_heads(sample, grid: Grid, factors: tuple, code: str) -> None:
    assert codes(sample, scaled(grid, *factors)) == [code]


def test_one_sequence_is_little(sample, grid: Grid) -> None:
    assert codes({FLAIR: sample[FLAIR]}, grid) == ["outside_few_sequences"]


def test_without_voxel_sizes_nothing_is_said_of_sizes(sample, grid: Grid) -> None:
    loose = Grid(grid.shape, np.diag([0.1, 0.1, 50, 1.0]), spacing_known=False)
    assert codes(sample, loose) == []
