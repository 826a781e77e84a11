"""The surface view: follows the mask, turns, jumps where it is clicked; says why where there is no OpenGL.

Qt's offscreen platform has no OpenGL, so what is drawn is checked by this file run as a program under Xvfb.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QOpenGLContext
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import TISSUE_COLOURS, Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.surface.surface_camera import Orbit
from brainseg_desktop.gui.surface.surface_view import NO_MASK, NO_OPENGL, SurfaceView
from brainseg_desktop.gui.surface.surfaces import Surfaces
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.surfaces import tissue_surfaces

SHAPE = (80, 90, 50)
CORE = (50, 55, 28)


def make_case(name: str = "case") -> tuple[Case, Rating]:
    """A head with a ball of enhancing tumour in one of oedema, on a turned grid of thick slices."""
    angle = np.radians(12)
    affine = np.array(
        [
            [1.6 * np.cos(angle), -1.6 * np.sin(angle), 0, -60],
            [1.6 * np.sin(angle), 1.6 * np.cos(angle), 0, -90],
            [0, 0, 2.5, -50],
            [0, 0, 0, 1],
        ]
    )
    grid = Grid(SHAPE, affine)
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    world = grid.world_of(voxels)
    middle = grid.world_of((np.array(SHAPE) - 1) / 2)
    head = np.linalg.norm((world - middle) / (55, 65, 55), axis=-1) < 1
    core = np.linalg.norm(world - grid.world_of(CORE), axis=-1)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[core < 22] = Tissue.OEDEMA
    labels[core < 12] = Tissue.ENHANCING
    data = (head * (100.0 + core)).astype(np.float32)
    volume = Volume(data, grid, Source(Path("a"), ""), Sequence.T1)
    scheme = LabelScheme("test", "Test", (Label(2, Tissue.OEDEMA), Label(4, Tissue.ENHANCING)))
    rating = Rating("Reader", RaterKind.HUMAN, LabelMap(labels), scheme)
    return Case(name, grid, {Sequence.T1: volume}, [rating]), rating


class HeldJobs:
    """Stands in for `Jobs`: runs what was asked for when the test says so, in any order."""

    def __init__(self) -> None:
        self.asked: list[
            tuple[Callable[[], Any], Callable[[Any], None], Callable[[BaseException], None]]
        ] = []

    def free(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[BaseException], None]
    ) -> None:
        self.asked.append((work, done, failed))

    def run(self) -> None:
        while self.asked:
            work, done, failed = self.asked.pop(0)
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)


@pytest.fixture
def state(qapp: QApplication) -> ViewState:
    return ViewState()


@pytest.fixture
def held() -> Any:
    return HeldJobs()


@pytest.fixture
def jobs(qapp: QApplication) -> Iterator[Jobs]:
    jobs = Jobs(Bridge(qapp).post)
    yield jobs
    jobs.close()


def open_case(state: ViewState) -> Rating:
    case, rating = make_case()
    state.set_case(case)
    state.set_rating(rating)
    return rating


def edit(state: ViewState, rating: Rating, box: Box, tissue: Tissue) -> None:
    """Fill a box as the session does: the mask changes, then the views are told."""
    with rating.history.edit("Fill") as stroke:
        stroke.replace(box, np.full(box.shape, tissue, dtype=np.uint8))
    state.touch(box)


# Following the mask ------------------------------------------------------------------------------------


def test_surfaces_follow_an_edit_in_the_background(state: ViewState, jobs: Jobs, qtbot: QtBot) -> None:
    rating = open_case(state)
    surfaces = Surfaces(state, jobs)
    surfaces.set_active(True)
    qtbot.waitUntil(lambda: surfaces.is_current and surfaces.head is not None, timeout=10_000)
    assert set(surfaces.tissues) == {Tissue.OEDEMA, Tissue.ENHANCING}
    before = surfaces.tissues[Tissue.OEDEMA].fine.volume_ml
    box = Box((5, 5, 5), (15, 15, 15))
    with qtbot.waitSignal(surfaces.changed, timeout=10_000):
        edit(state, rating, box, Tissue.OEDEMA)
        assert not surfaces.is_current
    assert surfaces.is_current
    added = 1000 * state.case.grid.voxel_volume_ml if state.case else 0
    assert surfaces.tissues[Tissue.OEDEMA].fine.volume_ml - before == pytest.approx(added, rel=0.05)


def test_a_result_that_comes_too_late_is_thrown_away(state: ViewState, held: Any, qtbot: QtBot) -> None:
    rating = open_case(state)
    surfaces = Surfaces(state, held)
    surfaces.set_active(True)
    (_, (work, done, _)) = held.asked
    late = work()
    held.asked.clear()
    edit(state, rating, Box((0, 0, 0), SHAPE), Tissue.NECROSIS)
    done(late)
    assert not surfaces.tissues
    assert not surfaces.is_current
    qtbot.waitUntil(lambda: len(held.asked) == 1, timeout=5000)
    # While this one is made, the mask changes once more: the work itself stops, and the next one counts.
    edit(state, rating, Box((0, 0, 0), (2, 2, 2)), Tissue.BACKGROUND)
    assert held.asked[0][0]() is None
    held.run()
    assert not surfaces.tissues
    qtbot.waitUntil(lambda: len(held.asked) == 1, timeout=5000)
    held.run()
    assert set(surfaces.tissues) == {Tissue.NECROSIS}
    assert surfaces.is_current


def test_nothing_of_a_closed_case_stays_or_comes_back(state: ViewState, held: Any) -> None:
    open_case(state)
    surfaces = Surfaces(state, held)
    surfaces.set_active(True)
    held.run()
    assert surfaces.tissues
    assert surfaces.head is not None
    surfaces.set_active(False)
    state.set_case(make_case("other")[0])
    assert not surfaces.tissues
    assert surfaces.head is None
    surfaces.set_active(True)
    waiting = held.asked[:]
    state.set_case(None)
    held.asked = waiting
    held.run()
    assert not surfaces.tissues
    assert surfaces.head is None


def test_nothing_is_made_while_nobody_looks(state: ViewState, held: Any, qtbot: QtBot) -> None:
    rating = open_case(state)
    surfaces = Surfaces(state, held)
    edit(state, rating, Box((0, 0, 0), (4, 4, 4)), Tissue.NECROSIS)
    qtbot.wait(200)
    assert not held.asked
    surfaces.set_active(True)
    held.run()
    assert set(surfaces.tissues) == {Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING}
    surfaces.set_active(True)
    assert not held.asked


def test_another_mask_replaces_the_surfaces_at_once(state: ViewState, held: Any) -> None:
    open_case(state)
    surfaces = Surfaces(state, held)
    surfaces.set_active(True)
    held.run()
    blank = Rating("Blank", RaterKind.HUMAN, LabelMap(np.zeros(SHAPE, np.uint8)), make_case()[1].scheme)
    state.set_rating(blank)
    assert not surfaces.tissues
    held.run()
    assert not surfaces.tissues
    assert surfaces.is_current


def test_a_failure_is_said_and_forgotten_with_the_next_success(
    state: ViewState, held: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    rating = open_case(state)
    surfaces = Surfaces(state, held)
    with monkeypatch.context() as broken:
        broken.setattr(
            "brainseg_desktop.gui.surface.surfaces.tissue_surfaces",
            lambda *_, **__: (_ for _ in ()).throw(MemoryError()),
        )
        surfaces.set_active(True)
        work, _, failed = held.asked[1]
        with pytest.raises(MemoryError) as raised:
            work()
        failed(raised.value)
    assert surfaces.failed
    held.asked.clear()
    edit(state, rating, Box((0, 0, 0), (3, 3, 3)), Tissue.NECROSIS)
    qtbot.waitUntil(lambda: bool(held.asked), timeout=5000)
    held.run()
    assert not surfaces.failed
    assert surfaces.tissues


def test_a_large_surface_has_a_light_one_for_turning() -> None:
    labels = np.zeros((110, 110, 110), dtype=np.uint8)
    labels[5:105, 5:105, 5:105] = Tissue.OEDEMA
    labels[40:50, 40:50, 40:50] = Tissue.NECROSIS
    surfaces = tissue_surfaces(labels, Grid(labels.shape, np.diag([1.0, 1.0, 1.0, 1.0])))
    assert surfaces is not None
    large, small = surfaces[Tissue.OEDEMA], surfaces[Tissue.NECROSIS]
    assert len(large.light.vertices_mm) < 10_000 < len(large.fine.vertices_mm)
    assert large.light.volume_ml == pytest.approx(large.fine.volume_ml, rel=0.03)
    assert small.light is small.fine
    # What an edit has not touched is not made again.
    labels[42:45, 42:45, 42:45] = 0
    again = tissue_surfaces(labels, Grid(labels.shape, np.diag([1.0, 1.0, 1.0, 1.0])), known=surfaces)
    assert again is not None
    assert again[Tissue.OEDEMA] is large
    assert again[Tissue.NECROSIS].fine.volume_ml == pytest.approx(0.973, rel=0.06)


# Camera ------------------------------------------------------------------------------------------------


def test_seen_from_the_front_the_patients_left_is_on_the_right() -> None:
    left, right, top = (-50.0, 0.0, 0.0), (50.0, 0.0, 0.0), (0.0, 0.0, 50.0)
    front = Orbit(azimuth=90, elevation=0).pixels_of([left, right, top], 400, 300)
    assert front[0][0] > 200 > front[1][0]
    assert front[2][1] < 150
    # From behind it is the other way round; from the patient's left the nose points left.
    behind = Orbit(azimuth=270, elevation=0).pixels_of([left, right], 400, 300)
    assert behind[0][0] < 200 < behind[1][0]
    nose = Orbit(azimuth=180, elevation=0).pixels_of([(0.0, 80.0, 0.0)], 400, 300)
    assert nose[0][0] < 200
    # The view starts before the patient, on his left, a little above.
    _, way = Orbit().ray(200, 150, 400, 300)
    assert way[0] > 0
    assert way[1] < 0
    assert way[2] < 0


def test_a_ray_goes_through_what_is_seen_at_its_pixel() -> None:
    orbit = Orbit(azimuth=37, elevation=-25, distance_mm=420, centre_mm=(10, -20, 30))
    points = np.random.default_rng(1).uniform(-60, 60, (20, 3))
    for point, (x, y) in zip(points, orbit.pixels_of(points, 640, 480), strict=True):
        origin, way = orbit.ray(x, y, 640, 480)
        assert np.linalg.norm(np.cross(point - origin, way)) < 1e-6
        assert (point - origin) @ way > 0


def test_turning_zooming_and_moving_follow_the_hand() -> None:
    orbit = Orbit(azimuth=90, elevation=0, distance_mm=500)
    near = np.array([(0.0, 60.0, 0.0)])
    assert orbit.turned(10, 0).pixels_of(near, 400, 400)[0][0] > 205
    assert orbit.turned(0, 10).pixels_of(near, 400, 400)[0][1] < 195
    assert orbit.turned(0, -500).elevation < 90
    assert orbit.panned(30, 12, 400, 400).pixels_of([(0.0, 0.0, 0.0)], 400, 400)[0] == pytest.approx(
        (230, 188)
    )
    side = np.array([(-40.0, 0.0, 0.0)])
    assert orbit.zoomed(2).pixels_of(side, 400, 400)[0][0] > orbit.pixels_of(side, 400, 400)[0][0]
    assert orbit.zoomed(1e9).distance_mm > 0
    assert np.isnan(replace(orbit, distance_mm=30).pixels_of([(0.0, 500.0, 0.0)], 400, 400)).all()


def test_everything_fits_into_any_shape_of_view() -> None:
    points = np.array((10, 20, 30)) + np.random.default_rng(2).uniform(-90, 90, (200, 3))
    for width, height in ((800, 300), (300, 800)):
        for azimuth in range(0, 360, 40):
            pixels = Orbit(azimuth=azimuth).fitted(points).pixels_of(points, width, height)
            assert pixels.min() >= 0
            assert (pixels.max(axis=0) <= (width, height)).all()


# The widget --------------------------------------------------------------------------------------------


def shown_view(qtbot: QtBot, state: ViewState, jobs: Any) -> SurfaceView:
    view = SurfaceView(state, jobs)
    qtbot.addWidget(view)
    view.resize(400, 320)
    view.show()
    qtbot.waitExposed(view)
    return view


def test_without_opengl_it_says_so_and_nothing_is_made(
    state: ViewState, held: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoContext(QOpenGLContext):
        def create(self) -> bool:
            return False

    monkeypatch.setattr("brainseg_desktop.gui.surface.surface_scene.QOpenGLContext", NoContext)
    rating = open_case(state)
    view = shown_view(qtbot, state, held)
    assert view.message == NO_OPENGL
    assert "OpenGL" in view.message
    edit(state, rating, Box((0, 0, 0), (3, 3, 3)), Tissue.NECROSIS)
    qtbot.wait(200)
    assert not held.asked
    picture = view.grab().toImage()
    written = [
        picture.pixelColor(x, y).lightness() for x in range(picture.width()) for y in range(picture.height())
    ]
    assert max(written) > 150
    state.set_cursor((3, 3, 3))
    state.set_case(None)
    view.grab()


def test_a_system_without_the_library_says_the_same(
    state: ViewState, held: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brainseg_desktop.gui.surface.surface_scene", None)
    open_case(state)
    assert shown_view(qtbot, state, held).message == NO_OPENGL


def working_view(qtbot: QtBot, state: ViewState, held: Any) -> SurfaceView:
    """A view with its surfaces, whether or not this platform can draw them."""
    view = shown_view(qtbot, state, held)
    view.surfaces.set_active(True)
    held.run()
    return view


def test_a_click_goes_to_the_point_and_a_drag_turns(state: ViewState, held: Any, qtbot: QtBot) -> None:
    rating = open_case(state)
    view = working_view(qtbot, state, held)
    assert state.case is not None
    state.set_hidden(Tissue.OEDEMA, True)
    x, y = view.orbit.pixels_of([state.case.grid.world_of(CORE)], view.width(), view.height())[0]
    pixel = QPoint(round(x), round(y))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel)
    assert rating.label_map.array[state.cursor] == Tissue.ENHANCING
    # It is the side towards the viewer: twelve millimetres nearer than the middle of the ball.
    way = state.case.grid.world_of(state.cursor) - state.case.grid.world_of(CORE)
    assert np.linalg.norm(way) == pytest.approx(12, abs=2.5)
    assert way @ view.orbit.axes[2] > 9
    state.set_hidden(Tissue.OEDEMA, False)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel)
    assert rating.label_map.array[state.cursor] == Tissue.OEDEMA
    before, orbit = state.cursor, view.orbit
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=pixel)
    qtbot.mouseMove(view, pixel + QPoint(40, 10))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=pixel + QPoint(40, 10))
    assert view.orbit.azimuth < orbit.azimuth
    assert view.orbit.elevation > orbit.elevation
    assert state.cursor == before
    # The air beside the tumour is no place to go to, nor is a mask that is switched off.
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert state.cursor == before
    state.set_show_mask(False)
    assert view.voxel_at(QPointF(pixel)) is None


def test_a_double_click_maximises_and_leaves_the_crosshair(state: ViewState, held: Any, qtbot: QtBot) -> None:
    open_case(state)
    view = working_view(qtbot, state, held)
    assert state.case is not None
    x, y = view.orbit.pixels_of([state.case.grid.world_of(CORE)], view.width(), view.height())[0]
    pixel, before = QPoint(round(x), round(y)), state.cursor
    with qtbot.waitSignal(view.maximise_requested):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel)
        assert state.cursor != before
        qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=pixel)
    assert state.cursor == before


def test_keys_turn_zoom_and_reset(state: ViewState, held: Any, qtbot: QtBot) -> None:
    open_case(state)
    view = working_view(qtbot, state, held)
    first = view.orbit
    for key, changed in (
        (Qt.Key.Key_Left, lambda o: o.azimuth > first.azimuth),
        (Qt.Key.Key_Up, lambda o: o.elevation < first.elevation),
        (Qt.Key.Key_Plus, lambda o: o.distance_mm < first.distance_mm),
        (Qt.Key.Key_Minus, lambda o: o.distance_mm > first.distance_mm),
    ):
        press = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        press.ignore()
        QApplication.sendEvent(view, press)
        assert press.isAccepted()
        qtbot.keyClick(view, key)
        assert changed(view.orbit)
        qtbot.keyClick(view, Qt.Key.Key_Home)
        assert view.orbit == first
    other = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_S, Qt.KeyboardModifier.NoModifier)
    other.ignore()
    QApplication.sendEvent(view, other)
    assert not other.isAccepted()


def test_what_it_says_without_a_mask(state: ViewState, held: Any, qtbot: QtBot) -> None:
    view = working_view(qtbot, state, held)
    view._picture.works = True
    assert view.message == NO_MASK
    open_case(state)
    assert view.message == ""
    held.run()
    assert view.message == ""
    assert view.visible_tissues == (Tissue.ENHANCING, Tissue.OEDEMA)
    view._picture.works = False
    assert view.accessibleName() == "Surface view"


# Drawn under Xvfb --------------------------------------------------------------------------------------

NO_DRAWING = 77


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb: apt-get install xvfb")
def test_it_is_drawn() -> None:
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "900x700x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        display = server.stdout.readline().decode().strip()
        environment = os.environ | {"DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb"}
        # A session that names another window system than the one Qt uses must not matter.
        environment |= {"XDG_SESSION_TYPE": "wayland"}
        done = subprocess.run(
            [sys.executable, "-m", "tests.gui.surface.test_surface_view"],
            env=environment,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        server.terminate()
        server.wait(10)
        assert server.stdout is not None
        server.stdout.close()
    if done.returncode == NO_DRAWING:
        pytest.skip("this Xvfb has no OpenGL")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "drawn" in done.stdout


def draw_and_check() -> int:
    """Colours, an edit, a hidden label, a click and a turn on the screen; run in a process of its own."""
    app = QApplication(sys.argv[:1])
    state, jobs = ViewState(), Jobs(Bridge(app).post)
    rating = open_case(state)
    case = state.case
    assert case is not None
    view = SurfaceView(state, jobs)
    view.annotated = False
    view.resize(500, 420)
    view.show()
    if view.message == NO_OPENGL:
        return NO_DRAWING

    def wait(ready: Callable[[], bool]) -> None:
        limit = time.monotonic() + 30
        while not ready():
            assert time.monotonic() < limit
            app.processEvents()
        app.processEvents()

    def pixel_of(voxel: tuple[float, float, float]) -> QPoint:
        x, y = view.orbit.pixels_of([case.grid.world_of(voxel)], view.width(), view.height())[0]
        return QPoint(round(x), round(y))

    def hue_at(point: QPoint) -> tuple[float, float, float]:
        colour = view.grab().toImage().pixelColor(point)
        red, green, blue = colour.redF(), colour.greenF(), colour.blueF()
        return (red, green, blue)

    def is_like(point: QPoint, tissue: Tissue) -> bool:
        # Without the grey that the head lays over it and the light.
        shown, wanted = np.array(hue_at(point)), np.array(TISSUE_COLOURS[tissue]) / 255
        shown, wanted = shown - shown.min(), wanted - wanted.min()
        if np.linalg.norm(shown) < 0.08:
            return False
        return float(shown @ wanted / np.linalg.norm(shown) / np.linalg.norm(wanted)) > 0.97

    wait(lambda: view.surfaces.is_current and view.surfaces.head is not None)
    middle = pixel_of(CORE)
    assert max(hue_at(QPoint(2, 2))) < 0.02
    # The whole: oedema over the core, the core seen through it; each alone in its own colour.
    mixed = hue_at(middle)
    assert mixed[0] > 0.3
    assert mixed[1] > mixed[2] + 0.2
    state.set_hidden(Tissue.OEDEMA, True)
    assert is_like(middle, Tissue.ENHANCING)
    edge = pixel_of((CORE[0], CORE[1], CORE[2] + 7))
    assert not is_like(edge, Tissue.OEDEMA)
    state.set_hidden(Tissue.OEDEMA, False)
    assert is_like(edge, Tissue.OEDEMA)
    state.set_hidden(Tissue.ENHANCING, True)
    assert is_like(middle, Tissue.OEDEMA)
    state.set_hidden(Tissue.ENHANCING, False)
    state.set_colours({**TISSUE_COLOURS, Tissue.OEDEMA: (0, 0, 255)})
    assert hue_at(edge)[2] > hue_at(edge)[1] + 0.1
    state.set_colours(TISSUE_COLOURS)
    state.set_show_mask(False)
    assert not is_like(edge, Tissue.OEDEMA)
    state.set_show_mask(True)
    # Only the head is grey, and it is there.
    side = pixel_of((20, 30, 25))
    assert 0.02 < max(hue_at(side)) < 0.5
    assert max(hue_at(side)) - min(hue_at(side)) < 0.1
    # An edit is seen without asking.
    edit(state, rating, Box((14, 24, 18), (27, 37, 32)), Tissue.NECROSIS)
    wait(lambda: view.surfaces.is_current)
    assert is_like(side, Tissue.NECROSIS)
    # A click there goes there.
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, side)
    assert rating.label_map.array[state.cursor] == Tissue.NECROSIS
    # Turned, the same place is elsewhere on the screen, and its colour has gone there.
    view.set_orbit(view.orbit.turned(-60, 0))
    there = pixel_of((20, 30, 25))
    assert (there - side).manhattanLength() > 30, (there, side)
    assert is_like(there, Tissue.NECROSIS)
    assert not is_like(side - (there - side), Tissue.NECROSIS)
    view.annotated = True
    view.grab()
    jobs.close()
    view.close()
    with contextlib.suppress(RuntimeError):
        view.deleteLater()
    app.processEvents()
    print("drawn")
    return 0


if __name__ == "__main__":
    raise SystemExit(draw_and_check())
