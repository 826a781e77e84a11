"""Weights to start from, made to fit a network of other channels and outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.graph import read_tensors
from brainseg_desktop.inference.kinds import KINDS
from brainseg_desktop.inference.weights import read_weights
from brainseg_desktop.training.checkpoint import Weights, trained_weights
from brainseg_desktop.training.config import Recipe


def load_start(network: nn.Module, recipe: Recipe, tell: Callable[[str], None]) -> None:
    """Give a fresh network the weights of `NetworkConfig.start`, a checkpoint or an .onnx file of ours.

    The first convolution may have fewer inputs in the file: they become those of the slice itself, and its
    neighbours start with 0. Norms of one row for each kind of exam (version 0.1.0) give the row of the
    recipe's kind. Of a head with other outputs the first ones are taken.

    Raises
    ------
    UserError
        ``start_missing`` (param ``path``) or ``start_unfit`` (params ``path``, ``reason``).
    """
    path = Path(recipe.network.start)
    if not path.is_file():
        raise UserError("start_missing", path=path)
    own = network.state_dict()
    try:
        given = read_start(path)
        # Counters of batches, which nothing here depends on, are in no .onnx file.
        names = [name for name in own if "num_batches_tracked" not in name]
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"it lacks {missing[0]} and {len(missing) - 1} more")
        fitted = {name: fit(name, given[name], own[name], recipe) for name in names}
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError("start_unfit", path=path, reason=str(error)) from error
    network.load_state_dict(own | fitted)
    changed = [name for name in names if given[name].shape != own[name].shape]
    adapted = f", {len(changed)} of them adapted (the first is {changed[0]})" if changed else ""
    tell(f"Learning starts from {path}: {len(fitted)} tensors{adapted}.")


def read_start(path: Path) -> Weights:
    """The tensors of a file by the names of the network's state.

    Raises
    ------
    ValueError, SafetensorError
        If it is no such file.
    """
    if path.suffix == ".onnx":
        stored = read_weights(read_tensors(path.read_bytes()))
        return {name: torch.from_numpy(values.copy()) for name, values in stored.items()}
    return trained_weights(load_file(path))


def fit(name: str, given: Tensor, own: Tensor, recipe: Recipe) -> Tensor:
    """A tensor of the file in the shape that the network has.

    Raises
    ------
    ValueError
        If nothing says how.
    """
    if given.ndim == own.ndim + 1 and given.shape == (len(KINDS), *own.shape):
        return given[KINDS.index(recipe.kinds[0])]
    if given.shape == own.shape:
        return given
    sequences, context = len(recipe.preparation.channels), recipe.preparation.context
    inputs = (sequences, len(context) * sequences)
    if given.ndim == 4 and (given.shape[1], own.shape[1]) == inputs and given[:, 0].shape == own[:, 0].shape:
        first = sequences * context.index(0)
        widened = torch.zeros_like(own)
        widened[:, first : first + sequences] = given
        return widened
    if name.startswith("head.") and given.shape[1:] == own.shape[1:]:
        shared = min(len(given), len(own))
        return torch.cat([given[:shared], own[shared:]])
    raise ValueError(f"{name} is {tuple(given.shape)}, not {tuple(own.shape)}")
