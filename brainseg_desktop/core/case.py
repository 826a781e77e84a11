"""A case: the sequences of one exam on one grid, and the masks made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Sequence, Source, Volume


class RaterKind(str, Enum):
    """Who made a mask."""

    HUMAN = "human"
    MODEL = "model"
    CONSENSUS = "consensus"
    REFERENCE = "reference"


@dataclass(slots=True, eq=False)
class Rating:
    """A mask and who made it.

    Parameters
    ----------
    rater : str
        Name shown, e.g. ``"Reference"``, ``"AI (glioma-unet)"``, ``"Reader"``.
    kind : RaterKind
    label_map : LabelMap
    scheme : LabelScheme
        Numbers with which it was read and will be written.
    source : Source or None
        The file it was read from.
    probabilities : array or None
        (regions, X, Y, Z) uint8, 255 = certain, of a network's WT, TC, ET; kept for later use.
    details : mapping
        What the sidecar should say of its origin (model name, version, sha256, ...).
    uncertainty : array or None
        (X, Y, Z) uint8, 255 = 1 bit: how undecided the network was.
    """

    rater: str
    kind: RaterKind
    label_map: LabelMap
    scheme: LabelScheme
    source: Source | None = None
    probabilities: NDArray[np.uint8] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: NDArray[np.uint8] | None = None
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(self.label_map)


@dataclass(slots=True, eq=False)
class Case:
    """Sequences on one grid, and their ratings.

    Parameters
    ----------
    name : str
    grid : Grid
    volumes : mapping of Sequence to Volume
        Every volume on `grid`; missing sequences are absent.
    ratings : list of Rating

    Raises
    ------
    UserError
        ``grid_mismatch`` if a volume lies on another grid, ``case_empty`` without volumes.
    """

    name: str
    grid: Grid
    volumes: Mapping[Sequence, Volume]
    ratings: list[Rating] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.volumes:
            raise UserError("case_empty", name=self.name)
        for sequence, volume in self.volumes.items():
            reason = self.grid.mismatch(volume.grid)
            if reason is not None:
                raise UserError(
                    "grid_mismatch", path=volume.source.path, sequence=sequence.value, reason=reason
                )

    @property
    def missing(self) -> tuple[Sequence, ...]:
        """The sequences this exam does not have."""
        return tuple(s for s in Sequence if s not in self.volumes)

    def rating(self, rater: str) -> Rating | None:
        """The rating of that name, if there is one."""
        return next((r for r in self.ratings if r.rater == rater), None)
