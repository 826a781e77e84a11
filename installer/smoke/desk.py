"""A screen without a monitor, and hands on it: real key and mouse events of X."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ImageGrab

SIZE = "1600x1000x24"
PATIENCE_SECONDS = 90.0


class Desk:
    """One screen of X and its windows."""

    def __init__(self, display: str) -> None:
        self.display = display

    def wait_for(self, title: str, *, every: float = 0.03) -> str:
        """The window whose title holds `title`, once it is on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := self.find(title):
                return found
            time.sleep(every)
        raise AssertionError(f"no window {title!r} came; there are: {self.titles()}")

    def wait_until_gone(self, title: str) -> None:
        """Until no window holds `title` in its title."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.find(title):
            if time.monotonic() > end:
                raise AssertionError(f"the window {title!r} stayed")
            time.sleep(0.1)

    def find(self, title: str) -> str:
        """That window's number, or nothing."""
        found = self._do("search", "--onlyvisible", "--name", title).split()
        return found[-1] if found else ""

    def titles(self) -> list[str]:
        """What stands over the windows."""
        windows = self._do("search", "--onlyvisible", "--name", ".").split()
        return [self._do("getwindowname", window).strip() for window in windows]

    def focus(self, window: str) -> None:
        """Let keys go to a window; no window manager does it here."""
        self._do("windowfocus", "--sync", window)
        time.sleep(0.3)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as ``ctrl+s``."""
        for key in keys:
            self._do("key", "--clearmodifiers", key)
            time.sleep(0.3)

    def type(self, text: str) -> None:
        """Type a text."""
        self._do("type", "--delay", "8", text)
        time.sleep(0.3)

    def drag(self, start: tuple[int, int], step: tuple[int, int], steps: int) -> None:
        """Draw with the left button."""
        self._do("mousemove", *map(str, start))
        time.sleep(0.2)
        self._do("mousedown", "1")
        for _ in range(steps):
            self._do("mousemove_relative", "--", *map(str, step))
            time.sleep(0.03)
        self._do("mouseup", "1")
        time.sleep(0.3)

    def photograph(self, path: Path) -> None:
        """Keep what the screen shows."""
        ImageGrab.grab(xdisplay=self.display).save(path)

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"DISPLAY": self.display, "PATH": "/usr/bin:/bin"},
        )
        return done.stdout


@contextmanager
def desk() -> Iterator[Desk]:
    """A screen of its own, gone at the end."""
    number = next(n for n in itertools.count(90) if not Path(f"/tmp/.X11-unix/X{n}").exists())
    server = subprocess.Popen(
        ["Xvfb", f":{number}", "-screen", "0", SIZE, "-nolisten", "tcp", "-ac", "-noreset"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 20
        while not Path(f"/tmp/.X11-unix/X{number}").exists():
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError("Xvfb did not start")
            time.sleep(0.1)
        yield Desk(f":{number}")
    finally:
        server.terminate()
        server.wait()
