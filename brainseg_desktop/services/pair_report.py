"""All that is said about two masks of the open case: measures, kappa, lesions, slices, where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.kappa import cohen_kappa_of_counts
from brainseg_desktop.core.labels import TISSUE_NAMES, Region, Tissue
from brainseg_desktop.core.lesions import LesionScores
from brainseg_desktop.core.metrics import Confusion
from brainseg_desktop.core.reliability import Statistic
from brainseg_desktop.services.compare import AgreementReport, OverlapScores, SurfaceScores, compare
from brainseg_desktop.services.live_agreement import LiveAgreement, SliceCounts

Labels = NDArray[np.uint8]
Voxel = tuple[int, int, int]

KAPPA_RULE = (
    "Cohen's kappa (1960) of inside or outside, over all voxels of the image: background dominates, so it "
    "comes close to Dice and is no second opinion."
)


@dataclass(frozen=True, slots=True)
class PairSource:
    """What a report is made of: copies, so that it can be made beside the reader's work.

    Parameters
    ----------
    case, reference_name, mask_name : str
    reference, mask : (X, Y, Z) uint8 arrays of `Tissue`
    grid : Grid
    regions : tuple of Region
        Those that both masks can tell apart.
    tissues : tuple of Tissue
        Those that either mask can hold.
    scheme : str
    """

    case: str
    reference_name: str
    mask_name: str
    reference: Labels
    mask: Labels
    grid: Grid
    regions: tuple[Region, ...]
    tissues: tuple[Tissue, ...]
    scheme: str

    @staticmethod
    def of(case: Case, reference: Rating, mask: Rating) -> PairSource:
        """Copy the masks as they are now."""
        tissues = {*reference.scheme.tissues, *mask.scheme.tissues}
        return PairSource(
            case.name,
            reference.rater,
            mask.rater,
            reference.label_map.array.copy(),
            mask.label_map.array.copy(),
            case.grid,
            shared_regions(reference, mask),
            tuple(t for t in Tissue if t in tissues),
            mask.scheme.name,
        )


def shared_regions(reference: Rating, mask: Rating) -> tuple[Region, ...]:
    """The regions that the schemes of both masks can tell apart."""
    return tuple(r for r in mask.scheme.regions if r in reference.scheme.regions)


@dataclass(frozen=True, slots=True)
class PairReport:
    """Every measure of two masks; rows are the regions, then the labels, each by its name.

    Parameters
    ----------
    source : PairSource
    agreement : AgreementReport
    rows : mapping of row name to Region
        A label is a region of one tissue.
    counts : LiveAgreement
        The voxels of the two copies, slice by slice; it is not edited any more.
    """

    source: PairSource
    agreement: AgreementReport
    rows: Mapping[str, Region]
    counts: LiveAgreement

    def overlap(self, row: str) -> OverlapScores:
        """Dice and its kin, and volumes."""
        found = self.agreement.regions.get(row)
        return found.overlap if found is not None else self.agreement.labels[self._tissue(row)]

    def surface(self, row: str) -> SurfaceScores:
        """HD95, ASSD and surface Dice."""
        found = self.agreement.regions.get(row)
        if found is not None:
            assert found.surface is not None
            return found.surface
        return self.agreement.label_surfaces[self._tissue(row)]

    def lesions(self, row: str) -> LesionScores | None:
        """Lesion-wise scores; None for a label, for which BraTS 2023 defines none."""
        found = self.agreement.regions.get(row)
        return found.lesions if found is not None else None

    def confusion(self, row: str) -> Confusion:
        """The counts of voxels."""
        return self.counts.confusion(self.rows[row].tissues)

    def kappa(self, row: str) -> Statistic:
        """Cohen's kappa, see `KAPPA_RULE`; ``empty`` where neither mask has such a voxel."""
        c = self.confusion(row)
        if c.state == "both_empty":
            return Statistic(None, "empty")
        return cohen_kappa_of_counts([[c.tn, c.fp], [c.fn, c.tp]])

    def slices(self, row: str, axis: int) -> SliceCounts:
        """The voxels of a row in each slice along an axis."""
        return self.counts.slices(axis, self.rows[row])

    def worst_voxel(self, row: str, axis: int) -> Voxel | None:
        """A differing voxel in the middle of what differs on the worst slice; None where nothing differs."""
        return middle_of_difference(
            self.counts, self.source.reference, self.source.mask, self.rows[row], axis
        )

    def middle_of_slice(self, row: str, axis: int, index: int) -> Voxel | None:
        """A voxel in the middle of what either mask has on a slice; None where both are empty there."""
        first, second = _cuts(self.source.reference, self.source.mask, self.rows[row], axis, index)
        drawn = first | second
        return _in_slice(_middle_of(drawn), axis, index) if drawn.any() else None

    @staticmethod
    def _tissue(row: str) -> Tissue:
        return next(t for t, name in TISSUE_NAMES.items() if name == row)


def measure_pair(source: PairSource, tolerance_mm: float = 1.0) -> PairReport:
    """Measure everything, distances too.

    Parameters
    ----------
    source : PairSource
    tolerance_mm : float
        Of the surface Dice.
    """
    agreement = compare(
        source.reference,
        source.mask,
        source.grid,
        source.regions,
        source.tissues,
        tolerance_mm,
        scheme=source.scheme,
        label_surface=True,
    )
    return PairReport(
        source,
        agreement,
        rows_of(source.regions, source.tissues),
        LiveAgreement(source.reference, source.mask, source.grid),
    )


def rows_of(regions: tuple[Region, ...], tissues: tuple[Tissue, ...]) -> dict[str, Region]:
    """Regions by name, then each tissue as a region of its own."""
    single = (Region(TISSUE_NAMES[t], frozenset({t})) for t in tissues)
    return {r.name: r for r in (*regions, *single)}


def middle_of_difference(
    counts: LiveAgreement, reference: Labels, mask: Labels, region: Region, axis: int
) -> Voxel | None:
    """On the slice where two masks differ most, the differing voxel nearest to the middle of what differs.

    Parameters
    ----------
    counts : LiveAgreement
        Of these two masks.
    axis : int
        Along which slices are cut.

    Returns
    -------
    (int, int, int) or None
        None where nothing differs.
    """
    index = counts.worst_slice(axis, region)
    if index is None:
        return None
    first, second = _cuts(reference, mask, region, axis, index)
    return _in_slice(_middle_of(first != second), axis, index)


def _cuts(
    reference: Labels, mask: Labels, region: Region, axis: int, index: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    cut = tuple(index if a == axis else slice(None) for a in range(3))
    return region.mask(reference[cut]), region.mask(mask[cut])


def _middle_of(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The marked pixel nearest to the centroid."""
    places = np.argwhere(mask)
    nearest = int(((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin())
    a, b = places[nearest].tolist()
    return (a, b)


def _in_slice(place: tuple[int, int], axis: int, index: int) -> Voxel:
    voxel = list(place)
    voxel.insert(axis, index)
    return (voxel[0], voxel[1], voxel[2])
