"""Writing a job: whole or not at all, read back before it counts."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import atomic
from brainseg_desktop.services.exporting.job import Form, Job
from brainseg_desktop.services.exporting.labels import beside
from brainseg_desktop.services.exporting.writing import as_json, make_folder, read_back, refuse_inputs
from brainseg_desktop.services.studies.blinding import check_write


@dataclass(frozen=True, slots=True)
class Written:
    """What was written and proved right.

    Parameters
    ----------
    path : Path
        The file or folder that was asked for.
    files : tuple of Path
        Everything written, sidecars too.
    voxels : int
        Number of voxels that carry a label.
    """

    path: Path
    files: tuple[Path, ...]
    voxels: int


def write_form(form: Form, job: Job) -> Written:
    """Write a mask in a form.

    Raises
    ------
    UserError
        ``destination_not_form``, ``would_overwrite_input``, ``inside_ratings``, ``scheme_cannot_hold``,
        ``nothing_marked``, ``export_differs``, ``disk_full``, ``no_permission``, ``write_failed``; why the
        form cannot hold this mask (``form_needs_dicom``, ``form_needs_spacing``), and what
        `io.dicom.seg_write` raises. Whatever lay at the destination is then unchanged.
    """
    destination = job.destination
    refusal = form.refuse(job.case)
    if refusal is not None:
        raise refusal
    if not form.takes(destination) or (form.suffixes and destination.name.lower() in form.suffixes):
        raise UserError("destination_not_form", path=destination, form=form.title, suffixes=_endings(form))
    check_write([destination])
    made = form.make(job)
    files = dict(made.files)
    if made.sidecar is not None:
        files[beside(made.sidecar[0])] = as_json(made.sidecar[1])
    check_write(files)
    refuse_inputs(job.case, job.rating, files)
    folder = destination if destination not in files else destination.parent
    fresh = _first_missing(folder)
    try:
        for parent in {folder, *(path.parent for path in files)}:
            make_folder(parent)
        with atomic.staged(folder) as stage:
            written = {path: stage.add(path, content) for path, content in files.items()}
            with read_back(destination) as check:
                for path, content in files.items():
                    check(written[path].read_bytes() == content)
                check(made.check(written))
            stage.commit()
    except BaseException:
        if fresh is not None:
            _remove_empty(fresh)
        raise
    job.tell(1.0)
    return Written(destination, tuple(files), int(np.count_nonzero(job.labels)))


def _endings(form: Form) -> str:
    endings = list(form.suffixes) + (["a folder's name"] if form.folder else [])
    return " or ".join(endings)


def _first_missing(folder: Path) -> Path | None:
    """The uppermost folder that will have to be made."""
    missing = None
    for one in (folder, *folder.parents):
        if one.exists():
            return missing
        missing = one
    return missing


def _remove_empty(folder: Path) -> None:
    """Take away folders that were made for an export that failed; never one with a file in it."""
    if any(path.is_file() for path in folder.rglob("*")):
        return
    with suppress(OSError):
        shutil.rmtree(folder)
