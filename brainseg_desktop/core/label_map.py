"""The labels of a mask, and the strokes that are the one way to write them.

`core.history` makes strokes; nobody else should.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.events import Event
from brainseg_desktop.core.geometry import Box

_COMPRESSION_LEVEL = 1


@dataclass(frozen=True, slots=True)
class EditCommand:
    """One undoable step: the same box before and after, zlib-compressed uint8 in C order.

    Parameters
    ----------
    name : str
    box : Box
    before, after : bytes
    voxels : int
        How many differ.
    begun_ms, time_ms : int
        When the edit was opened and ended, in ms since 1970 UTC; 0 if nobody knows.
    number : int
        Counts the steps of a history from 1, those taken back and forgotten too; given by the history.
    """

    name: str
    box: Box
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    voxels: int = 0
    begun_ms: int = 0
    time_ms: int = 0
    number: int = 0

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

    def __init__(self, label_map: LabelMap, changed: Event[Box], begun_ms: int) -> None:
        self.begun_ms = begun_ms
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
        voxels = int(np.count_nonzero(before != after))
        if not voxels:
            return None
        return EditCommand(name, box, _pack(before), _pack(after), voxels, self.begun_ms)


def _pack(values: NDArray[np.uint8]) -> bytes:
    return zlib.compress(np.ascontiguousarray(values).data, _COMPRESSION_LEVEL)
