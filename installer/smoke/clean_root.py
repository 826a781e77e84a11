"""A small Debian in a folder, without Python, and commands run in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What every desktop brings: it finds file types and programs for them.
DESKTOP = ("libglib2.0-bin", "desktop-file-utils", "shared-mime-info", "hicolor-icon-theme")
USER = "reader"
# Where things change by themselves: kernel, packager's memory, the user's own.
NOT_COMPARED = {
    *("/proc", "/dev", "/tmp", "/run", f"/home/{USER}"),
    *("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/log"),
}


class CleanRoot:
    """The root folder, and what is done in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run something as the administrator."""
        return self._run(["chroot", str(self.folder), *command], check)

    def run_as_user(
        self, *command: str, check: bool = True, display: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run something as a user without rights, on a machine without a network."""
        return self._run(self.user_command(command, display), check)

    def user_command(self, command: Sequence[str], display: str = "") -> list[str]:
        """The command line for it, as a program of the machine outside."""
        variables = {"HOME": f"/home/{USER}", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": USER}
        if display:
            variables["DISPLAY"] = display
        return [
            *("unshare", "--net", "chroot", f"--userspec={USER}:{USER}", str(self.folder), "env", "-i"),
            *(f"{name}={value}" for name, value in variables.items()),
            *("sh", "-c", 'cd; exec "$@"', "sh", *command),
        ]

    def files(self) -> dict[str, str]:
        """Every file, folder and link outside the user's home, with its kind, size and mode."""
        found = {}
        for place, folders, names in os.walk(self.folder):
            inside = "/" / Path(place).relative_to(self.folder)
            folders[:] = [f for f in folders if str(inside / f) not in NOT_COMPARED]
            for name in (*folders, *names):
                status = (Path(place) / name).lstat()
                # A folder's own size tells nothing.
                size = 0 if name in folders else status.st_size
                found[str(inside / name)] = f"{status.st_mode:o} {size}"
        return found

    def running(self) -> list[int]:
        """The processes that live in this root, by their numbers."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "root").readlink() == self.folder:
                    found.append(int(process.name))
        return found

    def _run(self, command: Sequence[str], check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **_QUIET}, timeout=1200
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done


_QUIET: Mapping[str, str] = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def make_base(base: Path) -> None:
    """Fetch the Debian once; later runs copy it."""
    if (base / "etc" / "debian_version").is_file():
        return
    shutil.rmtree(base, ignore_errors=True)
    unfinished = base.with_name(base.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(
        [
            *("debootstrap", "--variant=minbase", f"--include={','.join(DESKTOP)}"),
            *(SUITE, str(unfinished), MIRROR),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    unfinished.rename(base)


@contextmanager
def clean_root(base: Path, folder: Path) -> Iterator[CleanRoot]:
    """A fresh copy of the base with a user in it; what it mounts is let go of at the end."""
    if any(f" {folder}/" in line for line in Path("/proc/mounts").read_text().splitlines()):
        raise SystemExit(f"Something is still mounted below {folder}; unmount it first")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-a", str(base), str(folder)], check=True)
    sockets = Path("/tmp/.X11-unix")
    sockets.mkdir(mode=0o1777, exist_ok=True)
    (folder / "tmp" / ".X11-unix").mkdir(mode=0o1777, exist_ok=True)
    shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
    (folder / "usr" / "sbin" / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (folder / "usr" / "sbin" / "policy-rc.d").chmod(0o755)
    mounts = (
        ("-t", "proc", "proc", str(folder / "proc")),
        ("-t", "tmpfs", "-o", "mode=1777", "shm", str(folder / "dev" / "shm")),
        ("--bind", str(sockets), str(folder / "tmp" / ".X11-unix")),
    )
    mounted: list[str] = []
    root = CleanRoot(folder)
    try:
        for arguments in mounts:
            subprocess.run(["mount", *arguments], check=True)
            mounted.append(arguments[-1])
        root.run("useradd", "--create-home", "--shell", "/bin/sh", USER)
        yield root
    finally:
        for number in root.running():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for place in reversed(mounted):
            _unmount(place)


def _unmount(place: str) -> None:
    for _ in range(20):
        if subprocess.run(["umount", place], check=False, capture_output=True).returncode == 0:
            return
        # A program of the test is still ending.
        time.sleep(0.5)
    subprocess.run(["umount", "--lazy", place], check=False)
