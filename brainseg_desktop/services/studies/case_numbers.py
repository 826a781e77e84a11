"""All numbers of one case of a study: its masks are read, checked and measured, and only numbers are kept.

A mask is an index here and never a name, so that the numbers can be kept on the disk and used again after
readers or patients were renamed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.kappa import (
    cohen_kappa_of_counts,
    fleiss_kappa_of_masks,
    krippendorff_alpha_of_masks,
)
from brainseg_desktop.core.labels import Region
from brainseg_desktop.core.metrics import Confusion, Score, confusion
from brainseg_desktop.core.reliability import Statistic, generalised_conformity_index
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.agreement import consensus_of, dice_with_others
from brainseg_desktop.services.compare import Labels, RegionScores, compare_both_ways
from brainseg_desktop.services.opening import load_mask
from brainseg_desktop.services.studies.results import MEASURES

Role = Literal["reader", "other", "repeat"]
DIRECTED = tuple(m.key for m in MEASURES if m.directed)


@dataclass(frozen=True, slots=True)
class MaskJob:
    """One mask to measure.

    Parameters
    ----------
    path : str
    sha256 : str
        What the file must be.
    role : {"reader", "other", "repeat"}
        A human's reading, anything else, or a human's second reading.
    of : int or None
        Of a repeat, which mask of the job is the first reading; None where there is none.
    """

    path: str
    sha256: str
    role: Role
    of: int | None = None


@dataclass(frozen=True, slots=True)
class CaseJob:
    """The masks of one case, and how they are to be measured; `first` wins where grids are in a tie."""

    masks: tuple[MaskJob, ...]
    scheme: str
    tolerance_mm: float
    first: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a mask was left out: a `UserError` without the name of the file."""

    code: str
    params: dict[str, str | int | float | list[str | int | float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PairNumbers:
    """Two masks of one region.

    Parameters
    ----------
    first, second : int
    there : mapping of measure to Score
        The first being the reference.
    back : mapping of measure to Score
        Directed measures only, the second being the reference.
    cohen_kappa : Statistic
    """

    first: int
    second: int
    there: dict[str, Score]
    back: dict[str, Score]
    cohen_kappa: Statistic


@dataclass(frozen=True, slots=True)
class RegionNumbers:
    """One region of a case.

    Parameters
    ----------
    volumes_ml : mapping of mask to Score
    pairs : tuple of PairNumbers
        Every two first readings and other masks.
    fleiss_kappa, krippendorff_alpha, conformity : Statistic
        Of the first readings of humans.
    consensus : mapping of mask to Score
        Dice with the STAPLE consensus of the humans; of a human, of the other ones.
    repeats : mapping of mask to Score
        Dice of a second reading with the first.
    """

    volumes_ml: dict[int, Score]
    pairs: tuple[PairNumbers, ...]
    fleiss_kappa: Statistic
    krippendorff_alpha: Statistic
    conformity: Statistic
    consensus: dict[int, Score]
    repeats: dict[int, Score]


@dataclass(frozen=True, slots=True)
class CaseNumbers:
    """All of a case: by region, and the masks left out with the reason."""

    regions: dict[str, RegionNumbers]
    left_out: dict[int, Problem]


def measure_files(job: CaseJob) -> CaseNumbers:
    """Read the masks of a case and measure them; what cannot be read or does not fit is left out."""
    scheme = scheme_named(job.scheme)
    read: dict[int, MaskFile] = {}
    left_out: dict[int, Problem] = {}
    for number, mask in enumerate(job.masks):
        try:
            loaded = load_mask(Path(mask.path), scheme)
            if loaded.source.sha256 != mask.sha256:
                raise UserError("mask_changed")
            read[number] = loaded
        except UserError as error:
            left_out[number] = problem_of(error)
    grid = _common_grid(read, job.first)
    labels: dict[int, Labels] = {}
    for number, loaded in read.items():
        reason = None if grid is None else grid.mismatch(loaded.grid)
        if reason is None:
            labels[number] = loaded.tissues
        else:
            left_out[number] = Problem("rating_off_grid", {"reason": reason})
    del read
    if grid is None or not labels:
        return CaseNumbers({}, left_out)
    roles = {number: job.masks[number].role for number in labels}
    seconds = {n: first for n in labels if (first := job.masks[n].of) in labels and roles[n] == "repeat"}
    return CaseNumbers(
        measure_masks(labels, roles, seconds, grid, scheme.regions, job.tolerance_mm), left_out
    )


def measure_masks(
    labels: Mapping[int, Labels],
    roles: Mapping[int, Role],
    seconds: Mapping[int, int | None],
    grid: Grid,
    regions: Sequence[Region],
    tolerance_mm: float,
) -> dict[str, RegionNumbers]:
    """Measure the masks of a case, all on one grid.

    Parameters
    ----------
    labels : mapping of mask to (X, Y, Z) uint8 array of `Tissue`
    roles : mapping of mask to role
    seconds : mapping of second reading to first
    """
    once = sorted(n for n in labels if roles[n] != "repeat")
    pairs: dict[str, list[PairNumbers]] = {region.name: [] for region in regions}
    for i, j in itertools.combinations(once, 2):
        both = compare_both_ways(labels[i], labels[j], grid, regions, tolerance_mm)
        for name, found in both.items():
            back = measures_of(found.back)
            kappa = _cohen_kappa(found.counts)
            pairs[name].append(
                PairNumbers(i, j, measures_of(found.there), {m: back[m] for m in DIRECTED}, kappa)
            )
    humans = [n for n in once if roles[n] == "reader"]
    return {
        region.name: _of_region(region, labels, humans, once, seconds, grid, pairs[region.name])
        for region in regions
    }


def measures_of(scores: RegionScores) -> dict[str, Score]:
    """The scores of a pair by the keys of `MEASURES`."""
    parts = (scores.overlap, scores.surface)
    found = {m.key: getattr(part, m.key) for m in MEASURES for part in parts if hasattr(part, m.key)}
    assert scores.lesions is not None
    return found | {"lesion_dice": scores.lesions.dice, "lesion_hd95_mm": scores.lesions.hd95_mm}


def problem_of(error: UserError) -> Problem:
    """An error without the paths in it, which name patients and readers."""
    params: dict[str, str | int | float | list[str | int | float]] = {}
    for name, value in error.params.items():
        if isinstance(value, str | int | float):
            params[name] = value
        elif isinstance(value, list | tuple):
            params[name] = [v if isinstance(v, str | int | float) else str(v) for v in value]
    return Problem(error.code, params)


def _of_region(
    region: Region,
    labels: Mapping[int, Labels],
    humans: Sequence[int],
    once: Sequence[int],
    seconds: Mapping[int, int | None],
    grid: Grid,
    pairs: Sequence[PairNumbers],
) -> RegionNumbers:
    drawn = {number: region.mask(mask) for number, mask in labels.items()}
    masks = [labels[n] for n in humans]
    outlines = [drawn[n] for n in humans]
    consensus: dict[int, Score] = {}
    if len(humans) > 1:
        consensus |= dict(zip(humans, dice_with_others(outlines), strict=True))
    others = [n for n in once if n not in humans]
    if humans and others:
        agreed = consensus_of(outlines)
        consensus |= {n: confusion(agreed, drawn[n]).dice for n in others}
    voxel_ml = grid.voxel_volume_ml if grid.spacing_known else None
    return RegionNumbers(
        {n: confusion(mask, mask).volume_ml(voxel_ml)[0] for n, mask in drawn.items()},
        tuple(pairs),
        fleiss_kappa_of_masks(masks, [region.tissues], scope="grid"),
        krippendorff_alpha_of_masks(masks, [region.tissues], scope="grid"),
        generalised_conformity_index(outlines) if len(outlines) > 1 else Statistic(None, "too_few"),
        consensus,
        {n: confusion(drawn[f], drawn[n]).dice for n, f in seconds.items() if f is not None},
    )


def _cohen_kappa(counts: Confusion) -> Statistic:
    """Cohen's kappa over the whole grid; as `core.kappa.cohen_kappa`, from counts that are there anyway."""
    if counts.tp + counts.fp + counts.fn == 0:
        return Statistic(None, "empty")
    return cohen_kappa_of_counts([[counts.tn, counts.fp], [counts.fn, counts.tp]])


def _common_grid(read: Mapping[int, MaskFile], first: int) -> Grid | None:
    """The grid that most masks share; of equal ones that of the case's first mask, else of the lowest."""
    if not read:
        return None
    grids = {n: mask.grid for n, mask in read.items()}
    shared = {n: sum(g.mismatch(other) is None for other in grids.values()) for n, g in grids.items()}
    return grids[max(grids, key=lambda n: (shared[n], n == first, -n))]
