"""What lies in each slice: voxels of every label, kept up to date while painting, and a network's doubt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue

_TISSUES = len(Tissue)
_TOUCHING = np.ones((3, 3, 3), dtype=bool)
# The shadow grows by so many voxels more than it must, so that a stroke that creeps on does not copy it at
# every dab.
_MARGIN = 16
_NOWHERE = Box((0, 0, 0), (0, 0, 0))


class LabelProfiles:
    """Number of voxels of each tissue in each slice along each axis.

    An update costs what has changed, not what is there: a copy of the part of the labels that holds anything
    (a tumour's box, not the whole array) tells what each changed voxel was before.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
        `Tissue` values; read, not kept.

    Examples
    --------
    >>> labels = np.zeros((4, 4, 4), np.uint8)
    >>> labels[1, 2, 3] = Tissue.OEDEMA
    >>> profiles = LabelProfiles(labels)
    >>> profiles.counts(2)[:, Tissue.OEDEMA].tolist()
    [0, 0, 0, 1]
    """

    def __init__(self, labels: NDArray[np.uint8]) -> None:
        n = labels.shape
        self.shape = (n[0], n[1], n[2])
        self._counts = tuple(np.zeros((size, _TISSUES), dtype=np.int64) for size in n)
        for counts, size in zip(self._counts, n, strict=True):
            counts[:, Tissue.BACKGROUND] = labels.size // size if size else 0
        self._shadow: NDArray[np.uint8] = np.zeros((0, 0, 0), dtype=np.uint8)
        self._covered = _NOWHERE
        self.update(labels, Box((0, 0, 0), self.shape))

    def counts(self, axis: int) -> NDArray[np.int64]:
        """Voxels of each tissue in each slice across `axis`: (slices, tissues), read-only, always present."""
        view = self._counts[axis].view()
        view.flags.writeable = False
        return view

    @property
    def totals(self) -> NDArray[np.int64]:
        """Voxels of each tissue, (tissues,)."""
        return np.asarray(self._counts[0].sum(axis=0))

    def box_of(self, tissue: Tissue) -> Box:
        """The bounding box of a tissue; empty if there is none."""
        start, stop = [], []
        for counts in self._counts:
            where = np.flatnonzero(counts[:, tissue])
            if where.size == 0:
                return _NOWHERE
            start.append(int(where[0]))
            stop.append(int(where[-1]) + 1)
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def update(self, labels: NDArray[np.uint8], box: Box) -> bool:
        """Count anew what has changed; every change since the last update lies inside `box`.

        Parameters
        ----------
        labels : (X, Y, Z) array of uint8
            The present labels, of the shape given at first.
        box : Box
            May reach beyond the array.

        Returns
        -------
        bool
            Whether any voxel has changed.

        Raises
        ------
        ValueError
            If the labels have another shape.
        """
        if labels.shape != self.shape:
            raise ValueError(f"labels of shape {labels.shape}, not {self.shape}")
        box = box.clipped(self.shape)
        if box.is_empty:
            return False
        self._cover(labels, _moved(Box.of(labels[box.slices] != 0), box.start))
        # What lies outside the shadow is background now as before.
        part = _common(box, self._covered)
        if part.is_empty:
            return False
        inside = _moved(part, tuple(-s for s in self._covered.start))
        old, new = self._shadow[inside.slices], labels[part.slices]
        changed = old != new
        where = np.nonzero(changed)
        if where[0].size == 0:
            return False
        before, after = old[changed].astype(np.intp), new[changed].astype(np.intp)
        for axis, counts in enumerate(self._counts):
            rows = (where[axis] + part.start[axis]) * _TISSUES
            counts += np.bincount(rows + after, minlength=counts.size).reshape(counts.shape)
            counts -= np.bincount(rows + before, minlength=counts.size).reshape(counts.shape)
        old[changed] = new[changed]
        return True

    def _cover(self, labels: NDArray[np.uint8], needed: Box) -> None:
        """Have the shadow reach over `needed`; what is new in it was background until now."""
        if self._covered.union(needed) == self._covered:
            return
        start, stop = needed
        wide = Box(
            (start[0] - _MARGIN, start[1] - _MARGIN, start[2] - _MARGIN),
            (stop[0] + _MARGIN, stop[1] + _MARGIN, stop[2] + _MARGIN),
        )
        grown = self._covered.union(wide.clipped(self.shape))
        shadow = np.zeros(grown.shape, dtype=np.uint8)
        shadow[_moved(self._covered, tuple(-s for s in grown.start)).slices] = self._shadow
        self._shadow, self._covered = shadow, grown


def doubt_profile(uncertainty: NDArray[np.uint8], axis: int) -> NDArray[np.float64]:
    """Doubt of each slice across `axis`.

    Parameters
    ----------
    uncertainty : (X, Y, Z) array of uint8
        255 = 1 bit.
    axis : int

    Returns
    -------
    (slices,) array of float
        Bits summed over the voxels of the slice.
    """
    others = tuple(a for a in range(3) if a != axis)
    # 512 x 512 voxels of 255 stay far below the limit of uint32.
    return np.asarray(uncertainty.sum(axis=others, dtype=np.uint32) / 255.0)


def central_voxel(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> tuple[int, int, int]:
    """The voxel of the largest piece (26-connected) that is nearest to the piece's centroid.

    The centroid itself may lie outside: oedema surrounds what it belongs to.

    Parameters
    ----------
    mask : (X, Y, Z) array of bool
    spacing_mm : tuple of float
        Along each axis.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    pieces, count = ndimage.label(mask, _TOUCHING)
    if count == 0:
        raise ValueError("an empty mask has no centre")
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    points = np.argwhere(pieces == largest)
    away = (points - points.mean(axis=0)) * np.array(spacing_mm)
    x, y, z = points[int((away**2).sum(axis=1).argmin())]
    return (int(x), int(y), int(z))


def _moved(box: Box, by: tuple[int, ...]) -> Box:
    (a, b, c), (d, e, f) = box
    return Box((a + by[0], b + by[1], c + by[2]), (d + by[0], e + by[1], f + by[2]))


def _common(one: Box, other: Box) -> Box:
    """What two boxes share; may be empty."""
    start = tuple(max(p, q) for p, q in zip(one.start, other.start, strict=True))
    stop = tuple(min(p, q) for p, q in zip(one.stop, other.stop, strict=True))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
