"""Panels, dialogs, dropping files, themes: what the reader sees around the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QDockWidget,
    QScrollArea,
    QTableWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.labels import TC, WT, Tissue
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.dialogs.export_dialog import ExportDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import Mode, OverlayKind
from brainseg_desktop.services.compare import AGREED, EXTRA, MISSED
from tests.gui.conftest import dab, open_case, pixel_of


def drop(window: MainWindow, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(200, 200), *how)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(200, 200), *how))


def cell(table: QTableWidget, row: str, column: str) -> str:
    rows = [table.verticalHeaderItem(r).text() for r in range(table.rowCount())]
    columns = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount())]
    return table.item(rows.index(row), columns.index(column)).text()


def test_dropped_folder_then_dropped_mask(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        drop(window, sample)
    names = [r.rater for r in window.session.case.ratings]
    assert names[0] == window.session.reader
    assert "Reference" in names
    (sample / "sample_seg.nii.gz").rename(tmp_path / "BraTS2021_00000_seg.nii.gz")
    drop(window, tmp_path / "BraTS2021_00000_seg.nii.gz")
    qtbot.waitUntil(lambda: len(window.session.case.ratings) == len(names) + 1, timeout=10_000)


def test_numbers_follow_the_brush(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    session, state = window.session, window.state
    reference = session.case.rating("Reference")
    session.start_from(reference)
    table = window.compare.findChild(QTableWidget)
    qtbot.waitUntil(lambda: cell(table, "Dice", "WT") == "1.000")
    # A dab where the reference has nothing lowers Dice by just as much as a full count says.
    view = window.viewer.views[0]
    state.set_mode(Mode.BRUSH)
    state.set_tissue(Tissue.OEDEMA)
    state.set_brush_mm(30)
    empty = np.argwhere(reference.label_map.array[:, :, view.index] == 0)
    spot = empty[len(empty) // 3]
    dab(qtbot, view, pixel_of(view, (int(spot[0]), int(spot[1]), view.index)))
    full = confusion(
        WT.mask(reference.label_map.array), WT.mask(np.asarray(session.own_rating().label_map.array))
    )
    assert full.dice.value < 1
    qtbot.waitUntil(lambda: cell(table, "Dice", "WT") == f"{full.dice.value:.3f}")
    assert cell(table, "Precision", "WT") == f"{full.precision.value:.3f}"
    volume = full.volume_ml(session.case.grid.voxel_volume_ml)[1].value
    assert cell(table, "Mask, mL", "WT") == f"{volume:.1f}"
    assert cell(table, "Dice", "TC") == f"{session.live.dice(TC).value:.3f}"


def test_empty_masks_are_said_to_be_empty(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    table = window.compare.findChild(QTableWidget)
    assert cell(table, "Dice", "WT") == "0.000"
    assert cell(table, "Precision", "WT") == "empty"
    blank = window.session.own_rating()
    window.session.show(window.session.case.rating("Reference"))
    window.session.compare_with(blank)
    assert cell(table, "Sensitivity", "WT") == "empty"


def test_difference_overlay_marks_missed_extra_and_agreed(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    open_case(qtbot, window, sample)
    session, state = window.session, window.state
    reference = session.case.rating("Reference")
    second = session.case.rating("Reader 2")
    session.show(second)
    session.compare_with(reference)
    index = int(np.argmax((reference.label_map.array > 0).sum(axis=(0, 1))))
    state.step(Plane.AXIAL, index - state.cursor[2])
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_F)
    assert state.overlay is OverlayKind.DIFFERENCE
    shown = state.mask_picture(Plane.AXIAL, index).labels[::-1, ::-1].T
    in_reference = reference.label_map.array[:, :, index] > 0
    in_mask = second.label_map.array[:, :, index] > 0
    np.testing.assert_array_equal(shown == AGREED, in_reference & in_mask)
    np.testing.assert_array_equal(shown == MISSED, in_reference & ~in_mask)
    np.testing.assert_array_equal(shown == EXTRA, ~in_reference & in_mask)


def test_chart_click_goes_to_the_slice(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.compare.slice_clicked.emit(40)
    assert window.state.cursor[2] == 40


def test_slices_folder_is_exported_as_slices(
    qtbot: QtBot, window: MainWindow, tiff_case: Path, tmp_path: Path
) -> None:
    import tifffile

    open_case(qtbot, window, tiff_case)
    assert "T2" in window.messages.text
    view = window.viewer.views[0]
    window.state.set_mode(Mode.BRUSH)
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    labels = np.asarray(window.session.own_rating().label_map.array)
    qtbot.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    dialog = window.findChild(ExportDialog)
    dialog._path.setText(str(tmp_path / "masks"))
    with qtbot.waitSignal(window.exporter.exported, timeout=20_000):
        qtbot.mouseClick(
            dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok),
            Qt.MouseButton.LeftButton,
        )
    names = [
        p.stem for p in window.session.case.volumes[next(iter(window.session.case.volumes))].source.files
    ]
    for z, name in enumerate(names):
        written = tifffile.imread(tmp_path / "masks" / f"{name}_mask.tif")
        # Rows run to the back and columns to the left: against both axes of the model.
        np.testing.assert_array_equal(written, (labels[::-1, ::-1, z].T > 0) * np.uint8(255))


def test_recent_cases_are_listed_and_searched(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.close_case()
    assert window.empty.isVisible()
    assert window.cases.neighbour(0) == str(sample)
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.keyClick(
            window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        )
    window.cases._search.setText("nothing like it")
    assert window.cases.neighbour(1) is None


def test_labels_hide_and_volumes_add_up(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.session.start_from(window.session.case.rating("Reference"))
    window.labels.hidden.emit(Tissue.OEDEMA, True)
    index = window.state.cursor[2]
    picture = window.state.mask_picture(Plane.AXIAL, index)
    assert not picture.buffer[picture.labels == Tissue.OEDEMA].any()
    assert picture.buffer[picture.labels == Tissue.NECROSIS].all()
    table = window.labels.findChild(QTableWidget)
    counts = np.bincount(window.session.own_rating().label_map.array.ravel(), minlength=7)
    expected = counts[Tissue.OEDEMA] * window.session.case.grid.voxel_volume_ml
    assert table.item(1, 2).text() == f"{expected:.1f}"


def test_no_shortcut_is_given_twice() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert sorted(keys) == sorted(set(keys))


def test_every_control_has_a_name_for_screen_readers(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    for control in (*window.findChildren(QAbstractButton), *window.findChildren(QComboBox)):
        if control.isVisible() and not control.objectName().startswith("qt_"):
            assert control.accessibleName() or getattr(control, "text", str)() or control.toolTip(), control


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut(qtbot: QtBot, window: MainWindow, sample: Path, size: tuple[int, int]) -> None:
    open_case(qtbot, window, sample)
    window.resize(*size)
    qtbot.wait(20)
    scroll = window.findChild(QDockWidget, "Reading").findChild(QScrollArea)
    assert scroll.widget().width() <= scroll.viewport().width(), "the right panel is cut"
    for name in ("open", "segment", "undo", "brush", "layout", "sagittal", "compare", "export"):
        button = window.findChild(QAbstractButton, name)
        assert button.isVisible(), name
        assert button.geometry().right() <= window.width()


def test_settings_are_kept(qtbot: QtBot, make, sample: Path) -> None:
    first = make()
    first.state.set_brush_mm(13)
    first.state.set_opacity(0.3)
    first.actions_by_name["theme"].trigger()
    first.close()
    second = make()
    assert second.state.brush_mm == 13
    assert second.state.opacity == pytest.approx(0.3)
    assert second.settings.theme == "light"
    second.commands.set_theme(False)
