"""Cycles made by a worker die on the main thread."""

from __future__ import annotations

import gc
import threading
import weakref

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.garbage import Garbage
from brainseg_desktop.gui.main_window import MainWindow


class _Node:
    def __init__(self) -> None:
        self.itself = self


def test_a_cycle_made_on_a_worker_dies_on_the_main_thread(qtbot: QtBot) -> None:
    # What an earlier test left is let go first: Python counts what is freed against what was made, and a
    # window that is freed while the worker's nodes wait would hide them.
    for _ in range(3):
        gc.collect()
        qtbot.wait(50)
    died_on: list[int] = []
    parent = QObject()
    garbage = Garbage(parent)
    try:
        assert not gc.isenabled()

        def work() -> None:
            # Far more than a collection by itself would wait for.
            for _ in range(5 * gc.get_threshold()[0]):
                node = _Node()
            weakref.finalize(node, lambda: died_on.append(threading.get_ident()))

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        assert died_on == []

        qtbot.waitUntil(lambda: bool(died_on), timeout=20_000)
        assert died_on == [threading.get_ident()]
    finally:
        garbage.stop()
    assert gc.isenabled()


def test_an_open_window_keeps_collection_to_the_main_thread(window: MainWindow) -> None:
    assert not gc.isenabled()
    window.close()
    assert gc.isenabled()
