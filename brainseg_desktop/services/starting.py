"""What is opened when files are handed to the program: from a file manager, a drop, or the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.layouts import assign
from brainseg_desktop.io.mask_files import mask_form
from brainseg_desktop.io.neighbours import find_around, group_files


@dataclass(frozen=True, slots=True)
class Wish:
    """What the files mean.

    Parameters
    ----------
    cases : tuple of (name, paths)
        The first is opened; more than one are listed. A single path may be a folder of several cases.
    mask : Path or None
        A mask file that was asked for by itself: it is to be shown.
    notes : tuple of UserError
        Remarks: files that do not exist, sequences that were taken along.
    """

    cases: tuple[tuple[str, tuple[Path, ...]], ...]
    mask: Path | None = None
    notes: tuple[UserError, ...] = ()


def understand(paths: Sequence[Path]) -> Wish:
    """Find out what somebody wants who opens these files and folders together.

    One image or mask file of a case means the whole case that lies beside it, which is said.

    Raises
    ------
    UserError
        ``file_missing`` if none of them exists, ``mask_alone`` (param ``path``) for a mask without images,
        ``file_unreadable``.
    """
    try:
        there = [p for p in paths if p.exists()]
        missing = [UserError("file_missing", path=p) for p in paths if p not in there]
        if not there:
            raise missing[0]
        groups = group_files(there)
        if len(groups) != 1:
            return Wish(tuple((_name(g), tuple(g)) for g in groups), notes=tuple(missing))
        [group] = groups
        if len(group) == 1:
            return _one(group[0], missing)
        return Wish(((_name(group), tuple(group)),), notes=tuple(missing))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError("file_unreadable", path=error.filename or paths[0], reason=reason) from error


def _one(path: Path, notes: list[UserError]) -> Wish:
    around = find_around(path)
    if around is None:
        if not path.is_dir() and _is_mask(path):
            raise UserError("mask_alone", path=path)
        return Wish(((path.name, (path,)),), notes=tuple(notes))
    case, members = around
    mask = path if path in case.masks else None
    taken = UserError("neighbours_taken", path=path, name=case.name)
    return Wish(((case.name, members),), mask, (*notes, taken))


def _is_mask(path: Path) -> bool:
    if mask_form(path) == "dicom-seg":
        return True
    files = assign([path])
    return bool(files.masks) and not files.images


def _name(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else assign(paths).name
