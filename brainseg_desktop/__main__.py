"""The one door: no arguments open the window, anything else is the command line."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Entry point of ``brainseg`` and of ``python -m brainseg_desktop``."""
    from brainseg_desktop.cli import Front, run

    front = Front(open_window=_open_window, measure_window=_measure_window)
    sys.exit(run(sys.argv[1:] or ["open"], front))


def main_windowed() -> None:
    """Entry point of ``brainseg-desktop``, without a console: a folder dropped on its icon is opened."""
    sys.exit(_open_window(Path(sys.argv[1]) if len(sys.argv) > 1 else None))


def _open_window(case: Path | None) -> int:
    # Qt takes half a second to load: only who wants a window waits for it.
    from brainseg_desktop.gui.app import run

    return run(case)


def _measure_window(case: Path, part: str) -> int:
    from brainseg_desktop.gui.bench import main as measure

    return measure([str(case), part])


if __name__ == "__main__":
    main()
