"""What the parts of the window share: the session, the view state, background work, and a way to speak."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.panels.parts import MessageBar
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.session import Session

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """Passed to every controller; made once by the main window."""

    window: QWidget
    session: Session
    state: ViewState
    jobs: Jobs
    messages: MessageBar

    def say(self, text: str) -> None:
        """A remark above the pictures."""
        self.messages.show_message(text, error=False)

    def complain(
        self, error: BaseException, *, action: str = "", call: Callable[[], None] | None = None
    ) -> None:
        """Tell what went wrong: a sentence for what the user can mend, the crash dialog for a bug."""
        if isinstance(error, UserError):
            self.messages.show_message(words(error), error=True, action=action, call=call)
            return
        _log.error("unexpected error", exc_info=error)
        # Imported here: a bug is rare, and the start must be quick.
        from brainseg_desktop.gui.dialogs.crash import show_bug

        show_bug(self.window, error)
