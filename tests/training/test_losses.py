from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.training.config import LossConfig
from brainseg_desktop.training.losses import (
    SLICE_SMOOTH,
    SMOOTH,
    build_loss,
    cross_entropy,
    dice_loss,
    slice_dice_loss,
)

NAMES = ("dice", "bce_dice", "weighted_bce_dice", "ce_dice", "focal_tversky", "region")


def example(name: str, seed: int = 0, *spatial: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits and targets, classes exclusive, of two samples."""
    generator = torch.Generator().manual_seed(seed)
    spatial = spatial or (6, 5)
    classes = torch.randint(0, 4, (2, *spatial), generator=generator)
    targets = torch.stack([classes == c for c in (1, 2, 3)], dim=1).float()
    logits = torch.randn(2, 4 if name == "ce_dice" else 3, *spatial, generator=generator)
    return logits, targets


def oracle(config: LossConfig, logits: np.ndarray, targets: np.ndarray, taught: np.ndarray) -> float:
    """The same losses pixel by pixel."""
    n, regions = taught.shape
    pixels = list(np.ndindex(*targets.shape[2:]))
    if config.name == "ce_dice":
        exp = np.exp(logits)
        probability = (exp / exp.sum(axis=1, keepdims=True))[:, 1:]
        whole = np.concatenate([1 - targets.sum(axis=1, keepdims=True), targets], axis=1)
        full = exp / exp.sum(axis=1, keepdims=True)
        entropies = [-np.log((full[i] * whole[i]).sum(axis=0)).mean() for i in range(n) if taught[i].all()]
        entropy = sum(entropies) / len(entropies)
        taught = np.repeat(taught.all(axis=1, keepdims=True), regions, axis=1)
    else:
        probability = 1 / (1 + np.exp(-logits))
        weight = config.pos_weight if config.name == "weighted_bce_dice" else 1
        entropies = []
        for i, r in zip(*np.nonzero(taught), strict=True):
            p, t = probability[i, r], targets[i, r]
            entropies.append(-(weight * t * np.log(p) + (1 - t) * np.log(1 - p)).mean())
        entropy = sum(entropies) / len(entropies)
    batch, tversky, each = [], [], []
    for r in range(regions):
        tp = fp = fn = 0.0
        for i in range(n):
            if not taught[i, r]:
                continue
            a = b = c = 0.0
            for at in pixels:
                p, t = probability[i, r][at], targets[i, r][at]
                a, b, c = a + p * t, b + p * (1 - t), c + (1 - p) * t
            tp, fp, fn = tp + a, fp + b, fn + c
            each.append(1 - (2 * a + SLICE_SMOOTH) / (2 * a + b + c + SLICE_SMOOTH))
        if taught[:, r].any():
            batch.append(1 - (2 * tp + SMOOTH) / (2 * tp + fp + fn + SMOOTH))
            index = (tp + SMOOTH) / (tp + config.alpha * fp + config.beta * fn + SMOOTH)
            tversky.append((1 - index) ** config.gamma)
    dice = float(np.mean(batch))
    return {
        "dice": dice,
        "focal_tversky": float(np.mean(tversky)),
        "region": entropy + (dice + float(np.mean(each))) / 2,
    }.get(config.name, entropy + dice)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("taught", [[[1, 1, 1], [1, 1, 1]], [[1, 1, 1], [0, 0, 0]]])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_loss_is_what_its_formula_says(name, taught, seed):
    config = LossConfig(name=name)
    logits, targets = example(name, seed)
    found = build_loss(config)(logits, targets, torch.tensor(taught, dtype=torch.float32))
    expected = oracle(config, logits.double().numpy(), targets.numpy(), np.array(taught, bool))
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_cost_what_their_slices_cost_together(name):
    logits, targets = example(name, 3, 4, 6, 5)
    taught = torch.ones(2, 3)
    flat = [t.flatten(2, 3) for t in (logits, targets)]
    loss = build_loss(LossConfig(name=name))
    torch.testing.assert_close(loss(logits, targets, taught), loss(*flat, taught))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_taught_adds_nothing_and_gets_no_gradient(name):
    logits, targets = example(name)
    logits.requires_grad_()
    loss = build_loss(LossConfig(name=name))
    taught = torch.tensor([[1.0, 1, 1], [0, 0, 0]])
    value = loss(logits, targets, taught)
    value.backward()
    assert torch.count_nonzero(logits.grad[1]) == 0
    assert torch.count_nonzero(logits.grad[0]) > 0
    alone = loss(logits.detach()[:1], targets[:1], taught[:1])
    assert value.item() == pytest.approx(alone.item())


@pytest.mark.parametrize("name", [n for n in NAMES if n != "ce_dice"])
def test_one_known_region_teaches_itself_alone(name):
    logits, targets = example(name)
    logits.requires_grad_()
    loss = build_loss(LossConfig(name=name))
    value = loss(logits, targets, torch.tensor([[1.0, 0, 0]] * 2))
    value.backward()
    assert torch.count_nonzero(logits.grad[:, 1:]) == 0
    only = loss(logits.detach()[:, :1], targets[:, :1], torch.ones(2, 1))
    assert value.item() == pytest.approx(only.item())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_taught_costs_nothing(name):
    logits, targets = example(name)
    logits.requires_grad_()
    value = build_loss(LossConfig(name=name))(logits, targets, torch.zeros(2, 3))
    assert value.item() == 0
    value.backward()
    assert torch.count_nonzero(logits.grad) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_costs_almost_nothing_and_stays_finite(name):
    _, targets = example(name)
    known = targets
    if name == "ce_dice":
        known = torch.cat([1 - targets.sum(dim=1, keepdim=True), targets], dim=1)
    logits = ((known * 2 - 1) * 30).requires_grad_()
    value = build_loss(LossConfig(name=name))(logits, targets, torch.ones(2, 3))
    value.backward()
    assert value.item() < 1e-3
    assert torch.isfinite(logits.grad).all()


def test_logits_of_0_cost_log_2():
    logits = torch.zeros(2, 3, 4, 4)
    ones = torch.ones(2, 3)
    assert cross_entropy(logits, torch.ones_like(logits), ones).item() == pytest.approx(math.log(2))
    tumour = cross_entropy(logits, torch.ones_like(logits), ones, pos_weight=3.0)
    assert tumour.item() == pytest.approx(3 * math.log(2))
    healthy = cross_entropy(logits, torch.zeros_like(logits), ones, pos_weight=3.0)
    assert healthy.item() == pytest.approx(math.log(2))


def test_dice_in_closed_form():
    # Probability one half everywhere, target on 4 of 16 pixels.
    target = torch.zeros(1, 1, 4, 4)
    target[..., :1, :] = 1
    expected = 1 - (2 * 0.5 * 4 + SMOOTH) / (8 + 4 + SMOOTH)
    assert dice_loss(torch.zeros(1, 1, 4, 4), target, torch.ones(1, 1)).item() == pytest.approx(expected)


def test_slice_dice_weighs_a_small_tumour_like_a_large_one():
    # Probability one half on 4 x 4 pixels; one slice has 1 pixel of tumour, the other 12.
    target = torch.zeros(2, 1, 4, 4)
    target[0, 0, 0, 0] = 1
    target[1, 0, :3] = 1
    each = [1 - (2 * 0.5 * n + SLICE_SMOOTH) / (8 + n + SLICE_SMOOTH) for n in (1, 12)]
    found = slice_dice_loss(torch.zeros(2, 1, 4, 4), target, torch.ones(2, 1)).item()
    assert found == pytest.approx(sum(each) / 2)
