"""Reads damaged inputs in this process, which may die of it: a line before each, a line after.

Called as ``python -m tests.fuzz.worker TARGET SEED FIRST COUNT FOLDER``. Lines on stdout: ``begin N``,
``end N``, and ``fail N REASON`` with a reason in one line.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

MEMORY_BYTES = 2 << 30
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2}


class Watch:
    """Notes every file that is opened to write, made, renamed or removed outside the folders allowed."""

    def __init__(self, allowed: tuple[Path, ...]) -> None:
        self.allowed = tuple(os.path.realpath(p) for p in allowed)
        self.is_on = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook."""
        if not self.is_on:
            return
        paths: tuple[Any, ...] = ()
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (mode is None and flags & _WRITING):
                paths = (path,)
        elif event in _CHANGES and arguments[-1] in (-1, None):  # else below a folder that was opened before
            paths = arguments[: _CHANGES[event]]
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path))
                if real != os.devnull and not any(
                    real.startswith(a + os.sep) or real == a for a in self.allowed
                ):
                    self.seen.append(f"{event} {real}")


def read_one(target: Any, files: dict[str, bytes], place: Path, watch: Watch) -> str | None:
    """Let the reader at one input; None, or in a line what it did but open or refuse it."""
    from brainseg_desktop.core.errors import UserError
    from brainseg_desktop.services.messages import SENTENCES, words

    folder, out = place / "in", place / "out"
    for old in (folder, out):
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir(parents=True)
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    watch.seen.clear()
    watch.is_on = True
    try:
        target.read(folder, out)
    except UserError as error:
        # A code without a sentence would be shown bare.
        if error.code not in SENTENCES or not words(error):
            return f"no sentence for {error.code}"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-5:]))
        return f"{type(error).__name__}: {str(error)[:120]!r} at {where}"
    finally:
        watch.is_on = False
    return f"wrote outside: {watch.seen[0]}" if watch.seen else None


def main(name: str, seed: int, first: int, count: int, place: Path) -> None:
    """Read the inputs with these numbers."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from tests.fuzz.targets import targets

    warnings.simplefilter("error")
    os.environ["BRAINSEG_HOME"] = str(place / "home")
    target = targets()[name]
    watch = Watch((place / "home", place / "out"))
    sys.addaudithook(watch)
    for number in range(first, first + count):
        files = target.inputs(seed, number)
        print(f"begin {number}", flush=True)
        told = read_one(target, files, place, watch)
        if told is not None:
            print(f"fail {number} {' '.join(told.split())}", flush=True)
        print(f"end {number}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
