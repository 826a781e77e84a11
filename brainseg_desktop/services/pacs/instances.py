"""A folder that takes DICOM instances from the network: bounded, atomic, and named after nobody."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.services.pacs.quiet import quiet

MAX_INSTANCE_BYTES = 512 * 1024**2
MAX_TOTAL_BYTES = 200 * 1024**3
MIN_FREE_BYTES = 256 * 1024**2
_STUDY, _SERIES, _CLASS, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080016, 0x00080018


class Outcome(Enum):
    """What became of an instance."""

    NEW = "new"
    REPLACED = "replaced"
    DUPLICATE = "duplicate"


class InstanceFolder:
    """Takes the bytes of DICOM files from several threads at a time.

    A file is named by a hash of what identifies its instance, never by anything read from the network: a UID
    may hold a path, and a name may be a patient's. An instance that comes again is told from a new one; with
    another content it takes the place of the old file.

    Parameters
    ----------
    folder : Path
        Made when the first instance comes.
    by_study : bool
        A folder for each study in it.
    study : str, optional
        Only instances of this study are taken.
    took : callable, optional
        Told the folder of each instance and what became of it, from the thread that took it.
    max_instance_bytes, max_total_bytes : int
        Larger instances, and those beyond the total, are refused.
    """

    def __init__(
        self,
        folder: Path,
        *,
        by_study: bool = False,
        study: str | None = None,
        took: Callable[[Path, Outcome], None] | None = None,
        max_instance_bytes: int = MAX_INSTANCE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self.folder = folder
        self.max_instance_bytes = max_instance_bytes
        self._by_study, self._study, self._took = by_study, study, took
        self._left = max_total_bytes
        self._lock = threading.Lock()
        self.counts = dict.fromkeys(Outcome, 0)
        self.refused = 0
        self.problem: UserError | None = None

    def take(self, data: bytes) -> Outcome:
        """Store one instance.

        Parameters
        ----------
        data : bytes
            A whole DICOM file (PS3.10).

        Raises
        ------
        UserError
            ``pacs_too_large``, ``pacs_malformed``, ``pacs_other_study``, ``disk_full``, ``no_permission``,
            ``write_failed``; nothing of the instance is left then.
        """
        try:
            return self._store(data)
        except UserError as error:
            self.refuse(error)
            raise

    def refuse(self, error: UserError) -> None:
        """Count an instance that could not be taken."""
        with self._lock:
            self.refused += 1
            self.problem = self.problem or error

    def _store(self, data: bytes) -> Outcome:
        if len(data) > self.max_instance_bytes:
            raise UserError("pacs_too_large", size_mb=len(data) / 1e6)
        study, series, instance = identity_of(data)
        if self._study is not None and study != self._study:
            raise UserError("pacs_other_study")
        folder = self.folder / f"study-{_hash(study)[:12]}" if self._by_study else self.folder
        path = folder / f"{_hash(study, series, instance)}.dcm"
        # Two associations may bring the same instance at once.
        with self._lock:
            if len(data) > self._left:
                raise UserError("pacs_too_large", size_mb=len(data) / 1e6)
            outcome = self._write(path, data)
            self.counts[outcome] += 1
            if outcome is not Outcome.DUPLICATE:
                self._left -= len(data)
        if self._took is not None:
            self._took(folder, outcome)
        return outcome

    def _write(self, path: Path, data: bytes) -> Outcome:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            outcome = Outcome.REPLACED if path.exists() else Outcome.NEW
            if outcome is Outcome.REPLACED and path.read_bytes() == data:
                return Outcome.DUPLICATE
            free = shutil.disk_usage(path.parent).free
        except OSError as error:
            raise write_error(error, path) from error
        if free - len(data) < MIN_FREE_BYTES:
            raise UserError("disk_full", path=path)
        write_bytes(path, data)
        return outcome


def identity_of(data: bytes) -> tuple[str, str, str]:
    """UIDs of study, series and instance in a DICOM file, as they are, however wrong.

    Raises
    ------
    UserError
        ``pacs_malformed``: it is no DICOM file, or lacks one of them.
    """
    quiet()
    from pydicom import dcmread

    try:
        found = dcmread(
            BytesIO(data), stop_before_pixels=True, specific_tags=[_STUDY, _SERIES, _CLASS, _INSTANCE]
        )
        uids = tuple(_raw(found, tag) for tag in (_STUDY, _SERIES, _INSTANCE))
        complete = all(uids) and bool(_raw(found, _CLASS))
    # Whatever a parser stumbles over in bytes from the network is the sender's mistake.
    except Exception as error:
        raise UserError("pacs_malformed") from error
    if not complete:
        raise UserError("pacs_malformed")
    return uids[0], uids[1], uids[2]


def _raw(found: Any, tag: int) -> str:
    """The value of an element as text, without the checks that would print it."""
    element = found.get_item(tag)
    value = b"" if element is None else element.value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")


def _hash(*uids: str) -> str:
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()[:32]
