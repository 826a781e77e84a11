"""How fast to learn at each step."""

from __future__ import annotations

import math

import msgspec

from brainseg_desktop.training.config import ScheduleConfig

# As torch.optim.lr_scheduler.OneCycleLR has them.
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4
COSINE_END = 0.01
POLYNOMIAL_POWER = 0.9
PLATEAU_FACTOR = 0.5
PLATEAU_PATIENCE = 3
PLATEAU_LEAST_GAIN = 1e-4


class Plateau(msgspec.Struct, frozen=True):
    """Where the policy ``plateau`` stands; as torch.optim.lr_scheduler.ReduceLROnPlateau.

    Parameters
    ----------
    factor : float
        Of the recipe's rate.
    best : float or None
        Lowest loss so far.
    waited : int
        Epochs since.
    """

    factor: float = 1.0
    best: float | None = None
    waited: int = 0

    def after(self, loss: float) -> Plateau:
        """The state after an epoch with this validation loss."""
        if self.best is None or loss < self.best * (1 - PLATEAU_LEAST_GAIN):
            return Plateau(self.factor, loss, 0)
        if self.waited == PLATEAU_PATIENCE:
            return Plateau(self.factor * PLATEAU_FACTOR, self.best, 0)
        return Plateau(self.factor, self.best, self.waited + 1)


def rate_factor(step: int, steps: int, schedule: ScheduleConfig, plateau: Plateau) -> float:
    """What the recipe's rate is multiplied with.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    steps : int
        Optimizer steps of the whole run.
    """
    if schedule.policy == "one_cycle":
        return one_cycle(step, steps)
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = min(1.0, (step - schedule.warmup) / max(1, steps - schedule.warmup))
    match schedule.policy:
        case "cosine":
            return _cosine(1.0, COSINE_END, done)
        case "polynomial":
            return float((1 - done) ** POLYNOMIAL_POWER)
        case "plateau":
            return plateau.factor
        case _:
            return 1.0


def one_cycle(step: int, steps: int) -> float:
    """Up along a half cosine for three tenths of the steps, then down (Smith & Topin, 2019)."""
    top, last = ONE_CYCLE_RISE * steps - 1, steps - 1
    if step < top:
        return _cosine(ONE_CYCLE_START, 1.0, step / top)
    return _cosine(1.0, ONE_CYCLE_START * ONE_CYCLE_END, min(1.0, (step - top) / (last - top)))


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))
