"""A PNG of a case and its masks, for who has no window: one slice, every sequence, radiological sides."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.labels import TISSUE_COLOURS, WT
from brainseg_desktop.core.reslice import slice_of
from brainseg_desktop.core.volume import Sequence as Sequence_
from brainseg_desktop.core.volume import default_window
from brainseg_desktop.io.atomic import write_bytes

PANEL_PIXELS = 320
OPACITY = 0.5
_INK = (230, 230, 230)

Picture = NDArray[np.uint8]


def write_picture(path: Path, case: Case, masks: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Draw the case and write it.

    Parameters
    ----------
    path : Path
        A ``.png``.
    case : Case
    masks : pairs of a title and an (X, Y, Z) array of `Tissue` values
        One row each, below a row without a mask; the first chooses the slice.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    write_bytes(path, to_png(draw_case(case, masks)))


def draw_case(
    case: Case,
    masks: Sequence[tuple[str, NDArray[np.uint8]]],
    index: int | None = None,
    windows: Mapping[Sequence_, tuple[float, float]] | None = None,
) -> Picture:
    """The picture as an (H, W, 3) array: a column for each sequence, a row for each mask.

    Parameters
    ----------
    case, masks
    index : int or None
        Axial slice; None: where the first mask is largest.
    windows : mapping of Sequence to (low, high), optional
        `windows_of` the case, for whoever draws many slices.
    """
    if index is None:
        index = largest_slice(masks[0][1]) if masks else case.grid.shape[2] // 2
    windows = windows or windows_of(case)
    titled: list[tuple[str, NDArray[np.uint8] | None]] = [("", None), *masks]
    rows = []
    for number, (title, mask) in enumerate(titled):
        panels = []
        for column, (sequence, volume) in enumerate(case.volumes.items()):
            window, samples = windows[sequence], (1, 1)
            if case.is_aligned(sequence):
                plane = volume.data[:, :, index]
            else:
                cut = slice_of(volume, case.grid, 2, index, linear=True, outside=window[0])
                plane, samples = cut.values, cut.samples
            panel = np.repeat(radiological(grey_values(plane, window))[:, :, None], 3, axis=2)
            if mask is not None:
                labels = mask[:, :, index].repeat(samples[0], axis=0).repeat(samples[1], axis=1)
                panel = _overlaid(panel, radiological(labels))
            names = (sequence.value if number == 0 else "", title if column == 0 else "")
            x, y, z = case.grid.spacing_mm
            panels.append(_lettered(panel, (x / samples[0], y / samples[1], z), names))
        rows.append(np.concatenate(panels, axis=1))
    return np.concatenate(rows, axis=0)


def windows_of(case: Case) -> dict[Sequence_, tuple[float, float]]:
    """The usual grey limits of each sequence."""
    return {sequence: default_window(volume.data) for sequence, volume in case.volumes.items()}


def largest_slice(mask: NDArray[np.uint8]) -> int:
    """Axial slice with the most tumour; the middle one of an empty mask."""
    area = WT.mask(mask).sum(axis=(0, 1))
    return int(area.argmax()) if area.any() else mask.shape[2] // 2


def to_png(picture: Picture, *, small: bool = True) -> bytes:
    """The bytes of a PNG file; not `small` is ten times as fast and a little larger."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=small)
    return buffer.getvalue()


def radiological(plane: NDArray[Any]) -> NDArray[Any]:
    """From (R, A) to rows from front to back and columns from the patient's right to the left."""
    return np.asarray(plane[::-1, ::-1].T)


def grey_values(plane: NDArray[Any], window: tuple[float, float]) -> Picture:
    """Grey from 0 to 255 of a plane of any values, by a window (low, high)."""
    low, high = window
    scaled = (np.nan_to_num(plane.astype(np.float32)) - low) * (255 / (high - low))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _overlaid(panel: Picture, mask: NDArray[np.uint8]) -> Picture:
    mixed = panel.astype(np.float32)
    for tissue, colour in TISSUE_COLOURS.items():
        where = mask == tissue
        mixed[where] = (1 - OPACITY) * mixed[where] + OPACITY * np.array(colour, np.float32)
    return mixed.astype(np.uint8)


def _lettered(panel: Picture, spacing_mm: tuple[float, float, float], names: tuple[str, str]) -> Picture:
    """A panel scaled to its real proportions, with side letters and titles."""
    from PIL import Image, ImageDraw

    height, width = panel.shape[0] * spacing_mm[1], panel.shape[1] * spacing_mm[0]
    scale = PANEL_PIXELS / max(height, width)
    image = Image.fromarray(panel).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR
    )
    square = Image.new("RGB", (PANEL_PIXELS, PANEL_PIXELS))
    square.paste(image, ((PANEL_PIXELS - image.width) // 2, (PANEL_PIXELS - image.height) // 2))
    pen = ImageDraw.Draw(square)
    middle, edge = PANEL_PIXELS // 2, PANEL_PIXELS - 14
    places = {"R": (4, middle), "L": (edge, middle), "A": (middle, 2), "P": (middle, edge)}
    for letter, place in places.items():
        pen.text(place, letter, fill=_INK)
    pen.text((6, 4), names[0], fill=_INK)
    pen.text((6, edge - 2), names[1], fill=_INK)
    return np.asarray(square)
