"""Columns of a printed table: how wide, in what size of letters, and where a table is cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass

from brainseg_desktop.services.charts.letters import text_width
from brainseg_desktop.services.report.document import Table

# Tried in this order; below the last nobody reads.
SIZES = (8.5, 7.5, 6.5)
PADDING = 8.0
# A word exactly as wide as its column would be broken.
SLACK = 1.0
# A word longer than this is cut, so that one hash does not take the page.
LONGEST_WORD = 130.0


@dataclass(frozen=True, slots=True)
class Columns:
    """Some columns of a table as they are printed.

    Parameters
    ----------
    indices : tuple of int
    widths : tuple of float
        Points, padding and all.
    size : float
        Of the letters.
    """

    indices: tuple[int, ...]
    widths: tuple[float, ...]
    size: float


def lay_out(table: Table, width: float) -> list[Columns]:
    """Fit a table to a width: in smaller letters, and if that is not enough in blocks of columns.

    The first column says what a row is, so every block begins with it.

    Examples
    --------
    >>> narrow = Table(("a", "b"), (("1", "2"),))
    >>> [(c.indices, c.size) for c in lay_out(narrow, 300)]
    [((0, 1), 8.5)]
    """
    every = tuple(range(len(table.header)))
    for size in SIZES:
        needs, wants = _needs(table, size), _wants(table, size)
        if sum(needs) <= width:
            return [Columns(every, _spread(needs, wants, width), size)]
    size = SIZES[-1]
    blocks: list[list[int]] = [[0]]
    for column in every[1:]:
        filled = sum(needs[c] for c in blocks[-1])
        if len(blocks[-1]) > 1 and filled + needs[column] > width:
            blocks.append([0])
        blocks[-1].append(column)
    found = []
    for block in blocks:
        least = _squeezed([needs[c] for c in block], width)
        found.append(Columns(tuple(block), _spread(least, [wants[c] for c in block], width), size))
    return found


def _needs(table: Table, size: float) -> list[float]:
    """The least width of each column: numbers whole, words one by one."""
    needs = []
    for index, align in enumerate(table.alignments):
        words = table.header[index].split()
        for row in table.rows:
            words += [row[index]] if align == "right" else row[index].split()
        widest = max((text_width(w, size, bold=True) for w in words), default=0.0)
        needs.append(min(widest, LONGEST_WORD) + PADDING + SLACK)
    return needs


def _wants(table: Table, size: float) -> list[float]:
    """The width in which no cell of a column is broken."""
    return [
        max(
            text_width(cell, size, bold=True)
            for cell in (table.header[index], *(r[index] for r in table.rows))
        )
        + PADDING
        + SLACK
        for index in range(len(table.header))
    ]


def _spread(needs: list[float], wants: list[float], width: float) -> tuple[float, ...]:
    """Share what is left of the width among the columns whose cells would be broken."""
    lacking = [max(0.0, want - need) for need, want in zip(needs, wants, strict=True)]
    room = width - sum(needs)
    share = min(1.0, room / sum(lacking)) if sum(lacking) > 0 else 0.0
    return tuple(need + share * lack for need, lack in zip(needs, lacking, strict=True))


def _squeezed(needs: list[float], width: float) -> list[float]:
    """Columns that have no room even so, made narrower together."""
    return [need * min(1.0, width / sum(needs)) for need in needs]
