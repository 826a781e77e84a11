from __future__ import annotations

import math

import pytest
import torch

from brainseg_desktop.training.losses import (
    SLICE_SMOOTH,
    SMOOTH,
    cross_entropy,
    dice_loss,
    region_loss,
    slice_dice_loss,
)


def test_logits_of_0_cost_log_2():
    logits = torch.zeros(2, 3, 4, 4)
    assert cross_entropy(logits, torch.ones_like(logits), torch.ones(2, 3)).item() == pytest.approx(
        math.log(2)
    )


def test_dice_in_closed_form():
    # Probability one half everywhere, target on 4 of 16 pixels.
    target = torch.zeros(1, 1, 4, 4)
    target[..., :1, :] = 1
    expected = 1 - (2 * 0.5 * 4 + SMOOTH) / (8 + 4 + SMOOTH)
    assert dice_loss(torch.zeros(1, 1, 4, 4), target, torch.ones(1, 1)).item() == pytest.approx(expected)


def test_a_region_that_is_not_taught_adds_nothing_and_gets_no_gradient():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    target = (torch.rand(2, 3, 4, 4) > 0.5).float()
    taught = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    loss = region_loss(logits, target, taught)
    loss.backward()
    assert torch.count_nonzero(logits.grad[:, 1:]) == 0
    assert torch.count_nonzero(logits.grad[:, 0]) == 32
    only = region_loss(logits.detach()[:, :1], target[:, :1], torch.ones(2, 1))
    assert loss.item() == pytest.approx(only.item())


def test_mixed_batch_counts_each_sample_where_it_is_taught():
    logits = torch.zeros(2, 3, 2, 2)
    target = torch.zeros(2, 3, 2, 2)
    target[1] = 1
    taught = torch.tensor([[1.0, 0, 0], [1.0, 1, 1]])
    # ET is taught by the second sample alone: probability one half, all four pixels tumour.
    et = 1 - (2 * 0.5 * 4 + SMOOTH) / (2 + 4 + SMOOTH)
    wt = 1 - (2 * 0.5 * 4 + SMOOTH) / (4 + 4 + SMOOTH)
    assert dice_loss(logits, target, taught).item() == pytest.approx((wt + et + et) / 3)


def test_slice_dice_weighs_a_small_tumour_like_a_large_one():
    # Probability one half on 4 x 4 pixels; one slice has 1 pixel of tumour, the other 12.
    target = torch.zeros(2, 1, 4, 4)
    target[0, 0, 0, 0] = 1
    target[1, 0, :3] = 1
    each = [1 - (2 * 0.5 * n + SLICE_SMOOTH) / (8 + n + SLICE_SMOOTH) for n in (1, 12)]
    found = slice_dice_loss(torch.zeros(2, 1, 4, 4), target, torch.ones(2, 1)).item()
    assert found == pytest.approx(sum(each) / 2)


def test_nothing_taught_costs_nothing():
    assert region_loss(torch.randn(1, 3, 2, 2), torch.ones(1, 3, 2, 2), torch.zeros(1, 3)).item() == 0
