"""Recovery: what a crash left behind is found, offered, and brought back with its undo steps."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from brainseg_desktop import __version__
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.io.journal import Journal, replay
from brainseg_desktop.io.journal_format import (
    SUFFIX,
    About,
    Header,
    ImageEntry,
    JournalContent,
    read_journal,
)
from brainseg_desktop.io.layouts import CaseFiles, CaseKind, find_case
from brainseg_desktop.io.locking import lock
from brainseg_desktop.io.schemes import scheme_named

_log = logging.getLogger(__name__)


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
    """

    path: Path
    case: str
    images: tuple[tuple[Sequence, Path], ...]
    rater: str
    strokes: int
    time: datetime


def start_journal(case: Case, rating: Rating, state_dir: Path) -> Journal:
    """Journal a rating from its present labels on; the file appears with the first step.

    A folder that cannot be written is told by `Journal.failed` at the first step.
    """
    header = Header(
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
    # No name of a case in a file's name: the folder may be listed in a bug report.
    path = _folder(state_dir) / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(6)}{SUFFIX}"
    journal = Journal.start(path, header, lambda: _about(rating), rating.label_map.array)
    journal.attach(rating.history)
    return journal


def pending(state_dir: Path) -> list[Recoverable]:
    """Unsaved work of programs that have ended, newest first.

    Journals of running programs are left out; those whose steps are all exported are removed. A damaged one
    stays where it is, for a closer look.
    """
    found = []
    for path in _folder(state_dir).glob(f"*{SUFFIX}"):
        if _is_live(path):
            continue
        try:
            content = read_journal(path)
        except UserError as error:
            _log.warning("journal not readable: %s", error.code)
            continue
        if not content.unsaved:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            continue
        found.append(_recoverable(path, content))
    return sorted(found, key=lambda r: r.time, reverse=True)


def pending_for(case: Case, state_dir: Path) -> Recoverable | None:
    """The newest unsaved work on the images of this case: whoever opens it again goes on where he was."""
    images = {s: _absolute(v.source.path) for s, v in case.volumes.items()}
    return next((found for found in pending(state_dir) if dict(found.images) == images), None)


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
        ``journal_damaged``.
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
    replay(content, rating.history)
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
    return Recoverable(path, header.case, images, content.about.rater, content.strokes, time)


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
