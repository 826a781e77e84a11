"""Ruler, angle, region and diameters on the views: mouse positions in, measurements of the state out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QPainter

from brainseg_desktop.core.diameters import rano_diameters
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import Region, Tissue
from brainseg_desktop.core.measurements import (
    Measurement,
    MeasurementKind,
    RoiStatistics,
    as_point,
    on_slice,
    roi_statistics,
    slice_index,
    with_handle_at,
)
from brainseg_desktop.core.volume import Volume
from brainseg_desktop.gui.measuring.measurement_drawing import Drawn, draw_measurements, handle_points
from brainseg_desktop.gui.measuring.measurement_handles import (
    Draft,
    Grab,
    handle_at,
    is_apart,
    voxel_under,
    world_under,
)
from brainseg_desktop.gui.measuring.measurement_text import lines, summary
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.view_state import Mode, ViewState
from brainseg_desktop.services.language import tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.slice_view import SliceView

# A button that moved less than this was a click and not a drag.
_CLICK = 4.0
_EDITED = " (edited)"
_KINDS = {
    Mode.RULER: MeasurementKind.RULER,
    Mode.ANGLE: MeasurementKind.ANGLE,
    Mode.ROI: MeasurementKind.ROI,
}


class Measuring(QObject):
    """The measuring tools of all views.

    A ruler or a region is drawn by dragging or by two clicks, an angle by three clicks (or one drag and a
    click). Handles of what is drawn can be moved with these tools and with the crosshair. Until the button
    comes up the change lives here alone, so that Esc takes it back.

    Parameters
    ----------
    state : ViewState
        Holds the measurements.
    say : callable
        Shows a sentence to the reader.

    Signals
    -------
    changed : what is drawn has changed though the state has not; views must repaint.
    """

    changed = Signal()

    def __init__(self, state: ViewState, say: Callable[[str], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._say = say
        self._draft: Draft | None = None
        self._grab: Grab | None = None
        self._pressed: QPointF | None = None
        self._selected: Measurement | None = None
        self._statistics: dict[tuple[Measurement, Volume], RoiStatistics | None] = {}
        state.case_changed.connect(self._forget)
        state.measurements_changed.connect(self._keep_selected)
        state.cursor_changed.connect(self._drop_unseen)
        state.tool_changed.connect(self._follow_tool)

    @property
    def is_busy(self) -> bool:
        """Whether a measurement is being drawn or changed."""
        return self._draft is not None or self._grab is not None

    @property
    def selected(self) -> Measurement | None:
        """The measurement that Del removes."""
        return self._selected

    def select(self, measurement: Measurement | None) -> None:
        """Highlight one of the state's measurements; None for no one."""
        if measurement is not self._selected:
            self._selected = measurement
            self.changed.emit()

    # Mouse ------------------------------------------------------------------------------------------

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> bool:
        """The left button goes down on a view; True if it means a measurement."""
        case, mode = self._state.case, self._state.mode
        if case is None or view.volume is None or keys != Qt.KeyboardModifier.NoModifier:
            return False
        if mode is not Mode.CROSSHAIR and mode not in _KINDS:
            return False
        if self._grab is not None:
            # The release of an earlier press never came.
            self.release(view, point)
        if self._draft is not None and not self._draft.is_on(view):
            self.cancel()
        self._pressed = point
        if self._draft is not None:
            self._set_draft(replace(self._draft, floating=world_under(view, self._grid, point)), view)
            return True
        held = self._handle_at(view, point)
        if held is not None:
            measurement, handle, where = held
            self._grab = Grab(measurement, measurement, handle, where - point)
            self.select(measurement)
            return True
        self.select(None)
        if mode not in _KINDS:
            return False
        here = world_under(view, self._grid, point)
        self._set_draft(Draft(_KINDS[mode], view.plane.axis, view.index, view.sequence, (here,), here), view)
        return True

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        """The mouse moves over a view while a measurement is drawn or changed."""
        if self._draft is not None and self._draft.is_on(view):
            self._set_draft(replace(self._draft, floating=world_under(view, self._grid, point)), view)
        elif self._grab is not None and self._grab.original in self._on(view) and point != self._pressed:
            moved = with_handle_at(
                self._grab.original,
                self._grid,
                self._grab.handle,
                voxel_under(view, self._grid, point + self._grab.offset),
            )
            self._grab = replace(self._grab, current=moved)
            self._repaint(view)

    def release(self, view: SliceView, point: QPointF) -> None:
        """The left button comes up."""
        pressed, self._pressed = self._pressed, None
        if self._grab is not None:
            grab, self._grab = self._grab, None
            if grab.current is not grab.original:
                self._replace(grab.original, grab.current)
            return
        draft = self._draft
        if draft is None or pressed is None or not draft.is_on(view):
            return
        if not draft.begun and (point - pressed).manhattanLength() < _CLICK:
            self._draft = replace(draft, begun=True)
            return  # a click: the second point is still to come
        draft = replace(draft, floating=world_under(view, self._grid, point), begun=True)
        if not is_apart(view, self._grid, draft):
            self._set_draft(draft, view)
            return
        finished = draft.finished()
        if finished is None:
            self._set_draft(replace(draft, points=(*draft.points, draft.floating)), view)
            return
        self._draft = None
        self._selected = finished
        self._state.set_measurements((*self._state.measurements, finished))

    def cancel(self) -> None:
        """Drop what is being drawn; what is being changed goes back to where it was."""
        if self.is_busy:
            self._draft = self._grab = self._pressed = None
            self.changed.emit()

    def delete_selected(self) -> bool:
        """Remove the highlighted measurement; False if there is none."""
        if self._selected is None:
            return False
        gone = self._selected
        self._draft = self._grab = self._pressed = self._selected = None
        self._state.set_measurements(tuple(m for m in self._state.measurements if m is not gone))
        return True

    def cursor_for(self, view: SliceView, point: QPointF) -> Qt.CursorShape | None:
        """The shape of the mouse pointer here: a hand over a handle; None where it is not ours to say."""
        mode = self._state.mode
        if self._state.case is None or (mode is not Mode.CROSSHAIR and mode not in _KINDS):
            return None
        if self._draft is None and self._handle_at(view, point) is not None:
            return Qt.CursorShape.PointingHandCursor
        return Qt.CursorShape.CrossCursor if mode in _KINDS else None

    # Diameters --------------------------------------------------------------------------------------

    def add_diameters(self, tissues: frozenset[Tissue], name: str, plane: Plane) -> None:
        """Measure a label of the mask shown on its largest slice, go there, and say what was found.

        Diameters of the same name that the reader has not edited are replaced.
        """
        case, rating = self._state.case, self._state.rating
        if case is None or rating is None:
            self._say(tr("There is no mask to measure. Segment the case or open a mask first."))
            return
        mask = Region(name, tissues).mask(rating.label_map.array)
        found = rano_diameters(mask, case.grid, plane.axis)
        if found is None:
            self._say(
                tr("{name}: no voxel of this mask is marked so, there is nothing to measure.", name=name)
            )
            return
        drawn = found.measurement(name)
        others = (m for m in self._state.measurements if not _is_replaced(m, drawn))
        self.cancel()
        self._state.set_measurements((*others, drawn))
        go_to(self._state, drawn)
        self.select(drawn)
        self._say(summary(found, name, plane))

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        """Draw all measurements that lie on the slice of a view."""
        if self._state.case is None:
            return
        grid, shapes = self._grid, []
        for m in self._on(view):
            grabbed = self._grab is not None and m is self._grab.original
            now = self._grab.current if self._grab is not None and grabbed else m
            shapes.append(self._drawn(now, view, projection, selected=m is self._selected))
        draft = self._draft
        if draft is not None and draft.is_on(view):
            whole = draft.finished()
            if whole is not None:
                shapes.append(self._drawn(whole, view, projection, selected=True))
            else:
                ends = grid.voxel_of((*draft.points, draft.floating))
                points = tuple(projection.point_of(as_point(v)) for v in ends)
                shapes.append(Drawn(draft.kind, points, (), True))
        if shapes:
            draw_measurements(painter, projection, shapes)

    def _drawn(self, m: Measurement, view: SliceView, projection: Projection, *, selected: bool) -> Drawn:
        points = handle_points(m, self._grid, projection)
        return Drawn(m.kind, points, lines(m, self._grid, self._roi(m, view.volume)), selected)

    def _roi(self, m: Measurement, volume: Volume | None) -> RoiStatistics | None:
        """Statistics of a region on the image of a view, kept until the measurements change."""
        if m.kind is not MeasurementKind.ROI or volume is None:
            return None
        key = (m, volume)
        if key not in self._statistics:
            if len(self._statistics) > 64:
                self._statistics.clear()
            self._statistics[key] = roi_statistics(m, volume, self._grid)
        return self._statistics[key]

    # Places -----------------------------------------------------------------------------------------

    @property
    def _grid(self) -> Grid:
        assert self._state.case is not None
        return self._state.case.grid

    def _on(self, view: SliceView) -> list[Measurement]:
        """The measurements on the slice of a view."""
        axis, index = view.plane.axis, view.index
        return [m for m in self._state.measurements if on_slice(m, self._grid, axis, index)]

    def _handle_at(self, view: SliceView, point: QPointF) -> tuple[Measurement, int, QPointF] | None:
        return handle_at(view, self._grid, self._on(view), self._selected, point)

    # State ------------------------------------------------------------------------------------------

    def _set_draft(self, draft: Draft, view: SliceView) -> None:
        self._draft = draft
        self._repaint(view)

    def _repaint(self, view: SliceView) -> None:
        view.update()
        self.changed.emit()

    def _replace(self, old: Measurement, new: Measurement) -> None:
        if new.kind is MeasurementKind.DIAMETERS and not new.name.endswith(_EDITED):
            new = replace(new, name=new.name + _EDITED)
        self._selected = new
        self._state.set_measurements(tuple(new if m is old else m for m in self._state.measurements))

    def _keep_selected(self) -> None:
        """What the list no longer holds is neither selected nor held."""
        held = self._state.measurements
        if not any(m is self._selected for m in held):
            self._selected = None
        if self._grab is not None and not any(m is self._grab.original for m in held):
            self._grab = None

    def _drop_unseen(self) -> None:
        """Del must not remove what lies on another slice."""
        case, m = self._state.case, self._selected
        if case is None or m is None or self._grab is not None:
            return
        if not on_slice(m, case.grid, m.plane_axis, self._state.cursor[m.plane_axis]):
            self.select(None)

    def _follow_tool(self) -> None:
        if self._draft is not None and _KINDS.get(self._state.mode) is not self._draft.kind:
            self.cancel()

    def _forget(self) -> None:
        self._draft = self._grab = self._pressed = self._selected = None
        self._statistics.clear()


def go_to(state: ViewState, m: Measurement) -> None:
    """Bring the slice of a measurement into the views; the crosshair stays where it is in the slice."""
    if state.case is not None:
        voxel = list(state.cursor)
        voxel[m.plane_axis] = slice_index(m, state.case.grid)
        state.set_cursor((voxel[0], voxel[1], voxel[2]))


def _is_replaced(m: Measurement, new: Measurement) -> bool:
    """Whether a measurement is an older, unedited one of the same label and plane."""
    return (m.kind, m.name, m.plane_axis) == (new.kind, new.name, new.plane_axis)
