"""From region probabilities to tissue labels."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.labels import Tissue

# Probabilities are stored as 0..255.
THRESHOLD = 128
# A piece of tumour is a speck if it is smaller than this share of the largest piece and than so many voxels
# of the grid. In whole heads, whose scalp, eyes and fat draw false pieces, size alone does not save one:
# in the references of the 64 training patients pieces below 0.15 hold 0.2 % of the tumour (at most 5 %).
SPECKS: dict[str, tuple[float, float]] = {"whole_head": (0.15, inf), "skull_stripped": (0.05, 60)}


def label_tissues(
    probabilities: NDArray[np.uint8], regions: tuple[str, ...], threshold: int = THRESHOLD
) -> NDArray[np.uint8]:
    """Tissue of every voxel, by the nested regions that hold it.

    Parameters
    ----------
    probabilities : (R, ...) uint8 array
    regions : tuple of str
        ``("WT",)``: one label for the whole tumour. ``("WT", "TC", "ET")``: oedema is WT without TC, necrosis
        (with non-enhancing core) is TC without ET.

    Returns
    -------
    array of uint8, shape of one region
        `Tissue` values.
    """
    inside = probabilities >= threshold
    if regions == ("WT",):
        return np.where(inside[0], np.uint8(Tissue.TUMOUR), np.uint8(0))
    if regions != ("WT", "TC", "ET"):
        raise ValueError(f"no labels for the regions {regions}")
    whole = inside[0]
    core = whole & inside[1]
    labels = np.where(whole, np.uint8(Tissue.OEDEMA), np.uint8(0))
    labels[core] = Tissue.NECROSIS
    labels[core & inside[2]] = Tissue.ENHANCING
    return labels


def remove_specks(labels: NDArray[np.uint8], kind: str) -> NDArray[np.uint8]:
    """Labels (X, Y, Z) without isolated pieces that are small beside the largest one; see `SPECKS`.

    In stripped brains satellites of a real size stay: a false piece is deleted in one click, a missing one is
    never seen.
    """
    pieces, count = ndimage.label(labels > 0, structure=np.ones((3, 3, 3), bool))
    if count < 2:
        return labels
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    share, voxels = SPECKS[kind]
    dropped = (sizes < voxels) & (sizes < share * sizes.max())
    return np.where(dropped[pieces], np.uint8(0), labels)
