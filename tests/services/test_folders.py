"""What is wrong with a folder, told before something is lost in it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from brainseg_desktop.services import folders
from brainseg_desktop.services.folders import folder_problem
from brainseg_desktop.services.messages import words


def code(path: Path, *, made_at_need: bool = False) -> str | None:
    problem = folder_problem(path, made_at_need=made_at_need)
    assert problem is None or str(path) in words(problem)
    return None if problem is None else problem.code


def test_a_good_folder_has_no_problem_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    assert code(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_made_at_need_may_be_missing(tmp_path: Path) -> None:
    assert code(tmp_path / "a" / "b", made_at_need=True) is None
    assert not (tmp_path / "a").exists()
    assert code(tmp_path / "a" / "b") == "folder_gone"


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("in the way")
    assert code(tmp_path / "a") == "folder_gone"
    assert code(tmp_path / "a" / "b", made_at_need=True) == "folder_read_only"


def test_what_may_not_be_written_and_what_is_full_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(folders.tempfile, "TemporaryFile", forbidden)
        assert code(tmp_path) == "folder_read_only"
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    assert code(tmp_path) == "folder_full"
