"""Tells of a bug, or of a crash at the last start: a report to read, copy and save. The program goes on."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.dialogs.dialogs import size_by_font
from brainseg_desktop.gui.file_manager import show_folder
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.crash_report import PRIVACY, report_bug, save_report
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.paths import log_dir
from brainseg_desktop.services.scrubbing import Scrubber

_log = logging.getLogger(__name__)


class CrashWindow(QDialog):
    """A report that a person can read, with ways to hand it on; it does not block the program."""

    def __init__(self, said: str, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Something unexpected happened"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        size_by_font(self, 48, 34)
        self._times = 1
        title = QLabel(said)
        title.setObjectName("step")
        title.setWordWrap(True)
        self._note = faint(tr(PRIVACY))
        self._page = QPlainTextEdit(report)
        self._page.setReadOnly(True)
        self._page.setAccessibleName(tr("Report"))
        self._page.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._page.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.reject)
        role = QDialogButtonBox.ButtonRole.ActionRole
        copy = buttons.addButton(tr("Copy"), role)
        copy.clicked.connect(self._copy)
        save = buttons.addButton(tr("Save as..."), role)
        save.clicked.connect(self._save)
        folder = buttons.addButton(tr("Open log folder"), role)
        folder.clicked.connect(self._open_folder)
        layout = QVBoxLayout(self)
        for widget in (title, self._note, self._page, buttons):
            layout.addWidget(widget)

    @property
    def report(self) -> str:
        """The text as it is copied and saved."""
        return self._page.toPlainText()

    def add(self, report: str) -> None:
        """Another error while this window is open: counted, and written below unless there are many."""
        self._times += 1
        if self._times <= 3:
            self._page.appendPlainText(f"\n{'-' * 60}\n\n{report}")
        self._note.setText(
            tr(
                "{count} errors while this window is open. {privacy}",
                count=self._times,
                privacy=tr(PRIVACY),
            )
        )

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.report)
        self._note.setText(tr("The report was copied."))

    def _save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Save the report"), str(Path.home() / "brainseg-report.txt"), tr("Text (*.txt)")
        )
        if not chosen:
            return
        try:
            save_report(self.report, Path(chosen))
        except UserError as error:
            self._note.setText(words(error))
        else:
            self._note.setText(tr("Saved: {path}", path=chosen))

    def _open_folder(self) -> None:
        error = show_folder(log_dir(), make=True)
        if error is not None:
            self._note.setText(words(error))


def show_report(parent: QWidget | None, said: str, report: str) -> CrashWindow:
    """Show a report, in the window that is open already if there is one: errors come in swarms."""
    for shown in QApplication.topLevelWidgets():
        if isinstance(shown, CrashWindow) and shown.isVisible():
            shown.add(report)
            return shown
    made = CrashWindow(said, report, parent)
    made.show()
    return made


def show_bug(parent: QWidget | None, error: BaseException) -> None:
    """Tell of an error of the program's own."""
    scrubber = getattr(parent, "scrubber", None)
    said = tr(
        "The program met an error of its own. Your strokes are in the journal. "
        "Please copy the report for whoever looks after the program."
    )
    show_report(parent, said, report_bug(error, scrubber or Scrubber()))


def install_hook(parent: QWidget | None) -> None:
    """Show every uncaught exception instead of losing it on a terminal that is not there."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _log.critical("uncaught", exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)
        if threading.current_thread() is threading.main_thread() and isinstance(error, Exception):
            try:
                show_bug(parent, error)
            except Exception:
                # A report that cannot be shown may not call for another one.
                _log.critical("no report could be shown", exc_info=True)

    sys.excepthook = hook
