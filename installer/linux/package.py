"""The .deb and the .tar.gz of the frozen folder, into dist/; the Python of build/freeze runs this."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# No package: these files are run from where they lie.
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

from depends import RECOMMENDS, SUGGESTS, find_depends  # noqa: E402
from icons import DRAWING, SIDES  # noqa: E402

from brainseg_desktop import __version__  # noqa: E402

NAME = "brainseg-desktop"
# The build with torch is the same package, only larger; its files are told apart by their names.
KIND = "-cuda" if os.environ.get("BRAINSEG_CUDA") == "1" else ""
ICONS = ROOT / "build" / "icons"
NOTICES = "_internal/resources/licences"
PROGRAMS = ("brainseg-desktop", "brainseg")
MAINTAINER = "BrainSeg Desktop maintainers <brainseg-desktop@example.org>"
DESCRIPTION = """segment, correct and measure brain tumour masks in MRI
 Opens a multimodal brain MRI (DICOM, NIfTI, NRRD, TIFF), outlines the tumour
 with a bundled network, lets you correct the outline, measures agreement with
 a reference or with other readers, and exports label files that are read back
 before they count as saved. Needs no Python, graphics card or internet.
 .
 Research use only: not a medical device, not for diagnosis or treatment."""


def main() -> None:
    """Make both packages and say how large they are; ``--quick`` packs loosely, to try something out."""
    frozen = ROOT / "build" / "frozen" / NAME
    if not frozen.is_dir():
        raise SystemExit(f"{frozen} is not there: run installer/freeze.py first")
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    is_quick = "--quick" in sys.argv[1:]
    for path in (make_deb(frozen, dist, is_quick), make_archive(frozen, dist, is_quick)):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.0f} MB")


def make_deb(frozen: Path, dist: Path, is_quick: bool = False) -> Path:
    """A package of Debian and its kin; what it needs is found out here."""
    architecture = _output("dpkg", "--print-architecture")
    target = dist / f"{NAME}{KIND}_{__version__}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as place:
        tree = Path(place) / "tree"
        put_tree(frozen, tree)
        size = sum(p.lstat().st_size for p in tree.rglob("*") if not p.is_dir()) // 1024
        control = tree / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(control_text(architecture, find_depends(frozen), size), encoding="utf-8")
        (control.parent / "md5sums").write_text(_checksums(tree), encoding="utf-8")
        _tidy(tree)
        how = ("-Zgzip", "-z1") if is_quick else ("-Zxz", "-z6")
        _run("dpkg-deb", "--root-owner-group", *how, "--build", str(tree), str(target))
    return target


def make_archive(frozen: Path, dist: Path, is_quick: bool = False) -> Path:
    """A folder that runs from wherever it is unpacked."""
    machine = _output("uname", "-m")
    name = f"{NAME}{KIND}-{__version__}-linux-{machine}"
    target = dist / f"{name}.tar.gz"
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as place:
        tree = Path(place) / name
        shutil.copytree(frozen, tree, symlinks=True)
        put_entries(tree / "share")
        for file in (HERE / "install-for-me.sh", HERE / "README.txt", ROOT / "LICENSE"):
            shutil.copy(file, tree / file.name)
        _tidy(tree)
        unfinished = target.with_suffix(".part")
        with tarfile.open(unfinished, "w:gz", compresslevel=1 if is_quick else 9) as archive:
            archive.add(tree, arcname=name, filter=_anonymous)
        unfinished.replace(target)
    return target


def put_tree(frozen: Path, tree: Path) -> None:
    """Lay everything where the package has it."""
    home = tree / "usr" / "lib" / NAME
    shutil.copytree(frozen, home, symlinks=True)
    (tree / "usr" / "bin").mkdir(parents=True)
    for program in PROGRAMS:
        (tree / "usr" / "bin" / program).symlink_to(f"../lib/{NAME}/{program}")
    put_entries(tree / "usr" / "share")
    manual = tree / "usr" / "share" / "man" / "man1"
    manual.mkdir(parents=True)
    _gzip((HERE / "brainseg.1").read_bytes(), manual / "brainseg.1.gz")
    (manual / f"{NAME}.1.gz").symlink_to("brainseg.1.gz")
    papers = tree / "usr" / "share" / "doc" / NAME
    papers.mkdir(parents=True)
    shutil.copy(HERE / "copyright", papers / "copyright")
    _gzip(changelog_text().encode(), papers / "changelog.gz")
    for notices in sorted((frozen / NOTICES).iterdir()):
        (papers / notices.name).symlink_to(f"../../../lib/{NAME}/{NOTICES}/{notices.name}")


def put_entries(share: Path) -> None:
    """Menu entry, file types, shop-window data and icons, in the folders that desktops look into."""
    applications, mime, metainfo = (share / n for n in ("applications", "mime/packages", "metainfo"))
    for folder in (applications, mime, metainfo):
        folder.mkdir(parents=True)
    shutil.copy(HERE / f"{NAME}.desktop", applications / f"{NAME}.desktop")
    shutil.copy(HERE / f"{NAME}.mime.xml", mime / f"{NAME}.xml")
    about = (HERE / f"{NAME}.metainfo.xml").read_text(encoding="utf-8")
    day = time.strftime("%Y-%m-%d", time.gmtime(_moment()))
    about = about.replace("@VERSION@", __version__).replace("@DATE@", day)
    (metainfo / f"{NAME}.metainfo.xml").write_text(about, encoding="utf-8")
    for side in SIDES:
        folder = share / "icons" / "hicolor" / f"{side}x{side}" / "apps"
        folder.mkdir(parents=True)
        shutil.copy(ICONS / f"{side}.png", folder / f"{NAME}.png")
    folder = share / "icons" / "hicolor" / "scalable" / "apps"
    folder.mkdir(parents=True)
    shutil.copy(DRAWING, folder / f"{NAME}.svg")


def control_text(architecture: str, depends: Sequence[str], kilobytes: int) -> str:
    """What dpkg has to know of the package."""
    fields = {
        "Package": NAME,
        "Version": __version__,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(kilobytes),
        "Depends": ", ".join(depends),
        "Recommends": ", ".join(RECOMMENDS),
        "Suggests": ", ".join(SUGGESTS),
        "Section": "science",
        "Priority": "optional",
        "Description": DESCRIPTION,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def changelog_text() -> str:
    """Debian's form of a changelog: it only leads to our own."""
    day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(_moment()))
    line = f"  * Version {__version__}; what is new stands in the program's own list of changes."
    return f"{NAME} ({__version__}) unstable; urgency=medium\n\n{line}\n\n -- {MAINTAINER}  {day}\n"


def _moment() -> int:
    """One time for everything, so that the same source gives the same package."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    try:
        return int(_output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return int(time.time())


def _checksums(tree: Path) -> str:
    """What ``dpkg --verify`` compares with."""
    files = sorted(p for p in (tree / "usr").rglob("*") if p.is_file() and not p.is_symlink())
    sums = ((hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest(), p) for p in files)
    return "".join(f"{digest}  {path.relative_to(tree)}\n" for digest, path in sums)


def _tidy(tree: Path) -> None:
    """Folders and programs 755, files 644, one time on all, whatever the umask of who builds."""
    moment = _moment()
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            is_program = path.is_dir() or (path.stat().st_mode & 0o100 and _may_run(path))
            path.chmod(0o755 if is_program else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)


def _may_run(path: Path) -> bool:
    # Wheels mark their libraries as programs; only these are any.
    return path.name in PROGRAMS or path.suffix == ".sh"


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _gzip(content: bytes, path: Path) -> None:
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
