"""Which sequences of a case need bringing together, how that is done, and what the network then gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainseg_desktop.core.case import Case, Placement
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import centre_voxel
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.services.alignment.resampling import covered, resample
from brainseg_desktop.services.opening import grid_volume

if TYPE_CHECKING:
    from brainseg_desktop.services.alignment.registration import Registration, Tell

HEADERS, REGISTERED = "headers", "registered"
GRID_NOTES = (
    "sequence_off_grid",
    "sequence_resampled",
    "sequence_registered",
    "alignment_partial",
    "alignment_apart",
    "alignment_far",
    "alignment_worse",
    "alignment_constant",
    "alignment_no_overlap",
)
# A head that was fixed in one coil does not move so far between two sequences.
MOST_SHIFT_MM = 30.0
MOST_ANGLE_DEGREES = 30.0
# Of the masks' grid; below it a sequence is said to show only a part of the head.
LEAST_COVERED = 0.6
# Below it there is nothing to compare.
HARDLY_COVERED = 0.05


@dataclass(frozen=True, slots=True)
class Quality:
    """How a sequence lies on the grid of the masks, and how it came there.

    Parameters
    ----------
    covered : float
        Share of the masks' grid in which the sequence has values.
    shift_mm, angle_degrees : float
        How far the middle of the grid was moved, and by how much the sequence was turned.
    before, after : float or None
        Mutual information with the reference in nats; None where nothing was registered.
    doubts : tuple of str
        Codes of what looks wrong: ``alignment_far``, ``alignment_worse``, ``alignment_partial``,
        ``alignment_apart``. The first two and the last are reasons not to take it.
    """

    covered: float
    shift_mm: float = 0.0
    angle_degrees: float = 0.0
    before: float | None = None
    after: float | None = None
    doubts: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether it looks so wrong that it is not offered."""
        return bool(set(self.doubts) & {"alignment_far", "alignment_worse", "alignment_apart"})

    def to_dict(self) -> dict[str, float | list[str] | None]:
        """As a sidecar holds it."""
        return {
            "covered": round(self.covered, 4),
            "shift_mm": round(self.shift_mm, 3),
            "angle_degrees": round(self.angle_degrees, 3),
            "mutual_information_before": None if self.before is None else round(self.before, 5),
            "mutual_information_after": None if self.after is None else round(self.after, 5),
            "doubts": list(self.doubts),
        }


def reference_sequence(case: Case) -> Sequence:
    """The sequence that the others are brought to: the one whose grid the masks have."""
    reference = grid_volume(case)
    return next(s for s, v in case.aligned.items() if v is reference)


def movable(case: Case) -> tuple[Sequence, ...]:
    """The sequences that can be brought to the reference: all others, where voxel sizes are known."""
    if not case.grid.spacing_known:
        return ()
    reference = reference_sequence(case)
    return tuple(s for s in case.volumes if s is not reference)


def by_headers(case: Case, sequence: Sequence) -> tuple[Placement, Quality]:
    """The placement of a sequence where its header puts it."""
    share = covered(case.as_read(sequence).grid, case.grid)
    quality = Quality(share, doubts=_cover_doubts(share))
    return Placement(HEADERS, details=_details(case, quality)), quality


def by_registration(case: Case, sequence: Sequence, found: Registration) -> tuple[Placement, Quality]:
    """The placement that a registration has found, and what is to be thought of it."""
    transform = found.transform
    moved = transform.moved(case.as_read(sequence).grid)
    share = covered(moved, case.grid)
    # Where the middle of the masks' grid came from.
    middle = transform.inverse().apply(case.grid.world_of(centre_voxel(case.grid.shape)))
    shift, angle = float(transform.shift_mm(middle)), transform.angle_degrees
    doubts = list(_cover_doubts(share))
    if shift > MOST_SHIFT_MM or angle > MOST_ANGLE_DEGREES:
        doubts.append("alignment_far")
    if found.after <= found.before:
        doubts.append("alignment_worse")
    quality = Quality(share, shift, angle, found.before, found.after, tuple(doubts))
    return Placement(REGISTERED, transform, _details(case, quality)), quality


def place_by_headers(case: Case) -> list[UserError]:
    """Let the network use every sequence on another grid, resampled where its header puts it.

    Returns
    -------
    list of UserError
        A remark for each: ``sequence_resampled``, ``alignment_partial``; those of which hardly anything lies
        on the grid are left out as before, with ``alignment_apart``.
    """
    notes = []
    for sequence in case.off_grid:
        placement, quality = by_headers(case, sequence)
        if not quality.is_refused:
            case.place(sequence, placement)
            reference = reference_sequence(case).value
            notes.append(UserError("sequence_resampled", sequence=sequence.value, reference=reference))
        notes += [quality_words(code, sequence, case, quality) for code in quality.doubts]
    return notes


def register_all(case: Case, tell: Tell | None = None) -> list[UserError]:
    """Register every sequence to the reference; where that finds nothing better it stays as it is.

    Returns
    -------
    list of UserError
        A remark for each: ``sequence_registered``, or why it was left as it was.
    """
    from brainseg_desktop.services.alignment.client import register_rigid

    notes = []
    reference = reference_sequence(case)
    for sequence in movable(case):
        try:
            found = register_rigid(case.as_read(sequence), case.volumes[reference], tell=tell)
        except UserError as error:
            if not error.code.startswith("alignment_"):
                raise
            notes.append(error)
            continue
        placement, quality = by_registration(case, sequence, found)
        if not quality.is_refused:
            case.place(sequence, placement)
            notes.append(quality_words("sequence_registered", sequence, case, quality))
        notes += [quality_words(code, sequence, case, quality) for code in quality.doubts]
    return notes


def quality_words(code: str, sequence: Sequence, case: Case, quality: Quality) -> UserError:
    """A doubt with the numbers that its sentence tells."""
    return UserError(
        code,
        sequence=sequence.value,
        reference=reference_sequence(case).value,
        percent=round(100 * quality.covered),
        shift_mm=round(quality.shift_mm, 1),
        angle_degrees=round(quality.angle_degrees, 1),
    )


def network_volumes(case: Case) -> dict[Sequence, Volume]:
    """What the network gets: the sequences on the masks' grid, and the placed ones resampled onto it."""
    volumes, placements = case.volumes, case.placements
    found = dict(case.aligned)
    for sequence in placements:
        if sequence not in found:
            found[sequence] = resample(volumes[sequence], case.grid)
    return found


def alignment_record(case: Case) -> dict[str, dict[str, object]]:
    """For each placed sequence what was done, as JSON holds it."""
    return {s.value: p.to_dict() for s, p in case.placements.items()}


def restore(case: Case, record: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Put sequences where an earlier reading of the same images had put them.

    Returns
    -------
    list of str
        The sequences that were placed; what does not fit this case or makes no sense is passed over.
    """
    placed = []
    for name, content in record.items():
        details = {k: v for k, v in content.items() if k not in ("how", "matrix")}
        how = content.get("how")
        try:
            sequence = Sequence(name)
            transform = RigidTransform.from_matrix(np.asarray(content.get("matrix"), np.float64))
        except (TypeError, ValueError):
            continue
        fits = sequence in movable(case) and details.get("reference") == reference_sequence(case).value
        if fits and how in (HEADERS, REGISTERED):
            case.place(sequence, Placement(str(how), transform, details))
            placed.append(name)
    return placed


def _cover_doubts(share: float) -> tuple[str, ...]:
    if share < HARDLY_COVERED:
        return ("alignment_apart",)
    return ("alignment_partial",) if share < LEAST_COVERED else ()


def _details(case: Case, quality: Quality) -> dict[str, object]:
    return {"reference": reference_sequence(case).value, **quality.to_dict()}
