"""Where cases are opened from, where exports go, and where the program keeps its own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.file_manager import show_folder
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.settings.page import Page, push
from brainseg_desktop.services.folders import folder_problem
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.paths import (
    config_dir,
    log_dir,
    state_dir,
    user_languages_dir,
    user_models_dir,
)

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow


@dataclass(slots=True)
class _Row:
    """One folder: how it is found, and the widgets that show it."""

    name: str
    path: Callable[[], Path | None]
    is_own: bool
    otherwise: str = ""
    setting: str = ""
    shown: QLineEdit = field(default_factory=QLineEdit)
    problem: QLabel = field(default_factory=faint)
    open: QPushButton | None = None
    forget: QPushButton | None = None


class FoldersPage(Page):
    """Each folder with what is wrong with it; the reader's two can be changed."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(tr("Folders"))
        self._window = window
        self._rows: list[_Row] = []
        self._is_gone = self._is_checking = self._is_outdated = False
        self.add_heading(tr("Your folders"))
        self._add(
            _Row(
                tr("Open cases from"),
                lambda: _chosen(window.settings.cases_dir),
                is_own=False,
                otherwise=tr("The folder used last"),
                setting="cases_dir",
            )
        )
        self._add(
            _Row(
                tr("Export to"),
                lambda: _chosen(window.settings.exports_dir),
                is_own=False,
                otherwise=tr("Beside the case"),
                setting="exports_dir",
            )
        )
        self.add_heading(tr("Folders of the program"))
        for name, path in (
            (tr("Networks of your own"), user_models_dir),
            (tr("Languages of your own"), user_languages_dir),
            (tr("Journals of unsaved strokes"), state_dir),
            (tr("Settings"), config_dir),
            (tr("Logs"), log_dir),
        ):
            self._add(_Row(name, path, is_own=True))
        self.add_note(
            tr(
                "These lie where your system keeps such files, so that the command line finds them too. To "
                "carry them all elsewhere, set the environment variable BRAINSEG_HOME to a folder."
            )
        )
        self.finish()

    def follow(self) -> None:
        for row in self._rows:
            path = row.path()
            row.shown.setText(str(path) if path is not None else row.otherwise)
            row.shown.setCursorPosition(0)
            row.shown.setToolTip(row.shown.text())
            if row.open is not None:
                row.open.setEnabled(path is not None)
            if row.forget is not None:
                row.forget.setEnabled(path is not None)
            if path is None:
                row.problem.hide()
        self._check()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.follow()

    def leave(self) -> None:
        self._is_gone = True

    def _add(self, row: _Row) -> None:
        self._rows.append(row)
        self.column.addWidget(QLabel(row.name))
        row.shown.setReadOnly(True)
        row.shown.setAccessibleName(row.name)
        line = QHBoxLayout()
        line.addWidget(row.shown, 1)
        if not row.is_own:
            line.addWidget(
                push(
                    tr("Change..."),
                    tr("Choose another folder"),
                    lambda: self._change(row),
                    tr("Change {name}", name=row.name),
                )
            )
            row.forget = push(
                tr("Reset"), row.otherwise, lambda: self._set(row, ""), tr("Reset {name}", name=row.name)
            )
            line.addWidget(row.forget)
        row.open = push(
            tr("Show"),
            tr("Open the folder in the file manager"),
            lambda: self._show(row),
            tr("Show {name}", name=row.name),
        )
        line.addWidget(row.open)
        self.column.addLayout(line)
        row.problem.setObjectName("warning")
        row.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row.problem.hide()
        self.column.addWidget(row.problem)

    def _change(self, row: _Row) -> None:
        chosen = QFileDialog.getExistingDirectory(self, row.name, str(row.path() or ""))
        if chosen:
            self._set(row, chosen)

    def _set(self, row: _Row, folder: str) -> None:
        self._window.remember(**{row.setting: folder})

    def _show(self, row: _Row) -> None:
        path = row.path()
        if path is not None:
            self._tell(row, path, show_folder(path, make=row.is_own))

    def _check(self) -> None:
        """Look at the folders in the background while they are on the screen.

        One after the other: a share that does not answer must not hold up more than one thread.
        """
        if self._is_checking or not self.isVisible():
            self._is_outdated = self._is_checking
            return
        self._is_checking, self._is_outdated = True, False
        places = [(row, path) for row in self._rows if (path := row.path()) is not None]
        self._window.jobs.free(
            lambda: [(row, path, folder_problem(path, made_at_need=row.is_own)) for row, path in places],
            self._checked,
            self._window.desk.complain,
        )

    def _checked(self, found: list[tuple[_Row, Path, UserError | None]]) -> None:
        self._is_checking = False
        for row, path, problem in found:
            self._tell(row, path, problem)
        if self._is_outdated and not self._is_gone:
            self._check()

    def _tell(self, row: _Row, path: Path, problem: UserError | None) -> None:
        if self._is_gone or row.path() != path:
            return
        row.problem.setText("" if problem is None else words(problem))
        row.problem.setVisible(problem is not None)


def _chosen(folder: str) -> Path | None:
    return Path(folder) if folder else None
