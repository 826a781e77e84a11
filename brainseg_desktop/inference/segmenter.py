"""What a network is to the rest of the program: a way to run it on a device, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.inference.card import Model


class Segmenter(Protocol):
    """The networks of a model on a device."""

    @property
    def model(self) -> Model: ...

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        ...

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """Nested probabilities of slices by the network for a kind of exam.

        Parameters
        ----------
        slices : (N, `Preparation.input_channels`, H, W) array
        kind : str
            One that the model has a network for.

        Returns
        -------
        (N, R, H, W) array
            R regions, as its card names them.
        """
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
    uncertainty : (X, Y, Z) uint8 array
        0..255 for 0..1 bit; see `postprocess.uncertainty`.
    """

    probabilities: NDArray[np.uint8]
    regions: tuple[str, ...]
    kind: str
    labels: NDArray[np.uint8]
    uncertainty: NDArray[np.uint8]
