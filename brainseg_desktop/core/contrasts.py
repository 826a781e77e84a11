"""What the grey values themselves tell of a sequence, where no header does.

Fluid is bright on T2 and nothing in the head is as dark as it is on T1 and FLAIR; FLAIR follows T2 elsewhere
(oedema and grey matter bright), T1 runs against it; contrast agent makes single places brighter and none
darker. The limits were found on the BraTS cases of three years and hold there with room to spare; a result is
only ever a suggestion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import Volume

_STEP_MM = 3.0
# A sampled head has some 50,000 places; fewer than these are no common part to judge by.
_FEWEST = 500
# Tails of the logarithm of a ratio: per cent of the head, and how much longer the bright one must be.
_TAIL_PERCENT = 0.5
ENHANCED = 1.3
# Over the median of the inner head: the bright end of T2 is above, its dark end is not below.
_BRIGHT, _NOT_DARK = 2.0, 0.4


def fluid_is_bright(volume: Volume) -> bool:
    """Whether the inner head has much that is far brighter than the rest, and little that is far darker."""
    values, places = _sampled(volume)
    head = values > _dark_limit(values)
    if np.count_nonzero(head) < _FEWEST:
        return False
    low, high = np.percentile(places[head], (25, 75), axis=0)
    inner = values[((places >= low) & (places <= high)).all(axis=1) & (values > values.min())]
    if inner.size < _FEWEST // 10:
        return False
    dark, middle, bright = np.percentile(inner, (3, 50, 97))
    return bool(middle > 0 and bright >= _BRIGHT * middle and dark >= _NOT_DARK * middle)


def likeness(one: Volume, other: Volume) -> float | None:
    """Rank correlation of two images in the head, -1 to 1; None where they share too little."""
    shared = _shared(one, other)
    if shared is None:
        return None
    a, b = (np.argsort(np.argsort(values)).astype(np.float64) for values in shared)
    return float(np.corrcoef(a, b)[0, 1])


def enhancement(plain: Volume, other: Volume) -> float | None:
    """How much further `other` exceeds `plain` at its brightest places than it stays behind at its darkest.

    Returns
    -------
    float or None
        About 1 for two images without contrast agent, above `ENHANCED` if `other` has it, below its inverse
        if `plain` has it. None where the two share too little.
    """
    shared = _shared(plain, other)
    if shared is None:
        return None
    ratio = np.log(shared[1] / shared[0])
    dark, middle, bright = np.percentile(ratio, (_TAIL_PERCENT, 50, 100 - _TAIL_PERCENT))
    return float((bright - middle + 1e-3) / (middle - dark + 1e-3))


def _shared(one: Volume, other: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Values of both at the same places of the head, above 0."""
    mine, places = _sampled(one)
    voxels = np.floor(other.grid.voxel_of(places) + 0.5).astype(np.int64)
    inside = ((voxels >= 0) & (voxels < other.grid.shape)).all(axis=1)
    x, y, z = voxels[inside].T
    theirs = np.asarray(other.data[x, y, z], dtype=np.float64)
    mine = mine[inside]
    if mine.size < _FEWEST:
        return None
    head = (mine > max(0.0, _dark_limit(mine))) & (theirs > max(0.0, _dark_limit(theirs)))
    if np.count_nonzero(head) < _FEWEST:
        return None
    return mine[head], theirs[head]


def _sampled(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Voxels about every 3 mm: their values, and where they lie in RAS mm, (N, 3)."""
    steps = [max(1, round(_STEP_MM / mm)) for mm in volume.grid.spacing_mm]
    cut: NDArray[Any] = volume.data[tuple(slice(s // 2, None, s) for s in steps)]
    indices = np.moveaxis(np.indices(cut.shape), 0, -1).reshape(-1, 3) * steps + [s // 2 for s in steps]
    return np.asarray(cut, dtype=np.float64).ravel(), volume.grid.world_of(indices)


def _dark_limit(values: NDArray[np.float64]) -> float:
    """Below it lies air: a tenth of the way from the darkest value to the bright ones."""
    low = float(values.min())
    above = values[values > low]
    return low if above.size == 0 else low + 0.1 * (float(np.percentile(above, 98)) - low)
