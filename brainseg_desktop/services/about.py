"""What the program says of itself: versions, where its files lie, and a text for a mail to support."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from brainseg_desktop import __version__
from brainseg_desktop.services.language import mark
from brainseg_desktop.services.licences import installed_version
from brainseg_desktop.services.paths import config_dir, log_dir, state_dir, user_models_dir
from brainseg_desktop.services.settings import DeviceTime, settings_path

NOTICE = mark("For research use only. Not a medical device; not for diagnosis or treatment.")
# What bugs depend on most; the list of licences has the rest.
_PACKAGES = (
    *("numpy", "scipy", "scikit-image", "nibabel", "onnxruntime", "pyqtgraph", "pydicom", "highdicom"),
    *("SimpleITK", "torch"),
)


def versions(qt: str = "") -> dict[str, str]:
    """Name and version of the program and what it runs on, in the order to be shown.

    Parameters
    ----------
    qt : str
        Version of Qt, which only the window knows.
    """
    found = {"BrainSeg Desktop": __version__, "Python": sys.version.split()[0]}
    if qt:
        found["Qt"] = qt
    for name in _PACKAGES:
        if version := installed_version(name):
            found[name] = version
    found["System"] = platform.platform()
    return found


def places() -> dict[str, Path]:
    """Where the program keeps its files, by what they are."""
    return {
        mark("Settings"): settings_path(),
        mark("Journals of unsaved strokes"): state_dir(),
        mark("Networks of your own"): user_models_dir(),
        mark("Logs"): log_dir(),
    }


def support_text(
    found: Mapping[str, str], network: str, device: str, times: Iterable[DeviceTime] = ()
) -> str:
    """Lines for a mail: versions, network, device; no names of cases, and no name of the user in a path."""
    lines = [f"{name}: {version}" for name, version in found.items()]
    lines += [f"Network: {network}", f"Device: {device}"]
    for time in times:
        lines.append(
            f"Measured: {time.device}, {time.network}, {time.seconds:.1f} s a case, "
            f"{time.start_seconds:.1f} s to start, {time.day}"
        )
    lines.append(f"Settings in: {_without_home(config_dir())}")
    lines.append(f"Logs in: {_without_home(log_dir())}")
    return "\n".join(lines)


def _without_home(path: Path) -> str:
    with suppress(ValueError, RuntimeError):
        return str(Path("~") / path.relative_to(Path.home()))
    return str(path)
