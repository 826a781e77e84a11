"""Each setting is changed as a reader does, is seen at once, and is there after the next start."""

from __future__ import annotations

import errno
import gettext
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QFileDialog, QLabel, QLineEdit, QSlider
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.dialogs.colours_dialog import ColoursDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.settings import general_page
from brainseg_desktop.gui.theme import DARK, LIGHT
from brainseg_desktop.gui.views.view_state import MaskStyle
from brainseg_desktop.services import folders, language
from brainseg_desktop.services.paths import log_dir, state_dir, user_models_dir
from brainseg_desktop.services.settings import Settings, load_settings, save_settings, settings_path
from tests.gui.conftest import open_case
from tests.gui.settings.conftest import (
    DEVICE,
    DISPLAY,
    FOLDERS,
    GENERAL,
    KEYS,
    back_to,
    button,
    choose,
    named,
    open_settings,
    press,
)
from tests.gui.test_accessibility import nameless, unreachable

Reopen = Callable[[MainWindow], MainWindow]


def test_asked_for_twice_it_is_one_window(qtbot: QtBot, window: MainWindow) -> None:
    first = open_settings(qtbot, window)
    window.actions_by_name["settings"].trigger()
    assert window.settings_shower.settings is first
    qtbot.keyClick(first, Qt.Key.Key_Escape)
    assert window.settings_shower.settings is None
    assert open_settings(qtbot, window) is not first


@pytest.mark.parametrize("page", range(5))
def test_every_control_has_a_name_and_is_reached_without_a_mouse(
    qtbot: QtBot, window: MainWindow, page: int
) -> None:
    settings = open_settings(qtbot, window, page)
    assert nameless(settings) == []
    # The field for a new key takes the focus when a key is asked for, and only then.
    assert [w for w in unreachable(settings) if "KeyField" not in w] == []


@pytest.mark.usefixtures("large_font")
@pytest.mark.parametrize("page", range(5))
def test_words_are_whole_in_large_letters(qtbot: QtBot, window: MainWindow, page: int) -> None:
    settings = open_settings(qtbot, window, page)
    settings.resize(1152, 648)
    qtbot.wait(20)
    assert (settings.width(), settings.height()) == (1152, 648)
    shown = settings.pages[page]
    assert shown.widget().width() <= shown.viewport().width()
    for label in shown.findChildren(QLabel):
        if label.isVisible() and label.text():
            needed = label.heightForWidth(label.width()) if label.wordWrap() else label.sizeHint().height()
            assert label.height() >= needed, label.text()


def test_the_name_counts_from_the_next_case_on(
    qtbot: QtBot, window: MainWindow, small_case: Path, reopen: Reopen
) -> None:
    settings = open_settings(qtbot, window, GENERAL)
    name = named(settings, QLineEdit, "Your name on masks")
    name.selectAll()
    qtbot.keyClicks(name, "  Reader   Two ")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    assert settings.isVisible()
    assert name.text() == "Reader Two"
    settings.close()
    open_case(qtbot, window, small_case)
    assert window.session.own_rating().rater == "Reader Two"
    assert reopen(window).session.reader == "Reader Two"


def test_an_empty_name_leaves_the_old_one(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, GENERAL)
    name = named(settings, QLineEdit, "Your name on masks")
    name.selectAll()
    qtbot.keyClick(name, Qt.Key.Key_Backspace)
    settings.close()
    assert window.settings.rater == Settings().rater


def write_catalogue(folder: Path, text: str, translated: str) -> None:
    """A catalogue of one text, as gettext's own compiler writes it."""
    pairs = ((b"", b"Content-Type: text/plain; charset=UTF-8\n"), (text.encode(), translated.encode()))
    keys, values, table = b"", b"", []
    for key, value in pairs:
        table.append((len(key), len(keys), len(value), len(values)))
        keys, values = keys + key + b"\0", values + value + b"\0"
    start = 7 * 4 + 16 * len(pairs)
    offsets = [n for size, at, _, _ in table for n in (size, at + start)]
    offsets += [n for _, _, size, at in table for n in (size, at + start + len(keys))]
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    path = folder / "de" / "LC_MESSAGES" / "brainseg.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(head + struct.pack(f"<{len(offsets)}I", *offsets) + keys + values)
    with path.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext(text) == translated


def test_another_language_is_spoken_from_the_next_start_on(
    qtbot: QtBot, window: MainWindow, reopen: Reopen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalogue(tmp_path / "languages", "Settings", "Einstellungen")
    monkeypatch.setattr(language, "resources_dir", lambda: tmp_path)
    settings = open_settings(qtbot, window, GENERAL)
    box = named(settings, QComboBox, "Language of the window")
    assert [box.itemText(n) for n in range(box.count())] == ["English", "Deutsch"]
    choose(qtbot, settings, "Language of the window", Qt.Key.Key_Down)
    assert any("next start" in label.text() for label in settings.findChildren(QLabel))
    assert settings.windowTitle() == "Settings"
    again = reopen(window)
    assert open_settings(qtbot, again).windowTitle() == "Einstellungen"
    again.close()
    language.use_language("en")


def test_a_language_that_is_gone_is_told(make: Callable[[], MainWindow]) -> None:
    save_settings(Settings(language="xx"))
    window = make()
    assert "xx" in window.messages.text
    assert general_page.language_name("xx")


# Folders


def test_a_folder_for_cases_and_one_for_exports(
    qtbot: QtBot,
    window: MainWindow,
    small_case: Path,
    tmp_path: Path,
    reopen: Reopen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = {"Open cases from": tmp_path / "in", "Export to": tmp_path / "out"}
    for folder in answers.values():
        folder.mkdir()

    def answer(parent: object, title: str, first: str) -> str:
        asked.append(first)
        return str(answers.get(title, ""))

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", answer)
    settings = open_settings(qtbot, window, FOLDERS)
    for name in answers:
        qtbot.mouseClick(
            named(settings, type(button(settings, "Close")), f"Change {name}"), Qt.MouseButton.LeftButton
        )
        assert named(settings, QLineEdit, name).text() == str(answers[name])
    settings.close()
    again = reopen(window)
    back_to(qtbot, again)
    asked.clear()
    qtbot.keyClick(again, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    assert asked == [str(tmp_path / "in")]
    assert again.exporter._first_folder(tmp_path) == tmp_path / "out"
    # One that is gone is no place to write to.
    (tmp_path / "out").rmdir()
    assert again.exporter._first_folder(tmp_path) == tmp_path
    settings = open_settings(qtbot, again, FOLDERS)
    qtbot.mouseClick(
        named(settings, type(button(settings, "Close")), "Reset Export to"), Qt.MouseButton.LeftButton
    )
    assert named(settings, QLineEdit, "Export to").text() == "Beside the case"
    assert load_settings().settings.exports_dir == ""


def said(qtbot: QtBot, settings: object, text: str) -> None:
    """Wait until a sentence stands on the page."""
    qtbot.waitUntil(
        lambda: any(text in w.text() for w in settings.findChildren(QLabel) if w.isVisible()), timeout=5000
    )


def test_what_is_wrong_with_a_folder_is_said(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.remember(cases_dir=str(tmp_path / "gone"))
    settings = open_settings(qtbot, window, FOLDERS)
    said(qtbot, settings, f"{tmp_path / 'gone'} is not there")
    (tmp_path / "gone").mkdir()

    def forbidden(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(folders.tempfile, "TemporaryFile", forbidden)
        settings.pages[FOLDERS].follow()
        said(qtbot, settings, "Read-only file system")
    with monkeypatch.context() as patched:
        patched.setattr(folders.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 5_000_000))
        settings.pages[FOLDERS].follow()
        said(qtbot, settings, f"only 5 MB free where {tmp_path / 'gone'} lies")
    settings.pages[FOLDERS].follow()
    problems = [w for w in settings.findChildren(QLabel) if w.objectName() == "warning"]
    qtbot.waitUntil(lambda: not any(w.isVisible() for w in problems), timeout=5000)


@pytest.mark.parametrize("works", [True, False])
def test_the_program_s_folders_are_shown(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: bool(opened.append(url.toLocalFile())) or works
    )
    settings = open_settings(qtbot, window, FOLDERS)
    places = {
        "Networks of your own": user_models_dir(),
        "Journals of unsaved strokes": state_dir(),
        "Logs": log_dir(),
    }
    for name, path in places.items():
        assert named(settings, QLineEdit, name).text() == str(path)
        qtbot.mouseClick(
            named(settings, type(button(settings, "Close")), f"Show {name}"), Qt.MouseButton.LeftButton
        )
        assert opened[-1] == str(path)
        assert path.is_dir()
        if not works:
            said(qtbot, settings, f"The file manager could not be opened. The folder is {path}")


# Display


def test_the_look_changes_at_once_and_stays(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, reopen: Reopen
) -> None:
    settings = open_settings(qtbot, window, DISPLAY)
    choose(qtbot, settings, "Look of the window", Qt.Key.Key_Down)
    assert qapp.palette().window().color().name() == LIGHT.window
    assert window.actions_by_name["theme"].isChecked()
    assert load_settings().settings.theme == "light"
    again = reopen(window)
    assert qapp.palette().window().color().name() == LIGHT.window
    # The menu does the same, and the page follows.
    settings = open_settings(qtbot, again, DISPLAY)
    again.actions_by_name["theme"].trigger()
    assert qapp.palette().window().color().name() == DARK.window
    assert named(settings, QComboBox, "Look of the window").currentData() == "dark"


def test_sides_are_in_step_with_the_menu_and_the_panel(
    qtbot: QtBot, window: MainWindow, small_case: Path, reopen: Reopen
) -> None:
    open_case(qtbot, window, small_case)
    view = window.viewer.views[0]
    settings = open_settings(qtbot, window, DISPLAY)
    before = view.grab().toImage()
    choose(qtbot, settings, "Sides of axial and coronal views", Qt.Key.Key_Down)
    assert window.actions_by_name["neurological"].isChecked()
    assert view.grab().toImage() != before
    choose(qtbot, settings, "Sagittal views", Qt.Key.Key_Down)
    assert window.actions_by_name["nose_right"].isChecked()
    window.actions_by_name["neurological"].trigger()
    assert named(settings, QComboBox, "Sides of axial and coronal views").currentData() == "radiological"
    assert view.grab().toImage() == before
    again = reopen(window)
    assert again.state.orientation.radiological
    assert not again.state.orientation.nose_left


def test_the_mask_s_look_is_in_step_and_stays(qtbot: QtBot, window: MainWindow, reopen: Reopen) -> None:
    settings = open_settings(qtbot, window, DISPLAY)
    choose(qtbot, settings, "How the mask is drawn", Qt.Key.Key_Down)
    assert window.state.style is MaskStyle.OUTLINE
    assert window.actions_by_name["outline"].isChecked()
    qtbot.keyClick(settings, Qt.Key.Key_O)  # not the window's shortcut here
    assert window.state.style is MaskStyle.OUTLINE
    slider = next(s for s in settings.findChildren(QSlider) if s.accessibleName() == "Opacity")
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert window.state.opacity == 1.0
    window.actions_by_name["less_opaque"].trigger()
    assert slider.value() == 90
    smooth = settings.findChild(QCheckBox)
    smooth.setFocus()
    qtbot.keyClick(smooth, Qt.Key.Key_Space)
    assert window.state.smooth
    assert window.actions_by_name["smooth"].isChecked()
    window.actions_by_name["smooth"].trigger()
    assert not smooth.isChecked()
    window.actions_by_name["smooth"].trigger()
    settings.close()
    kept = load_settings().settings
    assert (kept.mask_style, round(kept.opacity, 2), kept.smooth) == ("outline", 0.9, True)
    again = reopen(window)
    assert (again.state.style, round(again.state.opacity, 2)) == (MaskStyle.OUTLINE, 0.9)
    assert again.state.smooth


def test_colours_are_asked_for_above_the_settings(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, DISPLAY)
    press(qtbot, settings, "Colours...")
    dialog = settings.findChild(ColoursDialog)
    assert dialog.isVisible()
    dialog._radios["classic"].setFocus()
    qtbot.keyClick(dialog._radios["classic"], Qt.Key.Key_Space)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert load_settings().settings.palette == "classic"


def test_the_reference_sequence_is_kept(qtbot: QtBot, window: MainWindow, reopen: Reopen) -> None:
    settings = open_settings(qtbot, window, DISPLAY)
    choose(qtbot, settings, "Sequence that masks are drawn on", Qt.Key.Key_End)
    assert window.opener.reference == window.aligning.reference == "T1CE"
    again = reopen(window)
    assert again.opener.reference == "T1CE"


# What cannot be written


def test_a_full_disk_is_said_and_the_window_goes_on(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.remember(rater="Before")
    kept = settings_path().read_bytes()
    settings = open_settings(qtbot, window, DISPLAY)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        choose(qtbot, settings, "Look of the window", Qt.Key.Key_Down)
        said(qtbot, settings, "There is no room left to write")
        assert "There is no room left to write" in window.messages.text
    assert qapp.palette().window().color().name() == LIGHT.window
    assert settings_path().read_bytes() == kept
    # With room again the next change keeps this one too.
    choose(qtbot, settings, "How the mask is drawn", Qt.Key.Key_Down)
    assert not settings._problem.isVisible()
    assert load_settings().settings.theme == "light"


def test_pages_are_in_order(qtbot: QtBot, window: MainWindow) -> None:
    settings = open_settings(qtbot, window, DEVICE)
    assert [page.title for page in settings.pages] == [
        "General",
        "Folders",
        "Display",
        "Keys",
        "Network and device",
    ]
    assert settings.pages[DEVICE].isVisible()
    assert not settings.pages[KEYS].isVisible()
