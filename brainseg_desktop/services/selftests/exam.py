"""The self-test's exam: a part of the sample as a DICOM series, in every encoding hospitals may send."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services.opening import open_case

Encode = Callable[[NDArray[Any]], bytes]
_MR = "1.2.840.10008.5.1.4.1.1.4"


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to store a slice.

    Parameters
    ----------
    name : str
    syntax : str
        UID of the transfer syntax.
    encode : function or None
        Makes the stream of a (rows, columns) plane, by another library than the one that will read it;
        None: not compressed.
    bits : int
        Stored for a voxel.
    off_by : int
        How far a value may be from the one written, in 4095ths of the range; 0 unless values are lost.
    """

    name: str
    syntax: str
    encode: Encode | None = None
    bits: int = 16
    off_by: int = 0


def _by(codec: str, **options: Any) -> Encode:
    def encode(plane: NDArray[Any]) -> bytes:
        import imagecodecs

        return bytes(getattr(imagecodecs, f"{codec}_encode")(plane, **options))

    return encode


def _run_lengths(plane: NDArray[Any]) -> bytes:
    """PackBits of the high bytes, then of the low ones (PS3.5 annex G)."""
    import imagecodecs

    high = bytes(imagecodecs.packbits_encode((plane >> 8).astype(np.uint8).tobytes()))
    low = bytes(imagecodecs.packbits_encode((plane & 255).astype(np.uint8).tobytes()))
    high += b"\0" * (len(high) % 2)
    return struct.pack("<16I", 2, 64, 64 + len(high), *[0] * 13) + high + low


_LOSSLESS, _JPEG_2000 = _by("ljpeg", bitspersample=16), _by("jpeg2k", codecformat="j2k", reversible=True)
_THROUGHPUT = _by("htj2k", reversible=True)
ENCODINGS = (
    Encoding("uncompressed", "1.2.840.10008.1.2.1"),
    Encoding("implicit", "1.2.840.10008.1.2"),
    Encoding("deflated", "1.2.840.10008.1.2.1.99"),
    Encoding("run lengths", "1.2.840.10008.1.2.5", _run_lengths),
    Encoding("JPEG", "1.2.840.10008.1.2.4.50", _by("jpeg8", level=100), 8, 48),
    # Of 12 bits, which this one may have too, there is no decoder whose licence fits.
    Encoding("JPEG, extended", "1.2.840.10008.1.2.4.51", _by("jpeg8", level=100), 8, 48),
    Encoding("lossless JPEG", "1.2.840.10008.1.2.4.57", _LOSSLESS),
    Encoding("lossless JPEG, first order", "1.2.840.10008.1.2.4.70", _LOSSLESS),
    Encoding("JPEG-LS", "1.2.840.10008.1.2.4.80", _by("jpegls")),
    Encoding("JPEG-LS, near lossless", "1.2.840.10008.1.2.4.81", _by("jpegls", level=2), off_by=2),
    Encoding("JPEG 2000, lossless", "1.2.840.10008.1.2.4.90", _JPEG_2000),
    Encoding("JPEG 2000", "1.2.840.10008.1.2.4.91", _JPEG_2000),
    Encoding("high-throughput JPEG 2000, lossless", "1.2.840.10008.1.2.4.201", _THROUGHPUT),
    Encoding("high-throughput JPEG 2000, progressive", "1.2.840.10008.1.2.4.202", _THROUGHPUT),
    Encoding("high-throughput JPEG 2000", "1.2.840.10008.1.2.4.203", _THROUGHPUT),
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A piece of an image to be written as an exam.

    Parameters
    ----------
    values : (X, Y, Z) array of uint16, canonical
        Between 0 and 4095.
    grid : Grid
    """

    values: NDArray[np.uint16]
    grid: Grid


def write_exam(folder: Path, part: Part, encoding: Encoding = ENCODINGS[0]) -> None:
    """Write one series, a file a slice: columns to the patient's left, rows to the back, slices upwards."""
    from pydicom.uid import generate_uid

    study, series, place = generate_uid(), generate_uid(), generate_uid()
    folder.mkdir(parents=True)
    for index in range(part.grid.shape[2]):
        item = _slice(part, index, encoding)
        item.StudyInstanceUID, item.SeriesInstanceUID, item.FrameOfReferenceUID = study, series, place
        item.save_as(folder / f"IM{index:04d}", enforce_file_format=True)


def read_exam(folder: Path, part: Part, encoding: Encoding = ENCODINGS[0]) -> Case:
    """Open an exam as any other, and hold its values and their places against those written.

    Raises
    ------
    RuntimeError
        Where they differ.
    """
    case = open_case(find_case(folder)).case
    reason = case.grid.mismatch(part.grid)
    if reason is not None:
        raise RuntimeError(f"the exam lies elsewhere than it was written: {reason}")
    read = case.volumes[Sequence.FLAIR].data.astype(np.float64)
    scale = 4095 / (2 ** min(encoding.bits, 12) - 1)
    off = float(np.abs(read * scale - part.values).max())
    # Rounding to fewer bits is no fault of the decoder.
    if off > encoding.off_by + (scale / 2 if scale > 1 else 0):
        raise RuntimeError(f"values of the exam are wrong by up to {off:.0f} of 4095")
    return case


def _slice(part: Part, index: int, encoding: Encoding) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(_MR), generate_uid()
    meta.TransferSyntaxUID = UID(encoding.syntax)
    item = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    item.SOPClassUID, item.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    item.PatientName, item.PatientID = "Sample", "SAMPLE"
    item.PatientBirthDate = item.PatientSex = item.AccessionNumber = item.ReferringPhysicianName = ""
    item.StudyDate, item.StudyTime, item.StudyID = "20260101", "120000", "1"
    item.Modality, item.SeriesDescription, item.SeriesNumber = "MR", "FLAIR AX", 1
    item.Manufacturer = item.PositionReferenceIndicator = ""
    item.ScanningSequence, item.SequenceVariant, item.ScanOptions = "SE", "NONE", ""
    item.RepetitionTime, item.EchoTime, item.InversionTime = 9000, 120, 2500
    item.MRAcquisitionType, item.EchoTrainLength = "2D", 1
    item.ImageType, item.InstanceNumber = ["ORIGINAL", "PRIMARY", "M"], index + 1
    columns, rows, _ = part.grid.shape
    corner = part.grid.world_of(np.array([columns - 1, rows - 1, index], dtype=np.float64))
    item.ImagePositionPatient = [f"{v:.6f}"[:16] for v in (-corner[0], -corner[1], corner[2])]
    item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    x, y, z = part.grid.spacing_mm
    item.PixelSpacing = [f"{y:.8f}"[:16], f"{x:.8f}"[:16]]
    item.SliceThickness = item.SpacingBetweenSlices = f"{z:.8f}"[:16]
    item.Rows, item.Columns = rows, columns
    item.SamplesPerPixel, item.PhotometricInterpretation, item.PixelRepresentation = 1, "MONOCHROME2", 0
    item.BitsAllocated, item.BitsStored = (8, 8) if encoding.bits == 8 else (16, encoding.bits)
    item.HighBit = item.BitsStored - 1
    plane = np.ascontiguousarray(part.values[::-1, ::-1, index].T)
    if encoding.bits == 8:
        plane = np.rint(plane * (255 / 4095)).astype(np.uint8)
    if encoding.encode is None:
        item.PixelData = plane.tobytes()
        item["PixelData"].VR = "OW"
    else:
        item.PixelData = encapsulate([encoding.encode(plane)])
        item["PixelData"].VR = "OB"
        item["PixelData"].is_undefined_length = True
    return item
