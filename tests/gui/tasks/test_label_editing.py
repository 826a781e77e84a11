"""Whole-label tools as the reader meets them: steps by name, rules, and results that come too late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core import label_tools
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.constraints import Constraints, IntensityRange
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.tasks.label_editing import LabelEditing
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.session import Session

NECROSIS, OEDEMA, ENHANCING = Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING
SCHEME = LabelScheme(
    "brats2021",
    "BraTS 2021",
    (Label(1, NECROSIS), Label(2, OEDEMA), Label(4, ENHANCING)),
)
SHAPE = (30, 28, 26)
MIDDLE = (14, 13, 12)


def make_labels() -> np.ndarray:
    """A cube of oedema with one of enhancing tumour in it, and an island of oedema of one voxel."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[8:20, 8:20, 6:18] = OEDEMA
    labels[12:17, 12:16, 10:15] = ENHANCING
    labels[26, 24, 3] = OEDEMA
    return labels


def make_case(*, known: bool = True, labels: np.ndarray | None = None) -> Case:
    """The reader's mask, and an AI's that has another lesion and lacks the island."""
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]), known)
    image = np.random.default_rng(2).normal(100, 20, SHAPE).astype(np.float32)
    volume = Volume(image, grid, Source(Path("flair.nii.gz"), "1"), Sequence.FLAIR)
    own = make_labels() if labels is None else labels
    ai = make_labels()
    ai[26, 24, 3] = 0
    ai[8:10] = 0
    ai[2:4, 2:4, 20:24] = ENHANCING
    ratings = [
        Rating("Reader", RaterKind.HUMAN, LabelMap(own), SCHEME),
        Rating("AI", RaterKind.MODEL, LabelMap(ai), SCHEME),
    ]
    return Case("case", grid, {Sequence.FLAIR: volume}, ratings)


class Room:
    """Session, state and whole-label tools with real background work, and what was said."""

    def __init__(self, qtbot: QtBot, folder: Path, case: Case) -> None:
        self.qtbot = qtbot
        self.state = ViewState()
        self.bridge = Bridge()
        self.jobs = Jobs(self.bridge.post)
        self.session = Session(folder)
        self.said: list[str] = []
        self.told: list[str] = []
        self.errors: list[BaseException] = []
        self.editing = Editing(self.state, self._editable, self.said.append)
        self.tools = LabelEditing(
            self.state, self.editing, self.jobs, self.session, self.said.append, self.errors.append
        )
        self.tools.told.connect(self.told.append)
        self.open(case)

    def open(self, case: Case) -> None:
        self.session.open(case)
        self.state.set_case(case)
        self.state.set_rating(self.session.shown)
        self.state.set_tissue(OEDEMA)

    def _editable(self) -> Rating | None:
        rating = self.session.editable()
        if rating is None:
            self.said.append("read only")
        return rating

    @property
    def own(self) -> Rating:
        assert self.session.case is not None
        return self.session.case.ratings[0]

    @property
    def ai(self) -> Rating:
        assert self.session.case is not None
        return self.session.case.ratings[1]

    @property
    def labels(self) -> np.ndarray:
        return self.own.label_map.array

    @property
    def steps(self) -> tuple[str, ...]:
        return self.own.history.undo_names

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: self.jobs.is_idle and not self.tools.busy, timeout=10_000)

    def close(self) -> None:
        self.jobs.close()
        self.session.close()


@pytest.fixture
def make(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Callable[[Case], Room]]:
    rooms: list[Room] = []

    def make_room(case: Case) -> Room:
        rooms.append(Room(qtbot, tmp_path, case))
        return rooms[-1]

    yield make_room
    for room in rooms:
        room.close()


@pytest.fixture
def room(make: Callable[[Case], Room]) -> Room:
    return make(make_case())


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Growing waits until it is opened."""
    opened, real = threading.Event(), label_tools.grow

    def slow(*args: object) -> object:
        assert opened.wait(10)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(label_tools, "grow", slow)
    yield opened
    opened.set()


def ml(labels: np.ndarray, tissue: Tissue) -> float:
    return float(np.count_nonzero(labels == tissue)) * 0.002


def test_grow_is_one_named_step_that_can_be_undone(room: Room) -> None:
    before = room.labels.copy()
    room.tools.grow(1.0)
    assert room.tools.busy == "Grow, oedema, 1 mm"
    assert np.array_equal(room.labels, before)
    room.wait()
    # 1 mm is a voxel along x and y, and less than one along z; the enhancing core is eaten too.
    expected = before.copy()
    expected[7:21, 8:20, 6:18] = expected[8:20, 7:21, 6:18] = OEDEMA
    expected[13:16, 13:15, 10:15] = ENHANCING
    expected[12:17, 12:16, 10:15][[0, -1]] = OEDEMA
    expected[12:17, 12:16, 10:15][:, [0, -1]] = OEDEMA
    expected[25:28, 24, 3] = expected[26, 23:26, 3] = OEDEMA
    assert np.array_equal(room.labels, expected)
    name = f"Grow, oedema, 1 mm: {ml(before, OEDEMA):.2f} to {ml(expected, OEDEMA):.2f} mL"
    assert room.steps == (name,)
    assert room.told == [name]
    assert room.said == []
    room.session.undo()
    assert np.array_equal(room.labels, before)


def test_the_rules_hold_and_the_name_tells_what_they_leave(room: Room) -> None:
    before = room.labels.copy()
    room.state.set_constraints(Constraints(keep_others=True))
    room.tools.grow(2.0)
    room.wait()
    assert np.array_equal(room.labels == ENHANCING, before == ENHANCING)
    assert room.steps[0].endswith(f"to {ml(room.labels, OEDEMA):.2f} mL")
    room.session.undo()
    room.state.set_constraints(Constraints(locked=frozenset({ENHANCING})))
    for act in (room.tools.grow, room.tools.shrink, room.tools.smooth):
        act(2.0)
        room.wait()
        assert np.array_equal(room.labels == ENHANCING, before == ENHANCING)
        assert not np.array_equal(room.labels, before)
        room.session.undo()
    flair = room.state.case.aligned[Sequence.FLAIR].data  # type: ignore[union-attr]
    rule = IntensityRange(Sequence.FLAIR, 90, 110)
    room.state.set_constraints(Constraints(intensity=rule, only_inside=Tissue.BACKGROUND))
    room.tools.grow(3.0)
    room.wait()
    changed = room.labels != before
    assert changed.any()
    assert (before[changed] == 0).all()
    assert (flair[changed] >= 90).all()
    assert (flair[changed] <= 110).all()
    assert room.steps[0].endswith(f"to {ml(room.labels, OEDEMA):.2f} mL")


def test_shrinking_under_kept_labels_retreats_from_the_background_alone(room: Room) -> None:
    before = room.labels.copy()
    room.state.set_constraints(Constraints(keep_others=True))
    room.tools.shrink(1.0)
    room.wait()
    expected = before.copy()
    expected[26, 24, 3] = 0
    expected[[8, 19], 8:20, 6:18] = 0
    expected[8:20, [8, 19], 6:18] = 0
    assert np.array_equal(room.labels, expected)


def test_a_rule_that_forbids_all_makes_no_step(room: Room) -> None:
    before = room.labels.copy()
    room.state.set_constraints(Constraints(only_inside=NECROSIS))
    room.tools.grow(2.0)
    room.wait()
    assert np.array_equal(room.labels, before)
    assert room.steps == ()
    assert room.said == ["Grow, oedema, 2 mm: no voxel changes under the rules that are on."]


def test_a_locked_label_is_said_at_once(room: Room) -> None:
    room.state.set_constraints(Constraints(locked=frozenset({OEDEMA})))
    room.tools.grow(2.0)
    assert not room.tools.busy
    assert "locked" in room.said[0]


def test_holes_islands_and_the_largest_part(make: Callable[[Case], Room]) -> None:
    labels = make_labels()
    labels[9, 9, 8] = 0
    labels[10, 10, 6] = 0  # open below, enclosed in its axial slice
    room = make(make_case(labels=labels))
    tools = room.tools
    tools.fill_holes()
    room.wait()
    assert room.labels[9, 9, 8] == OEDEMA
    assert room.labels[10, 10, 6] == 0
    tools.fill_holes(Plane.AXIAL)
    room.wait()
    assert room.labels[10, 10, 6] == OEDEMA
    tools.drop_islands(0.01)
    room.wait()
    assert room.labels[26, 24, 3] == 0
    room.session.undo()
    assert room.labels[26, 24, 3] == OEDEMA
    tools.keep_largest()
    room.wait()
    assert room.labels[26, 24, 3] == 0
    names = [s.rpartition(":")[0] for s in room.steps]
    assert names == [
        "Keep largest, oedema",
        "Fill holes, oedema, axial slices",
        "Fill holes, oedema, 3D",
    ]
    tools.drop_islands(0.01)
    room.wait()
    assert room.said == ["Drop islands, oedema, under 0.01 mL: no voxel changes."]


def test_relabel_swap_and_clear(room: Room) -> None:
    before, tools = room.labels.copy(), room.tools
    tools.relabel_component(MIDDLE, NECROSIS)
    room.wait()
    assert np.array_equal(room.labels == NECROSIS, before == ENHANCING)
    assert (
        room.steps[0] == "Relabel, enhancing to necrosis: enhancing 0.20 to 0.00 mL, necrosis 0.00 to 0.20 mL"
    )
    tools.relabel_component((26, 24, 3), Tissue.BACKGROUND)
    room.wait()
    assert room.labels[26, 24, 3] == 0
    assert np.count_nonzero(room.labels == OEDEMA) == np.count_nonzero(before == OEDEMA) - 1
    tools.relabel_component((0, 0, 0), NECROSIS)
    tools.relabel_component(MIDDLE, NECROSIS)
    assert "no label under the crosshair" in room.said[0]
    assert "necrosis already" in room.said[1]
    present = room.labels.copy()
    tools.swap(OEDEMA, NECROSIS)
    room.wait()
    assert np.array_equal(room.labels == OEDEMA, present == NECROSIS)
    assert np.array_equal(room.labels == NECROSIS, present == OEDEMA)
    tools.clear_label()
    room.wait()
    assert not (room.labels == OEDEMA).any()
    assert np.array_equal(room.labels == NECROSIS, present == OEDEMA)
    tools.clear_label()
    room.wait()
    assert room.said[-1] == "Clear, oedema: no voxel changes; there is no oedema."
    for _ in range(4):
        room.session.undo()
    assert np.array_equal(room.labels, before)


@pytest.mark.parametrize(
    "rules",
    [
        Constraints(keep_others=True),
        Constraints(only_inside=OEDEMA),
        Constraints(intensity=IntensityRange(Sequence.FLAIR, 90, 110)),
    ],
)
def test_half_a_swap_is_refused(room: Room, rules: Constraints) -> None:
    before = room.labels.copy()
    room.state.set_constraints(rules)
    room.tools.swap(OEDEMA, ENHANCING)
    room.wait()
    assert np.array_equal(room.labels, before)
    assert "Nothing was changed" in room.said[0]


def test_the_ais_lesion_is_taken(room: Room) -> None:
    before, ai = room.labels.copy(), room.ai.label_map.array.copy()
    room.tools.take_from(room.ai, MIDDLE)
    room.wait()
    expected = before.copy()
    expected[8:20, 8:20, 6:18] = ai[8:20, 8:20, 6:18]
    assert np.array_equal(room.labels, expected)
    assert room.steps[0].startswith("Take from AI: all labels ")
    room.tools.take_from(room.ai, (2, 2, 20))
    room.wait()
    assert (room.labels[2:4, 2:4, 20:24] == ENHANCING).all()
    assert room.labels[26, 24, 3] == OEDEMA
    # Where only the own mask has something, taking the other's takes it away.
    room.tools.take_from(room.ai, (26, 24, 3))
    room.wait()
    assert np.array_equal(room.labels, ai)
    for _ in range(3):
        room.session.undo()
    assert np.array_equal(room.labels, before)
    room.tools.take_from(room.ai, Box((0, 0, 19), (9, 9, 26)))
    room.wait()
    expected = before.copy()
    expected[:9, :9, 19:] = ai[:9, :9, 19:]
    assert np.array_equal(room.labels, expected)
    assert np.array_equal(room.ai.label_map.array, ai)


def test_labels_that_the_file_cannot_hold_are_not_taken(make: Callable[[Case], Room]) -> None:
    case = make_case()
    other = np.zeros(SHAPE, np.uint8)
    other[3:6, 3:6, 3:6] = Tissue.CAVITY
    scheme = LabelScheme("brats2024", "BraTS 2024", (*SCHEME.labels[:2], Label(4, Tissue.CAVITY)))
    case.ratings.append(Rating("Other", RaterKind.MODEL, LabelMap(other), scheme))
    room = make(case)
    before = room.labels.copy()
    room.tools.take_from(case.ratings[2], (4, 4, 4))
    room.wait()
    assert np.array_equal(room.labels, before)
    (error,) = room.errors
    assert isinstance(error, UserError)
    assert error.code == "scheme_cannot_hold"
    assert not room.tools.busy


def test_the_second_of_two_is_told_to_wait(room: Room, gate: threading.Event) -> None:
    room.tools.grow(1.0)
    room.tools.shrink(1.0)
    assert room.said == [
        "Grow, oedema, 1 mm is still being worked out. Wait for it, then choose Shrink, oedema, 1 mm again."
    ]
    gate.set()
    room.wait()
    assert len(room.steps) == 1
    room.tools.shrink(1.0)
    room.wait()
    assert len(room.steps) == 2


def paint(room: Room) -> None:
    with room.own.history.edit("Brush") as stroke:
        stroke.paint(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), bool), NECROSIS)


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (paint, "edited meanwhile"),
        (lambda room: room.editing.begin(), "edited meanwhile"),
        (lambda room: room.state.set_tissue(ENHANCING), "label or the rules"),
        (lambda room: room.state.set_keep_others(True), "label or the rules"),
        (lambda room: room.session.show(room.ai), "another case or mask"),
        (lambda room: room.session.close(), "another case or mask"),
        (lambda room: room.open(make_case()), "another case or mask"),
    ],
)
def test_what_comes_too_late_is_dropped_and_said(
    room: Room, gate: threading.Event, meanwhile: Callable[[Room], object], reason: str
) -> None:
    own = room.own
    room.tools.grow(1.0)
    meanwhile(room)
    after = own.label_map.array.copy()
    gate.set()
    room.wait()
    assert np.array_equal(own.label_map.array, after)
    assert [s for s in own.history.undo_names if s != "Brush"] == []
    assert room.told == []
    assert len(room.said) == 1
    assert room.said[0].startswith("Grow, oedema, 1 mm was dropped: ")
    assert reason in room.said[0]
    if room.editing.is_open:
        room.editing.cancel()


def test_undone_to_the_same_is_edited_too(room: Room, gate: threading.Event) -> None:
    paint(room)
    room.tools.grow(1.0)
    room.session.undo()
    room.session.redo()
    gate.set()
    room.wait()
    assert "edited meanwhile" in room.said[0]


def test_a_mask_of_others_is_read_only(room: Room) -> None:
    room.session.show(room.ai)
    before = room.ai.label_map.array.copy()
    room.tools.grow(1.0)
    room.tools.relabel_component(MIDDLE, NECROSIS)
    room.tools.take_from(room.own, MIDDLE)
    room.wait()
    assert room.said == ["read only"] * 3
    assert np.array_equal(room.ai.label_map.array, before)


def test_not_while_a_stroke_is_under_way(room: Room) -> None:
    assert room.editing.begin()
    room.tools.grow(1.0)
    assert not room.tools.busy
    assert "Finish it first" in room.said[0]
    assert room.editing.is_open
    room.editing.cancel()


def test_an_error_is_told_and_the_next_one_works(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise MemoryError

    before = room.labels.copy()
    monkeypatch.setattr(label_tools, "grow", broken)
    room.tools.grow(1.0)
    room.wait()
    assert isinstance(room.errors[0], MemoryError)
    assert np.array_equal(room.labels, before)
    room.tools.shrink(1.0)
    room.wait()
    assert len(room.steps) == 1


def test_without_known_spacing_voxels_and_pixels_are_told(make: Callable[[Case], Room]) -> None:
    room = make(make_case(known=False))
    room.tools.grow(1.0)
    room.wait()
    assert room.steps[0].startswith("Grow, oedema, 1 px: 1,629 to ")
    assert room.steps[0].endswith(" voxels")
    room.session.undo()
    room.tools.drop_islands(0.004)
    room.wait()
    assert room.steps[0] == "Drop islands, oedema, under 2 voxels: 1,629 to 1,628 voxels"


def test_without_a_case_nothing_happens(room: Room) -> None:
    room.session.close()
    room.state.set_case(None)
    tools = room.tools
    for act in (tools.grow, tools.shrink, tools.smooth, tools.drop_islands):
        act(1.0)
    tools.keep_largest()
    tools.clear_label()
    tools.fill_holes()
    tools.swap(OEDEMA, NECROSIS)
    tools.relabel_component(MIDDLE, NECROSIS)
    assert not tools.busy
    assert tools.others == ()
    assert set(room.said) == {"read only"}
