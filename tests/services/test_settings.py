"""Settings survive a round trip, a crash while writing, and a broken file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.settings import (
    MAX_RECENT,
    Brush,
    Settings,
    load_settings,
    save_settings,
    settings_path,
    with_recent,
)


def test_the_first_start_has_defaults_and_nothing_to_say() -> None:
    loaded = load_settings()
    assert loaded.settings == Settings()
    assert loaded.problem is None


def test_what_is_saved_is_loaded() -> None:
    settings = Settings(
        recent_cases=("/a", "/b"), theme="light", opacity=0.25, brush=Brush(diameter_mm=3.0, shape="ball")
    )
    save_settings(settings)
    assert load_settings().settings == settings


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"opacity": 7}',
        b'{"theme": "pink"}',
        b'{"version": 99}',
        b'{"brush": 3}',
    ],
)
def test_a_broken_file_is_set_aside_and_said(content: bytes) -> None:
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    loaded = load_settings()
    assert loaded.settings == Settings()
    assert loaded.problem is not None
    aside = loaded.problem.params["path"]
    assert isinstance(aside, Path)
    assert aside.read_bytes() == content
    assert not path.exists()
    assert str(aside) in words(loaded.problem)


def test_unknown_fields_of_another_version_do_no_harm() -> None:
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"opacity": 0.3, "once_there_was": 1}')
    assert load_settings().settings.opacity == 0.3


def test_a_full_disk_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save_settings(Settings(opacity=0.1))
    before = settings_path().read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as caught:
        save_settings(Settings(opacity=0.9))
    assert caught.value.code == "disk_full"
    assert settings_path().read_bytes() == before
    assert [p.name for p in settings_path().parent.iterdir()] == [settings_path().name]


def test_a_file_in_place_of_the_folder_is_said(own_home: Path) -> None:
    (own_home / "config").write_text("mine")
    with pytest.raises(UserError):
        save_settings(Settings())
    assert (own_home / "config").read_text() == "mine"


def test_recent_cases_are_newest_first_without_repeats() -> None:
    settings = Settings()
    for number in range(20):
        settings = with_recent(settings, f"/case{number % 15}")
    assert settings.recent_cases[0] == "/case4"
    assert len(settings.recent_cases) == len(set(settings.recent_cases)) == MAX_RECENT
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_one_broken_value_takes_no_other_with_it() -> None:
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"version": 1, "theme": "pink", "rater": "A", "keys": {"brush": ["F9"], "fill": 3}}')
    loaded = load_settings()
    assert loaded.settings == Settings(rater="A")
    assert loaded.problem is not None
    assert loaded.problem.code == "settings_partly_broken"
    assert b"pink" in loaded.problem.params["path"].read_bytes()  # type: ignore[attr-defined]
    assert "the others are as you left them" in words(loaded.problem)


def test_a_file_of_before_the_settings_window_is_read() -> None:
    """What version 0.4.0 has written."""
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(
        b'{"version": 1, "recent_cases": ["/a"], "theme": "light", "opacity": 0.3, "device": "cpu", '
        b'"reference": "FLAIR", "rater": "B", "last_open_dir": "/a", "last_export_dir": ""}'
    )
    loaded = load_settings()
    assert loaded.problem is None
    settings = loaded.settings
    assert (settings.theme, settings.device, settings.rater, settings.opening_dir) == (
        "light",
        "cpu",
        "B",
        "/a",
    )
    assert (settings.language, settings.keys, settings.device_times) == ("en", {}, ())
