"""A case: the sequences of one exam, and the masks made of it."""

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
from brainseg_desktop.core.reslice import overlap
from brainseg_desktop.core.rigid import RigidTransform
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


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a sequence was put so that the network may use it, beside the others.

    Parameters
    ----------
    how : str
        ``"headers"``: where its header puts it. ``"registered"``: moved by a registration.
    transform : RigidTransform
        From where the header puts it to where it is taken to lie; RAS mm.
    details : mapping
        How good it is, for the sidecar of a mask: plain values only.
    """

    how: str
    transform: RigidTransform = field(default_factory=RigidTransform.identity)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"how": self.how, "matrix": self.transform.matrix.tolist(), **self.details}


@dataclass(slots=True, eq=False)
class Case:
    """Sequences of one exam, and their ratings.

    Parameters
    ----------
    name : str
    grid : Grid
        That of the masks, and of `aligned`.
    volumes : mapping of Sequence to Volume
        Missing sequences are absent. A volume may lie on a grid of its own that shares a part of the world
        with `grid`: it must then be read through its own affine (`core.reslice`), never by a voxel of `grid`.
    ratings : list of Rating

    Attributes
    ----------
    aligned : mapping of Sequence to Volume
        Those of `volumes` on `grid`, voxel for voxel; at least one.
    placements : mapping of Sequence to Placement
        The sequences that were brought together with the others; see `place`.

    Raises
    ------
    UserError
        ``case_empty`` without volumes. ``grid_mismatch`` (params ``path``, ``sequence``, ``reason``) for a
        volume on another grid that cannot be put in relation to this one: the two share no part of the world,
        a spacing is not known, or no volume lies on `grid`.
    """

    name: str
    grid: Grid
    volumes: Mapping[Sequence, Volume]
    ratings: list[Rating] = field(default_factory=list)
    aligned: Mapping[Sequence, Volume] = field(init=False)
    placements: Mapping[Sequence, Placement] = field(init=False, default_factory=dict)
    _as_read: Mapping[Sequence, Volume] = field(init=False)

    def __post_init__(self) -> None:
        if not self.volumes:
            raise UserError("case_empty", name=self.name)
        self._as_read = dict(self.volumes)
        reasons = {s: self.grid.mismatch(v.grid) for s, v in self.volumes.items()}
        self.aligned = {s: v for s, v in self.volumes.items() if reasons[s] is None}
        for sequence, reason in reasons.items():
            volume = self.volumes[sequence]
            if reason is not None and not (self.aligned and _shares_world(self.grid, volume.grid)):
                raise UserError(
                    "grid_mismatch", path=volume.source.path, sequence=sequence.value, reason=reason
                )

    @property
    def missing(self) -> tuple[Sequence, ...]:
        """The sequences this exam does not have."""
        return tuple(s for s in Sequence if s not in self.volumes)

    @property
    def off_grid(self) -> Mapping[Sequence, str]:
        """The sequences on other grids, each with what differs: shape, spacing, orientation or position."""
        others = {s: self.grid.mismatch(v.grid) for s, v in self.volumes.items() if s not in self.aligned}
        return {s: str(reason) for s, reason in others.items()}

    def is_aligned(self, sequence: Sequence) -> bool:
        """Whether this exam has the sequence, and on `grid` voxel for voxel."""
        return sequence in self.aligned

    def as_read(self, sequence: Sequence) -> Volume:
        """The sequence where its header puts it, whatever has been done to bring it to the others."""
        return self._as_read[sequence]

    def place(self, sequence: Sequence, placement: Placement | None) -> None:
        """Put a sequence at another place in the world, or back; no voxel of it is changed.

        Raises
        ------
        ValueError
            If no sequence would be left on the grid of the masks.
        """
        read = self._as_read[sequence]
        volume = read
        if placement is not None and placement.how == "registered":
            volume = Volume(read.data, placement.transform.moved(read.grid), read.source, read.sequence)
        volumes = {s: volume if s is sequence else v for s, v in self.volumes.items()}
        aligned = {s: v for s, v in volumes.items() if self.grid.mismatch(v.grid) is None}
        if not aligned:
            raise ValueError("the sequence that the masks are drawn on stays where it is")
        placements = {s: p for s, p in self.placements.items() if s is not sequence}
        if placement is not None:
            placements[sequence] = placement
        self.volumes, self.aligned, self.placements = volumes, aligned, placements

    def rating(self, rater: str) -> Rating | None:
        """The rating of that name, if there is one."""
        return next((r for r in self.ratings if r.rater == rater), None)


def _shares_world(grid: Grid, other: Grid) -> bool:
    return grid.spacing_known and other.spacing_known and overlap(grid, other)
