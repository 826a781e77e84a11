"""Distances between the surfaces of two masks, computed once and read off by every surface measure.

The surface of a mask is its voxels with at least one of the six face neighbours outside it; beyond the edge
of the array is outside. An axis with a single voxel has no neighbours, so a one-slice mask has an outline and
not an all-over surface. Distances run between voxel centres, in mm, along the axes of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.metrics import Score, State, emptiness

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]

_NEAR_VOXELS = 5.0
_FEW_POINTS = 300


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """How far each surface voxel of one mask is from the surface of the other.

    Parameters
    ----------
    reference_to_mask, mask_to_reference : 1-D arrays
        In mm, one per surface voxel; infinite where the other mask is empty.
    """

    reference_to_mask: NDArray[np.float64]
    mask_to_reference: NDArray[np.float64]

    @property
    def turned(self) -> SurfaceDistances:
        """The same distances with the mask as reference."""
        return SurfaceDistances(self.mask_to_reference, self.reference_to_mask)

    @property
    def state(self) -> State:
        return emptiness(self.reference_to_mask.size > 0, self.mask_to_reference.size > 0)

    @property
    def hd95_mm(self) -> Score:
        """The larger of the two directed 95th percentiles (linear between ranks)."""
        return self.hausdorff_mm(95.0)

    def hausdorff_mm(self, percent: float) -> Score:
        """The larger of the two directed percentiles; 100 gives the Hausdorff distance itself."""
        if self.state != "ok":
            return Score(None, self.state, "mm")
        directed = (np.percentile(d, percent) for d in (self.reference_to_mask, self.mask_to_reference))
        return Score(float(max(directed)), "ok", "mm")

    @property
    def assd_mm(self) -> Score:
        """Mean over the surface voxels of both masks together (average symmetric surface distance)."""
        if self.state != "ok":
            return Score(None, self.state, "mm")
        total = self.reference_to_mask.sum() + self.mask_to_reference.sum()
        return Score(float(total) / self._count, "ok", "mm")

    def surface_dice(self, tolerance_mm: float) -> Score:
        """Share of the surface voxels of both masks that lie within the tolerance of the other surface.

        Nikolov et al. 2018 (arXiv:1809.04430), with voxels counted in place of their surface areas.
        """
        if self.state == "both_empty":
            return Score(None, "both_empty")
        # Half a micrometre: 1 mm voxels with a rounding error in the header are 1 mm apart.
        limit = tolerance_mm + 5e-4
        both = (self.reference_to_mask, self.mask_to_reference)
        near = sum(int(np.count_nonzero(d <= limit)) for d in both)
        return Score(near / self._count, self.state)

    @property
    def _count(self) -> int:
        return self.reference_to_mask.size + self.mask_to_reference.size


def surface_of(mask: Mask) -> Mask:
    """The surface voxels of a 3-D mask.

    Examples
    --------
    >>> cube = np.ones((3, 3, 3), dtype=bool)
    >>> int(surface_of(cube).sum())
    26
    """
    if mask.size == 1:
        return mask.copy()
    inner = mask.copy()
    for axis in range(3):
        if mask.shape[axis] == 1:
            continue
        low, high = _cut(axis, slice(None, -1)), _cut(axis, slice(1, None))
        inner[high] &= mask[low]
        inner[low] &= mask[high]
        inner[_cut(axis, slice(0, 1))] = False
        inner[_cut(axis, slice(-1, None))] = False
    return mask & ~inner


def _cut(axis: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if a == axis else slice(None) for a in range(3))


def joint_box(reference: Mask, mask: Mask, margin: int) -> Box:
    """The box around both masks, widened by `margin` voxels inside the array; empty if both are."""
    box = Box.of(reference | mask)
    if box.is_empty:
        return box
    x, y, z = (a - margin for a in box.start)
    u, v, w = (b + margin for b in box.stop)
    n = reference.shape
    return Box((x, y, z), (u, v, w)).clipped((n[0], n[1], n[2]))


def surface_distances(reference: Mask, mask: Mask, spacing_mm: Spacing) -> SurfaceDistances:
    """Distances between the surfaces of two masks of one shape, both ways."""
    box = joint_box(reference, mask, 1)
    if box.is_empty:
        return SurfaceDistances(np.empty(0), np.empty(0))
    # Surfaces are taken in the widened box: only an edge of the array itself may count as outside.
    first, second = surface_of(reference[box.slices]), surface_of(mask[box.slices])
    return between_surfaces(first, second, spacing_mm)


def hd95_voxel(reference: Mask, mask: Mask, distances: SurfaceDistances) -> tuple[int, int, int] | None:
    """Where HD95 is met: the surface voxel whose distance is nearest to it, of the mask that is farther off.

    Parameters
    ----------
    reference, mask : (X, Y, Z) arrays of bool
    distances : SurfaceDistances
        Those of this pair.

    Returns
    -------
    (int, int, int) or None
        Without a value if a mask is empty.
    """
    value = distances.hd95_mm.value
    if value is None:
        return None
    both = ((distances.reference_to_mask, reference), (distances.mask_to_reference, mask))
    from_one, drawn = max(both, key=lambda pair: float(np.percentile(pair[0], 95.0)))
    # Distances stand in the order of the surface voxels in memory, whatever box they were counted in.
    x, y, z = np.argwhere(surface_of(drawn))[int(np.abs(from_one - value).argmin())].tolist()
    return (x, y, z)


def between_surfaces(first: Mask, second: Mask, spacing_mm: Spacing) -> SurfaceDistances:
    """Distances between two sets of surface voxels of one shape, both ways."""
    box = Box.of(first | second)
    a, b = first[box.slices], second[box.slices]
    return SurfaceDistances(_distances(a, b, spacing_mm), _distances(b, a, spacing_mm))


def _distances(origin: Mask, target: Mask, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance of each voxel of `origin`, in C order, to the nearest of `target`, in mm.

    Masks worth comparing lie mostly within a few voxels of each other, where a search tree is some five times
    faster than a distance transform of the box; but a tree gets slow where many targets are equally far, so
    what is not near is left to the transform, unless it is little.
    """
    if not target.any():
        return np.full(int(np.count_nonzero(origin)), np.inf)
    points = np.argwhere(origin) * np.array(spacing_mm)
    distances = np.zeros(len(points))
    apart = np.flatnonzero(~target[origin])
    if apart.size == 0:
        return distances
    tree = cKDTree(np.argwhere(target) * np.array(spacing_mm), balanced_tree=False)
    near = _NEAR_VOXELS * max(spacing_mm)
    distances[apart] = tree.query(points[apart], distance_upper_bound=near)[0]
    far = np.flatnonzero(np.isinf(distances))
    if far.size > _FEW_POINTS:
        field = ndimage.distance_transform_edt(~target, sampling=spacing_mm)
        distances[far] = field[origin][far]
    elif far.size:
        distances[far] = tree.query(points[far])[0]
    return distances
