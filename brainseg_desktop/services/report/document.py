"""A report before it is written: what stands on its pages, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.services.charts.chart import Chart

RESEARCH_USE = "Research use only. Not a medical device; not for diagnosis or treatment."
Align = Literal["left", "right"]
LEFT: Align = "left"
RIGHT: Align = "right"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 begins a part, 2 a section of it."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words; `faint` for what explains."""

    text: str
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header.

    Parameters
    ----------
    header : tuple of str
    rows : tuple of rows, each as long as the header
    caption : str
        Above it.
    align : tuple of {"left", "right"}
        Of the columns; the first left and the others right where it is empty.
    note : str
        Below it: counts, rules.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    align: tuple[Align, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.rows} | {len(self.header)}
        if len(widths) > 1 or (self.align and len(self.align) != len(self.header)):
            raise ValueError(f"rows of {sorted(widths)} cells, {len(self.align)} alignments")

    @property
    def alignments(self) -> tuple[Align, ...]:
        """One for each column."""
        if self.align:
            return self.align
        return (LEFT, *(RIGHT for _ in self.header[1:]))


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A chart, which brings its own title and note."""

    chart: Chart


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG.

    Parameters
    ----------
    png : bytes
    caption : str
        Below it; also for those who cannot see it.
    """

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class PageBreak:
    """What follows begins on a new page."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Terms and what they mean."""

    entries: Mapping[str, str]


Block = Heading | Paragraph | Table | ChartBlock | Picture | PageBreak | Definitions


@dataclass(frozen=True, slots=True)
class Document:
    """A report.

    Parameters
    ----------
    title, subtitle : str
    blocks : tuple of Block
    footer : str
        On every page, beside its number; the research-use line is there too.
    software : str
        Program and version, for the file's own description.
    """

    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    footer: str = ""
    software: str = ""


def write_report(document: Document, path: Path) -> None:
    """Write a document as ``.pdf`` or ``.html``, whole or not at all.

    Raises
    ------
    UserError
        ``report_format`` for another suffix; ``resource_missing`` where the font is not installed;
        ``disk_full``, ``no_permission`` or ``write_failed``, with the old file as it was.
    """
    # Of the two writers only the one that is needed is loaded.
    writers: dict[str, Callable[[], Callable[[Document], bytes]]] = {".pdf": _pdf, ".html": _html}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise UserError("report_format", path=path)
    write_bytes(path, writer()(document))


def _pdf() -> Callable[[Document], bytes]:
    from brainseg_desktop.services.report.pdf import to_pdf

    return to_pdf


def _html() -> Callable[[Document], bytes]:
    from brainseg_desktop.services.report.html import to_html

    return lambda document: to_html(document).encode()
