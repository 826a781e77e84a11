"""The middle of the window: four linked sequences, or three planes of one, and one view maximised."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSlider, QWidget

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.brush_tool import BrushTool
from brainseg_desktop.gui.plane import Plane
from brainseg_desktop.gui.slice_view import SliceView
from brainseg_desktop.gui.view_state import ViewState

_ORDER = (Sequence.FLAIR, Sequence.T1CE, Sequence.T1, Sequence.T2)


class Layout(Enum):
    """How views are arranged."""

    SEQUENCES = "sequences"
    PLANES = "planes"


class SlicePanel(QWidget):
    """A slice view with the slider that goes through its slices."""

    def __init__(self, state: ViewState, view: SliceView) -> None:
        super().__init__()
        self.view = view
        self._state = state
        self._slider = QSlider(Qt.Orientation.Vertical)
        self._slider.setAccessibleName("Slice")
        self._slider.setToolTip("Slice (mouse wheel, Page up, Page down)")
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._slider.valueChanged.connect(self._go)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        row.addWidget(view, 1)
        row.addWidget(self._slider)
        state.case_changed.connect(self.follow)
        state.cursor_changed.connect(self.follow)

    def follow(self) -> None:
        """Bring the slider to the slice shown."""
        case = self._state.case
        self._slider.setVisible(case is not None)
        if case is None:
            return
        self._slider.blockSignals(True)
        self._slider.setRange(0, case.grid.shape[self.view.plane.axis] - 1)
        self._slider.setValue(self.view.index)
        self._slider.blockSignals(False)

    def _go(self, index: int) -> None:
        self._state.step(self.view.plane, index - self.view.index)


class Viewer(QWidget):
    """All slice views, linked through one `ViewState`.

    Signals
    -------
    hovered : voxel index under the mouse in any view, or None.
    """

    hovered = Signal(object)

    def __init__(self, state: ViewState, tool: BrushTool) -> None:
        super().__init__()
        self._state = state
        self.layout_kind = Layout.SEQUENCES
        self.plane = Plane.AXIAL
        self.sequence = Sequence.FLAIR
        self._maximised: SlicePanel | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._panels: list[SlicePanel] = []
        for sequence in _ORDER:
            view = SliceView(state, tool, sequence, Plane.AXIAL)
            panel = SlicePanel(state, view)
            view.maximise_requested.connect(lambda panel=panel: self.toggle_maximised(panel))
            view.hovered.connect(self.hovered)
            self._panels.append(panel)
        state.case_changed.connect(self._choose_sequence)
        self.arrange(Layout.SEQUENCES)

    @property
    def views(self) -> tuple[SliceView, ...]:
        """The views on the screen, first to last."""
        return tuple(p.view for p in self._panels if not p.isHidden())

    def view_of(self, sequence: Sequence, plane: Plane | None = None) -> SliceView | None:
        """The view on the screen that shows this sequence (and plane)."""
        return next(
            (v for v in self.views if v.sequence is sequence and (plane is None or v.plane is plane)), None
        )

    def arrange(self, kind: Layout) -> None:
        """Change between four sequences and three planes."""
        self.layout_kind = kind
        self._maximised = None
        self._lay_out()

    def set_plane(self, plane: Plane) -> None:
        """Plane in which the four sequences are shown."""
        self.plane = plane
        self._lay_out()

    def set_sequence(self, sequence: Sequence) -> None:
        """Sequence of which three planes are shown."""
        self.sequence = sequence
        self._lay_out()

    def toggle_maximised(self, panel: SlicePanel | None = None) -> None:
        """Show one view alone, or all again; windows and slices stay as they are."""
        if panel is None:
            panel = next((p for p in self._panels if p.view.hasFocus()), self._panels[0])
        self._maximised = None if self._maximised is not None else panel
        self._lay_out()

    def step(self, steps: int) -> None:
        """Go some slices on in the view with the focus, or in the first."""
        views = self.views
        view = next((v for v in views if v.hasFocus()), views[0])
        self._state.step(view.plane, steps)

    def _choose_sequence(self) -> None:
        case = self._state.case
        self._maximised = None
        if case is not None and self.sequence not in case.volumes:
            self.sequence = next(iter(case.volumes))
        self._lay_out()

    def _lay_out(self) -> None:
        for panel in self._panels:
            self._grid.removeWidget(panel)
        if self.layout_kind is Layout.SEQUENCES:
            shown = [(s, self.plane) for s in _ORDER]
            places = [(0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 1, 1)]
        else:
            shown = [(self.sequence, p) for p in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)]
            places = [(0, 0, 2, 1), (0, 1, 1, 1), (1, 1, 1, 1)]
        for number, panel in enumerate(self._panels):
            if number < len(shown):
                panel.view.set_shown(*shown[number])
                self._grid.addWidget(panel, *places[number])
            panel.setVisible(number < len(shown) and (self._maximised is None or panel is self._maximised))
            panel.follow()
        if self._maximised is not None:
            self._grid.removeWidget(self._maximised)
            self._grid.addWidget(self._maximised, 0, 0, 2, 2)
        for line in (0, 1):
            self._grid.setRowStretch(line, 1)
            self._grid.setColumnStretch(line, 1)
