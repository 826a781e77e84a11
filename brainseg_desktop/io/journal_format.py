"""The form of a journal file.

A magic word, then frames of length (4 bytes), CRC-32 (4 bytes) and payload; the first byte of a payload
tells its kind. The first frames hold what the rating is and the labels it started from; then one frame a
stroke, undo or redo. What follows a frame that does not check is ignored.

Format 2 adds the times of steps, undo and redo, the digest of the labels that were exported, and a frame of
totals for the audit. Journals of format 1 are read as they are; their times are not known.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.audit import Totals
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box

SUFFIX = ".journal"
FORMAT = 2
_NAME = b"BSDJ"
MAGIC = _NAME + b"\x01\r\n\0"
HEADER, BASE, ABOUT, EDIT, UNDO, REDO, SAVED, TOTALS = b"HBAEURST"
_TIME_BYTES = 8
_LARGEST = 1 << 30  # voxels


class ImageEntry(msgspec.Struct, frozen=True):
    """An image of the case: sequence, place and sha256."""

    sequence: str
    path: str
    sha256: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a journal is written."""

    case: str
    images: tuple[ImageEntry, ...]
    shape: tuple[int, int, int]
    base_sha256: str
    program_version: str
    started_utc: str
    format: int = FORMAT


class _Format(msgspec.Struct, frozen=True):
    format: int = 1


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a rating is; written again when it changes."""

    rater: str
    kind: str
    scheme: str
    details: dict[str, Any] = {}


class Edit(msgspec.Struct, frozen=True, array_like=True):
    """A stroke: name, box, the resulting values of the box (zlib, uint8, C order), and when it was drawn.

    The times are ms since 1970 UTC, 0 if not known.
    """

    name: str
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    after: bytes
    begun_ms: int = 0
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """An undo or a redo (`kind`), and when, in ms since 1970 UTC; 0 if not known."""

    kind: int
    time_ms: int = 0


Step = Edit | Turn | Totals


@dataclass(frozen=True, slots=True, eq=False)
class JournalContent:
    """A journal as read.

    Parameters
    ----------
    header : Header
    about : About
    base : (X, Y, Z) array of uint8
        Tissues before the first step.
    steps : tuple
        Edits, undo and redo, and totals for the audit, in order.
    length : int
        Bytes that check; what follows is torn.
    unsaved : bool
        Whether there are steps after the last successful export.
    exported : str
        `digest_of` the labels that were exported last; empty if never, or if steps came after it.
    """

    header: Header
    about: About
    base: NDArray[np.uint8]
    steps: tuple[Step, ...]
    length: int
    unsaved: bool
    exported: str = ""

    @property
    def strokes(self) -> int:
        """How many edits it holds."""
        return sum(isinstance(step, Edit) for step in self.steps)


def frame(kind: int, payload: bytes) -> bytes:
    """One frame, ready to be appended."""
    body = bytes([kind]) + payload
    return len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little") + body


def digest_of(labels: NDArray[np.uint8]) -> str:
    """A name for labels: equal names, equal voxels."""
    return hashlib.blake2b(np.ascontiguousarray(labels).data, digest_size=16).hexdigest()


def digest_of_images(header: Header) -> str:
    """A name for the images that a journal was drawn on, whatever their order and place."""
    text = "\n".join(sorted(f"{image.sequence} {image.sha256}" for image in header.images))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def pack_time(time_ms: int) -> bytes:
    """The payload of an undo or redo frame."""
    return time_ms.to_bytes(_TIME_BYTES, "little")


def read_journal(path: Path) -> JournalContent:
    """Read a journal up to the first frame that does not check.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, or ``journal_damaged`` if not even its beginning can be read;
        ``journal_newer`` if a newer version wrote it.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("file_missing", path=path) from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    if raw.startswith(_NAME) and len(raw) >= len(MAGIC) and not raw.startswith(MAGIC):
        raise UserError("journal_newer", path=path)
    frames = _frames(raw)
    try:
        first = _expect(next(frames, None), HEADER)
        # Before anything else of it is looked at: a later form may state more, or otherwise.
        if msgspec.json.decode(first, type=_Format).format > FORMAT:
            raise UserError("journal_newer", path=path)
        header = msgspec.json.decode(first, type=Header)
        base = unpack_exactly(_expect(next(frames, None), BASE), header.shape)
        about_frame = next(frames, None)
        about = msgspec.json.decode(_expect(about_frame, ABOUT), type=About)
        length = about_frame[2] if about_frame is not None else 0
        if not 1 <= header.format <= FORMAT or hashlib.sha256(base).hexdigest() != header.base_sha256:
            raise ValueError("another format, or other labels")
        labels = np.frombuffer(base, dtype=np.uint8).reshape(header.shape)
    except (msgspec.DecodeError, zlib.error, ValueError, RecursionError) as error:
        raise UserError("journal_damaged", path=path) from error
    steps: list[Step] = []
    unsaved, exported = False, ""
    for kind, payload, end in frames:
        try:
            if kind == EDIT:
                edit = msgspec.msgpack.decode(payload, type=Edit)
                _check(edit, header.shape)
                steps.append(edit)
            elif kind in (UNDO, REDO):
                steps.append(Turn(kind, int.from_bytes(payload[:_TIME_BYTES], "little")))
            elif kind == TOTALS:
                totals = msgspec.msgpack.decode(payload, type=Totals)
                if totals.given is not None and totals.given.array().shape != header.shape:
                    raise ValueError("labels of another shape")
                steps.append(totals)
            elif kind == ABOUT:
                about = msgspec.json.decode(payload, type=About)
            elif kind != SAVED:
                break
        except (msgspec.DecodeError, zlib.error, ValueError, RecursionError):
            break
        if kind in (EDIT, UNDO, REDO):
            unsaved, exported = True, ""
        elif kind == SAVED:
            unsaved, exported = False, payload.decode("ascii", "replace")
        length = end
    return JournalContent(header, about, labels, tuple(steps), length, unsaved, exported)


def is_newer(path: Path) -> bool:
    """Whether there is a journal that only a newer version of the program can read."""
    try:
        read_journal(path)
    except UserError as error:
        return error.code == "journal_newer"
    return False


def _frames(raw: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Kind, payload and end of each frame that checks, up to the first that does not."""
    place = len(MAGIC)
    if raw[:place] != MAGIC:
        return
    while len(raw) >= place + 8:
        length = int.from_bytes(raw[place : place + 4], "little")
        end = place + 8 + length
        body = raw[place + 8 : end]
        if (
            length == 0
            or end > len(raw)
            or zlib.crc32(body).to_bytes(4, "little") != raw[place + 4 : place + 8]
        ):
            return
        yield body[0], body[1:], end
        place = end


def _expect(frame: tuple[int, bytes, int] | None, kind: int) -> bytes:
    if frame is None or frame[0] != kind:
        raise ValueError("a frame is missing")
    return frame[1]


def _check(edit: Edit, shape: tuple[int, int, int]) -> None:
    box = Box(edit.start, edit.stop)
    if box.is_empty or box.clipped(shape) != box:
        raise ValueError("a box outside the image")
    unpack_exactly(edit.after, box.shape)


def unpack_exactly(packed: bytes, shape: tuple[int, int, int]) -> bytes:
    """The values of a box of this shape; no memory is taken for more.

    Raises
    ------
    ValueError, zlib.error
        If they do not fill it exactly.
    """
    size = math.prod(shape)
    if min(shape) < 0 or size > _LARGEST:
        raise ValueError("no shape of an image")
    unpacker = zlib.decompressobj()
    values = unpacker.decompress(packed, size + 1)
    if len(values) != size or not unpacker.eof:
        raise ValueError("values do not fill their box")
    return values
