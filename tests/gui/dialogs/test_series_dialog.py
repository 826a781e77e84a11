"""Choosing the series of a DICOM exam, by mouse and keys, in the real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.dialogs.series_dialog import SeriesDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.settings import load_settings
from brainseg_desktop.services.studies.study import cases_in, create_study
from tests.dicom_making import PATIENT, SAGITTAL, SCREENSHOT, Making, blocks, save_series

STUDY = "1.2.826.1"


def head(bright: int = 0) -> np.ndarray:
    """Slices with a bright block at the patient's left, in front."""
    data = np.full((9, 30, 24), 40, np.int16)
    data[:, 3:9, 15:21] = 200 + bright
    return data


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    common = {"study": STUDY, "place": "1.2.826.2"}
    folder = tmp_path / "exam"
    save_series(folder, Making(head(), description="t1_tse", number=2, **common))
    save_series(folder, Making(head(5), description="t2_tse", number=3, **common))
    save_series(folder, Making(head(9), SAGITTAL, description="what is it", number=4, **common))
    save_series(folder, Making(blocks(), description="shot", number=9, sop_class=SCREENSHOT, **common))
    return folder


def ask(qtbot: QtBot, window: MainWindow, path: Path) -> SeriesDialog:
    """Open an exam and wait for its list."""
    window.open_path(path)
    return shown(qtbot, window)


def shown(qtbot: QtBot, window: MainWindow) -> SeriesDialog:
    def visible() -> list[SeriesDialog]:
        return [d for d in window.findChildren(SeriesDialog) if d.isVisible()]

    qtbot.waitUntil(lambda: bool(visible()), timeout=20_000)
    return visible()[0]


def texts(dialog: SeriesDialog) -> str:
    table = dialog._table
    items = [table.item(r, c) for r in range(table.rowCount()) for c in range(4)]
    return "\n".join(i.text() for i in items if i is not None)


def choice(dialog: SeriesDialog, name: str) -> QComboBox:
    return next(c for c in dialog.findChildren(QComboBox) if c.accessibleName() == f"Use {name} as")


def pick(qtbot: QtBot, box: QComboBox, text: str) -> None:
    """Choose in a list with the keys: down until it is there."""
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.currentText() == text:
            return
        qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == text


def test_enter_opens_what_is_suggested(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    assert window.session.case is None
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    case = window.session.case
    assert case is not None
    assert {s.value: int(v.data.max()) for s, v in case.volumes.items()} == {"T1": 200, "T2": 205}
    assert "Not in this exam: T1CE, FLAIR." in window.messages.text
    assert load_settings().settings.recent_cases == (str(exam),)


def test_each_row_says_what_it_is_and_why(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    said = texts(dialog)
    assert "t1_tse\nSeries 2: 9 slices of 24 x 30\n1 x 1 x 2 mm, axial" in said
    assert "Its description says so (t2_tse)." in said
    assert "Leave out?\nNothing in its headers tells the sequence. Look at the picture." in said
    assert "A screenshot (secondary capture), not the measured image." in said
    assert PATIENT.split("^")[0].lower() not in (said + dialog.windowTitle()).lower()
    # What cannot be used stands last and has no list to choose from.
    assert len(dialog.findChildren(QComboBox)) == 3
    assert dialog._rows[-1][0].name == "series 9"
    dialog.reject()


def test_pictures_come_one_by_one(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    qtbot.waitUntil(
        lambda: bool(dialog._pictures[-1].text() or dialog._pictures[-1].pixmap()), timeout=10_000
    )
    picture = dialog._pictures[0].pixmap().toImage()
    width, height = picture.width(), picture.height()
    # The block lies at the patient's left and in front: on the right of the picture, above.
    shown_width = height * 24 / 30
    column = round((width - shown_width) / 2 + shown_width * 18 / 24)
    assert QColor(picture.pixel(column, round(height * 6 / 30))).lightness() > 200
    assert QColor(picture.pixel(width - column, round(height * 6 / 30))).lightness() < 60
    assert QColor(picture.pixel(column, round(height * 24 / 30))).lightness() < 60
    dialog.reject()


def test_another_choice_is_what_is_opened(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    pick(qtbot, choice(dialog, "series 4"), "FLAIR")
    pick(qtbot, choice(dialog, "series 3"), "Leave out")
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.mouseClick(dialog._open, Qt.MouseButton.LeftButton)
    case = window.session.case
    assert case is not None
    assert {s: int(v.data.max()) for s, v in case.volumes.items()} == {Sequence.T1: 200, Sequence.FLAIR: 209}


def test_a_sequence_twice_or_none_cannot_be_opened(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    pick(qtbot, choice(dialog, "series 4"), "T1")
    assert not dialog._open.isEnabled()
    assert dialog._why.text() == "T1 chosen twice. Leave one of them out."
    for name in ("series 2", "series 3", "series 4"):
        pick(qtbot, choice(dialog, name), "Leave out")
    assert dialog._why.text() == "Choose at least one sequence."
    assert not dialog._open.isEnabled()
    dialog.reject()


def test_escape_opens_nothing_and_stops_the_pictures(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    dialog = ask(qtbot, window, exam)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert window.session.case is None
    assert load_settings().settings.recent_cases == ()


def test_several_exams_are_listed_and_open_again(qtbot: QtBot, window: MainWindow, exam: Path) -> None:
    save_series(exam, Making(head(50), description="flair", number=1, study="1.2.826.9"))
    with qtbot.waitSignal(window.opener.listed, timeout=20_000) as listed:
        window.open_path(exam)
    dialog = shown(qtbot, window)
    assert "exam exam 1" in dialog.findChildren(type(dialog._why))[0].text()
    with qtbot.waitSignal(window.opener.opened, timeout=20_000) as opened:
        qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    (first, _), (second, name) = listed.args[0]
    assert (opened.args[1], name) == (first, "exam exam 2")
    window.opener.open_key(second)
    dialog = shown(qtbot, window)
    assert [one.number for one, _ in dialog._rows] == [2, 3, 4, 9]
    dialog.reject()


def test_a_blinded_exam_shows_no_picture(
    qtbot: QtBot, window: MainWindow, exam: Path, tmp_path: Path
) -> None:
    create_study(
        tmp_path / "study", "Trial", cases_in(exam.parent), ["Anna", "Ben"], scheme="brats2021", seed=1
    )
    window.open_path(exam)
    qtbot.waitUntil(lambda: "blinded" in window.messages.text, timeout=20_000)
    assert not [d for d in window.findChildren(SeriesDialog) if d.isVisible()]
    assert window.session.case is None
