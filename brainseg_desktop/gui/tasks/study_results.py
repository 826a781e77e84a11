"""Measuring the study that is open, showing what it came to, and writing it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.views.view_state import OverlayKind
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.studies.results import Material, Pair, StudyReport

if TYPE_CHECKING:
    from brainseg_desktop.gui.studies.results_view import ResultsView
    from brainseg_desktop.gui.tasks.studying import Studying


class StudyResults(QObject):
    """Between a study, its results on the screen, and the files they are written to."""

    def __init__(self, desk: Desk, studying: Studying, view: ResultsView) -> None:
        super().__init__(desk.window)
        self._desk, self._studying, self._view = desk, studying, view
        self._material: Material | None = None
        self._of: Path | None = None
        self._cancel: threading.Event | None = None
        view.measure_wanted.connect(self.measure)
        view.cancel_wanted.connect(self.cancel)
        view.go_to.connect(self.go_to)
        view.tables_wanted.connect(self.ask_tables)
        view.report_wanted.connect(self.ask_report)
        view.picture_wanted.connect(self.ask_picture)
        view.consensus_wanted.connect(self.make_consensus)
        studying.changed.connect(self.follow)

    def follow(self) -> None:
        """Another study, or it was unblinded: results that do not belong to it are taken off."""
        study = self._studying.study
        if study is None or study.folder != self._of:
            self.cancel()
            self._of = study.folder if study is not None else None
            self._material = None
            self._view.set_report(None)
        if study is None:
            return
        if self._studying.is_blinded:
            self._view.set_report(None, tr("Scores are shown after the study is unblinded."))
        elif self._view.report is None:
            why = tr("Only locked readings are measured. Measure them to see how well the readers agree.")
            self._view.set_report(None, why, can_measure=self._cancel is None)

    # Measuring --------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure all locked readings, in processes of their own."""
        # The whole of statistics is loaded when it is needed.
        from brainseg_desktop.services.studies.material import material_of
        from brainseg_desktop.services.studies.measuring import measure_study

        study = self._studying.study
        if study is None or self._cancel is not None:
            return
        cancel = self._cancel = threading.Event()
        post = self._desk.jobs.post
        self._view.set_progress(0.0)

        def tell(done: float) -> None:
            post(lambda: self._show(cancel, done))

        def work() -> tuple[Material, StudyReport]:
            material = material_of(study.folder)
            return material, measure_study(material, tell=tell, cancelled=cancel.is_set)

        def home(found: tuple[Material, StudyReport]) -> None:
            if self._ended(cancel):
                self._material, report = found
                self._view.set_report(report, can_measure=True)

        def failed(error: BaseException) -> None:
            if self._ended(cancel) and not _is(error, "measuring_cancelled"):
                self._desk.complain(error)

        self._desk.jobs.long(work, home, failed)

    def cancel(self) -> None:
        """End measuring at once; cases that were measured are not measured again."""
        if self._cancel is not None:
            self._cancel.set()
            self._cancel = None
            self._view.set_progress(None)

    def _ended(self, cancel: threading.Event) -> bool:
        if self._cancel is not cancel:
            return False
        self._cancel = None
        self._view.set_progress(None)
        return True

    def _show(self, cancel: threading.Event, done: float) -> None:
        if self._cancel is cancel:
            self._view.set_progress(done)

    # Going there ------------------------------------------------------------------------------------

    def go_to(self, case: str, pair: Pair | None, region: str) -> None:
        """Open a case with the masks of two raters, at the slice where they differ most."""
        session, state = self._desk.session, self._desk.state

        def shown() -> None:
            opened = session.case
            if opened is None or pair is None:
                return
            reference, mask = (opened.rating(name) for name in pair)
            if reference is None or mask is None:
                return
            session.show(mask)
            session.compare_with(reference)
            chosen = next((r for r in mask.scheme.regions if r.name == region), None)
            if chosen is not None:
                state.set_region(chosen)
                self._desk.window.agreement.refresh()  # type: ignore[attr-defined]
                where = most_different(
                    chosen.mask(reference.label_map.array) ^ chosen.mask(mask.label_map.array)
                )
                state.set_overlay(OverlayKind.DIFFERENCE)
                state.set_cursor(where if where is not None else state.cursor)

        self._studying.compare(case, shown)

    # Writing ----------------------------------------------------------------------------------------

    def ask_tables(self) -> None:
        """Ask for a folder and write CSV and JSON there."""
        from brainseg_desktop.services.studies.tables import write_tables

        folder = QFileDialog.getExistingDirectory(self._view, tr("Folder for the tables"), self._reports())
        if folder and self._view.report is not None:
            report = self._view.report
            self._write(
                lambda: write_tables(report, Path(folder)),
                tr("The tables were written to {folder}.", folder=folder),
            )

    def ask_report(self) -> None:
        """Ask for a file and write the report as its ending says."""
        from brainseg_desktop.services.report.document import write_report
        from brainseg_desktop.services.report.study_pages import study_document
        from brainseg_desktop.services.studies.anonymous import without_names

        path = self._ask_file(tr("Save the report"), "report.pdf", tr("PDF (*.pdf);;HTML (*.html)"))
        if path is not None and self._view.report is not None:
            report = self._view.report if self._view.is_named else without_names(self._view.report)
            self._write(
                lambda: write_report(study_document(report), path),
                tr("The report was written to {path}.", path=path),
            )

    def ask_picture(self) -> None:
        """Ask for a file and save the picture as its ending says."""
        path = self._ask_file(tr("Save the picture"), "agreement.png", tr("PNG (*.png);;SVG (*.svg)"))
        if path is not None:
            try:
                self._view.chart.save(path)
            except UserError as error:
                self._desk.complain(error)
                return
            self._desk.say(tr("The picture was saved to {path}.", path=path))

    def make_consensus(self) -> None:
        """Write majority and STAPLE of the readers as masks of each case, beside the readings."""
        from brainseg_desktop.services.studies.consensus import METHODS, make_consensus, write_consensus

        study, material = self._studying.study, self._material
        if study is None or material is None:
            return

        def work() -> tuple[int, int]:
            written = skipped = 0
            for case in material.cases:
                for method in METHODS:
                    try:
                        found = make_consensus(material, case, method)
                    except UserError as error:
                        if error.code != "readers_too_few":
                            raise
                        skipped += 1
                        break
                    write_consensus(found, study.other_path(method, case))
                    written += 1
            return written, skipped

        def home(counts: tuple[int, int]) -> None:
            written, skipped = counts
            rest = (
                tr(" {skipped} cases have fewer than two readings and none.", skipped=skipped)
                if skipped
                else ""
            )
            self._desk.say(
                tr(
                    "{written} consensus masks were written. Measure again to see them beside the "
                    "readers.{rest}",
                    written=written,
                    rest=rest,
                )
            )

        self._desk.jobs.long(work, home, self._desk.complain)

    def _write(self, work: Callable[[], object], said: str) -> None:
        self._desk.jobs.document(work, lambda _: self._desk.say(said), self._desk.complain)

    def _ask_file(self, title: str, name: str, kinds: str) -> Path | None:
        chosen, kind = QFileDialog.getSaveFileName(
            self._view, title, str(Path(self._reports()) / name), kinds
        )
        if not chosen:
            return None
        path = Path(chosen)
        ending = kind[kind.index("*") + 1 : kind.index(")")] if "*" in kind else ""
        return path if path.suffix or not ending else path.with_name(path.name + ending)

    def _reports(self) -> str:
        study = self._studying.study
        return str(study.folder) if study is not None else ""


def most_different(differing: np.ndarray) -> tuple[int, int, int] | None:
    """The middle of the differences on the axial slice that has most of them; None where two masks agree.

    Parameters
    ----------
    differing : (X, Y, Z) array of bool

    Examples
    --------
    >>> cube = np.zeros((5, 5, 3), bool)
    >>> cube[1:4, 2, 1] = True
    >>> most_different(cube)
    (2, 2, 1)
    """
    counts = np.count_nonzero(differing, axis=(0, 1))
    if not counts.any():
        return None
    z = int(counts.argmax())
    places = np.argwhere(differing[:, :, z])
    # The differing voxel next to the middle: the middle itself may lie in a hole.
    x, y = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return int(x), int(y), z


def _is(error: BaseException, code: str) -> bool:
    return isinstance(error, UserError) and error.code == code
