from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model, ModelCard, NetworkCard
from brainseg_desktop.inference.devices import open_segmenter
from brainseg_desktop.inference.graph import read_tensors
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.weights import read_weights
from tests.inference.tiny import network_table, onnx_bytes, random_layers, write_card, write_tiny

HEAD, STRIPPED = KINDS
CHANNELS = {HEAD: 12, STRIPPED: 4}
STORES = ("float32", "float16", "int8", "dequantize")


def slices(kind: str) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, CHANNELS[kind], 32, 48)).astype(np.float32)


@pytest.mark.parametrize("store", STORES)
def test_onnx_and_torch_say_the_same_of_any_storage(tmp_path, store):
    torch = pytest.importorskip("torch")
    from brainseg_desktop.inference.torch_backend import TorchSegmenter

    torch.set_num_threads(1)
    model = read_model(write_tiny(tmp_path / "tiny", store=store))
    plain = read_model(write_tiny(tmp_path / "plain", store="float32"))
    for kind, regions in ((HEAD, 1), (STRIPPED, 3)):
        by_onnx = OnnxSegmenter(model, threads=1).predict(slices(kind), kind)
        assert by_onnx.shape == (3, regions, 32, 48)
        assert by_onnx.std() > 0.01
        np.testing.assert_allclose(
            by_onnx, TorchSegmenter(model, "cpu").predict(slices(kind), kind), atol=1e-5
        )
        # The kernels are multiples of 1/64, which every storage holds.
        np.testing.assert_allclose(
            by_onnx, OnnxSegmenter(plain, threads=1).predict(slices(kind), kind), atol=1e-5
        )


def test_probabilities_are_nested(tiny_model):
    segmenter = OnnxSegmenter(tiny_model, threads=1)
    whole, core, enhancing = segmenter.predict(slices(STRIPPED), STRIPPED).swapaxes(0, 1)
    assert (core <= whole).all()
    assert (enhancing <= core).all()
    assert whole.min() >= 0
    assert whole.max() <= 1


@pytest.mark.parametrize("store", STORES)
def test_stored_weights_are_read_by_the_names_of_the_state_dict(store):
    layers = random_layers(4, 3, seed=9)
    weights = read_weights(read_tensors(onnx_bytes(layers, store)))
    assert set(weights) == {f"{name}.{part}" for name in layers for part in ("weight", "bias")}
    for name, (kernel, bias) in layers.items():
        np.testing.assert_array_equal(weights[f"{name}.weight"], kernel)
        np.testing.assert_array_equal(weights[f"{name}.bias"], bias)


def test_scales_that_do_not_fit_are_refused():
    whole = np.zeros((3, 2, 1, 1), np.int8)
    for scales in ({}, {"head.weight.scale": np.ones(2, np.float32)}):
        with pytest.raises(ValueError, match="no scales for head"):
            read_weights({"head.weight.int8": whole} | scales)


def test_one_file_for_both_kinds_is_one_session(tmp_path):
    (tmp_path / "all.onnx").write_bytes(onnx_bytes(random_layers(4, 1, seed=1)))
    table = network_table(tmp_path, "all.onnx", list(KINDS), ["WT"])
    segmenter = OnnxSegmenter(read_model(write_card(tmp_path, table)), threads=1)
    for kind in KINDS:
        segmenter.prepare(kind)
    assert len(segmenter._sessions) == 1


def test_a_kind_without_a_network_is_told(tmp_path):
    (tmp_path / "all.onnx").write_bytes(onnx_bytes(random_layers(4, 1, seed=1)))
    for kind, code in (
        (HEAD, "network_for_heads_only"),
        (STRIPPED, "network_for_stripped_only"),
    ):
        model = read_model(write_card(tmp_path, network_table(tmp_path, "all.onnx", [kind], ["WT"])))
        other = KINDS[1 - KINDS.index(kind)]
        with pytest.raises(UserError) as caught:
            OnnxSegmenter(model, threads=1).predict(slices(STRIPPED), other)
        assert (caught.value.code, caught.value.params) == (code, {"name": "tiny"})


def test_a_graph_that_the_runtime_cannot_run_is_told(tmp_path):
    content = onnx_bytes(random_layers(4, 1, seed=1)).replace(b"MaxPool", b"MaxPoll")
    (tmp_path / "all.onnx").write_bytes(content)
    model = read_model(write_card(tmp_path, network_table(tmp_path, "all.onnx", [HEAD], ["WT"])))
    with pytest.raises(UserError) as caught:
        OnnxSegmenter(model, threads=1).prepare(HEAD)
    assert caught.value.code == "weights_not_onnx"
    assert "MaxPoll" in caught.value.params["reason"]


def test_classes_become_nested_regions_with_their_temperature():
    torch = pytest.importorskip("torch")
    from brainseg_desktop.inference.card import Calibration
    from brainseg_desktop.inference.torch_backend import nested

    # Background, necrosis, oedema, enhancing: shares 0.1, 0.2, 0.3, 0.4 after a temperature of 2.
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    card = NetworkCard(
        kinds=(STRIPPED,),
        weights="w",
        sha256="",
        architecture="unet",
        parameters=1,
        regions=("WT", "TC", "ET"),
        calibration={"WT": Calibration(temperature=2.0, ece_before=0, ece_after=0)},
    )
    logits = torch.from_numpy(2 * np.log(shares)).reshape(1, 4, 1, 1)
    np.testing.assert_allclose(nested(logits, card).ravel(), [0.9, 0.6, 0.4], atol=1e-7)


def other_architecture(model: Model) -> Model:
    import msgspec

    networks = tuple(msgspec.structs.replace(n, architecture="res_unet") for n in model.card.networks)
    card: ModelCard = msgspec.structs.replace(model.card, networks=networks)
    return Model(model.folder, card)


def test_architectures_that_torch_does_not_know_run_on_the_cpu_only(tiny_model, monkeypatch):
    from brainseg_desktop.inference import devices

    monkeypatch.setattr(devices, "_has_cuda", lambda: True)
    model = other_architecture(tiny_model)
    with pytest.raises(UserError) as caught:
        open_segmenter(model, "cuda")
    assert caught.value.code == "architecture_not_on_gpu"
    assert caught.value.params == {"name": "tiny", "architecture": "res_unet"}
    assert open_segmenter(model, "auto", threads=1).device == "cpu"
    with pytest.raises(UserError, match="device_unknown"):
        open_segmenter(model, "abacus")
