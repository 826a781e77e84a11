"""The log file and the crash file. Neither holds patient data: names are written as hashes."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from brainseg_desktop import __version__
from brainseg_desktop.io.locking import lock
from brainseg_desktop.services.paths import log_dir
from brainseg_desktop.services.scrubbing import Scrubber

LOG_NAME = "brainseg.log"
CRASH_NAMES = "crash*.txt"
_SIZE_BYTES = 1_000_000
_KEPT = 3

_log = logging.getLogger(__name__)


class _Clean(logging.Formatter):
    """Writes records without what could name a patient, tracebacks too."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        return self._scrubber.clean(super().format(record))


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that several programs write: where another has it open, it is not put aside, and goes on."""

    def doRollover(self) -> None:
        try:
            super().doRollover()
        except OSError:
            if self.stream is None:
                self.stream = self._open()


def start_logging(level: int = logging.INFO, scrubber: Scrubber | None = None) -> Path | None:
    """Log to a file of limited size; None where nothing can be written, which stops nobody.

    Names that the scrubber knows, and all paths but those of program code, are replaced as they are written.
    """
    path = log_dir() / LOG_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, maxBytes=_SIZE_BYTES, backupCount=_KEPT, encoding="utf-8", errors="replace")
    except OSError:
        return None
    handler.setFormatter(_Clean(scrubber or Scrubber()))
    root = logging.getLogger("brainseg_desktop")
    stop_logging()
    root.addHandler(handler)
    root.setLevel(level)
    _log.info("BrainSeg Desktop %s, Python %s, %s", __version__, sys.version.split()[0], platform.platform())
    return path


def last_lines(count: int = 60) -> str:
    """The end of the log; empty if there is none."""
    try:
        with (log_dir() / LOG_NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * count))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


def stop_logging() -> None:
    """Close the log file."""
    root = logging.getLogger("brainseg_desktop")
    for handler in [h for h in root.handlers if isinstance(h, logging.handlers.RotatingFileHandler)]:
        root.removeHandler(handler)
        handler.close()


class CrashFile:
    """Where the interpreter writes its stack should the process die (a segmentation fault in a library).

    Open it once at the start and close it at a normal end. Each program has a file of its own, locked while
    it lives: what lies in one that nobody has locked was left by a crash.
    """

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def open(self) -> str | None:
        """Start watching.

        Returns
        -------
        str or None
            What runs that crashed have left behind, the last one's if there are several.
        """
        left = None
        path = log_dir() / f"crash-{os.getpid()}.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            left = _take_left(path.parent)
            self._file = path.open("w", encoding="utf-8")
        except OSError:
            return left
        lock(self._file.fileno())
        faulthandler.enable(self._file)
        return left

    def close(self) -> None:
        """Stop watching; no file says that all went well."""
        if self._file is not None:
            faulthandler.disable()
            path = Path(self._file.name)
            self._file.close()
            self._file = None
            with suppress(OSError):
                path.unlink()


def _take_left(folder: Path) -> str | None:
    """Read and remove the crash files of programs that have ended; None if none of them holds a word."""
    found: list[tuple[float, str]] = []
    for path in folder.glob(CRASH_NAMES):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                free = lock(descriptor)
                text = path.read_text(encoding="utf-8", errors="replace").strip() if free else ""
                time = path.stat().st_mtime
            finally:
                os.close(descriptor)
            if free:
                path.unlink()
            if text:
                found.append((time, text))
    return max(found)[1] if found else None
