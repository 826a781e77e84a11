"""Exams of a few small slices, made in memory, and a recipe for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from brainseg_desktop.inference.frame import Frame
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.data.loading import Dataset
from brainseg_desktop.training.exams import PreparedExam

CHANNELS = ("T1", "T1CE", "T2", "FLAIR")
SIDE = 32


def make_exam(
    name: str,
    *,
    seed: int = 0,
    depth: int = 4,
    size: tuple[int, int] = (SIDE, SIDE),
    kind: str = "whole_head",
    targets: str = "regions",
    taught: tuple[bool, ...] | None = None,
    present: tuple[bool, ...] = (True, False, True, True),
    patient: str = "",
) -> PreparedExam:
    """Noise with a bright square, nested squares or classes in it; the outer slices have no tumour."""
    random = np.random.default_rng(seed)
    slices = random.normal(0, 0.5, (depth, len(CHANNELS), *size)).astype(np.float16)
    rows = 1 if targets == "binary" else 3
    masks = np.zeros((depth, rows, *size), np.uint8)
    top, left = (int(random.integers(4, side - 14)) for side in size)
    for z in range(1, depth - 1):
        for row in range(rows):
            inset = 3 * row
            masks[z, row, top + inset : top + 10 - inset, left + inset : left + 10 - inset] = 1
    if targets == "classes":
        masks[:, 0] -= masks[:, 1]
        masks[:, 1] -= masks[:, 2]
    slices += masks.sum(axis=1, keepdims=True).astype(np.float16) * np.float16(1.5)
    slices[:, [c for c, there in enumerate(present) if not there]] = 0
    native = np.zeros((3, *size, depth), bool)
    native[:rows] = masks.transpose(1, 2, 3, 0) > 0
    known = taught or (True, True, True)[:rows]
    return PreparedExam(
        name=name,
        patient=patient or name,
        source="lgg",
        kind=kind,
        slices=slices,
        targets=masks,
        present=present,
        taught=known,
        kept=np.arange(depth),
        frame=Frame((*size, depth), size, (0, 0), size),
        regions=native,
        known=(True, False, False) if rows == 1 else (True, True, True),
    )


def make_dataset(train: int = 3, validation: int = 2, test: int = 1, **kwargs: Any) -> Dataset:
    """A few exams on each side; keywords as of `make_exam`."""

    def exams(side: str, count: int, seed: int) -> list[PreparedExam]:
        return [make_exam(f"{side}-{i}", seed=seed + i, **kwargs) for i in range(count)]

    return Dataset(exams("train", train, 0), exams("validation", validation, 50), exams("test", test, 90))


def make_recipe(work: Path, **tables: Any) -> Recipe:
    """A recipe that a test can run: tables given replace entries of these."""
    base: dict[str, Any] = {
        "name": "miniature",
        "seed": 7,
        "work": str(work),
        "kinds": ["whole_head"],
        "regions": ["WT"],
        "sources": [{"kind": "lgg", "path": "none"}],
        "network": {"widths": [4, 8]},
        "loss": {"name": "region"},
        "schedule": {"epochs": 2, "batch": 4, "threads": 1, "bf16": False, "device": "cpu"},
    }
    for name, table in tables.items():
        base[name] = {**base[name], **table} if isinstance(base.get(name), dict) else table
    if "steps" in base["schedule"]:
        base["schedule"].pop("epochs")
    return msgspec.convert(base, Recipe)
