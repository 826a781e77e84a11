"""The list of places where the network was unsure, the largest volume of doubt first."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.doubt import EDGE_MM, SMALLEST_ML, THRESHOLD_BITS, DoubtfulRegion
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState

_MOST_ROWS = 8
_MEANING = (
    f"Places where the network gives its answer with {THRESHOLD_BITS:g} bit of uncertainty or more "
    "(0 bit: sure, 1 bit: even chances).\n"
    f"The ordinary thin edge of what it has drawn (up to about {2 * EDGE_MM + 1:g} mm) and places under "
    f"{SMALLEST_ML:g} mL are left out; a large place is cut into parts.\n"
    "Ranked by volume times mean uncertainty. The uncertainty is the network's own and may be wrong."
)


class DoubtPanel(QWidget):
    """Doubtful regions; a click goes there. Hidden while no network has told how sure it was.

    Parameters
    ----------
    navigator : Navigator
    state : ViewState
    """

    def __init__(self, navigator: Navigator, state: ViewState) -> None:
        super().__init__()
        self._navigator, self._state = navigator, state
        self._table = QTableWidget(0, 4)
        self._table.setAccessibleName("Doubtful regions")
        self._table.setAccessibleDescription(_MEANING)
        self._table.verticalHeader().hide()
        self._table.setShowGrid(False)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._table.setTabKeyNavigation(False)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        # The selection, not the current cell: that is set also when the list only gets the focus by Tab.
        self._table.itemSelectionChanged.connect(self._selected)
        # And again by a click or Enter on a row that is chosen already.
        self._table.cellClicked.connect(lambda row, _: navigator.go_to_region(row))
        self._table.cellActivated.connect(lambda row, _: navigator.go_to_region(row))
        self._said = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("Doubtful regions"))
        layout.addWidget(self._table)
        layout.addWidget(self._said)
        self.setToolTip(_MEANING)
        navigator.regions_changed.connect(self.refresh)
        navigator.region_chosen.connect(self._mark)
        self.refresh()

    def refresh(self) -> None:
        """List the regions anew."""
        navigator, case = self._navigator, self._state.case
        regions = navigator.regions
        self.setVisible(navigator.has_uncertainty)
        self._table.setVisible(bool(regions))
        if not regions:
            looking = navigator.is_looking
            self._said.setText(
                "Looking for doubtful regions..."
                if looking
                else f"The network has no doubtful region of {SMALLEST_ML:g} mL or more."
            )
            return
        in_ml = regions[0].volume_ml is not None
        slices = case.grid.shape[Plane.AXIAL.axis] if case is not None else 0
        self._table.blockSignals(True)
        self._table.setHorizontalHeaderLabels(["", "Slice", "mL" if in_ml else "Voxels", "Mean bit"])
        self._table.setRowCount(len(regions))
        for row, region in enumerate(regions):
            tip = _tip(region, slices)
            for column, text in enumerate(_cells(row, region)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(tip)
                self._table.setItem(row, column, item)
            self._table.setRowHeight(row, self.fontMetrics().height() + 8)
        for column in range(self._table.columnCount()):
            title = self._table.horizontalHeaderItem(column)
            if title is not None:
                title.setToolTip(_MEANING)
                title.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._table.setCurrentCell(-1, -1)
        self._table.blockSignals(False)
        rows = min(len(regions), _MOST_ROWS)
        self._table.setFixedHeight(
            self._table.horizontalHeader().sizeHint().height() + rows * self._table.rowHeight(0) + 4
        )
        self._said.setText("Axial slice, volume and mean uncertainty. Click to go there.")

    def _mark(self, number: int) -> None:
        """Choose the row of the region gone to, without going there once more."""
        self._table.blockSignals(True)
        self._table.setCurrentCell(number, 0)
        self._table.blockSignals(False)

    def _selected(self) -> None:
        rows = self._table.selectionModel().selectedRows()
        if rows and rows[0].row() != self._navigator.region:
            self._navigator.go_to_region(rows[0].row())


def _cells(row: int, region: DoubtfulRegion) -> tuple[str, str, str, str]:
    volume = f"{region.volume_ml:.2f}" if region.volume_ml is not None else f"{region.voxels}"
    return (f"{row + 1}", f"{region.centre[Plane.AXIAL.axis] + 1}", volume, f"{region.mean_bits:.2f}")


def _tip(region: DoubtfulRegion, slices: int) -> str:
    """The numbers of a row in words."""
    volume = f"{region.volume_ml:.2f} mL" if region.volume_ml is not None else f"{region.voxels} voxels"
    text = (
        f"Densest in axial slice {region.centre[Plane.AXIAL.axis] + 1} of {slices}; {volume} "
        f"with {region.mean_bits:.2f} bit on average"
    )
    if region.tissue is Tissue.BACKGROUND:
        return text + ".\nThe network has drawn most of it as no tumour."
    if region.tissue is not None:
        return text + f".\nThe network has drawn most of it as {TISSUE_NAMES[region.tissue].lower()}."
    return text + "."
