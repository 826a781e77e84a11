"""A series as a volume in canonical order."""

from __future__ import annotations

import numpy as np

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence, Source, Volume, to_canonical
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.dicom.pixels import read_pixels
from brainseg_desktop.io.dicom.series import DicomSeries
from brainseg_desktop.io.nifti import canonical_grid


def read_series(
    series: DicomSeries, sequence: Sequence | None = None, notes: list[UserError] | None = None
) -> Volume:
    """Read a series in canonical order.

    Parameters
    ----------
    series : DicomSeries
    sequence : Sequence or None
    notes : list, optional
        Remarks for the user are appended: ``series_copies``, ``series_padded``, ``series_inverted``,
        ``image_not_finite``.

    Returns
    -------
    Volume
        Its source's path is the first slice's file, its header a `DicomHeader`.

    Raises
    ------
    UserError
        `DicomSeries.refusal` if the series makes no volume; ``bad_affine``; what `pixels.read_pixels` raises.
    """
    if series.refusal is not None or series.affine is None:
        raise series.refusal or UserError("series_no_place", series=series.name)
    try:
        grid, axes = canonical_grid(series.shape, series.affine)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise UserError("bad_affine", path=series.path) from error
    stored, digest, remarks = read_pixels(series.slices, series.name)
    said = list(series.notes)
    if remarks.padded:
        said.append(UserError("series_padded", series=series.name, count=remarks.padded))
    if remarks.is_inverted:
        said.append(UserError("series_inverted", series=series.name))
    if stored.dtype.kind == "f" and (holes := int(stored.size - np.count_nonzero(np.isfinite(stored)))):
        said.append(UserError("image_not_finite", path=series.path, count=holes))
        stored = np.nan_to_num(stored, nan=0.0, posinf=0.0, neginf=0.0)
    if notes is not None:
        notes += said
    is_one_file = series.slices[0].frame > 0 and len(series.files) == 1
    header = DicomHeader(
        series.files if is_one_file else tuple(s.path for s in series.slices),
        tuple(s.frame for s in series.slices) if series.slices[0].frame else (),
        series.affine,
        series.study_uid,
        series.series_uid,
        series.frame_of_reference_uid,
        series.description,
        series.modality,
    )
    source = Source(series.path, digest, header, series.shape, axes)
    return Volume(to_canonical(stored, axes), grid, source, sequence)
