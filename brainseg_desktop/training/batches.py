"""Which slices make a batch, and the batch itself.

A batch depends on the recipe's seed and its own number alone, so a resumed run meets the batches it would
have met. Arrays are mapped from the cache: only what a batch needs is read. On a GPU with room for all slices
they lie there, and batches are made there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.architectures import SLICE_MULTIPLE
from brainseg_desktop.training.augment import CPU, RANGES, Samples, augment
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.resident import ResidentExams, fits
from brainseg_desktop.training.targets import taught_rows

# A slice with less than this share of tissue (top and bottom of a stripped volume) teaches nothing.
EMPTY_SHARE = 0.02

Place = tuple[int, int]
"""An exam, by number, and one of its slices."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Slices: images (N, C, H, W), targets (N, R, H, W), taught (N, R); blocks have (..., D, H, W)."""

    images: Tensor
    targets: Tensor
    taught: Tensor

    def to(self, device: torch.device, memory_format: torch.memory_format) -> Batch:
        """The batch on a device, its images laid out as the network's kernels are."""
        images = self.images.contiguous(memory_format=memory_format)
        return Batch(*(t.to(device, non_blocking=True) for t in (images, self.targets, self.taught)))


class Sampler(Protocol):
    """Chooses the slices of each optimizer step."""

    steps_per_epoch: int

    def draw(self, step: int) -> list[Place]:
        """The slices of a step."""
        ...


class EachSlice:
    """Every slice once an epoch, in an order drawn anew for each (``balance = "slices"``).

    Of blocks there are as many as an exam's slices fill, end to end; where the first begins is drawn too.

    Parameters
    ----------
    lengths : sequence of int
        Slices of each exam.
    size : int
        Slices (blocks) of a step; the last step of an epoch has what is left.
    depth : int
        Slices of a block, 1 for single slices.
    """

    def __init__(self, lengths: Sequence[int], size: int, depth: int, seed: int) -> None:
        self._lengths, self._size, self._depth, self._seed = lengths, size, depth, seed
        self._epoch, self._order = -1, list[Place]()
        blocks = sum(-(-length // depth) for length in lengths)
        self.steps_per_epoch = -(-blocks // size)

    def draw(self, step: int) -> list[Place]:
        """The slices of a step; of blocks, the middle ones."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        return self._order[index * self._size : (index + 1) * self._size]

    def _shuffled(self, epoch: int) -> list[Place]:
        random = np.random.default_rng((self._seed, epoch, 1))
        places = []
        for exam, length in enumerate(self._lengths):
            offset = int(random.integers(self._depth))
            starts = range(offset, offset + -(-length // self._depth) * self._depth, self._depth)
            places += [(exam, start % length) for start in starts]
        return [places[i] for i in random.permutation(len(places))]


class PatientsAlike:
    """A patient, then one of its slices, those with tumour more often (``balance = "patients"``).

    Parameters
    ----------
    exams : sequence of PreparedExam
    own : int
        How many of them are exams as they were read; the others are heads that we stripped.
    size : int
        Slices of a step.
    """

    def __init__(
        self, exams: Sequence[PreparedExam], own: int, size: int, depth: int, recipe: Recipe
    ) -> None:
        self._size, self._sampling, self._seed = size, recipe.sampling, recipe.seed
        low, high = RANGES[recipe.preparation.normalise]
        sorted_ = [sort_slices(exam, (high - low) / 20) for exam in exams]
        self._own = _by_patient(exams[:own], sorted_[:own], 0)
        self._stripped = _by_patient(exams[own:], sorted_[own:], own)
        slices = sum(len(exam.slices) for exam in exams[:own])
        self.steps_per_epoch = -(-slices // (size * depth))

    def draw(self, step: int) -> list[Place]:
        """The slices of a step."""
        random = np.random.default_rng((self._seed, step, 2))
        return [self._one(random) for _ in range(self._size)]

    def _one(self, random: np.random.Generator) -> Place:
        groups = self._own
        if self._stripped and random.random() < self._sampling.stripped:
            groups = self._stripped
        tumour, other = groups[int(random.integers(len(groups)))]
        pool = tumour if random.random() < self._sampling.tumour else other
        pool = pool or tumour or other
        return pool[int(random.integers(len(pool)))]


def sort_slices(exam: PreparedExam, least: float) -> tuple[list[int], list[int]]:
    """Slices with tumour, and the others that show anything (all others, should none).

    Parameters
    ----------
    least : float
        How much brighter than a slice's darkest pixel tissue is.
    """
    tumour, shown, others = [], [], []
    for z in range(len(exam.slices)):
        if exam.targets[z].any():
            tumour.append(z)
        else:
            others.append(z)
            if _shows(exam.slices[z], least):
                shown.append(z)
    return tumour, shown or others


def _shows(images: NDArray[np.float16], least: float) -> bool:
    """Whether any sequence of a slice (C, H, W) shows tissue in more than a few pixels."""
    floor = images.min(axis=(1, 2), keepdims=True)
    return bool(((images > floor + np.float16(least)).mean(axis=(1, 2)) >= EMPTY_SHARE).any())


def _by_patient(
    exams: Sequence[PreparedExam], slices: Sequence[tuple[list[int], list[int]]], first: int
) -> list[tuple[list[Place], list[Place]]]:
    patients: dict[str, tuple[list[Place], list[Place]]] = {}
    for number, (exam, (tumour, other)) in enumerate(zip(exams, slices, strict=True), first):
        places = patients.setdefault(exam.patient, ([], []))
        places[0].extend((number, z) for z in tumour)
        places[1].extend((number, z) for z in other)
    return list(patients.values())


class BatchSource:
    """Makes the batches of each optimizer step.

    Parameters
    ----------
    exams : sequence of PreparedExam
        The training side.
    stripped : sequence of PreparedExam
        Heads that we stripped, for `SamplingConfig.stripped`.
    rank, ranks : int
        Which of several processes this is: each makes its share of every batch.
    device : torch.device
        What learns from the batches.
    resident : bool, optional
        Keep all slices on the device; by default where it is a GPU with room for them.

    Raises
    ------
    UserError
        ``nothing_to_train``, ``batch_not_shared`` (params ``batch``, ``ranks``), ``patch_unfit`` (params
        ``patch``, ``multiple``).
    """

    def __init__(
        self,
        exams: Sequence[PreparedExam],
        stripped: Sequence[PreparedExam],
        recipe: Recipe,
        rank: int = 0,
        ranks: int = 1,
        device: torch.device = CPU,
        resident: bool | None = None,
    ) -> None:
        schedule, sampling = recipe.schedule, recipe.sampling
        if not exams:
            raise UserError("nothing_to_train", name=recipe.name)
        if schedule.batch % ranks:
            raise UserError("batch_not_shared", batch=schedule.batch, ranks=ranks)
        if sampling.patch and any(side % SLICE_MULTIPLE for side in sampling.patch):
            raise UserError("patch_unfit", patch=sampling.patch, multiple=SLICE_MULTIPLE)
        self._exams = [*exams, *stripped]
        self._recipe, self._rank, self._ranks = recipe, rank, ranks
        self._rows = list(taught_rows(recipe))
        self._depth = recipe.network.depth if recipe.network.name == "unet3d" else 1
        self._volumes = recipe.network.name == "unet3d"
        size = schedule.batch * schedule.accumulate
        kinds = sorted({exam.kind for exam in self._exams})
        self._kinds = [kinds.index(exam.kind) for exam in self._exams]
        self._sampler: Sampler
        if sampling.balance == "slices":
            lengths = [len(exam.slices) for exam in self._exams]
            self._sampler = EachSlice(lengths, size, self._depth, recipe.seed)
        else:
            self._sampler = PatientsAlike(self._exams, len(exams), size, self._depth, recipe)
        canvas = self._canvas(self._exams)
        self._resident: ResidentExams | None = None
        if fits(self._exams, canvas, device) if resident is None else resident:
            self._resident = ResidentExams(self._exams, self._rows, canvas, device)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return self._sampler.steps_per_epoch

    def draw(self, step: int) -> list[Batch]:
        """The augmented batches whose gradients make up an optimizer step."""
        places, size = self._sampler.draw(step), self._recipe.schedule.batch
        return [
            self._batch(self._share(places[first : first + size]), step, first)
            for first in range(0, len(places), size)
        ]

    def _share(self, places: list[Place]) -> list[Place]:
        """This process's part of a batch. Parts are equal: a batch that does not divide is filled up."""
        missing = -len(places) % self._ranks
        return [*places, *(places * self._ranks)[:missing]][self._rank :: self._ranks]

    def _batch(self, places: list[Place], step: int, first: int) -> Batch:
        recipe = self._recipe
        samples = self._samples(places)
        seed = np.random.SeedSequence((recipe.seed, step, first, self._rank)).generate_state(1, np.uint64)
        # The sign bit stays free: seeds are signed.
        generator = Generator().manual_seed(int(seed[0] >> np.uint64(1)))
        images, targets = augment(
            samples, recipe.sampling.patch, recipe.preparation, recipe.augment, generator
        )
        if self._volumes:
            images, targets = as_blocks(images, self._depth), as_blocks(targets, self._depth)
        return Batch(images, targets, samples.taught)

    def _samples(self, places: list[Place]) -> Samples:
        exams = [self._exams[exam] for exam, _ in places]
        near = [self._near(exam, z) for exam, (_, z) in zip(exams, places, strict=True)]
        outlined = [self._block(exam, z) for exam, (_, z) in zip(exams, places, strict=True)]
        if self._resident is not None:
            numbers = [exam for exam, _ in places]
            images = self._resident.images_at(numbers, np.stack(near))
            targets = self._resident.targets_at(numbers, np.stack(outlined))
        else:
            canvas = self._canvas(exams)
            seen = [_placed(exam.slices[z], canvas) for exam, z in zip(exams, near, strict=True)]
            known = [
                _placed(exam.targets[z][:, self._rows], canvas)
                for exam, z in zip(exams, outlined, strict=True)
            ]
            images, targets = torch.from_numpy(np.stack(seen)), torch.from_numpy(np.stack(known))
        return Samples(
            images=images,
            targets=targets,
            present=torch.tensor([exam.present for exam in exams]),
            taught=torch.tensor(
                [[exam.taught[r] for r in self._rows] for exam in exams], dtype=torch.float32
            ),
            kinds=torch.tensor([self._kinds[exam] for exam, _ in places]),
            sizes=torch.tensor([exam.slices.shape[2:] for exam in exams]),
        )

    def _canvas(self, exams: Sequence[PreparedExam]) -> tuple[int, int]:
        """What holds the slices of exams. A patch is cut out of it; a whole slice must fit the network."""
        multiple = 1 if self._recipe.sampling.patch else SLICE_MULTIPLE
        sizes = np.array([exam.slices.shape[2:] for exam in exams])
        rows, columns = -(-sizes.max(axis=0) // multiple) * multiple
        return int(rows), int(columns)

    def _near(self, exam: PreparedExam, z: int) -> NDArray[np.int64]:
        """The slices that the network sees: the block, or the slice and its neighbours."""
        if self._volumes:
            return self._block(exam, z)
        near = z + np.array(self._recipe.preparation.context)
        return near.clip(0, len(exam.slices) - 1)

    def _block(self, exam: PreparedExam, z: int) -> NDArray[np.int64]:
        """The slices that are outlined. Beyond the ends of the exam its last slice is repeated."""
        block = z - self._depth // 2 + np.arange(self._depth)
        return block.clip(0, len(exam.slices) - 1)


def as_blocks(flat: Tensor, depth: int) -> Tensor:
    """Blocks (N, C, D, H, W) of samples (N, D * C, H, W)."""
    n, _, height, width = flat.shape
    return flat.reshape(n, depth, -1, height, width).transpose(1, 2)


def _placed(slices: NDArray[Any], canvas: tuple[int, int]) -> NDArray[np.float32]:
    """Slices (K, C, H, W) in the middle of a canvas, as (K * C, *canvas); their edge is repeated around."""
    height, width = slices.shape[2:]
    flat = slices.reshape(-1, height, width).astype(np.float32)
    if (height, width) == canvas:
        return flat
    before = [(canvas[0] - height) // 2, (canvas[1] - width) // 2]
    after = [canvas[0] - height - before[0], canvas[1] - width - before[1]]
    return np.pad(flat, [(0, 0), (before[0], after[0]), (before[1], after[1])], mode="edge")


@contextmanager
def prefetched(draw: Callable[[int], list[Batch]], first: int, last: int) -> Iterator[Iterator[list[Batch]]]:
    """The batches of the steps from `first` on, each made in the background while the one before is learnt.

    What fails there is raised here, when its turn comes. Leaving the context ends the thread.
    """

    def batches() -> Iterator[list[Batch]]:
        waiting = executor.submit(draw, first)
        for step in range(first, last):
            ready = waiting.result()
            if step + 1 < last:
                waiting = executor.submit(draw, step + 1)
            yield ready

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as executor:
        yield batches()
