"""What can be done with an archive, whichever of the two ways it is spoken to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs import dimse, web
from brainseg_desktop.services.pacs.credentials import Credentials
from brainseg_desktop.services.pacs.instances import InstanceFolder, Outcome
from brainseg_desktop.services.pacs.nodes import (
    InboxSettings,
    PacsNode,
    check_ae_title,
    checked,
    inbox_folder,
)
from brainseg_desktop.services.pacs.reaching import PATIENCE, Patience, Stopped
from brainseg_desktop.services.pacs.receiving import Receiver
from brainseg_desktop.services.pacs.records import (
    Cancelled,
    Query,
    Retrieved,
    Sent,
    SeriesEntry,
    StudyEntry,
    Tell,
    never,
    tell_nobody,
)


def check_node(
    node: PacsNode,
    credentials: Credentials | None = None,
    cancelled: Cancelled = never,
    patience: Patience = PATIENCE,
) -> float:
    """Ask an archive whether it is there: C-ECHO, or a small QIDO-RS query.

    Returns
    -------
    float
        Seconds until it had answered.

    Raises
    ------
    UserError
        Why it did not, in one sentence.
    """
    begun = time.perf_counter()
    with _told_apart(node):
        if node.kind == "web":
            web.ping(node, _needed(node, credentials), cancelled, patience)
        else:
            dimse.echo(node, cancelled, patience)
    return time.perf_counter() - begun


def find(
    node: PacsNode,
    query: Query,
    credentials: Credentials | None = None,
    cancelled: Cancelled = never,
    patience: Patience = PATIENCE,
) -> list[StudyEntry]:
    """Studies that fit, newest first; at most ``query.limit`` of them.

    Raises
    ------
    UserError
        Why there is no answer; ``pacs_cancelled`` where the user wanted none any more.
    """
    with _told_apart(node):
        if node.kind == "web":
            found = web.find_studies(node, query, _needed(node, credentials), cancelled, patience)
        else:
            found = dimse.find_studies(node, query, cancelled, patience)
    known = [s for s in found if s.uid]
    return sorted(known, key=lambda s: s.day.toordinal() if s.day is not None else 0, reverse=True)


def series_of(
    node: PacsNode,
    study: StudyEntry,
    credentials: Credentials | None = None,
    cancelled: Cancelled = never,
    patience: Patience = PATIENCE,
) -> list[SeriesEntry]:
    """The series of a study, by number."""
    with _told_apart(node):
        if node.kind == "web":
            found = web.find_series(node, study.uid, _needed(node, credentials), cancelled, patience)
        else:
            found = dimse.find_series(node, study.uid, cancelled, patience)
    return sorted((s for s in found if s.uid), key=lambda s: s.number if s.number is not None else 1 << 30)


def retrieve(
    node: PacsNode,
    wanted: StudyEntry | SeriesEntry,
    folder: Path,
    tell: Tell = tell_nobody,
    cancelled: Cancelled = never,
    *,
    credentials: Credentials | None = None,
    patience: Patience = PATIENCE,
) -> Retrieved:
    """Bring a study or a series into a folder.

    DIMSE: C-MOVE to a receiver of our own where the node has a port for it, else C-GET; where the archive
    does not know us as a destination, C-GET is tried before that is said.

    Parameters
    ----------
    tell : callable
        Told how many instances are done of how many, from another thread.
    cancelled : callable
        Asked several times a second; what has come by then stays.

    Returns
    -------
    Retrieved
        What came; with a ``problem`` where some of it did not.

    Raises
    ------
    UserError
        Nothing could be asked for at all.
    """
    is_series = isinstance(wanted, SeriesEntry)
    study_uid = wanted.study_uid if isinstance(wanted, SeriesEntry) else wanted.uid
    series_uid = wanted.uid if is_series else None
    store = InstanceFolder(folder, study=study_uid)
    failed, stopped = 0, False
    problem: UserError | None = None
    try:
        with _told_apart(node):
            if node.kind == "web":
                secret = _needed(node, credentials)
                failed = web.retrieve(node, study_uid, series_uid, store, secret, tell, cancelled, patience)
            else:
                failed = _by_dimse(node, study_uid, series_uid, store, tell, cancelled, patience)
    except UserError as error:
        stopped = error.code == "pacs_cancelled"
        if not stopped and not any(store.counts.values()):
            raise store.problem or error from None
        problem = None if stopped else error
    counts = store.counts
    if not stopped and problem is None and not failed and not store.refused and not any(counts.values()):
        problem = UserError("pacs_nothing_there", node=node.title)
    problem = problem or store.problem
    if problem is None and failed:
        problem = UserError("pacs_some_failed", node=node.title, count=failed)
    return Retrieved(
        folder,
        counts[Outcome.NEW],
        counts[Outcome.REPLACED],
        counts[Outcome.DUPLICATE],
        max(failed, store.refused),
        stopped,
        problem,
    )


def _by_dimse(
    node: PacsNode,
    study_uid: str,
    series_uid: str | None,
    store: InstanceFolder,
    tell: Tell,
    cancelled: Cancelled,
    patience: Patience,
) -> int:
    what = (node, study_uid, series_uid, store, tell, cancelled, patience)
    if not node.receive_port:
        return dimse.retrieve_by_get(*what)
    try:
        return dimse.retrieve_by_move(*what)
    except UserError as error:
        if error.code != "pacs_move_destination":
            raise
        try:
            return dimse.retrieve_by_get(*what)
        except UserError:
            raise error from None


def send(
    node: PacsNode,
    files: Sequence[Path],
    tell: Tell = tell_nobody,
    cancelled: Cancelled = never,
    *,
    credentials: Credentials | None = None,
    patience: Patience = PATIENCE,
) -> Sent:
    """Send DICOM files to an archive: C-STORE or STOW-RS, each in the encoding it has.

    Raises
    ------
    UserError
        The archive cannot be reached, or broke off.
    """
    sent = failed = 0
    problem: UserError | None = None
    try:
        with _told_apart(node):
            if node.kind == "web":
                results = web.send_files(node, files, _needed(node, credentials), cancelled, patience)
            else:
                results = dimse.send_files(node, files, tell, cancelled, patience)
            for result in results:
                sent, failed = sent + (result is None), failed + (result is not None)
                problem = problem or result
                tell(sent + failed, len(files))
    except UserError as error:
        if error.code == "pacs_cancelled":
            return Sent(sent, failed, True, problem)
        if not sent:
            raise
        return Sent(sent, len(files) - sent, False, error)
    return Sent(sent, failed, False, problem)


@contextmanager
def receive(
    settings: InboxSettings, store: InstanceFolder | None = None, patience: Patience = PATIENCE
) -> Iterator[Receiver]:
    """Take what is pushed to us while the block lasts.

    Raises
    ------
    UserError
        ``pacs_port_taken``, ``pacs_no_address``, ``pacs_field``.
    """
    with make_receiver(settings, store, patience) as receiver:
        yield receiver


def make_receiver(
    settings: InboxSettings, store: InstanceFolder | None = None, patience: Patience = PATIENCE
) -> Receiver:
    """A receiver of the inbox, not listening yet.

    Raises
    ------
    UserError
        ``pacs_field``.
    """
    check_ae_title(settings.own_title, "own AE title")
    for caller in settings.callers:
        check_ae_title(caller, "known sender")
    store = store if store is not None else InstanceFolder(inbox_folder(settings), by_study=True)
    where = (settings.address, settings.port)
    return Receiver(store, where, settings.own_title, callers=settings.callers, patience=patience)


def _needed(node: PacsNode, credentials: Credentials | None) -> Credentials | None:
    if node.login == "none":
        return None
    if credentials is None:
        raise UserError("pacs_login_needed", node=node.title)
    return credentials


@contextmanager
def _told_apart(node: PacsNode) -> Iterator[None]:
    """Check the node first; a stop is told as ``pacs_cancelled``."""
    checked(node)
    try:
        yield
    except Stopped:
        raise UserError("pacs_cancelled") from None
