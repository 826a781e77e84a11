"""The LGG set in its Kaggle layout: ``TCGA_.../TCGA_..._<k>.tif`` and ``..._<k>_mask.tif``, zip or folder."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.entries import Entry, files_identity, known_labels, stack_to_canonical
from brainseg_desktop.training.exams import Exam, Problem

CHANNELS = (Sequence.T1.value, Sequence.FLAIR.value, Sequence.T1CE.value)
SLICE = re.compile(r"(?:^|/)((TCGA_[A-Z]{2}_[A-Z0-9]+)_\d+)/TCGA_\w+?_(\d+)(_mask)?\.tif$")
# A slice of 256 x 256 x 3 has 0.2 MB; a zip may claim anything.
LARGEST_SLICE_BYTES = 64 << 20

Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a zip or folder: their names, how to read them, and what tells that one has changed."""

    names: list[str]
    reader: Callable[[], AbstractContextManager[Read]]
    identity: Callable[[str], str]


def find_lgg(path: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The exams of a zip or folder; slices without their partner are left out and told."""
    files = _folder_files(path) if path.is_dir() else _zip_files(path, problems)
    exams: dict[str, dict[int, dict[bool, str]]] = defaultdict(lambda: defaultdict(dict))
    patients: dict[str, str] = {}
    # Kaggle's own zip holds the whole set twice, once more a folder deeper.
    for name in sorted(files.names, key=lambda n: (n.count("/"), n)):
        match = SLICE.search(name)
        if match:
            exam, patients[match[1]], number, mask = match[1], match[2], int(match[3]), bool(match[4])
            exams[exam][number].setdefault(mask, name)
    count = Counter(patients.values())
    entries = []
    for exam, slices in sorted(exams.items()):
        pairs = [(slices[k][False], slices[k][True]) for k in sorted(slices) if len(slices[k]) == 2]
        for found in slices.values():
            if len(found) == 1:
                (mask, alone), *_ = found.items()
                problems.append(Problem("mask_without_image" if mask else "image_without_mask", alone))
        if pairs:
            patient = patients[exam]
            name = patient if count[patient] == 1 else exam
            identity = "\n".join(files.identity(file) for pair in pairs for file in pair)
            read = partial(_read, name, patient, source.coding, pairs, files.reader)
            entries.append(Entry(name, patient, "lgg", len(pairs), read, identity))
    return entries


def _folder_files(folder: Path) -> _Files:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.tif")]
    # The folder may itself be the one of a patient.
    base = folder.resolve().name
    return _Files(
        [f"{base}/{name}" for name in names],
        lambda: nullcontext(lambda name: (folder / name.partition("/")[2]).read_bytes()),
        lambda name: files_identity([folder / name.partition("/")[2]]),
    )


def _zip_files(path: Path, problems: list[Problem]) -> _Files:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        problems.append(Problem("source_unreadable", path.name, str(error)))
        members = {}

    @contextmanager
    def reader() -> Iterator[Read]:
        # Opening a zip reads the list of all its files: once for an exam, not for each slice.
        with zipfile.ZipFile(path) as archive:

            def read(name: str) -> bytes:
                if members[name].file_size > LARGEST_SLICE_BYTES:
                    raise ValueError(f"{members[name].file_size} bytes")
                return archive.read(name)

            yield read

    return _Files(list(members), reader, lambda name: f"{name}|{members[name].file_size}|{members[name].CRC}")


def _read(
    name: str,
    patient: str,
    coding: str,
    pairs: list[tuple[str, str]],
    reader: Callable[[], AbstractContextManager[Read]],
    problems: list[Problem],
) -> Exam | None:
    images: list[NDArray[np.generic]] = []
    masks: list[NDArray[np.generic]] = []
    with reader() as read:
        for image_name, mask_name in pairs:
            image = _read_slice(image_name, read, 3, problems)
            mask = _read_slice(mask_name, read, 2, problems)
            if image is None or mask is None:
                continue
            expected = images[0].shape[:2] if images else image.shape[:2]
            if image.shape[:2] != mask.shape or mask.shape != expected:
                told = f"image {image.shape[:2]}, mask {mask.shape}, exam {expected}"
                problems.append(Problem("sizes_differ", image_name, told))
                continue
            images.append(image)
            masks.append(mask)
    if not images:
        problems.append(Problem("case_unusable", name, "no slice is left"))
        return None
    stack = np.stack(images)
    volumes = {sequence: stack_to_canonical(stack[..., c]) for c, sequence in enumerate(CHANNELS)}
    reference = known_labels(stack_to_canonical(np.stack(masks)), coding, name, problems)
    return Exam(name, patient, "lgg", "whole_head", volumes, None, reference, coding)


def _read_slice(
    name: str, read: Read, dimensions: int, problems: list[Problem]
) -> NDArray[np.generic] | None:
    import tifffile

    try:
        picture = np.asarray(tifffile.imread(io.BytesIO(read(name))))
    except Exception as error:  # the decoders raise whatever they like on damaged data
        problems.append(Problem("slice_corrupt", name, str(error) or type(error).__name__))
        return None
    if picture.ndim != dimensions or (dimensions == 3 and picture.shape[2] != len(CHANNELS)):
        problems.append(Problem("slice_corrupt", name, f"shape {picture.shape}"))
        return None
    return picture
