"""Make the Windows installer out of a frozen folder; NSIS compiles it on Windows and on Linux alike.

python installer/windows/build_installer.py build/frozen/brainseg-desktop build/icons/brainseg.ico dist
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
PROGRAMS = ("brainseg-desktop.exe", "brainseg.exe")


def list_files(bundle: Path) -> list[Path]:
    """Every file of the frozen folder, relative to it.

    Raises
    ------
    ValueError
        Where a program is missing, or a name would mean something to NSIS or cannot be on Windows.
    """
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    for program in PROGRAMS:
        if Path(program) not in files:
            raise ValueError(f"{bundle} holds no {program}")
    for file in files:
        if re.search(r'[$"<>|*?:\x00-\x1f]', file.as_posix()):
            raise ValueError(f"{file} has a name that the installer cannot write")
    return files


def install_lines(bundle: Path, files: Sequence[Path]) -> list[str]:
    """NSIS instructions that put each file where it belongs."""
    lines, folder = [], None
    for file in sorted(files, key=lambda file: (file.parent, file.name)):
        if file.parent != folder:
            folder = file.parent
            lines.append(f'SetOutPath "{_installed(folder)}"')
        lines.append(f'File "{bundle / file}"')
    return lines


def uninstall_lines(files: Sequence[Path]) -> list[str]:
    """NSIS instructions that remove those files and the folders they leave empty, the deepest first."""
    folders = {parent for file in files for parent in file.parents if parent != Path()}
    deepest_first = sorted(folders, key=lambda folder: (-len(folder.parts), folder))
    return [
        *(f'Delete "{_installed(file)}"' for file in files),
        *(f'RMDir "{_installed(folder)}"' for folder in deepest_first),
    ]


def four_numbers(version: str) -> str:
    """A version in the form that Windows' version resources have: ``1.2.3.0``; a suffix is left out."""
    numbers = re.findall(r"\d+", re.split(r"[^0-9.]", version)[0])[:4]
    return ".".join([*numbers, *["0"] * (4 - len(numbers))])


def draw_side(icon: Path, target: Path) -> None:
    """The picture beside the first and the last page: the icon on the dark ground of the program's window."""
    side = Image.new("RGB", (164, 314), (24, 28, 34))
    with Image.open(icon) as drawing:
        picture = drawing.convert("RGBA").resize((96, 96), Image.Resampling.LANCZOS)
    side.paste(picture, (34, 48), picture)
    side.save(target)


def build_installer(
    bundle: Path, icon: Path, dist: Path, version: str, *, generated: Path, stub64: bool = False
) -> Path:
    """Compile the installer.

    Parameters
    ----------
    bundle, icon : Path
        The frozen folder and the icon.
    dist, generated : Path
        Folders for the installer and for the lists that its script includes; made if needed.
    version : str
        Of the program.
    stub64 : bool
        Whether the installer itself is a 64-bit program, as Wine without its 32-bit half needs it.

    Raises
    ------
    ValueError
        As `list_files`.
    subprocess.CalledProcessError
        Where NSIS refuses the script; warnings count.
    """
    bundle, icon, dist, generated = (path.resolve() for path in (bundle, icon, dist, generated))
    files = list_files(bundle)
    for folder in (dist, generated):
        folder.mkdir(parents=True, exist_ok=True)
    # NSIS takes a file for UTF-8 where it begins with the mark of it.
    for name, lines in (
        ("install.nsh", install_lines(bundle, files)),
        ("uninstall.nsh", uninstall_lines(files)),
    ):
        (generated / name).write_text("\n".join(lines) + "\n", "utf-8-sig", newline="\r\n")
    draw_side(icon, generated / "side.bmp")
    target = dist / f"brainseg-desktop-{version}-windows-x64-setup.exe"
    defines = {
        "VERSION": version,
        "VERSION_FOUR": four_numbers(version),
        "GENERATED": generated,
        "TARGET_FILE": target,
        "ICON": icon,
        "SIZE_KB": sum((bundle / file).stat().st_size for file in files) // 1024,
    }
    if stub64:
        defines["STUB64"] = ""
    subprocess.run(
        [
            "makensis",
            "-V2",
            "-WX",
            *(f"-D{name}={value}" for name, value in defines.items()),
            str(HERE / "brainseg.nsi"),
        ],
        check=True,
    )
    return target


def _installed(place: Path) -> str:
    return "\\".join(["$INSTDIR", *place.parts])


def main() -> None:
    """Make the installer from the command line."""
    sys.path.insert(0, str(HERE.parents[1]))
    from brainseg_desktop import __version__

    parser = argparse.ArgumentParser(description="Make the Windows installer out of a frozen folder.")
    parser.add_argument("bundle", type=Path, help="the frozen folder")
    parser.add_argument("icon", type=Path, help="brainseg.ico")
    parser.add_argument("dist", type=Path, help="where the installer goes")
    given = parser.parse_args()
    try:
        made = build_installer(
            given.bundle, given.icon, given.dist, __version__, generated=HERE.parents[1] / "build" / "windows"
        )
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The installer was not made: {error}")
    print(f"{made}: {made.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
