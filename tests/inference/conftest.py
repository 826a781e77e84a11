"""A tiny network on disk, and plain exams whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.card import Model
from brainseg_desktop.inference.preprocess import CHANNELS
from brainseg_desktop.inference.registry import read_model
from tests.inference.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with two random networks, ``tiny``."""
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def tiny_model(tiny_folder: Path) -> Model:
    return read_model(tiny_folder)


def ellipsoid(shape: tuple[int, int, int], radii: tuple[float, float, float]) -> np.ndarray:
    """Distance from the centre as a share of the radii; below 1 is inside."""
    axes = [(np.arange(n) - (n - 1) / 2) / r for n, r in zip(shape, radii, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return np.sqrt(x**2 + y**2 + z**2)


def brain(shape: tuple[int, int, int] = (96, 112, 20), seed: int = 0) -> np.ndarray:
    """A stripped brain: textured tissue of about 100, exactly 0 outside."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2) * 60
    inside = ellipsoid(shape, (36, 44, 30)) < 1
    return np.where(inside, 100 + texture, 0).astype(np.float32)


def head(shape: tuple[int, int, int] = (96, 112, 20), seed: int = 0) -> np.ndarray:
    """A whole head: noise, bright scalp, dark skull, brain."""
    random = np.random.default_rng(seed)
    distance = ellipsoid(shape, (40, 48, 60))
    image = np.abs(random.normal(0, 3, shape)) + 1
    image[distance < 1] = 180
    image[distance < 0.9] = 10
    image[distance < 0.82] = 100
    return np.asarray(image + random.normal(0, 2, shape), np.float32)


@pytest.fixture
def stripped_exam() -> dict[Sequence, np.ndarray]:
    return {sequence: brain(seed=i) for i, sequence in enumerate(CHANNELS)}


@pytest.fixture
def head_exam() -> dict[Sequence, np.ndarray]:
    return {Sequence.T1: head(seed=1), Sequence.FLAIR: head(seed=2)}
