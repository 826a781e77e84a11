"""Exams as a hospital sends them, made of a registered one: each sequence on an oblique grid of thick slices,
the head moved by a known rigid motion between two of them. As arrays, as NIfTI files and as DICOM series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.nifti import read_volume
from brainseg_desktop.services.alignment.resampling import resample


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """An exam and what is known of it.

    Parameters
    ----------
    volumes : mapping of Sequence to Volume
        As the headers have them, the motion not accounted for.
    motions : mapping of Sequence to RigidTransform
        From where the headers put each sequence to where it lies; identity for the reference.
    points : (n, 3) array
        Places in the brain, in RAS mm, to measure errors at.
    """

    volumes: Mapping[Sequence, Volume]
    motions: Mapping[Sequence, RigidTransform]
    points: np.ndarray


def make_exam(
    volumes: Mapping[Sequence, Volume],
    *,
    seed: int = 0,
    reference: Sequence | None = Sequence.FLAIR,
    spacing: tuple[float, float, float] = (0.9, 0.9, 5.0),
    most_mm: float = 20.0,
    most_degrees: float = 15.0,
    oblique_degrees: float = 12.0,
) -> Exam:
    """Resample every sequence but the reference (None: all) obliquely, and shift its header."""
    random = np.random.default_rng(seed)
    first = next(iter(volumes.values()))
    points = first.grid.world_of(np.argwhere(first.data > np.percentile(first.data, 50))[::199])
    centre = points.mean(axis=0)
    made, motions = {}, {}
    for sequence, volume in volumes.items():
        motions[sequence] = RigidTransform.identity()
        made[sequence] = volume
        grid = oblique_grid(volume.grid, spacing, random.normal(size=3), oblique_degrees, centre)
        if sequence is reference:
            continue
        motion = random_motion(random, centre, most_mm, most_degrees)
        cut = resample(volume, grid)
        data = np.rint(cut.data).astype(np.int16)
        # The header lies: the head moved after it was written.
        made[sequence] = Volume(data, motion.inverse().moved(grid), volume.source, sequence)
        motions[sequence] = motion
    return Exam(made, motions, points)


def random_motion(
    random: np.random.Generator, centre: np.ndarray, most_mm: float, most_degrees: float
) -> RigidTransform:
    """A motion about a centre by up to so much."""
    direction = random.normal(size=3)
    shift = direction / np.linalg.norm(direction) * random.uniform(0.2, 1) * most_mm
    degrees = random.uniform(0.2, 1) * most_degrees
    return RigidTransform.about(random.normal(size=3), degrees, centre, shift)


def oblique_grid(
    like: Grid, spacing: tuple[float, float, float], axis: np.ndarray, degrees: float, centre: np.ndarray
) -> Grid:
    """A turned grid of other voxels over about the same part of the world."""
    size = np.array(spacing)
    extent = np.array(like.shape) * like.spacing_mm
    shape = np.ceil(extent / size).astype(int)
    affine = np.diag([*spacing, 1.0])
    middle = like.world_of((np.array(like.shape) - 1) / 2)
    affine[:3, 3] = middle - (shape - 1) / 2 * size
    grid = Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    return RigidTransform.about(axis, degrees, centre).moved(grid)


def read_sample(folder: Path, pattern: str = "sample_{}.nii.gz") -> dict[Sequence, Volume]:
    """The four sequences of a folder of NIfTI files."""
    names = {Sequence.FLAIR: "flair", Sequence.T1: "t1", Sequence.T1CE: "t1ce", Sequence.T2: "t2"}
    return {s: read_volume(folder / pattern.format(name), s) for s, name in names.items()}


def phantom(shape: tuple[int, int, int] = (48, 56, 40), spacing: float = 3.0) -> Volume:
    """A head of blobs that looks different from every side, for tests that must be quick."""
    random = np.random.default_rng(3)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"), axis=-1)
    head = (places**2 / np.array([0.55, 0.7, 0.6])).sum(axis=-1) < 1
    image = 300.0 * head
    for _ in range(25):
        middle, width = random.uniform(-0.6, 0.6, 3), random.uniform(0.08, 0.25)
        image += random.uniform(-200, 400) * np.exp(-((places - middle) ** 2).sum(axis=-1) / width**2) * head
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(shape) - 1) / 2
    data = image.clip(0, 1000).astype(np.float32)
    return Volume(data, Grid(shape, affine), Source(Path("phantom.nii.gz"), "0"), Sequence.FLAIR)


def write_nifti(exam: Exam, folder: Path) -> Path:
    """Write an exam as NIfTI files in BraTS names; headers in scanner space."""
    folder.mkdir(parents=True, exist_ok=True)
    for sequence, volume in exam.volumes.items():
        image = nibabel.Nifti1Image(np.asarray(volume.data), volume.grid.voxel_to_world)
        image.set_sform(volume.grid.voxel_to_world, code=1)
        image.set_qform(volume.grid.voxel_to_world, code=1)
        nibabel.save(image, folder / f"{folder.name}_{sequence.value.lower()}.nii.gz")
    return folder


_TIMING = {
    Sequence.T1: ("T1 SE AX", 550.0, 12.0, 0.0, ""),
    Sequence.T1CE: ("T1 SE AX +C", 550.0, 12.0, 0.0, "GADOVIST"),
    Sequence.T2: ("T2 TSE AX", 5200.0, 98.0, 0.0, ""),
    Sequence.FLAIR: ("FLAIR AX", 9000.0, 120.0, 2500.0, ""),
}


def write_dicom(exam: Exam, folder: Path) -> Path:
    """Write an exam as classic MR series of single-frame files without extension, mixed in one folder."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    study, frame = generate_uid(), generate_uid()
    for number, (sequence, volume) in enumerate(exam.volumes.items(), 1):
        series = generate_uid()
        description, repetition, echo, inversion, agent = _TIMING[sequence]
        # Columns run to the left and rows to the back: the first two axes of the array, turned round.
        stored = np.asarray(volume.data)[::-1, ::-1].clip(0, None).round().astype(np.uint16)
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.grid.voxel_to_world
        spacing = np.array(volume.grid.spacing_mm)
        column, row = -lps[:3, 0] / spacing[0], -lps[:3, 1] / spacing[1]
        last = np.array(volume.grid.shape) - 1
        for z in range(volume.grid.shape[2]):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = MRImageStorage
            meta.MediaStorageSOPInstanceUID = generate_uid()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            path = folder / f"IM{number:02d}{z:04d}"
            item = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            item.SOPClassUID, item.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
            item.PatientName, item.PatientID = "Test^Exam", "TEST"
            item.PatientBirthDate, item.PatientSex = "", ""
            item.StudyDate, item.StudyTime, item.StudyID, item.AccessionNumber = "20200101", "120000", "1", ""
            item.ReferringPhysicianName = ""
            item.StudyInstanceUID, item.SeriesInstanceUID, item.FrameOfReferenceUID = study, series, frame
            item.Modality, item.SeriesNumber, item.InstanceNumber = "MR", number, z + 1
            item.Manufacturer, item.PositionReferenceIndicator = "Test", ""
            item.SeriesDescription, item.ContrastBolusAgent = description, agent
            item.ScanningSequence, item.SequenceVariant, item.ScanOptions = "SE", "NONE", ""
            item.MRAcquisitionType, item.EchoTrainLength = "2D", 1
            item.RepetitionTime, item.EchoTime, item.InversionTime = repetition, echo, inversion
            item.ImageType = ["ORIGINAL", "PRIMARY", "M"]
            position = (lps @ [last[0], last[1], z, 1.0])[:3]
            item.ImagePositionPatient = [f"{v:.6f}"[:16] for v in position]
            item.ImageOrientationPatient = [f"{v:.10f}"[:16] for v in (*column, *row)]
            item.PixelSpacing = [f"{spacing[1]:.8f}"[:16], f"{spacing[0]:.8f}"[:16]]
            item.SliceThickness = item.SpacingBetweenSlices = f"{spacing[2]:.8f}"[:16]
            pixels = np.ascontiguousarray(stored[:, :, z].T)
            item.Rows, item.Columns = pixels.shape
            item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
            item.BitsAllocated = item.BitsStored = 16
            item.HighBit, item.PixelRepresentation = 15, 0
            item.PixelData = pixels.tobytes()
            item.save_as(path, enforce_file_format=True)
    return folder
