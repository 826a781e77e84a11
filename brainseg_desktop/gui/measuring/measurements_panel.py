"""The list of what was measured in this case."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.measurements import Measurement, RoiStatistics, roi_statistics
from brainseg_desktop.gui.measuring.measurement_text import lines, table, title
from brainseg_desktop.gui.measuring.measuring import go_to
from brainseg_desktop.gui.panels.parts import heading
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr

_MOST_LINES = 14


class MeasurementsPanel(QWidget):
    """All measurements with value and slice; hidden while there are none.

    Signals
    -------
    chosen : the `Measurement` that was clicked; its slice is already shown.
    """

    chosen = Signal(object)

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._shown: tuple[Measurement, ...] = ()
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Measurements"))
        self._list.setToolTip(tr("Click a measurement to go to its slice. Del removes the highlighted one."))
        self._list.setWordWrap(True)
        self._list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._list.setResizeMode(QListView.ResizeMode.Adjust)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemClicked.connect(self._go)
        self._list.itemActivated.connect(self._go)
        self._list.currentRowChanged.connect(self._update_buttons)
        self._delete = QPushButton(tr("Delete"))
        self._delete.setAccessibleName(tr("Delete measurement"))
        self._delete.setToolTip(tr("Delete the chosen measurement (Del)"))
        self._delete.clicked.connect(self._remove)
        self._copy = QPushButton(tr("Copy table"))
        self._copy.setAccessibleName(tr("Copy table of measurements"))
        self._copy.setToolTip(tr("Copy all measurements, with units, to paste into a table"))
        self._copy.clicked.connect(self._copy_table)
        buttons = QHBoxLayout()
        buttons.addWidget(self._delete)
        buttons.addWidget(self._copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading(tr("Measurements")))
        layout.addWidget(self._list)
        layout.addLayout(buttons)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        state.measurements_changed.connect(self._refresh)
        self._refresh()

    def select(self, measurement: Measurement | None) -> None:
        """Mark the row of a measurement; None marks none."""
        rows = (row for row, m in enumerate(self._shown) if m is measurement)
        self._list.setCurrentRow(next(rows, -1))

    def _refresh(self) -> None:
        case, measurements = self._state.case, self._state.measurements
        row = self._list.currentRow()
        grown = len(measurements) - len(self._shown)
        self._shown = measurements if case is not None else ()
        self._list.blockSignals(True)
        self._list.clear()
        for m in self._shown:
            assert case is not None
            where, values = title(m, case.grid), self._values(m)
            item = QListWidgetItem(f"{values}\n{where}")
            item.setToolTip(f"{where}\n{values}")
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{where}: {values}")
            self._list.addItem(item)
        # The new one, the one that was moved, or after a deletion none: Delete twice must not remove two.
        self._list.setCurrentRow(len(self._shown) - 1 if grown > 0 else row if grown == 0 else -1)
        self._list.blockSignals(False)
        self._update_buttons()
        self.setVisible(bool(self._shown))
        self._fit()
        if self._list.currentItem() is not None:
            self._list.scrollToItem(self._list.currentItem())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Rows wrap at another width.
        self._fit()

    def _fit(self) -> None:
        """As high as its rows, up to some lines of text; the rest scrolls."""
        rows = sum(self._list.sizeHintForRow(row) for row in range(len(self._shown)))
        most = _MOST_LINES * self._list.fontMetrics().height()
        self._list.doItemsLayout()
        self._list.setFixedHeight(min(rows, most) + 2 * self._list.frameWidth() + 4)

    def _values(self, m: Measurement) -> str:
        assert self._state.case is not None
        parts = lines(m, self._state.case.grid, self._statistics(m))
        # The name stands in the line below.
        return ", ".join(" ".join(part.split()) for part in parts if part != m.name)

    def _statistics(self, m: Measurement) -> RoiStatistics | None:
        """Of a region on the sequence it was drawn on."""
        volume = None if m.sequence is None else self._state.volume(m.sequence)
        if self._state.case is None or volume is None or len(m.points) != 2:
            return None
        return roi_statistics(m, volume, self._state.case.grid)

    def _go(self, item: QListWidgetItem) -> None:
        measurement = self._shown[self._list.row(item)]
        go_to(self._state, measurement)
        self.chosen.emit(measurement)

    def _remove(self) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._shown):
            self._state.set_measurements(self._shown[:row] + self._shown[row + 1 :])

    def _copy_table(self) -> None:
        if self._state.case is not None:
            text = table(self._shown, self._state.case.grid, self._statistics)
            QGuiApplication.clipboard().setText(text)

    def _update_buttons(self) -> None:
        self._delete.setEnabled(self._list.currentRow() >= 0)
