"""What is kept with a case comes back, never loses anything, and never names a patient."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.services import case_display
from brainseg_desktop.services.case_display import (
    CaseDisplay,
    DisplayKeeper,
    WindowPreset,
    display_dir,
    display_path,
    load_display,
    save_display,
)
from brainseg_desktop.services.case_display import case_display as display_of

RULER = {"kind": "ruler", "points": [[1.0, -2.5, 3.0], [4.0, 5.0, 6.0]], "plane_axis": 2}
DISPLAY = CaseDisplay(
    windows={"T1": (0.1, 1234.5)}, colour_maps={"FLAIR": "magma"}, measurements=[RULER, {"kind": "roi"}]
)


def case_of(*hashes: str, name: str = "Doe^Jane") -> Case:
    grid = Grid((2, 2, 2), np.eye(4))
    volumes = {
        s: Volume(np.zeros((2, 2, 2)), grid, Source(Path(f"/scans/{name}/{s.value}.nii.gz"), sha256), s)
        for s, sha256 in zip(Sequence, hashes, strict=False)
    }
    return Case(name, grid, volumes)


def raiser(number: int):
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def files() -> list[str]:
    return sorted(p.name for p in display_dir().iterdir()) if display_dir().exists() else []


def test_what_is_kept_comes_back_and_nothing_names_the_patient() -> None:
    case = case_of("aa", "bb")
    assert load_display(case) is None
    save_display(case, DISPLAY)
    assert load_display(case) == DISPLAY
    path = display_path(case)
    assert [path.name] == files()
    assert b"Doe" not in path.read_bytes()
    assert "Doe" not in str(path)


def test_the_same_images_elsewhere_are_the_same_case() -> None:
    save_display(case_of("aa", "bb"), DISPLAY)
    assert load_display(case_of("aa", "bb", name="copy")) == DISPLAY
    assert load_display(case_of("aa", "cc")) is None
    assert load_display(case_of("bb", "aa")) is None  # another image as T1


def test_images_without_a_hash_are_kept_nowhere() -> None:
    case = case_of("", "bb")
    save_display(case, DISPLAY)
    assert load_display(case) is None
    assert files() == []


def test_only_what_the_reader_changed_is_kept() -> None:
    auto = {Sequence.T1: (0.0, 9.0), Sequence.T2: (1.0, 5.0)}
    maps = {Sequence.T1: "grey", Sequence.T2: "viridis"}
    shown = {Sequence.T1: (0.0, 8.0), Sequence.T2: (1.0, 5.0)}
    assert display_of(shown, auto, maps, [RULER]) == CaseDisplay(
        windows={"T1": (0.0, 8.0)}, colour_maps={"T2": "viridis"}, measurements=[RULER]
    )
    assert display_of(auto, auto, {Sequence.T1: "grey"}).is_default
    assert display_of({Sequence.T1: (0.0, float("nan"))}, auto, {}).is_default


def test_a_default_display_writes_nothing_and_removes_what_was_kept() -> None:
    case = case_of("aa")
    save_display(case, CaseDisplay())
    assert not display_dir().exists()
    save_display(case, DISPLAY)
    save_display(case, CaseDisplay())
    assert files() == []
    assert load_display(case) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"windows": {"T1": [1]}}',
        b'{"windows": {"T1": [1, null]}}',
        b'{"windows": {"T1": [5, 5]}}',
        b'{"windows": {"T1": [1, 1e999]}}',
        b'{"measurements": [3]}',
        b'{"colour_maps": {"T1": 3}}',
        b'{"version": 99}',
    ],
)
def test_a_broken_file_is_set_aside_and_told(content: bytes) -> None:
    case = case_of("aa")
    path = display_path(case)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    told: list[UserError] = []
    assert DisplayKeeper(told.append).load(case) == CaseDisplay()
    assert [e.code for e in told] == ["display_broken"]
    aside = told[0].params["path"]
    assert aside.read_bytes() == content
    assert not path.exists()
    assert load_display(case) is None


def test_a_file_that_cannot_be_read_is_told_and_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of("aa")
    save_display(case, DISPLAY)
    told: list[UserError] = []
    keeper = DisplayKeeper(told.append)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", raiser(errno.EIO))
        assert keeper.load(case) == CaseDisplay()
    assert [e.code for e in told] == ["display_broken"]
    keeper.save(case, CaseDisplay())
    keeper.save(case, CaseDisplay(windows={"T2": (1.0, 2.0)}))
    assert load_display(case) == DISPLAY


def test_unknown_fields_of_another_version_do_no_harm() -> None:
    case = case_of("aa")
    path = display_path(case)
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"windows": {"T1": [1, 2]}, "once_there_was": 1}')
    assert load_display(case) == CaseDisplay(windows={"T1": (1.0, 2.0)})


FAULTS = [(errno.ENOSPC, "disk_full"), (errno.EACCES, "no_permission"), (errno.EROFS, "write_failed")]


@pytest.mark.parametrize(("number", "code"), FAULTS)
@pytest.mark.parametrize("function", ["os.replace", "os.fsync", "pathlib.Path.open", "pathlib.Path.mkdir"])
def test_a_failed_write_leaves_the_old_file(
    monkeypatch: pytest.MonkeyPatch, function: str, number: int, code: str
) -> None:
    case = case_of("aa")
    save_display(case, DISPLAY)
    before = display_path(case).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(function, raiser(number))
        with pytest.raises(UserError) as caught:
            save_display(case, CaseDisplay(windows={"T1": (5.0, 6.0)}))
    assert caught.value.code == code
    assert display_path(case).read_bytes() == before
    assert files() == [display_path(case).name]


def test_a_file_that_cannot_be_removed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of("aa")
    save_display(case, DISPLAY)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", raiser(errno.EACCES))
        with pytest.raises(UserError, match="no_permission"):
            save_display(case, CaseDisplay())
    assert load_display(case) == DISPLAY


def test_a_failure_is_told_once_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = case_of("aa"), case_of("bb")
    told: list[UserError] = []
    keeper = DisplayKeeper(told.append)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raiser(errno.ENOSPC))
        for low in range(5):
            keeper.save(first, CaseDisplay(windows={"T1": (float(low), 9.0)}))
        keeper.save(second, DISPLAY)
        assert [e.code for e in told] == ["disk_full"]
        # Opened again while the disk is still full, the case is as it was left.
        assert keeper.load(first) == CaseDisplay(windows={"T1": (4.0, 9.0)})
    keeper.retry()
    assert load_display(first) == CaseDisplay(windows={"T1": (4.0, 9.0)})
    assert load_display(second) == DISPLAY
    # A later failure is news again.
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raiser(errno.ENOSPC))
        keeper.save(first, DISPLAY)
    assert [e.code for e in told] == ["disk_full", "disk_full"]


def test_only_changes_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of("aa")
    keeper = DisplayKeeper(pytest.fail)
    assert keeper.load(case) == CaseDisplay()
    keeper.save(case, CaseDisplay())
    assert files() == []
    keeper.save(case, DISPLAY)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raiser(errno.ENOSPC))
        keeper.save(case, DISPLAY)
        DisplayKeeper(pytest.fail).load(case)
    keeper.save(case, CaseDisplay())  # the reader took all back
    assert files() == []


def test_too_many_files_lose_those_unused_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_display, "MAX_FILES", 3)
    cases = [case_of(f"{number:02d}") for number in range(4)]
    for number, case in enumerate(cases[:3]):
        save_display(case, DISPLAY)
        os.utime(display_path(case), (1000 + number, 1000 + number))
    load_display(cases[0])  # the oldest is in use again
    save_display(cases[3], DISPLAY)
    assert [load_display(c) is not None for c in cases] == [True, False, True, True]


def test_a_preset_survives_a_round_trip_and_needs_a_name() -> None:
    preset = WindowPreset(name="Rim", low=20, high=99.9, sequence="T1CE")
    assert msgspec.json.decode(msgspec.json.encode(preset), type=WindowPreset) == preset
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name": "", "low": 1, "high": 2}', type=WindowPreset)
