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
from brainseg_desktop.core.volume import (
    ImageChoice,
    Sequence,
    Source,
    Volume,
    background_value,
    to_canonical,
    to_native,
)
from brainseg_desktop.io import atomic
from brainseg_desktop.io.gzipped import is_packed, pack, unpack
from brainseg_desktop.io.nifti_header import NiftiHeader, mask_header, read_header
from brainseg_desktop.io.schemes import read_sidecar, recognise_scheme

# More cannot be a head; what states more is damaged, or too large to be shown.
MAX_VOXELS = 1 << 27  # 512 x 512 x 512
_HEAD = 540
_TINY_MM = 1e-9
_FAR_OFFSET = 1 << 26  # no extension is that long
_FAR_MM = 1e6  # a kilometre away: numbers that are none


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


def read_volume(
    path: Path,
    sequence: Sequence | None = None,
    notes: list[UserError] | None = None,
    choice: ImageChoice | None = None,
) -> Volume:
    """Read a 3-D image in canonical order.

    Parameters
    ----------
    path : Path
        ``.nii``, ``.nii.gz`` (told by content) or ``.hdr`` with its ``.img``.
    sequence : Sequence or None
    notes : list, optional
        Remarks for the user are appended: ``image_not_finite`` with the number of voxels, ``volume_chosen``,
        ``units_converted``, ``sform_against_qform``, ``position_unstated``.
    choice : ImageChoice, optional
        Which volume of a file with several.

    Returns
    -------
    Volume
        Integers as stored where the file scales by 1; otherwise float32. Voxels that are not finite hold
        the background value.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``not_nifti``, ``file_truncated``, ``image_part_missing``,
        ``image_4d`` (params ``path``, ``shape``, ``count``), ``volume_outside``, ``image_empty``,
        ``image_too_large``, ``image_not_grey``, ``bad_affine``.
    """
    try:
        stored, grid, source = _read(path, choice, notes)
        return canonical_volume(stored, grid, source, sequence, notes)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def canonical_volume(
    stored: NDArray[Any],
    grid: Grid,
    source: Source,
    sequence: Sequence | None,
    notes: list[UserError] | None,
) -> Volume:
    """A volume of values as stored; see `read_volume` on voxels that are not finite."""
    data = to_canonical(stored, source.native_axes)
    if data.dtype.kind == "f":
        data = _without_holes(data, source.path, notes)
    return Volume(data, grid, source, sequence)


def read_mask(
    path: Path,
    scheme: LabelScheme | None = None,
    hints: Iterable[str] = (),
    choice: ImageChoice | None = None,
) -> MaskFile:
    """Read a mask and turn its numbers into tissues.

    Parameters
    ----------
    path : Path
    scheme : LabelScheme or None
        None: find out (see `io.schemes`).
    hints : names of files that lie with it
    choice : ImageChoice, optional
        Which volume of a file with several.

    Raises
    ------
    UserError
        As `read_volume`; also ``mask_not_finite``, ``label_not_whole``, ``label_outside_scheme``,
        ``scheme_ambiguous``.
    """
    try:
        return decode_mask(*_read(path, choice), scheme, hints)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def decode_mask(
    stored: NDArray[Any],
    grid: Grid,
    source: Source,
    scheme: LabelScheme | None,
    hints: Iterable[str] = (),
) -> MaskFile:
    """The tissues of numbers as stored; see `read_mask`."""
    path = source.path
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


def _read(
    path: Path, choice: ImageChoice | None = None, notes: list[UserError] | None = None
) -> tuple[NDArray[Any], Grid, Source]:
    """Values as stored (scaled, native byte order, perhaps not finite), canonical grid and source."""
    raw = read_bytes(path)
    digest = hashlib.sha256(raw)
    header = _header_of(unpack(raw, path, _HEAD) if is_packed(raw) else raw, path)
    shape, dtype = header.shape, header.dtype
    if not shape or any(n < 1 for n in shape):
        raise UserError("image_empty", path=path)
    if isinstance(dtype, str):
        raise UserError("image_not_grey", path=path, kind=dtype)
    x, y, z = (*shape, 1, 1)[:3]
    shape3 = (x, y, z)
    index = choose_volume(path, shape, math.prod(shape[3:]), choice, notes)
    check_size(path, shape3)
    needed = math.prod(shape3) * dtype.itemsize
    if header.offset > _FAR_OFFSET:
        raise UserError("file_truncated", path=path)
    start = header.offset + index * needed
    if not header.is_single:
        pair = _pixel_file(path)
        raw = read_bytes(pair, part_of=path)
        digest.update(raw)
    if is_packed(raw):
        content = unpack(raw, path, start + needed, start)
        start = 0
    else:
        content = raw
    if len(content) < start + needed:
        raise UserError("file_truncated", path=path)
    stored: NDArray[Any] = np.ndarray(shape3, dtype, buffer=content, offset=start, order="F")
    grid, axes = _grid_of(header, shape3, path)
    if notes is not None:
        notes += _position_notes(header, shape3, path)
    several = math.prod(shape[3:]) > 1
    source = Source(path, digest.hexdigest(), header, shape3, axes, volume=index + 1 if several else 0)
    return scaled_values(stored, header.scaling), grid, source


def choose_volume(
    path: Path,
    shape: tuple[int, ...],
    count: int,
    choice: ImageChoice | None,
    notes: list[UserError] | None,
) -> int:
    """Index of the volume to read of a file that holds `count` of them.

    Raises
    ------
    UserError
        ``image_4d`` (params ``path``, ``shape``, ``count``) if nobody said which of several,
        ``volume_outside`` if there is none with that number.
    """
    wanted = choice.volume if choice is not None else None
    if wanted is None:
        if count > 1:
            raise UserError("image_4d", path=path, shape=shape, count=count)
        return 0
    if count == 1:
        # What was said of an exam holds for those of its files that leave a choice.
        if wanted > 1 and notes is not None:
            notes.append(UserError("volume_single", path=path))
        return 0
    if not 1 <= wanted <= count:
        raise UserError("volume_outside", path=path, volume=wanted, count=count)
    if notes is not None:
        notes.append(UserError("volume_chosen", path=path, volume=wanted, count=count))
    return wanted - 1


def check_size(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse what a header states before memory is taken for it.

    Raises
    ------
    UserError
        ``image_too_large``.
    """
    if math.prod(shape) > MAX_VOXELS:
        raise UserError("image_too_large", path=path, shape=shape)


def _position_notes(header: NiftiHeader, shape: tuple[int, int, int], path: Path) -> list[UserError]:
    """What the user should know of how the place in space was understood."""
    notes = []
    unit, factor = header.unit
    if factor != 1.0:
        notes.append(UserError("units_converted", path=path, unit=unit, factor=factor))
    other = header.other_affine
    if other is not None and np.abs(other).max() < _FAR_MM:
        corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
        shift = header.affine - other
        apart = float(np.abs(corners @ shift[:3, :3].T + shift[:3, 3]).max())
        # As `Grid.mismatch`: what is no rounding error.
        smallest = min(Grid(shape, header.affine).spacing_mm)
        if apart > max(0.01, 0.05 * smallest):
            notes.append(UserError("sform_against_qform", path=path, apart_mm=apart))
    if header.codes == (0, 0):
        notes.append(UserError("position_unstated", path=path))
    return notes


def read_bytes(path: Path, part_of: Path | None = None) -> bytes:
    """All of a file.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``not_nifti`` for a folder; ``image_part_missing`` for the
        second file of an image whose first is `part_of`.
    """
    try:
        # A pipe or a device would never end.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UserError("file_unreadable", path=path, reason="no ordinary file")
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

    Parameters
    ----------
    affine : (4, 4) array
        Stored voxel index to RAS mm.

    Raises
    ------
    ValueError, numpy.linalg.LinAlgError
        If the affine is singular, not finite, or leads to a place where no image lies.
    """
    if not (np.abs(affine[:3]).max() < _FAR_MM and np.abs(affine[:3, :3]).max(axis=0).min() > _TINY_MM):
        raise ValueError("farther away than any image lies")
    stored = Grid(shape, affine)
    axes = [(0, 1)] * 3
    for axis, code in enumerate(stored.axis_codes):
        canonical = next(i for i, pair in enumerate(("RL", "AP", "SI")) if code in pair)
        axes[canonical] = (axis, 1 if code in "RAS" else -1)
    order = Source(Path(), "", None, shape, tuple(axes))
    canonical_shape = (shape[axes[0][0]], shape[axes[1][0]], shape[axes[2][0]])
    turn = np.linalg.inv(_canonical_to_native(order, canonical_shape))
    return Grid(canonical_shape, stored.voxel_to_world @ turn), tuple(axes)


def scaled_values(stored: NDArray[Any], scaling: tuple[float, float] | None) -> NDArray[Any]:
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
