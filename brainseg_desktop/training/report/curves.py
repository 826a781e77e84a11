"""Charts as SVG, drawn by hand: sharp at any size, and in the colours of the page around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from brainseg_desktop.services.charts.axes import ticks
from brainseg_desktop.training.calibration import Bin

Points = Sequence[tuple[float, float | None]]

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 42
# Chosen so that a legend of four words has room.
LETTER = 7.2
COLOURS = 6


def line_chart(title: str, lines: Mapping[str, Points], across: str = "epoch") -> str:
    """Lines over one axis, with a legend; a point without a value breaks the line.

    Returns
    -------
    str
        An ``<svg>`` element; empty if no line has a point.
    """
    points = [(x, y) for line in lines.values() for x, y in line if y is not None and math.isfinite(y)]
    if not points:
        return ""
    x_ticks = [t for t in ticks(min(x for x, _ in points), max(x for x, _ in points)) if t == round(t)]
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points))
    x_span = (min(x for x, _ in points), max(x for x, _ in points))
    y_span = (y_ticks[0], y_ticks[-1])
    parts = [_axes(title, across, x_ticks, y_ticks, x_span, y_span)]
    at = float(LEFT)
    for index, (name, line) in enumerate(lines.items()):
        colour = f"c{index % COLOURS}"
        for run in _runs(line):
            places = [_place(x, y, x_span, y_span) for x, y in run]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline class="line {colour}" points="{path}"/>')
            if len(places) < 40:
                parts += [
                    f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in places
                ]
        parts.append(f'<rect class="dot {colour}" x="{at:.0f}" y="29" width="10" height="4"/>')
        parts.append(f'<text x="{at + 14:.0f}" y="35">{escape(name)}</text>')
        at += 28 + LETTER * len(name)
    return _svg(title, parts)


def reliability_chart(title: str, before: Sequence[Bin], after: Sequence[Bin]) -> str:
    """Share of tumour over the probability told; dots as large as their share of the voxels.

    A network that is as sure as it should be lies on the diagonal.
    """
    span, marks = (0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    parts = [_axes(title, "probability told", marks, marks, span, span)]
    (x0, y0), (x1, y1) = _place(0, 0, span, span), _place(1, 1, span, span)
    parts.append(f'<line class="guide" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>')
    at = float(LEFT)
    for colour, name, bins in (("c1", "before", before), ("c0", "calibrated", after)):
        places = [(*_place(b.confidence, b.accuracy, span, span), b.share) for b in bins]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        parts += [
            f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 6 * math.sqrt(share):.1f}"/>'
            for x, y, share in places
        ]
        parts.append(f'<rect class="dot {colour}" x="{at:.0f}" y="29" width="10" height="4"/>')
        parts.append(f'<text x="{at + 14:.0f}" y="35">{name}</text>')
        at += 28 + LETTER * len(name)
    return _svg(title, parts)


def _axes(
    title: str,
    across: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    x_span: tuple[float, float],
    y_span: tuple[float, float],
) -> str:
    bottom = HEIGHT - BOTTOM
    parts = [f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text>']
    for tick in y_ticks:
        _, y = _place(x_span[0], tick, x_span, y_span)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 8}" y="{y + 4:.1f}">{tick:g}</text>')
    for tick in x_ticks:
        if x_span[0] <= tick <= x_span[1]:
            x, _ = _place(tick, y_span[0], x_span, y_span)
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 4}"/>')
            parts.append(f'<text class="tick middle" x="{x:.1f}" y="{bottom + 18}">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="tick middle" x="{middle:.0f}" y="{HEIGHT - 6}">{escape(across)}</text>')
    return "".join(parts)


def _place(
    x: float, y: float, x_span: tuple[float, float], y_span: tuple[float, float]
) -> tuple[float, float]:
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    share = (x - x_span[0]) / (x_span[1] - x_span[0]) if x_span[1] > x_span[0] else 0.5
    return LEFT + share * width, TOP + (y_span[1] - y) / (y_span[1] - y_span[0]) * height


def _runs(line: Points) -> list[list[tuple[float, float]]]:
    """The stretches of a line without a gap."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in line:
        if y is None or not math.isfinite(y):
            found.append([])
        else:
            found[-1].append((x, y))
    return [run for run in found if run]


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
