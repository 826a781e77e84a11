"""What a whole-label tool does to the labels, in words: the volumes before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue


def name_of(tissue: Tissue) -> str:
    """The name of a label inside a sentence.

    Examples
    --------
    >>> name_of(Tissue.OEDEMA)
    'oedema'
    """
    return TISSUE_NAMES[tissue].lower()


def counts_of(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Voxels of each tissue in a label array, by value; (tissues,)."""
    counts = np.zeros(len(Tissue), dtype=np.int64)
    for part in labels:  # the whole array at once would become int64
        if part.any():
            counts += np.bincount(part.ravel(), minlength=len(Tissue))
        else:
            counts[Tissue.BACKGROUND] += part.size
    return counts


def volumes_in_words(
    before: NDArray[np.int64], after: NDArray[np.int64], tissues: Sequence[Tissue], grid: Grid
) -> str:
    """Volumes before and after.

    Parameters
    ----------
    before, after : (tissues,) arrays
        As of `counts_of`.
    tissues : sequence of Tissue
        Whose volumes are told; none for all labels together.
    grid : Grid
        Voxels are told where it has no known spacing.

    Examples
    --------
    >>> before, after = np.array([0, 0, 86000, 0, 0, 0, 0]), np.array([300, 0, 85700, 0, 0, 0, 0])
    >>> volumes_in_words(before, after, [Tissue.OEDEMA], Grid((9, 9, 9), np.eye(4)))
    '86.0 to 85.7 mL'
    """
    if not tissues:
        return f"all labels {_from_to(int(before[1:].sum()), int(after[1:].sum()), grid)}"
    texts = [_from_to(int(before[t]), int(after[t]), grid) for t in tissues]
    if len(tissues) == 1:
        return texts[0]
    return ", ".join(f"{name_of(t)} {text}" for t, text in zip(tissues, texts, strict=True))


def _from_to(before: int, after: int, grid: Grid) -> str:
    if not grid.spacing_known:
        return f"{before:,} to {after:,} voxels"
    first, second = before * grid.voxel_volume_ml, after * grid.voxel_volume_ml
    decimals = 1 if max(first, second) >= 10 else 2
    return f"{first:.{decimals}f} to {second:.{decimals}f} mL"
