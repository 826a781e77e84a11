"""The Qt application: makes the parts, opens the window, and ends cleanly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.application import Application
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.dialogs.crash import install_hook, show_report
from brainseg_desktop.gui.garbage import Garbage
from brainseg_desktop.gui.keys import unusable_keys
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.qt_language import speak
from brainseg_desktop.gui.tasks.unkept import tell_unkept
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.crash_report import report_end
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import ENGLISH, mark, tr, use_language
from brainseg_desktop.services.logs import CrashFile, last_lines, start_logging, stop_logging
from brainseg_desktop.services.paths import state_dir
from brainseg_desktop.services.scrubbing import Scrubber
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import load_settings
from brainseg_desktop.services.worker_client import WorkerClient

ENDED = mark("The program ended unexpectedly the last time. What it left behind stands below.")


def make_window(app: QApplication, scrubber: Scrubber | None = None) -> MainWindow:
    """The main window with everything it needs; it closes what was made here when it is closed.

    Parameters
    ----------
    app : QApplication
    scrubber : Scrubber, optional
        Learns the names of the cases that are opened.
    """
    loaded = load_settings()
    unspoken = use_language(loaded.settings.language)
    speak(app, loaded.settings.language if unspoken is None else ENGLISH)
    apply_theme(app, THEMES[loaded.settings.theme])
    bridge = Bridge(app)
    jobs = Jobs(bridge.post)
    session = Session(state_dir(), loaded.settings.rater)
    client = WorkerClient()
    window = MainWindow(session, jobs, client, loaded.settings)
    window.garbage = Garbage(window)
    if scrubber is not None:
        window.scrubber = scrubber
    if loaded.problem is not None:
        window.desk.complain(loaded.problem)
    elif unspoken is not None:
        window.desk.complain(unspoken)
    elif unusable := unusable_keys(loaded.settings.keys):
        window.desk.complain(UserError("keys_unusable", names=unusable))
    tell_unkept(window.desk)
    return window


def run(paths: Sequence[Path] = ()) -> int:
    """Open the window, and in it what the paths mean.

    Returns
    -------
    int
        Exit status.
    """
    app = Application(sys.argv[:1])
    app.setApplicationName("BrainSeg Desktop")
    # Desktops find the menu entry by this name, and with it the icon of a task bar.
    app.setDesktopFileName("brainseg-desktop")
    app.setWindowIcon(QIcon(str(resources_dir() / "brainseg-desktop.svg")))
    scrubber = Scrubber()
    scrubber.learn_paths(paths)
    # The log of the run that crashed, before this run writes into it.
    log = last_lines()
    start_logging(scrubber=scrubber)
    crash_file = CrashFile()
    left = crash_file.open()
    window = make_window(app, scrubber)
    install_hook(window)
    if left:
        # Lost strokes are asked about first, then the report is there to be read beside the case.
        window.recovering.asked.connect(
            lambda: show_report(window, tr(ENDED), report_end(left, log, scrubber)),
            Qt.ConnectionType.SingleShotConnection,
        )

    def begin(with_files: bool) -> None:
        # Begins at once: reading runs in the background while the window is drawn.
        window.starting.open(paths if with_files else ())
        app.hand_files_to(window.open_dropped)
        QTimer.singleShot(0, window.recovering.offer)

    window.welcoming.offer(begin, paths[0].name if paths else "")
    window.show()
    # The network is read only after the case is on the screen, so that it does not slow the start.
    QTimer.singleShot(2500, window.segmenting.warm_up)
    status = app.exec()
    app.hand_files_to(None)
    crash_file.close()
    stop_logging()
    return status
