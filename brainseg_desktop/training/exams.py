"""What the sources give and what the networks learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.inference.frame import Frame

# Values of the reference that make WT, TC and ET. LGG and binary masks know WT only.
REGION_VALUES: dict[str, tuple[tuple[int, ...], ...]] = {
    "lgg": ((1, 255), (), ()),
    "binary": (tuple(range(1, 256)), (), ()),
    "brats2015": ((1, 2, 3, 4), (1, 3, 4), (4,)),
    "brats2021": ((1, 2, 4), (1, 4), (4,)),
    "brats2023": ((1, 2, 3), (1, 3), (3,)),
}
# Values that make the classes necrosis (with non-enhancing core), oedema, enhancing: 4 becomes 3.
CLASS_VALUES: dict[str, tuple[tuple[int, ...], ...]] = {
    "brats2015": ((1, 3), (2,), (4,)),
    "brats2021": ((1,), (2,), (4,)),
    "brats2023": ((1,), (2,), (3,)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """An exam, or a picture, with its reference, as read.

    Parameters
    ----------
    name : str
        Case, unique in a recipe.
    patient : str
        Splits keep a patient on one side; copies of one picture are one patient.
    source : str
        Kind of its source.
    kind : str or None
        Kind of exam where the source says it (``whole_head``, ``skull_stripped``), else None.
    volumes : dict of str to (X, Y, Z) array
        Canonical order, by sequence name; a picture is ``{"image": (X, Y, 1)}``.
    spacing_mm : (float, float) or None
        In-plane.
    reference : (X, Y, Z) uint8 array
        In its own numbers.
    coding : str
        Key of `REGION_VALUES`.
    """

    name: str
    patient: str
    source: str
    kind: str | None
    volumes: dict[str, NDArray[np.generic]]
    spacing_mm: tuple[float, float] | None
    reference: NDArray[np.uint8]
    coding: str

    @property
    def taught(self) -> tuple[bool, bool, bool]:
        """Whether the reference knows WT, TC and ET."""
        whole, core, enhancing = (bool(values) for values in REGION_VALUES[self.coding])
        return whole, core, enhancing


@dataclass(frozen=True, slots=True, eq=False)
class PreparedExam:
    """An exam as network slices. Arrays may be mapped from the cache: read-only, and read when touched.

    Parameters
    ----------
    name, patient, source : str
    kind : str
        Kind of exam.
    slices : (Z, C, H, W) float16 array
        Without context: `context_stack` adds it.
    targets : (Z, R, H, W) uint8 array
        Regions (R = 3), classes one-hot without background (R = 3: necrosis, oedema, enhancing), or binary
        (R = 1).
    present : tuple of bool
        Which channels carry a sequence.
    taught : tuple of bool
        Which of the R targets the reference knows.
    kept : (Z,) int array
        Place of each slice in the exam.
    frame : Frame
        The way back to the exam's own grid.
    regions : (3, X, Y, Z) bool array
        WT, TC, ET on the exam's own grid, for the figures; regions that are not known are empty.
    known : (bool, bool, bool)
        Which of `regions` the reference knows.
    """

    name: str
    patient: str
    source: str
    kind: str
    slices: NDArray[np.float16]
    targets: NDArray[np.uint8]
    present: tuple[bool, ...]
    taught: tuple[bool, ...]
    kept: NDArray[np.int64]
    frame: Frame
    regions: NDArray[np.bool_]
    known: tuple[bool, bool, bool]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one file that is told and counted, and is not fatal.

    Parameters
    ----------
    code : str
        As of a `UserError`: ``slice_corrupt``, ``mask_without_image``, ``image_without_mask``,
        ``class_id_unknown``, ``sizes_differ``, ...
    name : str
        File or case, relative to the source.
    reason : str
        Details.
    """

    code: str
    name: str
    reason: str = ""


def region_masks(reference: NDArray[np.uint8], coding: str) -> NDArray[np.bool_]:
    """WT, TC and ET of a reference, (3, ...) bool."""
    return np.stack([np.isin(reference, values) for values in REGION_VALUES[coding]])


def context_stack(slices: NDArray[np.float16], z: int, context: tuple[int, ...]) -> NDArray[np.float32]:
    """A slice with its neighbours, (len(context) * C, H, W); see `Preparation.context`."""
    last = len(slices) - 1
    return np.concatenate([slices[min(max(z + d, 0), last)] for d in context]).astype(np.float32)
