"""A tiny network on disk, and plain exams whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.preprocess import CHANNELS
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.segmenter import Model, ModelCard

WIDTHS = (4, 8, 12)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one random network, ``tiny``, whose norms differ between the kinds."""
    torch = pytest.importorskip("torch")
    from brainseg_desktop.training.architectures.unet import UNet
    from brainseg_desktop.training.export import write_weights
    from brainseg_desktop.training.publish import write_card

    torch.manual_seed(3)
    network = UNet(WIDTHS)
    for name, tensor in network.state_dict().items():
        if "norm" in name:
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    sha256 = write_weights(state, len(WIDTHS) - 1, folder / "tiny.onnx")
    card = ModelCard(
        name="tiny",
        version="0.0.1",
        title='Random "numbers"',
        weights="tiny.onnx",
        sha256=sha256,
        licence="none",
        architecture="U-Net",
        parameters=1,
        inputs=tuple(s.value for s in CHANNELS),
        regions={"whole_head": ("WT",), "skull_stripped": ("WT", "TC", "ET")},
        training_data=(),
        recipe="none",
        steps=0,
        train=("a", "b", "c", "d"),
        validation=(),
        test=(),
    )
    write_card(card, [], folder)
    return folder


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
