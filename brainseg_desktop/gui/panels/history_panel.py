"""The steps of the mask shown, by name: a click goes there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, QTimer
from PySide6.QtGui import QFont, QPalette
from PySide6.QtWidgets import QAbstractItemView, QListView, QVBoxLayout, QWidget

from brainseg_desktop.core.history import EditCommand, History
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.services.language import tr, tr_many
from brainseg_desktop.services.session import Session

_MOST_ROWS = 8
_ROOT = QModelIndex()
_Index = QModelIndex | QPersistentModelIndex


class StepsModel(QAbstractListModel):
    """The steps of a history as rows: row 0 is the mask before them, row n the mask after n of them."""

    def __init__(self) -> None:
        super().__init__()
        self._history: History | None = None
        self._steps: tuple[EditCommand, ...] = ()
        self._depth = 0

    @property
    def depth(self) -> int:
        """The row of the present state."""
        return self._depth

    def set_history(self, history: History | None) -> None:
        """Take the steps of this history as they are now."""
        self.beginResetModel()
        self._history = history
        self._steps = history.steps if history is not None else ()
        self._depth = history.depth if history is not None else 0
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() or self._history is None else len(self._steps) + 1

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = index.row()
        if not 0 <= row < self.rowCount():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            # Beside colour and weight a mark, for whoever sees neither.
            return f"{'▸' if row == self._depth else '   '} {self._name(row)}"
        if role == Qt.ItemDataRole.FontRole:
            font = QFont()
            font.setBold(row == self._depth)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and row > self._depth:
            return QPalette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            state = (
                tr("taken back") if row > self._depth else tr("present") if row == self._depth else tr("done")
            )
            return f"{self._name(row)}, {state}"
        return None

    def _name(self, row: int) -> str:
        if row > 0:
            return step_words(self._steps[row - 1].name)
        dropped = self._history.dropped if self._history is not None else 0
        return (
            tr("Before these steps ({count:,} older forgotten)", count=dropped)
            if dropped
            else tr("Before the first step")
        )

    def _tip(self, row: int) -> str:
        if row == 0:
            return tr("Click to take back all steps. They can be made again.")
        step = self._steps[row - 1]
        voxels = tr_many("{count:,} voxel changed", "{count:,} voxels changed", step.voxels)
        when = (
            tr(" at {time:%H:%M:%S}", time=datetime.fromtimestamp(step.time_ms / 1000))
            if step.time_ms
            else ""
        )
        text = f"{step_words(step.name)}: {voxels}{when}."
        if row > self._depth:
            return tr("{text}\nTaken back. Click to make it again, with all steps before it.", text=text)
        return text if row == self._depth else tr("{text}\nClick to take back all steps after it.", text=text)


class HistoryPanel(QWidget):
    """The steps of the reader's own mask, oldest first; the present one marked, those taken back greyed.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        # Without a parent it would be Python's, which may clear it away in any thread.
        self._model = StepsModel()
        self._model.setParent(self)
        self._list = QListView()
        self._list.setModel(self._model)
        self._list.setAccessibleName(tr("Steps of this mask"))
        self._list.setUniformItemSizes(True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.clicked.connect(lambda index: self._go_to(index.row()))
        self._list.activated.connect(lambda index: self._go_to(index.row()))
        self._said = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading(tr("Steps")))
        layout.addWidget(self._list)
        layout.addWidget(self._said)
        # A jump tells of every step it passes: the list follows once.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.refresh)
        for event in (session.history_changed, session.ratings_changed):
            disconnect = event.connect(lambda _: self._timer.start())
            # The session may outlive the panel.
            self.destroyed.connect(disconnect)
        self.refresh()

    def refresh(self) -> None:
        """List the steps as they are now."""
        rating = self._session.editable()
        history = rating.history if rating is not None else None
        empty = history is None or not history.steps
        self._model.set_history(None if empty else history)
        self._list.setVisible(not empty)
        if empty:
            shown = self._session.shown
            self._said.setText(
                tr("{rater} is read only.", rater=shown.rater)
                if rating is None and shown is not None
                else tr("No steps yet.")
            )
            return
        self._said.setText(tr("Click a step to go there."))
        rows = min(self._model.rowCount(), _MOST_ROWS)
        height = max(1, self._list.sizeHintForRow(0))
        margins = self._list.contentsMargins()
        self._list.setFixedHeight(rows * height + margins.top() + margins.bottom())
        present = self._model.index(self._model.depth)
        self._list.setCurrentIndex(present)
        # The next ones that can be made again are seen too.
        self._list.scrollTo(self._model.index(min(self._model.depth + 2, self._model.rowCount() - 1)))
        self._list.scrollTo(present)

    def _go_to(self, row: int) -> None:
        rating = self._session.editable()
        if rating is not None and row != rating.history.depth:
            rating.history.go_to(row)
            self.refresh()
