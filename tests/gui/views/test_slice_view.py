"""Mouse and keys on the views: which voxel, which pixel, which window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.plane import Camera, Plane, Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import MaskStyle, Mode, OverlayKind
from tests.gui.conftest import dab, disc, open_case, pixel_of, voxel_at


def wheel(view: SliceView, steps: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    centre = QPointF(view.width() / 2, view.height() / 2)
    event = QWheelEvent(
        centre,
        view.mapToGlobal(centre),
        QPoint(0, 0),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("zoom", [0.7, 1.0, 7.3])
def test_projection_round_trip(plane: Plane, zoom: float) -> None:
    projection = Projection(plane, (30, 40, 20), (1.0, 0.8, 3.0), 333, 251, Camera(zoom, (11.0, 22.0, 9.0)))
    for voxel in ((0.0, 0.0, 0.0), (12.3, 30.1, 5.0), (29.0, 39.0, 19.0)):
        back = projection.voxel_of(projection.point_of(voxel), round(voxel[plane.axis]))
        for axis in (plane.horizontal, plane.vertical):
            assert back[axis] == pytest.approx(voxel[axis])


def test_projection_agrees_with_the_picture_rectangle() -> None:
    projection = Projection(Plane.AXIAL, (10, 20, 5), (1, 1, 1), 400, 400, Camera(1.0, (4.5, 9.5, 2.0)))
    target = projection.target
    # Voxel (9, 19) is the top left pixel of the picture: right and front run against the screen.
    corner = projection.point_of((9.5, 19.5, 2.0))
    assert (corner.x(), corner.y()) == pytest.approx((target.left(), target.top()))
    corner = projection.point_of((-0.5, -0.5, 2.0))
    assert (corner.x(), corner.y()) == pytest.approx((target.right(), target.bottom()))


def test_radiological_sides(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    """The patient's right is left on the screen, the front at the top."""
    open_case(qtbot, window, sample)
    view = window.viewer.views[0]
    shape = window.session.case.grid.shape
    left_pixel = pixel_of(view, (shape[0] - 1, 0, 0))
    right_pixel = pixel_of(view, (0, 0, 0))
    assert window.session.case.grid.axis_codes == ("R", "A", "S")
    assert left_pixel.x() < right_pixel.x()
    assert pixel_of(view, (0, shape[1] - 1, 0)).y() < pixel_of(view, (0, 0, 0)).y()


def test_dab_covers_the_disc_under_the_mouse(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.views[1]
    case, state = window.session.case, window.state
    qtbot.keyClick(view, Qt.Key.Key_P)
    assert state.mode is Mode.BRUSH
    state.set_brush_mm(9)
    qtbot.keyClick(view, Qt.Key.Key_2)
    assert state.tissue is Tissue.OEDEMA
    pixel = QPoint(view.width() // 2 + 31, view.height() // 2 - 17)
    centre = view.projection.voxel_of(pixel.toPointF(), view.index)
    dab(qtbot, view, pixel)
    expected = disc(case.grid.shape, case.grid.spacing_mm, centre, 9.0)
    painted = window.session.own_rating().label_map.array
    np.testing.assert_array_equal(painted == Tissue.OEDEMA, expected)
    assert window.actions_by_name["undo"].text().startswith("Undo Brush, oedema, axial")


def test_held_ctrl_erases_and_escape_takes_back(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.views[0]
    labels = window.session.own_rating().label_map.array
    window.state.set_mode(Mode.BRUSH)
    centre = QPoint(view.width() // 2, view.height() // 2)
    dab(qtbot, view, centre)
    assert labels.any()
    dab(qtbot, view, centre, Qt.KeyboardModifier.ControlModifier)
    assert not labels.any()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, centre)
    assert labels.any()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert not labels.any()
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, centre)
    assert len(window.session.own_rating().history.undo_names) == 2


def test_fast_stroke_leaves_no_gap(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.views[0]
    window.state.set_mode(Mode.BRUSH)
    window.state.set_brush_mm(3)
    start, end = QPoint(view.width() // 2 - 60, 150), QPoint(view.width() // 2 + 60, 150)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)
    first, last = voxel_at(view, start), voxel_at(view, end)
    labels = window.session.own_rating().label_map.array
    assert labels[last[0] : first[0] + 1, first[1], first[2]].all()
    assert len(window.session.own_rating().history.undo_names) == 1


def test_keep_other_labels(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.views[0]
    window.state.set_mode(Mode.BRUSH)
    centre = QPoint(view.width() // 2, view.height() // 2)
    dab(qtbot, view, centre)
    before = window.session.own_rating().label_map.array.copy()
    qtbot.keyClick(view, Qt.Key.Key_B)
    qtbot.keyClick(view, Qt.Key.Key_3)
    window.state.set_brush_mm(20)
    dab(qtbot, view, centre)
    after = window.session.own_rating().label_map.array
    assert (after[before != 0] == before[before != 0]).all()
    assert (after == Tissue.ENHANCING).any()


def test_wheel_keys_and_shift_move(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view, state = window.viewer.views[0], window.state
    z = state.cursor[2]
    wheel(view, 2)
    assert state.cursor[2] == z + 2
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    assert state.cursor[2] == z + 1
    zoom = state.camera.zoom
    wheel(view, 1, Qt.KeyboardModifier.ControlModifier)
    assert state.camera.zoom > zoom
    size = state.brush_mm
    wheel(view, 3, Qt.KeyboardModifier.ShiftModifier)
    assert state.brush_mm == size + 3
    target = (state.cursor[0] + 7, state.cursor[1] - 5, state.cursor[2])
    event_at = pixel_of(view, target)
    QApplication.sendEvent(view, _move(view, event_at, Qt.KeyboardModifier.ShiftModifier))
    assert state.cursor == target


def _move(view: SliceView, pixel: QPoint, keys: Qt.KeyboardModifier):
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    none = Qt.MouseButton.NoButton
    return QMouseEvent(
        QEvent.Type.MouseMove, pixel.toPointF(), view.mapToGlobal(pixel.toPointF()), none, none, keys
    )


def test_double_click_maximises_and_keeps_the_window(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.views[2]
    windows = dict(window.state.windows)
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    assert window.viewer.views == (view,)
    assert window.state.windows == windows
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    assert len(window.viewer.views) == 4


def test_window_drag_changes_one_sequence(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view = window.viewer.view_of(Sequence.T1CE)
    qtbot.keyClick(view, Qt.Key.Key_V)
    before = dict(window.state.windows)
    start = QPoint(100, 100)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    qtbot.mouseMove(view, QPoint(160, 100))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(160, 100))
    after = window.state.windows
    low, high = before[Sequence.T1CE]
    assert after[Sequence.T1CE][1] - after[Sequence.T1CE][0] > high - low
    assert all(after[s] == before[s] for s in before if s is not Sequence.T1CE)
    qtbot.keyClick(view, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert window.state.windows == before


def test_overlay_pixel_lies_on_its_voxel(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    """One labelled voxel colours the pixels over it and none over its neighbours."""
    open_case(qtbot, window, sample)
    view, state = window.viewer.views[0], window.state
    state.set_opacity(1.0)
    state.set_brush_mm(1)
    voxel = (state.cursor[0] + 12, state.cursor[1] + 9, state.cursor[2])
    # Several pixels for a voxel, so that a rounded pixel is never its neighbour's.
    state.set_camera(replace(state.camera, zoom=3.0))
    window.state.set_mode(Mode.BRUSH)
    state.set_tissue(Tissue.ENHANCING)
    dab(qtbot, view, pixel_of(view, voxel))
    labels = window.session.own_rating().label_map.array
    assert np.argwhere(labels).tolist() == [list(voxel)]
    window.state.set_mode(Mode.CROSSHAIR)
    picture = view.grab().toImage()
    colour = picture.pixelColor(pixel_of(view, voxel))
    assert (colour.red(), colour.green(), colour.blue()) == (240, 228, 66)
    for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        beside = picture.pixelColor(pixel_of(view, (voxel[0] + step[0], voxel[1] + step[1], voxel[2])))
        assert beside.red() == beside.green() == beside.blue(), "a grey image voxel"


def test_mask_keys(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view, state = window.viewer.views[0], window.state
    opacity = state.opacity
    qtbot.keyClick(view, Qt.Key.Key_D)
    assert state.opacity == pytest.approx(opacity + 0.1)
    qtbot.keyClick(view, Qt.Key.Key_S)
    assert not state.show_mask
    qtbot.keyClick(view, Qt.Key.Key_S)
    qtbot.keyClick(view, Qt.Key.Key_O)
    assert state.show_mask
    assert state.style is MaskStyle.OUTLINE
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert state.overlay is OverlayKind.DIFFERENCE


def test_planes_layout_is_linked(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.actions_by_name["planes"].trigger()
    views = window.viewer.views
    assert [v.plane for v in views] == [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL]
    assert {v.sequence for v in views} == {window.viewer.sequence}
    target = (30, 70, window.state.cursor[2])
    qtbot.mouseClick(views[0], Qt.MouseButton.LeftButton, pos=pixel_of(views[0], target))
    assert window.state.cursor == target
    assert views[1].index == 70
    assert views[2].index == 30


def test_read_only_mask_is_not_painted(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    reference = window.session.case.rating("Reference")
    window.session.show(reference)
    before = reference.label_map.array.copy()
    view = window.viewer.views[0]
    window.state.set_mode(Mode.BRUSH)
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    np.testing.assert_array_equal(reference.label_map.array, before)
    assert "read only" in window.messages.text
