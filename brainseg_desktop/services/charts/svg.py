"""A chart as SVG: sharp at any size, in the colours of a theme or of the page around it."""

from __future__ import annotations

from html import escape

from brainseg_desktop.services.charts.chart import (
    PAPER,
    Chart,
    Circle,
    Colour,
    Line,
    Rect,
    Shape,
    Text,
    Theme,
)
from brainseg_desktop.services.charts.letters import FAMILY

# Verdana is as wide as the font that the chart was laid out with.
FONTS = f"{FAMILY}, Verdana, sans-serif"
# What XML 1.0 cannot hold, not even as an entity.
_FORBIDDEN = dict.fromkeys(range(32)) | {0xFFFE: None, 0xFFFF: None}


def to_svg(chart: Chart, theme: Theme = PAPER, *, classes: bool = False) -> str:
    """A standalone SVG with the title and the note for those who cannot see it.

    Parameters
    ----------
    classes : bool
        Give every shape the classes ``fill-<role>`` and ``stroke-<role>`` too, so that a page can colour it
        by its own rules; who does not know those rules shows the colours of `theme`.
    """
    width, height = _n(chart.width), _n(chart.height)
    pen = _Pen(theme, classes)
    drawn = "\n".join(pen.shape(shape) for shape in chart.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{FONTS}">\n'
        f"<title>{_words(chart.title)}</title>\n<desc>{_words(chart.note)}</desc>\n"
        f'<rect width="{width}" height="{height}"{pen.paint(fill="paper")}/>\n{drawn}\n</svg>\n'
    )


class _Pen:
    """Writes shapes in the colours of a theme."""

    def __init__(self, theme: Theme, classes: bool) -> None:
        self._theme, self._classes = theme, classes

    def paint(self, **colours: Colour | None) -> str:
        """The attributes ``fill`` and ``stroke``, and the classes of roles."""
        given = {name: colour for name, colour in colours.items() if colour is not None}
        attributes = "".join(f' {n}="{self._theme.colour(c)}"' for n, c in given.items())
        roles = [f"{n}-{c}" for n, c in given.items() if isinstance(c, str)]
        return attributes + (f' class="{" ".join(roles)}"' if self._classes and roles else "")

    def shape(self, shape: Shape) -> str:
        """One element."""
        match shape:
            case Text():
                return self._text(shape)
            case Rect():
                return (
                    f'<rect x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" '
                    f'height="{_n(shape.height)}"{self.paint(fill=shape.fill, stroke=shape.stroke)}/>'
                )
            case Line():
                dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
                return (
                    f'<line x1="{_n(shape.x1)}" y1="{_n(shape.y1)}" x2="{_n(shape.x2)}" y2="{_n(shape.y2)}" '
                    f'stroke-width="{_n(shape.width)}"{dashes}{self.paint(stroke=shape.role)}/>'
                )
            case Circle():
                thin = ' stroke-width="0.5"' if shape.stroke is not None else ""
                return (
                    f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"{thin}'
                    f"{self.paint(fill=shape.fill, stroke=shape.stroke)}/>"
                )

    def _text(self, shape: Text) -> str:
        x, y = _n(shape.x), _n(shape.y)
        turned = f' transform="rotate({_n(shape.angle)} {x} {y})"' if shape.angle else ""
        bold = ' font-weight="bold"' if shape.bold else ""
        anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
        return (
            f'<text x="{x}" y="{y}" font-size="{_n(shape.size)}"{anchor}{bold}{turned}'
            f"{self.paint(fill=shape.role)}>{_words(shape.text)}</text>"
        )


def _words(text: str) -> str:
    return escape(text.translate(_FORBIDDEN))


def _n(value: float) -> str:
    """A length to a hundredth of a point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
