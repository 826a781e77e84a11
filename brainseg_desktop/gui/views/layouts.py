"""How views are arranged: which layouts there are, where each view stands, and what it shows at first."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.views.plane import Plane

# The two that readers look at first stand first.
ORDER = (Sequence.FLAIR, Sequence.T1CE, Sequence.T1, Sequence.T2)


class Shown(NamedTuple):
    """What one view shows."""

    sequence: Sequence
    plane: Plane


class Layout(Enum):
    """An arrangement of views."""

    SEQUENCES = "sequences"
    ROW = "row"
    PLANES = "planes"
    SURFACE = "surface"
    BIG = "big"
    TWO = "two"

    @property
    def is_of_planes(self) -> bool:
        """Whether one sequence is shown in three planes, not several sequences in one."""
        return self in (Layout.PLANES, Layout.SURFACE)


class Place(NamedTuple):
    """Cells of the grid: row, column, and how many of each."""

    row: int
    column: int
    rows: int = 1
    columns: int = 1


PLACES: dict[Layout, tuple[Place, ...]] = {
    Layout.SEQUENCES: (Place(0, 0), Place(0, 1), Place(1, 0), Place(1, 1)),
    Layout.ROW: (Place(0, 0), Place(0, 1), Place(0, 2), Place(0, 3)),
    Layout.PLANES: (Place(0, 0, 2), Place(0, 1), Place(1, 1)),
    # The fourth place is the surface's.
    Layout.SURFACE: (Place(0, 0), Place(0, 1), Place(1, 0), Place(1, 1)),
    Layout.BIG: (Place(0, 0, 3, 2), Place(0, 2), Place(1, 2), Place(2, 2)),
    Layout.TWO: (Place(0, 0), Place(0, 1)),
}


def first_contents(layout: Layout, sequence: Sequence, plane: Plane) -> list[Shown]:
    """What the views of a layout show before the reader has chosen.

    Parameters
    ----------
    sequence : of layouts of three planes
    plane : of layouts of several sequences
    """
    if layout.is_of_planes:
        return [Shown(sequence, p) for p in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)]
    return [Shown(s, plane) for s in ORDER[: len(PLACES[layout])]]
