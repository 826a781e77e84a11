"""The cases at hand: those of the folder opened last, or the recent ones."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.language import tr


class CasesPanel(QWidget):
    """A searchable list.

    Signals
    -------
    chosen : the key of a case, as given to `set_cases`.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search"))
        self._search.setAccessibleName(tr("Search cases"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Cases"))
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.itemClicked.connect(self._picked)
        self._list.itemActivated.connect(self._picked)
        self._hint = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._search)
        layout.addWidget(self._list, 1)
        layout.addWidget(self._hint)
        self._open = ""
        self.set_cases([], "")

    def set_cases(self, cases: list[tuple[str, str]], hint: str) -> None:
        """List (key, name) pairs, and say below what they are."""
        self._list.clear()
        for key, name in cases:
            item = QListWidgetItem(name)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setToolTip(key)
            self._list.addItem(item)
        self._hint.setText(hint or tr("Cases you open are listed here."))
        self._filter(self._search.text())
        self.mark(self._open)

    def mark(self, key: str) -> None:
        """Mark the open case."""
        self._open = key
        for row in range(self._list.count()):
            item = self._list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == key:
                self._list.setCurrentItem(item)
                return
        self._list.setCurrentRow(-1)

    def listed(self) -> list[str]:
        """The keys of the cases shown, in their order."""
        rows = (self._list.item(row) for row in range(self._list.count()))
        return [item.data(Qt.ItemDataRole.UserRole) for item in rows if not item.isHidden()]

    def neighbour(self, steps: int) -> str | None:
        """Key of the case that many places further among those shown; None at the end of the list."""
        keys = self.listed()
        if self._open not in keys:
            return keys[0] if keys else None
        place = keys.index(self._open) + steps
        return keys[place] if 0 <= place < len(keys) else None

    def _filter(self, text: str) -> None:
        for row in range(self._list.count()):
            item = self._list.item(row)
            item.setHidden(text.strip().lower() not in item.text().lower())

    def _picked(self, item: QListWidgetItem) -> None:
        key = item.data(Qt.ItemDataRole.UserRole)
        if key != self._open:
            self.chosen.emit(key)
