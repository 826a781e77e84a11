"""Every control of the real window has a name for screen readers and is reached without a mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QFont
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QListView,
    QScrollBar,
    QTableView,
    QTextEdit,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.slice_view import SliceView
from tests.gui.conftest import open_case

KINDS = (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QListView,
    QTableView,
    QTextEdit,
    SliceView,
)
# Controls left out of the Tab order on purpose, since these actions with keys do the same.
KEYS_OF = {"Slice": ("slice_up", "slice_down")}
SHORTCUTS = {action.name for action in ACTIONS if action.keys}


@pytest.fixture
def reading(qtbot: QtBot, window: MainWindow, sample: Path) -> MainWindow:
    """The window with the sample open."""
    open_case(qtbot, window, sample)
    return window


@pytest.fixture
def large_font(qapp: QApplication) -> Iterator[None]:
    """All words at 150 %, as if set for the whole desktop before the start."""
    before = QFont(qapp.font())
    larger = QFont(before)
    larger.setPointSizeF(before.pointSizeF() * 1.5)
    qapp.setFont(larger)
    yield
    qapp.setFont(before)


def is_part(widget: QWidget) -> bool:
    """Whether it is a piece of another control, made and named by Qt."""
    parent = widget.parentWidget()
    return (
        isinstance(widget, QScrollBar)
        or widget.objectName().startswith("qt_")
        or isinstance(parent, QComboBox | QAbstractSpinBox | QLineEdit | QTableView)
        or type(widget).__name__ in ("QTableCornerButton", "QLineEditIconButton")
    )


def controls(window: QWidget) -> list[QWidget]:
    """What can be operated and is on the screen."""
    found: list[QWidget] = []
    for widget in window.findChildren(QWidget):
        if isinstance(widget, KINDS) and widget.isVisibleTo(window) and not is_part(widget):
            found.append(widget)
    return found


def name_of(widget: QWidget) -> str:
    """What a screen reader says of a control."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def told(widget: QWidget) -> str:
    """A control as a failed test names it."""
    chain = [type(widget).__name__ + (f"#{widget.objectName()}" if widget.objectName() else "")]
    parent = widget.parentWidget()
    while parent is not None and len(chain) < 4:
        chain.append(type(parent).__name__)
        parent = parent.parentWidget()
    return f"{' < '.join(chain)} '{name_of(widget)}' tip '{widget.toolTip()}'"


def takes_tab(widget: QWidget) -> bool:
    proxy = widget.focusProxy() or widget
    return bool(proxy.focusPolicy() & Qt.FocusPolicy.TabFocus)


def has_key(widget: QWidget) -> bool:
    """Whether an action with a key does the same as the control."""
    if set(KEYS_OF.get(name_of(widget), ("",))) <= SHORTCUTS:
        return True
    action = widget.defaultAction() if isinstance(widget, QToolButton) else None
    return action is not None and bool(action.shortcuts())


def nameless(window: QWidget) -> list[str]:
    return [told(w) for w in controls(window) if not name_of(w)]


def unreachable(window: QWidget) -> list[str]:
    return [told(w) for w in controls(window) if w.isEnabled() and not takes_tab(w) and not has_key(w)]


def test_every_control_has_a_name_before_a_case_is_open(window: MainWindow) -> None:
    assert controls(window)
    assert nameless(window) == []
    assert unreachable(window) == []


def test_every_control_has_a_name_with_a_case_open(reading: MainWindow) -> None:
    assert len(controls(reading)) > 20
    assert nameless(reading) == []


def test_every_control_is_reached_without_a_mouse(reading: MainWindow) -> None:
    assert unreachable(reading) == []


def test_the_tab_key_goes_round_through_the_whole_window(qtbot: QtBot, reading: MainWindow) -> None:
    reading.activateWindow()
    waiting = {w for w in controls(reading) if w.isEnabled() and takes_tab(w) and w.focusProxy() is None}
    reading.viewer.views[0].setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is not None)
    seen: set[QWidget] = set()
    for _ in range(4 * len(waiting)):
        widget = QApplication.focusWidget()
        assert widget is not None
        seen.add(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    # Of a group of radio buttons, or of buttons of which one is on, Tab takes the one that is on.
    missed = {w for w in waiting - seen if not (isinstance(w, QAbstractButton) and w.isCheckable())}
    assert [told(w) for w in missed] == []


def test_every_action_has_a_tooltip_with_its_keys(reading: MainWindow) -> None:
    for spec in ACTIONS:
        tip = reading.actions_by_name[spec.name].toolTip()
        assert tip, spec.name
        if spec.keys:
            assert any(key in tip for key in spec.keys), (spec.name, tip)


def test_every_action_is_in_a_menu_or_has_a_key(reading: MainWindow) -> None:
    in_menus = {action for menu in reading.menuBar().findChildren(QWidget) for action in menu.actions()}
    lost = [
        name
        for name, action in reading.actions_by_name.items()
        if name not in SHORTCUTS and action not in in_menus
    ]
    assert lost == []


@pytest.mark.usefixtures("large_font")
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_words_are_whole_in_large_letters(
    qtbot: QtBot, window: MainWindow, sample: Path, size: tuple[int, int]
) -> None:
    open_case(qtbot, window, sample)
    window.resize(*size)
    qtbot.wait(20)
    assert (window.width(), window.height()) == size, "the window needs more room than the screen has"
    cut = []
    for widget in controls(window):
        room = widget.sizeHint()
        if isinstance(widget, QAbstractButton) and widget.text():
            if widget.height() < room.height() - 2 or widget.width() < widget.minimumSizeHint().width():
                cut.append(told(widget))
        elif isinstance(widget, QComboBox | QLineEdit | QAbstractSpinBox) and (
            widget.height() < widget.minimumSizeHint().height()
        ):
            cut.append(told(widget))
    assert cut == []
