"""The three-dimensional view: labels as smooth surfaces in an outline of the head, to turn and to click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from brainseg_desktop.core.geometry import nearest_voxel
from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.surface.surface_camera import Orbit
from brainseg_desktop.gui.surface.surface_marks import (
    draw_legend,
    draw_planes,
    draw_sides,
    draw_title,
    draw_words,
)
from brainseg_desktop.gui.surface.surface_picture import LAYERS, SurfacePicture
from brainseg_desktop.gui.surface.surfaces import Surfaces
from brainseg_desktop.gui.views.slice_drawing import draw_focus
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import mark, tr

NO_OPENGL = mark(
    "The surface cannot be drawn because this computer offers no OpenGL 2.1 here. All "
    "other views work. A newer graphics driver usually brings it; over a remote desktop "
    "it may be missing."
)
NO_MASK = mark("No mask to show yet")
FAILED = mark("The surface could not be made; the log says why. All other views work.")

_DEGREES_PER_PIXEL, _DEGREES_PER_KEY, _ZOOM_PER_STEP = 0.45, 10.0, 1.15
_REST_MS = 300
_TURN_KEYS = {
    Qt.Key.Key_Left: (-_DEGREES_PER_KEY, 0.0),
    Qt.Key.Key_Right: (_DEGREES_PER_KEY, 0.0),
    Qt.Key.Key_Up: (0.0, _DEGREES_PER_KEY),
    Qt.Key.Key_Down: (0.0, -_DEGREES_PER_KEY),
}
_ZOOM_KEYS = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1}
_KEYS = {*_TURN_KEYS, *_ZOOM_KEYS, Qt.Key.Key_Home}


class SurfaceView(QWidget):
    """Labels as surfaces; follows a `ViewState`.

    Signals
    -------
    maximise_requested : the view was double-clicked.
    """

    maximise_requested = Signal()

    def __init__(self, state: ViewState, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.surfaces = Surfaces(state, jobs, self)
        self.orbit = Orbit()
        # Pictures for a paper or a slide can be taken without what is written on them.
        self.annotated = True
        self._picture = SurfacePicture()
        self._frame_box = np.zeros((2, 3))
        # Until the reader turns it, the view fits itself to what there is.
        self._fits = True
        # While a hand turns it, or an edit or the slices go on: coarse on a slow computer.
        self._moving = False
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._dragging = False
        self._before_click: tuple[int, int, int] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._come_to_rest)
        self.setMinimumSize(120, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Surface view"))
        self.setAccessibleDescription(tr("Labels as surfaces, turned with the arrow keys"))
        self.setToolTip(
            tr(
                "Drag: turn. Wheel: zoom. Middle button: move. Click: go to the point. Double click: "
                "maximise.\n"
                "Keys: arrows turn, + and - zoom, Home shows the whole head again."
            )
        )
        self.surfaces.changed.connect(self._take_new_surfaces)
        state.case_changed.connect(self.reset)
        state.cursor_changed.connect(self._follow_cursor)
        state.overlay_changed.connect(self._redraw)
        self.destroyed.connect(self._picture.close)

    # What is shown ----------------------------------------------------------------------------------

    @property
    def message(self) -> str:
        """The sentence in the middle where something cannot be shown; else empty."""
        if self._picture.works is False:
            return tr(NO_OPENGL)
        if self.surfaces.failed:
            return tr(FAILED)
        return tr(NO_MASK) if self.surfaces.is_current and not self.surfaces.tissues else ""

    @property
    def visible_tissues(self) -> tuple[Tissue, ...]:
        """The tissues that are drawn, from the inside outwards."""
        if not self._state.show_mask:
            return ()
        return tuple(t for t in LAYERS if t in self.surfaces.tissues and t not in self._state.hidden)

    def voxel_at(self, point: QPointF) -> tuple[int, int, int] | None:
        """The labelled voxel under a point of the widget; None where no surface is."""
        case, rating = self._state.case, self._state.rating
        if case is None or rating is None:
            return None
        origin, way = self.orbit.ray(point.x(), point.y(), self.width(), self.height())
        hits = ((self.surfaces.tissues[t].fine.hit(origin, way), t) for t in self.visible_tissues)
        found = [(distance, tissue) for distance, tissue in hits if distance is not None]
        if not found:
            return None
        distance, tissue = min(found)
        # The surface runs between two voxels: the first one behind it that has the label is meant.
        step = 0.2 * min(case.grid.spacing_mm)
        behind = (nearest_voxel(case.grid.voxel_of(origin + (distance + n * step) * way)) for n in range(12))
        voxels = [self._state.clamped(v) for v in behind]
        return next((v for v in voxels if rating.label_map.array[v] == tissue), voxels[0])

    def _take_surfaces(self) -> None:
        self._frame_box = self._box_of_head()
        if self._fits:
            self._fit()
        self._picture.set_surfaces(self.surfaces)
        self.update()

    def _take_new_surfaces(self) -> None:
        self._move()
        self._take_surfaces()

    def _follow_cursor(self) -> None:
        """The frames move; the picture below them stays, and a finer one waits until the slices rest."""
        if self._moving:
            self._rest.start()
        self.update()

    def _box_of_head(self) -> NDArray[np.float64]:
        """(2, 3) first and last voxel position of the head, else of the whole grid."""
        case, head = self._state.case, self.surfaces.head
        if case is None:
            return np.zeros((2, 3))
        if head is None:
            return np.array([[-0.5] * 3, [n - 0.5 for n in case.grid.shape]])
        voxels = case.grid.voxel_of(head.vertices_mm)
        margin = 5.0 / np.array(case.grid.spacing_mm)
        return np.stack([voxels.min(axis=0) - margin, voxels.max(axis=0) + margin])

    def _fit(self) -> None:
        """Show the whole head, from the angles that are set."""
        case, head = self._state.case, self.surfaces.head
        if head is not None:
            self.orbit = self.orbit.fitted(head.vertices_mm)
        elif case is not None:
            self.orbit = self.orbit.fitted(case.grid.world_of(self._frame_box))

    def _redraw(self) -> None:
        self._picture.forget()
        self.update()

    # Drawing ----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        case, area = self._state.case, self.rect()
        if case is not None and self._picture.works:
            ratio = self.devicePixelRatioF()
            colours = {t: self._state.colours.get(t, TISSUE_COLOURS[t]) for t in self.visible_tissues}
            image = self._picture.image(
                area.width() * ratio, area.height() * ratio, self.orbit, colours, moving=self._moving
            )
            if image is not None:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(area, image)
        if case is not None and self._picture.works and self.annotated:
            draw_planes(painter, area, self.orbit, case.grid, self._state.cursor, self._frame_box)
            draw_sides(painter, area, self.orbit)
            draw_legend(painter, area)
            rating = self._state.rating
            if rating is not None and self.visible_tissues:
                draw_title(
                    painter, area, tr("Surface of {rater}", rater=rating.rater), tr("smoothed for display")
                )
        if self.message:
            draw_words(painter, area, self.message)
        if self.hasFocus():
            draw_focus(painter, self)
        painter.end()

    def showEvent(self, event: QShowEvent) -> None:
        self.surfaces.set_active(self._picture.open())
        self._take_surfaces()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.surfaces.set_active(False)
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._redraw()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()

    # Camera -----------------------------------------------------------------------------------------

    def set_orbit(self, orbit: Orbit) -> None:
        """Look from somewhere else."""
        self.orbit = orbit
        self._fits = False
        self._move()
        self._redraw()

    def reset(self) -> None:
        """The whole head from the front and the left, a little above."""
        self.orbit = Orbit()
        self._fits = True
        self._take_surfaces()

    def _move(self) -> None:
        self._moving = True
        self._rest.start()

    def _come_to_rest(self) -> None:
        self._moving = False
        self._redraw()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in _TURN_KEYS:
            self.set_orbit(self.orbit.turned(*_TURN_KEYS[Qt.Key(key)]))
        elif key in _ZOOM_KEYS:
            self.set_orbit(self.orbit.zoomed(_ZOOM_PER_STEP ** _ZOOM_KEYS[Qt.Key(key)]))
        elif key == Qt.Key.Key_Home:
            self.reset()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Take the keys of this view before the window's shortcuts do."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            usual = Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier
            if event.key() in _KEYS and not event.modifiers() & ~usual:
                event.accept()
                return True
        return super().event(event)

    # Mouse ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = self._last = event.position()
        self._dragging = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            return
        point = event.position()
        way = (point - self._pressed).manhattanLength()
        if not self._dragging and way < QApplication.startDragDistance():
            return
        self._dragging = True
        x, y = (point - self._last).x(), (point - self._last).y()
        self._last = point
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.set_orbit(self.orbit.turned(x * _DEGREES_PER_PIXEL, -y * _DEGREES_PER_PIXEL))
        elif event.buttons() & Qt.MouseButton.MiddleButton:
            self.set_orbit(self.orbit.panned(x, -y, self.width(), self.height()))
        elif event.buttons() & Qt.MouseButton.RightButton:
            self.set_orbit(self.orbit.zoomed(1.01**-y))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        clicked = self._pressed is not None and not self._dragging
        self._pressed = None
        if clicked and event.button() == Qt.MouseButton.LeftButton:
            voxel = self.voxel_at(event.position())
            self._before_click = self._state.cursor
            if voxel is not None:
                self._state.set_cursor(voxel)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            # Its first click has moved the crosshair, which nobody meant.
            if self._before_click is not None:
                self._state.set_cursor(self._before_click)
            self._pressed = None
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.set_orbit(self.orbit.zoomed(_ZOOM_PER_STEP ** (event.angleDelta().y() / 120)))
        event.accept()
