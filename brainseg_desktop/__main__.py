"""The one door: no arguments open the window, anything else is the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brainseg_desktop.cli import Front


def main() -> None:
    """Entry point of ``brainseg`` and of ``python -m brainseg_desktop``."""
    from brainseg_desktop.cli import run

    sys.exit(run(sys.argv[1:] or ["open"], _front()))


def main_windowed() -> None:
    """Entry point of ``brainseg-desktop``, without a console: files dropped on its icon are opened."""
    from brainseg_desktop.cli import run_windowed

    sys.exit(run_windowed(sys.argv[1:], _front()))


def _front() -> Front:
    from brainseg_desktop.cli import Front

    return Front(open_window=_open_window, measure_window=_measure_window)


def _open_window(paths: tuple[Path, ...]) -> int:
    # Qt takes half a second to load: only who wants a window waits for it.
    from brainseg_desktop.gui.app import run

    return run(paths)


def _measure_window(case: Path, part: str) -> int:
    from brainseg_desktop.gui.bench import main as measure

    return measure([str(case), part])


if __name__ == "__main__":
    main()
