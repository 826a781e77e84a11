"""Runs U-Nets with torch, on a GPU where there is one. The one module of inference that imports torch.

The weights are read from the same .onnx files as the ONNX backend's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model, NetworkCard
from brainseg_desktop.inference.graph import read_tensors
from brainseg_desktop.inference.segmentation import network_for
from brainseg_desktop.inference.weights import read_weights

if TYPE_CHECKING:
    from torch import Tensor

Layer = tuple["Tensor", "Tensor"]


class TorchSegmenter:
    """The networks of a model as plain functions of their weights; the architecture must be ``unet``."""

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
        self._layers: dict[str, dict[str, Layer]] = {}

    def prepare(self, kind: str) -> None:
        """Read the weights for a kind of exam ahead of its first slice."""
        self._of(network_for(self.model.card, kind))

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """See `segmenter.Segmenter`."""
        import torch

        network = network_for(self.model.card, kind)
        layers = self._of(network)
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(slices)).to(self.device)
            logits = forward(x.contiguous(memory_format=torch.channels_last), layers)
            probabilities = nested(logits, network)
        return np.asarray(probabilities.cpu().numpy(), np.float32)

    def _of(self, network: NetworkCard) -> dict[str, Layer]:
        if network.weights not in self._layers:
            path = self.model.folder / network.weights
            try:
                weights = read_weights(read_tensors(path.read_bytes()))
            except ValueError as error:
                raise UserError("weights_not_onnx", path=path, reason=str(error)) from error
            self._layers[network.weights] = layers_of(weights, self.device)
        return self._layers[network.weights]


def layers_of(weights: dict[str, NDArray[np.float32]], device: str) -> dict[str, Layer]:
    """Weight and bias of each convolution, by its name."""
    import torch

    def on_device(name: str) -> Tensor:
        return torch.from_numpy(np.array(weights[name])).to(device)

    kernels = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    return {name: (on_device(f"{name}.weight"), on_device(f"{name}.bias")) for name in kernels}


def forward(x: Tensor, layers: dict[str, Layer]) -> Tensor:
    """Logits (N, outputs, H, W) of slices (N, C, H, W)."""
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


def nested(logits: Tensor, network: NetworkCard) -> Tensor:
    """Probabilities (N, R, H, W) of the R regions of a network, none above the region that holds it.

    One logit more than regions: classes that exclude each other (background, necrosis, oedema, enhancing).
    They have one temperature, which is not inside the weights as those of regions are.
    """
    import torch

    if logits.shape[1] == len(network.regions):
        return torch.sigmoid(logits).cummin(dim=1).values
    calibration = network.calibration.get(network.regions[0])
    if calibration is not None:
        logits = logits / calibration.temperature
    background, necrosis, _, enhancing = torch.softmax(logits, dim=1).unbind(dim=1)
    return torch.stack([1 - background, necrosis + enhancing, enhancing], dim=1)
