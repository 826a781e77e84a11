"""Reading and writing NIfTI: canonical RAS+ inside, the file's own grid and header outside."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import LabelScheme, whole_values
from brainseg_desktop.core.volume import Sequence, Source, Volume, background_value, to_canonical, to_native
from brainseg_desktop.io import atomic
from brainseg_desktop.io.gzipped import is_packed, pack, unpack, unpack_slowly
from brainseg_desktop.io.nifti_header import NiftiHeader, mask_header, read_header
from brainseg_desktop.io.schemes import read_sidecar, recognise_scheme


@dataclass(frozen=True, slots=True, eq=False)
class MaskFile:
    """A mask as read: tissues on a grid, and how its numbers were understood.

    Parameters
    ----------
    tissues : (X, Y, Z) array of uint8
        `Tissue` values in canonical order.
    grid : Grid
    scheme : LabelScheme
    why : UserError
        Not an error: code and parameters of the sentence that tells why this scheme was taken.
    source : Source
    sidecar : mapping or None
        Our own sidecar of the file, or what the file says of its maker in the same form.
    part : bool
        Whether the form leaves out what is not marked, so that `grid` may be a part of the images'.
    """

    tissues: NDArray[np.uint8]
    grid: Grid
    scheme: LabelScheme
    why: UserError
    source: Source
    sidecar: Any = None
    part: bool = False


def is_nifti_name(path: Path) -> bool:
    """Whether the name ends as NIfTI files do."""
    return path.name.lower().endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz"))


def nifti_stem(path: Path) -> str:
    """The file's name without its NIfTI suffix.

    Examples
    --------
    >>> nifti_stem(Path("a/BraTS2021_00006_t1.nii.gz"))
    'BraTS2021_00006_t1'
    """
    name = path.name
    for suffix in (".nii.gz", ".hdr.gz", ".nii", ".hdr"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def read_volume(path: Path, sequence: Sequence | None = None, notes: list[UserError] | None = None) -> Volume:
    """Read a 3-D image in canonical order.

    Parameters
    ----------
    path : Path
        ``.nii``, ``.nii.gz`` (told by content) or ``.hdr`` with its ``.img``.
    sequence : Sequence or None
    notes : list, optional
        Remarks for the user are appended: ``image_not_finite`` with the number of voxels.

    Returns
    -------
    Volume
        Integers as stored where the file scales by 1; otherwise float32. Voxels that are not finite hold
        the background value.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``not_nifti``, ``file_truncated``, ``image_part_missing``,
        ``image_4d``, ``image_empty``, ``image_not_grey``, ``bad_affine``.
    """
    stored, grid, source = _read(path)
    data = to_canonical(stored, source.native_axes)
    if data.dtype.kind == "f":
        data = _without_holes(data, path, notes)
    return Volume(data, grid, source, sequence)


def read_mask(path: Path, scheme: LabelScheme | None = None, hints: Iterable[str] = ()) -> MaskFile:
    """Read a mask and turn its numbers into tissues.

    Parameters
    ----------
    path : Path
    scheme : LabelScheme or None
        None: find out (see `io.schemes`).
    hints : names of files that lie with it

    Raises
    ------
    UserError
        As `read_volume`; also ``mask_not_finite``, ``label_not_whole``, ``label_outside_scheme``,
        ``scheme_ambiguous``.
    """
    stored, grid, source = _read(path)
    # A tumour fills a small part of the head: only the box around it is translated (8 ms instead of 50).
    box = Box.of(stored.T != 0).slices[::-1]
    data = stored[box]
    if data.dtype.kind == "f":
        data = _nearly_whole(data, path)
    try:
        numbers = whole_values(data)
        found = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256)).tolist()
        if set(found) <= {0, 255} and 255 in found:  # a binary mask as picture programs save it
            numbers, found = np.minimum(numbers, np.uint8(1)), [1]
        sidecar = read_sidecar(path, source.sha256)
        if scheme is None:
            recognised = recognise_scheme(found, path, hints=hints, sidecar=sidecar)
            chosen, why = recognised.scheme, recognised.why
        else:
            chosen, why = scheme, UserError("scheme_given", path=path, scheme=scheme.name)
        decoded = chosen.decode(numbers)
    except UserError as error:
        raise UserError(error.code, **{**error.params, "path": path}) from error
    tissues = np.zeros(grid.shape, dtype=np.uint8)
    to_native(tissues, source)[box] = decoded
    return MaskFile(tissues, grid, chosen, why, source, sidecar)


def mask_bytes(
    path: Path,
    tissues: NDArray[np.uint8],
    scheme: LabelScheme,
    like: Source,
    grid: Grid,
    wide: bool = False,
) -> bytes:
    """The content of a mask file on the grid and with the header of another file.

    Parameters
    ----------
    path : Path
        Only its suffix counts: ``.nii.gz`` is compressed. Equal masks give equal bytes.
    tissues : (X, Y, Z) array of uint8, canonical
    scheme : LabelScheme
    like : Source
        sform, qform, their codes, units and description are taken over; extensions are not, since they
        describe the image and may name the patient.
    grid : Grid
        Used where `like` has no NIfTI header (slices without spacing).
    wide : bool
        Numbers as int16 in the byte order of `like`, not as uint8.

    Raises
    ------
    UserError
        ``scheme_cannot_hold``.
    """
    return _content(path, scheme.encode(tissues), like, grid, 1.0, wide)


def map_bytes(path: Path, values: NDArray[np.uint8], like: Source, grid: Grid, slope: float) -> bytes:
    """The content of a map file, e.g. of uncertainty, on the grid and with the header of another file.

    Parameters
    ----------
    path, like, grid : as in `mask_bytes`
    values : (X, Y, Z) array of uint8, canonical
    slope : float
        Readers multiply the stored numbers by it (``scl_slope``).
    """
    return _content(path, values, like, grid, slope)


def _content(
    path: Path, values: NDArray[np.uint8], like: Source, grid: Grid, slope: float, wide: bool = False
) -> bytes:
    native = to_native(values, like)
    header = like.header if isinstance(like.header, NiftiHeader) else None
    affine = stored_affine(like, grid)
    head = mask_header(header, native.shape, grid, affine, slope, wide)
    stored = native.astype((header.order if header else "<") + "i2") if wide else native
    content = head + stored.tobytes(order="F")
    return pack(content) if path.name.lower().endswith(".gz") else content


def write_mask(path: Path, tissues: NDArray[np.uint8], scheme: LabelScheme, like: Volume) -> None:
    """Write a mask on the grid and with the header of `like`, whole or not at all; see `mask_bytes`."""
    atomic.write_bytes(path, mask_bytes(path, tissues, scheme, like.source, like.grid))


def _canonical_to_native(source: Source, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Affine from stored voxel indices to canonical ones."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for canonical, (stored, sign) in enumerate(source.native_axes):
        affine[canonical, stored] = sign
        affine[canonical, 3] = 0 if sign > 0 else shape[canonical] - 1
    return affine


def _read(path: Path) -> tuple[NDArray[Any], Grid, Source]:
    """Values as stored (scaled, native byte order, perhaps not finite), canonical grid and source."""
    raw = _read_file(path)
    digest = hashlib.sha256(raw)
    content = unpack(raw, path) if is_packed(raw) else raw
    header = _header_of(content, path)
    shape, dtype, offset = header.shape, header.dtype, header.offset
    if not shape or any(n < 1 for n in shape):
        raise UserError("image_empty", path=path)
    if any(n > 1 for n in shape[3:]):
        raise UserError("image_4d", path=path, shape=shape)
    if isinstance(dtype, str):
        raise UserError("image_not_grey", path=path, kind=dtype)
    x, y, z = (*shape, 1, 1)[:3]
    shape3 = (x, y, z)
    needed = math.prod(shape3) * dtype.itemsize
    if not header.is_single:
        pair = _pixel_file(path)
        content = _read_file(pair, part_of=path)
        digest.update(content)
        if is_packed(content):
            content = unpack(content, pair)
    elif is_packed(raw) and len(content) < offset + needed:
        content = unpack_slowly(raw, path)  # perhaps several gzip members, of which one was read
    if len(content) < offset + needed:
        raise UserError("file_truncated", path=path)
    stored: NDArray[Any] = np.ndarray(shape3, dtype, buffer=content, offset=offset, order="F")
    grid, axes = _grid_of(header, shape3, path)
    source = Source(path, digest.hexdigest(), header, shape3, axes)
    return _scaled(stored, header.scaling), grid, source


def _read_file(path: Path, part_of: Path | None = None) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if part_of is not None:
            raise UserError("image_part_missing", path=part_of, missing=path.name) from error
        raise UserError("file_missing", path=path) from error
    except IsADirectoryError as error:
        raise UserError("not_nifti", path=path, reason="a folder") from error
    except PermissionError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or "permission") from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error


def _pixel_file(path: Path) -> Path:
    """The ``.img`` that belongs to a ``.hdr``."""
    stem = nifti_stem(path)
    packed = path.with_name(stem + ".img.gz")
    return packed if packed.exists() else path.with_name(stem + ".img")


def _header_of(content: bytes, path: Path) -> NiftiHeader:
    """The header, told by size and magic rather than by the file's name."""
    try:
        header = read_header(content)
    except EOFError as error:
        raise UserError("file_truncated", path=path) from error
    if not content:
        raise UserError("file_truncated", path=path)
    if header is None:
        raise UserError("not_nifti", path=path, reason="no NIfTI header")
    return header


def _grid_of(
    header: NiftiHeader, shape: tuple[int, int, int], path: Path
) -> tuple[Grid, tuple[tuple[int, int], ...]]:
    """Canonical grid of a file, and for each canonical axis the stored axis and direction."""
    try:
        return canonical_grid(shape, header.affine)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise UserError("bad_affine", path=path) from error


def stored_affine(source: Source, grid: Grid) -> NDArray[np.float64]:
    """Affine from the voxel indices as stored to RAS mm, of a source whose canonical grid is `grid`."""
    return np.asarray(grid.voxel_to_world @ _canonical_to_native(source, grid.shape))


def canonical_grid(
    shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> tuple[Grid, tuple[tuple[int, int], ...]]:
    """Canonical grid of an array as stored, and for each canonical axis the stored axis and direction.

    Raises
    ------
    ValueError, numpy.linalg.LinAlgError
        If the affine is singular or not finite.
    """
    stored = Grid(shape, affine)
    axes = [(0, 1)] * 3
    for axis, code in enumerate(stored.axis_codes):
        canonical = next(i for i, pair in enumerate(("RL", "AP", "SI")) if code in pair)
        axes[canonical] = (axis, 1 if code in "RAS" else -1)
    order = Source(Path(), "", None, shape, tuple(axes))
    canonical_shape = (shape[axes[0][0]], shape[axes[1][0]], shape[axes[2][0]])
    turn = np.linalg.inv(_canonical_to_native(order, canonical_shape))
    return Grid(canonical_shape, stored.voxel_to_world @ turn), tuple(axes)


def _scaled(stored: NDArray[Any], scaling: tuple[float, float] | None) -> NDArray[Any]:
    """Values after slope and intercept, in the machine's byte order; no floats but float32."""
    if scaling is None:
        if stored.dtype.kind == "f":
            with np.errstate(over="ignore"):
                return stored.astype(np.float32, order="K", copy=False)
        return stored.astype(stored.dtype.newbyteorder("="), order="K", copy=False)
    slope, inter = scaling
    values = np.empty(stored.shape, np.float32, order="F")
    with np.errstate(over="ignore"):
        for z in range(stored.shape[2]):  # by slices: a whole volume in float64 would take 70 MB
            values[:, :, z] = stored[:, :, z] * np.float64(slope) + inter
    return values


def _nearly_whole(data: NDArray[Any], path: Path) -> NDArray[Any]:
    """Labels stored as floats: scaled or resampled masks miss whole numbers by a rounding error only."""
    bad = int(data.size - np.count_nonzero(np.isfinite(data)))
    if bad:
        raise UserError("mask_not_finite", path=path, count=bad)
    rounded = np.rint(data)
    return rounded if float(np.abs(data - rounded).max(initial=0.0)) < 1e-3 else data


def _without_holes(data: NDArray[Any], path: Path, notes: list[UserError] | None) -> NDArray[Any]:
    """Fill voxels that are not finite with the background, and say how many there were."""
    holes = ~np.isfinite(data)
    count = int(np.count_nonzero(holes))
    if count == 0:
        return data
    if notes is not None:
        notes.append(UserError("image_not_finite", path=path, count=count))
    filled = data.copy(order="K")
    filled[holes] = background_value(data)
    return filled
