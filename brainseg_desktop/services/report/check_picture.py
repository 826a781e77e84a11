"""The check of a mask in three panels: the image, the reference's outline, the mask itself, on one slice."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.labels import TISSUE_COLOURS, WT
from brainseg_desktop.core.volume import Sequence, default_window
from brainseg_desktop.services.charts.letters import font_path
from brainseg_desktop.services.compare import AGREED, difference_map
from brainseg_desktop.services.picture import OPACITY, Picture, grey_values, radiological, to_png

PANEL_PIXELS = 440
GAP = 6
LETTERS = 22
# Outlines have this many pixels, so that they stay visible when the page is printed small.
OUTLINE = 2
SHOWN = (Sequence.FLAIR, Sequence.T1CE, Sequence.T2, Sequence.T1)
MOST_ROWS = 2
# Grey up to this is air; voxels of air that stay round the head.
BLACK, RIM = 12, 8

Labels = NDArray[np.uint8]


def check_png(case: Case, shown: Labels, reference: Labels | None, index: int) -> bytes:
    """The picture of one axial slice as a PNG.

    Parameters
    ----------
    shown, reference : (X, Y, Z) arrays of `Tissue` values; without a reference there are two panels
    index : int
        The slice, from 0.
    """
    rows = []
    greys = {
        s: radiological(grey_values(case.aligned[s].data[:, :, index], default_window(case.aligned[s].data)))
        for s in sequences_shown(case)
    }
    x, y, _ = case.grid.spacing_mm
    head = _head(list(greys.values()))
    for sequence, grey in greys.items():
        plane = grey[head]
        panels = [_Panel(plane, (x, y), sequence.value)]
        if reference is not None:
            held = radiological(reference[:, :, index])[head]
            panels.append(_Panel(plane, (x, y), "reference").outlined(held))
        panels.append(_Panel(plane, (x, y), "mask").filled(radiological(shown[:, :, index])[head]))
        rows.append([panel.lettered() for panel in panels])
    return to_png(_tiled(rows))


def sequences_shown(case: Case) -> tuple[Sequence, ...]:
    """The two sequences that show most of a tumour, of those on the grid of the masks."""
    return tuple(s for s in SHOWN if case.is_aligned(s))[:MOST_ROWS]


def most_different_slice(shown: Labels, reference: Labels) -> int | None:
    """The axial slice with the most voxels marked as tumour by one mask only; None if there is none."""
    codes = difference_map(reference, shown, WT)
    counts = (codes > AGREED).sum(axis=(0, 1))
    return int(counts.argmax()) if counts.any() else None


def _head(planes: Rows[Picture]) -> tuple[slice, slice]:
    """The part of the planes that is not black, with a rim, so that the head fills its panel."""
    bright = np.any([plane > BLACK for plane in planes], axis=0)
    if not bright.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, rows[0] - RIM), rows[-1] + RIM + 1),
        slice(max(0, columns[0] - RIM), columns[-1] + RIM + 1),
    )


class _Panel:
    """A square picture in true proportions."""

    def __init__(self, plane: Picture, spacing_mm: tuple[float, float], title: str) -> None:
        from PIL import Image

        height, width = plane.shape[0] * spacing_mm[1], plane.shape[1] * spacing_mm[0]
        scale = PANEL_PIXELS / max(height, width)
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = Image.fromarray(plane).resize(self._size, Image.Resampling.BILINEAR)
        self._pixels = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2).astype(np.float32)
        self._title = title

    def filled(self, labels: Labels) -> _Panel:
        """Colour the labels half transparent, with their outlines."""
        large = self._enlarged(labels)
        for tissue, colour in TISSUE_COLOURS.items():
            where = large == tissue
            self._pixels[where] = (1 - OPACITY) * self._pixels[where] + OPACITY * np.array(colour, np.float32)
        return self.outlined(labels)

    def outlined(self, labels: Labels) -> _Panel:
        """Draw the edges of the labels in their colours."""
        large = self._enlarged(labels)
        edge = _edges(large)
        for tissue, colour in TISSUE_COLOURS.items():
            self._pixels[edge & (large == tissue)] = colour
        return self

    def lettered(self) -> Picture:
        """The panel with its title and the letters of the sides."""
        from PIL import Image, ImageDraw, ImageFont

        square = Image.new("RGB", (PANEL_PIXELS, PANEL_PIXELS))
        image = Image.fromarray(self._pixels.astype(np.uint8))
        square.paste(image, ((PANEL_PIXELS - image.width) // 2, (PANEL_PIXELS - image.height) // 2))
        pen = ImageDraw.Draw(square)
        font = ImageFont.truetype(str(font_path()), LETTERS)
        middle, end = PANEL_PIXELS // 2, PANEL_PIXELS - 5
        for words, place, anchor in (
            ("R", (5, middle), "lm"),
            ("L", (end, middle), "rm"),
            ("A", (middle, 4), "ma"),
            ("P", (middle, end), "md"),
            (self._title, (6, 4), "la"),
        ):
            pen.text(place, words, fill=(235, 235, 235), font=font, anchor=anchor)
        return np.asarray(square)

    def _enlarged(self, labels: Labels) -> Labels:
        """Labels in the size of the panel, each voxel a block."""
        from PIL import Image

        return np.asarray(Image.fromarray(labels).resize(self._size, Image.Resampling.NEAREST))


def _edges(labels: Labels) -> NDArray[np.bool_]:
    """Pixels of a label that lie within `OUTLINE` of another one, or of none."""
    edge = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        for step in range(1, OUTLINE + 1):
            first, last = _ends(axis, step)
            differs = labels[first] != labels[last]
            edge[first] |= differs
            edge[last] |= differs
    return np.asarray(edge & (labels != 0))


def _ends(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """All of an array but the last and but the first `step` along an axis."""
    everything = slice(None)
    first, last = slice(None, -step), slice(step, None)
    return (
        ((first, everything), (last, everything)) if axis == 0 else ((everything, first), (everything, last))
    )


def _tiled(rows: Rows[Rows[Picture]]) -> Picture:
    """Panels beside and below each other, with a white gap."""
    tall = len(rows) * (PANEL_PIXELS + GAP) - GAP
    wide = len(rows[0]) * (PANEL_PIXELS + GAP) - GAP
    picture = np.full((tall, wide, 3), 255, np.uint8)
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            y, x = row * (PANEL_PIXELS + GAP), column * (PANEL_PIXELS + GAP)
            picture[y : y + PANEL_PIXELS, x : x + PANEL_PIXELS] = panel
    return picture
