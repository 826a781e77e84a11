"""The package of Debian and the archive, as far as they can be tried without a build."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from configparser import RawConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINUX = ROOT / "installer" / "linux"
sys.path[:0] = [str(LINUX), str(ROOT / "installer")]

import package  # noqa: E402
from depends import read_shlibdeps  # noqa: E402
from icons import SIDES  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own packages")


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the frozen folder, and for the icons."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    icons = tmp_path / "icons"
    icons.mkdir()
    for side in SIDES:
        (icons / f"{side}.png").write_bytes(b"png")
    monkeypatch.setattr(package, "ICONS", icons)
    folder = tmp_path / "frozen"
    notices = folder / "_internal" / "resources" / "licences"
    notices.mkdir(parents=True)
    (notices / "THIRD-PARTY-NOTICES.txt").write_text("notices")
    for name in package.PROGRAMS:
        (folder / name).write_text('#!/bin/sh\necho "$0" "$@"\n')
        (folder / name).chmod(0o755)
    library = folder / "_internal" / "libx.so.1"
    library.write_bytes(b"library")
    library.chmod(0o700)
    (folder / "_internal" / "libx.so").symlink_to("libx.so.1")
    return folder


def test_the_control_file_says_what_dpkg_needs() -> None:
    text = package.control_text("amd64", ["libc6 (>= 2.35)", "xkb-data"], 1234)
    fields = dict(re.findall(r"^(\S+): (.*)$", text, re.M))
    assert fields["Package"] == "brainseg-desktop"
    assert fields["Version"] == package.__version__
    assert fields["Depends"] == "libc6 (>= 2.35), xkb-data"
    assert fields["Installed-Size"] == "1234"
    assert all(line.startswith(" ") for line in text[text.index("Description") :].splitlines()[1:])


def test_dependencies_follow_what_is_linked() -> None:
    found = read_shlibdeps(
        "shlibs:Depends=libc6 (>= 2.35), libglib2.0-0 (>= 2.26.0), libssl3 (>= 3), libx11-xcb1 (>= 2:1.8)\n",
        {"libssl3"},
    )
    assert found == [
        "libc6 (>= 2.35)",
        "libglib2.0-0 (>= 2.26.0) | libglib2.0-0t64 (>= 2.26.0)",
        "libx11-xcb1",
        "xkb-data",
    ]


def test_files_lie_where_a_package_may_put_them(frozen: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    package.put_tree(frozen, tree)
    for program in package.PROGRAMS:
        link = tree / "usr" / "bin" / program
        assert link.resolve() == (tree / "usr" / "lib" / "brainseg-desktop" / program).resolve()
    papers = tree / "usr" / "share" / "doc" / "brainseg-desktop"
    assert (papers / "THIRD-PARTY-NOTICES.txt").read_text() == "notices"
    assert b"brainseg-desktop (" in gzip.decompress((papers / "changelog.gz").read_bytes())
    tops = {str(p.relative_to(tree)) for p in tree.glob("*/*")}
    assert tops == {"usr/bin", "usr/lib", "usr/share"}
    about = ElementTree.parse(tree / "usr/share/metainfo/brainseg-desktop.metainfo.xml").getroot()
    assert about.find("releases/release").attrib == {"version": package.__version__, "date": "2023-11-14"}


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_the_package_is_the_same_each_time_and_owned_by_root(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "find_depends", lambda folder: ["libc6"])
    monkeypatch.setattr(package, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    made = []
    for umask in (0o022, 0o077):
        before = os.umask(umask)
        try:
            made.append(package.make_deb(frozen, tmp_path, is_quick=True).read_bytes())
        finally:
            os.umask(before)
    assert made[0] == made[1]
    [deb] = tmp_path.glob("*.deb")
    listed = subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout
    modes = {line.split()[5]: (line.split()[0], line.split()[1]) for line in listed.splitlines()}
    home = "./usr/lib/brainseg-desktop"
    assert modes[f"{home}/brainseg"] == ("-rwxr-xr-x", "root/root")
    assert modes[f"{home}/_internal/libx.so.1"] == ("-rw-r--r--", "root/root")
    assert modes[f"{home}/_internal/libx.so"][0].startswith("l")


def test_the_menu_entry_names_file_types_that_exist() -> None:
    entry = RawConfigParser()
    entry.optionxform = str
    entry.read(LINUX / "brainseg-desktop.desktop", encoding="utf-8")
    section = entry["Desktop Entry"]
    assert section["Exec"] == "brainseg-desktop %F"
    types = set(filter(None, section["MimeType"].split(";")))
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    made = ElementTree.parse(LINUX / "brainseg-desktop.mime.xml").getroot().iter(f"{space}mime-type")
    # DICOM's comes with the desktops.
    assert types == {one.attrib["type"] for one in made} | {"application/dicom"}
    about = ElementTree.parse(LINUX / "brainseg-desktop.metainfo.xml").getroot()
    assert types == {one.text for one in about.iter("mediatype")}


def test_the_desktops_own_tools_find_no_fault(tmp_path: Path) -> None:
    if shutil.which("desktop-file-validate") is None or shutil.which("appstreamcli") is None:
        pytest.skip("needs desktop-file-utils and appstream")
    package_share = tmp_path / "share"
    subprocess.run(["desktop-file-validate", LINUX / "brainseg-desktop.desktop"], check=True)
    about = (LINUX / "brainseg-desktop.metainfo.xml").read_text(encoding="utf-8")
    package_share.mkdir()
    path = package_share / "brainseg-desktop.metainfo.xml"
    path.write_text(about.replace("@VERSION@", "1.0").replace("@DATE@", "2026-01-01"), encoding="utf-8")
    # The project has no domain of its own that its name could begin with.
    allowed = "--override=cid-desktopapp-is-not-rdns=info"
    command = ["appstreamcli", "validate", "--no-net", allowed, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["plain", "with space", 'quote " and $HOME `x` 100% \\ back'])
def test_the_archive_enters_the_menu_and_leaves_it(frozen: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    shutil.copytree(frozen, place, symlinks=True)
    package.put_entries(place / "share")
    shutil.copy(LINUX / "install-for-me.sh", place)
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    for path in [place, *place.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    for _ in range(2):  # pressed twice
        subprocess.run([place / "install-for-me.sh"], env=environment, check=True, capture_output=True)
    # The administrator may write anywhere, so the rights are looked at themselves.
    copied = [p for p in home.rglob("*") if p.is_dir()]
    assert all(p.stat().st_mode & 0o200 for p in copied)
    entry = home / ".local" / "share" / "applications" / "brainseg-desktop.desktop"
    [line] = [one for one in entry.read_text().splitlines() if one.startswith("Exec=")]
    assert _program(line) == str(place / "brainseg-desktop")
    assert (home / ".local/share/icons/hicolor/48x48/apps/brainseg-desktop.png").is_file()
    subprocess.run(
        [place / "install-for-me.sh", "--remove"], env=environment, check=True, capture_output=True
    )
    assert not [p for p in home.rglob("brainseg-desktop.*") if p.is_file()]
    wrong = subprocess.run([place / "install-for-me.sh", "--nonsense"], env=environment, capture_output=True)
    assert wrong.returncode == 2


def test_the_archive_holds_one_folder_that_runs(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "LICENSE").write_text("licence")
    path = package.make_archive(frozen, tmp_path, is_quick=True)
    with tarfile.open(path) as archive:
        members = {m.name: m for m in archive.getmembers()}
        archive.extractall(tmp_path / "out", filter="data")
    assert len({name.partition("/")[0] for name in members}) == 1
    assert {(m.uname, m.uid) for m in members.values()} == {("root", 0)}
    [folder] = (tmp_path / "out").iterdir()
    done = subprocess.run([folder / "brainseg", "x"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}/brainseg x\n"
    assert {"LICENSE", "README.txt", "install-for-me.sh", "share"} <= {p.name for p in folder.iterdir()}


def _program(line: str) -> str:
    """The program of an Exec line, unescaped as the desktop entry specification says."""
    text = re.sub(r"\\\\", r"\\", line.removeprefix("Exec="))
    quoted = re.match(r'"((?:[^"\\]|\\.)*)" %F$', text)
    assert quoted is not None, line
    return re.sub(r"\\(.)", r"\1", quoted[1]).replace("%%", "%")
