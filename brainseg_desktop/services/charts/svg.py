"""A chart as SVG: sharp at any size; in the colours of a page where the theme's are CSS variables."""

from __future__ import annotations

from html import escape

from brainseg_desktop.services.charts.chart import PAPER, Chart, Circle, Line, Rect, Shape, Text, Theme
from brainseg_desktop.services.charts.letters import FAMILY

# Verdana is as wide as the font that the chart was laid out with.
FONTS = f"{FAMILY}, Verdana, sans-serif"
# What XML 1.0 cannot hold, not even as an entity.
_FORBIDDEN = dict.fromkeys(range(32)) | {0xFFFE: None, 0xFFFF: None}


def to_svg(chart: Chart, theme: Theme = PAPER) -> str:
    """A standalone SVG with the title and the note for those who cannot see it.

    Parameters
    ----------
    theme : Theme
        Its colours may be CSS variables, for an SVG inside a page that defines them.
    """
    width, height = _n(chart.width), _n(chart.height)
    drawn = "\n".join(_shape(shape, theme) for shape in chart.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{FONTS}">\n'
        f"<title>{_words(chart.title)}</title>\n<desc>{_words(chart.note)}</desc>\n"
        f'<rect width="{width}" height="{height}" fill="{theme.colour("paper")}"/>\n{drawn}\n</svg>\n'
    )


def _shape(shape: Shape, theme: Theme) -> str:
    if isinstance(shape, Text):
        return _text(shape, theme)
    if isinstance(shape, Rect):
        stroke = f' stroke="{theme.colour(shape.stroke)}"' if shape.stroke is not None else ""
        return (
            f'<rect x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" '
            f'height="{_n(shape.height)}" fill="{theme.colour(shape.fill)}"{stroke}/>'
        )
    if isinstance(shape, Line):
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return (
            f'<line x1="{_n(shape.x1)}" y1="{_n(shape.y1)}" x2="{_n(shape.x2)}" y2="{_n(shape.y2)}" '
            f'stroke="{theme.colour(shape.role)}" stroke-width="{_n(shape.width)}"{dashes}/>'
        )
    return _circle(shape, theme)


def _circle(shape: Circle, theme: Theme) -> str:
    stroke = f' stroke="{theme.colour(shape.stroke)}" stroke-width="0.5"' if shape.stroke is not None else ""
    return (
        f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}" '
        f'fill="{theme.colour(shape.fill)}"{stroke}/>'
    )


def _text(shape: Text, theme: Theme) -> str:
    x, y = _n(shape.x), _n(shape.y)
    turned = f' transform="rotate({_n(shape.angle)} {x} {y})"' if shape.angle else ""
    bold = ' font-weight="bold"' if shape.bold else ""
    anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{_n(shape.size)}" fill="{theme.colour(shape.role)}"'
        f"{anchor}{bold}{turned}>{_words(shape.text)}</text>"
    )


def _words(text: str) -> str:
    return escape(text.translate(_FORBIDDEN))


def _n(value: float) -> str:
    """A length to a hundredth of a point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
