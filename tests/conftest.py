"""Fixtures for all tests: a home of their own, the sample case, the real cases, and no leaks."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

# Before anything imports Qt. A test run on a desktop must not flash windows unless asked to: --onscreen.
if "--onscreen" not in sys.argv:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parents[1]
# A program for the tests of the worker, not a module to be collected.
collect_ignore = ["services/fake_worker.py"]
SEQUENCES = ("t1", "t1ce", "t2", "flair")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--onscreen", action="store_true", help="Show the windows of the tests.")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, journals and logs in a temporary folder; the user's are neither read nor written."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BRAINSEG_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def qapp_cls() -> type:
    """The application object that the program runs with."""
    from brainseg_desktop.gui.application import Application

    return Application


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real cases: the folder ``BRAINSEG_DATA``, else ``shared/data`` beside this repository."""
    folder = Path(os.environ.get("BRAINSEG_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("needs the real cases: set BRAINSEG_DATA")
    return folder


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The sample case that is shipped."""
    return ROOT / "resources" / "sample"


@pytest.fixture
def small_case(tmp_path: Path, sample_dir: Path) -> Path:
    """Eight slices through the tumour of the sample; BraTS 2021 names leave no doubt about the labels."""
    folder = tmp_path / "BraTS2021_77777"
    folder.mkdir()
    for name in (*SEQUENCES, "seg"):
        image = nibabel.load(sample_dir / f"sample_{name}.nii.gz")
        cut = np.asarray(image.dataobj)[:, :, 58:66]
        nibabel.save(nibabel.Nifti1Image(cut, image.affine), folder / f"BraTS2021_77777_{name}.nii.gz")
    return folder


@pytest.fixture
def brainseg_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command that succeeds, and give what it printed as JSON."""
    from brainseg_desktop.cli import Front, run

    front = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)

    def call(*arguments: object) -> Any:
        assert run([*map(str, arguments), "--json"], front) == 0
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test of windows or workers that leaves a thread, a process or a window behind fails."""
    folder = request.path.relative_to(ROOT).parts if request.path.is_relative_to(ROOT) else ()
    if not {"gui", "services"} & set(folder[1:2]):
        yield
        return
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = [t for t in threading.enumerate() if t not in threads and t.is_alive()]
        running = _children() - children
        if not left and not running:
            break
        time.sleep(0.05)
    assert not left, f"threads left running: {[t.name for t in left]}"
    assert not running, f"processes left running: {sorted(running)}"
    assert not (shown := _windows()), f"windows left open: {shown}"


def _children() -> set[int]:
    """Ids of the processes this one has started and that still are there (Linux; elsewhere none is seen)."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in task.read_text().split()}
    return found


def _windows() -> list[str]:
    """Titles of windows still on the screen, where Qt is loaded at all."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return []
    return [
        w.windowTitle() or type(w).__name__ for w in widgets.QApplication.topLevelWidgets() if w.isVisible()
    ]
