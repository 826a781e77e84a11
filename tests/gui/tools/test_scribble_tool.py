"""Scribbles with the mouse: strokes are obeyed, Enter makes one step, Esc none, rules hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.scribble_tool import ScribbleTool
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode, ViewState
from brainseg_desktop.services.jobs import Jobs

LEFT, NONE, CTRL = (
    Qt.MouseButton.LeftButton,
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
)
SHAPE = (60, 50, 20)
BLOCK = Box((15, 10, 5), (40, 30, 14))


def make_case() -> Case:
    """A bright block in an even head; the mask holds half of it as oedema."""
    affine = np.diag([0.9, 1.1, 2.0, 1.0])
    grid, random = Grid(SHAPE, affine), np.random.default_rng(1)
    data = np.full(SHAPE, 100.0)
    data[BLOCK.slices] = 400
    data += random.normal(0, 3, SHAPE)
    source = Source(Path("x"), "")
    volume = Volume(data.astype(np.float32), grid, source, Sequence.FLAIR)
    labels = np.zeros(SHAPE, np.uint8)
    labels[15:22, 10:30, 5:14] = Tissue.OEDEMA
    scheme = LabelScheme("x", "x", (Label(1, Tissue.NECROSIS), Label(2, Tissue.OEDEMA)))
    ratings = [Rating("Reader", RaterKind.HUMAN, LabelMap(labels), scheme)]
    return Case("x", grid, {Sequence.FLAIR: volume}, ratings)


class Room:
    """A view, the tool, and real background work."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot, self.case = qtbot, make_case()
        self.said: list[str] = []
        self.owner = QWidget()
        qtbot.addWidget(self.owner)
        self.jobs = Jobs(Bridge(self.owner).post)
        self.state = ViewState()
        self.rating = self.case.ratings[0]
        self.editing = Editing(self.state, lambda: self.state.rating, self.said.append)
        self.tool = ScribbleTool(self.editing, self.jobs)
        self.toolbox = Toolbox(self.state, {Mode.SCRIBBLE: self.tool})
        measuring = Measuring(self.state, self.said.append)
        self.view = SliceView(self.state, self.toolbox, measuring, Sequence.FLAIR, Plane.AXIAL)
        qtbot.addWidget(self.view)
        self.view.resize(500, 420)
        self.view.show()
        self.state.set_case(self.case)
        self.state.set_rating(self.rating)
        self.state.set_tissue(Tissue.OEDEMA)
        self.state.set_cursor((30, 25, 9))
        self.state.set_mode(Mode.SCRIBBLE)

    @property
    def labels(self) -> np.ndarray:
        return self.rating.label_map.array

    def pixel(self, voxel: tuple[float, float, float]) -> QPoint:
        projection = self.view.projection
        assert projection is not None
        return projection.point_of(voxel).toPoint()

    def drag(self, start: tuple[int, int], end: tuple[int, int], keys: Qt.KeyboardModifier = NONE) -> None:
        z = self.view.index
        first, last = self.pixel((*start, z)), self.pixel((*end, z))
        self.qtbot.mousePress(self.view, LEFT, keys, first)
        for share in (0.25, 0.5, 0.75, 1.0):
            self.qtbot.mouseMove(self.view, first + (last - first) * share)
        self.qtbot.mouseRelease(self.view, LEFT, keys, last)

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: self.tool.is_ready, timeout=10_000)

    def key(self, key: Qt.Key) -> None:
        self.qtbot.keyClick(self.view, key)


@pytest.fixture
def room(qtbot: QtBot) -> Iterator[Room]:
    room = Room(qtbot)
    yield room
    room.jobs.close()


def block() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[BLOCK.slices] = True
    return mask


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_a_stroke_is_a_preview_until_enter_makes_it_one_step(room: Room) -> None:
    before = room.labels.copy()
    room.drag((26, 20), (36, 20))
    room.wait()
    assert np.array_equal(room.labels, before)
    assert room.toolbox.is_busy
    room.key(Qt.Key.Key_Return)
    assert room.rating.history.undo_names == ("Refine, oedema",)
    assert (room.labels[26:36, 20, 9] == Tissue.OEDEMA).all()
    assert dice(room.labels == Tissue.OEDEMA, block()) > dice(before == Tissue.OEDEMA, block()) + 0.2
    assert not (room.labels[~block()] != before[~block()]).any()
    assert not room.tool.is_busy
    room.rating.history.undo()
    assert np.array_equal(room.labels, before)


def test_enter_at_once_waits_for_the_result(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.key(Qt.Key.Key_Enter)
    room.qtbot.waitUntil(lambda: bool(room.rating.history.undo_names), timeout=10_000)
    assert (room.labels[26:36, 20, 9] == Tissue.OEDEMA).all()


def test_esc_drops_and_a_late_result_changes_nothing(room: Room) -> None:
    before = room.labels.copy()
    room.drag((26, 20), (36, 20))
    room.toolbox.cancel()
    room.qtbot.waitUntil(lambda: room.jobs.is_idle, timeout=10_000)
    room.key(Qt.Key.Key_Return)
    assert np.array_equal(room.labels, before)
    assert room.tool.preview is None
    assert not room.rating.history.undo_names


def test_ctrl_marks_what_is_outside(room: Room) -> None:
    room.drag((19, 13), (19, 27), CTRL)
    room.wait()
    room.key(Qt.Key.Key_Return)
    assert (room.labels[19, 14:27, 9] == 0).all()


def test_further_strokes_refine_on_and_the_newest_stroke_holds(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.drag((45, 12), (45, 28), CTRL)
    room.drag((30, 16), (30, 24), CTRL)
    room.wait()
    room.key(Qt.Key.Key_Return)
    assert (room.labels[26:29, 20, 9] == Tissue.OEDEMA).all()
    assert (room.labels[30, 17:24, 9] == 0).all()
    assert len(room.rating.history.undo_names) == 1


def test_backspace_takes_the_last_stroke_back(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.wait()
    first = room.tool.preview
    room.drag((30, 16), (30, 24), CTRL)
    room.wait()
    room.key(Qt.Key.Key_Backspace)
    room.wait()
    now = room.tool.preview
    assert first is not None
    assert now is not None
    assert np.array_equal(first.after, now.after)
    room.key(Qt.Key.Key_Backspace)
    assert not room.tool.is_busy


def test_leaving_the_tool_keeps_the_strokes_as_a_step(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.state.set_mode(Mode.CROSSHAIR)
    assert room.rating.history.undo_names == ("Refine, oedema",)
    room.qtbot.waitUntil(lambda: room.jobs.is_idle, timeout=10_000)
    assert len(room.rating.history.undo_names) == 1


def test_leaving_in_the_middle_of_a_stroke_keeps_it(room: Room) -> None:
    room.qtbot.mousePress(room.view, LEFT, NONE, room.pixel((26, 20, 9)))
    room.qtbot.mouseMove(room.view, room.pixel((34, 20, 9)))
    room.toolbox.finish()
    assert (room.labels[26:34, 20, 9] == Tissue.OEDEMA).all()
    room.qtbot.mouseRelease(room.view, LEFT, NONE, room.pixel((34, 20, 9)))
    assert not room.tool.is_busy


def test_rules_hold_in_the_preview_and_in_the_step(room: Room) -> None:
    with room.rating.history.edit("Brush") as stroke:
        stroke.paint(Box((30, 18, 9), (33, 23, 10)), np.ones((3, 5, 1), bool), Tissue.NECROSIS)
    room.state.set_constraints(replace(room.state.constraints, locked=frozenset({Tissue.NECROSIS})))
    room.drag((26, 20), (36, 20))
    room.wait()
    shown = room.tool.preview
    assert shown is not None
    assert (shown.after[shown.before == Tissue.NECROSIS] == Tissue.NECROSIS).all()
    room.key(Qt.Key.Key_Return)
    assert (room.labels[30:33, 18:23, 9] == Tissue.NECROSIS).all()
    assert room.labels[28, 20, 9] == Tissue.OEDEMA


def test_a_locked_label_is_said_before_the_stroke(room: Room) -> None:
    room.state.set_constraints(replace(room.state.constraints, locked=frozenset({Tissue.OEDEMA})))
    room.drag((26, 20), (36, 20))
    assert not room.tool.is_busy
    assert "locked" in room.said[-1]


def test_another_label_takes_the_strokes(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.wait()
    room.state.set_tissue(Tissue.NECROSIS)
    room.wait()
    room.key(Qt.Key.Key_Return)
    assert room.rating.history.undo_names == ("Refine, necrosis",)
    assert (room.labels[26:36, 20, 9] == Tissue.NECROSIS).all()


def test_a_mask_that_changed_under_the_preview_is_refined_anew(room: Room) -> None:
    room.drag((26, 20), (36, 20))
    room.wait()
    with room.rating.history.edit("Other") as stroke:
        stroke.paint(Box((50, 20, 9), (52, 22, 10)), np.ones((2, 2, 1), bool), Tissue.NECROSIS)
        stroke.paint(Box((24, 12, 9), (26, 14, 10)), np.ones((2, 2, 1), bool), Tissue.NECROSIS)
    room.key(Qt.Key.Key_Return)
    assert (room.labels[50:52, 20:22, 9] == Tissue.NECROSIS).all()
    assert (room.labels[26:36, 20, 9] == Tissue.OEDEMA).all()


def test_shift_wheel_sets_the_reach_and_shift_press_draws_nothing(room: Room) -> None:
    reach = room.tool.reach_mm
    assert room.tool.wheel(
        room.view, room.pixel((20, 20, 9)).toPointF(), 2, Qt.KeyboardModifier.ShiftModifier
    )
    assert room.tool.reach_mm == reach + 2
    assert not room.tool.wheel(room.view, room.pixel((20, 20, 9)).toPointF(), 2, NONE)
    room.drag((26, 20), (36, 20), Qt.KeyboardModifier.ShiftModifier)
    assert not room.tool.is_busy


def test_the_preview_is_drawn_and_is_gone_after_esc(room: Room) -> None:
    bare = room.view.grab().toImage().pixelColor(room.pixel((33, 26, 9)))
    room.drag((26, 20), (36, 20))
    room.wait()
    colour = room.view.grab().toImage().pixelColor(room.pixel((33, 26, 9)))
    shown = room.tool.preview
    assert shown is not None
    x, y, z = (a - b for a, b in zip((33, 26, 9), shown.box.start, strict=True))
    assert shown.after[x, y, z] == Tissue.OEDEMA
    assert colour.green() > colour.red() + 40
    room.tool.cancel()
    assert room.view.grab().toImage().pixelColor(room.pixel((33, 26, 9))) == bare


@pytest.mark.parametrize("plane", [Plane.CORONAL, Plane.SAGITTAL])
def test_other_planes(room: Room, plane: Plane) -> None:
    room.view.set_shown(Sequence.FLAIR, plane)
    middle = [30.0, 20.0, 9.0]
    middle[plane.axis] = room.view.index
    pixel = room.pixel((middle[0], middle[1], middle[2]))
    room.qtbot.mousePress(room.view, LEFT, NONE, pixel)
    room.qtbot.mouseRelease(room.view, LEFT, NONE, pixel)
    room.wait()
    room.view.grab()
    room.key(Qt.Key.Key_Return)
    assert room.labels[int(middle[0]), int(middle[1]), int(middle[2])] == Tissue.OEDEMA
