"""Slices put in order by where they lie: along their common normal, never by name or instance number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom.instances import Slice

# Of the distance between slices: what headers lose by rounding is less, what a reader would see is more.
UNEVEN = 0.05
# Degrees between the way from slice to slice and the normal; more is a sheared stack (a tilted gantry).
_SHEAR_DEGREES = 1.0
_SAME_DIRECTION = 0.01
_SAME_PLACE_MM = 0.01
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices that make a volume, or the reason why they do not.

    Parameters
    ----------
    slices : tuple of Slice
        In order along the normal (row direction x column direction).
    affine : (4, 4) array or None
        From indices (column, row, slice) to RAS mm; None with `refusal`.
    refusal : UserError or None
        Its params lack the series' name; `series` adds it.
    copies : int
        Slices left out because another lies at the same place.
    """

    slices: tuple[Slice, ...]
    affine: NDArray[np.float64] | None
    refusal: UserError | None
    copies: int = 0


def split(slices: Iterable[Slice]) -> list[list[Slice]]:
    """The stacks of one series: by size and direction, and by acquisition where places are taken twice."""
    stacks = []
    for group in _alike(slices):
        stacks += _by_acquisition(group)
    return sorted(stacks, key=lambda s: tuple(p if isinstance(p, float) else -1.0 for p in s[0].stack))


def arrange(slices: list[Slice], name: str) -> Stack:
    """Order the slices of a stack, leave copies out and find its affine.

    Parameters
    ----------
    slices : list of Slice
        Of one size and direction.
    name : str
        Of the series, for the reason.
    """
    first = slices[0]
    if first.position is None or first.orientation is None or first.spacing is None:
        return Stack(tuple(slices), None, UserError("series_no_place", series=name))
    along, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    if not _is_frame(along, down) or min(first.spacing) <= 0:
        return Stack(tuple(slices), None, UserError("series_no_place", series=name))
    normal = _normal(first)
    ordered, copies = _without_copies(slices, normal)
    places = np.array([s.position for s in ordered])
    heights = places @ normal
    if len(ordered) == 1:
        step = normal * (first.thickness_mm or min(first.spacing))
    else:
        refusal = _unevenness(heights, name) or _shear(places, normal, name)
        if refusal is not None:
            return Stack(ordered, None, refusal, copies)
        step = (places[-1] - places[0]) / (len(ordered) - 1)
    affine = np.eye(4)
    affine[:3, 0] = along * first.spacing[1]
    affine[:3, 1] = down * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = places[0]
    return Stack(ordered, LPS_TO_RAS @ affine, None, copies)


def directions(stacks: Iterable[list[Slice]]) -> int:
    """How many directions the slices of several stacks have, if they have one at all."""
    found: list[NDArray[np.float64]] = []
    for stack in stacks:
        if stack[0].orientation is None:
            continue
        normal = _normal(stack[0])
        if all(abs(float(normal @ other)) < 0.9 for other in found):
            found.append(normal)
    return len(found)


def _normal(one: Slice) -> NDArray[np.float64]:
    assert one.orientation is not None
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    return np.asarray(normal / max(float(np.linalg.norm(normal)), 1e-9))


def _is_frame(along: NDArray[np.float64], down: NDArray[np.float64]) -> bool:
    """Two directions of length 1 at a right angle."""
    lengths = np.array([np.linalg.norm(along), np.linalg.norm(down)])
    return bool(np.abs(lengths - 1).max() < _SAME_DIRECTION and abs(float(along @ down)) < _SAME_DIRECTION)


def _alike(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Groups of slices of one size, spacing and direction, in the order in which they were found."""
    groups: list[list[Slice]] = []
    for one in slices:
        for group in groups:
            if _is_alike(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _is_alike(one: Slice, other: Slice) -> bool:
    if (one.rows, one.columns) != (other.rows, other.columns):
        return False
    if (one.position is None) != (other.position is None):
        return False
    for mine, theirs, limit in (
        (one.orientation, other.orientation, _SAME_DIRECTION),
        (one.spacing, other.spacing, 1e-3),
    ):
        if (mine is None) != (theirs is None):
            return False
        pairs = zip(mine or (), theirs or (), strict=True)
        if any(abs(a - b) > limit for a, b in pairs):
            return False
    return True


def _by_acquisition(slices: list[Slice]) -> list[list[Slice]]:
    """Stacks told apart by echo, b-value, time and so on, if places are taken more than once."""
    if slices[0].position is None or slices[0].orientation is None or _most_at_one_place(slices) < 2:
        return [slices]
    # One thing after another, until no place is taken twice: not all that differs tells stacks apart
    # (scanners take slices in several packets).
    parts: list[int] = []
    best = [slices]
    for part in range(len(slices[0].stack)):
        groups = _grouped(slices, [*parts, part])
        if len(groups) > len(best):
            parts, best = [*parts, part], groups
        if all(_most_at_one_place(group) < 2 for group in best):
            return best
    return [stack for group in best for stack in _by_turn(group)]


def _grouped(slices: list[Slice], parts: list[int]) -> list[list[Slice]]:
    groups: dict[tuple[Any, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        groups[tuple(one.stack[p] for p in parts)].append(one)
    return list(groups.values())


def _by_turn(slices: list[Slice]) -> list[list[Slice]]:
    """Repeats that no header tells apart: at each place the first, the second, ... by instance number.

    Only where every place is taken equally often by different instances; else they are stray copies.
    """
    places: dict[int, list[Slice]] = defaultdict(list)
    normal = _normal(slices[0])
    for one in slices:
        places[round(float(np.dot(one.position or (0, 0, 0), normal)) / _SAME_PLACE_MM)].append(one)
    counts = {len({s.uid for s in place}) for place in places.values()}
    if len(counts) != 1 or counts == {1}:
        return [slices]
    columns: list[list[Slice]] = [[] for _ in range(counts.pop())]
    for place in places.values():
        unique = list({s.uid: s for s in place}.values())
        for column, one in zip(columns, sorted(unique, key=lambda s: s.number), strict=True):
            column.append(one)
    return columns


def _most_at_one_place(slices: list[Slice]) -> int:
    normal = _normal(slices[0])
    heights = sorted(
        float(np.dot(s.position or (0, 0, 0), normal)) for s in {s.uid: s for s in slices}.values()
    )
    most = run = 1
    for before, after in pairwise(heights):
        run = run + 1 if after - before < _SAME_PLACE_MM else 1
        most = max(most, run)
    return most


def _without_copies(slices: list[Slice], normal: NDArray[np.float64]) -> tuple[tuple[Slice, ...], int]:
    """Slices along the normal; of several at one place the first by instance number, then by name."""
    heights = {id(s): float(np.dot(s.position or (0, 0, 0), normal)) for s in slices}
    kept: list[Slice] = []
    for one in sorted(slices, key=lambda s: (heights[id(s)], s.number, str(s.path), s.frame)):
        if not kept or heights[id(one)] - heights[id(kept[-1])] >= _SAME_PLACE_MM:
            kept.append(one)
        elif (one.number, str(one.path)) < (kept[-1].number, str(kept[-1].path)):
            kept[-1] = one
    return tuple(kept), len(slices) - len(kept)


def _unevenness(heights: NDArray[np.float64], name: str) -> UserError | None:
    """Why slices do not follow one another evenly: some are missing, or their distances differ."""
    steps = np.diff(heights)
    usual = float(np.median(steps))
    if np.abs(steps - usual).max() <= UNEVEN * usual:
        return None
    # Steps of whole multiples of the smallest one: slices are missing in between.
    small = float(np.median(steps[steps < 1.5 * steps.min()]))
    multiples = np.rint(steps / small)
    gaps = np.flatnonzero(multiples > 1)
    if gaps.size and np.abs(steps - multiples * small).max() <= 2 * UNEVEN * small:
        missing = int((multiples - 1).sum())
        return UserError("series_slices_missing", series=name, count=missing, after=int(gaps[0]) + 1)
    low, high = round(float(steps.min()), 2), round(float(steps.max()), 2)
    return UserError("series_uneven", series=name, low=low, high=high)


def _shear(places: NDArray[np.float64], normal: NDArray[np.float64], name: str) -> UserError | None:
    """Why slices do not lie behind one another."""
    ways = np.diff(places, axis=0)
    aside = ways - np.outer(ways @ normal, normal)
    angles = np.degrees(np.arctan2(np.linalg.norm(aside, axis=1), ways @ normal))
    worst = float(angles.max())
    return (
        None if worst <= _SHEAR_DEGREES else UserError("series_sheared", series=name, degrees=round(worst, 1))
    )
