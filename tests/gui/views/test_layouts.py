"""Layouts, links, menus, views in windows of their own: which views stand where and what each shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QToolButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.layouts import PLACES, Layout, Shown, first_contents
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_menu import make_view_menu
from tests.gui.conftest import open_case, pixel_of
from tests.gui.views.test_slice_view import wheel


@pytest.mark.parametrize("layout", list(Layout))
def test_each_layout_shows_its_views_without_overlap(
    qtbot: QtBot, window: MainWindow, sample: Path, layout: Layout
) -> None:
    open_case(qtbot, window, sample)
    window.actions_by_name[layout.value].trigger()
    qtbot.wait(10)
    views = window.viewer.views
    wanted = first_contents(layout, Sequence.FLAIR, Plane.AXIAL)
    assert [Shown(v.sequence, v.plane) for v in views] == wanted
    assert window.actions_by_name[layout.value].isChecked()
    panels: list[object] = [p for p in window.viewer.panels if p.isVisible()]
    if layout is Layout.SURFACE:
        assert window.viewer.surface.isVisible()
        panels.append(window.viewer.surface)
    assert len(panels) == len(PLACES[layout])
    frames = [p.geometry() for p in panels]
    assert all(f.width() >= 120 and f.height() >= 120 for f in frames)
    assert not any(a.intersects(b) for i, a in enumerate(frames) for b in frames[i + 1 :])
    area = sum(f.width() * f.height() for f in frames)
    assert area > 0.95 * window.viewer.width() * window.viewer.height(), "no empty place"


def test_double_click_maximises_and_keeps_window_and_slice(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    open_case(qtbot, window, sample)
    window.viewer.arrange(Layout.BIG)
    qtbot.wait(10)
    view, state = window.viewer.views[2], window.state
    windows, cursor = dict(state.windows), None
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    cursor = state.cursor
    qtbot.wait(10)
    assert window.viewer.views == (view,)
    assert view.width() > 0.9 * window.viewer.width()
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    assert len(window.viewer.views) == 4
    assert state.windows == windows
    assert state.cursor[2] == cursor[2]


def test_a_view_is_held_off_and_comes_back(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    first, second = window.viewer.views[:2]
    second.setFocus()
    qtbot.keyClick(second, Qt.Key.Key_L)
    assert not second.position.is_linked
    here = second.index
    wheel(first, 5)
    assert (first.index, second.index) == (here + 5, here)
    wheel(second, -2)
    assert (first.index, second.index) == (here + 5, here - 2)
    zoom = first.position.camera.zoom
    wheel(second, 3, Qt.KeyboardModifier.ControlModifier)
    assert first.position.camera.zoom == zoom
    assert second.position.camera.zoom > zoom
    assert second._captions(second.volume).marks == ("not linked",)
    strip = next(p for p in window.viewer.panels if p.view is second).strip
    assert strip.value() == second.index
    qtbot.keyClick(second, Qt.Key.Key_L)
    assert second.position.is_linked
    assert second.index == first.index
    assert second.position.camera == first.position.camera


def test_linked_views_show_one_place_in_all_planes(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    """A click in one plane brings the others to the same millimetres."""
    open_case(qtbot, window, sample)
    window.viewer.arrange(Layout.PLANES)
    qtbot.wait(10)
    axial, coronal, sagittal = window.viewer.views
    x, y, z = window.state.cursor
    qtbot.mouseClick(axial, Qt.MouseButton.LeftButton, pos=pixel_of(axial, (x + 14, y - 21, z)))
    now = window.state.cursor
    assert abs(now[0] - x - 14) <= 1
    assert abs(now[1] - y + 21) <= 1
    assert (coronal.index, sagittal.index, axial.index) == (now[1], now[0], z)


def test_what_a_view_shows_is_chosen_in_its_menu_and_remembered(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    window = make()
    open_case(qtbot, window, sample)
    window.actions_by_name["two"].trigger()
    panel = window.viewer.panels[1]
    menu = make_view_menu(window, panel)
    for submenu, entry in (("Sequence", "T2"), ("Plane", "Coronal"), ("Colour map", "Inverted grey")):
        below = next(a.menu() for a in menu.actions() if a.text() == submenu)
        assert isinstance(below, QMenu)
        next(a for a in below.actions() if a.text() == entry).trigger()
    assert panel.shown == Shown(Sequence.T2, Plane.CORONAL)
    assert window.state.colour_maps == {Sequence.T2: "inverted grey"}
    low = window.state.windows[Sequence.T2][0]
    assert panel.view.grab().toImage().pixelColor(2, panel.view.height() // 3).lightness() > 200, low
    window.close()

    again = make()
    open_case(qtbot, again, sample)
    assert again.viewer.layout_kind is Layout.TWO
    assert again.viewer.panels[1].shown == Shown(Sequence.T2, Plane.CORONAL)
    assert again.state.colour_maps == {Sequence.T2: "inverted grey"}, "kept with the case"
    again.viewer.reset_layout()
    assert again.viewer.panels[1].shown == Shown(Sequence.T1CE, Plane.AXIAL)


def test_the_menu_opens_by_button_key_and_right_click(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    panel = window.viewer.panels[0]

    def opened(act: Callable[[], object]) -> bool:
        with qtbot.waitSignal(window.viewer.menu_requested, timeout=1000) as told:
            act()
        for menu in window.findChildren(QMenu):
            if menu.isVisible():
                menu.close()
        return told.args[0] is panel

    button = panel.view.findChild(QToolButton, "view_menu")
    assert opened(lambda: qtbot.mouseClick(button, Qt.MouseButton.LeftButton))
    assert opened(lambda: qtbot.mouseClick(panel.view, Qt.MouseButton.RightButton, pos=QPoint(80, 90)))
    panel.view.setFocus()
    assert opened(lambda: window.actions_by_name["view_menu"].trigger())


def test_right_drag_zooms_and_opens_no_menu(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view, zoom = window.viewer.views[0], window.state.camera.zoom
    with qtbot.assertNotEmitted(window.viewer.menu_requested, wait=20):
        qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=QPoint(100, 150))
        qtbot.mouseMove(view, QPoint(100, 120))
        qtbot.mouseMove(view, QPoint(100, 100))
        qtbot.mouseRelease(view, Qt.MouseButton.RightButton, pos=QPoint(100, 100))
    assert window.state.camera.zoom > zoom


def test_a_view_in_its_own_window_is_linked_paints_and_comes_back(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    window = make()
    open_case(qtbot, window, sample)
    window.viewer.views[1].setFocus()
    window.actions_by_name["view_window"].trigger()
    (own,) = window.view_windows.windows
    assert own.isFloating()
    assert own.panel.shown == Shown(Sequence.T1CE, Plane.AXIAL)
    before = own.panel.view.index
    wheel(window.viewer.views[0], 3)
    assert own.panel.view.index == before + 3
    window.close_case()
    assert not own.isVisible()
    open_case(qtbot, window, sample)
    assert own.isVisible()
    window.close()

    again = make()
    assert [w.panel.shown for w in again.view_windows.windows] == [Shown(Sequence.T1CE, Plane.AXIAL)]
    again.view_windows.windows[0].close()
    qtbot.waitUntil(lambda: not again.view_windows.windows)


def test_a_missing_sequence_gives_place_to_another(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    window.viewer.arrange(Layout.TWO)
    (sample / "sample_t1ce.nii.gz").unlink()
    open_case(qtbot, window, sample)
    assert [v.sequence for v in window.viewer.views] == [Sequence.FLAIR, Sequence.FLAIR]
    window.viewer.arrange(Layout.SEQUENCES)
    assert window.viewer.views[1].volume is None
    qtbot.mouseClick(window.viewer.views[1], Qt.MouseButton.LeftButton)
    assert not window.viewer.views[1].grab().isNull(), "says that it is not in this exam"
