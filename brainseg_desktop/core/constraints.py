"""Which voxels an edit may change: rules that protect what is right already.

Every tool that writes a mask asks here, so a rule that is on holds for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """Voxels whose value in one sequence lies in a range, ends included; or all others.

    Parameters
    ----------
    sequence : Sequence
    low, high : float
        As stored in the image.
    inverse : bool
        Take the voxels outside of the range.
    """

    sequence: Sequence
    low: float
    high: float
    inverse: bool = False

    def holds(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Where values of the sequence satisfy the rule; a voxel that is not a number never does."""
        inside = (values >= self.low) & (values <= self.high)
        return np.asarray(~inside & np.isfinite(values) if self.inverse else inside)


@dataclass(frozen=True, slots=True)
class Constraints:
    """The rules that are on; none by default.

    Parameters
    ----------
    keep_others : bool
        Only background and the chosen label change: painting fills background, erasing takes the chosen
        label.
    only_inside : Tissue or None
        Only voxels that have this label now change.
    intensity : IntensityRange or None
    locked : frozenset of Tissue
        Voxels of these labels do not change, and none is added.
    """

    keep_others: bool = False
    only_inside: Tissue | None = None
    intensity: IntensityRange | None = None
    locked: frozenset[Tissue] = frozenset()

    def permitted(
        self,
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        tissue: Tissue,
        values: NDArray[Any] | None = None,
    ) -> NDArray[np.bool_]:
        """Where labels may change from `before` to `after`.

        Parameters
        ----------
        before, after : arrays of one shape
            `Tissue` values.
        tissue : Tissue
            The label chosen, for `keep_others`.
        values : array of that shape or None
            Of the sequence of `intensity`; needed if that rule is on.

        Returns
        -------
        array of bool
            True where nothing forbids the change, also where there is none.
        """
        may = np.ones(before.shape, dtype=bool)
        if self.keep_others:
            may &= (before == Tissue.BACKGROUND) | (before == tissue)
        if self.only_inside is not None:
            may &= before == self.only_inside
        if self.locked:
            locked = np.zeros(256, dtype=bool)
            locked[[int(t) for t in self.locked]] = True
            may &= ~(locked[before] | locked[after])
        if self.intensity is not None:
            if values is None:
                raise ValueError("the rule on intensities needs the values of its sequence")
            may &= self.intensity.holds(values)
        return may
