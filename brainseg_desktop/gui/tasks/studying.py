"""The study that is open: who reads, what is to be read, and which of it is in the window."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QDialog

from brainseg_desktop.core.study import Reading, StudyDesign
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.gui.tasks.current_reading import CurrentReading
from brainseg_desktop.gui.tasks.unblinding import Unblinding
from brainseg_desktop.io.claims import RENEW_S
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.io.study import ReadingRecord, read_design
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.opening import OpenedCase
from brainseg_desktop.services.session import Terms
from brainseg_desktop.services.studies.material import Overview, look_over, open_comparison
from brainseg_desktop.services.studies.reading import (
    OpenedReading,
    open_reading,
)
from brainseg_desktop.services.studies.study import Study, WorkItem, create_study, item_of, reading_title

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow
    from brainseg_desktop.gui.studies.study_window import StudyWindow
    from brainseg_desktop.gui.tasks.study_outlining import StudyOutlining
    from brainseg_desktop.gui.tasks.study_results import StudyResults

T = TypeVar("T")

# How readings and cases of a study are called in the list of cases.
KEY, CASE = "reading:", "case:"

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
        self._desk, self._main, self.device = desk, window, device
        self.study: Study | None = None
        self.overview: Overview | None = None
        self.current = CurrentReading(desk, window)
        self._window: StudyWindow | None = None
        self._results: StudyResults | None = None
        self._dialog: QDialog | None = None
        self._turn = 0
        self._unblinding = Unblinding(desk)
        self._outlining: StudyOutlining | None = None
        self._renewal = QTimer(self, interval=round(RENEW_S * 1000))
        self._renewal.timeout.connect(self._renew)
        self.current.written.connect(self._changed_item)
        self.current.left.connect(self.refresh)
        self.current.next_wanted.connect(self.read_next)
        self._unblinding.done.connect(self._unblinded)

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
    def reading(self) -> OpenedReading | None:
        """The reading in the window."""
        return self.current.opened

    @property
    def dialog(self) -> QDialog | None:
        """The question that is being asked, if there is one."""
        return self._dialog or self.current.dialog or self._unblinding.dialog

    # Studies ----------------------------------------------------------------------------------------

    def ask_new(self) -> None:
        """Ask how a study is to be made, and make it."""
        from brainseg_desktop.gui.studies.dialogs import NewStudyDialog

        dialog = NewStudyDialog(list(load_schemes().values()), self._desk.jobs, parent=self._desk.window)
        dialog.set_scheme("brats2023")
        self._dialog = dialog

        def answered(accepted: bool) -> None:
            self._dialog = None
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
        self._desk.jobs.free(
            lambda: read_design(folder), lambda d: self._ask_who(folder, d), self._desk.complain
        )

    def _ask_who(self, folder: Path, design: StudyDesign) -> None:
        from brainseg_desktop.gui.studies.dialogs import JoinDialog

        dialog = JoinDialog(design, self._main.settings.study_reader, self._desk.window)
        self._dialog = dialog

        def answered(accepted: bool) -> None:
            self._dialog = None
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

        self._desk.jobs.document(lambda: self._open(folder, reader), home, self._desk.complain)

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
        self._desk.jobs.document(study.close, lambda _: None, self._desk.complain)
        self.changed.emit()

    def show_window(self) -> None:
        """Bring the study's window to the front."""
        if self.study is None:
            self._desk.say(tr("No study is open. Make one, or open its folder, in the menu Study."))
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
            lambda: look_over(study), lambda found: self._take_overview(study, found), self._desk.complain
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
            self._desk.jobs.free(claim.renew, lambda _: None, self._desk.complain)

    # Readings ---------------------------------------------------------------------------------------

    def read(self, reading: Reading) -> None:
        """Open a reading of one's own, or, where it may be seen, the case of any reading with all masks."""
        study = self.study
        if study is None or self.current.is_locking:
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
        opener.busy.emit(tr("Opening {title}", title=title))

        def home(found: T) -> None:
            if turn == self._turn and study is self.study:
                opener.busy.emit("")
                take(found)

        def failed(error: BaseException) -> None:
            if turn == self._turn:
                opener.busy.emit("")
                self._desk.complain(error)

        # The document's executor: what is being written is written before anything is read.
        self._desk.jobs.document(work, home, failed)

    def abandon(self) -> None:
        """Something else is being opened: a reading that is still being read from the disk is dropped."""
        self._turn += 1

    def title(self, reading: Reading) -> str:
        """What a reading is called at present."""
        return reading_title(reading, hidden=self.is_blinded)

    def _take(self, study: Study, opened: OpenedReading) -> None:
        self._desk.messages.hide()
        self.replacing.emit()
        said = self.current.begin(study, opened)
        self.opened.emit(opened.case, self.key(opened.reading))
        self._to_front()
        if said:
            self._desk.say(" ".join(said))
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
            self._desk.say(tr("All your readings are locked."))
            self.show_window()

    def entries(self) -> list[tuple[str, str]]:
        """The readings (for who only looks: the cases) for the list of cases, each with its state."""
        if self.study is None:
            return []
        if self.study.reader is None:
            return [] if self.is_blinded else [(f"{CASE}{c.name}", c.name) for c in self.study.design.cases]
        marks = {"new": "", "started": " \u2026", "draft": " \u2026", "locked": " \u2713"}
        return [(self.key(i.reading), f"{i.title}{marks[i.status]}") for i in self.items]

    # Together ---------------------------------------------------------------------------------------

    def compare(self, case: str, then: Callable[[], None] = lambda: None) -> None:
        """Open a case with all its masks, if they may be seen."""
        study = self.study
        if study is None or self.current.is_locking:
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

    def _changed_item(self, reading: Reading, record: ReadingRecord) -> None:
        """One line of the worklist has changed; the rest need not be read again."""
        if self.study is None or self.overview is None:
            return
        line = item_of(reading, record, hidden=self.is_blinded)
        items = tuple(line if i.reading == reading else i for i in self.items)
        self._take_overview(self.study, dataclasses.replace(self.overview, items=items))

    def ask_unblind(self) -> None:
        """Ask whether masks and scores shall be shown to everybody."""
        if self.study is not None:
            self._unblinding.ask(self.study)

    def _unblinded(self, study: Study) -> None:
        if study is not self.study:
            return
        if self.reading is not None:
            # Opened blind, it is opened anew on wish, with the rest.
            self._main.close_case()
        self.refresh()
        self._desk.say(tr("{study} is unblinded: masks and scores can be seen.", study=study.design.name))

    # The network ------------------------------------------------------------------------------------

    def outline(self) -> None:
        """Have the network outline the study's cases."""
        if self.study is None:
            return
        if self._outlining is None:
            from brainseg_desktop.gui.tasks.study_outlining import StudyOutlining

            self._outlining = StudyOutlining(self._desk, self.device)
            self._outlining.progress.connect(lambda done: self.window.set_progress(done, tr("Outlining")))
        self._outlining.device = self.device
        self._outlining.start(self.study, self._main.settings.model)

    def cancel_outlining(self) -> None:
        """End it."""
        if self._outlining is not None:
            self._outlining.cancel()

    def close(self) -> None:
        """The program ends: write what is open, let the study go."""
        self.current.finish()
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
