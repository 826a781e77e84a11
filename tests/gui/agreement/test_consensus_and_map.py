"""Consensus of masks as a new mask, and the map of how many readers marked each voxel."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialogButtonBox, QListWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.consensus import majority_vote, staple_labels
from brainseg_desktop.core.labels import TC, Tissue
from brainseg_desktop.gui.agreement import consensus_making
from brainseg_desktop.gui.agreement.consensus_making import ConsensusDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.overlay import vote_colours
from brainseg_desktop.gui.views.view_state import Mode, OverlayKind
from tests.gui.agreement.conftest import BOTH, MISSED, add_mask, paint
from tests.gui.conftest import pixel_of

Pair = tuple[Rating, Rating]


def ask(window: MainWindow, name: str) -> ConsensusDialog:
    window.actions_by_name[name].trigger()
    dialog = window.agreement.consensus.dialog
    assert dialog is not None
    return dialog


def ticked(dialog: ConsensusDialog) -> list[str]:
    return [r.rater for r in dialog.chosen]


def tick(qtbot: QtBot, rows: QListWidget, name: str) -> None:
    """Turn a tick over by the keys."""
    row = next(r for r in range(rows.count()) if rows.item(r).toolTip() == name)
    rows.setCurrentRow(row)
    qtbot.keyClick(rows, Qt.Key.Key_Space)


def made_by(qtbot: QtBot, window: MainWindow, dialog: ConsensusDialog) -> Rating:
    count = len(window.session.case.ratings)
    qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.session.case.ratings) > count, timeout=10_000)
    return window.session.case.ratings[-1]


def test_staple_of_the_readers_is_that_of_the_core(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    add_mask(window, "Net", BOTH, kind=RaterKind.MODEL)
    third = add_mask(window, "Clara", BOTH, MISSED)
    dialog = ask(window, "staple")
    # People are ticked who marked anything, but neither network nor reference.
    assert {"Anna", "Boris", "Clara"} <= set(ticked(dialog))
    assert not {"Net", "Reference", window.session.reader} & set(ticked(dialog))
    if "Reader 2" in ticked(dialog):
        tick(qtbot, dialog.list, "Reader 2")
    assert "3 masks" in dialog._count.text()
    rating = made_by(qtbot, window, dialog)
    masks = [np.asarray(r.label_map.array) for r in (*pair, third)]
    expected = staple_labels(masks, rating.scheme.tissues).labels
    np.testing.assert_array_equal(rating.label_map.array, expected)
    assert rating.kind is RaterKind.CONSENSUS
    assert rating.rater == "STAPLE (Anna, Boris, Clara)"
    assert rating.details["regions"]["WT"]["readers"]["Clara"]["sensitivity"]["value"] > 0.5
    assert rating.rater in window.messages.text
    # It can be compared and shown, and is read only.
    assert window.compare._reference.findText(rating.rater) >= 0
    window.session.show(rating)
    assert window.session.editable() is None


def test_majority_of_ticked_masks(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    dialog = ask(window, "majority")
    for name in ticked(dialog):
        tick(qtbot, dialog.list, name)
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    tick(qtbot, dialog.list, "Anna")
    assert not ok.isEnabled()
    tick(qtbot, dialog.list, "Boris")
    assert "Two masks" in dialog._count.text()
    tick(qtbot, dialog.list, "Reference")
    rating = made_by(qtbot, window, dialog)
    reference = window.session.case.rating("Reference")
    masks = [np.asarray(r.label_map.array) for r in (reference, *pair)]
    np.testing.assert_array_equal(rating.label_map.array, majority_vote(masks))


def test_asked_twice_there_is_one_question_and_a_closed_case_takes_it_back(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    first = ask(window, "majority")
    second = ask(window, "staple")
    assert window.agreement.consensus.dialog is second
    assert first is not second
    window.close_case()
    assert window.agreement.consensus.dialog is None


def test_a_case_closed_while_fusing_gets_no_mask(
    qtbot: QtBot, window: MainWindow, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    fuse = consensus_making.fuse

    def wait(fusion: object) -> object:
        assert gate.wait(20)
        return fuse(fusion)

    monkeypatch.setattr(consensus_making, "fuse", wait)
    case = window.session.case
    count = len(case.ratings)
    ask(window, "staple").accept()
    window.close_case()
    gate.set()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert len(case.ratings) == count


def test_masks_that_cannot_be_fused_are_refused_in_words(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    add_mask(window, "Dora", BOTH, tissue=Tissue.CAVITY)
    dialog = ask(window, "majority")
    assert "Dora" in ticked(dialog)
    dialog.accept()
    assert "label scheme" in window.messages.text


# The map ------------------------------------------------------------------------------------------------


def colour_at(window: MainWindow, voxel: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour on the screen over a voxel, away from the crosshair."""
    view = window.viewer.views[0]
    window.state.set_cursor((0, 0, voxel[2]))
    colour = view.grab().toImage().pixelColor(pixel_of(view, voxel))
    return colour.red(), colour.green(), colour.blue()


def test_the_map_tells_by_colour_how_many_marked_a_voxel(
    qtbot: QtBot, window: MainWindow, pair: Pair
) -> None:
    window.session._drop(window.session.case.rating("Reader 2"))
    add_mask(window, "Clara", BOTH, MISSED)
    state = window.state
    state.set_opacity(1.0)
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    assert state.overlay is OverlayKind.AGREEMENT_MAP
    assert [r.rater for r in state.readers] == ["Anna", "Boris", "Clara"]
    colours = vote_colours(3)
    for voxel, votes in (((68, 68, 36), 3), ((95, 65, 52), 2), ((64, 94, 62), 1)):
        assert colour_at(window, voxel) == colours[votes]
    assert colour_at(window, (110, 100, 36)) not in colours.values()
    # The legend at the lower right has the same colours.
    view = window.viewer.views[0]
    image = view.grab().toImage()
    seen = {image.pixelColor(view.width() - 14, y).name() for y in range(view.height())}
    for r, g, b in colours.values():
        assert f"#{r:02x}{g:02x}{b:02x}" in seen
    # Of another region nobody marked anything.
    state.set_region(TC)
    assert colour_at(window, (68, 68, 36)) not in colours.values()


def test_the_map_follows_strokes(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    window.session._drop(window.session.case.rating("Reader 2"))
    own = window.session.own_rating()
    window.session.show(own)
    window.session.compare_with(pair[0])
    window.actions_by_name["agreement_map"].trigger()
    window.state.set_opacity(1.0)
    # A blank mask of the reader does not vote; with the first stroke it does.
    assert own not in window.state.readers
    voxel = (68, 68, 36)
    paint(qtbot, window, voxel)
    qtbot.waitUntil(lambda: own in window.state.readers)
    # Beside the outline of the brush.
    qtbot.mouseMove(window.viewer.views[1])
    window.state.set_mode(Mode.CROSSHAIR)
    assert colour_at(window, voxel) == vote_colours(3)[3]
    assert colour_at(window, (95, 65, 52)) == vote_colours(3)[1]
    qtbot.keyClick(window.viewer.views[0], Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert colour_at(window, voxel) in (vote_colours(3)[2], vote_colours(2)[2])


def test_the_map_goes_when_there_is_one_mask_left(qtbot: QtBot, window: MainWindow, pair: Pair) -> None:
    window.actions_by_name["agreement_map"].trigger()
    assert window.state.shows_agreement_map
    session = window.session
    for rating in [r for r in session.case.ratings if r is not pair[1] and not session.is_own(r)]:
        session._drop(rating)
    session.compare_with(None)
    assert window.state.overlay is OverlayKind.MASK
    assert not window.actions_by_name["agreement_map"].isChecked()


@pytest.mark.parametrize("readers", [1, 2, 5, 12, 63])
def test_more_votes_are_brighter(readers: int) -> None:
    colours = vote_colours(readers)
    assert list(colours) == list(range(1, readers + 1))
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in colours.values()]
    assert light == sorted(light)
    assert len(set(colours.values())) == readers
