"""The first start: nothing can be done before the research-use notice is acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from brainseg_desktop.gui.panels.welcome_view import WelcomeView
from brainseg_desktop.services.notice import accepted, is_accepted, notice_version

if TYPE_CHECKING:
    from PySide6.QtGui import QAction

    from brainseg_desktop.gui.main_window import MainWindow

_log = logging.getLogger(__name__)


class Welcoming(QObject):
    """Shows the welcome page in the window while the notice is open, and what was chosen there."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._held: list[QAction | QMenu] = []
        self.view: WelcomeView | None = None

    def offer(self, then: Callable[[bool], None], waiting: str = "") -> None:
        """Show the page if it is needed; `then` is called as soon as the notice is acknowledged.

        Parameters
        ----------
        then : function
            What the start goes on with: work to be recovered and, where it is told so, what was handed over.
        waiting : str
            Name of what was handed over.
        """
        window = self._window
        if is_accepted(window.settings):
            then(True)
            return
        view = WelcomeView(
            again=bool(window.settings.notice_accepted),
            waiting=waiting,
            guide="guide" in window.actions_by_name,
        )
        self.view = view
        view.chosen.connect(lambda name: self._begin(name, then))
        self._hold(True)
        centre = window.centralWidget()
        assert centre is not None
        middle = centre.layout()
        assert middle is not None
        window.empty.hide()
        middle.addWidget(view)
        view.show()

    def _begin(self, name: str, then: Callable[[bool], None]) -> None:
        window, view = self._window, self.view
        if view is None or not view.tick.isChecked():
            return
        self.view = None
        window.settings = accepted(window.settings, date.today())
        window.remember()
        _log.info("research-use notice %s acknowledged", notice_version())
        view.hide()
        view.deleteLater()
        self._hold(False)
        window.following.follow_case()
        # Strokes of an earlier version come before anything new.
        then(name == "go_on")
        if name != "go_on":
            # These are names of actions.
            window.actions_by_name[name].trigger()

    def _hold(self, on: bool) -> None:
        """Let no key, menu or drop pass by the notice; to look and to quit is always allowed."""
        window = self._window
        window.setAcceptDrops(not on)
        window.tool_bar.setEnabled(not on)
        if on:
            spared = {window.actions_by_name[n] for n in ("quit", "theme", "about", "help", "log_folder")}
            self._held = [a for a in window.actions_by_name.values() if a.isEnabled() and a not in spared]
        for action in self._held:
            action.setEnabled(not on)
        if not on:
            self._held = []
