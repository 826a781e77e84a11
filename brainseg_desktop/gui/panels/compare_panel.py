"""Live agreement of the mask shown with another: numbers, Dice by slice, and the rule for empty masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.metrics import Confusion, Score
from brainseg_desktop.gui.agreement.click_table import ClickTable
from brainseg_desktop.gui.agreement.slice_chart import SlicesChart
from brainseg_desktop.gui.panels.parts import faint, heading, swatch
from brainseg_desktop.gui.views.overlay import DIFFERENCE_COLOURS
from brainseg_desktop.services.compare import AGREED, DEFINITIONS, EXTRA, MISSED, OverlapScores
from brainseg_desktop.services.language import mark, tr

_ROWS = (
    ("dice", mark("Dice")),
    ("iou", mark("IoU")),
    ("precision", mark("Precision")),
    ("sensitivity", mark("Sensitivity")),
    ("specificity", mark("Specificity")),
)
_DIFFERENCE = (
    (AGREED, mark("Agreed"), mark("Voxels in both masks")),
    (MISSED, mark("Missed"), mark("Voxels in the reference only")),
    (EXTRA, mark("Extra"), mark("Voxels in the mask only")),
)
_STATES = {
    "both_empty": mark("both empty"),
    "one_empty": mark("one empty"),
    "no_spacing": mark("no voxel size"),
}


def score_text(score: Score, decimals: int = 3) -> str:
    """A score as a reader meets it: the number, or why there is none."""
    if score.value is None:
        return tr(_STATES.get(score.state, "-"))
    return f"{score.value:.{decimals}f}"


class ComparePanel(QWidget):
    """Shows scores it is given; knows no mask.

    Signals
    -------
    reference_chosen : index in the list given to `set_references`, -1 for none.
    mask_chosen : index in the list given to `set_masks`, -1 for the mask shown.
    swap_wanted, report_wanted : buttons.
    number_clicked : name of the region or label whose number was clicked.
    region_chosen : name of the region or label whose difference and slices are shown.
    slice_clicked : slice number from 0.
    """

    reference_chosen = Signal(int)
    mask_chosen = Signal(int)
    swap_wanted = Signal()
    report_wanted = Signal()
    number_clicked = Signal(str)
    region_chosen = Signal(str)
    slice_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._reference = QComboBox()
        self._reference.setAccessibleName(tr("Reference side"))
        self._reference.currentIndexChanged.connect(lambda row: self.reference_chosen.emit(row - 1))
        self._mask = QComboBox()
        self._mask.setAccessibleName(tr("Mask side"))
        self._mask.currentIndexChanged.connect(lambda row: self.mask_chosen.emit(row - 1))
        self._swap = QPushButton(tr("Swap"))
        self._swap.setToolTip(tr("Take the mask as reference and the reference as mask, whichever is shown"))
        self._swap.clicked.connect(self.swap_wanted)
        self._report = QPushButton(tr("All measures..."))
        self._report.setToolTip(
            tr("Distances, lesions, slices and a picture, in a window of their own (Ctrl+M)")
        )
        self._report.clicked.connect(self.report_wanted)
        self._pair = faint()
        self._tiles: list[tuple[QLabel, QLabel, QFrame]] = []
        tiles = QGridLayout()
        tiles.setSpacing(6)
        for place in range(3):
            tile, value, name = _tile()
            self._tiles.append((value, name, tile))
            tiles.addWidget(tile, 0, place)
        self._table = ClickTable(tr("Agreement"), 0)
        self._table.setRowCount(len(_ROWS) + 2)
        self._table.setVerticalHeaderLabels(
            [tr(text) for _, text in _ROWS] + [tr("Ref., mL"), tr("Mask, mL")]
        )
        self._table.setToolTip(tr("Click a number to go to where the two differ most"))
        self._table.chosen.connect(self._number_chosen)
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for row, (key, _) in enumerate(_ROWS):
            self._table.verticalHeaderItem(row).setToolTip(tr(DEFINITIONS[key]))
        rows = len(_ROWS) + 2
        self._table.setFixedHeight(rows * (self.fontMetrics().height() + 7) + 32)
        self._table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._group = QComboBox()
        self._group.setAccessibleName(tr("Rows of the table"))
        self._group.currentIndexChanged.connect(self._show_group)
        self._groups: list[dict[str, OverlapScores]] = []
        self._region = QComboBox()
        self._region.setAccessibleName(tr("Region of chart and difference"))
        self._region.currentTextChanged.connect(self._region_picked)
        for box in (self._reference, self._mask, self._group, self._region):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
        self._legend = QWidget()
        legend = QGridLayout(self._legend)
        legend.setContentsMargins(0, 0, 0, 0)
        self._amounts: dict[int, QLabel] = {}
        for place, (code, word, tip) in enumerate(_DIFFERENCE):
            mark, amount = QLabel(), QLabel()
            mark.setPixmap(swatch(DIFFERENCE_COLOURS[code]).pixmap(14, 14))
            amount.setObjectName("faint")
            amount.setAccessibleName(tr(word))
            amount.setToolTip(tr("{what}, in the colour of the difference overlay (F)", what=tr(tip)))
            legend.addWidget(mark, 0, 2 * place, Qt.AlignmentFlag.AlignTop)
            legend.addWidget(amount, 0, 2 * place + 1)
            legend.setColumnStretch(2 * place + 1, 1)
            self._amounts[code] = amount
        self._chart = SlicesChart(tr("Dice by slice"))
        self._chart.setFixedHeight(130)
        self._chart.chosen.connect(self.slice_clicked)
        self._caption = faint()
        self._rule = faint(
            tr("A measure of two empty masks has no value and is said to be empty, not 0 or 1.")
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading(tr("Agreement, live")))
        sides = QGridLayout()
        sides.setSpacing(6)
        for row, (title, box) in enumerate(((tr("Reference"), self._reference), (tr("Mask"), self._mask))):
            sides.addWidget(QLabel(title), row, 0)
            sides.addWidget(box, row, 1)
        sides.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self._swap)
        buttons.addWidget(self._report)
        sides.addLayout(buttons, 2, 0, 1, 2)
        layout.addLayout(sides)
        layout.addWidget(self._pair)
        layout.addLayout(tiles)
        layout.addWidget(self._group)
        layout.addWidget(self._table)
        layout.addWidget(self._region)
        layout.addWidget(self._legend)
        layout.addWidget(self._chart)
        layout.addWidget(self._caption)
        layout.addWidget(self._rule)
        # What is shown only where there is a pair.
        self._numbers = (
            self._group,
            self._table,
            self._region,
            self._legend,
            self._chart,
            self._caption,
            self._rule,
        )
        self.clear(tr("Open a case to compare masks."))

    def set_references(self, names: list[str], chosen: int) -> None:
        """List the masks for the reference side; -1 for none."""
        _fill(self._reference, [tr("Nothing"), *names], chosen + 1)
        self._reference.setToolTip(
            tr("The mask that counts as right: {mask}", mask=self._reference.currentText())
        )
        for button in (self._swap, self._report):
            button.setEnabled(chosen >= 0)

    def set_masks(self, shown: str, names: list[str], chosen: int) -> None:
        """List the masks for the mask side; -1 for the one shown, which is named."""
        _fill(
            self._mask, [tr("Shown: {shown}", shown=shown) if shown else tr("Mask shown"), *names], chosen + 1
        )
        tip = tr("The mask that is measured, the one shown or always the same one")
        self._mask.setToolTip(f"{tip}: {self._mask.currentText()}")

    def set_regions(self, names: list[str], chosen: str) -> None:
        """List regions and labels for chart and difference overlay."""
        _fill(self._region, names, names.index(chosen) if chosen in names else -1)

    def clear(self, why: str) -> None:
        """Show no numbers, and why."""
        self._pair.setText(why)
        self._pair.show()
        for _, _, tile in self._tiles:
            tile.hide()
        for widget in self._numbers:
            widget.hide()

    def set_scores(self, regions: dict[str, OverlapScores], labels: dict[str, OverlapScores]) -> None:
        """Show scores by name, in order; each region gets a tile, the table shows regions or labels."""
        self._pair.hide()
        names = list(regions)
        for place, (value, name, tile) in enumerate(self._tiles):
            tile.setVisible(place < len(names))
            if place < len(names):
                dice = regions[names[place]].dice
                value.setText(score_text(dice, 2) if dice.value is not None else "\u2013")
                tile.setToolTip(
                    tr(
                        "Dice of {name}: {score} {state}",
                        name=names[place],
                        score=score_text(dice),
                        state=tr(_STATES.get(dice.state, "")),
                    ).strip()
                )
                # Which of the two is empty is told by the tooltip: a tile has room for one word.
                name.setText(names[place] if dice.state == "ok" else tr("{name}, empty", name=names[place]))
        self._groups = [regions, labels]
        titles = [
            tr("Regions: {names}", names=", ".join(regions)),
            tr("Labels: {names}", names=", ".join(labels)),
        ]
        if [self._group.itemText(i) for i in range(self._group.count())] != titles:
            chosen = max(0, self._group.currentIndex())
            self._group.blockSignals(True)
            self._group.clear()
            self._group.addItems(titles)
            self._group.setCurrentIndex(chosen)
            self._group.blockSignals(False)
        self._show_group()
        for widget in self._numbers:
            widget.show()

    def set_difference(self, counts: Confusion, voxel_ml: float | None) -> None:
        """Write how much of the region chosen is agreed, missed and extra; in voxels without a voxel size."""
        voxels = {AGREED: counts.tp, MISSED: counts.fn, EXTRA: counts.fp}
        for code, word, _ in _DIFFERENCE:
            amount = (
                tr("{count:,} vox.", count=voxels[code])
                if voxel_ml is None
                else f"{voxels[code] * voxel_ml:,.2f} mL"
            )
            self._amounts[code].setText(f"{tr(word)}\n{amount}")

    def _show_group(self) -> None:
        scores = self._groups[self._group.currentIndex()] if self._groups else {}
        if self._table.columnCount() != len(scores):
            self._table.setColumnCount(len(scores))
        self._table.put_headings(list(scores))
        for column, one in enumerate(scores.values()):
            for row, (key, _) in enumerate(_ROWS):
                score = getattr(one, key)
                self._put(
                    row, column, tr("empty") if score.value is None else score_text(score), score_text(score)
                )
            for row, volume in enumerate(one.volume_ml):
                self._put(len(_ROWS) + row, column, score_text(volume, 1))

    def set_slices(self, dice: NDArray[np.float64], current: int, name: str) -> None:
        """Draw Dice along the slices."""
        self._chart.set_slices(dice)
        self._chart.set_current(current)
        self._caption.setText(tr("Dice of {name} by slice. Click to go there.", name=name))

    def set_current_slice(self, index: int) -> None:
        """Move the chart's line."""
        self._chart.set_current(index)

    def _region_picked(self, name: str) -> None:
        if name:
            self.region_chosen.emit(name)

    def _number_chosen(self, row: int, column: int) -> None:
        title = self._table.horizontalHeaderItem(column)
        if title is not None:
            self.number_clicked.emit(title.text())

    def _put(self, row: int, column: int, text: str, tip: str = "") -> None:
        self._table.put(row, column, text, tip if tip != text else "")


def _fill(box: QComboBox, texts: list[str], chosen: int) -> None:
    """List texts and choose one without telling anyone; a list of one leaves nothing to choose."""
    box.blockSignals(True)
    box.clear()
    box.addItems(texts)
    box.setCurrentIndex(chosen)
    box.blockSignals(False)
    box.setEnabled(len(texts) > 1)


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
    name.setWordWrap(True)
    for label in (value, name):
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        # A long state may not widen the panel beyond its dock.
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout.addWidget(label)
    return tile, value, name
