"""Small MR series and files that break the rules, made by pydicom alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
NAME, PATIENT = "Doe^Jane", "SECRET-4711"


def mr_slice(study: str, series: str, number: int, instance: str | None = None) -> Dataset:
    """One 16 x 12 slice whose pixels tell its number."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MR
    meta.MediaStorageSOPInstanceUID = instance or generate_uid()
    found = Dataset()
    found.file_meta = meta
    found.preamble = b"\0" * 128
    found.SpecificCharacterSet = "ISO_IR 192"
    found.SOPClassUID, found.SOPInstanceUID = MR, meta.MediaStorageSOPInstanceUID
    found.StudyInstanceUID, found.SeriesInstanceUID = study, series
    found.StudyDate, found.StudyTime, found.StudyID = "20260131", "101500", "1"
    found.PatientName, found.PatientID, found.PatientBirthDate = NAME, PATIENT, "19700101"
    found.PatientSex, found.AccessionNumber, found.ReferringPhysicianName = "F", "ACC99", ""
    found.StudyDescription, found.SeriesDescription, found.Modality = "Brain MR", "T1 ax", "MR"
    found.SeriesNumber, found.InstanceNumber = 3, number
    found.FrameOfReferenceUID = generate_uid(entropy_srcs=[series])
    found.ImagePositionPatient, found.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
    found.PixelSpacing, found.SliceThickness = [0.9, 0.9], 5
    found.Rows, found.Columns, found.SamplesPerPixel = 12, 16, 1
    found.PhotometricInterpretation, found.PixelRepresentation = "MONOCHROME2", 0
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 16, 15
    pixels = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) + 1000 * number
    found.PixelData = pixels.tobytes()
    return found


def write_series(folder: Path, count: int = 4, study: str | None = None) -> list[Path]:
    """A series of `count` slices in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series = study or generate_uid(), generate_uid()
    files = []
    for number in range(count):
        path = folder / f"{number}.dcm"
        mr_slice(study, series, number).save_as(path, enforce_file_format=True)
        files.append(path)
    return files
