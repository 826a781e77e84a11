"""Talks to archives in the background and keeps their window up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.services.language import tr, tr_many
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.scrubbing import alias

if TYPE_CHECKING:
    from brainseg_desktop.gui.pacs.inbox import Inbox
    from brainseg_desktop.gui.pacs.pacs_window import PacsWindow
    from brainseg_desktop.services.pacs.credentials import Credentials
    from brainseg_desktop.services.pacs.nodes import PacsNode, PacsSettings
    from brainseg_desktop.services.pacs.records import Retrieved, Sent, StudyEntry

T = TypeVar("T")
Work = Callable[["Credentials | None", threading.Event], T]


class Archiving(QObject):
    """One window, made at the first wish for it; one thing at a time.

    Parameters
    ----------
    desk : Desk
    open_path : callable
        Opens a folder as a case.
    """

    def __init__(self, desk: Desk, open_path: Callable[[Path], None]) -> None:
        super().__init__(desk.window)
        self._desk, self._open_path = desk, open_path
        self._window: PacsWindow | None = None
        self._settings: PacsSettings | None = None
        self._inbox: Inbox | None = None
        self.inbox_label = QLabel()
        self.inbox_label.hide()
        self.dialog: QDialog | None = None
        # What was entered while the window is open; forgotten with it.
        self._logins: dict[str, Credentials] = {}
        self._stop: threading.Event | None = None

    # The window -------------------------------------------------------------------------------------

    @property
    def window(self) -> PacsWindow:
        """Made when it is first needed, so that the program starts quickly."""
        if self._window is None:
            from brainseg_desktop.gui.pacs.inbox import Inbox
            from brainseg_desktop.gui.pacs.pacs_window import PacsWindow

            window = self._window = PacsWindow()
            self._inbox = Inbox(self._desk, window, self.inbox_label)
            window.closed.connect(self._closed)
            window.add_wanted.connect(self._add)
            window.edit_wanted.connect(self._edit)
            window.remove_wanted.connect(self._remove)
            window.test_wanted.connect(self.test)
            window.find_wanted.connect(self.find)
            window.retrieve_wanted.connect(self._ask_folder)
            window.send_wanted.connect(self._ask_files)
            window.cancel_wanted.connect(self.cancel)
            window.inbox_wanted.connect(self._switch_inbox)
            window.inbox_settings_wanted.connect(self._ask_inbox)
            window.received_wanted.connect(self._open_received)
            window.set_nodes(list(self.settings.nodes))
            self._inbox.show(self.settings.inbox)
        return self._window

    @property
    def settings(self) -> PacsSettings:
        """The archives, read at the first wish."""
        if self._settings is None:
            from brainseg_desktop.services.pacs.nodes import load_pacs

            self._settings, problem = load_pacs()
            if problem is not None:
                self._desk.complain(problem)
        return self._settings

    @property
    def is_busy(self) -> bool:
        """Whether an archive is being talked to."""
        return self._stop is not None

    def show(self) -> None:
        """Open the window, or bring it to the front; not in a blinded reading."""
        if self._desk.session.terms.blinded:
            self._desk.complain(UserError("reading_blinded"))
            return
        if not self.window.isVisible():
            (self.window.name if self.settings.nodes else self.window.add).setFocus()
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def follow(self) -> None:
        """A reading was opened: where it is blinded nothing may be looked up or brought in."""
        if self._window is not None and self._desk.session.terms.blinded:
            self._window.close()

    def cancel(self) -> None:
        """Stop what is going on; it ends within a moment."""
        if self._stop is not None:
            self._stop.set()
            self.window.cancel.setEnabled(False)
            self.window.set_status(tr("Stopping..."))

    def close(self) -> None:
        """The program ends: nothing goes on, nobody is listened to."""
        if self._stop is not None:
            self._stop.set()
        if self._window is not None:
            self._window.close()
        if self._inbox is not None:
            self._inbox.close()

    def _closed(self) -> None:
        self.cancel()
        self._logins.clear()
        if self.dialog is not None:
            self.dialog.reject()

    # Archives ---------------------------------------------------------------------------------------

    def _add(self) -> None:
        from brainseg_desktop.services.pacs.nodes import PacsNode, new_key

        self._ask_node(PacsNode(key=new_key()))

    def _edit(self) -> None:
        if self.window.node is not None and not self.is_busy:
            self._ask_node(self.window.node)

    def _ask_node(self, node: PacsNode) -> None:
        from brainseg_desktop.gui.pacs.pacs_dialogs import NodeDialog
        from brainseg_desktop.services.pacs.nodes import with_node

        def take(entered: PacsNode) -> None:
            self._keep(with_node(self.settings, entered))
            self._logins.pop(node.key, None)

        def answered(accepted: bool) -> None:
            if accepted:
                self.window.set_nodes(list(self.settings.nodes), node.key)
                self.window.set_tested(tr("Not tested yet."))

        self._ask(NodeDialog(node, take, self.window), answered)

    def _ask(self, dialog: QDialog, answered: Callable[[bool], None]) -> None:
        self.dialog = dialog

        def done(accepted: bool) -> None:
            self.dialog = None
            answered(accepted)

        ask(dialog, done)

    def _keep(self, settings: PacsSettings) -> None:
        from brainseg_desktop.services.pacs.nodes import save_pacs

        save_pacs(settings)
        self._settings = settings

    def _remove(self) -> None:
        from brainseg_desktop.services.pacs.credentials import forget_credentials
        from brainseg_desktop.services.pacs.nodes import without_node

        node = self.window.node
        if node is None:
            return
        try:
            self._keep(without_node(self.settings, node))
        except UserError as error:
            self.window.set_tested(words(error), warning=True)
            return
        self._logins.pop(node.key, None)
        self.window.set_nodes(list(self.settings.nodes))
        if self.settings.nodes:
            self.window.set_tested(tr("{node} was removed.", node=node.title))
        if node.login != "none":
            self._desk.jobs.free(lambda: forget_credentials(node), lambda _: None, self._desk.complain)

    # Talking ----------------------------------------------------------------------------------------

    def test(self) -> None:
        """Ask the chosen archive whether it is there."""
        from brainseg_desktop.services.pacs.client import check_node

        node = self.window.node
        if node is None:
            return
        self._begin(
            node,
            tr("Testing..."),
            lambda login, stop: check_node(node, login, stop.is_set),
            lambda seconds: self.window.set_tested(
                tr("{node} answered in {seconds:.0f} ms.", node=node.title, seconds=1000 * seconds)
            ),
            lambda text: self.window.set_tested(text, warning=True),
        )

    def find(self) -> None:
        """Ask the chosen archive for studies."""
        from brainseg_desktop.services.pacs import client

        node = self.window.node
        if node is None:
            return
        try:
            query = self.window.query()
            query.matched()
        except UserError as error:
            self.window.set_status(words(error), warning=True)
            return

        def found(studies: list[StudyEntry]) -> None:
            self.window.table.set_studies(studies)
            if len(studies) >= query.limit:
                self.window.set_status(
                    tr("The first {count} studies are shown. Ask for less.", count=len(studies)), warning=True
                )
            else:
                self.window.set_status(
                    tr_many("{count} study found.", "{count} studies found.", len(studies))
                )

        self._begin(
            node, tr("Asking..."), lambda login, stop: client.find(node, query, login, stop.is_set), found
        )

    def _ask_folder(self) -> None:
        if self.window.study is None or self.is_busy:
            return
        chosen = QFileDialog.getExistingDirectory(self.window, tr("Retrieve into a folder"))
        if chosen:
            self.retrieve(Path(chosen))

    def retrieve(self, folder: Path) -> None:
        """Bring the chosen study into a folder of its own in `folder` and open it."""
        from brainseg_desktop.services.pacs import client

        node, study = self.window.node, self.window.study
        if node is None or study is None:
            return
        # The same exam gets the same folder again, and its name says nothing of the patient.
        place = folder / f"exam-{alias(study.uid)}"

        def came(result: Retrieved) -> None:
            said = tr_many("{count} image", "{count} images", result.files)
            if result.problem is not None:
                self.window.set_status(
                    tr("{images} retrieved. {reason}", images=said, reason=words(result.problem)),
                    warning=True,
                )
            elif result.cancelled:
                self.window.set_status(
                    tr("Cancelled; {images} had been retrieved into {place}.", images=said, place=place)
                )
            else:
                self.window.set_status(tr("{images} retrieved into {place}.", images=said, place=place))
                self._open_path(place)

        self._begin(
            node,
            tr("Retrieving..."),
            lambda login, stop: client.retrieve(
                node, study, place, self._tell(stop), stop.is_set, credentials=login
            ),
            came,
        )

    def _ask_files(self) -> None:
        if self.is_busy:
            return
        chosen, _ = QFileDialog.getOpenFileNames(
            self.window, tr("Send DICOM files"), "", tr("DICOM (*.dcm);;All files (*)")
        )
        if chosen:
            self.send([Path(p) for p in chosen])

    def send(self, files: list[Path]) -> None:
        """Send files to the chosen archive."""
        from brainseg_desktop.services.pacs import client

        node = self.window.node
        if node is None:
            return

        def done(result: Sent) -> None:
            said = tr_many(
                "{sent} of {count} file sent to {node}.",
                "{sent} of {count} files sent to {node}.",
                len(files),
                sent=result.sent,
                node=node.title,
            )
            if result.problem is not None:
                self.window.set_status(f"{said} {words(result.problem)}", warning=True)
            else:
                self.window.set_status(tr("Cancelled; {said}", said=said) if result.cancelled else said)

        self._begin(
            node,
            tr("Sending..."),
            lambda login, stop: client.send(node, files, self._tell(stop), stop.is_set, credentials=login),
            done,
        )

    def _tell(self, stop: threading.Event) -> Callable[[int, int | None], None]:
        def tell(done: int, total: int | None) -> None:
            self._desk.jobs.post(lambda: self._progressed(stop, done, total))

        return tell

    def _progressed(self, stop: threading.Event, done: int, total: int | None) -> None:
        # What was posted before the end may come after it.
        if stop is self._stop and not stop.is_set():
            self.window.set_progress(done, total)

    def _begin(
        self,
        node: PacsNode,
        text: str,
        work: Work[T],
        done: Callable[[T], None],
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do one thing with an archive, logged in where it wants that; a second wish meanwhile is dropped."""
        if self.is_busy:
            return
        stop = self._stop = threading.Event()
        self.window.set_progress(0)
        self.window.set_status(text)
        failed = failed or (lambda said: self.window.set_status(said, warning=True))

        def end() -> bool:
            """Whether the result is still wanted."""
            self._stop = None
            self.window.set_progress(None)
            self.window.set_status(tr("Cancelled.") if stop.is_set() else "")
            return self.window.isVisible()

        def came(result: T) -> None:
            if end():
                done(result)

        def broke(error: BaseException) -> None:
            wanted = end()
            if not isinstance(error, UserError):
                self._desk.complain(error)
                return
            if error.code in ("pacs_login", "pacs_login_needed"):
                self._logins.pop(node.key, None)
            if wanted and error.code != "pacs_cancelled":
                failed(words(error))

        def go(login: Credentials | None) -> None:
            self._desk.jobs.free(lambda: work(login, stop), came, broke)

        self._log_in(node, stop, go, end)

    def _log_in(
        self,
        node: PacsNode,
        stop: threading.Event,
        go: Callable[[Credentials | None], None],
        given_up: Callable[[], object],
    ) -> None:
        if node.login == "none" or node.key in self._logins:
            go(self._logins.get(node.key))
            return
        from brainseg_desktop.services.pacs.credentials import keyring_name, saved_credentials

        def known(found: tuple[Credentials | None, str | None]) -> None:
            login, keyring = found
            if stop.is_set() or not self.window.isVisible():
                given_up()
            elif login is not None:
                self._logins[node.key] = login
                go(login)
            else:
                self._ask_login(node, keyring, go, given_up)

        # A keyring may ask the user itself, or be slow.
        self._desk.jobs.free(
            lambda: (saved_credentials(node), keyring_name()),
            known,
            lambda _: self._ask_login(node, None, go, given_up),
        )

    def _ask_login(
        self,
        node: PacsNode,
        keyring: str | None,
        go: Callable[[Credentials | None], None],
        given_up: Callable[[], object],
    ) -> None:
        from brainseg_desktop.gui.pacs.pacs_dialogs import LoginDialog
        from brainseg_desktop.services.pacs.credentials import save_credentials

        dialog = LoginDialog(node, keyring, self.window)

        def answered(accepted: bool) -> None:
            if not accepted:
                given_up()
                return
            login = self._logins[node.key] = dialog.credentials
            if dialog.keep.isChecked():
                self._desk.jobs.free(
                    lambda: save_credentials(node, login), lambda _: None, self._desk.complain
                )
            go(login)

        self._ask(dialog, answered)

    # The inbox --------------------------------------------------------------------------------------

    def _switch_inbox(self, on: bool) -> None:
        assert self._inbox is not None
        self._inbox.switch(on, self.settings.inbox)

    def _ask_inbox(self) -> None:
        from brainseg_desktop.gui.pacs.pacs_dialogs import InboxDialog
        from brainseg_desktop.services.pacs.client import make_receiver
        from brainseg_desktop.services.pacs.nodes import InboxSettings

        def take(entered: InboxSettings) -> None:
            make_receiver(entered)
            self._keep(msgspec.structs.replace(self.settings, inbox=entered))

        def answered(accepted: bool) -> None:
            if accepted and self._inbox is not None:
                self._inbox.show(self.settings.inbox)

        self._ask(InboxDialog(self.settings.inbox, take, self.window), answered)

    def _open_received(self) -> None:
        from brainseg_desktop.services.pacs.nodes import inbox_folder

        chosen = QFileDialog.getExistingDirectory(
            self.window, tr("Open an exam that was received"), str(inbox_folder(self.settings.inbox))
        )
        if chosen:
            self._open_path(Path(chosen))


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
