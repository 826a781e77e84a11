"""Files handed over by a file manager, a drop or the command line are opened as what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject

from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.tasks.opening import Opener, case_key
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.starting import Wish, understand


class Starting(QObject):
    """Finds out in the background what files mean, and has the opener open it."""

    def __init__(self, desk: Desk, opener: Opener) -> None:
        super().__init__(desk.window)
        self._desk, self._opener = desk, opener
        self._turn = 0
        self._mask: Path | None = None
        opener.began.connect(self._another_began)
        opener.opened.connect(self._show_mask)

    def open(self, paths: Sequence[Path]) -> None:
        """Open files and folders that were chosen together; the latest wish counts."""
        if not paths:
            return
        if len(paths) == 1 and paths[0].is_dir():
            # Nothing to find out: it is read while the window is still being drawn.
            self._opener.open_path(paths[0])
            return
        self._turn += 1
        turn = self._turn

        def home(wish: Wish) -> None:
            if turn == self._turn:
                self._grant(wish)

        def failed(error: BaseException) -> None:
            if turn == self._turn:
                self._desk.complain(error)

        self._desk.jobs.free(lambda: understand(paths), home, failed)

    def _grant(self, wish: Wish) -> None:
        first = wish.cases[0][1]
        if len(wish.cases) > 1:
            listed = [(case_key(members), name) for name, members in wish.cases]
            self._opener.listed.emit(listed, tr("what was opened"))
        self._opener.tell_with_next(wish.notes)
        if len(first) == 1:
            self._opener.open_path(first[0])
        else:
            self._opener.open_files(list(first), ask=False)
        # After the opener has said that it began, which forgets the mask of an earlier wish.
        self._mask = wish.mask

    def _another_began(self) -> None:
        self._turn += 1
        self._mask = None

    def _show_mask(self) -> None:
        """A mask that was double-clicked is what its reader wants to see."""
        mask, session = self._mask, self._desk.session
        self._mask = None
        if mask is None or session.case is None:
            return
        for rating in session.case.ratings:
            if rating.source is not None and rating.source.path == mask:
                session.show(rating)
