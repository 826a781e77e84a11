"""Colours of the labels: a safe set, the classic set, the reader's own; and which of them look alike.

Some 8 % of men are red-green colour blind to some degree. `confusable` finds the pairs of a palette that
such a reader, or anybody, cannot tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue

Colour = tuple[int, int, int]
PaletteName = Literal["safe", "classic", "own"]

SAFE: Mapping[Tissue, Colour] = TISSUE_COLOURS

# What ITK-SNAP shows BraTS masks in, slightly darker than pure so that the image stays visible below.
CLASSIC: Mapping[Tissue, Colour] = {
    Tissue.NECROSIS: (230, 25, 25),
    Tissue.OEDEMA: (20, 200, 20),
    Tissue.ENHANCING: (250, 235, 20),
    Tissue.NON_ENHANCING: (40, 110, 255),
    Tissue.CAVITY: (225, 60, 225),
    Tissue.TUMOUR: (20, 200, 20),
}

# Tissues that a reader meets together in one mask; the whole tumour stands alone.
TOGETHER = tuple(t for t in CLASSIC if t is not Tissue.TUMOUR)

# Below this two fills are hard to tell apart over a grey image; chosen so that the safe set passes for
# everybody and the red and green of the classic set do not.
ALIKE_BELOW = 15.0
_LIGHTNESS_WEIGHT = 0.5


class Vision(Enum):
    """How a reader's eyes see colours: all three kinds of cones, no red ones, no green ones."""

    USUAL = "usual colour vision"
    PROTANOPIA = "protanopia (no red cones)"
    DEUTERANOPIA = "deuteranopia (no green cones)"


class Pair(NamedTuple):
    """Two tissues whose colours look alike to eyes of one kind."""

    first: Tissue
    second: Tissue
    vision: Vision


def palette(name: str, own: Mapping[str, str] | None = None) -> dict[Tissue, Colour]:
    """A colour for each tissue.

    Parameters
    ----------
    name : str
        ``"safe"``, ``"classic"`` or ``"own"``; any other is taken as ``"safe"``.
    own : mapping of tissue name to ``"#rrggbb"``, optional
        Used with ``"own"`` only; a missing or broken entry falls back to the safe colour.

    Examples
    --------
    >>> palette("own", {"oedema": "#102030", "cavity": "blue"})[Tissue.OEDEMA]
    (16, 32, 48)
    """
    colours = dict(CLASSIC if name == "classic" else SAFE)
    if name == "own":
        named = {str(key).upper(): value for key, value in (own or {}).items()}
        for tissue in colours:
            colour = parse_colour(named.get(tissue.name, ""))
            colours[tissue] = colours[tissue] if colour is None else colour
    return colours


def parse_colour(text: object) -> Colour | None:
    """Red, green and blue (0 to 255) of ``"#rrggbb"``; None for anything else."""
    if not isinstance(text, str) or re.fullmatch(r"#[0-9a-fA-F]{6}", text) is None:
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def colour_text(colour: Colour) -> str:
    """The colour as ``"#rrggbb"``; the inverse of `parse_colour`.

    Examples
    --------
    >>> colour_text((16, 32, 48))
    '#102030'
    """
    return "#" + "".join(f"{part:02x}" for part in colour)


def seen_as(colour: Colour, vision: Vision) -> Colour:
    """What a colour looks like to eyes without red or green cones.

    Source: Viénot, Brettel and Mollon, Digital video colourmaps for checking the legibility of displays by
    dichromats, Color Research and Application 24 (1999) 243-252; on sRGB values made linear (IEC 61966-2-1)
    in place of the paper's display gamma.
    """
    encoded = _encode(_SEEN[vision] @ _linear(colour))
    red, green, blue = (round(float(part)) for part in encoded)
    return red, green, blue


def colour_distance(first: Colour, second: Colour, vision: Vision = Vision.USUAL) -> float:
    """How different two label colours look, in units of CIELAB (about 2 is just visible side by side).

    The Euclidean distance in CIE 1976 L*a*b* (D65), with the difference in lightness counted half: a label is
    drawn half transparent over a grey image, whose own brightness hides it.
    """
    difference = _lab(_SEEN[vision] @ _linear(first)) - _lab(_SEEN[vision] @ _linear(second))
    return float(np.linalg.norm(difference * (_LIGHTNESS_WEIGHT, 1.0, 1.0)))


def alike(first: Colour, second: Colour) -> Vision | None:
    """The first kind of eyes to which two label colours are hard to tell apart; None if there is none."""
    return next((v for v in Vision if colour_distance(first, second, v) < ALIKE_BELOW), None)


def confusable(colours: Mapping[Tissue, Colour], tissues: Iterable[Tissue] = TOGETHER) -> tuple[Pair, ...]:
    """The pairs of tissues whose colours are hard to tell apart, each with the eyes that cannot."""
    found = ((a, b, alike(colours[a], colours[b])) for a, b in combinations(tissues, 2))
    return tuple(Pair(a, b, vision) for a, b, vision in found if vision is not None)


# Linear RGB to long, medium and short cones, for the phosphors of the paper (its equation 4).
_CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_NO_RED = np.array([[0.0, 2.02344, -2.52581], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
_NO_GREEN = np.array([[1.0, 0.0, 0.0], [0.494207, 0.0, 1.24827], [0.0, 0.0, 1.0]])
_SEEN: Mapping[Vision, NDArray[np.float64]] = {
    Vision.USUAL: np.eye(3),
    Vision.PROTANOPIA: np.linalg.inv(_CONES) @ _NO_RED @ _CONES,
    Vision.DEUTERANOPIA: np.linalg.inv(_CONES) @ _NO_GREEN @ _CONES,
}
# Linear sRGB to CIE XYZ, and the white it gives (D65), so that white has a* = b* = 0 exactly.
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _XYZ.sum(axis=1)


def _linear(colour: Colour) -> NDArray[np.float64]:
    """Amounts of light, 0 to 1, of sRGB values 0 to 255."""
    part = np.asarray(colour, dtype=np.float64) / 255.0
    return np.asarray(np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4))


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB values 0 to 255 of amounts of light; what a screen cannot show is cut off."""
    part = np.clip(light, 0.0, 1.0)
    return np.asarray(255.0 * np.where(part <= 0.0031308, 12.92 * part, 1.055 * part ** (1 / 2.4) - 0.055))


def _lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 1976 L*, a*, b* of linear sRGB."""
    ratio = (_XYZ @ np.clip(light, 0.0, 1.0)) / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
