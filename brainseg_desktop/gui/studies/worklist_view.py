"""The readings of a study as a table: searched, filtered, opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.studies.reading_bar import duration_text
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies.study import FLAGS, WorkItem

Index = QModelIndex | QPersistentModelIndex
STATUS = {"new": mark("to do"), "started": mark("begun"), "draft": mark("draft"), "locked": mark("locked")}
_COLUMNS = (
    mark("No."),
    mark("Reading"),
    mark("Reader"),
    mark("Status"),
    mark("Time"),
    mark("Flags"),
    mark("Remark"),
    mark("Last change (UTC)"),
)
_READER = 2
FILTERS: dict[str, Callable[[WorkItem], bool]] = {
    mark("All readings"): lambda item: True,
    mark("To do"): lambda item: item.status != "locked",
    mark("Not begun"): lambda item: item.status == "new",
    mark("Begun"): lambda item: item.status in ("started", "draft"),
    mark("Locked"): lambda item: item.status == "locked",
    mark("Flagged"): lambda item: bool(item.flags),
    mark("With a remark"): lambda item: bool(item.remark),
}
_ITEM = Qt.ItemDataRole.UserRole


class WorklistModel(QAbstractTableModel):
    """Lines of a worklist; thousands of them are no matter, since only those on the screen are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._items: list[WorkItem] = []
        self._names: dict[str, str] = {}

    def set_items(self, items: list[WorkItem], names: dict[str, str]) -> None:
        """Show other lines; where they are the same readings, the table keeps its place."""
        same = bool(items) and [i.reading for i in items] == [i.reading for i in self._items]
        self._names = names
        if same:
            self._items = items
            self.dataChanged.emit(self.index(0, 0), self.index(len(items) - 1, len(_COLUMNS) - 1))
        else:
            self.beginResetModel()
            self._items = items
            self.endResetModel()

    @property
    def items(self) -> list[WorkItem]:
        return self._items

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return len(_COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return tr(_COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self._items[index.row()]
        if role == _ITEM:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(item, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return words(item.problem) if item.problem is not None else item.remark or None
        return None

    def _text(self, item: WorkItem, column: int) -> str:
        status = tr(STATUS[item.status]) if item.problem is None else tr("record broken")
        return (
            str(item.reading.number),
            item.title,
            self._names.get(item.reading.reader, item.reading.reader),
            status,
            duration_text(item.active_s) if item.active_s else "",
            ", ".join(tr(FLAGS.get(f, f)) for f in item.flags),
            item.remark,
            item.changed_utc[:16].replace("T", " "),
        )[column]


class _Filtered(QSortFilterProxyModel):
    """What the search and the filter let through, in the order of a column."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = FILTERS["All readings"]
        self.search = ""

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        model = self.sourceModel()
        assert isinstance(model, WorklistModel)
        item = model.items[row]
        if not self.wanted(item):
            return False
        said = (model.data(model.index(row, column)) for column in range(model.columnCount()) if self.search)
        return not self.search or any(self.search in str(text).lower() for text in said)

    def lessThan(self, left: Index, right: Index) -> bool:
        one, other = left.data(_ITEM), right.data(_ITEM)
        if left.column() == 0:
            first, second = ((i.reading.number, i.reading.reader) for i in (one, other))
            return bool(first < second)
        if left.column() == 4:
            return bool(one.active_s < other.active_s)
        return str(left.data()) < str(right.data())


class WorklistView(QWidget):
    """The table with its search line.

    Signals
    -------
    chosen : `Reading` to open.
    next_wanted : the next reading that is not locked.
    """

    chosen = Signal(object)
    next_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.model = WorklistModel()
        self._proxy = _Filtered()
        # Without a parent they would be Python's, which may clear them away in any thread.
        self.model.setParent(self)
        self._proxy.setParent(self)
        self._proxy.setSourceModel(self.model)
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search"))
        self._search.setAccessibleName(tr("Search readings"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._kind = QComboBox()
        self._kind.setAccessibleName(tr("Which readings are listed"))
        self._kind.addItems([tr(title) for title in FILTERS])
        self._kind.currentIndexChanged.connect(self._filter)
        self._next = QPushButton(tr("Read next"))
        self._next.setDefault(True)
        self._next.clicked.connect(self.next_wanted)
        self.table = QTableView()
        self.table.setModel(self._proxy)
        self.table.setAccessibleName(tr("Readings"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setSortingEnabled(True)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        em = self.fontMetrics().horizontalAdvance("m")
        for column, width in enumerate((4, 16, 10, 8, 8, 12, 20, 13)):
            self.table.setColumnWidth(column, max(width * em, header.sectionSizeHint(column)))
        header.setSectionResizeMode(6, QHeaderView.ResizeMode.Stretch)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.activated.connect(self._open)  # a double click or Enter
        self._count = faint()
        top = QHBoxLayout()
        top.addWidget(self._search, 1)
        top.addWidget(self._kind)
        top.addWidget(self._next)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._count)
        self._counts = ""

    def set_items(self, items: list[WorkItem], names: dict[str, str], *, of_one: bool) -> None:
        """Show the readings of one reader (who can open them) or of all."""
        self.model.set_items(items, names)
        self._proxy.invalidate()
        self.table.setColumnHidden(_READER, of_one)
        locked = sum(item.status == "locked" for item in items)
        begun = sum(item.status in ("started", "draft") for item in items)
        total = sum(item.active_s for item in items)
        self._next.setVisible(of_one)
        self._next.setEnabled(locked < len(items))
        self._counts = tr(
            "{count} readings: {locked} locked, {begun} begun", count=len(items), locked=locked, begun=begun
        )
        self._counts += tr("; {duration} of work.", duration=duration_text(total)) if total else "."
        self._tell()

    def visible_items(self) -> list[WorkItem]:
        """The lines that are listed, from top to bottom."""
        return [self._proxy.index(row, 0).data(_ITEM) for row in range(self._proxy.rowCount())]

    def mark(self, number: int) -> None:
        """Choose the line of a reading."""
        for row in range(self._proxy.rowCount()):
            if self._proxy.index(row, 0).data(_ITEM).reading.number == number:
                self.table.selectRow(row)
                return

    def _filter(self, _: object) -> None:
        self._proxy.search = self._search.text().strip().lower()
        self._proxy.wanted = list(FILTERS.values())[self._kind.currentIndex()]
        self._proxy.invalidate()
        self._tell()

    def _tell(self) -> None:
        shown = self._proxy.rowCount()
        rest = "" if shown == len(self.model.items) else tr(" {shown} of them are listed.", shown=shown)
        self._count.setText(self._counts + rest)

    def _open(self, index: Index) -> None:
        self.chosen.emit(index.data(_ITEM).reading)
