"""Masks as DICOM segmentation objects that refer to the series they were drawn on.

The object takes patient, study and frame of reference from the series, so it needs its instances. What
`highdicom` compares of the geometry is only a frame-of-reference UID with itself: that every slice lies where
the mask believes it to lie is checked here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Source, to_native
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.nifti import stored_affine
from brainseg_desktop.io.schemes import PROGRAM
from brainseg_desktop.io.terms import CATEGORY, TERMS, Term, segment_name

_LPS = np.array([-1.0, -1.0, 1.0])
# Positions are text of at most 16 characters: below a hundredth of a millimetre they say nothing.
_TOLERANCE_MM = 0.02
# Attributes of type 2: a series may leave them out by mistake, and the object must then have them empty.
_TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """How a mask was made, as DICOM asks for it.

    Parameters
    ----------
    kind : str
        ``"AUTOMATIC"``, ``"SEMIAUTOMATIC"`` or ``"MANUAL"``.
    creator : str
        The reader's name; empty for an algorithm.
    algorithm, version : str
        Of the network or rule; needed unless `kind` is ``"MANUAL"``.
    """

    kind: str
    creator: str = ""
    algorithm: str = ""
    version: str = ""


def seg_bytes(
    tissues: NDArray[np.uint8], scheme: LabelScheme, like: Source, grid: Grid, origin: Origin, title: str
) -> bytes:
    """A BINARY segmentation object, one segment a label.

    Parameters
    ----------
    tissues : (X, Y, Z) array of uint8, canonical
    scheme : LabelScheme
        Which tissues are told apart. A segment for each label that occurs; of an empty mask for all.
    like : Source
        With a `DicomHeader`.
    grid : Grid
    origin : Origin
    title : str
        Description of the new series.

    Raises
    ------
    UserError
        ``dicom_source_missing``, ``dicom_source_changed`` (param ``reason``) where the instances are no more
        what the case was read from; ``seg_not_written``; ``scheme_cannot_hold``.
    """
    header = like.header
    assert isinstance(header, DicomHeader)
    numbers = to_native(scheme.encode(tissues), like).transpose(2, 1, 0)
    occurring = set(np.unique(numbers).tolist())
    labels = [label for label in scheme.labels if label.value in occurring] or list(scheme.labels)
    table = np.zeros(256, np.uint8)
    for number, label in enumerate(labels, 1):
        table[label.value] = number
    instances = _instances(header)
    _check_places(instances, header, stored_affine(like, grid), numbers.shape)
    frames = table[numbers]
    if header.frames:
        whole = np.zeros((int(instances[0].NumberOfFrames), *frames.shape[1:]), np.uint8)
        whole[np.array(header.frames) - 1] = frames
        frames = whole
    try:
        return _encode(instances, frames, [_described(n, label, origin) for n, label in enumerate(labels, 1)],
                       origin, title)  # fmt: skip
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise UserError("seg_not_written", path=header.files[0].parent, reason=str(error)[:160]) from error


def _encode(
    instances: list[Any], frames: NDArray[np.uint8], segments: list[Any], origin: Origin, title: str
) -> bytes:
    import highdicom
    from highdicom.seg import Segmentation

    creator = "".join(c for c in origin.creator if c.isalnum() or c in " .-_").strip()[:64]
    made = Segmentation(
        source_images=instances,
        pixel_array=np.ascontiguousarray(frames),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=highdicom.UID(),
        series_number=(int(instances[0].get("SeriesNumber") or 0) % 1000) * 100 + 99,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=PROGRAM,
        software_versions=__version__,
        device_serial_number="1",
        content_description="Brain tumour, for research use only",
        # A caret closes the family name: without one it counts as a mistake.
        content_creator_name=f"{creator}^" if creator else None,
        content_label="BRAIN_TUMOUR",
        omit_empty_frames=bool(frames.any()),
    )
    made.SeriesDescription = title[:64]
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


def _described(number: int, label: Any, origin: Origin) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    algorithm = None
    if origin.kind != "MANUAL":
        algorithm = AlgorithmIdentificationSequence(
            name=origin.algorithm, family=codes.DCM.ArtificialIntelligence, version=origin.version
        )
    return SegmentDescription(
        segment_number=number,
        segment_label=segment_name(label.tissue),
        segmented_property_category=_code(CATEGORY),
        segmented_property_type=_code(TERMS[label.tissue]),
        algorithm_type=origin.kind,
        algorithm_identification=algorithm,
        display_color=CIELabColor.from_rgb(*label.colour),
    )


def _code(term: Term) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(value=term.value, scheme_designator=term.scheme, meaning=term.meaning)


def _instances(header: DicomHeader) -> list[Any]:
    """The instances without their pixels, completed by what they should not have left out."""
    import pydicom

    found = []
    for path in header.files:
        try:
            instance = pydicom.dcmread(path, stop_before_pixels=True)
        except FileNotFoundError as error:
            raise UserError("dicom_source_missing", path=path) from error
        except Exception as error:  # the library raises whatever it likes on damaged files
            raise UserError("dicom_source_changed", path=path, reason="it cannot be read") from error
        for name in _TYPE_2:
            if name not in instance:
                setattr(instance, name, "")
        found.append(instance)
    return found


def _check_places(
    instances: list[Any], header: DicomHeader, affine: NDArray[np.float64], shape: tuple[int, ...]
) -> None:
    """Every slice of the mask lies where the slice of the series does, and is as large."""
    slices: list[tuple[Any, int | None]] = [(instance, None) for instance in instances]
    if header.frames:
        slices = [(instances[0], frame) for frame in header.frames]
    if len(slices) != shape[0]:
        raise UserError("dicom_source_changed", path=header.files[0], reason="another number of slices")
    for index, (instance, frame) in enumerate(slices):
        path = header.files[0 if header.frames else index]
        if str(instance.get("SeriesInstanceUID", "")) != header.series_uid:
            raise UserError("dicom_source_changed", path=path, reason="another series")
        if (int(instance.Rows), int(instance.Columns)) != shape[1:]:
            raise UserError("dicom_source_changed", path=path, reason="another size")
        position, along_row, along_column = _place(instance, frame)
        ends = ((0, 0), (shape[2] - 1, shape[1] - 1))
        for column, row in ends:
            stated = position + column * along_row + row * along_column
            believed = _LPS * (affine @ (column, row, index, 1.0))[:3]
            if float(np.abs(stated - believed).max()) > _TOLERANCE_MM:
                raise UserError("dicom_source_changed", path=path, reason="another place in the patient")


def _place(instance: Any, frame: int | None) -> tuple[NDArray[np.float64], ...]:
    """LPS mm of the first pixel, and the steps to the next column and the next row."""
    if frame is None:
        place = orientation = measures = instance
    else:
        own = instance.PerFrameFunctionalGroupsSequence[frame - 1]
        shared = instance.SharedFunctionalGroupsSequence[0]
        place, orientation, measures = (
            (own if name in own else shared)[name].value[0]
            for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
    directions = np.array(orientation.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    between_rows, between_columns = (float(v) for v in measures.PixelSpacing)
    position = np.array(place.ImagePositionPatient, dtype=np.float64)
    return position, directions[0] * between_columns, directions[1] * between_rows
