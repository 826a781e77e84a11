"""A document as one HTML file that needs no other: no scripts, no network, light or dark as the reader's."""

from __future__ import annotations

import base64
from html import escape

from brainseg_desktop.services.charts.chart import DARK, PAPER, Theme
from brainseg_desktop.services.charts.svg import to_svg
from brainseg_desktop.services.report.document import (
    RESEARCH_USE,
    Block,
    ChartBlock,
    Definitions,
    Document,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Table,
)

_SHAPE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 "DejaVu Sans", Verdana, system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.2rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
.faint, caption, figcaption, .note { color: var(--faint); }
.use { border-left: 4px solid var(--accent); padding: .2rem .7rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; font-weight: 600; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: top; }
th { color: var(--faint); border-bottom-color: var(--faint); }
td.right, th.right { text-align: right; }
td.right { white-space: nowrap; }
.note { font-size: .8rem; margin: -.4rem 0 1rem; }
figure { margin: 1rem 0; }
figure svg { display: block; width: 100%; max-width: 640px; height: auto; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .85rem; margin-top: .3rem; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0 0 0 1.2rem; }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid var(--grid); font-size: .8rem; }
@page { size: A4; margin: 16mm; }
@media print {
  body { font-size: 9pt; }
  table { font-size: 7pt; }
  th, td { padding: .12rem .28rem; }
  .note, figcaption { font-size: 7pt; }
  h1 { font-size: 16pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  .break { break-before: page; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""


def to_html(document: Document) -> str:
    """The page."""
    blocks = "\n".join(_block(block) for block in document.blocks)
    software = f'<meta name="generator" content="{escape(document.software)}">' if document.software else ""
    footer = " · ".join(part for part in (document.footer, document.software) if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{software}\n'
        f"<title>{escape(document.title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(document.title)}</h1>\n<p class="faint">{escape(document.subtitle)}</p>\n'
        f'<p class="use">{RESEARCH_USE}</p>\n{blocks}\n'
        f'<footer class="faint">{escape(footer)}<br>{RESEARCH_USE}</footer>\n</main>\n</body>\n</html>\n'
    )


def _style() -> str:
    """Colours of both looks; paper is always light."""

    def variables(theme: Theme) -> str:
        return " ".join(f"--{role}: {colour};" for role, colour in theme.colours.items())

    # A chart has the colours of paper in its own attributes; the rules make it follow the look.
    rules = "\n".join(
        f".fill-{role} {{ fill: var(--{role}); }} .stroke-{role} {{ stroke: var(--{role}); }}"
        for role in PAPER.colours
    )
    return (
        f":root {{ color-scheme: light dark; {variables(PAPER)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}{_SHAPE}{rules}\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading():
            tag = f"h{min(block.level, 2) + 1}"
            return f"<{tag}>{escape(block.text)}</{tag}>"
        case Paragraph():
            faint = ' class="faint"' if block.faint else ""
            return f"<p{faint}>{escape(block.text)}</p>"
        case Table():
            return _table(block)
        case ChartBlock():
            return f"<figure>{to_svg(block.chart, classes=True)}</figure>"
        case Picture():
            data = base64.b64encode(block.png).decode()
            words = escape(block.caption)
            return (
                f'<figure><img src="data:image/png;base64,{data}" alt="{words}">'
                f"<figcaption>{words}</figcaption></figure>"
            )
        case PageBreak():
            return '<div class="break"></div>'
        case Definitions():
            entries = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in block.entries.items())
            return f"<dl>{''.join(entries)}</dl>"


def _table(table: Table) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        marks = ("" if a == "left" else ' class="right"' for a in table.alignments)
        inner = (f"<{tag}{scope}{mark}>{escape(c)}</{tag}>" for c, mark in zip(cells, marks, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    head = f"<thead>{row(table.header, 'th')}</thead>"
    body = "".join(row(cells, "td") for cells in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll"><table>{caption}{head}<tbody>{body}</tbody></table></div>{note}'
