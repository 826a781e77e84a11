"""Gzip in memory: fast to read, and the same bytes for the same content."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

from brainseg_desktop.core.errors import UserError

_log = logging.getLogger(__name__)

_GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot do better, so a stated size beyond this is not to be believed (nor allocated).
_MAX_RATIO = 1032
_PIECE = 1 << 20
_SLACK = 1 << 16  # what may follow the voxels without the slow way being taken


def is_packed(raw: bytes) -> bool:
    """Whether these are gzip data, whatever the file is called."""
    return raw[:2] == _GZIP_MAGIC


def pack(content: bytes) -> bytes:
    """Compress; the frame holds neither name nor time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def unpack(raw: bytes, path: Path, stop: int, start: int = 0) -> bytes:
    """Decompress a part of gzip data, with libdeflate where it can (about six times as fast as zlib).

    What the data could grow to is never believed: no more than `stop` bytes are made, but for a remainder
    of at most the same size that the fast way decompresses along.

    Parameters
    ----------
    raw : bytes
    path : Path
        For the message.
    stop, start : int
        The part of the decompressed bytes that is wanted.

    Returns
    -------
    bytes
        From `start` up to `stop`, or fewer where the data end before.

    Raises
    ------
    UserError
        ``file_truncated`` if the data end early or their checksum is wrong.
    """
    size = int.from_bytes(raw[-4:], "little")
    if len(raw) >= 18 and 0 < size <= min(len(raw) * _MAX_RATIO, 2 * (stop - start) + _SLACK):
        try:
            import imagecodecs

            content = bytes(imagecodecs.gzip_decode(raw, out=size))
        except (ImportError, RuntimeError, ValueError) as error:
            _log.debug("fast decompression declined: %s", error)
        else:
            if len(content) == size >= stop:
                return content[start:stop] if (start, stop) != (0, size) else content
    return unpack_slowly(raw, path, stop, start)


def unpack_slowly(raw: bytes, path: Path, stop: int, start: int = 0) -> bytes:
    """`unpack` with zlib: every member of a gzip file in pieces; zero padding after the last one is allowed.

    A file that is read to its end must be sound there; what lies behind `stop` is not looked at.
    """
    kept = bytearray()
    place = at = 0
    while raw[at : at + 2] == _GZIP_MAGIC:
        unpacker = zlib.decompressobj(31)
        fed = b""
        while not unpacker.eof:
            if not fed:
                fed = raw[at : at + _PIECE]
                at += len(fed)
            was_fed = bool(fed)
            try:
                piece = unpacker.decompress(fed, min(_PIECE, max(1, stop - place + 1)))
            except zlib.error as error:
                raise UserError("file_truncated", path=path) from error
            fed = unpacker.unconsumed_tail
            if not (piece or was_fed or unpacker.eof):
                raise UserError("file_truncated", path=path)
            kept += piece[max(0, start - place) : max(0, stop - place)]
            place += len(piece)
            if place > stop:
                return bytes(kept)
        at -= len(unpacker.unused_data)
    return bytes(kept)
