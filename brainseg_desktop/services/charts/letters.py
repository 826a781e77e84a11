"""How wide words are in the font that is shipped, so that a chart can be laid out before it is drawn."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.resources import resources_dir

FAMILY = "DejaVu Sans"
_SIZE = 1000
DOTS = "…"


def font_path(bold: bool = False) -> Path:
    """The font file, which the window and the PDF writer load too.

    Raises
    ------
    UserError
        ``resource_missing``.
    """
    path = resources_dir() / "fonts" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    if not path.is_file():
        raise UserError("resource_missing", path=path)
    return path


@cache
def _font(bold: bool) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(font_path(bold)), _SIZE, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _length(text: str, bold: bool) -> float:
    return float(_font(bold).getlength(text)) / _SIZE


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of words, in the unit of `size`."""
    return _length(text, bold) * size


def elided(text: str, size: float, width: float, bold: bool = False) -> str:
    """As much of a text as has room, with dots for the middle part that has none.

    Names of readers often differ in their last letters, so both ends stay.

    Examples
    --------
    >>> elided("Anna", 10, 100), elided("Reader number 12", 10, 60)
    ('Anna', 'Read…r 12')
    """
    if text_width(text, size, bold) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        first = (kept + 1) // 2
        short = text[:first].rstrip() + DOTS + text[len(text) - (kept - first) :].lstrip()
        if text_width(short, size, bold) <= width:
            return short
    return DOTS


def wrapped(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """The lines of a paragraph; a word longer than a line is cut.

    Examples
    --------
    >>> wrapped("one two three", 10, 50)
    ['one two', 'three']
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        while text_width(word, size, bold) > width:
            head = next(n for n in range(len(word), 0, -1) if n == 1 or _fits(word[:n], size, width, bold))
            lines += [line] if line else []
            line = ""
            lines.append(word[:head])
            word = word[head:]
        longer = f"{line} {word}".strip()
        if text_width(longer, size, bold) <= width:
            line = longer
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line else lines


def _fits(text: str, size: float, width: float, bold: bool) -> bool:
    return text_width(text, size, bold) <= width


def fitting_size(texts: list[str], size: float, width: float, least: float = 4.0) -> float:
    """The size, `size` at most, in which every one of the lines has room."""
    widest = max((text_width(text, 1.0) for text in texts), default=0.0)
    return max(least, min(size, width / widest)) if widest > 0 else size
