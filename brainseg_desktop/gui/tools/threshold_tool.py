"""Threshold paint: a box is drawn, and the voxels in it within a range of intensities take the label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen

from brainseg_desktop.core.geometry import Box, nearest_voxel
from brainseg_desktop.core.growing import Accept, Growth, extent, lesion_range, tightened
from brainseg_desktop.core.labels import TISSUE_NAMES
from brainseg_desktop.core.volume import Volume, background_value
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.fill_tool import (
    Latest,
    draw_note,
    draw_region,
    permitted_voxels,
    range_text,
    usable_volume,
    volume_text,
)
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import tr

# So near, in pixels, an edge or a handle is taken hold of; a press that moves less is a click.
_REACH, _CLICK = 6.0, 4.0
_BAR_HEIGHT, _BAR_WIDTH, _BAR_GAP = 30.0, 150.0, 8.0
_BINS = 60
_STEP = 0.01
_INK, _BAR, _TICK = QColor(255, 165, 60), QColor(20, 22, 26, 215), QColor(120, 126, 133)


@dataclass(frozen=True, slots=True)
class _Field:
    """A box and the range chosen in it.

    Parameters
    ----------
    volume : Volume
    plane : Plane
        In which it was drawn.
    box : Box
    low, high : float
        Ends of the range, both inside.
    extent : tuple of float
        The smallest and the largest value in the box.
    background : float
    counts : (N,) array
        Histogram over `extent`.
    """

    volume: Volume
    plane: Plane
    box: Box
    low: float
    high: float
    extent: tuple[float, float]
    background: float
    counts: NDArray[np.int64] = field(repr=False)

    def inside(self, box: Box) -> NDArray[np.bool_]:
        """Where the voxels of a box are within the range; what is around the head never is."""
        values = self.volume.data[box.slices]
        return np.asarray((values >= self.low) & (values <= self.high) & (values != self.background))

    def moved(self, low: float, high: float) -> _Field:
        """With another range, kept inside the extent and in order."""
        first, last = self.extent
        low = min(max(first, low), last)
        return replace(self, low=low, high=max(low, min(high, last)))


def _made(volume: Volume, plane: Plane, box: Box, background: float) -> _Field | None:
    """The box with the range of what looks like the lesion in it; None where the box has no image."""
    values = volume.data[box.slices]
    limits, span = lesion_range(values, background), extent(values, background)
    if limits is None or span is None:
        return None
    return _Field(volume, plane, box, *span, span, background, _counts(values, span)).moved(*limits)


def _resized(old: _Field, box: Box) -> _Field:
    """With another box and the same range; an end that took in all on its side still does."""
    values = old.volume.data[box.slices]
    span = extent(values, old.background)
    if span is None:
        return old
    low = span[0] if old.low <= old.extent[0] else old.low
    high = span[1] if old.high >= old.extent[1] else old.high
    made = replace(old, box=box, extent=span, counts=_counts(values, span))
    return made.moved(low, high)


def _counts(values: NDArray[Any], span: tuple[float, float]) -> NDArray[np.int64]:
    step = max(1, round((values.size / 200_000) ** (1 / 3)))
    steps = tuple(slice(None, None, step if n > step else 1) for n in values.shape)
    sample = values[steps]
    last = span[1] if span[1] > span[0] else span[0] + 1
    return np.histogram(sample[np.isfinite(sample)], bins=_BINS, range=(span[0], last))[0]


class ThresholdTool(Tool):
    """Marks the voxels of a box that lie within a range of intensities.

    A drag in a view draws the box; it is `depth_mm` deep across the slice. The range starts at what looks
    like the lesion. The edges of the box can be moved in any view, the ends of the range on the bar below
    the box, by Ctrl+wheel (lower end) and Ctrl+Shift+wheel (upper end); Shift+wheel changes the depth.
    Enter or a click inside makes it a step, Esc drops it.

    Parameters
    ----------
    editing : Editing
    jobs : Jobs
    """

    def __init__(self, editing: Editing, jobs: Jobs) -> None:
        self.depth_mm: float | None = 20.0
        self._editing = editing
        self._state = editing.state
        self._latest = Latest(jobs)
        self._field: _Field | None = None
        self._drawn: tuple[SliceView, QPointF, QPointF] | None = None
        # What the pressed mouse holds: an end of the range, or (axis, upper) of an edge, or nothing.
        self._held: str | tuple[int, bool] | None = None
        self._pressed: QPointF | None = None
        self._voxels: int | None = None
        self._counted: tuple[object, ...] = ()
        self._state.tool_changed.connect(self._count)
        self._state.voxels_changed.connect(self._recount)

    @property
    def is_busy(self) -> bool:
        return self._field is not None or self._drawn is not None

    def set_depth_mm(self, depth: float | None) -> None:
        """How deep the next box is, centred on the slice; None for all slices."""
        self.depth_mm = None if depth is None else max(0.0, depth)
        self._state.tool_changed.emit()

    # Mouse ------------------------------------------------------------------------------------------

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if keys & Qt.KeyboardModifier.ShiftModifier:
            return
        self._pressed, self._held = point, self._handle_at(view, point)
        if self._held is None and not self._is_inside(view, point):
            if usable_volume(self._editing, view) is None:
                self._pressed = None
            else:
                self._drawn = (view, point, point)

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        if self._pressed is None:
            return
        if self._drawn is not None:
            self._drawn = (self._drawn[0], self._drawn[1], point)
        elif isinstance(self._held, str):
            self._drag_range(view, point)
        elif self._held is not None:
            self._drag_edge(view, point, *self._held)
        else:
            return
        self._state.tool_changed.emit()

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        pressed, self._pressed = self._pressed, None
        drawn, self._drawn = self._drawn, None
        held, self._held = self._held, None
        if drawn is not None:
            self._place(view, drawn[1], point)
        elif pressed is not None and held is None and (point - pressed).manhattanLength() < _CLICK:
            self._commit()
        self._state.tool_changed.emit()

    def wheel(self, view: SliceView, point: QPointF, steps: int, keys: Qt.KeyboardModifier) -> bool:
        shift = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        if keys & Qt.KeyboardModifier.ControlModifier:
            return self._turn_range(steps, upper=shift)
        if shift:
            self._deepen(view, steps)
        return shift

    def key(self, view: SliceView, event: QKeyEvent) -> bool:
        """Enter marks the voxels."""
        if self._field is None or event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return False
        self._commit()
        return True

    def cancel(self) -> None:
        """Drop the box; the mask was not touched."""
        if self.is_busy:
            self._field = self._drawn = self._held = self._pressed = None
            self._forget_count()
            self._state.tool_changed.emit()

    # The box ----------------------------------------------------------------------------------------

    def _place(self, view: SliceView, first: QPointF, last: QPointF) -> None:
        """Put the box where it was drawn; a click draws none."""
        if (last - first).manhattanLength() < _CLICK:
            return
        volume = usable_volume(self._editing, view)
        if volume is None:
            return
        a, b = nearest_voxel(view.voxel_at(first)), nearest_voxel(view.voxel_at(last))
        start, stop = (
            [min(p, q) for p, q in zip(a, b, strict=True)],
            [max(p, q) + 1 for p, q in zip(a, b, strict=True)],
        )
        axis = view.plane.axis
        start[axis], stop[axis] = self._depth(volume, view.index, axis)
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(volume.grid.shape)
        made = None if box.is_empty else _made(volume, view.plane, box, background_value(volume.data))
        if made is None:
            self._editing.say(tr("There is no image in this box. Draw it around the lesion."))
        else:
            self._field = made

    def _depth(self, volume: Volume, index: int, axis: int) -> tuple[int, int]:
        """First and last + 1 of the slices through which a box reaches."""
        if self.depth_mm is None:
            return (0, volume.grid.shape[axis])
        slices = max(1, round(self.depth_mm / volume.grid.spacing_mm[axis]))
        first = index - (slices - 1) // 2
        return (first, first + slices)

    def _deepen(self, view: SliceView, steps: int) -> None:
        """One slice more, or less, on both sides of the box; without a box, of the next one."""
        case, placed = self._state.case, self._field
        if case is None:
            return
        if placed is None:
            axis = view.plane.axis
            whole = case.grid.shape[axis] * case.grid.spacing_mm[axis]
            depth = (whole if self.depth_mm is None else self.depth_mm) + 2 * steps * case.grid.spacing_mm[
                axis
            ]
            self.set_depth_mm(None if depth >= whole else depth)
            return
        axis = placed.plane.axis
        start, stop = list(placed.box.start), list(placed.box.stop)
        start[axis], stop[axis] = start[axis] - steps, stop[axis] + steps
        if stop[axis] <= start[axis]:
            return
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(case.grid.shape)
        self._field = _resized(placed, box)
        self._state.tool_changed.emit()

    def _drag_edge(self, view: SliceView, point: QPointF, axis: int, upper: bool) -> None:
        placed = self._field
        assert placed is not None
        at = view.voxel_at(point)[axis]
        start, stop = list(placed.box.start), list(placed.box.stop)
        # An edge lies between two voxels.
        edge = min(max(0, round(at + 0.5)), placed.volume.grid.shape[axis])
        if upper:
            stop[axis] = max(edge, start[axis] + 1)
        else:
            start[axis] = min(edge, stop[axis] - 1)
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        if box != placed.box:
            self._field = _resized(placed, box)

    def _rectangle(self, view: SliceView) -> QRectF | None:
        """Where the box cuts the slice of a view, in pixels."""
        placed, projection = self._field, view.projection
        if placed is None or projection is None or not placed.box.holds_plane(view.plane.axis, view.index):
            return None
        return _rectangle_of(projection, placed.box)

    def _is_inside(self, view: SliceView, point: QPointF) -> bool:
        where = self._rectangle(view)
        return where is not None and where.contains(point)

    def _handle_at(self, view: SliceView, point: QPointF) -> str | tuple[int, bool] | None:
        """The handle under the mouse: an end of the range, an edge of the box, or none."""
        where, bar, placed = self._rectangle(view), self._bar(view), self._field
        if placed is None or where is None:
            return None
        if bar is not None and bar.adjusted(-_REACH, 0, _REACH, 0).contains(point):
            low, high = (abs(point.x() - _along(bar, placed, v)) for v in (placed.low, placed.high))
            # Where both ends lie on each other, the side on which the mouse is tells which is meant.
            if low == high:
                return "low" if point.x() < _along(bar, placed, placed.low) else "high"
            return "low" if low < high else "high"
        if not where.adjusted(-_REACH, -_REACH, _REACH, _REACH).contains(point):
            return None
        plane = view.plane
        mirrored = self._state.orientation.mirrored(plane)
        edges = (
            (abs(point.x() - where.left()), (plane.horizontal, mirrored)),
            (abs(point.x() - where.right()), (plane.horizontal, not mirrored)),
            (abs(point.y() - where.top()), (plane.vertical, True)),
            (abs(point.y() - where.bottom()), (plane.vertical, False)),
        )
        nearest = min(edges, key=lambda edge: edge[0])
        # In a small box there must be room left to click inside.
        reach = min(_REACH, min(where.width(), where.height()) / 4) if where.contains(point) else _REACH
        return nearest[1] if nearest[0] <= reach else None

    # The range --------------------------------------------------------------------------------------

    def _drag_range(self, view: SliceView, point: QPointF) -> None:
        bar, placed = self._bar(view), self._field
        if bar is None or placed is None:
            return
        first, last = placed.extent
        value = first + (point.x() - bar.left()) / bar.width() * (last - first)
        if self._held == "low":
            self._field = placed.moved(min(value, placed.high), placed.high)
        else:
            self._field = placed.moved(placed.low, max(value, placed.low))

    def _turn_range(self, steps: int, *, upper: bool) -> bool:
        placed = self._field
        if placed is None:
            return False
        by = steps * _STEP * (placed.extent[1] - placed.extent[0])
        if upper:
            self._field = placed.moved(placed.low, max(placed.low, placed.high + by))
        else:
            self._field = placed.moved(min(placed.high, placed.low + by), placed.high)
        self._state.tool_changed.emit()
        return True

    def _bar(self, view: SliceView) -> QRectF | None:
        """Where the range is shown: below the box, in the view of its sequence and plane."""
        where, placed = self._rectangle(view), self._field
        if where is None or placed is None:
            return None
        if view.plane is not placed.plane or view.volume is not placed.volume:
            return None
        width = min(max(_BAR_WIDTH, where.width()), view.width() - 24.0)
        left = min(max(12.0, where.center().x() - width / 2), view.width() - width - 12)
        top = where.bottom() + _BAR_GAP
        room = 2 * view.fontMetrics().height()
        if top + _BAR_HEIGHT + room > view.height():
            top = max(4.0, where.top() - _BAR_GAP - _BAR_HEIGHT)
        return QRectF(left, top, width, _BAR_HEIGHT)

    # The step ---------------------------------------------------------------------------------------

    def _commit(self) -> None:
        placed, editing = self._field, self._editing
        if placed is None:
            return
        # The smallest box of the voxels makes the smallest step.
        marked = tightened(placed.box, placed.inside(placed.box))
        if marked.box.is_empty:
            editing.say(tr("Threshold: no voxel of the box is within the range."))
            return
        if not editing.begin():
            return
        tissue = self._state.tissue
        try:
            editing.paint(marked.box, marked.mask)
        except BaseException:
            editing.cancel()
            raise
        labels = editing.labels
        assert labels is not None
        voxels = int(np.count_nonzero(marked.mask & (labels[marked.box.slices] == tissue)))
        size = volume_text(voxels, placed.volume.grid)
        if not editing.commit(f"Threshold, {TISSUE_NAMES[tissue].lower()}, {size}"):
            editing.say(
                tr("Threshold: no voxel changes. Move the range or the box, or see the rules that are on.")
            )
            return
        self.cancel()

    def _recount(self, box: Box) -> None:
        self._counted = ()
        self._count()

    def _count(self) -> None:
        """Count the voxels in the background, if anything they depend on has changed."""
        placed, state = self._field, self._state
        if placed is None or self._drawn is not None:
            return
        asked = (placed.box, placed.low, placed.high, state.constraints, state.tissue)
        if asked == self._counted:
            return
        self._counted = asked

        permitted = permitted_voxels(self._editing)

        def count() -> int:
            return int(np.count_nonzero(_marked(placed, placed.box, permitted)))

        self._latest.ask(count, self._show_count, self._forget_count)

    def _show_count(self, voxels: int) -> None:
        self._voxels = voxels
        self._state.tool_changed.emit()

    def _forget_count(self) -> None:
        self._latest.drop()
        self._voxels, self._counted = None, ()

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        if self._drawn is not None and self._drawn[0] is view:
            _draw_frame(painter, QRectF(self._drawn[1], self._drawn[2]).normalized())
            return
        placed, where = self._field, self._rectangle(view)
        if placed is None or where is None:
            return
        axis, box = view.plane.axis, placed.box
        start, stop = list(box.start), list(box.stop)
        start[axis], stop[axis] = view.index, view.index + 1
        slab = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        growth = Growth(slab, _marked(placed, slab, permitted_voxels(self._editing)))
        draw_region(painter, projection, view.index, growth, self._state.colours[self._state.tissue])
        _draw_frame(painter, where)
        bar = self._bar(view)
        if bar is not None:
            _draw_bar(painter, bar, placed)
            draw_note(painter, view, QPointF(bar.left() - 14, bar.bottom() - 9), self._text(placed))

    def _text(self, placed: _Field) -> str:
        """Volume, range and depth in words."""
        grid, axis = placed.volume.grid, placed.plane.axis
        slices = placed.box.shape[axis]
        parts = [] if self._voxels is None else [volume_text(self._voxels, grid)]
        parts.append(range_text((placed.low, placed.high)))
        if slices == grid.shape[axis]:
            parts.append(tr("all slices"))
        elif grid.spacing_known:
            parts.append(tr("{slices:.0f} mm deep", slices=slices * grid.spacing_mm[axis]))
        else:
            parts.append(tr("{slices} slices", slices=slices))
        return "   ".join(parts)


def _marked(placed: _Field, box: Box, permitted: Accept | None) -> NDArray[np.bool_]:
    """The voxels of a part of the box that would have the label after the step."""
    mask = placed.inside(box)
    return mask if permitted is None else mask & permitted(box)


def _rectangle_of(projection: Projection, box: Box) -> QRectF:
    first = projection.point_of((box.start[0] - 0.5, box.start[1] - 0.5, box.start[2] - 0.5))
    last = projection.point_of((box.stop[0] - 0.5, box.stop[1] - 0.5, box.stop[2] - 0.5))
    return QRectF(first, last).normalized()


def _along(bar: QRectF, placed: _Field, value: float) -> float:
    """Where a value lies on the bar, in pixels."""
    first, last = placed.extent
    return bar.left() + (value - first) / max(last - first, 1e-12) * bar.width()


def _draw_frame(painter: QPainter, where: QRectF) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(QColor(0, 0, 0, 180), 3), QPen(_INK, 1)):
        painter.setPen(pen)
        painter.drawRect(where)


def _draw_bar(painter: QPainter, bar: QRectF, placed: _Field) -> None:
    """The histogram of the box with the range and its handles on it."""
    painter.fillRect(bar.adjusted(-6, -3, 6, 3), _BAR)
    low, high = _along(bar, placed, placed.low), _along(bar, placed, placed.high)
    heights = np.sqrt(placed.counts / max(1, int(placed.counts.max()))) * bar.height()
    width = bar.width() / _BINS
    for number, height in enumerate(heights.tolist()):
        x = bar.left() + number * width
        colour = _INK if low <= x + width / 2 <= high else _TICK
        painter.fillRect(QRectF(x, bar.bottom() - height, max(1.0, width - 0.5), height), colour)
    for x in (low, high):
        painter.fillRect(QRectF(x - 1, bar.top() - 3, 2, bar.height() + 6), QColor(235, 238, 241))
        painter.fillRect(QRectF(x - 4, bar.center().y() - 6, 8, 12), QColor(235, 238, 241))
