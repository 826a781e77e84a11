"""The window of a study: what it is, its worklist, and what it came to."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.studies.results_view import ResultsView
from brainseg_desktop.gui.studies.worklist_view import WorklistView
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.studies.material import Overview
from brainseg_desktop.services.studies.study import Study


class StudyWindow(QWidget):
    """Shows a study; does nothing itself.

    Signals
    -------
    closed : the user closed the window; the study stays open.
    unblind_wanted, outline_wanted, cancel_wanted : buttons.
    """

    closed = Signal()
    unblind_wanted = Signal()
    outline_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, results: ResultsView) -> None:
        super().__init__()
        self.setWindowTitle(tr("Study"))
        self.resize(1100, 720)
        self._title = QLabel()
        self._title.setObjectName("title")
        self._state = faint()
        self._unblind = QPushButton(tr("Unblind..."))
        self._unblind.setToolTip(tr("Show all masks and scores to everybody, for good"))
        self._unblind.clicked.connect(self.unblind_wanted)
        self._outline = QPushButton(tr("Outline cases with AI"))
        self._outline.setToolTip(tr("Have the network outline every case that it has not outlined yet"))
        self._outline.clicked.connect(self.outline_wanted)
        self._progress = QProgressBar()
        self._progress.setFixedWidth(180)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.clicked.connect(self.cancel_wanted)
        self.worklist = WorklistView()
        self.results = results
        self._design = QLabel()
        self._design.setWordWrap(True)
        self._design.setMargin(12)
        self._design.setTextInteractionFlags(
            self._design.textInteractionFlags() | self._design.textInteractionFlags().TextSelectableByMouse
        )
        design = QWidget()
        column = QVBoxLayout(design)
        column.addWidget(self._design)
        column.addStretch(1)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.worklist, tr("Worklist"))
        self.tabs.addTab(results, tr("Agreement"))
        self.tabs.addTab(design, tr("Design"))
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        for widget in (self._progress, self._cancel, self._outline, self._unblind):
            head.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self._state)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(faint(tr("For research use only.")))
        self.set_progress(None)

    def set_study(self, study: Study, overview: Overview) -> None:
        """Show a study and how far it is."""
        design, blinded, items = study.design, overview.is_blinded, list(overview.items)
        self.setWindowTitle(tr("Study: {study}", study=design.name))
        self._title.setText(design.name)
        reader = study.reader
        who = (
            tr("You read as {reader}.", reader=reader.name)
            if reader is not None
            else tr("You look after the study.")
        )
        hidden = tr("Masks of others and scores are hidden until it is unblinded.") if blinded else ""
        if blinded and design.reveal == "case":
            hidden = tr(
                "Masks of others and scores of a case are hidden until you have locked your readings of it."
            )
        shown = tr("Everybody sees all masks.") if not blinded else ""
        self._state.setText(" ".join(part for part in (who, hidden, shown) if part))
        done = all(item.status == "locked" for item in items)
        # A reader does not break the blinding of readings that are still to come.
        self._unblind.setVisible(blinded and (reader is None or done))
        self._outline.setVisible(reader is None or not blinded)
        names = {r.key: r.name for r in design.readers}
        self.worklist.set_items(items, names, of_one=reader is not None)
        known = [*overview.design.items(), ("Folder", str(study.folder))]
        if blinded and reader is not None:
            # Who knows of repeats looks for them.
            known = [(k, v) for k, v in known if k not in ("Hidden repeats", "Readers", "Order")]
        lines = (f"<tr><td><b>{k}</b>&nbsp;&nbsp;</td><td>{_html(v)}</td></tr>" for k, v in known)
        self._design.setText(f"<table cellspacing='6'>{''.join(lines)}</table>")

    def set_progress(self, done: float | None, text: str = "") -> None:
        """Show how far a job is; None: there is none."""
        running = done is not None
        self._progress.setVisible(running)
        self._cancel.setVisible(running)
        self._outline.setEnabled(not running)
        self._progress.setRange(0, 1000)
        self._progress.setValue(round(1000 * (done or 0)))
        self._progress.setFormat(f"{text} %p %" if text else "%p %")

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closed.emit()
        super().closeEvent(event)


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
