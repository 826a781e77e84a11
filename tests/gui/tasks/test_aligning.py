"""Aligning sequences in the window: registered, looked at, taken or dropped, and never in the way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.dialogs.align_dialog import AlignDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.tasks import aligning
from brainseg_desktop.services.alignment import worker
from brainseg_desktop.services.alignment.registration import Registration
from tests.exams import Exam, make_exam, phantom, write_nifti
from tests.gui.conftest import open_case

SLEEPER = [sys.executable, "-c", "import sys, time; sys.stdin.readline(); time.sleep(60)"]


@pytest.fixture
def exam() -> Exam:
    flair = phantom()
    volumes = {Sequence.FLAIR: flair, Sequence.T2: replace(flair, sequence=Sequence.T2)}
    return make_exam(volumes, spacing=(2.5, 2.5, 6.0), seed=4)


@pytest.fixture
def folder(exam: Exam, tmp_path: Path) -> Path:
    return write_nifti(exam, tmp_path / "Exam_01")


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, folder: Path) -> Iterator[MainWindow]:
    open_case(qtbot, window, folder)
    yield window
    window.aligning.drop()


def dialog_of(qtbot: QtBot, window: MainWindow) -> AlignDialog:
    window.actions_by_name["align"].trigger()
    dialog = window.aligning.dialog
    assert dialog is not None
    qtbot.waitExposed(dialog)
    return dialog


def click(qtbot: QtBot, button: object) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def answer(monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    """Have the registration return or raise this at once."""

    def register(*_: object, **__: object) -> object:
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(aligning, "register_rigid", register)


def shown(window: MainWindow) -> np.ndarray:
    """What the view of T2 shows, as grey values."""
    panel = next(v for v in window.viewer.views if v.sequence is Sequence.T2)
    image = panel.picture(annotated=False)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)[..., 0].copy()


def text_of(dialog: AlignDialog, row: int = 0) -> str:
    return dialog.table.item(row, 2).text()


def test_the_way_from_the_message_to_the_taken_result(qtbot: QtBot, opened: MainWindow, exam: Exam) -> None:
    assert "T2" in opened.messages.text
    assert "Align sequences" in opened.messages.text
    dialog = dialog_of(qtbot, opened)
    assert dialog.table.rowCount() == 1
    assert "oblique" in dialog.table.item(0, 1).text()
    assert text_of(dialog) == "Shown; not given to the network"
    before = shown(opened)
    click(qtbot, dialog.register)
    assert dialog.bar.isVisible()
    qtbot.waitUntil(lambda: not opened.aligning.is_running, timeout=30_000)
    assert "more is better" in dialog.verdict.text()
    # Nothing is changed before it was looked at and taken.
    case = opened.session.case
    assert case is not None
    assert dict(case.placements) == {}
    click(qtbot, dialog.accept_button)
    found = case.placements[Sequence.T2].transform
    left = found.compose(exam.motions[Sequence.T2].inverse())
    assert left.shift_mm(exam.points).max() < 1
    assert text_of(dialog).startswith("Registered: moved")
    assert not np.array_equal(shown(opened), before)
    click(qtbot, dialog.back)
    assert text_of(dialog) == "Shown; not given to the network"
    assert np.array_equal(shown(opened), before)


def test_use_headers_takes_the_header_s_place(qtbot: QtBot, opened: MainWindow) -> None:
    dialog, before = dialog_of(qtbot, opened), shown(opened)
    click(qtbot, dialog.headers)
    assert text_of(dialog) == "Resampled by its header"
    assert np.array_equal(shown(opened), before)


def test_before_and_after_blink(qtbot: QtBot, opened: MainWindow, exam: Exam, monkeypatch) -> None:
    answer(monkeypatch, Registration(exam.motions[Sequence.T2], 0.2, 0.9, "headers"))
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    qtbot.waitUntil(dialog.accept_button.isEnabled)
    click(qtbot, dialog.blink)
    if not dialog.check.shows_reference:
        click(qtbot, dialog.swap)

    def halves() -> tuple[np.ndarray, np.ndarray]:
        image = dialog.check.grab().toImage()
        wide = image.width() // 2
        grey = [
            [image.pixelColor(x, y).lightness() for x in range(40, wide - 40, 5)]
            for y in range(30, image.height() - 30, 5)
        ]
        right = [
            [image.pixelColor(x + wide + 3, y).lightness() for x in range(40, wide - 40, 5)]
            for y in range(30, image.height() - 30, 5)
        ]
        return np.array(grey, float), np.array(right, float)

    left, right = halves()
    assert np.abs(left - right).mean() < 3  # the reference on both sides
    reference = right
    click(qtbot, dialog.swap)
    left, right = halves()
    # After the registration the sequence lies on the reference, before it does not.
    assert np.abs(right - reference).mean() < 0.6 * np.abs(left - reference).mean()
    index = dialog.check.index
    wheel(dialog, 120)
    assert dialog.check.index == index + 1
    click(qtbot, dialog.blink)
    was = dialog.check.shows_reference
    qtbot.waitUntil(lambda: dialog.check.shows_reference is not was, timeout=3000)
    click(qtbot, dialog.discard)
    assert dict(opened.session.case.placements) == {}
    assert "discarded" in dialog.verdict.text()
    assert dialog.register.isEnabled()


def wheel(dialog: AlignDialog, angle: int) -> None:
    middle = QPointF(dialog.check.rect().center())
    event = QWheelEvent(
        middle,
        dialog.check.mapToGlobal(middle),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(dialog.check, event)


def test_a_result_that_looks_wrong_cannot_be_taken(qtbot: QtBot, opened: MainWindow, monkeypatch) -> None:
    far = RigidTransform.about((0, 0, 1), 0, shift_mm=(45, 0, 0))
    answer(monkeypatch, Registration(far, 0.2, 0.9, "headers"))
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    qtbot.waitUntil(dialog.discard.isEnabled)
    assert not dialog.accept_button.isEnabled()
    assert "45" in dialog.verdict.text()
    click(qtbot, dialog.discard)


@pytest.mark.parametrize("code", ["alignment_no_overlap", "alignment_died", "alignment_constant"])
def test_a_failure_is_said_in_the_dialog(qtbot: QtBot, opened: MainWindow, monkeypatch, code: str) -> None:
    answer(monkeypatch, UserError(code))
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    qtbot.waitUntil(lambda: dialog.verdict.text() != "")
    assert dialog.register.isEnabled()
    assert dict(opened.session.case.placements) == {}


def test_cancel_ends_it_at_once(qtbot: QtBot, opened: MainWindow, monkeypatch) -> None:
    monkeypatch.setattr(worker, "command", lambda: SLEEPER)
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    # Pressed again while it runs, nothing else begins.
    assert not dialog.register.isEnabled()
    opened.aligning._register(Sequence.T2)
    qtbot.wait(100)
    click(qtbot, dialog.cancel)
    assert "cancelled" in dialog.verdict.text()
    qtbot.waitUntil(lambda: opened.jobs.is_idle, timeout=1000)
    assert dialog.register.isEnabled()


def test_the_case_is_closed_meanwhile(qtbot: QtBot, opened: MainWindow, monkeypatch) -> None:
    monkeypatch.setattr(worker, "command", lambda: SLEEPER)
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    opened.close_case()
    assert opened.aligning.dialog is None
    assert not opened.aligning.is_running
    qtbot.waitUntil(lambda: opened.jobs.is_idle, timeout=1000)
    assert opened.session.case is None


def test_it_is_one_dialog_and_needs_a_case(qtbot: QtBot, opened: MainWindow) -> None:
    dialog = dialog_of(qtbot, opened)
    assert dialog_of(qtbot, opened) is dialog
    opened.close_case()
    assert not opened.actions_by_name["align"].isEnabled()
    opened.aligning.show()
    assert opened.aligning.dialog is None


def test_it_comes_back_with_the_case(qtbot: QtBot, opened: MainWindow, exam: Exam, monkeypatch) -> None:
    answer(monkeypatch, Registration(exam.motions[Sequence.T2], 0.2, 0.9, "headers"))
    dialog = dialog_of(qtbot, opened)
    click(qtbot, dialog.register)
    qtbot.waitUntil(dialog.accept_button.isEnabled)
    click(qtbot, dialog.accept_button)
    path = Path(opened.settings.recent_cases[0])
    opened.close_case()
    open_case(qtbot, opened, path)
    found = opened.session.case.placements[Sequence.T2].transform
    assert found.matrix == pytest.approx(exam.motions[Sequence.T2].matrix)
    assert "Brought together" in opened.messages.text


def test_the_sequence_of_the_masks_is_chosen_for_the_next_case(
    qtbot: QtBot, opened: MainWindow, folder: Path
) -> None:
    dialog = dialog_of(qtbot, opened)
    dialog.reference.setCurrentText("T1CE")
    assert opened.settings.reference == "T1CE"
    assert opened.opener.reference == "T1CE"
    (folder / f"{folder.name}_t2.nii.gz").rename(folder / f"{folder.name}_t1ce.nii.gz")
    opened.close_case()
    open_case(qtbot, opened, folder)
    case = opened.session.case
    assert case.is_aligned(Sequence.T1CE)
    assert not case.is_aligned(Sequence.FLAIR)
