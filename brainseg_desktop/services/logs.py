"""The log file and the crash file. Neither holds patient data: names are logged as hashes."""

from __future__ import annotations

import faulthandler
import hashlib
import logging
import logging.handlers
import platform
import sys
from pathlib import Path
from typing import IO

from brainseg_desktop import __version__
from brainseg_desktop.services.paths import log_dir

LOG_NAME = "brainseg.log"
CRASH_NAME = "crash.txt"
_SIZE_BYTES = 1_000_000
_KEPT = 3

_log = logging.getLogger(__name__)


def alias(name: object) -> str:
    """A short stand-in for a case name or path: the same one each time, and no way back to the name.

    Examples
    --------
    >>> alias("patient") == alias("patient"), len(alias("patient"))
    (True, 8)
    """
    return hashlib.sha256(str(name).encode()).hexdigest()[:8]


def start_logging(level: int = logging.INFO) -> Path | None:
    """Log to a file of limited size; None where nothing can be written, which stops nobody."""
    path = log_dir() / LOG_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_SIZE_BYTES, backupCount=_KEPT, encoding="utf-8"
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("brainseg_desktop")
    stop_logging()
    root.addHandler(handler)
    root.setLevel(level)
    _log.info("BrainSeg Desktop %s, Python %s, %s", __version__, sys.version.split()[0], platform.platform())
    return path


def stop_logging() -> None:
    """Close the log file."""
    root = logging.getLogger("brainseg_desktop")
    for handler in [h for h in root.handlers if isinstance(h, logging.handlers.RotatingFileHandler)]:
        root.removeHandler(handler)
        handler.close()


class CrashFile:
    """Where the interpreter writes its stack should the process die (a segmentation fault in a library).

    Open it once at the start and close it at a normal end; whatever is in it at the next start was left by
    a crash.
    """

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def open(self) -> str | None:
        """Start watching.

        Returns
        -------
        str or None
            What the last run left behind, if it crashed.
        """
        path = log_dir() / CRASH_NAME
        left = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                left = path.read_text(encoding="utf-8", errors="replace").strip() or None
            self._file = path.open("w", encoding="utf-8")
        except OSError:
            return left
        faulthandler.enable(self._file)
        return left

    def close(self) -> None:
        """Stop watching; an empty file says that all went well."""
        if self._file is not None:
            faulthandler.disable()
            self._file.close()
            self._file = None
