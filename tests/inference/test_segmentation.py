from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.postprocess import uncertainty
from brainseg_desktop.inference.preprocess import Prepared
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.segmentation import (
    order_slices,
    prepare_for,
    segment,
    segment_slices,
    shows_tissue,
)
from tests.inference.tiny import network_table, onnx_bytes, random_layers, write_card, write_tiny


class Bright:
    """Says tumour where FLAIR is bright; stands in for a trained network, and keeps what it was given."""

    device = "cpu"

    def __init__(self, model) -> None:
        self.model = model
        self.given: list[np.ndarray] = []

    def predict(self, slices, kind):
        self.given.append(slices)
        network = self.model.card.network_for(kind)
        # FLAIR of the slice itself: the middle one of three for whole heads.
        channel = 3 + 4 * network.preparation.context.index(0)
        probability = (slices[:, channel] > 3).astype(np.float32)
        regions = [probability, probability * 0.9, probability * 0.2]
        return np.stack(regions[: len(network.regions)], axis=1)


def test_every_slice_comes_once_and_the_first_one_first(tiny_model, stripped_exam):
    network, prepared = prepare_for(tiny_model.card, stripped_exam, (1.0, 1.0))
    results = list(segment_slices(OnnxSegmenter(tiny_model, threads=1), network, prepared, 13))
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
    np.testing.assert_array_equal(prediction.uncertainty, uncertainty(prediction.probabilities))
    # Of the three regions TC (0.9) and ET (0.2) are doubtful inside, nothing is far away from it.
    inside = prediction.uncertainty[64:68, 34:38, 9:11]
    assert (abs(inside / 255 - 0.722) < 0.01).all()
    assert not prediction.uncertainty[:40].any()


def test_a_whole_head_gets_the_whole_tumour_only(tiny_model, head_exam):
    prediction = segment(Bright(tiny_model), head_exam, None)
    assert prediction.kind == "whole_head"
    assert prediction.probabilities.shape == (1, 96, 112, 20)
    assert set(np.unique(prediction.labels)) <= {0, Tissue.TUMOUR}


def test_neighbours_are_seen_with_a_slice(tiny_model, head_exam):
    network, prepared = prepare_for(tiny_model.card, head_exam, None)
    segmenter = Bright(tiny_model)
    for result in segment_slices(segmenter, network, prepared, 19):
        given = segmenter.given[-1][: len(result.z)]
        for z, stack in zip(result.z, given, strict=True):
            around = [prepared.slices[min(max(z + d, 0), 19)] for d in (-1, 0, 1)]
            np.testing.assert_array_equal(stack, np.concatenate(around))


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_mirror_image_is_asked_for_where_the_card_says_so(tmp_path, stripped_exam, mirrored):
    segmenter = Bright(read_model(write_tiny(tmp_path / "tiny", mirrored=mirrored)))
    stripped_exam[Sequence.FLAIR][60:72, 30:42, 8:12] = 400
    prediction = segment(segmenter, stripped_exam, (1.0, 1.0))
    given = segmenter.given[0]
    assert len(given) == (12 if mirrored else 6)
    if mirrored:
        np.testing.assert_array_equal(given[6:], given[:6, :, ::-1])
    # What a network that does not mind mirrors says is the same either way.
    np.testing.assert_allclose(np.argwhere(prediction.labels).mean(axis=0), [65.5, 35.5, 9.5], atol=0.6)


def test_thresholds_and_clean_up_are_the_card_s(tmp_path, stripped_exam):
    (tmp_path / "a.onnx").write_bytes(onnx_bytes(random_layers(4, 3, seed=1)))
    more = "[networks.postprocess]\nspeck_share = 0.5\n[networks.postprocess.thresholds]\nTC = 0.95"
    table = network_table(tmp_path, "a.onnx", ["skull_stripped"], ["WT", "TC", "ET"], more=more)
    flair = stripped_exam[Sequence.FLAIR]
    flair[60:72, 30:42, 8:12] = 400
    flair[30:36, 70:76, 9:11] = 400
    model = read_model(write_card(tmp_path, table))
    labels = segment(Bright(model), stripped_exam, (1.0, 1.0)).labels
    # TC is told with 0.9 only, and the smaller piece is below half of the larger one.
    assert set(np.unique(labels)) == {0, Tissue.OEDEMA}
    assert not labels[:50].any()


def test_what_the_model_does_not_know_is_refused_in_time(tmp_path, stripped_exam, head_exam):
    (tmp_path / "a.onnx").write_bytes(onnx_bytes(random_layers(1, 1, seed=1)))
    more = '[networks.preparation]\nchannels = ["T2"]'
    model = read_model(
        write_card(tmp_path, network_table(tmp_path, "a.onnx", ["whole_head"], ["WT"], more=more))
    )
    with pytest.raises(UserError) as caught:
        prepare_for(model.card, stripped_exam, (1.0, 1.0))
    assert caught.value.code == "network_for_heads_only"
    with pytest.raises(UserError) as caught:
        prepare_for(model.card, head_exam, None)
    assert caught.value.code == "network_inputs_missing"
    assert caught.value.params == {"wanted": ["T2"], "present": ["FLAIR", "T1"]}


@pytest.mark.parametrize("scale", [1.0, 0.1, 30.0])
def test_empty_slices_are_told_at_any_scale(stripped_exam, scale):
    slices = np.zeros((5, 2, 32, 32), np.float32)
    slices[1:3, 0, 8:24, 8:24] = np.random.default_rng(0).normal(size=(2, 16, 16)) * scale
    slices[3] = 0.001 * scale
    prepared = Prepared(slices, (True, False), "whole_head", None)
    assert shows_tissue(prepared).tolist() == [False, True, True, False, False]
