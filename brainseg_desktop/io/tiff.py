"""Folders of TIFF slices as in the LGG set: three channels T1, FLAIR, T1CE and a mask beside each slice.

A picture has its rows running to posterior and its columns to the patient's left, and slice numbers grow
upwards; in canonical order columns and rows are therefore reversed. The files state no spacing.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io import atomic
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import read_sidecar, scheme_named

CHANNELS = (Sequence.T1, Sequence.FLAIR, Sequence.T1CE)
_SLICE = re.compile(r"^(?P<stem>.+?)_(?P<number>\d+)(?P<mask>_mask)?\.tiff?$", re.I)
_THREADS = 4
_MOST_PAGES, _MOST_PARTS = 8192, 1 << 18
# What the library remarks on each damaged tag says nothing to a reader; a file that it refuses is told by us.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def slices_in(folder: Path, names: Iterable[str] | None = None) -> tuple[dict[int, Path], dict[int, Path]]:
    """Image and mask files of a patient's folder by slice number, in rising order.

    Parameters
    ----------
    folder : Path
    names : the folder's file names, if known already
    """
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    for name in sorted(p.name for p in folder.iterdir()) if names is None else names:
        match = _SLICE.match(name)
        if match and not name.startswith("."):
            (masks if match["mask"] else images)[int(match["number"])] = folder / name
    return dict(sorted(images.items())), dict(sorted(masks.items()))


def nominal_grid(shape: tuple[int, int, int]) -> Grid:
    """A grid for display only: 1 mm pixels, and slices as thick as makes a head about 150 mm high."""
    thickness = float(np.clip(round(150 / shape[2], 1), 1.0, 8.0))
    return Grid(shape, np.diag([1.0, 1.0, thickness, 1.0]), spacing_known=False)


def read_slices(
    folder: Path,
    notes: list[UserError] | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
) -> dict[Sequence, Volume]:
    """Read a patient's folder as three volumes on one grid.

    Parameters
    ----------
    folder : Path
    notes : list, optional
        Remarks for the user are appended: ``channel_is_copy`` (a known defect of the LGG set: the pre- or
        post-contrast channel is the FLAIR image again).
    spacing_mm : tuple of float, optional
        As somebody said it: columns, rows, slices.

    Raises
    ------
    UserError
        ``case_not_found``, ``slice_missing``, ``slice_unreadable``, ``slice_channels``, ``slice_shape``.
    """
    images, _ = slices_in(folder)
    if not images:
        raise UserError("case_not_found", path=folder)
    _check_numbers(images, folder)
    files = tuple(images.values())
    pictures, digest = _read_files(files)
    for path, picture in zip(files, pictures, strict=True):
        if picture.ndim != 3 or picture.shape[2] != len(CHANNELS):
            raise UserError("slice_channels", path=path, shape=picture.shape)
    _check_shapes(files, pictures)
    rows, columns, _ = pictures[0].shape
    shape = (columns, rows, len(files))
    grid = nominal_grid(shape) if spacing_mm is None else Grid(shape, np.diag([*spacing_mm, 1.0]))
    stack = np.stack(pictures)  # slice, row, column, channel
    source = _source(folder, digest, (columns, rows, len(files)), files)
    volumes = {
        sequence: Volume(_canonical(np.ascontiguousarray(stack[..., channel])), grid, source, sequence)
        for channel, sequence in enumerate(CHANNELS)
    }
    if notes is not None:
        flair = volumes[Sequence.FLAIR].data
        for sequence in (Sequence.T1, Sequence.T1CE):
            if _is_copy(volumes[sequence].data, flair):
                notes.append(UserError("channel_is_copy", path=folder, sequence=sequence.value, of="FLAIR"))
    return volumes


def read_masks(folder: Path) -> MaskFile:
    """Read the masks of a patient's folder as one label array; anything above 0 is tumour.

    Raises
    ------
    UserError
        ``case_not_found`` without masks, ``slice_missing`` if a slice has no mask, ``slice_unreadable``,
        ``slice_shape``, ``slice_not_binary``.
    """
    images, masks = slices_in(folder)
    if not masks:
        raise UserError("case_not_found", path=folder)
    missing = sorted(set(images) - set(masks))
    if missing:
        raise UserError("slice_missing", path=folder, numbers=missing, what="mask")
    _check_numbers(masks, folder)
    files = tuple(masks.values())
    pictures, digest = _read_files(files)
    for path, picture in zip(files, pictures, strict=True):
        if picture.ndim != 2 or np.unique(picture).size > 2:
            raise UserError("slice_not_binary", path=path)
    _check_shapes(files, pictures)
    scheme = scheme_named("lgg")
    stack = (np.stack(pictures) > 0).astype(np.uint8)
    rows, columns = pictures[0].shape
    shape = (columns, rows, len(files))
    return MaskFile(
        np.ascontiguousarray(scheme.decode(_canonical(stack))),
        nominal_grid(shape),
        scheme,
        UserError("scheme_by_slices", path=folder, scheme=scheme.name),
        _source(folder, digest, shape, files),
        read_sidecar(folder, digest),
    )


def mask_slices(tissues: NDArray[np.uint8], scheme: LabelScheme, source: Source) -> dict[str, bytes]:
    """The mask files of a patient: name and content of each ``<slice>_mask.tif``, empty slices too.

    Parameters
    ----------
    tissues : (X, Y, Z) array of uint8, canonical
    scheme : LabelScheme
        Of the labels it holds every one is written as 255.
    source : Source
        Of the images; gives the names and the size.

    Raises
    ------
    UserError
        ``scheme_cannot_hold``.
    """
    import tifffile

    pictures = _native(scheme.encode(tissues))
    content = {}
    for path, picture in zip(source.files, pictures, strict=True):
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer,
            np.where(picture > 0, np.uint8(255), np.uint8(0)),
            photometric="minisblack",
            compression="zlib",
            metadata=None,
            software=False,
        )
        content[mask_name(path)] = buffer.getvalue()
    return content


def mask_name(image: Path) -> str:
    """The mask's file name for an image slice.

    Examples
    --------
    >>> mask_name(Path("TCGA_CS_4941_19960909_12.tif"))
    'TCGA_CS_4941_19960909_12_mask.tif'
    """
    return f"{image.stem}_mask.tif"


def write_masks(folder: Path, tissues: NDArray[np.uint8], scheme: LabelScheme, source: Source) -> None:
    """Write a patient's masks into a folder, all of them or none; see `mask_slices`."""
    with atomic.staged(folder) as stage:
        for name, content in mask_slices(tissues, scheme, source).items():
            stage.add(folder / name, content)
        stage.commit()


def read_mask_stack(files: Iterable[Path]) -> NDArray[np.uint8]:
    """Mask slices from inferior to superior as a canonical (X, Y, Z) array of 0 and 255."""
    pictures, _ = _read_files(tuple(files))
    return _canonical(np.stack(pictures))


def _is_copy(channel: NDArray[Any], flair: NDArray[Any]) -> bool:
    """Whether a channel is FLAIR again, but for what another encoding of the picture changed.

    Copies differ by less than 0.4 grey levels of 255 on average, real pairs of sequences by more than 4.
    """
    here, there = (a[::2, ::2].astype(np.float32) for a in (channel, flair))
    return float(np.abs(here - there).mean()) < max(float(there.max()), 1.0) / 255.0


def _canonical(stack: NDArray[Any]) -> NDArray[Any]:
    """(slice, row, column) to canonical (x to R, y to A, z to S)."""
    return stack.transpose(2, 1, 0)[::-1, ::-1, :]


def _native(data: NDArray[Any]) -> NDArray[Any]:
    """Canonical to (slice, row, column)."""
    return np.ascontiguousarray(data[::-1, ::-1, :].transpose(2, 1, 0))


def _source(folder: Path, digest: str, shape: tuple[int, int, int], files: tuple[Path, ...]) -> Source:
    return Source(folder, digest, None, shape, ((0, -1), (1, -1), (2, 1)), files)


def _read_files(files: tuple[Path, ...]) -> tuple[list[NDArray[Any]], str]:
    """The pictures in order, and the sha256 of all their bytes in a row."""
    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(_read_file, files))
    digest = hashlib.sha256()
    for raw, _ in results:
        digest.update(raw)
    return [picture for _, picture in results], digest.hexdigest()


def check_parts(file: Any) -> None:
    """Refuse what a TIFF states before its library works on it for minutes: pages and strips without end.

    Parameters
    ----------
    file : tifffile.TiffFile

    Raises
    ------
    ValueError
        What is wrong.
    """
    count = len(file.pages)
    first = file.pages.first
    parts = count * math.prod(first.chunked)
    if math.prod(first.shape) < 1 or count > _MOST_PAGES or parts > _MOST_PARTS:
        raise ValueError(f"it states {count} pages of {first.shape} in {parts} parts")
    if parts > file.filehandle.size:
        raise ValueError(f"it states {parts} parts, more than it has bytes")


def _read_file(path: Path) -> tuple[bytes, NDArray[Any]]:
    import tifffile

    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("file_missing", path=path) from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    try:
        with tifffile.TiffFile(io.BytesIO(raw)) as file:
            check_parts(file)
            picture = file.asarray()
    except Exception as error:  # the decoders raise whatever they like on damaged data
        raise UserError("slice_unreadable", path=path, reason=str(error) or type(error).__name__) from error
    if picture.dtype.kind not in "iuf" or picture.size == 0:
        raise UserError("slice_unreadable", path=path, reason=f"pixels of type {picture.dtype}")
    return raw, picture


def _check_numbers(slices: dict[int, Path], folder: Path) -> None:
    first, last = min(slices), max(slices)
    missing = [number for number in range(first, last + 1) if number not in slices]
    if missing:
        raise UserError("slice_missing", path=folder, numbers=missing, what="slice")


def _check_shapes(files: tuple[Path, ...], pictures: list[NDArray[Any]]) -> None:
    for path, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise UserError("slice_shape", path=path, shape=picture.shape[:2], expected=pictures[0].shape[:2])
