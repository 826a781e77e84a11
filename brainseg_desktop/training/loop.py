"""The training run: learn, check, keep. Interrupted, it goes on from the last checkpoint.

The weights of a resumed run are those of an unbroken one, bit for bit: a checkpoint holds all that changes,
and a batch follows from the seed and the number of its step. On a GPU the order of its sums is not fixed, and
two runs end with weights that differ by chance.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.architectures import build_network, count_parameters
from brainseg_desktop.training.batches import BatchSource, prefetched
from brainseg_desktop.training.checkpoint import (
    EpochRecord,
    Progress,
    State,
    load_checkpoint,
    save_checkpoint,
    write_history,
)
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.data.loading import Dataset
from brainseg_desktop.training.learning import Course, Tell, build_optimizer, learn, sharing
from brainseg_desktop.training.losses import build_loss
from brainseg_desktop.training.ranks import joined
from brainseg_desktop.training.start import load_start
from brainseg_desktop.training.targets import output_count
from brainseg_desktop.training.teachers import load_teachers
from brainseg_desktop.training.validation import METRICS, validate

__all__ = ["EpochRecord", "TrainResult", "train"]

STEPS_BETWEEN_NEWS = 50


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """A trained network.

    Parameters
    ----------
    network : nn.Module
        With the best weights (`ScheduleConfig.early_stop`), else the averaged ones (`ScheduleConfig.ema`),
        else the last.
    history : tuple of EpochRecord
    steps : int
        Optimizer steps.
    seconds : float
    stopped_because : str
        ``"finished"``, ``"early_stop"`` or ``"minutes"``.
    """

    network: nn.Module
    history: tuple[EpochRecord, ...]
    steps: int
    seconds: float
    stopped_because: str


def train(recipe: Recipe, dataset: Dataset, *, resume: bool = False, tell: Tell) -> TrainResult:
    """Train the network of a recipe. Checkpoints and the history lie in the recipe's work folder.

    Under torchrun each process learns from its part of every batch; the first one measures and writes.

    Parameters
    ----------
    resume : bool
        Go on from the checkpoint in the work folder.
    tell : callable
        Called with lines on the progress.

    Raises
    ------
    UserError
        ``training_diverged`` (param ``step``), whereupon the last checkpoint is still good;
        ``network_unfit``, ``cuda_missing``; those of `BatchSource`, `load_checkpoint` and `load_start`.
    """
    torch.set_num_threads(recipe.schedule.threads)
    with joined(recipe.schedule.device) as ranks, flushed_denormals(), chosen_kernels(recipe):
        tell = tell if ranks.first else _silent
        source = BatchSource(dataset.train, dataset.stripped, recipe, ranks.rank, ranks.size, ranks.device)
        state = start_state(recipe, ranks.device, tell, fresh=not resume)
        if resume:
            load_checkpoint(state, Path(recipe.work))
            tell(f"Resumed at step {state.progress.step}.")
        course = Course(
            recipe=recipe,
            ranks=ranks,
            source=source,
            validation=dataset.validation,
            loss=build_loss(recipe.loss),
            forward=sharing(state.network, ranks),
            steps=recipe.schedule.steps or recipe.schedule.epochs * source.steps_per_epoch,
            tell=tell,
            teachers=load_teachers(recipe, ranks.device, tell),
        )
        tell(
            f"{recipe.network.name}: {count_parameters(state.network):,} parameters, "
            f"{len(dataset.train)} exams, {course.epochs} epochs of {course.steps_per_epoch} steps, "
            f"on {ranks.device.type}"
        )
        if recipe.schedule.early_stop and not dataset.validation:
            tell("Nobody is on the validation side, so early_stop has nothing to go by.")
        reason = run_steps(state, course)
    state.network.load_state_dict(state.trained())
    progress = state.progress
    return TrainResult(state.network.eval(), progress.history, progress.step, progress.seconds, reason)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Count numbers too small for single precision as 0: they would slow the processor down a lot."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def chosen_kernels(recipe: Recipe) -> Iterator[None]:
    """Let a GPU try which of its convolutions is fastest, where all batches have one size."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=recipe.sampling.patch is not None):
        yield


def start_state(recipe: Recipe, device: torch.device, tell: Tell, fresh: bool = True) -> State:
    """A new network, its optimizer and its running average.

    Parameters
    ----------
    fresh : bool
        Whether it will learn from here, and so needs the weights to start from.
    """
    network_config, schedule = recipe.network, recipe.schedule
    volumes = network_config.name == "unet3d"
    if volumes and recipe.preparation.context != (0,):
        raise UserError("network_unfit", name="unet3d", reason="it needs no preparation.context")
    torch.manual_seed(recipe.seed)
    network = build_network(network_config, recipe.preparation.input_channels, output_count(recipe), tell)
    if network_config.start and fresh:
        load_start(network, recipe, tell)
    layout = torch.channels_last_3d if volumes else torch.channels_last
    network = network.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    average = {k: v.clone() for k, v in network.state_dict().items()} if schedule.ema else None
    return State(network, build_optimizer(network, recipe), average, None, Progress())


def run_steps(state: State, course: Course) -> str:
    """Learn until there is a reason to stop, which is returned; check and keep on the way."""
    recipe, schedule = course.recipe, course.recipe.schedule
    first, before, started = state.progress.step, state.progress.seconds, time.monotonic()
    told, since = first, 0.0
    if (reason := stop_reason(state.progress, course)) is not None:
        return reason
    with prefetched(course.source.draw, first, course.steps) as drawn:
        for batches in drawn:
            loss, rate = learn(state, batches, course)
            since += loss
            seconds = before + time.monotonic() - started
            state.progress = after_step(state.progress, loss, seconds)
            step = state.progress.step
            if step % STEPS_BETWEEN_NEWS == 0 or step == course.steps:
                left = (course.steps - step) * (seconds - before) / (step - first)
                course.tell(_news(state.progress, course, since / (step - told), rate, left))
                told, since = step, 0.0
            if step % course.steps_per_epoch == 0 or step == course.steps:
                end_epoch(state, course, rate)
            reason = stop_reason(state.progress, course)
            if course.ranks.first and (reason is not None or step % schedule.checkpoint_every == 0):
                save_checkpoint(state, Path(recipe.work))
            if reason is not None:
                break
    return reason or "finished"


def stop_reason(progress: Progress, course: Course) -> str | None:
    """Why a run ends here; None if it goes on. It follows from what a checkpoint holds."""
    schedule = course.recipe.schedule
    if progress.step >= course.steps:
        return "finished"
    if schedule.early_stop and progress.waited >= schedule.early_stop:
        return "early_stop"
    whole_epochs = progress.step > 0 and progress.step % course.steps_per_epoch == 0
    if whole_epochs and schedule.minutes and progress.history[-1].seconds >= 60 * schedule.minutes:
        return "minutes"
    return None


def after_step(progress: Progress, loss: float, seconds: float) -> Progress:
    """Progress with one more step."""
    return msgspec.structs.replace(
        progress,
        step=progress.step + 1,
        seconds=seconds,
        loss_sum=progress.loss_sum + loss,
        loss_count=progress.loss_count + 1,
    )


def end_epoch(state: State, course: Course, rate: float) -> None:
    """Validate where it is due, and draw the consequences: record, plateau, best weights."""
    schedule, progress = course.recipe.schedule, state.progress
    epoch = math.ceil(progress.step / course.steps_per_epoch)
    due = epoch % schedule.validate_every == 0 or progress.step == course.steps
    validation_loss, metrics = _validated(state, course) if due and course.validation else (None, {})
    # All processes go by one clock, as they must stop together.
    (seconds,) = course.ranks.shared([progress.seconds])
    record = EpochRecord(
        epoch=epoch,
        step=progress.step,
        seconds=seconds,
        learning_rate=rate,
        train_loss=progress.loss_sum / progress.loss_count,
        validation_loss=validation_loss,
        metrics=metrics,
    )
    plateau = progress.plateau
    if due and schedule.policy == "plateau":
        plateau = plateau.after(record.train_loss if validation_loss is None else validation_loss)
    best, waited = progress.best_dice, progress.waited
    if schedule.early_stop and "dice" in metrics:
        if best is None or metrics["dice"] > best:
            best, waited = metrics["dice"], 0
            held = state.average or state.network.state_dict()
            state.best = {name: value.clone() for name, value in held.items()}
        else:
            waited += schedule.validate_every
    state.progress = msgspec.structs.replace(
        progress,
        loss_sum=0.0,
        loss_count=0,
        plateau=plateau,
        best_dice=best,
        waited=waited,
        history=(*progress.history, record),
    )
    if course.ranks.first:
        write_history(state.progress.history, Path(course.recipe.work))
    course.tell(_summary(record, course))


def _validated(state: State, course: Course) -> tuple[float | None, dict[str, float]]:
    """Loss and figures of the validation side, measured by the first process for all."""
    numbers = [math.nan] * (1 + len(METRICS))
    if course.ranks.first:
        network = state.network
        if state.average is not None:
            network = copy.deepcopy(network)
            network.load_state_dict(state.average)
        # Exams have many sizes: to try convolutions for each would take longer than it saves.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False):
            loss, found = validate(network, course.validation, course.recipe, course.loss)
        numbers = [loss, *(found.get(name, math.nan) for name in METRICS)]
    loss, *values = course.ranks.shared(numbers)
    named = zip(METRICS, values, strict=True)
    return None if math.isnan(loss) else loss, {name: v for name, v in named if not math.isnan(v)}


def _news(progress: Progress, course: Course, loss: float, rate: float, left: float) -> str:
    epoch = math.ceil(progress.step / course.steps_per_epoch)
    minutes = course.recipe.schedule.minutes
    if minutes:
        left = min(left, max(0.0, 60 * minutes - progress.seconds))
    return (
        f"epoch {epoch}/{course.epochs}, step {progress.step}/{course.steps}, loss {loss:.3f}, "
        f"lr {rate:.2g}, {_span(left)} left"
    )


def _summary(record: EpochRecord, course: Course) -> str:
    figures = "".join(f", {name} {value:.3f}" for name, value in record.metrics.items())
    checked = (
        "" if record.validation_loss is None else f"; validation loss {record.validation_loss:.3f}{figures}"
    )
    return f"epoch {record.epoch}/{course.epochs} done: loss {record.train_loss:.3f}{checked}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _silent(line: str) -> None:
    """Tell nobody: one process talks for all."""
