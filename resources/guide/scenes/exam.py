"""The sample case as a scanner would hand it out: series of DICOM files, and one that is none of the four."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from scenes.stage import SAMPLE

_MR = "1.2.840.10008.5.1.4.1.1.4"
_STEP = 3
# Description, file, and what tells T1 with a contrast agent from T1 without.
_SERIES = (
    ("t2_tse_tra", "t2", {}),
    ("t2_flair_tra", "flair", {}),
    ("t1_se_tra", "t1", {}),
    ("t1_se_tra_km", "t1ce", {"ContrastBolusAgent": "Gadolinium"}),
)


def write_exam(folder: Path) -> Path:
    """Write every third slice of the sample case as an exam, without a name of anybody."""
    study, place = _uid("study"), _uid("place")
    for number, (description, name, tags) in enumerate(_SERIES, start=2):
        _write(folder, number, description, _voxels(name), study, place, tags)
    scout = _voxels("t1")[::20]
    _write(folder, 1, "localizer", scout, study, place, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    return folder


def _voxels(name: str) -> np.ndarray:
    image = nibabel.as_closest_canonical(nibabel.load(SAMPLE / f"sample_{name}.nii.gz"))
    data = np.asarray(image.dataobj)[:, :, ::_STEP]
    # Slices, rows to the back, columns to the patient's left.
    return np.ascontiguousarray(data[::-1, ::-1].transpose(2, 1, 0)).astype(np.uint16)


def _write(
    folder: Path, number: int, description: str, voxels: np.ndarray, study: str, place: str, tags: dict
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(voxels):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = _MR, _uid(f"{number}-{index}")
        image.StudyInstanceUID, image.SeriesInstanceUID = study, _uid(f"{number}")
        image.FrameOfReferenceUID, image.Modality = place, "MR"
        image.PatientName, image.PatientID = "", ""
        image.SeriesNumber, image.InstanceNumber = number, index + 1
        image.SeriesDescription, image.ImageType = description, ["ORIGINAL", "PRIMARY", "M"]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows, image.Columns = pixels.shape
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.ImagePositionPatient = [-98.0, -116.0, 1.5 * _STEP * index]
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness = [1.0, 1.0], 1.5 * _STEP
        image.PixelData = pixels.tobytes()
        for tag, value in tags.items():
            setattr(image, tag, value)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = _MR, image.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"IM{number:02d}{index:03d}"
        FileDataset(str(path), image, preamble=b"\0" * 128, file_meta=meta).save_as(
            path, enforce_file_format=True
        )


def _uid(what: str) -> str:
    return generate_uid(entropy_srcs=["guide", what])
