"""What DICOM lies in a folder or is listed in a DICOMDIR: headers only, several files at a time.

Nothing outside the folder is looked at: links that lead out of it and listings with ``..`` are left out and
counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom.files import is_dicom, read_head
from brainseg_desktop.io.dicom.instances import Instance, read_instance, texts

DICOMDIR = "DICOMDIR"
MAX_DEPTH = 8
MAX_FILES = 50_000
_THREADS = 4
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found.

    Parameters
    ----------
    root : Path
        The folder.
    instances : tuple of Instance
    notes : tuple of UserError
        Files that are damaged, links left out, ...
    """

    root: Path
    instances: tuple[Instance, ...]
    notes: tuple[UserError, ...] = ()


def scan_folder(path: Path, on_progress: Progress | None = None) -> Scan:
    """Read the headers of all DICOM files below a folder, or of those that a DICOMDIR lists.

    Parameters
    ----------
    path : Path
        A folder, or a file called DICOMDIR.
    on_progress : function, optional
        Is told how many files of how many were read, from any thread.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``; of a DICOMDIR ``dicom_damaged`` and ``dicomdir_empty``. Damaged
        files in a folder are no reason to fail: they go to `Scan.notes`.
    """
    root = path.parent if path.is_file() else path
    notes: list[UserError] = []
    files = list(_listed(path, notes) if path.is_file() else _below(root, notes))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="dicom") as pool:
        read = list(pool.map(_Reading(len(files), on_progress), files))
    instances = [one for one in read if isinstance(one, Instance)]
    bad = [one for one in read if isinstance(one, UserError)]
    if bad:
        named = bad[0].params.get("path", path)
        notes.append(UserError("dicom_files_damaged", path=named, count=len(bad)))
    return Scan(root, tuple(instances), tuple(notes))


def holds_dicom(folder: Path, at_most: int = 2000) -> bool:
    """Whether one of the first files below a folder is DICOM: a quick look that may miss a late one."""
    notes: list[UserError] = []
    for count, path in enumerate(_below(folder, notes)):
        if count >= at_most:
            return False
        if is_dicom(path):
            return True
    return False


class _Reading:
    """Reads a file: its headers, None if it is no DICOM file, or the error that says what is wrong."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def __call__(self, path: Path) -> Instance | UserError | None:
        try:
            return read_instance(path) if path.name.upper() != DICOMDIR and is_dicom(path) else None
        except UserError as error:
            return error
        finally:
            self._done += 1
            if self._on_progress is not None:
                self._on_progress(self._done, self._total)


def _below(root: Path, notes: list[UserError]) -> Iterator[Path]:
    """Files below a folder, the nearest first; links out of it and hidden files are left out."""
    real = os.path.realpath(root)
    level, count, links = [root], 0, 0
    for _ in range(MAX_DEPTH + 1):
        folders: list[Path] = []
        for folder in level:
            for entry in _entries(folder, is_root=folder == root):
                path = folder / entry.name
                if entry.is_symlink() and not _is_inside(os.path.realpath(path), real):
                    links += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file():
                    count += 1
                    if count > MAX_FILES:
                        notes.append(UserError("dicom_folder_large", path=root, count=MAX_FILES))
                        return
                    yield path
        level = folders
    if links:
        notes.append(UserError("dicom_links_left_out", path=root, count=links))


def _entries(folder: Path, *, is_root: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        if is_root:
            raise UserError("file_unreadable", path=folder, reason=error.strerror or "unknown") from error
        return []


def _listed(path: Path, notes: list[UserError]) -> Iterator[Path]:
    """The files that a DICOMDIR lists and that lie in its folder (PS3.10 8, PS3.3 F.3)."""
    head = read_head(path, ("DirectoryRecordSequence",))
    found: dict[Path, None] = {}
    outside = missing = 0
    # The records are one flat list; their offsets to one another, which may run in circles, are not used.
    for parts in _references(head):
        file = _inside(path.parent, parts)
        if file is None:
            outside += 1
        elif not file.is_file():
            missing += 1
        else:
            found[file] = None
    if outside:
        notes.append(UserError("dicomdir_leads_outside", path=path, count=outside))
    if missing:
        notes.append(UserError("dicomdir_files_missing", path=path, count=missing))
    if not found:
        raise UserError("dicomdir_empty", path=path)
    return iter(found)


def _references(head: Any) -> Iterator[tuple[str, ...]]:
    try:
        records = list(head.get("DirectoryRecordSequence") or ())[:MAX_FILES]
    except Exception:
        # Damaged bytes, which pydicom looks at only now.
        return
    for record in records:
        parts = texts(record, "ReferencedFileID") if hasattr(record, "get") else ()
        if parts:
            yield parts


def _inside(root: Path, parts: Iterable[str]) -> Path | None:
    """The file at these steps below a folder; None if they lead elsewhere."""
    steps = [part for named in parts for part in named.replace("\\", "/").split("/")]
    if any(step in ("", ".", "..") or ":" in step or "\0" in step for step in steps):
        return None
    # Copied from a disc, names may have become small letters.
    for spelt in (steps, [s.lower() for s in steps]):
        file = root.joinpath(*spelt)
        if not _is_inside(os.path.realpath(file), os.path.realpath(root)):
            return None
        if file.is_file():
            return file
    return root.joinpath(*steps)


def _is_inside(real: str, root: str) -> bool:
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)
