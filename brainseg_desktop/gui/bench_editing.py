"""Measures the editor: each tool from the act to the painted picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode

_PATIENCE_S = 30.0
_ROUNDS = 7


def measure_editing(app: QApplication, window: MainWindow) -> dict[str, list[float]]:
    """Times in milliseconds by name; all edits are taken back.

    Parameters
    ----------
    window : MainWindow
        With a case open and the reader's own mask of about 150 mL shown.
    """
    state, session = window.state, window.session
    history, view = session.own_rating().history, window.viewer.views[0]
    depth = history.depth
    result = {
        "large_ball_dab_ms": _dabs(app, window, view, Mode.BRUSH, 40.0, ball=True),
        "smart_dab_ms": _dabs(app, window, view, Mode.SMART_BRUSH, 16.0, ball=False),
    }
    state.set_tissue(Tissue.OEDEMA)
    undo: list[float] = []
    for name, act in (
        ("smooth_ms", partial(window.label_editing.smooth, 2.0)),
        ("grow_label_ms", partial(window.label_editing.grow, 2.0)),
    ):
        result[name] = []
        for _ in range(_ROUNDS):
            result[name].append(_waited(app, act, lambda: not window.label_editing.busy))
            for _ in range(2):
                undo.append(_timed(app, session.undo))
                undo.append(_timed(app, session.redo))
            session.undo()
    result["undo_whole_ms"] = undo
    result["interpolate_ms"] = _interpolations(app, window)
    result["refine_ms"] = _refinements(app, window, view)
    result["fill_ms"] = _fills(app, window, view)
    history.go_to(depth)
    state.set_mode(Mode.CROSSHAIR)
    app.processEvents()
    return result


def _dabs(
    app: QApplication, window: MainWindow, view: SliceView, mode: Mode, size_mm: float, *, ball: bool
) -> list[float]:
    state = window.state
    before = state.brush_mm, state.ball
    state.set_mode(mode)
    state.set_brush_mm(size_mm)
    state.set_ball(ball)
    centre = QPointF(view.width() / 2, view.height() / 2)
    times = []
    for number in range(20):
        # Another label than the dab before, so that each one changes voxels.
        state.set_tissue((Tissue.ENHANCING, Tissue.NECROSIS)[number % 2])
        point = centre + QPointF(11.0 * (number % 5) - 60, 11.0 * (number // 5) - 90)
        times.append(_timed(app, partial(_mouse, view, QEvent.Type.MouseButtonPress, point)))
        _mouse(view, QEvent.Type.MouseButtonRelease, point)
        app.processEvents()
    state.set_brush_mm(before[0])
    state.set_ball(before[1])
    return times


def _interpolations(app: QApplication, window: MainWindow) -> list[float]:
    """Every tenth slice of the tumour is kept as if drawn by hand; those between are proposed."""
    own, interpolating = window.session.own_rating(), window.interpolating
    sparse = np.array(own.label_map.array)
    sparse[:, :, [z for z in range(sparse.shape[2]) if z % 11]] = 0
    with own.history.edit("Every tenth slice") as stroke:
        stroke.replace(Box((0, 0, 0), sparse.shape), sparse)
    times = []
    for _ in range(_ROUNDS):
        times.append(_waited(app, interpolating.preview, lambda: interpolating.proposal is not None))
        interpolating.drop()
    window.session.undo()
    return times


def _refinements(app: QApplication, window: MainWindow, view: SliceView) -> list[float]:
    """One stroke inside, then the proposal."""
    window.state.set_mode(Mode.SCRIBBLE)
    start = QPointF(view.width() / 2 - 20, view.height() / 2)
    times = []
    for _ in range(_ROUNDS):
        _mouse(view, QEvent.Type.MouseButtonPress, start)
        for step in range(1, 8):
            _mouse(view, QEvent.Type.MouseMove, start + QPointF(6.0 * step, 2.0 * step))
        release = partial(_mouse, view, QEvent.Type.MouseButtonRelease, start + QPointF(42.0, 14.0))
        times.append(_waited(app, release, lambda: window.scribbles.is_ready))
        window.scribbles.cancel()
        app.processEvents()
    return times


def _fills(app: QApplication, window: MainWindow, view: SliceView) -> list[float]:
    """Region growing in three dimensions in an empty mask, from the release to the step."""
    state, own = window.state, window.session.own_rating()
    history, ball = own.history, state.ball
    with history.edit("Clear") as stroke:
        stroke.replace(Box((0, 0, 0), own.label_map.shape), np.zeros(own.label_map.shape, np.uint8))
    state.set_mode(Mode.FILL)
    state.set_ball(True)
    start = _seed(view)
    end = start - QPointF(0, 40.0)
    times = []
    for _ in range(_ROUNDS):
        depth = history.depth
        _mouse(view, QEvent.Type.MouseButtonPress, start)
        # Dragged upwards: twice the first tolerance.
        _mouse(view, QEvent.Type.MouseMove, end)
        release = partial(_mouse, view, QEvent.Type.MouseButtonRelease, end)
        times.append(_waited(app, release, lambda depth=depth: history.depth > depth))  # type: ignore[misc]
        history.go_to(depth)
        app.processEvents()
    state.set_ball(ball)
    return times


def _seed(view: SliceView) -> QPointF:
    """A point of the view over bright tissue, as a lesion is: of the 97th percentile of what is not empty."""
    volume, projection = view.volume, view.projection
    assert volume is not None
    assert projection is not None
    cut = np.asarray(volume.data[:, :, view.index], np.float32)
    inside = cut > cut.min()
    away = np.abs(cut - np.percentile(cut[inside], 97))
    x, y = np.unravel_index(int(np.argmin(np.where(inside, away, np.inf))), cut.shape)
    return projection.point_of((float(x), float(y), float(view.index)))


def _timed(app: QApplication, act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    app.processEvents()
    return 1000 * (time.perf_counter() - start)


def _waited(app: QApplication, act: Callable[[], object], done: Callable[[], bool]) -> float:
    """From an act to its result, painted."""
    start = time.perf_counter()
    act()
    while not done() and time.perf_counter() - start < _PATIENCE_S:
        app.processEvents()
        time.sleep(0.001)
    app.processEvents()
    return 1000 * (time.perf_counter() - start)


def _mouse(view: SliceView, kind: QEvent.Type, point: QPointF) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind is QEvent.Type.MouseMove else left
    held = none if kind is QEvent.Type.MouseButtonRelease else left
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(view, QMouseEvent(kind, point, view.mapToGlobal(point), button, held, keys))
