"""Tells of a bug: what to copy into a report. The program goes on."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from brainseg_desktop import __version__
from brainseg_desktop.services.language import tr

_log = logging.getLogger(__name__)


def show_bug(parent: QWidget | None, error: BaseException) -> None:
    """A dialog with the details and a button that copies them; it does not block the program."""
    details = "".join(traceback.format_exception(error))
    box = QMessageBox(parent)
    box.setWindowTitle(tr("Something unexpected happened"))
    box.setIcon(QMessageBox.Icon.Warning)
    box.setText(
        tr(
            "The program met an error of its own. Your strokes are in the journal. Please copy "
            "the details into a report."
        )
    )
    box.setDetailedText(f"BrainSeg Desktop {__version__}\n{details}")
    copy = box.addButton(tr("Copy details"), QMessageBox.ButtonRole.ActionRole)
    box.addButton(QMessageBox.StandardButton.Close)
    copy.clicked.connect(lambda: QApplication.clipboard().setText(box.detailedText()))
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()


def install_hook(parent: QWidget | None) -> None:
    """Show every uncaught exception instead of losing it on a terminal that is not there."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _log.critical("uncaught", exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)
        if threading.current_thread() is threading.main_thread() and isinstance(error, Exception):
            show_bug(parent, error)

    sys.excepthook = hook
