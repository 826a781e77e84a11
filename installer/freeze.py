"""Freeze the program into build/frozen/brainseg-desktop; the Python of build/freeze runs this."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# No package: these files are run from where they lie.
sys.path[:0] = [str(ROOT / "installer"), str(ROOT)]

from icons import draw_icons  # noqa: E402
from licences import RefusedError, check  # noqa: E402
from owners import Environment  # noqa: E402

from brainseg_desktop import __version__  # noqa: E402

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
    made = FROZEN.with_name("BrainSeg Desktop.app") if sys.platform == "darwin" else FROZEN
    try:
        parts = check(made, Environment(), __version__)
    except RefusedError as refusal:
        raise SystemExit(f"This may not be shipped:\n{refusal}") from refusal
    print(f"{len(parts)} parts of others, all under licences that may be shipped; notices written.")
    if sys.platform == "linux":
        _tidy_python(made / "_internal")
    return made


def _tidy_python(folder: Path) -> None:
    """Take out of Python's own libraries what only their builder needs: symbols, and paths of that machine.

    The wheels' libraries are left as they are: stripping has broken some. The licence gate comes before: it
    knows Python's libraries by their content.
    """
    for library in [*folder.glob("libpython3*.so.*"), *folder.glob("python3*/lib-dynload/*.so")]:
        subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)
        subprocess.run(["patchelf", "--remove-rpath", str(library)], check=True)


if __name__ == "__main__":
    print(freeze())
