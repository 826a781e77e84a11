"""Measures the window: run in a process of its own by `brainseg bench`, on a case folder.

Real events are sent to real views and the clock stops when the picture is painted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.app import make_window
from brainseg_desktop.gui.bench_editing import measure_editing
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.surface.surface_bench import measure_surface
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import MaskStyle, Mode

START_VARIABLE = "BRAINSEG_BENCH_START"
_SIZE = (1800, 1000)


def main(arguments: list[str] | None = None) -> int:
    """``python -m brainseg_desktop.gui.bench CASE [start]``: prints JSON, times in milliseconds."""
    case, *what = sys.argv[1:] if arguments is None else arguments
    app = QApplication(["bench"])
    window = _open(app, Path(case))
    result: dict[str, list[float]] = {}
    if START_VARIABLE in os.environ:
        result["start_to_case_ms"] = [1000 * (time.time() - float(os.environ[START_VARIABLE]))]
    if "series" in what:
        result = {f"series_{plane.title}_ms": _steps(app, window, plane) for plane in Plane}
        result["series_open_ms"] = [1000 * (time.time() - float(os.environ[START_VARIABLE]))]
    elif "start" not in what:
        result |= measure(app, window)
    window.close()
    print(json.dumps(result))
    return 0


def measure(app: QApplication, window: MainWindow) -> dict[str, list[float]]:
    """Times of single acts, in milliseconds, by name; memory in MB.

    Parameters
    ----------
    window : MainWindow
        With a case open.
    """
    result = {"memory_mb": _memory_mb()}
    _fill_mask(window)
    state, history = window.state, window.session.own_rating().history
    result["slice_step_ms"] = _steps(app, window)
    state.set_style(MaskStyle.OUTLINE)
    result["slice_step_outline_ms"] = _steps(app, window)
    state.set_style(MaskStyle.FILL)
    result |= measure_views(app, window)
    state.set_mode(Mode.BRUSH)
    state.set_tissue(Tissue.OEDEMA)
    state.set_brush_mm(16)
    result["disc_dab_ms"] = _dabs(app, window)
    state.set_ball(True)
    result["ball_dab_ms"] = _dabs(app, window)
    state.set_ball(False)
    undo, redo = [], []
    for _ in range(20):
        undo.append(_timed(app, history.undo))
    for _ in range(20):
        redo.append(_timed(app, history.redo))
    result["undo_ms"], result["redo_ms"] = undo, redo
    result |= measure_editing(app, window)
    result |= measure_surface(app, window)
    live = window.session.live
    if live is not None:
        result["live_dice_ms"] = _live(window)
    result |= _while_segmenting(app, window)
    return result


def _memory_mb() -> list[float]:
    """The most memory this process has held; nothing where the system does not tell."""
    try:
        import resource
    except ImportError:
        return []
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [kilobytes / (1024**2 if sys.platform == "darwin" else 1024)]


def _open(app: QApplication, case: Path) -> MainWindow:
    window = make_window(app)
    window.resize(*_SIZE)
    window.open_path(case)
    window.show()
    while window.session.case is None:
        app.processEvents()
    _settle(app)
    return window


def _settle(app: QApplication) -> None:
    """Until everything asked for is painted."""
    for _ in range(3):
        app.sendPostedEvents()
        app.processEvents()


def _timed(app: QApplication, act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    app.processEvents()
    return 1000 * (time.perf_counter() - start)


def _fill_mask(window: MainWindow) -> None:
    """Paint three nested ellipsoids (about 150 mL) into the own mask, to be drawn and compared."""
    session = window.session
    assert session.case is not None
    shape = session.case.grid.shape
    x, y, z = (
        (np.arange(n) - n / 2).reshape([-1 if a == i else 1 for a in range(3)]) for i, n in enumerate(shape)
    )
    radius = np.sqrt((x / 0.9) ** 2 + y**2 + (z / 0.8) ** 2)
    labels = np.zeros(shape, dtype=np.uint8)
    for limit, tissue in ((36, Tissue.OEDEMA), (24, Tissue.ENHANCING), (18, Tissue.NECROSIS)):
        labels[np.broadcast_to(radius < limit, shape)] = tissue
    own = session.own_rating()
    with own.history.edit("Fill") as stroke:
        stroke.replace(Box((0, 0, 0), shape), labels)
    session.show(own)


def _steps(app: QApplication, window: MainWindow, plane: Plane | None = None) -> list[float]:
    """Slice steps through the mask, up and down, in the four linked views."""
    if plane is not None:
        window.viewer.set_plane(plane)
        _settle(app)
    times = []
    for direction in (1, -1):
        for _ in range(30):
            times.append(_timed(app, partial(window.state.step, window.viewer.plane, direction)))
    return times


def measure_views(app: QApplication, window: MainWindow) -> dict[str, list[float]]:
    """A window drag, zoom and crosshair by real events, and slice steps on a screen of 3840x2160."""
    state, view = window.state, window.viewer.views[0]
    before = state.windows[view.sequence], state.camera, state.cursor
    centre = QPointF(view.width() / 2, view.height() / 2)
    result: dict[str, list[float]] = {"window_drag_ms": [], "zoom_ms": [], "crosshair_ms": []}
    for mode, name in ((Mode.WINDOW, "window_drag_ms"), (Mode.CROSSHAIR, "crosshair_ms")):
        state.set_mode(mode)
        _mouse(view, QEvent.Type.MouseButtonPress, centre)
        for number in range(1, 31):
            point = centre + QPointF(2.0 * number, 1.5 * number)
            result[name].append(_timed(app, partial(_mouse, view, QEvent.Type.MouseMove, point)))
        _mouse(view, QEvent.Type.MouseButtonRelease, point)
    for number in range(30):
        result["zoom_ms"].append(
            _timed(app, partial(_turn_wheel, view, centre, 120 if number < 15 else -120))
        )
    state.set_window(view.sequence, before[0])
    state.set_camera(before[1])
    state.set_cursor(before[2])
    window.resize(3840, 2160)
    _settle(app)
    result["slice_step_4k_ms"] = _steps(app, window)
    window.resize(*_SIZE)
    _settle(app)
    return result


def _turn_wheel(widget: QWidget, point: QPointF, angle: int) -> None:
    event = QWheelEvent(
        point,
        widget.mapToGlobal(point),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def _dabs(app: QApplication, window: MainWindow) -> list[float]:
    """Dabs inside one long stroke and as strokes of their own, by mouse events."""
    view = window.viewer.views[0]
    centre = QPointF(view.width() / 2, view.height() / 2)
    times = []
    for number in range(30):
        point = centre + QPointF(7.0 * (number % 10) - 35, 9.0 * (number // 10) - 9)
        times.append(_timed(app, partial(_mouse, view, QEvent.Type.MouseButtonPress, point)))
        _mouse(view, QEvent.Type.MouseButtonRelease, point)
        app.processEvents()
    return times


def _while_segmenting(app: QApplication, window: MainWindow) -> dict[str, list[float]]:
    """From the click to the first mask, to the whole mask, and slice steps meanwhile; the worker is warm."""
    window.segmenting.warm_up()
    _run_segmentation(app, window)
    first, whole, steps = [], [], []
    for _ in range(2):
        seen, total, between = _run_segmentation(app, window)
        first.append(seen)
        whole.append(total)
        steps += between
    return {"first_mask_s": first, "case_segmented_s": whole, "slice_step_while_segmenting_ms": steps}


def _run_segmentation(app: QApplication, window: MainWindow) -> tuple[float, float, list[float]]:
    state, segmenting = window.state, window.segmenting
    steps: list[float] = []
    seen = 0.0
    start = time.perf_counter()
    segmenting.start()
    while segmenting.is_running:
        app.processEvents()
        if not seen and state.preview is not None:
            _settle(app)
            seen = time.perf_counter() - start
        if seen:
            # A reader who turns the wheel: some twenty steps a second.
            steps.append(
                _timed(app, partial(state.step, window.viewer.plane, 1 if len(steps) % 60 < 30 else -1))
            )
        time.sleep(0.03)
    return seen, time.perf_counter() - start, steps


def _mouse(widget: QWidget, kind: QEvent.Type, point: QPointF) -> None:
    left = Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else left
    event = QMouseEvent(kind, point, widget.mapToGlobal(point), left, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def _live(window: MainWindow) -> list[float]:
    """Counts and Dice of three regions after a stroke of 16 x 16 x 16 voxels."""
    session = window.session
    live, own = session.live, session.own_rating()
    assert live is not None
    times = []
    middle = [n // 2 for n in own.label_map.shape]
    box = Box((middle[0], middle[1], middle[2]), (middle[0] + 16, middle[1] + 16, middle[2] + 16))
    for number in range(30):
        stroke = own.history.begin()
        values = np.full(box.shape, Tissue.OEDEMA if number % 2 else Tissue.NECROSIS, dtype=np.uint8)
        stroke.replace(box, values)
        own.history.cancel()
        start = time.perf_counter()
        live.update(box)
        live.scores(own.scheme.regions)
        times.append(1000 * (time.perf_counter() - start))
    return times


if __name__ == "__main__":
    raise SystemExit(main())
