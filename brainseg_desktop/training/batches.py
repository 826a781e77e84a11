"""Which slices make a batch: one kind of exam, patients alike, tumour slices more often than their share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.training.augment import augment
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.datasets import SKULL_STRIPPED, WHOLE_HEAD, TrainingExam

# A slice with less than this share of tissue (top and bottom of a stripped volume) teaches nothing.
EMPTY_SHARE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Slices of one kind: images (N, 4, H, W), regions (N, 3, H, W), taught (N, 3)."""

    kind: int
    images: Tensor
    regions: Tensor
    taught: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """An exam's slices sorted into those with tumour and the others."""

    exam: TrainingExam
    tumour: tuple[int, ...]
    other: tuple[int, ...]


class BatchSource:
    """Draws batches. The batch of a step depends on the recipe's seed and the step alone, so a resumed run
    sees the batches it would have seen."""

    def __init__(
        self, exams: Iterable[TrainingExam], stripped: Iterable[TrainingExam], recipe: Recipe
    ) -> None:
        self._recipe = recipe
        self._groups: dict[str, list[Slices]] = {"whole_head": [], "skull_stripped": [], "by_us": []}
        for exam in exams:
            self._groups[KINDS[exam.kind]].append(sort_slices(exam))
        self._groups["by_us"] = [sort_slices(exam) for exam in stripped]

    def draw(self, step: int) -> Batch:
        """The augmented batch of a step."""
        recipe, sampling = self._recipe, self._recipe.sampling
        random = np.random.default_rng((recipe.seed, step))
        kind = WHOLE_HEAD if random.random() < sampling.whole_head else SKULL_STRIPPED
        if not self._groups[KINDS[kind]]:
            kind = 1 - kind
        drawn = []
        for _ in range(recipe.schedule.batch):
            group = self._groups[KINDS[kind]]
            if kind == SKULL_STRIPPED and self._groups["by_us"] and random.random() < sampling.stripped:
                group = self._groups["by_us"]
            drawn.append(draw_slice(group, sampling.tumour, random))
        canvas = tuple(max(exam.slices.shape[2 + a] for exam, _ in drawn) for a in range(2))
        images = torch.stack([_place(exam.slices[z], canvas, "edge") for exam, z in drawn])
        regions = torch.stack([_place(exam.regions[z], canvas, "constant") for exam, z in drawn])
        present = torch.tensor([exam.present for exam, _ in drawn])
        generator = Generator().manual_seed(recipe.seed * 1_000_003 + step)
        images, regions = augment(images, regions, present, sampling.patch, recipe.augment, generator)
        taught = torch.tensor([exam.taught for exam, _ in drawn], dtype=torch.float32)
        return Batch(kind, images, regions, taught)


def sort_slices(exam: TrainingExam) -> Slices:
    """Slices with tumour, and the others that show anything."""
    tumour = np.asarray(exam.regions.any(axis=(1, 2, 3)))
    spread = np.zeros(len(tumour))
    for channel, present in enumerate(exam.present):
        if present:
            images = exam.slices[:, channel]
            floor = images.min(axis=(1, 2), keepdims=True)
            spread = np.maximum(spread, (images > floor + np.float16(0.5)).mean(axis=(1, 2)))
    shown = spread >= EMPTY_SHARE
    return Slices(
        exam,
        tuple(int(z) for z in np.flatnonzero(tumour)),
        tuple(int(z) for z in np.flatnonzero(~tumour & shown)),
    )


def draw_slice(
    group: list[Slices], tumour_share: float, random: np.random.Generator
) -> tuple[TrainingExam, int]:
    """A patient, then one of its slices."""
    slices = group[int(random.integers(len(group)))]
    pool = slices.tumour if random.random() < tumour_share else slices.other
    pool = pool or slices.tumour or slices.other
    return slices.exam, pool[int(random.integers(len(pool)))]


def _place(image: NDArray[Any], canvas: tuple[int, ...], mode: Literal["edge", "constant"]) -> Tensor:
    """Centre a slice (C, H, W) on a larger canvas."""
    before = [(canvas[a] - image.shape[1 + a]) // 2 for a in range(2)]
    after = [canvas[a] - image.shape[1 + a] - before[a] for a in range(2)]
    pads = [(0, 0), (before[0], after[0]), (before[1], after[1])]
    return torch.from_numpy(np.pad(image.astype(np.float32), pads, mode=mode))
