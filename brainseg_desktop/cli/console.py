"""Results on stdout, progress on stderr and only where someone watches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

# What a task reports to: the share done, from 0 to 1.
Bar = Callable[[float], None]


def print_json(content: Any) -> None:
    """One JSON document on stdout; numbers that are not finite never occur in ours."""
    click.echo(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns on stdout: words to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    number = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, number, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def number(value: float | None, digits: int = 3) -> str:
    """A number in a table; a dash where there is none.

    Examples
    --------
    >>> number(0.98765), number(None)
    ('0.988', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """A bar on stderr if that is a terminal, else silence."""
    if not sys.stderr.isatty():
        yield lambda fraction: None
        return
    from tqdm import tqdm

    with tqdm(total=100, desc=title, file=sys.stderr, bar_format="{l_bar}{bar}| {remaining} left") as bar:

        def move(fraction: float) -> None:
            bar.update(max(0.0, 100 * fraction - bar.n))

        yield move


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).lstrip("-").isdigit()
