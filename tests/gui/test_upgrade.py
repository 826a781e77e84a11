"""The window over files of older and newer versions, and where nothing can be written."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.io.journal_format import HEADER, MAGIC, frame
from brainseg_desktop.services import home
from tests.gui.conftest import dab, open_case
from tests.kept.make_kept import CASE
from tests.test_upgrade import KEPT, VERSIONS

Make = Callable[[], MainWindow]


def put(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a version in the place of this program's own; where they are."""
    shutil.copytree(KEPT / version / "home", folder)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    monkeypatch.setenv("BRAINSEG_HOME", str(folder))
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_strokes_of_an_older_version_are_there_when_the_case_is_opened(
    qtbot: QtBot, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    put(version, tmp_path / "own", monkeypatch)
    shutil.copytree(KEPT / CASE, tmp_path / CASE)
    states = np.load(KEPT / version / "states.npz")["states"]
    window = make()
    assert window.settings.theme == "light"
    open_case(qtbot, window, tmp_path / CASE)
    qtbot.waitUntil(lambda: window.session.editable() is not None)
    own = window.session.editable()
    np.testing.assert_array_equal(own.label_map.array, states[2])
    for state in (states[1], states[0]):
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        np.testing.assert_array_equal(own.label_map.array, state)


def test_strokes_of_a_newer_version_are_told_at_the_start(
    qtbot: QtBot, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (put("0.3.0", tmp_path / "own", monkeypatch) / "state" / "journals").glob("*.journal")
    content = MAGIC + frame(HEADER, b'{"format":99}') + path.read_bytes()[len(MAGIC) :]
    path.write_bytes(content)
    window = make()
    window.recovering.offer()
    qtbot.waitUntil(lambda: path.name in window.messages.text)
    assert "newer version" in window.messages.text
    assert window.recovering.dialog is None
    window.close()
    assert path.read_bytes() == content


def test_a_home_that_cannot_be_written_is_said_and_work_goes_on(
    qtbot: QtBot, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by permissions: whoever runs the tests may be allowed everything.
    (tmp_path / "file").write_bytes(b"no folder")
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "file" / "home"))
    shutil.copytree(KEPT / CASE, tmp_path / CASE)
    window = make()
    assert window.messages.text.startswith("Nothing can be kept in")
    assert str(tmp_path / "file") in window.messages.text
    mark = window.statusBar().findChild(QLabel, "unkept")
    assert mark.isVisible()
    assert "export each mask" in mark.toolTip()
    open_case(qtbot, window, tmp_path / CASE)
    assert mark.isVisible()
    view = window.viewer.views[0]
    qtbot.keyClick(view, Qt.Key.Key_P)
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    own = window.session.editable()
    assert own.label_map.array.any()
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not own.label_map.array.any()
    window.close()
    assert (tmp_path / "file").read_bytes() == b"no folder"


def test_a_home_that_can_be_written_says_nothing(qtbot: QtBot, make: Make) -> None:
    window = make()
    assert window.statusBar().findChild(QLabel, "unkept") is None
    assert window.messages.text == ""


def test_a_full_disk_is_noticed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.unkept_home() is None

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(home.os, "fsync", fail)
    error = home.unkept_home()
    assert isinstance(error, UserError)
    assert error.params["reason"] == "No space left on device"
    assert not list(Path(error.params["path"]).iterdir())
