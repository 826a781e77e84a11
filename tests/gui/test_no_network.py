"""No telemetry, no network: from the first start to the export nothing reaches for another computer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from brainseg_desktop.services.notice import accepted
from brainseg_desktop.services.settings import Settings, save_settings

ROOT = Path(__file__).resolve().parents[2]

# Loaded by Python itself in the program and in every process it starts. Audit events tell of each socket of
# Python's, however it was imported. A C library's own sockets are not seen: for these, see the last test.
_WATCH = """
import os, sys

_LOCAL = ("127.", "::1", "localhost")

def _watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        address = arguments[1]
        local = isinstance(address, (str, bytes)) or (address and str(address[0]).startswith(_LOCAL))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        local = arguments[0] is None or str(arguments[0]).startswith(_LOCAL)
    elif event == "urllib.Request":
        local = str(arguments[0]).startswith("file:")
    else:
        return
    if not local:
        with open(os.environ["WATCH_FILE"], "a") as file:
            file.write(f"{event} {arguments!r}\\n")
        raise OSError(101, "no network in this test")

sys.addaudithook(_watch)
with open(os.environ["WATCH_FILE"] + ".seen", "a") as file:
    file.write(" ".join(sys.argv[:1]) + "\\n")
"""

# Start, the tour with a segmentation, an export, and the end.
_USE = """
import sys
sys.argv[0] = "brainseg-desktop"
from PySide6.QtCore import QTimer
from brainseg_desktop.gui import app
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.settings import load_settings

make = app.make_window
state = {}

def made(qapp, scrubber):
    window = state["window"] = make(qapp, scrubber)
    window.exporter.exported.connect(lambda result: state.update(exported=result))
    QTimer.singleShot(0, use)
    return window

def use():
    window, tour = state["window"], state["window"].touring
    step = tour.step
    if step == "segment":
        if not window.segmenting.is_running:
            window.actions_by_name["segment"].trigger()
    elif step == "export":
        if "asked" not in state:
            state["asked"] = True
            rating = window.session.own_rating()
            assert rating.label_map.array.any()
            place = window.exporter.folder / "m.nii.gz"
            window.exporter.write(window.session.case, rating, place, rating.scheme)
    elif step == "end":
        print("exported", state["exported"].voxels > 0)
        tour.leave()
        window.close()
        return
    elif step:
        tour.card.forward.emit()
    elif "asked_tour" not in state:
        state["asked_tour"] = True
        tour.ask()
    QTimer.singleShot(100, use)

app.make_window = made
from brainseg_desktop.__main__ import main_windowed
main_windowed()
"""


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a library might keep a number of its own for this computer."""
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.mark.slow
def test_nothing_reaches_for_another_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_home: Path
) -> None:
    save_settings(accepted(Settings(), date(2026, 1, 2)))
    watch = tmp_path / "watch"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(_WATCH)
    found = tmp_path / "attempts"
    monkeypatch.setenv("WATCH_FILE", str(found))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(watch), str(ROOT))))

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=tmp_path,
        )

    # The watch sees what it is there for.
    done = run("import socket; socket.create_connection(('192.0.2.1', 80), 1)")
    assert done.returncode != 0
    assert "192.0.2.1" in found.read_text()
    found.unlink()
    seen = Path(f"{found}.seen")
    before = len(seen.read_text().splitlines())
    done = run(_USE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "exported True"
    # The window, and the worker that runs the network in a process of its own.
    assert len(seen.read_text().splitlines()) - before >= 2
    assert not found.exists(), found.read_text()
    # The network's runtime would have made a number for this computer and a store of events.
    assert not list(user_home.rglob("*onnxruntime*"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_no_library_opens_a_socket_of_its_own(tmp_path: Path, user_home: Path) -> None:
    """Every system call of the program and its worker: nothing but sockets of this computer."""
    save_settings(accepted(Settings(), date(2026, 1, 2)))
    calls = tmp_path / "calls"
    program = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,bind", "-o", str(calls)]
    done = subprocess.run(
        [*program, sys.executable, "-c", _USE],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "exported True", done.stderr
    inet = [line for line in calls.read_text().splitlines() if "AF_INET" in line]
    # Some libraries try by themselves whether this computer knows IPv6.
    assert [line for line in inet if '"::1"' not in line and '"127.' not in line] == []
