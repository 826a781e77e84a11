"""Doing a reading: opened with nothing but the images and one's own mask, saved, locked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.study import AI_KEY, Reading
from brainseg_desktop.io import nifti
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.io.schemes import PROGRAM, SIDECAR_FORMAT
from brainseg_desktop.io.study import ReadingRecord, Sidecar, sealed
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.opening import mask_labels, read_case
from brainseg_desktop.services.recovery import Recoverable, pending_reading
from brainseg_desktop.services.studies.study import Study, case_files, now_utc

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OpenedReading:
    """A reading with its images and the reader's own mask.

    Parameters
    ----------
    reading : Reading
    case : Case
        Called by the reading's label while the study is blinded; its one rating is `rating`.
    rating : Rating
    record : ReadingRecord
    start : Rating or None
        The network's mask, to be taken over as the first step of a new reading.
    found : Recoverable or None
        Steps on this reading that are in no file yet.
    notes : tuple of UserError
        What does not fit: images, mask or sidecar were changed since they were recorded.
    is_blinded : bool
        Whether the masks of others were hidden when it was opened.
    """

    reading: Reading
    case: Case
    rating: Rating
    record: ReadingRecord
    start: Rating | None
    found: Recoverable | None
    notes: tuple[UserError, ...]
    is_blinded: bool

    @property
    def is_locked(self) -> bool:
        """Whether it may not be changed any more."""
        return self.record.status == "locked"


def open_reading(study: Study, reading: Reading, state_dir: Path) -> OpenedReading:
    """Open a reading of the study's reader; the first time it is recorded as started.

    Masks beside the images are not even read, whatever they are.

    Raises
    ------
    UserError
        ``study_case_missing``, what `services.opening.read_case` raises, ``study_start_missing`` if the
        network's mask is to be started from and is not there; ``claim_lost``, ``reading_sidecar_broken``;
        what reading the own mask raises.
    """
    files = replace(case_files(study, reading.case), masks=())
    opened = read_case(files)
    case, notes = opened.case, list(opened.notes)
    blinded = study.is_blinded
    if blinded:
        case.name = reading.label
    found = study.sidecar(reading)
    record = found.record if found is not None else study.new_record(reading)
    assert study.reader is not None
    name = study.reader.name
    mask = study.mask_path(reading)
    start = None
    details = {"study": study_details(study, reading)}
    if mask.exists():
        content = nifti.read_mask(mask, study.scheme)
        rating = Rating(name, RaterKind.HUMAN, mask_labels(content, case.grid), study.scheme, content.source)
        rating.details = {**_details(found), **details}
        notes += changes_since(found, content.source.sha256, case, mask)
    else:
        blank = LabelMap(np.zeros(case.grid.shape, np.uint8))
        rating = Rating(name, RaterKind.HUMAN, blank, study.scheme, details=details)
        if study.design.start == "ai":
            start = read_ai_mask(study, reading.case, case)
        if record.status != "started":
            # A record without its mask: somebody deleted the file. The reading is done again.
            notes.append(UserError("reading_mask_missing", path=mask))
            record = study.new_record(reading)
            found = None
    if found is None:
        write_record(study, reading, record)
    case.ratings.append(rating)
    pending = pending_reading(state_dir, details["study"])
    return OpenedReading(reading, case, rating, record, start, pending, tuple(notes), blinded)


def save_reading(
    study: Study,
    opened: OpenedReading,
    labels: LabelMap,
    record: ReadingRecord,
    *,
    details: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    lock: bool = False,
) -> ReadingRecord:
    """Write the mask and the record of a reading, both or neither, read back and compared.

    Parameters
    ----------
    labels : LabelMap
        As they are to be written; a copy, if the reader goes on meanwhile.
    record : ReadingRecord
        Time, flags and remark up to now.
    lock : bool
        The reading is done: from now on its files are read-only, and so is the mask in the window.

    Returns
    -------
    ReadingRecord
        As written.

    Raises
    ------
    UserError
        ``reading_locked`` if it was locked before, ``claim_lost``, and what `export_rating` raises. Older
        files are then as they were.
    """
    assert study.claim is not None
    study.claim.check()
    _refuse_locked(study, opened.reading)
    now = now_utc()
    done = msgspec.structs.replace(
        record,
        status="locked" if lock else "draft",
        saved_utc=now,
        locked_utc=now if lock else "",
        blinded=study.is_blinded,
    )
    path = study.mask_path(opened.reading)
    frozen = Rating(
        opened.rating.rater,
        RaterKind.HUMAN,
        labels,
        study.scheme,
        opened.rating.source,
        details=opened.rating.details if details is None else details,
    )
    named = {"case": opened.reading.case}

    def within(sidecar: dict[str, Any]) -> dict[str, Any]:
        if "audit" in sidecar:
            sidecar = {**sidecar, "audit": {**sidecar["audit"], **named}}
        return sealed({**sidecar, **named}, done)

    export_rating(opened.case, frozen, path, scheme=study.scheme, audit=audit, within=within)
    if lock:
        for file in (path, study.sidecar_path(opened.reading)):
            # Some shares know no permissions; the record says locked all the same.
            with suppress(OSError):
                file.chmod(0o444)
    return done


def write_record(study: Study, reading: Reading, record: ReadingRecord) -> None:
    """Write time, flags and remark of a reading that is not locked; a mask that was saved stays as it is.

    Raises
    ------
    UserError
        ``reading_locked``, ``claim_lost``, what writing raises.
    """
    if study.claim is None:
        raise UserError("claim_lost", path=study.folder)
    study.claim.check()
    found = _refuse_locked(study, reading)
    content: dict[str, Any] = {"format": SIDECAR_FORMAT, "program": PROGRAM, "case": reading.case}
    if found is not None:
        content, last = found.content, found.record
        # How far the mask is, only writing the mask decides: a save may have ended since `record` was made.
        record = msgspec.structs.replace(record, status=last.status, saved_utc=last.saved_utc)
    path = study.sidecar_path(reading)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, path) from error
    write_bytes(path, msgspec.json.format(msgspec.json.encode(sealed(content, record)), indent=1))


def read_ai_mask(study: Study, case_name: str, case: Case) -> Rating:
    """The network's mask of a case of a study.

    Raises
    ------
    UserError
        ``study_start_missing`` if the study's cases have not been outlined; what reading it raises.
    """
    path = study.other_path(AI_KEY, case_name)
    if not path.exists():
        raise UserError("study_start_missing", path=study.folder, case=case.name)
    content = nifti.read_mask(path, study.scheme)
    sidecar = content.sidecar or {}
    return Rating(
        str(sidecar.get("rater", "AI")),
        RaterKind.MODEL,
        mask_labels(content, case.grid),
        study.scheme,
        content.source,
        details=sidecar.get("details") or {},
    )


def study_details(study: Study, reading: Reading) -> dict[str, Any]:
    """What a mask and its journal say of the reading they belong to."""
    return {"identifier": study.design.identifier, "reading": reading.stem}


def changes_since(found: Sidecar | None, mask_sha256: str, case: Case | None, path: Path) -> list[UserError]:
    """What no longer is as the sidecar of a mask recorded it; empty if all is.

    Parameters
    ----------
    found : Sidecar or None
    mask_sha256 : str
        Of the mask file as it is now.
    case : Case or None
        With the images as they are now; None: they are not looked at.
    path : Path
        Of the mask.
    """
    if found is None:
        return [UserError("reading_sidecar_missing", path=path)]
    faults = []
    if not found.seal_holds:
        faults.append(UserError("reading_seal_broken", path=path))
    if found.content.get("sha256") != mask_sha256:
        faults.append(UserError("reading_mask_changed", path=path))
    if case is not None:
        now = {s.value: v.source.sha256 for s, v in case.volumes.items()}
        faults += images_changed(found, now.get, path)
    return faults


def images_changed(found: Sidecar, digest: Callable[[str], str | None], path: Path) -> list[UserError]:
    """The images that differ from those under a mask, by what `digest` says of a sequence now."""
    recorded = found.content.get("images")
    if not isinstance(recorded, dict):
        return []
    changed = [
        sequence
        for sequence, image in recorded.items()
        if isinstance(image, dict) and digest(sequence) != image.get("sha256")
    ]
    return [UserError("reading_images_changed", path=path, sequences=changed)] if changed else []


def hash_file(path: Path) -> str:
    """The sha256 of a file's bytes.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _details(found: Sidecar | None) -> dict[str, Any]:
    kept = found.content.get("details") if found is not None else None
    return dict(kept) if isinstance(kept, dict) else {}


def _refuse_locked(study: Study, reading: Reading) -> Sidecar | None:
    found = study.sidecar(reading)
    if found is not None and found.record.status == "locked":
        raise UserError("reading_locked", path=study.mask_path(reading))
    return found
