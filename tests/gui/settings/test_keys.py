"""A key is changed by pressing it: the new one does it, the old one no longer, and every place names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QTableWidget, QTextBrowser
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.dialogs.dialogs import HelpSheet
from brainseg_desktop.gui.keys import FIRST, keys_in_use, pressed_key, unusable_keys, without_first
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.settings.key_field import KeyField
from brainseg_desktop.gui.settings.settings_window import SettingsWindow
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.settings import Settings, load_settings, save_settings
from tests.gui.conftest import dab, open_case
from tests.gui.settings.conftest import KEYS, back_to, named, open_settings, press

CTRL = Qt.KeyboardModifier.ControlModifier
ROW = {spec.name: row for row, spec in enumerate(ACTIONS)}


def row_of(settings: SettingsWindow, action: str) -> QTableWidget:
    """Choose the row of an action."""
    table = settings.findChild(QTableWidget)
    table.selectRow(ROW[action])
    table.setFocus()
    return table


def shown_keys(settings: SettingsWindow, action: str) -> str:
    return settings.findChild(QTableWidget).item(ROW[action], 1).text()


def rebind(
    qtbot: QtBot,
    settings: SettingsWindow,
    action: str,
    key: Qt.Key,
    modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Enter on the row, then the key."""
    qtbot.keyClick(row_of(settings, action), Qt.Key.Key_Return)
    field = settings.findChild(KeyField)
    assert field.is_waiting
    assert field.hasFocus()
    qtbot.keyClick(field, key, modifier)


def told(settings: SettingsWindow) -> str:
    return " ".join(label.text() for label in settings.pages[KEYS].findChildren(QLabel))


def test_the_new_key_does_it_and_the_old_one_no_longer(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow], small_case: Path
) -> None:
    open_case(qtbot, window, small_case)
    settings = open_settings(qtbot, window, KEYS)
    rebind(qtbot, settings, "brush", Qt.Key.Key_F9)
    assert shown_keys(settings, "brush") == "F9"
    assert not settings.findChild(KeyField).is_waiting
    settings.close()
    for opened in (window, None):
        if opened is None:
            # The same after the next start.
            window.close()
            opened = make()
            open_case(qtbot, opened, small_case)
        view = back_to(qtbot, opened)
        assert opened.state.mode is Mode.CROSSHAIR
        qtbot.keyClick(view, Qt.Key.Key_P)
        assert opened.state.mode is Mode.CROSSHAIR
        qtbot.keyClick(view, Qt.Key.Key_F9)
        assert opened.state.mode is Mode.BRUSH
        assert "(F9)" in opened.actions_by_name["brush"].toolTip()
    assert load_settings().settings.keys == {"brush": ("F9",)}


def test_every_place_names_the_key_in_use(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow]
) -> None:
    settings = open_settings(qtbot, window, KEYS)
    rebind(qtbot, settings, "curtain", Qt.Key.Key_F9)
    rebind(qtbot, settings, "open", Qt.Key.Key_K, CTRL)
    rebind(qtbot, settings, "outline", Qt.Key.Key_F11)
    settings.close()
    window.close()
    for opened in (make(), window):
        tips = {w.toolTip() for w in opened.findChildren(QPushButton)}
        assert "Uncover the second image and mask right of a line (F9)" in tips
        assert opened.display._style.toolTip() == "How the mask is drawn (F11, Shift+O)"
        assert "(Ctrl+K)" in opened.empty._open.text()
        opened.actions_by_name["help"].trigger()
        sheet = opened.findChild(HelpSheet)
        lines = sheet.findChild(QTextBrowser).toPlainText().splitlines()
        assert "Ctrl+K" in lines
        assert "Ctrl+O" not in lines
        sheet.close()


def test_a_key_of_another_action_is_refused_and_named(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, KEYS)
    rebind(qtbot, settings, "brush", Qt.Key.Key_E)
    assert "E is already the key of 'Eraser'" in told(settings)
    field = settings.findChild(KeyField)
    # It goes on waiting for one that is free.
    assert field.is_waiting
    assert window.commands.keys == dict(FIRST)
    qtbot.keyClick(field, Qt.Key.Key_F9)
    assert shown_keys(settings, "brush") == "F9"
    assert "'Brush' has now: F9" in told(settings)


@pytest.mark.parametrize(
    ("key", "modifier"),
    [
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Backspace, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Plus, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_V, Qt.KeyboardModifier.AltModifier),
    ],
)
def test_keys_that_tools_and_menus_need_are_refused(
    qtbot: QtBot, window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    settings = open_settings(qtbot, window, KEYS)
    rebind(qtbot, settings, "brush", key, modifier)
    assert "cannot be chosen" in told(settings) or "opens the menu View" in told(settings)
    assert shown_keys(settings, "brush") == "P"
    qtbot.keyClick(settings.findChild(KeyField), Qt.Key.Key_Escape)
    assert settings.isVisible()
    assert not settings.findChild(KeyField).is_waiting
    assert window.settings.keys == {}


def test_shift_alone_is_no_key_and_tab_leads_on(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, KEYS)
    rebind(qtbot, settings, "brush", Qt.Key.Key_Shift)
    field = settings.findChild(KeyField)
    assert field.is_waiting
    qtbot.keyClick(field, Qt.Key.Key_Tab)
    assert not field.is_waiting
    assert shown_keys(settings, "brush") == "P"


def test_a_second_key_no_key_and_back(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, KEYS)
    row_of(settings, "brush")
    press(qtbot, settings, "Add key...")
    qtbot.keyClick(settings.findChild(KeyField), Qt.Key.Key_F9)
    assert shown_keys(settings, "brush") == "P, F9"
    qtbot.keyClick(row_of(settings, "brush"), Qt.Key.Key_Delete)
    assert shown_keys(settings, "brush") == ""
    assert window.actions_by_name["brush"].shortcuts() == []
    assert load_settings().settings.keys == {"brush": ()}
    # Its key is free now: another action may take it, and then it cannot simply come back.
    rebind(qtbot, settings, "eraser", Qt.Key.Key_P)
    assert shown_keys(settings, "eraser") == "P"
    row_of(settings, "brush")
    press(qtbot, settings, "Reset")
    assert "P is already the key of 'Eraser'" in told(settings)
    press(qtbot, settings, "Reset all")
    assert window.commands.keys == dict(FIRST)
    assert load_settings().settings.keys == {}


def test_the_table_is_searched(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, KEYS)
    qtbot.keyClicks(named(settings, QLineEdit, "Search actions"), "ctrl+g")
    table = settings.findChild(QTableWidget)
    assert [r for r in range(table.rowCount()) if not table.isRowHidden(r)] == [ROW["segment"]]
    assert table.currentRow() == ROW["segment"]
    # Enter in the search asks for no key.
    qtbot.keyClick(named(settings, QLineEdit, "Search actions"), Qt.Key.Key_Return)
    assert settings.isVisible()
    assert not settings.findChild(KeyField).is_waiting


def test_tools_keep_their_keys_while_painting(qtbot: QtBot, window: MainWindow, small_case: Path) -> None:
    """Del is another action's key now; an open contour still loses its last point by it."""
    open_case(qtbot, window, small_case)
    settings = open_settings(qtbot, window, KEYS)
    row_of(settings, "delete_measurement")
    press(qtbot, settings, "No key")
    rebind(qtbot, settings, "show_mask", Qt.Key.Key_Delete)
    rebind(qtbot, settings, "polygon", Qt.Key.Key_F9)
    settings.close()
    view, state = back_to(qtbot, window), window.state
    qtbot.keyClick(view, Qt.Key.Key_F9)
    assert state.mode is Mode.POLYGON
    centre = view.rect().center()
    for x, y in ((-20, -20), (20, -20), (20, 20), (60, 60)):
        dab(qtbot, view, centre + QPoint(x, y))
    tool = window.toolbox.active
    assert tool.is_busy
    before = len(tool.points)
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert len(tool.points) == before - 1
    assert state.show_mask
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert not tool.is_busy
    assert np.any(window.session.own_rating().label_map.array)
    # No contour is open: now the key is the action's.
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert not state.show_mask


def test_a_key_of_the_reader_is_taken_from_an_action_that_comes_later() -> None:
    """A later version may give its new action the key that a reader has given away."""
    keys = keys_in_use({"brush": ("E",), "an old action": ("F12",)})
    assert keys["brush"] == ("E",)
    assert keys["eraser"] == ()
    assert without_first(keys_in_use({})) == {}
    every = [key for theirs in keys.values() for key in theirs]
    assert len(every) == len(set(every))


def test_keys_of_a_spoilt_file_are_told_and_left_out(make: Callable[[], MainWindow]) -> None:
    spoilt = {"brush": ("Foo+Bar",), "eraser": ("Return",), "fill": ("A, B",), "cine": ("F9",)}
    assert unusable_keys(spoilt) == ["brush", "eraser", "fill"]
    save_settings(Settings(keys=spoilt))
    window = make()
    assert "brush, eraser, fill" in window.messages.text
    assert window.commands.keys["brush"] == ()
    assert window.commands.keys["cine"] == ("F9",)


@pytest.mark.parametrize(
    ("key", "modifier", "text", "spelt"),
    [
        (Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier, "A", "Shift+A"),
        (Qt.Key.Key_Exclam, Qt.KeyboardModifier.ShiftModifier, "!", "!"),
        (Qt.Key.Key_5, Qt.KeyboardModifier.KeypadModifier, "5", "5"),
        (Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier, "", "Shift+F5"),
        (Qt.Key.Key_BracketLeft, Qt.KeyboardModifier.GroupSwitchModifier, "[", "["),
        (Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier, " ", "Shift+Space"),
        (Qt.Key.Key_Control, CTRL, "", ""),
    ],
)
def test_a_pressed_key_is_spelt_as_qt_does(
    key: Qt.Key, modifier: Qt.KeyboardModifier, text: str, spelt: str
) -> None:
    assert pressed_key(QKeyEvent(QEvent.Type.KeyPress, key, modifier, text)) == spelt
