"""The self-test's exports: every form written and read again, every encoding of DICOM read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.placing import offset_on, placed
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.coco import annotation_mask
from brainseg_desktop.io.mask_files import read_any_mask
from brainseg_desktop.io.surface_files import ply_corners, stl_corners
from brainseg_desktop.services.exporting.forms import FORMS
from brainseg_desktop.services.exporting.job import Form, job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.selftests.exam import ENCODINGS, Encoding, Part, read_exam, write_exam
from brainseg_desktop.services.selftests.sample import SampleChecks

Check = Callable[[], str]
_SURFACES = {"stl": stl_corners, "ply": ply_corners}


class ExportChecks:
    """The checks, on the part of the sample around its tumour.

    Parameters
    ----------
    folder : Path
        For what is written.
    sample : SampleChecks
    """

    def __init__(self, folder: Path, sample: SampleChecks) -> None:
        self._folder = folder
        self._sample = sample

    def exports(self) -> list[tuple[str, Check]]:
        """A check for each form, by its title."""
        return [(f"Export, {form.title}", partial(self._export, form)) for form in FORMS]

    def encodings(self) -> list[tuple[str, Check]]:
        """A check for each encoding of DICOM, by its name."""
        return [(f"DICOM, {one.name}", partial(self._encoding, one)) for one in ENCODINGS]

    def report(self) -> str:
        """The pages of the case, as PDF and as HTML."""
        from brainseg_desktop.services.report.case_pages import case_document
        from brainseg_desktop.services.report.document import write_report

        case, own = self._exam
        document = case_document(case, own, None)
        for suffix, start in ((".pdf", b"%PDF-"), (".html", b"<!")):
            path = self._folder / f"report{suffix}"
            write_report(document, path)
            if not path.read_bytes().startswith(start):
                raise RuntimeError(f"{path.name} does not begin as such a file must")
        return "written as PDF and as HTML"

    @cached_property
    def _part(self) -> tuple[Part, NDArray[np.uint8]]:
        labels = self._sample.reference.label_map.array
        volume = self._sample.case.volumes[Sequence.FLAIR]
        middle = np.argwhere(labels).mean(axis=0).round().astype(int)
        start = np.maximum(middle - (36, 32, 8), 0)
        box = tuple(slice(s, s + n) for s, n in zip(start, (72, 64, 16), strict=True))
        values = volume.data[box].clip(0).astype(np.float64)
        affine = volume.grid.voxel_to_world.copy()
        affine[:3, 3] = volume.grid.world_of(start.astype(np.float64))
        whole = np.rint(values * (4095 / max(values.max(), 1))).astype(np.uint16)
        x, y, z = values.shape
        return Part(whole, Grid((x, y, z), affine)), np.ascontiguousarray(labels[box])

    @cached_property
    def _exam(self) -> tuple[Case, Rating]:
        """The part as a DICOM exam, with the reference's labels as a reader's mask."""
        (part, labels), folder = self._part, self._folder / "exam"
        write_exam(folder, part)
        case = read_exam(folder, part)
        rating = Rating("Reader", RaterKind.HUMAN, LabelMap(labels), self._sample.reference.scheme)
        case.ratings.append(rating)
        return case, rating

    def _encoding(self, encoding: Encoding) -> str:
        folder, (part, _) = self._folder / encoding.syntax, self._part
        write_exam(folder, part, encoding)
        read_exam(folder, part, encoding)
        return f"{part.grid.shape[2]} slices read as they were written"

    def _export(self, form: Form) -> str:
        case, rating = self._exam
        name = f"mask{form.suffixes[0]}" if form.suffixes else "data"
        written = write_form(form, job_for(case, rating, self._folder / form.key / name))
        if not _is_same(form.key, written.files, case, rating):
            raise RuntimeError("the files do not hold the labels, at their place, that were written")
        return f"{written.voxels} voxels, read back from {_files(len(written.files))}"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _is_same(key: str, files: tuple[Path, ...], case: Case, rating: Rating) -> bool:
    """Whether the program itself, or a look into the file, finds every label where it was."""
    labels, grid, scheme = rating.label_map.array, case.grid, rating.scheme
    path = next((f for f in files if f.name.endswith((".nii.gz", "_rle.coco.json"))), files[0])
    if key in _SURFACES:
        # Left and right swapped would move the box around the tumour.
        corners = _SURFACES[key](path.read_bytes()).reshape(-1, 3)
        ends = [a for w in (np.argwhere(labels),) for a in (w.min(axis=0), w.max(axis=0))]
        found = np.stack([corners.min(axis=0), corners.max(axis=0)])
        return bool(np.allclose(found, np.sort(grid.world_of(np.array(ends, float)), axis=0), atol=1.5))
    if key == "png":
        from PIL import Image

        with Image.open(path) as picture:
            return bool(np.asarray(picture).any())
    if key == "csv":
        with path.open(newline="", encoding="utf-8") as table:
            rows = {row["name"]: row["voxels"] for row in csv.DictReader(table)}
        return rows["WT"] == str(np.count_nonzero(labels))
    if key == "coco":
        return _coco_holds(path, scheme.encode(labels))
    mask = read_any_mask(path, scheme if key != "itksnap" else None, near=grid)
    if key == "tif":
        return np.array_equal(mask.tissues, labels)
    offset = offset_on(mask.grid, grid)
    return not isinstance(offset, str) and np.array_equal(placed(mask.tissues, offset, grid), labels)


def _coco_holds(path: Path, numbers: NDArray[np.uint8]) -> bool:
    content = json.loads(path.read_bytes())
    found = np.zeros_like(numbers)
    for image in content["images"]:
        plane = np.zeros((image["height"], image["width"]), np.uint8)
        for one in content["annotations"]:
            if one["image_id"] == image["id"]:
                plane[annotation_mask(one["segmentation"], *plane.shape)] = one["category_id"]
        found[:, :, image["slice"]] = plane.T[::-1, ::-1]
    return np.array_equal(found, numbers)
