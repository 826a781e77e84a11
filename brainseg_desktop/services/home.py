"""Whether the program's own folders can be written at all: said at the start, not after an hour's work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.paths import config_dir, state_dir

# About what the first frames of a journal take: a disk with less room keeps no stroke.
_PROBE_BYTES = 1 << 18


def unkept_home() -> UserError | None:
    """Why nothing can be kept between two starts; None if all is well.

    Returns
    -------
    UserError or None
        ``home_unkept`` with ``path`` and ``reason``.
    """
    for folder in (config_dir(), state_dir()):
        reason = _fault(folder)
        if reason is not None:
            return UserError("home_unkept", path=folder, reason=reason)
    return None


def _fault(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            # Some shares find out only now that there is no room.
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None
