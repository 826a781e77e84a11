"""Segmentations as COCO JSON holds them: polygons, run lengths plain and packed.

A pixel (row, column) covers ``[column, column + 1) x [row, row + 1)`` of the plane that polygons are drawn
in, and belongs to a polygon if its centre does (even-odd rule, an edge counts to the right and below).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def annotation_mask(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of one annotation.

    Parameters
    ----------
    segmentation : list of polygons ``[x0, y0, x1, y1, ...]``, or ``{"size": [h, w], "counts": ...}`` with a
        list of run lengths or the packed string.

    Returns
    -------
    (height, width) array

    Raises
    ------
    ValueError
        What is wrong with it.
    """
    if isinstance(segmentation, dict):
        if list(segmentation.get("size", ())) != [height, width]:
            raise ValueError(f"run lengths for {segmentation.get('size')}, picture {[height, width]}")
        counts = segmentation.get("counts", ())
        return run_mask(unpack_counts(counts) if isinstance(counts, str) else list(counts), height, width)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("no segmentation")
    mask = np.zeros((height, width), bool)
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon needs three corners or more")
        mask |= polygon_mask(np.array(polygon, np.float64).reshape(-1, 2), height, width)
    return mask


def polygon_mask(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels whose centres lie in a polygon.

    Parameters
    ----------
    corners : (n, 2) array
        x (column) and y (row).
    """
    if not np.isfinite(corners).all():
        raise ValueError("a corner is not a number")
    mask = np.zeros((height, width), bool)
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    first = max(int(np.floor(corners[:, 1].min())), 0)
    last = min(int(np.ceil(corners[:, 1].max())), height)
    for row in range(first, last):
        y = row + 0.5
        crossed = (y0 <= y) != (y1 <= y)
        x = x0[crossed] + (y - y0[crossed]) / (y1[crossed] - y0[crossed]) * (x1[crossed] - x0[crossed])
        bounds = np.clip(np.ceil(np.sort(x) - 0.5), 0, width).astype(int)
        for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
            mask[row, start:stop] = True
    return mask


def run_mask(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask of run lengths: column after column, background first."""
    if any(not isinstance(n, int) or n < 0 for n in counts) or sum(counts) != height * width:
        raise ValueError(f"run lengths do not add up to {height} x {width}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def unpack_counts(packed: str) -> list[int]:
    """Run lengths out of COCO's packed string.

    Each number is cut into groups of five bits, lowest first, with a bit for "more follows" and 48 added;
    from the fourth run on only the difference to the run before last is written (``rleToString`` of the COCO
    API).

    Examples
    --------
    >>> unpack_counts("0141N0003")
    [0, 1, 4, 2, 2, 2, 2, 2, 5]
    """
    counts: list[int] = []
    value = shift = 0
    for character in packed:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise ValueError("packed run lengths hold a foreign character")
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("packed run lengths end early")
    return counts


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths of a mask: column after column, background first; the inverse of `run_mask`.

    Examples
    --------
    >>> run_lengths(np.array([[True, False], [True, True]]))
    [0, 2, 1, 1]
    """
    flat = mask.T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def pack_counts(counts: list[int]) -> str:
    """COCO's packed string of run lengths; the inverse of `unpack_counts`.

    Examples
    --------
    >>> pack_counts([0, 1, 4, 2, 2, 2, 2, 2, 5])
    '0141N0003'
    """
    packed = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            group, value = value & 0x1F, value >> 5
            ends = value == (-1 if group & 0x10 else 0)
            packed.append(chr(group + (0 if ends else 0x20) + 48))
            if ends:
                break
    return "".join(packed)


def polygons(mask: NDArray[np.bool_]) -> list[list[int]]:
    """One polygon ``[x0, y0, x1, y1, ...]`` along the edges of the pixels for each connected part.

    COCO takes the union of polygons, which has no place for holes. A part with holes is therefore cut open: a
    line of no width leads from its outline to that of each hole and back. By the even-odd rule the polygons
    give exactly the mask back.
    """
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    found = []
    for number, box in enumerate(ndimage.find_objects(parts, count), 1):
        rings = _rings(parts[box] == number)
        corners = list(rings[0])
        for ring in rings[1:]:
            corners += [rings[0][0], *ring, ring[0]]
        y, x = box[0].start, box[1].start
        found.append([v for cx, cy in corners for v in (cx + x, cy + y)])
    return found


def _rings(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """The closed outlines of a mask, of parts and of holes."""
    # Each pixel edge between inside and outside, directed so that the inside lies to its right (y runs down).
    padded = np.pad(mask, 1).astype(np.int8)
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    down = np.diff(padded, axis=0)[:, 1:-1]
    for y, x in np.argwhere(down).tolist():
        left, right = (x, y), (x + 1, y)
        start, end = (left, right) if down[y, x] > 0 else (right, left)
        edges.setdefault(start, []).append(end)
    across = np.diff(padded, axis=1)[1:-1]
    for y, x in np.argwhere(across).tolist():
        top, bottom = (x, y), (x, y + 1)
        start, end = (bottom, top) if across[y, x] > 0 else (top, bottom)
        edges.setdefault(start, []).append(end)
    rings = []
    while edges:
        start = next(iter(edges))
        ring, before, here = [start], start, start
        while True:
            ends = edges[here]
            # Where two corners touch either way is right; the sharper turn keeps rings short.
            step = max(ends, key=lambda end: _turn(before, here, end))
            ends.remove(step)
            if not ends:
                del edges[here]
            before, here = here, step
            if here == start:
                break
            ring.append(here)
        rings.append([p for i, p in enumerate(ring) if _turn(ring[i - 1], p, ring[(i + 1) % len(ring)])])
    return rings


def _turn(before: tuple[int, int], here: tuple[int, int], end: tuple[int, int]) -> int:
    """Positive where the way from `before` over `here` to `end` turns right (y runs down), 0 if straight."""
    a, b = (here[0] - before[0], here[1] - before[1]), (end[0] - here[0], end[1] - here[1])
    return a[0] * b[1] - a[1] * b[0]
