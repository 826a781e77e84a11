from __future__ import annotations

import torch

from brainseg_desktop.training.augment import augment, drop_sequences, move
from brainseg_desktop.training.config import AugmentConfig

NONE = AugmentConfig(
    rotation=0,
    scale=0,
    shift=0,
    gamma=0,
    contrast=0,
    brightness=0,
    noise=0,
    bias=0,
    blur=0,
    drop=0,
    drop_flair=0,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_strength_it_only_flips():
    images = torch.rand(8, 4, 16, 24)
    regions = (torch.rand(8, 3, 16, 24) > 0.5).float()
    moved, masks = move(images, regions, (16, 24), NONE, generator())
    flipped = [not torch.allclose(moved[i], images[i], atol=1e-4) for i in range(8)]
    assert any(flipped)
    assert not all(flipped)
    for i, flip in enumerate(flipped):
        torch.testing.assert_close(moved[i], images[i].flip(1) if flip else images[i], atol=1e-4, rtol=0)
        assert torch.equal(masks[i], regions[i].flip(1) if flip else regions[i])


def test_image_and_mask_move_together():
    block = torch.zeros(6, 1, 48, 48)
    block[:, :, 10:22, 14:30] = 1
    moved, masks = move(block, block, (48, 48), AugmentConfig(), generator(1))
    assert ((moved >= 0.5).float() == masks).all()
    assert (masks.sum(dim=(1, 2, 3)) > 60).all()


def test_missing_sequences_stay_zero_and_one_is_always_left():
    present = torch.tensor([[True, True, False, True]] * 200)
    kept = drop_sequences(present, AugmentConfig(drop=0.9, drop_flair=0.9), generator())
    assert not kept[:, 2].any()
    assert kept.any(dim=1).all()
    images, _ = augment(
        torch.rand(4, 4, 32, 32),
        torch.zeros(4, 3, 32, 32),
        present[:4],
        (32, 32),
        AugmentConfig(),
        generator(),
    )
    assert not images[:, 2].any()


def test_the_generator_alone_decides():
    batch = (torch.rand(2, 4, 32, 32), torch.zeros(2, 3, 32, 32), torch.ones(2, 4, dtype=torch.bool))
    first, again, other = (augment(*batch, (32, 32), AugmentConfig(), generator(s))[0] for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.isfinite(first).all()
