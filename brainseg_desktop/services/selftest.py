"""A stranger's check of an installation: is everything there, and does the whole way work?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.registry import list_models, read_model
from brainseg_desktop.io.resources import models_dir, resources_dir
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.services.bench import visit_window
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.paths import config_dir, log_dir, state_dir

Checks = list[tuple[str, Callable[[], str]]]


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its name, whether it passed, and what was seen."""

    name: str
    ok: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


def run_selftest() -> list[Step]:
    """Run every check; a failed one does not stop the rest."""
    steps = [
        _attempt("Program", lambda: f"{__version__}, Python {sys.version.split()[0]}"),
        _attempt("Own folders", _check_folders),
        _attempt("Resources", _check_resources),
        _attempt("Networks", _check_models),
    ]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for section, checks in (("Whole way", _whole_way), ("Libraries", _libraries)):
            try:
                steps += [_attempt(name, check) for name, check in checks(Path(folder))]
            except Exception as error:
                # A part of the program that cannot even be loaded: told like any other finding.
                steps.append(_finding(section, error))
    return [*steps, _attempt("Window", _check_window)]


def _whole_way(folder: Path) -> Checks:
    """What a reader does from opening to the report, with the sample."""
    from brainseg_desktop.services.selftests.exports import ExportChecks
    from brainseg_desktop.services.selftests.sample import SampleChecks

    sample = SampleChecks(folder)
    exports = ExportChecks(folder, sample)
    return [
        ("Open the sample", sample.open_sample),
        ("Segment it", sample.segment),
        ("Edit it", sample.edit),
        ("Compare", sample.compare),
        ("Register", sample.register),
        *exports.encodings(),
        *exports.exports(),
        ("Report", exports.report),
    ]


def _libraries(folder: Path) -> Checks:
    """What nothing above has touched."""
    from brainseg_desktop.services.selftests import libraries

    return [
        ("Pictures", libraries.read_pictures),
        ("Keyring", libraries.find_keyring),
        ("Archives", libraries.associate),
    ]


def _attempt(name: str, check: Callable[[], str]) -> Step:
    try:
        return Step(name, True, check())
    except Exception as error:
        # A bug, too, is a finding here: the next checks may tell more about it.
        return _finding(name, error)


def _finding(name: str, error: Exception) -> Step:
    detail = words(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return Step(name, False, detail)


def _check_folders() -> str:
    for folder in (config_dir(), state_dir(), log_dir()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    return str(config_dir())


def _check_resources() -> str:
    return f"{len(load_schemes())} label schemes in {resources_dir()}"


def _check_models() -> str:
    names = list_models(models_dir())
    if not names:
        raise UserError("model_missing", path=models_dir(), name="any network")
    cards = [read_model(models_dir() / name).card for name in names]
    return ", ".join(f"{card.name} {card.version} (sha256 right)" for card in cards)


def _check_window() -> str:
    """Show the sample without a screen, in a process of its own, which a missing library may end."""
    shown = visit_window(resources_dir() / "sample", "start", platform="offscreen")["start_to_case_ms"]
    return f"shows the sample case {shown[0] / 1000:.1f} s after its start, without a screen"
