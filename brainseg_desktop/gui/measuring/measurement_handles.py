"""Where the mouse is on a measurement: under which voxel, at which handle, far enough from the last point."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.measurements import Measurement, MeasurementKind, Point, as_point
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.measuring.measurement_drawing import handle_points

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.slice_view import SliceView

# So near to a handle, in pixels, the mouse takes hold of it.
_REACH = 8.0
# Two points of one measurement are at least so far apart: a second click on the same place is no point.
_APART = 2.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A measurement in the making: the points that stand, and the one that follows the mouse (RAS mm)."""

    kind: MeasurementKind
    axis: int
    index: int
    sequence: Sequence
    points: tuple[Point, ...]
    floating: Point
    # Whether the button came up after the first point: from then on each release is a point.
    begun: bool = False

    def is_on(self, view: SliceView) -> bool:
        """Whether a view shows the slice it is drawn on."""
        return view.plane.axis == self.axis and view.index == self.index

    def finished(self) -> Measurement | None:
        """The measurement with the floating point as its last, once these are enough."""
        points = (*self.points, self.floating)
        if len(points) < self.kind.points:
            return None
        return Measurement(self.kind, self.axis, points, sequence=self.sequence)


@dataclass(frozen=True, slots=True)
class Grab:
    """A handle held by the mouse; `offset` is how far beside it the mouse took hold."""

    original: Measurement
    current: Measurement
    handle: int
    offset: QPointF


def voxel_under(view: SliceView, grid: Grid, point: QPointF) -> Point:
    """The voxel position under a point of a view, on its slice and within the image."""
    plane, voxel = view.plane, list(view.voxel_at(point))
    for axis in (plane.horizontal, plane.vertical):
        voxel[axis] = min(max(-0.5, voxel[axis]), grid.shape[axis] - 0.5)
    voxel[plane.axis] = float(view.index)
    return (voxel[0], voxel[1], voxel[2])


def world_under(view: SliceView, grid: Grid, point: QPointF) -> Point:
    """The RAS mm under a point of a view, on its slice and within the image."""
    return as_point(grid.world_of(voxel_under(view, grid, point)))


def handle_at(
    view: SliceView,
    grid: Grid,
    measurements: Iterable[Measurement],
    selected: Measurement | None,
    point: QPointF,
) -> tuple[Measurement, int, QPointF] | None:
    """The handle nearest to a point of a view, within reach: measurement, number of the handle, its place.

    Of two at the same place that of the selected measurement, else of the last, which lies on top.
    """
    projection = view.projection
    if projection is None:
        return None
    found: tuple[Measurement, int, QPointF] | None = None
    best = _REACH
    for m in measurements:
        for number, where in enumerate(handle_points(m, grid, projection)):
            distance = math.hypot(where.x() - point.x(), where.y() - point.y())
            if distance < best or (distance == best and (found is None or found[0] is not selected)):
                best, found = distance, (m, number, where)
    return found


def is_apart(view: SliceView, grid: Grid, draft: Draft) -> bool:
    """Whether the floating point is far enough from the last one to be a point of its own."""
    projection = view.projection
    if projection is None:
        return False
    ends = grid.voxel_of((draft.points[-1], draft.floating))
    a, b = (projection.point_of(as_point(v)) for v in ends)
    x, y = abs(a.x() - b.x()), abs(a.y() - b.y())
    if draft.kind is MeasurementKind.ROI:
        return min(x, y) >= _APART
    return math.hypot(x, y) >= _APART
