"""Volumes made of pictures: stacks of pages in a TIFF file, and folders of numbered PNG, JPEG or TIFF slices.

Pictures state neither voxel size nor sides. They are understood as the LGG set and BraTS exported to TIFF:
slices from the feet to the head, rows running to the back, columns to the patient's left. Nothing is known in
mm until somebody says the spacing.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import threading
import warnings
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import ImageChoice, Sequence, Source, Volume
from brainseg_desktop.io.nifti import (
    MaskFile,
    canonical_volume,
    check_size,
    decode_mask,
    read_bytes,
    scaled_values,
)
from brainseg_desktop.io.tiff import check_parts, nominal_grid

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
STACK_SUFFIXES = (".tif", ".tiff")
_NUMBERED = re.compile(r"^(?P<before>.*?)(?P<number>\d{1,9})(?P<after>\D*)$")
_AXES = ((0, -1), (1, -1), (2, 1))
_MAX_PAGES = 8192
_warned = threading.Lock()  # what warnings are caught is one setting for all threads


def is_stack_name(path: Path) -> bool:
    """Whether the name ends as TIFF files do."""
    return path.suffix.lower() in STACK_SUFFIXES


def is_pictures(path: Path) -> bool:
    """Whether a path of an image is a TIFF file or a folder of slices, which state no spacing."""
    return is_stack_name(path) or path.is_dir()


def numbered_slices(folder: Path, names: Iterable[str] | None = None) -> dict[int, Path]:
    """The slices of a folder by their number; empty unless all pictures in it are one series.

    Parameters
    ----------
    folder : Path
    names : the folder's file names, if known already

    Examples
    --------
    >>> sorted(numbered_slices(Path("a"), ["im_10.png", "im_9.png", "notes.txt"]))
    [9, 10]
    >>> numbered_slices(Path("a"), ["t1_1.png", "t2_1.png"])
    {}
    """
    found: dict[int, Path] = {}
    series = set()
    for name in [p.name for p in folder.iterdir()] if names is None else names:
        stem, dot, suffix = name.rpartition(".")
        if name.startswith(".") or dot + suffix.lower() not in PICTURE_SUFFIXES:
            continue
        match = _NUMBERED.match(stem)
        if match is None:
            return {}
        series.add((match["before"], match["after"], suffix.lower()))
        found[int(match["number"])] = folder / name
        if len(series) > 1:
            return {}
    return dict(sorted(found.items()))


def series_name(slices: dict[int, Path]) -> str:
    """What the names of numbered slices share, e.g. ``flair`` of ``flair_001.png``."""
    match = _NUMBERED.match(next(iter(slices.values())).stem)
    return match["before"].strip("_-. ") if match else ""


def read_volume(
    path: Path,
    sequence: Sequence | None = None,
    notes: list[UserError] | None = None,
    choice: ImageChoice | None = None,
) -> Volume:
    """Read a TIFF stack or a folder of slices in canonical order.

    Parameters
    ----------
    path : Path
    sequence : Sequence or None
    notes : list, optional
        Remarks are appended: ``picture_axes``, and ``spacing_given`` or ``spacing_not_given``.
    choice : ImageChoice, optional
        The spacing.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``slice_unreadable``, ``slice_missing``, ``slice_shape``,
        ``image_not_grey``, ``image_too_large``, ``spacing_impossible``, ``case_not_found`` (no pictures).
    """
    try:
        stored, grid, source = _read(path, choice)
        if notes is not None:
            spacing = None if choice is None else choice.spacing_mm
            notes.append(UserError("picture_axes", path=path))
            if spacing is None:
                notes.append(UserError("spacing_not_given", path=path))
            else:
                notes.append(UserError("spacing_given", path=path, spacing=[f"{s:g}" for s in spacing]))
        return canonical_volume(stored, grid, source, sequence, notes)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def read_mask(
    path: Path,
    scheme: LabelScheme | None = None,
    hints: Iterable[str] = (),
    choice: ImageChoice | None = None,
) -> MaskFile:
    """Read labels from a TIFF stack or folder of slices; raises as `read_volume` and `io.nifti.read_mask`."""
    try:
        return decode_mask(*_read(path, choice), scheme, hints)
    except MemoryError as error:
        raise UserError("image_too_large", path=path) from error


def picture_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] | None) -> Grid:
    """The grid of pictures: the spacing somebody said, else one for display only."""
    return nominal_grid(shape) if spacing_mm is None else Grid(shape, np.diag([*spacing_mm, 1.0]))


def is_grey_tiff(path: Path) -> bool:
    """Whether a TIFF has one channel; a file that cannot be read has not."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return int(file.pages.first.samplesperpixel) == 1
    except Exception:  # the reader raises whatever it likes on damaged data
        return False


def _read(path: Path, choice: ImageChoice | None) -> tuple[NDArray[Any], Grid, Source]:
    """Values as stored (column, row, slice), canonical grid and source."""
    spacing = None if choice is None else choice.spacing_mm
    if spacing is not None and not all(math.isfinite(s) and 0.001 <= s <= 100 for s in spacing):
        raise UserError("spacing_impossible", spacing=[f"{s:g}" for s in spacing])
    if path.is_dir():
        stack, digest = _read_folder(path)
    else:
        raw = read_bytes(path)
        stack, digest = _pages(raw, path), hashlib.sha256(raw).hexdigest()
    shape = (stack.shape[2], stack.shape[1], stack.shape[0])
    source = Source(path, digest, None, shape, _AXES)
    return scaled_values(stack.transpose(2, 1, 0), None), picture_grid(shape, spacing), source


def _read_folder(folder: Path) -> tuple[NDArray[Any], str]:
    """The slices (slice, row, column) in order, and the sha256 of all their bytes in a row."""
    try:
        slices = numbered_slices(folder)
    except OSError as error:
        raise UserError("file_unreadable", path=folder, reason=error.strerror or str(error)) from error
    if not slices:
        raise UserError("case_not_found", path=folder)
    numbers = list(slices)
    step = min((b - a for a, b in pairwise(numbers)), default=1)
    missing = sorted(set(range(numbers[0], numbers[0] + step * _MAX_PAGES, step)) - set(numbers))
    missing = [n for n in missing if n < numbers[-1]][:20]
    if missing:
        raise UserError("slice_missing", path=folder, numbers=missing, what="slice")
    digest = hashlib.sha256()
    pictures: list[NDArray[Any]] = []
    for path in slices.values():
        raw = read_bytes(path)
        digest.update(raw)
        picture = _pages(raw, path)[0] if is_stack_name(path) else _picture(raw, path)
        if pictures and picture.shape != pictures[0].shape:
            raise UserError("slice_shape", path=path, shape=picture.shape, expected=pictures[0].shape)
        pictures.append(picture)
        check_size(folder, (len(pictures), *picture.shape))
    return np.stack(pictures), digest.hexdigest()


def _pages(raw: bytes, path: Path) -> NDArray[Any]:
    """The pages of a TIFF as (slice, row, column)."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(raw)) as file:
            check_parts(file)
            series = file.series
            if len(series) != 1:
                raise UserError("slice_unreadable", path=path, reason="its pages differ")
            shape = tuple(int(n) for n in series[0].shape)
            check_size(path, shape)
            if len(shape) > 4 or math.prod(shape) == 0:
                raise UserError("slice_unreadable", path=path, reason="its pages are no slices")
            array = series[0].asarray()
            is_colour = int(file.pages.first.samplesperpixel) > 1
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the decoders raise whatever they like on damaged data
        raise UserError("slice_unreadable", path=path, reason=str(error) or type(error).__name__) from error
    if is_colour:
        array = _grey(array, path)
    if array.dtype.kind not in "iufb" or array.ndim not in (2, 3) or array.size == 0:
        raise UserError("slice_unreadable", path=path, reason=f"its pages are no slices ({array.dtype})")
    return _plain(array[None] if array.ndim == 2 else array)


def _picture(raw: bytes, path: Path) -> NDArray[Any]:
    """A PNG or JPEG as (row, column)."""
    from PIL import Image

    try:
        with _warned, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged tags, and of a size that is checked here
            with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as image:
                check_size(path, image.size)
                array = np.asarray(image.convert("RGB") if image.mode in ("P", "PA") else image)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the decoders raise whatever they like on damaged data
        raise UserError("slice_unreadable", path=path, reason=str(error) or type(error).__name__) from error
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] == 2 else _grey(array, path)  # 2: grey with opacity
    if array.ndim != 2 or array.dtype.kind not in "iufb" or array.size == 0:
        raise UserError("slice_unreadable", path=path, reason=f"pixels of type {array.dtype}")
    return _plain(array)


def _grey(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """One channel of a picture in colour whose channels are equal: grey values that were saved as colour."""
    if array.ndim not in (3, 4) or array.shape[-1] not in (3, 4):
        raise UserError("image_not_grey", path=path, kind="several channels")
    first = array[..., 0]
    if not (np.array_equal(first, array[..., 1]) and np.array_equal(first, array[..., 2])):
        raise UserError("image_not_grey", path=path, kind="colour")
    return np.ascontiguousarray(first)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.uint8) if array.dtype.kind == "b" else array
