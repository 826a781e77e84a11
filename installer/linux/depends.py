"""The packages of Debian whose libraries the frozen folder needs and does not bring along."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path

# Read at run time, not linked: the keyboard's layouts.
ALWAYS = ("xkb-data",)
# Opening a folder, drawing in 3D, keeping passwords: the program runs without.
RECOMMENDS = ("xdg-utils", "libgl1-mesa-dri", "shared-mime-info")
SUGGESTS = ("gnome-keyring",)
# Their versions come from when Debian last packed them anew, not from a symbol that we use; Ubuntu 22.04 has
# older ones that have all we need.
ANY_VERSION = ("libx11-xcb1", "libzstd1")
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
    return read_shlibdeps(done.stdout, _packages_of({p.name for p in binaries}))


def read_shlibdeps(text: str, brought_along: Collection[str] = ()) -> list[str]:
    """The output of ``dpkg-shlibdeps -O``, with alternatives where a package goes by two names.

    Parameters
    ----------
    text : str
    brought_along : collection of str
        Packages whose libraries lie in the folder: dpkg-shlibdeps names them all the same.
    """
    _, _, found = text.strip().partition("shlibs:Depends=")
    depends = [one for one in re.split(r",\s*", found) if one and one.split()[0] not in brought_along]
    return sorted(_adapted(one) for one in (*depends, *ALWAYS))


def _packages_of(names: set[str]) -> set[str]:
    """The packages that have brought libraries of these names onto this machine."""
    listed = subprocess.run(["dpkg-query", "-S", "*/lib/*.so.*"], check=True, capture_output=True, text=True)
    owners = (line.partition(": ") for line in listed.stdout.splitlines())
    return {package.partition(":")[0] for package, _, path in owners if Path(path).name in names}


def _adapted(dependency: str) -> str:
    name, _, version = dependency.partition(" ")
    if name in ANY_VERSION:
        return name
    other = RENAMED.get(name)
    return dependency if other is None else f"{dependency} | {f'{other} {version}'.strip()}"


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"
