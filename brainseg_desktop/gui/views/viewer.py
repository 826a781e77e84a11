"""The middle of the window: slice views and the surface in one of several layouts, and one view maximised."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.surface.surface_view import SurfaceView
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.layouts import ORDER, PLACES, Layout, Shown, first_contents
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_panel import SlicePanel
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs


class Viewer(QWidget):
    """All views of the window, linked through one `ViewState`.

    Signals
    -------
    hovered : voxel index under the mouse in any view, or None.
    focused : the `SliceView` that the reader turned to.
    menu_requested : (SlicePanel, QPoint on the screen)
    arranged : another layout, plane or sequence is shown.
    """

    hovered = Signal(object)
    focused = Signal(object)
    menu_requested = Signal(object, object)
    arranged = Signal()

    def __init__(
        self, state: ViewState, toolbox: Toolbox, measuring: Measuring, navigator: Navigator, jobs: Jobs
    ) -> None:
        super().__init__()
        self._state, self._jobs = state, jobs
        self._make: Callable[[Shown], SlicePanel] = lambda shown: SlicePanel(
            state, toolbox, measuring, navigator, shown
        )
        self.layout_kind = Layout.SEQUENCES
        self.plane = Plane.AXIAL
        self.sequence = Sequence.FLAIR
        self.contents: dict[Layout, list[Shown]] = {}
        self._maximised: QWidget | None = None
        keep_sides(self)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self.panels = [self.make_panel(Shown(sequence, Plane.AXIAL)) for sequence in ORDER]
        self.surface: SurfaceView | None = None
        state.case_changed.connect(self._choose_sequence)
        self._lay_out()

    def make_panel(self, shown: Shown) -> SlicePanel:
        """A further panel that is linked with the others; where it stands is the caller's affair."""
        panel = self._make(shown)
        panel.view.maximise_requested.connect(lambda: self.toggle_maximised(panel))
        panel.view.hovered.connect(self.hovered)
        panel.view.focused.connect(lambda: self.focused.emit(panel.view))
        panel.menu_requested.connect(lambda where: self.menu_requested.emit(panel, where))
        return panel

    # What is on the screen --------------------------------------------------------------------------

    @property
    def views(self) -> tuple[SliceView, ...]:
        """The slice views in the window, first to last."""
        return tuple(p.view for p in self.panels if not p.isHidden())

    @property
    def active_panel(self) -> SlicePanel:
        """The panel with the keys, else the first on the screen."""
        shown = [p for p in self.panels if not p.isHidden()] or self.panels
        return next((p for p in shown if p.view.hasFocus()), shown[0])

    def view_of(self, sequence: Sequence, plane: Plane | None = None) -> SliceView | None:
        """The view on the screen that shows this sequence (and plane)."""
        return next(
            (v for v in self.views if v.sequence is sequence and (plane is None or v.plane is plane)), None
        )

    def step(self, steps: int) -> None:
        """Go through the slices of the view with the keys."""
        view = self.active_panel.view
        view.position.step(view.plane, steps)

    # Arranging --------------------------------------------------------------------------------------

    def arrange(self, kind: Layout) -> None:
        """Change the layout; each remembers what its views showed."""
        self.layout_kind = kind
        self._maximised = None
        self._lay_out()

    def set_plane(self, plane: Plane) -> None:
        """Plane in which several sequences are shown."""
        self.plane = plane
        for layout, shown in self.contents.items():
            if not layout.is_of_planes:
                self.contents[layout] = [Shown(s.sequence, plane) for s in shown]
        self._lay_out()

    def set_sequence(self, sequence: Sequence) -> None:
        """Sequence of which three planes are shown."""
        self.sequence = sequence
        for layout, shown in self.contents.items():
            if layout.is_of_planes:
                self.contents[layout] = [Shown(sequence, s.plane) for s in shown]
        self._lay_out()

    def set_shown(self, panel: SlicePanel, shown: Shown) -> None:
        """Show something else in one view; the layout remembers it."""
        if panel in self.panels:
            self._contents()[self.panels.index(panel)] = shown
        panel.set_shown(shown)
        self.arranged.emit()

    def reset_layout(self) -> None:
        """Bring back what the views of this layout show at first."""
        self.contents.pop(self.layout_kind, None)
        self._lay_out()

    def toggle_maximised(self, panel: QWidget | None = None) -> None:
        """Show one view alone, or all again; windows and slices stay as they are."""
        if panel is None:
            surface = self.surface if self.surface is not None and self.surface.hasFocus() else None
            panel = surface or self.active_panel
        alone = self._maximised is not None
        if not alone and panel not in (*self.panels, self.surface):
            return
        self._maximised = None if alone else panel
        self._lay_out()

    @property
    def is_maximised(self) -> bool:
        return self._maximised is not None

    def _contents(self) -> list[Shown]:
        return self.contents.setdefault(
            self.layout_kind, first_contents(self.layout_kind, self.sequence, self.plane)
        )

    def _choose_sequence(self) -> None:
        """A case may lack the sequence that was shown in three planes, or one of the two side by side."""
        case = self._state.case
        if case is None:
            return
        there = [s for s in ORDER if s in case.volumes]
        if self.sequence not in there:
            self.set_sequence(there[0])
        two = self.contents.get(Layout.TWO)
        if two is not None:
            self.contents[Layout.TWO] = [s if s.sequence in there else Shown(there[0], s.plane) for s in two]
        self._lay_out()

    def _lay_out(self) -> None:
        contents, places = self._contents(), PLACES[self.layout_kind]
        widgets: list[QWidget] = list(self.panels[: len(contents)])
        for panel, shown in zip(self.panels, contents, strict=False):
            panel.set_shown(shown)
        if self.layout_kind is Layout.SURFACE:
            widgets.append(self._surface())
        everything: list[QWidget] = [*self.panels, *([self.surface] if self.surface is not None else [])]
        for widget in everything:
            self._grid.removeWidget(widget)
        for line in range(4):
            self._grid.setRowStretch(line, 0)
            self._grid.setColumnStretch(line, 0)
        if self._maximised in widgets and self._maximised is not None:
            self._place(self._maximised, 0, 0, 1, 1)
        else:
            self._maximised = None
            for widget, place in zip(widgets, places, strict=True):
                self._place(widget, *place)
        for widget in everything:
            widget.setVisible(widget in widgets and (self._maximised is None or widget is self._maximised))
        self.arranged.emit()

    def _place(self, widget: QWidget, row: int, column: int, rows: int, columns: int) -> None:
        self._grid.addWidget(widget, row, column, rows, columns)
        for line in range(row, row + rows):
            self._grid.setRowStretch(line, 1)
        for line in range(column, column + columns):
            self._grid.setColumnStretch(line, 1)

    def _surface(self) -> SurfaceView:
        """Made when first asked for: OpenGL costs time and memory that most readings do not need."""
        if self.surface is None:
            self.surface = SurfaceView(self._state, self._jobs)
            self.surface.maximise_requested.connect(lambda: self.toggle_maximised(self.surface))
        return self.surface

    def request_menu(self) -> None:
        """Open the menu of the view with the keys."""
        panel = self.active_panel
        self.menu_requested.emit(panel, panel.view.mapToGlobal(QPoint(20, 20)))
