"""A claim on a folder: held by one living program, told to others, taken off when it is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import claims
from brainseg_desktop.io.claims import DEAD_AFTER_S, FILE, Claim, Holder, claim_folder


def _foreign(folder: Path, *, host: str = "reading-room-2", process: int = 1, age_s: float = 0.0) -> Path:
    """The claim of a program elsewhere, renewed so long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_bytes(msgspec.json.encode(Holder(host, process, "2026-01-01T10:32:00+00:00", "x")))
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_a_folder_is_made_held_once_and_free_again_after_release(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    claim = claim_folder(folder)
    with pytest.raises(UserError, match="claim_held"):
        claim_folder(folder)
    claim.check()
    claim.release()
    claim.release()
    claim_folder(folder).release()
    assert not list(folder.iterdir())


def test_who_holds_it_is_told(tmp_path: Path) -> None:
    _foreign(tmp_path)
    with pytest.raises(UserError, match="claim_held") as told:
        claim_folder(tmp_path)
    assert told.value.params["host"] == "reading-room-2"
    assert "10:32" in str(told.value.params["since"])


@pytest.mark.parametrize(("age_s", "free"), [(DEAD_AFTER_S - 30, False), (DEAD_AFTER_S + 30, True)])
def test_one_that_is_not_renewed_is_dead_after_a_while(tmp_path: Path, age_s: float, free: bool) -> None:
    _foreign(tmp_path, age_s=age_s)
    if free:
        claim_folder(tmp_path).check()
    else:
        with pytest.raises(UserError, match="claim_held"):
            claim_folder(tmp_path)


def test_one_of_this_machine_is_dead_with_its_process(tmp_path: Path) -> None:
    import socket

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _foreign(tmp_path, host=socket.gethostname(), process=ended.pid)
    claim_folder(tmp_path).check()


def test_renewing_keeps_it_alive_and_never_renews_anothers(tmp_path: Path) -> None:
    claim = claim_folder(tmp_path)
    old = time.time() - 1000
    os.utime(claim.path, (old, old))
    claim.renew()
    assert time.time() - claim.path.stat().st_mtime < 100
    _foreign(tmp_path, age_s=500)
    claim.renew()
    assert time.time() - claim.path.stat().st_mtime > 400
    with pytest.raises(UserError, match="claim_lost"):
        claim.check()
    claim.release()
    assert claim.path.exists(), "another's claim is not taken off"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b'{"host": 3}'])
def test_a_damaged_claim_counts_as_one_until_it_is_old(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(content)
    with pytest.raises(UserError, match="claim_held"):
        claim_folder(tmp_path)
    old = time.time() - 1000
    os.utime(path, (old, old))
    claim_folder(tmp_path).check()


@pytest.mark.parametrize("dead", [False, True])
def test_of_many_at_once_exactly_one_gets_it(tmp_path: Path, dead: bool) -> None:
    for turn in range(15):
        folder = tmp_path / str(turn)
        if dead:
            _foreign(folder, age_s=1000)

        refusals: list[str] = []

        def attempt(_: int, folder: Path = folder, refusals: list[str] = refusals) -> Claim | None:
            try:
                return claim_folder(folder)
            except UserError as error:
                refusals.append(error.code)
                return None

        with ThreadPoolExecutor(8) as pool:
            got = [claim for claim in pool.map(attempt, range(8)) if claim is not None]
        assert set(refusals) <= {"claim_held"}
        holding = []
        for claim in got:
            try:
                claim.check()
                holding.append(claim)
            except UserError:
                continue
        assert len(holding) == 1
        assert not [p for p in folder.iterdir() if p.name != FILE], "nothing is left lying about"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(claims, "write_synced", refuse)
    with pytest.raises(UserError, match="no_permission"):
        claim_folder(tmp_path)
