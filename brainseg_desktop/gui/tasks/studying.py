"""Reading in a study: who reads, which reading is open, when it is saved and locked."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.study import Reading, StudyDesign
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.gui.studies.reading_bar import ReadingBar, duration_text
from brainseg_desktop.gui.studies.worklist_view import STATUS
from brainseg_desktop.io.claims import RENEW_S
from brainseg_desktop.io.journal import Journal
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.io.study import ReadingRecord, read_design
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import OpenedCase
from brainseg_desktop.services.session import Terms
from brainseg_desktop.services.studies.clock import ReadingClock
from brainseg_desktop.services.studies.material import Overview, look_over, open_comparison
from brainseg_desktop.services.studies.reading import (
    OpenedReading,
    open_reading,
    save_reading,
    write_record,
)
from brainseg_desktop.services.studies.study import FLAGS, Study, WorkItem, create_study, reading_title

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow
    from brainseg_desktop.gui.studies.study_window import StudyWindow
    from brainseg_desktop.gui.tasks.study_results import StudyResults
    from brainseg_desktop.services.studies.outlining import Outlined

T = TypeVar("T")

_log = logging.getLogger(__name__)

# How readings and cases of a study are called in the list of cases.
KEY, CASE = "reading:", "case:"

_LIFE = {
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.KeyPress,
    QEvent.Type.TabletMove,
}
# In a blinded reading nothing may show, make or bring in another mask.
HIDDEN_WHILE_BLINDED = (
    "load_mask",
    "export",  # its dialog names the case's folder; a reading is saved by the study
    "case_report",
    "segment",
    "compare",
    "both_masks",
    "difference",
    "uncertainty",
    "next_doubt",
    "previous_doubt",
    "accept_doubt",
    "edit_doubt",
    "clear_doubt",
)


class Studying(QObject):
    """The study that is open, and the reading that is open.

    Signals
    -------
    replacing : the open case is about to be let go.
    opened : (Case, key) a reading or a case of the study is in the session.
    changed : another study or reading is open, or its state has changed.
    """

    replacing = Signal()
    opened = Signal(object, str)
    changed = Signal()

    def __init__(self, desk: Desk, window: MainWindow, device: str = "auto") -> None:
        super().__init__(desk.window)
        self._desk, self._main, self._device = desk, window, device
        self.study: Study | None = None
        self.reading: OpenedReading | None = None
        self.overview: Overview | None = None
        self.bar = ReadingBar(FLAGS)
        self._window: StudyWindow | None = None
        self._results: StudyResults | None = None
        self.dialog: QDialog | None = None
        self._record: ReadingRecord | None = None
        self._clock = ReadingClock(0.0, 0.0)
        self._locking = False
        self._turn = 0
        self._outlining: threading.Event | None = None
        self._renewal = QTimer(self, interval=round(RENEW_S * 1000))
        self._renewal.timeout.connect(self._renew)
        self._ticks = QTimer(self, interval=1000)
        self._ticks.timeout.connect(self._show_state)
        self.bar.accepted.connect(self.accept)
        self.bar.saved.connect(self.save)
        self.bar.noted.connect(self._note)

    @property
    def window(self) -> StudyWindow:
        """The window of the study: made when it is first needed, so that the program starts quickly."""
        if self._window is None:
            from brainseg_desktop.gui.studies.results_view import ResultsView
            from brainseg_desktop.gui.studies.study_window import StudyWindow
            from brainseg_desktop.gui.tasks.study_results import StudyResults

            view = ResultsView()
            self._window = StudyWindow(view)
            self._results = StudyResults(self._desk, self, view)
            self._window.worklist.chosen.connect(self.read)
            self._window.worklist.next_wanted.connect(self.read_next)
            self._window.unblind_wanted.connect(self.ask_unblind)
            self._window.outline_wanted.connect(self.outline)
            self._window.cancel_wanted.connect(self.cancel_outlining)
        return self._window

    @property
    def results(self) -> StudyResults:
        """What measures the study and writes what it came to."""
        assert self.window is not None
        assert self._results is not None
        return self._results

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """The worklist, as it was read last."""
        return self.overview.items if self.overview is not None else ()

    @property
    def is_blinded(self) -> bool:
        """Whether masks and scores of the study were hidden when it was read last."""
        return self.overview is not None and self.overview.is_blinded

    @property
    def is_blinded_reading(self) -> bool:
        """Whether the case in the window is read blind."""
        return self.reading is not None and self._desk.session.terms.blinded

    # Studies ----------------------------------------------------------------------------------------

    def ask_new(self) -> None:
        """Ask how a study is to be made, and make it."""
        from brainseg_desktop.gui.studies.dialogs import NewStudyDialog

        dialog = NewStudyDialog(list(load_schemes().values()), self._desk.jobs, parent=self._desk.window)
        dialog.set_scheme("brats2023")
        self.dialog = dialog

        def answered(accepted: bool) -> None:
            self.dialog = None
            if not accepted:
                return
            options = dict(dialog.options)
            name, folder = str(options.pop("name")), dialog.folder
            cases, readers = list(dialog.cases), list(dialog.readers)
            self._desk.jobs.free(
                lambda: create_study(folder, name, cases, readers, **options),  # type: ignore[arg-type]
                lambda study: self.open_folder(study.folder),
                self._desk.complain,
            )

        ask(dialog, answered)

    def open_folder(self, folder: Path) -> None:
        """Open a study: ask who opens it."""
        self._desk.jobs.free(lambda: read_design(folder), lambda d: self._ask_who(folder, d), self._fail)

    def _ask_who(self, folder: Path, design: StudyDesign) -> None:
        from brainseg_desktop.gui.studies.dialogs import JoinDialog

        dialog = JoinDialog(design, self._main.settings.study_reader, self._desk.window)
        self.dialog = dialog

        def answered(accepted: bool) -> None:
            self.dialog = None
            if accepted:
                self.join(folder, dialog.reader)

        ask(dialog, answered)

    def join(self, folder: Path, reader: str | None) -> None:
        """Open a study as one of its readers, or as nobody."""
        # A study that is open is let go first: it may be the same reader's, with another case.
        self.close_study()

        def home(result: tuple[Study, Overview]) -> None:
            study, overview = result
            self.close_study()
            self.study = study
            self._renewal.start()
            self._main.remember(study_reader=reader or "", last_study=str(folder))
            self._take_overview(study, overview)
            self.show_window()

        self._desk.jobs.document(lambda: self._open(folder, reader), home, self._fail)

    @staticmethod
    def _open(folder: Path, reader: str | None) -> tuple[Study, Overview]:
        study = Study.open(folder, reader)
        try:
            return study, look_over(study)
        except BaseException:
            study.close()
            raise

    def close_study(self) -> None:
        """Let the study go; an open reading is kept as a draft."""
        if self.study is None:
            return
        self.cancel_outlining()
        self._turn += 1
        if self.reading is not None:
            self._main.close_case()
        study, self.study, self.overview = self.study, None, None
        self._renewal.stop()
        self.window.hide()
        # After what is still being written for it.
        self._desk.jobs.document(study.close, lambda _: None, self._fail)
        self.changed.emit()

    def show_window(self) -> None:
        """Bring the study's window to the front."""
        if self.study is None:
            self._desk.say("No study is open. Make one, or open its folder, in the menu Study.")
            return
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def refresh(self) -> None:
        """Read again how far each reading is."""
        study = self.study
        if study is None:
            return
        self._desk.jobs.free(
            lambda: look_over(study), lambda found: self._take_overview(study, found), self._fail
        )

    def _take_overview(self, study: Study, overview: Overview) -> None:
        if study is not self.study:
            return
        self.overview = overview
        self.window.set_study(study, overview)
        self.changed.emit()

    def _renew(self) -> None:
        if self.study is not None and self.study.claim is not None:
            claim = self.study.claim
            self._desk.jobs.free(claim.renew, lambda _: None, self._fail)

    def _fail(self, error: BaseException) -> None:
        self._desk.complain(error)

    # Readings ---------------------------------------------------------------------------------------

    def read(self, reading: Reading) -> None:
        """Open a reading of one's own, or, where it may be seen, the case of any reading with all masks."""
        study = self.study
        if study is None or self._locking:
            return
        if study.reader is None or study.reader.key != reading.reader:
            self.compare(reading.case)
            return
        if self.reading is not None and self.reading.reading == reading:
            self._to_front()
            return
        locked = any(i.reading == reading and i.status == "locked" for i in self.items)
        state_dir = self._desk.session.state_dir

        def work() -> OpenedReading | OpenedCase:
            # Who has locked a reading wants to see it beside the others', where that is allowed.
            if locked and study.may_see_others(reading.case):
                return open_comparison(study, reading.case)
            return open_reading(study, reading, state_dir)

        def take(opened: OpenedReading | OpenedCase) -> None:
            if isinstance(opened, OpenedReading):
                self._take(study, opened)
            else:
                self._take_together(reading.case, opened)

        self._open_in_background(study, self.title(reading), work, take)

    def _open_in_background(
        self, study: Study, title: str, work: Callable[[], T], take: Callable[[T], None]
    ) -> None:
        """Read something of the study; a later wish, of whatever kind, takes its place."""
        self._turn += 1
        turn, opener = self._turn, self._main.opener
        opener.abandon()
        opener.busy.emit(f"Opening {title}")

        def home(found: T) -> None:
            if turn == self._turn and study is self.study:
                opener.busy.emit("")
                take(found)

        def failed(error: BaseException) -> None:
            if turn == self._turn:
                opener.busy.emit("")
                self._fail(error)

        # The document's executor: what is being written is written before anything is read.
        self._desk.jobs.document(work, home, failed)

    def abandon(self) -> None:
        """Something else is being opened: a reading that is still being read from the disk is dropped."""
        self._turn += 1

    def title(self, reading: Reading) -> str:
        """What a reading is called at present."""
        return reading_title(reading, hidden=self.is_blinded)

    def _take(self, study: Study, opened: OpenedReading) -> None:
        desk = self._desk
        desk.messages.hide()
        self.replacing.emit()
        assert study.reader is not None
        terms = Terms(study.reader.name, opened.is_blinded, opened.is_locked)
        newer = opened.found is not None and opened.found.time.isoformat() >= opened.record.saved_utc
        restored = opened.found is not None and newer and not opened.is_locked
        if restored:
            # The journal holds all of the mask: the file's copy would be a second one.
            opened.case.ratings.clear()
        self.reading, self._record = opened, opened.record
        desk.session.open(opened.case, terms)
        said = [words(note) for note in opened.notes]
        if restored:
            assert opened.found is not None
            try:
                desk.session.recover(opened.found)
                said.append(f"{opened.found.strokes} strokes that were in no file are back, with undo.")
            except UserError as error:
                opened.case.ratings[:] = [opened.rating]
                desk.session.open(opened.case, terms)
                said.append(words(error))
        elif opened.start is not None:
            desk.session.start_from(opened.start)
        self._clock = ReadingClock(opened.record.active_s, time.monotonic())
        self._ticks.start()
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)
        self.opened.emit(opened.case, self.key(opened.reading))
        self._show_bar()
        self._to_front()
        if said:
            desk.say(" ".join(said))
        self.refresh()

    def _to_front(self) -> None:
        """The worklist stands in its own window: whoever opens something there wants to see it."""
        self._desk.window.raise_()
        self._desk.window.activateWindow()

    @staticmethod
    def key(reading: Reading) -> str:
        """The key of a reading in the list of cases."""
        return f"{KEY}{reading.number}"

    def read_key(self, key: str) -> None:
        """Open the reading of a key."""
        number = key.removeprefix(KEY)
        item = next((i for i in self.items if str(i.reading.number) == number), None)
        if item is not None:
            self.read(item.reading)

    def read_next(self) -> None:
        """Open the first reading after this one that is not locked; from the beginning at the end."""
        here = self.reading.reading.number if self.reading is not None else 0
        due = [i.reading for i in self.items if i.status != "locked"]
        due = [r for r in due if r.number > here] + [r for r in due if r.number < here]
        if due:
            self.read(due[0])
        elif self.study is not None and self.study.reader is not None:
            self._desk.say("All your readings are locked.")
            self.show_window()

    def entries(self) -> list[tuple[str, str]]:
        """The readings (for who only looks: the cases) for the list of cases, each with its state."""
        if self.study is None:
            return []
        if self.study.reader is None:
            return [] if self.is_blinded else [(f"{CASE}{c.name}", c.name) for c in self.study.design.cases]
        marks = {"new": "", "started": " \u2026", "draft": " \u2026", "locked": " \u2713"}
        return [(self.key(i.reading), f"{i.title}{marks[i.status]}") for i in self.items]

    # Saving -----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the mask as a draft."""
        self._write(lock=False, done=lambda: self._desk.say("The draft was written, read back and is equal."))

    def accept(self) -> None:
        """Lock the reading and open the next; asked again if nothing is marked."""
        opened, rating = self.reading, self._own()
        if opened is None or self._locking:
            return
        if opened.is_locked or self._desk.session.terms.read_only:
            self.read_next()
            return
        if rating is None:
            return
        self._main.toolbox.finish()
        if rating.label_map.array.any():
            self._lock()
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Nothing is marked",
            "This reading marks nothing. Lock it as a reading that found no tumour?",
            QMessageBox.StandardButton.Cancel,
            self._desk.window,
        )
        lock = box.addButton("Lock empty", QMessageBox.ButtonRole.AcceptRole)
        self.dialog = box
        box.finished.connect(lambda _: self._answered_empty(box.clickedButton() is lock))
        box.open()

    def _answered_empty(self, lock: bool) -> None:
        self.dialog = None
        if lock and self.reading is not None:
            self._lock()

    def _lock(self) -> None:
        self._locking = True
        self.bar.set_busy(True)
        session, opened = self._desk.session, self.reading
        session.terms = dataclasses.replace(session.terms, read_only=True)

        def done() -> None:
            self._locking = False
            # Whoever has opened something else meanwhile wants to stay there.
            if self.reading is opened:
                self._show_locked()
                self.read_next()

        def failed(error: BaseException) -> None:
            self._locking = False
            if self.reading is opened:
                session.terms = dataclasses.replace(session.terms, read_only=False)
                self.bar.set_busy(False)
            self._fail(error)

        self._write(lock=True, done=done, failed=failed)

    def _show_locked(self) -> None:
        """The mask of the open reading can be changed no more: panels and buttons say so."""
        self._main.following.follow_ratings()

    def _write(
        self,
        *,
        lock: bool,
        done: Callable[[], None] = lambda: None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        study, opened, rating = self.study, self.reading, self._own()
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
            if self.reading is opened:
                self._record = written
                self._show_bar()
            self._changed_item(opened.reading, written)
            done()

        self._desk.jobs.document(
            lambda: save_reading(study, opened, labels, record, details=details, audit=about, lock=lock),
            home,
            failed or self._fail,
        )

    def leave(self) -> None:
        """The open reading is being let go: what is in no file yet is written as a draft, behind the scenes.

        If that fails the strokes stay in the journal and come back with the reading.
        """
        work = self._leaving()
        if work is not None:
            self._desk.jobs.document(work, lambda _: self.refresh(), self._fail)

    def close(self) -> None:
        """The program ends: write what is open, let the study go."""
        work = self._leaving()
        try:
            if work is not None:
                work()
        except UserError as error:
            _log.warning("reading not written at the end: %s", error.code)
        self.cancel_outlining()
        if self._results is not None:
            self._results.cancel()
        if self.study is not None:
            self.study.close()
        self.study = None
        self._renewal.stop()
        if self._window is not None:
            self._window.close()
            # Left to Python it might be cleared away by another thread, which ends the program.
            self._window.deleteLater()

    def _leaving(self) -> Callable[[], object] | None:
        """What has to be written now that the reading is let go; None if there is nothing."""
        study, opened, rating = self.study, self.reading, self._own()
        record = self._noted() if self._record is not None else None
        read_only = self._desk.session.terms.read_only
        self.reading = self._record = None
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
        if self.reading is None or session.case is not self.reading.case:
            return None
        return next((r for r in self.reading.case.ratings if session.is_own(r)), None)

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
        study, opened = self.study, self.reading
        if study is None or opened is None or self._record is None or self._desk.session.terms.read_only:
            return
        record = self._record = self._noted()
        self._desk.jobs.document(
            lambda: write_record(study, opened.reading, record),
            lambda _: self._changed_item(opened.reading, record),
            self._fail,
        )

    def _changed_item(self, reading: Reading, record: ReadingRecord) -> None:
        """One line of the worklist has changed; the rest need not be read again."""
        if self.study is None:
            return
        changed = record.locked_utc or record.saved_utc or record.started_utc
        line = WorkItem(
            reading,
            self.title(reading),
            record.status,
            record.active_s,
            record.flags,
            record.remark,
            changed,
        )
        assert self.overview is not None
        items = tuple(line if i.reading == reading else i for i in self.items)
        self._take_overview(self.study, dataclasses.replace(self.overview, items=items))

    # Showing ----------------------------------------------------------------------------------------

    def _show_bar(self) -> None:
        opened, record = self.reading, self._record
        if opened is None or record is None or self.study is None or self.study.reader is None:
            return
        locked = record.status == "locked"
        self.bar.show_reading(self.title(opened.reading), "", record.flags, record.remark, locked=locked)
        self._show_state()

    def _show_state(self) -> None:
        if self._record is None:
            return
        blinded = "blinded, " if self.is_blinded_reading else ""
        self.bar.set_state(f"{blinded}{STATUS[self._record.status]}, {duration_text(self._clock.active_s)}")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _LIFE and not self._desk.session.terms.read_only:
            self._clock.touch(time.monotonic())
        return False

    # Together ---------------------------------------------------------------------------------------

    def compare(self, case: str, then: Callable[[], None] = lambda: None) -> None:
        """Open a case with all its masks, if they may be seen."""
        study = self.study
        if study is None or self._locking:
            return

        def take(opened: OpenedCase) -> None:
            self._take_together(case, opened)
            then()

        self._open_in_background(study, case, lambda: open_comparison(study, case), take)

    def _take_together(self, case: str, opened: OpenedCase) -> None:
        self.replacing.emit()
        session = self._desk.session
        taken = {r.rater for r in opened.case.ratings}
        own = session.reader if session.reader not in taken else f"{session.reader} (new)"
        session.open(opened.case, Terms(own))
        self.opened.emit(opened.case, f"{CASE}{case}")
        self._to_front()
        if opened.problems:
            self._desk.complain(opened.problems[0])

    def ask_unblind(self) -> None:
        """Ask whether masks and scores shall be shown, and how many readings are open still."""
        study = self.study
        if study is None:
            return
        self._desk.jobs.free(
            study.open_readings, lambda left: self._ask_unblind(study, len(left)), self._fail
        )

    def _ask_unblind(self, study: Study, left: int) -> None:
        if study is not self.study:
            return
        if left and study.reader is not None:
            self._desk.say(
                f"{left} readings of this study are not locked yet. Who looks after the study can unblind it "
                "before they are."
            )
            return
        text = "Everybody will see all masks and scores. This cannot be taken back."
        if left:
            text = (
                f"{left} readings are not locked yet. What is locked after unblinding is marked as not blind "
                f"in every table. {text}"
            )
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Unblind the study?",
            text,
            QMessageBox.StandardButton.Cancel,
            self.window if self.window.isVisible() else self._desk.window,
        )
        button = box.addButton("Unblind early" if left else "Unblind", QMessageBox.ButtonRole.AcceptRole)
        self.dialog = box

        def answered(_: int) -> None:
            self.dialog = None
            if box.clickedButton() is button:
                self._unblind(study, early=bool(left))

        box.finished.connect(answered)
        box.open()

    def _unblind(self, study: Study, *, early: bool) -> None:
        by = study.reader.name if study.reader is not None else "the study's keeper"

        def done(_: object) -> None:
            if study is not self.study:
                return
            if self.reading is not None:
                # Opened blind, it goes on as it is; it is opened anew with the rest on wish.
                self._main.close_case()
            self.refresh()
            self._desk.say(f"{study.design.name} is unblinded: masks and scores can be seen.")

        # After what is still being written.
        self._desk.jobs.document(lambda: study.unblind(by=by, early=early), done, self._fail)

    # The network ------------------------------------------------------------------------------------

    def outline(self) -> None:
        """Have the network outline the study's cases, in the background; what is there is kept."""
        from brainseg_desktop.services.studies.outlining import outline_cases

        study = self.study
        if study is None or self._outlining is not None:
            return
        cancel = self._outlining = threading.Event()
        post, model = self._desk.jobs.post, self._main.settings.model or None
        self.window.set_progress(0.0, "Outlining")

        def tell(done: float) -> None:
            post(lambda: self._show_outlining(cancel, done))

        def end() -> None:
            if self._outlining is cancel:
                self._outlining = None
                self.window.set_progress(None)

        def home(result: Outlined) -> None:
            end()
            said = f"The network outlined {result.written} cases; {result.kept} were outlined before."
            if result.problems:
                case, error = result.problems[0]
                said += f" {len(result.problems)} could not be: {case}: {words(error)}"
            self._desk.say(said)

        def failed(error: BaseException) -> None:
            end()
            self._fail(error)

        self._desk.jobs.free(
            lambda: outline_cases(
                study, model=model, device=self._device, tell=tell, cancelled=cancel.is_set
            ),
            home,
            failed,
        )

    def _show_outlining(self, cancel: threading.Event, done: float) -> None:
        if self._outlining is cancel:
            self.window.set_progress(done, "Outlining")

    def cancel_outlining(self) -> None:
        """End the network's work after the case it is at."""
        if self._outlining is not None:
            self._outlining.set()


def _close(journal: Journal | None) -> None:
    if journal is not None:
        try:
            journal.close()
        except UserError as error:
            _log.warning("journal not closed: %s", error.code)
