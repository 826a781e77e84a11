from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import OneCycleLR, PolynomialLR, ReduceLROnPlateau

from brainseg_desktop.training.config import ScheduleConfig
from brainseg_desktop.training.schedules import Plateau, rate_factor


def factors(schedule: ScheduleConfig, steps: int) -> list[float]:
    return [rate_factor(step, steps, schedule, Plateau()) for step in range(steps)]


def optimizer(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


@pytest.mark.parametrize("steps", [4, 10, 57])
def test_one_cycle_is_that_of_torch(steps):
    sgd = optimizer()
    torchs = OneCycleLR(sgd, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    expected = []
    for _ in range(steps):
        expected.append(torchs.get_last_lr()[0])
        sgd.step()
        if len(expected) < steps:
            torchs.step()
    assert factors(ScheduleConfig(steps=steps, policy="one_cycle"), steps) == pytest.approx(expected)


def test_polynomial_is_that_of_torch():
    sgd = optimizer()
    torchs = PolynomialLR(sgd, total_iters=20, power=0.9)
    expected = []
    for _ in range(20):
        expected.append(torchs.get_last_lr()[0])
        sgd.step()
        torchs.step()
    assert factors(ScheduleConfig(steps=20, policy="polynomial"), 20) == pytest.approx(expected)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=40))
def test_plateau_is_that_of_torch(losses):
    torchs = ReduceLROnPlateau(optimizer(), factor=0.5, patience=3)
    plateau = Plateau()
    for loss in losses:
        torchs.step(loss)
        plateau = plateau.after(loss)
        assert plateau.factor == torchs.optimizer.param_groups[0]["lr"]


def test_plateau_halves_the_rate():
    schedule = ScheduleConfig(epochs=9, policy="plateau")
    plateau = Plateau()
    for _ in range(5):
        plateau = plateau.after(1.0)
    assert rate_factor(100, 900, schedule, plateau) == 0.5


def test_cosine_warms_up_and_falls_to_a_hundredth():
    schedule = ScheduleConfig(steps=100, warmup=10, policy="cosine")
    rates = [rate_factor(step, 100, schedule, Plateau()) for step in (0, 9, 10, 55, 100)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.505, 0.01])


def test_constant_stays():
    assert set(factors(ScheduleConfig(steps=9, policy="constant"), 9)) == {1.0}


@pytest.mark.parametrize("policy", ["constant", "cosine", "one_cycle", "plateau", "polynomial"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_rate(policy, steps):
    assert all(0 <= f <= 1 for f in factors(ScheduleConfig(steps=steps, policy=policy), steps))
