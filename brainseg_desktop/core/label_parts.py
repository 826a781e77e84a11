"""Whole-label tools that work on connected parts: islands, holes, one lesion, and exchanges of labels.

Pure, as `core.label_tools`. Parts of a label are 26-connected; the background between them, where holes are
looked for, is connected by faces alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.label_tools import (
    NONE_KEPT,
    Change,
    Kept,
    Labels,
    Mask,
    among,
    moved,
    proposal,
    widened,
)
from brainseg_desktop.core.labels import Tissue

Voxel = tuple[int, int, int]

_CONNECTED_26 = np.ones((3, 3, 3), dtype=bool)
_CONNECTED_6 = ndimage.generate_binary_structure(3, 1)
# Percentiles of a label's voxels that a rule on intensities starts with.
USUAL_PERCENTS = (5.0, 95.0)
_SAMPLE_VOXELS = 10_000_000


def drop_islands(
    labels: Labels, tissue: Tissue, grid: Grid, ml: float, kept: Kept = NONE_KEPT
) -> Change | None:
    """Take the connected parts of a label that are smaller than a volume from it.

    A part becomes, whole, what most of its faces touch: a speck of necrosis in enhancing tumour becomes
    enhancing tumour, one in the background goes.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    grid : Grid
    ml : float
        Parts of less than this volume go.
    kept : frozenset of Tissue
        Labels that gain nothing: a part that lies in one of them stays.

    Returns
    -------
    Change or None
    """
    # A part of exactly this volume stays, whatever the rounding of the product.
    limit = ml / grid.voxel_volume_ml * (1 - 1e-9)
    return _without(labels, tissue, kept, lambda sizes: sizes < limit)


def keep_largest(labels: Labels, tissue: Tissue, kept: Kept = NONE_KEPT) -> Change | None:
    """Take all connected parts of a label but the largest (of equal ones the first) from it.

    What becomes of them is as in `drop_islands`.
    """
    return _without(labels, tissue, kept, lambda sizes: np.arange(sizes.size) != np.argmax(sizes))


def fill_holes(labels: Labels, tissue: Tissue, axis: int | None = None) -> Change | None:
    """Give background that is enclosed by labels, and touches this one, to it.

    Other labels are no holes: the necrosis inside an enhancing rim stays what it is.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    tissue : Tissue
    axis : int or None
        The array axis across which slices are looked at one by one; None to look in three dimensions. What
        is open to the edge of the array is no hole.

    Returns
    -------
    Change or None
    """
    crop = widened(Box.of(labels != Tissue.BACKGROUND), (1, 1, 1), labels.shape)
    if crop.is_empty:
        return None
    before = labels[crop.slices]
    structure = _CONNECTED_6.copy()
    if axis is not None:
        flat = [slice(None)] * 3
        flat[axis] = slice(1, 2)
        structure[:] = False
        structure[tuple(flat)] = _CONNECTED_6[tuple(flat)]
    pockets, count = ndimage.label(before == Tissue.BACKGROUND, structure)
    holes = np.zeros(count + 1, dtype=bool)
    holes[pockets[ndimage.binary_dilation(before == tissue, structure)]] = True
    for across in (a for a in range(3) if a != axis):
        for face in (0, -1):
            holes[np.take(pockets, face, axis=across)] = False
    holes[0] = False
    return proposal(labels, crop, np.where(holes[pockets], np.uint8(tissue), before))


def relabel_component(labels: Labels, voxel: Voxel, tissue: Tissue) -> Change | None:
    """Give the connected part of the label at a voxel to another label; BACKGROUND erases it.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
    voxel : (int, int, int)
    tissue : Tissue
        What the part becomes.

    Returns
    -------
    Change or None
        None on background, outside of the array, and where the part has this label already.
    """
    if not _inside(voxel, labels.shape) or labels[voxel] in (Tissue.BACKGROUND, tissue):
        return None
    box, part = _component(labels == labels[voxel], voxel)
    return proposal(labels, box, np.where(part, np.uint8(tissue), labels[box.slices]))


def swap(labels: Labels, first: Tissue, second: Tissue) -> Change | None:
    """Exchange two labels everywhere."""
    crop = Box.of(among(labels, frozenset({first, second})))
    if crop.is_empty or first == second:
        return None
    table = np.arange(256, dtype=np.uint8)
    table[[first, second]] = second, first
    return proposal(labels, crop, table[labels[crop.slices]])


def clear_label(labels: Labels, tissue: Tissue) -> Change | None:
    """Make every voxel of a label background."""
    crop = Box.of(labels == tissue)
    if crop.is_empty:
        return None
    before = labels[crop.slices]
    return proposal(labels, crop, np.where(before == tissue, np.uint8(Tissue.BACKGROUND), before))


def take_box(labels: Labels, other: Labels, box: Box) -> Change | None:
    """Make a mask equal to another one inside a box, background included.

    Parameters
    ----------
    labels, other : (X, Y, Z) arrays of uint8
    box : Box
        Clipped to the array.
    """
    n = labels.shape
    inside = box.clipped((n[0], n[1], n[2]))
    return None if inside.is_empty else proposal(labels, inside, other[inside.slices])


def take_lesion(labels: Labels, other: Labels, voxel: Voxel) -> Change | None:
    """Make a mask equal to another one inside the lesion at a voxel.

    The lesion is the connected part of what either mask labels, of any label: what only the other has is
    added, what only this one has goes, and other lesions stay.

    Parameters
    ----------
    labels, other : (X, Y, Z) arrays of uint8
    voxel : (int, int, int)

    Returns
    -------
    Change or None
        None where neither mask has a label at the voxel, and where they agree on the whole lesion.
    """
    if not _inside(voxel, labels.shape) or not (labels[voxel] or other[voxel]):
        return None
    box, part = _component((labels | other) != Tissue.BACKGROUND, voxel)
    return proposal(labels, box, np.where(part, other[box.slices], labels[box.slices]))


def usual_range(values: NDArray[Any], labels: Labels, tissue: Tissue) -> tuple[float, float] | None:
    """The 5th and 95th percentile of an image in the voxels of a label.

    Parameters
    ----------
    values, labels : (X, Y, Z) arrays
        Of large arrays only every so many slices along the first axis are looked at.
    tissue : Tissue

    Returns
    -------
    (float, float) or None
        None where the label has no voxel with a finite value.
    """
    step = -(-labels.size // _SAMPLE_VOXELS)
    inside = values[::step][labels[::step] == tissue]
    inside = inside[np.isfinite(inside)]
    if inside.size == 0:
        return None
    low, high = (float(v) for v in np.percentile(inside, USUAL_PERCENTS))
    return (low, high)


def _without(
    labels: Labels, tissue: Tissue, kept: Kept, goes: Callable[[NDArray[np.int64]], Mask]
) -> Change | None:
    """Give the parts for which ``goes(sizes)`` is true to what they lie in."""
    crop = widened(Box.of(labels == tissue), (1, 1, 1), labels.shape)
    if crop.is_empty:
        return None
    before = labels[crop.slices]
    parts, count = ndimage.label(before == tissue, _CONNECTED_26)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    going = np.zeros(count + 1, dtype=bool)
    going[1:] = goes(sizes[1:])
    if not going.any():
        return None
    becomes = np.where(going, _surroundings(parts, going, before), np.uint8(tissue))
    becomes[among(becomes, kept)] = tissue
    return proposal(labels, crop, np.where(parts > 0, becomes[parts], before))


def _surroundings(parts: NDArray[np.int32], chosen: Mask, labels: Labels) -> Labels:
    """The label that most outer faces of each chosen part touch, background first; (parts + 1,) uint8."""
    kinds = len(Tissue)
    votes = np.zeros(chosen.size * kinds, dtype=np.int64)
    voxels = chosen[parts]
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        for here, there in ((low, high), (high, low)):
            border = voxels[here] & (parts[there] == 0)
            pairs = parts[here][border].astype(np.int64) * kinds + labels[there][border]
            votes += np.bincount(pairs, minlength=votes.size)
    return np.asarray(votes.reshape(-1, kinds).argmax(axis=1), dtype=np.uint8)


def _component(mask: Mask, voxel: Voxel) -> tuple[Box, Mask]:
    """The 26-connected part of a mask at one of its voxels: its box and the part in it."""
    crop = Box.of(mask)
    parts, _ = ndimage.label(mask[crop.slices], _CONNECTED_26)
    x, y, z = (i - a for i, a in zip(voxel, crop.start, strict=True))
    part = parts == parts[x, y, z]
    inner = Box.of(part)
    return moved(inner, crop.start), part[inner.slices]


def _inside(voxel: Voxel, shape: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(voxel, shape, strict=True))
