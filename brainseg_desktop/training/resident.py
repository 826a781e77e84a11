"""All slices of the training side on one device: a GPU need not wait for the disk and the processor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from brainseg_desktop.training.augment import sent
from brainseg_desktop.training.exams import PreparedExam

# Slices may take so much of the memory that is free; the rest is for the network.
MOST_MEMORY = 0.25


class ResidentExams:
    """Slices and targets of exams, one after the other, in the middle of one canvas; edges are repeated.

    Parameters
    ----------
    exams : sequence of PreparedExam
    rows : sequence of int
        Which targets.
    canvas : (int, int)
        No exam has larger slices.
    device : torch.device
    """

    def __init__(
        self,
        exams: Sequence[PreparedExam],
        rows: Sequence[int],
        canvas: tuple[int, int],
        device: torch.device,
    ) -> None:
        lengths = [len(exam.slices) for exam in exams]
        self._first = np.cumsum([0, *lengths[:-1]])
        shape = (sum(lengths), exams[0].slices.shape[1], *canvas)
        self.images = torch.empty(shape, dtype=torch.float16, device=device)
        self.targets = torch.empty((len(self.images), len(rows), *canvas), dtype=torch.uint8, device=device)
        for first, exam in zip(self._first, exams, strict=True):
            own = slice(int(first), int(first) + len(exam.slices))
            self.images[own] = _placed(np.asarray(exam.slices), canvas, device)
            self.targets[own] = _placed(np.asarray(exam.targets)[:, list(rows)], canvas, device)

    def images_at(self, exams: Sequence[int], places: NDArray[np.int64]) -> Tensor:
        """Images (N, K * C, H, W) float32 of slices (N, K) of N exams."""
        return self.images[self._index(exams, places)].flatten(1, 2).float()

    def targets_at(self, exams: Sequence[int], places: NDArray[np.int64]) -> Tensor:
        """Targets (N, K * R, H, W) float32 of slices (N, K) of N exams."""
        return self.targets[self._index(exams, places)].flatten(1, 2).float()

    def _index(self, exams: Sequence[int], places: NDArray[np.int64]) -> Tensor:
        index = places + self._first[list(exams)][:, None]
        return sent(torch.from_numpy(index), self.images.device)


def fits(exams: Sequence[PreparedExam], canvas: tuple[int, int], device: torch.device) -> bool:
    """Whether the slices of exams should lie on a device: it is a GPU and has the room."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    pixels = canvas[0] * canvas[1] * sum(len(exam.slices) for exam in exams)
    return bool(pixels * (2 * exams[0].slices.shape[1] + exams[0].targets.shape[1]) <= MOST_MEMORY * free)


def _placed(slices: NDArray[np.generic], canvas: tuple[int, int], device: torch.device) -> Tensor:
    """Slices (Z, C, H, W) in the middle of a canvas."""
    height, width = slices.shape[2:]
    before = [(canvas[0] - height) // 2, (canvas[1] - width) // 2]
    after = [canvas[0] - height - before[0], canvas[1] - width - before[1]]
    given = torch.from_numpy(np.array(slices)).to(device)
    padding = (before[1], after[1], before[0], after[0])
    return functional.pad(given.float(), padding, mode="replicate").to(given.dtype)
