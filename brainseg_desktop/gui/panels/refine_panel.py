"""Correcting with the network: its thresholds as sliders, scribbles, and its answer again in a box."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from brainseg_desktop.core.refinement import LEAST_REACH_MM, MOST_REACH_MM
from brainseg_desktop.gui.panels.parts import LabelledSlider, faint, heading
from brainseg_desktop.gui.tasks.refining import BOX_MM, Refining
from brainseg_desktop.gui.tools.scribble_tool import ScribbleTool
from brainseg_desktop.gui.views.view_state import Mode, ViewState
from brainseg_desktop.services.language import mark, tr

_REGIONS = {
    "WT": mark("Whole tumour: at a lower threshold the mask takes in more"),
    "TC": mark("Tumour core (necrosis and enhancing tumour), inside the whole tumour"),
    "ET": mark("Enhancing tumour, inside the core"),
}
_SIDES_MM = (5, 120)


class RefinePanel(QWidget):
    """Sliders for the thresholds of the regions, and buttons for scribbles and the box.

    Parameters
    ----------
    refining : Refining
    state : ViewState
    scribbles : ScribbleTool
    """

    def __init__(self, refining: Refining, state: ViewState, scribbles: ScribbleTool) -> None:
        super().__init__()
        self._refining, self._state, self._scribbles = refining, state, scribbles
        self._held: str | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._show)
        self._sliders = {region: self._threshold(region, tip) for region, tip in _REGIONS.items()}
        self._reset = QPushButton(tr("Network's own"))
        self._reset.setToolTip(
            tr("Back to the thresholds with which the network outlined the case, as one step")
        )
        self._reset.clicked.connect(refining.reset_thresholds)
        self._why = faint()
        self._scribble = QPushButton(tr("Scribble"))
        self._scribble.setCheckable(True)
        self._scribble.setToolTip(
            tr("Left drag marks what is the chosen label, Ctrl+drag what is not; the border between is found")
        )
        self._scribble.clicked.connect(lambda on: state.set_mode(Mode.SCRIBBLE if on else Mode.CROSSHAIR))
        self._take = QPushButton(tr("Take over"))
        self._take.setToolTip(tr("Make the preview one step (Enter)"))
        self._take.clicked.connect(scribbles.accept)
        self._drop = QPushButton(tr("Drop"))
        self._drop.setToolTip(tr("Drop the strokes and their preview (Esc)"))
        self._drop.clicked.connect(scribbles.cancel)
        self._reach = LabelledSlider(tr("Reach"), int(LEAST_REACH_MM), int(MOST_REACH_MM), self._length)
        self._reach.slider.setToolTip(tr("How far strokes act in even tissue (Shift+wheel)"))
        self._reach.changed.connect(lambda v: scribbles.set_reach_mm(float(v)))
        self._side = LabelledSlider(tr("Box"), *_SIDES_MM, self._length)
        self._side.slider.setToolTip(tr("Side of the box round the crosshair"))
        self._side.set_value(BOX_MM)
        self._again = QPushButton(tr("AI again in box"))
        self._again.setToolTip(
            tr(
                "Take over what the network has drawn in a box round the crosshair; the rest of your "
                "mask stays"
            )
        )
        self._again.clicked.connect(self._take_again)
        self._lay_out()
        for slider in (self._reach, self._side):
            slider.slider.installEventFilter(self)
        refining.changed.connect(self.follow)
        state.tool_changed.connect(self.follow_tool)
        state.case_changed.connect(self._case_changed)
        self.follow()
        self.follow_tool()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(heading(tr("Network's thresholds")))
        for slider in self._sliders.values():
            column.addWidget(slider)
        column.addWidget(self._reset)
        column.addWidget(self._why)
        column.addSpacing(6)
        column.addWidget(heading(tr("Refine by strokes")))
        row = QHBoxLayout()
        for button in (self._scribble, self._take, self._drop):
            row.addWidget(button)
        column.addLayout(row)
        column.addWidget(self._reach)
        column.addSpacing(6)
        column.addWidget(heading(tr("AI again")))
        column.addWidget(self._side)
        column.addWidget(self._again)

    def _threshold(self, region: str, tip: str) -> LabelledSlider:
        slider = LabelledSlider(region, 1, 100, lambda v: f"{v} %")
        slider.slider.setToolTip(tr(tip))
        slider.slider.setAccessibleName(tr("Threshold {region}", region=region))
        slider.slider.sliderPressed.connect(lambda: self._press(region))
        slider.slider.sliderReleased.connect(self._release)
        slider.changed.connect(lambda value: self._moved(region, value))
        slider.slider.installEventFilter(self)
        return slider

    def follow(self) -> None:
        """Show the thresholds in effect, or why there are none."""
        refining = self._refining
        why, thresholds = refining.why_not, refining.thresholds
        usable = not why
        # A region that the network does not tell has no slider; without a network all are greyed.
        for region, slider in self._sliders.items():
            slider.setVisible(not usable or region in thresholds)
            slider.setEnabled(usable)
            if self._held is None:
                slider.set_value(round(100 * thresholds.get(region, 0.5)))
        answer = refining.answer
        self._reset.setEnabled(usable and answer is not None and thresholds != answer.own)
        self._why.setText(why or tr("What you changed by hand stays as you left it."))
        self._again.setEnabled(self._state.case is not None)

    def follow_tool(self) -> None:
        """Show whether there are strokes, and how far they act."""
        busy = self._scribbles.is_busy
        self._scribble.setChecked(self._state.mode is Mode.SCRIBBLE)
        self._scribble.setEnabled(self._state.case is not None)
        self._take.setEnabled(busy)
        self._drop.setEnabled(busy)
        self._reach.set_value(round(self._scribbles.reach_mm))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The wheel scrolls the panel past these sliders; it must not change a mask on its way.
        if event.type() is QEvent.Type.Wheel:
            event.ignore()
            return True
        is_esc = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_esc and event.type() is QEvent.Type.KeyPress and self._held is not None:
            self._give_up()
            return True
        return super().eventFilter(watched, event)

    def _press(self, region: str) -> None:
        if self._refining.begin_threshold():
            self._held = region
        else:
            self.follow()

    def _moved(self, region: str, value: int) -> None:
        slider = self._sliders[region].slider
        if self._held == region:
            # Mouse moves that come while a mask is being drawn are passed over.
            self._timer.start(0)
        elif slider.isSliderDown():
            # Given up, or not to be changed: the handle goes back when the button comes up.
            return
        else:
            self._refining.set_threshold(region, value / 100)

    def _show(self) -> None:
        if self._held is not None:
            self._refining.move_threshold(self._held, self._sliders[self._held].slider.value() / 100)

    def _release(self) -> None:
        self._timer.stop()
        self._show()
        region, self._held = self._held, None
        if region is not None:
            self._refining.end_threshold(region)
        self.follow()

    def _give_up(self) -> None:
        self._timer.stop()
        self._held = None
        self._refining.cancel_threshold()
        self.follow()

    def _case_changed(self) -> None:
        self._give_up()
        for slider in (self._reach, self._side):
            slider.set_value(slider.slider.value())
        self.follow_tool()

    def _take_again(self) -> None:
        box = self._refining.box_here(float(self._side.slider.value()))
        if box is not None:
            self._refining.rerun_box(box)

    def _length(self, value: int) -> str:
        case = self._state.case
        return f"{value} px" if case is not None and not case.grid.spacing_known else f"{value} mm"
