"""Says at the start that nothing can be kept, and leaves a word of it in the window."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QMainWindow

from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.services.home import unkept_home
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words


def tell_unkept(desk: Desk) -> None:
    """Tell it if settings and strokes cannot be written; work goes on all the same."""
    error = unkept_home()
    if error is None:
        return
    desk.complain(error)
    # The next sentence takes that one's place; this stays.
    mark = QLabel(tr("Nothing is kept"))
    mark.setObjectName("unkept")
    mark.setToolTip(words(error))
    mark.setAccessibleDescription(words(error))
    window = desk.window
    assert isinstance(window, QMainWindow)
    window.statusBar().addPermanentWidget(mark)
