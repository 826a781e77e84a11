"""Measures the chosen pair in the background and keeps the window of agreement honest about its age."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QFileDialog

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.agreement.report_window import ReportWindow
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_pictures import write_image
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.pair_report import PairReport, PairSource, measure_pair
from brainseg_desktop.services.pair_tables import measures_table, tsv, write_tables

_PART_PIXELS = 480


class Reporting(QObject):
    """One window, made at the first wish for it.

    Parameters
    ----------
    desk : Desk
    plane : callable
        The plane of the first view.
    """

    def __init__(self, desk: Desk, plane: Callable[[], Plane]) -> None:
        super().__init__(desk.window)
        self._desk, self._plane = desk, plane
        self.window: ReportWindow | None = None
        self._case: Case | None = None
        self._pair: tuple[Rating, Rating] | None = None
        self._source: PairSource | None = None
        # Each measuring has a number; only the newest may show what it found.
        self._ticket = 0
        self._busy = False
        self._stale = False
        self._folder = ""
        desk.session.voxels_changed.connect(lambda change: self._voxels_changed(change[0]))

    # Measuring --------------------------------------------------------------------------------------

    def show(self) -> None:
        """Open the window, or bring it to the front; measure unless its numbers are those of now."""
        window = self._made()
        if not window.isVisible():
            window.set_plane(self._plane())
        window.show()
        window.raise_()
        window.activateWindow()
        if not (self._is_of_now() and (self._busy or window.report is not None)):
            self.refresh()

    def refresh(self) -> None:
        """Measure the masks as they are now."""
        session = self._desk.session
        case, reference, mask = session.case, session.reference, session.measured
        if case is None or reference is None or mask is None:
            self._desk.say(tr("Choose a mask to compare with, in the agreement panel."))
            return
        self._case, self._pair, self._stale = case, (reference, mask), False
        self._measure(PairSource.of(case, reference, mask))

    def _measure(self, source: PairSource) -> None:
        self._ticket += 1
        ticket, tolerance = self._ticket, self._made().tolerance.value()
        self._source, self._busy = source, True
        self._say_age()
        self._desk.jobs.free(
            lambda: measure_pair(source, tolerance),
            lambda report: self._take(ticket, report),
            lambda error: self._fail(ticket, error),
        )

    def _take(self, ticket: int, report: PairReport) -> None:
        if ticket == self._ticket and self.window is not None:
            self._busy = False
            self.window.set_report(report)
            self._say_age()

    def _fail(self, ticket: int, error: BaseException) -> None:
        if ticket == self._ticket:
            self._busy, self._stale = False, True
            self._say_age()
            self._desk.complain(error)

    def cancel(self) -> None:
        """Drop what is being measured; the numbers before stay, and are said to be old."""
        self._ticket += 1
        if self._busy:
            self._busy, self._stale = False, True
            self._say_age()

    def _measure_again(self) -> None:
        """Another tolerance: the same masks, so that the table stays of one moment."""
        if self._source is not None:
            self._measure(self._source)

    # Following --------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Another pair was chosen, or the case was closed."""
        if self._case is not None and self._desk.session.case is not self._case:
            self.close()
        elif self.window is not None:
            self._say_age()

    def close(self) -> None:
        """Close the window and forget its numbers; what is being measured is dropped."""
        self._ticket += 1
        self._busy = self._stale = False
        self._case = self._pair = self._source = None
        if self.window is not None:
            self.window.set_report(None)
            self.window.close()

    def _voxels_changed(self, rating: Rating) -> None:
        if self._pair is not None and rating in self._pair and not self._stale:
            self._stale = True
            self._say_age()

    def _is_of_now(self) -> bool:
        session = self._desk.session
        return not self._stale and self._pair == (session.reference, session.measured)

    def _say_age(self) -> None:
        window, session = self.window, self._desk.session
        if window is None:
            return
        if self._busy:
            window.set_status(tr("Measuring..."), busy=True)
        elif window.report is None:
            window.set_status(tr("Not measured. Press Refresh."))
        elif self._pair != (session.reference, session.measured):
            window.set_status(tr("Out of date: another pair is chosen now. Press Refresh."), warning=True)
        elif self._stale:
            window.set_status(tr("Out of date: a mask has changed since. Press Refresh."), warning=True)
        else:
            window.set_status(tr("Up to date."))

    # The window -------------------------------------------------------------------------------------

    def _made(self) -> ReportWindow:
        if self.window is None:
            window = self.window = ReportWindow(self._desk.state, self._desk.window)
            window.set_report(None)
            window.go_to.connect(self._desk.state.set_cursor)
            window.refresh_wanted.connect(self.refresh)
            window.cancel_wanted.connect(self.cancel)
            window.tolerance_chosen.connect(lambda _: self._measure_again())
            window.copy_wanted.connect(self._copy)
            window.save_wanted.connect(self._ask_tables)
            window.copy_picture_wanted.connect(self._copy_picture)
            window.save_picture_wanted.connect(self._ask_picture)
        return self.window

    def _copy(self) -> None:
        if self.window is not None and self.window.report is not None:
            QApplication.clipboard().setText(tsv(measures_table(self.window.report)))
            self.window.set_status(tr("The table is on the clipboard."))

    def _copy_picture(self) -> None:
        image = self.window.picture.image(_PART_PIXELS) if self.window is not None else None
        if self.window is not None and image is not None:
            QApplication.clipboard().setImage(image)
            self.window.set_status(tr("The picture is on the clipboard."))

    def _ask_tables(self) -> None:
        if self.window is None or self.window.report is None:
            return
        report = self.window.report
        path = self._ask(tr("Save measures"), f"{_name(report)}_agreement.csv", tr("CSV (*.csv)"))
        if path is not None:
            self._write(path, lambda: write_tables(path, report))

    def _ask_picture(self) -> None:
        window = self.window
        image = window.picture.image(_PART_PIXELS) if window is not None else None
        if window is None or window.report is None or image is None:
            return
        path = self._ask(tr("Save picture"), f"{_name(window.report)}_check.png", tr("PNG (*.png)"))
        if path is not None:
            self._write(path, lambda: write_image(image, path))

    def _ask(self, title: str, name: str, kind: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(self.window, title, str(Path(self._folder) / name), kind)
        if not chosen:
            return None
        path = Path(chosen) if Path(chosen).suffix else Path(chosen).with_suffix(Path(name).suffix)
        self._folder = str(path.parent)
        return path

    def _write(self, path: Path, write: Callable[[], object]) -> None:
        assert self.window is not None
        try:
            write()
        except UserError as error:
            self._desk.complain(error)
            self.window.set_status(
                tr("{file} was not saved; the main window says why.", file=path.name), warning=True
            )
            return
        self.window.set_status(tr("Saved: {file}", file=path.name))


def _name(report: PairReport) -> str:
    """A file name out of case and raters."""
    parts = (report.source.case, report.source.reference_name, report.source.mask_name)
    return "_".join("".join(c if c.isalnum() or c in "-." else "-" for c in part) for part in parts)
