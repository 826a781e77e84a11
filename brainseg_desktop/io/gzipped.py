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


def is_packed(raw: bytes) -> bool:
    """Whether these are gzip data, whatever the file is called."""
    return raw[:2] == _GZIP_MAGIC


def pack(content: bytes) -> bytes:
    """Compress; the frame holds neither name nor time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def unpack(raw: bytes, path: Path) -> bytes:
    """Decompress gzip, with libdeflate where it can (about six times as fast as zlib).

    Raises
    ------
    UserError
        ``file_truncated`` if the data end early or their checksum is wrong.
    """
    size = int.from_bytes(raw[-4:], "little")
    if len(raw) >= 18 and 0 < size <= len(raw) * _MAX_RATIO:
        try:
            import imagecodecs

            content = bytes(imagecodecs.gzip_decode(raw, out=size))
        except (ImportError, RuntimeError, ValueError) as error:
            _log.debug("fast decompression declined: %s", error)
        else:
            if len(content) == size:
                return content
    return unpack_slowly(raw, path)


def unpack_slowly(raw: bytes, path: Path) -> bytes:
    """Decompress every member of a gzip file; zero padding after the last one is allowed."""
    parts = []
    rest = raw
    while rest[:2] == _GZIP_MAGIC:
        unpacker = zlib.decompressobj(31)
        try:
            parts.append(unpacker.decompress(rest))
        except zlib.error as error:
            raise UserError("file_truncated", path=path) from error
        if not unpacker.eof:
            raise UserError("file_truncated", path=path)
        rest = unpacker.unused_data
    return b"".join(parts)
