"""Offers at the start what a crash, or a window closed without export, left in journals."""

from __future__ import annotations

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import RecoveryDialog, ask
from brainseg_desktop.gui.tasks.opening import Opener
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.recovery import Recoverable, case_files, discard, pending


class Recovering(QObject):
    """Asks about one journal after the other; the newest first.

    Signals
    -------
    asked : the first question was answered, or there was none.
    """

    asked = Signal()

    def __init__(self, desk: Desk, opener: Opener) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._opener = opener
        self.dialog: RecoveryDialog | None = None

    def offer(self) -> None:
        """Look for journals in the background and ask about what is found."""
        state_dir = self._desk.session.state_dir
        told: list[UserError] = []

        def look() -> list[Recoverable]:
            # What belongs to a reading of a study comes back when that reading is opened by its reader.
            return [found for found in pending(state_dir, told) if found.study is None]

        def answer(found: list[Recoverable]) -> None:
            for error in told[:1]:
                self._desk.complain(error)
            self._ask(found)

        self._desk.jobs.free(look, answer, self._desk.complain)

    def _ask(self, found: list[Recoverable]) -> None:
        if not found:
            self.asked.emit()
            return
        first, rest = found[0], found[1:]
        lines = [
            tr(
                "{case}: {rater}, {strokes} strokes, {time:%Y-%m-%d %H:%M}",
                case=first.case,
                rater=first.rater,
                strokes=first.strokes,
                time=first.time.astimezone(),
            )
        ]
        if rest:
            lines.append(tr("{count} more after this one.", count=len(rest)))
        dialog = RecoveryDialog(lines, self._desk.window)
        self.dialog = dialog

        def answered(_: bool) -> None:
            self.dialog = None
            self.asked.emit()
            self._act(dialog.choice, first, rest)

        ask(dialog, answered)

    def _act(self, choice: str, first: Recoverable, rest: list[Recoverable]) -> None:
        if choice == "restore":
            self._restore(first)
        elif choice == "show":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(first.path.parent)))
            self._ask([first, *rest])
        elif choice == "discard":
            try:
                discard(first)
            except UserError as error:
                self._desk.complain(error)
            self._ask(rest)
        # "later", or the dialog closed: all of it is offered again at the next start.

    def _restore(self, found: Recoverable) -> None:
        # Looks at the disk, perhaps a slow share: not on the window's thread.
        self._desk.jobs.free(
            lambda: case_files(found),
            lambda files: self._opener.open_found(files, found),
            self._desk.complain,
        )
