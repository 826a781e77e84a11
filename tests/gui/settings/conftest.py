"""The settings window as a reader opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.settings.settings_window import SettingsWindow
from brainseg_desktop.gui.theme import DARK, apply_theme
from brainseg_desktop.gui.views.slice_view import SliceView

GENERAL, FOLDERS, DISPLAY, KEYS, DEVICE = range(5)


def open_settings(qtbot: QtBot, window: MainWindow, page: int = GENERAL) -> SettingsWindow:
    """Press the key, then choose the page with the arrow keys."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    settings = window.settings_shower.settings
    assert settings is not None
    qtbot.waitUntil(settings.isActiveWindow)
    settings.list.setFocus()
    qtbot.keyClick(settings.list, Qt.Key.Key_Home)
    for _ in range(page):
        qtbot.keyClick(settings.list, Qt.Key.Key_Down)
    return settings


def back_to(qtbot: QtBot, window: MainWindow) -> SliceView:
    """The main window has the keys again, on its first view."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    view = window.viewer.views[0]
    view.setFocus()
    return view


def named(root: QWidget, kind: type, name: str) -> QWidget:
    """The control that a screen reader calls so."""
    found = [w for w in root.findChildren(kind) if w.accessibleName() == name]
    assert len(found) == 1, (name, [w.accessibleName() for w in root.findChildren(kind)])
    return found[0]


def button(root: QWidget, text: str) -> QPushButton:
    """The visible button with these words."""
    found = [b for b in root.findChildren(QPushButton) if b.text() == text and b.isVisible()]
    assert len(found) == 1, (text, found)
    return found[0]


def press(qtbot: QtBot, root: QWidget, text: str) -> None:
    """Click a button by its words."""
    qtbot.mouseClick(button(root, text), Qt.MouseButton.LeftButton)


def choose(qtbot: QtBot, root: QWidget, name: str, key: Qt.Key) -> None:
    """Move in a list with a key, as a reader without a mouse does."""
    box = named(root, QComboBox, name)
    box.setFocus()
    qtbot.keyClick(box, key)


@pytest.fixture
def reopen(make: Callable[[], MainWindow]) -> Callable[[MainWindow], MainWindow]:
    """Closes the window and starts anew from the saved file."""

    def again(window: MainWindow) -> MainWindow:
        window.close()
        return make()

    return again


@pytest.fixture
def large_font(qapp: QApplication) -> Iterator[None]:
    """All words at 150 %."""
    before = QFont(qapp.font())
    larger = QFont(before)
    larger.setPointSizeF(before.pointSizeF() * 1.5)
    qapp.setFont(larger)
    apply_theme(qapp, DARK)
    yield
    qapp.setFont(before)
    apply_theme(qapp, DARK)
