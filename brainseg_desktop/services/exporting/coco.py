"""COCO: a picture of every marked axial slice, and the labels on it as polygons and as run lengths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.volume import default_window
from brainseg_desktop.io.coco import annotation_mask, pack_counts, polygons, run_lengths
from brainseg_desktop.io.schemes import PROGRAM
from brainseg_desktop.services.exporting.job import Content, Job, plain
from brainseg_desktop.services.exporting.writing import as_json
from brainseg_desktop.services.opening import grid_volume
from brainseg_desktop.services.picture import grey_values, radiological, to_png

POLYGONS, RUNS = "_annotations.coco.json", "_annotations_rle.coco.json"


def coco_content(job: Job) -> Content:
    """Pictures of the sequence that the masks lie on, rows to the back, columns to the patient's left."""
    numbers = job.scheme.encode(job.labels)
    marked = np.flatnonzero(numbers.any(axis=(0, 1))).tolist() or [numbers.shape[2] // 2]
    volume = grid_volume(job.case)
    window = default_window(volume.data)
    planes = {index: radiological(numbers[:, :, index]) for index in marked}
    files: dict[Path, bytes] = {}
    images: list[dict[str, Any]] = []
    for key, index in enumerate(marked, 1):
        name = f"{plain(job.case.name)}_{index + 1:03d}.png"
        picture = radiological(grey_values(volume.data[:, :, index], window))
        files[job.destination / name] = to_png(np.ascontiguousarray(picture), small=False)
        height, width = picture.shape
        images.append({"id": key, "file_name": name, "height": height, "width": width, "slice": index})
        job.tell(0.5 * key / len(marked))
    for name, runs in ((POLYGONS, False), (RUNS, True)):
        files[job.destination / name] = as_json(_document(job, images, planes, runs))
    meant = {image["file_name"]: planes[image["slice"]] for image in images}

    def check(written: Mapping[Path, Path]) -> bool:
        return all(
            _holds(written[job.destination / name], meant, job.destination, written)
            for name in (POLYGONS, RUNS)
        )

    return Content(files, check)


def _document(
    job: Job, images: list[dict[str, Any]], planes: Mapping[int, NDArray[np.uint8]], runs: bool
) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image in images:
        plane = planes[image["slice"]]
        for label in job.scheme.labels:
            mask = plane == label.value
            if not mask.any():
                continue
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            packed = {"size": [image["height"], image["width"]], "counts": pack_counts(run_lengths(mask))}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": label.value,
                    "segmentation": packed if runs else polygons(mask),
                    "area": int(np.count_nonzero(mask)),
                    "bbox": [
                        *(int(columns[0]), int(rows[0])),
                        *(int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1),
                    ],
                    "iscrowd": 0,
                }
            )
    spacing = list(job.case.grid.spacing_mm) if job.case.grid.spacing_known else None
    return {
        "info": {
            "description": f"{job.case.name}, mask of {job.rating.rater}. Research use only.",
            "version": __version__,
            "contributor": PROGRAM,
            "rater": job.rating.rater,
            "kind": job.rating.kind.value,
            "scheme": job.scheme.name,
            "voxel_mm": spacing,
        },
        "categories": [
            {"id": one.value, "name": one.name, "supercategory": "tumour"} for one in job.scheme.labels
        ],
        "images": images,
        "annotations": annotations,
    }


def _holds(
    file: Path, meant: Mapping[str, NDArray[np.uint8]], folder: Path, written: Mapping[Path, Path]
) -> bool:
    """Whether the document gives every label of every picture back, pixel by pixel."""
    from PIL import Image

    content = json.loads(file.read_bytes())
    for image in content["images"]:
        plane = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in content["annotations"]:
            if annotation["image_id"] == image["id"]:
                mask = annotation_mask(annotation["segmentation"], *plane.shape)
                plane[mask] = annotation["category_id"]
        with Image.open(written[folder / image["file_name"]]) as picture:
            if picture.size != plane.shape[::-1]:
                return False
        if not np.array_equal(plane, meant[image["file_name"]]):
            return False
    return len(content["images"]) == len(meant)
