"""Runs a network with torch, on a GPU where there is one. The one module of inference that imports torch.

The weights are read from the same .onnx file as the ONNX backend's; norms are folded into the convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.segmenter import Model
from brainseg_desktop.inference.weights import NORM_EPSILON

if TYPE_CHECKING:
    from torch import Tensor

Layer = tuple["Tensor", "Tensor"]


class TorchSegmenter:
    """The U-Net as plain functions of folded weights."""

    def __init__(self, model: Model, device: str = "auto", threads: int | None = None) -> None:
        try:
            import torch
        except ImportError as error:
            raise UserError("torch_missing", device=device) from error
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("cuda_missing")
        if threads:
            torch.set_num_threads(threads)
        self.model = model
        self.device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        self._weights = read_weights(model)
        self._layers: dict[str, dict[str, Layer]] = {}

    def prepare(self, kind: str) -> None:
        """Fold the norms for a kind of exam ahead of its first slice."""
        if kind not in self._layers:
            self._layers[kind] = fold_norms(self._weights, KINDS.index(kind), self.device)

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """See `segmenter.Segmenter`."""
        import torch

        self.prepare(kind)
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(slices)).to(self.device)
            logits = forward(x.contiguous(memory_format=torch.channels_last), self._layers[kind])
            nested = torch.sigmoid(logits).cummin(dim=1).values
        return np.asarray(nested.cpu().numpy(), np.float32)


def read_weights(model: Model) -> dict[str, NDArray[np.float32]]:
    """The tensors of the weights file in single precision, by the names of the torch state dict."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise UserError("torch_missing", device="onnx") from error
    graph = onnx.load(model.weights).graph
    return {t.name: numpy_helper.to_array(t).astype(np.float32) for t in graph.initializer}


def fold_norms(weights: dict[str, NDArray[np.float32]], kind: int, device: str) -> dict[str, Layer]:
    """Weight and bias of each convolution with the norm of one kind of exam folded in."""
    import torch

    layers: dict[str, Layer] = {}
    for key, weight in weights.items():
        name, _, part = key.rpartition(".")
        if part != "weight" or weight.ndim != 4:
            continue
        if f"{name}.bias" in weights:
            bias = weights[f"{name}.bias"]
        else:
            norm = name.replace(".conv", ".norm")
            deviation = np.sqrt(weights[f"{norm}.running_var"][kind] + NORM_EPSILON)
            gain = weights[f"{norm}.weight"][kind] / deviation
            bias = weights[f"{norm}.bias"][kind] - weights[f"{norm}.running_mean"][kind] * gain
            weight = weight * gain[:, None, None, None]
        tensors = (torch.from_numpy(np.array(values)).to(device) for values in (weight, bias))
        layers[name] = (next(tensors), next(tensors))
    return layers


def forward(x: Tensor, layers: dict[str, Layer]) -> Tensor:
    """Logits (N, 3, H, W) of slices (N, 4, H, W)."""
    import torch
    from torch.nn import functional

    def block(x: Tensor, name: str) -> Tensor:
        for part in ("conv1", "conv2"):
            x = functional.relu(functional.conv2d(x, *layers[f"{name}.{part}"], padding=1))
        return x

    levels = sum(1 for name in layers if name.startswith("up."))
    skips: list[Tensor] = []
    for level in range(levels + 1):
        x = block(x if level == 0 else functional.max_pool2d(x, 2), f"encoder.{level}")
        skips.append(x)
    skips.pop()
    for level in reversed(range(levels)):
        x = functional.conv_transpose2d(x, *layers[f"up.{level}"], stride=2)
        x = block(torch.cat([skips[level], x], dim=1), f"decoder.{level}")
    return functional.conv2d(x, *layers["head"])
