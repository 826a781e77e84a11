"""The sheet that a chart is drawn on: title above, note below, axes with their numbers."""

from __future__ import annotations

from brainseg_desktop.services.charts.axes import Axis
from brainseg_desktop.services.charts.chart import Chart, Line, Rect, Shape, Spot, Text
from brainseg_desktop.services.charts.letters import elided, text_width, wrapped

WIDTH = 480.0
MARGIN = 8.0
TITLE, LABEL, TICK, NOTE = 12.0, 9.0, 8.5, 8.5
LEADING = 1.35
# Part of the size of letters that digits rise over the base line, and that hangs below it.
RISE, FALL = 0.73, 0.24
# As set in books: a minus as wide as a plus, and the stroke between two names or for nothing.
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


class Sheet:
    """Collects the shapes of a chart from top to bottom.

    Parameters
    ----------
    title : str
        Drawn at once, in as many lines as it needs.
    width : float

    Attributes
    ----------
    top : float
        Where the drawing may begin.
    """

    def __init__(self, title: str, width: float = WIDTH) -> None:
        self.title, self.width = title, width
        self._shapes: list[Shape] = []
        self._spots: list[Spot] = []
        self.top = self._lines(title, MARGIN, TITLE, "ink", bold=True) + 6.0

    def add(self, *shapes: Shape) -> None:
        """Draw over what there is."""
        self._shapes += shapes

    def spot(self, spot: Spot) -> None:
        """Make a place that can be chosen."""
        self._spots.append(spot)

    def finish(self, bottom: float, note: str, across: Axis | None = None, up: Axis | None = None) -> Chart:
        """Write the note below `bottom`; the chart."""
        end = self._lines(note, bottom + 6.0, NOTE, "faint") if note else bottom
        shapes = tuple(self._shapes)
        return Chart(self.title, self.width, end + MARGIN, shapes, tuple(self._spots), note, across, up)

    def _lines(self, text: str, top: float, size: float, role: str, bold: bool = False) -> float:
        """Write a paragraph from `top` on; where it ends."""
        for line in wrapped(text, size, self.width - 2 * MARGIN, bold):
            self.add(Text(MARGIN, top + RISE * size, line, size, role=role, bold=bold))
            top += LEADING * size
        return top

    def draw_across(self, axis: Axis, top: float, bottom: float, label: str) -> float:
        """Numbers and a name below a plot, and lines up through it; where they end."""
        for tick in axis.ticks:
            x = axis.place(tick)
            self.add(Line(x, top, x, bottom, "grid"))
            self.add(Text(x, bottom + 12, number(tick), TICK, "middle", "faint"))
        middle = (axis.start + axis.stop) / 2
        room = 2 * min(middle - MARGIN, self.width - MARGIN - middle)
        self.add(Text(middle, bottom + 26, elided(label, LABEL, room), LABEL, "middle"))
        return bottom + 26 + FALL * LABEL

    def draw_up(self, axis: Axis, left: float, right: float, label: str, edge: float = 0.0) -> None:
        """Numbers and a name left of a plot, and lines across it; the name stands at `edge`."""
        for tick in axis.ticks:
            y = axis.place(tick)
            self.add(Line(left, y, right, y, "grid"))
            self.add(Text(left - 6, y + TICK * RISE / 2, number(tick), TICK, "end", "faint"))
        middle = (axis.start + axis.stop) / 2
        tall = abs(axis.stop - axis.start)
        words = elided(label, LABEL, tall)
        self.add(Text(edge + MARGIN + RISE * LABEL, middle, words, LABEL, "middle", angle=-90))

    def legend(self, entries: list[tuple[str, str]], x: float, y: float) -> float:
        """Squares in the colour of a role with words beside them, in one row; the y below it."""
        for role, words in entries:
            self.add(Rect(x, y, 8, 8, role), Text(x + 12, y + 7.4, words, LABEL))
            x += 24 + text_width(words, LABEL)
        return y + 16


def left_of_axis(axis: Axis) -> float:
    """Room that the numbers and the name of an upright axis need."""
    widest = max(text_width(number(tick), TICK) for tick in axis.ticks)
    return MARGIN + LABEL + 8 + widest + 6


def number(value: float) -> str:
    """A number of an axis, with a true minus sign.

    Examples
    --------
    >>> number(-0.5), number(20.0)
    ('−0.5', '20')
    """
    return f"{value:g}".replace("-", MINUS)


def fixed(value: float, digits: int) -> str:
    """A number with so many digits after the point, with a true minus sign and never a minus zero.

    Examples
    --------
    >>> fixed(-0.004, 2), fixed(-1.25, 1)
    ('0.00', '−1.2')
    """
    text = f"{value:.{digits}f}"
    return (text[1:] if text.startswith("-") and float(text) == 0 else text).replace("-", MINUS)


def nothing(title: str, why: str, width: float = WIDTH) -> Chart:
    """A chart that has nothing to draw, and says why."""
    sheet = Sheet(title, width)
    tall = 60.0
    sheet.add(Rect(MARGIN, sheet.top, width - 2 * MARGIN, tall, "box"))
    lines = wrapped(why, LABEL, width - 6 * MARGIN)
    y = sheet.top + tall / 2 - (len(lines) - 1) * LEADING * LABEL / 2 + RISE * LABEL / 2
    for line in lines:
        sheet.add(Text(width / 2, y, line, LABEL, "middle"))
        y += LEADING * LABEL
    chart = sheet.finish(sheet.top + tall, "")
    return Chart(title, chart.width, chart.height, chart.shapes, note=why)
