"""The report of the open case: asked for, made in the background, written as PDF or HTML."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.language import mark, tr

KINDS = mark("PDF (*.pdf);;HTML (*.html)")


class CaseReportDialog(QDialog):
    """Asks for the reader's remark, and whether the case may be named."""

    def __init__(self, mask: str, reference: str | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Report of this case"))
        against = tr(", against {reference}", reference=reference) if reference is not None else ""
        self._remark = QPlainTextEdit()
        self._remark.setPlaceholderText(tr("Remark, printed in the report"))
        self._remark.setAccessibleName(tr("Remark"))
        self._remark.setTabChangesFocus(True)
        self._remark.setFixedHeight(6 * self.fontMetrics().height())
        self._named = QCheckBox(tr("Print the name of the case"))
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Save).setText(tr("Save as..."))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(
            QLabel(
                tr(
                    "The mask {mask}{against}: pictures, volumes, measures, changes and origin.",
                    mask=mask,
                    against=against,
                )
            )
        )
        layout.addWidget(self._remark)
        layout.addWidget(self._named)
        layout.addWidget(
            faint(tr("Names of cases and files often name the patient; without the tick none is printed."))
        )
        layout.addWidget(buttons)
        self.setMinimumWidth(46 * self.fontMetrics().horizontalAdvance("m"))

    @property
    def remark(self) -> str:
        return self._remark.toPlainText().strip()

    @property
    def is_named(self) -> bool:
        """Whether the case's name is to be printed."""
        return self._named.isChecked()


class CaseReporter(QObject):
    """Writes reports of the mask shown."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.dialog: CaseReportDialog | None = None

    def ask(self) -> None:
        """Ask for remark and file, then write."""
        session = self._desk.session
        case, shown, reference = session.case, session.measured, session.reference
        if case is None or shown is None:
            return
        dialog = CaseReportDialog(
            shown.rater, reference.rater if reference is not None else None, self._desk.window
        )
        self.dialog = dialog

        def answered(accepted: bool) -> None:
            self.dialog = None
            if not accepted or session.case is not case:
                return
            chosen, kind = QFileDialog.getSaveFileName(
                self._desk.window, tr("Save the report"), "report.pdf", tr(KINDS)
            )
            if chosen:
                path = Path(chosen)
                if not path.suffix:
                    path = path.with_suffix(".html" if "html" in kind else ".pdf")
                self.write(case, shown, reference, path, dialog.remark, named=dialog.is_named)

        ask(dialog, answered)

    def write(
        self, case: Case, shown: Rating, reference: Rating | None, path: Path, remark: str, *, named: bool
    ) -> None:
        """Write the report of a mask as it is now, whatever is painted meanwhile."""
        from brainseg_desktop.services.report.case_pages import case_document
        from brainseg_desktop.services.report.document import write_report

        audit = self._desk.session.audit(shown)
        record = audit.record() if audit is not None else None
        frozen = [None if r is None else _frozen(r) for r in (shown, reference)]
        mask, other = frozen
        assert mask is not None

        def work() -> None:
            write_report(case_document(case, mask, other, remark=remark, show_name=named, audit=record), path)

        self._desk.jobs.document(
            work,
            lambda _: self._desk.say(tr("The report was written to {path}.", path=path)),
            self._desk.complain,
        )


def _frozen(rating: Rating) -> Rating:
    """A copy that strokes do not reach."""
    return dataclasses.replace(rating, label_map=LabelMap(rating.label_map.array))
