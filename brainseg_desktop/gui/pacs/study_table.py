"""The studies that an archive has found, as a table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.pacs.records import StudyEntry

Index = QModelIndex | QPersistentModelIndex
_COLUMNS = (
    mark("Date"),
    mark("Patient"),
    "ID",
    mark("Description"),
    mark("Modalities"),
    mark("Series"),
    mark("Images"),
    mark("Accession"),
)
_WIDTHS = (8, 15, 10, 18, 10, 6, 7, 10)
_DESCRIPTION = 3
_NUMBERS = (5, 6)
_ENTRY, _SORT = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class StudyModel(QAbstractTableModel):
    """Lines of what was found."""

    def __init__(self) -> None:
        super().__init__()
        self.studies: list[StudyEntry] = []

    def set_studies(self, studies: list[StudyEntry]) -> None:
        """Show other lines."""
        self.beginResetModel()
        self.studies = studies
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self.studies)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return len(_COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return tr(_COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        study = self.studies[index.row()]
        if role == _ENTRY:
            return study
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in _NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, _SORT):
            return None
        if role == _SORT and index.column() in _NUMBERS:
            return (study.series, study.instances)[index.column() - _NUMBERS[0]] or 0
        return (
            study.day.isoformat() if study.day is not None else "",
            study.patient_name,
            study.patient_id,
            study.description,
            ", ".join(study.modalities),
            "" if study.series is None else str(study.series),
            "" if study.instances is None else str(study.instances),
            study.accession,
        )[index.column()]


class StudyTable(QTableView):
    """The table.

    Signals
    -------
    wanted : a study was double-clicked, or Enter was pressed on it.
    picked : another line is chosen.
    """

    wanted = Signal()
    picked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.studies = StudyModel()
        self._sorted = QSortFilterProxyModel()
        # Without a parent they would be Python's, which may clear them away in any thread.
        self.studies.setParent(self)
        self._sorted.setParent(self)
        self._sorted.setSortRole(_SORT)
        self._sorted.setSourceModel(self.studies)
        self.setModel(self._sorted)
        self.setAccessibleName(tr("Studies found"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.DescendingOrder)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        em = self.fontMetrics().horizontalAdvance("m")
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, max(width * em, header.sectionSizeHint(column)))
        header.setSectionResizeMode(_DESCRIPTION, QHeaderView.ResizeMode.Stretch)
        self.activated.connect(lambda _: self.wanted.emit())
        self.selectionModel().selectionChanged.connect(lambda *_: self.picked.emit())

    def set_studies(self, studies: list[StudyEntry]) -> None:
        """Show what was found; the first line is chosen."""
        self.studies.set_studies(studies)
        if studies:
            self.selectRow(0)
        self.picked.emit()

    @property
    def chosen(self) -> StudyEntry | None:
        """The study of the chosen line."""
        rows = self.selectionModel().selectedRows()
        return rows[0].data(_ENTRY) if rows else None
