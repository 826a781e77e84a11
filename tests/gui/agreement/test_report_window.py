"""The window of agreement: what it shows, where it leads, and that it never shows old numbers as new."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import WT
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.core.surface import surface_distances
from brainseg_desktop.gui.agreement import reporting as reporting_module
from brainseg_desktop.gui.agreement.check_picture import MASK_COLOUR, REFERENCE_COLOUR
from brainseg_desktop.gui.agreement.report_window import ReportWindow
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.plane import Plane
from tests.gui.agreement.conftest import (
    BOTH,
    EXTRA,
    MISSED,
    add_mask,
    click_cell,
    column_named,
    inside,
    open_report,
    paint,
    row_named,
)
from tests.gui.conftest import open_case
from tests.gui.test_accessibility import nameless, unreachable

Pair = tuple[Rating, Rating]


def text_of(window: ReportWindow, row: str, column: str) -> str:
    table = window.measures
    return table.item(row_named(table, row), column_named(table, column)).text()


def button(window: ReportWindow, text: str) -> QPushButton:
    return next(b for b in window.findChildren(QPushButton) if b.text() == text)


def press(qtbot: QtBot, window: ReportWindow, text: str) -> None:
    qtbot.mouseClick(button(window, text), Qt.MouseButton.LeftButton)


def test_numbers_equal_a_full_count(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    report = open_report(qtbot, window)
    first, second = (WT.mask(np.asarray(r.label_map.array)) for r in pair)
    counts, grid = confusion(first, second), window.session.case.grid
    distances = surface_distances(first, second, grid.spacing_mm)
    assert text_of(report, "WT", "Dice") == f"{counts.dice.value:.3f}"
    assert text_of(report, "WT", "Specificity") == f"{counts.specificity.value:.4f}"
    assert text_of(report, "Oedema", "HD95, mm") == f"{distances.hd95_mm.value:.2f}"
    assert text_of(report, "WT", "Surf. Dice") == f"{distances.surface_dice(1.0).value:.3f}"
    assert text_of(report, "WT", "Ref., mL") == f"{first.sum() * grid.voxel_volume_ml:.2f}"
    assert report.pair.text().endswith("Boris against Anna")


def test_an_empty_region_is_said_in_words(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    report = open_report(qtbot, window)
    assert text_of(report, "ET", "Dice") == "\u2013"
    assert text_of(report, "ET", "State") == "both empty"
    click_cell(qtbot, report.measures, row_named(report.measures, "ET"), 0)
    assert "Neither mask marks ET" in report.rule.text()
    assert not report.worst.isEnabled()
    click_cell(qtbot, report.measures, row_named(report.measures, "WT"), 0)
    assert report.rule.isHidden()
    # One empty mask: the blank one of the reader himself.
    window.session.show(window.session.own_rating())
    press(qtbot, report, "Refresh")
    qtbot.waitUntil(lambda: report.status.text() == "Up to date.")
    assert text_of(report, "WT", "State") == "mask empty"
    assert text_of(report, "WT", "Dice") == "0.000"
    assert "Reader does not mark WT" in report.rule.text()


def test_a_number_leads_to_where_the_two_differ_most(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    report = open_report(qtbot, window)
    window.state.set_cursor((1, 2, 3))
    click_cell(qtbot, report.measures, row_named(report.measures, "WT"), 0)
    differing = WT.mask(np.asarray(pair[0].label_map.array)) != WT.mask(np.asarray(pair[1].label_map.array))
    assert window.state.cursor[2] == differing.sum(axis=(0, 1)).argmax()
    assert differing[window.state.cursor]
    # By Enter too, along the slices that are chosen.
    report.set_plane(Plane.SAGITTAL)
    window.state.set_cursor((1, 2, 3))
    report.measures.setCurrentCell(row_named(report.measures, "Oedema"), 2)
    qtbot.keyClick(report.measures, Qt.Key.Key_Return)
    assert window.state.cursor[0] == differing.sum(axis=(1, 2)).argmax()


def test_hd95_leads_to_the_voxel_where_it_is_met(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    report = open_report(qtbot, window)
    column = column_named(report.measures, "HD95, mm")
    click_cell(qtbot, report.measures, row_named(report.measures, "WT"), column)
    assert window.state.cursor == report.report.surface("WT").hd95_voxel
    assert inside(window.state.cursor, MISSED) or inside(window.state.cursor, EXTRA)


def test_each_lesion_has_a_row_that_leads_to_it(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    report = open_report(qtbot, window)
    report.tabs.setCurrentIndex(1)
    words = [report.lesions.item(r, 0).text() for r in range(report.lesions.rowCount())]
    assert words == ["matched", "missed", "false"]
    assert "1 matched, 1 missed, 1 false" in report.lesion_summary.text()
    for row, box in ((1, MISSED), (2, EXTRA), (0, BOTH)):
        click_cell(qtbot, report.lesions, row, 0)
        assert inside(window.state.cursor, box)
    report.lesions.setCurrentCell(1, 3)
    qtbot.keyClick(report.lesions, Qt.Key.Key_Return)
    assert inside(window.state.cursor, MISSED)


def test_a_slice_of_the_chart_leads_there_by_mouse_and_keys(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    report = open_report(qtbot, window)
    qtbot.wait(50)
    qtbot.mouseClick(report.chart, Qt.MouseButton.LeftButton, pos=report.chart.pixel_of(52))
    assert window.state.cursor[2] == 52
    assert inside(window.state.cursor, MISSED)
    qtbot.keyClick(report.chart, Qt.Key.Key_Right)
    assert window.state.cursor[2] == 53
    # A slice where nothing is marked: only the slice changes.
    before = window.state.cursor
    for _ in range(5):
        qtbot.keyClick(report.chart, Qt.Key.Key_PageDown)
    assert window.state.cursor[2] == 3
    assert inside(before, MISSED)


def test_the_check_picture_shows_both_outlines_of_the_slice(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    report = open_report(qtbot, window)

    def colours(part: int) -> set[tuple[int, int, int]]:
        image = report.picture.image(300).convertToFormat(QImage.Format.Format_RGB888)
        rows = np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())
        pixels = rows[20:280, : image.width() * 3].reshape(260, -1, 3)
        cut = pixels[:, part * 302 : part * 302 + 300]
        return set(map(tuple, np.unique(cut.reshape(-1, 3), axis=0).tolist()))

    window.state.set_cursor((95, 65, 52))
    qtbot.waitUntil(lambda: REFERENCE_COLOUR in colours(1))
    assert REFERENCE_COLOUR not in colours(0)
    assert MASK_COLOUR not in colours(2)
    window.state.set_cursor((64, 94, 62))
    qtbot.waitUntil(lambda: MASK_COLOUR in colours(2))
    assert REFERENCE_COLOUR not in colours(1)


def test_a_stroke_makes_the_numbers_old_until_they_are_refreshed(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    own = window.session.start_from(pair[1])
    window.session.compare_with(pair[0])
    report = open_report(qtbot, window)
    before = text_of(report, "WT", "Dice")
    paint(qtbot, window, (95, 65, 52))
    assert "a mask has changed" in report.status.text()
    assert report.status.objectName() == "warning"
    assert text_of(report, "WT", "Dice") == before
    press(qtbot, report, "Refresh")
    qtbot.waitUntil(lambda: report.status.text() == "Up to date.")
    full = confusion(*(WT.mask(np.asarray(r.label_map.array)) for r in (pair[0], own)))
    assert text_of(report, "WT", "Sensitivity") == f"{full.sensitivity.value:.3f}"
    # Another pair makes them old too, and back again they are of now.
    qtbot.mouseClick(window.compare._swap, Qt.MouseButton.LeftButton)
    assert "another pair" in report.status.text()
    qtbot.mouseClick(window.compare._swap, Qt.MouseButton.LeftButton)
    assert report.status.text() == "Up to date."


def test_another_tolerance_is_measured_on_the_same_masks(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    own = window.session.start_from(pair[1])
    with own.history.edit("Brush") as stroke:
        moved = np.roll(np.asarray(own.label_map.array), 2, axis=0)
        stroke.replace(Box((0, 0, 0), own.label_map.shape), moved)
    window.session.compare_with(pair[1])
    report = open_report(qtbot, window)
    strict = float(text_of(report, "WT", "Surf. Dice"))
    report.tolerance.setFocus()
    report.tolerance.selectAll()
    qtbot.keyClicks(report.tolerance, "3")
    qtbot.waitUntil(lambda: text_of(report, "WT", "Surf. Dice") == "1.000", timeout=10_000)
    assert strict < 1
    assert "within 3 mm" in report.meanings.toPlainText()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Measuring waits until this is set."""
    opened = threading.Event()
    measure = reporting_module.measure_pair

    def wait(*args: object) -> object:
        assert opened.wait(20)
        return measure(*args)

    monkeypatch.setattr(reporting_module, "measure_pair", wait)
    return opened


def test_a_case_closed_while_measuring_leaves_nothing(
    qtbot: QtBot, window: MainWindow, pair: Pair, gate: threading.Event
) -> None:
    window.actions_by_name["compare"].trigger()
    report = window.agreement.reporting.window
    assert report.isVisible()
    assert report.status.text() == "Measuring..."
    window.actions_by_name["close_case"].trigger()
    assert not report.isVisible()
    gate.set()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert report.report is None
    assert report.measures.rowCount() == 0


def test_pressed_twice_it_measures_once(
    qtbot: QtBot, window: MainWindow, pair: Pair, gate: threading.Event
) -> None:
    window.actions_by_name["compare"].trigger()
    window.actions_by_name["compare"].trigger()
    assert window.agreement.reporting._ticket == 1
    assert len(window.findChildren(ReportWindow)) == 1
    gate.set()
    report = window.agreement.reporting.window
    qtbot.waitUntil(lambda: report.status.text() == "Up to date.", timeout=10_000)
    # With numbers of now it is only brought to the front.
    window.actions_by_name["compare"].trigger()
    assert window.agreement.reporting._ticket == 1
    # Closed and opened again it is the same window with the same numbers.
    press(qtbot, report, "Close")
    window.actions_by_name["compare"].trigger()
    assert report.isVisible()
    assert report.status.text() == "Up to date."


def test_a_stroke_while_measuring_makes_its_result_old(
    qtbot: QtBot, window: MainWindow, pair: Pair, gate: threading.Event
) -> None:
    window.session.start_from(pair[1])
    window.session.compare_with(pair[0])
    window.actions_by_name["compare"].trigger()
    paint(qtbot, window, (95, 65, 52))
    gate.set()
    report = window.agreement.reporting.window
    qtbot.waitUntil(lambda: report.measures.rowCount() > 0, timeout=10_000)
    assert "a mask has changed" in report.status.text()


def test_cancelled_measuring_brings_no_numbers(
    qtbot: QtBot, window: MainWindow, pair: Pair, gate: threading.Event
) -> None:
    window.actions_by_name["compare"].trigger()
    report = window.agreement.reporting.window
    press(qtbot, report, "Cancel")
    gate.set()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert report.measures.rowCount() == 0
    assert report.status.text() == "Not measured. Press Refresh."
    qtbot.keyClick(report, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: report.measures.rowCount() > 0, timeout=10_000)


def test_a_failure_is_told_and_the_window_says_that_it_has_nothing(
    qtbot: QtBot, window: MainWindow, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> object:
        raise UserError("masks_differ_in_shape", reference=(1, 2, 3), mask=(3, 2, 1))

    monkeypatch.setattr(reporting_module, "measure_pair", fail)
    window.actions_by_name["compare"].trigger()
    report = window.agreement.reporting.window
    qtbot.waitUntil(lambda: report.status.text() == "Not measured. Press Refresh.", timeout=10_000)
    assert "1 x 2 x 3" in window.messages.text


def test_table_and_picture_go_to_the_clipboard_and_to_files(
    qtbot: QtBot, window: MainWindow, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = open_report(qtbot, window)
    press(qtbot, report, "Copy table")
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:2] == ["Region", "Dice"]
    assert lines[1].split("\t")[1] == text_of(report, "WT", "Dice")
    press(qtbot, report, "Copy picture")
    assert QApplication.clipboard().image().height() == 480
    names: list[str] = []

    def choose(parent: object, title: str, name: str, kind: str) -> tuple[str, str]:
        names.append(name)
        return str(tmp_path / Path(name).stem), kind

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    press(qtbot, report, "Save CSV...")
    press(qtbot, report, "Save picture...")
    assert report.status.text().startswith("Saved:")
    written = sorted(p.name for p in tmp_path.iterdir() if p.is_file())
    case = window.session.case.name
    assert written == [
        f"{case}_Anna_Boris_agreement.csv",
        f"{case}_Anna_Boris_agreement_lesions.csv",
        f"{case}_Anna_Boris_check.png",
    ]
    assert QImage(str(tmp_path / written[2])).height() == 480
    with (tmp_path / written[1]).open(newline="") as file:
        assert [row[1] for row in csv.reader(file) if row[:1] == ["WT"]] == ["matched", "missed", "false"]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "a.csv"), ""))
    press(qtbot, report, "Save CSV...")
    assert "was not saved" in report.status.text()
    assert window.messages.text != ""


def test_without_a_voxel_size_it_says_so(qtbot: QtBot, window: MainWindow, tiff_case: Path) -> None:
    open_case(qtbot, window, tiff_case)
    second = add_mask(window, "Anna", (slice(20, 40), slice(20, 40), slice(0, 3)), tissue=6)
    second.scheme = window.session.reference.scheme
    window.session.show(second)
    report = open_report(qtbot, window)
    assert text_of(report, "WT", "HD95, mm") == "\u2013"
    assert text_of(report, "WT", "Mask vox.") == "1,200"
    assert "no voxel size" in text_of(report, "WT", "State")
    assert "no voxel size" in report.rule.text()
    assert "no voxel size" in report.lesion_summary.text()
    assert report.lesions.rowCount() == 0
    assert window.compare._amounts[1].text().endswith("vox.")


def test_every_control_has_a_name_and_fits_a_small_screen(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    report = open_report(qtbot, window)
    assert nameless(report) == []
    assert unreachable(report) == []
    assert report.minimumSizeHint().width() <= 1200
    assert report.minimumSizeHint().height() <= 660
    assert not report.measures.horizontalScrollBar().isVisible()
