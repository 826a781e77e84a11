"""A small study and the real window to read it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.studies.study import Study, cases_in, create_study
from tests.services.studies.conftest import write_case


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of Anna and Ben on three small cases, each with a reference beside it."""
    root = tmp_path / "exams"
    for number in range(3):
        write_case(root / f"BraTS2021_{number:05d}", number)

    def make(**options: object) -> Study:
        settings: dict[str, object] = {"scheme": "brats2021", "seed": 5, **options}
        readers = settings.pop("readers", ["Anna", "Ben"])
        return create_study(tmp_path / "study", "Trial", cases_in(root), readers, **settings)  # type: ignore[arg-type]

    return make


def join(qtbot: QtBot, window: MainWindow, folder: Path, reader: str | None) -> None:
    """Open a study as a reader and wait for its worklist."""
    window.studying.join(folder, reader)
    qtbot.waitUntil(lambda: window.studying.study is not None, timeout=10_000)


def read_next(qtbot: QtBot, window: MainWindow) -> None:
    """Open the next reading by the button of the worklist and wait until it is shown."""
    with qtbot.waitSignal(window.studying.opened, timeout=10_000):
        window.studying.window.worklist._next.click()
    settle(qtbot, window)


def settle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until nothing is read or written any more."""
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
