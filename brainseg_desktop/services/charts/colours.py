"""Colours that stand for numbers: cividis, whose steps look equally large with any colour vision."""

from __future__ import annotations

from itertools import pairwise

Rgb = tuple[int, int, int]

# Every sixteenth of the 256 colours of cividis (Nuñez, Anderton and Renslow, 2018; CC0) and the last.
_CIVIDIS: tuple[Rgb, ...] = (
    (0, 32, 77),
    (0, 44, 105),
    (6, 54, 110),
    (45, 66, 108),
    (65, 77, 107),
    (82, 89, 108),
    (97, 100, 111),
    (111, 112, 115),
    (125, 124, 120),
    (140, 136, 121),
    (156, 149, 119),
    (173, 162, 116),
    (190, 175, 111),
    (207, 189, 103),
    (225, 204, 93),
    (243, 219, 79),
    (255, 234, 70),
)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def cividis(share: float) -> Rgb:
    """The colour of a share of the scale: dark blue at 0, yellow at 1.

    Examples
    --------
    >>> cividis(0.0), cividis(2.0) == cividis(1.0)
    ((0, 32, 77), True)
    """
    at = min(max(share, 0.0), 1.0) * (len(_CIVIDIS) - 1)
    lower, upper = list(pairwise(_CIVIDIS))[min(int(at), len(_CIVIDIS) - 2)]
    part = at - min(int(at), len(_CIVIDIS) - 2)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(lower, upper, strict=True))
    return red, green, blue


def luminance(colour: Rgb) -> float:
    """Relative luminance, 0 to 1, as WCAG 2 defines it.

    Examples
    --------
    >>> luminance((255, 255, 255)), luminance((0, 0, 0))
    (1.0, 0.0)
    """
    light = [p / 255 / 12.92 if p <= 10 else ((p / 255 + 0.055) / 1.055) ** 2.4 for p in colour]
    return round(0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2], 6)


def ink_on(colour: Rgb) -> Rgb:
    """Black or white, whichever is easier to read on a colour."""
    # (L + 0.05) / 0.05 and 1.05 / (L + 0.05) are the two contrasts.
    return BLACK if (luminance(colour) + 0.05) ** 2 > 1.05 * 0.05 else WHITE
