"""Lesion-wise Dice and HD95 as in the BraTS 2023 challenge.

After the challenge's own code (Saluja et al., github.com/rachitsaluja/BraTS-2023-Metrics, parameters of
BraTS-GLI): the reference is dilated three times by the 18-neighbour element, and what is 26-connected then is
one lesion; components (26-connected) of the mask that touch the dilated lesion belong to it, whole; each
lesion is scored against the undilated reference. Reference lesions of up to 50 mm3 are left out, found or
not; components of the mask that belong to no lesion are false, of whatever size. A missed or a false lesion
scores Dice 0 and HD95 374 mm (the diagonal of a 240 x 240 x 155 mm image). The case's score is the mean.

Two things differ from that code and are meant to: surfaces are voxels counted once, not weighted by area,
and a case without any lesion to score has no value instead of Dice 1 and HD95 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.surface import (
    Mask,
    Spacing,
    SurfaceDistances,
    between_surfaces,
    joint_box,
    surface_of,
)

DILATIONS = 3
LEFT_OUT_MM3 = 50.0
MISSED_HD95_MM = 374.0

Components = NDArray[np.int32]
_CONNECTED_26 = np.ones((3, 3, 3), dtype=bool)
_CONNECTED_18 = ndimage.generate_binary_structure(3, 2)


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion and how well it was found.

    Parameters
    ----------
    status : {"matched", "missed", "false"}
    dice : float
    hd95_mm : float
    reference_ml, mask_ml : float
        Volume in the reference, and of the components of the mask that belong to it.
    centre : (int, int, int)
        Middle voxel of its box in the whole array, to show it.
    counted : bool
        False for one left out because it is small in the reference.
    """

    status: Literal["matched", "missed", "false"]
    dice: float
    hd95_mm: float
    reference_ml: float
    mask_ml: float
    centre: tuple[int, int, int]
    counted: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "dice": Score(self.dice).to_dict(),
            "hd95_mm": Score(self.hd95_mm, "ok", "mm").to_dict(),
            "reference_ml": Score(self.reference_ml, "ok", "mL").to_dict(),
            "mask_ml": Score(self.mask_ml, "ok", "mL").to_dict(),
            "centre": list(self.centre),
            "counted": self.counted,
        }


@dataclass(frozen=True, slots=True)
class LesionScores:
    """All lesions of one region and their means.

    Parameters
    ----------
    dice, hd95_mm : Score
        Means over the counted lesions.
    lesions : tuple of Lesion
        Those of the reference first, then the false ones.
    """

    dice: Score
    hd95_mm: Score
    lesions: tuple[Lesion, ...] = ()

    def count(self, status: str) -> int:
        """How many counted lesions are matched, missed or false."""
        return sum(lesion.counted and lesion.status == status for lesion in self.lesions)

    def to_dict(self) -> dict[str, Any]:
        return {
            "dice": self.dice.to_dict(),
            "hd95_mm": self.hd95_mm.to_dict(),
            "matched": self.count("matched"),
            "missed": self.count("missed"),
            "false": self.count("false"),
            "left_out": sum(not lesion.counted for lesion in self.lesions),
            "lesions": [lesion.to_dict() for lesion in self.lesions],
        }


NO_SPACING = LesionScores(Score(None, "no_spacing"), Score(None, "no_spacing", "mm"))


def lesion_wise(
    reference: Mask, mask: Mask, spacing_mm: Spacing, whole: SurfaceDistances | None = None
) -> LesionScores:
    """Score every lesion of a pair of masks.

    Parameters
    ----------
    reference, mask : (X, Y, Z) arrays of bool
    spacing_mm : (float, float, float)
        Sizes decide which lesions count, so a grid without spacing has no lesion-wise score (`NO_SPACING`).
    whole : SurfaceDistances, optional
        Those of the whole pair where they are known: with a single lesion they are its own.
    """
    box = joint_box(reference, mask, DILATIONS + 1)
    if box.is_empty:
        return LesionScores(Score(None, "both_empty"), Score(None, "both_empty", "mm"))
    pair = _Pair(reference[box.slices], mask[box.slices], box, spacing_mm, whole)
    return summarise((*pair.reference_lesions(), *pair.false_lesions()))


def summarise(lesions: Sequence[Lesion]) -> LesionScores:
    """Mean scores over the counted lesions; no value where there is none."""
    counted = [lesion for lesion in lesions if lesion.counted]
    if not counted:
        return LesionScores(Score(None, "both_empty"), Score(None, "both_empty", "mm"), tuple(lesions))
    return LesionScores(
        Score(float(np.mean([lesion.dice for lesion in counted]))),
        Score(float(np.mean([lesion.hd95_mm for lesion in counted])), "ok", "mm"),
        tuple(lesions),
    )


def dilated(mask: Mask, times: int = DILATIONS) -> Mask:
    """A mask dilated by the 18-neighbour element.

    By a chamfer distance transform with that element as its metric: one pass whatever the radius.
    """
    if not mask.any():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_cdt(~mask, metric=_CONNECTED_18) <= times)


class _Pair:
    """The components of a cropped pair of masks, and which belong together."""

    def __init__(
        self, reference: Mask, mask: Mask, box: Box, spacing_mm: Spacing, whole: SurfaceDistances | None
    ) -> None:
        self.offset = box.start
        self.spacing_mm = spacing_mm
        self.voxel_mm3 = float(np.prod(spacing_mm))
        # Dilating one lesion gives its component of the dilated reference, so this one array tells both
        # which voxels are one lesion and which components of the mask touch it.
        self.reach, self.lesion_count = _components(dilated(reference))
        self.lesions = np.where(reference, self.reach, 0)
        self.parts, self.part_count = _components(mask)
        self.reference_surface, self.mask_surface = surface_of(reference), surface_of(mask)
        self.lesion_sizes = np.bincount(self.lesions.ravel(), minlength=self.lesion_count + 1)
        self.part_sizes = np.bincount(self.parts.ravel(), minlength=self.part_count + 1)
        self.shared = np.bincount(self.lesions[mask], minlength=self.lesion_count + 1)
        self.belonging = self._belonging(mask)
        self.whole = whole

    def _belonging(self, mask: Mask) -> dict[int, NDArray[np.int64]]:
        """For each lesion the parts of the mask that touch it dilated; a part may touch several."""
        keys = np.unique(self.reach[mask].astype(np.int64) * (self.part_count + 1) + self.parts[mask])
        lesions, parts = np.divmod(keys, self.part_count + 1)
        return {int(n): parts[lesions == n] for n in np.unique(lesions) if n > 0}

    def reference_lesions(self) -> list[Lesion]:
        found = []
        for number, where in enumerate(ndimage.find_objects(self.lesions), start=1):
            parts = self.belonging.get(number)
            size = int(self.lesion_sizes[number])
            part_size = 0 if parts is None else int(self.part_sizes[parts].sum())
            found.append(
                Lesion(
                    status="missed" if parts is None else "matched",
                    dice=2.0 * int(self.shared[number]) / (size + part_size),
                    hd95_mm=MISSED_HD95_MM if parts is None else self._hd95_mm(number, parts),
                    reference_ml=size * self.voxel_mm3 / 1000.0,
                    mask_ml=part_size * self.voxel_mm3 / 1000.0,
                    centre=self._centre(where),
                    counted=size * self.voxel_mm3 > LEFT_OUT_MM3,
                )
            )
        return found

    def false_lesions(self) -> list[Lesion]:
        boxes = ndimage.find_objects(self.parts)
        touched = {int(part) for parts in self.belonging.values() for part in parts}
        return [
            Lesion(
                status="false",
                dice=0.0,
                hd95_mm=MISSED_HD95_MM,
                reference_ml=0.0,
                mask_ml=int(self.part_sizes[part]) * self.voxel_mm3 / 1000.0,
                centre=self._centre(boxes[part - 1]),
            )
            for part in range(1, self.part_count + 1)
            if part not in touched
        ]

    def _hd95_mm(self, number: int, parts: NDArray[np.int64]) -> float:
        distances = self.whole
        if distances is None or self.lesion_count > 1 or parts.size < self.part_count:
            # A face neighbour is a 26-neighbour too, so a component's surface is its share of the mask's.
            chosen = np.zeros(self.part_count + 1, dtype=bool)
            chosen[parts] = True
            first = self.reference_surface & (self.lesions == number)
            distances = between_surfaces(first, self.mask_surface & chosen[self.parts], self.spacing_mm)
        value = distances.hd95_mm.value
        return MISSED_HD95_MM if value is None else value

    def _centre(self, where: tuple[slice, ...]) -> tuple[int, int, int]:
        x, y, z = ((s.start + s.stop - 1) // 2 + o for s, o in zip(where, self.offset, strict=True))
        return (x, y, z)


def _components(mask: Mask) -> tuple[Components, int]:
    components, count = ndimage.label(mask, _CONNECTED_26)
    return components, int(count)
