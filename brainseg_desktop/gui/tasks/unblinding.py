"""Unblinding a study: asked once more, and said what it means while readings are open."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QMessageBox

from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.studies.study import Study


class Unblinding(QObject):
    """Asks, and has it done.

    Signals
    -------
    done : `Study` whose masks and scores may be seen now.
    """

    done = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.dialog: QDialog | None = None

    def ask(self, study: Study) -> None:
        """Ask whether masks and scores shall be shown, and how many readings are open still."""
        self._desk.jobs.free(
            study.open_readings, lambda left: self._ask(study, len(left)), self._desk.complain
        )

    def _ask(self, study: Study, left: int) -> None:
        if left and study.reader is not None:
            self._desk.say(
                tr(
                    "{left} readings of this study are not locked yet. Who looks after the study can "
                    "unblind it before they are.",
                    left=left,
                )
            )
            return
        text = tr("Everybody will see all masks and scores. This cannot be taken back.")
        if left:
            text = tr(
                "{left} readings are not locked yet. What is locked after unblinding is marked as "
                "not blind in every table. {text}",
                left=left,
                text=text,
            )
        box = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Unblind the study?"),
            text,
            QMessageBox.StandardButton.Cancel,
            self._desk.window.window(),
        )
        button = box.addButton(
            tr("Unblind early") if left else tr("Unblind"), QMessageBox.ButtonRole.AcceptRole
        )
        self.dialog = box

        def answered(_: int) -> None:
            self.dialog = None
            if box.clickedButton() is button:
                self._unblind(study, early=bool(left))

        box.finished.connect(answered)
        box.open()

    def _unblind(self, study: Study, *, early: bool) -> None:
        by = study.reader.name if study.reader is not None else tr("the study's keeper")

        # After what is still being written.
        self._desk.jobs.document(
            lambda: study.unblind(by=by, early=early), lambda _: self.done.emit(study), self._desk.complain
        )
