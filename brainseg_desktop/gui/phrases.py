"""Phrases put together of parts that are each in the language of the window."""

from __future__ import annotations

import re
from collections.abc import Iterable

from brainseg_desktop.services.language import mark, tr

# Parts of names of steps; those of labels and numbers are not among them.
STEPS = (
    mark("Brush"),
    mark("Erase"),
    mark("Smart brush"),
    mark("Smart erase"),
    mark("Polygon"),
    mark("Polygon cut"),
    mark("Lasso"),
    mark("Lasso cut"),
    mark("Spline"),
    mark("Spline cut"),
    mark("Scissors"),
    mark("inside removed"),
    mark("outside removed"),
    mark("Fill"),
    mark("Fill hole"),
    mark("Threshold"),
    mark("Refine"),
    mark("Interpolate"),
    mark("Grow"),
    mark("Shrink"),
    mark("Smooth"),
    mark("Fill holes"),
    mark("3D"),
    mark("Drop islands"),
    mark("Keep largest"),
    mark("Relabel"),
    mark("Swap"),
    mark("Clear"),
    mark("Clear doubtful region"),
    mark("all labels"),
    # Of lesions.
    mark("matched"),
    mark("missed"),
    mark("false"),
    mark("left out"),
)
# A number behind a word, as in "axial 77"; the number stays.
_NUMBERED = re.compile(r"(?P<word>.*[^\W\d]) (?P<number>\d+)")


def listed(names: Iterable[str], between: str = "") -> str:
    """Names as in "T1 and T2", or with another word between them.

    Examples
    --------
    >>> listed(["T1", "T2"]), listed([".nii", ".nii.gz"], "or")
    ('T1 and T2', '.nii or .nii.gz')
    """
    return f" {between or tr('and')} ".join(names)


def step_words(name: str) -> str:
    """The name of an editing step as it is shown.

    The journal and the record of a reading keep it in English, so that both stay the same in every language;
    what is known of its parts between the commas is translated here.

    Examples
    --------
    >>> step_words("Brush, enhancing, axial 77")
    'Brush, enhancing, axial 77'
    """
    return by_parts(name)


def by_parts(text: str) -> str:
    """Each part between commas in the language of the window, where it is known."""
    return ", ".join(_part(part) for part in text.split(", "))


def _part(part: str) -> str:
    numbered = _NUMBERED.fullmatch(part)
    return tr(part) if numbered is None else f"{tr(numbered['word'])} {numbered['number']}"
