"""Pictures with COCO segmentation JSON: polygons, run lengths plain and packed, crowds.

A pixel (row, column) covers ``[column, column + 1) x [row, row + 1)`` of the plane that polygons are drawn
in, and belongs to a polygon if its centre does (even-odd rule, an edge counts to the right and below). Of one
annotation and of one picture the union is taken; a crowd is a region like any other here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop.io.coco import annotation_mask
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.entries import Entry, files_identity
from brainseg_desktop.training.data.pictures import SUFFIXES, picture_exam, read_grey
from brainseg_desktop.training.exams import Exam, Problem

ANNOTATIONS = "_annotations.coco.json"
# Roboflow names copies of picture 63 so: 63_jpg.rf.13454b0a33fb53c0cc68d81c5f19b7d2.jpg
COPY = re.compile(r"^(.+?)_(?:jpe?g|png|bmp|tiff?)\.rf\.[0-9a-f]+\.\w+$", re.IGNORECASE)
# No picture of an exam is larger; what claims to be is a broken file.
LARGEST_SIDE = 20_000


def find_coco(path: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The pictures of a COCO file; one without annotations is a picture without tumour."""
    file = path / ANNOTATIONS if path.is_dir() else path
    folder = file.parent
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        categories = {c["id"] for c in content["categories"]}
        images = {
            i["id"]: (str(i["file_name"]), int(i["height"]), int(i["width"])) for i in content["images"]
        }
        annotations = [dict(a) for a in content["annotations"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problems.append(Problem("source_unreadable", file.name, f"{type(error).__name__}: {error}"))
        return []
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        label = f"{file.name} annotation {annotation.get('id')}"
        if not isinstance(annotation.get("image_id"), int | str) or annotation["image_id"] not in images:
            problems.append(Problem("mask_without_image", label, f"image {annotation.get('image_id')}"))
        elif (
            not isinstance(annotation.get("category_id"), int | str)
            or annotation["category_id"] not in categories
        ):
            told = f"category {annotation.get('category_id')} is not listed"
            problems.append(Problem("class_id_unknown", label, told))
        else:
            by_image[annotation["image_id"]].append(annotation)
    listed = {name for name, _, _ in images.values()}
    for picture in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
        if picture.name not in listed:
            problems.append(Problem("image_without_mask", picture.name, "not listed in the annotations"))
    entries = []
    for key, (name, height, width) in images.items():
        picture = folder / name
        if not _is_inside(picture, folder):
            problems.append(Problem("mask_without_image", name))
            continue
        patient = picture_of(name)
        drawn = by_image[key]
        read = partial(_read, name, patient, picture, (height, width), drawn, source.coding)
        digest = hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()
        identity = f"{files_identity([picture])}\n{height}x{width}\n{digest}"
        entries.append(Entry(name, patient, "coco", 1, read, identity))
    return sorted(entries, key=lambda entry: entry.name)


def _is_inside(picture: Path, folder: Path) -> bool:
    """Whether a name that comes out of a file leads to a picture here, and nowhere else."""
    try:
        return picture.resolve().is_relative_to(folder.resolve()) and picture.is_file()
    except (OSError, ValueError):  # too long, or with a zero in it
        return False


def picture_of(file_name: str) -> str:
    """The picture that a file is a copy of.

    Examples
    --------
    >>> picture_of("108_jpg.rf.2c53ba1aa2b993e99e9e498477057100.jpg"), picture_of("scan7.png")
    ('108', 'scan7')
    """
    match = COPY.match(file_name)
    return match[1] if match else Path(file_name).stem


def _read(
    name: str,
    patient: str,
    picture: Path,
    size: tuple[int, int],
    annotations: list[dict[str, Any]],
    coding: str,
    problems: list[Problem],
) -> Exam | None:
    try:
        image = read_grey(picture)
    except Exception as error:  # the decoders raise whatever they like on damaged data
        problems.append(Problem("slice_corrupt", name, str(error) or type(error).__name__))
        return None
    if image.shape != size or max(size) > LARGEST_SIDE:
        problems.append(Problem("sizes_differ", name, f"picture {image.shape}, annotations {size}"))
        return None
    mask = np.zeros(size, bool)
    for annotation in annotations:
        try:
            mask |= annotation_mask(annotation.get("segmentation"), *size)
        except (ValueError, TypeError) as error:
            problems.append(
                Problem("annotation_broken", f"{name} annotation {annotation.get('id')}", str(error))
            )
    return picture_exam(name, patient, "coco", image, mask.astype(np.uint8), coding)
