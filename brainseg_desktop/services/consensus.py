"""A consensus of several masks of the open case as a new rating, with how it was made beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.consensus import Performance, majority_vote, staple_labels
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import LabelScheme, Tissue
from brainseg_desktop.services.opening import unique_name

Method = Literal["majority", "staple"]
TITLES: dict[Method, str] = {"majority": "Majority", "staple": "STAPLE"}
# Longer names are cut in the lists of a small window.
_MOST_LETTERS = 28


@dataclass(frozen=True, slots=True)
class Fusion:
    """What a consensus is made of: copies, so that it can be made beside the reader's work.

    Parameters
    ----------
    method : {"majority", "staple"}
    raters : tuple of str
    masks : tuple of (X, Y, Z) uint8 arrays of `Tissue`
    scheme : LabelScheme
        Of the consensus; it has every tissue that occurs.
    tissues : tuple of Tissue
        What the readers could mark.
    """

    method: Method
    raters: tuple[str, ...]
    masks: tuple[NDArray[np.uint8], ...]
    scheme: LabelScheme
    tissues: tuple[Tissue, ...]

    @staticmethod
    def of(method: Method, ratings: Sequence[Rating]) -> Fusion:
        """Copy the masks as they are now.

        Raises
        ------
        UserError
            ``consensus_too_few`` (param ``n``), ``consensus_schemes`` (param ``raters``) where no scheme of
            the masks has all their labels.
        """
        if len(ratings) < 2:
            raise UserError("consensus_too_few", n=len(ratings))
        masks = tuple(rating.label_map.array.copy() for rating in ratings)
        present = {Tissue(int(v)) for mask in masks for v in np.unique(mask)} - {Tissue.BACKGROUND}
        fitting = [rating.scheme for rating in ratings if present <= set(rating.scheme.tissues)]
        if not fitting:
            raise UserError("consensus_schemes", raters=[rating.rater for rating in ratings])
        return Fusion(method, tuple(r.rater for r in ratings), masks, fitting[0], tuple(fitting[0].tissues))


@dataclass(frozen=True, slots=True)
class Consensus:
    """Labels that several readers stand behind, and for the sidecar how they were found."""

    labels: NDArray[np.uint8]
    details: Mapping[str, Any]


def fuse(fusion: Fusion) -> Consensus:
    """Fuse the masks; `core.consensus` says how ties and nested regions are settled."""
    details: dict[str, Any] = {"consensus": fusion.method, "raters": list(fusion.raters)}
    if fusion.method == "majority":
        return Consensus(majority_vote(fusion.masks), details)
    found = staple_labels(fusion.masks, fusion.tissues)
    details["regions"] = {
        name: _performance(fusion.raters, performance) for name, performance in found.regions.items()
    }
    return Consensus(found.labels, details)


def consensus_rating(case: Case, fusion: Fusion, consensus: Consensus) -> Rating:
    """The consensus as a rating of this case, not added yet; nobody may edit it."""
    return Rating(
        unique_name(case, consensus_name(fusion.method, fusion.raters)),
        RaterKind.CONSENSUS,
        LabelMap(consensus.labels),
        fusion.scheme,
        details=dict(consensus.details),
    )


def consensus_name(method: Method, raters: Sequence[str]) -> str:
    """A name that tells who took part, as far as it stays short.

    Examples
    --------
    >>> consensus_name("staple", ["A", "B", "C"])
    'STAPLE (A, B, C)'
    >>> consensus_name("majority", ["hnfnetv1-20", "isen-20", "sanet0-20", "scan-20"])
    'Majority (hnfnetv1-20, isen-20, +2)'
    """
    shown = list(raters)
    while len(shown) > 1 and len(", ".join(shown)) > _MOST_LETTERS:
        shown.pop()
    shown = [r if len(r) <= _MOST_LETTERS else f"{r[: _MOST_LETTERS - 1]}\u2026" for r in shown]
    left = [f"+{len(raters) - len(shown)}"] if len(shown) < len(raters) else []
    return f"{TITLES[method]} ({', '.join([*shown, *left])})"


def remarks(consensus: Consensus) -> str:
    """What a reader must know of it beside the mask; empty for a vote."""
    regions = consensus.details.get("regions", {})
    unsettled = [name for name, found in regions.items() if not found["converged"]]
    if unsettled:
        return f"STAPLE did not settle for {', '.join(unsettled)}: take it with caution."
    return ""


def _performance(raters: Sequence[str], found: Performance) -> dict[str, Any]:
    rates = zip(raters, found.sensitivity, found.specificity, strict=True)
    return {
        "readers": {
            rater: {"sensitivity": sensitivity.to_dict(), "specificity": specificity.to_dict()}
            for rater, sensitivity, specificity in rates
        },
        "prior": found.prior,
        "iterations": found.iterations,
        "converged": found.converged,
    }
