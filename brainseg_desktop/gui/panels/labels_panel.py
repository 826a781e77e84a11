"""Masks of the case and the labels of the mask shown."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QItemSelectionModel, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.labels import LabelScheme, Tissue
from brainseg_desktop.gui.panels.parts import heading, swatch
from brainseg_desktop.services.language import tr


class MasksPanel(QWidget):
    """The ratings of the case; one is shown.

    Signals
    -------
    chosen : index of the rating to show.
    start_from : index of the rating to copy into the reader's own mask.
    """

    chosen = Signal(int)
    start_from = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Masks"))
        # A consensus names its readers: the middle of a long name goes, not whether it may be edited.
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentRowChanged.connect(self._chosen)
        self._copy = QPushButton(tr("Start from this mask"))
        self._copy.setToolTip(tr("Copy the chosen mask into your own, as one step that can be undone"))
        self._copy.clicked.connect(lambda: self.start_from.emit(self._list.currentRow()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading(tr("Masks")))
        layout.addWidget(self._list)
        layout.addWidget(self._copy)
        self._own: list[bool] = []

    def set_masks(self, names: list[str], own: list[bool], shown: int) -> None:
        """List the masks, say which may be edited, and mark the one shown (-1: none)."""
        self._list.blockSignals(True)
        self._list.clear()
        self._own = own
        for name, mine in zip(names, own, strict=True):
            item = QListWidgetItem(f"{name}   ({tr('editing') if mine else tr('read only')})")
            item.setToolTip(name)
            self._list.addItem(item)
        self._list.setCurrentRow(shown)
        rows = max(2, min(6, len(names)))
        self._list.setFixedHeight(rows * (self.fontMetrics().height() + 12) + 6)
        self._list.blockSignals(False)
        self._update_copy()

    def _chosen(self, row: int) -> None:
        self._update_copy()
        if row >= 0:
            self.chosen.emit(row)

    def _update_copy(self) -> None:
        row = self._list.currentRow()
        self._copy.setEnabled(0 <= row < len(self._own) and not self._own[row])


class LabelsPanel(QWidget):
    """The labels of a scheme: number, name, volume, shown or hidden, locked or free.

    Signals
    -------
    chosen : the `Tissue` to paint with.
    hidden : (Tissue, bool)
    locked : (Tissue, bool)
    """

    chosen = Signal(object)
    hidden = Signal(object, bool)
    locked = Signal(object, bool)

    def __init__(self) -> None:
        super().__init__()
        self._table = QTableWidget(0, 5)
        self._table.setAccessibleName(tr("Labels"))
        self._table.setHorizontalHeaderLabels(["", tr("Label"), "mL", tr("Shown"), tr("Lock")])
        self._table.verticalHeader().hide()
        # Tab goes on to the next control, not to the next cell.
        self._table.setTabKeyNavigation(False)
        self._table.setShowGrid(False)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self._table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._table.itemSelectionChanged.connect(self._selected)
        self._table.itemChanged.connect(self._ticked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading(tr("Labels")))
        layout.addWidget(self._table)
        self.tissues: tuple[Tissue, ...] = ()

    def set_scheme(
        self,
        scheme: LabelScheme | None,
        tissue: Tissue,
        hidden: frozenset[Tissue],
        colours: Mapping[Tissue, tuple[int, int, int]],
        locked: frozenset[Tissue] = frozenset(),
    ) -> None:
        """List a scheme's labels."""
        labels = scheme.labels if scheme is not None else ()
        self.tissues = tuple(label.tissue for label in labels)
        self._table.blockSignals(True)
        self._table.setRowCount(len(labels))
        for row, label in enumerate(labels):
            number = QTableWidgetItem(str(label.value))
            number.setIcon(swatch(colours[label.tissue]))
            name = QTableWidgetItem(label.name)
            name.setToolTip(tr("Paint with {label} (key {key})", label=label.name.lower(), key=row + 1))
            volume = QTableWidgetItem("")
            volume.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            shown = _tick(label.tissue not in hidden, tr("Show {label}", label=label.name.lower()))
            lock = _tick(
                label.tissue in locked, tr("Lock {label}: no tool changes it", label=label.name.lower())
            )
            for column, item in enumerate((number, name, volume, shown, lock)):
                self._table.setItem(row, column, item)
            self._table.setRowHeight(row, self.fontMetrics().height() + 10)
        self._table.blockSignals(False)
        rows = sum(self._table.rowHeight(r) for r in range(len(labels)))
        self._table.setFixedHeight(self._table.horizontalHeader().sizeHint().height() + rows + 6)
        self.set_tissue(tissue)

    def set_tissue(self, tissue: Tissue) -> None:
        """Mark the label to paint with."""
        if tissue in self.tissues:
            self._table.blockSignals(True)
            model = self._table.selectionModel()
            index = self._table.model().index(self.tissues.index(tissue), 1)
            flags = QItemSelectionModel.SelectionFlag
            model.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self._table.blockSignals(False)

    def set_volumes(self, volumes: Mapping[Tissue, str]) -> None:
        """Write the volume of each label, as text."""
        self._table.blockSignals(True)
        for row, tissue in enumerate(self.tissues):
            item = self._table.item(row, 2)
            if item is not None:
                item.setText(volumes.get(tissue, ""))
        self._table.blockSignals(False)

    def set_unit(self, unit: str) -> None:
        """Heading of the volume column."""
        self._table.setHorizontalHeaderItem(2, QTableWidgetItem(unit))

    def _selected(self) -> None:
        rows = self._table.selectionModel().selectedRows()
        if rows:
            self.chosen.emit(self.tissues[rows[0].row()])

    def _ticked(self, item: QTableWidgetItem) -> None:
        on = item.checkState() is Qt.CheckState.Checked
        if item.column() == 3:
            self.hidden.emit(self.tissues[item.row()], not on)
        elif item.column() == 4:
            self.locked.emit(self.tissues[item.row()], on)


def _tick(on: bool, tip: str) -> QTableWidgetItem:
    item = QTableWidgetItem()
    item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
    item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
    item.setToolTip(tip)
    item.setData(Qt.ItemDataRole.AccessibleTextRole, tip)
    return item
