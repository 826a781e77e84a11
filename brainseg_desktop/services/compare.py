"""Agreement of a mask with a reference: one report for the command line, the tables and the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Region, Tissue
from brainseg_desktop.core.lesions import NO_SPACING, Lesion, LesionScores, lesion_wise
from brainseg_desktop.core.metrics import (
    TISSUE_COUNT,
    Confusion,
    Score,
    confusion_of,
    joint_codes,
    joint_histogram,
)
from brainseg_desktop.core.surface import Mask, SurfaceDistances, hd95_voxel, surface_distances

Labels = NDArray[np.uint8]

DEFINITIONS = {
    "dice": "2 TP / (2 TP + FP + FN). No value if both masks are empty, 0 if one is.",
    "iou": "TP / (TP + FP + FN), the Jaccard index. No value if both masks are empty, 0 if one is.",
    "precision": "TP / (TP + FP): the share of the mask that lies in the reference.",
    "sensitivity": "TP / (TP + FN): the share of the reference that the mask found.",
    "specificity": "TN / (TN + FP) over the whole image; near 1 for any small tumour.",
    "accuracy": "(TP + TN) / all voxels of the image; near 1 for any small tumour.",
    "hd95_mm": "The larger of the two directed 95th percentiles of surface distances, in mm.",
    "assd_mm": "Mean distance to the other surface over the surface voxels of both masks, in mm.",
    "surface_dice": "Share of the surface voxels of both masks within {tolerance_mm:g} mm of the other one.",
    "surface": "A surface voxel is one with a face neighbour outside its mask.",
    "volume_ml": "Number of voxels times the volume of one, in mL: reference, then mask.",
    "volume_difference_ml": "Volume of the mask minus that of the reference, in mL.",
    "lesion_wise": (
        "BraTS 2023: lesions are 26-connected after dilating the reference 3 times (18-neighbour element); "
        "reference lesions up to 50 mm3 are left out; a missed or false lesion scores Dice 0 and "
        "HD95 374 mm; mean over lesions."
    ),
    "state": (
        "ok; both_empty or one_empty: that many of the two masks have no such voxel; "
        "no_spacing: the files state no voxel size, so nothing is given in mm or mL."
    ),
}


@dataclass(frozen=True, slots=True)
class OverlapScores:
    """Voxel-wise agreement and volumes of one region or tissue; `volume_ml` is (reference, mask)."""

    dice: Score
    iou: Score
    precision: Score
    sensitivity: Score
    specificity: Score
    accuracy: Score
    volume_ml: tuple[Score, Score]
    volume_difference_ml: Score

    @staticmethod
    def of(counts: Confusion, voxel_volume_ml: float | None) -> OverlapScores:
        """The scores that follow from the counts; without a voxel volume there is none in mL."""
        return OverlapScores(
            dice=counts.dice,
            iou=counts.iou,
            precision=counts.precision,
            sensitivity=counts.sensitivity,
            specificity=counts.specificity,
            accuracy=counts.accuracy,
            volume_ml=counts.volume_ml(voxel_volume_ml),
            volume_difference_ml=counts.volume_difference_ml(voxel_volume_ml),
        )

    def to_dict(self) -> dict[str, Any]:
        ratios = ("dice", "iou", "precision", "sensitivity", "specificity", "accuracy")
        return {name: getattr(self, name).to_dict() for name in ratios} | {
            "volume_ml": [score.to_dict() for score in self.volume_ml],
            "volume_difference_ml": self.volume_difference_ml.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class SurfaceScores:
    """Agreement of the outlines of one region; `hd95_voxel` is where HD95 is met, to show it."""

    hd95_mm: Score
    assd_mm: Score
    surface_dice: Score
    hd95_voxel: tuple[int, int, int] | None = None

    @staticmethod
    def of(
        distances: SurfaceDistances, tolerance_mm: float, hd95_at: tuple[int, int, int] | None = None
    ) -> SurfaceScores:
        """Read the three measures off the distances."""
        return SurfaceScores(
            distances.hd95_mm, distances.assd_mm, distances.surface_dice(tolerance_mm), hd95_at
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "hd95_mm": self.hd95_mm.to_dict(),
            "assd_mm": self.assd_mm.to_dict(),
            "surface_dice": self.surface_dice.to_dict(),
        }


NO_SURFACE = SurfaceScores(
    Score(None, "no_spacing", "mm"), Score(None, "no_spacing", "mm"), Score(None, "no_spacing")
)


@dataclass(frozen=True, slots=True)
class RegionScores:
    """All scores of one region; `surface` and `lesions` are None where they were not asked for."""

    overlap: OverlapScores
    surface: SurfaceScores | None = None
    lesions: LesionScores | None = None


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement of a mask with a reference.

    Parameters
    ----------
    scheme : str
        Name of the label scheme.
    regions : mapping of region name to RegionScores
    labels : mapping of Tissue to OverlapScores
    tolerance_mm : float
        Of the surface Dice.
    label_surfaces : mapping of Tissue to SurfaceScores
        Empty where distances were not asked for.
    """

    scheme: str
    regions: dict[str, RegionScores]
    labels: dict[Tissue, OverlapScores]
    tolerance_mm: float
    label_surfaces: dict[Tissue, SurfaceScores] = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, str]:
        """One sentence for each measure, to print beside the numbers."""
        return {name: text.format(tolerance_mm=self.tolerance_mm) for name, text in DEFINITIONS.items()}

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``brainseg compare``; every score as value, state and unit."""
        lesions = {name: r.lesions.to_dict() for name, r in self.regions.items() if r.lesions is not None}
        return {
            "scheme": self.scheme,
            "regions": {
                name: r.overlap.to_dict() | (r.surface.to_dict() if r.surface is not None else {})
                for name, r in self.regions.items()
            },
            "labels": {
                tissue.name.lower(): scores.to_dict()
                | (self.label_surfaces[tissue].to_dict() if tissue in self.label_surfaces else {})
                for tissue, scores in self.labels.items()
            },
            "lesion_wise": lesions,
            "tolerance_mm": self.tolerance_mm,
            "definitions": self.definitions,
        }


def compare(
    reference: Labels,
    mask: Labels,
    grid: Grid,
    regions: Sequence[Region],
    tissues: Sequence[Tissue],
    tolerance_mm: float = 1.0,
    surface: bool = True,
    scheme: str = "",
    label_surface: bool = False,
) -> AgreementReport:
    """Measure the agreement of a mask with a reference.

    Parameters
    ----------
    reference, mask : (X, Y, Z) arrays of uint8
        `Tissue` values on `grid`.
    regions, tissues : sequences
        What to report; usually those of the scheme (`LabelScheme.regions`, `.tissues`).
    tolerance_mm : float
        Of the surface Dice.
    surface : bool
        False leaves out distances and lesion-wise scores.
    label_surface : bool
        Distances of the single tissues too; those that are a region of their own cost nothing more.
    scheme : str
        Name of the label scheme, for the report.

    Raises
    ------
    UserError
        ``masks_differ_in_shape`` if the arrays do not fit each other or the grid.
    """
    histogram, first, second, box = _counted(reference, mask, grid)
    voxel_ml = grid.voxel_volume_ml if grid.spacing_known else None
    overlaps = {r.name: OverlapScores.of(confusion_of(histogram, r.tissues), voxel_ml) for r in regions}
    outlines = _Outlines(first, second, box, grid, tolerance_mm)
    surfaces = {r.name: outlines.scores(r) if surface else None for r in regions}
    lesions = {r.name: outlines.lesions(r) if surface else None for r in regions}
    single = tissues if surface and label_surface else ()
    return AgreementReport(
        scheme=scheme,
        regions={r.name: RegionScores(overlaps[r.name], surfaces[r.name], lesions[r.name]) for r in regions},
        labels={t: OverlapScores.of(confusion_of(histogram, (t,)), voxel_ml) for t in tissues},
        tolerance_mm=tolerance_mm,
        label_surfaces={t: outlines.scores(Region(t.name, frozenset({t}))) for t in single},
    )


@dataclass(frozen=True, slots=True)
class PairScores:
    """One region of two masks, each in turn the reference of the other.

    Parameters
    ----------
    counts : Confusion
        Of the second mask, the first being the reference.
    there, back : RegionScores
        The first mask as reference, and the second.
    """

    counts: Confusion
    there: RegionScores
    back: RegionScores


def compare_both_ways(
    first: Labels, second: Labels, grid: Grid, regions: Sequence[Region], tolerance_mm: float = 1.0
) -> dict[str, PairScores]:
    """What `compare` says of two masks in either order, by region; distances are computed once.

    Raises
    ------
    UserError
        ``masks_differ_in_shape``.
    """
    histogram, one, other, box = _counted(first, second, grid)
    voxel_ml = grid.voxel_volume_ml if grid.spacing_known else None
    outlines = _Outlines(one, other, box, grid, tolerance_mm)
    turned = outlines.turned(regions)
    found = {}
    for region in regions:
        counts = confusion_of(histogram, region.tissues)
        there, back = (
            RegionScores(OverlapScores.of(c, voxel_ml), o.scores(region), o.lesions(region))
            for c, o in ((counts, outlines), (counts.turned, turned))
        )
        found[region.name] = PairScores(counts, there, back)
    return found


def _counted(reference: Labels, mask: Labels, grid: Grid) -> tuple[NDArray[np.int64], Labels, Labels, Box]:
    """The joint histogram of two masks, the part of each that is worth a look, and where that is."""
    if reference.shape != mask.shape or reference.shape != grid.shape:
        raise UserError("masks_differ_in_shape", reference=reference.shape, mask=mask.shape)
    # Only the box with any label is looked at; what lies outside it is background in both.
    box = _widened(Box.of((reference | mask) != 0), grid.shape)
    first, second = (np.ascontiguousarray(labels[box.slices]) for labels in (reference, mask))
    histogram = joint_histogram(first, second)
    histogram[0, 0] += reference.size - first.size
    return histogram, first, second, box


def _widened(box: Box, shape: tuple[int, int, int]) -> Box:
    """The labelled part with a rim of background, so that only the image's own edge cuts a surface."""
    if box.is_empty:
        return Box((0, 0, 0), (0, shape[1], shape[2]))
    start, stop = (tuple(v + by for v in side) for side, by in ((box.start, -4), (box.stop, 4)))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(shape)


class _Outlines:
    """The distances of one cropped pair, measured once for each set of tissues."""

    def __init__(self, reference: Labels, mask: Labels, box: Box, grid: Grid, tolerance_mm: float) -> None:
        self._pair, self._box, self._grid = (reference, mask), box, grid
        self._tolerance_mm = tolerance_mm
        self._known: dict[frozenset[Tissue], tuple[Mask, Mask, SurfaceDistances]] = {}

    def scores(self, region: Region) -> SurfaceScores:
        """HD95, ASSD and surface Dice of a region."""
        if not self._grid.spacing_known:
            return NO_SURFACE
        first, second, distances = self._of(region)
        at = hd95_voxel(first, second, distances)
        if at is not None:
            x, y, z = (v + o for v, o in zip(at, self._box.start, strict=True))
            at = (x, y, z)
        return SurfaceScores.of(distances, self._tolerance_mm, at)

    def lesions(self, region: Region) -> LesionScores:
        """Lesion-wise scores of a region, the lesions' centres in the whole image."""
        if not self._grid.spacing_known:
            return NO_SPACING
        first, second, distances = self._of(region)
        found = lesion_wise(first, second, self._grid.spacing_mm, distances)
        return replace(found, lesions=tuple(self._placed(lesion) for lesion in found.lesions))

    def turned(self, regions: Sequence[Region]) -> _Outlines:
        """The same pair with the mask as the reference; no distance is measured again."""
        reference, mask = self._pair
        other = _Outlines(mask, reference, self._box, self._grid, self._tolerance_mm)
        if self._grid.spacing_known:
            for region in regions:
                first, second, distances = self._of(region)
                other._known[region.tissues] = (second, first, distances.turned)
        return other

    def _placed(self, lesion: Lesion) -> Lesion:
        x, y, z = (v + o for v, o in zip(lesion.centre, self._box.start, strict=True))
        return replace(lesion, centre=(x, y, z))

    def _of(self, region: Region) -> tuple[Mask, Mask, SurfaceDistances]:
        if region.tissues not in self._known:
            first, second = (region.mask(labels) for labels in self._pair)
            distances = surface_distances(first, second, self._grid.spacing_mm)
            self._known[region.tissues] = (first, second, distances)
        return self._known[region.tissues]


NOTHING, AGREED, MISSED, EXTRA = 0, 1, 2, 3


def difference_map(reference: Labels, mask: Labels, region: Region) -> NDArray[np.uint8]:
    """Codes of agreement for the overlay: 0 none, 1 agreed, 2 missed, 3 extra; any shape, so a slice too.

    Examples
    --------
    >>> from brainseg_desktop.core.labels import WT
    >>> difference_map(np.array([0, 1, 2, 0], np.uint8), np.array([0, 2, 0, 1], np.uint8), WT).tolist()
    [0, 1, 2, 3]
    """
    inside = np.zeros(TISSUE_COUNT, dtype=bool)
    inside[[int(t) for t in region.tissues]] = True
    table = np.array([[NOTHING, EXTRA], [MISSED, AGREED]], dtype=np.uint8)
    by_pair = table[inside.astype(int)[:, None], inside.astype(int)[None, :]].ravel()
    if reference.ndim != 3:
        return np.asarray(by_pair[joint_codes(reference, mask)])
    # Only the box with any label is looked up: 10 ms in place of 100 for a whole case.
    codes = np.zeros(reference.shape, dtype=np.uint8)
    where = Box.of((reference | mask) != 0).slices
    codes[where] = by_pair[joint_codes(reference[where], mask[where])]
    return codes
