"""The network outlines the cases of a study, one after the other, in the background."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Signal

from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies.outlining import Outlined, outline_cases
from brainseg_desktop.services.studies.study import Study


class StudyOutlining(QObject):
    """One such job at a time.

    Signals
    -------
    progress : share done, or None when it has ended.
    """

    progress = Signal(object)

    def __init__(self, desk: Desk, device: str) -> None:
        super().__init__(desk.window)
        self._desk, self.device = desk, device
        self._cancel: threading.Event | None = None

    def start(self, study: Study, model: str) -> None:
        """Outline what is not outlined yet; masks that are there are kept."""
        if self._cancel is not None:
            return
        cancel = self._cancel = threading.Event()
        post = self._desk.jobs.post
        self.progress.emit(0.0)

        def tell(done: float) -> None:
            post(lambda: self._show(cancel, done))

        def home(result: Outlined) -> None:
            if self._ended(cancel):
                said = tr(
                    "The network outlined {written} cases; {kept} were outlined before.",
                    written=result.written,
                    kept=result.kept,
                )
                if result.problems:
                    case, error = result.problems[0]
                    said += tr(
                        " {count} could not be: {case}: {reason}",
                        count=len(result.problems),
                        case=case,
                        reason=words(error),
                    )
                self._desk.say(said)

        def failed(error: BaseException) -> None:
            if self._ended(cancel):
                self._desk.complain(error)

        self._desk.jobs.long(
            lambda: outline_cases(study, model=model or None, device=self.device, tell=tell, cancel=cancel),
            home,
            failed,
        )

    def cancel(self) -> None:
        """End it at once; what was written stays, and the next start goes on there."""
        if self._cancel is not None:
            self._cancel.set()
            self._cancel = None
            self.progress.emit(None)

    def _ended(self, cancel: threading.Event) -> bool:
        if self._cancel is not cancel:
            return False
        self._cancel = None
        self.progress.emit(None)
        return True

    def _show(self, cancel: threading.Event, done: float) -> None:
        if self._cancel is cancel:
            self.progress.emit(done)
