"""The card of a model, ``models/<name>/model.toml``: what the program and its user must know of it."""

from __future__ import annotations

from math import inf
from pathlib import Path

import msgspec

from brainseg_desktop.inference.preparation import Preparation


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the card."""


class Figure(Strict, frozen=True):
    """Held-out figures of one data set, side and region: what was measured, on whom, and how many of them.

    Parameters
    ----------
    side : str
        ``"validation"`` or ``"test"``.
    data : str
        Data set.
    region : str
        WT, TC or ET.
    n : int
        Patients.
    dice, median, lowest : float
        Of the patients' Dice, on each exam's own grid: mean, median, the worst patient's.
    low, high : float
        95 % bootstrap interval of the mean.
    slice_dice : float
        Mean Dice of the slices, 1 where reference and mask are both empty, 0 where one of them is.
    false_slices : float
        Share of the slices without the region that hold some of it in the mask.
    """

    side: str
    data: str
    region: str
    n: int
    dice: float
    median: float
    lowest: float
    low: float
    high: float
    slice_dice: float
    false_slices: float


class Calibration(Strict, frozen=True):
    """Temperature scaling of one region (Guo et al., ICML 2017), already inside the weights file.

    Parameters
    ----------
    temperature : float
        The logits were divided by it; chosen without the test side.
    ece_before, ece_after : float
        Expected calibration error on that side: mean distance of confidence and accuracy over 15 bins of the
        probability, weighted by their voxels, over voxels whose probability is above 0.01.
    """

    temperature: float
    ece_before: float
    ece_after: float


class Postprocess(Strict, frozen=True):
    """From probabilities to a mask; chosen without the test side.

    Parameters
    ----------
    thresholds : dict of region to float
        0.5 where a region is not named.
    speck_share, speck_voxels : float
        A piece (26-connected) of the mask is dropped if it is smaller than this share of the largest piece
        and than so many voxels of the exam's grid.
    fill_holes : bool
        Fill holes of the outermost region slice by slice.
    """

    thresholds: dict[str, float] = {}
    speck_share: float = 0.0
    speck_voxels: float = inf
    fill_holes: bool = False


class NetworkCard(Strict, frozen=True):
    """One network of a model.

    Parameters
    ----------
    kinds : tuple of str
        The kinds of exam it is for.
    weights : str
        File beside the card. An ONNX graph: input ``slices`` (N, `preparation.input_channels`, H, W) float32,
        H and W multiples of 16; output ``probabilities`` (N, len(regions), H, W), nested and calibrated.
    sha256 : str
        Of that file.
    architecture : str
        By the name of `training.architectures`; ``"unet"`` also runs in torch (`inference.torch_backend`).
    regions : tuple of str
        Outermost first: ``("WT",)`` or ``("WT", "TC", "ET")``.
    mirrored : bool
        Average with the mirror image where the exam has few slices.
    export_difference : float
        Largest difference of a probability between the torch network and the file, over validation slices.
    """

    kinds: tuple[str, ...]
    weights: str
    sha256: str
    architecture: str
    parameters: int
    regions: tuple[str, ...]
    preparation: Preparation = Preparation()
    postprocess: Postprocess = Postprocess()
    calibration: dict[str, Calibration] = {}
    mirrored: bool = False
    recipe: str = ""
    steps: int = 0
    export_difference: float = 0.0
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    training_data: tuple[str, ...] = ()
    note: str = ""
    figures: tuple[Figure, ...] = ()


class ModelCard(Strict, frozen=True):
    """The content of ``model.toml``: at most one network for each kind of exam."""

    name: str
    version: str
    title: str
    licence: str
    networks: tuple[NetworkCard, ...]

    def network_for(self, kind: str) -> NetworkCard | None:
        """The network for a kind of exam, None if the model has none."""
        return next((network for network in self.networks if kind in network.kinds), None)

    @property
    def regions(self) -> dict[str, tuple[str, ...]]:
        """The regions told for each kind of exam."""
        return {kind: network.regions for network in self.networks for kind in network.kinds}


class Model(msgspec.Struct, frozen=True):
    """A model found on disk: its folder and its card, whose weights files were checked."""

    folder: Path
    card: ModelCard

    def weights(self, network: NetworkCard) -> Path:
        """The weights file of one of its networks."""
        return self.folder / network.weights
