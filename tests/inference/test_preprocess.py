from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.background import Background, find_background
from brainseg_desktop.inference.kinds import detect_kind
from brainseg_desktop.inference.preprocess import (
    CHANNELS,
    drop_copies,
    normalise,
    prepare,
    to_native,
    to_working,
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


def test_working_grid_is_1_5_mm_and_240_mm_without_spacing():
    assert working_in_plane((240, 240), (1.0, 1.0)) == (160, 160)
    assert working_in_plane((256, 256), None) == (160, 160)
    assert working_in_plane((512, 256), (0.5, 1.0)) == (171, 171)


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
