"""Ben reads blind, Anna has read already: everything that the window offers is tried to see Anna's mask."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.opening import new_rating
from brainseg_desktop.services.studies.reading import open_reading, save_reading
from brainseg_desktop.services.studies.study import Study
from tests.services.studies.conftest import ball

from .conftest import join, read_next, settle

MakeStudy = Callable[..., Study]


@pytest.fixture
def study(make_study: MakeStudy, tmp_path: Path) -> Study:
    """Anna has locked all her readings; the network has outlined the cases."""
    made = make_study()
    anna = Study.open(made.folder, "Anna")
    for reading in anna.readings["Anna"]:
        opened = open_reading(anna, reading, tmp_path / "state")
        labels = (2 * ball((12, 10, 6), 3)).astype(np.uint8)
        save_reading(anna, opened, LabelMap(labels), opened.record, lock=True)
        ai = made.other_path("ai", reading.case)
        ai.parent.mkdir(exist_ok=True)
        shutil.copy(anna.mask_path(reading), ai)
    anna.close()
    return made


@pytest.fixture
def ben(qtbot: QtBot, window: MainWindow, study: Study) -> MainWindow:
    """Ben's first reading is open, with the worklist behind it."""
    join(qtbot, window, study.folder, "Ben")
    read_next(qtbot, window)
    return window


def _sees_only_his_own(window: MainWindow) -> None:
    case = window.session.case
    assert case is not None
    assert [r.rater for r in case.ratings] == ["Ben"]
    assert not case.ratings[0].label_map.array.any()
    assert window.state.reference is None
    assert window.state.uncertainty is None
    assert window.session.live is None


def _anything_to_see(study: Study) -> Iterator[Path]:
    case = study.case_path(study.readings["Ben"][0].case)
    yield study.mask_path(study.readings["Anna"][0])
    yield study.other_path("ai", case.name)
    yield next(case.glob("*seg*"))
    yield case
    yield study.folder / "ratings" / "Anna"
    yield case.parent


def test_no_action_of_the_program_brings_another_mask(
    qtbot: QtBot, ben: MainWindow, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every action of the table is triggered, with a file dialog that always answers Anna's mask."""
    annas = str(study.mask_path(study.readings["Anna"][0]))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (annas, ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
    leaving = {
        *("quit", "close_case", "open", "open_files", "next_case", "previous_case"),
        *("new_study", "open_study", "last_study", "close_study", "accept_reading", "about"),
        *("view_window", "models_folder", "log_folder"),
        # They leave the reading, which is kept as a draft, for the sample, a case of no study.
        *("sample", "tour"),
    }
    tried = 0
    for name, action in ben.actions_by_name.items():
        if name not in leaving:
            tried += action.isEnabled()
            action.trigger()
            settle(qtbot, ben)
            _sees_only_his_own(ben)
    assert tried > 50
    for dialog in QApplication.topLevelWidgets():
        if dialog not in (ben, ben.studying.window):
            dialog.close()


def test_neither_dialog_nor_drop_nor_recent_case_opens_a_mask(
    qtbot: QtBot, ben: MainWindow, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "mine_seg.nii.gz"
    link.symlink_to(study.mask_path(study.readings["Anna"][0]))
    for path in (*_anything_to_see(study), link):
        _drop(ben, [path])
        settle(qtbot, ben)
        _sees_only_his_own(ben)
        ben.opener.load_mask(path)
        settle(qtbot, ben)
        _sees_only_his_own(ben)
        ben.opener.open_key(str(path))
        settle(qtbot, ben)
        _sees_only_his_own(ben)
        assert "blinded" in ben.messages.text or "no case" in ben.messages.text
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_, **__: str(study.case_path("BraTS2021_00001"))
    )
    ben.commands.open_folder()
    settle(qtbot, ben)
    _sees_only_his_own(ben)


def _drop(window: MainWindow, paths: list[Path]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    event = QDropEvent(
        QPointF(QPoint(50, 50)),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    QApplication.processEvents()


def test_the_model_itself_takes_no_other_mask(ben: MainWindow) -> None:
    case = ben.session.case
    assert case is not None
    with pytest.raises(UserError, match="reading_blinded"):
        ben.session.add(new_rating(case, "Anna"))
    ben.segmenting.start()
    assert not ben.segmenting.is_running
    assert "blinded" in ben.messages.text
    _sees_only_his_own(ben)


def test_a_reading_of_another_is_not_opened_and_scores_are_not_measured(
    qtbot: QtBot, ben: MainWindow, study: Study
) -> None:
    ben.studying.read(study.readings["Anna"][0])
    settle(qtbot, ben)
    assert "is blinded" in ben.messages.text
    ben.studying.compare(study.readings["Ben"][0].case)
    settle(qtbot, ben)
    _sees_only_his_own(ben)
    ben.studying.results.measure()
    settle(qtbot, ben)
    assert ben.studying.window.results.report is None
    ben.studying.results.go_to(study.readings["Ben"][0].case, ("Anna", "Ben"), "WT")
    settle(qtbot, ben)
    _sees_only_his_own(ben)


def test_who_looks_after_the_study_sees_no_masks_either(
    qtbot: QtBot, window: MainWindow, study: Study
) -> None:
    join(qtbot, window, study.folder, None)
    assert window.studying.entries() == []
    window.studying.read(study.readings["Anna"][0])
    settle(qtbot, window)
    assert window.session.case is None
    assert "is blinded" in window.messages.text


def test_no_word_on_the_screen_names_the_case(qtbot: QtBot, ben: MainWindow, study: Study) -> None:
    """A case that is named could be known again in the hidden repeat, and asked about."""
    names = [c.name for c in study.design.cases]
    ben.studying.show_window()
    said = [text for window in (ben, ben.studying.window) for text in _words(window)]
    assert any("Reading 001" in text for text in said)
    assert not [text for text in said if any(name in text for name in names)]


def _words(window: QWidget) -> Iterator[str]:
    yield window.windowTitle()
    for widget in (window, *window.findChildren(QWidget)):
        yield from (widget.toolTip(), widget.accessibleName(), widget.statusTip())
        if isinstance(widget, QLabel | QAbstractButton | QLineEdit):
            yield widget.text()
        elif isinstance(widget, QComboBox):
            yield from (widget.itemText(i) for i in range(widget.count()))
        elif isinstance(widget, QListWidget):
            for i in range(widget.count()):
                yield from (widget.item(i).text(), widget.item(i).toolTip())
        elif isinstance(widget, QMenu):
            yield from (action.text() for action in widget.actions())
        elif isinstance(widget, QTableView):
            model = widget.model()
            for row in range(model.rowCount()):
                for column in range(model.columnCount()):
                    for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
                        yield str(model.index(row, column).data(role))


def test_measurements_and_windows_of_a_first_reading_are_not_brought_back(
    qtbot: QtBot, window: MainWindow, make_study: MakeStudy
) -> None:
    from brainseg_desktop.core.measurements import Measurement, MeasurementKind

    study = make_study(repeats=1)
    join(qtbot, window, study.folder, "Ben")
    second = next(r for r in study.readings["Ben"] if r.repeat == 2)
    first = next(r for r in study.readings["Ben"] if r.case == second.case and r.repeat == 1)
    window.studying.read(first)
    qtbot.waitUntil(lambda: window.studying.reading is not None, timeout=10_000)
    settle(qtbot, window)
    ruler = Measurement(MeasurementKind.RULER, 2, ((2.0, 2.0, 2.0), (8.0, 8.0, 2.0)))
    window.state.set_measurements((ruler,))
    window.studying.read(second)
    qtbot.waitUntil(lambda: window.windowTitle().startswith(second.label), timeout=10_000)
    settle(qtbot, window)
    assert window.state.measurements == ()


def test_after_unblinding_all_masks_are_there(
    qtbot: QtBot, ben: MainWindow, study: Study, tmp_path: Path
) -> None:
    ben.studying.close_study()
    settle(qtbot, ben)
    study.unblind(by="test", early=True)
    join(qtbot, ben, study.folder, None)
    with qtbot.waitSignal(ben.studying.opened, timeout=10_000):
        ben.studying.read(study.readings["Anna"][0])
    case = ben.session.case
    assert case is not None
    assert {"Anna", "AI", "Reference"} <= {r.rater for r in case.ratings}
    assert ben.actions_by_name["compare"].isEnabled()
