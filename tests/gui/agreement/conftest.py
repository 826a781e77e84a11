"""Masks made for a case, so that what a number leads to is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Source
from brainseg_desktop.gui.agreement.report_window import ReportWindow
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.io.schemes import scheme_named
from tests.gui.conftest import dab, open_case, pixel_of

Box = tuple[slice, slice, slice]
BOTH: Box = (slice(60, 76), slice(60, 76), slice(30, 44))
MISSED: Box = (slice(90, 100), slice(60, 70), slice(50, 56))
EXTRA: Box = (slice(60, 68), slice(90, 98), slice(60, 66))
OPENED_MS = 20_000


def add_mask(
    window: MainWindow, name: str, *parts: Box, kind: RaterKind = RaterKind.HUMAN, tissue: int = Tissue.OEDEMA
) -> Rating:
    """A mask of boxes, read from a file for all the session knows."""
    labels = np.zeros(window.session.case.grid.shape, np.uint8)
    for part in parts:
        labels[part] = tissue
    source = Source(Path(f"{name}.nii.gz"), "")
    rating = Rating(name, kind, LabelMap(labels), scheme_named("brats2021"), source=source)
    window.session.add(rating)
    return rating


@pytest.fixture
def pair(qtbot: QtBot, window: MainWindow, sample: Path) -> tuple[Rating, Rating]:
    """A reference with a lesion that the mask shown has not, which has one that the reference has not."""
    open_case(qtbot, window, sample)
    reference = add_mask(window, "Anna", BOTH, MISSED)
    mask = add_mask(window, "Boris", BOTH, EXTRA)
    window.session.show(mask)
    window.session.compare_with(reference)
    return reference, mask


def open_report(qtbot: QtBot, window: MainWindow) -> ReportWindow:
    """Open the window of agreement by its key, and wait for the numbers."""
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    reporting = window.agreement.reporting
    qtbot.waitUntil(
        lambda: reporting.window is not None and reporting.window.status.text() == "Up to date.",
        timeout=OPENED_MS,
    )
    assert reporting.window is not None
    return reporting.window


def click_cell(qtbot: QtBot, table: QTableWidget, row: int, column: int) -> None:
    """Click a cell as the mouse does."""
    table.scrollToItem(table.item(row, column))
    place = table.visualItemRect(table.item(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def row_named(table: QTableWidget, name: str) -> int:
    rows = [table.verticalHeaderItem(r).text() for r in range(table.rowCount())]
    return rows.index(name)


def column_named(table: QTableWidget, name: str) -> int:
    columns = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount())]
    return columns.index(name)


def paint(qtbot: QtBot, window: MainWindow, voxel: tuple[int, int, int]) -> None:
    """A dab of the brush on the reader's own mask, which must be the one shown."""
    # A message above the pictures that goes would move them under the mouse.
    window.messages.hide()
    qtbot.wait(20)
    window.state.set_mode(Mode.BRUSH)
    window.state.set_tissue(Tissue.OEDEMA)
    window.state.set_cursor(voxel)
    view = window.viewer.views[0]
    dab(qtbot, view, pixel_of(view, voxel))


def inside(voxel: tuple[int, int, int], box: Box) -> bool:
    return all(s.start <= v < s.stop for v, s in zip(voxel, box, strict=True))
