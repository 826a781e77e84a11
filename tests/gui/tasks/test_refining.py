"""Thresholds, the network's answer again, and doubtful regions: each one step, handwork untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.regrowth import regrow
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.parts import MessageBar
from brainseg_desktop.gui.tasks.refining import Refining, answer_of
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.opening import default_scheme
from brainseg_desktop.services.session import Session

SHAPE = (30, 28, 20)
THREE = ("WT", "TC", "ET")


class Network(QObject):
    """Stands for `Segmenting`: tells that it runs, and adds a mask when it has ended."""

    running = Signal(bool)

    def __init__(self, room: Room) -> None:
        super().__init__(room.desk.window)
        self.room, self.calls = room, 0

    def start(self) -> None:
        self.calls += 1
        self.running.emit(True)

    def end(self, *, found: bool = True) -> None:
        self.running.emit(False)
        if found:
            self.room.session.add(self.room.ai())


@dataclass(slots=True, eq=False)
class Room:
    """What a window has, without the window."""

    desk: Desk
    editing: Editing
    network: Network | None = None
    refining: Refining | None = None

    @property
    def session(self) -> Session:
        return self.desk.session

    @property
    def state(self) -> ViewState:
        return self.desk.state

    @property
    def own(self) -> Rating:
        return self.session.own_rating()

    @property
    def said(self) -> str:
        return self.desk.messages.text

    def open(self, *, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), known: bool = True) -> Case:
        grid = Grid(SHAPE, np.diag([*spacing, 1.0]), known)
        data = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.int16)
        source = Source(Path("case_flair.nii.gz"), "0" * 64)
        case = Case("case", grid, {Sequence.FLAIR: Volume(data, grid, source, Sequence.FLAIR)})
        self.session.open(case)
        self.state.set_case(case)
        self.state.set_rating(self.session.shown)
        return case

    def ai(self, regions: tuple[str, ...] = THREE) -> Rating:
        """Balls within each other, with a probability that falls from the middle."""
        assert self.session.case is not None
        places = np.indices(SHAPE).T - np.array([15, 14, 10])
        distance = np.sqrt((places**2).sum(axis=-1)).T
        p = np.stack([np.clip(255 * (1.1 - distance / r), 0, 255) for r in (12, 8, 5)][: len(regions)])
        p = np.rint(p).astype(np.uint8)
        labels = regrow(p, regions, {})
        scheme, details = default_scheme(self.session.case), {"regions": list(regions)}
        uncertainty = np.full(SHAPE, 200, np.uint8)
        return Rating("AI", RaterKind.MODEL, LabelMap(labels), scheme, None, p, details, uncertainty)

    def begin(self, regions: tuple[str, ...] = THREE) -> Rating:
        """A case whose mask was begun from the network's."""
        self.open()
        ai = self.ai(regions)
        self.session.add(ai)
        self.session.start_from(ai)
        self.state.set_rating(self.session.shown)
        return ai


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[Room]:
    window = QWidget()
    qtbot.addWidget(window)
    messages = MessageBar()
    QVBoxLayout(window).addWidget(messages)
    jobs = Jobs(Bridge(window).post)
    desk = Desk(window, Session(tmp_path), ViewState(window), jobs, messages)
    room = Room(desk, Editing(desk.state, desk.session.editable, desk.say))
    room.network = Network(room)
    room.refining = Refining(desk, room.editing, room.network)  # type: ignore[arg-type]
    yield room
    desk.session.close()
    jobs.close()


def test_a_threshold_is_one_step_and_comes_back(room: Room) -> None:
    refining, ai = room.refining, room.begin()
    before = room.own.label_map.array.copy()
    assert refining.thresholds == {"WT": 0.5, "TC": 0.5, "ET": 0.5}
    assert refining.begin_threshold()
    for value in (0.6, 0.9, 0.2, 0.35):
        refining.move_threshold("WT", value)
        expected = regrow(ai.probabilities, THREE, {"WT": value})
        assert np.array_equal(room.own.label_map.array, expected)
    refining.end_threshold("WT")
    assert room.own.history.undo_names[0] == "Threshold WT 35 %"
    assert refining.thresholds["WT"] == 0.35
    room.session.undo()
    assert np.array_equal(room.own.label_map.array, before)
    assert refining.thresholds["WT"] == 0.5
    room.session.redo()
    assert refining.thresholds["WT"] == 0.35


def test_handwork_stays_and_the_networks_own_comes_back(room: Room) -> None:
    refining, ai = room.refining, room.begin()
    box = Box((14, 13, 9), (17, 16, 12))
    with room.own.history.edit("Erase, all labels") as stroke:
        stroke.paint(box, np.ones(box.shape, bool), 0)
    refining.set_threshold("TC", 0.8)
    refining.set_threshold("WT", 0.2)
    expected = regrow(ai.probabilities, THREE, {"WT": 0.2, "TC": 0.8})
    expected[box.slices] = 0
    assert np.array_equal(room.own.label_map.array, expected)
    refining.reset_thresholds()
    expected = ai.label_map.array.copy()
    expected[box.slices] = 0
    assert np.array_equal(room.own.label_map.array, expected)
    assert refining.thresholds == {"WT": 0.5, "TC": 0.5, "ET": 0.5}
    assert room.own.history.undo_names[0] == "Thresholds of the network"


def test_given_up_it_makes_no_step(room: Room) -> None:
    refining = room.refining
    room.begin()
    before, names = room.own.label_map.array.copy(), room.own.history.undo_names
    refining.begin_threshold()
    refining.move_threshold("ET", 0.1)
    refining.cancel_threshold()
    assert np.array_equal(room.own.label_map.array, before)
    refining.begin_threshold()
    refining.move_threshold("ET", 0.1)
    refining.move_threshold("ET", 0.5)
    refining.end_threshold("ET")
    assert room.own.history.undo_names == names
    assert not room.editing.is_open


def test_rules_hold_and_the_way_does_not_matter(room: Room) -> None:
    refining, ai = room.refining, room.begin()
    room.state.set_tissue(Tissue.NECROSIS)
    rules = replace(room.state.constraints, only_inside=Tissue.OEDEMA, locked=frozenset({Tissue.ENHANCING}))
    room.state.set_constraints(rules)
    before = room.own.label_map.array.copy()
    refining.begin_threshold()
    for value in (0.9, 0.1, 0.99, 0.3):
        refining.move_threshold("TC", value)
    refining.end_threshold("TC")
    after = room.own.label_map.array
    wanted = regrow(ai.probabilities, THREE, {"TC": 0.3})
    may = (before == Tissue.OEDEMA) & (wanted != Tissue.ENHANCING)
    assert np.array_equal(after, np.where(may, wanted, before))
    assert (after != before).any()


def test_one_region(room: Room) -> None:
    room.begin(("WT",))
    assert room.refining.thresholds == {"WT": 0.5}
    room.refining.set_threshold("WT", 0.2)
    assert (room.own.label_map.array == Tissue.TUMOUR).sum() > 0


def test_why_not(room: Room) -> None:
    refining = room.refining
    assert "Open a case" in refining.why_not
    room.open()
    assert "No network" in refining.why_not
    ai = room.ai()
    room.session.add(ai)
    assert "Start from this mask" in refining.why_not
    assert not refining.begin_threshold()
    room.session.show(ai)
    assert "read only" in refining.why_not
    room.session.start_from(ai)
    assert not refining.why_not


def test_the_card_s_thresholds_and_clean_up_are_the_start(room: Room) -> None:
    ai = room.begin()
    made = {"thresholds": {"TC": 0.7}, "speck_share": 0.15, "speck_voxels": None, "fill_holes": True}
    ai.details = {**ai.details, "postprocess": made}
    answer = answer_of(ai)
    assert answer is not None
    assert answer.own == {"WT": 0.5, "TC": 0.7, "ET": 0.5}
    assert answer.cleaning.speck_voxels == float("inf")
    assert answer.cleaning.fill_holes
    assert answer_of(room.own) is None


def test_the_networks_answer_again_in_a_box(room: Room) -> None:
    refining, ai = room.refining, room.begin()
    refining.set_threshold("WT", 0.2)
    box = Box((2, 2, 2), (26, 26, 18))
    with room.own.history.edit("Brush") as stroke:
        stroke.paint(box, np.ones(box.shape, bool), Tissue.NECROSIS)
    room.state.set_cursor((15, 14, 10))
    here = refining.box_here(8)
    assert here == Box((11, 10, 6), (20, 19, 15))
    before = room.own.label_map.array.copy()
    refining.rerun_box(here)
    expected = before.copy()
    expected[here.slices] = regrow(ai.probabilities, THREE, {"WT": 0.2})[here.slices]
    assert np.array_equal(room.own.label_map.array, expected)
    assert room.own.history.undo_names[0] == "AI again in box"
    refining.rerun_box(here)
    assert "already" in room.said
    # What was taken from the network again follows the thresholds again.
    refining.set_threshold("ET", 0.1)
    now = regrow(ai.probabilities, THREE, {"WT": 0.2, "ET": 0.1})
    assert np.array_equal(room.own.label_map.array[here.slices], now[here.slices])


def test_labels_that_the_file_could_not_hold_are_refused(room: Room) -> None:
    room.begin()
    room.own.scheme = LabelScheme("x", "x", (Label(1, Tissue.OEDEMA),))
    box = Box((2, 2, 2), (26, 26, 18))
    with room.own.history.edit("Brush") as stroke:
        stroke.paint(box, np.ones(box.shape, bool), Tissue.OEDEMA)
    before = room.own.label_map.array.copy()
    room.refining.rerun_box(box)
    assert room.said
    assert np.array_equal(room.own.label_map.array, before)


def test_the_box_is_in_millimetres_and_inside_the_grid(room: Room) -> None:
    room.open(spacing=(1.0, 2.0, 4.0))
    room.state.set_cursor((0, 14, 19))
    assert room.refining.box_here(16.0) == Box((0, 10, 17), (9, 19, 20))


@pytest.mark.parametrize("found", [True, False])
def test_without_a_network_s_mask_it_is_run_first(room: Room, qtbot: QtBot, found: bool) -> None:
    room.open()
    network = room.network
    with room.own.history.edit("Brush") as stroke:
        stroke.paint(Box((1, 1, 1), (3, 3, 3)), np.ones((2, 2, 2), bool), Tissue.OEDEMA)
    box = Box((12, 11, 7), (18, 17, 13))
    room.refining.rerun_box(box)
    assert network.calls == 1
    network.end(found=found)
    if found:
        qtbot.waitUntil(lambda: "AI again in box" in room.own.history.undo_names)
        assert np.array_equal(room.own.label_map.array[box.slices], room.ai().label_map.array[box.slices])
    else:
        qtbot.wait(30)
        assert room.own.history.undo_names == ("Brush",)
    assert (room.own.label_map.array > 0).sum() == 8 + (box_count(room, box) if found else 0)


def box_count(room: Room, box: Box) -> int:
    return int((room.ai().label_map.array[box.slices] > 0).sum())


def test_another_case_drops_the_box_that_waits(room: Room, qtbot: QtBot) -> None:
    room.open()
    room.refining.rerun_box(Box((12, 11, 7), (18, 17, 13)))
    room.open()
    room.network.end()
    qtbot.wait(30)
    assert not room.own.history.undo_names


def test_opinion(room: Room) -> None:
    ai = room.begin()
    box = Box((10, 10, 8), (12, 13, 9))
    found = room.refining.opinion(box, Tissue.ENHANCING)
    assert found is not None
    assert found == pytest.approx(ai.probabilities[2][box.slices] / 255)
    assert room.refining.opinion(box, Tissue.CAVITY) is None
