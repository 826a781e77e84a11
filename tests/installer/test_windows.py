"""The Windows installer: the lists it is made from, that NSIS takes it, and what it does under Wine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

HERE = Path(__file__).resolve().parents[2] / "installer" / "windows"
sys.path.insert(0, str(HERE))

from build_installer import build_installer, four_numbers, install_lines, list_files, uninstall_lines  # noqa: E402
from version_resource import DESCRIPTIONS, write_version_resource  # noqa: E402

needs_nsis = pytest.mark.skipif(shutil.which("makensis") is None, reason="needs NSIS: apt-get install nsis")
needs_wine = pytest.mark.skipif(
    shutil.which("wine64") is None and shutil.which("wine") is None, reason="needs Wine"
)


def put_bundle(folder: Path, *more: str) -> Path:
    """A stand-in for the frozen folder, with names of every awkward kind."""
    for name in (
        "brainseg-desktop.exe",
        "brainseg.exe",
        "_internal/python311.dll",
        "_internal/a b/ü.txt",
        *more,
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def make(tmp_path: Path, version: str, *more: str) -> Path:
    """Compile an installer of a stand-in bundle."""
    place = tmp_path / version
    icon = place / "brainseg.ico"
    bundle = put_bundle(place / "bundle", *more)
    Image.new("RGBA", (64, 64), "teal").save(icon)
    return build_installer(bundle, icon, place / "dist", version, generated=place / "lists", stub64=True)


def test_installed_and_removed_files_are_the_bundles(tmp_path: Path) -> None:
    bundle = put_bundle(tmp_path / "bundle", "_internal/deep/er/x.dll")
    files = list_files(bundle)
    folder, installed = None, []
    for line in install_lines(bundle, files):
        if found := re.fullmatch(r'SetOutPath "\$INSTDIR(.*)"', line):
            folder = found[1]
        elif found := re.fullmatch(r'File "(.*)"', line):
            assert Path(found[1]).is_file()
            installed.append(f"{folder}\\{Path(found[1]).name}")
    lines = uninstall_lines(files)
    deleted = [found[1] for line in lines if (found := re.fullmatch(r'Delete "\$INSTDIR(.*)"', line))]
    removed = [found[1] for line in lines if (found := re.fullmatch(r'RMDir "\$INSTDIR(.*)"', line))]
    assert (
        sorted(installed) == sorted(deleted) == sorted("\\" + str(file).replace("/", "\\") for file in files)
    )
    # A folder goes after those inside it.
    assert removed == ["\\_internal\\deep\\er", "\\_internal\\a b", "\\_internal\\deep", "\\_internal"]


def test_script_never_removes_a_folder_with_what_is_in_it() -> None:
    script = (HERE / "brainseg.nsi").read_text("utf-8")
    assert not re.search(r"RMDir\s+/r", script, re.IGNORECASE)
    assert "RequestExecutionLevel user" in script
    assert "HKLM" not in script
    # .gz is the archiver's: we only stand under "Open with".
    assert r"\.gz\OpenWithProgids" not in script
    assert not re.search(r"CLASSES}\\\.gz", script)


@pytest.mark.parametrize("name", ["_internal/a$b.txt", "_internal/a:b.txt", '_internal/a"b.txt'])
def test_name_that_means_something_to_nsis_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot write"):
        list_files(put_bundle(tmp_path, name))


def test_folder_without_the_programs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "brainseg.exe").touch()
    with pytest.raises(ValueError, match=r"holds no brainseg-desktop\.exe"):
        list_files(tmp_path)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("0.4.0", "0.4.0.0"), ("1.2", "1.2.0.0"), ("1.2.3rc1", "1.2.3.0"), ("1.2.3.4.5", "1.2.3.4")],
)
def test_version_in_four_numbers(version: str, numbers: str) -> None:
    assert four_numbers(version) == numbers


def test_version_resource_is_the_expression_that_pyinstaller_evaluates(tmp_path: Path) -> None:
    for program in DESCRIPTIONS:
        tree = ast.parse(write_version_resource(program, "1.2.3", tmp_path).read_text("utf-8"), mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert names == {
            "VSVersionInfo",
            "FixedFileInfo",
            "StringFileInfo",
            "StringTable",
            "StringStruct",
            "VarFileInfo",
            "VarStruct",
        }
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert f"{program}.exe" in texts
        assert "1.2.3" in texts


@needs_nsis
def test_nsis_compiles_the_installer_without_a_warning(tmp_path: Path) -> None:
    made = make(tmp_path, "1.2.3")
    assert made.name == "brainseg-desktop-1.2.3-windows-x64-setup.exe"
    assert made.read_bytes()[:2] == b"MZ"


def sleeper(folder: Path) -> Path:
    """A program of Windows that runs until it is told to stop; NSIS can make that too."""
    script, program = folder / "sleeper.nsi", folder / "sleeper.exe"
    place = "Z:" + str(folder).replace("/", "\\")
    script.write_text(
        f'''!include "LogicLib.nsh"
Unicode true
Target amd64-unicode
RequestExecutionLevel user
SilentInstall silent
OutFile "{program}"
Section
  FileOpen $0 "{place}\\started.txt" w
  FileClose $0
  ${{Do}}
    Sleep 100
  ${{LoopUntil}} ${{FileExists}} "{place}\\stop.txt"
SectionEnd
'''
    )
    subprocess.run(["makensis", "-V2", str(script)], check=True)
    return program


@pytest.mark.slow
@needs_nsis
@needs_wine
def test_install_upgrade_and_remove_under_wine(tmp_path: Path) -> None:
    """Silent install, an upgrade over it, and removal that leaves what the user has put there."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        "WINEPREFIX": str(tmp_path / "wine"),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "HOME": str(tmp_path),
    }
    wine = shutil.which("wine64") or shutil.which("wine") or ""
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [wine, *command], env=environment, capture_output=True, text=True, check=False, timeout=90
        )

    def registry(key: str) -> str:
        return run("reg", "query", f"HKCU\\Software\\{key}", "/s").stdout

    try:
        assert run("wineboot", "--init").returncode == 0
        users = tmp_path / "wine/drive_c/users"
        assert run(str(make(tmp_path, "1.0.0", "_internal/old.dll")), "/S").returncode == 0
        (folder,) = users.glob("*/AppData/Local/Programs/BrainSeg Desktop")
        assert (folder / "_internal/old.dll").is_file()
        assert (folder / "_internal/a b/ü.txt").read_bytes() == "_internal/a b/ü.txt".encode()
        kept = folder / "_internal" / "my notes.txt"
        kept.write_text("mine")

        newer = make(tmp_path, "1.1.0", "_internal/new.dll")
        (folder / "brainseg.exe").write_bytes(sleeper(tmp_path).read_bytes())
        job = subprocess.Popen([wine, str(folder / "brainseg.exe")], env=environment, cwd=tmp_path)
        try:
            for _ in range(300):
                if (tmp_path / "started.txt").exists():
                    break
                time.sleep(0.1)
            assert (tmp_path / "started.txt").exists()
            assert run(str(newer), "/S").returncode == 3
            assert (folder / "_internal/old.dll").is_file()
        finally:
            (tmp_path / "stop.txt").touch()
            job.wait(30)

        assert run(str(newer), "/S").returncode == 0
        assert not (folder / "_internal/old.dll").exists()
        assert (folder / "_internal/new.dll").is_file()
        entry = registry("Microsoft\\Windows\\CurrentVersion\\Uninstall\\BrainSegDesktop")
        assert "1.1.0" in entry
        assert '\\AppData\\Local\\Programs\\BrainSeg Desktop\\uninstall.exe" /S' in entry
        assert "BrainSegDesktop.NIfTI" in registry("Classes\\.nii\\OpenWithProgids")
        assert "BrainSegDesktop.DICOM" in registry("Classes\\.dcm\\OpenWithProgids")
        assert "BrainSeg" not in registry("Classes\\.gz")
        assert ".gz" in registry("Classes\\Applications\\brainseg-desktop.exe\\SupportedTypes")
        assert list(
            users.glob("*/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/BrainSeg Desktop.lnk")
        )

        # It copies itself away and goes on from there, as on Windows; the server ends with the last program.
        assert run(str(folder / "uninstall.exe"), "/S").returncode == 0
        subprocess.run([server, "-w"], env=environment, check=True)
        left = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        assert left == ["_internal/my notes.txt"]
        assert "BrainSeg" not in registry("Classes") + registry(
            "Microsoft\\Windows\\CurrentVersion\\Uninstall"
        )
        assert "BrainSeg" not in registry("RegisteredApplications")
        assert not list(users.glob("*/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/BrainSeg*"))
    finally:
        subprocess.run([server, "-k"], env=environment, check=False)
