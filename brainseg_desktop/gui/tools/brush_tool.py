"""The brush and the eraser: mouse positions in, one named step in the history out."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.slice_drawing import draw_brush
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode


class BrushTool(Tool):
    """Paints a disc or a ball along the way of the mouse; Ctrl, or the eraser's mode, erases.

    Parameters
    ----------
    editing : Editing
    """

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._state = editing.state
        self._is_painting = False
        self._last: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self._plane = Plane.AXIAL
        self._erase = False
        self._hover_erase = False

    @property
    def is_busy(self) -> bool:
        return self._is_painting

    @property
    def is_erasing(self) -> bool:
        """Whether the present or the next stroke removes."""
        if self._is_painting:
            return self._erase
        return self._hover_erase or self._state.mode is Mode.ERASER

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if self._is_painting or keys & Qt.KeyboardModifier.ShiftModifier or not self._editing.begin():
            return
        self._is_painting = True
        self._plane, self._last = view.plane, view.voxel_at(point)
        self._erase = bool(keys & Qt.KeyboardModifier.ControlModifier) or self._state.mode is Mode.ERASER
        self._dab(self._last, self._last)

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        self._hover_erase = bool(keys & Qt.KeyboardModifier.ControlModifier)
        if not self._is_painting:
            return
        voxel, axis = view.voxel_at(point), self._plane.axis
        # A change of slice starts there afresh, without a bridge.
        self._dab(self._last if self._last[axis] == voxel[axis] else voxel, voxel)
        self._last = voxel

    def scrolled(self, view: SliceView, point: QPointF) -> None:
        if self._is_painting:
            self._last = view.voxel_at(point)
            self._dab(self._last, self._last)

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        self.finish()

    def finish(self) -> None:
        """End the stroke as one step."""
        if not self._is_painting:
            return
        self._is_painting = False
        index = round(self._last[self._plane.axis]) + 1
        what = "Erase" if self._erase else "Brush"
        self._editing.commit(f"{what}, {self._tissue_name()}, {self._plane.title} {index}")

    def cancel(self) -> None:
        """Take the stroke back, as if it had not been begun."""
        if self._is_painting:
            self._is_painting = False
            self._editing.cancel()

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        pointer = view.pointer
        if pointer is not None:
            colour = None if self.is_erasing else self._state.colours[self._state.tissue]
            draw_brush(painter, pointer, self._state.brush_mm / 2 * projection.pixels_per_mm, colour)

    def _tissue_name(self) -> str:
        if self._erase and not self._state.constraints.keep_others:
            return "all labels"
        return TISSUE_NAMES[self._state.tissue].lower()

    def _dab(self, start: tuple[float, float, float], end: tuple[float, float, float]) -> None:
        state = self._state
        assert state.case is not None
        grid = state.case.grid
        axis = None if state.ball else self._plane.axis
        dab = capsule(start, end, state.brush_mm, grid.spacing_mm, grid.shape, axis)
        self._editing.paint(dab.box, dab.mask, Tissue.BACKGROUND if self._erase else None)
