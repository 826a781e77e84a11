from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter, choose_kind
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.segmenter import Model

SLICES = np.random.default_rng(1).normal(size=(3, 4, 32, 48)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_and_torch_say_the_same(tiny_model, kind):
    pytest.importorskip("torch")
    from brainseg_desktop.inference.torch_backend import TorchSegmenter

    by_onnx = OnnxSegmenter(tiny_model, threads=1).predict(SLICES, kind)
    by_torch = TorchSegmenter(tiny_model, "cpu").predict(SLICES, kind)
    assert by_onnx.shape == (3, 3, 32, 48)
    np.testing.assert_allclose(by_onnx, by_torch, atol=1e-5)


def test_probabilities_are_nested(tiny_model):
    whole, core, enhancing = OnnxSegmenter(tiny_model, threads=1).predict(SLICES, KINDS[1]).swapaxes(0, 1)
    assert (core <= whole).all()
    assert (enhancing <= core).all()
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_each_kind_has_its_own_norms(tiny_model):
    segmenter = OnnxSegmenter(tiny_model, threads=1)
    heads, stripped = (segmenter.predict(SLICES, kind) for kind in KINDS)
    assert np.abs(heads - stripped).max() > 0.01


def test_a_file_without_the_kind_is_refused():
    with pytest.raises(ValueError, match="kind"):
        choose_kind(b"nothing here", 1)


def test_rubbish_with_the_right_sha_is_told(tiny_model, tmp_path):
    broken = tmp_path / "broken.onnx"
    content = tiny_model.weights.read_bytes()
    broken.write_bytes(content[-200:] + content[:400] + b"\x10\x07\x42\x04kind\x4a\x08" + bytes(8))
    with pytest.raises((UserError, ValueError)):
        OnnxSegmenter(Model(tiny_model.card, broken), threads=1).predict(SLICES, KINDS[0])
