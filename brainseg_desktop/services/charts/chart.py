"""A chart: shapes on a sheet of paper, and the places on it that mean something.

Lengths are points (1/72 inch), the origin is the top left corner. A colour is the name of a role, which a
`Theme` turns into a colour, or red, green and blue (0 to 255) where the colour itself is what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from brainseg_desktop.services.charts.axes import Axis
from brainseg_desktop.services.studies.results import Pair

Colour = str | tuple[int, int, int]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Text:
    """One line of words.

    Parameters
    ----------
    x, y : float
        Start, middle or end of the base line, by `anchor`.
    angle : float
        Degrees clockwise about that point: -90 reads upwards.
    """

    x: float
    y: float
    text: str
    size: float = 10.0
    anchor: Anchor = "start"
    role: Colour = "ink"
    bold: bool = False
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle, filled; with an outline of 1 point where `stroke` is given."""

    x: float
    y: float
    width: float
    height: float
    fill: Colour
    stroke: Colour | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    role: Colour
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """A dot; with an outline of half a point where `stroke` is given."""

    x: float
    y: float
    radius: float
    fill: Colour
    stroke: Colour | None = None


Shape = Text | Rect | Line | Circle


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that can be pointed at and chosen.

    Parameters
    ----------
    x, y, width, height : float
        The box of what is drawn there.
    tip : str
        What it says, in words.
    pair : (str, str) or None
        The two raters it is about.
    case : str or None
        The case it is about.
    """

    x: float
    y: float
    width: float
    height: float
    tip: str
    pair: Pair | None = None
    case: str | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2

    def holds(self, x: float, y: float, room: float = 0.0) -> bool:
        """Whether a point lies in the box, or within `room` of it."""
        return (
            self.x - room <= x <= self.x + self.width + room
            and self.y - room <= y <= self.y + self.height + room
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, back to front.

    Parameters
    ----------
    title, note : str
        Drawn above and below, by shapes of their own; here for those who cannot see the picture.
    width, height : float
    shapes : tuple of Shape
    spots : tuple of Spot
    across, up : Axis or None
        What the places of dots stand for.
    """

    title: str
    width: float
    height: float
    shapes: tuple[Shape, ...]
    spots: tuple[Spot, ...] = ()
    note: str = ""
    across: Axis | None = None
    up: Axis | None = None

    def spot_at(self, x: float, y: float, room: float = 1.5) -> Spot | None:
        """The spot under a point; of several the one whose middle is nearest."""
        found = [s for s in self.spots if s.holds(x, y, room)]
        if not found:
            return None
        return min(found, key=lambda s: (s.centre[0] - x) ** 2 + (s.centre[1] - y) ** 2)


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of the roles, as CSS writes them."""

    name: str
    colours: Mapping[str, str]

    def colour(self, colour: Colour) -> str:
        """A role's colour, or that of red, green and blue.

        Examples
        --------
        >>> PAPER.colour("paper"), PAPER.colour((1, 2, 255))
        ('#ffffff', '#0102ff')
        """
        if isinstance(colour, str):
            return self.colours[colour]
        return "#" + "".join(f"{part:02x}" for part in colour)


# The series are of Okabe and Ito (2008), in the dark lighter where they would sink into the ground.
PAPER = Theme(
    "paper",
    {
        "paper": "#ffffff",
        "ink": "#1d2126",
        "faint": "#535a63",
        "grid": "#d9dde2",
        "band": "#e3ecf7",
        "box": "#eceef1",
        "accent": "#1f5fae",
        "series0": "#0072b2",
        "series1": "#d55e00",
        "series2": "#009e73",
        "series3": "#b4568e",
    },
)
LIGHT = Theme("light", {**PAPER.colours, "paper": "#ffffff"})
DARK = Theme(
    "dark",
    {
        "paper": "#1e2126",
        "ink": "#dde1e5",
        "faint": "#a3abb3",
        "grid": "#3d444d",
        "band": "#263d57",
        "box": "#30363e",
        "accent": "#7ab3f7",
        "series0": "#56b4e9",
        "series1": "#f08a45",
        "series2": "#2fc39a",
        "series3": "#e095c0",
    },
)
THEMES = {theme.name: theme for theme in (PAPER, LIGHT, DARK)}
