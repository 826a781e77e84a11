"""One mask out of the masks of several readers: counts of votes, majority vote, STAPLE.

Both ways to fuse labels work on the nested regions in which results are reported: WT, then TC inside WT, then
ET inside TC. So the consensus of the labels and the consensus of each region never contradict each other, and
readers who agree that there is tumour but not on its kind do not leave a hole in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from brainseg_desktop.core.labels import ET, TC, WT, Region, Tissue
from brainseg_desktop.core.metrics import Score

CAVITY = Region("Cavity", frozenset({Tissue.CAVITY}))
# What is left of a region without the one inside it; of equal votes the first tissue wins.
SHELL = tuple(sorted(WT.tissues - TC.tissues))
CORE = tuple(sorted(TC.tissues - ET.tissues))
MOST_READERS = 63
# Counting a block at a time keeps a mask of the whole volume (10^8 voxels) from taking gigabytes.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Performance:
    """How each reader did against the hidden truth that STAPLE estimates.

    Parameters
    ----------
    sensitivity, specificity : tuple of Score
        One for each reader, over all voxels of the image. No value where the estimated truth is empty
        (sensitivity) or fills the image (specificity).
    prior : float
        Share of the image that was taken as foreground beforehand, 0..1.
    iterations : int
        Rounds of estimation; 0 where there was nothing to estimate.
    converged : bool
        False where the rounds ran out before the estimates stood still: say so beside the numbers.
    """

    sensitivity: tuple[Score, ...]
    specificity: tuple[Score, ...]
    prior: float
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True)
class Staple:
    """Consensus of several outlines of one structure.

    Parameters
    ----------
    probability : float32 array, shape of the masks
        That a voxel belongs to the structure, 0..1.
    performance : Performance
    """

    probability: NDArray[np.float32]
    performance: Performance

    @property
    def sensitivity(self) -> tuple[Score, ...]:
        """Share of the structure that each reader marked."""
        return self.performance.sensitivity

    @property
    def specificity(self) -> tuple[Score, ...]:
        """Share of the rest of the image that each reader left unmarked."""
        return self.performance.specificity

    @property
    def iterations(self) -> int:
        """Rounds of estimation."""
        return self.performance.iterations

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the probability is above one half; exactly one half is background, as in a vote."""
        return np.asarray(self.probability > 0.5)


@dataclass(frozen=True, slots=True)
class StapleLabels:
    """Consensus of several label maps.

    Parameters
    ----------
    labels : uint8 array of Tissue, shape of the masks
    regions : mapping of region name to Performance
        ``"WT"``, ``"TC"``, ``"ET"`` and ``"Cavity"``, as far as the tissues can tell them apart.
    """

    labels: NDArray[np.uint8]
    regions: Mapping[str, Performance]


def vote_counts(
    masks: Sequence[NDArray[Any]], mask_of: Callable[[NDArray[Any]], NDArray[np.bool_]] | None = None
) -> NDArray[np.uint8]:
    """How many readers marked each voxel.

    Parameters
    ----------
    masks : sequence of arrays of one shape
        Bool masks, or labels of which every tissue but background counts.
    mask_of : function, optional
        Makes the bool mask to count out of each array, e.g. ``WT.mask``.

    Returns
    -------
    uint8 array, 0..number of readers

    Raises
    ------
    ValueError
        For no mask, masks of different shapes or more than 63 readers.

    Examples
    --------
    >>> vote_counts([np.array([0, 2, 3]), np.array([0, 0, 3])]).tolist()
    [0, 1, 2]
    """
    _check(masks)
    votes = np.zeros(masks[0].shape, dtype=np.uint8)
    for mask in masks:
        votes += mask != 0 if mask_of is None else mask_of(mask)
    return votes


def majority_vote(masks: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The label map that more than half of the readers stand behind, region by region.

    WT of the result is what more than half of the readers marked as WT, and likewise TC, ET and the cavity:
    exactly half is not enough. Inside WT but outside TC the most frequent of oedema and whole tumour is
    taken, inside TC but outside ET the most frequent of necrosis and non-enhancing tumour; of equal votes the
    tissue with the lower number. A label that more than half gave always wins. Where more than half see
    tumour, but no label has more than half, the voxel is tumour nevertheless.

    Parameters
    ----------
    masks : sequence of uint8 arrays of Tissue, one shape

    Returns
    -------
    uint8 array of Tissue

    Raises
    ------
    ValueError
        For no mask, masks of different shapes or more than 63 readers.

    Examples
    --------
    Necrosis and enhancing are both core, so the core has two votes of three:

    >>> majority_vote([np.array([1], np.uint8), np.array([3], np.uint8), np.array([2], np.uint8)]).tolist()
    [1]
    """
    _check(masks)
    marked = _marked(masks)
    inside = [mask[marked] for mask in masks]
    consensus = np.zeros(int(inside[0].size), dtype=np.uint8)
    for block in _blocks(consensus.size):
        readers = np.stack([labels[block] for labels in inside])
        wt, tc, et, cavity = (
            2 * region.mask(readers).sum(axis=0, dtype=np.uint8) > len(masks)
            for region in (WT, TC, ET, CAVITY)
        )
        consensus[block] = _tissues(readers, wt, tc, et, cavity, SHELL, CORE)
    labels = np.zeros(masks[0].shape, dtype=np.uint8)
    labels[marked] = consensus
    return labels


def staple(
    masks: Sequence[NDArray[np.bool_]],
    *,
    prior: float | None = None,
    max_iterations: int = 1000,
    tolerance: float = 1e-7,
) -> Staple:
    """Estimate the hidden truth behind several outlines, and how good each reader is.

    Expectation maximisation after Warfield, Zou and Wells, IEEE Trans Med Imaging 23:903-921 (2004), with the
    same prior everywhere and no smoothing between neighbours, as in ITK. Voxels that the same readers
    marked are alike, so the estimation runs on the patterns of votes that occur, weighted by their number.
    All voxels of the image count: cropping the masks changes the prior, the specificity and the result.

    Parameters
    ----------
    masks : sequence of bool arrays of one shape
    prior : float, optional
        Share of foreground, between 0 and 1; without it the mean share that the readers marked.
    max_iterations : int
        At least 1.
    tolerance : float
        Stops when no sensitivity or specificity changes by more.

    Returns
    -------
    Staple
        Masks that are all empty or all full have nothing to estimate: probability 0 or 1.

    Raises
    ------
    ValueError
        For no mask, masks of different shapes or without voxels, more than 63 readers, a prior outside 0..1.
    """
    _check(masks)
    marked = _marked(masks)
    inside, outside, performance = _estimate(
        [mask[marked] != 0 for mask in masks], marked.size, prior, max_iterations, tolerance
    )
    probability = np.full(marked.shape, outside, dtype=np.float32)
    probability[marked] = inside
    return Staple(probability, performance)


def staple_labels(
    masks: Sequence[NDArray[np.uint8]],
    tissues: Collection[Tissue],
    *,
    max_iterations: int = 1000,
    tolerance: float = 1e-7,
) -> StapleLabels:
    """Fuse label maps by STAPLE of each nested region.

    WT, TC and ET are each fused by `staple`; TC counts only inside WT and ET only inside TC. What is left of
    WT and of TC takes the most frequent of its tissues among the readers, of equal votes the one with the
    lower number. The cavity is fused alone and stands where it is more probable than WT. A voxel that nobody
    marked stays background.

    Parameters
    ----------
    masks : sequence of uint8 arrays of Tissue, one shape
    tissues : collection of Tissue
        What the readers could mark (``LabelScheme.tissues``); regions it cannot tell apart are left out.
    max_iterations, tolerance
        As for `staple`.

    Returns
    -------
    StapleLabels

    Raises
    ------
    ValueError
        As for `staple`, and for a label that is not among `tissues`.
    """
    _check(masks)
    marked = _marked(masks)
    readers = np.stack([mask[marked] for mask in masks])
    allowed = Region("tissues", frozenset(tissues) | {Tissue.BACKGROUND})
    if not all(allowed.mask(labels).all() for labels in readers):
        outside = sorted({int(v) for v in np.unique(readers)} - {int(t) for t in allowed.tissues})
        raise ValueError(f"labels {outside} are not among the tissues of the readers")

    chance: dict[str, NDArray[np.float32]] = {}
    regions: dict[str, Performance] = {}
    for region in (WT, TC, ET, CAVITY):
        if region.tissues & allowed.tissues:
            votes = [region.mask(labels) for labels in readers]
            chance[region.name], _, regions[region.name] = _estimate(
                votes, marked.size, None, max_iterations, tolerance
            )
    never = np.zeros(readers.shape[1], dtype=np.float32)
    wt_chance, cavity_chance = chance.get("WT", never), chance.get("Cavity", never)
    cavity = (cavity_chance > 0.5) & (cavity_chance > wt_chance)
    wt = (wt_chance > 0.5) & ~cavity
    tc = wt & (chance.get("TC", never) > 0.5)
    et = tc & (chance.get("ET", never) > 0.5)

    # Without a vote for any of them the first is taken, so it must be one that the readers could use.
    shell = tuple(t for t in SHELL if t in allowed.tissues) or SHELL
    core = tuple(t for t in CORE if t in allowed.tissues) or CORE
    consensus = np.zeros(readers.shape[1], dtype=np.uint8)
    for block in _blocks(consensus.size):
        consensus[block] = _tissues(
            readers[:, block], wt[block], tc[block], et[block], cavity[block], shell, core
        )
    labels = np.zeros(marked.shape, dtype=np.uint8)
    labels[marked] = consensus
    return StapleLabels(labels, regions)


def _check(masks: Sequence[NDArray[Any]]) -> None:
    """Refuse what cannot be fused."""
    if not masks:
        raise ValueError("no mask to fuse")
    if len(masks) > MOST_READERS:
        raise ValueError(f"{len(masks)} readers, at most {MOST_READERS}")
    shapes = {mask.shape for mask in masks}
    if len(shapes) > 1:
        raise ValueError(f"masks of shapes {', '.join(map(str, sorted(shapes)))}")


def _marked(masks: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Where any reader marked anything: mostly a few hundredths of the image."""
    marked = np.zeros(masks[0].shape, dtype=bool)
    for mask in masks:
        marked |= mask != 0
    return marked


def _blocks(size: int) -> Iterator[slice]:
    """Slices that cover 0..size."""
    return (slice(start, start + _BLOCK) for start in range(0, size, _BLOCK))


def _tissues(
    readers: NDArray[np.uint8],
    wt: NDArray[np.bool_],
    tc: NDArray[np.bool_],
    et: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    shell: Sequence[Tissue],
    core: Sequence[Tissue],
) -> NDArray[np.uint8]:
    """Tissues, shape (n,), of nested regions and the readers' labels, shape (readers, n)."""
    labels = np.where(cavity, np.uint8(Tissue.CAVITY), np.uint8(Tissue.BACKGROUND))
    for part, choices in ((wt & ~tc, shell), (tc & ~et, core)):
        votes = np.stack([(readers[:, part] == t).sum(axis=0, dtype=np.uint8) for t in choices])
        labels[part] = np.array(choices, dtype=np.uint8)[votes.argmax(axis=0)]
    labels[et] = Tissue.ENHANCING
    return labels


def _estimate(
    votes: Sequence[NDArray[np.bool_]],
    total: int,
    prior: float | None,
    max_iterations: int,
    tolerance: float,
) -> tuple[NDArray[np.float32], float, Performance]:
    """STAPLE of `votes`, shape (n,) each, in an image of `total` voxels of which nobody marked the others.

    Returns the probability of the n voxels, that of the others, and the performance of the readers.
    """
    if total == 0:
        raise ValueError("masks without voxels")
    if max_iterations < 1:
        raise ValueError(f"{max_iterations} iterations, at least 1")
    if prior is not None and not 0 < prior < 1:
        raise ValueError(f"a prior of {prior}, not between 0 and 1")
    codes = np.zeros(votes[0].size, dtype=np.min_scalar_type((1 << len(votes)) - 1))
    for reader, vote in enumerate(votes):
        codes |= vote.astype(codes.dtype) << codes.dtype.type(reader)
    found, numbers = np.unique(codes, return_counts=True)
    if found.size == 0 or found[0] != 0:
        found = np.concatenate([np.zeros(1, codes.dtype), found])
        numbers = np.concatenate([np.zeros(1, numbers.dtype), numbers])
    numbers[0] += total - codes.size
    marks = (found[:, None] >> np.arange(len(votes), dtype=codes.dtype)) & codes.dtype.type(1) == 1
    chances, performance = _maximise(marks, numbers, prior, max_iterations, tolerance)
    table = chances.astype(np.float32)
    inside = np.empty(codes.size, dtype=np.float32)
    for block in _blocks(codes.size):
        inside[block] = table[np.searchsorted(found, codes[block])]
    return inside, float(chances[0]), performance


def _maximise(
    marks: NDArray[np.bool_],
    numbers: NDArray[np.integer[Any]],
    prior: float | None,
    max_iterations: int,
    tolerance: float,
) -> tuple[NDArray[np.float64], Performance]:
    """Probability of each pattern of votes: `marks` (patterns, readers), `numbers` of voxels (patterns,)."""
    weights = numbers.astype(np.float64)
    chances = marks.mean(axis=1)
    share = float(weights @ chances / weights.sum()) if prior is None else prior
    occurring = marks[weights > 0]
    if not occurring.any() or occurring.all():
        # Nothing to tell apart: nobody marked anything (all patterns 0), or everybody everything (1).
        rates = _scores(marks, weights, chances), _scores(~marks, weights, 1 - chances)
        return chances, Performance(*rates, share, 0, True)

    last = np.full(2 * marks.shape[1], np.inf)
    converged = False
    iteration = 0
    while iteration < max_iterations and not converged:
        iteration += 1
        sensitivities = _rates(marks, weights, chances)
        specificities = _rates(~marks, weights, 1 - chances)
        # Logarithms, for products over many readers leave the range of doubles.
        with np.errstate(divide="ignore", invalid="ignore"):
            structure = np.where(marks, np.log(sensitivities), np.log1p(-sensitivities)).sum(axis=1)
            background = np.where(marks, np.log1p(-specificities), np.log(specificities)).sum(axis=1)
            update = expit(np.log(share) - np.log1p(-share) + structure - background)
        # Impossible either way (faultless readers who disagree): the last estimate stays.
        chances = np.where(np.isnan(update), chances, update)
        rates_now = np.concatenate([sensitivities, specificities])
        converged = bool(np.abs(rates_now - last).max() <= tolerance)
        last = rates_now
    rates = _scores(marks, weights, chances), _scores(~marks, weights, 1 - chances)
    return chances, Performance(*rates, share, iteration, converged)


def _rates(
    right: NDArray[np.bool_], weights: NDArray[np.float64], chances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the voxels of a class, shape (readers,), that each reader put there; 0 for an empty class."""
    members = weights * chances
    total = members.sum()
    if total <= 0:
        return np.zeros(right.shape[1])
    # Rounding may pass 1 by a last digit.
    return np.asarray(np.clip(members @ right / total, 0.0, 1.0))


def _scores(
    right: NDArray[np.bool_], weights: NDArray[np.float64], chances: NDArray[np.float64]
) -> tuple[Score, ...]:
    """`_rates` as scores: a class without voxels has no rate."""
    if float((weights * chances).sum()) <= 0:
        return tuple(Score(None, "both_empty") for _ in range(right.shape[1]))
    rates: list[float] = _rates(right, weights, chances).tolist()
    return tuple(Score(rate) for rate in rates)
