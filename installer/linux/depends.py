"""The packages of Debian whose libraries the frozen folder needs and does not bring along."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

# Read at run time, not linked: the keyboard's layouts.
ALWAYS = ("xkb-data",)
# Opening a folder, drawing in 3D, keeping passwords: the program runs without.
RECOMMENDS = ("xdg-utils", "libgl1-mesa-dri", "shared-mime-info")
SUGGESTS = ("gnome-keyring",)
# Ubuntu 24.04 and Debian 13 gave these another name with the change to 64-bit time.
RENAMED = {"libglib2.0-0": "libglib2.0-0t64"}


def find_depends(folder: Path) -> list[str]:
    """Dependencies with their versions, by what the files in `folder` are linked with; needs dpkg-dev."""
    binaries = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink() and _is_elf(p)]
    private = sorted({str(p.parent) for p in binaries})
    with tempfile.TemporaryDirectory() as place:
        control = Path(place) / "debian" / "control"
        control.parent.mkdir()
        control.write_text("Source: brainseg-desktop\n\nPackage: brainseg-desktop\nArchitecture: any\n")
        done = subprocess.run(
            [
                *("dpkg-shlibdeps", "-O", "--ignore-missing-info", "--warnings=0"),
                *(f"-l{one}" for one in private),
                *(f"-e{one}" for one in binaries),
            ],
            cwd=place,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        # Its command is as long as the folder is large; only what it says helps.
        raise SystemExit(done.stderr)
    return read_shlibdeps(done.stdout)


def read_shlibdeps(text: str) -> list[str]:
    """The output of ``dpkg-shlibdeps -O``, with alternatives where a package goes by two names."""
    _, _, found = text.strip().partition("shlibs:Depends=")
    depends = [*filter(None, re.split(r",\s*", found)), *ALWAYS]
    return sorted(_with_alternative(one) for one in depends)


def _with_alternative(dependency: str) -> str:
    name, _, version = dependency.partition(" ")
    other = RENAMED.get(name)
    return dependency if other is None else f"{dependency} | {f'{other} {version}'.strip()}"


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"
