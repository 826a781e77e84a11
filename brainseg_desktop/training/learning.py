"""One optimizer step: gradients of its batches, the optimizer, the running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.batches import Batch, BatchSource
from brainseg_desktop.training.checkpoint import State
from brainseg_desktop.training.config import Recipe, ScheduleConfig
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.losses import Loss
from brainseg_desktop.training.precision import autocast
from brainseg_desktop.training.ranks import Ranks
from brainseg_desktop.training.schedules import rate_factor
from brainseg_desktop.training.teachers import Teachers

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """All of a run that does not change.

    Parameters
    ----------
    validation : sequence of PreparedExam
    forward : nn.Module
        The network, or the network that shares its gradients with other processes.
    steps : int
        Optimizer steps.
    teachers : Teachers, optional
    """

    recipe: Recipe
    ranks: Ranks
    source: BatchSource
    validation: Sequence[PreparedExam]
    loss: Loss
    forward: nn.Module
    steps: int
    tell: Tell
    teachers: Teachers | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return self.source.steps_per_epoch

    @property
    def epochs(self) -> int:
        """Epochs, the last of which may be cut short."""
        return math.ceil(self.steps / self.steps_per_epoch)


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of a recipe; weights decay, biases and norms do not."""
    config = recipe.optimizer
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.learning_rate, fused=True)


def sharing(network: nn.Module, ranks: Ranks) -> nn.Module:
    """The network itself, or one that shares its gradients with the other processes."""
    if ranks.size == 1:
        return network
    return DistributedDataParallel(network, [ranks.device] if ranks.device.type == "cuda" else None)


def learn(state: State, batches: Sequence[Batch], course: Course) -> tuple[float, float]:
    """One optimizer step from the gradients of its batches; returns the loss and the learning rate.

    Raises
    ------
    UserError
        ``training_diverged`` (param ``step``); the weights are still those of the step before.
    """
    schedule, device, progress = course.recipe.schedule, course.ranks.device, state.progress
    factor = rate_factor(progress.step, course.steps, schedule, progress.plateau)
    rate = course.recipe.optimizer.learning_rate * factor
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.network.train()
    state.optimizer.zero_grad(set_to_none=False)
    slices = sum(len(batch.taught) for batch in batches)
    mean = 0.0
    for index, drawn in enumerate(batches):
        layout = torch.channels_last if drawn.images.ndim == 4 else torch.channels_last_3d
        batch = drawn.to(device, layout)
        # Processes share their gradients once a step, with those of its last batch.
        shared = index == len(batches) - 1 or not isinstance(course.forward, DistributedDataParallel)
        with nullcontext() if shared else course.forward.no_sync():  # type: ignore[operator]
            with autocast(batch.images, device, schedule.bf16):
                logits = course.forward(batch.images)
            targets = batch.targets
            if course.teachers is not None:
                targets = course.teachers.softened(batch.images, targets)
            loss = course.loss(logits.float(), targets, batch.taught)
            loss = loss * (len(batch.taught) / slices)
            loss.backward()  # type: ignore[no-untyped-call]
        mean += float(loss.detach())
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), schedule.clip or math.inf)
    if not math.isfinite(mean) or not math.isfinite(float(norm)):
        raise UserError("training_diverged", step=progress.step + 1)
    state.optimizer.step()
    update_average(state, schedule)
    return mean, rate


@torch.no_grad()
def update_average(state: State, schedule: ScheduleConfig) -> None:
    """Move the running average of the weights and of the norms' statistics, faster in the beginning."""
    if state.average is None:
        return
    step = state.progress.step
    decay = min(schedule.ema, (1 + step) / (10 + step))
    own = state.network.state_dict()
    moving = [name for name, value in own.items() if value.is_floating_point()]
    averages, values = [state.average[name] for name in moving], [own[name] for name in moving]
    # One call for all: a GPU would wait for the some hundred calls.
    torch._foreach_lerp_(averages, values, 1 - decay)
    for name in own.keys() - set(moving):
        state.average[name].copy_(own[name])
