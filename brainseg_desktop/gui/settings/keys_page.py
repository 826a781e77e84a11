"""All actions and their keys, from the one table of actions; each can be changed by pressing the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
)

from brainseg_desktop.gui.actions import ACTIONS, ActionSpec
from brainseg_desktop.gui.keys import FIRST, refusal
from brainseg_desktop.gui.settings.key_field import KeyField
from brainseg_desktop.gui.settings.page import Page, push
from brainseg_desktop.services.language import tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow


class KeysPage(Page):
    """A table to search, and a field that waits for the new key of the action chosen in it."""

    def __init__(self, window: MainWindow) -> None:
        # Qt sends events while the page is being made.
        self._table = QTableWidget(len(ACTIONS), 3)
        super().__init__(tr("Keys"))
        self._window = window
        self._adds = False
        self._search = QLineEdit()
        self._search.setAccessibleName(tr("Search actions"))
        self._search.setPlaceholderText(tr("Search, for example: slice, brush, Ctrl"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._hide_rows)
        self._make_table()
        self._field = KeyField()
        self._field.pressed.connect(self._answered)
        self._field.left.connect(self._table.setFocus)
        self._say = self.add_note("")
        buttons = QHBoxLayout()
        self._change = push(
            tr("Change key..."), tr("Press another key for the action (Enter)"), lambda: self._ask(adds=False)
        )
        self._add = push(
            tr("Add key..."), tr("A second key for the same action"), lambda: self._ask(adds=True)
        )
        self._none = push(tr("No key"), tr("Take the keys from the action"), lambda: self._set(()))
        self._reset = push(tr("Reset"), tr("The key it had at first"), self._reset_one)
        self._reset_all = push(tr("Reset all"), tr("All keys as they were at first"), self._reset_everything)
        for button in (self._change, self._add, self._none, self._reset):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self._reset_all)
        self.column.addWidget(self._search)
        self.column.addWidget(self._table, 1)
        self.column.addLayout(buttons)
        self.column.addWidget(self._field)
        self.column.addWidget(self._say)
        self.follow()
        self._table.selectRow(0)

    def follow(self) -> None:
        keys, bold = self._window.commands.keys, self._table.font()
        bold.setBold(True)
        for row, spec in enumerate(ACTIONS):
            item = self._item(row, 1)
            item.setText(", ".join(keys[spec.name]))
            item.setFont(bold if keys[spec.name] != FIRST[spec.name] else self._table.font())
            first = ", ".join(FIRST[spec.name]) or tr("none")
            item.setToolTip(tr("At first: {keys}", keys=first))
        self._reset_all.setEnabled(keys != dict(FIRST))
        self._follow_row()

    def leave(self) -> None:
        self._field.rest()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._table and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._ask(adds=False)
                return True
            if event.key() == Qt.Key.Key_Delete:
                self._set(())
                return True
        return super().eventFilter(watched, event)

    def _make_table(self) -> None:
        table = self._table
        table.setAccessibleName(tr("Actions and their keys"))
        table.setHorizontalHeaderLabels([tr("Action"), tr("Keys"), tr("Group")])
        table.verticalHeader().hide()
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.verticalHeader().setDefaultSectionSize(round(1.6 * table.fontMetrics().height()))
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        for column in range(3):
            table.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        for row, spec in enumerate(ACTIONS):
            for column, text in enumerate((tr(spec.text).rstrip("."), "", tr(spec.group))):
                item = QTableWidgetItem(text)
                item.setToolTip(tr(spec.tip))
                table.setItem(row, column, item)
        table.setMinimumHeight(6 * table.verticalHeader().defaultSectionSize())
        table.itemSelectionChanged.connect(self._follow_row)
        table.cellDoubleClicked.connect(lambda row, column: self._ask(adds=False))
        table.installEventFilter(self)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self._table.item(row, column)
        assert item is not None
        return item

    def _chosen(self) -> ActionSpec | None:
        row = self._table.currentRow()
        shown = row >= 0 and not self._table.isRowHidden(row) and bool(self._table.selectedItems())
        return ACTIONS[row] if shown else None

    def _follow_row(self) -> None:
        spec, keys = self._chosen(), self._window.commands.keys
        for button in (self._change, self._add):
            button.setEnabled(spec is not None)
        self._none.setEnabled(spec is not None and bool(keys[spec.name]))
        self._reset.setEnabled(spec is not None and keys[spec.name] != FIRST[spec.name])

    def _hide_rows(self, search: str) -> None:
        words = search.lower().split()
        for row, spec in enumerate(ACTIONS):
            text = " ".join((*(self._item(row, c).text() for c in range(3)), spec.tip)).lower()
            self._table.setRowHidden(row, not all(word in text for word in words))
        if self._chosen() is None:
            first = next((r for r in range(len(ACTIONS)) if not self._table.isRowHidden(r)), None)
            if first is None:
                self._table.clearSelection()
            else:
                self._table.selectRow(first)
        self._follow_row()

    def _ask(self, *, adds: bool) -> None:
        spec = self._chosen()
        if spec is not None:
            self._adds = adds
            self._say.setText("")
            self._field.wait(
                tr("Press the key for '{action}'. Esc: leave it.", action=tr(spec.text).rstrip("."))
            )

    def _answered(self, key: str) -> None:
        spec, keys = self._chosen(), self._window.commands.keys
        if spec is None:
            return
        why = refusal(key, spec.name, keys, self._window.menuBar())
        if why:
            # It goes on waiting: the next key may be free.
            self._tell(why, bad=True)
            return
        self._field.rest()
        kept = keys[spec.name] if self._adds else ()
        self._set(tuple(dict.fromkeys((*kept, key))))
        self._table.setFocus()

    def _set(self, new: tuple[str, ...]) -> None:
        spec = self._chosen()
        if spec is None:
            return
        self._field.rest()
        self._window.commands.set_keys({**self._window.commands.keys, spec.name: new})
        self._tell(
            tr("'{action}' has now: {keys}.", action=tr(spec.text).rstrip("."), keys=", ".join(new))
            if new
            else tr("'{action}' has no key now.", action=tr(spec.text).rstrip("."))
        )

    def _reset_one(self) -> None:
        spec, keys = self._chosen(), self._window.commands.keys
        if spec is None:
            return
        for key in FIRST[spec.name]:
            why = refusal(key, spec.name, keys)
            if why:
                self._tell(why, bad=True)
                return
        self._set(FIRST[spec.name])

    def _reset_everything(self) -> None:
        self._field.rest()
        self._window.commands.set_keys(FIRST)
        self._tell(tr("All keys are as they were at first."))

    def _tell(self, text: str, *, bad: bool = False) -> None:
        self._say.setText(text)
        self._say.setAccessibleName(text)
        self._say.setObjectName("warning" if bad else "faint")
        self._say.style().polish(self._say)
