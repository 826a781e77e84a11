"""The report of a crash: read, copied, saved; one window for a swarm of errors; no names in it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop import __version__
from brainseg_desktop.gui.dialogs.crash import CrashWindow, show_bug
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.logs import start_logging, stop_logging
from brainseg_desktop.services.notice import accepted
from brainseg_desktop.services.paths import log_dir, state_dir
from brainseg_desktop.services.recovery import pending
from brainseg_desktop.services.settings import Settings, save_settings
from tests.gui.conftest import open_case

ROOT = Path(__file__).resolve().parents[3]


def bug(window: MainWindow, what: str) -> CrashWindow:
    try:
        raise ValueError(what)
    except ValueError as error:
        show_bug(window, error)
    return the_window()


def the_window() -> CrashWindow:
    [found] = [w for w in QApplication.topLevelWidgets() if isinstance(w, CrashWindow) and w.isVisible()]
    return found


def press(qtbot: QtBot, dialog: CrashWindow, text: str) -> None:
    button = next(b for b in dialog.findChildren(QPushButton) if b.text() == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_what_is_in_a_report(qtbot: QtBot, window: MainWindow, small_case: Path, tmp_path: Path) -> None:
    start_logging(scrubber=window.scrubber)
    open_case(qtbot, window, small_case)
    case = window.session.case
    assert case is not None
    dialog = bug(window, f"{case.name} at {small_case / 'x.nii'} is odd")
    report = dialog.report
    stop_logging()
    assert report.startswith("BrainSeg Desktop\nReport\n")
    for part in (
        "What happened\n",
        "When\n",
        "System\n",
        "Last lines of the log\n",
        "Traceback (most recent",
    ):
        assert part in report
    assert f"BrainSeg Desktop {__version__}" in report
    assert "ValueError: <name" in report
    for name in (case.name, str(tmp_path), small_case.name, str(Path.home()) + os.sep):
        assert name not in report
    dialog.close()


def test_copy_save_and_folder(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = bug(window, "odd")
    press(qtbot, dialog, "Copy")
    assert QApplication.clipboard().text() == dialog.report
    chosen = tmp_path / "report.txt"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(chosen), ""))
    press(qtbot, dialog, "Save as...")
    assert chosen.read_text(encoding="utf-8") == dialog.report
    chosen = tmp_path / "no" / "folder.txt"
    press(qtbot, dialog, "Save as...")
    notes = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "could not be written" in notes
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: not opened.append(url))
    press(qtbot, dialog, "Open log folder")
    window.actions_by_name["log_folder"].trigger()
    assert [url.toLocalFile() for url in opened] == [str(log_dir())] * 2
    dialog.close()


def test_a_swarm_of_errors_is_one_window(qtbot: QtBot, window: MainWindow) -> None:
    """A view that fails to draw fails at each repaint."""
    first = bug(window, "error 1")
    for number in range(2, 60):
        assert bug(window, f"error {number}") is first
    assert "59 errors while this window is open" in " ".join(
        label.text() for label in first.findChildren(QLabel)
    )
    text = first.findChild(QPlainTextEdit).toPlainText()
    assert "error 3" in text
    assert "error 4" not in text
    first.close()
    qtbot.wait(10)
    again = bug(window, "error 60")
    assert again is not first
    again.close()


@pytest.mark.skipif(os.name == "nt", reason="SIGABRT")
def test_after_a_hard_crash_strokes_first_then_the_report(sample: Path) -> None:
    """The real program dies in a library while strokes are unsaved; the next start offers both."""
    save_settings(accepted(Settings(), date(2026, 1, 2)))
    head = (
        "import faulthandler, sys; sys.argv[0] = 'brainseg-desktop'\n"
        "from PySide6.QtCore import QTimer\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from brainseg_desktop.core.geometry import Box\n"
        "from brainseg_desktop.gui import app\n"
        "make = app.make_window\n"
        "def made(qapp, scrubber):\n"
        "    global window\n"
        "    window = make(qapp, scrubber)\n"
        "    prepare()\n"
        "    return window\n"
        "app.make_window = made\n"
    )
    tail = "from brainseg_desktop.__main__ import main_windowed\nmain_windowed()\n"
    dying = (
        "def prepare():\n"
        "    window.opener.opened.connect(lambda *_: QTimer.singleShot(0, die))\n"
        "def die():\n"
        "    with window.session.own_rating().history.edit('Brush') as stroke:\n"
        "        stroke.replace(Box((1, 1, 1), (2, 2, 2)), __import__('numpy').ones((1, 1, 1), 'u1'))\n"
        "    faulthandler._sigabrt()\n"
    )
    run = [sys.executable, "-c", head + dying + tail, str(sample)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode < 0
    assert len(pending(state_dir())) == 1
    looking = (
        "def prepare():\n"
        "    QTimer.singleShot(0, look)\n"
        "def look():\n"
        "    kinds = [type(w).__name__ for w in QApplication.topLevelWidgets() if w.isVisible()]\n"
        "    if 'RecoveryDialog' in kinds:\n"
        "        print(sorted(k for k in kinds if k != 'MainWindow'))\n"
        "        window.recovering.dialog.accept()\n"
        "    if 'CrashWindow' not in kinds:\n"
        "        QTimer.singleShot(50, look)\n"
        "        return\n"
        "    for shown in QApplication.topLevelWidgets():\n"
        "        if type(shown).__name__ == 'CrashWindow':\n"
        "            print(shown.report)\n"
        "    window.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + looking + tail],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['RecoveryDialog']\nBrainSeg Desktop\nReport\n")
    assert "ended unexpectedly the last time" in done.stdout
    assert "Fatal Python error: Aborted" in done.stdout
    assert str(sample.parent) not in done.stdout
    assert list(log_dir().glob("crash*")) == []
