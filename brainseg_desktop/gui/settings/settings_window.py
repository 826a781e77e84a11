"""The settings window: pages left, what they hold right. No OK and no Cancel: a change counts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QListWidget, QStackedWidget, QVBoxLayout

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.dialogs.dialogs import size_by_font
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.settings.device_page import DevicePage
from brainseg_desktop.gui.settings.display_page import DisplayPage
from brainseg_desktop.gui.settings.folders_page import FoldersPage
from brainseg_desktop.gui.settings.general_page import GeneralPage
from brainseg_desktop.gui.settings.keys_page import KeysPage
from brainseg_desktop.gui.settings.page import Page, push
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow


class SettingsWindow(QDialog):
    """Stands beside the main window, which shows each change while it is made.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.setWindowTitle(tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        size_by_font(self, 52, 40)
        self.device = DevicePage(window)
        self.pages: tuple[Page, ...] = (
            GeneralPage(window),
            FoldersPage(window),
            DisplayPage(window),
            KeysPage(window),
            self.device,
        )
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Pages of the settings"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._stack = QStackedWidget()
        for page in self.pages:
            self.list.addItem(page.title)
            self._stack.addWidget(page)
        self.list.setFixedWidth(self.list.sizeHintForColumn(0) + 2 * self.fontMetrics().height())
        self.list.currentRowChanged.connect(self._stack.setCurrentIndex)
        self._problem = QLabel()
        self._problem.setObjectName("warning")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self._lay_out()
        self.list.setCurrentRow(0)
        self.list.setFocus()
        window.settings_changed.connect(self._follow)
        self.finished.connect(self._leave)

    def show_page(self, number: int) -> None:
        """Turn to a page."""
        self.list.setCurrentRow(number)

    def _lay_out(self) -> None:
        close = push(tr("Close"), tr("Every change is kept already"), self.close)
        foot = QHBoxLayout()
        foot.addWidget(faint(tr("Changes take effect and are kept at once.")), 1)
        foot.addWidget(close)
        middle = QHBoxLayout()
        middle.addWidget(self.list)
        middle.addWidget(self._stack, 1)
        column = QVBoxLayout(self)
        column.addLayout(middle, 1)
        column.addWidget(self._problem)
        column.addLayout(foot)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Enter ends the typing of a name and closes nothing.
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)

    def _follow(self, problem: UserError | None) -> None:
        self._problem.setText("" if problem is None else words(problem))
        self._problem.setVisible(problem is not None)
        for page in self.pages:
            page.follow()

    def _leave(self) -> None:
        for page in self.pages:
            page.leave()
        self._window.settings_changed.disconnect(self._follow)
