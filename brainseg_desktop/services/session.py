"""The open case and what is being done to it: which mask is shown, which is compared, what is journaled.

Only the main thread touches a session. It knows no Qt; views listen to its events.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainseg_desktop.core.audit import START
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.events import Event
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.io.journal import Journal
from brainseg_desktop.services.audit import Audit
from brainseg_desktop.services.live_agreement import LiveAgreement
from brainseg_desktop.services.opening import new_rating, unique_name
from brainseg_desktop.services.recovery import Recoverable, restore, start_journal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds while a case is open.

    Parameters
    ----------
    reader : str
        Whose mask may be changed.
    blinded : bool
        No mask but the reader's own may come in, whoever made it.
    read_only : bool
        Not even the own mask may be changed: it is locked.
    state_dir : Path or None
        Where its journals are kept, if not with the others.
    """

    reader: str
    blinded: bool = False
    read_only: bool = False
    state_dir: Path | None = None


class Session:
    """One case at a time.

    Parameters
    ----------
    state_dir : Path
        Where journals are kept.
    reader : str
        Name of the reader's own mask.

    Attributes
    ----------
    terms : Terms
        Of the open case.
    ratings_changed : Event[None]
        A mask came, went, or another one is shown or compared.
    voxels_changed : Event[tuple[Rating, Box]]
        A mask was edited.
    history_changed : Event[None]
        What undo and redo would do has changed.
    journal_failed : Event[UserError]
        Strokes cannot be written at present; they are kept and tried again.
    journal_mended : Event[None]
        All strokes are on disk again.
    """

    def __init__(self, state_dir: Path, reader: str = "Reader") -> None:
        self.state_dir = state_dir
        self.reader = reader
        self.terms = Terms(reader)
        self.case: Case | None = None
        self.shown: Rating | None = None
        self.reference: Rating | None = None
        # The mask side of the comparison where the reader chose one; else it follows the mask shown.
        self.compared: Rating | None = None
        self.ratings_changed: Event[None] = Event()
        self.voxels_changed: Event[tuple[Rating, Box]] = Event()
        self.history_changed: Event[None] = Event()
        self.journal_failed: Event[UserError] = Event()
        self.journal_mended: Event[None] = Event()
        self._live: LiveAgreement | None = None
        self._journals: dict[int, Journal] = {}
        self._audits: dict[int, Audit] = {}

    # Case -------------------------------------------------------------------------------------------

    def open(self, case: Case, terms: Terms | None = None) -> None:
        """Take a case; the reader's own mask is shown, the reference, if there is one, compared with."""
        self.close()
        self.case = case
        self.terms = terms or Terms(self.reader)
        for rating in case.ratings:
            self._watch(rating)
        reference = next((r for r in case.ratings if r.kind is RaterKind.REFERENCE), None)
        own = self.own_rating()
        self.shown = own
        self.reference = reference
        self._compare_anew()
        self.ratings_changed.emit(None)

    def close(self) -> None:
        """Let the case go. Strokes that were not exported stay in the journal, for the next start."""
        for journal in self._journals.values():
            _close(journal)
        self._journals.clear()
        self._audits.clear()
        self.case = self.shown = self.reference = self.compared = None
        self.terms = Terms(self.reader)
        self._live = None
        self.ratings_changed.emit(None)

    @property
    def unsaved(self) -> tuple[Rating, ...]:
        """The masks with strokes that are in no exported file."""
        ratings = self.case.ratings if self.case is not None else []
        return tuple(r for r in ratings if id(r) in self._journals and self._journals[id(r)].unsaved)

    def mark_exported(self, rating: Rating) -> None:
        """The mask was written, read back and found equal."""
        journal = self._journals.get(id(rating))
        if journal is not None:
            journal.checkpoint()
        self.history_changed.emit(None)

    def hand_over(self, rating: Rating) -> Journal | None:
        """The journal of a mask whose case is being let go, for whoever still writes that mask to a file.

        He tells the journal of the export (`Journal.checkpoint`) and closes it.
        """
        self._audits.pop(id(rating), None)
        return self._journals.pop(id(rating), None)

    def audit(self, rating: Rating | None) -> Audit | None:
        """What became of the labels this mask was started from; None for masks that are not the reader's."""
        journal = self._journals.get(id(rating))
        if rating is None or self.case is None or journal is None:
            return None
        if id(rating) not in self._audits:
            self._audits[id(rating)] = Audit(self.case, rating, journal.tally)
        return self._audits[id(rating)]

    # Ratings ----------------------------------------------------------------------------------------

    def own_rating(self) -> Rating:
        """The reader's own mask, made blank at need: the one that the brush changes."""
        assert self.case is not None
        own = next((r for r in self.case.ratings if self.is_own(r)), None)
        if own is None:
            own = new_rating(self.case, self.terms.reader)
            self._insert(own, first=True)
        return own

    def is_own(self, rating: Rating) -> bool:
        """Whether the reader may change this mask: made here, or read from a file that says it is his."""
        own = rating.source is None or rating.rater == self.terms.reader
        return rating.kind is RaterKind.HUMAN and own

    def editable(self) -> Rating | None:
        """The mask shown, if it is the reader's own and not locked; others are read only."""
        if self.shown is None or self.terms.read_only or not self.is_own(self.shown):
            return None
        return self.shown

    def add(self, rating: Rating) -> None:
        """Add a mask to the case; it is not shown yet.

        Raises
        ------
        UserError
            ``reading_blinded`` in a blinded reading.
        """
        if self.terms.blinded:
            raise UserError("reading_blinded")
        self._insert(rating, first=False)
        if self.reference is None and rating.kind is RaterKind.REFERENCE:
            self.reference = rating
            self._compare_anew()
        self.ratings_changed.emit(None)

    def show(self, rating: Rating) -> None:
        """Lay this mask over the images."""
        self.shown = rating
        if self.measured is self.reference:
            self.reference = None
        self._compare_anew()
        self.ratings_changed.emit(None)

    @property
    def measured(self) -> Rating | None:
        """The mask side of the comparison: the one chosen for it, else the mask shown."""
        return self.compared if self.compared is not None else self.shown

    def compare_with(self, rating: Rating | None) -> None:
        """Measure the mask side against this one."""
        self.compare_pair(rating, self.compared)

    def compare_pair(self, reference: Rating | None, mask: Rating | None) -> None:
        """Measure one mask against another, whichever is shown; None as `mask` follows the mask shown."""
        self.compared = mask
        self.reference = reference if reference is not self.measured else None
        self._compare_anew()
        self.ratings_changed.emit(None)

    def start_from(self, source: Rating) -> Rating:
        """Copy a mask into the reader's own, as one step that can be undone; the own mask is shown then.

        Raises
        ------
        UserError
            ``mask_locked`` if the own mask may not be changed.
        """
        if self.terms.read_only:
            raise UserError("mask_locked")
        own = self.own_rating()
        untouched = not own.label_map.array.any() and not own.history.undo_names
        if untouched:
            own.scheme = source.scheme
        if source.details:
            # Before the step: the journal writes with it what the mask is.
            own.details = {**own.details, "started_from": {"rater": source.rater, **source.details}}
        with own.history.edit(f"{START}{source.rater}") as stroke:
            stroke.replace(Box((0, 0, 0), own.label_map.shape), np.array(source.label_map.array))
        if self.reference is None and source.kind is not RaterKind.MODEL:
            self.reference = source
        self.show(own)
        return own

    @property
    def doubted(self) -> Rating | None:
        """The mask with uncertainty: the one shown or that it was started from, else the newest; or None."""
        if self.case is None or self.shown is None:
            return None
        origin = self.shown.details.get("started_from", {}).get("rater")
        first = [r for r in self.case.ratings if r.rater == origin]
        candidates = (self.shown, *first, *reversed(self.case.ratings))
        return next((r for r in candidates if r.uncertainty is not None), None)

    def is_blank(self, rating: Rating) -> bool:
        """Whether nobody has done anything to this mask yet."""
        return not rating.history.undo_names and not rating.label_map.array.any()

    def recover(self, found: Recoverable) -> Rating:
        """Bring back a mask of this case from its journal, with undo; it replaces a blank own mask."""
        assert self.case is not None
        rating, journal = restore(found, self.case)
        for own in [r for r in self.case.ratings if self.is_own(r) and self.is_blank(r)]:
            self._drop(own)
        rating.rater = unique_name(self.case, rating.rater)
        self._insert(rating, first=True, journal=journal)
        self.show(rating)
        self.history_changed.emit(None)
        return rating

    @property
    def live(self) -> LiveAgreement | None:
        """Counts of the mask side against the reference side; None where there is no pair."""
        return self._live

    # Editing ----------------------------------------------------------------------------------------

    def undo(self) -> str | None:
        """Take back the newest step of the mask shown; its name, or None."""
        rating = self.editable()
        command = rating.history.undo() if rating is not None else None
        return None if command is None else command.name

    def redo(self) -> str | None:
        """Make the newest step taken back again; its name, or None."""
        rating = self.editable()
        command = rating.history.redo() if rating is not None else None
        return None if command is None else command.name

    def retry_journals(self) -> None:
        """Try again to write the strokes that could not be written."""
        for journal in self._journals.values():
            journal.retry()

    # Inside -----------------------------------------------------------------------------------------

    def _insert(self, rating: Rating, *, first: bool, journal: Journal | None = None) -> None:
        assert self.case is not None
        if rating in self.case.ratings:
            self.case.ratings.remove(rating)
        self.case.ratings.insert(0 if first else len(self.case.ratings), rating)
        self._watch(rating, journal)

    def _drop(self, rating: Rating) -> None:
        assert self.case is not None
        self.case.ratings.remove(rating)
        self.compared = None if rating is self.compared else self.compared
        self._audits.pop(id(rating), None)
        journal = self._journals.pop(id(rating), None)
        if journal is not None:
            _close(journal)

    def _watch(self, rating: Rating, journal: Journal | None = None) -> None:
        """Follow a mask: live numbers, undo names, and for a human's the journal."""
        assert self.case is not None
        history = rating.history
        history.changed.connect(lambda box: self._voxels_changed(rating, box))
        if not self.is_own(rating):
            return
        if journal is None:
            journal = start_journal(self.case, rating, self.terms.state_dir or self.state_dir)
        # After the journal, so that "unsaved" is true already when the window asks.
        for event in (history.committed, history.undone, history.redone):
            event.connect(lambda _: None if history.is_jumping else self.history_changed.emit(None))
        history.jumped.connect(lambda _: self.history_changed.emit(None))
        journal.failed.connect(self.journal_failed.emit)
        journal.mended.connect(self.journal_mended.emit)
        self._journals[id(rating)] = journal

    def _voxels_changed(self, rating: Rating, box: Box) -> None:
        if self._live is not None and (rating is self.measured or rating is self.reference):
            self._live.update(box)
        self.voxels_changed.emit((rating, box))

    def _compare_anew(self) -> None:
        self._live = None
        mask = self.measured
        if self.case is None or mask is None or self.reference is None:
            return
        self._live = LiveAgreement(self.reference.label_map.array, mask.label_map.array, self.case.grid)


def _close(journal: Journal) -> None:
    """Close a journal; it stays on the disk only if it holds steps that were not exported."""
    try:
        journal.close()
    except UserError as error:
        # The file stays and is offered, or removed as exported, at the next start.
        _log.warning("journal not closed: %s", error.code)
