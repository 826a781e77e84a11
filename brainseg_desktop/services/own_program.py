"""How this program starts itself again, from a source tree, an installed wheel and a frozen app."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path

# Without it every process that a windowed program of Windows starts flashes a black console.
NO_CONSOLE: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

# What the freezer's loader and its start for Qt set for themselves; a foreign program (a file manager, a
# browser) that inherited them would load our libraries instead of its own.
_OF_THE_LOADER = ("LD_LIBRARY_PATH",)
_OF_QT = ("QT_PLUGIN_PATH", "QML2_IMPORT_PATH")


def is_frozen() -> bool:
    """True in the installed app, where there is no Python to hand a module to."""
    return bool(getattr(sys, "frozen", False))


def own_command(subcommand: str | None = None, module: str = "brainseg_desktop") -> list[str]:
    """The start of a command line of our own program, on the console side and never the windowed one.

    Parameters
    ----------
    subcommand : str, optional
        Of ``brainseg``; none opens what `module` is.
    module : str
        A module that does the same and loads less; a frozen app has no use for it.
    """
    if is_frozen():
        program = Path(sys.executable)
        # The windowed program takes its arguments for cases, so the console one beside it is asked.
        start = [str(program.with_name("brainseg.exe" if sys.platform == "win32" else "brainseg"))]
        return [*start, subcommand] if subcommand else start
    start = [sys.executable, "-m", module]
    return [*start, subcommand] if subcommand and module == "brainseg_desktop" else start


def clean_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take back what the freezer put into the environment; this process has read it by now."""
    for name in _OF_THE_LOADER:
        before = environment.pop(f"{name}_ORIG", None)
        if before is not None:
            environment[name] = before
        else:
            environment.pop(name, None)
    # By these a program of ours would take itself for a part of this process, and not look for its libraries.
    for name in [*_OF_QT, *(one for one in environment if one.startswith("_PYI_"))]:
        environment.pop(name, None)
