"""The guide window by real keys and clicks: pages, ways, search, zoom, theme, broken pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QKeySequence, QTextDocument
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.guide.guide_window import FIRST, GuideWindow, page_for
from brainseg_desktop.gui.guide.names import names_of_table
from brainseg_desktop.gui.guide.pages import guide_dir, read_contents
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.theme import THEMES, apply_theme
from tests.gui.conftest import open_case

LEFT = Qt.MouseButton.LeftButton
SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def guide(qtbot: QtBot, qapp: QApplication) -> GuideWindow:
    apply_theme(qapp, THEMES["dark"])
    window = GuideWindow(names_of_table())
    qtbot.addWidget(window)
    window.resize(1100, 700)
    window.show()
    qtbot.waitExposed(window)
    window.open_page(FIRST)
    return window


def shown(guide: GuideWindow) -> str:
    return guide.page.toPlainText()


def click_entry(qtbot: QtBot, guide: GuideWindow, file: str) -> None:
    """Click a page in the contents."""
    tree = guide.contents
    for row in range(tree.topLevelItemCount()):
        heading = tree.topLevelItem(row)
        for child in range(heading.childCount()):
            if heading.child(child).data(0, Qt.ItemDataRole.UserRole) == file:
                tree.scrollToItem(heading.child(child))
                where = tree.visualItemRect(heading.child(child)).center()
                qtbot.mouseClick(tree.viewport(), LEFT, pos=where)
                return
    raise AssertionError(f"{file} is not listed")


def test_its_key_opens_it_at_the_page_for_the_tool(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F1, SHIFT)
    guide = window.findChild(GuideWindow)
    assert guide.isVisible()
    assert guide.file == FIRST
    # From its first line, however late the page is shown.
    qtbot.wait(50)
    assert guide.page.verticalScrollBar().maximum() > 0
    assert guide.page.verticalScrollBar().value() == 0
    guide.close()
    qtbot.waitUntil(lambda: window.findChild(GuideWindow) is None)
    open_case(qtbot, window, sample)
    qtbot.keyClick(window, Qt.Key.Key_P)
    qtbot.keyClick(window, Qt.Key.Key_F1, SHIFT)
    guide = window.findChild(GuideWindow)
    assert guide.file == "brush.md"
    qtbot.keyClick(window, Qt.Key.Key_J)
    assert page_for(window) == "tools.md"
    # Asked for again, the open one stays where its reader is.
    window.actions_by_name["guide"].trigger()
    assert window.findChildren(GuideWindow) == [guide]
    assert guide.file == "brush.md"
    assert not guide.isModal()


def test_every_page_is_shown_with_its_pictures(guide: GuideWindow) -> None:
    for entry in read_contents(guide_dir()):
        guide.open_page(entry.file)
        assert shown(guide).startswith(entry.title)
        assert "{" not in shown(guide)
        pictures = _pictures(guide)
        assert pictures, entry.file
        for name in pictures:
            kind = QTextDocument.ResourceType.ImageResource.value
            picture = guide.page.document().resource(kind, name)
            assert 0 < picture.width() <= guide.page.viewport().width(), name


def _pictures(guide: GuideWindow) -> list[str]:
    found, block = [], guide.page.document().begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            shape = iterator.fragment().charFormat()
            if shape.isImageFormat():
                found.append(shape.toImageFormat().name())
            iterator += 1
        block = block.next()
    return found


def test_a_narrow_window_has_narrow_pictures(qtbot: QtBot, guide: GuideWindow) -> None:
    guide.resize(760, 600)
    qtbot.waitUntil(lambda: guide.page.horizontalScrollBar().maximum() == 0)
    widths = _widths(guide)
    assert widths
    assert all(width <= guide.page.viewport().width() for width in widths)


def _widths(guide: GuideWindow) -> list[float]:
    kind = QTextDocument.ResourceType.ImageResource.value
    return [guide.page.document().resource(kind, name).width() for name in _pictures(guide)]


def test_contents_back_and_forward(qtbot: QtBot, guide: GuideWindow) -> None:
    click_entry(qtbot, guide, "compare.md")
    assert guide.file == "compare.md"
    guide.page.verticalScrollBar().setValue(120)
    click_entry(qtbot, guide, "pacs.md")
    qtbot.keyClick(guide, Qt.Key.Key_Left, ALT)
    assert guide.file == "compare.md"
    assert guide.page.verticalScrollBar().value() == 120
    assert guide.contents.currentItem().data(0, Qt.ItemDataRole.UserRole) == "compare.md"
    qtbot.mouseClick(guide.forward, LEFT)
    assert guide.file == "pacs.md"
    assert not guide.forward.isEnabled()
    qtbot.mouseClick(guide.back, LEFT)
    qtbot.mouseClick(guide.back, LEFT)
    assert guide.file == FIRST
    assert not guide.back.isEnabled()


def test_a_link_leads_to_its_page(qtbot: QtBot, guide: GuideWindow) -> None:
    cursor = guide.page.document().find("Open an exam")
    cursor.setPosition(cursor.selectionStart() + 2)
    guide.page.setTextCursor(cursor)
    guide.page.ensureCursorVisible()
    qtbot.mouseClick(guide.page.viewport(), LEFT, pos=guide.page.cursorRect(cursor).center())
    assert guide.file == "open.md"


def test_search_lists_pages_marks_hits_and_goes_on(qtbot: QtBot, guide: GuideWindow) -> None:
    qtbot.keyClick(guide, Qt.Key.Key_F, CTRL)
    qtbot.keyClicks(guide.search, "kappa")
    listed = guide._listed()
    assert "study.md" in listed
    assert "pacs.md" not in listed
    qtbot.keyClick(guide.search, Qt.Key.Key_Return)
    first = guide.file
    assert first in listed
    assert "kappa" in shown(guide).casefold()
    marks = guide.page.extraSelections()
    assert len(marks) == shown(guide).casefold().count("kappa")
    assert all(mark.cursor.selectedText().casefold() == "kappa" for mark in marks)
    assert guide.page.textCursor().selectedText().casefold() == "kappa"
    pages = {guide.file}
    for _ in range(40):
        qtbot.keyClick(guide.search, Qt.Key.Key_Return)
        pages.add(guide.file)
    assert pages == set(listed)
    assert guide.isVisible(), "Enter must not close the window"
    guide.search.clear()
    assert not guide.page.extraSelections()
    assert len(guide._listed()) == len(read_contents(guide_dir()))


def test_what_is_nowhere_is_said_to_be(qtbot: QtBot, guide: GuideWindow) -> None:
    qtbot.keyClicks(guide.search, "xylophone")
    assert guide._listed() == []
    assert guide._found.text() == "Nothing found for xylophone."
    qtbot.keyClick(guide.search, Qt.Key.Key_Return)
    assert guide.file == FIRST


def test_zoom_by_keys_buttons_and_wheel(qtbot: QtBot, guide: GuideWindow) -> None:
    height = guide.page.document().size().height()
    qtbot.keyClick(guide, Qt.Key.Key_Plus, CTRL)
    buttons = {button.text(): button for button in guide.findChildren(QPushButton)}
    qtbot.mouseClick(buttons["A+"], LEFT)
    assert guide.page.zoom == 2
    assert guide.page.document().size().height() > height
    qtbot.keyClick(guide, Qt.Key.Key_0, CTRL)
    assert guide.page.zoom == 0
    assert guide.page.document().size().height() == height
    for _ in range(9):
        qtbot.mouseClick(buttons["A-"], LEFT)
    assert guide.page.zoom == -3


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_links_and_ground_are_of_the_theme(
    qtbot: QtBot, qapp: QApplication, guide: GuideWindow, theme: str
) -> None:
    apply_theme(qapp, THEMES[theme])
    qtbot.wait(20)
    cursor = guide.page.document().find("Open an exam")
    assert cursor.charFormat().foreground().color() == QColor(THEMES[theme].bright)
    picture = guide.page.grab().toImage()
    assert picture.pixelColor(QPoint(6, 40)) == QColor(THEMES[theme].panel)
    apply_theme(qapp, THEMES["dark"])


def test_a_key_that_was_changed_is_shown_as_changed(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_by_name["brush"].setShortcuts([QKeySequence("F9")])
    window.actions_by_name["lasso"].setShortcuts([])
    window.actions_by_name["guide"].trigger()
    guide = window.findChild(GuideWindow)
    guide.open_page("brush.md")
    assert "Press F9 and paint" in shown(guide)
    guide.open_page("tools.md")
    assert "Lasso (Edit > Lasso)" in shown(guide)


def test_keys_changed_while_it_is_open_are_followed(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_by_name["guide"].trigger()
    guide = window.findChild(GuideWindow)
    guide.open_page("brush.md")
    window.commands.set_keys(window.commands.keys | {"brush": ("F9",)})
    assert "Press F9 and paint" in shown(guide)
    guide.close()
    # Closed, it follows nothing more; opened again at once it is a new one.
    window.commands.set_keys(window.commands.keys | {"brush": ("F8",)})
    window.actions_by_name["guide"].trigger()
    (again,) = [g for g in window.findChildren(GuideWindow) if g.isVisible()]
    assert again is not guide
    again.open_page("brush.md")
    assert "Press F8 and paint" in shown(again)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "guide"
    shutil.copytree(guide_dir() / "pages", folder / "pages")
    return folder


def _delete(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_text("")


def _garble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\xff\x00# x")


def _misname(path: Path) -> None:
    path.write_text("# Page\n\nPress {key:no_such_action}.")


@pytest.mark.parametrize("harm", [_delete, _empty, _garble, _misname])
def test_a_broken_page_is_a_sentence(qtbot: QtBot, copied: Path, harm: Callable[[Path], None]) -> None:
    harm(copied / "pages" / "compare.md")
    guide = GuideWindow(names_of_table(), copied)
    qtbot.addWidget(guide)
    guide.open_page("compare.md")
    assert "compare.md of the user guide cannot be shown" in shown(guide)
    assert "Install the program again." in shown(guide)
    # The rest of the guide works, and so does searching it.
    guide.search.setText("kappa")
    assert "study.md" in guide._listed()
    guide.open_page("pacs.md")
    assert shown(guide).startswith("Archives")


def test_without_contents_it_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    guide = GuideWindow(names_of_table(), tmp_path)
    qtbot.addWidget(guide)
    assert "index.md of the user guide cannot be shown" in shown(guide)


def test_a_page_reads_nothing_from_outside(qtbot: QtBot, copied: Path, tmp_path: Path) -> None:
    picture = guide_dir() / "pictures" / "start.png"
    shutil.copyfile(picture, tmp_path / "outside.png")
    page = copied / "pages" / "pacs.md"
    page.write_text(
        "# Page\n\n![out](../../outside.png)\n\n![net](http://example.org/x.png)\n\n[w](http://example.org)"
    )
    guide = GuideWindow(names_of_table(), copied)
    qtbot.addWidget(guide)
    guide.open_page("pacs.md")
    assert guide.page._picture("../../outside.png").isNull()
    assert guide.page._picture("http://example.org/x.png").isNull()
    cursor = guide.page.document().find("w")
    guide.show()
    qtbot.mouseClick(guide.page.viewport(), LEFT, pos=guide.page.cursorRect(cursor).center())
    assert guide.file == "pacs.md"
