"""DICOM files for tests, made from arrays whose places in the world are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
SCREENSHOT = "1.2.840.10008.5.1.4.1.1.7"
# Right-handed frames of the patient (LPS): the way along a row, and down a column.
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
PATIENT = "Quillfeather^Zebedee"
PATIENT_ID = "QZ-48151623"


def turned(frame: tuple[tuple[float, ...], ...], about_x: float, about_z: float = 0.0) -> Any:
    """A frame turned by degrees about x, then z."""
    (c, s), (d, t) = [(np.cos(a), np.sin(a)) for a in np.radians([about_x, about_z])]
    turn = np.array([[d, -t, 0], [t, d, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return tuple(tuple(float(v) for v in turn @ np.array(way)) for way in frame)


@dataclass
class Making:
    """How a series is written.

    Parameters
    ----------
    data : (slices, rows, columns) array of integers
    frame : row and column direction, LPS
    spacing : rows, columns, slices in mm
    origin : LPS mm of the first voxel
    down : bool
        Slices are written against the normal, as of a patient who lies feet first.
    """

    data: np.ndarray
    frame: Any = AXIAL
    spacing: tuple[float, float, float] = (1.0, 1.0, 2.0)
    origin: tuple[float, float, float] = (-10.0, -20.0, 30.0)
    down: bool = False
    description: str = "t1_tse_tra"
    number: int = 1
    study: str = field(default_factory=generate_uid)
    series: str = field(default_factory=generate_uid)
    place: str = field(default_factory=generate_uid)
    tags: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[Dataset, int], None] | None = None
    sop_class: str = MR

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(self.frame[0], self.frame[1])
        return -normal if self.down else normal

    def position(self, index: float) -> np.ndarray:
        """LPS mm of the first voxel of a slice."""
        return np.array(self.origin) + index * self.spacing[2] * self.normal

    def world(self, column: float, row: float, index: float) -> np.ndarray:
        """RAS mm of a voxel."""
        along, down = (np.array(way) for way in self.frame)
        lps = self.position(index) + column * self.spacing[1] * along + row * self.spacing[0] * down
        return lps * (-1, -1, 1)


def header(making: Making, index: int) -> Dataset:
    """What all images of a series say."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = making.sop_class, generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = making.study, making.series
    data.FrameOfReferenceUID = making.place
    data.PatientName, data.PatientID = PATIENT, PATIENT_ID
    data.PatientBirthDate, data.AccessionNumber = "19310714", "ACC-9970077"
    data.StudyDate, data.StudyTime, data.StudyID = "20240102", "101112", "1"
    data.Modality, data.SeriesDescription = "MR", making.description
    data.SeriesNumber, data.InstanceNumber = making.number, index + 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    data.PatientPosition = "HFS"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = making.data.shape[1:]
    bits = 8 * making.data.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(making.data.dtype.kind == "i")
    return data


def one_slice(making: Making, index: int) -> Dataset:
    """The image of a slice."""
    data = header(making, index)
    data.ImagePositionPatient = [round(float(v), 6) for v in making.position(index)]
    data.ImageOrientationPatient = [round(float(v), 9) for way in making.frame for v in way]
    data.PixelSpacing = list(making.spacing[:2])
    data.SliceThickness = making.spacing[2]
    data.PixelData = np.ascontiguousarray(making.data[index]).tobytes()
    for name, value in making.tags.items():
        setattr(data, name, value)
    if making.change is not None:
        making.change(data, index)
    return data


def save(data: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a dataset as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    little = syntax != ExplicitVRBigEndian
    whole = FileDataset(str(path), data, preamble=b"\0" * 128, file_meta=meta, is_little_endian=little)
    whole.save_as(path, enforce_file_format=True)
    return path


def save_series(folder: Path, making: Making, slices: Iterable[int] | None = None) -> list[Path]:
    """One file a slice, without suffix, whose names tell nothing of the order."""
    wanted = range(len(making.data)) if slices is None else slices
    order = np.random.default_rng(making.number).permutation(len(making.data))
    return [save(one_slice(making, i), folder / f"IM{making.number:02d}{order[i]:04d}") for i in wanted]


def save_enhanced(
    path: Path, making: Making, order: Iterable[int], echoes: Iterable[float] = (10.0,)
) -> Path:
    """One enhanced MR object with a frame for each slice and echo, slices in the given order."""
    data = header(making, 0)
    data.SOPClassUID = ENHANCED_MR
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    frames = [(index, echo) for echo in echoes for index in order]
    data.NumberOfFrames = len(frames)
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(making.spacing[:2]), making.spacing[2]
    plane = Dataset()
    plane.ImageOrientationPatient = [float(v) for way in making.frame for v in way]
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([plane])
    data.SharedFunctionalGroupsSequence = Items([shared])
    groups = []
    for index, echo in frames:
        place, timing, values, group = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [float(v) for v in making.position(index)]
        timing.EffectiveEchoTime = echo
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, 0, "US"
        group.PlanePositionSequence, group.MREchoSequence = Items([place]), Items([timing])
        group.PixelValueTransformationSequence = Items([values])
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = Items(groups)
    pixels = [making.data[index] + (round(echo) if echo != 10.0 else 0) for index, echo in frames]
    data.PixelData = np.stack(pixels).astype(making.data.dtype).tobytes()
    return save(data, path)


def blocks(slices: int = 6, rows: int = 10, columns: int = 8, dtype: str = "int16") -> np.ndarray:
    """Voxels that all differ, so that no turn or flip goes unseen: (slices, rows, columns)."""
    return np.arange(slices * rows * columns, dtype=dtype).reshape(slices, rows, columns)
