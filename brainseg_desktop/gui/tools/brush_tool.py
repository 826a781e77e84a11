"""The brush and the eraser: mouse or pen positions in, one named step in the history out."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from brainseg_desktop.core.brush import Dab, capsule
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.slice_drawing import draw_brush
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.language import mark, tr

# The lightest touch of a pen paints with so much of the size.
LEAST_PRESSURE = 0.3
_NO_END = mark("Shift+click draws a line from the end of the last stroke on this slice. Paint here first.")

Voxel = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Ended:
    """Where the last stroke ended: a line may begin there."""

    grid: Grid
    plane: Plane
    voxel: Voxel


class BrushTool(Tool):
    """Paints a disc or a ball along the way of the mouse; Ctrl, a pen's eraser or the eraser's mode erases.

    Shift+click draws a straight line from the end of the last stroke on the slice.

    Parameters
    ----------
    editing : Editing
    """

    paints, erases = "Brush", "Erase"

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._state = editing.state
        self._is_painting = False
        self._last: Voxel = (0.0, 0.0, 0.0)
        self._plane = Plane.AXIAL
        self._erase = False
        self._pressure = 1.0
        self._has_eraser_size = False
        self._ended: _Ended | None = None
        self._hover_keys = Qt.KeyboardModifier.NoModifier

    @property
    def is_busy(self) -> bool:
        return self._is_painting

    @property
    def is_erasing(self) -> bool:
        """Whether the present or the next stroke of the mouse removes."""
        if self._is_painting:
            return self._erase
        held = bool(self._hover_keys & Qt.KeyboardModifier.ControlModifier)
        return held or self._state.mode is Mode.ERASER

    def size_mm(self, view: SliceView) -> float:
        """Diameter of the dab that the next move in a view paints; the eraser has its own."""
        eraser = self._has_eraser_size if self._is_painting else self._is_eraser(view)
        size = self._state.eraser_mm if eraser else self._state.brush_mm
        return size * self._pressure if self._is_painting else size

    # Strokes ----------------------------------------------------------------------------------------

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if self._is_painting:
            return
        start = end = view.voxel_at(point)
        if keys & Qt.KeyboardModifier.ShiftModifier:
            last = self._line_from(view)
            if last is None:
                self._editing.say(tr(_NO_END))
                return
            start = last
        if not self._prepare(view, start) or not self._editing.begin():
            return
        self._is_painting = True
        self._plane, self._last = view.plane, end
        self._has_eraser_size = self._is_eraser(view)
        self._erase = bool(keys & Qt.KeyboardModifier.ControlModifier) or self._has_eraser_size
        self._dab(view, start, end)

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        self._hover_keys = keys
        if not self._is_painting:
            return
        voxel, axis = view.voxel_at(point), self._plane.axis
        # A change of slice starts there afresh, without a bridge.
        start = self._last if self._last[axis] == voxel[axis] else voxel
        self._last = voxel
        self._dab(view, start, voxel)

    def scrolled(self, view: SliceView, point: QPointF) -> None:
        if self._is_painting:
            self._last = view.voxel_at(point)
            self._dab(view, self._last, self._last)

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        self.finish()

    def finish(self) -> None:
        """End the stroke as one step."""
        if not self._is_painting:
            return
        self._is_painting = False
        if self._state.case is not None:
            self._ended = _Ended(self._state.case.grid, self._plane, self._last)
        index = round(self._last[self._plane.axis]) + 1
        what = self.erases if self._erase else self.paints
        self._editing.commit(f"{what}, {self._tissue_name()}, {self._plane.title} {index}")

    def cancel(self) -> None:
        """Take the stroke back, as if it had not been begun."""
        if self._is_painting:
            self._is_painting = False
            self._editing.cancel()

    def _prepare(self, view: SliceView, voxel: Voxel) -> bool:
        """Learn what a stroke from this voxel needs to know; False if it cannot be begun."""
        return True

    def _dab(self, view: SliceView, start: Voxel, end: Voxel) -> None:
        self._pressure = _share_of_size(view)
        dab = self._covered(start, end, self.size_mm(view))
        self._editing.paint(dab.box, dab.mask, Tissue.BACKGROUND if self._erase else None)

    def _covered(self, start: Voxel, end: Voxel, diameter_mm: float) -> Dab:
        """Which voxels a move from start to end changes."""
        assert self._state.case is not None
        grid = self._state.case.grid
        return capsule(start, end, diameter_mm, grid.spacing_mm, grid.shape, self._flat_axis)

    @property
    def _flat_axis(self) -> int | None:
        """The axis across the disc; None for the ball."""
        return None if self._state.ball else self._plane.axis

    def _is_eraser(self, view: SliceView) -> bool:
        return self._state.mode is Mode.ERASER or (view.pen is not None and view.pen.is_eraser)

    def _line_from(self, view: SliceView) -> Voxel | None:
        """The end of the last stroke, if that is on the slice shown."""
        ended, case = self._ended, self._state.case
        if ended is None or case is None or ended.grid is not case.grid or ended.plane is not view.plane:
            return None
        return ended.voxel if round(ended.voxel[view.plane.axis]) == view.index else None

    def _tissue_name(self) -> str:
        if self._erase and not self._state.constraints.keep_others:
            return "all labels"
        return TISSUE_NAMES[self._state.tissue].lower()

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        pointer = view.pointer
        if pointer is None:
            return
        erases = self.is_erasing or (not self._is_painting and self._is_eraser(view))
        colour = None if erases else self._state.colours[self._state.tissue]
        if not self._is_painting and self._hover_keys & Qt.KeyboardModifier.ShiftModifier:
            last = self._line_from(view)
            if last is not None:
                ink = QColor(255, 255, 255) if colour is None else QColor(*colour)
                for pen in (QPen(QColor(0, 0, 0, 180), 3), QPen(ink, 1.5, Qt.PenStyle.DashLine)):
                    painter.setPen(pen)
                    painter.drawLine(projection.point_of(last), pointer)
        draw_brush(painter, pointer, self.size_mm(view) / 2 * projection.pixels_per_mm, colour)


def _share_of_size(view: SliceView) -> float:
    """What the pressure of a pen leaves of the size; 1 for the mouse, which has none."""
    # A pen that only hovered has no pressure: its place may have been taken by the mouse.
    if view.pen is None or view.pen.pressure <= 0:
        return 1.0
    return LEAST_PRESSURE + (1 - LEAST_PRESSURE) * min(1.0, view.pen.pressure)
