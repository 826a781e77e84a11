"""Pictures of masks for the views: fill, outline, the difference of two masks, and how sure a network was.

The pictures are kept per slice, because the four linked views of one plane show the same mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainterPath

from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.gui.views.plane import USUAL, Orientation, Plane, picture
from brainseg_desktop.services.compare import AGREED, EXTRA, MISSED

Colour = tuple[int, int, int]

DIFFERENCE_COLOURS: dict[int, Colour] = {AGREED: (160, 160, 160), MISSED: (0, 114, 178), EXTRA: (230, 159, 0)}
# Nine steps of Matplotlib's "inferno" (CC0) from 0.2 to 1: as bright to the eye as the value is high, for
# colour-blind eyes too.
UNCERTAINTY_COLOURS: tuple[Colour, ...] = (
    (66, 10, 104),
    (106, 23, 110),
    (147, 38, 103),
    (186, 54, 85),
    (221, 81, 58),
    (243, 120, 25),
    (252, 165, 10),
    (246, 215, 70),
    (252, 255, 164),
)
# Five steps of Matplotlib's "viridis" (CC0) from 0.2 to 1, for the same reason in other colours.
VOTE_COLOURS: tuple[Colour, ...] = (
    (65, 68, 135),
    (42, 120, 142),
    (34, 168, 132),
    (122, 209, 81),
    (253, 231, 37),
)
_EDGE: Colour = (255, 255, 255)
# Below so much of 1 bit nothing is drawn.
LEAST_UNCERTAINTY = 0.03


def premultiplied(colour: Colour, opacity: float) -> int:
    """ARGB32 premultiplied value of a colour."""
    r, g, b = (round(c * opacity) for c in colour)
    return (round(255 * opacity) << 24) | (r << 16) | (g << 8) | b


def colour_table(colours: dict[int, Colour], opacity: float) -> NDArray[np.uint32]:
    """Lookup from label to premultiplied ARGB; what is not named is transparent."""
    table = np.zeros(256, dtype=np.uint32)
    for value, colour in colours.items():
        table[value] = premultiplied(colour, opacity)
    return table


def tissue_colours(
    colours: Mapping[Tissue, Colour] = TISSUE_COLOURS, hidden: Iterable[Tissue] = ()
) -> dict[int, Colour]:
    """Colours of all tissues but the hidden ones, by number."""
    hide = set(hidden)
    return {int(t): c for t, c in colours.items() if t not in hide}


def vote_colours(readers: int) -> dict[int, Colour]:
    """Colours of 1 to `readers` votes: the brighter, the more marked the voxel.

    Examples
    --------
    >>> vote_colours(2)[2], vote_colours(5)[1]
    ((253, 231, 37), (65, 68, 135))
    """
    steps = np.linspace(0, len(VOTE_COLOURS) - 1, readers) if readers > 1 else np.array([4.0])
    bands = [np.interp(steps, np.arange(len(VOTE_COLOURS)), c) for c in zip(*VOTE_COLOURS, strict=True)]
    rgb = np.rint(np.stack(bands, axis=1)).astype(int).tolist()
    return {votes: (r, g, b) for votes, (r, g, b) in enumerate(rgb, start=1)}


@dataclass(slots=True)
class MaskPicture:
    """One slice of a mask, ready to draw.

    Attributes
    ----------
    labels : (rows, columns) uint8
        As on the screen.
    buffer : (rows, columns) uint32
        Premultiplied ARGB, which `image` shares.
    filled : QRectF
        The part of the picture that is not transparent.
    outlines : tuple of (colour, path)
        Voxel edges in picture coordinates.
    others : tuple of (colour, path)
        The same of a second mask, drawn dashed.
    """

    labels: NDArray[np.uint8]
    buffer: NDArray[np.uint32]
    image: QImage
    filled: QRectF
    outlines: tuple[tuple[Colour, QPainterPath], ...]
    others: tuple[tuple[Colour, QPainterPath], ...] = ()


def render(
    labels: NDArray[np.uint8], colours: dict[int, Colour], opacity: float, *, fill: bool, outline: bool
) -> MaskPicture:
    """Draw a label picture (rows, columns)."""
    labels = np.ascontiguousarray(labels)
    buffer = colour_table(colours, opacity if fill else 0.0)[labels]
    rows, columns = labels.shape
    image = QImage(buffer.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied)  # type: ignore[call-overload]
    lines = _outlines(labels, colours) if outline else ()
    return MaskPicture(labels, buffer, image, _filled(labels) if fill else QRectF(), lines)


def with_outlines(made: MaskPicture, labels: NDArray[np.uint8], colours: dict[int, Colour]) -> MaskPicture:
    """The same picture with the outlines of a second mask (rows, columns) over it."""
    return replace(made, others=_outlines(labels, colours))


def _outlines(
    labels: NDArray[np.uint8], colours: dict[int, Colour]
) -> tuple[tuple[Colour, QPainterPath], ...]:
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    return tuple((colours[int(v)], outline_path(labels == v)) for v in present if int(v) in colours)


def uncertainty_table(opacity: float) -> NDArray[np.uint32]:
    """Lookup from uncertainty, 0..255, to premultiplied ARGB: brighter and less transparent as it grows."""
    steps = np.linspace(0, 255, len(UNCERTAINTY_COLOURS))
    colours = np.stack([np.interp(np.arange(256), steps, c) for c in zip(*UNCERTAINTY_COLOURS, strict=True)])
    shares = min(1.0, 2 * opacity) * 0.9 * (np.arange(256) / 255) ** 0.7
    shares[: round(255 * LEAST_UNCERTAINTY)] = 0
    r, g, b, a = (np.rint(c).astype(np.uint32) for c in (*(colours * shares), 255 * shares))
    return np.asarray(a << 24 | r << 16 | g << 8 | b, np.uint32)


def render_uncertainty(values: NDArray[np.uint8], inside: NDArray[np.bool_], opacity: float) -> MaskPicture:
    """Draw an uncertainty picture (rows, columns), and the outer edge of the mask on it."""
    lines = ((_EDGE, outline_path(inside)),) if inside.any() else ()
    values = np.ascontiguousarray(values)
    buffer = uncertainty_table(opacity)[values]
    rows, columns = values.shape
    image = QImage(buffer.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied)  # type: ignore[call-overload]
    return MaskPicture(values, buffer, image, _filled(values), lines)


def _filled(labels: NDArray[np.uint8]) -> QRectF:
    """The smallest rectangle with all labels; drawing only that saves half of the time."""
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    if rows.size == 0:
        return QRectF()
    return QRectF(columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)


def outline_path(mask: NDArray[np.bool_]) -> QPainterPath:
    """The voxel edges around a mask, as horizontal and vertical runs in picture coordinates."""
    path = QPainterPath()
    padded = np.pad(mask, 1)
    for edges, across in ((padded[1:] != padded[:-1], True), ((padded[:, 1:] != padded[:, :-1]).T, False)):
        # edges[line, position]: an edge on grid line `line`, from position-1 to position.
        steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
        for (line, first), (_, last) in zip(starts.tolist(), stops.tolist(), strict=True):
            a, b = first - 1, last - 1
            if across:
                path.moveTo(QPointF(a, line))
                path.lineTo(QPointF(b, line))
            else:
                path.moveTo(QPointF(line, a))
                path.lineTo(QPointF(line, b))
    return path


def label_picture(
    labels: NDArray[np.uint8], plane: Plane, index: int, orientation: Orientation = USUAL
) -> NDArray[np.uint8]:
    """The slice of a label array as on the screen."""
    return np.ascontiguousarray(picture(labels, plane, index, orientation))
