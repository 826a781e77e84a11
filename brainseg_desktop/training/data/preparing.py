"""From an exam to network slices, kept on disk so that a set larger than memory can be learnt from."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference import background, frame, kinds, preprocess
from brainseg_desktop.inference.background import coarse, find_background
from brainseg_desktop.inference.frame import Frame, to_working
from brainseg_desktop.inference.preprocess import prepare
from brainseg_desktop.io.atomic import write_error, write_synced
from brainseg_desktop.training import exams
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.data import (
    brats,
    coco,
    entries,
    lgg,
    pictures,
    splits,
    stacks,
    stripping,
)
from brainseg_desktop.training.data.entries import Entry
from brainseg_desktop.training.data.splits import split_slices
from brainseg_desktop.training.exams import CLASS_VALUES, Exam, PreparedExam, Problem, region_masks

# A slice shows something if more than this share of it is not background.
LEAST_SHOWN = 0.01
ARRAYS = ("slices", "targets", "kept", "regions")
ALIGNMENT = 64


def prepare_exam(exam: Exam, recipe: Recipe) -> PreparedExam | None:
    """Preprocess an exam as the product does, and its reference onto the same network slices.

    A network pixel has a region (or is tumour) if half of it or more is; of classes it has the one that
    fills most of it. Returns None if the selection leaves no slice.

    Raises
    ------
    UserError
        ``classes_not_known`` (params ``name``, ``coding``) if the targets are classes and the reference does
        not tell them, ``network_inputs_missing`` if the exam has none of the network's sequences.
    """
    selection = recipe.selection
    prepared = prepare(exam.volumes, exam.spacing_mm, recipe.preparation, exam.kind)
    kept = np.arange(exam.reference.shape[2])[selection.first_slice :]
    if selection.slice_count:
        kept = kept[: selection.slice_count]
    if selection.crop_empty:
        kept = kept[_shown(exam.volumes)[kept]]
    if kept.size == 0:
        return None
    regions = region_masks(exam.reference, exam.coding)
    if selection.targets == "classes":
        targets = _classes(exam, prepared.frame)
        taught: tuple[bool, ...] = (True, True, True)
    else:
        chosen = regions if selection.targets == "regions" else regions[:1]
        targets = np.stack([to_working(region, prepared.frame) >= 0.5 for region in chosen], axis=1)
        taught = exam.taught if selection.targets == "regions" else (True,)
    return PreparedExam(
        exam.name,
        exam.patient,
        exam.source,
        prepared.kind,
        prepared.slices[kept].astype(np.float16),
        targets[kept].astype(np.uint8),
        prepared.present,
        taught,
        kept.astype(np.int64),
        prepared.frame,
        regions,
        exam.taught,
    )


def _classes(exam: Exam, frame: Frame) -> NDArray[np.bool_]:
    """One-hot necrosis, oedema, enhancing, (Z, 3, H, W)."""
    values = CLASS_VALUES.get(exam.coding)
    if values is None:
        raise UserError("classes_not_known", name=exam.name, coding=exam.coding)
    shares = np.stack([to_working(np.isin(exam.reference, own), frame) for own in values], axis=1)
    background = 1 - shares.sum(axis=1, keepdims=True)
    most = np.concatenate([background, shares], axis=1).argmax(axis=1)
    return np.stack([most == 1 + k for k in range(len(values))], axis=1)


def _shown(volumes: dict[str, NDArray[np.generic]]) -> NDArray[np.bool_]:
    """Which axial slices show anything in any sequence."""
    shares = []
    for data in volumes.values():
        inside = find_background(data).foreground(np.nan_to_num(coarse(data).astype(np.float32)))
        shares.append(inside.mean(axis=(0, 1)))
    return np.asarray(np.max(shares, axis=0) > LEAST_SHOWN)


class _Kept(msgspec.Struct, frozen=True):
    """What stands beside the arrays of an exam in the cache."""

    source: str
    kind: str
    present: tuple[bool, ...]
    taught: tuple[bool, ...]
    known: tuple[bool, bool, bool]
    frame: dict[str, tuple[int, ...]]
    arrays: dict[str, tuple[str, tuple[int, ...], int]]
    total: int
    problems: list[tuple[str, str, str]]


class Cache:
    """Prepared exams on disk, one folder each, under a name made of all that they depend on.

    An exam is written beside its place and renamed into it, so a folder that exists is whole; one that is
    damaged later is made anew. The runs of one recipe share a cache.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.folder = cache_folder(recipe)

    def fetch(self, entry: Entry, problems: list[Problem]) -> PreparedExam | None:
        """An exam as network slices, mapped from disk; None where nothing of it can be used.

        What was met when it was read is appended to `problems`, also if that was an earlier time.

        Raises
        ------
        UserError
            Those of `prepare_exam`; ``disk_full``, ``no_permission`` or ``write_failed``.
        """

        def make(met: list[Problem]) -> PreparedExam | None:
            exam = entry.read(met)
            if exam is None:
                return None
            prepared = prepare_exam(exam, self.recipe)
            if prepared is None:
                met.append(Problem("case_unusable", entry.name, "the selection leaves no slice"))
            return prepared

        return self._fetch(entry.name, entry.patient, self._key(entry), make, problems)

    def fetch_stripped(self, entry: Entry, whole: PreparedExam) -> PreparedExam | None:
        """The same head without its skull; None if it has too few slices of brain."""
        name, key = f"{entry.name} stripped", self._key(entry, "stripped")
        preparation = self.recipe.preparation
        return self._fetch(name, entry.patient, key, lambda met: stripping.strip_exam(whole, preparation), [])

    def fetch_part(self, entry: Entry, whole: PreparedExam, side: str) -> PreparedExam | None:
        """The slices of an exam that a split by slice puts on a side; None if there are none."""
        key = self._key(entry, repr((self.recipe.seed, self.recipe.split, entry.name, side)))
        make = partial(split_slices, whole, self.recipe, side)
        return self._fetch(entry.name, entry.patient, key, lambda met: make(), [])

    def has(self, entry: Entry) -> bool:
        """Whether the exam is there already."""
        return (self.folder / self._key(entry)).is_dir()

    def _key(self, entry: Entry, form: str = "") -> str:
        selection = self.recipe.selection
        parts = [
            _code_version(),
            entry.identity,
            entry.source,
            repr(self.recipe.preparation),
            repr((selection.targets, selection.first_slice, selection.slice_count, selection.crop_empty)),
            form,
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def _fetch(
        self,
        name: str,
        patient: str,
        key: str,
        make: Callable[[list[Problem]], PreparedExam | None],
        problems: list[Problem],
    ) -> PreparedExam | None:
        folder = self.folder / key
        kept = _open(folder, name, patient, problems)
        if kept is not None:
            return kept
        met: list[Problem] = []
        exam = make(met)
        if exam is None:
            problems += met
            return None
        self._write(folder, exam, met)
        del exam
        kept = _open(folder, name, patient, problems)
        if kept is None:
            raise UserError("write_failed", path=folder, reason="read back, it was not what was written")
        return kept

    def _write(self, folder: Path, exam: PreparedExam, met: list[Problem]) -> None:
        new = self.folder / f".new-{secrets.token_hex(6)}"
        try:
            new.mkdir(parents=True)
            arrays, total = {}, 0
            for name in ARRAYS:
                data = getattr(exam, name)
                arrays[name] = (data.dtype.str, data.shape, total)
                total += -(-data.nbytes // ALIGNMENT) * ALIGNMENT
            # Written, not mapped: a full disk must end in an error, and with a map it ends the process.
            flat = np.zeros(total, np.uint8)
            for name, (_, _, start) in arrays.items():
                data = np.ascontiguousarray(getattr(exam, name))
                flat[start : start + data.nbytes] = data.reshape(-1).view(np.uint8)
            with (new / "arrays.npy").open("xb") as file:
                np.save(file, flat, allow_pickle=False)
            beside = _Kept(
                exam.source,
                exam.kind,
                exam.present,
                exam.taught,
                exam.known,
                {field: getattr(exam.frame, field) for field in Frame.__slots__},
                arrays,
                total,
                [(problem.code, problem.name, problem.reason) for problem in met],
            )
            write_synced(new / "exam.json", msgspec.json.encode(beside))
            if folder.exists():
                shutil.rmtree(folder)
            with suppress(FileExistsError):
                new.rename(folder)
        except OSError as error:
            # Another run of the recipe may have put the same exam there meanwhile.
            if not (folder / "exam.json").is_file():
                raise write_error(error, folder) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)


def cache_folder(recipe: Recipe) -> Path:
    """Where the prepared exams of a recipe lie: one place for all its runs."""
    work = Path(recipe.work)
    return (work.parent if "/" in recipe.name else work) / "cache"


def _open(folder: Path, name: str, patient: str, problems: list[Problem]) -> PreparedExam | None:
    """An exam of the cache; None if it is not there or not whole."""
    try:
        kept = msgspec.json.decode((folder / "exam.json").read_bytes(), type=_Kept)
        flat = np.load(folder / "arrays.npy", mmap_mode="r", allow_pickle=False)
        if flat.dtype != np.uint8 or flat.shape != (kept.total,):
            return None
        arrays: dict[str, Any] = {}
        for key in ARRAYS:
            kind, shape, start = kept.arrays[key]
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            arrays[key] = flat[start : start + size].view(kind).reshape(shape)
        place = Frame(**kept.frame)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError, EOFError):  # msgspec's errors are ValueErrors
        return None
    problems += [Problem(*problem) for problem in kept.problems]
    return PreparedExam(
        name=name,
        patient=patient,
        source=kept.source,
        kind=kept.kind,
        present=kept.present,
        taught=kept.taught,
        known=kept.known,
        frame=place,
        **arrays,
    )


@cache
def _code_version() -> str:
    """Changes with the code that reads and prepares, so that nobody learns from slices of an older one."""
    readers = (brats, coco, entries, lgg, pictures, stacks)
    modules = (background, frame, kinds, preprocess, exams, splits, stripping, *readers)
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()
