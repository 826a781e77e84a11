"""The studies that were opened on this machine, so that their cases are known by their place alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import set_aside, write_bytes, write_error
from brainseg_desktop.services.paths import state_dir

_FILE = "studies.json"
_MOST = 100

_log = logging.getLogger(__name__)


def known_studies() -> tuple[Path, ...]:
    """Their folders, the one opened last first.

    The file states no version: a later form must have another name.
    """
    path = state_dir() / _FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[str])
    except OSError:
        return ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _log.warning("known studies not readable, set aside as %s", set_aside(path).name)
        return ()
    return tuple(Path(text) for text in found)


def remember_study(folder: Path) -> None:
    """Put a study first among the known ones; a state folder that cannot be written is only logged."""
    place = os.path.abspath(folder)  # noqa: PTH100 - a link keeps its name
    known = [str(path) for path in known_studies()]
    if known[:1] == [place]:
        return
    path = state_dir() / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, msgspec.json.encode([place, *(k for k in known if k != place)][:_MOST]))
    except OSError as error:
        _log.warning("known studies not written: %s", write_error(error, path).code)
    except UserError as error:
        _log.warning("known studies not written: %s", error.code)
