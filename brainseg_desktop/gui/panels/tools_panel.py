"""Brush, its rules, and how strongly the mask is drawn."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from brainseg_desktop.gui.panels.parts import LabelledSlider, heading
from brainseg_desktop.gui.views.view_state import MAX_BRUSH_MM, MIN_BRUSH_MM, ViewState
from brainseg_desktop.services.language import tr


class ToolsPanel(QWidget):
    """Follows the `ViewState` and changes it."""

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._size = LabelledSlider(tr("Size"), int(MIN_BRUSH_MM), int(MAX_BRUSH_MM), self._size_text)
        self._size.slider.setToolTip(tr("Diameter of the brush ([ and ], Shift+wheel)"))
        self._size.changed.connect(lambda v: state.set_tool_mm(float(v)))
        self._opacity = LabelledSlider(tr("Opacity"), 0, 100, lambda v: f"{v} %")
        self._opacity.slider.setToolTip(tr("Opacity of the mask (A, D)"))
        self._opacity.changed.connect(lambda v: state.set_opacity(v / 100))
        self._ball = self._box(tr("Ball (3D)"), tr("Paint neighbouring slices too (Shift+B)"), state.set_ball)
        self._keep = self._box(
            tr("Keep other labels"),
            tr("Painting only fills background, erasing only removes the chosen label (B)"),
            state.set_keep_others,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(heading(tr("Brush")))
        for widget in (self._size, self._opacity, self._ball, self._keep):
            layout.addWidget(widget)
        state.tool_changed.connect(self.follow)
        state.overlay_changed.connect(self.follow)
        state.case_changed.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Show what the state says."""
        state = self._state
        self._size.set_value(round(state.tool_mm))
        self._opacity.set_value(round(state.opacity * 100))
        for box, on in (
            (self._ball, state.ball),
            (self._keep, state.constraints.keep_others),
        ):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)

    def _size_text(self, value: int) -> str:
        case = self._state.case
        return f"{value} px" if case is not None and not case.grid.spacing_known else f"{value} mm"

    @staticmethod
    def _box(text: str, tip: str, call: object) -> QCheckBox:
        box = QCheckBox(text)
        box.setToolTip(tip)
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        box.toggled.connect(call)
        return box
