"""The mouse on a slice view: which event means what, and whom it is handed to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from brainseg_desktop.core.geometry import nearest_voxel
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.view_state import Mode, Split, ViewState

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.slice_view import SliceView

_ZOOM_PER_PIXEL = 1.01
_ZOOM_PER_NOTCH = 1.15
# So near to the curtain's edge, in pixels, the mouse takes hold of it.
_CURTAIN_REACH = 6
# A right button that moved less than this was a click.
_CLICK = 4

_Button = Qt.MouseButton
_Key = Qt.KeyboardModifier


class SliceMouse:
    """Turns the mouse events of one view into calls on its position, the tools and the state.

    Parameters
    ----------
    view : SliceView
    state : ViewState
    toolbox : Toolbox
    measuring : Measuring
    """

    def __init__(self, view: SliceView, state: ViewState, toolbox: Toolbox, measuring: Measuring) -> None:
        self._view, self._state, self._toolbox, self._measuring = view, state, toolbox, measuring
        self._button: Qt.MouseButton | None = None
        self._last = QPointF()
        self._way = 0.0
        self._holds_curtain = False
        self._wheel_rest = 0

    # Buttons ----------------------------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        """A button goes down."""
        point, keys = event.position(), event.modifiers()
        self._button, self._last, self._way = event.button(), point, 0.0
        if event.button() != _Button.LeftButton:
            return
        view, state = self._view, self._state
        self._holds_curtain = self._on_curtain(point)
        if self._holds_curtain or self._measuring.press(view, point, keys):
            return
        tool = self._toolbox.active
        if tool is not None:
            tool.press(view, point, keys)
        elif state.mode is Mode.CROSSHAIR:
            if keys & _Key.ControlModifier:
                self._pick(point)
            else:
                view.position.set_cursor(nearest_voxel(view.voxel_at(point)))

    def move(self, event: QMouseEvent) -> None:
        """The mouse moves, with or without a button."""
        view, state = self._view, self._state
        point, keys = event.position(), event.modifiers()
        delta, self._last = point - self._last, point
        if self._holds_curtain:
            state.set_curtain(point.x() / max(1, view.width()))
            return
        if self._measuring.is_busy:
            self._measuring.move(view, point, keys)
        elif self._button is None:
            self._show_handle(point)
        tool = self._toolbox.active
        if tool is not None:
            tool.move(view, point, keys, pressed=self._button == _Button.LeftButton)
        if keys & _Key.ShiftModifier:
            view.position.set_cursor(self._in_plane(point))
        if self._button is None:
            return
        self._way += abs(delta.x()) + abs(delta.y())
        if self._button == _Button.MiddleButton:
            self._pan(delta)
        elif self._button == _Button.RightButton:
            if self._way > _CLICK:
                self._zoom(_ZOOM_PER_PIXEL ** (-delta.y()), QPointF(view.width() / 2, view.height() / 2))
        elif self._button == _Button.LeftButton and not self._measuring.is_busy:
            if state.mode is Mode.WINDOW:
                self._drag_window(delta)
            elif state.mode is Mode.CROSSHAIR and not keys & _Key.ControlModifier:
                view.position.set_cursor(self._in_plane(point))

    def release(self, event: QMouseEvent) -> None:
        """A button comes up."""
        button, self._button = self._button, None
        if event.button() == _Button.RightButton and button == _Button.RightButton and self._way <= _CLICK:
            self._view.menu_requested.emit(event.globalPosition().toPoint())
        if event.button() != _Button.LeftButton:
            return
        self._holds_curtain = False
        if self._measuring.is_busy:
            self._measuring.release(self._view, event.position())
        elif self._toolbox.active is not None:
            self._toolbox.active.release(self._view, event.position(), event.modifiers())

    def double_click(self, event: QMouseEvent) -> bool:
        """A second click soon after the first; False where it is not the tools' and means the view."""
        tool = self._toolbox.active
        if tool is None or event.button() != _Button.LeftButton:
            return False
        self._button, self._last, self._way = event.button(), event.position(), 0.0
        tool.double_click(self._view, event.position(), event.modifiers())
        return True

    def forget(self) -> None:
        """The buttons that were down no longer count (a double click, a case that was closed)."""
        self._button = None
        self._holds_curtain = False

    def _show_handle(self, point: QPointF) -> None:
        shape = self._measuring.cursor_for(self._view, point)
        if shape is None and self._on_curtain(point):
            shape = Qt.CursorShape.SplitHCursor
        if shape is None:
            self._view.unsetCursor()
        else:
            self._view.setCursor(shape)

    def _on_curtain(self, point: QPointF) -> bool:
        edge = self._state.curtain * self._view.width()
        return self._state.split is Split.CURTAIN and abs(point.x() - edge) <= _CURTAIN_REACH

    def _pick(self, point: QPointF) -> None:
        """Choose the label under the mouse."""
        voxel = nearest_voxel(self._view.voxel_at(point))
        rating, case = self._state.rating, self._state.case
        if rating is not None and case is not None and case.grid.contains(voxel):
            tissue = Tissue(int(rating.label_map.array[voxel]))
            if tissue is not Tissue.BACKGROUND:
                self._state.set_tissue(tissue)

    def _in_plane(self, point: QPointF) -> tuple[int, int, int]:
        """The crosshair moves within the slice; the slice itself stays."""
        moved = list(nearest_voxel(self._view.voxel_at(point)))
        moved[self._view.plane.axis] = self._view.index
        return (moved[0], moved[1], moved[2])

    # Wheel ------------------------------------------------------------------------------------------

    def wheel(self, event: QWheelEvent) -> None:
        """Slices; with Ctrl zoom, with Shift the size of the brush."""
        # Shift turns the wheel sideways on some systems.
        angle = event.angleDelta().y() or event.angleDelta().x()
        keys, view = event.modifiers(), self._view
        tool = self._toolbox.active
        if keys & _Key.ControlModifier:
            if (
                tool is not None
                and angle
                and tool.wheel(view, event.position(), 1 if angle > 0 else -1, keys)
            ):
                return
            self._zoom(_ZOOM_PER_NOTCH ** (angle / 120), event.position())
            return
        self._wheel_rest += angle
        steps = int(self._wheel_rest / 120)
        self._wheel_rest -= steps * 120
        if steps == 0:
            return
        if tool is not None and tool.wheel(view, event.position(), steps, keys):
            return
        if keys & _Key.ShiftModifier:
            self._state.set_tool_mm(self._state.tool_mm + steps)
            return
        view.position.step(view.plane, steps)
        if tool is not None:
            tool.scrolled(view, event.position())

    # Camera and window ------------------------------------------------------------------------------

    def _pan(self, delta: QPointF) -> None:
        before = self._view.voxel_at(QPointF(0, 0))
        after = self._view.voxel_at(delta)
        self._move_camera(self._view.position.camera.zoom, before, after)

    def _zoom(self, factor: float, anchor: QPointF) -> None:
        """Zoom so that the point under the mouse stays where it is."""
        position = self._view.position
        before = self._view.voxel_at(anchor)
        zoom = self._state.limited(replace(position.camera, zoom=position.camera.zoom * factor)).zoom
        after = self._view.voxel_at(anchor, zoom=zoom)
        self._move_camera(zoom, before, after)

    def _move_camera(
        self, zoom: float, before: tuple[float, float, float], after: tuple[float, float, float]
    ) -> None:
        """Bring `before` to where `after` is now."""
        plane, position = self._view.plane, self._view.position
        centre = list(position.camera.centre)
        for axis in (plane.horizontal, plane.vertical):
            centre[axis] += before[axis] - after[axis]
        position.set_camera(replace(position.camera, zoom=zoom, centre=(centre[0], centre[1], centre[2])))

    def _drag_window(self, delta: QPointF) -> None:
        """Left-right changes the width, up-down the level."""
        low, high = self._state.windows[self._view.sequence]
        width, level = high - low, (high + low) / 2
        step = max(width, 1e-3) / 300
        width = max(1e-3, width + delta.x() * step * 2)
        level += delta.y() * step
        self._state.set_window(self._view.sequence, (level - width / 2, level + width / 2))
