"""Names inside the weights files: what the exporter writes and both backends read.

Tensors have the names of the torch state dict, with the norms already folded into the convolutions. Kernels
are stored short, and the graph makes single precision of them: ``<name>.float16``, or ``<name>.int8`` with
one ``<name>.scale`` for each output channel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

INPUT = "slices"
OUTPUT = "probabilities"
FLOAT16, INT8, SCALE = ".float16", ".int8", ".scale"


def output_axis(name: str) -> int:
    """Which axis of a kernel counts its output channels: the second in a transposed convolution (``up.``)."""
    return 1 if name.startswith("up.") else 0


def read_weights(tensors: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """Stored tensors in single precision, by the names of the torch state dict.

    Raises
    ------
    ValueError
        If the scales of a kernel are missing or do not fit it.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for stored, values in tensors.items():
        if stored.endswith(INT8):
            name = stored.removesuffix(INT8)
            scale = tensors.get(name + SCALE)
            shape = [1] * values.ndim
            shape[output_axis(name)] = -1
            if scale is None or scale.size != values.shape[output_axis(name)]:
                raise ValueError(f"no scales for {name}")
            weights[name] = values.astype(np.float32) * scale.astype(np.float32).reshape(shape)
        elif not stored.endswith(SCALE):
            weights[stored.removesuffix(FLOAT16)] = values.astype(np.float32)
    return weights
