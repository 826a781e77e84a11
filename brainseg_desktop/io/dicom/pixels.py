"""Grey values of DICOM slices: decoded with bounds, rescaled, padding filled, dark and bright put right."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom.files import parse, quieten, read_content
from brainseg_desktop.io.dicom.instances import Slice, number, text

# A volume of 512 x 512 x 512 fits; larger ones are not of a head, or their header is damaged.
MAX_VOXELS = 1 << 28
MAX_SIDE = 8192
_THREADS = 4
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
# The decoder for each family, where pydicom would take another one first.
_PLUGINS = {
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
}


@dataclass(slots=True)
class Remarks:
    """What was done to the values: voxels of padding filled, and whether dark and bright were swapped."""

    padded: int = 0
    is_inverted: bool = False


def read_pixels(slices: tuple[Slice, ...], series: str) -> tuple[NDArray[Any], str, Remarks]:
    """The values of slices of one size.

    Parameters
    ----------
    slices : tuple of Slice
    series : str
        Its name, for messages.

    Returns
    -------
    (columns, rows, slices) array
        Integers as stored where nothing is rescaled; otherwise float32.
    str
        sha256 of the files, one after another.
    Remarks

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``file_truncated``, ``dicom_damaged``, ``dicom_too_large``,
        ``dicom_no_pixels``, ``dicom_size_differs``, ``dicom_codec_unknown``.
    """
    rows, columns = slices[0].rows, slices[0].columns
    path = slices[0].path
    if max(rows, columns) > MAX_SIDE or rows * columns * len(slices) > MAX_VOXELS:
        raise UserError("dicom_too_large", path=path)
    files: dict[Path, list[tuple[int, Slice]]] = {}
    for index, one in enumerate(slices):
        files.setdefault(one.path, []).append((index, one))
    remarks, digest = Remarks(), hashlib.sha256()
    planes: list[NDArray[Any] | None] = [None] * len(slices)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="dicom") as pool:
        for content, found in pool.map(lambda item: _read_file(*item), files.items()):
            digest.update(content)
            for index, plane, padded, inverted in found:
                planes[index] = plane
                remarks.padded += padded
                remarks.is_inverted |= inverted
    return _stacked([p for p in planes if p is not None]), digest.hexdigest(), remarks


def _stacked(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Planes (row, column) as (column, row, slice), in memory one slice after another."""
    kind = np.result_type(*{p.dtype for p in planes})
    if kind.kind == "f":
        kind = np.dtype(np.float32)
    stack = np.empty((len(planes), *planes[0].shape), kind)
    for index, plane in enumerate(planes):
        stack[index] = plane
    return stack.transpose(2, 1, 0)


_Found = list[tuple[int, NDArray[Any], int, bool]]


def _read_file(path: Path, wanted: list[tuple[int, Slice]]) -> tuple[bytes, _Found]:
    content = read_content(path)
    data = parse(content, path)
    _check(data, path, wanted[0][1])
    found: _Found = []
    for (index, one), stored in zip(wanted, _decoded(data, path, [s.frame for _, s in wanted]), strict=True):
        if stored.shape != (one.rows, one.columns):
            raise UserError("dicom_size_differs", path=path)
        found.append((index, *_meant(data, stored, one.frame)))
    return content, found


def _check(data: Any, path: Path, one: Slice) -> None:
    """Refuse what cannot be decoded, before any memory is set aside for it."""
    size = (int(number(data, "Rows") or 0), int(number(data, "Columns") or 0))
    if size != (one.rows, one.columns):
        raise UserError("dicom_size_differs", path=path)
    keyword = next((k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in data), None)
    if keyword is None:
        raise UserError("dicom_no_pixels", path=path)
    syntax = _syntax(data)
    pixels = data.get(keyword)
    if not isinstance(pixels, bytes) or not pixels:
        raise UserError("dicom_no_pixels", path=path)
    frames = max(1, int(number(data, "NumberOfFrames") or 1))
    if frames < one.frame or frames * one.rows * one.columns > MAX_VOXELS:
        raise UserError("dicom_too_large" if frames >= one.frame else "dicom_damaged", path=path)
    bits = int(number(data, "BitsAllocated") or 0)
    if bits not in (1, 8, 16, 32, 64):
        raise UserError("dicom_damaged", path=path)
    if syntax in _NATIVE and len(pixels) * 8 < frames * one.rows * one.columns * bits:
        raise UserError("file_truncated", path=path)


def _syntax(data: Any) -> str:
    meta = getattr(data, "file_meta", None)
    return (text(meta, "TransferSyntaxUID") if meta is not None else "") or _NATIVE[0]


def _decoded(data: Any, path: Path, frames: list[int]) -> Iterator[NDArray[Any]]:
    """The stored values of frames, (rows, columns) each."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    quieten()
    syntax = _syntax(data)
    try:
        decoder = get_decoder(UID(syntax))
    except NotImplementedError:
        decoder = None
    if decoder is None or not decoder.is_available:
        raise UserError("dicom_codec_unknown", path=path, syntax=UID(syntax).name)
    if syntax not in _NATIVE:
        _check_streams(data, path)
    if not getattr(data.file_meta, "TransferSyntaxUID", None):
        data.file_meta.TransferSyntaxUID = UID(syntax)
    for frame in frames:
        try:
            values, _ = decoder.as_array(
                data, index=max(0, frame - 1), raw=True, decoding_plugin=_PLUGINS.get(syntax, "")
            )
        except MemoryError as error:
            raise UserError("dicom_too_large", path=path) from error
        except Exception as error:
            # Decoders raise nearly anything at damaged bytes, and their words are of no use.
            raise UserError("dicom_damaged", path=path) from error
        yield np.asarray(values).astype(values.dtype.newbyteorder("="), copy=False)


def _check_streams(data: Any, path: Path) -> None:
    """Compressed pictures must have the size that the headers state: decoders go by their own."""
    from pydicom.encaps import generate_frames

    count = max(1, int(number(data, "NumberOfFrames") or 1))
    try:
        streams = list(generate_frames(data.PixelData, number_of_frames=count))
    except Exception as error:
        # As above: cut short between its items, or without any.
        raise UserError("file_truncated", path=path) from error
    if len(streams) < count:
        raise UserError("file_truncated", path=path)
    for stream in streams:
        size = stream_size(stream)
        if size is not None and size != (number(data, "Rows"), number(data, "Columns")):
            raise UserError("dicom_size_differs", path=path)


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream states; None if it is another kind.

    Examples
    --------
    >>> stream_size(bytes.fromhex("ffd8 ffc3 000b 10 0040 0080 01 01 11 00"))
    (64, 128)
    """
    if stream[:4] == b"\xff\x4f\xff\x51" and len(stream) >= 24:
        right, bottom, left, top = struct.unpack(">4I", stream[8:24])
        return (bottom - top, right - left)
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(stream):
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if stream[place] != 0xFF:
            return None
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack(">2H", stream[place + 5 : place + 9])
            return (rows, columns)
        place += 1 if marker == 0xFF else 2 + length
    return None


def _meant(data: Any, stored: NDArray[Any], frame: int) -> tuple[NDArray[Any], int, bool]:
    """Values as they are meant: padding darkest, MONOCHROME1 turned round, slope and intercept applied."""
    inverted = text(data, "PhotometricInterpretation").upper() == "MONOCHROME1"
    padding = _padding(data, stored)
    padded = int(np.count_nonzero(padding)) if padding is not None else 0
    if padding is not None and 0 < padded < stored.size:
        stored, rest = stored.copy(), stored[~padding]
        stored[padding] = rest.max() if inverted else rest.min()
    if inverted:
        stored = _turned_round(data, stored)
    slope, intercept = _rescale(data, frame)
    if (slope, intercept) == (1.0, 0.0):
        return stored, padded, inverted
    return (stored * np.float64(slope) + intercept).astype(np.float32), padded, inverted


def _padding(data: Any, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Voxels that hold nothing (PS3.3 C.7.5.1.1.2); None if the object does not mark any."""
    value = _signed(data, "PixelPaddingValue", stored)
    if value is None or stored.dtype.kind == "f":
        return None
    limit = _signed(data, "PixelPaddingRangeLimit", stored)
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))


def _signed(data: Any, name: str, stored: NDArray[Any]) -> int | None:
    """A value of the pixels' own kind, whichever sign its element was written with."""
    value = number(data, name)
    if value is None:
        return None
    whole = int(value)
    if stored.dtype.kind == "i" and whole > np.iinfo(stored.dtype).max:
        whole -= 1 << (8 * stored.dtype.itemsize)
    if stored.dtype.kind == "u" and whole < 0:
        whole += 1 << (8 * stored.dtype.itemsize)
    return whole


def _turned_round(data: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """Bright for dark: the stored range keeps its ends."""
    if stored.dtype.kind == "f":
        return np.asarray(stored.max() + stored.min() - stored)
    if stored.dtype.kind == "i":
        return np.asarray(-1 - stored)
    bits = int(number(data, "BitsStored") or 8 * stored.dtype.itemsize)
    top = stored.dtype.type((1 << min(bits, 8 * stored.dtype.itemsize)) - 1)
    return np.asarray(top - np.minimum(stored, top))


def _rescale(data: Any, frame: int) -> tuple[float, float]:
    """Slope and intercept of a frame, or of the file."""
    places: list[Any] = []
    try:
        if frame:
            groups = data.get("PerFrameFunctionalGroupsSequence") or ()
            places += [groups[frame - 1]] if len(groups) >= frame else []
            places += list(data.get("SharedFunctionalGroupsSequence") or ())[:1]
        places = [p.get("PixelValueTransformationSequence") for p in places]
        places = [p[0] for p in places if p]
    except Exception:
        # A damaged group has no say.
        places = []
    for place in (*places, data):
        slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
        if slope:
            return slope, intercept if intercept is not None and math.isfinite(intercept) else 0.0
    return 1.0, 0.0
