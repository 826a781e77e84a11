"""Training state on disk: safetensors for numbers, JSON for the rest; nothing is unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from brainseg_desktop.core.errors import UserError


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands."""

    step: int
    seconds: float


@dataclass(slots=True, eq=False)
class State:
    """All that changes while training."""

    network: nn.Module
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def save_checkpoint(state: State, folder: Path) -> None:
    """Write the state; a crash while writing leaves the previous checkpoint whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v.detach().contiguous() for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in state.average.items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value.contiguous() for name, value in slots.items()}
    temporary = folder / "checkpoint.safetensors.part"
    meta = Progress(step=state.step, seconds=state.seconds)
    save_file(tensors, temporary, metadata={"progress": msgspec.json.encode(meta).decode()})
    temporary.replace(folder / "checkpoint.safetensors")
    (folder / "checkpoint.json").write_bytes(msgspec.json.format(msgspec.json.encode(meta)))


def load_checkpoint(state: State, folder: Path) -> None:
    """Bring a fresh state to where the checkpoint left it, exactly.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``).
    """
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        raise UserError("checkpoint_missing", path=path)
    tensors = load_file(path)
    try:
        state.network.load_state_dict(_under(tensors, "network."))
        state.average = _under(tensors, "average.")
        layout = state.optimizer.state_dict()
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, "optimizer.").items():
            index, name = key.split(".", 1)
            slots.setdefault(int(index), {})[name] = value
        state.optimizer.load_state_dict({"state": slots, "param_groups": layout["param_groups"]})
        _match_strides(state.optimizer)
    except (RuntimeError, ValueError) as error:
        raise UserError("checkpoint_unfit", path=path, reason=str(error).splitlines()[0]) from error
    progress = read_progress(path)
    state.step, state.seconds = progress.step, progress.seconds


def _match_strides(optimizer: torch.optim.Optimizer) -> None:
    """Lay the moments out in memory as their parameters are: the fused optimizer walks both by address."""
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            if value.shape == parameter.shape:
                slots[name] = torch.empty_like(parameter).copy_(value)


def read_progress(path: Path) -> Progress:
    """Step and seconds of a checkpoint, stored in its own header so that both are of one moment."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return msgspec.json.decode(file.metadata()["progress"], type=Progress)


def load_average(network: nn.Module, folder: Path) -> Progress:
    """Load the averaged weights of a checkpoint into a network, for validation and export."""
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        raise UserError("checkpoint_missing", path=path)
    network.load_state_dict(_under(load_file(path), "average."))
    return read_progress(path)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
