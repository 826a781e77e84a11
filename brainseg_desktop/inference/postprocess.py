"""From region probabilities to tissue labels, and how sure the network is of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.regrowth import Cleaning, cleaned
from brainseg_desktop.inference.card import Postprocess

THRESHOLD = 0.5


def label_tissues(
    probabilities: NDArray[np.uint8] | NDArray[np.floating],
    regions: tuple[str, ...],
    postprocess: Postprocess = Postprocess(),  # noqa: B008 (frozen)
) -> NDArray[np.uint8]:
    """Tissue of every voxel, by the nested regions that hold it.

    Parameters
    ----------
    probabilities : (R, ...) array
        0..255 if uint8, else 0..1.
    regions : tuple of str
        ``("WT",)``: one label for the whole tumour. ``("WT", "TC", "ET")``: oedema is WT without TC, necrosis
        (with non-enhancing core) is TC without ET.
    postprocess : Postprocess
        Only its thresholds are used here: `clean` does the rest. What is in an inner region by its own
        threshold but not in the outer one is left out.

    Returns
    -------
    array of uint8, shape of one region
        `Tissue` values.
    """
    if regions not in (("WT",), ("WT", "TC", "ET")):
        raise ValueError(f"no labels for the regions {regions}")
    inside = [
        region >= _cut(postprocess.thresholds.get(name, THRESHOLD), probabilities.dtype)
        for name, region in zip(regions, probabilities, strict=True)
    ]
    if len(inside) == 1:
        return np.where(inside[0], np.uint8(Tissue.TUMOUR), np.uint8(0))
    whole, core, enhancing = inside
    labels = np.where(whole, np.uint8(Tissue.OEDEMA), np.uint8(0))
    core &= whole
    labels[core] = Tissue.NECROSIS
    labels[core & enhancing] = Tissue.ENHANCING
    return labels


def clean(labels: NDArray[np.uint8], postprocess: Postprocess) -> NDArray[np.uint8]:
    """Labels without holes and specks, as far as the card asks for it.

    Parameters
    ----------
    labels : (X, Y, Z) uint8 array
        `Tissue` values; not changed.
    postprocess : Postprocess
        Holes are filled first, axial slice by slice, with the tissue of the outermost region alone.

    Returns
    -------
    (X, Y, Z) uint8 array
    """
    box = Box.of(labels > 0)
    if box.is_empty:
        return labels
    made = Cleaning(postprocess.speck_share, postprocess.speck_voxels, postprocess.fill_holes)
    result = np.zeros_like(labels)
    result[box.slices] = cleaned(labels[box.slices].copy(), made)
    return result


def uncertainty(probabilities: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How undecided the network is, voxel by voxel.

    Binary entropy of each region's probability, the largest over the regions: 0 where every region is
    certainly there or certainly not, 1 bit where one may as well be as not.

    Parameters
    ----------
    probabilities : (R, ...) uint8 array
        0..255 for 0..1.

    Returns
    -------
    array of uint8, shape of one region
        0..255 for 0..1 bit.
    """
    table = _entropy_table()
    found: NDArray[np.uint8] = table[probabilities[0]]
    for region in probabilities[1:]:
        np.maximum(found, table[region], out=found)
    return found


def _entropy_table() -> NDArray[np.uint8]:
    """Entropy of each of the 256 probabilities."""
    p = np.arange(1, 255) / 255
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.rint(255 * np.pad(bits, 1)).astype(np.uint8)


def _cut(threshold: float, dtype: np.dtype[np.generic]) -> np.generic:
    """The least value that counts as inside."""
    if dtype == np.uint8:
        return np.uint8(math.ceil(255 * threshold - 1e-9))
    return dtype.type(threshold)
