"""The record: whatever was cut off, what it says is true."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.batch.record import Line, Record, is_as_written, sha256_of


def line(name: str, key: str = "k") -> Line:
    return Line(f"{name}_seg.nii.gz", key, {}, 1.5, "brats2023", "net", "cpu", {"WT": 1.0})


def test_the_last_line_of_an_output_counts(tmp_path: Path) -> None:
    record = Record(tmp_path)
    for name, key in (("a", "1"), ("b", "2"), ("a", "3")):
        record.add(line(name, key))
    assert {n: found.key for n, found in record.lines().items()} == {"a_seg.nii.gz": "3", "b_seg.nii.gz": "2"}


@pytest.mark.parametrize("kept", range(1, 120, 7))
def test_a_torn_tail_is_no_line_and_swallows_none(tmp_path: Path, kept: int) -> None:
    record = Record(tmp_path)
    record.add(line("a"))
    whole = record.path.read_bytes()
    record.path.write_bytes(whole + whole[:kept])
    assert record.lines() == {"a_seg.nii.gz": line("a")}
    record.add(line("b"))
    assert record.lines() == {"a_seg.nii.gz": line("a"), "b_seg.nii.gz": line("b")}


def test_rubbish_among_the_lines_is_passed_over(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.path.write_bytes(b"\xff\xfe\n[1]\n{}\n\n")
    record.add(line("a"))
    assert record.lines() == {"a_seg.nii.gz": line("a")}


def test_two_runs_at_once_tear_nothing(tmp_path: Path) -> None:
    def write(prefix: str) -> None:
        for number in range(30):
            Record(tmp_path).add(line(f"{prefix}{number}"))

    threads = [threading.Thread(target=write, args=(p,)) for p in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Record(tmp_path).lines()) == 60


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as error:
        Record(tmp_path).add(line("a"))
    assert error.value.code == "disk_full"


def test_an_output_counts_only_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mask")
    written = Line("a", "k", {"a": sha256_of(tmp_path / "a")}, None, None, None, None, {})
    assert is_as_written(tmp_path, written)
    (tmp_path / "a").write_bytes(b"task")
    assert not is_as_written(tmp_path, written)
    (tmp_path / "a").unlink()
    assert not is_as_written(tmp_path, written)
