from __future__ import annotations

import dataclasses

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.training.augment import (
    Samples,
    augment,
    displacement,
    drop_sequences,
    mix,
    move,
    shade,
    smooth,
)
from brainseg_desktop.training.config import AugmentConfig

CHANNELS = ("T1", "T1CE", "T2", "FLAIR")
ALL = AugmentConfig(
    flip=0.5,
    flip_rows=0.5,
    quarter_turns=0.5,
    rotation=15.0,
    scale=0.2,
    shift=4.0,
    elastic=2.0,
    gamma=0.3,
    contrast=0.3,
    brightness=0.3,
    noise=0.2,
    bias=0.3,
    blur=0.5,
    drop=0.3,
    drop_flair=0.3,
    mix=0.5,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def samples(n: int = 4, slices: int = 1, size: tuple[int, int] = (32, 48), seed: int = 0) -> Samples:
    random = generator(seed)
    images = torch.randn((n, 4, *size), generator=random).repeat(1, slices, 1, 1)
    targets = torch.zeros(n, 1, *size)
    for i in range(n):
        targets[i, 0, 8 + i : 14 + i, 10:20] = 1
    return Samples(
        images=images,
        targets=targets,
        present=torch.ones(n, 4, dtype=torch.bool),
        taught=torch.ones(n, 1),
        kinds=torch.zeros(n, dtype=torch.long),
        sizes=torch.tensor([size] * n),
    )


def moved(config: AugmentConfig, seed: int = 0, given: Samples | None = None):
    given = given or samples()
    return move(given.images, given.targets, given.sizes, None, config, generator(seed))


def test_no_strength_changes_nothing():
    given = samples()
    images, targets = augment(given, None, Preparation(), AugmentConfig(), generator())
    assert torch.equal(images, given.images.clamp(-4, 6))
    assert torch.equal(targets, given.targets)


@pytest.mark.parametrize(
    ("config", "inverse"),
    [
        (AugmentConfig(flip=1.0), lambda t: t.flip(2)),
        (AugmentConfig(flip_rows=1.0), lambda t: t.flip(3)),
        (AugmentConfig(flip=1.0, flip_rows=1.0), lambda t: t.flip(2, 3)),
    ],
)
def test_flips_are_exact(config, inverse):
    given = samples()
    images, targets = moved(config)
    torch.testing.assert_close(images, inverse(given.images), atol=1e-4, rtol=0)
    assert torch.equal(targets, inverse(given.targets))


def test_half_of_the_slices_are_flipped():
    given = samples(200, size=(8, 8))
    images, _ = moved(AugmentConfig(flip=0.5), given=given)
    same = [torch.allclose(a, b, atol=1e-4) for a, b in zip(images, given.images, strict=True)]
    assert 70 < sum(same) < 130


def test_quarter_turns_are_exact():
    given = samples(24, size=(16, 16))
    images, targets = moved(AugmentConfig(quarter_turns=1.0), given=given)
    turns = []
    for i in range(24):
        fits = [
            k
            for k in range(4)
            if torch.allclose(images[i], given.images[i].rot90(k, (1, 2)), atol=1e-4)
            and torch.equal(targets[i], given.targets[i].rot90(k, (1, 2)))
        ]
        assert len(fits) == 1
        turns += fits
    assert set(turns) == {1, 2, 3}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_image_and_mask_move_together(seed):
    given = samples()
    given = dataclasses.replace(given, images=given.targets.repeat(1, 4, 1, 1))
    geometry = AugmentConfig(
        flip=0.5, flip_rows=0.5, quarter_turns=0.3, rotation=30, scale=0.3, shift=5, elastic=2
    )
    images, targets = moved(geometry, seed, given)
    assert torch.equal((images[:, :1] >= 0.5).float(), targets)


def test_rotation_keeps_its_bound():
    # A point 20 pixels from the middle moves by no more than the largest angle says.
    point = torch.zeros(300, 1, 63, 63)
    point[:, :, 10:13, 30:33] = 1
    given = samples(300, size=(63, 63))
    _, targets = moved(AugmentConfig(rotation=20.0), given=dataclasses.replace(given, targets=point))
    columns = (targets[:, 0].sum(dim=1) * torch.arange(63)).sum(dim=1) / targets.sum(dim=(1, 2, 3))
    shift = (columns - 31).abs()
    assert shift.max() < 20 * torch.sin(torch.tensor(20 / 57.2958)) + 1
    assert shift.max() > 5


def test_a_patch_lies_anywhere_in_its_slice_and_not_beside_it():
    # Columns number themselves; padding beyond the slice of 40 columns is marked.
    given = samples(200, size=(16, 64))
    columns = torch.arange(64.0)
    inside = (columns >= 12) & (columns < 52)
    images = torch.where(inside, columns, -1.0).expand(200, 4, 16, 64)
    sizes = torch.tensor([[16, 40]] * 200)
    patches, _ = move(images, given.targets, sizes, (16, 16), AugmentConfig(), generator())
    first = patches[:, 0, 0, 0]
    assert patches.shape == (200, 4, 16, 16)
    assert patches.min() > 11
    assert first.min() < 14
    assert first.max() > 33


def test_a_patch_larger_than_the_canvas_repeats_its_edge():
    given = samples(2, size=(16, 16))
    images, _ = move(given.images, given.targets, given.sizes, (32, 16), AugmentConfig(), generator())
    torch.testing.assert_close(images[:, :, 8:24], given.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        images[:, :, :8], given.images[:, :, :1].expand(-1, -1, 8, -1), atol=1e-4, rtol=0
    )


def test_the_displacement_has_the_length_it_is_said_to_have():
    fields = displacement(3, (64, 80), generator())
    assert fields.shape == (3, 64, 80, 2)
    torch.testing.assert_close(fields.square().sum(dim=-1).mean(dim=(1, 2)), torch.ones(3))
    # Smooth: neighbours differ by little.
    assert fields.diff(dim=1).abs().max() < 0.35


@pytest.mark.parametrize("strength", ["gamma", "contrast", "brightness", "noise", "bias", "blur"])
def test_each_shading_changes_values_and_leaves_places(strength):
    given = samples(8)
    config = AugmentConfig(**{strength: 1.0})
    shaded = shade(given.images, 4, (-4.0, 6.0), config, generator(2))
    assert torch.isfinite(shaded).all()
    assert not torch.equal(shaded, given.images)
    if strength in ("gamma", "contrast", "brightness"):
        for a, b in zip(shaded.flatten(0, 1), given.images.clamp(-4, 6).flatten(0, 1), strict=True):
            order = b.flatten().argsort()
            assert (a.flatten()[order].diff() >= -1e-4).all()


@pytest.mark.parametrize("normalise", ["tissue", "minmax", "zscore"])
def test_values_stay_in_the_range_of_the_preparation(normalise):
    given = samples(8)
    if normalise == "minmax":
        given = dataclasses.replace(given, images=given.images.sigmoid())
    images, _ = augment(given, None, Preparation(normalise=normalise), ALL, generator(1))
    assert torch.isfinite(images).all()
    low, high = {"tissue": (-4, 6), "minmax": (0, 1), "zscore": (-40, 40)}[normalise]
    assert low <= images.min()
    assert images.max() <= high
    assert images.std() > 0.1


def test_neighbours_share_transform_and_shading():
    # Three equal slices stay equal but for the noise, which each has of its own.
    config = msgspec.structs.replace(ALL, noise=0.0)
    images, _ = augment(samples(4, slices=3), (32, 32), Preparation(context=(-1, 0, 1)), config, generator(5))
    slices = images.unflatten(1, (3, 4))
    assert torch.equal(slices[:, 0], slices[:, 1])
    assert torch.equal(slices[:, 0], slices[:, 2])


def test_noise_is_drawn_for_every_slice():
    config = AugmentConfig(noise=1.0)
    images, _ = augment(samples(8, slices=2), None, Preparation(context=(0, 1)), config, generator(5))
    slices = images.unflatten(1, (2, 4))
    assert not torch.equal(slices[:, 0], slices[:, 1])


def test_missing_sequences_stay_zero_and_one_is_always_left():
    present = torch.tensor([[True, True, False, True]] * 200)
    kept = drop_sequences(present, CHANNELS, AugmentConfig(drop=0.9, drop_flair=0.9), generator())
    assert not kept[:, 2].any()
    assert kept.any(dim=1).all()
    given = dataclasses.replace(samples(slices=3), present=present[:4])
    images, _ = augment(given, None, Preparation(context=(-1, 0, 1)), ALL, generator())
    slices = images.unflatten(1, (3, 4))
    assert not slices[:, :, 2].any()
    # A sequence is left out of all slices or of none.
    shown = slices.flatten(3).any(dim=3)
    assert torch.equal(shown[:, 0], shown[:, 2])


def test_flair_has_a_chance_of_its_own():
    present = torch.ones(400, 4, dtype=torch.bool)
    kept = drop_sequences(present, CHANNELS, AugmentConfig(drop=0.5, drop_flair=0.0), generator())
    assert kept[:, 3].all()
    assert 120 < int(kept[:, 0].sum()) < 280
    renamed = drop_sequences(present, ("FLAIR", "T1", "T2", "T1CE"), AugmentConfig(drop=0.5), generator())
    assert renamed[:, 0].all()


def test_a_tumour_is_pasted_with_its_image():
    given = samples(4)
    images, targets = mix(given, 1.0, generator(1))
    for i in range(4):
        gained = (targets[i, 0] > 0) & (given.targets[i, 0] == 0)
        changed = (images[i] != given.images[i]).any(dim=0)
        assert gained.any()
        assert changed[gained].all()
        donors = [
            j
            for j in range(4)
            if j != i
            and torch.equal(images[i][:, changed], given.images[j][:, changed])
            and torch.equal(targets[i][:, changed], given.targets[j][:, changed])
        ]
        assert len(donors) == 1
    assert torch.equal(given.targets, samples(4).targets)


@pytest.mark.parametrize(
    "other",
    [
        {"kinds": torch.tensor([0, 1])},
        {"present": torch.tensor([[True] * 4, [True, True, False, True]])},
        {"taught": torch.tensor([[1.0], [0.0]])},
    ],
)
def test_tumours_stay_among_their_like(other):
    given = dataclasses.replace(samples(2), **other)
    images, targets = mix(given, 1.0, generator())
    assert torch.equal(images, given.images)
    assert torch.equal(targets, given.targets)


def test_a_slice_alone_is_not_mixed():
    given = samples(1)
    assert mix(given, 1.0, generator())[0] is given.images


def test_the_generator_alone_decides():
    first, again, other = (
        augment(samples(), (32, 32), Preparation(), ALL, generator(s))[0] for s in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_smooth_fields_are_those_of_torch():
    knots = torch.randn(2, 3, 4, 5, generator=generator())
    expected = torch.nn.functional.interpolate(knots, (30, 41), mode="bicubic", align_corners=False)
    torch.testing.assert_close(smooth(knots, (30, 41)), expected, atol=1e-5, rtol=0)


def test_a_slice_alone_is_augmented():
    # Often no slice is chosen for noise, bias or blur.
    for seed in range(12):
        images, targets = augment(samples(1), (16, 32), Preparation(), ALL, generator(seed))
        assert images.shape == (1, 4, 16, 32)
        assert targets.shape == (1, 1, 16, 32)
        assert torch.isfinite(images).all()
