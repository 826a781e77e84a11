"""Fill by real events: region growing, holes and components."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot
from scipy import ndimage

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.tools.fill_tool import FillTool, Latest, volume_text
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.jobs import Jobs
from tests.gui.tools.test_brush_tool import CTRL, Room, lesion, make_case


class Now:
    """Jobs that are done at once, or held back until let go."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Callable[[Any], None], Callable[[Any], None]]] = []
        self.holds = False

    def free(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Any], None]
    ) -> None:
        self.held.append((work, done, failed))
        if not self.holds:
            self.let_go()

    def let_go(self) -> None:
        """Do the oldest that waits."""
        work, done, failed = self.held.pop(0)
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            done(result)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def room(qtbot: QtBot, now: Now) -> Room:
    made = Room(qtbot, lambda editing: FillTool(editing, now), Mode.FILL)  # type: ignore[arg-type]
    made.state.set_ball(True)
    return made


def grown(room: Room, voxel: tuple[int, int, int], axis: int | None, factor: float = 1.0) -> np.ndarray:
    """The region around a voxel of FLAIR, by another way than the program's."""
    data = room.case.volumes[Sequence.FLAIR].data
    near = [slice(i, i + 1) if a == axis else slice(i - 1, i + 2) for a, i in enumerate(voxel)]
    block = data[tuple(near)].astype(float)
    low, high = room.state.default_windows[Sequence.FLAIR]
    tolerance = factor * 2 * max(block.std(), 0.06 * (high - low))
    accepted = np.abs(data.astype(float) - block.mean()) <= tolerance
    accepted[voxel] = True
    if axis is not None:
        slab = np.zeros_like(accepted)
        at = tuple(voxel[axis] if a == axis else slice(None) for a in range(3))
        slab[at] = accepted[at]
        accepted = slab
    seed = np.zeros_like(accepted)
    seed[voxel] = True
    return ndimage.binary_propagation(seed, mask=accepted)


def nothing_open(room: Room) -> bool:
    return not (room.tool.is_busy or room.editing.is_open or room.rating.history.is_editing)


@pytest.mark.parametrize("ball", [True, False])
def test_a_click_fills_what_is_alike(room: Room, ball: bool) -> None:
    room.state.set_ball(ball)
    room.click((30, 25, 15))
    wanted = grown(room, (30, 25, 15), None if ball else 2)
    np.testing.assert_array_equal(room.labels == Tissue.OEDEMA, wanted)
    size = volume_text(int(wanted.sum()), room.case.grid)
    assert room.steps == (f"Fill, oedema, {size}",)
    assert not (wanted & ~lesion()).any()
    assert nothing_open(room)
    room.rating.history.undo()
    assert not room.labels.any()


def test_dragging_up_takes_more_and_down_less(room: Room) -> None:
    at = room.pixel((30, 25, 15))
    room.press(at)
    shown = []
    for up in (0, 40, 60, 20, -40):
        room.move(at - QPoint(0, up))
        found = room.tool._growing.found
        mask = np.zeros(room.labels.shape, dtype=bool)
        mask[found.growth.box.slices] = found.growth.mask
        np.testing.assert_array_equal(mask, grown(room, (30, 25, 15), None, 2.0 ** (up / 40)))
        shown.append(found.growth.voxels)
        assert not room.labels.any(), "a preview changes no voxel"
    assert shown[4] < shown[0] < shown[3] < shown[1] <= shown[2]
    room.move(at - QPoint(0, 40))
    room.release(at - QPoint(0, 40))
    np.testing.assert_array_equal(room.labels > 0, grown(room, (30, 25, 15), None, 2.0))
    # The next click begins with what the reader made of it.
    room.rating.history.undo()
    room.click((30, 25, 15))
    np.testing.assert_array_equal(room.labels > 0, grown(room, (30, 25, 15), None, 2.0))


def test_escape_drops_it(room: Room) -> None:
    room.press((30, 25, 15))
    assert room.tool.is_busy
    room.toolbox.cancel()
    room.release((30, 25, 15))
    assert not room.labels.any()
    assert room.steps == ()
    assert nothing_open(room)
    # And the tool goes on.
    room.click((30, 25, 15))
    assert room.labels.any()


def test_another_tool_drops_it(room: Room) -> None:
    room.press((30, 25, 15))
    room.state.set_mode(Mode.CROSSHAIR)
    assert nothing_open(room)
    assert not room.labels.any()


def test_a_leak_is_stopped_and_said(room: Room) -> None:
    room.tool.limit_ml = 6.0
    at = room.pixel((30, 25, 15))
    room.press(at)
    room.move(at - QPoint(0, 180))
    found = room.tool._growing.found
    assert found.is_limited
    room.release(at - QPoint(0, 180))
    marked = np.count_nonzero(room.labels) * room.case.grid.voxel_volume_ml
    assert 3.5 < marked <= 6.0
    assert "stopped at" in room.said[-1]
    assert "leak beyond 6 mL" in room.said[-1]
    # The next one begins where this one was stopped, not beyond.
    room.rating.history.undo()
    room.click(at)
    assert np.count_nonzero(room.labels) * room.case.grid.voxel_volume_ml == pytest.approx(marked)


def test_nothing_is_better_than_half_a_leak(room: Room) -> None:
    room.tool.limit_ml = 0.0
    room.click((30, 25, 15))
    assert np.count_nonzero(room.labels) <= 1
    assert "Fill:" in room.said[-1]
    assert nothing_open(room)


def test_it_grows_through_permitted_voxels_only(room: Room) -> None:
    wall = np.zeros(room.labels.shape, np.uint8)
    wall[33] = Tissue.ENHANCING
    room.editing.once("Wall", Box((0, 0, 0), wall.shape), wall)
    room.state.set_constraints(Constraints(keep_others=True))
    room.click((28, 25, 15))
    assert (room.labels[33] == Tissue.ENHANCING).all()
    oedema = room.labels == Tissue.OEDEMA
    assert oedema[25:33].any()
    assert not oedema[33:].any()
    # Without the rule it goes on behind.
    room.rating.history.undo()
    room.state.set_constraints(Constraints())
    room.click((28, 25, 15))
    assert (room.labels[34:] == Tissue.OEDEMA).any()


def test_a_forbidden_place_is_said(room: Room) -> None:
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    room.click((30, 25, 15))
    assert room.steps == ()
    assert room.said == ["Fill: no voxel changes."]
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.OEDEMA})))
    room.click((30, 25, 15))
    assert "locked" in room.said[-1]
    assert nothing_open(room)


def test_a_rule_that_comes_on_while_dragging_still_holds(room: Room) -> None:
    room.press((30, 25, 15))
    room.state.set_constraints(Constraints(only_inside=Tissue.NECROSIS))
    room.release((30, 25, 15))
    assert not room.labels.any()
    assert nothing_open(room)


# In the background ----------------------------------------------------------------------------------


def test_only_the_newest_tolerance_is_grown(room: Room, now: Now) -> None:
    now.holds = True
    at = room.pixel((30, 25, 15))
    room.press(at)
    for up in (10, 20, 30, 40):
        room.move(at - QPoint(0, up))
    room.release(at - QPoint(0, 40))
    assert len(now.held) == 1
    assert not room.labels.any()
    now.let_go()  # that of the press: not what was released
    assert not room.labels.any()
    assert len(now.held) == 1
    now.let_go()
    np.testing.assert_array_equal(room.labels > 0, grown(room, (30, 25, 15), None, 2.0))
    assert now.held == []
    assert nothing_open(room)


def test_a_result_that_comes_too_late_is_dropped(room: Room, now: Now) -> None:
    now.holds = True
    room.press((30, 25, 15))
    room.release((30, 25, 15))
    room.toolbox.finish()
    assert room.said == ["Fill: dropped, as it was not ready. Nothing has changed."]
    assert nothing_open(room)
    now.let_go()
    assert not room.labels.any()
    room.click((30, 25, 15))
    now.let_go()
    assert room.labels.any()


def test_an_error_leaves_the_mask_as_it_was(room: Room, now: Now, monkeypatch: pytest.MonkeyPatch) -> None:
    room.editing.once("One", Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), np.uint8))
    before = room.labels.copy()

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("brainseg_desktop.core.growing.SeededRegion.at", broken)
    now.holds = True
    room.press((30, 25, 15))
    with pytest.raises(MemoryError):
        now.let_go()
    room.release((30, 25, 15))
    np.testing.assert_array_equal(room.labels, before)
    assert nothing_open(room)


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    bridge = Bridge()
    made = Jobs(bridge.post)
    yield made
    made.close()


def test_with_real_threads(qtbot: QtBot, jobs: Jobs) -> None:
    room = Room(qtbot, lambda editing: FillTool(editing, jobs), Mode.FILL)
    room.state.set_ball(True)
    at = room.pixel((30, 25, 15))
    room.press(at)
    for up in range(0, 44, 4):
        room.move(at - QPoint(0, up))
        qtbot.wait(2)
    room.release(at - QPoint(0, 40))
    qtbot.waitUntil(lambda: not room.tool.is_busy, timeout=5000)
    np.testing.assert_array_equal(room.labels > 0, grown(room, (30, 25, 15), None, 2.0))
    assert len(room.steps) == 1


def test_the_newest_request_alone_runs(qtbot: QtBot, jobs: Jobs) -> None:
    latest, gate, found = Latest(jobs), threading.Event(), []  # type: ignore[var-annotated]
    latest.ask(lambda: gate.wait(5), lambda _: found.append(0), lambda: None)
    for number in range(1, 5):
        latest.ask(lambda n=number: n, found.append, lambda: None)  # type: ignore[misc]
    gate.set()
    qtbot.waitUntil(lambda: latest.is_idle, timeout=5000)
    assert found == [0, 4]
    gate.clear()
    latest.ask(lambda: gate.wait(5), found.append, lambda: None)
    latest.drop()
    gate.set()
    qtbot.waitUntil(lambda: latest.is_idle, timeout=5000)
    assert found == [0, 4]


# Holes and components -------------------------------------------------------------------------------


@pytest.fixture
def shapes(room: Room) -> np.ndarray:
    """A hollow box of oedema, and one of enhancing tumour that touches it at a corner only."""
    labels = np.zeros(room.labels.shape, np.uint8)
    labels[20:30, 20:30, 10:20] = Tissue.OEDEMA
    labels[23:27, 23:27, 13:17] = 0
    labels[30:34, 30:34, 10:20] = Tissue.ENHANCING
    labels[34:38, 34:38, 15] = Tissue.ENHANCING
    labels[50:52, 40:42, 15] = Tissue.ENHANCING
    room.editing.once("Shapes", Box((0, 0, 0), labels.shape), labels)
    return labels


@pytest.mark.parametrize("ball", [True, False])
def test_ctrl_click_fills_a_hole(room: Room, shapes: np.ndarray, ball: bool) -> None:
    room.state.set_ball(ball)
    room.state.set_tissue(Tissue.NECROSIS)
    room.click((25, 25, 15), CTRL)
    wanted = shapes.copy()
    wanted[23:27, 23:27, slice(13, 17) if ball else 15] = Tissue.NECROSIS
    np.testing.assert_array_equal(room.labels, wanted)
    voxels = 64 if ball else 16
    assert room.steps[0] == f"Fill hole, necrosis, {volume_text(voxels, room.case.grid)}"


@pytest.mark.parametrize("ball", [True, False])
def test_ctrl_click_relabels_a_component(room: Room, shapes: np.ndarray, ball: bool) -> None:
    room.state.set_ball(ball)
    room.click((31, 31, 15), CTRL)
    wanted = shapes.copy()
    if ball:
        wanted[30:34, 30:34, 10:20] = Tissue.OEDEMA
    wanted[30:34, 30:34, 15] = wanted[34:38, 34:38, 15] = Tissue.OEDEMA
    np.testing.assert_array_equal(room.labels, wanted)
    assert room.steps[0].startswith("Relabel enhancing, oedema, ")
    room.rating.history.undo()
    np.testing.assert_array_equal(room.labels, shapes)


def test_open_background_is_no_hole(room: Room, shapes: np.ndarray) -> None:
    room.click((5, 5, 15), CTRL)
    assert "no hole" in room.said[-1]
    np.testing.assert_array_equal(room.labels, shapes)
    room.click((21, 21, 15), CTRL)
    assert room.said[-1] == "This is oedema already."
    room.state.set_constraints(Constraints(keep_others=True))
    room.click((31, 31, 15), CTRL)
    assert "no voxel changes under the rules" in room.said[-1]
    assert len(room.steps) == 1
    assert nothing_open(room)


# What is seen and said ------------------------------------------------------------------------------


def test_an_unknown_voxel_size_is_counted_in_voxels(qtbot: QtBot, now: Now) -> None:
    room = Room(
        qtbot,
        lambda editing: FillTool(editing, now),  # type: ignore[arg-type]
        Mode.FILL,
        case=make_case(known=False),
    )
    room.click((30, 25, 15))
    assert room.steps == (f"Fill, oedema, {np.count_nonzero(room.labels)} voxels",)


def test_another_grid_and_outside(room: Room) -> None:
    room.view.set_shown(Sequence.T2, Plane.AXIAL)
    room.click((30, 25, 15))
    assert "another grid" in room.said[-1]
    room.view.set_shown(Sequence.FLAIR, Plane.AXIAL)
    room.click((-3, 25, 15))
    assert nothing_open(room)


def test_the_preview_is_seen_in_all_views_over_its_voxels(room: Room) -> None:
    for sequence in room.case.volumes:
        room.state.set_window(sequence, (1e6, 2e6))
    at = room.pixel((30, 25, 15))
    room.press(at)
    room.move(at)
    # The words beside the mouse would hide voxels.
    room.view.pointer = None
    growth = room.tool._growing.found.growth
    mask = np.zeros(room.labels.shape, dtype=bool)
    mask[growth.box.slices] = growth.mask
    room.state.set_cursor((1, 1, 15))
    for view, plane in ((room.view, Plane.AXIAL), (room.other, Plane.CORONAL)):
        room.state.set_cursor((1, 1, 15) if plane is Plane.AXIAL else (1, 25, 1))
        image: QImage = view.grab().toImage()
        for i in range(22, 39):
            voxel = [i, 25, 15]
            if plane is Plane.AXIAL:
                voxel[1] = 22
            pixel = room.pixel((voxel[0], voxel[1], voxel[2]), view)
            assert nearest_voxel(room.voxel(pixel, view)) == tuple(voxel)
            seen = image.pixelColor(pixel).green() > 60
            assert seen == bool(mask[tuple(voxel)]), (plane, voxel)
    room.toolbox.cancel()
    room.state.set_cursor((1, 1, 15))
    empty = room.view.grab().toImage()
    assert empty.pixelColor(room.pixel((30, 22, 15))).green() < 60
