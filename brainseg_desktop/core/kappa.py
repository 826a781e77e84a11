"""Agreement beyond chance on labels: Fleiss' and Cohen's kappa, Krippendorff's alpha.

Chance depends on how much background is counted, so every function on masks must be told its `scope`, and
the scope belongs beside the number:

* ``grid``: all voxels. Background dominates; for one region and two readers kappa then tends to Dice as the
  background grows (Zijdenbos et al. 1994, IEEE Transactions on Medical Imaging 13, 716-724).
* ``box``: the smallest box around all that any reader marked.
* ``union``: only voxels any reader marked. It asks whether readers call tumour the same tissue. For a single
  region it is no fair number: agreed background is left out by construction, and with two readers kappa is
  never above 0, however alike the masks are.

Voxels are not independent, so no confidence interval is given from their number; resample cases instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.reliability import Statistic, finite_table

Scope = Literal["union", "box", "grid"]
Categories = Sequence[Iterable[int]]
Masks = Sequence[NDArray[np.uint8]]

SLAB_VOXELS = 1 << 20
# Up to this many codes a histogram is counted in place; beyond it the codes that occur are sorted.
FEW_CODES = 1 << 20


@dataclass(frozen=True, slots=True)
class Votes:
    """Which sets of votes occur in the masks of several readers, and in how many voxels.

    Parameters
    ----------
    counts : (patterns, 1 + categories) array
        Readers that chose the rest (column 0) and each category.
    voxels : (patterns,) array
        Voxels with this pattern.
    scope : {"union", "box", "grid"}
        Which voxels were counted.
    """

    counts: NDArray[np.int64]
    voxels: NDArray[np.int64]
    scope: Scope


def fleiss_kappa(counts: ArrayLike, weights: ArrayLike | None = None) -> Statistic:
    """Agreement beyond chance of a fixed number of readers on nominal categories.

    Parameters
    ----------
    counts : (items, categories) array of whole numbers
        How many readers put the item into the category; each row adds up to the number of readers.
    weights : (items,) array of whole numbers, optional
        How often each row occurs.

    Returns
    -------
    Statistic
        ``too_few`` without items or with one reader, ``no_variation`` if only one category was ever used.

    Raises
    ------
    ValueError
        If the rows do not add up to one number: for missing readings use `krippendorff_alpha`.

    References
    ----------
    Fleiss (1971), Psychological Bulletin 76, 378-382.
    """
    table, repeats = _counted(counts, weights)
    totals = table.sum(axis=1)
    if np.unique(totals).size > 1:
        raise ValueError("items with different numbers of readers")
    items = int(repeats.sum())
    if items == 0 or totals[0] < 2:
        return Statistic(None, "too_few", items)
    readers = int(totals[0])
    # Whole numbers throughout: exact for any grid, and so 1 is 1.
    agreeing = _sum((table * (table - 1)).sum(axis=1) * repeats)
    observed = agreeing / (items * readers * (readers - 1))
    marginals = [_sum(column * repeats) for column in table.T]
    if max(marginals) == items * readers:
        return Statistic(None, "no_variation", items)
    expected = sum(m * m for m in marginals) / (items * readers) ** 2
    return Statistic((observed - expected) / (1 - expected), n=items)


def krippendorff_alpha(counts: ArrayLike, weights: ArrayLike | None = None) -> Statistic:
    """Nominal alpha from how often each category was chosen; readings may be missing.

    Parameters
    ----------
    counts : (units, categories) array of whole numbers
        Rows may add up to different numbers; units with fewer than two readings are left out and counted.
    weights : (units,) array of whole numbers, optional
        How often each row occurs.

    Returns
    -------
    Statistic
        ``too_few`` without a pair of readings, ``no_variation`` if only one category was ever used.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C (nominal data).
    """
    table, repeats = _counted(counts, weights)
    pairable = table.sum(axis=1) >= 2
    excluded = _sum(repeats[~pairable])
    table, repeats = table[pairable], repeats[pairable]
    units = _sum(repeats)
    if units == 0:
        return Statistic(None, "too_few", 0, excluded)
    totals = table.sum(axis=1)
    marginals = [_sum(column * repeats) for column in table.T]
    readings = sum(marginals)
    if max(marginals) == readings:
        return Statistic(None, "no_variation", units, excluded)
    differing = totals**2 - (table**2).sum(axis=1)
    observed = float(np.sum(differing * repeats / (totals - 1)))
    expected = (readings**2 - sum(m * m for m in marginals)) / (readings - 1)
    return Statistic(1 - observed / expected, "ok", units, excluded)


def krippendorff_alpha_nominal(readings: ArrayLike) -> Statistic:
    """Nominal alpha of a table of readings.

    Parameters
    ----------
    readings : (readers, units) array of numbers
        A number names a category; NaN or None where a reader has not read.

    Examples
    --------
    >>> krippendorff_alpha_nominal([[1, 2, 2, None], [1, 2, 1, 1]])
    Statistic(value=0.4444444444444444, state='ok', n=3, excluded=1)
    """
    table = finite_table(readings, (2,))
    found = np.unique(table[~np.isnan(table)])
    counts = np.zeros((table.shape[1], max(1, found.size)), dtype=np.int64)
    for column, category in enumerate(found):
        counts[:, column] = np.count_nonzero(table == category, axis=0)
    return krippendorff_alpha(counts)


def cohen_kappa_of_counts(table: ArrayLike) -> Statistic:
    """Agreement beyond chance of two readers from their table of counts.

    Parameters
    ----------
    table : (categories, categories) array of whole numbers
        Rows by the first reader, columns by the second.

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46.

    Examples
    --------
    >>> round(cohen_kappa_of_counts([[20, 5], [10, 15]]).value, 12)
    0.4
    """
    counts = _whole(table)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a table of counts of shape {counts.shape}")
    items = _sum(counts)
    if items == 0:
        return Statistic(None, "too_few")
    by_chance = sum(int(p) * int(q) for p, q in zip(counts.sum(axis=1), counts.sum(axis=0), strict=True))
    if by_chance == items * items:
        return Statistic(None, "no_variation", items)
    return Statistic((int(np.trace(counts)) * items - by_chance) / (items * items - by_chance), n=items)


def cohen_kappa(
    a: NDArray[np.uint8], b: NDArray[np.uint8], categories: Categories | None = None, *, scope: Scope
) -> Statistic:
    """Cohen's kappa of two label arrays.

    Parameters
    ----------
    a, b : arrays of one shape
        `Tissue` values, or booleans.
    categories : sequence of sets of `Tissue`, optional
        What counts as one category (``[WT.tissues]`` for a region); all else is the rest. Each tissue by
        default.
    scope : {"union", "box", "grid"}
        Which voxels count, see the module.

    Returns
    -------
    Statistic
        `n` counts voxels; ``empty`` if neither reader marked any of the categories.
    """
    table, size = _table(categories)
    flat = np.zeros(size * size, dtype=np.int64)
    for first, second in _slabs([a, b]):
        # Booleans and tissues alike are bytes; at most 256 categories need two.
        codes = table[first].astype(np.uint16) * np.uint16(size) + table[second]
        flat += np.bincount(codes.ravel(order="K"), minlength=size * size)
    joint = flat.reshape(size, size)
    if joint.sum() == joint[0, 0]:
        return Statistic(None, "empty")
    joint[0, 0] = 0
    joint[0, 0] = _size_of_scope([a, b], table, scope, _sum(joint)) - _sum(joint)
    return cohen_kappa_of_counts(joint)


def fleiss_kappa_of_masks(masks: Masks, categories: Categories | None = None, *, scope: Scope) -> Statistic:
    """Fleiss' kappa of the label arrays of several readers; parameters as in `cohen_kappa`."""
    if len(masks) < 2:
        return Statistic(None, "too_few")
    votes = count_votes(masks, categories, scope=scope)
    return Statistic(None, "empty") if _nobody(votes) else fleiss_kappa(votes.counts, votes.voxels)


def krippendorff_alpha_of_masks(
    masks: Masks, categories: Categories | None = None, *, scope: Scope
) -> Statistic:
    """Krippendorff's nominal alpha of label arrays; parameters as in `cohen_kappa`."""
    if len(masks) < 2:
        return Statistic(None, "too_few")
    votes = count_votes(masks, categories, scope=scope)
    return Statistic(None, "empty") if _nobody(votes) else krippendorff_alpha(votes.counts, votes.voxels)


def count_votes(masks: Masks, categories: Categories | None = None, *, scope: Scope) -> Votes:
    """Count in how many voxels each set of votes occurs, without an array per category.

    Kappa, alpha and the percentage of agreement all follow from this short table, so it need be made once
    for several of them. Parameters as in `cohen_kappa`.

    Raises
    ------
    ValueError
        For masks of different shapes, values that are no `Tissue`, or categories that overlap.
    """
    table, size = _table(categories)
    readers, base = len(masks), len(masks) + 1
    if base ** (size - 1) >= 1 << 62:
        raise ValueError(f"too many readers ({readers}) for {size - 1} categories")
    # A voxel's votes are one number in base readers + 1, a digit a category. Who voted is not needed, and
    # the votes for the rest are what is missing to the number of readers.
    digits = np.array([0] + [base**place for place in range(size - 1)], dtype=np.int64)
    worth = digits[table]
    few = base ** (size - 1) <= FEW_CODES
    if few:
        worth = worth.astype(np.int32)
    dense = np.zeros(base ** (size - 1) if few else 0, dtype=np.int64)
    found: dict[int, int] = {}
    for parts in _slabs(masks):
        codes = worth[parts[0]]
        for part in parts[1:]:
            codes += worth[part]
        codes = codes[codes > 0]
        if few:
            dense += np.bincount(codes, minlength=dense.size)
        else:
            for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
                found[int(code)] = found.get(int(code), 0) + int(count)
    if few:
        found = {int(code): int(dense[code]) for code in np.flatnonzero(dense)}
    counts = np.zeros((len(found) + 1, size), dtype=np.int64)
    for row, code in enumerate(sorted(found)):
        counts[row, 1:] = [code // base**place % base for place in range(size - 1)]
    counts[:, 0] = readers - counts.sum(axis=1)
    voxels = np.array([found[code] for code in sorted(found)] + [0], dtype=np.int64)
    voxels[-1] = _size_of_scope(masks, table, scope, _sum(voxels)) - _sum(voxels)
    kept = voxels > 0
    return Votes(counts[kept], voxels[kept], scope)


def _nobody(votes: Votes) -> bool:
    return not votes.counts[:, 1:].any()


def _table(categories: Categories | None) -> tuple[NDArray[np.uint8], int]:
    """From tissue to category (0 is the rest), and the number of categories with the rest."""
    chosen = [(int(t),) for t in Tissue if t] if categories is None else [tuple(c) for c in categories]
    table = np.zeros(len(Tissue), dtype=np.uint8)
    for index, tissues in enumerate(chosen, start=1):
        for tissue in {int(t) for t in tissues}:
            if not 0 < tissue < len(table) or table[tissue]:
                raise ValueError(f"tissue {tissue} is no tumour tissue, or in two categories")
            table[tissue] = index
    return table, len(chosen) + 1


def _checked(masks: Sequence[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    if any(mask.shape != masks[0].shape for mask in masks):
        raise ValueError(f"masks of shapes {[mask.shape for mask in masks]}")
    if any(mask.dtype not in (np.dtype(np.uint8), np.dtype(bool)) for mask in masks):
        raise ValueError(f"masks of types {[str(mask.dtype) for mask in masks]}, expected uint8 or bool")
    return [mask.view(np.uint8) for mask in masks]


def _bounds(masks: Sequence[NDArray[Any]], table: NDArray[np.uint8] | None = None) -> tuple[slice, ...]:
    """The smallest box around all voxels any mask has (in a category of `table`)."""
    shape = masks[0].shape
    some = [np.zeros(length, dtype=bool) for length in shape]
    for mask in masks:
        inside = mask != 0 if table is None else table[mask] != 0
        for axis, line in enumerate(some):
            line |= inside.any(axis=tuple(a for a in range(len(shape)) if a != axis))
    if not all(line.any() for line in some):
        return tuple(slice(0, 0) for _ in shape)
    return tuple(slice(int(np.argmax(p)), len(p) - int(np.argmax(p[::-1]))) for p in some)


def _slabs(masks: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[np.uint8]]]:
    """The masks in pieces of about a million voxels, without the empty margin of all of them."""
    checked = _checked(masks)
    box = _bounds(checked)
    cut = [mask[box] for mask in checked]
    if cut[0].size == 0:
        return
    highest = max(int(mask.max()) for mask in cut)
    if highest >= len(Tissue):
        raise ValueError(f"label {highest} is no tissue")
    # Along the axis with the longest stride: files give arrays with the first axis fastest.
    axis = int(np.argmax(np.abs(cut[0].strides)))
    length = cut[0].shape[axis]
    step = max(1, SLAB_VOXELS * length // cut[0].size)
    for start in range(0, length, step):
        part = (*(slice(None),) * axis, slice(start, start + step))
        yield [mask[part] for mask in cut]


def _size_of_scope(masks: Sequence[NDArray[Any]], table: NDArray[np.uint8], scope: Scope, union: int) -> int:
    """How many voxels the scope has."""
    if scope == "union":
        return union
    if scope == "grid":
        return int(masks[0].size)
    box = _bounds(_checked(masks), table)
    return int(np.prod([part.stop - part.start for part in box], dtype=np.int64))


def _whole(values: ArrayLike) -> NDArray[np.int64]:
    table = np.asarray(values)
    whole = table.astype(np.int64)
    if (table != whole).any() or (whole < 0).any():
        raise ValueError("counts must be whole numbers, not negative")
    return whole


def _counted(counts: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = _whole(counts)
    if table.ndim != 2:
        raise ValueError(f"counts of shape {table.shape}, expected (items, categories)")
    repeats = np.ones(len(table), dtype=np.int64) if weights is None else _whole(weights)
    if repeats.shape != (len(table),):
        raise ValueError(f"{repeats.shape} weights for {len(table)} items")
    return table, repeats


def _sum(values: NDArray[np.int64]) -> int:
    return int(values.sum())
