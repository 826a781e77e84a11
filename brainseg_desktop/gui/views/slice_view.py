"""One view: a slice of one sequence with the mask over it, and the mouse on it.

It holds no data: it draws what the `ViewState` points at and hands events on (`slice_mouse`). Pictures are
drawn with QPainter on the CPU: a reading station has no GPU, and four linked views must follow the wheel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QInputDevice,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPointingDevice,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.tools.rules import rules_in_words
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.link import Position
from brainseg_desktop.gui.views.plane import Camera, Plane, Projection, side_letters
from brainseg_desktop.gui.views.slice_drawing import (
    Captions,
    draw_captions,
    draw_crosshair,
    draw_curtain,
    draw_focus,
    draw_mask,
    draw_missing,
    draw_scale,
    draw_scale_bar,
    draw_votes,
)
from brainseg_desktop.gui.views.slice_mouse import SliceMouse
from brainseg_desktop.gui.views.slice_picture import SlicePicture
from brainseg_desktop.gui.views.view_state import Mode, Split, ViewState
from brainseg_desktop.services.language import tr

_TOOL_KEYS = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass(frozen=True, slots=True)
class Pen:
    """What a pen adds to the mouse: pressure from 0 to 1, and whether its eraser's end is down."""

    pressure: float
    is_eraser: bool


class SliceView(QWidget):
    """A slice of `sequence` along `plane`.

    Signals
    -------
    maximise_requested : the view was double-clicked.
    menu_requested : QPoint on the screen where the view's menu should open.
    hovered : voxel index under the mouse, or None.
    moved : the view went to another place by itself, its link held off.
    focused : the reader turned to this view.
    """

    maximise_requested = Signal()
    menu_requested = Signal(object)
    hovered = Signal(object)
    moved = Signal()
    focused = Signal()

    def __init__(
        self,
        state: ViewState,
        toolbox: Toolbox,
        measuring: Measuring,
        sequence: Sequence,
        plane: Plane,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._toolbox, self._measuring = toolbox, measuring
        self.sequence = sequence
        self.plane = plane
        self.position = Position(state, self._moved)
        self._pictures = (SlicePicture(), SlicePicture())
        self._mouse = SliceMouse(self, state, toolbox, measuring)
        # Where the mouse is on this view; None when it is elsewhere.
        self.pointer: QPointF | None = None
        self.pen: Pen | None = None
        # Pictures for a paper or a slide can be taken without what is written on them.
        self.annotated = True
        self.setMouseTracking(True)
        self.setMinimumSize(120, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        keep_sides(self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("{sequence} {plane} view", sequence=sequence.value, plane=plane.words))
        for signal in (
            state.case_changed,
            state.cursor_changed,
            state.camera_changed,
            state.windows_changed,
            state.overlay_changed,
            state.tool_changed,
            state.measurements_changed,
        ):
            signal.connect(self.update)
        state.case_changed.connect(self._forget_pictures)
        state.voxels_changed.connect(self.refresh)

    # What is shown ----------------------------------------------------------------------------------

    def set_shown(self, sequence: Sequence, plane: Plane) -> None:
        """Show another sequence or plane."""
        self.sequence, self.plane = sequence, plane
        self.setAccessibleName(tr("{sequence} {plane} view", sequence=sequence.value, plane=plane.words))
        self.update()

    @property
    def index(self) -> int:
        """Number of the slice shown, from 0."""
        return self.position.cursor[self.plane.axis]

    @property
    def volume(self) -> Volume | None:
        """The image shown; None without a case or where the exam lacks it."""
        return self._state.volume(self.sequence)

    @property
    def projection(self) -> Projection | None:
        """The way between pixels and voxels; None without a case."""
        return self._projection(self.position.camera)

    def _projection(self, camera: Camera) -> Projection | None:
        case = self._state.case
        if case is None:
            return None
        return Projection(
            self.plane,
            case.grid.shape,
            case.grid.spacing_mm,
            float(self.width()),
            float(self.height()),
            camera,
            self._state.orientation,
        )

    def voxel_at(self, point: QPointF, *, zoom: float | None = None) -> tuple[float, float, float]:
        """The fractional voxel under a point of the widget, or that would be there at another zoom."""
        camera = self.position.camera
        projection = self._projection(camera if zoom is None else replace(camera, zoom=zoom))
        assert projection is not None
        return projection.voxel_of(point, self.index)

    def set_linked(self, on: bool) -> None:
        """Move with the other views, or by itself."""
        self.position.set_linked(on)

    def refresh(self, box: Box) -> None:
        """Redraw what shows the voxels of `box`, if this slice cuts it."""
        projection = self.projection
        if projection is None or not box.holds_plane(self.plane.axis, self.index):
            return
        first = projection.point_of(tuple(v - 0.5 for v in box.start))  # type: ignore[arg-type]
        last = projection.point_of(tuple(v - 0.5 for v in box.stop))  # type: ignore[arg-type]
        self.update(QRectF(first, last).normalized().toAlignedRect().adjusted(-2, -2, 2, 2))

    def _moved(self) -> None:
        self.update()
        self.moved.emit()

    def _forget_pictures(self) -> None:
        for picture in self._pictures:
            picture.forget()
        self._mouse.forget()

    # Painting ---------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        painter.fillRect(event.rect(), Qt.GlobalColor.black)
        self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        projection = self.projection
        if projection is None:
            return
        if self.volume is None:
            draw_missing(painter, self, self.sequence.value)
            return
        self._paint_slices(painter, projection)
        if self.annotated:
            draw_crosshair(painter, projection, self.position.cursor)
            self._measuring.draw(painter, self, projection)
            self._paint_captions(painter, projection)
        for draw_proposal in self._toolbox.proposals if self.annotated else ():
            draw_proposal(painter, self, projection)
        if self._toolbox.active is not None:
            self._toolbox.active.draw(painter, self, projection)
        if self.hasFocus() and self.annotated:
            draw_focus(painter, self)

    def _paint_slices(self, painter: QPainter, projection: Projection) -> None:
        """The image and its mask; behind the curtain, or in their place, the second ones."""
        split = self._state.split
        if split is not Split.BLINK:
            self._paint_slice(painter, projection, second=False)
        if split is Split.NONE:
            return
        if split is Split.CURTAIN:
            edge = round(self._state.curtain * self.width())
            painter.save()
            painter.setClipRect(edge, 0, self.width() - edge, self.height(), Qt.ClipOperation.IntersectClip)
            painter.fillRect(self.rect(), Qt.GlobalColor.black)
        self._paint_slice(painter, projection, second=True)
        if split is Split.CURTAIN:
            painter.restore()
            draw_curtain(painter, self, self._state.curtain)

    def _paint_slice(self, painter: QPainter, projection: Projection, *, second: bool) -> None:
        state = self._state
        sequence = self._second_sequence() if second else self.sequence
        image = self._pictures[second].image(state, sequence, self.plane, self.index)
        target = projection.target
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, state.smooth)
        painter.drawImage(target, image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        other = second and state.reference is not None
        mask = state.mask_picture(self.plane, self.index, other=other)
        if mask is not None:
            draw_mask(painter, mask, target)

    def _second_sequence(self) -> Sequence:
        second = self._state.second_sequence
        return second if second is not None and self._state.volume(second) is not None else self.sequence

    def _paint_captions(self, painter: QPainter, projection: Projection) -> None:
        state, volume = self._state, self.volume
        assert volume is not None
        assert state.case is not None
        draw_captions(
            painter,
            self,
            self._captions(volume),
            side_letters(state.case.grid, self.plane, state.orientation),
        )
        if state.case.grid.spacing_known:
            beside = state.shows_uncertainty or state.shows_agreement_map
            draw_scale_bar(painter, self, projection.pixels_per_mm, beside_legend=beside)
        if state.shows_uncertainty:
            draw_scale(painter, self)
        elif state.shows_agreement_map:
            draw_votes(painter, self, len(state.readers))

    def _captions(self, volume: Volume) -> Captions:
        state = self._state
        assert state.case is not None
        grid = state.case.grid
        where = f"{self.plane.words} {self.index + 1}/{grid.shape[self.plane.axis]}"
        if grid.spacing_known:
            where += f"   {grid.world_of(self.position.cursor)[self.plane.axis]:.1f} mm"
        low, high = state.windows[self.sequence]
        decimals = 0 if high - low >= 20 else 2
        window = f"W {high - low:.{decimals}f}  L {(high + low) / 2:.{decimals}f}"
        marks = [state.orientation.remark(self.plane)]
        if self._toolbox.active is not None:
            marks += rules_in_words(state.constraints)
        if not self.position.is_linked:
            marks.append(tr("not linked"))
        if state.shows_agreement_map:
            marks.append(
                tr(
                    "{region}: in how many of {count} masks",
                    region=state.region.name,
                    count=len(state.readers),
                )
            )
        if not state.case.is_aligned(self.sequence):
            placement = state.case.placements.get(self.sequence)
            registered = placement is not None and placement.how == "registered"
            marks.append(tr("own grid, registered") if registered else tr("own grid"))
        return Captions(
            self.sequence.value,
            where,
            window,
            state.case.name,
            tuple(m for m in marks if m),
            *self._names_of_halves(),
        )

    def _names_of_halves(self) -> tuple[str, str]:
        """What is left and right of the curtain, or what is shown while blinking."""
        state = self._state
        if state.split is Split.NONE:
            return ("", "")
        first = [self.sequence.value]
        second = [self._second_sequence().value]
        if state.reference is not None and state.rating is not None:
            first.append(state.rating.rater)
            second.append(state.reference.rater)
        return ("" if state.split is Split.BLINK else ", ".join(first), ", ".join(second))

    def picture(self, *, annotated: bool, scale: float = 1.0) -> QImage:
        """The view as an image.

        Parameters
        ----------
        annotated : bool
            With captions, sides, crosshair and measurements, or the slice and the mask alone.
        scale : float
            Pixels of the image for one of the screen.
        """
        image = QImage(round(self.width() * scale), round(self.height() * scale), QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        image.fill(Qt.GlobalColor.black)
        painter = QPainter(image)
        keep_sides(painter)
        painter.setFont(self.font())
        pointer, self.pointer = self.pointer, None
        self.annotated = annotated
        try:
            self._paint(painter)
        finally:
            self.annotated, self.pointer = True, pointer
            painter.end()
        return image

    # Events -----------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._forget_pen(event)
        if self.volume is not None:
            self._mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._forget_pen(event)
        if self.volume is None:
            return
        self.pointer = event.position()
        voxel = nearest_voxel(self.voxel_at(event.position()))
        case = self._state.case
        self.hovered.emit(voxel if case is not None and case.grid.contains(voxel) else None)
        self._mouse.move(event)
        if self._toolbox.active is not None:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.volume is None:
            self._mouse.forget()
        else:
            self._mouse.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # While painting or measuring a quick second click is a click, not a wish to maximise.
        if self.volume is not None and self._mouse.double_click(event):
            return
        if self._state.mode not in (Mode.CROSSHAIR, Mode.WINDOW):
            self.mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._mouse.forget()
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._state.case is not None:
            event.accept()
            self._mouse.wheel(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The right button zooms by dragging; its click is told when it comes up again.
        if event.reason() is not QContextMenuEvent.Reason.Mouse:
            self.menu_requested.emit(self.mapToGlobal(self.rect().center()))
        event.accept()

    def event(self, event: QEvent) -> bool:
        # An open contour has these keys before the window's shortcuts.
        if (
            event.type() is QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in _TOOL_KEYS
            and self._toolbox.active is not None
            and self._toolbox.active.is_busy
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        tool = self._toolbox.active
        if tool is None or not tool.key(self, event):
            super().keyPressEvent(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        # Qt sends the mouse event that belongs to it next, as this one is not taken.
        is_eraser = event.pointerType() is QPointingDevice.PointerType.Eraser
        self.pen = Pen(event.pressure(), is_eraser)
        if event.type() is QEvent.Type.TabletRelease:
            self.pen = None
        event.ignore()

    def _forget_pen(self, event: QMouseEvent) -> None:
        """A mouse has neither pressure nor an eraser's end, whatever a pen did before."""
        if event.deviceType() is QInputDevice.DeviceType.Mouse:
            self.pen = None

    def enterEvent(self, event: QEnterEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit()

    def leaveEvent(self, event: QEvent) -> None:
        self.pointer = None
        self.hovered.emit(None)
        self.update()
