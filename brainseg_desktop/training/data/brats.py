"""BraTS case folders as published from 2019 to 2023 and for Africa, and the same as TIFF stacks."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.entries import Entry, files_identity, known_labels
from brainseg_desktop.training.exams import Exam, Problem

ENDINGS = {
    Sequence.T1.value: ("t1", "t1n"),
    Sequence.T1CE.value: ("t1ce", "t1c", "t1gd"),
    Sequence.T2.value: ("t2", "t2w"),
    Sequence.FLAIR.value: ("flair", "t2f"),
    # BraTS 2020 has one reference called W39_1998.09.19_Segm.nii.
    "reference": ("seg", "segm"),
}
ROLES = {ending: role for role, endings in ENDINGS.items() for ending in endings}
# 2019 has HGG and LGG folders below the year's; nobody nests deeper than this.
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Form:
    """How the volumes of a case are stored.

    Parameters
    ----------
    kind : str
        Of the source.
    suffixes : tuple of str
    read : function
        Path to (X, Y, Z) array, canonical, and its grid; raises `UserError`.
    """

    kind: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], tuple[NDArray[np.generic], Grid]]


def find_brats(path: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The cases of a NIfTI case folder, or of a folder of them."""
    return find_cases(path, source, problems, Form("brats", (".nii.gz", ".nii"), _read_nifti))


def find_cases(path: Path, source: SourceConfig, problems: list[Problem], form: Form) -> list[Entry]:
    """Every case at a path and below; one without reference, or without images, is left out and told."""
    entries = []
    for name, files in _cases(path, form):
        reference = files.pop("reference", None)
        if reference is None:
            problems.append(Problem("image_without_mask", name))
        elif not files:
            problems.append(Problem("mask_without_image", name))
        else:
            patient = patient_of(name)
            read = partial(_read_case, name, patient, source.coding, files, reference, form)
            identity = files_identity([*files.values(), reference])
            entries.append(Entry(name, patient, form.kind, None, read, identity))
    return entries


def patient_of(case: str) -> str:
    """The patient of a case: later exams of one patient differ in the last number only.

    Examples
    --------
    >>> patient_of("BraTS-GLI-00012-001"), patient_of("BraTS19_TCIA10_408_1"), patient_of("BraTS2021_00006")
    ('BraTS-GLI-00012', 'BraTS19_TCIA10_408', 'BraTS2021_00006')
    """
    return re.sub(r"(?<=-\d{5})-\d{3}$|_\d$", "", case)


def _cases(path: Path, form: Form) -> list[tuple[str, dict[str, Path]]]:
    found = []
    top = len(path.parts)
    for folder, below, names in os.walk(path):
        here = Path(folder)
        below[:] = (
            sorted(n for n in below if not n.startswith(".")) if len(here.parts) - top < DEEPEST else []
        )
        groups: dict[str, dict[str, Path]] = defaultdict(dict)
        for name in sorted(names):
            suffix = next((s for s in form.suffixes if name.lower().endswith(s)), None)
            if suffix is None or name.startswith("."):
                continue
            start, _, ending = name[: -len(suffix)].replace("-", "_").rpartition("_")
            role = ROLES.get(ending.lower())
            if role is not None:
                groups[name[: len(start)]].setdefault(role, here / name)
        with_images = [start for start, files in groups.items() if set(files) - {"reference"}]
        if len(with_images) > 1:
            found += list(groups.items())
        elif groups:
            found.append((here.resolve().name, {r: p for files in groups.values() for r, p in files.items()}))
    return sorted(found, key=lambda case: case[0])


def _read_case(
    name: str,
    patient: str,
    coding: str,
    files: dict[str, Path],
    reference_file: Path,
    form: Form,
    problems: list[Problem],
) -> Exam | None:
    def read(file: Path) -> tuple[NDArray[np.generic], Grid] | None:
        try:
            return form.read(file)
        except UserError as error:
            told = str(error.params.get("reason", error.code.replace("_", " ")))
            problems.append(Problem("volume_corrupt", f"{name}/{file.name}", told))
            return None

    reference = read(reference_file)
    volumes: dict[str, NDArray[np.generic]] = {}
    if reference is not None:
        for role, file in files.items():
            volume = read(file)
            if volume is None:
                continue
            mismatch = reference[1].mismatch(volume[1])
            if mismatch is not None:
                told = f"{mismatch} differs from the reference's"
                problems.append(Problem("sizes_differ", f"{name}/{file.name}", told))
                continue
            volumes[role] = volume[0]
    if reference is None or not volumes:
        why = "no reference is left" if reference is None else "no image is left"
        problems.append(Problem("case_unusable", name, why))
        return None
    labels = known_labels(reference[0], coding, name, problems)
    x, y, _ = reference[1].spacing_mm
    return Exam(name, patient, form.kind, "skull_stripped", volumes, (x, y), labels, coding)


def _read_nifti(path: Path) -> tuple[NDArray[np.generic], Grid]:
    from brainseg_desktop.io.nifti import read_volume

    volume = read_volume(path)
    return volume.data, volume.grid
