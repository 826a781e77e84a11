from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.background import Background, find_background
from brainseg_desktop.inference.kinds import detect_kind
from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.inference.preprocess import (
    CHANNELS,
    Frame,
    drop_copies,
    normalise,
    prepare,
    recognise_kind,
    to_native,
    to_working,
    with_context,
    working_in_plane,
)


def test_slices_are_multiples_of_16_and_hold_the_head(stripped_exam):
    prepared = prepare(stripped_exam, (1.0, 1.0))
    assert prepared.slices.shape[0] == 20
    assert prepared.slices.shape[1] == 4
    assert all(n % 16 == 0 for n in prepared.slices.shape[2:])
    assert prepared.present == (True, True, True, True)
    # 72 x 88 mm of brain at 1.5 mm is 48 x 59 pixels.
    assert prepared.frame.size[0] >= 48
    assert prepared.frame.size[1] >= 59


def test_working_grid_has_the_spacing_asked_for_and_240_mm_without_one():
    assert working_in_plane((240, 240), (1.0, 1.0), 1.5) == (160, 160)
    assert working_in_plane((240, 240), (1.0, 1.0), 2.0) == (120, 120)
    assert working_in_plane((256, 256), None, 1.5) == (160, 160)
    assert working_in_plane((512, 256), (0.5, 1.0), 1.5) == (171, 171)


def test_way_there_and_back_keeps_a_smooth_image(stripped_exam):
    frame = prepare(stripped_exam, (1.0, 1.0)).frame
    x, y = np.meshgrid(np.arange(96), np.arange(112), indexing="ij")
    blob = np.exp(-((x - 50) ** 2 + (y - 60) ** 2) / (2 * 12**2))
    smooth = blob.astype(np.float32)[..., None].repeat(20, 2)
    back = to_native(to_working(smooth, frame)[:, None], frame)
    assert back.shape == (1, 96, 112, 20)
    # Blur of the averaging filter: well below a hundredth for a structure of 12 mm.
    assert np.abs(back[0] - smooth)[10:-10, 10:-10].max() < 0.02


def test_way_back_puts_a_block_where_it_was(stripped_exam):
    frame = prepare(stripped_exam, (1.0, 1.0)).frame
    block = np.zeros((96, 112, 20), bool)
    block[40:61, 30:51, 5:9] = True
    back = to_native(to_working(block, frame)[:, None], frame)[0] >= 0.5
    dice = 2 * (back & block).sum() / (back.sum() + block.sum())
    assert dice > 0.97
    assert not back[..., :5].any()
    assert not back[..., 9:].any()


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (37.0, 0.0), (1.0, 1000.0), (0.01, -0.5)])
def test_normalisation_does_not_see_scale_or_shifted_background(stripped_exam, scale, shift):
    plain = prepare(stripped_exam, (1.0, 1.0))
    other = prepare({s: d * scale + shift for s, d in stripped_exam.items()}, (1.0, 1.0))
    assert other.kind == plain.kind == "skull_stripped"
    assert other.frame == plain.frame
    np.testing.assert_allclose(other.slices, plain.slices, atol=5e-3)


def test_tissue_has_mean_0_and_deviation_1():
    slices = np.zeros((2, 64, 64), np.float32)
    slices[:, 16:48, 16:48] = np.random.default_rng(0).normal(500, 40, (2, 32, 32))
    scaled = normalise(slices, Background(0.0, 20.0, False))
    inside = scaled[:, 16:48, 16:48]
    assert abs(float(inside.mean())) < 0.05
    assert abs(float(inside.std()) - 1) < 0.05
    # Background at -12.5 deviations is clipped.
    assert scaled.min() == -4


def test_zero_around_a_z_scored_brain_is_background_on_both_sides(stripped_exam):
    data = stripped_exam[Sequence.T1]
    tissue = data != 0
    scored = np.where(tissue, (data - data[tissue].mean()) / data[tissue].std(), 0).astype(np.float32)
    background = find_background(scored)
    assert background.value == 0
    assert background.both_sides
    assert (background.foreground(scored) == tissue).mean() > 0.99


def test_missing_sequence_and_copy_are_zero(head_exam):
    head_exam[Sequence.T1CE] = head_exam[Sequence.FLAIR].copy()
    prepared = prepare(head_exam, None)
    assert prepared.present == (True, False, False, True)
    assert not prepared.slices[:, 1:3].any()
    assert prepared.slices[:, 0].any()
    assert drop_copies(head_exam) == (Sequence.FLAIR, Sequence.T1)


def test_nan_and_infinity_become_background(stripped_exam):
    plain = prepare(stripped_exam, (1.0, 1.0))
    stripped_exam[Sequence.T2] = stripped_exam[Sequence.T2].copy()
    stripped_exam[Sequence.T2][48, 56, 10] = np.nan
    stripped_exam[Sequence.T2][50, 56, 10] = np.inf
    prepared = prepare(stripped_exam, (1.0, 1.0))
    assert np.isfinite(prepared.slices).all()
    channel = CHANNELS.index(Sequence.T2)
    # A pixel of the network is made of some four by four voxels: no other is touched.
    assert (np.abs(prepared.slices - plain.slices) > 0.05).sum() <= 32
    assert not (np.abs(prepared.slices - plain.slices)[:, [c for c in range(4) if c != channel]] > 0.01).any()


def test_constant_image_does_not_divide_by_zero():
    prepared = prepare({Sequence.FLAIR: np.full((32, 32, 3), 7.0, np.float32)}, (1.0, 1.0))
    assert not prepared.slices.any()


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one 3-D shape"):
        prepare({Sequence.T1: np.zeros((4, 4, 2)), Sequence.T2: np.zeros((4, 4, 3))}, None)


def test_kinds_are_told_apart(stripped_exam, head_exam):
    assert detect_kind(stripped_exam) == "skull_stripped"
    assert detect_kind({Sequence.FLAIR: stripped_exam[Sequence.FLAIR]}) == "skull_stripped"
    assert detect_kind(head_exam) == "whole_head"
    assert detect_kind({Sequence.FLAIR: head_exam[Sequence.FLAIR]}) == "whole_head"
    assert detect_kind({}) == "whole_head"


def test_head_on_a_cleaned_background_is_still_a_head(head_exam):
    cleaned = np.where(head_exam[Sequence.T1] < 15, 0, head_exam[Sequence.T1])
    assert detect_kind({Sequence.T1: cleaned}) == "whole_head"


def test_channels_are_those_asked_for_in_their_order(stripped_exam):
    every = prepare(stripped_exam, (1.0, 1.0))
    two = prepare(stripped_exam, (1.0, 1.0), Preparation(channels=("FLAIR", "T1")))
    assert two.present == (True, True)
    assert two.slices.shape[1] == 2
    if two.frame == every.frame:
        np.testing.assert_array_equal(two.slices, every.slices[:, [3, 0]])
    # Names and members of `Sequence` are one.
    named = prepare({s.value: data for s, data in stripped_exam.items()}, (1.0, 1.0))
    np.testing.assert_array_equal(named.slices, every.slices)


def test_an_exam_without_any_channel_asked_for_is_refused(head_exam):
    with pytest.raises(UserError) as caught:
        prepare(head_exam, None, Preparation(channels=("T2", "image")))
    assert caught.value.code == "network_inputs_missing"
    assert caught.value.params == {"wanted": ["T2", "image"], "present": ["FLAIR", "T1"]}


def test_a_picture_is_resized_whole_and_its_kind_is_not_guessed():
    picture = np.random.default_rng(0).integers(1, 200, (60, 90, 1)).astype(np.uint8)
    preparation = Preparation(channels=("image",), size=(128, 96), normalise="minmax")
    prepared = prepare({"image": picture}, None, preparation)
    assert prepared.frame == Frame((60, 90, 1), (128, 96), (0, 0), (128, 96))
    assert prepared.slices.shape == (1, 1, 128, 96)
    assert prepared.kind == "whole_head"
    # A ramp along one side comes back as it was, but for its ends.
    ramp = np.linspace(1, 100, 60)[:, None, None].repeat(90, 1).astype(np.float32)
    there = prepare({"image": ramp}, None, preparation)
    back = to_native(there.slices, there.frame)[0]
    np.testing.assert_allclose(back[3:-3], (ramp[3:-3] - 1) / 99, atol=0.01)


def test_zscore_is_over_what_is_not_zero_and_is_not_clipped():
    data = np.zeros((64, 64, 3), np.float32)
    data[16:48, 16:48] = np.random.default_rng(0).normal(500, 40, (32, 32, 3))
    data[30:34, 30:34] = 2000
    data[0, 0, 0] = np.nan
    values = data[(data != 0) & np.isfinite(data)].astype(np.float64)
    prepared = prepare({"T1": data}, (1.5, 1.5), Preparation(channels=("T1",), normalise="zscore"))
    assert prepared.slices.max() == pytest.approx((2000 - values.mean()) / values.std(), rel=1e-4)
    assert prepared.slices.min() == pytest.approx(-values.mean() / values.std(), rel=1e-4)


def test_minmax_is_from_0_to_1_over_what_is_not_zero():
    data = np.zeros((64, 64, 3), np.float32)
    data[16:48, 16:48] = np.linspace(100, 300, 32)[:, None, None]
    prepared = prepare({"T1": data}, (1.5, 1.5), Preparation(channels=("T1",), normalise="minmax"))
    assert prepared.slices.min() == 0
    assert prepared.slices.max() == pytest.approx(1, abs=0.02)
    assert prepared.slices[1, 0, prepared.slices.shape[2] // 2].max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("how", ["zscore", "minmax"])
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_an_image_of_nothing_is_zero(how, value):
    data = np.full((32, 32, 2), value, np.float32)
    prepared = prepare({"FLAIR": data}, (1.0, 1.0), Preparation(normalise=how))
    assert not prepared.slices.any()


def test_neighbours_are_stacked_slice_by_slice_and_repeated_at_the_ends():
    slices = np.arange(5, dtype=np.float16)[:, None, None, None] + np.array([0, 100])[:, None, None]
    stack = with_context(slices.astype(np.float16), [0, 3, 4], (-1, 0, 2))
    assert stack.shape == (3, 6, 1, 1)
    assert stack.dtype == np.float32
    assert stack[:, :, 0, 0].tolist() == [
        [0, 100, 0, 100, 2, 102],
        [2, 102, 3, 103, 4, 104],
        [3, 103, 4, 104, 4, 104],
    ]
    np.testing.assert_array_equal(with_context(slices, [2, 0], (0,)), slices[[2, 0]])


def test_a_copy_does_not_count_when_the_kind_is_told(head_exam, stripped_exam):
    head_exam[Sequence.T1CE] = head_exam[Sequence.FLAIR].copy()
    assert recognise_kind(head_exam) == prepare(head_exam, None).kind == "whole_head"
    assert recognise_kind(stripped_exam) == "skull_stripped"
    assert recognise_kind({"image": stripped_exam[Sequence.T1]}) == "whole_head"
