"""Starting ourselves again: frozen and not, and what must not leak into foreign programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainseg_desktop.services.alignment import worker as alignment_worker
from brainseg_desktop.services.batch import case_worker
from brainseg_desktop.services.own_program import clean_environment, own_command
from brainseg_desktop.services.worker_process import worker_command


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an installed app, whose windowed program is running."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "brainseg-desktop"))
    return tmp_path


def test_from_a_source_tree_python_runs_the_module() -> None:
    assert own_command() == [sys.executable, "-m", "brainseg_desktop"]
    assert own_command("bench") == [sys.executable, "-m", "brainseg_desktop", "bench"]
    assert worker_command() == [sys.executable, "-m", "brainseg_desktop.inference.worker"]
    done = subprocess.run([*own_command(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("brainseg, version")


def test_the_windowed_program_asks_the_console_one_beside_it(installed: Path) -> None:
    program = str(installed / "brainseg")
    assert own_command() == [program]
    assert worker_command() == [program, "worker"]
    assert case_worker.command() == [program, "measure"]
    assert alignment_worker.command() == [program, "register"]


def test_on_windows_the_console_program_has_its_ending(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(installed / "brainseg-desktop.exe"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert own_command("worker") == [str(installed / "brainseg.exe"), "worker"]


def test_the_users_own_search_path_comes_back() -> None:
    environment = {"LD_LIBRARY_PATH": "/app/_internal", "LD_LIBRARY_PATH_ORIG": "/mine", "HOME": "/home"}
    clean_environment(environment)
    assert environment == {"LD_LIBRARY_PATH": "/mine", "HOME": "/home"}


def test_what_was_not_set_before_is_gone() -> None:
    environment = {"LD_LIBRARY_PATH": "/app/_internal", "QT_PLUGIN_PATH": "/app", "QML2_IMPORT_PATH": "/app"}
    environment |= {"_PYI_ARCHIVE_FILE": "/app/brainseg", "_PYI_PARENT_PROCESS_LEVEL": "1"}
    clean_environment(environment)
    assert environment == {}


def test_the_environment_of_this_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_PLUGIN_PATH", "/app")
    clean_environment()
    assert "QT_PLUGIN_PATH" not in os.environ
