"""DICOM SEG: a segmentation that belongs to the exam and refers to its series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.placing import offset_on, placed
from brainseg_desktop.io.dicom.seg_read import read_seg
from brainseg_desktop.io.dicom.seg_write import Origin, seg_bytes
from brainseg_desktop.services.exporting.job import Content, Job, dicom_source


def needs_dicom(case: Case) -> UserError | None:
    """Refuses a case of which no image on the masks' grid came from DICOM."""
    return None if dicom_source(case) is not None else UserError("form_needs_dicom", name=case.name)


def seg_content(job: Job) -> Content:
    """The object, read back by our own reader, which goes another way than the library that writes."""
    source = dicom_source(job.case)
    assert source is not None
    path = job.destination
    title = f"{job.rating.rater}: brain tumour"
    content = seg_bytes(job.labels, job.scheme, source, job.case.grid, origin_of(job.rating), title)
    meant = job.scheme.decode(job.scheme.encode(job.labels))

    def check(written: Mapping[Path, Path]) -> bool:
        mask = read_seg(written[path], job.scheme, job.case.grid)
        offset = offset_on(mask.grid, job.case.grid)
        return not isinstance(offset, str) and np.array_equal(
            placed(mask.tissues, offset, job.case.grid), meant
        )

    return Content({path: content}, check)


def origin_of(rating: Rating) -> Origin:
    """Who or what made a mask, in DICOM's three words."""
    details = rating.details
    if rating.kind is RaterKind.MODEL:
        return Origin("AUTOMATIC", "", *_network(details, rating.rater))
    if rating.kind is RaterKind.CONSENSUS:
        method = str(details.get("consensus", "consensus"))
        return Origin("SEMIAUTOMATIC", "", f"Consensus ({method})", "1")
    started = details.get("started_from")
    # A mask may have been started from one that was itself started from a network's.
    for _ in range(16):
        if not isinstance(started, Mapping):
            break
        if started.get("kind") == RaterKind.MODEL.value:
            return Origin("SEMIAUTOMATIC", rating.rater, *_network(started, str(started.get("rater", ""))))
        started = started.get("started_from")
    return Origin("MANUAL", rating.rater)


def _network(details: Mapping[str, object], name: str) -> tuple[str, str]:
    return str(details.get("model") or name or "unknown")[:64], str(details.get("version") or "unknown")[:64]
