"""The header of a NIfTI-1 or NIfTI-2 file: what we need of it, and the header of a mask made from it.

Field offsets are those of nifti1.h and nifti2.h. Where a header is at odds with itself it is understood as
nibabel does (sform before qform before pixel sizes; wrong codes count as 0), which the tests hold against
nibabel itself. It is not used for this because importing it takes longer than reading a whole case.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid

# name: (offset, struct code) for each version.
_FIELDS_1 = {
    "dim": (40, "8h"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "pixdim": (76, "8f"),
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "cal_max": (124, "f"),
    "cal_min": (128, "f"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "quatern": (256, "3f"),
    "qoffset": (268, "3f"),
    "srow": (280, "12f"),
    "magic": (344, "4s"),
}
_FIELDS_2 = {
    "magic": (4, "8s"),
    "datatype": (12, "h"),
    "bitpix": (14, "h"),
    "dim": (16, "8q"),
    "pixdim": (104, "8d"),
    "vox_offset": (168, "q"),
    "scl_slope": (176, "d"),
    "scl_inter": (184, "d"),
    "cal_max": (192, "d"),
    "cal_min": (200, "d"),
    "qform_code": (344, "i"),
    "sform_code": (348, "i"),
    "quatern": (352, "3d"),
    "qoffset": (376, "3d"),
    "srow": (400, "12d"),
    "xyzt_units": (500, "i"),
}
_SIZES = {348: _FIELDS_1, 540: _FIELDS_2}
_MAGICS = {348: (b"n+1\0", b"ni1\0"), 540: (b"n+2\0", b"ni2\0")}
_MAGIC_REST_2 = b"\r\n\x1a\n"  # shows a transfer that changed line ends
_DTYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_NO_GREY = {
    1: "binary", 32: "complex", 128: "RGB", 1536: "float128", 1792: "complex", 2048: "complex", 2304: "RGBA",
}  # fmt: skip
_UINT8, _INT16 = 2, 4
_MM = 2
_UNITS = {1: ("m", 1000.0), 3: ("micron", 0.001)}  # of xyzt_units; what is not stated is mm


@dataclass(frozen=True, slots=True, eq=False)
class NiftiHeader:
    """A header as stored.

    Parameters
    ----------
    raw : bytes
        348 (NIfTI-1) or 540 bytes (NIfTI-2).
    order : str
        ``"<"`` or ``">"``, the byte order.
    """

    raw: bytes
    order: str

    def values(self, name: str) -> tuple[float | int | bytes, ...]:
        """The stored values of a field."""
        offset, code = _SIZES[len(self.raw)][name]
        return struct.unpack_from(self.order + code, self.raw, offset)

    def numbers(self, name: str) -> tuple[float, ...]:
        """The stored values of a numeric field."""
        return tuple(float(v) for v in self.values(name))

    def with_values(self, **fields: tuple[object, ...]) -> NiftiHeader:
        """A header with some fields changed."""
        raw = bytearray(self.raw)
        for name, values in fields.items():
            offset, code = _SIZES[len(raw)][name]
            struct.pack_into(self.order + code, raw, offset, *values)
        return NiftiHeader(bytes(raw), self.order)

    @property
    def version(self) -> int:
        return 1 if len(self.raw) == 348 else 2

    @property
    def _precision(self) -> float:
        return float(np.finfo(np.float32 if self.version == 1 else np.float64).eps)

    @property
    def is_single(self) -> bool:
        """Whether header and voxels share a file."""
        magic = self.values("magic")[0]
        return isinstance(magic, bytes) and magic[1:2] == b"+"

    @property
    def shape(self) -> tuple[int, ...]:
        """All dimensions that are stated; may be empty or hold what is no size."""
        dim = [int(v) for v in self.numbers("dim")]
        return tuple(dim[1 : dim[0] + 1]) if 0 < dim[0] < 8 else ()

    @property
    def dtype(self) -> np.dtype[np.generic] | str:
        """Type of the voxels, or in words what they are if they are no grey values."""
        code = int(self.numbers("datatype")[0])
        if code in _DTYPES:
            return np.dtype(self.order + _DTYPES[code])
        return _NO_GREY.get(code, f"type {code}")

    @property
    def offset(self) -> int:
        """Where the voxels begin in their file."""
        stated = self.numbers("vox_offset")[0]
        offset = int(stated) if math.isfinite(stated) else 0
        # Some programs leave it out; the voxels cannot lie on the header.
        return max(offset, 0) if offset > 0 or not self.is_single else len(self.raw) + 4

    @property
    def scaling(self) -> tuple[float, float] | None:
        """Slope and intercept, or None where values are to be taken as stored."""
        slope, inter = self.numbers("scl_slope")[0], self.numbers("scl_inter")[0]
        inter = inter if math.isfinite(inter) else 0.0
        if slope == 0 or not math.isfinite(slope) or (slope, inter) == (1.0, 0.0):
            return None
        return slope, inter

    @property
    def unit(self) -> tuple[str, float]:
        """Unit of lengths, and how many millimetres it has."""
        return _UNITS.get(int(self.numbers("xyzt_units")[0]) & 7, ("mm", 1.0))

    @property
    def codes(self) -> tuple[int, int]:
        """The sform's and the qform's code; 0 where a code says that there is none, or is none."""
        sform, qform = (int(self.numbers(name)[0]) for name in ("sform_code", "qform_code"))
        return (sform if 0 < sform <= 5 else 0, qform if 0 < qform <= 5 else 0)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Stored voxel index to RAS mm; may be singular or not finite.

        The sform where it is set, since programs that move an image write it there; else the qform; else the
        voxel sizes alone.

        Raises
        ------
        ValueError
            If the quaternion is none.
        """
        sform, qform = self.codes
        affine = self._sform() if sform else self._qform() if qform else self._from_sizes()
        return _scaled(affine, self.unit[1])

    @property
    def other_affine(self) -> NDArray[np.float64] | None:
        """The qform where the sform is taken; None if only one is set, or the quaternion is none."""
        if 0 in self.codes:
            return None
        try:
            affine = self._qform()
        except ValueError:
            return None
        return _scaled(affine, self.unit[1])

    def _sform(self) -> NDArray[np.float64]:
        affine = np.eye(4)
        affine[:3] = np.reshape(self.numbers("srow"), (3, 4))
        return affine

    def _sizes(self) -> NDArray[np.float64]:
        """Voxel sizes; one of 0 counts as 1, as nibabel mends it."""
        return np.array([abs(s) if s != 0 else 1.0 for s in self.numbers("pixdim")[1:4]])

    def _qform(self) -> NDArray[np.float64]:
        affine, zooms = np.eye(4), self._sizes()
        zooms[2] *= -1.0 if self.numbers("pixdim")[0] == -1 else 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            affine[:3, :3] = _rotation(self.numbers("quatern"), 3 * self._precision) * zooms
        affine[:3, 3] = self.numbers("qoffset")
        return affine

    def _from_sizes(self) -> NDArray[np.float64]:
        affine, zooms = np.eye(4), self._sizes()
        shape = np.array((*self.shape, 1, 1, 1)[:3])
        zooms[len(self.shape) :] = 1.0
        zooms[0] *= -1  # Analyze's old rule, kept by SPM and nibabel: x runs to the left
        affine[:3, :3] = np.diag(zooms)
        with np.errstate(over="ignore", invalid="ignore"):
            affine[:3, 3] = -(shape - 1) / 2.0 * zooms
        return affine


def _scaled(affine: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """An affine in millimetres; what is too large for a number becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        affine[:3] *= factor
    return affine


def read_header(content: bytes) -> NiftiHeader | None:
    """The header at the beginning of a file, or None if it is none.

    Raises
    ------
    EOFError
        If it is one but ends early.
    """
    for size, order in ((348, "<"), (348, ">"), (540, "<"), (540, ">")):
        if content[:4] != struct.pack(order + "i", size):
            continue
        if len(content) < size:
            raise EOFError
        place = _SIZES[size]["magic"][0]
        if content[place : place + 4] in _MAGICS[size]:
            return NiftiHeader(content[:size], order)
    return None


def mask_header(
    like: NiftiHeader | None,
    shape: tuple[int, ...],
    grid: Grid,
    affine: NDArray[np.float64],
    slope: float = 1.0,
    wide: bool = False,
) -> bytes:
    """The header of a mask or map in a single file, up to the first voxel.

    Parameters
    ----------
    like : NiftiHeader or None
        Version, byte order, sform, qform, their codes, units and description are taken over.
    shape : of the mask as stored
    grid : Grid
    affine : (4, 4) array
        Of the mask as stored; both used where there is no header to take over.
    slope : float
        What readers multiply the stored numbers by.
    wide : bool
        int16 instead of uint8.
    """
    header = like or _fresh(grid, affine)
    size = len(header.raw) + 4
    magic = b"n+1\0" if header.version == 1 else b"n+2\0" + _MAGIC_REST_2
    header = header.with_values(
        dim=(3, *shape, 1, 1, 1, 1),
        datatype=(_INT16 if wide else _UINT8,),
        bitpix=(16 if wide else 8,),
        vox_offset=(size,),
        scl_slope=(slope,),
        scl_inter=(0,),
        cal_max=(0,),
        cal_min=(0,),
        magic=(magic,),
    )
    return header.raw + bytes(4)  # four zeros: no extensions


def _fresh(grid: Grid, affine: NDArray[np.float64]) -> NiftiHeader:
    """A NIfTI-1 header that states an affine by its sform."""
    empty = NiftiHeader((348).to_bytes(4, "little") + bytes(344), "<")
    return empty.with_values(
        pixdim=(1, *np.linalg.norm(affine[:3, :3], axis=0).tolist(), 0, 0, 0, 0),
        sform_code=(1,),
        srow=tuple(affine[:3].ravel().tolist()),
        xyzt_units=(_MM if grid.spacing_known else 0,),
    )


def _rotation(quaternion: tuple[float, ...], tolerance: float) -> NDArray[np.float64]:
    """The rotation of a unit quaternion whose first part follows from the others (nifti1.h, method 2)."""
    b, c, d = quaternion
    rest = 1.0 - (b * b + c * c + d * d)
    if not rest > -tolerance:
        raise ValueError("the quaternion is longer than 1")
    a = math.sqrt(rest) if rest > tolerance else 0.0
    length = a * a + b * b + c * c + d * d
    s = 2.0 / length
    return np.array(
        [
            [1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
            [s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)],
            [s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)],
        ]
    )
