"""A slice view with the strip that goes through its slices, and its menu."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.layouts import Shown
from brainseg_desktop.gui.views.slice_strip import SliceStrip
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr


class SlicePanel(QWidget):
    """What stands in one place of a layout.

    Signals
    -------
    menu_requested : QPoint on the screen where the menu of the view should open.
    """

    menu_requested = Signal(object)

    def __init__(
        self, state: ViewState, toolbox: Toolbox, measuring: Measuring, navigator: Navigator, shown: Shown
    ) -> None:
        super().__init__()
        self._state = state
        self.view = SliceView(state, toolbox, measuring, shown.sequence, shown.plane)
        self.strip = SliceStrip(state, navigator, lambda: self.view.index, self._go)
        self.strip.set_plane(shown.plane)
        self._menu = QToolButton(self.view)
        self._menu.setText("⋮")
        self._menu.setObjectName("view_menu")
        self._menu.setAccessibleName(tr("Menu of this view"))
        self._menu.setToolTip(tr("Sequence, plane, link, colours and picture of this view (right click)"))
        self._menu.setCursor(Qt.CursorShape.ArrowCursor)
        self._menu.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._menu.clicked.connect(
            lambda: self.menu_requested.emit(self._menu.mapToGlobal(QPoint(0, self._menu.height())))
        )
        self.view.installEventFilter(self)
        self.view.menu_requested.connect(self.menu_requested)
        self.view.moved.connect(self.follow)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        row.addWidget(self.view, 1)
        row.addWidget(self.strip)
        state.case_changed.connect(self.follow)
        state.cursor_changed.connect(self.follow)

    def set_shown(self, shown: Shown) -> None:
        """Show another sequence or plane."""
        self.view.set_shown(shown.sequence, shown.plane)
        self.strip.set_plane(shown.plane)
        self.follow()

    @property
    def shown(self) -> Shown:
        return Shown(self.view.sequence, self.view.plane)

    def follow(self) -> None:
        """Bring the strip to the slice shown."""
        self.strip.setVisible(self._state.case is not None)
        self.strip.follow()

    def _go(self, index: int) -> None:
        self.view.position.go(self.view.plane, index)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange):
            size = self._menu.sizeHint()
            self._menu.setGeometry(self.view.width() - size.width() - 2, 2, size.width(), size.height())
        return super().eventFilter(watched, event)
