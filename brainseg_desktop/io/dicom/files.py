"""Single DICOM files, read with bounds: whatever their bytes claim, only what is there is taken.

pydicom is told to accept odd values in silence: its warnings and log lines quote them, and a value may be a
patient's name.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
import zlib
from collections.abc import Sequence as Items
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from brainseg_desktop.core.errors import UserError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

# No file of a head comes near; what claims more is damaged, or made to fill the memory.
MAX_FILE_BYTES = 1 << 30
MAX_INFLATED = 1 << 28
_DEFLATED = "1.2.840.10008.1.2.1.99"
# What files of before 1993 and stripped ones begin with instead of a preamble: group 2 or 8, little endian.
_BARE = (b"\x02\x00", b"\x08\x00")


def is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM files do; names and suffixes tell nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    if start[128:] == b"DICM":
        return True
    # Low element numbers too, so that not every text or archive comes through.
    return len(start) == 132 and start[:2] in _BARE and start[3:4] == b"\x00" and start[2] <= 0x18


def read_head(path: Path, tags: Items[str]) -> FileDataset:
    """These elements of a file, and nothing of its pixels.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``dicom_damaged``, ``dicom_too_large``.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _parsed(cast(BinaryIO, _Bounded(file, size)), path, list(tags))
    except OSError as error:
        raise _unreadable(path, error) from error


def read_content(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``dicom_too_large``.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError("dicom_too_large", path=path)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def parse(content: bytes, path: Path) -> FileDataset:
    """The dataset in a file's bytes.

    Raises
    ------
    UserError
        ``dicom_damaged``, ``dicom_too_large``.
    """
    return _parsed(io.BytesIO(content), path, None)


def quieten() -> None:
    """Have pydicom keep what it finds odd to itself; cheap, and called before each use of it."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    for name in ("pydicom", "openjpeg"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom\b")


def _parsed(file: BinaryIO, path: Path, tags: list[str] | None) -> FileDataset:
    from pydicom import dcmread

    quieten()
    try:
        _refuse_bomb(file, path)
        return dcmread(file, force=True, stop_before_pixels=tags is not None, specific_tags=tags)
    except (UserError, OSError):
        raise
    except Exception as error:
        # Damaged bytes make pydicom raise nearly anything. Its words may quote a value, so they are not told.
        raise UserError("dicom_damaged", path=path) from error


def _refuse_bomb(file: BinaryIO, path: Path) -> None:
    """Refuse a deflated file that would fill the memory; pydicom inflates without a bound."""
    from pydicom.filereader import _read_file_meta_info, read_preamble

    read_preamble(file, True)
    syntax = str(_read_file_meta_info(file).get("TransferSyntaxUID", ""))
    if syntax == _DEFLATED:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        inflating.decompress(file.read(MAX_FILE_BYTES), MAX_INFLATED)
        if inflating.unconsumed_tail:
            raise UserError("dicom_too_large", path=path)
    file.seek(0)


def _unreadable(path: Path, error: OSError) -> UserError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UserError("file_missing", path=path)
    return UserError("file_unreadable", path=path, reason=error.strerror or "unknown")


class _Bounded:
    """A file that is never asked for more bytes than it has: Python would set the memory aside first."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.tell = file.tell

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count < 0 else min(count, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)
