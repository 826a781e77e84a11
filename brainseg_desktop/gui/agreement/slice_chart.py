"""Dice and both areas of each slice along an axis; a click or the arrow keys go to a slice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from brainseg_desktop.gui.agreement.check_picture import MASK_COLOUR, REFERENCE_COLOUR
from brainseg_desktop.services.live_agreement import SliceCounts

_DICE = (122, 179, 247)
_LINE = (150, 156, 163)
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: -10, Qt.Key.Key_PageUp: 10}


class SlicesChart(QWidget):
    """Two plots with one axis of slices: Dice above, the areas of both masks below.

    Signals
    -------
    chosen : slice number from 0.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        import pyqtgraph

        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Dice and areas by slice")
        self._current, self._count = 0, 0
        self._plots: list[Any] = []
        self._lines: list[Any] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for stretch in (3, 2):
            plot: Any = pyqtgraph.PlotWidget(background=None)
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(False, False)
            plot.hideButtons()
            plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            plot.getAxis("left").setWidth(58)
            line = pyqtgraph.InfiniteLine(
                angle=90, pen=pyqtgraph.mkPen(_LINE, style=Qt.PenStyle.DashLine), movable=False
            )
            plot.addItem(line)
            plot.scene().sigMouseClicked.connect(lambda event, plot=plot: self._click(event, plot))
            self._plots.append(plot)
            self._lines.append(line)
            layout.addWidget(plot, stretch)
        above, below = self._plots
        above.setYRange(0, 1, padding=0.03)
        above.setLabel("left", "Dice")
        above.getAxis("bottom").setStyle(showValues=False)
        below.setXLink(above)
        self._dice = above.plot(
            [],
            [],
            pen=pyqtgraph.mkPen(_DICE, width=2),
            connect="finite",
            symbol="o",
            symbolSize=4,
            symbolPen=None,
            symbolBrush=_DICE,
        )
        self._reference = below.plot([], [], pen=pyqtgraph.mkPen(REFERENCE_COLOUR, width=2))
        self._mask = below.plot([], [], pen=pyqtgraph.mkPen(MASK_COLOUR, width=2))

    def set_counts(self, counts: SliceCounts, voxel: float, unit: str, axis: str) -> None:
        """Show a region.

        Parameters
        ----------
        voxel : float
            Area of one voxel on these slices, in `unit`.
        axis : str
            Name of the plane, for the axis.
        """
        numbers = np.arange(1, counts.reference.size + 1)
        self._count = counts.reference.size
        # A curve of nothing but gaps has no bounds that pyqtgraph could find.
        filled = bool((counts.reference + counts.mask).any())
        self._dice.setData(*((numbers, counts.dice) if filled else ([], [])))
        self._reference.setData(numbers, counts.reference * voxel)
        self._mask.setData(numbers, counts.mask * voxel)
        above, below = self._plots
        below.setLabel("left", unit)
        below.setLabel("bottom", f"{axis} slice")
        first, last = _shown(counts.reference + counts.mask)
        above.setXRange(first, last, padding=0.02)
        most = float(max(counts.reference.max(initial=0), counts.mask.max(initial=0))) * voxel
        below.setYRange(0, most or 1.0, padding=0.2)

    def set_current(self, index: int) -> None:
        """Mark the slice shown (from 0)."""
        self._current = index
        for line in self._lines:
            line.setValue(index + 1)

    def pixel_of(self, index: int) -> tuple[QWidget, int, int]:
        """The plot and the pixel in the middle of a slice: for whoever drives the window."""
        plot = self._plots[0]
        scene = plot.plotItem.vb.mapViewToScene(_point(index + 1, 0.5))
        pixel = plot.mapFromScene(scene)
        return plot.viewport(), pixel.x(), pixel.y()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            step = 0
        if step is None or self._count == 0:
            super().keyPressEvent(event)
            return
        self._choose(self._current + step)

    def _click(self, event: Any, plot: Any) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._choose(round(plot.plotItem.vb.mapSceneToView(event.scenePos()).x()) - 1)

    def _choose(self, index: int) -> None:
        if self._count:
            self.chosen.emit(min(max(0, index), self._count - 1))


def _shown(filled: NDArray[np.int64]) -> tuple[int, int]:
    """First and last slice to show, from 1: what is marked and a little beside it."""
    where = np.flatnonzero(filled)
    return (int(where[0]) - 1, int(where[-1]) + 3) if where.size else (1, filled.size)


def _point(x: float, y: float) -> Any:
    from PySide6.QtCore import QPointF

    return QPointF(x, y)
