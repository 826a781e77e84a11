"""Agreement of two masks, voxel by voxel: counts, overlap measures, volumes.

Libraries disagree about empty masks (NaN, 0, 1 or an exception for the Dice of two empty ones), so here the
empty case is a named state that travels with the number:

* both masks empty: dice, iou, precision and sensitivity have no value (``both_empty``);
* one empty: dice and iou are 0, precision and sensitivity have a value only where their denominator is not
  zero, distances have none (``one_empty``);
* a grid without a known spacing: nothing in mm or mL has a value (``no_spacing``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.labels import Tissue

State = Literal["ok", "both_empty", "one_empty", "no_spacing"]
TISSUE_COUNT = len(Tissue)


@dataclass(frozen=True, slots=True)
class Score:
    """A measure, or why it has no value.

    Parameters
    ----------
    value : float or None
    state : {"ok", "both_empty", "one_empty", "no_spacing"}
        Shown beside the number; means count only ``"ok"`` and say how many they left out.
    unit : str
        ``"1"`` for a ratio, ``"mm"`` or ``"mL"``.
    """

    value: float | None
    state: State = "ok"
    unit: str = "1"

    def to_dict(self) -> dict[str, Any]:
        """The form every score has in JSON.

        Examples
        --------
        >>> Score(0.5).to_dict()
        {'value': 0.5, 'state': 'ok', 'unit': '1'}
        """
        return {"value": self.value, "state": self.state, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many voxels two masks share.

    Parameters
    ----------
    tp, fp, fn, tn : int
        In both, only in the mask, only in the reference, in neither.

    Examples
    --------
    >>> counts = Confusion(tp=2, fp=1, fn=1, tn=6)
    >>> round(counts.dice.value, 3), counts.iou.value, counts.accuracy.value
    (0.667, 0.5, 0.8)
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def turned(self) -> Confusion:
        """The counts with the mask as reference."""
        return Confusion(self.tp, self.fn, self.fp, self.tn)

    @property
    def reference_count(self) -> int:
        return self.tp + self.fn

    @property
    def mask_count(self) -> int:
        return self.tp + self.fp

    @property
    def state(self) -> State:
        """Which of the two masks is empty; it goes with every ratio of the pair."""
        return emptiness(self.reference_count > 0, self.mask_count > 0)

    @property
    def dice(self) -> Score:
        """2 TP / (2 TP + FP + FN)."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> Score:
        """TP / (TP + FP + FN), the Jaccard index."""
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> Score:
        """TP / (TP + FP)."""
        return self._ratio(self.tp, self.tp + self.fp)

    @property
    def sensitivity(self) -> Score:
        """TP / (TP + FN)."""
        return self._ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Score:
        """TN / (TN + FP); over the whole image, so it is close to 1 for any small tumour."""
        return self._ratio(self.tn, self.tn + self.fp)

    @property
    def accuracy(self) -> Score:
        """(TP + TN) / all; over the whole image, so it is close to 1 for any small tumour."""
        return self._ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    def volume_ml(self, voxel_volume_ml: float | None) -> tuple[Score, Score]:
        """Volumes of the reference and of the mask; None for a grid without spacing."""
        return (_volume(self.reference_count, voxel_volume_ml), _volume(self.mask_count, voxel_volume_ml))

    def volume_difference_ml(self, voxel_volume_ml: float | None) -> Score:
        """Mask minus reference: positive where the mask is the larger."""
        return _volume(self.mask_count - self.reference_count, voxel_volume_ml)

    def _ratio(self, part: int, whole: int) -> Score:
        if whole > 0:
            return Score(part / whole, self.state)
        # With two masks in place only specificity gets here: the reference fills the whole image.
        return Score(None, "one_empty" if self.state == "ok" else self.state)


def emptiness(reference: bool, mask: bool) -> State:
    """The state of a pair, from whether each mask has any voxel.

    Examples
    --------
    >>> emptiness(True, True), emptiness(True, False), emptiness(False, False)
    ('ok', 'one_empty', 'both_empty')
    """
    if reference and mask:
        return "ok"
    return "one_empty" if reference or mask else "both_empty"


def _volume(count: int, voxel_volume_ml: float | None) -> Score:
    if voxel_volume_ml is None:
        return Score(None, "no_spacing", "mL")
    return Score(count * voxel_volume_ml, "ok", "mL")


def confusion(reference: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Confusion:
    """Count the voxels of two masks of one shape.

    Examples
    --------
    >>> confusion(np.array([True, True, False]), np.array([True, False, False]))
    Confusion(tp=1, fp=0, fn=1, tn=1)
    """
    if reference.shape != mask.shape:
        raise ValueError(f"masks of shapes {reference.shape} and {mask.shape}")
    tp = int(np.count_nonzero(reference & mask))
    fp = int(np.count_nonzero(mask)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return Confusion(tp, fp, fn, reference.size - tp - fp - fn)


def joint_codes(reference: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One number per voxel for the pair of tissues: ``7 * reference + mask``, at most 48."""
    return np.asarray(reference * np.uint8(TISSUE_COUNT) + mask)


def joint_histogram(reference: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each pair of tissues occurs.

    Parameters
    ----------
    reference, mask : arrays of one shape
        `Tissue` values.

    Returns
    -------
    (7, 7) array
        Rows by tissue of the reference, columns by tissue of the mask.
    """
    codes = joint_codes(reference, mask)
    counts = np.bincount(codes.ravel(), minlength=TISSUE_COUNT**2)
    return np.asarray(counts.reshape(TISSUE_COUNT, TISSUE_COUNT), dtype=np.int64)


def confusion_of(histogram: NDArray[np.int64], tissues: Iterable[Tissue]) -> Confusion:
    """The counts for a set of tissues, read off a (7, 7) joint histogram.

    Examples
    --------
    >>> histogram = joint_histogram(np.array([0, 1, 2], np.uint8), np.array([1, 1, 0], np.uint8))
    >>> confusion_of(histogram, {Tissue.NECROSIS, Tissue.OEDEMA})
    Confusion(tp=1, fp=1, fn=1, tn=0)
    """
    inside = np.zeros(TISSUE_COUNT, dtype=bool)
    inside[[int(t) for t in tissues]] = True
    rows, outside = histogram[inside], histogram[~inside]
    return Confusion(
        tp=int(rows[:, inside].sum()),
        fp=int(outside[:, inside].sum()),
        fn=int(rows[:, ~inside].sum()),
        tn=int(outside[:, ~inside].sum()),
    )
