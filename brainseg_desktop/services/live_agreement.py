"""Agreement that follows the brush: counts are mended from the changed box alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Region, Tissue
from brainseg_desktop.core.metrics import TISSUE_COUNT, Confusion, Score, confusion_of, joint_codes
from brainseg_desktop.services.compare import OverlapScores

_CODES = TISSUE_COUNT**2


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """A region slice by slice: voxels of the reference, of the mask, and of both, (slices,) each."""

    reference: NDArray[np.int64]
    mask: NDArray[np.int64]
    shared: NDArray[np.int64]

    @property
    def dice(self) -> NDArray[np.float64]:
        """Dice of each slice; NaN where both masks are empty there."""
        with np.errstate(invalid="ignore"):
            return np.asarray(2.0 * self.shared / (self.reference + self.mask))

    @property
    def differing(self) -> NDArray[np.int64]:
        """Voxels of each slice that are in one mask only."""
        return self.reference + self.mask - 2 * self.shared

    @property
    def worst(self) -> int | None:
        """The slice with the most differing voxels, the first of equal ones; None where none differs."""
        differing = self.differing
        return int(differing.argmax()) if differing.any() else None


class LiveAgreement:
    """The joint histogram of a reference and a mask that is being edited.

    It keeps its own copy of the pair of tissues of every voxel (one byte each), so nobody need say what a box
    held before: call `update` with each box of `History.changed`, of either mask.

    Parameters
    ----------
    reference, edited : (X, Y, Z) arrays of uint8
        Views that show the present state, such as `LabelMap.array`; not copied.
    grid : Grid
    """

    def __init__(self, reference: NDArray[np.uint8], edited: NDArray[np.uint8], grid: Grid) -> None:
        if reference.shape != edited.shape or reference.shape != grid.shape:
            raise ValueError(f"masks of shapes {reference.shape} and {edited.shape} on {grid.shape}")
        self._reference = reference
        self._edited = edited
        self._voxel_ml = grid.voxel_volume_ml if grid.spacing_known else None
        shape = grid.shape
        self._codes: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
        # Per axis, how often each pair of tissues occurs on each slice; all start as background.
        self._counts = [np.zeros((n, _CODES), dtype=np.int64) for n in shape]
        for axis, counts in enumerate(self._counts):
            counts[:, 0] = self._codes.size // max(1, shape[axis])
        self.update(Box.of((reference | edited) != 0))

    def update(self, box: Box) -> None:
        """Recount a box whose voxels may have changed; it may reach beyond the array or hold nothing new."""
        box = box.clipped((self._codes.shape[0], self._codes.shape[1], self._codes.shape[2]))
        if box.is_empty:
            return
        old = self._codes[box.slices]
        new = joint_codes(self._reference[box.slices], self._edited[box.slices])
        # Ten times as fast as `np.nonzero` in three dimensions.
        places = np.unravel_index(np.flatnonzero(new != old), box.shape)
        if places[0].size == 0:
            return
        before, after = old[places], new[places]
        for axis, counts in enumerate(self._counts):
            n = box.shape[axis]
            keys = places[axis] * _CODES
            change = np.bincount(keys + after, minlength=n * _CODES)
            change -= np.bincount(keys + before, minlength=n * _CODES)
            counts[box.start[axis] : box.stop[axis]] += change.reshape(n, _CODES)
        self._codes[box.slices] = new

    @property
    def histogram(self) -> NDArray[np.int64]:
        """The (7, 7) counts of pairs of tissues: rows reference, columns mask."""
        return np.asarray(self._counts[2].sum(axis=0).reshape(TISSUE_COUNT, TISSUE_COUNT))

    def confusion(self, tissues: Iterable[Tissue]) -> Confusion:
        """The counts for a set of tissues."""
        return confusion_of(self.histogram, tissues)

    def scores(self, regions: Iterable[Region], tissues: Iterable[Tissue] = ()) -> dict[str, OverlapScores]:
        """Overlap and volumes by region name and, for tissues, by `Tissue` name in lower case."""
        histogram = self.histogram
        sets = {r.name: r.tissues for r in regions} | {t.name.lower(): frozenset({t}) for t in tissues}
        return {n: OverlapScores.of(confusion_of(histogram, s), self._voxel_ml) for n, s in sets.items()}

    def dice_by_slice(self, axis: int, region: Region) -> NDArray[np.float64]:
        """Dice of a region on each slice along an axis; NaN where both masks are empty there.

        Returns
        -------
        (slices,) array
        """
        return self.slices(axis, region).dice

    def slices(self, axis: int, region: Region) -> SliceCounts:
        """The voxels of a region in each slice along an axis."""
        inside = np.zeros(TISSUE_COUNT, dtype=bool)
        inside[[int(t) for t in region.tissues]] = True
        tables = self._counts[axis].reshape(-1, TISSUE_COUNT, TISSUE_COUNT)
        rows = tables[:, inside]
        return SliceCounts(
            rows.sum(axis=(1, 2)), tables[:, :, inside].sum(axis=(1, 2)), rows[:, :, inside].sum(axis=(1, 2))
        )

    def worst_slice(self, axis: int, region: Region) -> int | None:
        """The slice on which the most voxels of a region are in one mask only; None where none is."""
        return self.slices(axis, region).worst

    def dice(self, region: Region) -> Score:
        """Dice of one region."""
        return self.confusion(region.tissues).dice
