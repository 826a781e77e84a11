"""Single pictures with a mask beside each: ``images/`` and ``masks/``, or ``NAME`` and ``NAME_mask``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.entries import Entry, files_identity, known_labels, stack_to_canonical
from brainseg_desktop.training.exams import Exam, Problem

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
LOSSY = {".jpg", ".jpeg"}
IMAGE = "image"


def find_pictures(path: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The pictures that have a mask; each is a patient of its own."""
    images, masks = _pairs(path)
    for name in sorted(set(images) - set(masks)):
        problems.append(Problem("image_without_mask", name))
    for name in sorted(set(masks) - set(images)):
        problems.append(Problem("mask_without_image", name))
    return [
        Entry(
            name,
            name,
            "pictures",
            1,
            partial(_read, name, images[name], masks[name], source.coding),
            files_identity([images[name], masks[name]]),
        )
        for name in sorted(set(images) & set(masks))
    ]


def read_grey(path: Path) -> NDArray[np.generic]:
    """A picture as (row, column) grey values; colours by their luma.

    Raises
    ------
    Exception
        Whatever the decoder has to say.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        data = np.asarray(tifffile.imread(path))
        if data.ndim == 3 and data.shape[2] in (3, 4):
            # Rec. 601, as Pillow does.
            data = np.rint(data[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(data.dtype)
    else:
        from PIL import Image

        with Image.open(path) as picture:
            deep = picture.mode in ("I;16", "I", "F")
            data = np.asarray(picture if deep else picture.convert("L"))
    if data.ndim != 2:
        raise ValueError(f"shape {data.shape}")
    return data


def picture_exam(
    name: str, patient: str, source: str, image: NDArray[np.generic], mask: NDArray[np.uint8], coding: str
) -> Exam:
    """An exam of one slice; rows are taken to run to posterior and columns to the left, as in radiology.

    Parameters
    ----------
    image, mask : (row, column) arrays
    """
    labels = np.ascontiguousarray(stack_to_canonical(mask[None]), np.uint8)
    return Exam(name, patient, source, None, {IMAGE: stack_to_canonical(image[None])}, None, labels, coding)


def _pairs(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and masks by common name."""
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        return _by_name(folder / "images"), _by_name(folder / "masks")
    every = _by_name(folder)
    masks = {name.removesuffix("_mask"): path for name, path in every.items() if name.endswith("_mask")}
    return {name: path for name, path in every.items() if not name.endswith("_mask")}, masks


def _by_name(folder: Path) -> dict[str, Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}


def _read(name: str, image_file: Path, mask_file: Path, coding: str, problems: list[Problem]) -> Exam | None:
    try:
        image = read_grey(image_file)
        mask = _read_mask(mask_file, coding)
    except Exception as error:  # the decoders raise whatever they like on damaged data
        problems.append(Problem("slice_corrupt", name, str(error) or type(error).__name__))
        return None
    if image.shape != mask.shape:
        problems.append(Problem("sizes_differ", name, f"image {image.shape}, mask {mask.shape}"))
        return None
    labels = known_labels(mask, coding, name, problems)
    return picture_exam(name, name, "pictures", image, labels, coding)


def _read_mask(path: Path, coding: str) -> NDArray[np.generic]:
    from PIL import Image

    if path.suffix.lower() in (".tif", ".tiff"):
        return read_grey(path)
    with Image.open(path) as picture:
        if picture.mode == "P":
            # The numbers of a palette are the labels, its colours are for the eye.
            return np.asarray(picture)
        mask = np.asarray(picture.convert("L"))
    if coding == "binary" and path.suffix.lower() in LOSSY:
        # JPEG leaves noise around the edge of a mask.
        return np.asarray(mask > max(int(mask.max()) // 2, 1))
    return mask
