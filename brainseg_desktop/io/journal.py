"""The journal of a rating: every stroke is on the disk before the next one, and survives a crash."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.audit import Tally, Totals
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.events import Event
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
    SUFFIX,
    TOTALS,
    UNDO,
    About,
    Edit,
    Header,
    JournalContent,
    digest_of,
    digest_of_images,
    frame,
    is_newer,
    pack_time,
)
from brainseg_desktop.io.journal_replay import recount
from brainseg_desktop.io.locking import lock

_COMPRESSION_LEVEL = 1


class Journal:
    """Writes the steps of one history; nothing is written before the first step.

    While the disk is full or gone, frames are kept in memory and tried again at the next step or by
    `retry`; editing goes on. If the file itself is gone, it is written anew from the history.

    Attributes
    ----------
    failed : Event[UserError]
        Steps cannot be written at present.
    mended : Event[None]
        All steps are on the disk again.
    error : UserError or None
        The present failure.
    unsaved : bool
        Whether there are steps that are in no exported file.
    exported : str
        `digest_of` the labels that were exported last; empty if steps came after it.
    tally : Tally
        What was done, by tool.
    """

    def __init__(
        self, path: Path, header: Header, describe: Callable[[], About], tally: Tally, length: int = 0
    ) -> None:
        self.path = path
        self.failed: Event[UserError] = Event()
        self.mended: Event[None] = Event()
        self.error: UserError | None = None
        self.unsaved = False
        self.exported = ""
        self.tally = tally
        self._header = header
        self._describe = describe
        self._described: About | None = None
        self._waiting: list[bytes] = []
        self._first_totals: list[bytes] = []
        self._length = length
        self._descriptor: int | None = None
        self._history: History | None = None
        self._connections: list[Callable[[], None]] = []

    @staticmethod
    def start(
        path: Path,
        header: Header,
        describe: Callable[[], About],
        base: NDArray[np.uint8],
        totals: Totals | None = None,
    ) -> Journal:
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
        totals : Totals or None
            What is known of the labels' past.
        """
        journal = Journal(path, header, describe, Tally(totals))
        journal._waiting = _first_frames(header, base)
        if totals is not None:
            journal._first_totals = [frame(TOTALS, msgspec.msgpack.encode(totals))]
        return journal

    @staticmethod
    def resume(path: Path, content: JournalContent, describe: Callable[[], About]) -> Journal:
        """Go on with a journal that was read; a torn tail is cut off.

        Raises
        ------
        UserError
            ``journal_in_use`` if another running program has it, or why it cannot be written.
        """
        journal = Journal(path, content.header, describe, Tally(), content.length)
        journal.unsaved, journal.exported = content.unsaved, content.exported
        journal._described = content.about
        try:
            journal._open()
        except OSError as error:
            raise write_error(error, path) from error
        return journal

    def attach(self, history: History) -> None:
        """Write every step of this history from now on."""
        self._history = history
        if self._described is None and history.steps:
            # Steps from before: without them the journal could not tell what an undo of one of them means.
            recount(history, self.tally)
            self._begin_again()
            if not self._flush():
                self.error = None  # nobody listens yet: told at the next step
        self._connections = [
            history.committed.connect(self._edited),
            history.undone.connect(lambda command: self._turned(UNDO, command)),
            history.redone.connect(lambda command: self._turned(REDO, command)),
            history.jumped.connect(lambda _: self._flush()),
        ]

    def checkpoint(self) -> None:
        """Note that all steps so far are in an exported file."""
        if self._described is None:
            return
        history = self._history
        # With a stroke half drawn the labels are not those that were exported.
        known = history is not None and not history.is_editing
        digest = digest_of(history.label_map.array) if history is not None and known else ""
        if self.unsaved or digest != self.exported:
            self._append(SAVED, digest.encode())
            self.unsaved, self.exported = False, digest
            self._flush()

    def retry(self) -> bool:
        """Try again to write what could not be written; True if nothing is waiting any more."""
        if self.error is None:
            return True
        if self._history is not None and self._history.is_editing:
            return False  # its end will try
        return self._flush()

    def close(self, keep: bool | None = None) -> None:
        """Stop writing.

        Parameters
        ----------
        keep : bool or None
            Whether the file stays, to be offered at the next start. None: if there are unsaved steps; else it
            goes to the exported ones, so that whoever opens the mask again finds its steps.
        """
        for disconnect in self._connections:
            disconnect()
        self._connections = []
        stays = self.unsaved if keep is None else keep
        if (stays or self.exported) and (self.error is not None or self._is_lost()):
            self._flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if stays:
            return
        try:
            if keep is None and self.exported and self.error is None and self._length:
                move_to_exported(self.path, self._header, self.exported)
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(error, self.path) from error

    def _edited(self, command: EditCommand) -> None:
        assert self._history is not None
        self._append(*_edit_frame(command))
        try:
            self.tally.committed(command, self._history.label_map.array)
        finally:
            self._flush()

    def _turned(self, kind: int, command: EditCommand) -> None:
        assert self._history is not None
        time_ms = self._history.time_ms
        self._append(kind, pack_time(time_ms))
        try:
            (self.tally.undone if kind == UNDO else self.tally.redone)(command, time_ms)
        finally:
            # The steps of a jump reach the disk together, at its end.
            if not self._history.is_jumping:
                self._flush()

    def _append(self, kind: int, payload: bytes) -> None:
        about = self._describe()
        if about != self._described:
            self._described = about
            self._waiting.append(_about_frame(about))
        self._waiting += self._first_totals
        self._first_totals = []
        self._waiting.append(frame(kind, payload))
        self.unsaved, self.exported = True, ""

    def _flush(self) -> bool:
        try:
            if self._is_lost():
                self._drop_descriptor()
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
            if error.code == "write_failed":
                # The disk may come back under a new mount, where the old descriptor is dead for good.
                self._drop_descriptor()
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
        try:
            if not lock(descriptor):
                raise UserError("journal_in_use", path=self.path)
            if os.fstat(descriptor).st_size < self._length and self._history is not None:
                self._begin_again()
            os.ftruncate(descriptor, self._length)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        sync_folder(self.path.parent)

    def _is_lost(self) -> bool:
        """Whether the file that is open is no more the one of this name: somebody may have deleted it."""
        if self._descriptor is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return True
        except OSError:
            return False  # the write will tell

    def _drop_descriptor(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _begin_again(self) -> None:
        """Let the whole journal wait to be written, with all steps that the history still has."""
        assert self._history is not None
        history, self._described, self._length = self._history, self._describe(), 0
        self._waiting = [*_first_frames(self._header, history.base()), _about_frame(self._described)]
        self._waiting += [frame(*_edit_frame(command)) for command in history.steps]
        self._waiting += [frame(UNDO, pack_time(0))] * (len(history.steps) - history.depth)
        self._waiting.append(frame(TOTALS, msgspec.msgpack.encode(self.tally.totals)))
        self._first_totals = []
        self.unsaved = self.unsaved or not self.exported
        if not self.unsaved:
            self._waiting.append(frame(SAVED, self.exported.encode()))


def exported_folder(journals: Path) -> Path:
    """Where the journals of exported masks lie: they are offered to nobody, but found by their labels."""
    return journals / "exported"


def exported_path(journals: Path, header: Header, digest: str) -> Path:
    """Where the journal lies that ended with an export of these labels."""
    return exported_folder(journals) / f"{digest_of_images(header)}-{digest}{SUFFIX}"


def move_to_exported(path: Path, header: Header, digest: str) -> Path:
    """Put a journal that holds nothing unsaved where the mask's next opening finds it; its new place.

    One of a newer version that lies there already stays: its steps end with the very same labels.

    Raises
    ------
    OSError
    """
    target = exported_path(path.parent, header, digest)
    target.parent.mkdir(exist_ok=True)
    if is_newer(target):
        path.unlink()
    else:
        path.replace(target)
    return target


def _first_frames(header: Header, base: NDArray[np.uint8]) -> list[bytes]:
    raw = np.ascontiguousarray(base).data
    header = msgspec.structs.replace(header, base_sha256=hashlib.sha256(raw).hexdigest())
    return [
        MAGIC,
        frame(HEADER, msgspec.json.encode(header)),
        frame(BASE, zlib.compress(raw, _COMPRESSION_LEVEL)),
    ]


def _about_frame(about: About) -> bytes:
    return frame(ABOUT, msgspec.json.encode(about, enc_hook=str))


def _edit_frame(command: EditCommand) -> tuple[int, bytes]:
    box = command.box
    edit = Edit(command.name, box.start, box.stop, command.after, command.begun_ms, command.time_ms)
    return EDIT, msgspec.msgpack.encode(edit)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
