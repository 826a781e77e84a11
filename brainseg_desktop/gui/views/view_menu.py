"""The menu of one view: what it shows, whether it is linked, and its picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from brainseg_desktop.gui.views.colour_maps import COLOUR_MAPS, GREY
from brainseg_desktop.gui.views.layouts import ORDER, Shown
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_panel import SlicePanel
from brainseg_desktop.services.language import tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

T = TypeVar("T")


def make_view_menu(window: MainWindow, panel: SlicePanel) -> QMenu:
    """The menu, made anew each time it is opened.

    Parameters
    ----------
    window : MainWindow
        With a case open.
    panel : SlicePanel
        Whose menu it is.
    """
    state, viewer, view = window.state, window.viewer, panel.view
    menu = QMenu(window)
    assert state.case is not None
    there = [s for s in ORDER if s in state.case.volumes]
    _choices(
        menu.addMenu(tr("Sequence")),
        {s.value: s for s in there},
        view.sequence,
        lambda s: viewer.set_shown(panel, Shown(s, view.plane)),
    )
    _choices(
        menu.addMenu(tr("Plane")),
        {p.words.capitalize(): p for p in Plane},
        view.plane,
        lambda p: viewer.set_shown(panel, Shown(view.sequence, p)),
    )
    _choices(
        menu.addMenu(tr("Colour map")),
        {tr(title): name for name, title in COLOUR_MAPS.items()},
        state.colour_maps.get(view.sequence, GREY),
        lambda name: state.set_colour_map(view.sequence, name),
    )
    linked = menu.addAction(tr("Linked with the other views"))
    linked.setCheckable(True)
    linked.setChecked(view.position.is_linked)
    linked.toggled.connect(view.set_linked)
    menu.addSeparator()
    menu.addAction(tr("Auto window"), lambda: state.auto_window(view.sequence))
    if panel in viewer.panels:
        menu.addAction(
            tr("Show all views") if viewer.is_maximised else tr("Show this view alone"),
            lambda: viewer.toggle_maximised(panel),
        )
    menu.addAction(tr("Open in a window of its own"), lambda: window.view_windows.open(panel.shown))
    menu.addAction(tr("Usual views of this layout"), viewer.reset_layout)
    menu.addSeparator()
    pictures = window.view_pictures
    menu.addAction(tr("Copy picture"), lambda: pictures.copy(view, annotated=True))
    menu.addAction(tr("Copy picture without annotations"), lambda: pictures.copy(view, annotated=False))
    menu.addAction(tr("Save picture..."), lambda: pictures.ask(view, annotated=True))
    menu.addAction(tr("Save picture without annotations..."), lambda: pictures.ask(view, annotated=False))
    return menu


def _choices(menu: QMenu, choices: dict[str, T], chosen: T, choose: Callable[[T], object]) -> None:
    group = QActionGroup(menu)
    for title, value in choices.items():
        action = QAction(title, menu)
        action.setCheckable(True)
        action.setChecked(value == chosen)
        action.triggered.connect(lambda _=False, value=value: choose(value))
        group.addAction(action)
        menu.addAction(action)
