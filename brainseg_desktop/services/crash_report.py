"""The report of a crash: what happened in words, versions, traceback, log; without names of patients."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from datetime import datetime
from importlib import metadata
from pathlib import Path

from brainseg_desktop import __version__
from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.services.language import mark
from brainseg_desktop.services.logs import last_lines
from brainseg_desktop.services.scrubbing import Scrubber

_LIBRARIES = ("PySide6-Essentials", "numpy", "scipy", "nibabel", "onnxruntime", "pydicom", "pyqtgraph")
PRIVACY = mark(
    "Names of cases, files, folders and the user are replaced by stand-ins such as <name 1a2b3c4d>. "
    "Nothing is sent anywhere. Read the report before you hand it on."
)


def report_bug(error: BaseException, scrubber: Scrubber) -> str:
    """The report of an error of the program's own, after which it goes on."""
    what = (
        "The program met an error of its own and went on. What was being done at that moment may not have "
        "been finished; strokes made before are in the journal."
    )
    return _report(what, "".join(traceback.format_exception(error)), last_lines(), scrubber)


def report_end(left: str, log: str, scrubber: Scrubber) -> str:
    """The report of a program that died, from the stack it has left and the log of then."""
    what = (
        "The program ended unexpectedly the last time it ran, in a library it uses. "
        "Strokes made before are in the journal."
    )
    return _report(what, left, log, scrubber)


def save_report(report: str, path: Path) -> None:
    """Write a report to a text file.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    write_bytes(path, report.encode("utf-8", errors="replace"))


def _report(what: str, details: str, log: str, scrubber: Scrubber) -> str:
    parts = [
        ("What happened", what),
        ("When", f"{datetime.now().astimezone():%Y-%m-%d %H:%M %z}"),
        ("Program", _program()),
        ("System", f"{platform.platform()}, {os.cpu_count()} processors"),
        ("Privacy", PRIVACY),
        ("Details", scrubber.clean(details.strip())),
        ("Last lines of the log", scrubber.clean(log) or "There is no log."),
    ]
    return "\n\n".join(f"{title}\n{text}" for title, text in (("BrainSeg Desktop", "Report"), *parts)) + "\n"


def _program() -> str:
    kind = "installed app" if getattr(sys, "frozen", False) else "Python package"
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            # A frozen app may come without the descriptions of its packages.
            found.append(f"{name} version unknown")
    return f"BrainSeg Desktop {__version__} ({kind}), Python {platform.python_version()}, {', '.join(found)}"
