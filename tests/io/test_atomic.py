"""Writing whole or not at all: after every fault the old file is byte for byte as before."""

import errno
import os
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import atomic

FAULTS = [(errno.ENOSPC, "disk_full"), (errno.EACCES, "no_permission"), (errno.EROFS, "write_failed")]


def _raiser(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    atomic.write_bytes(path, b"one")
    atomic.write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize(("number", "code"), FAULTS)
@pytest.mark.parametrize("function", ["os.replace", "os.fsync", "pathlib.Path.open", "pathlib.Path.mkdir"])
def test_fault_leaves_the_old_file(tmp_path, monkeypatch, function, number, code):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(function, _raiser(number))
        with pytest.raises(UserError) as caught:
            atomic.write_bytes(path, b"new")
    assert caught.value.code == code
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_several_files_change_together_or_not_at_all(tmp_path, monkeypatch, failing, links):
    paths = [tmp_path / f"{i}.tif" for i in range(3)]
    for path in paths[:2]:  # the third is new
        path.write_bytes(b"old" + path.name.encode())
    real, count = os.replace, 0

    def replace(source, target):
        nonlocal count
        count += 1
        if count == failing + 1:
            raise OSError(errno.ENOSPC, "full")
        real(source, target)

    monkeypatch.setattr("os.replace", replace)
    if not links:
        monkeypatch.setattr("os.link", _raiser(errno.EPERM))
    with atomic.staged(tmp_path) as stage:
        for path in paths:
            stage.add(path, b"new")
        with pytest.raises(UserError, match="disk_full"):
            stage.commit()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        "0.tif": b"old0.tif",
        "1.tif": b"old1.tif",
    }


def test_what_is_not_committed_is_removed(tmp_path):
    with atomic.staged(tmp_path) as stage:
        temporary = stage.add(tmp_path / "x.nii.gz", b"x")
        assert temporary.name == "x.nii.gz"
        assert temporary.read_bytes() == b"x"
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError) as caught:
        atomic.write_bytes(tmp_path / "no" / "a", b"")
    assert caught.value.code == "write_failed"
    assert caught.value.params["path"] == Path(tmp_path / "no")
