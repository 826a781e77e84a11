"""A program that edits a mask without pause until it is killed, and says what it has done.

``python -m tests.gui.scripted_edit STATE SEED`` prints a line after each step that is on the disk: the number
of the action and a digest of the labels. The actions follow from the seed alone, so that a test can make them
again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import History
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.journal_format import digest_of
from brainseg_desktop.services.opening import new_rating
from brainseg_desktop.services.recovery import start_journal

SHAPE = (60, 56, 40)


def make_case() -> Case:
    """A case whose images need not be on the disk."""
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("/x/flair.nii.gz"), "00ff"), Sequence.FLAIR)
    return Case("case", grid, {Sequence.FLAIR: volume})


def edit(history: History, seed: int) -> Iterator[str]:
    """Make one action after the other for ever: strokes, whole volumes of noise, undo, redo, jumps."""
    random = np.random.default_rng(seed)
    while True:
        kind = random.choice(["stroke", "volume", "undo", "redo", "jump"], p=[0.6, 0.05, 0.15, 0.1, 0.1])
        start = [int(random.integers(0, n - 12)) for n in SHAPE]
        size, value, depth = random.integers(1, 12, 3), int(random.integers(0, 4)), int(random.integers(0, 6))
        if kind == "undo":
            history.undo()
        elif kind == "redo":
            history.redo()
        elif kind == "jump":
            history.go_to(max(0, history.depth + depth - 3))
        elif kind == "volume":
            noise = random.integers(0, 4, SHAPE).astype(np.uint8)
            with history.edit("Smooth, whole volume") as stroke:
                stroke.replace(Box((0, 0, 0), SHAPE), noise)
        else:
            stop = [a + int(n) for a, n in zip(start, size, strict=True)]
            box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
            with history.edit("Brush, oedema") as stroke:
                stroke.paint(box, np.ones(box.shape, bool), value)
        yield digest_of(history.label_map.array)


def main(state: Path, seed: int) -> None:
    """Edit and print until killed."""
    case = make_case()
    rating = new_rating(case, "Reader")
    journal = start_journal(case, rating, state)
    for number, digest in enumerate(edit(rating.history, seed)):
        assert journal.error is None
        print(number, digest, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
