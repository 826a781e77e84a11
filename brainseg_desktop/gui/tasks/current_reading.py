"""The reading that is open: its time, flags and remark, its drafts, and its lock."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.studies.reading_bar import ReadingBar, duration_text
from brainseg_desktop.gui.studies.worklist_view import STATUS
from brainseg_desktop.io.journal import Journal
from brainseg_desktop.io.study import ReadingRecord
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.session import Terms
from brainseg_desktop.services.studies.clock import ReadingClock
from brainseg_desktop.services.studies.reading import OpenedReading, save_reading, write_record
from brainseg_desktop.services.studies.study import FLAGS, Study, reading_title

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

_log = logging.getLogger(__name__)

_LIFE = {
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.KeyPress,
    QEvent.Type.TabletMove,
}


class CurrentReading(QObject):
    """One reading at a time; none while another case is open.

    Signals
    -------
    written : (Reading, ReadingRecord) mask or record are on the disk.
    left : the reading was let go and is written.
    next_wanted : this one is locked.
    """

    written = Signal(object, object)
    left = Signal()
    next_wanted = Signal()

    def __init__(self, desk: Desk, window: MainWindow) -> None:
        super().__init__(desk.window)
        self._desk, self._main = desk, window
        self.opened: OpenedReading | None = None
        self.bar = ReadingBar(FLAGS)
        self.dialog: QDialog | None = None
        self.is_locking = False
        self._study: Study | None = None
        self._record: ReadingRecord | None = None
        self._clock = ReadingClock(0.0, 0.0)
        self._ticks = QTimer(self, interval=1000)
        self._ticks.timeout.connect(self._show_state)
        self.bar.accepted.connect(self.accept)
        self.bar.saved.connect(self.save)
        self.bar.noted.connect(self._note)

    @property
    def is_blinded(self) -> bool:
        """Whether the case in the window is read blind."""
        return self.opened is not None and self._desk.session.terms.blinded

    def begin(self, study: Study, opened: OpenedReading) -> list[str]:
        """Put a reading into the session; what its reader should be told of it."""
        session = self._desk.session
        assert study.reader is not None
        terms = Terms(study.reader.name, opened.is_blinded, opened.is_locked)
        self._study, self.opened, self._record = study, opened, opened.record
        said = [words(note) for note in opened.notes]
        found, saved = opened.found, opened.record.saved_utc
        if found is not None and found.time.isoformat() < saved:
            said.append(
                tr("Older strokes kept on this machine were left aside: the study holds a later draft.")
            )
            found = None
        if found is None or opened.is_locked:
            session.open(opened.case, terms)
            if opened.start is not None:
                session.start_from(opened.start)
        else:
            # The journal holds all of the mask: the file's copy would be a second one.
            opened.case.ratings.clear()
            session.open(opened.case, terms)
            try:
                session.recover(found)
                said.append(
                    tr("{count} strokes that were in no file are back, with undo.", count=found.strokes)
                )
            except UserError as error:
                opened.case.ratings[:] = [opened.rating]
                session.open(opened.case, terms)
                said.append(words(error))
        self._clock = ReadingClock(opened.record.active_s, time.monotonic())
        self._ticks.start()
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)
        self._show_bar()
        return said

    def save(self) -> None:
        """Write the mask as a draft."""
        self._write(
            lock=False, done=lambda: self._desk.say(tr("The draft was written, read back and is equal."))
        )

    def accept(self) -> None:
        """Lock the reading and open the next; asked again if nothing is marked."""
        opened, rating = self.opened, self._own()
        if opened is None or self.is_locking:
            return
        if opened.is_locked or self._desk.session.terms.read_only:
            self.next_wanted.emit()
            return
        if rating is None:
            return
        self._main.toolbox.finish()
        if rating.label_map.array.any():
            self._lock()
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Nothing is marked"),
            tr("This reading marks nothing. Lock it as a reading that found no tumour?"),
            QMessageBox.StandardButton.Cancel,
            self._desk.window,
        )
        lock = box.addButton(tr("Lock empty"), QMessageBox.ButtonRole.AcceptRole)
        self.dialog = box
        box.finished.connect(lambda _: self._answered_empty(box.clickedButton() is lock))
        box.open()

    def _answered_empty(self, lock: bool) -> None:
        self.dialog = None
        if lock and self.opened is not None:
            self._lock()

    def _lock(self) -> None:
        self.is_locking = True
        self.bar.set_busy(True)
        session, opened = self._desk.session, self.opened
        session.terms = dataclasses.replace(session.terms, read_only=True)

        def done() -> None:
            self.is_locking = False
            # Whoever has opened something else meanwhile wants to stay there.
            if self.opened is opened:
                self._main.following.follow_ratings()
                self.next_wanted.emit()

        def failed(error: BaseException) -> None:
            self.is_locking = False
            if self.opened is opened:
                session.terms = dataclasses.replace(session.terms, read_only=False)
                self.bar.set_busy(False)
            self._desk.complain(error)

        self._write(lock=True, done=done, failed=failed)

    def _write(
        self,
        *,
        lock: bool,
        done: Callable[[], None] = lambda: None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        study, opened, rating = self._study, self.opened, self._own()
        if study is None or opened is None or rating is None or self._record is None:
            return
        record, session = self._noted(), self._desk.session
        audit = session.audit(rating)
        about = audit.record().to_dict() if audit is not None else None
        labels, details = LabelMap(rating.label_map.array), dict(rating.details)
        state = rating.history.present

        def home(written: ReadingRecord) -> None:
            if rating.history.present == state:
                session.mark_exported(rating)
            if self.opened is opened:
                self._record = written
                self._show_bar()
            self.written.emit(opened.reading, written)
            done()

        self._desk.jobs.document(
            lambda: save_reading(study, opened, labels, record, details=details, audit=about, lock=lock),
            home,
            failed or self._desk.complain,
        )

    def leave(self) -> None:
        """The open reading is being let go: what is in no file yet is written as a draft, behind the scenes.

        If that fails the strokes stay in the journal and come back with the reading.
        """
        work = self._leaving()
        if work is not None:
            self._desk.jobs.document(work, lambda _: self.left.emit(), self._desk.complain)

    def finish(self) -> None:
        """The program ends: what is open is written now."""
        work = self._leaving()
        try:
            if work is not None:
                work()
        except UserError as error:
            _log.warning("reading not written at the end: %s", error.code)

    def _leaving(self) -> Callable[[], object] | None:
        """What has to be written now that the reading is let go; None if there is nothing."""
        study, opened, rating = self._study, self.opened, self._own()
        record = self._noted() if self._record is not None else None
        read_only = self._desk.session.terms.read_only
        self.opened = self._record = None
        self._ticks.stop()
        self.bar.hide()
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
        if study is None or opened is None or rating is None or record is None or read_only:
            return None
        session = self._desk.session
        if rating not in session.unsaved:
            return lambda: write_record(study, opened.reading, record)
        audit = session.audit(rating)
        about = audit.record().to_dict() if audit is not None else None
        labels, details = LabelMap(rating.label_map.array), dict(rating.details)
        journal = session.hand_over(rating)

        def write() -> None:
            try:
                save_reading(study, opened, labels, record, details=details, audit=about)
                if journal is not None:
                    journal.checkpoint()
            finally:
                _close(journal)

        return write

    def _own(self) -> Rating | None:
        session = self._desk.session
        if self.opened is None or session.case is not self.opened.case:
            return None
        return next((r for r in self.opened.case.ratings if session.is_own(r)), None)

    def _noted(self) -> ReadingRecord:
        """The record with time, flags and remark as of now."""
        assert self._record is not None
        return msgspec.structs.replace(
            self._record,
            active_s=round(self._clock.active_s, 1),
            flags=self.bar.flags,
            remark=self.bar.remark,
        )

    def _note(self) -> None:
        """Flags or remark were changed: they are on the disk before the reader goes on."""
        study, opened = self._study, self.opened
        if study is None or opened is None or self._record is None or self._desk.session.terms.read_only:
            return
        record = self._record = self._noted()
        self._desk.jobs.document(
            lambda: write_record(study, opened.reading, record),
            lambda _: self.written.emit(opened.reading, record),
            self._desk.complain,
        )

    # Showing ----------------------------------------------------------------------------------------

    def _show_bar(self) -> None:
        opened, record = self.opened, self._record
        if opened is None or record is None:
            return
        title = reading_title(opened.reading, hidden=opened.is_blinded)
        locked = record.status == "locked"
        self.bar.show_reading(title, "", record.flags, record.remark, locked=locked)
        self._show_state()

    def _show_state(self) -> None:
        opened, study = self.opened, self._study
        if self._record is None or opened is None or study is None:
            return
        number, total = opened.reading.number, len(study.readings[opened.reading.reader])
        blinded = tr("blinded, ") if self.is_blinded else ""
        spent = duration_text(self._clock.active_s)
        self.bar.set_state(
            tr(
                "{number} of {total}, {blinded}{status}, {spent}",
                number=number,
                total=total,
                blinded=blinded,
                status=tr(STATUS[self._record.status]),
                spent=spent,
            )
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _LIFE and not self._desk.session.terms.read_only:
            self._clock.touch(time.monotonic())
        return False


def _close(journal: Journal | None) -> None:
    if journal is not None:
        try:
            journal.close()
        except UserError as error:
            _log.warning("journal not closed: %s", error.code)
