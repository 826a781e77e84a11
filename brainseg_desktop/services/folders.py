"""The folders a reader has to do with, and what is wrong with them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from brainseg_desktop.core.errors import UserError

# Room for some masks and journals.
LEAST_FREE_MB = 200


def folder_problem(path: Path, *, made_at_need: bool = False) -> UserError | None:
    """What keeps a folder from being written into; blocks where it lies on a share that does not answer.

    Parameters
    ----------
    path : Path
    made_at_need : bool
        The program makes it; until then it is its nearest parent that counts.

    Returns
    -------
    UserError or None
        ``folder_gone``, ``folder_read_only`` (param ``reason``) or ``folder_full`` (param ``free_mb``).
    """
    place = path
    if made_at_need:
        while not place.exists() and place != place.parent:
            place = place.parent
    if not place.is_dir():
        if made_at_need:
            return UserError("folder_read_only", path=path, reason=f"{place} is a file")
        return UserError("folder_gone", path=path)
    try:
        # Tried and not asked: permissions say little on shares and on Windows.
        with tempfile.TemporaryFile(dir=place):
            pass
        free_mb = shutil.disk_usage(place).free // 1_000_000
    except OSError as error:
        return UserError("folder_read_only", path=path, reason=error.strerror or str(error))
    return UserError("folder_full", path=path, free_mb=free_mb) if free_mb < LEAST_FREE_MB else None
