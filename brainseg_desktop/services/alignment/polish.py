"""The last millimetre of a registration: mutual information on the voxels of the coarser image.

A regular climb stops a millimetre or two early on thick slices, because the samples between two of them are
blurred by interpolation and the metric jumps with them. Here the voxels of the coarser image are taken as
they are, only the finer image, smoothed to about the same resolution, is interpolated, and each of its values
counts for two neighbouring bins by its distance (partial volume of the histogram; Maes et al., IEEE TMI 16,
1997). Powell's method needs no gradient of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform

FloatArray = NDArray[np.float64]

BINS = 32
SAMPLES = 30_000
# Distance from the centre, in mm, at which a turn counts as much as a shift: about the radius of a head.
RADIUS_MM = 60.0
TOLERANCE = 0.02
USUAL_EVALUATIONS = 350
# Of the range of intensities: what is brighter belongs to the head.
BRIGHT = 0.06


class MutualInformation:
    """How well two images agree under a motion.

    Parameters
    ----------
    still : (X, Y, Z) float array, 0 to 1
        Whose own voxels are looked at: the coarser image.
    other : (X, Y, Z) float array, 0 to 1
        Interpolated.
    seed : int
        For the choice of voxels; with the same seed the result is the same.
    """

    def __init__(
        self, still: NDArray[Any], still_grid: Grid, other: NDArray[Any], other_grid: Grid, seed: int
    ) -> None:
        smooth = gaussian_filter(still, _sigmas(still_grid, still_grid.spacing_mm))
        self._other = gaussian_filter(other, _sigmas(other_grid, _lengths_along(still_grid, other_grid)))
        voxels = _head(smooth)
        if len(voxels) > SAMPLES:
            voxels = voxels[np.random.default_rng(seed).choice(len(voxels), SAMPLES, replace=False)]
        self._bins = np.minimum((smooth[tuple(voxels.T)] * BINS).astype(np.intp), BINS - 1) * BINS
        points = still_grid.world_of(voxels)
        self.centre = points.mean(axis=0)
        self._points = points
        self._to_other = np.linalg.inv(other_grid.voxel_to_world)

    def __call__(self, motion: RigidTransform) -> float:
        """Mutual information in nats if the points of the still image move so into the other."""
        moved = motion.apply(self._points) @ self._to_other[:3, :3].T + self._to_other[:3, 3]
        values = map_coordinates(self._other, moved.T, order=1, mode="constant", output=np.float64)
        place = values.clip(0, 1) * (BINS - 1)
        low = np.minimum(place.astype(np.intp), BINS - 2)
        share = place - low
        joint = np.bincount(self._bins + low, 1 - share, BINS**2)
        joint += np.bincount(self._bins + low + 1, share, BINS**2)
        table = joint.reshape(BINS, BINS) / len(values)
        apart = np.outer(table.sum(axis=1), table.sum(axis=0))
        told = table > 0
        return float((table[told] * np.log(table[told] / apart[told])).sum())

    def motion(self, numbers: FloatArray) -> RigidTransform:
        """The motion of six numbers in mm: a rotation vector times `RADIUS_MM`, and a shift."""
        turn, shift = numbers[:3] / RADIUS_MM, numbers[3:]
        angle = float(np.linalg.norm(turn))
        axis = turn / angle if angle > 0 else np.array([0.0, 0.0, 1.0])
        return RigidTransform.about(axis, np.degrees(angle), self.centre, shift)


def polish(
    metric: MutualInformation, start: RigidTransform, tell: Callable[[float], object]
) -> RigidTransform:
    """The motion of best mutual information near a start."""
    from scipy.optimize import minimize

    done = 0

    def cost(numbers: FloatArray) -> float:
        nonlocal done
        done += 1
        if done % 10 == 0:
            tell(min(0.99, done / USUAL_EVALUATIONS))
        # Numbers around the start, so that the directions of the search stay turns and shifts.
        return -metric(start.compose(metric.motion(numbers)))

    found = minimize(
        cost,
        np.zeros(6),
        method="Powell",
        options={"xtol": TOLERANCE, "ftol": 1e-6, "maxfev": 3 * USUAL_EVALUATIONS},
    )
    best = start.compose(metric.motion(found.x))
    return best if -found.fun >= metric(start) else start


def _head(smooth: NDArray[Any]) -> NDArray[np.intp]:
    """Voxels of what is bright and a little around it; all voxels where that is nearly nothing."""
    bright = smooth > BRIGHT
    if bright.sum() < 1000:
        return np.argwhere(np.ones(smooth.shape, bool))
    return np.argwhere(binary_dilation(bright, iterations=5))


def _lengths_along(coarse: Grid, fine: Grid) -> tuple[float, ...]:
    """For each axis of the fine grid the voxel length of the coarse one in that direction, in mm."""
    columns = fine.voxel_to_world[:3, :3] / np.array(fine.spacing_mm)
    directions = coarse.voxel_to_world[:3, :3] / np.array(coarse.spacing_mm)
    nearest = np.abs(directions.T @ columns).argmax(axis=0)
    return tuple(coarse.spacing_mm[i] for i in nearest)


def _sigmas(grid: Grid, lengths_mm: tuple[float, ...]) -> list[float]:
    """Smoothing along each axis in voxels: to voxels of these lengths, and not finer than about 2 mm."""
    pairs = zip(lengths_mm, grid.spacing_mm, strict=True)
    wanted = [max(0.0, max(length, 3.0) ** 2 - own**2) for length, own in pairs]
    # A box of length a has the spread a / sqrt(12).
    return [float(np.sqrt(w / 12) / own) for w, own in zip(wanted, grid.spacing_mm, strict=True)]
