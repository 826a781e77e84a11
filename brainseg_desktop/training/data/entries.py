"""An exam that was found but not read, and what all sources share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.exams import REGION_VALUES, Exam, Problem

Side = Literal["", "train", "validation", "test"]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An exam that was found; its files are opened by `read` only.

    Parameters
    ----------
    name : str
        Case, unique in a recipe.
    patient : str
        Copies of one picture are one patient, and so are the exams of one person.
    source : str
        Kind of its source.
    slices : int or None
        Number of axial slices where the names of the files tell it.
    read : function
        Gives the exam, or None where nothing of it can be used; appends what it met to the problems.
    identity : str
        Changes when the files do, or how they are understood; for the cache.
    side : str
        The side that its source is kept on; empty: by the split.
    """

    name: str
    patient: str
    source: str
    slices: int | None
    read: Callable[[list[Problem]], Exam | None]
    identity: str
    side: Side = ""


def files_identity(paths: Iterable[Path]) -> str:
    """Place, size and time of change of files.

    Raises
    ------
    UserError
        ``file_unreadable``.
    """
    parts = []
    for path in paths:
        try:
            told = path.stat()
        except OSError as error:
            raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
        parts.append(f"{path.resolve()}|{told.st_size}|{told.st_mtime_ns}")
    return "\n".join(parts)


def known_labels(
    reference: NDArray[np.generic], coding: str, name: str, problems: list[Problem]
) -> NDArray[np.uint8]:
    """The reference as small whole numbers; what its coding does not know becomes background and is told.

    With the coding ``binary`` everything but 0 is tumour and nothing is unknown.

    Parameters
    ----------
    reference : array of any shape
    """
    binary = coding == "binary"
    known = {0, *(value for values in REGION_VALUES[coding] for value in values)}
    found, counts = np.unique(reference[reference != 0], return_counts=True)
    unknown = {float(v): int(n) for v, n in zip(found, counts, strict=True) if float(v) not in known}
    if unknown:
        if not binary:
            told = ", ".join(f"{value:g} ({count} voxels)" for value, count in unknown.items())
            problems.append(Problem("class_id_unknown", name, told))
        reference = np.where(np.isin(reference, list(known)), reference, int(binary))
    return np.ascontiguousarray(reference, np.uint8)


def stack_to_canonical(stack: NDArray[np.generic]) -> NDArray[np.generic]:
    """Canonical (X, Y, Z) of axial slices (Z, row, column): rows run to posterior, columns to the left."""
    return np.ascontiguousarray(stack.transpose(2, 1, 0)[::-1, ::-1])
