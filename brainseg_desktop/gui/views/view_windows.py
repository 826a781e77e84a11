"""Views in windows of their own, for a second monitor."""

from __future__ import annotations

from itertools import count

from PySide6.QtCore import QByteArray, QObject, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.views.layouts import Shown
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_panel import SlicePanel
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.gui.views.viewer import Viewer
from brainseg_desktop.services.settings import ViewWindowPlace


class ViewWindow(QDockWidget):
    """A floating dock with one linked view; it can be dropped into the main window too."""

    def __init__(self, panel: SlicePanel, parent: QMainWindow) -> None:
        super().__init__(parent)
        self.panel = panel
        self.setWidget(panel)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.retitle()

    def retitle(self) -> None:
        """Say what is shown."""
        shown = self.panel.shown
        self.setWindowTitle(f"{shown.sequence.value}, {shown.plane.words}")


class ViewWindows(QObject):
    """The floating views of a main window.

    Parameters
    ----------
    window : QMainWindow
    viewer : Viewer
    state : ViewState
    """

    def __init__(self, window: QMainWindow, viewer: Viewer, state: ViewState) -> None:
        super().__init__(window)
        self._window, self._viewer = window, viewer
        self._open: list[ViewWindow] = []
        viewer.arranged.connect(self._retitle)
        state.case_changed.connect(lambda: self._show(state.case is not None))

    def open(self, shown: Shown, geometry: str = "") -> ViewWindow:
        """Open a view in a window of its own.

        Parameters
        ----------
        geometry : base64 text of where it stood the last time
        """
        dock = ViewWindow(self._viewer.make_panel(shown), self._window)
        self._window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        taken = {w.objectName() for w in self._open}
        dock.setObjectName(next(n for i in count(1) if (n := f"view {i}") not in taken))
        dock.setFloating(True)
        dock.resize(620, 640)
        if geometry:
            dock.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        dock.destroyed.connect(lambda: self._forget(dock))
        self._open.append(dock)
        dock.show()
        return dock

    @property
    def windows(self) -> tuple[ViewWindow, ...]:
        return tuple(self._open)

    def places(self) -> tuple[ViewWindowPlace, ...]:
        """What is open and where, to be kept for the next start."""
        return tuple(
            ViewWindowPlace(
                sequence=w.panel.shown.sequence.value,
                plane=w.panel.shown.plane.title,
                geometry=w.saveGeometry().toBase64().toStdString(),
            )
            for w in self._open
        )

    def restore(self, places: tuple[ViewWindowPlace, ...]) -> None:
        """Open what was open the last time; what is not understood is left out."""
        planes = {p.title: p for p in Plane}
        for place in places:
            if place.plane in planes and place.sequence in {s.value for s in Sequence}:
                self.open(Shown(Sequence(place.sequence), planes[place.plane]), place.geometry)

    def close_all(self) -> None:
        """Close them with the main window."""
        for window in tuple(self._open):
            window.close()

    def _forget(self, dock: ViewWindow) -> None:
        if dock in self._open:
            self._open.remove(dock)

    def _retitle(self) -> None:
        for window in self._open:
            window.retitle()

    def _show(self, on: bool) -> None:
        for window in self._open:
            window.setVisible(on)
