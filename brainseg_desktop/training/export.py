"""Writes the weights file of a model: one ONNX graph for all kinds of exam, kernels as float16.

The graph is written node by node, not traced: its initializers keep the names of the torch state dict, so
that the same file feeds ONNX Runtime and torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from brainseg_desktop.inference.weights import INPUT, KIND, NORM_EPSILON, OUTPUT

OPSET = 18
FLOAT16_MAX = 65504.0
KERNEL_AXES = 4


class GraphWriter:
    """Collects nodes and initializers of the U-Net."""

    def __init__(self, state: Mapping[str, NDArray[np.floating]]) -> None:
        self._state = state
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def weight(self, name: str) -> str:
        """Store a tensor; returns the name under which the graph finds it in single precision.

        Kernels are stored in half precision. Norms are not: a running variance may exceed what half precision
        holds, and they are few.
        """
        values = self._state[name].astype(np.float32)
        if values.ndim < KERNEL_AXES:
            self.initializers.append(numpy_helper.from_array(values, name))
            return name
        if float(np.abs(values).max()) > FLOAT16_MAX:
            raise ValueError(f"{name} does not fit half precision")
        self.initializers.append(numpy_helper.from_array(values.astype(np.float16), name))
        return self.node("Cast", [name], name + ".f32", to=TensorProto.FLOAT)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node with one output; returns the output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, x: str, name: str, bias: bool = False) -> str:
        """A convolution that keeps the size of the slice."""
        inputs = [x, self.weight(f"{name}.weight")] + ([self.weight(f"{name}.bias")] if bias else [])
        size = self._state[f"{name}.weight"].shape[-1]
        return self.node("Conv", inputs, f"{name}.out", kernel_shape=[size] * 2, pads=[size // 2] * 4)

    def norm(self, x: str, name: str) -> str:
        """Batch norm with the statistics of the chosen kind, and ReLU."""
        parts = [
            self.node("Gather", [self.weight(f"{name}.{part}"), KIND], f"{name}.{part}.of_kind", axis=0)
            for part in ("weight", "bias", "running_mean", "running_var")
        ]
        x = self.node("BatchNormalization", [x, *parts], f"{name}.out", epsilon=NORM_EPSILON)
        return self.node("Relu", [x], f"{name}.relu")

    def block(self, x: str, name: str) -> str:
        """Two convolutions with norms."""
        for index in ("1", "2"):
            x = self.norm(self.convolution(x, f"{name}.conv{index}"), f"{name}.norm{index}")
        return x

    def nested(self, x: str) -> str:
        """Probabilities of WT, TC and ET, none above the region that holds it."""
        names = [f"region{i}" for i in range(3)]
        self.nodes.append(helper.make_node("Split", [x], names, name="regions", axis=1, num_outputs=3))
        core = self.node("Min", names[:2], "core")
        enhancing = self.node("Min", [core, names[2]], "enhancing")
        return self.node("Concat", [names[0], core, enhancing], OUTPUT, axis=1)


def build_graph(state: Mapping[str, NDArray[np.floating]], levels: int) -> onnx.ModelProto:
    """The whole network.

    Parameters
    ----------
    state : mapping of name to array
        The torch state dict, as numpy.
    levels : int
        Encoder levels without the bottleneck.

    Returns
    -------
    onnx.ModelProto
        Input `slices` (N, 4, H, W) float32, H and W multiples of 2**levels; output `probabilities`
        (N, 3, H, W).
    """
    writer = GraphWriter(state)
    writer.initializers.append(numpy_helper.from_array(np.array(0, np.int64), KIND))
    x, skips = INPUT, []
    for level in range(levels + 1):
        if level:
            x = writer.node("MaxPool", [x], f"pool{level}", kernel_shape=[2, 2], strides=[2, 2])
        x = writer.block(x, f"encoder.{level}")
        skips.append(x)
    skips.pop()
    for level in reversed(range(levels)):
        inputs = [x, writer.weight(f"up.{level}.weight"), writer.weight(f"up.{level}.bias")]
        x = writer.node("ConvTranspose", inputs, f"up.{level}.out", kernel_shape=[2, 2], strides=[2, 2])
        x = writer.node("Concat", [skips[level], x], f"skip{level}", axis=1)
        x = writer.block(x, f"decoder.{level}")
    x = writer.convolution(x, "head", bias=True)
    writer.nested(writer.node("Sigmoid", [x], "sigmoid"))
    channels = state["encoder.0.conv1.weight"].shape[1]
    graph = helper.make_graph(
        writer.nodes,
        "unet",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["slices", channels, "rows", "columns"])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["slices", 3, "rows", "columns"])],
        writer.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="brainseg")
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def write_weights(state: Mapping[str, NDArray[np.floating]], levels: int, path: Path) -> str:
    """Write the weights file; returns its sha256."""
    content = build_graph(state, levels).SerializeToString()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
    return hashlib.sha256(content).hexdigest()
