"""Live agreement of the mask shown with another: numbers, Dice by slice, and the rule for empty masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QGridLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.services.compare import DEFINITIONS, OverlapScores

_ROWS = (
    ("dice", "Dice"),
    ("iou", "IoU"),
    ("precision", "Precision"),
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
)
_STATES = {"both_empty": "both empty", "one_empty": "one empty", "no_spacing": "no voxel size"}


def score_text(score: Score, decimals: int = 3) -> str:
    """A score as a reader meets it: the number, or why there is none."""
    if score.value is None:
        return _STATES.get(score.state, "-")
    return f"{score.value:.{decimals}f}"


class ComparePanel(QWidget):
    """Shows scores it is given; knows no mask.

    Signals
    -------
    reference_chosen : index in the list given to `set_choices`, -1 for none.
    region_chosen : name of the region or label whose difference and slices are shown.
    slice_clicked : slice number from 0.
    """

    reference_chosen = Signal(int)
    region_chosen = Signal(str)
    slice_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._choice = QComboBox()
        self._choice.setAccessibleName("Compare with")
        self._choice.currentIndexChanged.connect(lambda row: self.reference_chosen.emit(row - 1))
        self._pair = faint()
        self._tiles: list[tuple[QLabel, QLabel, QFrame]] = []
        tiles = QGridLayout()
        tiles.setSpacing(6)
        for place in range(3):
            tile, value, name = _tile()
            self._tiles.append((value, name, tile))
            tiles.addWidget(tile, 0, place)
        self._table = QTableWidget(len(_ROWS) + 2, 0)
        self._table.setAccessibleName("Agreement")
        self._table.setTabKeyNavigation(False)
        self._table.setVerticalHeaderLabels([text for _, text in _ROWS] + ["Other, mL", "Mask, mL"])
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._table.setShowGrid(False)
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self._table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 7)
        for row, (key, _) in enumerate(_ROWS):
            self._table.verticalHeaderItem(row).setToolTip(DEFINITIONS[key])
        rows = len(_ROWS) + 2
        self._table.setFixedHeight(rows * (self.fontMetrics().height() + 7) + 32)
        self._table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._group = QComboBox()
        self._group.setAccessibleName("Rows of the table")
        self._group.currentIndexChanged.connect(self._show_group)
        self._groups: list[dict[str, OverlapScores]] = []
        self._region = QComboBox()
        self._region.setAccessibleName("Region of chart and difference")
        self._region.currentTextChanged.connect(self._region_picked)
        for box in (self._choice, self._group, self._region):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
        self._chart: SliceChart | None = None
        self._chart_place = QVBoxLayout()
        self._rule = faint("A measure of two empty masks has no value and is said to be empty, not 0 or 1.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("Agreement, live"))
        layout.addWidget(self._choice)
        layout.addWidget(self._pair)
        layout.addLayout(tiles)
        layout.addWidget(self._group)
        layout.addWidget(self._table)
        layout.addWidget(self._region)
        layout.addLayout(self._chart_place)
        layout.addWidget(self._rule)
        self.clear("Open a case to compare masks.")

    def set_choices(self, names: list[str], chosen: int) -> None:
        """List the masks that the one shown can be compared with; -1 for none."""
        self._choice.blockSignals(True)
        self._choice.clear()
        self._choice.addItem("Compare with nothing")
        self._choice.addItems([f"Compare with {name}" for name in names])
        self._choice.setCurrentIndex(chosen + 1)
        self._choice.blockSignals(False)
        self._choice.setEnabled(bool(names))

    def set_regions(self, names: list[str], chosen: str) -> None:
        """List regions and labels for chart and difference overlay."""
        self._region.blockSignals(True)
        self._region.clear()
        self._region.addItems(names)
        self._region.setCurrentText(chosen)
        self._region.blockSignals(False)

    def clear(self, why: str) -> None:
        """Show no numbers, and why."""
        self._pair.setText(why)
        for _, _, tile in self._tiles:
            tile.hide()
        for widget in (self._group, self._table, self._region, self._rule):
            widget.hide()
        if self._chart is not None:
            self._chart.hide()

    def set_scores(
        self, pair: str, regions: dict[str, OverlapScores], labels: dict[str, OverlapScores]
    ) -> None:
        """Show scores by name, in order; each region gets a tile, the table shows regions or labels."""
        self._pair.setText(pair)
        names = list(regions)
        for place, (value, name, tile) in enumerate(self._tiles):
            tile.setVisible(place < len(names))
            if place < len(names):
                dice = regions[names[place]].dice
                value.setText(score_text(dice, 2) if dice.value is not None else "\u2013")
                tile.setToolTip(
                    f"Dice of {names[place]}: {score_text(dice)} {_STATES.get(dice.state, '')}".strip()
                )
                # Which of the two is empty is told by the tooltip: a tile has room for one word.
                name.setText(names[place] if dice.state == "ok" else f"{names[place]}, empty")
        self._groups = [regions, labels]
        titles = ["Regions: " + ", ".join(regions), "Labels: " + ", ".join(labels)]
        if [self._group.itemText(i) for i in range(self._group.count())] != titles:
            chosen = max(0, self._group.currentIndex())
            self._group.blockSignals(True)
            self._group.clear()
            self._group.addItems(titles)
            self._group.setCurrentIndex(chosen)
            self._group.blockSignals(False)
        self._show_group()
        for widget in (self._group, self._table, self._region, self._rule):
            widget.show()

    def _show_group(self) -> None:
        scores = self._groups[self._group.currentIndex()] if self._groups else {}
        if self._table.columnCount() != len(scores):
            self._table.setColumnCount(len(scores))
        self._table.setHorizontalHeaderLabels(list(scores))
        for column, one in enumerate(scores.values()):
            for row, (key, _) in enumerate(_ROWS):
                score = getattr(one, key)
                self._put(
                    row, column, "empty" if score.value is None else score_text(score), score_text(score)
                )
            for row, volume in enumerate(one.volume_ml):
                self._put(len(_ROWS) + row, column, score_text(volume, 1))

    def set_slices(self, dice: NDArray[np.float64], current: int, name: str) -> None:
        """Draw Dice along the slices; pyqtgraph is loaded at the first call only."""
        if self._chart is None:
            self._chart = SliceChart()
            self._chart.clicked.connect(self.slice_clicked)
            self._chart_place.addWidget(self._chart)
        self._chart.show()
        self._chart.set_dice(dice, current, name)

    def set_current_slice(self, index: int) -> None:
        """Move the chart's line."""
        if self._chart is not None:
            self._chart.set_current(index)

    def _region_picked(self, name: str) -> None:
        if name:
            self.region_chosen.emit(name)

    def _put(self, row: int, column: int, text: str, tip: str = "") -> None:
        item = self._table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self._table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        item.setToolTip(tip if tip != text else "")


class SliceChart(QWidget):
    """Dice of each slice; a click goes there."""

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        import pyqtgraph

        self._plot: Any = pyqtgraph.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(False, False)
        self._plot.hideButtons()
        self._plot.setYRange(0, 1, padding=0.03)
        self._plot.setFixedHeight(130)
        self._plot.getAxis("bottom").setStyle(tickTextOffset=2)
        self._plot.setAccessibleName("Dice by slice")
        self._curve = self._plot.plot(
            [],
            [],
            pen=pyqtgraph.mkPen((77, 155, 245), width=2),
            connect="finite",
            symbol="o",
            symbolSize=3,
            symbolPen=None,
            symbolBrush=(77, 155, 245),
        )
        self._line = pyqtgraph.InfiniteLine(
            angle=90, pen=pyqtgraph.mkPen((150, 156, 163), style=Qt.PenStyle.DashLine)
        )
        self._plot.addItem(self._line)
        self._plot.scene().sigMouseClicked.connect(self._click)
        # A wheel turn passes many slices; the chart need not follow each.
        self._current = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(40)
        self._timer.timeout.connect(lambda: self._line.setValue(self._current + 1))
        self._caption = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        layout.addWidget(self._caption)

    def set_dice(self, dice: NDArray[np.float64], current: int, name: str) -> None:
        """Show one value a slice, NaN where both masks are empty."""
        numbers = np.arange(1, len(dice) + 1)
        self._curve.setData(numbers, dice)
        filled = np.flatnonzero(np.isfinite(dice))
        if filled.size:
            self._plot.setXRange(int(filled[0]) - 1, int(filled[-1]) + 3, padding=0.02)
        self._caption.setText(f"Dice of {name} by slice. Click to go there.")
        self.set_current(current)

    def set_current(self, index: int) -> None:
        """Mark the slice shown (from 0)."""
        self._current = index
        if not self._timer.isActive():
            self._timer.start()

    def _click(self, event: Any) -> None:
        where = self._plot.plotItem.vb.mapSceneToView(event.scenePos())
        self.clicked.emit(round(where.x()) - 1)


def _tile() -> tuple[QFrame, QLabel, QLabel]:
    """A raised box with a big number and its name."""
    tile = QFrame()
    tile.setObjectName("tile")
    value, name = QLabel("\u2013"), QLabel()
    value.setObjectName("score")
    name.setObjectName("faint")
    layout = QVBoxLayout(tile)
    layout.setContentsMargins(6, 5, 6, 5)
    layout.setSpacing(0)
    for label in (value, name):
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        # A long state may not widen the panel beyond its dock.
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout.addWidget(label)
    return tile, value, name
