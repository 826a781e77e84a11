"""What a volume remembers of the DICOM instances that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DicomHeader:
    """The series behind a `Source`, to write objects that refer to it.

    Parameters
    ----------
    files : tuple of Path
        Instances in the order of the slices; one for a multi-frame object.
    frames : tuple of int
        Of a multi-frame object the number (from 1) of each slice's frame; else empty.
    affine : (4, 4) array
        From stored indices (column, row, slice) to RAS mm.
    study_uid, series_uid, frame_of_reference_uid : str
        Never shown or logged: they lead to the patient.
    series_description, modality : str
    """

    files: tuple[Path, ...]
    frames: tuple[int, ...]
    affine: NDArray[np.float64]
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    series_description: str = ""
    modality: str = "MR"
