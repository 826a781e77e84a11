"""Exams that are sent to this computer, taken while the program runs and the user wants it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.pacs.pacs_window import PacsWindow
from brainseg_desktop.services.language import tr, tr_many
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.client import make_receiver
from brainseg_desktop.services.pacs.instances import InstanceFolder, Outcome
from brainseg_desktop.services.pacs.nodes import InboxSettings, inbox_folder
from brainseg_desktop.services.pacs.receiving import Receiver


class Inbox(QObject):
    """Listens in the background, and says so in the status bar.

    Parameters
    ----------
    desk : Desk
    window : PacsWindow
    label : QLabel
        In the status bar.
    """

    def __init__(self, desk: Desk, window: PacsWindow, label: QLabel) -> None:
        super().__init__(window)
        self._desk, self._window, self._label = desk, window, label
        self._receiver: Receiver | None = None
        self._settings = InboxSettings()
        self._changing = False
        self._folders: set[Path] = set()
        self._images = 0

    @property
    def is_on(self) -> bool:
        return self._receiver is not None

    def show(self, settings: InboxSettings) -> None:
        """Say whether it listens, and what came."""
        self._settings = settings
        exams = tr_many(
            "{count} exam, {images} images",
            "{count} exams, {images} images",
            len(self._folders),
            images=self._images,
        )
        if self._receiver is not None:
            place = tr("port {port} as {title}", port=settings.port, title=settings.own_title)
            self._window.set_inbox(
                True, tr("Listening at {place}. Received: {exams}.", place=place, exams=exams)
            )
            self._label.setText(tr("Inbox on: {exams}", exams=exams))
        else:
            self._window.set_inbox(
                False, tr("Off. {exams} received.", exams=exams.capitalize()) if self._images else tr("Off.")
            )
        self._label.setVisible(self._receiver is not None)

    def switch(self, on: bool, settings: InboxSettings) -> None:
        """Begin or end to listen; a second wish while the first is carried out is dropped."""
        if self._changing or on == self.is_on:
            self.show(self._settings)
            return
        self._settings = settings
        if on:
            self._start(settings)
        else:
            self._end()

    def _start(self, settings: InboxSettings) -> None:
        store = InstanceFolder(inbox_folder(settings), by_study=True, took=self._took)
        try:
            receiver = make_receiver(settings, store)
        except UserError as error:
            self._failed(error)
            return
        self._changing = True
        self._window.inbox.setEnabled(False)

        def started(_: None) -> None:
            self._changed()
            self._receiver = receiver
            self.show(settings)

        self._desk.jobs.free(receiver.start, started, self._failed)

    def _end(self) -> None:
        receiver, self._receiver = self._receiver, None
        assert receiver is not None
        self._changing = True
        self._window.inbox.setEnabled(False)

        def ended(_: None) -> None:
            self._changed()
            self.show(self._settings)

        self._desk.jobs.free(receiver.stop, ended, self._failed)

    def _changed(self) -> None:
        self._changing = False
        self._window.inbox.setEnabled(True)

    def _failed(self, error: BaseException) -> None:
        self._changed()
        self.show(self._settings)
        if isinstance(error, UserError):
            self._window.inbox_state.setText(words(error))
        else:
            self._desk.complain(error)

    def _took(self, folder: Path, outcome: Outcome) -> None:
        """An image came, in a thread of the receiver."""
        self._desk.jobs.post(lambda: self._count(folder, outcome))

    def _count(self, folder: Path, outcome: Outcome) -> None:
        self._folders.add(folder)
        self._images += outcome is Outcome.NEW
        self.show(self._settings)

    def close(self) -> None:
        """The program ends."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.stop()
