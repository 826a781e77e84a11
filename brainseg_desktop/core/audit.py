"""What became of the labels a mask was started from, by whose tool, in what time.

A voxel counts for a label as *given* if the mask was started with it, *kept* if it still has it, *removed* if
it has another label or none now, *added* if it has the label now and had not. A voxel moved from one label to
another is thus removed from the first and added to the second.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import EditCommand
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.metrics import Score, confusion_of

IDLE_MS = 60_000
"""A pause of this length or longer is no work on the mask: the reader looks elsewhere or is away."""
START = "Start from "
"""How the name of a step begins that copies another mask into this one; the other's name follows."""


def tool_of(name: str) -> str:
    """The tool of a step: its name up to the first comma.

    Examples
    --------
    >>> tool_of("Grow, oedema, 2 mm"), tool_of("Brush")
    ('Grow', 'Brush')
    """
    return name.split(",", 1)[0].strip()


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What became of one label or region.

    Parameters
    ----------
    given, kept, added, removed : int
        Voxels; ``given = kept + removed``, and ``kept + added`` is what there is now.
    dice : Score
        Of the mask now against what was given.
    """

    given: int
    kept: int
    added: int
    removed: int
    dice: Score


def label_change(histogram: NDArray[np.int64], tissues: Iterable[Tissue]) -> LabelChange:
    """What became of a set of tissues.

    Parameters
    ----------
    histogram : (7, 7) array
        Of `core.metrics.joint_histogram`: rows as given, columns as now.
    tissues : iterable of Tissue
        A voxel moved between two of them is kept.

    Examples
    --------
    >>> from brainseg_desktop.core.metrics import joint_histogram
    >>> table = joint_histogram(np.array([0, 2, 2, 1], np.uint8), np.array([2, 2, 0, 1], np.uint8))
    >>> change = label_change(table, [Tissue.OEDEMA])
    >>> change.given, change.kept, change.added, change.removed, change.dice.value
    (2, 1, 1, 1, 0.5)
    """
    counts = confusion_of(histogram, tissues)
    return LabelChange(counts.reference_count, counts.tp, counts.fp, counts.fn, counts.dice)


@dataclass(frozen=True, slots=True)
class Given:
    """The labels a mask was started from, compressed.

    Parameters
    ----------
    by : str
        Whose mask it was.
    shape : (X, Y, Z)
    box : Box
        Of the voxels that carry a label.
    labels : bytes
        Their `Tissue` values: uint8, C order, zlib.
    """

    by: str
    shape: tuple[int, int, int]
    box: Box
    labels: bytes = field(repr=False)

    @staticmethod
    def of(by: str, labels: NDArray[np.uint8]) -> Given:
        """Pack (X, Y, Z) labels."""
        box = Box.of(labels != 0)
        shape = (labels.shape[0], labels.shape[1], labels.shape[2])
        return Given(by, shape, box, zlib.compress(np.ascontiguousarray(labels[box.slices]).data, 6))

    def array(self) -> NDArray[np.uint8]:
        """The labels, (X, Y, Z).

        Raises
        ------
        ValueError
            If the bytes do not fill the box, or it does not lie in the image.
        """
        if self.box.clipped(self.shape) != self.box:
            raise ValueError("a box outside the image")
        labels = np.zeros(self.shape, dtype=np.uint8)
        try:
            # A sidecar may come from elsewhere: no more is unpacked than the box holds.
            raw = zlib.decompressobj().decompress(self.labels, int(np.prod(self.box.shape)) + 1)
            inside = np.frombuffer(raw, dtype=np.uint8)
        except zlib.error as error:
            raise ValueError("the labels are damaged") from error
        if inside.size and int(inside.max()) not in set(Tissue):
            raise ValueError("no such label")
        labels[self.box.slices] = inside.reshape(self.box.shape)
        return labels


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What was done with one tool.

    Parameters
    ----------
    steps : int
        That stand now; steps taken back are not counted, until they are made again.
    undone : int
        How many times a step of it was taken back.
    voxels : int
        Changed by the steps that stand; a voxel changed by two steps counts twice.
    active_ms : int
        Time up to each of its steps, and to each time one was taken back or made again, pauses left out.
    """

    steps: int = 0
    undone: int = 0
    voxels: int = 0
    active_ms: int = 0

    @property
    def active_s(self) -> float:
        return self.active_ms / 1000


@dataclass(frozen=True, slots=True)
class Totals:
    """All that a `Tally` has counted up to a moment.

    Parameters
    ----------
    given : Given or None
        None for a mask drawn from nothing, or whose beginning nobody knows.
    tools : mapping of str to ToolUse
        In the order of their first use.
    """

    given: Given | None = None
    tools: Mapping[str, ToolUse] = field(default_factory=dict)

    @property
    def active_s(self) -> float:
        """Time of work in seconds: the sum over the tools."""
        return sum(use.active_ms for use in self.tools.values()) / 1000


class Tally:
    """Counts the steps of one history: by tool, with the time of work.

    The time of work is the sum of the gaps between one event and the next, where an event is the beginning
    of an edit, its end, an undo or a redo; gaps of `IDLE_MS` or more are left out, so is the gap before a
    mask is copied into this one. It belongs to the tool whose step ends the gap.

    Parameters
    ----------
    totals : Totals
        What was counted before.
    """

    def __init__(self, totals: Totals | None = None) -> None:
        self._given = totals.given if totals is not None else None
        self._tools: dict[str, ToolUse] = dict(totals.tools) if totals is not None else {}
        # What was given before each step that may be taken back, as that may be the one that gave it.
        self._before: list[Given | None] = []
        self._after: list[Given | None] = []
        self._last_ms = 0

    @property
    def totals(self) -> Totals:
        """Everything counted so far; a copy."""
        return Totals(self._given, dict(self._tools))

    @property
    def given(self) -> Given | None:
        """The labels the mask was last started from, by a step that stands."""
        return self._given

    def reset(self, totals: Totals) -> None:
        """Go on from these totals; steps counted before can still be taken back."""
        self._given, self._tools = totals.given, dict(totals.tools)

    def committed(self, command: EditCommand, labels: NDArray[np.uint8]) -> None:
        """A step was made.

        Parameters
        ----------
        command : EditCommand
        labels : (X, Y, Z) array of uint8
            As they are after it.
        """
        self._before.append(self._given)
        self._after.clear()
        if command.name.startswith(START):
            self._given = Given.of(command.name.removeprefix(START), labels)
            self._last_ms = command.time_ms
            return
        active = self._gap(command.begun_ms) + self._gap(command.time_ms)
        self._count(command, steps=1, voxels=command.voxels, active_ms=active)

    def undone(self, command: EditCommand, time_ms: int) -> None:
        """A step was taken back at a time in ms since 1970 UTC."""
        if self._before:
            self._after.append(self._given)
            self._given = self._before.pop()
        self._again(command, time_ms, -1)

    def redone(self, command: EditCommand, time_ms: int) -> None:
        """A step was made again."""
        if self._after:
            self._before.append(self._given)
            self._given = self._after.pop()
        self._again(command, time_ms, 1)

    def _again(self, command: EditCommand, time_ms: int, sign: int) -> None:
        if command.name.startswith(START):
            self._last_ms = time_ms or self._last_ms
            return
        self._count(
            command,
            steps=sign,
            undone=int(sign < 0),
            voxels=sign * command.voxels,
            active_ms=self._gap(time_ms),
        )

    def _count(self, command: EditCommand, **more: int) -> None:
        tool = tool_of(command.name)
        use = self._tools.get(tool, ToolUse())
        sums: dict[str, Any] = {name: getattr(use, name) + n for name, n in more.items()}
        self._tools[tool] = replace(use, **sums)

    def _gap(self, time_ms: int) -> int:
        """The time of work up to now; none if it is not known, or the clock was set back."""
        if time_ms <= 0:
            return 0
        gap = time_ms - self._last_ms if self._last_ms else 0
        self._last_ms = time_ms
        return gap if 0 < gap < IDLE_MS else 0
