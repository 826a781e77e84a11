"""The list of places where the network was unsure, the largest volume of doubt first."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.doubt import EDGE_MM, SMALLEST_ML, THRESHOLD_BITS, DoubtfulRegion
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.tasks.refining import Refining
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import Mode, ViewState
from brainseg_desktop.services.language import tr

_MOST_ROWS = 8


class DoubtPanel(QWidget):
    """Doubtful regions; a click goes there. Hidden while no network has told how sure it was.

    Parameters
    ----------
    navigator : Navigator
    state : ViewState
    refining : Refining or None
        Remembers what was accepted, and clears; without it the list is for looking only.
    """

    def __init__(self, navigator: Navigator, state: ViewState, refining: Refining | None = None) -> None:
        super().__init__()
        self._navigator, self._state, self._refining = navigator, state, refining
        self._table = QTableWidget(0, 4)
        self._table.setAccessibleName(tr("Doubtful regions"))
        self._table.setAccessibleDescription(_meaning())
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
        layout.addWidget(heading(tr("Doubtful regions")))
        layout.addWidget(self._table)
        self._acts = self._buttons()
        layout.addWidget(self._acts)
        layout.addWidget(self._said)
        self.setToolTip(_meaning())
        navigator.regions_changed.connect(self.refresh)
        navigator.region_chosen.connect(self._mark)
        if refining is not None:
            refining.changed.connect(self._tick)
        self.refresh()

    def _buttons(self) -> QWidget:
        acts = QWidget()
        row = QHBoxLayout(acts)
        row.setContentsMargins(0, 0, 0, 0)
        for text, tip, call in (
            (
                tr("Accept"),
                tr("The mask is right here: tick the region and go to the next"),
                self.accept_region,
            ),
            (tr("Edit"), tr("Go to the region and take the brush"), self.edit_region),
            (tr("Clear"), tr("Remove the labels inside this region, as one step"), self.clear_region),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(call)
            row.addWidget(button)
        return acts

    # What is done with a region ---------------------------------------------------------------------

    def accept_region(self) -> None:
        """Tick the region gone to, and go to the next that is not ticked."""
        number = self._chosen()
        if number is None or self._refining is None:
            return
        regions = self._navigator.regions
        self._refining.check(regions[number])
        for step in range(1, len(regions)):
            following = (number + step) % len(regions)
            if not self._refining.is_checked(regions[following]):
                self._navigator.go_to_region(following)
                return

    def edit_region(self) -> None:
        """Go to the region and take the brush."""
        number = self._chosen()
        if number is not None:
            self._navigator.go_to_region(number)
            self._state.set_mode(Mode.BRUSH)

    def clear_region(self) -> None:
        """Set the voxels of the region to background, as one step, and tick it."""
        number = self._chosen()
        if number is not None and self._refining is not None:
            region = self._navigator.regions[number]
            if not all(
                a <= c < b
                for a, c, b in zip(region.box.start, self._state.cursor, region.box.stop, strict=True)
            ):
                # Nothing is cleared that is not looked at: the key shows it first.
                self._navigator.go_to_region(number)
            elif self._refining.clear(region, number + 1):
                self._refining.check(region)

    def _chosen(self) -> int | None:
        """The region gone to; if there is none, none is acted on unseen: the first one is gone to."""
        if self._navigator.region is None:
            self._navigator.next_doubtful(1)
            return None
        return self._navigator.region

    def _tick(self) -> None:
        """Mark the accepted regions."""
        for row, region in enumerate(self._navigator.regions):
            item = self._table.item(row, 0)
            if item is not None:
                item.setText(self._number(row, region))

    def _number(self, row: int, region: DoubtfulRegion) -> str:
        checked = self._refining is not None and self._refining.is_checked(region)
        return f"\u2713 {row + 1}" if checked else f"{row + 1}"

    # What is shown ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the regions anew."""
        navigator, case = self._navigator, self._state.case
        regions = navigator.regions
        self.setVisible(navigator.has_uncertainty)
        self._table.setVisible(bool(regions))
        self._acts.setVisible(bool(regions) and self._refining is not None)
        if not regions:
            looking = navigator.is_looking
            self._said.setText(
                tr("Looking for doubtful regions...")
                if looking
                else tr(
                    "The network has no doubtful region of {least:g} mL or more.",
                    least=SMALLEST_ML,
                )
            )
            return
        in_ml = regions[0].volume_ml is not None
        slices = case.grid.shape[Plane.AXIAL.axis] if case is not None else 0
        self._table.blockSignals(True)
        self._table.setHorizontalHeaderLabels(
            ["", tr("Slice"), "mL" if in_ml else tr("Voxels"), tr("Mean bit")]
        )
        self._table.setRowCount(len(regions))
        for row, region in enumerate(regions):
            tip = _tip(region, slices)
            for column, text in enumerate((self._number(row, region), *_cells(region))):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(tip)
                self._table.setItem(row, column, item)
            self._table.setRowHeight(row, self.fontMetrics().height() + 8)
        for column in range(self._table.columnCount()):
            title = self._table.horizontalHeaderItem(column)
            if title is not None:
                title.setToolTip(_meaning())
                title.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._table.setCurrentCell(-1, -1)
        self._table.blockSignals(False)
        rows = min(len(regions), _MOST_ROWS)
        self._table.setFixedHeight(
            self._table.horizontalHeader().sizeHint().height() + rows * self._table.rowHeight(0) + 4
        )
        self._said.setText(tr("Axial slice, volume and mean uncertainty. Click to go there."))

    def _mark(self, number: int) -> None:
        """Choose the row of the region gone to, without going there once more."""
        self._table.blockSignals(True)
        self._table.setCurrentCell(number, 0)
        self._table.blockSignals(False)

    def _selected(self) -> None:
        rows = self._table.selectionModel().selectedRows()
        if rows and rows[0].row() != self._navigator.region:
            self._navigator.go_to_region(rows[0].row())


def _cells(region: DoubtfulRegion) -> tuple[str, str, str]:
    volume = f"{region.volume_ml:.2f}" if region.volume_ml is not None else f"{region.voxels}"
    return (f"{region.centre[Plane.AXIAL.axis] + 1}", volume, f"{region.mean_bits:.2f}")


def _tip(region: DoubtfulRegion, slices: int) -> str:
    """The numbers of a row in words."""
    volume = (
        f"{region.volume_ml:.2f} mL"
        if region.volume_ml is not None
        else tr("{voxels} voxels", voxels=region.voxels)
    )
    text = tr(
        "Densest in axial slice {slice} of {slices}; {volume} with {bits:.2f} bit on average",
        slice=region.centre[Plane.AXIAL.axis] + 1,
        slices=slices,
        volume=volume,
        bits=region.mean_bits,
    )
    if region.tissue is Tissue.BACKGROUND:
        return text + tr(".\nThe network has drawn most of it as no tumour.")
    if region.tissue is not None:
        return text + tr(
            ".\nThe network has drawn most of it as {label}.", label=TISSUE_NAMES[region.tissue].lower()
        )
    return text + "."


def _meaning() -> str:
    return tr(
        "Places where the network gives its answer with {threshold:g} bit of uncertainty or more "
        "(0 bit: sure, 1 bit: even chances).\n"
        "The ordinary thin edge of what it has drawn (up to about {edge:g} mm) and places under "
        "{least:g} mL are left out; a large place is cut into parts.\n"
        "Ranked by volume times mean uncertainty. The uncertainty is the network's own and may be wrong.",
        threshold=THRESHOLD_BITS,
        edge=2 * EDGE_MM + 1,
        least=SMALLEST_ML,
    )
