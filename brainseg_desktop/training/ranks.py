"""One process, or several that learn together (torchrun), and the device each has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from brainseg_desktop.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among its peers.

    Parameters
    ----------
    rank, size : int
        Its number, and how many there are.
    device : torch.device
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one measures, writes and talks."""
        return self.rank == 0

    def shared(self, numbers: Sequence[float]) -> list[float]:
        """The numbers of the first process."""
        if self.size == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, 0)
        return [float(value) for value in tensor]


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes of a torchrun, should there be any, and leave them at the end.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}

    Raises
    ------
    UserError
        ``cuda_missing``.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("cuda_missing")
    cuda = device != "cpu" and torch.cuda.is_available()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, chosen)
    finally:
        distributed.destroy_process_group()
