"""The workflow file: it is well formed, what it calls exists, and each system's build is smoke-tested."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github" / "workflows" / "installers.yml"


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text("utf-8"))["jobs"]


def scripts(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_every_system_is_built_tried_and_handed_over(jobs: dict[str, Any]) -> None:
    assert set(jobs) == {"linux", "windows", "macos"}
    assert {entry["machine"] for entry in jobs["macos"]["strategy"]["matrix"]["include"]} == {
        "arm64",
        "x86_64",
    }
    for name, job in jobs.items():
        assert job["timeout-minutes"] <= 60
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        assert "package-test" in scripts(job) if name == "linux" else " selftest" in scripts(job)
        (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
        assert upload["with"]["if-no-files-found"] == "error"


def test_what_it_calls_exists(jobs: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for job in jobs.values():
        for path in re.findall(r"\binstaller/[\w./-]+", scripts(job)):
            assert (ROOT / path).is_file(), path
        for target in re.findall(r"^make (\S+)$", scripts(job), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_secrets_stay_in_the_environment_of_their_step(jobs: dict[str, Any]) -> None:
    # Written into a script they would be part of its text, which is what injections use.
    for job in jobs.values():
        assert "secrets." not in scripts(job)


def test_it_says_what_was_not_tried() -> None:
    text = FILE.read_text("utf-8")
    for name in ("windows", "macos"):
        assert re.search(rf"^#\s+{name}\s+NOT TRIED", text, re.MULTILINE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_shell_reads_its_scripts(jobs: dict[str, Any]) -> None:
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step and step.get("shell") != "pwsh":
                plain = re.sub(r"\$\{\{.*?\}\}", "x", step["run"])
                subprocess.run(["bash", "-n"], input=plain, text=True, check=True)
