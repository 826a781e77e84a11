"""Grey values: compressed, rescaled, padded, inverted; and files that are not what they claim."""

from __future__ import annotations

import resource
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom.exams import find_exams
from brainseg_desktop.io.dicom.instances import read_instance
from brainseg_desktop.io.dicom.pixels import stream_size
from brainseg_desktop.io.dicom.read import read_series
from brainseg_desktop.io.dicom.scan import scan_folder
from brainseg_desktop.io.dicom.series import DicomSeries, group_series
from brainseg_desktop.services.messages import SENTENCES
from tests.dicom_making import Making, blocks, one_slice, save, save_enhanced, save_series

ENCODINGS = (
    "MR_small",
    "MR_small_RLE",
    "MR_small_bigendian",
    "MR_small_expb",
    "MR_small_implicit",
    "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless",
    "MR_small_padded",
)


def read_all(folder: Path, notes: list[UserError] | None = None) -> np.ndarray:
    """The values in the order (slice, row, column), as they were written."""
    (exam,) = find_exams(folder)
    (series,) = exam.series
    return read_series(series, notes=notes).data[::-1, ::-1].transpose(2, 1, 0)


def outcome(series: DicomSeries) -> str:
    """How many slices were read, or the code of the reason why none was."""
    try:
        return f"read {read_series(series).source.native_shape[2]}"
    except UserError as error:
        return error.code


def error_of(folder: Path) -> UserError:
    with pytest.raises(UserError) as raised:
        read_all(folder)
    return raised.value


@pytest.mark.data
@pytest.mark.parametrize("name", ENCODINGS)
def test_eight_encodings_of_one_slice_are_one(data_dir: Path, name: str) -> None:
    (series,) = group_series([read_instance(data_dir / "dicom" / f"{name}.dcm")])
    expected = dcmread(data_dir / "dicom" / "MR_small.dcm").pixel_array
    assert np.array_equal(read_series(series).data[::-1, ::-1, 0].T, expected)


@pytest.mark.data
def test_a_truncated_file_is_named(data_dir: Path) -> None:
    (series,) = group_series([read_instance(data_dir / "dicom" / "MR_truncated.dcm")])
    with pytest.raises(UserError) as raised:
        read_series(series)
    assert raised.value.code == "file_truncated"
    assert raised.value.params["path"].name == "MR_truncated.dcm"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_ways_to_write_the_same(tmp_path: Path, syntax: str) -> None:
    making = Making(blocks(4))
    for index in range(4):
        save(one_slice(making, index), tmp_path / f"{index}", syntax)
    assert np.array_equal(read_all(tmp_path), making.data)


def test_big_endian(tmp_path: Path) -> None:
    making = Making(blocks(4))
    for index in range(4):
        data = one_slice(making, index)
        data.PixelData = making.data[index].astype(">i2").tobytes()
        data["PixelData"].VR = "OW"
        save(data, tmp_path / f"{index}", ExplicitVRBigEndian)
    assert np.array_equal(read_all(tmp_path), making.data)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_losslessly(tmp_path: Path, syntax: str) -> None:
    making = Making(blocks(4, 64, 72, "uint16"))
    for index in range(4):
        data = dcmread(save(one_slice(making, index), tmp_path / f"{index}"))
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(tmp_path / f"{index}")
    assert np.array_equal(read_all(tmp_path), making.data)


def test_lossless_jpeg(tmp_path: Path) -> None:
    import imagecodecs

    making = Making(blocks(4, 64, 72, "uint16"))
    for index in range(4):
        data = one_slice(making, index)
        data.PixelData = encapsulate([imagecodecs.ljpeg_encode(making.data[index], bitspersample=16)])
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
        save(data, tmp_path / f"{index}", JPEGLosslessSV1)
    assert np.array_equal(read_all(tmp_path), making.data)


def test_slope_and_intercept_of_each_slice(tmp_path: Path) -> None:
    def change(data: Dataset, index: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = 0.5 + index, -10

    making = Making(blocks(4), change=change)
    save_series(tmp_path, making)
    found = read_all(tmp_path)
    assert found.dtype == np.float32
    slopes = (0.5 + np.arange(4))[:, None, None]
    assert np.allclose(found, making.data * slopes - 10)


def test_slope_of_a_frame(tmp_path: Path) -> None:
    making = Making(blocks(4))
    path = save_enhanced(tmp_path / "object", making, range(4))
    data = dcmread(path)
    values = data.PerFrameFunctionalGroupsSequence[2].PixelValueTransformationSequence[0]
    values.RescaleSlope, values.RescaleIntercept = 2, 1
    data.save_as(path)
    found = read_all(tmp_path)
    assert np.array_equal(found[2], making.data[2] * 2 + 1)
    assert np.array_equal(found[1], making.data[1])


def test_padding_is_background(tmp_path: Path) -> None:
    data = blocks(4) + np.int16(100)
    data[:, :2] = -2000
    save_series(tmp_path, Making(data, tags={"PixelPaddingValue": -2000}))
    notes: list[UserError] = []
    found = read_all(tmp_path, notes)
    for index in range(4):
        assert (found[index, :2] == data[index, 2:].min()).all()
    assert [(n.code, n.params["count"]) for n in notes] == [("series_padded", 4 * 2 * 8)]


def test_bright_for_dark_is_turned_round(tmp_path: Path) -> None:
    data = blocks(4, dtype="uint16")
    tags = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    save_series(tmp_path, Making(data, tags=tags))
    notes: list[UserError] = []
    assert np.array_equal(read_all(tmp_path, notes), 4095 - data)
    assert [n.code for n in notes] == ["series_inverted"]


# Faults --------------------------------------------------------------------------------------------------


@pytest.fixture
def little_memory() -> Iterator[None]:
    """No more than 2 GB beside what is in use: who allocates what a header claims fails."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"Rows": 65535, "Columns": 65535}, "dicom_too_large"),
        ({"Rows": 8000, "Columns": 8000}, "file_truncated"),
        ({"NumberOfFrames": "2000000000"}, "dicom_damaged"),
        ({"BitsAllocated": 64}, "file_truncated"),
        ({"BitsAllocated": 13}, "dicom_damaged"),
        ({"Rows": 0}, "series_no_image"),
    ],
)
def test_absurd_sizes_are_refused(tmp_path: Path, tags: dict, code: str) -> None:
    save_series(tmp_path, Making(blocks(4), tags=tags))
    scan = scan_folder(tmp_path)
    if not scan.instances:
        assert [n.code for n in scan.notes] == ["dicom_files_damaged"]
        return
    assert error_of(tmp_path).code == code


def test_a_compressed_picture_may_not_be_larger_than_its_header(tmp_path: Path) -> None:
    making = Making(blocks(4, 64, 72, "uint16"))
    for index in range(4):
        data = dcmread(save(one_slice(making, index), tmp_path / f"{index}"))
        data.compress(JPEG2000Lossless, generate_instance_uid=False)
        at = data.PixelData.index(b"\xff\x4f\xff\x51")
        huge = bytearray(data.PixelData)
        huge[at + 8 : at + 16] = struct.pack(">2I", 60_000, 60_000)
        data.PixelData = bytes(huge)
        data.save_as(tmp_path / f"{index}")
    assert error_of(tmp_path).code == "dicom_size_differs"


def test_a_deflated_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainseg_desktop.io.dicom.files.MAX_INFLATED", 1 << 22)
    save_series(tmp_path, Making(blocks(4)))
    path = save(one_slice(Making(blocks(1)), 0), tmp_path / "bomb", DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    start = content.index(b"1.2.840.10008.1.2.1.99") + 22
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(5)) + deflate.flush()
    path.write_bytes(content[:start] + bomb)
    notes = scan_folder(tmp_path).notes
    assert [n.code for n in notes] == ["dicom_files_damaged"]
    assert read_all(tmp_path).shape == (4, 10, 8)


def test_nested_beyond_reason(tmp_path: Path) -> None:
    inner = Dataset()
    inner.CodeValue = "x"
    for _ in range(200):
        outer = Dataset()
        outer.ContrastBolusAgentSequence = Items([inner])
        inner = outer
    data = one_slice(Making(blocks(4)), 0)
    data.ContrastBolusAgentSequence = Items([inner])
    content = save(data, tmp_path / "deep").read_bytes()
    assert content
    scan = scan_folder(tmp_path)
    assert len(scan.instances) + len(scan.notes) == 1


def test_without_pixels(tmp_path: Path) -> None:
    def change(data: Dataset, index: int) -> None:
        if index == 2:
            del data.PixelData

    save_series(tmp_path, Making(blocks(4), change=change))
    assert error_of(tmp_path).code == "dicom_no_pixels"


@pytest.mark.parametrize("cut", [0, 1, 100, 131, 140, 300, 500, 700, -1, -81])
def test_a_file_cut_anywhere_is_told_or_left_out(tmp_path: Path, cut: int) -> None:
    making = Making(blocks(5))
    files = save_series(tmp_path, making)
    content = files[4].read_bytes()
    files[4].write_bytes(content[:cut])
    (exam, *_) = find_exams(tmp_path)
    told = outcome(exam.series[0])
    assert told in ("read 4", "file_truncated", "dicom_no_pixels", "series_no_place", "dicom_damaged")


@pytest.mark.parametrize(
    "keyword", ["Rows", "ImagePositionPatient", "PixelSpacing", "SeriesNumber", "ImageType"]
)
@pytest.mark.parametrize("vr", ["OB", "UN", "SQ", "PN", "FD", "ZZ"])
def test_a_wrong_kind_of_value_is_no_crash(tmp_path: Path, keyword: str, vr: str) -> None:
    making = Making(blocks(4))
    for path in save_series(tmp_path, making):
        data = dcmread(path)
        tag = data[keyword].tag
        marker = struct.pack("<HH", tag.group, tag.element) + data[keyword].VR.encode()
        content = path.read_bytes()
        assert marker in content
        path.write_bytes(content.replace(marker, marker[:4] + vr.encode(), 1))
    told = {outcome(series) for exam in find_exams(tmp_path) for series in exam.series}
    assert told <= {"read 4", "read 1", *SENTENCES}


def test_streams_state_their_size() -> None:
    import imagecodecs

    picture = blocks(1, 12, 20, "uint16")[0]
    assert stream_size(imagecodecs.jpegls_encode(picture)) == (12, 20)
    assert stream_size(imagecodecs.jpeg2k_encode(picture, codecformat="j2k")) == (12, 20)
    assert stream_size(imagecodecs.ljpeg_encode(picture)) == (12, 20)
    assert stream_size(b"RLE") is None
    assert stream_size(b"\xff\xd8\xff") is None
