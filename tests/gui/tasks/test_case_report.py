"""The report of the open case, through its dialog."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialogButtonBox, QFileDialog, QPlainTextEdit
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.main_window import MainWindow
from tests.gui.conftest import dab, open_case, pixel_of


def _ask(qtbot: QtBot, window: MainWindow, remark: str, *, named: bool) -> None:
    window.actions_by_name["case_report"].trigger()
    qtbot.waitUntil(lambda: window.case_reporter.dialog is not None)
    dialog = window.case_reporter.dialog
    assert dialog is not None
    field = dialog.findChild(QPlainTextEdit)
    qtbot.keyClicks(field, remark)
    if named:
        box = dialog.findChild(QCheckBox)
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().topLeft() + box.rect().center() / 6)
        assert box.isChecked()
    buttons = dialog.findChild(QDialogButtonBox)
    qtbot.mouseClick(buttons.button(QDialogButtonBox.StandardButton.Save), Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("named", [False, True])
def test_the_report_holds_remark_measures_and_the_name_only_if_asked_for(
    qtbot: QtBot,
    window: MainWindow,
    small_case: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
) -> None:
    open_case(qtbot, window, small_case)
    window.actions_by_name["brush"].trigger()
    view = window.viewer.views[0]
    dab(qtbot, view, pixel_of(view, window.state.cursor))
    path = tmp_path / "report.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), "HTML (*.html)"))
    _ask(qtbot, window, "Oedema uncertain at the edge", named=named)
    qtbot.waitUntil(lambda: "report was written" in window.messages.text, timeout=30_000)
    page = path.read_text(encoding="utf-8")
    assert "Oedema uncertain at the edge" in page
    assert "Research use only" in page
    assert "HD95" in page
    assert (small_case.name in page) is named


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(
    qtbot: QtBot, window: MainWindow, small_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(qtbot, window, small_case)
    path = tmp_path / "no" / "such" / "report.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), "PDF (*.pdf)"))
    _ask(qtbot, window, "", named=False)
    qtbot.waitUntil(lambda: str(path.parent) in window.messages.text, timeout=30_000)
    assert "could not be written" in window.messages.text
    assert not path.exists()
