"""Try dist/'s packages as a stranger would: in a clean Debian without Python, network or rights.

Run as the administrator (it uses chroot) by `make package-test`. It ends with 1 at the first thing that is
wrong, and leaves pictures of the screen in build/smoke.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# No package: these files are run from where they lie.
sys.path[:0] = [str(HERE), str(HERE.parent / "linux"), str(ROOT)]

from clean_root import USER, CleanRoot, clean_root, make_base  # noqa: E402
from desk import Desk, desk  # noqa: E402

PLACE = ROOT / "build" / "smoke"
NAME = "brainseg-desktop"
TITLE = "BrainSeg Desktop"
HOME = Path("/home") / USER
STARTS = 5
SHOWN_SECONDS = 3.0
# Where files of a package may lie.
ALLOWED = re.compile(
    rf"/usr/bin/(brainseg|{NAME})$|/usr/lib/{NAME}(/|$)|/usr/share/doc/{NAME}(/|$)"
    r"|/usr/share/man/man1/brainseg(-desktop)?\.1\.gz$|/usr/share/applications/[^/]+\.desktop$"
    r"|/usr/share/metainfo/[^/]+\.metainfo\.xml$|/usr/share/mime/packages/[^/]+\.xml$"
    r"|/usr/share/icons/hicolor/[^/]+/apps/[^/]+\.(png|svg)$"
)
# Lines on standard error that are no fault of the program, and why.
EXPECTED = (
    # Xvfb without a window manager does not answer to Qt's questions about frames and focus.
    r"qt\.qpa\.xcb: .*(frame extents|_NET_)",
)


def main() -> None:
    """Everything, in the order in which a user meets it."""
    if os.geteuid() != 0:
        raise SystemExit("chroot needs the administrator: sudo make package-test")
    deb, archive = _only("*.deb"), _only("*.tar.gz")
    PLACE.mkdir(parents=True, exist_ok=True)
    say("Clean Debian")
    make_base(PLACE / "base")
    with clean_root(PLACE / "base", PLACE / "root") as root, desk() as screen:
        assert not list((root.folder / "usr" / "bin").glob("python*")), "the clean root has a Python"
        try_package(root, screen, deb)
        try_archive(root, screen, archive)
    say("Everything is well")


def try_package(root: CleanRoot, screen: Desk, deb: Path) -> None:
    """Install, use, remove."""
    shutil.copy(deb, root.folder / "var" / "tmp" / deb.name)
    needed = _output("dpkg-deb", "--field", str(deb), "Depends")
    say(f"What it needs, from Debian: {needed}")
    root.run("apt-get", "update", "-qq")
    root.run("apt-get", "satisfy", "-y", "-qq", "--no-install-recommends", needed)
    before = root.files()
    say("Installing")
    root.run("dpkg", "--install", f"/var/tmp/{deb.name}")
    check_places(root)
    make_case(root)
    say("Self-test")
    check_selftest(root, "/usr/bin/brainseg")
    say("A double click on a file")
    work_in_window(root, screen, ["gio", "open", str(HOME / "sample" / "sample_flair.nii.gz")], "package")
    say("Starts")
    measure_starts(root, screen, "/usr/bin/brainseg-desktop")
    say("Removing")
    own = sorted(p for p in (root.folder / "home" / USER).rglob("*") if p.is_file())
    root.run("dpkg", "--remove", NAME)
    compare(before, root.files())
    assert root.run("dpkg-query", "-W", "-f", "${Status}", NAME, check=False).stdout in ("", UNINSTALLED)
    root.run("dpkg", "--purge", NAME)
    compare(before, root.files())
    left = sorted(p for p in (root.folder / "home" / USER).rglob("*") if p.is_file())
    assert left == own, "removing the package touched the user's own files"
    say(f"  nothing is left but the user's {len(own)} own files")


UNINSTALLED = "unknown ok not-installed"


def try_archive(root: CleanRoot, screen: Desk, archive: Path) -> None:
    """Unpack into a strange folder that may only be read; use it, into the menu and out again."""
    say("The archive, in a folder that may only be read")
    before = root.files()
    folder = HOME / "My programs (new) $5"
    outside = root.folder / folder.relative_to("/")
    outside.mkdir()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(outside)], check=True)
    subprocess.run(["chown", "-R", "1000:1000", str(outside)], check=True)
    subprocess.run(["chmod", "-R", "a-w", str(outside)], check=True)
    [program] = [folder / p.name for p in outside.iterdir()]
    check_selftest(root, str(program / "brainseg"))
    root.run_as_user(str(program / "install-for-me.sh"))
    subprocess.run(["rm", "-f", str(root.folder / HOME.relative_to("/") / "out.nii.gz")], check=True)
    work_in_window(root, screen, ["gio", "open", str(HOME / "sample" / "sample_flair.nii.gz")], "archive")
    root.run_as_user(str(program / "install-for-me.sh"), "--remove")
    entries = list((root.folder / "home" / USER / ".local" / "share").rglob("*brainseg-desktop.*"))
    assert not entries, f"the menu entry left {entries}"
    compare(before, root.files())


def check_places(root: CleanRoot) -> None:
    """Every file of the package lies where a package may put it, and is owned by nobody but root."""
    files = root.run("dpkg", "--listfiles", NAME).stdout.splitlines()
    folders = {"/."} | {str(p) for f in files for p in Path(f).parents}
    strange = [f for f in files if f not in folders and not ALLOWED.match(f)]
    assert not strange, f"files where no package may put them: {strange[:5]}"
    owned = [f for f in files if (root.folder / f.lstrip("/")).lstat().st_uid != 0]
    assert not owned, f"files that root does not own: {owned[:5]}"
    root.run("dpkg", "--verify", NAME)
    say(f"  {len(files)} files and folders, all in their places")


def check_selftest(root: CleanRoot, program: str) -> None:
    """Green, and without a word on standard error."""
    for arguments, said in ((["--version"], "brainseg, version"), (["selftest"], "")):
        done = root.run_as_user(program, *arguments)
        assert said in done.stdout, done.stdout
        check_errors(done.stderr)
    print(done.stdout)


def make_case(root: CleanRoot) -> None:
    """The sample case in the user's home, as if it came from somewhere."""
    folder = root.folder / "home" / USER / "sample"
    folder.mkdir()
    for name in ("t1", "flair"):
        sample = ROOT / "resources" / "sample" / f"sample_{name}.nii.gz"
        shutil.copy(sample, folder / sample.name)
    subprocess.run(["chown", "-R", "1000:1000", str(folder)], check=True)


def work_in_window(root: CleanRoot, screen: Desk, command: list[str], name: str) -> None:
    """Open a case, paint, export, quit; judged by what was written."""
    image = root.folder / command[-1].lstrip("/")
    written = root.folder / "home" / USER / "out.nii.gz"
    with started(root, screen, command, "sample"):
        screen.photograph(PLACE / f"{name}-opened.png")
        screen.press("p", "2")
        screen.drag((380, 300), (-8, 5), 6)
        time.sleep(1)
        screen.photograph(PLACE / f"{name}-painted.png")
        screen.press("ctrl+s")
        screen.focus(screen.wait_for("Export mask"))
        screen.press("ctrl+a")
        screen.type(str(HOME / "out.nii.gz"))
        screen.photograph(PLACE / f"{name}-export.png")
        screen.press("Return")
        screen.wait_until_gone("Export mask")
        wait_for(written)
        time.sleep(2)
        screen.photograph(PLACE / f"{name}-exported.png")
    check_mask(written, image)


@contextmanager
def started(root: CleanRoot, screen: Desk, command: list[str], case: str) -> Iterator[tuple[str, float]]:
    """The window that a command opens with the case in it, and the seconds until it was there.

    It is closed at the end, and must have said nothing on standard error.
    """
    complaints = PLACE / "stderr.txt"
    with complaints.open("w") as errors:
        begin = time.monotonic()
        process = subprocess.Popen(root.user_command(command, screen.display), stderr=errors)
        try:
            window = screen.wait_for(TITLE)
            seconds = time.monotonic() - begin
            screen.focus(window)
            acknowledge(screen, case)
            yield window, seconds
            screen.focus(window)
            screen.press("ctrl+q")
            screen.wait_until_gone(TITLE)
            process.wait(30)
            wait_for_end(root)
        finally:
            process.kill()
            process.wait()
    check_errors(complaints.read_text())


def acknowledge(screen: Desk, case: str) -> None:
    """At the first start the research-use notice stands before the case: tick its box, then go on."""
    if case and not appears(screen, f"{case}.*{TITLE}", 10):
        screen.photograph(PLACE / "notice.png")
        screen.press("space", "space")
        screen.wait_for(f"{case}.*{TITLE}")


def measure_starts(root: CleanRoot, screen: Desk, program: str) -> None:
    """Seconds from the click to the window, the files being in memory by now."""
    seconds = []
    for _ in range(STARTS):
        with started(root, screen, [program], "") as (_, one):
            seconds.append(one)
            time.sleep(1)
    middle = statistics.median(seconds)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    each = ", ".join(f"{one:.1f}" for one in seconds)
    say(f"  window after {each} s; median {middle:.1f} s, load {load:.1f} a core")
    # A busy machine says nothing about the program.
    assert middle <= SHOWN_SECONDS or load > 1, f"the window took {middle:.1f} s"


def check_mask(path: Path, image: Path) -> None:
    """The file has the image's grid and holds oedema, and nothing else."""
    import nibabel
    import numpy as np

    mask, source = nibabel.load(path), nibabel.load(image)
    numbers, counts = np.unique(np.asarray(mask.dataobj), return_counts=True)
    assert mask.shape == source.shape, f"{mask.shape} is not {source.shape}"
    assert np.allclose(mask.affine, source.affine), "the mask lies elsewhere than the image"
    assert list(numbers) == [0, 2], f"painted oedema, found {numbers}"
    assert 20 < counts[1] < 50_000, f"{counts[1]} voxels of a stroke"
    say(f"  exported {counts[1]} voxels of oedema on the image's own grid")


def check_errors(text: str) -> None:
    """No line that is not expected."""
    lines = [line for line in text.splitlines() if line.strip()]
    unexpected = [line for line in lines if not any(re.search(known, line) for known in EXPECTED)]
    assert not unexpected, "on standard error:\n" + "\n".join(unexpected)


def compare(before: dict[str, str], after: dict[str, str]) -> None:
    """The same files with the same modes and sizes, but for caches that other packages keep of all files."""
    more, fewer = after.keys() - before.keys(), before.keys() - after.keys()
    changed = {p for p in before.keys() & after.keys() if before[p] != after[p]}
    assert not more, f"left behind: {sorted(more)[:10]}"
    assert not fewer, f"taken along: {sorted(fewer)[:10]}"
    assert not changed, f"changed: {sorted(changed)[:10]}"


def appears(screen: Desk, title: str, seconds: float) -> bool:
    """Whether such a window comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if screen.find(title):
            return True
        time.sleep(0.1)
    return False


def wait_for(path: Path) -> None:
    """Until the file is there."""
    end = time.monotonic() + 60
    while not path.is_file():
        assert time.monotonic() < end, f"{path.name} was not written"
        time.sleep(0.2)


def wait_for_end(root: CleanRoot) -> None:
    """Until no program of the root runs any more: the window's workers end with it."""
    end = time.monotonic() + 30
    while numbers := root.running():
        assert time.monotonic() < end, f"still running: {numbers}"
        time.sleep(0.2)


def _only(pattern: str) -> Path:
    found = sorted((ROOT / "dist").glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"dist/ has {len(found)} files {pattern}, one is wanted: run make package first")
    return found[0]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def say(line: str) -> None:
    """Tell what is going on."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.SubprocessError) as problem:
        raise SystemExit(f"FAILED: {problem}") from problem
