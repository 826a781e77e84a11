"""Readings in the real window: opened blind, painted by mouse, saved, locked, gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.studies.study import Study
from tests.gui.conftest import dab, open_case, pixel_of

from .conftest import join, read_next, settle

Make = Callable[[], MainWindow]
MakeStudy = Callable[..., Study]


@pytest.fixture
def reading(qtbot: QtBot, window: MainWindow, make_study: MakeStudy) -> MainWindow:
    """Anna's first reading is open."""
    join(qtbot, window, make_study().folder, "Anna")
    read_next(qtbot, window)
    return window


def _paint(qtbot: QtBot, window: MainWindow) -> np.ndarray:
    window.actions_by_name["brush"].trigger()
    view = window.viewer.views[0]
    window.state.set_cursor((12, 10, 6))
    dab(qtbot, view, pixel_of(view, (12, 10, 6)))
    assert window.session.shown is not None
    labels = np.array(window.session.shown.label_map.array)
    assert labels.any()
    return labels


def _answer(qtbot: QtBot, window: MainWindow, text: str) -> None:
    qtbot.waitUntil(lambda: isinstance(window.studying.dialog, QMessageBox))
    box = window.studying.dialog
    assert isinstance(box, QMessageBox)
    button = next(b for b in box.buttons() if b.text().replace("&", "") == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_blinded_reading_shows_a_number_and_no_other_mask(reading: MainWindow) -> None:
    assert reading.windowTitle().startswith("Reading 001")
    case = reading.session.case
    assert case is not None
    assert [r.rater for r in case.ratings] == ["Anna"]
    assert not reading.agreement.is_available
    assert not [t for _, _, t in reading.compare._tiles if t.isVisible()]
    assert not reading.audit.isVisible()
    for name in ("segment", "load_mask", "compare", "difference", "uncertainty", "export"):
        assert not reading.actions_by_name[name].isEnabled(), name


def test_painted_voxels_are_in_the_draft_when_another_reading_is_opened(
    qtbot: QtBot, reading: MainWindow
) -> None:
    study = reading.studying.study
    assert study is not None
    first = study.readings["Anna"][0]
    labels = _paint(qtbot, reading)
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        reading.actions_by_name["next_case"].trigger()
    settle(qtbot, reading)
    assert reading.windowTitle().startswith("Reading 002")
    written = np.asarray(nibabel.load(study.mask_path(first)).dataobj)
    assert np.array_equal(written[::-1, ::-1], labels)
    assert [i.status for i in reading.studying.items] == ["draft", "started", "new"]
    # And back: the same voxels, and the steps with them.
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        reading.actions_by_name["previous_case"].trigger()
    assert reading.session.shown is not None
    assert np.array_equal(reading.session.shown.label_map.array, labels)
    assert reading.session.shown.history.undo_names


def test_accept_locks_and_opens_the_next(qtbot: QtBot, reading: MainWindow) -> None:
    study = reading.studying.study
    assert study is not None
    first = study.readings["Anna"][0]
    labels = _paint(qtbot, reading)
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        qtbot.keyClick(
            reading, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        )
    settle(qtbot, reading)
    assert reading.windowTitle().startswith("Reading 002")
    found = study.sidecar(first)
    assert found is not None
    assert found.record.status == "locked"
    assert found.record.blinded
    assert found.seal_holds
    assert np.array_equal(np.asarray(nibabel.load(study.mask_path(first)).dataobj)[::-1, ::-1], labels)
    # Opened again it can be looked at, and not changed.
    reading.studying.read(first)
    qtbot.waitUntil(lambda: reading.windowTitle().startswith("Reading 001"), timeout=10_000)
    settle(qtbot, reading)
    view = reading.viewer.views[0]
    dab(qtbot, view, pixel_of(view, (5, 5, 6)))
    assert reading.session.shown is not None
    assert np.array_equal(reading.session.shown.label_map.array, labels)
    assert "locked" in reading.messages.text
    reading.actions_by_name["undo"].trigger()
    assert np.array_equal(reading.session.shown.label_map.array, labels)


def test_an_empty_reading_is_locked_only_when_meant(qtbot: QtBot, reading: MainWindow) -> None:
    study = reading.studying.study
    assert study is not None
    first = study.readings["Anna"][0]
    button = next(b for b in reading.studying.current.bar.findChildren(QPushButton) if "Accept" in b.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    _answer(qtbot, reading, "Cancel")
    settle(qtbot, reading)
    assert study.sidecar(first).record.status == "started"  # type: ignore[union-attr]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        _answer(qtbot, reading, "Lock empty")
    settle(qtbot, reading)
    assert study.sidecar(first).record.status == "locked"  # type: ignore[union-attr]


def test_accept_pressed_twice_locks_one_reading(qtbot: QtBot, reading: MainWindow) -> None:
    _paint(qtbot, reading)
    reading.studying.current.accept()
    reading.studying.current.accept()
    qtbot.waitUntil(lambda: reading.windowTitle().startswith("Reading 002"), timeout=10_000)
    settle(qtbot, reading)
    assert [i.status for i in reading.studying.items] == ["locked", "started", "new"]


def test_a_full_disk_at_locking_keeps_the_reading_open_and_the_strokes(
    qtbot: QtBot, reading: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brainseg_desktop.io import atomic

    labels = _paint(qtbot, reading)
    plain = atomic.write_synced

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "write_synced", full)
    reading.studying.current.accept()
    qtbot.waitUntil(lambda: "no room" in reading.messages.text, timeout=10_000)
    assert reading.windowTitle().startswith("Reading 001")
    monkeypatch.setattr(atomic, "write_synced", plain)
    reading.actions_by_name["undo"].trigger()
    assert reading.session.shown is not None
    assert not reading.session.shown.label_map.array.any(), "it can be edited again"
    reading.actions_by_name["redo"].trigger()
    assert np.array_equal(reading.session.shown.label_map.array, labels)
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        reading.studying.current.accept()
    settle(qtbot, reading)
    assert reading.studying.items[0].status == "locked"


def test_flags_remark_and_time_are_in_the_record(qtbot: QtBot, reading: MainWindow) -> None:
    study = reading.studying.study
    assert study is not None
    bar = reading.studying.current.bar
    qtbot.mouseClick(
        bar._flags["discuss"],
        Qt.MouseButton.LeftButton,
        pos=bar._flags["discuss"].rect().center() / 2,
    )
    qtbot.keyClicks(bar.focus_widget(), "where does the oedema end?")
    qtbot.keyClick(bar.focus_widget(), Qt.Key.Key_Return)
    settle(qtbot, reading)
    record = json.loads(study.sidecar_path(study.readings["Anna"][0]).read_bytes())["reading"]
    assert record["flags"] == ["discuss"]
    assert record["remark"] == "where does the oedema end?"
    assert record["status"] == "started"
    assert reading.studying.window.worklist.model.items[0].remark == "where does the oedema end?"
    _paint(qtbot, reading)
    with qtbot.waitSignal(reading.studying.opened, timeout=10_000):
        reading.studying.current.accept()
    settle(qtbot, reading)
    assert reading.studying.items[0].flags == ("discuss",)
    assert reading.studying.items[0].active_s > 0
    assert bar.remark == "", "the remark of one reading is not that of the next"


def test_closing_the_program_keeps_the_reading(
    qtbot: QtBot, make: Make, make_study: MakeStudy, tmp_path: Path
) -> None:
    folder = make_study().folder
    window = make()
    join(qtbot, window, folder, "Anna")
    read_next(qtbot, window)
    labels = _paint(qtbot, window)
    window.close()
    study = Study.open(folder)
    assert np.array_equal(
        np.asarray(nibabel.load(study.mask_path(study.readings["Anna"][0])).dataobj)[::-1, ::-1], labels
    )
    again = make()
    join(qtbot, again, folder, "Anna")
    read_next(qtbot, again)
    assert again.session.shown is not None
    assert np.array_equal(again.session.shown.label_map.array, labels)
    assert again.session.own_rating().rater == "Anna"
    assert len(again.session.case.ratings) == 1  # type: ignore[union-attr]


def test_strokes_after_a_crash_come_back_with_the_reading_and_with_nothing_else(
    qtbot: QtBot, make: Make, make_study: MakeStudy, sample: Path
) -> None:
    folder = make_study().folder
    window = make()
    join(qtbot, window, folder, "Anna")
    read_next(qtbot, window)
    labels = _paint(qtbot, window)
    # As if killed: nothing is written but the journal; its lock and the claim end with the process.
    window.session.close()
    window.studying.current.opened = None
    window.studying.study.close()  # type: ignore[union-attr]
    other = make()
    other.recovering.offer()
    settle(qtbot, other)
    assert other.recovering.dialog is None, "a reading's strokes are offered outside its study"
    join(qtbot, other, folder, "Ben")
    read_next(qtbot, other)
    assert other.session.shown is not None
    assert not other.session.shown.label_map.array.any()
    join(qtbot, other, folder, "Anna")
    qtbot.waitUntil(lambda: other.studying.study.reader.key == "Anna", timeout=10_000)  # type: ignore[union-attr]
    read_next(qtbot, other)
    assert other.session.shown is not None
    assert np.array_equal(other.session.shown.label_map.array, labels)
    assert other.session.shown.history.undo_names
    assert "are back" in other.messages.text


def test_an_ordinary_case_opened_in_between_ends_the_reading(
    qtbot: QtBot, reading: MainWindow, sample: Path
) -> None:
    study = reading.studying.study
    assert study is not None
    labels = _paint(qtbot, reading)
    open_case(qtbot, reading, sample)
    settle(qtbot, reading)
    assert not reading.studying.current.bar.isVisible()
    assert reading.actions_by_name["segment"].isEnabled()
    assert reading.agreement.is_available
    written = np.asarray(nibabel.load(study.mask_path(study.readings["Anna"][0])).dataobj)
    assert np.array_equal(written[::-1, ::-1], labels)


def test_a_second_instance_of_the_same_reader_is_told(
    qtbot: QtBot, make: Make, make_study: MakeStudy
) -> None:
    folder = make_study().folder
    first, second = make(), make()
    join(qtbot, first, folder, "Anna")
    second.studying.join(folder, "Anna")
    qtbot.waitUntil(lambda: "has this study open" in second.messages.text, timeout=10_000)
    assert second.studying.study is None
    join(qtbot, second, folder, "Ben")
    first.close()
    second.close()


def test_another_case_opened_while_a_reading_is_being_locked(
    qtbot: QtBot, reading: MainWindow, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock fails after the reader has gone on: what he opened stays his to change, nothing is lost."""
    from brainseg_desktop.gui.tasks import current_reading
    from brainseg_desktop.io.atomic import write_error

    labels = _paint(qtbot, reading)
    first = reading.studying.study.readings["Anna"][0]  # type: ignore[union-attr]

    def fail(*_: object, **__: object) -> None:
        raise write_error(OSError(28, "full"), Path("study"))

    with monkeypatch.context() as failing:
        failing.setattr(current_reading, "save_reading", fail)
        reading.studying.current.accept()
        open_case(qtbot, reading, sample)
        settle(qtbot, reading)
    assert reading.session.terms.reader == "Reader"
    assert not reading.session.terms.read_only
    assert "no room" in reading.messages.text
    reading.studying.read(first)
    qtbot.waitUntil(lambda: reading.windowTitle().startswith("Reading 001"), timeout=10_000)
    settle(qtbot, reading)
    assert reading.session.shown is not None
    assert np.array_equal(reading.session.shown.label_map.array, labels)
    assert reading.session.editable() is not None


def test_a_note_written_after_a_save_does_not_take_the_draft_back(qtbot: QtBot, reading: MainWindow) -> None:
    _paint(qtbot, reading)
    study = reading.studying.study
    assert study is not None
    reading.studying.current.save()
    reading.studying.current.bar._flags["unsure"].click()
    settle(qtbot, reading)
    found = study.sidecar(study.readings["Anna"][0])
    assert found is not None
    assert (found.record.status, found.record.flags) == ("draft", ("unsure",))
    assert found.seal_holds


def test_a_locked_reading_is_shown_beside_the_others_as_soon_as_the_design_allows(
    qtbot: QtBot, window: MainWindow, make_study: MakeStudy
) -> None:
    study = make_study(reveal="case")
    join(qtbot, window, study.folder, "Anna")
    read_next(qtbot, window)
    first = study.readings["Anna"][0]
    _paint(qtbot, window)
    with qtbot.waitSignal(window.studying.opened, timeout=10_000):
        window.studying.current.accept()
    settle(qtbot, window)
    window.studying.read(first)
    qtbot.waitUntil(lambda: window.windowTitle().startswith(first.case), timeout=10_000)
    settle(qtbot, window)
    case = window.session.case
    assert case is not None
    assert {"Anna", "Reference"} <= {r.rater for r in case.ratings}
    assert window.agreement.is_available
    assert window.session.editable() is not case.rating("Anna")
