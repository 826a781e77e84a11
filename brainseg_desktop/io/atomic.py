"""Writing so that a failure at any moment leaves the old file as it was.

The new bytes go to a file in the same folder, reach the disk, and only then take the old name.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from brainseg_desktop.core.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_HIDDEN = ".brainseg-"
# No write lasts so long: what is older was left by a program that was killed.
_STALE_SECONDS = 3600.0


def write_error(error: OSError, path: Path) -> UserError:
    """The `UserError` for a write that failed: ``disk_full``, ``no_permission`` or ``write_failed``."""
    if error.errno in _FULL:
        return UserError("disk_full", path=path)
    if error.errno in _FORBIDDEN:
        return UserError("no_permission", path=path)
    return UserError("write_failed", path=path, reason=error.strerror or str(error))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``; the old file is then byte for byte as before.
    """
    with staged(path.parent) as stage:
        stage.add(path, data)
        stage.commit()


class Staging:
    """New files that take their names together or not at all; made by `staged`.

    Parameters
    ----------
    folder : Path
        A hidden folder on the same file system as the targets, so that a rename is enough.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new: dict[Path, Path] = {}

    def add(self, target: Path, data: bytes) -> Path:
        """Write the bytes for `target` to the disk under a temporary name and return that.

        The temporary file has the target's own name in a hidden folder, so that readers that go by the
        suffix can check it.
        """
        temporary = self.folder / target.name
        with _told(target):
            write_synced(temporary, data)
        self._new[target] = temporary
        return temporary

    def commit(self) -> None:
        """Give every file its name; if one fails, those before it get their old content back."""
        old = self.folder / "old"
        with _told(self.folder.parent):
            old.mkdir()
        done: list[tuple[Path, Path | None]] = []
        try:
            for target, temporary in self._new.items():
                with _told(target):
                    # A second name keeps the old content at hand while the target is never missing. A lone
                    # file needs none: its replacement is the last step, and either happens or not.
                    kept = _keep(target, old) if len(self._new) > 1 and target.exists() else None
                    temporary.replace(target)
                done.append((target, kept))
        except BaseException:
            for target, kept in reversed(done):
                with suppress(OSError):
                    if kept is None:
                        target.unlink()
                    else:
                        kept.replace(target)
            raise
        sync_folder(self.folder.parent)


@contextmanager
def staged(folder: Path) -> Iterator[Staging]:
    """Stage files that belong into `folder`; what was not committed by the end is removed.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    hidden = folder / f"{_HIDDEN}{secrets.token_hex(6)}"
    with _told(folder):
        hidden.mkdir()
    try:
        yield Staging(hidden)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed programs have left half-written in a folder; what may still be written stays."""
    for hidden in folder.glob(f"{_HIDDEN}*"):
        with suppress(OSError):
            if hidden.is_dir() and time.time() - hidden.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(hidden, ignore_errors=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last; does nothing where the system cannot (Windows, some shares)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _keep(target: Path, old: Path) -> Path:
    kept = old / target.name
    try:
        os.link(target, kept)
    except OSError:  # no hard links on this file system
        shutil.copy2(target, kept)
    return kept


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from error


def set_aside(path: Path) -> Path:
    """Rename a broken file so that nothing in it is lost; its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}-broken-{stamp}{path.suffix}")
    try:
        path.replace(aside)
    except OSError:
        return path
    return aside
