"""Small U-Nets with random weights, written as ONNX by hand, without the program's own exporter."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTHS = (4, 8, 12)


def random_layers(
    channels: int, outputs: int, seed: int, widths: tuple[int, ...] = WIDTHS
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of every convolution by its name; kernels hold whole multiples of 1/64.

    Such kernels with entries up to 127/64 lose nothing as int8 with a scale of 1/64, nor as float16.
    """
    random = np.random.default_rng(seed)

    def layer(out: int, into: int, size: int, transposed: bool = False) -> tuple[np.ndarray, np.ndarray]:
        shape = (into, out, size, size) if transposed else (out, into, size, size)
        reach = max(1, round(64 * 1.5 / np.sqrt(into * size * size)))
        kernel = random.integers(-reach, reach + 1, shape) / 64
        return kernel.astype(np.float32), random.normal(0, 0.1, out).astype(np.float32)

    layers, into = {}, channels
    for level, width in enumerate(widths):
        layers[f"encoder.{level}.conv1"] = layer(width, into, 3)
        layers[f"encoder.{level}.conv2"] = layer(width, width, 3)
        into = width
    for level in reversed(range(len(widths) - 1)):
        layers[f"up.{level}"] = layer(widths[level], widths[level + 1], 2, transposed=True)
        layers[f"decoder.{level}.conv1"] = layer(widths[level], 2 * widths[level], 3)
        layers[f"decoder.{level}.conv2"] = layer(widths[level], widths[level], 3)
    layers["head"] = layer(outputs, widths[0], 1)
    return layers


def onnx_bytes(layers: dict[str, tuple[np.ndarray, np.ndarray]], store: str = "float32") -> bytes:
    """The graph with kernels stored as float32, float16, int8, or int8 with DequantizeLinear."""
    nodes: list[onnx.NodeProto] = []
    stored: list[TensorProto] = []

    def node(kind: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def kernel(name: str) -> str:
        values, full = layers[name][0], f"{name}.weight"
        if store == "float32":
            stored.append(numpy_helper.from_array(values, full))
        elif store == "float16":
            stored.append(numpy_helper.from_array(values.astype(np.float16), f"{full}.float16"))
            node("Cast", [f"{full}.float16"], full, to=TensorProto.FLOAT)
        else:
            axis = 1 if name.startswith("up") else 0
            flat = store == "dequantize"
            shape = [-1 if a == axis else 1 for a in range(4)]
            scale = np.full(values.shape[axis], 1 / 64, np.float32)
            stored.append(numpy_helper.from_array(np.rint(values * 64).astype(np.int8), f"{full}.int8"))
            stored.append(numpy_helper.from_array(scale if flat else scale.reshape(shape), f"{full}.scale"))
            if flat:
                node("DequantizeLinear", [f"{full}.int8", f"{full}.scale"], full, axis=axis)
            else:
                node("Cast", [f"{full}.int8"], f"{full}.cast", to=TensorProto.FLOAT)
                node("Mul", [f"{full}.cast", f"{full}.scale"], full)
        return full

    def bias(name: str) -> str:
        stored.append(numpy_helper.from_array(layers[name][1], f"{name}.bias"))
        return f"{name}.bias"

    def convolution(x: str, name: str) -> str:
        size = layers[name][0].shape[-1]
        inputs = [x, kernel(name), bias(name)]
        return node("Conv", inputs, f"{name}.out", kernel_shape=[size] * 2, pads=[size // 2] * 4)

    def block(x: str, name: str) -> str:
        for part in ("conv1", "conv2"):
            x = node("Relu", [convolution(x, f"{name}.{part}")], f"{name}.{part}.relu")
        return x

    levels = sum(name.startswith("up.") for name in layers)
    x, skips = "slices", []
    for level in range(levels + 1):
        if level:
            x = node("MaxPool", [x], f"pool{level}", kernel_shape=[2, 2], strides=[2, 2])
        x = block(x, f"encoder.{level}")
        skips.append(x)
    for level in reversed(range(levels)):
        inputs = [x, kernel(f"up.{level}"), bias(f"up.{level}")]
        x = node("ConvTranspose", inputs, f"up.{level}.out", kernel_shape=[2, 2], strides=[2, 2])
        x = block(node("Concat", [skips[level], x], f"skip{level}", axis=1), f"decoder.{level}")
    x = convolution(x, "head")
    outputs = len(layers["head"][1])
    if outputs == 1:
        node("Sigmoid", [x], "probabilities")
    else:
        node("Sigmoid", [x], "sigmoid")
        nodes.append(helper.make_node("Split", ["sigmoid"], ["wt", "tc0", "et0"], axis=1, num_outputs=3))
        node("Min", ["wt", "tc0"], "tc")
        node("Min", ["tc", "et0"], "et")
        node("Concat", ["wt", "tc", "et"], "probabilities", axis=1)
    channels = layers["encoder.0.conv1"][0].shape[1]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "rows", "columns"])
        for name, count in (("slices", channels), ("probabilities", outputs))
    ]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model.SerializeToString()


NETWORK = """
[[networks]]
kinds = {kinds}
weights = "{weights}"
sha256 = "{sha256}"
architecture = "{architecture}"
parameters = 1
regions = {regions}
mirrored = {mirrored}
{more}
"""


def network_table(folder: Path, weights: str, kinds: list[str], regions: list[str], **given: str) -> str:
    """One network of a card; the weights lie in the folder already."""
    sha256 = hashlib.sha256((folder / weights).read_bytes()).hexdigest()
    filled = {"architecture": "unet", "mirrored": "true", "more": "", "sha256": sha256} | given
    return NETWORK.format(kinds=kinds, weights=weights, regions=regions, **filled)


def write_card(folder: Path, *networks: str, name: str = "tiny") -> Path:
    """A model.toml of these networks."""
    head = f'name = "{name}"\nversion = "0.0.1"\ntitle = \'Random "numbers"\'\nlicence = "none"\n'
    (folder / "model.toml").write_text(head + "\n".join(networks), encoding="utf-8")
    return folder


def write_tiny(folder: Path, *, name: str = "tiny", store: str = "int8", mirrored: bool = True) -> Path:
    """A model of two networks: whole heads with three slices at a time (WT), stripped brains (WT, TC, ET)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "heads.onnx").write_bytes(onnx_bytes(random_layers(12, 1, seed=3), store))
    (folder / "stripped.onnx").write_bytes(onnx_bytes(random_layers(4, 3, seed=4), store))
    flag = "true" if mirrored else "false"
    context = "[networks.preparation]\ncontext = [-1, 0, 1]"
    return write_card(
        folder,
        network_table(folder, "heads.onnx", ["whole_head"], ["WT"], mirrored=flag, more=context),
        network_table(folder, "stripped.onnx", ["skull_stripped"], ["WT", "TC", "ET"], mirrored=flag),
        name=name,
    )
