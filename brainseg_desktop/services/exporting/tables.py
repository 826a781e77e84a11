"""CSV: volume and RANO diameters of every label and region."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brainseg_desktop.core.diameters import rano_diameters
from brainseg_desktop.core.labels import TISSUE_NAMES
from brainseg_desktop.services.exporting.job import Content, Job, present

HEAD = (
    *("case", "rater", "kind", "what", "name", "voxels", "volume_ml", "long_mm", "short_mm"),
    *("product_mm2", "slice", "measurable", "state"),
)


def csv_content(job: Job) -> Content:
    """One row for each label of the scheme that can occur and each region; empty cells say why in `state`."""
    rows = _rows(job)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(HEAD)
    table.writerows(rows)
    path = job.destination

    def check(written: Mapping[Path, Path]) -> bool:
        with written[path].open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file)) == [list(HEAD), *rows]

    return Content({path: text.getvalue().encode()}, check)


def _rows(job: Job) -> list[list[str]]:
    grid = job.case.grid
    tissues = [t for t in job.scheme.tissues if t in set(present(job.labels)) | set(job.scheme.tissues)]
    parts = [("label", TISSUE_NAMES[t], np.asarray(job.labels == t)) for t in tissues]
    parts += [("region", region.name, region.mask(job.labels)) for region in job.scheme.regions]
    rows = []
    for what, name, mask in parts:
        count = int(np.count_nonzero(mask))
        cells = [job.case.name, job.rating.rater, job.rating.kind.value, what, name, str(count)]
        found = rano_diameters(mask, grid)
        if not grid.spacing_known:
            rows.append([*cells, "", "", "", "", "" if found is None else str(found.index + 1), "",
                         "no_spacing"])  # fmt: skip
            continue
        cells.append(f"{count * grid.voxel_volume_ml:.6f}")
        if found is None:
            rows.append([*cells, "", "", "", "", "", "empty"])
            continue
        lengths = [f"{v:.3f}" for v in (found.long, found.short, found.product)]
        rows.append([*cells, *lengths, str(found.index + 1), "yes" if found.measurable else "no", "ok"])
    return rows
