"""A stranger's check of an installation: is everything there, and does the whole way work?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.registry import list_models, read_model
from brainseg_desktop.io.resources import models_dir, resources_dir
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.services.bench import visit_window
from brainseg_desktop.services.headless import segment_cases
from brainseg_desktop.services.mask_files import compare_files
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import load_mask
from brainseg_desktop.services.paths import config_dir, log_dir, state_dir

# What the sample's tumour must be found with, at the least: below it something is broken, not merely poor.
LEAST_DICE = 0.5


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
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Program", lambda: f"{__version__}, Python {sys.version.split()[0]}"),
        ("Own folders", _check_folders),
        ("Resources", _check_resources),
        ("Networks", _check_models),
        ("Sample case", _check_sample),
        ("Window", _check_window),
    )
    return [_attempt(name, check) for name, check in checks]


def _attempt(name: str, check: Callable[[], str]) -> Step:
    try:
        return Step(name, True, check())
    except UserError as error:
        return Step(name, False, words(error))
    except Exception as error:
        # A bug, too, is a finding here: the next checks may tell more about it.
        return Step(name, False, f"{type(error).__name__}: {error}")


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


def _check_sample() -> str:
    """Segment the sample in the worker, write the mask, read it back, compare it with the reference."""
    sample = resources_dir() / "sample"
    with tempfile.TemporaryDirectory() as folder, segment_cases(Path(folder)) as segment:
        result = segment(sample, lambda fraction: None)
        if result.error is not None or result.output is None:
            raise RuntimeError(result.error)
        if not np.any(load_mask(result.output).tissues):
            raise RuntimeError("the network found nothing in the sample case")
        report = compare_files(sample / "sample_seg.nii.gz", result.output)
    dice = report.regions["WT"].overlap.dice.value or 0.0
    if dice < LEAST_DICE:
        raise RuntimeError(f"the network found the sample's tumour with a Dice of only {dice:.2f}")
    return f"segmented by {result.model} on {result.device} in {result.seconds:.1f} s, WT Dice {dice:.2f}"


def _check_window() -> str:
    """Show the sample without a screen, in a process of its own, which a missing library may end."""
    shown = visit_window(resources_dir() / "sample", "start", platform="offscreen")["start_to_case_ms"]
    return f"shows the sample case {shown[0] / 1000:.1f} s after its start, without a screen"
