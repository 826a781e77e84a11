"""Measures the surface view: how soon it follows an edit, what that costs the slices, how fast it turns."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.surface.surface_view import NO_OPENGL, SurfaceView
from brainseg_desktop.gui.views.layouts import Layout
from brainseg_desktop.gui.views.plane import Plane

_EDITS, _TURNS = 5, 40
# A reader who turns the wheel: some twenty steps a second.
_STEP_S = 0.05
_PATIENCE_S = 30.0


def measure_surface(app: QApplication, window: MainWindow) -> dict[str, list[float]]:
    """Times in milliseconds by name; nothing where there is no OpenGL.

    Parameters
    ----------
    window : MainWindow
        With a case open and a mask painted. The layout is put back, the edits are taken back.

    Returns
    -------
    dict
        ``surface_rebuilt_ms`` from the end of an edit to the new surface on the screen, the pause of the hand
        included; ``slice_step_while_rebuilding_ms``, and the longest of them; ``surface_turned_ms`` for one
        frame.
    """
    before = window.viewer.layout_kind
    window.viewer.arrange(Layout.SURFACE)
    app.processEvents()
    surface = window.viewer.surface
    assert surface is not None
    result: dict[str, list[float]] = {}
    if surface.message != NO_OPENGL:
        _wait(app, lambda: surface.surfaces.is_current and surface.surfaces.head is not None)
        result = _rebuilt(app, window, surface)
        result["surface_turned_ms"] = _turned(app, surface)
    window.viewer.arrange(before)
    app.processEvents()
    return result


def _rebuilt(app: QApplication, window: MainWindow, surface: SurfaceView) -> dict[str, list[float]]:
    history = window.session.own_rating().history
    shape = window.session.own_rating().label_map.shape
    middle = [n // 2 for n in shape]
    box = Box((middle[0], middle[1], middle[2]), (middle[0] + 16, middle[1] + 16, middle[2] + 16))
    rebuilt: list[float] = []
    steps: list[float] = []
    for number in range(_EDITS):
        with history.edit("Bench") as stroke:
            labels = stroke.labels[box.slices].copy()
            labels[...] = Tissue.OEDEMA if number % 2 else Tissue.NECROSIS
            stroke.replace(box, labels)
        start = time.perf_counter()
        while not surface.surfaces.is_current:
            step = time.perf_counter()
            window.state.step(Plane.AXIAL, 1 if len(steps) % 60 < 30 else -1)
            app.processEvents()
            steps.append(1000 * (time.perf_counter() - step))
            while time.perf_counter() - step < _STEP_S and not surface.surfaces.is_current:
                app.processEvents()
        app.processEvents()
        rebuilt.append(1000 * (time.perf_counter() - start))
    for _ in range(_EDITS):
        history.undo()
    _wait(app, lambda: surface.surfaces.is_current)
    return {
        "surface_rebuilt_ms": rebuilt,
        "slice_step_while_rebuilding_ms": steps,
        "longest_step_while_rebuilding_ms": [max(steps)] if steps else [],
    }


def _turned(app: QApplication, surface: SurfaceView) -> list[float]:
    times = []
    for _ in range(_TURNS):
        start = time.perf_counter()
        surface.set_orbit(surface.orbit.turned(5.0, 0.0))
        app.processEvents()
        times.append(1000 * (time.perf_counter() - start))
    surface.reset()
    # The first frame is still the full one: it tells the view how fast this computer is.
    return times[1:]


def _wait(app: QApplication, ready: Callable[[], bool]) -> None:
    limit = time.perf_counter() + _PATIENCE_S
    while not ready():
        if time.perf_counter() > limit:
            raise RuntimeError("the surface was not ready in time")
        app.processEvents()
    app.processEvents()
