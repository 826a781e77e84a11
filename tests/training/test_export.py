"""The weights file says what the network says, in every architecture and form of storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from brainseg_desktop.core.errors import UserError  # noqa: E402
from brainseg_desktop.inference.card import NetworkCard  # noqa: E402
from brainseg_desktop.inference.graph import read_ends, read_tensors  # noqa: E402
from brainseg_desktop.inference.torch_backend import forward, layers_of, nested  # noqa: E402
from brainseg_desktop.inference.weights import INPUT, read_weights  # noqa: E402
from brainseg_desktop.training.architectures import build_network  # noqa: E402
from brainseg_desktop.training.config import Recipe  # noqa: E402
from brainseg_desktop.training.export import (  # noqa: E402
    RegionNetwork,
    export_network,
    quantise,
)
from brainseg_desktop.training.folding import fold_norms  # noqa: E402
from brainseg_desktop.training.targets import output_count  # noqa: E402
from tests.training.miniature import make_recipe  # noqa: E402

ALL = ["WT", "TC", "ET"]
TEMPERATURES = {"WT": 1.7, "TC": 0.6, "ET": 1.2}


def network_of(recipe: Recipe) -> nn.Module:
    """A network whose norms have statistics as training leaves them."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = build_network(recipe.network, recipe.preparation.input_channels, output_count(recipe))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.3, 3)
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


def card_of(recipe: Recipe) -> NetworkCard:
    return NetworkCard(
        kinds=recipe.kinds, weights="", sha256="", architecture="unet", parameters=0, regions=recipe.regions
    )


def some_slices(channels: int = 4) -> list[np.ndarray]:
    """Sizes unlike those that the graph was traced with."""
    random = np.random.default_rng(3)
    sizes = ((1, 16, 16), (3, 48, 80), (2, 112, 32))
    return [random.normal(size=(n, channels, h, w)).astype(np.float32) for n, h, w in sizes]


@pytest.fixture
def small_kernels_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers for kernels of a size that a test can afford."""
    monkeypatch.setattr("brainseg_desktop.training.export.LEAST_WHOLE", 0)


@pytest.mark.usefixtures("small_kernels_too")
@pytest.mark.parametrize("store", ["float32", "int8"])
def test_a_unet_of_regions_in_every_storage(tmp_path: Path, store: str) -> None:
    recipe = make_recipe(tmp_path, regions=ALL, network={"widths": [16, 32, 32]})
    network = network_of(recipe)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    exported = export_network(network, recipe, TEMPERATURES, some_slices(), store)
    assert exported.parity.difference < {"float32": 1e-5, "int8": 0.02}[store]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    (inputs, outputs) = read_ends(exported.content)
    assert [(e.name, e.dims) for e in inputs] == [("slices", (None, 4, None, None))]
    assert [(e.name, e.dims[1]) for e in outputs] == [("probabilities", 3)]
    # The same file as plain weights: what the backend for a GPU makes of it.
    weights = read_weights(read_tensors(exported.content))
    named = {f"{name}.weight" for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    assert named <= set(weights)
    x = torch.from_numpy(some_slices()[1])
    session = onnxruntime.InferenceSession(exported.content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {INPUT: x.numpy()})
    assert (found[:, 1:] <= found[:, :-1]).all()
    with torch.inference_mode():
        plain = nested(forward(x, layers_of(weights, "cpu")), card_of(recipe)).numpy()
    np.testing.assert_allclose(plain, found, atol=1e-5)


def test_kernels_of_little_weight_keep_half_precision(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, network={"widths": [16, 96]})
    content = export_network(network_of(recipe), recipe, {}, some_slices(), "int8").content
    kinds = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer}
    assert kinds["encoder.1.conv1.weight.float16"].size == 96 * 16 * 9
    assert kinds["encoder.1.conv2.weight.int8"].size == 96 * 96 * 9
    assert read_weights(read_tensors(content))["encoder.1.conv1.weight"].shape == (96, 16, 3, 3)


@pytest.mark.usefixtures("small_kernels_too")
def test_kernels_are_stored_short_and_small_ones_are_not(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, network={"widths": [16, 32]})
    content = export_network(network_of(recipe), recipe, {}, some_slices(), "int8").content
    kinds = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer}
    assert kinds["encoder.1.conv2.weight.int8"].dtype == np.int8
    assert kinds["encoder.1.conv2.weight.scale"].shape == (32, 1, 1, 1)
    assert kinds["up.0.weight.scale"].shape == (1, 16, 1, 1)
    assert kinds["encoder.0.conv1.weight"].dtype == np.float32
    assert kinds["head.weight"].shape == (1, 16, 1, 1)
    assert str(Path(__file__).parents[2]).encode() not in content


@pytest.mark.parametrize(
    ("network", "targets"),
    [
        ({"name": "attention_unet", "widths": [8, 16]}, "regions"),
        ({"name": "trans_unet", "widths": [8, 32]}, "binary"),
        ({"name": "res_unet", "widths": [8, 16]}, "classes"),
    ],
)
def test_the_other_architectures_and_targets(tmp_path: Path, network: dict, targets: str) -> None:
    recipe = make_recipe(
        tmp_path,
        network=network,
        selection={"targets": targets},
        loss={"name": "ce_dice" if targets == "classes" else "bce_dice"},
        regions=["WT"] if targets == "binary" else ALL,
        preparation={"context": [-1, 0, 1]},
    )
    temperatures = dict.fromkeys(recipe.regions, 1.4)
    batches = [np.tile(batch, (1, 3, 1, 1)) for batch in some_slices()]
    exported = export_network(network_of(recipe), recipe, temperatures, batches, "float16")
    assert 0 < exported.parity.difference < 0.02
    assert read_ends(exported.content)[1][0].dims[1] == len(recipe.regions)


def test_a_temperature_makes_less_sure_and_decides_nothing_else(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, regions=ALL, network={"widths": [8, 16]})
    network, x = network_of(recipe), torch.from_numpy(some_slices()[1])
    with torch.inference_mode():
        cold, warm = (RegionNetwork(network, recipe, t)(x) for t in ({}, dict.fromkeys(ALL, 3.0)))
    assert torch.equal(cold[:, 0] > 0.5, warm[:, 0] > 0.5)
    assert ((warm - 0.5).abs() <= (cold - 0.5).abs() + 1e-6).all()


def test_norms_are_folded_wherever_they_stand() -> None:
    torch.manual_seed(0)
    transposed = nn.ConvTranspose2d(4, 6, 2, stride=2)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        nn.ModuleDict({"up": transposed})["up"],
        nn.BatchNorm2d(6),
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    network.eval()
    x = torch.randn(2, 2, 9, 9)
    with torch.no_grad():
        expected = network(x)
        fold_norms(network, x)
        assert torch.allclose(network(x), expected, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_quantised_kernels_are_within_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(5, 7, 3, 3)).astype(np.float32)
    values[2] = 0
    for axis in (0, 1):
        whole, scale = quantise(values, axis)
        assert whole.dtype == np.int8
        assert np.abs(whole).max() == 127
        assert (np.abs(whole * scale - values) <= scale / 2 + 1e-7).all()


@pytest.mark.usefixtures("small_kernels_too")
def test_a_file_that_is_not_true_to_the_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        whole, scale = quantise(values, axis)
        return np.abs(whole), scale

    monkeypatch.setattr("brainseg_desktop.training.export.quantise", careless)
    recipe = make_recipe(tmp_path, network={"widths": [16, 32]})
    network = network_of(recipe)
    with pytest.raises(UserError) as caught:
        export_network(network, recipe, {}, some_slices(), "int8")
    assert caught.value.code == "weights_differ"


def test_kernels_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, network={"widths": [16, 32]})
    network = network_of(recipe)
    with torch.no_grad():
        network.encoder[1].conv1.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(UserError) as caught:
        export_network(network, recipe, {}, some_slices(), "float16")
    assert caught.value.code == "weights_differ"


def test_a_network_of_blocks_is_refused_in_words(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, network={"name": "unet3d", "widths": [4, 8], "depth": 2})
    with pytest.raises(UserError) as caught:
        export_network(nn.Identity(), recipe, {}, [])
    assert caught.value.code == "network_not_exportable"
