"""Contours of nodes: the polygon, and the spline whose nodes can be moved.

A click sets a node, a drag of a node moves it, Backspace or Delete removes the selected or else the last one;
Enter or a double click closes the contour, of the polygon also a click on its first node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QPainter

from brainseg_desktop.core.contours import SAMPLES_PER_NODE, close_spline, nearest_on
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.tools.contour_drawing import Flat, Shade, draw_contour, draw_nodes, draw_rubber
from brainseg_desktop.gui.tools.contour_tool import CONTROL, SHIFT, ContourTool
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.plane import Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.language import mark, tr

# So near to a node or a curve, in pixels, the mouse takes hold of it.
_REACH = 8.0
_REACH_OF_CURVE = 6.0
# A button that moved less than this was a click.
_CLICK = 3.0
_LEAST = 3

_Key = Qt.Key


@dataclass(slots=True)
class _Grab:
    """A node held by the mouse; `offset` is how far beside it the mouse took hold."""

    node: int
    start: QPointF
    offset: QPointF
    is_new: bool
    has_moved: bool = False


class NodesTool(ContourTool):
    """A contour of nodes.

    Attributes
    ----------
    selected : int or None
        Number of the node that Backspace removes.
    """

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.selected: int | None = None
        self._grab: _Grab | None = None

    @property
    def outline(self) -> NDArray[np.float64]:
        """The contour as a polygon, (N, 2)."""
        return np.array(self.points, dtype=np.float64).reshape(-1, 2)

    @property
    def can_close(self) -> bool:
        """Whether the nodes enclose anything."""
        return len(self.points) >= _LEAST

    # Mouse ------------------------------------------------------------------------------------------

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if keys & SHIFT:
            return
        if self.place is None:
            if self._begin(view, point):
                self._hold(0, point, QPointF(), is_new=True)
        elif not self.place.is_on(view):
            self._editing.say(
                tr(
                    "{tool}: a contour is open on {place}. Go back to it, or press Enter to close it "
                    "there or Esc to drop it.",
                    tool=tr(self.title),
                    place=step_words(str(self.place)),
                )
            )
        else:
            self._press_on(view, point)

    def _press_on(self, view: SliceView, point: QPointF) -> None:
        """Take hold of a node, or set one."""
        assert self.place is not None
        projection = view.projection
        assert projection is not None
        node = self._node_at(projection, point)
        if node is not None:
            offset = self.place.on_screen(self.points, projection)[node] - point
            self._hold(node, point, offset, is_new=False)
            return
        place = self.place.flat(view.voxel_at(point))
        number = self._number_for(place, projection)
        self.points.insert(number, place)
        self._hold(number, point, QPointF(), is_new=True)

    def _hold(self, node: int, point: QPointF, offset: QPointF, *, is_new: bool) -> None:
        self._grab, self.selected = _Grab(node, point, offset, is_new), node
        self._state.tool_changed.emit()

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        self._hover = keys
        grab = self._grab
        if not pressed or grab is None or self.place is None or not self.place.is_on(view):
            return
        way = point - grab.start
        grab.has_moved = grab.has_moved or math.hypot(way.x(), way.y()) >= _CLICK
        if grab.has_moved:
            self.points[grab.node] = self.place.flat(view.voxel_at(point + grab.offset))

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        grab, self._grab = self._grab, None
        if grab is None:
            return
        if self._closes_at(grab) and self.can_close:
            self._close(cut=bool(keys & CONTROL))
        self._state.tool_changed.emit()

    def double_click(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        # Its first click has set, or taken, the last node; where that closed the contour all is done.
        if self.place is not None and self.place.is_on(view) and self.can_close:
            self._close(cut=bool(keys & CONTROL))

    def _node_at(self, projection: Projection, point: QPointF) -> int | None:
        """The node nearest to a point of the widget, within reach."""
        assert self.place is not None
        nodes = self.place.on_screen(self.points, projection)
        distances = [math.hypot(n.x() - point.x(), n.y() - point.y()) for n in nodes]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= _REACH else None

    def _number_for(self, place: Flat, projection: Projection) -> int:
        """Where in the row of nodes a new one belongs: at the end."""
        return len(self.points)

    def _closes_at(self, grab: _Grab) -> bool:
        """Whether the end of this click or drag closes the contour."""
        return False

    # Keys and end -----------------------------------------------------------------------------------

    def key(self, view: SliceView, event: QKeyEvent) -> bool:
        if not self.is_busy:
            return False
        if event.key() in (_Key.Key_Return, _Key.Key_Enter):
            if self.can_close:
                self._close(cut=bool(event.modifiers() & CONTROL))
            else:
                self._editing.say(
                    tr(
                        "{tool}: set at least {least} nodes before closing it.",
                        tool=tr(self.title),
                        least=_LEAST,
                    )
                )
            return True
        if event.key() in (_Key.Key_Backspace, _Key.Key_Delete):
            self._remove()
            return True
        return False

    def _remove(self) -> None:
        """Remove the selected node, else the last; with the last one the contour is gone."""
        number = len(self.points) - 1 if self.selected is None else self.selected
        del self.points[number]
        self.selected = self._grab = None
        if not self.points:
            self._drop()
        self._state.tool_changed.emit()

    def _close(self, *, cut: bool) -> None:
        self._apply(self.outline, cut=cut)

    def _drop(self) -> None:
        super()._drop()
        self.selected = self._grab = None

    # Drawing ----------------------------------------------------------------------------------------

    @property
    def _colour(self) -> tuple[int, int, int] | None:
        return None if self._hover & CONTROL else self._state.colours[self._state.tissue]


class PolygonTool(NodesTool):
    """Straight lines between clicks; with Ctrl at the closing it cuts."""

    title = mark("Polygon")

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        if self.place is None or not self.place.is_on(view):
            return
        nodes = self.place.on_screen(self.points, projection)
        draw_contour(painter, nodes, self._colour, closed=False)
        if view.pointer is not None and self._grab is None:
            draw_rubber(painter, nodes[-1], view.pointer, nodes[0] if len(nodes) > 1 else None)
        draw_nodes(painter, nodes, self._colour, self.selected, ring=self.can_close)

    def _closes_at(self, grab: _Grab) -> bool:
        return grab.node == 0 and not grab.is_new and not grab.has_moved


class SplineTool(NodesTool):
    """A smooth closed curve through nodes; a click on the curve sets a node there.

    What it encloses is shown, so it is kept when another tool is chosen.
    """

    title = mark("Spline")

    @property
    def outline(self) -> NDArray[np.float64]:
        return close_spline(self.points, self._spacing)

    @property
    def _spacing(self) -> tuple[float, float]:
        assert self.place is not None
        assert self._state.case is not None
        spacing, plane = self._state.case.grid.spacing_mm, self.place.plane
        return (spacing[plane.horizontal], spacing[plane.vertical])

    def finish(self) -> None:
        """Close the curve as one step; dropped, and said, where it encloses nothing or may not be kept."""
        if self.is_busy and self.can_close:
            self._close(cut=False)
        super().finish()

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        if self.place is None or not self.place.is_on(view):
            return
        curve = self.place.on_screen([(h, v) for h, v in self.outline.tolist()], projection)
        shade = Shade.INSIDE if self.can_close else Shade.NONE
        draw_contour(painter, curve, self._colour, closed=self.can_close, shade=shade)
        nodes = self.place.on_screen(self.points, projection)
        draw_nodes(painter, nodes, self._colour, self.selected, ring=False)

    def _number_for(self, place: Flat, projection: Projection) -> int:
        if self.can_close:
            piece, distance_mm = nearest_on(self.outline, place, self._spacing)
            if distance_mm * projection.pixels_per_mm <= _REACH_OF_CURVE:
                return piece // SAMPLES_PER_NODE + 1
        return len(self.points)
