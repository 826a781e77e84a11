"""Going to labels, labelled slices and doubtful regions, and running through the slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableWidget, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.doubt_panel import DoubtPanel
from brainseg_desktop.gui.panels.parts import MessageBar
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.opening import default_scheme
from brainseg_desktop.services.session import Session

SHAPE = (60, 50, 40)


@dataclass
class Room:
    """What a window has, without the window."""

    desk: Desk
    navigator: Navigator

    @property
    def state(self) -> ViewState:
        return self.desk.state

    @property
    def session(self) -> Session:
        return self.desk.session

    @property
    def said(self) -> str:
        return self.desk.messages._label.text()

    def open(self, *, spacing_known: bool = True) -> Case:
        grid = Grid(SHAPE, np.eye(4), spacing_known)
        data = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.int16)
        source = Source(Path("case_flair.nii.gz"), "0" * 64)
        case = Case("case", grid, {Sequence.FLAIR: Volume(data, grid, source, Sequence.FLAIR)})
        self.session.open(case)
        self.state.set_case(case)
        return case

    def add(self, labels: np.ndarray, uncertainty: np.ndarray | None = None) -> Rating:
        """A network's mask, shown."""
        assert self.session.case is not None
        rating = Rating(
            "AI",
            RaterKind.MODEL,
            LabelMap(labels),
            default_scheme(self.session.case),
            uncertainty=uncertainty,
        )
        self.session.add(rating)
        self.session.show(rating)
        self.state.set_rating(rating)
        return rating


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[Room]:
    window = QWidget()
    qtbot.addWidget(window)
    messages = MessageBar()
    QVBoxLayout(window).addWidget(messages)
    bridge = Bridge(window)
    jobs = Jobs(bridge.post)
    desk = Desk(window, Session(tmp_path), ViewState(window), jobs, messages)
    yield Room(desk, Navigator(desk))
    desk.session.close()
    jobs.close()


def two_labels() -> np.ndarray:
    """Necrosis in slices 10-14, oedema in 12-20 with a smaller second piece in slice 30."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[20:30, 20:30, 12:21] = Tissue.OEDEMA
    labels[5:8, 5:8, 30] = Tissue.OEDEMA
    labels[40:45, 10:15, 10:15] = Tissue.NECROSIS
    return labels


def doubt() -> np.ndarray:
    """A large and a small place without and with a tumour."""
    uncertainty = np.zeros(SHAPE, np.uint8)
    uncertainty[20:30, 20:30, 12:21] = 250
    uncertainty[40:46, 10:16, 10:16] = 200
    return uncertainty


def test_go_to_the_middle_of_a_label(room: Room) -> None:
    room.open()
    room.add(two_labels())
    room.navigator.go_to_label(Tissue.NECROSIS)
    assert room.state.cursor == (42, 12, 12)
    room.navigator.go_to_label(Tissue.OEDEMA)
    x, y, z = room.state.cursor
    assert z == 16
    assert {x, y} <= {24, 25}
    room.navigator.go_to_label(Tissue.ENHANCING)
    assert room.state.cursor == (x, y, z)
    assert room.said == "This mask has no enhancing."


def test_labels_painted_just_now_count(room: Room) -> None:
    room.open()
    own = room.session.own_rating()
    with own.history.edit("Brush") as stroke:
        stroke.paint(Box((7, 8, 9), (8, 9, 10)), np.ones((1, 1, 1), bool), Tissue.CAVITY)
    room.navigator.go_to_label(Tissue.CAVITY)
    assert room.state.cursor == (7, 8, 9)
    room.session.undo()
    room.navigator.go_to_label(Tissue.CAVITY)
    assert room.said == "This mask has no resection cavity."


def test_next_and_previous_labelled_slice(room: Room) -> None:
    room.open()
    room.add(two_labels())
    state, go = room.state, room.navigator.next_labelled
    state.set_cursor((1, 2, 3))
    go(Plane.AXIAL, 1)
    assert state.cursor == (1, 2, 10)
    state.set_cursor((1, 2, 20))
    go(Plane.AXIAL, 1)
    assert state.cursor == (1, 2, 30)
    go(Plane.AXIAL, 1)
    assert state.cursor == (1, 2, 30)
    assert room.said == "There is no labelled axial slice further up."
    go(Plane.AXIAL, -1)
    assert state.cursor == (1, 2, 20)
    state.set_cursor((1, 49, 3))
    go(Plane.CORONAL, -1)
    assert state.cursor == (1, 29, 3)
    # A hidden label is passed over.
    state.set_cursor((1, 2, 3))
    state.set_hidden(Tissue.NECROSIS, True)
    go(Plane.AXIAL, 1)
    assert state.cursor == (1, 2, 12)
    state.set_hidden(Tissue.OEDEMA, True)
    go(Plane.AXIAL, 1)
    assert room.said == "This mask has no label that is shown."


def test_profiles_come_after_opening_and_follow_mask_and_brush(qtbot: QtBot, room: Room) -> None:
    navigator = room.navigator
    assert navigator.profiles is None
    with qtbot.waitSignal(navigator.profiles_changed):
        room.open()
    # Not counted while the case opens: the first picture comes first.
    assert navigator.profiles is None
    with qtbot.waitSignal(navigator.profiles_changed):
        pass
    assert navigator.profiles.totals[1:].sum() == 0
    own = room.session.own_rating()
    with qtbot.waitSignal(navigator.profiles_changed), own.history.edit("Brush") as stroke:
        stroke.paint(Box((1, 1, 1), (4, 4, 2)), np.ones((3, 3, 1), bool), Tissue.OEDEMA)
        stroke.paint(Box((1, 1, 8), (4, 4, 9)), np.ones((3, 3, 1), bool), Tissue.OEDEMA)
    assert np.flatnonzero(navigator.profiles.counts(2)[:, Tissue.OEDEMA]).tolist() == [1, 8]
    rating = room.add(two_labels())
    np.testing.assert_array_equal(
        navigator.profiles.totals, np.bincount(rating.label_map.array.ravel(), minlength=7)
    )
    room.session.close()
    assert navigator.profiles is None


def test_doubtful_regions_in_the_order_of_rank(qtbot: QtBot, room: Room) -> None:
    navigator, state = room.navigator, room.state
    navigator.next_doubtful()
    assert room.said == "Open a case first."
    room.open()
    navigator.next_doubtful()
    assert room.said.startswith("No network has outlined")
    room.add(two_labels(), doubt())
    assert navigator.is_looking
    qtbot.waitUntil(lambda: not navigator.is_looking)
    assert len(navigator.regions) == 2
    chosen: list[int] = []
    navigator.region_chosen.connect(chosen.append)
    places = []
    for _ in range(3):
        navigator.next_doubtful()
        places.append(state.cursor)
    assert places == [r.centre for r in (*navigator.regions, navigator.regions[0])]
    assert 20 <= places[0][0] < 30
    assert 40 <= places[1][0] < 46
    navigator.next_doubtful(-1)
    assert state.cursor == places[1]
    assert chosen == [0, 1, 0, 1]
    assert navigator.doubt(Plane.AXIAL)[13] == pytest.approx((100 * 250 + 36 * 200) / 255)


def test_results_of_a_case_that_is_gone_are_dropped(qtbot: QtBot, room: Room) -> None:
    room.open()
    room.add(two_labels(), doubt())
    room.open()
    qtbot.waitUntil(lambda: room.desk.jobs.is_idle)
    assert room.navigator.regions == ()
    assert room.navigator.doubt(Plane.AXIAL) is None
    assert not room.navigator.has_uncertainty


def test_a_sure_network_is_said_to_be_sure(qtbot: QtBot, room: Room) -> None:
    room.open()
    room.add(two_labels(), np.zeros(SHAPE, np.uint8))
    room.navigator.next_doubtful()
    assert "are being looked for" in room.said
    qtbot.waitUntil(lambda: not room.navigator.is_looking)
    room.navigator.next_doubtful()
    assert room.said == "The network has no doubtful region of 0.05 mL or more in this case."


def test_a_failure_is_told_and_does_not_look_for_ever(
    qtbot: QtBot, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(Desk, "complain", lambda self, error: told.append(error))
    room.open()
    room.add(two_labels(), np.zeros((2, 2, 2), np.uint8))
    qtbot.waitUntil(lambda: bool(told))
    assert isinstance(told[0], ValueError)
    assert not room.navigator.is_looking


def test_cine_runs_to_the_end_and_back(qtbot: QtBot, room: Room) -> None:
    room.open()
    state, navigator = room.state, room.navigator
    running: list[bool] = []
    navigator.cine_changed.connect(running.append)
    state.set_cursor((3, 4, 37))
    seen: list[int] = []
    state.cursor_changed.connect(lambda: seen.append(state.cursor[2]))
    navigator.cine(Plane.AXIAL, 60)
    qtbot.waitUntil(lambda: len(seen) >= 5)
    assert seen[:5] == [38, 39, 38, 37, 36]
    assert navigator.cine_plane is Plane.AXIAL
    navigator.cine(Plane.AXIAL)
    assert running == [True, False]
    assert state.cursor[:2] == (3, 4)


@pytest.mark.parametrize("act", ["navigate", "paint", "case"])
def test_cine_stops_for_the_reader(qtbot: QtBot, room: Room, act: str) -> None:
    room.open()
    navigator = room.navigator
    navigator.cine(Plane.CORONAL, 60)
    with qtbot.waitSignal(room.state.cursor_changed):
        pass
    assert navigator.cine_plane is Plane.CORONAL
    if act == "navigate":
        room.state.step(Plane.AXIAL, 1)
    elif act == "paint":
        with room.session.own_rating().history.edit("Brush") as stroke:
            stroke.paint(Box((1, 1, 1), (2, 2, 2)), np.ones((1, 1, 1), bool), Tissue.OEDEMA)
    else:
        room.open()
    assert navigator.cine_plane is None


def test_cine_without_a_case_says_so(room: Room) -> None:
    room.navigator.cine(Plane.AXIAL)
    assert room.navigator.cine_plane is None
    assert room.said == "Open a case first."


def shown_panel(qtbot: QtBot, room: Room) -> tuple[DoubtPanel, QTableWidget]:
    panel = DoubtPanel(room.navigator, room.state)
    qtbot.addWidget(panel)
    table = panel.findChild(QTableWidget)
    assert table is not None
    return panel, table


def test_panel_lists_regions_and_goes_there(qtbot: QtBot, room: Room) -> None:
    panel, table = shown_panel(qtbot, room)
    assert panel.isHidden()
    room.open()
    assert panel.isHidden()
    room.add(two_labels(), doubt())
    assert not panel.isHidden()
    qtbot.waitUntil(lambda: table.rowCount() == 2)
    regions = room.navigator.regions
    for row, region in enumerate(regions):
        texts = [table.item(row, c).text() for c in range(4)]
        assert texts == [
            f"{row + 1}",
            f"{region.centre[2] + 1}",
            f"{region.volume_ml:.2f}",
            f"{region.mean_bits:.2f}",
        ]
    assert "oedema" in table.item(0, 0).toolTip()
    panel.resize(260, 300)
    qtbot.waitExposed(panel)
    room.state.set_cursor((0, 0, 0))
    where = table.visualItemRect(table.item(1, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert room.state.cursor == regions[1].centre
    # The same row again, after looking elsewhere.
    room.state.set_cursor((0, 0, 0))
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert room.state.cursor == regions[1].centre
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert room.state.cursor == regions[0].centre
    room.navigator.next_doubtful()
    assert table.currentRow() == 1
    assert room.state.cursor == regions[1].centre
    room.session.close()
    assert panel.isHidden()


def test_panel_counts_voxels_where_spacing_is_unknown(qtbot: QtBot, room: Room) -> None:
    _, table = shown_panel(qtbot, room)
    room.open(spacing_known=False)
    room.add(two_labels(), doubt())
    qtbot.waitUntil(lambda: table.rowCount() == 2)
    assert table.horizontalHeaderItem(2).text() == "Voxels"
    assert table.item(0, 2).text() == f"{room.navigator.regions[0].voxels}"
    assert "mL" not in table.item(0, 0).toolTip()


def test_panel_says_when_there_is_nothing(qtbot: QtBot, room: Room) -> None:
    panel, table = shown_panel(qtbot, room)
    room.open()
    room.add(two_labels(), np.zeros(SHAPE, np.uint8))
    assert "Looking" in panel._said.text()
    qtbot.waitUntil(lambda: not room.navigator.is_looking)
    assert table.isHidden()
    assert "no doubtful region" in panel._said.text()
