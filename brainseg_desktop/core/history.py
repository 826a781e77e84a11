"""A label array that can only be written through named, undoable edits.

A command keeps the changed box before and after, compressed (a 2-D stroke about 0.5 kB, a whole volume
about 130 kB). The stack is bounded in bytes, not in steps, and never drops the newest step.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.events import Event
from brainseg_desktop.core.geometry import Box

DEFAULT_BUDGET_BYTES = 256 * 1024 * 1024
_COMPRESSION_LEVEL = 1


@dataclass(frozen=True, slots=True)
class EditCommand:
    """One undoable step: the same box before and after, zlib-compressed uint8 in C order."""

    name: str
    box: Box
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self.before) + len(self.after)

    def values(self, *, after: bool) -> NDArray[np.uint8]:
        """The box's tissues, of shape ``box.shape``."""
        raw = zlib.decompress(self.after if after else self.before)
        return np.frombuffer(raw, dtype=np.uint8).reshape(self.box.shape)


class LabelMap:
    """Tissues of every voxel of a grid, read-only from outside.

    Parameters
    ----------
    array : (X, Y, Z) array of uint8
        `Tissue` values in canonical order; copied.
    """

    def __init__(self, array: NDArray[np.uint8]) -> None:
        if array.ndim != 3:
            raise ValueError("a label map has three axes")
        self._array: NDArray[np.uint8] = np.array(array, dtype=np.uint8, order="C", copy=True)
        self._view = self._array.view()
        self._view.flags.writeable = False

    @property
    def array(self) -> NDArray[np.uint8]:
        """The labels, (X, Y, Z), read-only; always the present state, not a copy."""
        return self._view

    @property
    def shape(self) -> tuple[int, int, int]:
        n = self._array.shape
        return (n[0], n[1], n[2])

    def _write(self, box: Box, values: NDArray[np.uint8]) -> None:
        self._array[box.slices] = values


class Stroke:
    """An edit in progress; made by `History.edit` only."""

    def __init__(self, label_map: LabelMap, changed: Event[Box]) -> None:
        self._map = label_map
        self._changed = changed
        self._atoms: list[tuple[Box, NDArray[np.uint8]]] = []
        self.open = True

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The present labels, read-only."""
        return self._map.array

    def paint(self, box: Box, mask: NDArray[np.bool_], value: int) -> int:
        """Set the true voxels of `mask` to `value`.

        Parameters
        ----------
        box : Box
            Inside the array.
        mask : array of bool
            Of shape ``box.shape``.
        value : int
            A `Tissue`.

        Returns
        -------
        int
            Number of voxels that changed.
        """
        old = self._map.array[box.slices]
        new = np.where(mask, np.uint8(value), old)
        return self.replace(box, new)

    def replace(self, box: Box, values: NDArray[np.uint8]) -> int:
        """Set a whole box to `values` (of shape ``box.shape``); returns the number of voxels that changed."""
        if not self.open:
            raise RuntimeError("this edit has ended")
        if values.shape != box.shape or box.clipped(self._map.shape) != box:
            raise ValueError(f"{values.shape} does not fit {box} in {self._map.shape}")
        old = self._map.array[box.slices]
        different = old != values
        count = int(np.count_nonzero(different))
        if count:
            tight = Box.of(different)
            start = (
                box.start[0] + tight.start[0],
                box.start[1] + tight.start[1],
                box.start[2] + tight.start[2],
            )
            stop = (start[0] + tight.shape[0], start[1] + tight.shape[1], start[2] + tight.shape[2])
            inner = Box(start, stop)
            self._atoms.append((inner, self._map.array[inner.slices].copy()))
            self._map._write(inner, values[tight.slices])
            self._changed.emit(inner)
        return count

    def _roll_back(self) -> None:
        for box, old in reversed(self._atoms):
            self._map._write(box, old)
            self._changed.emit(box)
        self._atoms.clear()

    def _command(self, name: str) -> EditCommand | None:
        """Join the atoms into one command; None if nothing differs in the end."""
        if not self._atoms:
            return None
        box = self._atoms[0][0]
        for other, _ in self._atoms[1:]:
            box = box.union(other)
        after = self._map.array[box.slices].copy()
        before = after.copy()
        for part, old in reversed(self._atoms):
            inner = tuple(
                slice(a - b, c - b) for a, c, b in zip(part.start, part.stop, box.start, strict=True)
            )
            before[inner] = old
        if np.array_equal(before, after):
            return None
        return EditCommand(
            name,
            box,
            zlib.compress(before.tobytes(), _COMPRESSION_LEVEL),
            zlib.compress(after.tobytes(), _COMPRESSION_LEVEL),
        )


class History:
    """The edits of one label map, and the only way to make one.

    Parameters
    ----------
    label_map : LabelMap
    budget_bytes : int
        Compressed size that undo and redo together may take; the oldest steps go first, the newest stays.

    Attributes
    ----------
    changed : Event[Box]
        Voxels in the box have (perhaps) changed: redraw. Emitted during a stroke too.
    committed, undone, redone : Event[EditCommand]
        A step was made, taken back, made again: journal it.
    """

    def __init__(self, label_map: LabelMap, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self.label_map = label_map
        self.budget_bytes = budget_bytes
        self.changed: Event[Box] = Event()
        self.committed: Event[EditCommand] = Event()
        self.undone: Event[EditCommand] = Event()
        self.redone: Event[EditCommand] = Event()
        self._undo: list[EditCommand] = []
        self._redo: list[EditCommand] = []
        self._bytes = 0
        self._stroke: Stroke | None = None

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
        self._stroke = Stroke(self.label_map, self.changed)
        return self._stroke

    @property
    def is_editing(self) -> bool:
        return self._stroke is not None

    def commit(self, name: str) -> EditCommand | None:
        """End the open stroke as one step called `name`; None (and no step) if it changed nothing."""
        stroke = self._end()
        command = stroke._command(name)
        if command is not None:
            self._push(command)
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

    def apply(self, command: EditCommand) -> None:
        """Make a step that is known already (recovery from a journal); tells views, not the journal."""
        self._write(command, after=True)
        self._push(command)

    def undo(self) -> EditCommand | None:
        """Take back the newest step; None if there is none or a stroke is open."""
        if not self._undo or self._stroke is not None:
            return None
        command = self._undo.pop()
        self._redo.append(command)
        self._write(command, after=False)
        self.undone.emit(command)
        return command

    def redo(self) -> EditCommand | None:
        """Make the newest step taken back again; None if there is none or a stroke is open."""
        if not self._redo or self._stroke is not None:
            return None
        command = self._redo.pop()
        self._undo.append(command)
        self._write(command, after=True)
        self.redone.emit(command)
        return command

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

    def _write(self, command: EditCommand, *, after: bool) -> None:
        self.label_map._write(command.box, command.values(after=after))
        self.changed.emit(command.box)

    def _push(self, command: EditCommand) -> None:
        self._bytes -= sum(c.size_bytes for c in self._redo)
        self._redo.clear()
        self._undo.append(command)
        self._bytes += command.size_bytes
        while self._bytes > self.budget_bytes and len(self._undo) > 1:
            self._bytes -= self._undo.pop(0).size_bytes
