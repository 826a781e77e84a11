"""From the frames of a journal back to a history, with its undo steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from brainseg_desktop.core.audit import Tally, Totals
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import EditCommand, History
from brainseg_desktop.io.journal_format import UNDO, Edit, JournalContent, Step

_COMPRESSION_LEVEL = 1


def replay(content: JournalContent, history: History, tally: Tally | None = None) -> None:
    """Make all steps of a journal again on a history whose labels are the journal's base.

    Undo and redo stand afterwards as they stood when the last frame was written.

    Parameters
    ----------
    content : JournalContent
    history : History
    tally : Tally or None
        To count the steps, as if they were made now.
    """
    for step, keep in zip(content.steps, _kept(content.steps), strict=True):
        if isinstance(step, Edit):
            box = Box(step.start, step.stop)
            before = np.ascontiguousarray(history.label_map.array[box.slices])
            after = np.frombuffer(zlib.decompress(step.after), dtype=np.uint8).reshape(box.shape)
            command = EditCommand(
                step.name,
                box,
                zlib.compress(before.data, _COMPRESSION_LEVEL),
                step.after,
                int(np.count_nonzero(before != after)),
                step.begun_ms,
                step.time_ms,
            )
            history.apply(command, keep)
            if tally is not None:
                tally.committed(command, history.label_map.array)
        elif isinstance(step, Totals):
            if tally is not None:
                tally.reset(step)
        else:
            turned = history.undo() if step.kind == UNDO else history.redo()
            if turned is not None and tally is not None:
                (tally.undone if step.kind == UNDO else tally.redone)(turned, step.time_ms)


def recount(history: History, tally: Tally) -> None:
    """Count the steps that a history has already, as `replay` would."""
    labels = history.base()
    for command in history.steps:
        labels[command.box.slices] = command.values(after=True)
        tally.committed(command, labels)
    for command in reversed(history.steps[history.depth :]):
        tally.undone(command, 0)


def _kept(steps: tuple[Step, ...]) -> Iterator[int]:
    """For each step, how many of the newest edits a later frame takes back: those must not be forgotten."""
    depths, depth = [], 0
    for step in steps:
        if isinstance(step, Edit):
            depth += 1
        elif not isinstance(step, Totals):
            depth += -1 if step.kind == UNDO else 1
        depths.append(depth)
    lowest = list(depths)
    for i in range(len(lowest) - 2, -1, -1):
        lowest[i] = min(lowest[i], lowest[i + 1])
    return (max(1, depth - low) for depth, low in zip(depths, lowest, strict=True))
