"""The training run: read, learn, check, keep. Interrupted, it goes on from the last checkpoint."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brainseg_desktop.training.architectures.unet import UNet, count_parameters
from brainseg_desktop.training.batches import Batch, BatchSource
from brainseg_desktop.training.checkpoint import State, load_checkpoint, save_checkpoint
from brainseg_desktop.training.config import Recipe, ScheduleConfig, read_recipe
from brainseg_desktop.training.datasets import WHOLE_HEAD, TrainingExam, find_exams, prepare_exam
from brainseg_desktop.training.losses import region_loss
from brainseg_desktop.training.publish import publish
from brainseg_desktop.training.stripping import strip_exam

log = logging.getLogger(__name__)

ProgressCallback = Callable[[int, int, str], None]


def train(recipe_path: Path, *, resume: bool = False, progress: ProgressCallback | None = None) -> Path:
    """Train the network of a recipe, then write and score its model folder.

    Parameters
    ----------
    recipe_path : Path
    resume : bool
        Go on from the checkpoint in the recipe's work folder.
    progress : callable, optional
        Called with the step, the number of steps and one line of text.

    Returns
    -------
    Path
        The model's folder.
    """
    recipe = read_recipe(recipe_path)
    work = Path(recipe.work)
    tell = progress or (lambda step, steps, text: log.info("%d/%d %s", step, steps, text))
    torch.set_num_threads(recipe.schedule.threads)
    torch.set_flush_denormal(True)
    exams = read_exams(recipe, recipe.split.train, tell)
    stripped = strip_exams(exams)
    validation = read_exams(recipe, recipe.split.validation, tell)
    state = start_state(recipe)
    if resume:
        load_checkpoint(state, work)
        tell(state.step, recipe.schedule.steps, "resumed")
    tell(
        state.step,
        recipe.schedule.steps,
        f"{count_parameters(state.network)} parameters, {len(exams)} exams, {len(stripped)} stripped by us",
    )
    watched = [*validation, *strip_exams(validation)]
    run_steps(state, BatchSource(exams, stripped, recipe), watched, recipe, work, tell)
    return publish(recipe_path, tell=lambda text: tell(state.step, recipe.schedule.steps, text))


def read_exams(recipe: Recipe, names: tuple[str, ...], tell: ProgressCallback) -> list[TrainingExam]:
    """Read and preprocess the exams of one side of the split."""
    exams = []
    for exam in find_exams(recipe.data, names):
        exams.append(prepare_exam(exam))
        tell(0, recipe.schedule.steps, f"read {exam.name}")
    return exams


def strip_exams(exams: list[TrainingExam]) -> list[TrainingExam]:
    """Skull-stripped variants of the whole heads."""
    variants = (strip_exam(exam) for exam in exams if exam.kind == WHOLE_HEAD)
    return [variant for variant in variants if variant is not None]


def start_state(recipe: Recipe) -> State:
    """A fresh network, its running average and its optimizer."""
    torch.manual_seed(recipe.seed)
    network = UNet(recipe.network.widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [p for p in network.parameters() if p.ndim == 4]
    others = [p for p in network.parameters() if p.ndim != 4]
    groups = [
        {"params": decayed, "weight_decay": recipe.schedule.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.schedule.learning_rate, fused=True)
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    return State(network, average, optimizer)


def run_steps(
    state: State,
    source: BatchSource,
    validation: list[TrainingExam],
    recipe: Recipe,
    work: Path,
    tell: ProgressCallback,
) -> None:
    """Learn until the recipe's last step; check and keep on the way."""
    schedule = recipe.schedule
    losses: dict[int, list[float]] = {0: [], 1: []}
    before, started = state.seconds, time.monotonic()
    while state.step < schedule.steps:
        batch = source.draw(state.step)
        losses[batch.kind].append(learn(state, batch, schedule))
        state.step += 1
        state.seconds = before + time.monotonic() - started
        if state.step % 50 == 0 or state.step == schedule.steps:
            means = " ".join(f"{np.mean(v):.3f}" if v else "-" for v in losses.values())
            tell(state.step, schedule.steps, f"loss {means}, {state.seconds:.0f} s")
            losses = {0: [], 1: []}
        if state.step % schedule.validate_every == 0:
            tell(state.step, schedule.steps, validate(state, validation, schedule))
        if state.step % schedule.checkpoint_every == 0 or state.step == schedule.steps:
            save_checkpoint(state, work)


def learn(state: State, batch: Batch, schedule: ScheduleConfig) -> float:
    """One optimizer step; returns the loss."""
    state.network.train()
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, schedule)
    images = batch.images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=schedule.bf16):
        logits = state.network(images, batch.kind)
    loss = region_loss(logits.float(), batch.regions, batch.taught)
    state.optimizer.zero_grad(set_to_none=False)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    update_average(state, schedule)
    return float(loss.detach())


def learning_rate(step: int, schedule: ScheduleConfig) -> float:
    """Linear warm-up, then a half cosine down to a hundredth."""
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def update_average(state: State, schedule: ScheduleConfig) -> None:
    """Move the running average of the weights, faster in the beginning."""
    decay = min(schedule.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, value in state.network.state_dict().items():
            state.average[name].lerp_(value, 1 - decay)


def validate(state: State, exams: list[TrainingExam], schedule: ScheduleConfig) -> str:
    """Mean patient Dice of WT at the working resolution with the averaged weights, one figure a kind."""
    widths = state.network.widths
    assert isinstance(widths, tuple)
    network = UNet(widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.load_state_dict(state.average)
    network.eval()
    scores: dict[int, list[float]] = {}
    for exam in exams:
        scores.setdefault(exam.kind, []).append(whole_tumour_dice(network, exam, schedule.bf16))
    return "validation WT Dice " + ", ".join(
        f"kind {kind}: {np.mean(values):.3f} (n={len(values)})" for kind, values in sorted(scores.items())
    )


def whole_tumour_dice(network: UNet, exam: TrainingExam, bf16: bool) -> float:
    """Dice of WT over the whole exam, on network slices."""
    overlap = size = 0
    for first in range(0, len(exam.slices), 16):
        images = torch.from_numpy(exam.slices[first : first + 16].astype(np.float32))
        found = predict(network, images, exam.kind, bf16)[:, 0] > 0
        reference = torch.from_numpy(exam.regions[first : first + 16, 0] > 0)
        overlap += int((found & reference).sum())
        size += int(found.sum() + reference.sum())
    return 2 * overlap / size if size else 1.0


def predict(network: UNet, images: Tensor, kind: int, bf16: bool) -> Tensor:
    """Logits of a few slices."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        logits: Tensor = network(images.contiguous(memory_format=torch.channels_last), kind)
    return logits.float()
