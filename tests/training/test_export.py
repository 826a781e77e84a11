from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from brainseg_desktop.inference.onnx_backend import choose_kind
from brainseg_desktop.inference.weights import INPUT
from brainseg_desktop.training.architectures.unet import UNet
from brainseg_desktop.training.export import build_graph, write_weights


def random_network() -> UNet:
    """A network whose norms have statistics as training leaves them: variances beyond half precision."""
    torch.manual_seed(1)
    network = UNet((4, 8, 8)).eval()
    for name, tensor in network.state_dict().items():
        if "running_var" in name:
            tensor.copy_(torch.rand(tensor.shape) * 4e5 + 1e5)
        elif "running_mean" in name:
            tensor.copy_(torch.randn(tensor.shape) * 100)
        elif "norm" in name and "weight" in name:
            tensor.copy_(torch.rand(tensor.shape) * 900)
        elif "norm" in name:
            tensor.copy_(torch.randn(tensor.shape))
    return network


def numpy_state(network: UNet) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("kind", [0, 1])
def test_the_file_says_what_the_trained_network_says(tmp_path, kind):
    network = random_network()
    write_weights(numpy_state(network), 2, tmp_path / "w.onnx")
    slices = torch.randn(2, 4, 16, 32)
    with torch.no_grad():
        expected = torch.sigmoid(network(slices, kind)).cummin(dim=1).values.numpy()
    content = choose_kind((tmp_path / "w.onnx").read_bytes(), kind)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {INPUT: slices.numpy()})
    assert expected.std() > 0.01
    # Kernels are rounded to half precision.
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_kernels_are_stored_once_in_half_precision():
    model = build_graph(numpy_state(random_network()), 2)
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    assert kinds["encoder.0.conv1.weight"] == onnx.TensorProto.FLOAT16
    assert kinds["encoder.0.norm1.running_var"] == onnx.TensorProto.FLOAT
    assert len(kinds) == len(model.graph.initializer)
    assert set(kinds) == {*numpy_state(random_network()), "kind"}


def test_a_kernel_beyond_half_precision_is_refused():
    state = numpy_state(random_network())
    state["head.weight"] = state["head.weight"] + 1e6
    with pytest.raises(ValueError, match=r"head\.weight"):
        build_graph(state, 2)
