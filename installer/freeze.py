"""Freeze the program into build/frozen/brainseg-desktop; the Python of build/freeze runs this."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from icons import draw_icons

ROOT = Path(__file__).resolve().parents[1]
FROZEN = ROOT / "build" / "frozen" / "brainseg-desktop"


def freeze() -> Path:
    """The frozen folder, whole and with its notices.

    Raises
    ------
    subprocess.CalledProcessError, SystemExit
        If the freezer fails, or a part may not be shipped.
    """
    draw_icons(ROOT / "build" / "icons")
    subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--distpath", str(FROZEN.parent), "--workpath", str(ROOT / "build" / "pyinstaller")),
            str(ROOT / "installer" / "brainseg.spec"),
        ],
        check=True,
        cwd=ROOT,
    )
    for library in FROZEN.glob("_internal/libpython3*.so.*"):
        # Some builds of Python carry their debugging symbols; the wheels' own libraries are left as they are.
        subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)
    return FROZEN


if __name__ == "__main__":
    print(freeze())
