"""What a network is to the rest of the program: a card that says what it is, and a way to run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A held-out figure: what was measured, on whom, and how many of them.

    Parameters
    ----------
    side : str
        ``"validation"`` or ``"test"``.
    data : str
        Data set.
    region : str
        WT, TC or ET.
    dice : float
        Mean over the patients.
    lowest : float
        The worst patient's.
    n : int
        Patients.
    """

    side: str
    data: str
    region: str
    dice: float
    lowest: float
    n: int


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of ``models/<name>/model.toml``.

    `regions` names, for each kind of exam, the regions the network was taught for it; what it says about
    others is worth nothing and is not shown.
    """

    name: str
    version: str
    title: str
    weights: str
    sha256: str
    licence: str
    architecture: str
    parameters: int
    inputs: tuple[str, ...]
    regions: dict[str, tuple[str, ...]]
    training_data: tuple[str, ...]
    recipe: str
    steps: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    note: str = ""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model found on disk: its card and the checked weights file."""

    card: ModelCard
    weights: Path


class Segmenter(Protocol):
    """A network on a device."""

    @property
    def model(self) -> Model: ...

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        ...

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """Nested region probabilities (N, 3, H, W) of prepared slices (N, 4, H, W) of one kind of exam."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network says about an exam.

    Parameters
    ----------
    probabilities : (R, X, Y, Z) uint8 array
        0..255 for 0..1, canonical order, on the exam's own grid; nested.
    regions : tuple of str
        The R regions, outermost first.
    kind : str
        Kind of exam.
    labels : (X, Y, Z) uint8 array
        `core.labels.Tissue` values.
    """

    probabilities: NDArray[np.uint8]
    regions: tuple[str, ...]
    kind: str
    labels: NDArray[np.uint8]
