"""Training state on disk: safetensors for numbers, JSON in its header for the rest; nothing is unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.training.schedules import Plateau

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.jsonl"

Weights = dict[str, Tensor]


class EpochRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an epoch came to.

    Parameters
    ----------
    epoch, step : int
        Epochs and optimizer steps done.
    seconds : float
        Training time since the start of the run, validation included.
    learning_rate : float
        Of its last step.
    train_loss : float
        Mean of its steps.
    validation_loss : float or None
        None where the epoch was not validated.
    metrics : dict
        On the validation side, at the working resolution (`validation.METRICS`); what no patient defines is
        left out.
    """

    epoch: int
    step: int
    seconds: float
    learning_rate: float
    train_loss: float
    validation_loss: float | None = None
    metrics: dict[str, float] = {}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    seconds : float
    loss_sum : float
        Of the steps of the epoch under way.
    loss_count : int
    plateau : Plateau
    best_dice : float or None
        Best validation Dice so far, for early stopping.
    waited : int
        Epochs since.
    history : tuple of EpochRecord
    """

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    plateau: Plateau = Plateau()
    best_dice: float | None = None
    waited: int = 0
    history: tuple[EpochRecord, ...] = ()


@dataclass(slots=True, eq=False)
class State:
    """All that changes while training.

    Parameters
    ----------
    average : dict of Tensor or None
        Running average of the weights and of the norms' statistics; None without `ScheduleConfig.ema`.
    best : dict of Tensor or None
        Weights of the best epoch, once there is one, with `ScheduleConfig.early_stop`.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: Weights | None
    best: Weights | None
    progress: Progress

    def trained(self) -> Weights:
        """The weights to use: the best, else the averaged, else the last."""
        return self.best or self.average or self.network.state_dict()


def save_checkpoint(state: State, folder: Path) -> None:
    """Write the state; a crash at any moment leaves the previous checkpoint whole.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    groups = {"network": state.network.state_dict(), "average": state.average, "best": state.best}
    tensors = {f"{group}.{k}": v for group, held in groups.items() for k, v in (held or {}).items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
    # Weights of different names may be one tensor (the best ones, say): each is written by itself.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    progress = msgspec.json.encode(state.progress).decode()
    make_folder(folder)
    write_bytes(folder / CHECKPOINT, save(copies, metadata={"progress": progress}))


def load_checkpoint(state: State, folder: Path) -> None:
    """Bring a fresh state to where the checkpoint left it, exactly.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``, ``reason``).
    """
    path = folder / CHECKPOINT
    tensors, progress = _read(path)
    device = next(state.network.parameters()).device
    try:
        state.network.load_state_dict(_under(tensors, "network."))
        average = _under(tensors, "average.")
        if bool(average) != (state.average is not None):
            raise ValueError("one of them averages the weights, the other does not")
        state.average = _on(average, device) or None
        state.best = _on(_under(tensors, "best."), device) or None
        layout = state.optimizer.state_dict()
        slots: dict[int, Weights] = {}
        for key, value in _under(tensors, "optimizer.").items():
            index, name = key.split(".", 1)
            slots.setdefault(int(index), {})[name] = value
        state.optimizer.load_state_dict({"state": slots, "param_groups": layout["param_groups"]})
    except (RuntimeError, ValueError) as error:
        raise UserError("checkpoint_unfit", path=path, reason=str(error).splitlines()[-1].strip()) from error
    _match_strides(state.optimizer)
    state.progress = progress


def load_trained(network: nn.Module, folder: Path) -> Progress:
    """Load the weights to use (see `State.trained`) of a checkpoint into a network.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``, ``reason``).
    """
    return load_weights(network, folder / CHECKPOINT)


def load_weights(network: nn.Module, path: Path) -> Progress:
    """`load_trained`, of a checkpoint wherever it lies.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``, ``reason``).
    """
    tensors, progress = _read(path)
    try:
        network.load_state_dict(trained_weights(tensors))
    except RuntimeError as error:
        raise UserError("checkpoint_unfit", path=path, reason=str(error).splitlines()[-1].strip()) from error
    return progress


def trained_weights(tensors: Weights) -> Weights:
    """The weights to use among those of a checkpoint; all tensors where none has a prefix of ours."""
    groups = (_under(tensors, f"{group}.") for group in ("best", "average", "network"))
    return next((group for group in groups if group), tensors)


def write_history(history: tuple[EpochRecord, ...], folder: Path) -> None:
    """Write the epochs so far, one JSON object a line."""
    make_folder(folder)
    write_bytes(folder / HISTORY, b"".join(msgspec.json.encode(record) + b"\n" for record in history))


def read_history(folder: Path) -> tuple[EpochRecord, ...]:
    """The epochs that `write_history` wrote, none if it has not yet."""
    path = folder / HISTORY
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return tuple(msgspec.json.decode(line, type=EpochRecord) for line in lines)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error


def _read(path: Path) -> tuple[Weights, Progress]:
    if not path.is_file():
        raise UserError("checkpoint_missing", path=path)
    try:
        with safe_open(path, framework="pt") as file:
            progress = msgspec.json.decode((file.metadata() or {})["progress"], type=Progress)
        return load_file(path), progress
    except (OSError, SafetensorError, KeyError, msgspec.MsgspecError) as error:
        raise UserError("checkpoint_unfit", path=path, reason=str(error)) from error


def _match_strides(optimizer: torch.optim.Optimizer) -> None:
    """Lay the moments out in memory as their parameters are: the fused optimizer walks both by address."""
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            if value.shape == parameter.shape:
                slots[name] = torch.empty_like(parameter).copy_(value)


def _under(tensors: Weights, prefix: str) -> Weights:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _on(weights: Weights, device: torch.device) -> Weights:
    return {name: value.to(device) for name, value in weights.items()}
