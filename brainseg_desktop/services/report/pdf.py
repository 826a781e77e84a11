"""A document as PDF pages of A4: vector charts, embedded fonts, tables that go on over pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    LongTable,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)
from reportlab.platypus import PageBreak as NewPage

from brainseg_desktop.services.charts.chart import PAPER, Chart, Circle, Line, Rect, Shape, Text
from brainseg_desktop.services.charts.letters import elided, font_path
from brainseg_desktop.services.report import document as doc
from brainseg_desktop.services.report.columns import PADDING, Columns, lay_out

REGULAR, BOLD = "BrainSegSans", "BrainSegSans-Bold"
WIDE, TALL = A4
SIDE, TOP, BOTTOM = 50.0, 56.0, 58.0
INK, FAINT, RULE = (HexColor(PAPER.colours[role]) for role in ("ink", "faint", "grid"))
# No picture and no chart is taller than this, so that its heading has room on the page too.
TALLEST = TALL - TOP - BOTTOM - 60
# A table of so many rows at most is not parted from its caption and its note.
KEPT_ROWS = 18
WIDTH = WIDE - 2 * SIDE


def _style(name: str, size: float, *, bold: bool = False, faint: bool = False, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.4,
        textColor=FAINT if faint else INK,
        # The library would else squeeze words together to save a line.
        spaceShrinkage=0,
        **more,
    )


_TITLE = _style("title", 19, bold=True, spaceAfter=4)
_HEADINGS = (
    _style("part", 14, bold=True, spaceBefore=14, spaceAfter=5),
    _style("section", 11, bold=True, spaceBefore=10, spaceAfter=4),
)
_BODY = _style("body", 9.5, spaceAfter=6)
_FAINT = _style("faint", 8.5, faint=True, spaceAfter=6)
_CAPTION = _style("caption", 8.5, bold=True, spaceBefore=6, spaceAfter=3)
_NOTE = _style("note", 8, faint=True, spaceBefore=3, spaceAfter=8)
_TERM = _style("term", 9, bold=True, spaceBefore=3, keepWithNext=1)
_MEANING = _style("meaning", 9, leftIndent=12, spaceAfter=2)


def to_pdf(document: doc.Document, *, compressed: bool = True) -> bytes:
    """The bytes of the file.

    Parameters
    ----------
    compressed : bool
        False leaves the pages' commands as text.

    Raises
    ------
    UserError
        ``resource_missing`` where the font is not installed.
    """
    for name, bold in ((REGULAR, False), (BOLD, True)):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(font_path(bold))))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    story: list[Any] = [
        Paragraph(escape(document.title), _TITLE),
        Paragraph(escape(document.subtitle), _FAINT),
    ]
    story += _story(document.blocks)
    buffer = io.BytesIO()
    template = BaseDocTemplate(
        buffer,
        pagesize=A4,
        pageCompression=int(compressed),
        title=document.title,
        author=document.software,
        subject=doc.RESEARCH_USE,
        creator=document.software,
        lang="en",
    )
    frame = Frame(SIDE, BOTTOM, WIDTH, TALL - TOP - BOTTOM, 0, 0, 0, 0)
    template.addPageTemplates([PageTemplate(frames=[frame])])
    template.build(story, canvasmaker=lambda *a, **k: _Pages(document, *a, **k))
    return buffer.getvalue()


class _Pages(Canvas):  # type: ignore[misc]
    """Holds the pages back until their number is known, and then writes heads and feet."""

    def __init__(self, document: doc.Document, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **{**more, "initialFontName": REGULAR})
        self._document = document
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._held, 1):
            self.__dict__.update(page)
            self._edges(number, len(self._held))
            super().showPage()
        super().save()

    def _edges(self, number: int, of: int) -> None:
        document = self._document
        self.setFillColor(FAINT)
        self.setStrokeColor(RULE)
        self.setLineWidth(0.6)
        self.setFont(REGULAR, 8)
        if number > 1:
            self.drawString(SIDE, TALL - 38, elided(document.title, 8, WIDTH))
            self.line(SIDE, TALL - 44, WIDE - SIDE, TALL - 44)
        self.line(SIDE, 46, WIDE - SIDE, 46)
        self.drawString(SIDE, 34, doc.RESEARCH_USE)
        self.drawRightString(WIDE - SIDE, 34, f"{number} of {of}")
        footer = " · ".join(part for part in (document.footer, document.software) if part)
        self.drawString(SIDE, 23, elided(footer, 8, WIDTH))


class _Drawing(Flowable):  # type: ignore[misc]
    """A chart, scaled down where the page is smaller."""

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self._chart = chart
        self._scale = min(1.0, WIDTH / chart.width, TALLEST / chart.height)
        self.width, self.height = chart.width * self._scale, chart.height * self._scale

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        canvas.saveState()
        canvas.scale(self._scale, self._scale)
        for shape in self._chart.shapes:
            _draw(canvas, shape, self._chart.height)
        canvas.restoreState()


def _draw(canvas: Any, shape: Shape, height: float) -> None:
    """Draw a shape; PDF counts from the bottom."""
    if isinstance(shape, Text):
        _write(canvas, shape, height)
    elif isinstance(shape, Line):
        canvas.setStrokeColor(HexColor(PAPER.colour(shape.role)))
        canvas.setLineWidth(shape.width)
        canvas.setDash([4, 3] if shape.dashed else [])
        canvas.line(shape.x1, height - shape.y1, shape.x2, height - shape.y2)
    else:
        outlined = shape.stroke is not None
        canvas.setFillColor(HexColor(PAPER.colour(shape.fill)))
        if shape.stroke is not None:
            canvas.setStrokeColor(HexColor(PAPER.colour(shape.stroke)))
        canvas.setDash([])
        canvas.setLineWidth(0.5 if isinstance(shape, Circle) else 1)
        if isinstance(shape, Rect):
            bottom = height - shape.y - shape.height
            canvas.rect(shape.x, bottom, shape.width, shape.height, int(outlined), 1)
        else:
            canvas.circle(shape.x, height - shape.y, shape.radius, int(outlined), 1)


def _write(canvas: Any, text: Text, height: float) -> None:
    canvas.saveState()
    canvas.translate(text.x, height - text.y)
    canvas.rotate(-text.angle)
    canvas.setFillColor(HexColor(PAPER.colour(text.role)))
    canvas.setFont(BOLD if text.bold else REGULAR, text.size)
    write = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
    write[text.anchor](0, 0, text.text)
    canvas.restoreState()


def _story(blocks: Sequence[doc.Block]) -> list[Any]:
    """Everything in order; a heading stays with the beginning of what it is above.

    Not by the library's own keeping together, which would move a table of several pages to a new page.
    """
    story: list[Any] = []
    for index, block in enumerate(blocks):
        if index == 0 or not isinstance(blocks[index - 1], doc.Heading):
            story.append(CondPageBreak(_beginning(blocks[index:])))
        story += _flowables(block)
    return story


def _beginning(blocks: Sequence[doc.Block]) -> float:
    """The height that the next block needs at least: headings with what follows them."""
    height = 0.0
    for block in blocks:
        match block:
            case doc.Heading():
                height += 40
                continue
            case doc.ChartBlock():
                height += float(_Drawing(block.chart).height)
            case doc.Table():
                # What is kept together moves to the next page whole, and its heading with it.
                kept = _table_parts(block) if len(block.rows) <= KEPT_ROWS else []
                height += sum(float(part.wrap(WIDTH, TALL)[1]) for part in kept) + 20 if kept else 90
            case doc.Paragraph():
                height += 30
        break
    return min(height, float(TALL - TOP - BOTTOM))


def _flowables(block: doc.Block) -> list[Any]:
    match block:
        case doc.Heading():
            return [Paragraph(escape(block.text), _HEADINGS[min(block.level, 2) - 1])]
        case doc.Paragraph():
            return [Paragraph(escape(block.text), _FAINT if block.faint else _BODY)]
        case doc.Table():
            return _table(block)
        case doc.ChartBlock():
            return [_Drawing(block.chart), Spacer(1, 10)]
        case doc.Picture():
            return [KeepTogether([_image(block.png), Paragraph(escape(block.caption), _NOTE)])]
        case doc.PageBreak():
            return [NewPage()]
        case doc.Definitions():
            return [
                part
                for term, meaning in block.entries.items()
                for part in (Paragraph(escape(term), _TERM), Paragraph(escape(meaning), _MEANING))
            ]


def _image(png: bytes) -> Any:
    """As wide as the page allows; a small picture is not blown up over 150 dots per inch."""
    wide, tall = ImageReader(io.BytesIO(png)).getSize()
    scale = min(72 / 150, WIDTH / wide, TALLEST / tall)
    return Image(io.BytesIO(png), wide * scale, tall * scale, hAlign="LEFT")


def _table(table: doc.Table) -> list[Any]:
    parts = _table_parts(table)
    return parts if len(table.rows) > KEPT_ROWS else [KeepTogether(parts)]


def _table_parts(table: doc.Table) -> list[Any]:
    parts: list[Any] = [Paragraph(escape(table.caption), _CAPTION)] if table.caption else []
    for block in lay_out(table, WIDTH):
        parts += [_block_of(table, block), Spacer(1, 4)]
    parts.append(Paragraph(escape(table.note), _NOTE) if table.note else Spacer(1, 6))
    return parts


def _block_of(table: doc.Table, columns: Columns) -> Any:
    """Some columns of a table, whose head stands again on every page."""
    aligned = [table.alignments[i] for i in columns.indices]

    def row(cells: Sequence[str], bold: bool) -> list[Any]:
        return [
            Paragraph(escape(cells[i]), _cell(columns.size, bold, align == "right"))
            for i, align in zip(columns.indices, aligned, strict=True)
        ]

    rows = [row(table.header, True), *(row(cells, False) for cells in table.rows)]
    commands = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, FAINT),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), PADDING / 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING / 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    return LongTable(
        rows,
        colWidths=columns.widths,
        repeatRows=1,
        hAlign="LEFT",
        style=TableStyle([("FONT", (0, 0), (-1, -1), REGULAR), *commands]),
        # A cell taller than a page would else be an error.
        splitInRow=1,
    )


def _cell(size: float, bold: bool, right: bool) -> ParagraphStyle:
    more = {"alignment": TA_RIGHT} if right else {}
    return _style(f"cell{size}{bold}{right}", size, bold=bold, faint=bold, **more)
