"""One view: a slice of one sequence with the mask over it, and the mouse on it.

It holds no data: it draws what the `ViewState` points at and turns events into calls on it and on the
brush. Pictures are drawn with QPainter on the CPU: a reading station has no GPU, and four linked views
must follow the wheel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.brush_tool import BrushTool
from brainseg_desktop.gui.plane import Camera, Plane, Projection, grey_pixels, picture, side_letters
from brainseg_desktop.gui.slice_drawing import (
    draw_brush,
    draw_corners,
    draw_crosshair,
    draw_focus,
    draw_mask,
    draw_missing,
    draw_scale,
)
from brainseg_desktop.gui.view_state import Mode, ViewState

_ZOOM_PER_PIXEL = 1.01


class SliceView(QWidget):
    """A slice of `sequence` along `plane`.

    Signals
    -------
    maximise_requested : the view was double-clicked.
    hovered : voxel index under the mouse, or None.
    """

    maximise_requested = Signal()
    hovered = Signal(object)

    def __init__(
        self,
        state: ViewState,
        tool: BrushTool,
        sequence: Sequence,
        plane: Plane,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._tool = tool
        self.sequence = sequence
        self.plane = plane
        self._grey: QImage | None = None
        self._pixels: NDArray[np.uint32] | None = None
        self._grey_key: object = None
        self._letters: tuple[str, str, str, str] | None = None
        self._mouse: QPointF | None = None
        self._drag: tuple[Qt.MouseButton, QPointF] | None = None
        self._wheel_rest = 0
        self.setMouseTracking(True)
        self.setMinimumSize(120, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"{sequence.value} {plane.title} view")
        for signal in (
            state.case_changed,
            state.cursor_changed,
            state.camera_changed,
            state.windows_changed,
            state.overlay_changed,
            state.tool_changed,
        ):
            signal.connect(self.update)
        state.case_changed.connect(self._forget_picture)
        state.voxels_changed.connect(self.refresh)

    # What is shown ----------------------------------------------------------------------------------

    def set_shown(self, sequence: Sequence, plane: Plane) -> None:
        """Show another sequence or plane."""
        self.sequence, self.plane = sequence, plane
        self.setAccessibleName(f"{sequence.value} {plane.title} view")
        self._forget_picture()
        self.update()

    @property
    def index(self) -> int:
        """Number of the slice shown, from 0."""
        return self._state.cursor[self.plane.axis]

    @property
    def projection(self) -> Projection | None:
        """The way between pixels and voxels; None without a case."""
        case = self._state.case
        if case is None:
            return None
        return Projection(
            self.plane,
            case.grid.shape,
            case.grid.spacing_mm,
            float(self.width()),
            float(self.height()),
            self._state.camera,
        )

    def refresh(self, box: Box) -> None:
        """Redraw what shows the voxels of `box`, if this slice cuts it."""
        projection = self.projection
        if projection is None or not box.holds_plane(self.plane.axis, self.index):
            return
        first = projection.point_of(tuple(v - 0.5 for v in box.start))  # type: ignore[arg-type]
        last = projection.point_of(tuple(v - 0.5 for v in box.stop))  # type: ignore[arg-type]
        self.update(QRectF(first, last).normalized().toAlignedRect().adjusted(-2, -2, 2, 2))

    def _forget_picture(self) -> None:
        self._grey = self._grey_key = self._letters = None

    # Painting ---------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), Qt.GlobalColor.black)
        projection = self.projection
        volume = self._state.volume(self.sequence)
        if projection is None:
            return
        if volume is None:
            draw_missing(painter, self, self.sequence.value)
            return
        target = projection.target
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._state.smooth)
        painter.drawImage(target, self._grey_picture())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        mask = self._state.mask_picture(self.plane, self.index)
        if mask is not None:
            draw_mask(painter, mask, target)
        draw_crosshair(painter, projection, self._state.cursor)
        if self._letters is None:
            self._letters = side_letters(volume.grid, self.plane)
        draw_corners(painter, self, self._captions(volume), self._letters)
        if self._state.shows_uncertainty:
            draw_scale(painter, self)
        if self._mouse is not None and self._state.mode in (Mode.BRUSH, Mode.ERASER):
            radius = self._state.brush_mm / 2 * projection.pixels_per_mm
            draw_brush(painter, self._mouse, radius, None if self._tool.is_erasing else self._state.tissue)
        if self.hasFocus():
            draw_focus(painter, self)

    def _captions(self, volume: Volume) -> tuple[str, str, str]:
        """Name of the sequence, place of the slice, window."""
        where = f"{self.plane.title} {self.index + 1}/{volume.grid.shape[self.plane.axis]}"
        if volume.grid.spacing_known:
            where += f"   {volume.grid.world_of(self._state.cursor)[self.plane.axis]:.1f} mm"
        low, high = self._state.windows[self.sequence]
        decimals = 0 if high - low >= 20 else 2
        window = f"W {high - low:.{decimals}f}  L {(high + low) / 2:.{decimals}f}"
        return self.sequence.value, where, window

    def _grey_picture(self) -> QImage:
        volume = self._state.volume(self.sequence)
        assert volume is not None
        window = self._state.windows[self.sequence]
        key = (self.plane, self.index, window)
        if self._grey is None or self._grey_key != key:
            pixels = grey_pixels(picture(volume.data, self.plane, self.index), window)
            rows, columns = pixels.shape
            self._pixels = pixels  # the image shares this memory
            self._grey = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
            self._grey_key = key
        return self._grey

    # Mouse ------------------------------------------------------------------------------------------

    def _voxel(self, point: QPointF) -> tuple[float, float, float]:
        projection = self.projection
        assert projection is not None
        return projection.voxel_of(point, self.index)

    def _has_picture(self) -> bool:
        return self._state.volume(self.sequence) is not None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self._has_picture():
            return
        point, button, keys = event.position(), event.button(), event.modifiers()
        self._drag = (button, point)
        if button != Qt.MouseButton.LeftButton:
            return
        state = self._state
        if state.mode in (Mode.BRUSH, Mode.ERASER) and not keys & Qt.KeyboardModifier.ShiftModifier:
            self._tool.press(
                self._voxel(point), self.plane, erase=bool(keys & Qt.KeyboardModifier.ControlModifier)
            )
        elif state.mode is Mode.CROSSHAIR:
            if keys & Qt.KeyboardModifier.ControlModifier:
                self._pick(point)
            else:
                state.set_cursor(nearest_voxel(self._voxel(point)))

    def _pick(self, point: QPointF) -> None:
        """Choose the label under the mouse."""
        voxel = nearest_voxel(self._voxel(point))
        rating, case = self._state.rating, self._state.case
        if rating is not None and case is not None and case.grid.contains(voxel):
            tissue = Tissue(int(rating.label_map.array[voxel]))
            if tissue is not Tissue.BACKGROUND:
                self._state.set_tissue(tissue)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._has_picture():
            return
        point, keys = event.position(), event.modifiers()
        self._move_brush_circle(point, erase=bool(keys & Qt.KeyboardModifier.ControlModifier))
        voxel = nearest_voxel(self._voxel(point))
        case = self._state.case
        self.hovered.emit(voxel if case is not None and case.grid.contains(voxel) else None)
        if self._tool.is_painting:
            self._tool.move(self._voxel(point))
        if keys & Qt.KeyboardModifier.ShiftModifier:
            self._state.set_cursor(self._in_plane(voxel))
        if self._drag is None:
            return
        button, last = self._drag
        self._drag = (button, point)
        delta = point - last
        if button == Qt.MouseButton.MiddleButton:
            self._pan(delta)
        elif button == Qt.MouseButton.RightButton:
            self._zoom(_ZOOM_PER_PIXEL ** (-delta.y()), QPointF(self.width() / 2, self.height() / 2))
        elif button == Qt.MouseButton.LeftButton and self._state.mode is Mode.WINDOW:
            self._drag_window(delta)
        elif (
            button == Qt.MouseButton.LeftButton
            and self._state.mode is Mode.CROSSHAIR
            and not keys & Qt.KeyboardModifier.ControlModifier
        ):
            self._state.set_cursor(self._in_plane(voxel))

    def _in_plane(self, voxel: tuple[int, int, int]) -> tuple[int, int, int]:
        """The crosshair moves within the slice; the slice itself stays."""
        moved = list(voxel)
        moved[self.plane.axis] = self.index
        return (moved[0], moved[1], moved[2])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        if event.button() == Qt.MouseButton.LeftButton and self._tool.is_painting:
            self._tool.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # While painting a quick second dab is a dab, not a wish to maximise.
        if self._state.mode in (Mode.BRUSH, Mode.ERASER):
            self.mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._drag = None
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._state.case is None:
            return
        # Shift turns the wheel sideways on some systems.
        angle = event.angleDelta().y() or event.angleDelta().x()
        keys = event.modifiers()
        event.accept()
        if keys & Qt.KeyboardModifier.ControlModifier:
            self._zoom(1.15 ** (angle / 120), event.position())
            return
        self._wheel_rest += angle
        steps = int(self._wheel_rest / 120)
        self._wheel_rest -= steps * 120
        if steps == 0:
            return
        if keys & Qt.KeyboardModifier.ShiftModifier:
            self._state.set_brush_mm(self._state.brush_mm + steps)
            return
        self._state.step(self.plane, steps)
        if self._tool.is_painting:
            self._tool.move(self._voxel(event.position()))

    def _pan(self, delta: QPointF) -> None:
        projection = self.projection
        assert projection is not None
        centre = list(self._state.camera.centre)
        for axis, pixels in ((self.plane.horizontal, delta.x()), (self.plane.vertical, delta.y())):
            centre[axis] += pixels / (projection.pixels_per_mm * projection.spacing[axis])
        self._state.set_camera(Camera(self._state.camera.zoom, (centre[0], centre[1], centre[2])))

    def _zoom(self, factor: float, anchor: QPointF) -> None:
        """Zoom so that the point under the mouse stays where it is."""
        before = self._voxel(anchor)
        state = self._state
        state.set_camera(Camera(state.camera.zoom * factor, state.camera.centre))
        after = self._voxel(anchor)
        centre = list(state.camera.centre)
        for axis in (self.plane.horizontal, self.plane.vertical):
            centre[axis] += before[axis] - after[axis]
        state.set_camera(Camera(state.camera.zoom, (centre[0], centre[1], centre[2])))

    def _drag_window(self, delta: QPointF) -> None:
        """Left-right changes the width, up-down the level; a view's height is the whole range."""
        low, high = self._state.windows[self.sequence]
        width, level = high - low, (high + low) / 2
        step = max(width, 1e-3) / 300
        width = max(1e-3, width + delta.x() * step * 2)
        level += delta.y() * step
        self._state.set_window(self.sequence, (level - width / 2, level + width / 2))

    def _move_brush_circle(self, point: QPointF, *, erase: bool) -> None:
        self._mouse = point
        if self._state.mode in (Mode.BRUSH, Mode.ERASER):
            self._tool.hover(erase=erase)
            self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def leaveEvent(self, event: QEvent) -> None:
        self._mouse = None
        self.hovered.emit(None)
        self.update()
