"""Leads through the tour: opens the sample apart from all other work, and leaves nothing of it behind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QPoint, QRect, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QMessageBox, QScrollArea, QWidget

from brainseg_desktop.core.case import Case, RaterKind
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.gui.tour.card import TourCard, TourFrame
from brainseg_desktop.gui.tour.steps import STEPS
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.opening import OpenedCase, open_case
from brainseg_desktop.services.session import Terms

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

# The key of the tour's case: it is in no list of recent cases, and its display is not kept.
TOUR = "tour:"
_READ_MS = 900
_LOOK_MS = 200


class Touring(QObject):
    """One tour at a time.

    Signals
    -------
    replacing : the open case is about to be let go.
    opened : (Case, key) the sample is in the session.

    Attributes
    ----------
    exports : int
        Masks exported in this tour.
    """

    replacing = Signal()
    opened = Signal(object, str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.card: TourCard | None = None
        self.dialog: QMessageBox | None = None
        self.exports: int = 0
        self._frame: TourFrame | None = None
        self._case: Case | None = None
        self._folder: Path | None = None
        self._turn = 0
        self._place = 0
        self._before: Any = None
        self._done = False
        self._ran = False
        self._kept: dict[str, Any] = {}
        # Widgets move for many reasons: a dock, a scroll bar, a message above the pictures; and windows open.
        self._looking = QTimer(self, interval=_LOOK_MS)
        self._looking.timeout.connect(self._look_again)
        self._reading = QTimer(self, interval=_READ_MS, singleShot=True)
        self._reading.timeout.connect(lambda: self._go(1))
        self._listen()

    @property
    def is_on(self) -> bool:
        """Whether a card is shown."""
        return self.card is not None

    @property
    def step(self) -> str:
        """Name of the step shown; empty outside of the tour."""
        return STEPS[self._place].name if self.is_on else ""

    # Beginning and end ------------------------------------------------------------------------------

    def ask(self) -> None:
        """Begin; a case that is open is only closed if its reader agrees."""
        if self.is_on or self.dialog is not None:
            return
        case = self._window.session.case
        if case is None:
            self.start()
            return
        box = QMessageBox(self._window)
        box.setWindowTitle(tr("Take the tour"))
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(tr("The tour opens the sample case, so {case} is closed first.", case=case.name))
        box.setInformativeText(
            tr("Strokes that were not exported are kept, and back when you open the case again.")
        )
        go = box.addButton(tr("Close it and take the tour"), QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(tr("Stay here"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(go)
        box.setEscapeButton(stay)
        self.dialog = box

        def answered(_: bool) -> None:
            self.dialog = None
            if box.clickedButton() is go:
                if self._window.session.case is not None:
                    self._window.close_case()
                self.start()

        ask(box, answered)

    def start(self) -> None:
        """Read the sample in the background and show the first card."""
        window = self._window
        window.studying.abandon()
        window.opener.abandon()
        try:
            folder = Path(tempfile.mkdtemp(prefix="brainseg-tour-"))
        except OSError as error:
            window.desk.complain(write_error(error, Path(tempfile.gettempdir())))
            return
        self._turn += 1
        turn = self._turn
        window.opener.busy.emit(tr("Opening the sample case"))

        def home(found: OpenedCase) -> None:
            if turn != self._turn:
                shutil.rmtree(folder, ignore_errors=True)
                return
            window.opener.busy.emit("")
            self._begin(found, folder)

        def failed(error: BaseException) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            if turn == self._turn:
                window.opener.busy.emit("")
                window.desk.complain(error)

        window.jobs.free(lambda: open_case(find_case(window.empty.sample)), home, failed)

    def leave(self) -> None:
        """End: the sample is closed, and what was made in the tour is deleted."""
        self._turn += 1
        if self.card is None:
            return
        window, case, folder = self._window, self._case, self._folder
        self._looking.stop()
        self._reading.stop()
        for widget in (self.card, self._frame):
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.card = self._frame = self._case = self._folder = None
        window.exporter.folder, window.exporter.form = self._kept["export"]
        if case is not None and window.session.case is case:
            window.close_case()
        state = window.state
        state.set_mode(self._kept["mode"])
        state.set_tissue(self._kept["tissue"])
        state.set_brush_mm(self._kept["brush_mm"])
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, found: OpenedCase, folder: Path) -> None:
        window, state = self._window, self._window.state
        self._kept = {
            "export": (window.exporter.folder, window.exporter.form),
            "mode": state.mode,
            "tissue": state.tissue,
            "brush_mm": state.brush_mm,
        }
        window.messages.hide()
        self.replacing.emit()
        self._case, self._folder = found.case, folder
        self.exports = 0
        window.session.open(found.case, Terms(window.session.reader, state_dir=folder / "state"))
        self.opened.emit(found.case, TOUR)
        state.set_mode(Mode.CROSSHAIR)
        exports = folder / "export"
        window.exporter.folder, window.exporter.form = exports, "nifti"
        _go_to_tumour(window, found.case)
        self.card, self._frame = TourCard(window), TourFrame(window)
        self.card.back.connect(lambda: self._go(-1))
        self.card.forward.connect(lambda: self._go(1))
        self.card.ended.connect(self.leave)
        self._show(0)
        self._looking.start()
        try:
            exports.mkdir()
        except OSError as error:
            window.desk.complain(write_error(error, exports))

    # Steps ------------------------------------------------------------------------------------------

    def _go(self, steps: int) -> None:
        self._reading.stop()
        if self.card is None:
            return
        if self._place + steps >= len(STEPS):
            self.leave()
        else:
            self._show(max(0, self._place + steps))

    def _show(self, place: int) -> None:
        assert self.card is not None
        assert self._frame is not None
        self._place, step = place, STEPS[place]
        self._before = step.measure(self._window)
        self._done = self._ran = False
        self.card.show_step(place, len(STEPS), tr(step.title), tr(step.text, **_keys(self._window)))
        word = tr("Finish") if place == len(STEPS) - 1 else tr("Skip") if step.needs_hands else tr("Next")
        self.card.set_forward(word, main=not step.needs_hands)
        target = step.target(self._window)
        if target is not None:
            _bring_forward(self._window, target)
        self.card.show()
        self._frame.show()
        self._point()

    def _point(self) -> None:
        """Lay card and frame where the control is now; some controls come and go."""
        if self.card is None or self._frame is None:
            return
        window = self._window
        target = STEPS[self._place].target(window)
        place = None
        if target is not None and target.isVisible() and target.window() is window:
            place = _shown_part(target, window)
        self.card.place(place)
        self._frame.point(place, self.card.geometry())
        self._frame.raise_()
        self.card.raise_()

    def _look(self) -> None:
        """Something happened in the window: is the step done?"""
        if self.card is None or self._case is None:
            return
        if self._window.session.case is not self._case:
            # Closed or replaced by its reader, who has seen enough.
            self.leave()
            return
        step = STEPS[self._place]
        if self._done or not step.needs_hands:
            return
        if step.is_done(self._before, step.measure(self._window)):
            self._done = True
            self.card.set_status(tr("Done."))
            self.card.set_forward(tr("Next"), main=True)
            self._point()
            self._reading.start()

    def _look_again(self) -> None:
        self._look()
        self._point()

    def _network_runs(self, running: bool) -> None:
        if self.card is None or self.step != "segment":
            return
        if running:
            self._ran = True
            self.card.set_status(tr("The network is working."))
        elif self._ran and not self._done:
            # The mask comes right after the end of the run, if it comes.
            QTimer.singleShot(0, self._say_not_outlined)

    def _say_not_outlined(self) -> None:
        if self.card is not None and self.step == "segment" and not self._done:
            self.card.set_status(
                tr("There is no outline this time. Try again, or go on: you can paint without it.")
            )
            self.card.set_forward(tr("Next"), main=True)
            self._point()

    def _exported(self) -> None:
        self.exports += 1
        self._look()

    def _listen(self) -> None:
        """What tells of a step; made before the parts of the window that show it."""
        window, state = self._window, self._window.state
        for signal in (state.cursor_changed, state.windows_changed, state.tool_changed):
            signal.connect(self._look)
        window.session.ratings_changed.connect(lambda _: self._look())
        window.session.history_changed.connect(lambda _: self._look())
        window.segmenting.running.connect(self._network_runs)
        window.exporter.exported.connect(self._exported)
        # Something else is opened: its reader has left the tour.
        window.opener.began.connect(self.leave)
        window.studying.replacing.connect(self.leave)


def _keys(window: MainWindow) -> dict[str, str]:
    """The keys of actions as they are now; the words on the button of one that has none."""
    return {name: a.shortcut().toString() or a.text() for name, a in window.actions_by_name.items()}


def _go_to_tumour(window: MainWindow, case: Case) -> None:
    """Show the largest slice of the reference: an empty one would teach nothing."""
    reference = next((r for r in case.ratings if r.kind is RaterKind.REFERENCE), None)
    if reference is not None and reference.label_map.array.any():
        labels = reference.label_map.array
        z = int(np.argmax(np.count_nonzero(labels, axis=(0, 1))))
        x, y = (round(float(places.mean())) for places in np.nonzero(labels[:, :, z]))
        window.state.set_cursor((x, y, z))


def _bring_forward(window: MainWindow, target: QWidget) -> None:
    """Raise the tab of a section, and scroll to it."""
    parent = target.parentWidget()
    while parent is not None and parent is not window:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(target)
        if isinstance(parent, QDockWidget):
            parent.raise_()
        parent = parent.parentWidget()


def _shown_part(target: QWidget, window: QWidget) -> QRect | None:
    """The part of a control that can be seen, in the window's pixels."""
    shown = target.visibleRegion().boundingRect()
    if shown.isEmpty():
        return None
    return QRect(target.mapTo(window, shown.topLeft()), shown.size()).intersected(
        QRect(QPoint(), window.size())
    )
