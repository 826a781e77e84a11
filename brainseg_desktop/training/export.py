"""Writes a 2-D network as the ONNX file that the program runs, and checks that both say the same.

The file gives nested, calibrated region probabilities. Norms are folded into the convolutions before them,
and kernels are stored short; the runtime makes single precision of them when it loads the file, so that it
runs as fast as one stored at full length.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterable, Mapping, MutableSequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.weights import FLOAT16, INPUT, INT8, OUTPUT, SCALE
from brainseg_desktop.training.calibration import region_probabilities, temperature_tensor
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.folding import fold_norms

Store = Literal["float32", "float16", "int8"]
FloatArray = NDArray[np.float32]

OPSET = 18
# Smaller kernels are kept at full length: they weigh nothing.
LEAST_STORED = 1024
# Kernels up to this size are stored in half precision where the others are whole numbers: they weigh little,
# and those of the full resolution, which decide on the outline, are all among them.
LEAST_WHOLE = 80_000
FLOAT16_MAX = 65504.0
# Slices that the graph is traced with: unequal sides, so that the exporter takes none for another.
TRACED = (2, 64, 96)
# Measured on the bundled network for whole heads: 0.009 and 0.02 %.
MOST_DIFFERENCE = 0.05
MOST_FLIPPED = 0.002
_PREFIX = "network."


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the file is from the torch network.

    Parameters
    ----------
    difference : float
        Largest difference of a probability.
    flipped : float
        Share of the voxels above 0.01 in either whose decision at 0.5 changes.
    """

    difference: float
    flipped: float


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """A weights file and how true it is to the network."""

    content: bytes
    parity: Parity
    store: Store


class RegionNetwork(nn.Module):
    """A network that answers with nested region probabilities instead of logits.

    Parameters
    ----------
    network : nn.Module
        Gives logits.
    recipe : Recipe
        Its targets and regions.
    temperatures : mapping of region to float
    """

    temperatures: Tensor

    def __init__(self, network: nn.Module, recipe: Recipe, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.network = network
        self.targets = recipe.selection.targets
        self.outputs = 4 if self.targets == "classes" else len(recipe.regions)
        self.register_buffer("temperatures", temperature_tensor(temperatures, recipe, self.outputs))

    def forward(self, slices: Tensor) -> Tensor:
        """Probabilities (N, R, H, W) of slices (N, C, H, W)."""
        return region_probabilities(self.network(slices)[:, : self.outputs], self.targets, self.temperatures)


def export_network(
    network: nn.Module,
    recipe: Recipe,
    temperatures: Mapping[str, float],
    batches: Iterable[FloatArray],
    store: Store = "int8",
) -> Exported:
    """Write a network and compare the file with it.

    Parameters
    ----------
    network : nn.Module
        On the CPU; not changed.
    recipe : Recipe
    temperatures : mapping of region to float
    batches : iterable of (N, C, H, W) arrays
        Slices with which both are compared.
    store : {"float32", "float16", "int8"}
        How kernels are stored; ``int8`` with one scale for each output channel.

    Raises
    ------
    UserError
        ``network_not_exportable`` (params ``name``) for a 3-D network: the program works slice by slice.
        ``weights_differ`` (``difference``, ``flipped``) where the file is too far from the network.
    """
    if recipe.network.name == "unet3d":
        raise UserError("network_not_exportable", name=recipe.network.name)
    wrapped = RegionNetwork(copy.deepcopy(network), recipe, temperatures).eval()
    example = torch.zeros(TRACED[0], recipe.preparation.input_channels, *TRACED[1:])
    fold_norms(wrapped.network, example)
    fold_temperatures(wrapped)
    model = store_kernels(trace(wrapped, example), store)
    content = model.SerializeToString()
    parity = compare(RegionNetwork(network, recipe, temperatures).eval(), content, batches)
    if parity.difference > MOST_DIFFERENCE or parity.flipped > MOST_FLIPPED:
        raise UserError(
            "weights_differ", difference=round(parity.difference, 4), flipped=round(100 * parity.flipped, 3)
        )
    return Exported(content, parity, store)


def fold_temperatures(wrapped: RegionNetwork) -> None:
    """Divide the last convolution, where the network calls it its head, instead of every logit.

    It keeps no output that is not told. What reads the file as plain weights needs no temperature then.
    """
    head = getattr(wrapped.network, "head", None)
    if not isinstance(head, nn.Conv2d) or wrapped.targets == "classes":
        return
    assert head.bias is not None
    scale, outputs = wrapped.temperatures, wrapped.outputs
    head.weight = nn.Parameter(head.weight.detach()[:outputs] / scale[:, None, None, None])
    head.bias = nn.Parameter(head.bias.detach()[:outputs] / scale)
    head.out_channels = outputs
    wrapped.temperatures = torch.ones_like(scale)


def trace(wrapped: nn.Module, example: Tensor) -> onnx.ModelProto:
    """The graph, with slices of any number and size, and the names of the state dict."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells that torchvision is missing
    with warnings.catch_warnings():
        # Of torch about its own parts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            wrapped,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: "n", 2: "rows", 3: "columns"},),
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    _strip(model)
    return model


def store_kernels(model: onnx.ModelProto, store: Store) -> onnx.ModelProto:
    """Store the kernels of a graph short, with nodes that make single precision of them.

    Cast and Mul are folded by ONNX Runtime when it loads the file; DequantizeLinear is not, and costs a fifth
    of the speed.
    """
    graph = model.graph
    users: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        users.update((name, node) for name in node.input)
    initializers: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        kernel = values.dtype == np.float32 and values.ndim >= 2 and values.size > LEAST_STORED
        if store == "float32" or not kernel:
            initializers.append(tensor)
        elif store == "float16" or values.size <= LEAST_WHOLE:
            short = tensor.name + FLOAT16
            # What is too large is cut; whether that matters, the comparison with the network tells.
            halved = values.clip(-FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
            initializers.append(numpy_helper.from_array(halved, short))
            nodes.append(helper.make_node("Cast", [short], [tensor.name], to=TensorProto.FLOAT))
        else:
            whole, scale = quantise(values, _output_axis(users[tensor.name], values.ndim))
            short, cast, scales = tensor.name + INT8, tensor.name + ".cast", tensor.name + SCALE
            initializers += [numpy_helper.from_array(whole, short), numpy_helper.from_array(scale, scales)]
            nodes.append(helper.make_node("Cast", [short], [cast], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [cast, scales], [tensor.name]))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def quantise(values: FloatArray, axis: int) -> tuple[NDArray[np.int8], FloatArray]:
    """Whole numbers from -127 to 127 and one scale for each place on an axis; their product is the kernel.

    Returns
    -------
    (shape of `values`) int8 array, and a float32 array that broadcasts to it
    """
    others = tuple(a for a in range(values.ndim) if a != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0).astype(np.float32) / np.float32(127)
    return np.rint(values / scale).astype(np.int8), scale


def compare(network: nn.Module, content: bytes, batches: Iterable[FloatArray]) -> Parity:
    """Run slices through both the torch network and the file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    difference, flipped, counted = 0.0, 0, 0
    for batch in batches:
        (found,) = session.run([OUTPUT], {INPUT: batch})
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        apart = np.nan_to_num(np.abs(found - expected), nan=np.inf)
        difference = max(difference, float(apart.max()))
        flipped += int(np.count_nonzero((found >= 0.5) != (expected >= 0.5)))
        counted += int(np.count_nonzero(np.maximum(found, expected) > 0.01))
    return Parity(difference, flipped / max(1, counted))


def _output_axis(user: onnx.NodeProto, axes: int) -> int:
    """The axis of a kernel that counts its output channels."""
    if user.op_type == "Conv":
        return 0
    if user.op_type == "ConvTranspose":
        return 1
    transposed = any(a.name == "transB" and a.i for a in user.attribute)
    return 0 if user.op_type == "Gemm" and transposed else axes - 1


def _strip(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes of our files; give tensors the names of the network's state dict."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    # The exporter drops a bias that is all zero; readers of the file expect one.
    held = {t.name for t in graph.initializer}
    kernels = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and len(node.input) == 2 and node.input[1] in kernels:
            bias = node.input[1].removesuffix("weight") + "bias"
            axis = _output_axis(node, len(kernels[node.input[1]].dims))
            if bias not in held:
                zeros = np.zeros(kernels[node.input[1]].dims[axis], np.float32)
                graph.initializer.append(numpy_helper.from_array(zeros, bias))
                held.add(bias)
            node.input.append(bias)
    for held_part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del held_part.metadata_props[:]
        held_part.doc_string = ""
    for tensor in graph.initializer:
        tensor.name = tensor.name.removeprefix(_PREFIX)
    for node in graph.node:
        _rename(node.input)
        _rename(node.output)


def _rename(names: MutableSequence[str]) -> None:
    for index, name in enumerate(names):
        names[index] = name.removeprefix(_PREFIX)
