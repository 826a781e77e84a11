"""The Qt application: makes the parts, opens the window, and ends cleanly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.application import Application
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.dialogs.crash import install_hook
from brainseg_desktop.gui.garbage import Garbage
from brainseg_desktop.gui.keys import unusable_keys
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.tasks.unkept import tell_unkept
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import use_language
from brainseg_desktop.services.logs import CrashFile, start_logging, stop_logging
from brainseg_desktop.services.paths import state_dir
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import load_settings
from brainseg_desktop.services.worker_client import WorkerClient


def make_window(app: QApplication) -> MainWindow:
    """The main window with everything it needs; it closes what was made here when it is closed."""
    loaded = load_settings()
    unspoken = use_language(loaded.settings.language)
    apply_theme(app, THEMES[loaded.settings.theme])
    bridge = Bridge(app)
    jobs = Jobs(bridge.post)
    session = Session(state_dir(), loaded.settings.rater)
    client = WorkerClient()
    window = MainWindow(session, jobs, client, loaded.settings)
    window.garbage = Garbage(window)
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
    start_logging()
    crash_file = CrashFile()
    left = crash_file.open()
    window = make_window(app)
    install_hook(window)
    # Begins at once: reading runs in the background while the window is drawn.
    window.starting.open(paths)
    app.hand_files_to(window.open_dropped)
    window.show()
    QTimer.singleShot(0, window.recovering.offer)
    if left:
        window.desk.say("The program ended unexpectedly last time. What it left is in the log folder.")
    # The network is read only after the case is on the screen, so that it does not slow the start.
    QTimer.singleShot(2500, window.segmenting.warm_up)
    status = app.exec()
    crash_file.close()
    stop_logging()
    return status
