"""The log holds no names; what a crash leaves behind is found at the next start."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services import logs
from brainseg_desktop.services.logs import CrashFile, start_logging, stop_logging
from brainseg_desktop.services.paths import log_dir
from brainseg_desktop.services.scrubbing import Scrubber, alias


def test_the_log_is_written_and_closed() -> None:
    path = start_logging()
    assert path is not None
    logging.getLogger("brainseg_desktop.test").info("case %s", alias("Jane Doe"))
    stop_logging()
    content = path.read_text()
    assert alias("Jane Doe") in content
    assert "Jane" not in content


def test_nowhere_to_log_is_no_reason_not_to_start(own_home: Path) -> None:
    (own_home / "log").write_text("a file")
    assert start_logging() is None
    crash_file = CrashFile()
    assert crash_file.open() is None
    crash_file.close()


def test_a_normal_end_leaves_nothing_to_tell() -> None:
    for _ in range(2):
        crash_file = CrashFile()
        assert crash_file.open() is None
        crash_file.close()


def test_a_segmentation_fault_is_told_at_the_next_start() -> None:
    code = (
        "import faulthandler; from brainseg_desktop.services.logs import CrashFile;"
        "CrashFile().open(); faulthandler._sigabrt()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0
    crash_file = CrashFile()
    left = crash_file.open()
    crash_file.close()
    assert left is not None
    assert "Fatal Python error" in left
    assert list(log_dir().glob("crash*")) == []


def test_a_program_that_still_runs_has_not_crashed() -> None:
    """Two windows at once: neither empties the other's file, nor tells of it."""
    code = (
        "import faulthandler, sys; from brainseg_desktop.services.logs import CrashFile;"
        "CrashFile().open(); print('open', flush=True); sys.stdin.readline(); faulthandler._sigabrt()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline().strip() == b"open"
        second = CrashFile()
        assert second.open() is None
        second.close()
        first.stdin.write(b"\n")
        first.stdin.flush()
        first.wait(timeout=30)
    third = CrashFile()
    left = third.open()
    third.close()
    assert left is not None
    assert "Fatal Python error" in left


def test_the_crash_file_of_an_older_version_is_read(own_home: Path) -> None:
    log_dir().mkdir(parents=True)
    (log_dir() / "crash.txt").write_text("Fatal Python error: Aborted")
    crash_file = CrashFile()
    assert crash_file.open() == "Fatal Python error: Aborted"
    crash_file.close()


def test_no_name_comes_into_the_log(own_home: Path) -> None:
    """Whatever is logged, with tracebacks: neither paths nor names of cases that were opened."""
    scrubber = Scrubber()
    scrubber.learn(["DoeJane_1970"])
    path = start_logging(scrubber=scrubber)
    assert path is not None
    log = logging.getLogger("brainseg_desktop.test")
    try:
        Path("/data/Jane Doe/t1.nii.gz").read_bytes()
    except OSError:
        log.exception("case %s in %s", "doejane_1970", Path("/data/Jane Doe"))
    log.warning("%s", UserError("file_truncated", path=Path("/data/Jane Doe/Jane.nii"), reason="short"))
    log.warning("asked for DOE^JANE")
    stop_logging()
    content = path.read_text()
    assert "jane" not in content.lower()
    assert "doe" not in content.lower()
    assert "file_truncated(path=<path" in content
    assert "reason=short" in content
    assert "tests/services/test_logs.py" not in content
    assert "FileNotFoundError" in content


def test_a_log_that_another_program_holds_open_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows does not rename what is open elsewhere."""
    monkeypatch.setattr(logs, "_SIZE_BYTES", 400)
    path = start_logging()
    assert path is not None

    def busy(*_: object) -> None:
        raise PermissionError(13, "used by another process")

    monkeypatch.setattr(os, "rename", busy)
    for number in range(20):
        logging.getLogger("brainseg_desktop.test").info("line %d", number)
    stop_logging()
    lines = path.read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines[-20:]] == [str(n) for n in range(20)]
