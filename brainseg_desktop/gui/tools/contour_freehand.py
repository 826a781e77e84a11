"""Contours drawn by dragging: the lasso on one slice, and scissors through all slices of a view."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.tools.contour_drawing import Shade, draw_contour
from brainseg_desktop.gui.tools.contour_tool import CONTROL, SHIFT, ContourTool
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.plane import Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.language import mark, tr


class FreehandTool(ContourTool):
    """A contour along the way of the mouse; it closes when the button comes up."""

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self._eraser = False

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if not self.is_busy and self._begin(view, point):
            self._hover = keys
            self._eraser = view.pen is not None and view.pen.is_eraser

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        self._hover = keys
        # A key may have gone to another slice; the contour waits until the reader is back.
        if pressed and self.place is not None and self.place.is_on(view):
            place = self.place.flat(view.voxel_at(point))
            if place != self.points[-1]:
                self.points.append(place)

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if not self.is_busy:
            return
        if len(self.points) < 3:
            # A click encloses nothing and means nothing.
            self.cancel()
        elif not self._close(keys):
            self.cancel()

    def double_click(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        self.press(view, point, keys)

    def wheel(self, view: SliceView, point: QPointF, steps: int, keys: Qt.KeyboardModifier) -> bool:
        # The slice stays while a contour is dragged on it; the size of the brush has no meaning here.
        return self.is_busy

    def _close(self, keys: Qt.KeyboardModifier) -> bool:
        raise NotImplementedError


class LassoTool(FreehandTool):
    """Fills what it encloses on its slice with the chosen label; Ctrl, or a pen's eraser end, cuts it."""

    title = mark("Lasso")

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if not keys & SHIFT:
            super().press(view, point, keys)

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        if self.place is not None and self.place.is_on(view):
            cut = self._eraser or bool(self._hover & CONTROL)
            colour = None if cut else self._state.colours[self._state.tissue]
            outline = self.place.on_screen(self.points, projection)
            draw_contour(painter, outline, colour, closed=True, shade=Shade.INSIDE)

    def _close(self, keys: Qt.KeyboardModifier) -> bool:
        return self._apply(self.points, cut=self._eraser or bool(keys & CONTROL))


class Cut(Enum):
    """What scissors do: (words for the step, whether outside of the contour)."""

    INSIDE = ("inside removed", False)
    OUTSIDE = ("outside removed", True)
    RELABEL = ("inside to", False)

    @staticmethod
    def by(keys: Qt.KeyboardModifier) -> Cut:
        """The meaning of the keys held when the button comes up."""
        if keys & CONTROL:
            return Cut.OUTSIDE
        return Cut.RELABEL if keys & SHIFT else Cut.INSIDE

    @property
    def words(self) -> str:
        return self.value[0]

    @property
    def is_outside(self) -> bool:
        return self.value[1]


class ScissorsTool(FreehandTool):
    """Cuts through all slices of the view's plane.

    Labels inside the contour are removed; with Ctrl those outside of it; with Shift those inside become the
    chosen label (background stays background: a fill through the whole head is never wanted). Only labels
    that are shown and not locked change, and the rules that are on hold as for every tool.
    """

    title = mark("Scissors")

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if not self._state.show_mask:
            self._editing.say(tr("The mask is hidden. Show it before cutting through it."))
        else:
            super().press(view, point, keys)

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        if self.place is not None and self.place.is_on(view):
            cut = Cut.by(self._hover)
            colour = self._state.colours[self._state.tissue] if cut is Cut.RELABEL else None
            outline = self.place.on_screen(self.points, projection)
            shade = Shade.OUTSIDE if cut.is_outside else Shade.INSIDE
            draw_contour(painter, outline, colour, closed=True, shade=shade)

    def _close(self, keys: Qt.KeyboardModifier) -> bool:
        cut, place, labels = Cut.by(keys), self.place, self._editing.labels
        assert place is not None
        assert labels is not None
        box, mask = self._cut(
            labels, ~self._inside(self.points) if cut.is_outside else self._inside(self.points)
        )
        to = Tissue.BACKGROUND
        words = cut.words
        if cut is Cut.RELABEL:
            to = self._state.tissue
            words = f"{words} {TISSUE_NAMES[to].lower()}"
        return self._step(f"{self.title}, {words}, {place.plane.title}", box, mask, to)

    def _cut(self, labels: NDArray[np.uint8], flat: NDArray[np.bool_]) -> tuple[Box, NDArray[np.bool_]]:
        """The labels that may be cut under a mask of a slice, through all slices: their box and mask."""
        assert self.place is not None
        axis = self.place.plane.axis
        column = np.expand_dims(flat, axis)
        reach = Box.of(column)
        start, stop = list(reach.start), list(reach.stop)
        start[axis], stop[axis] = 0, labels.shape[axis] if not reach.is_empty else 0
        within = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        wanted = np.zeros(256, dtype=bool)
        wanted[[int(t) for t in Tissue if t not in self._state.hidden | self._state.constraints.locked]] = (
            True
        )
        wanted[Tissue.BACKGROUND] = False
        # Of a large grid most is background; the mask is made for the rest only.
        box = _labelled(labels, within)
        in_box = tuple(slice(None) if a == axis else s for a, s in enumerate(box.slices))
        mask = wanted[labels[box.slices]] & column[in_box]
        inner = Box.of(mask)
        start = [a + b for a, b in zip(box.start, inner.start, strict=True)]
        stop = [a + b for a, b in zip(box.start, inner.stop, strict=True)]
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])), mask[inner.slices]


def _labelled(labels: NDArray[np.uint8], within: Box) -> Box:
    """The smallest box that holds every labelled voxel of a box."""
    part = labels[within.slices]
    if part.size == 0:
        return Box((0, 0, 0), (0, 0, 0))
    # The largest of a row is found many times as fast as whether any is true.
    flat = part.max(axis=2)
    rows, columns = np.flatnonzero(flat.max(axis=1)), np.flatnonzero(flat.max(axis=0))
    if rows.size == 0:
        return Box((0, 0, 0), (0, 0, 0))
    (i, j), (p, q) = (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)
    heights = np.flatnonzero(part[i:j, p:q].max(axis=(0, 1)))
    a, b, c = within.start
    return Box((a + i, b + p, c + int(heights[0])), (a + j, b + q, c + int(heights[-1]) + 1))
