"""The log holds no names; what a crash leaves behind is found at the next start."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from brainseg_desktop.services.logs import CrashFile, alias, start_logging, stop_logging
from brainseg_desktop.services.paths import log_dir


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
    assert (log_dir() / "crash.txt").read_text() == ""
