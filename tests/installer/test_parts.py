"""What is frozen: nothing that the program imports is left out, nothing under the GPL comes along."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "installer"))

from parts import EXCLUDED_MODULES, is_left_out  # noqa: E402

# The standard build has no training; these say so themselves where they are asked for.
_OPTIONAL = {"torch", "onnx", "onnxscript", "safetensors", "kaggle", "monai", "dask", "distributed"}
SOURCES = sorted(
    p for p in (ROOT / "brainseg_desktop").rglob("*.py") if "training" not in p.relative_to(ROOT).parts
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_is_excluded(path: Path) -> None:
    needed = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            needed |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            needed |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    excluded = set(EXCLUDED_MODULES) - _OPTIONAL
    assert not {name for name in needed if any(name == e or name.startswith(e + ".") for e in excluded)}


@pytest.mark.parametrize(
    "place",
    [
        "PySide6/Qt/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so",
        "PySide6/Qt/lib/libQt6VirtualKeyboard.so.6",
        "PySide6\\plugins\\platforminputcontexts\\qtvirtualkeyboardplugin.dll",
        "PySide6/Qt/lib/libQt6Quick.so.6",
        "PySide6/Qt/plugins/sqldrivers/libqsqlite.so",
        "PySide6/Qt/translations/qtwebengine_de.qm",
    ],
)
def test_what_is_not_used_or_gpl_stays_out(place: str) -> None:
    assert is_left_out(place)


@pytest.mark.parametrize(
    "place",
    [
        "PySide6/Qt/plugins/platforms/libqxcb.so",
        "PySide6/Qt/plugins/platforms/libqoffscreen.so",
        "PySide6/plugins/platforms/qwindows.dll",
        "PySide6/Qt/plugins/iconengines/libqsvgicon.so",
        "PySide6/Qt/translations/qtbase_de.qm",
        "resources/brainseg-desktop.svg",
        "models/glioma-unet/model.toml",
    ],
)
def test_what_is_used_comes_along(place: str) -> None:
    assert not is_left_out(place, "/source/of/it")


def test_of_the_system_only_what_a_desktop_may_lack_comes_along() -> None:
    system = "/usr/lib/x86_64-linux-gnu/"
    for name in ("libxcb-cursor.so.0", "libxkbcommon.so.0", "libssl.so.3", "libpython3.11.so.1.0"):
        assert not is_left_out(name, system + name)
    for name in ("libstdc++.so.6", "libreadline.so.8", "libxcb.so.1", "libglib-2.0.so.0", "libz.so.1"):
        assert is_left_out(name, system + name)
    # The wheels' own copies are theirs, and Python's parts may lie with the system.
    assert not is_left_out("numpy.libs/libz.so.1", "/venv/numpy.libs/libz.so.1")
    part = "python3.11/lib-dynload/_ssl.so"
    assert not is_left_out(part, f"/usr/lib/{part}")
