"""A label array that can only be written through named, undoable edits.

A command keeps the changed box before and after, compressed (a 2-D stroke about 0.5 kB, a whole volume
about 130 kB). The stack is bounded in bytes, not in steps, and never drops the newest step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.events import Event
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.label_map import EditCommand, LabelMap, Stroke

__all__ = ["DEFAULT_BUDGET_BYTES", "EditCommand", "History", "LabelMap", "Stroke"]

DEFAULT_BUDGET_BYTES = 256 * 1024 * 1024


class History:
    """The edits of one label map, and the only way to make one.

    Parameters
    ----------
    label_map : LabelMap
    budget_bytes : int
        Compressed size that undo and redo together may take; the oldest steps go first, the newest stays.
    clock : callable
        Seconds since 1970 UTC.

    Attributes
    ----------
    changed : Event[Box]
        Voxels in the box have (perhaps) changed: redraw. Emitted during a stroke too, and once for a jump.
    committed, undone, redone : Event[EditCommand]
        A step was made, taken back, made again: journal it.
    jumped : Event[int]
        `go_to` has ended, after so many steps; each of them was told as undone or redone.
    time_ms : int
        When the last step was made, taken back or made again, in ms since 1970 UTC.
    dropped : int
        How many of the oldest steps were forgotten for want of room.
    """

    def __init__(
        self,
        label_map: LabelMap,
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.label_map = label_map
        self.budget_bytes = budget_bytes
        self.clock = clock
        self.changed: Event[Box] = Event()
        self.committed: Event[EditCommand] = Event()
        self.undone: Event[EditCommand] = Event()
        self.redone: Event[EditCommand] = Event()
        self.jumped: Event[int] = Event()
        self.time_ms = 0
        self.dropped = 0
        self._undo: list[EditCommand] = []
        self._redo: list[EditCommand] = []
        self._bytes = 0
        self._stroke: Stroke | None = None
        self._jumping = False
        self._numbers = 0
        self._floor = 0

    @contextmanager
    def edit(self, name: str) -> Iterator[Stroke]:
        """Open a stroke; leaving the block commits it, an exception rolls it back.

        For strokes that last over several events use `begin`, `commit` and `cancel`.
        """
        stroke = self.begin()
        try:
            yield stroke
        except BaseException:
            self.cancel()
            raise
        self.commit(name)

    def begin(self) -> Stroke:
        """Open a stroke that `commit` or `cancel` will end."""
        if self._stroke is not None:
            raise RuntimeError("another edit is open")
        self._stroke = Stroke(self.label_map, self.changed, self._now())
        return self._stroke

    @property
    def is_editing(self) -> bool:
        return self._stroke is not None

    def commit(self, name: str) -> EditCommand | None:
        """End the open stroke as one step called `name`; None (and no step) if it changed nothing."""
        stroke = self._end()
        command = stroke._command(name)
        if command is not None:
            self.time_ms = self._now()
            command = self._push(replace(command, time_ms=self.time_ms))
            self._trim()
            self.committed.emit(command)
        return command

    def cancel(self) -> None:
        """End the open stroke and restore every voxel it changed."""
        self._end()._roll_back()

    def _end(self) -> Stroke:
        if self._stroke is None:
            raise RuntimeError("no edit is open")
        stroke, self._stroke = self._stroke, None
        stroke.open = False
        return stroke

    def apply(self, command: EditCommand, keep: int = 1) -> None:
        """Make a step that is known already (recovery from a journal); tells views, not the journal.

        Parameters
        ----------
        command : EditCommand
        keep : int
            How many of the newest steps stay, whatever their size.
        """
        self._write(command, after=True)
        self._push(command)
        self._trim(keep)

    def adopt(self, other: History) -> None:
        """Take over the steps of another history whose labels are equal to these, voxel for voxel.

        Raises
        ------
        ValueError
            If the labels differ: the steps would not fit.
        """
        if not np.array_equal(self.label_map.array, other.label_map.array):
            raise ValueError("the labels differ")
        self._undo, self._redo = list(other._undo), list(other._redo)
        self._bytes, self.dropped, self.time_ms = other._bytes, other.dropped, other.time_ms
        self._numbers, self._floor = other._numbers, other._floor
        self._trim()

    def undo(self) -> EditCommand | None:
        """Take back the newest step; None if there is none or a stroke is open."""
        return self._step(back=True) if self._undo and self._stroke is None else None

    def redo(self) -> EditCommand | None:
        """Make the newest step taken back again; None if there is none or a stroke is open."""
        return self._step(back=False) if self._redo and self._stroke is None else None

    def go_to(self, depth: int) -> int:
        """Take back steps, or make them again, until so many of `steps` stand; views are told once.

        Parameters
        ----------
        depth : int
            0: all are taken back. Beyond the last one all stand.

        Returns
        -------
        int
            How many steps were gone; 0 also while a stroke is open.
        """
        depth = min(max(0, depth), len(self._undo) + len(self._redo))
        if self._stroke is not None or depth == len(self._undo):
            return 0
        box, gone = Box((0, 0, 0), (0, 0, 0)), 0
        self._jumping = True
        try:
            while len(self._undo) != depth:
                box = box.union(self._step(back=len(self._undo) > depth).box)
                gone += 1
        finally:
            # Also after a failure half-way: views and journal must show what is.
            self._jumping = False
            if gone:
                self.changed.emit(box)
                self.jumped.emit(gone)
        return gone

    @property
    def is_jumping(self) -> bool:
        """Whether the step just told is one of several, and `jumped` will follow."""
        return self._jumping

    @property
    def steps(self) -> tuple[EditCommand, ...]:
        """The steps kept, oldest first: `depth` of them stand, the others can be made again."""
        return (*self._undo, *reversed(self._redo))

    @property
    def depth(self) -> int:
        """How many of `steps` stand."""
        return len(self._undo)

    @property
    def present(self) -> int:
        """Number of the step that the labels show, 0 before the first: equal numbers, equal labels."""
        return self._undo[-1].number if self._undo else self._floor

    def base(self) -> NDArray[np.uint8]:
        """The labels before the first of `steps`: a new (X, Y, Z) array."""
        labels = np.array(self.label_map.array)
        for command in reversed(self._undo):
            labels[command.box.slices] = command.values(after=False)
        return labels

    @property
    def undo_names(self) -> tuple[str, ...]:
        """Names of the steps that can be taken back, newest first."""
        return tuple(c.name for c in reversed(self._undo))

    @property
    def redo_names(self) -> tuple[str, ...]:
        """Names of the steps that can be made again, next first."""
        return tuple(c.name for c in reversed(self._redo))

    @property
    def size_bytes(self) -> int:
        """Compressed size of all steps kept."""
        return self._bytes

    def _step(self, *, back: bool) -> EditCommand:
        source, target = (self._undo, self._redo) if back else (self._redo, self._undo)
        command = source[-1]
        # Only when the voxels are written: what fails here leaves the step where it was.
        self._write(command, after=not back)
        target.append(source.pop())
        self.time_ms = self._now()
        (self.undone if back else self.redone).emit(command)
        return command

    def _write(self, command: EditCommand, *, after: bool) -> None:
        self.label_map._write(command.box, command.values(after=after))
        if not self._jumping:
            self.changed.emit(command.box)

    def _push(self, command: EditCommand) -> EditCommand:
        self._bytes -= sum(c.size_bytes for c in self._redo)
        self._redo.clear()
        self._numbers += 1
        command = replace(command, number=self._numbers)
        self._undo.append(command)
        self._bytes += command.size_bytes
        return command

    def _trim(self, keep: int = 1) -> None:
        while self._bytes > self.budget_bytes and len(self._undo) > keep:
            oldest = self._undo.pop(0)
            self._bytes -= oldest.size_bytes
            self._floor = oldest.number
            self.dropped += 1

    def _now(self) -> int:
        return round(self.clock() * 1000)
