"""What a file's name says: sequence, mask, reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from brainseg_desktop.core.volume import Sequence

_CONTRAST = (
    r"(?:c|ce|cgd|gd|gado?|gadolinium|km|kontrast|post|postgd|postgad|postcontrast|contrast|enhanced"
    r"|\+c|\+gd?|\+km|c\+|gd\+)"
)
_T1 = re.compile(
    rf"^t1(?:w|wi|weighted)?(?P<contrast>{_CONTRAST})?"
    r"(?:n|nat|native?|pre|mprage|mp2rage|tse|se|fl2d|fspgr|spgr|bravo|tfe|vibe|space|w)?$"
)
_T2 = re.compile(r"^t2(?:w|wi|weighted|tse|blade)?$")
_FLAIR = re.compile(
    r"^(?:t2w?)?-?(?:fs)?flair(?:w|3d|2d|cor|fs)?$|^t2f$|^[23]dflair$|^(?:t2)?tirm$|^darkfluid$"
)
_BEFORE_T1 = re.compile(r"^(?:c|ce|post|gd|gad|km)-?t1w?$")
# Words that turn a name of a sequence into that of a map or of another weighting.
_NOT_IT = re.compile(r"^(?:map|mapping|rho|star|swi|hemo|relax)$")
_BESIDE = re.compile(rf"^{_CONTRAST}$")
_ANYWHERE = re.compile(r"^(gadolinium|postcontrast|postgd)$")
_MASK = re.compile(
    r"^(?:d?seg|segm|segs|segmentation|segmentations|mask|masks|label|labels|truth|groundtruth|gt"
    r"|tumou?rmask|lesionmask|labelmap|rater\d*|reader\d*)$"
)
_RATER = re.compile(
    r"(?:^|[_\-. ])(?:rater|reader)[-_ ]?(?P<a>[\w\-+.]+)$|_seg-(?P<b>[A-Za-z0-9+]+)(?:_dseg)?$", re.I
)
_OTHER_MASK = re.compile(r"^(?:brain|head|skull|brainmask|bet|gm|wm|csf)$")


class NameKind(str, Enum):
    """What a name speaks of."""

    IMAGE = "image"
    MASK = "mask"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Name:
    """A name, read.

    Parameters
    ----------
    kind : NameKind
    sequence : Sequence or None
    rater : str or None
        Of a mask that names its reader.
    rest : str
        What stands before the telling word, in small letters: the same for all files of a case.
    """

    kind: NameKind
    sequence: Sequence | None = None
    rater: str | None = None
    rest: str = ""


@lru_cache(maxsize=4096)
def read_name(stem: str) -> Name:
    """Read a file's name (without suffix).

    A name that speaks of two sequences (``t1_in_t2space``) tells nothing: the user is asked rather than a
    guess made.

    Examples
    --------
    >>> [read_name(n).sequence.value for n in ("a_t1ce", "a-t1c", "a-t1n", "a_T1Gd", "t2W", "a-t2f")]
    ['T1CE', 'T1CE', 'T1', 'T1CE', 'T2', 'FLAIR']
    >>> read_name("sub-01_ce-gadolinium_T1w").sequence.value
    'T1CE'
    >>> read_name("CE-001_t1").sequence.value
    'T1'
    >>> read_name("BraTS2021_00006_seg").kind.value
    'mask'
    """
    words = [w for w in re.split(r"[_\-. (),\[\]]+", stem.lower()) if w]
    spots = _sequence_spots(words)
    rest = _rest(stem, words, min(spots) if spots else None)
    if any(_MASK.match(w) for w in words) or (words and words[-1].endswith(("mask", "seg"))):
        if any(_OTHER_MASK.match(w) for w in words):
            return Name(NameKind.UNKNOWN, rest=rest)
        rater = _RATER.search(stem)
        return Name(NameKind.MASK, rater=(rater["a"] or rater["b"]) if rater else None, rest=rest)
    said = set(spots.values())
    if said == {Sequence.T2, Sequence.FLAIR}:
        said = {Sequence.FLAIR}
    if len(said) != 1:
        return Name(NameKind.UNKNOWN, rest=rest)
    return Name(NameKind.IMAGE, said.pop(), rest=rest)


def _sequence_spots(words: list[str]) -> dict[int, Sequence]:
    """Which word speaks of which sequence."""
    spots: dict[int, Sequence] = {}
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        before = words[i - 1] if i else ""
        if _NOT_IT.match(following):
            continue
        is_dark = word == "dark" and following == "fluid"
        if _FLAIR.match(word) or is_dark or (word == "t2" and following == "f"):
            spots[i] = Sequence.FLAIR
        elif _T2.match(word):
            spots[i] = Sequence.T2
        elif _BEFORE_T1.match(word):
            spots[i] = Sequence.T1CE
        elif match := _T1.match(word):
            contrast = (
                match["contrast"]
                or _BESIDE.match(following)
                or (_BESIDE.match(before) and before != "c")
                or any(_ANYWHERE.match(w) for w in words)
            )
            spots[i] = Sequence.T1CE if contrast else Sequence.T1
    return spots


def _rest(stem: str, words: list[str], spot: int | None) -> str:
    """The beginning of the name up to the telling word."""
    kept = words if spot is None else words[:spot]
    lowered = stem.lower()
    end = 0
    for word in kept:
        if word in ("ce", "gadolinium"):  # a BIDS entity in front of the suffix is no part of the case's name
            break
        end = lowered.index(word, end) + len(word)
    return lowered[:end]
