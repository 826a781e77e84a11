"""A claim on a folder: one program writes there at a time, on one machine or on a share that several use.

Locks of the system do not hold on every share, so the claim is a file: who, where, since when, and a secret.
Its time is renewed while the program lives; one that has not been renewed for a while is dead.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_error, write_synced

FILE = ".claim.json"
RENEW_S = 20.0
DEAD_AFTER_S = 90.0


class Holder(msgspec.Struct, frozen=True):
    """Who holds a folder."""

    host: str
    process: int
    since_utc: str
    token: str


class Claim:
    """A claim that is held; made by `claim_folder`."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.path = folder / FILE
        self.holder = holder

    def renew(self) -> None:
        """Say that this program still lives; call it at least every `RENEW_S`. A failure shows at `check`."""
        with suppress(OSError):
            if _read(self.path) == self.holder:
                os.utime(self.path)

    def check(self) -> None:
        """Call before each write.

        Raises
        ------
        UserError
            ``claim_lost`` if someone else holds the folder by now, or the claim is gone.
        """
        if _read(self.path) != self.holder:
            raise UserError("claim_lost", path=self.path.parent)

    def release(self) -> None:
        """Let the folder go; twice does no harm."""
        with suppress(OSError):
            if _read(self.path) == self.holder:
                self.path.unlink()


def claim_folder(folder: Path) -> Claim:
    """Claim a folder, which is made at need.

    Raises
    ------
    UserError
        ``claim_held`` (params ``path``, ``host``, ``since``) if a living program holds it;
        what writing raises.
    """
    holder = Holder(
        socket.gethostname(),
        os.getpid(),
        datetime.now(UTC).isoformat(timespec="seconds"),
        secrets.token_hex(8),
    )
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(3):
            try:
                write_synced(path, msgspec.json.encode(holder))
                return Claim(folder, holder)
            except FileExistsError:
                _clear_dead(path)
    except OSError as error:
        raise write_error(error, path) from error
    raise _held(path)


def _clear_dead(path: Path) -> None:
    """Take a dead claim off; whoever renames it first has the right to.

    Raises
    ------
    UserError
        ``claim_held`` if it is alive.
    """
    found = _read(path)
    try:
        before = path.stat().st_mtime
    except FileNotFoundError:
        return
    own_host = found is not None and found.host == socket.gethostname()
    gone = own_host and found is not None and not _is_running(found.process)
    if not gone and _now_on(path.parent) - before < DEAD_AFTER_S:
        raise _held(path)
    aside = path.with_name(f".claim-{secrets.token_hex(6)}")
    with suppress(FileNotFoundError):
        path.rename(aside)
        # Between the look and the rename another program may have taken the place: then it is put back.
        if _read(aside) != found:
            with suppress(FileExistsError):
                os.link(aside, path)
            aside.unlink()
            raise _held(path)
        aside.unlink()


def _held(path: Path) -> UserError:
    found = _read(path)
    host, since = (found.host, found.since_utc) if found is not None else ("another machine", "a moment ago")
    return UserError("claim_held", path=path.parent, host=host, since=since)


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _now_on(folder: Path) -> float:
    """The time as the file system of a folder has it: clocks of server and machine may differ."""
    probe = folder / f".clock-{secrets.token_hex(6)}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _is_running(process: int) -> bool:
    if os.name == "nt":
        # A signal of 0 would end the process there.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
