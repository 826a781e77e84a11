"""Both sides of the comparison, what is live, and switching it all off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.labels import WT
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.tasks.current_reading import CurrentReading
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import OverlayKind
from brainseg_desktop.services.compare import AGREED, EXTRA, MISSED
from tests.gui.agreement import conftest as made
from tests.gui.agreement.conftest import add_mask, click_cell, inside, open_report, paint, row_named
from tests.gui.conftest import open_case

Pair = tuple[Rating, Rating]


def choose(qtbot: QtBot, box: QComboBox, text: str) -> None:
    """Choose an entry of the opened list."""
    row = box.findText(text)
    assert row >= 0, [box.itemText(i) for i in range(box.count())]
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: box.view().isVisible())
    box.view().setCurrentIndex(box.model().index(row, 0))
    qtbot.keyClick(box.view(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not box.view().isVisible())


def wt(rating: Rating) -> np.ndarray:
    return WT.mask(np.asarray(rating.label_map.array))


def amounts(window: MainWindow) -> list[str]:
    return [window.compare._amounts[code].text().split("\n")[1] for code in (AGREED, MISSED, EXTRA)]


def test_any_two_masks_are_compared_whichever_is_shown(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    third = add_mask(window, "Clara", made.BOTH)
    session, panel = window.session, window.compare
    choose(qtbot, panel._mask, "Clara")
    assert (session.shown, session.measured, session.reference) == (pair[1], third, pair[0])
    table = panel._table
    dice = confusion(wt(pair[0]), wt(third)).dice.value
    assert table.item(row_named(table, "Dice"), 0).text() == f"{dice:.3f}"
    # The difference overlay is of the pair, not of the mask shown.
    window.state.set_overlay(OverlayKind.DIFFERENCE)
    codes = window.state.mask_picture(Plane.AXIAL, 62).labels
    assert not codes.any()
    choose(qtbot, panel._mask, "Shown: Boris")
    assert session.measured is pair[1]
    codes = window.state.mask_picture(Plane.AXIAL, 62).labels
    assert set(np.unique(codes)) == {0, EXTRA}


def test_swap_keeps_the_mask_shown(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    session = window.session
    before = confusion(wt(pair[0]), wt(pair[1]))
    qtbot.mouseClick(window.compare._swap, Qt.MouseButton.LeftButton)
    assert (session.shown, session.measured, session.reference) == (pair[1], pair[0], pair[1])
    table = window.compare._table
    assert table.item(row_named(table, "Precision"), 0).text() == f"{before.sensitivity.value:.3f}"
    window.actions_by_name["swap_pair"].trigger()
    # Back again: the mask side follows the mask shown as before.
    assert (session.compared, session.measured, session.reference) == (None, pair[1], pair[0])


def test_a_mask_is_never_offered_as_its_own_reference(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    session, panel = window.session, window.compare
    choose(qtbot, panel._mask, "Boris")
    assert session.compared is pair[1]
    assert panel._reference.findText("Boris") < 0
    assert panel._mask.findText("Anna") < 0
    choose(qtbot, panel._reference, "Reference")
    assert session.reference.rater == "Reference"
    assert panel._mask.findText("Anna") > 0
    choose(qtbot, panel._reference, "Nothing")
    assert session.reference is None
    assert "Choose a mask" in panel._pair.text()
    assert not panel._swap.isEnabled()
    # To measure the mask shown against the other where it is the reference means to swap.
    session.compare_pair(pair[1], pair[0])
    choose(qtbot, panel._mask, "Shown: Boris")
    assert (session.compared, session.measured, session.reference) == (None, pair[1], pair[0])


def test_numbers_follow_strokes_on_the_reference_side_too(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    own = window.session.start_from(pair[0])
    window.session.compare_pair(own, pair[1])
    paint(qtbot, window, (64, 94, 62))
    table = window.compare._table
    full = confusion(wt(own), wt(pair[1]))
    assert full.tp > confusion(wt(pair[0]), wt(pair[1])).tp
    qtbot.waitUntil(lambda: table.item(row_named(table, "IoU"), 0).text() == f"{full.iou.value:.3f}")
    # The volumes beside the labels are those of the mask shown.
    voxels = np.count_nonzero(own.label_map.array) * window.session.case.grid.voxel_volume_ml
    volumes = [window.labels._table.item(r, 2).text() for r in range(window.labels._table.rowCount())]
    assert f"{voxels:,.1f}" in volumes


def test_the_difference_is_told_in_ml_and_follows_strokes(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    factor = window.session.case.grid.voxel_volume_ml

    def told(first: np.ndarray, second: np.ndarray) -> list[str]:
        parts = (first & second, first & ~second, ~first & second)
        return [f"{part.sum() * factor:,.2f} mL" for part in parts]

    assert amounts(window) == told(wt(pair[0]), wt(pair[1]))
    own = window.session.start_from(pair[1])
    window.session.compare_with(pair[0])
    paint(qtbot, window, (95, 65, 52))
    now = told(wt(pair[0]), wt(own))
    assert now != told(wt(pair[0]), wt(pair[1]))
    qtbot.waitUntil(lambda: amounts(window) == now)
    # Of the region that is chosen: nothing of it is enhancing.
    window.compare._region.setCurrentText("ET")
    assert amounts(window) == ["0.00 mL"] * 3


def test_a_number_in_the_panel_leads_to_where_the_two_differ_most(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    window.state.set_cursor((1, 2, 3))
    table = window.compare._table
    click_cell(qtbot, table, 0, 0)
    assert inside(window.state.cursor, made.MISSED)
    click_cell(qtbot, table, 0, 2)
    assert "do not differ in ET" in window.messages.text


# Switching off ------------------------------------------------------------------------------------------

NAMES = ("compare", "swap_pair", "both_masks", "difference", "agreement_map", "majority", "staple")
WHY = "Comparing comes after the reading is locked."


@pytest.fixture
def blinded(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says that the reading is blinded, or no more; the window asks again whenever masks change."""

    def say(on: bool) -> None:
        monkeypatch.setattr(CurrentReading, "is_blinded", property(lambda _: on))

    say(True)
    return say


def test_switched_off_there_is_no_number_no_action_and_no_window(
    qtbot: QtBot, window: MainWindow, pair: Pair, blinded: Callable[[bool], None]
) -> None:
    blinded(False)
    report = open_report(qtbot, window)
    window.state.set_overlay(OverlayKind.DIFFERENCE)
    window.agreement.ask_consensus("staple")
    blinded(True)
    window.agreement.set_available(False, WHY)
    assert not report.isVisible()
    assert report.report is None
    assert window.agreement.consensus.dialog is None
    panel = window.compare
    assert panel._pair.text() == WHY
    shown = [w.text() for w in panel.findChildren(QLabel) if w.isVisibleTo(panel)]
    assert not any(character.isdigit() for text in shown for character in text)
    for box in (panel._reference, panel._mask):
        assert not box.isEnabled()
        assert box.findText("Anna") < 0
    assert not any(window.actions_by_name[name].isEnabled() for name in NAMES)
    assert window.state.overlay is OverlayKind.MASK
    assert window.state.reference is None
    # Neither the key, nor the list of overlays, nor the functions behind them get past it.
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    window.agreement.show_report()
    window.agreement.swap()
    window.agreement.ask_consensus("majority")
    assert not report.isVisible()
    assert window.agreement.consensus.dialog is None
    for kind in (OverlayKind.BOTH_MASKS, OverlayKind.DIFFERENCE, OverlayKind.AGREEMENT_MAP):
        window.state.set_overlay(kind)
        assert window.state.overlay is OverlayKind.MASK
    window.session.compare_with(pair[0])
    assert window.session.reference is None
    blinded(False)
    window.agreement.set_available(True)
    assert all(window.actions_by_name[name].isEnabled() for name in NAMES)
    window.session.compare_with(pair[0])
    assert amounts(window)[0].endswith("mL")


def test_switched_off_while_measuring_or_fusing_nothing_arrives(
    qtbot: QtBot, window: MainWindow, pair: Pair, blinded: Callable[[bool], None]
) -> None:
    window.actions_by_name["compare"].trigger()
    window.agreement.ask_consensus("majority")
    window.agreement.consensus.dialog.accept()
    count = len(window.session.case.ratings)
    window.agreement.set_available(False, WHY)
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert window.agreement.reporting.window.report is None
    assert len(window.session.case.ratings) == count


@pytest.mark.usefixtures("blinded")
def test_it_stays_off_for_the_next_case(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    window.agreement.set_available(False, WHY)
    open_case(qtbot, window, sample)
    assert window.session.reference is None
    assert window.compare._pair.text() == WHY
    assert not any(window.actions_by_name[name].isEnabled() for name in NAMES)


@pytest.mark.parametrize("masks", [1, 2])
def test_actions_need_masks_enough(qtbot: QtBot, window: MainWindow, tiff_case: Path, masks: int) -> None:
    open_case(qtbot, window, tiff_case)
    session = window.session
    if masks == 1:
        session._drop(session.reference)
        session.reference = None
        session.ratings_changed.emit(None)
        assert "no other mask" in window.compare._pair.text()
    for name in ("swap_pair", "agreement_map", "majority", "staple"):
        assert window.actions_by_name[name].isEnabled() is (masks > 1)
