"""What tells a reader how to go on: the help sheet and the start page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QTextBrowser,
    QWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.actions import ACTIONS, MOUSE
from brainseg_desktop.gui.dialogs.dialogs import HelpSheet, help_text
from brainseg_desktop.gui.panels.empty_view import EmptyView
from brainseg_desktop.gui.theme import DARK, LIGHT, apply_theme


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


@pytest.fixture
def sheet(qtbot: QtBot) -> HelpSheet:
    sheet = HelpSheet()
    qtbot.addWidget(sheet)
    sheet.show()
    qtbot.waitExposed(sheet)
    return sheet


def page_of(sheet: HelpSheet) -> str:
    return sheet.findChild(QTextBrowser).toPlainText()


def test_every_action_key_and_mouse_act_stands_in_the_sheet(sheet: HelpSheet) -> None:
    lines = page_of(sheet).splitlines()
    for action in ACTIONS:
        assert action.group in lines
        assert action.text.rstrip(".") in lines
        assert action.tip in lines
        if action.keys:
            assert ", ".join(action.keys) in lines
    for act, what in MOUSE:
        assert act in lines
        assert what in lines


def test_the_sheet_is_searched_while_typing(qtbot: QtBot, sheet: HelpSheet) -> None:
    search = sheet.findChild(QLineEdit)
    qtbot.keyClicks(search, "BRUSH larger")
    text = page_of(sheet)
    assert "]" in text.splitlines()
    assert "Export" not in text
    # Enter in the field does not close the sheet.
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert sheet.isVisible()
    search.setText("<b>nothing of the kind</b>")
    assert page_of(sheet) == "Nothing found for <b>nothing of the kind</b>."
    search.clear()
    assert "Export" in page_of(sheet)
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_keys_that_are_signs_of_html_are_shown_as_they_are(sheet: HelpSheet) -> None:
    assert "[" in page_of(sheet).splitlines()
    assert "&" not in sheet.findChild(QTextBrowser).toPlainText()


def test_the_lines_shown_can_be_copied(qtbot: QtBot, sheet: HelpSheet) -> None:
    sheet.findChild(QLineEdit).setText("undo")
    box = sheet.findChild(QDialogButtonBox)
    copy = next(b for b in box.buttons() if b.text() == "Copy as text")
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert "Ctrl+Z\tUndo\tTake back the last step" in lines
    assert QGuiApplication.clipboard().text() == help_text("undo")
    assert len(help_text().splitlines()) >= len(ACTIONS) + len(MOUSE)
    page = sheet.findChild(QTextBrowser)
    assert page.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByKeyboard


def test_the_sheet_follows_the_theme(qtbot: QtBot, qapp: QApplication, sheet: HelpSheet) -> None:
    for theme in (LIGHT, DARK):
        apply_theme(qapp, theme)
        qtbot.waitUntil(lambda theme=theme: theme.faint in sheet.findChild(QTextBrowser).toHtml())


@pytest.mark.usefixtures("large_font")
def test_the_sheet_needs_no_sideways_scrolling_in_large_letters(qtbot: QtBot, sheet: HelpSheet) -> None:
    page = sheet.findChild(QTextBrowser)
    assert page.horizontalScrollBar().maximum() == 0
    assert page.verticalScrollBar().maximum() > 0


# The start page


@pytest.fixture
def start(qtbot: QtBot) -> EmptyView:
    start = EmptyView()
    qtbot.addWidget(start)
    start.resize(780, 600)
    start.show()
    qtbot.waitExposed(start)
    return start


def button(start: EmptyView, text: str) -> QPushButton:
    return next(b for b in start.findChildren(QPushButton) if b.text().startswith(text))


def rows(start: EmptyView, count: int) -> list[tuple[str, str]]:
    return [(f"/cases/{n}", f"BraTS2021_{n:05}") for n in range(count)]


def test_the_start_page_opens_a_folder_or_the_sample(
    qtbot: QtBot, start: EmptyView, sample_dir: Path
) -> None:
    with qtbot.waitSignal(start.open_folder):
        qtbot.mouseClick(button(start, "Open a case"), Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(start.open_sample) as asked:
        qtbot.mouseClick(button(start, "Try the sample"), Qt.MouseButton.LeftButton)
    assert asked.args[0].resolve() == sample_dir.resolve()


def test_the_start_page_names_the_keys_of_the_table(start: EmptyView) -> None:
    words = " ".join(w.text() for w in (*start.findChildren(QLabel), *start.findChildren(QPushButton)))
    for name in ("open", "segment", "brush", "eraser", "compare", "export", "help"):
        assert next(a.keys[0] for a in ACTIONS if a.name == name) in words
    assert "research use only" in words


def test_a_recent_case_is_opened_by_a_click_or_the_keys_once(qtbot: QtBot, start: EmptyView) -> None:
    listed = start.findChild(QListWidget)
    assert not listed.isVisible()
    start.set_recent(rows(start, 3))
    assert listed.isVisible()
    asked: list[str] = []
    start.open_recent.connect(asked.append)
    place = listed.visualItemRect(listed.item(1)).center()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked == ["/cases/1"]
    # Desktops that open with a single click say it twice.
    listed.itemActivated.emit(listed.item(1))
    assert asked == ["/cases/1"]
    start.set_busy("Reading")
    start.set_busy("")
    listed.setCurrentRow(1)
    listed.setFocus()
    qtbot.keyClick(listed, Qt.Key.Key_Return)
    assert asked == ["/cases/1", "/cases/1"]
    start.set_recent([])
    assert not listed.isVisible()


def test_nothing_can_be_opened_while_a_case_is_read(qtbot: QtBot, start: EmptyView) -> None:
    start.set_recent(rows(start, 1))
    controls = (*start.findChildren(QPushButton), start.findChild(QListWidget))
    start.set_busy("Reading BraTS2021_00006")
    assert any("Reading BraTS2021_00006" in label.text() for label in start.findChildren(QLabel))
    assert not any(c.isEnabled() for c in controls)
    start.set_busy("")
    assert all(c.isEnabled() for c in controls)


def cut_off(widget: QWidget) -> list[str]:
    """Labels and buttons with less room than their words need."""
    found = []
    for part in (*widget.findChildren(QLabel), *widget.findChildren(QPushButton)):
        needed = part.heightForWidth(part.width()) if part.hasHeightForWidth() else part.sizeHint().height()
        if part.isVisible() and (needed > part.height() or part.minimumSizeHint().width() > part.width()):
            found.append(part.text())
    return found


@pytest.mark.usefixtures("large_font")
def test_the_start_page_is_whole_in_large_letters_on_a_small_screen(qtbot: QtBot, start: EmptyView) -> None:
    start.set_recent(rows(start, 12))
    # What is left of 1280 x 720 between the panels and the bars.
    start.resize(780, 600)
    qtbot.wait(1)
    assert start.height() == 600
    assert cut_off(start) == []
    listed = start.findChild(QListWidget)
    assert listed.height() >= 2 * listed.sizeHintForRow(0)
    scroll = start.findChild(QScrollArea)
    # With less room it scrolls down, never sideways, and does not ask for more.
    start.resize(780, 300)
    qtbot.wait(1)
    assert start.height() == 300
    assert scroll.verticalScrollBar().maximum() > 0
    assert scroll.widget().width() == scroll.viewport().width()
    assert cut_off(start) == []


def test_the_keys_are_on_the_button_that_opens(qtbot: QtBot, start: EmptyView) -> None:
    start.activateWindow()
    qtbot.waitUntil(lambda: button(start, "Open a case").hasFocus())
