"""Small DICOM series made with pydicom, and cases of them, for tests of what is written from an exam."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.volume import Sequence, Source, Volume, to_canonical
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.nifti import canonical_grid

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_series(
    folder: Path, affine: np.ndarray, shape: tuple[int, int, int], *, frames: bool = False
) -> tuple[Path, ...]:
    """Write a series whose stored (column, row, slice) indices lie at ``affine`` (RAS mm).

    Single-frame instances have shuffled names and numbers: only positions tell their order.
    """
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(5).integers(1, 900, shape).astype(np.uint16)
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    common = _common(shape, lps, sizes)
    if frames:
        return (_write_frames(folder / "IM1", common, pixels, lps, sizes),)
    order = np.random.default_rng(6).permutation(shape[2])
    files = []
    for index in range(shape[2]):
        instance = Dataset()
        instance.update(common)
        instance.SOPClassUID = MRImageStorage
        instance.SOPInstanceUID = generate_uid()
        instance.InstanceNumber = int(order[index]) + 1
        instance.ImagePositionPatient = _numbers(lps[:3] @ (0, 0, index, 1))
        instance.ImageOrientationPatient = _numbers(
            [*(lps[:3, 0] / sizes[0]), *(lps[:3, 1] / sizes[1])],
        )
        instance.PixelSpacing = _numbers([sizes[1], sizes[0]])
        instance.SliceThickness = f"{sizes[2]:.8g}"
        instance.PixelData = pixels[:, :, index].T.tobytes()
        files.append(folder / f"IM{int(order[index]):03d}")
        _save(instance, files[-1])
    return tuple(files)


def _common(shape: tuple[int, int, int], lps: np.ndarray, sizes: np.ndarray) -> Dataset:
    common = Dataset()
    common.PatientName, common.PatientID = "Nemo^Nobody", "X1"
    common.PatientBirthDate, common.PatientSex = "19700101", "O"
    common.StudyDate, common.StudyTime, common.StudyID = "20260102", "030405", "S1"
    common.AccessionNumber, common.ReferringPhysicianName = "", ""
    common.StudyInstanceUID, common.SeriesInstanceUID = generate_uid(), generate_uid()
    common.FrameOfReferenceUID, common.PositionReferenceIndicator = generate_uid(), ""
    common.SeriesNumber, common.SeriesDescription, common.Modality = 4, "FLAIR tra", "MR"
    common.Manufacturer, common.ImageType = "Nobody", ["ORIGINAL", "PRIMARY", "M", "ND"]
    common.ScanningSequence, common.SequenceVariant, common.ScanOptions = "SE", "NONE", ""
    common.MRAcquisitionType, common.EchoTime, common.RepetitionTime = "2D", "90", "9000"
    common.EchoTrainLength = "1"
    common.SamplesPerPixel, common.PhotometricInterpretation = 1, "MONOCHROME2"
    common.Rows, common.Columns = shape[1], shape[0]
    common.BitsAllocated, common.BitsStored, common.HighBit, common.PixelRepresentation = 16, 16, 15, 0
    common.PatientPosition = "HFS"
    return common


def _write_frames(
    path: Path, common: Dataset, pixels: np.ndarray, lps: np.ndarray, sizes: np.ndarray
) -> Path:
    """One multi-frame object, its frames in an order that is not that of the slices."""
    instance = Dataset()
    instance.update(common)
    instance.SOPClassUID = EnhancedMRImageStorage
    instance.SOPInstanceUID, instance.InstanceNumber = generate_uid(), 1
    instance.NumberOfFrames = pixels.shape[2]
    order = frame_order(pixels.shape[2])
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = _numbers([*(lps[:3, 0] / sizes[0]), *(lps[:3, 1] / sizes[1])])
    measures.PixelSpacing = _numbers([sizes[1], sizes[0]])
    measures.SliceThickness = measures.SpacingBetweenSlices = f"{sizes[2]:.8g}"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    instance.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for slice_index in np.argsort(order):
        position, content, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = _numbers(lps[:3] @ (0, 0, int(slice_index), 1))
        content.DimensionIndexValues = [int(slice_index) + 1]
        group.PlanePositionSequence, group.FrameContentSequence = [position], [content]
        groups.append(group)
    instance.PerFrameFunctionalGroupsSequence = groups
    pointer = Dataset()
    pointer.DimensionIndexPointer, pointer.FunctionalGroupPointer = 0x00200032, 0x00209113
    pointer.DimensionOrganizationUID = generate_uid()
    organisation = Dataset()
    organisation.DimensionOrganizationUID = pointer.DimensionOrganizationUID
    instance.DimensionOrganizationSequence, instance.DimensionIndexSequence = [organisation], [pointer]
    instance.PixelData = b"".join(pixels[:, :, int(s)].T.tobytes() for s in np.argsort(order))
    _save(instance, path)
    return path


def frame_order(count: int) -> np.ndarray:
    """The frame (from 0) of each slice in the multi-frame example."""
    return np.random.default_rng(7).permutation(count)


def read_example(
    files: tuple[Path, ...], affine: np.ndarray, shape: tuple[int, int, int], name: str = "Exam"
) -> Case:
    """A case of one FLAIR series as a reader of DICOM hands it over; ``affine`` is the one written."""
    first = pydicom.dcmread(files[0])
    frames = tuple(int(n) + 1 for n in frame_order(shape[2])) if len(files) == 1 else ()
    if frames:
        stored = first.pixel_array[np.array(frames) - 1].transpose(2, 1, 0)
    else:
        stored = np.stack([pydicom.dcmread(f).pixel_array.T for f in files], axis=2)
    grid, axes = canonical_grid(shape, affine)
    header = DicomHeader(
        files,
        frames,
        affine,
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
        first.FrameOfReferenceUID,
        first.SeriesDescription,
        first.Modality,
    )
    digest = hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
    source = Source(files[0].parent if len(files) > 1 else files[0], digest, header, shape, axes)
    volume = Volume(np.ascontiguousarray(to_canonical(stored, axes)), grid, source, Sequence.FLAIR)
    return Case(name, grid, {Sequence.FLAIR: volume})


def example(folder: Path, affine: np.ndarray, shape: tuple[int, int, int], *, frames: bool = False) -> Case:
    """Write a series and read it as a case."""
    return read_example(write_series(folder, affine, shape, frames=frames), affine, shape)


def oblique(degrees: tuple[float, float, float], spacing: tuple[float, float, float]) -> np.ndarray:
    """A rotated affine with an origin that is no whole number."""
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * np.array(spacing)
    affine[:3, 3] = (-31.253, 17.502, -40.127)
    return affine


def _numbers(values: object) -> list[str]:
    """As decimal strings of at most 16 characters."""
    return [f"{float(v):.10g}"[:16] for v in values]  # type: ignore[attr-defined]


def _save(instance: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = instance.SOPClassUID
    meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.file_meta = meta
    instance.save_as(path, enforce_file_format=True)
