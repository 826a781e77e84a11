from __future__ import annotations

import numpy as np

from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.preprocess import prepare
from brainseg_desktop.inference.segmentation import order_slices, segment, segment_slices


class Bright:
    """Says tumour where FLAIR is bright; stands in for a trained network."""

    device = "cpu"

    def __init__(self, model) -> None:
        self.model = model

    def predict(self, slices, kind):
        probability = (slices[:, 3] > 3).astype(np.float32)
        return np.stack([probability, probability * 0.9, probability * 0.2], axis=1)


def test_every_slice_comes_once_and_the_first_one_first(tiny_model, stripped_exam):
    prepared = prepare(stripped_exam, (1.0, 1.0))
    results = list(segment_slices(OnnxSegmenter(tiny_model, threads=1), prepared, 13))
    assert results[0].z == (13,)
    assert sorted(z for result in results for z in result.z) == list(range(20))
    assert all(r.probabilities.shape == (3, 96, 112, len(r.z)) for r in results)
    near = results[1].z
    assert set(near) == {10, 11, 12, 14, 15, 16}


def test_order_is_outward():
    assert order_slices([4, 5, 6, 7], 0)[0] == (4,)
    assert order_slices([], 3) == []
    assert order_slices(list(range(8)), None) == [(0, 1, 2, 3, 4, 5), (6, 7)]


def test_result_lies_where_the_tumour_is(tiny_model, stripped_exam):
    flair = stripped_exam[Sequence.FLAIR]
    flair[60:72, 30:42, 8:12] = 400
    prediction = segment(Bright(tiny_model), stripped_exam, (1.0, 1.0))
    assert prediction.kind == "skull_stripped"
    assert prediction.regions == ("WT", "TC", "ET")
    assert set(np.unique(prediction.labels)) == {0, Tissue.NECROSIS}
    where = np.argwhere(prediction.labels)
    np.testing.assert_allclose(where.mean(axis=0), [65.5, 35.5, 9.5], atol=0.6)
    assert abs(len(where) - 12 * 12 * 4) < 120


def test_a_whole_head_gets_the_whole_tumour_only(tiny_model, head_exam):
    prediction = segment(Bright(tiny_model), head_exam, None)
    assert prediction.kind == "whole_head"
    assert prediction.probabilities.shape == (1, 96, 112, 20)
    assert set(np.unique(prediction.labels)) <= {0, Tissue.TUMOUR}
