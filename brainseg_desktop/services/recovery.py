"""Recovery: what a crash left behind is found, offered, and brought back with its undo steps.

The journal of a mask whose steps are all exported is kept too, for some time: whoever opens the exported file
again finds its undo steps. Nobody is asked about those; they are found by images and labels.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from brainseg_desktop import __version__
from brainseg_desktop.core.audit import Tally
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.io.dicom.files import is_dicom
from brainseg_desktop.io.journal import (
    Journal,
    exported_folder,
    exported_path,
    move_to_exported,
)
from brainseg_desktop.io.journal_format import (
    SUFFIX,
    About,
    Header,
    ImageEntry,
    JournalContent,
    digest_of,
    digest_of_images,
    read_journal,
)
from brainseg_desktop.io.journal_replay import replay
from brainseg_desktop.io.layouts import CaseFiles, CaseKind, find_case, series_at
from brainseg_desktop.io.locking import lock
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.audit import first_totals

_log = logging.getLogger(__name__)

# Journals of exported masks: so many, so large in all, so old at most; one is read only if it is not too
# large to be replayed while the reader waits.
KEPT_FILES = 200
KEPT_BYTES = 512 * 1024 * 1024
KEPT_AGE = timedelta(days=180)
READ_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recoverable:
    """Work that no exported file holds.

    Parameters
    ----------
    path : Path
        Of the journal.
    case : str
    images : tuple of (Sequence, Path)
    rater : str
    strokes : int
    time : datetime
        Of the last step, UTC.
    study : mapping or None
        Which reading of which study it belongs to; such work is only given back to that reading.
    hashes : mapping of Sequence to str
        sha256 of the images.
    """

    path: Path
    case: str
    images: tuple[tuple[Sequence, Path], ...]
    rater: str
    strokes: int
    time: datetime
    study: Mapping[str, Any] | None = None
    hashes: Mapping[Sequence, str] = field(default_factory=dict)


def start_journal(case: Case, rating: Rating, state_dir: Path) -> Journal:
    """Journal a rating from its present labels on; the file appears with the first step.

    If the rating was read from a file that was exported here, its journal goes on, and its steps of then can
    be taken back. A folder that cannot be written is told by `Journal.failed` at the first step.
    """
    header = _header(case, rating)
    folder = _folder(state_dir)
    # No name of a case in a file's name: the folder may be listed in a bug report.
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(6)}{SUFFIX}"
    journal = _go_on(header, rating, path)
    if journal is None:
        totals = first_totals(rating)
        journal = Journal.start(path, header, lambda: _about(rating), rating.label_map.array, totals)
    journal.attach(rating.history)
    return journal


def _go_on(header: Header, rating: Rating, path: Path) -> Journal | None:
    """The journal that ended with the export of these labels, moved to `path`, its steps in the rating."""
    if rating.source is None or rating.history.steps:
        return None
    kept = exported_folder(path.parent)
    if not any(kept.glob(f"{digest_of_images(header)}-*{SUFFIX}")):
        return None  # the labels' digest takes some time
    found = exported_path(path.parent, header, digest_of(rating.label_map.array))
    try:
        if found.stat().st_size > READ_BYTES:
            return None
        content = read_journal(found)
        # With images in another place now, unsaved steps of this journal would not be found at their opening.
        same_place = content.header.images == header.images and content.header.shape == header.shape
        if not same_place or content.about.rater != rating.rater or content.unsaved:
            return None
        # A hidden repeat must not show the steps of the first reading.
        if content.about.details.get("study") != rating.details.get("study"):
            return None
        history, tally = History(LabelMap(content.base)), Tally()
        replay(content, history, tally)
        if not np.array_equal(history.label_map.array, rating.label_map.array):
            return None
        found.replace(path)
        # Unsaved steps are looked for under this name from now on.
        journal = Journal.resume(path, content, lambda: _about(rating))
    except FileNotFoundError:
        return None
    except (OSError, UserError) as error:
        _log.warning("steps of an exported mask not brought back: %s", getattr(error, "code", "disk"))
        return None
    rating.history.adopt(history)
    journal.tally = tally
    return journal


def _header(case: Case, rating: Rating) -> Header:
    """What a new journal says of its images."""
    return Header(
        case=case.name,
        images=tuple(
            ImageEntry(s.value, str(_absolute(v.source.path)), v.source.sha256)
            # The first lies on the grid of the mask, whatever masks stand beside the case the next time.
            for s, v in {**case.aligned, **case.volumes}.items()
        ),
        shape=rating.label_map.shape,
        base_sha256="",
        program_version=__version__,
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def pending(state_dir: Path, told: list[UserError] | None = None) -> list[Recoverable]:
    """Unsaved work of programs that have ended, newest first.

    Journals of running programs are left out; those whose steps are all exported are put away, for the next
    opening of the mask. A damaged one stays where it is, for a closer look.

    Parameters
    ----------
    state_dir : Path
    told : list, optional
        ``journal_newer`` is appended for each that only a newer version can read; it stays where it is.
    """
    found = []
    for path in _folder(state_dir).glob(f"*{SUFFIX}"):
        if _is_live(path):
            continue
        try:
            content = read_journal(path)
        except UserError as error:
            _log.warning("journal not readable: %s", error.code)
            if told is not None and error.code == "journal_newer":
                told.append(error)
            continue
        if not content.unsaved:
            with suppress(OSError):
                if content.exported:
                    move_to_exported(path, content.header, content.exported)
                else:
                    path.unlink(missing_ok=True)
            continue
        found.append(_recoverable(path, content))
    _forget_old(exported_folder(_folder(state_dir)))
    return sorted(found, key=lambda r: r.time, reverse=True)


def pending_for(case: Case, state_dir: Path) -> Recoverable | None:
    """The newest unsaved work on the images of this case: whoever opens it again goes on where he was.

    Work on images that are no longer at their place belongs to whatever case has the very same ones now.
    """
    images = {s: _absolute(v.source.path) for s, v in case.volumes.items()}
    hashes = {s: v.source.sha256 for s, v in case.volumes.items()}
    found = [f for f in pending(state_dir) if f.study is None]
    here = next((f for f in found if dict(f.images) == images), None)
    moved = (f for f in found if f.hashes == hashes and not any(path.exists() for _, path in f.images))
    return here if here is not None else next(moved, None)


def pending_reading(state_dir: Path, study: Mapping[str, Any]) -> Recoverable | None:
    """The newest unsaved work on this very reading of a study."""
    return next((found for found in pending(state_dir) if found.study == study), None)


def case_files(found: Recoverable) -> CaseFiles:
    """The files to open before `restore`: the case's folder where it still holds these images.

    Raises
    ------
    UserError
        ``file_missing`` if an image is no longer where it was.
    """
    images = dict(found.images)
    for path in images.values():
        if not path.exists():
            raise UserError("file_missing", path=path)
    first = next(iter(images.values()))
    if first.is_file() and is_dicom(first):
        return replace(series_at(images), name=found.case)
    folder = first if first.is_dir() else first.parent
    try:
        files = find_case(folder)
    except UserError:
        files = None
    if files is not None and {s: _absolute(p) for s, p in files.images.items()} == images:
        return files
    return CaseFiles(found.case, CaseKind.SLICES if first.is_dir() else CaseKind.NIFTI, images, folder=folder)


def restore(found: Recoverable, case: Case) -> tuple[Rating, Journal]:
    """Bring a rating back, with undo and redo; its journal goes on. The rating is not added to the case.

    Raises
    ------
    UserError
        ``journal_other_images`` if the case's images are not those that were drawn on, ``journal_in_use``,
        ``journal_damaged``, ``journal_newer``.
    """
    content = read_journal(found.path)
    hashes = {image.sequence: image.sha256 for image in content.header.images}
    shared = [(hashes[s.value], v.source.sha256) for s, v in case.volumes.items() if s.value in hashes]
    drawn_on = content.header.images[0].sequence if content.header.images else ""
    same_grid = content.header.shape == case.grid.shape and drawn_on in {s.value for s in case.aligned}
    if not same_grid or not shared or any(a != b for a, b in shared):
        raise UserError("journal_other_images", path=found.path, case=content.header.case, opened=case.name)
    about = content.about
    rating = Rating(
        about.rater,
        RaterKind(about.kind),
        LabelMap(content.base),
        scheme_named(about.scheme),
        details=about.details,
    )
    journal = Journal.resume(found.path, content, lambda: _about(rating))
    replay(content, rating.history, journal.tally)
    journal.attach(rating.history)
    return rating, journal


def discard(found: Recoverable) -> None:
    """Delete a journal for good.

    Raises
    ------
    UserError
        ``journal_in_use`` if a running program has it, or why it cannot be deleted.
    """
    if _is_live(found.path):
        raise UserError("journal_in_use", path=found.path)
    try:
        found.path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(error, found.path) from error


def _forget_old(folder: Path) -> None:
    """Delete journals of exported masks that are too many, too large in all or too old; the oldest first."""
    with suppress(OSError):  # the folder of a running program: files may go at any moment
        stats = [(path, path.stat()) for path in folder.glob(f"*{SUFFIX}")]
        oldest = (datetime.now(UTC) - KEPT_AGE).timestamp()
        size = 0
        for rank, (path, stat) in enumerate(sorted(stats, key=lambda s: s[1].st_mtime, reverse=True)):
            size += stat.st_size
            if rank >= KEPT_FILES or size > KEPT_BYTES or stat.st_mtime < oldest:
                path.unlink(missing_ok=True)


def _folder(state_dir: Path) -> Path:
    return state_dir / "journals"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - a link keeps its name


def _about(rating: Rating) -> About:
    details = msgspec.to_builtins(dict(rating.details), str_keys=True, enc_hook=str)
    return About(rater=rating.rater, kind=rating.kind.value, scheme=rating.scheme.name, details=details)


def _recoverable(path: Path, content: JournalContent) -> Recoverable:
    header = content.header
    images = tuple((Sequence(i.sequence), Path(i.path)) for i in header.images)
    time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    study = content.about.details.get("study")
    hashes = {Sequence(i.sequence): i.sha256 for i in header.images}
    return Recoverable(path, header.case, images, content.about.rater, content.strokes, time, study, hashes)


def _is_live(path: Path) -> bool:
    """Whether a running program, this one included, is writing this journal."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock(descriptor)
    finally:
        os.close(descriptor)
