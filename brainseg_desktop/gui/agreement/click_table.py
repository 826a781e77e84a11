"""A table of numbers of which each leads somewhere, by the mouse or by Enter."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ClickTable(QTableWidget):
    """Read only; columns of numbers are right-aligned, those of words left.

    Signals
    -------
    chosen : (row, column) of a cell that was clicked, or on which Enter was pressed.
    """

    chosen = Signal(int, int)

    def __init__(self, name: str, columns: int, *, words: Sequence[int] = ()) -> None:
        super().__init__(0, columns)
        self._words = frozenset(words)
        self.setAccessibleName(name)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.horizontalHeader().setHighlightSections(False)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 7)
        self.cellClicked.connect(self.chosen)

    def put(self, row: int, column: int, text: str, tip: str = "") -> None:
        """Write a cell."""
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(_LEFT if column in self._words else _RIGHT)
            self.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        item.setToolTip(tip)

    def put_headings(self, texts: Sequence[str], tips: Sequence[str] = ()) -> None:
        """Write the headings of the columns, aligned as the cells below them."""
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_LEFT if column in self._words else _RIGHT)
            item.setToolTip(tips[column] if tips else "")
            self.setHorizontalHeaderItem(column, item)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentRow() >= 0:
            self.chosen.emit(self.currentRow(), self.currentColumn())
            event.accept()
            return
        super().keyPressEvent(event)
