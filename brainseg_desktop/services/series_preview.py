"""A picture of a series to choose by: its middle slice, as a reader is used to see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.volume import to_canonical
from brainseg_desktop.io.dicom.pixels import read_pixels
from brainseg_desktop.io.dicom.series import DicomSeries
from brainseg_desktop.io.nifti import canonical_grid
from brainseg_desktop.services.studies.blinding import check_open

# Per cent of the slice's values that become black and white.
_WINDOW = (1.0, 99.5)


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A slice to look at.

    Parameters
    ----------
    pixels : (rows, columns) array of uint8
        The patient's right (axial, coronal) or front (sagittal) on the left, front or head up.
    size_mm : (float, float)
        Height and width.
    left : str
        Side of the patient on the left of the picture: ``"R"`` or ``"A"``; empty if the place is unknown.
    """

    pixels: NDArray[np.uint8]
    size_mm: tuple[float, float]
    left: str


def preview(series: DicomSeries) -> Preview:
    """Read the middle slice of a series.

    Raises
    ------
    UserError
        ``blinded_case`` or ``blinded_mask``, and what reading a slice raises (an object may hold no image).
    """
    check_open([series.path])
    middle = series.slices[len(series.slices) // 2]
    stored, _, _ = read_pixels((middle,), series.name)
    along, down = (series.spacing_mm or (1.0, 1.0, 1.0))[:2]
    if series.affine is None:
        as_stored = _grey(np.asarray(stored[:, :, 0].T, dtype=np.float32))
        return Preview(as_stored, (as_stored.shape[0] * down, as_stored.shape[1] * along), "")
    grid, axes = canonical_grid((*series.shape[:2], 1), series.affine)
    across = next(axis for axis, (stored_axis, _) in enumerate(axes) if stored_axis == 2)
    plane = np.moveaxis(to_canonical(stored, axes), across, -1)[..., 0]
    first, second = (grid.spacing_mm[axis] for axis in range(3) if axis != across)
    pixels = _grey(np.asarray(plane[::-1, ::-1].T, dtype=np.float32))
    return Preview(pixels, (pixels.shape[0] * second, pixels.shape[1] * first), "A" if across == 0 else "R")


def _grey(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    values = np.nan_to_num(plane)
    low, high = np.percentile(values, _WINDOW)
    scaled = (values - low) / max(float(high - low), 1e-6)
    return np.ascontiguousarray((scaled.clip(0, 1) * 255).astype(np.uint8))
