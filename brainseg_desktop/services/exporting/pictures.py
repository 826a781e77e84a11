"""PNG overlays: one picture, or one for every axial slice that is marked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brainseg_desktop.services.exporting.job import Content, Job, plain
from brainseg_desktop.services.picture import draw_case, largest_slice, to_png, windows_of


def png_content(job: Job) -> Content:
    """A file shows the slice with most tumour, a folder gets every slice with a label."""
    single = job.destination.suffix.lower() == ".png"
    marked = np.flatnonzero(job.labels.any(axis=(0, 1))).tolist()
    if single or not marked:
        marked = [largest_slice(job.labels)]
    windows = windows_of(job.case)
    files: dict[Path, bytes] = {}
    drawn: dict[Path, str] = {}
    for count, index in enumerate(marked, 1):
        name = job.destination
        if not single:
            name = job.destination / f"{plain(job.case.name)}_axial-{index + 1:03d}.png"
        picture = draw_case(
            job.case, [(f"{job.rating.rater}, slice {index + 1}", job.labels)], index, windows
        )
        files[name] = to_png(picture, small=single)
        drawn[name] = hashlib.sha256(picture.tobytes()).hexdigest()
        job.tell(0.9 * count / len(marked))

    def check(written: Mapping[Path, Path]) -> bool:
        from PIL import Image

        for name, digest in drawn.items():
            with Image.open(written[name]) as picture:
                if hashlib.sha256(np.asarray(picture).tobytes()).hexdigest() != digest:
                    return False
        return True

    return Content(files, check)
