"""A network's mask at other thresholds, with what the reader has changed by hand left as it is.

The steps of the history are the record of which thresholds are in effect and what was done by hand: so
undo, redo and recovery after a crash carry both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import EditCommand
from brainseg_desktop.core.labels import Tissue

# A region of probability 0 would be the whole head, so the lowest threshold is above it.
LOWEST, HIGHEST = 0.01, 1.0
USUAL = 0.5
# Names of steps that mean something here; all others are handwork, also "Threshold, oedema" of the tool.
START_FROM, AI_AGAIN, THRESHOLD, RESET = (
    "Start from ",
    "AI again in box",
    "Threshold",
    "Thresholds of the network",
)
_STEP = re.compile(rf"{THRESHOLD} (WT|TC|ET) (\d+) %")
_TOUCHING = np.ones((3, 3, 3), dtype=bool)

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is done to a network's mask after the threshold; by default nothing.

    Parameters
    ----------
    speck_share, speck_voxels : float
        A piece (26-connected) is dropped if it is smaller than this share of the largest and than so many
        voxels.
    fill_holes : bool
        Fill holes of the outermost region, axial slice by slice.
    """

    speck_share: float = 0.0
    speck_voxels: float = 0.0
    fill_holes: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a network told of a case.

    Parameters
    ----------
    probabilities : (R, X, Y, Z) array of uint8
        255 is certain.
    regions : tuple of str
        ``("WT",)`` or ``("WT", "TC", "ET")``: outermost first.
    labels : (X, Y, Z) array of uint8
        The `Tissue` values that it gave at its own thresholds, cleaned.
    thresholds : mapping of region to float
        Its own, 0..1; 0.5 where a region is not named.
    cleaning : Cleaning
    """

    probabilities: NDArray[np.uint8]
    regions: tuple[str, ...]
    labels: Labels
    thresholds: Mapping[str, float] = field(default_factory=dict)
    cleaning: Cleaning = field(default_factory=Cleaning)

    def __post_init__(self) -> None:
        if self.regions not in (("WT",), ("WT", "TC", "ET")):
            raise ValueError(f"no labels for the regions {self.regions}")
        shape = (len(self.regions), *self.labels.shape)
        if self.probabilities.dtype != np.uint8 or self.probabilities.shape != shape:
            raise ValueError("the probabilities do not fit the labels")

    @property
    def own(self) -> dict[str, float]:
        """The threshold of every region that the network itself uses."""
        return {region: self.thresholds.get(region, USUAL) for region in self.regions}


def regrow(
    probabilities: NDArray[np.uint8],
    regions: tuple[str, ...],
    thresholds: Mapping[str, float],
    cleaning: Cleaning = Cleaning(),
) -> Labels:
    """Tissue of every voxel by the nested regions that hold it.

    Parameters
    ----------
    probabilities : (R, X, Y, Z) array of uint8
    regions : tuple of str
        ``("WT",)`` gives the whole tumour; ``("WT", "TC", "ET")`` gives oedema (WT without TC), necrosis with
        non-enhancing core (TC without ET) and enhancing tumour.
    thresholds : mapping of region to float
        0.01..1. What an inner region holds beyond the next outer one is left out, so the regions stay nested.

    Returns
    -------
    (X, Y, Z) array of uint8
    """
    inside = [
        values >= cut_of(thresholds.get(region, USUAL))
        for region, values in zip(regions, probabilities, strict=True)
    ]
    if len(inside) == 1:
        labels = inside[0].astype(np.uint8) * np.uint8(Tissue.TUMOUR)
    else:
        whole, core, enhancing = inside
        core &= whole
        enhancing &= core
        # Oedema, necrosis and enhancing tumour are 2, 1 and 3: made without indexing, which is slow.
        labels = whole.astype(np.uint8) * np.uint8(Tissue.OEDEMA)
        labels -= core.astype(np.uint8) * np.uint8(Tissue.OEDEMA - Tissue.NECROSIS)
        labels += enhancing.astype(np.uint8) * np.uint8(Tissue.ENHANCING - Tissue.NECROSIS)
    return cleaned(labels, cleaning)


def cut_of(threshold: float) -> np.uint8:
    """The least stored probability that counts as inside; at least 1.

    Examples
    --------
    >>> int(cut_of(0.5)), int(cut_of(1.0)), int(cut_of(0.0))
    (128, 255, 1)
    """
    return np.uint8(min(255, max(1, int(np.ceil(255 * threshold - 1e-9)))))


def cleaned(labels: Labels, cleaning: Cleaning) -> Labels:
    """Labels without holes and specks, in place; see `Cleaning`."""
    if cleaning.fill_holes:
        outermost = Tissue.TUMOUR if (labels == Tissue.TUMOUR).any() else Tissue.OEDEMA
        for z in np.flatnonzero(labels.any(axis=(0, 1))):
            image = labels[:, :, z]
            image[ndimage.binary_fill_holes(image > 0) & (image == 0)] = outermost
    if cleaning.speck_share > 0 and cleaning.speck_voxels > 0:
        pieces, count = ndimage.label(labels, structure=_TOUCHING)
        if count > 1:
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            dropped = (sizes < cleaning.speck_voxels) & (sizes < cleaning.speck_share * sizes.max())
            if dropped.any():
                labels *= ~dropped[pieces]
    return labels


def thresholds_of(steps: Iterable[EditCommand], answer: Answer) -> dict[str, float]:
    """The thresholds in effect after the steps that stand, oldest first.

    Those of the network until a step names another: ``"Threshold WT 35 %"``.
    """
    now = answer.own
    for step in steps:
        found = _STEP.fullmatch(step.name)
        if found is not None and found[1] in now:
            now[found[1]] = int(found[2]) / 100
        elif step.name == RESET or step.name.startswith(START_FROM):
            now = answer.own
    return now


def by_hand(steps: Iterable[EditCommand], box: Box) -> Mask:
    """Where the steps that stand have changed a mask by hand, inside a box.

    Parameters
    ----------
    steps : commands, oldest first
        Thresholds are no handwork; a start from a mask, and the network's answer taken again, end it.
    box : Box

    Returns
    -------
    array of bool, of ``box.shape``
    """
    hand = np.zeros(box.shape, dtype=bool)
    for step in steps:
        if step.name.startswith(START_FROM):
            hand[:] = False
            continue
        if step.name == RESET or _STEP.fullmatch(step.name):
            continue
        here = _shifted(step.box, [-a for a in box.start])
        shared = here.clipped(box.shape)
        if shared.is_empty:
            continue
        inner = _shifted(shared, [-a for a in here.start]).slices
        changed = step.values(after=False)[inner] != step.values(after=True)[inner]
        hand[shared.slices][changed] = step.name != AI_AGAIN
    return hand


class Regrowth:
    """Prepared for a slider: `at` gives the mask at other thresholds.

    Parameters
    ----------
    answer : Answer
    base : (X, Y, Z) array of uint8
        The reader's mask now.
    steps : commands, oldest first
        Those of the reader's mask that stand.

    Attributes
    ----------
    box : Box
        Nothing changes outside of it, whatever the thresholds.
    """

    def __init__(self, answer: Answer, base: Labels, steps: Iterable[EditCommand] = ()) -> None:
        steps = tuple(steps)
        self._answer = answer
        self.thresholds = thresholds_of(steps, answer)
        self.box = reach(answer)
        cut = self.box.slices
        self._probabilities = answer.probabilities[(slice(None), *cut)]
        self._base = base[cut].copy()
        given = answer.labels[cut] if self.thresholds == answer.own else self._regrown(self.thresholds)
        self._kept = (self._base != given) | by_hand(steps, self.box)

    def at(self, thresholds: Mapping[str, float]) -> Labels:
        """The mask inside `box` at these thresholds; what the reader changed by hand is as he left it."""
        if self.box.is_empty:
            return self._base.copy()
        # The network's own mask is taken as it is, whatever its clean-up was.
        if dict(thresholds) == self._answer.own:
            new = self._answer.labels[self.box.slices]
        else:
            new = self._regrown(thresholds)
        return np.where(self._kept, self._base, new)

    def _regrown(self, thresholds: Mapping[str, float]) -> Labels:
        return regrow(self._probabilities, self._answer.regions, thresholds, self._answer.cleaning)


def reach(answer: Answer) -> Box:
    """Box of what any threshold can hold, and of what the network has drawn."""
    whole = Box.of(answer.probabilities[0] >= cut_of(LOWEST))
    return whole.union(Box.of(answer.labels > 0))


def _shifted(box: Box, by: list[int]) -> Box:
    start = [a + b for a, b in zip(box.start, by, strict=True)]
    stop = [a + b for a, b in zip(box.stop, by, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
