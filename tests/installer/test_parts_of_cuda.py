"""What the build with torch leaves in, and the standard build leaves out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "installer"))

from parts import EXCLUDED_MODULES, excluded_modules  # noqa: E402


def test_standard_build_has_no_torch() -> None:
    assert excluded_modules() == EXCLUDED_MODULES
    assert "torch" in excluded_modules()


def test_cuda_build_has_torch_and_what_it_imports_but_nothing_under_the_gpl() -> None:
    left_out = set(excluded_modules(cuda=True))
    assert not {"torch", "sympy", "networkx"} & left_out
    assert {"readline", "_gdbm", "kaggle", "monai", "PySide6.QtQuick"} <= left_out


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_takes_torch_from_its_own_index_for_cuda_alone() -> None:
    def commands(*options: str) -> str:
        said = subprocess.run(
            ["make", "-n", "-W", "pyproject.toml", "package", *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout

    plain, cuda = commands(), commands("CUDA=1")
    assert "download.pytorch.org" not in plain
    assert "'.[freeze]'" in plain
    assert "--index-url https://download.pytorch.org/whl/cu128" in cuda
    assert "'.[freeze,gpu]'" in cuda
    assert "build/freeze/" not in cuda
