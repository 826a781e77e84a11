"""What fills an image around the head, and what is tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Stride of the samples that statistics of a whole volume are taken from.
COARSE = 4


@dataclass(frozen=True, slots=True)
class Background:
    """The value around the head, and the tolerance within which a voxel still counts as it.

    `both_sides` is set where tissue lies below the background as well as above it: z-scored exports that
    leave 0 around the brain, and inversion-recovery images with signed values.
    """

    value: float
    tolerance: float
    both_sides: bool

    def foreground(self, data: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Voxels that are not background."""
        if self.both_sides:
            return np.asarray(np.abs(data - self.value) > self.tolerance)
        return np.asarray(data > self.value + self.tolerance)


def find_background(data: NDArray[np.generic]) -> Background:
    """The value that fills the four sides of a volume, and how far tissue is from it.

    The top and bottom faces are left out: they often lie inside the head. A noisy background has no most
    frequent value; there the median of the sides is taken.
    """
    sides = np.concatenate([data[i].ravel() for i in (0, -1)] + [data[:, i].ravel() for i in (0, -1)])
    sides = _finite(sides)
    inside = _finite(coarse(data))
    if sides.size == 0 or inside.size == 0:
        return Background(0.0, 0.0, False)
    values, counts = np.unique(sides, return_counts=True)
    best = int(counts.argmax())
    share = counts[best] / sides.size
    value = float(values[best]) if share > 0.1 else float(np.median(sides))
    low, high = (float(v) for v in np.percentile(inside, (0.5, 99.5)))
    below = float(np.mean(inside < value - 0.02 * (high - low)))
    if share > 0.3 and below > 0.03:
        return Background(value, 0.005 * (high - low), True)
    return Background(value, 0.05 * max(high - value, 0.0), False)


def coarse(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every fourth pixel of a volume: enough for where the head is and how bright."""
    return data[::COARSE, ::COARSE]


def _finite(values: NDArray[np.generic]) -> NDArray[np.float32]:
    numbers = np.asarray(values, np.float32).ravel()
    return numbers[np.isfinite(numbers)]
