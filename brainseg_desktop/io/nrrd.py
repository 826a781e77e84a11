"""Reading NRRD images: ``.nrrd``, or ``.nhdr`` with its voxels; see teem.sourceforge.net/nrrd/format.html.

The header is read here, not by a library: what it states is checked before memory is taken for it, and no
file outside its own folder is touched.
"""

from __future__ import annotations

import bz2
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import ImageChoice, Sequence, Source, Volume
from brainseg_desktop.io.gzipped import is_packed, unpack
from brainseg_desktop.io.nifti import (
    MaskFile,
    canonical_grid,
    canonical_volume,
    check_size,
    choose_volume,
    decode_mask,
    read_bytes,
    scaled_values,
)

MAGIC = b"NRRD000"
_MAX_HEADER = 1 << 20
_END = re.compile(rb"\r?\n\r?\n")
_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2",
    "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "signed long long": "i8",
    "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8",
    "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_SPACES = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip
_UNITS_MM = {"mm": 1.0, "millimeter": 1.0, "m": 1000.0, "cm": 10.0, "um": 0.001, "micron": 0.001}
_MICRO = str.maketrans({"µ": "u", "μ": "u"})
# Kinds of an axis that are parts of one value, not volumes of their own.
_PARTS = re.compile(r"colou?r|rgb|hsv|xyz|complex|quaternion|matrix|normal|gradient|covariant", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class NrrdHeader:
    """The fields of a header in small letters, and the pairs that programs add (``name:=value``)."""

    fields: Mapping[str, str]
    pairs: Mapping[str, str]

    @property
    def has_place(self) -> bool:
        """Whether it says where the patient's sides are."""
        return "space" in self.fields and "space directions" in self.fields


def is_nrrd_name(path: Path) -> bool:
    """Whether the name ends as NRRD files do."""
    return path.name.lower().endswith((".nrrd", ".nhdr"))


def read_volume(
    path: Path,
    sequence: Sequence | None = None,
    notes: list[UserError] | None = None,
    choice: ImageChoice | None = None,
) -> Volume:
    """Read an image in canonical order; parameters as of `io.nifti.read_volume`.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``file_truncated``, ``not_nrrd`` (params ``path``, ``reason``),
        ``nrrd_space``, ``image_part_missing``, ``image_4d``, ``volume_outside``, ``image_empty``,
        ``image_too_large``, ``image_not_grey``, ``image_flat``, ``bad_affine``.
    """
    try:
        return canonical_volume(*_read(path, choice, notes), sequence, notes)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def read_mask(
    path: Path,
    scheme: LabelScheme | None = None,
    hints: Iterable[str] = (),
    choice: ImageChoice | None = None,
) -> MaskFile:
    """Read a mask whose numbers are those of a scheme; raises as `read_volume` and `io.nifti.read_mask`."""
    try:
        return decode_mask(*_read(path, choice, None), scheme, hints)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def read_header(path: Path) -> tuple[NrrdHeader, bytes, int]:
    """The header of a file, its bytes, and where the voxels begin in them.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``file_truncated``, ``not_nrrd``.
    """
    raw = read_bytes(path)
    if not raw.startswith(MAGIC):
        raise UserError("not_nrrd", path=path, reason="no NRRD header")
    end = _END.search(raw, 0, _MAX_HEADER)
    if end is None and len(raw) > _MAX_HEADER:
        raise UserError("not_nrrd", path=path, reason="its header does not end")
    # A header of its own may end with the file.
    text = raw[: end.start() if end else len(raw)].decode("utf-8", "replace")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        if line.startswith("#") or not line.strip():
            continue
        name, mark, value = line.partition(":")
        if not mark:
            raise UserError("not_nrrd", path=path, reason="a line of its header has no name")
        if value.startswith("="):
            pairs[name.strip()] = value[1:]
        else:
            fields[name.strip().lower()] = value.strip()
    return NrrdHeader(fields, pairs), raw, end.end() if end else len(raw)


def _read(
    path: Path, choice: ImageChoice | None, notes: list[UserError] | None
) -> tuple[NDArray[Any], Grid, Source]:
    """Values as stored in native byte order, canonical grid and source."""
    header, raw, offset = read_header(path)
    fields = header.fields
    digest = hashlib.sha256(raw)
    sizes = _whole_numbers(fields.get("sizes", ""), path)
    if not sizes or any(n < 1 for n in sizes):
        raise UserError("image_empty", path=path)
    if fields.get("dimension", "") != str(len(sizes)) or len(sizes) > 16:
        raise UserError("not_nrrd", path=path, reason="its dimension and sizes do not fit")
    kind = fields.get("type", "").lower()
    if kind not in _TYPES:
        raise UserError("image_not_grey", path=path, kind=kind or "no type")
    dtype = np.dtype(("<" if fields.get("endian", "little").lower() == "little" else ">") + _TYPES[kind])
    spatial, affine, placed = _place(fields, sizes, path)
    others = [axis for axis in range(len(sizes)) if axis not in spatial]
    kinds = fields.get("kinds", "").split()
    for axis in others:
        if sizes[axis] > 1 and axis < len(kinds) and _PARTS.search(kinds[axis]):
            raise UserError("image_not_grey", path=path, kind=kinds[axis])
    count = math.prod(sizes[axis] for axis in others)
    index = choose_volume(path, sizes, count, choice, notes)
    check_size(path, sizes)
    needed = math.prod(sizes) * dtype.itemsize
    content = _voxels(header, raw, offset, needed, path, digest)
    array: NDArray[Any] = np.ndarray(sizes, dtype, buffer=content, order="F")
    moved = array.transpose(*spatial, *others)
    # The volumes are counted as they lie in the file: the first of the other axes runs fastest.
    stored = moved.reshape(*(sizes[axis] for axis in spatial), count, order="F")[..., index]
    shape = (sizes[spatial[0]], sizes[spatial[1]], sizes[spatial[2]])
    try:
        grid, axes = canonical_grid(shape, affine)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise UserError("bad_affine", path=path) from error
    if notes is not None and not placed:
        notes.append(UserError("position_unstated", path=path))
    source = Source(path, digest.hexdigest(), header, shape, axes, volume=index + 1 if count > 1 else 0)
    return scaled_values(np.asfortranarray(stored), None), grid, source


def _place(
    fields: Mapping[str, str], sizes: tuple[int, ...], path: Path
) -> tuple[list[int], NDArray[np.float64], bool]:
    """The three axes that lie in space, the affine of their indices to RAS mm, and whether it is stated."""
    affine = np.eye(4)
    space = fields.get("space", "").lower().removesuffix("-time")
    if space and space not in _SPACES:
        raise UserError("nrrd_space", path=path, space=space)
    if "space directions" in fields and space:
        directions = [_vector(part) for part in re.findall(r"none|\([^()]*\)", fields["space directions"])]
        spatial = [i for i, direction in enumerate(directions) if direction is not None]
        if len(directions) != len(sizes):
            raise UserError("not_nrrd", path=path, reason="its space directions and sizes do not fit")
        if len(spatial) != 3:
            raise UserError("image_flat", path=path, shape=sizes)
        origin = _vector(fields.get("space origin", "(0,0,0)")) or []
        columns = [directions[i] or [] for i in spatial]
        if any(len(v) != 3 for v in (*columns, origin)):
            raise UserError("bad_affine", path=path)
        affine[:3, :3] = np.array(columns).T
        affine[:3, 3] = origin
        affine[:3] *= np.array(_SPACES[space], float)[:, None] * _unit(fields)
        return spatial, affine, True
    kinds = fields.get("kinds", "").lower().split()
    spatial = [i for i in range(len(sizes)) if i >= len(kinds) or kinds[i] in ("domain", "space", "???")][:3]
    if len(spatial) != 3:
        raise UserError("image_flat", path=path, shape=sizes)
    spacings = [_number(s) for s in fields.get("spacings", "").split()]
    for row, axis in enumerate(spatial):
        size = abs(spacings[axis]) if axis < len(spacings) else math.nan
        # Columns to the patient's left and rows to the back, as ITK takes a file that does not say.
        affine[row, row] = (1.0 if math.isnan(size) or size == 0 else size) * (1 if row == 2 else -1)
    return spatial, affine, False


def _voxels(
    header: NrrdHeader, raw: bytes, offset: int, needed: int, path: Path, digest: Any
) -> bytes | memoryview:
    """The bytes of all voxels, from the file itself or the one that its header names."""
    fields = header.fields
    named = fields.get("data file", fields.get("datafile"))
    place = path
    if named is not None:
        place = _data_file(named, path)
        raw, offset = read_bytes(place, part_of=path), 0
        digest.update(raw)
    for _ in range(_skip(fields, "line", path)):
        offset = raw.find(b"\n", offset) + 1
        if offset == 0:
            raise UserError("file_truncated", path=place)
    encoding = fields.get("encoding", "").lower()
    skipped = _skip(fields, "byte", path)
    content: bytes | memoryview
    if encoding == "raw":
        offset = len(raw) - needed if skipped == -1 else offset + skipped
        content = memoryview(raw)[max(offset, 0) : max(offset, 0) + needed] if offset >= 0 else b""
    elif encoding in ("gzip", "gz"):
        packed = raw[offset:]
        if not is_packed(packed):
            raise UserError("file_truncated", path=place)
        content = unpack(packed, place, max(skipped, 0) + needed, max(skipped, 0))
    elif encoding in ("bzip2", "bz2"):
        try:
            unpacker = bz2.BZ2Decompressor()
            content = unpacker.decompress(raw[offset:], max(skipped, 0) + needed)[max(skipped, 0) :]
        except (OSError, ValueError) as error:
            raise UserError("file_truncated", path=place) from error
    else:
        raise UserError("not_nrrd", path=path, reason=f"its encoding {encoding or 'is missing'}")
    if len(content) < needed:
        raise UserError("file_truncated", path=place)
    return content


def _data_file(named: str, path: Path) -> Path:
    """The file of the voxels, which must lie in the header's folder or below."""
    if not named or "\0" in named or named.upper().startswith("LIST") or re.search(r"%\d*d", named):
        raise UserError("not_nrrd", path=path, reason="its voxels lie in several files")
    if Path(named).is_absolute() or ".." in Path(named).parts or "\\" in named or ":" in named:
        raise UserError("not_nrrd", path=path, reason="its voxels lie in another folder")
    return path.parent / named


def _skip(fields: Mapping[str, str], what: str, path: Path) -> int:
    """How many lines or bytes lie before the voxels; -1 for bytes: they are the last ones of the file."""
    stated = fields.get(f"{what} skip", fields.get(f"{what}skip", "0"))
    if not re.fullmatch(r"\d{1,7}|-1", stated):
        raise UserError("not_nrrd", path=path, reason=f"its {what} skip")
    return int(stated)


def _whole_numbers(text: str, path: Path) -> tuple[int, ...]:
    if not re.fullmatch(r"[\d\s]*", text, re.ASCII) or any(len(word) > 18 for word in text.split()):
        raise UserError("not_nrrd", path=path, reason="its sizes")
    return tuple(int(word) for word in text.split())


def _vector(text: str) -> list[float] | None:
    return None if text.lower() == "none" else [_number(part) for part in text.strip("() ").split(",")]


def _number(text: str) -> float:
    """A number; NaN, which no place accepts, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _unit(fields: Mapping[str, str]) -> float:
    """Millimetres of the unit of the space; mm where it says none that we know."""
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    return _UNITS_MM.get(units[0].lower().translate(_MICRO).removesuffix("s"), 1.0) if units else 1.0
