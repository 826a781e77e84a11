"""What a run has done, as lines of JSON in the output folder, so that an interrupted run can go on.

A line is added once a case's files are whole, and reaches the disk before the next case counts. It names
outputs and hashes: nothing of a patient but what the outputs' own names tell. A torn last line is no line.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.io.locking import lock

FILE = "segment-record.jsonl"
# Two runs that write to one folder at the same moment wait for each other.
_PATIENCE_SECONDS = 5.0


class Line(msgspec.Struct, frozen=True):
    """A case that is done.

    Parameters
    ----------
    output : str
        Name of the mask, or of the folder of its slices.
    key : str
        Hash of all that the output follows from.
    files : dict of str to str
        Every file written, from the output folder, and its sha256.
    seconds, scheme, model, device, volumes_ml
        As in the results.
    uncertainty : str or None
        Name of the map.
    """

    output: str
    key: str
    files: dict[str, str]
    seconds: float | None
    scheme: str | None
    model: str | None
    device: str | None
    volumes_ml: dict[str, float | None]
    uncertainty: str | None = None


class Record:
    """The lines in one output folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def lines(self) -> dict[str, Line]:
        """The last line of each output; none of what is torn or no line of ours."""
        found: dict[str, Line] = {}
        try:
            content = self.path.read_bytes()
        except OSError:
            return found
        for text in content.split(b"\n"):
            try:
                line = msgspec.json.decode(text, type=Line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            found[line.output] = line
        return found

    def add(self, line: Line) -> None:
        """Append a line and wait until it is on the disk.

        Raises
        ------
        UserError
            ``disk_full``, ``no_permission`` or ``write_failed``.
        """
        try:
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666
            )
            try:
                until = time.monotonic() + _PATIENCE_SECONDS
                while not lock(descriptor) and time.monotonic() < until:
                    time.sleep(0.01)
                end = os.lseek(descriptor, 0, os.SEEK_END)
                # What an earlier run left torn must not swallow this line.
                os.lseek(descriptor, max(0, end - 1), os.SEEK_SET)
                torn = end > 0 and os.read(descriptor, 1) != b"\n"
                content = b"\n" * torn + msgspec.json.encode(line) + b"\n"
                while content:
                    content = content[os.write(descriptor, content) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise write_error(error, self.path) from error


def sha256_of(path: Path) -> str:
    """The hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_as_written(folder: Path, line: Line) -> bool:
    """Whether every file of a line still is there, byte for byte."""
    try:
        return all(sha256_of(folder / name) == digest for name, digest in line.files.items())
    except OSError:
        return False


def hashes(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """The files by their name from the folder, with their hashes."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}
