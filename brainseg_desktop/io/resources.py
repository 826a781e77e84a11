"""Where `resources/` and `models/` lie: in a source tree, an installed wheel or a frozen app."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resources_dir() -> Path:
    """The folder with icons, label schemes, the sample case, recipes and the guide."""
    return _bundled("resources")


def models_dir() -> Path:
    """The folder with the bundled networks."""
    return _bundled("models")


def _bundled(name: str) -> Path:
    """The first place that exists; the source tree's where none does, so that an error names it."""
    places = []
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen is not None:
        places += [Path(frozen) / name, Path(frozen) / "brainseg_desktop" / "_data" / name]
    places += [_PACKAGE / "_data" / name, _PACKAGE.parent / name]
    return next((place for place in places if place.is_dir()), places[-1])
