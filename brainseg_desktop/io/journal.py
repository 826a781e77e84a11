"""The journal of a rating: every stroke is on the disk before the next one, and survives a crash."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.events import Event
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import EditCommand, History
from brainseg_desktop.io.atomic import sync_folder, write_error
from brainseg_desktop.io.journal_format import (
    ABOUT,
    BASE,
    EDIT,
    HEADER,
    MAGIC,
    REDO,
    SAVED,
    UNDO,
    About,
    Edit,
    Header,
    JournalContent,
    frame,
)
from brainseg_desktop.io.locking import lock

_COMPRESSION_LEVEL = 1


class Journal:
    """Writes the steps of one history; nothing is written before the first step.

    While the disk is full or gone, frames are kept in memory and tried again at the next step or by
    `retry`; editing goes on.

    Attributes
    ----------
    failed : Event[UserError]
        Steps cannot be written at present.
    mended : Event[None]
        All steps are on the disk again.
    error : UserError or None
        The present failure.
    """

    def __init__(
        self, path: Path, describe: Callable[[], About], waiting: list[bytes], length: int = 0
    ) -> None:
        self.path = path
        self.failed: Event[UserError] = Event()
        self.mended: Event[None] = Event()
        self.error: UserError | None = None
        self.unsaved = False
        self._describe = describe
        self._described: About | None = None
        self._waiting = waiting
        self._length = length
        self._descriptor: int | None = None
        self._connections: list[Callable[[], None]] = []

    @staticmethod
    def start(path: Path, header: Header, describe: Callable[[], About], base: NDArray[np.uint8]) -> Journal:
        """A journal for labels as they are now.

        Parameters
        ----------
        path : Path
            Of a file that does not exist yet.
        header : Header
            `base_sha256` is filled in.
        describe : callable
            Gives what the rating is at present.
        base : (X, Y, Z) array of uint8
        """
        raw = np.ascontiguousarray(base).tobytes()
        header = msgspec.structs.replace(header, base_sha256=hashlib.sha256(raw).hexdigest())
        first = [
            MAGIC,
            frame(HEADER, msgspec.json.encode(header)),
            frame(BASE, zlib.compress(raw, _COMPRESSION_LEVEL)),
        ]
        return Journal(path, describe, first)

    @staticmethod
    def resume(path: Path, content: JournalContent, describe: Callable[[], About]) -> Journal:
        """Go on with a journal that was read; a torn tail is cut off.

        Raises
        ------
        UserError
            ``journal_in_use`` if another running program has it, or why it cannot be written.
        """
        journal = Journal(path, describe, [], content.length)
        journal.unsaved = content.unsaved
        journal._described = content.about
        try:
            journal._open()
        except OSError as error:
            raise write_error(error, path) from error
        return journal

    def attach(self, history: History) -> None:
        """Write every step of this history from now on."""
        self._connections = [
            history.committed.connect(self._edited),
            history.undone.connect(lambda _: self._append(UNDO, b"")),
            history.redone.connect(lambda _: self._append(REDO, b"")),
        ]

    def checkpoint(self) -> None:
        """Note that all steps so far are in an exported file."""
        if self.unsaved:
            self._append(SAVED, b"")
            self.unsaved = False

    def retry(self) -> bool:
        """Try again to write what could not be written; True if nothing is waiting any more."""
        return self._flush() if self.error is not None else True

    def close(self, keep: bool | None = None) -> None:
        """Stop writing.

        Parameters
        ----------
        keep : bool or None
            Whether the file stays, to be offered at the next start; None: if there are unsaved steps.
        """
        for disconnect in self._connections:
            disconnect()
        self._connections = []
        if keep is None:
            keep = self.unsaved
        if keep and self.error is not None:
            self._flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if not keep:
            try:
                self.path.unlink(missing_ok=True)
            except OSError as error:
                raise write_error(error, self.path) from error

    def _edited(self, command: EditCommand) -> None:
        edit = Edit(command.name, command.box.start, command.box.stop, command.after)
        self._append(EDIT, msgspec.msgpack.encode(edit))

    def _append(self, kind: int, payload: bytes) -> None:
        about = self._describe()
        if about != self._described:
            self._described = about
            self._waiting.append(frame(ABOUT, msgspec.json.encode(about, enc_hook=str)))
        self._waiting.append(frame(kind, payload))
        self.unsaved = True
        self._flush()

    def _flush(self) -> bool:
        try:
            if self._descriptor is None:
                self._open()
            assert self._descriptor is not None
            if self.error is not None:
                # A failed write may have left a part of a frame.
                os.ftruncate(self._descriptor, self._length)
            data = b"".join(self._waiting)
            os.lseek(self._descriptor, self._length, os.SEEK_SET)
            _write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except (OSError, UserError) as problem:
            error = problem if isinstance(problem, UserError) else write_error(problem, self.path)
            known = self.error is not None and self.error.code == error.code
            self.error = error
            if not known:
                self.failed.emit(error)
            return False
        self._length += len(data)
        self._waiting.clear()
        if self.error is not None:
            self.error = None
            self.mended.emit(None)
        return True

    def _open(self) -> None:
        """Open the file and lock it, so that no second program offers it for recovery."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self.path, flags, 0o600)
        if not lock(descriptor):
            os.close(descriptor)
            raise UserError("journal_in_use", path=self.path)
        try:
            os.ftruncate(descriptor, self._length)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        sync_folder(self.path.parent)


def replay(content: JournalContent, history: History) -> None:
    """Make all steps of a journal again on a history whose labels are the journal's base.

    Undo and redo stand afterwards as they stood when the last frame was written.
    """
    for step in content.steps:
        if isinstance(step, Edit):
            box = Box(step.start, step.stop)
            before = history.label_map.array[box.slices].tobytes()
            history.apply(EditCommand(step.name, box, zlib.compress(before, _COMPRESSION_LEVEL), step.after))
        elif step == UNDO:
            history.undo()
        else:
            history.redo()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
