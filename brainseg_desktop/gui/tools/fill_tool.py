"""Fill: a click grows a region over like intensities; Ctrl+click fills a hole or relabels a component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, Grid, nearest_voxel
from brainseg_desktop.core.growing import (
    Accept,
    Fill,
    Growth,
    SeededRegion,
    label_component,
    level_near,
    reach_around,
)
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.overlay import Colour, premultiplied
from brainseg_desktop.gui.views.plane import Projection, turned
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import tr

LIMIT_ML = 200.0
# No region reaches further from the click than this.
_REACH_MM = 100.0
# So many pixels up double the tolerance; less than `_CLICK` is a click.
_DOUBLING, _CLICK = 40.0, 3.0
_LEAST_FACTOR, _MOST_FACTOR = 1 / 32, 32.0
_TOLERANCE_SD = 2.0

Voxel = tuple[int, int, int]


class Latest:
    """Runs the newest of the requests in the background, one at a time; those passed over never run.

    Parameters
    ----------
    jobs : Jobs
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._ticket = 0
        self._runs = False
        self._next: tuple[Callable[[], Any], Callable[[Any], None], Callable[[], None]] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all that was asked for has come home."""
        return not self._runs and self._next is None

    def ask(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[], None]) -> None:
        """Run `work` next, in place of what waits; `failed` is called before its error goes on."""
        self._next = (work, done, failed)
        self._run()

    def drop(self) -> None:
        """Nothing that was asked for is wanted any more."""
        self._ticket += 1
        self._next = None

    def _run(self) -> None:
        if self._runs or self._next is None:
            return
        (work, done, failed), self._next = self._next, None
        self._runs, ticket = True, self._ticket

        def home(result: Any) -> None:
            self._runs = False
            if ticket == self._ticket:
                done(result)
            self._run()

        def fail(error: BaseException) -> None:
            self._runs = False
            wanted = ticket == self._ticket
            if wanted:
                failed()
            self._run()
            if wanted:
                raise error

        self._jobs.free(work, home, fail)


@dataclass(slots=True)
class _Growing:
    """A region under the mouse: where it was begun and what was found last."""

    view: SliceView
    region: SeededRegion
    start: QPointF
    tolerance: float
    factor: float
    last_factor: float
    limit: str
    found: Fill | None = None
    released: bool = False


class FillTool(Tool):
    """Grows a region from the voxel clicked, in three dimensions, or in the slice where the ball is off.

    Press grows it with a tolerance taken from the noise there; dragging up or down changes the tolerance,
    previewed in all views; release makes it a step, Esc drops it. It grows only through voxels that the
    constraints permit, and stops before it is larger than `limit_ml`. With Ctrl the hole or the component
    of a label under the mouse takes the chosen label.

    Parameters
    ----------
    editing : Editing
    jobs : Jobs
    limit_ml : float
        A region with more is taken for a leak; nominal where the voxel size is not known.
    """

    def __init__(self, editing: Editing, jobs: Jobs, limit_ml: float = LIMIT_ML) -> None:
        self.limit_ml = limit_ml
        self._editing = editing
        self._state = editing.state
        self._latest = Latest(jobs)
        self._growing: _Growing | None = None
        self._relabels = False
        # What the reader made of the proposed tolerance, kept for the next click.
        self._factor = 1.0
        self._grid: Grid | None = None

    @property
    def is_busy(self) -> bool:
        return self._growing is not None or self._relabels

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        case = self._state.case
        if self.is_busy or case is None or keys & Qt.KeyboardModifier.ShiftModifier:
            return
        voxel = nearest_voxel(view.voxel_at(point))
        if not case.grid.contains(voxel):
            return
        self._grid = case.grid
        plane_axis = None if self._state.ball else view.plane.axis
        if keys & Qt.KeyboardModifier.ControlModifier:
            self._relabel(voxel, plane_axis)
        else:
            self._begin(view, point, voxel, plane_axis)

    # Growing ----------------------------------------------------------------------------------------

    def _begin(self, view: SliceView, point: QPointF, voxel: Voxel, plane_axis: int | None) -> None:
        editing = self._editing
        volume = usable_volume(editing, view)
        if volume is None:
            return
        grid = volume.grid
        level = level_near(volume.data, voxel, plane_axis)
        if level is None:
            editing.say(tr("The image has no value here. Click beside it."))
            return
        # The edit is open from here on, so that nothing else changes the mask under the region.
        if not editing.begin():
            return
        tolerance = _TOLERANCE_SD * max(level.sd, least_sd(self._state, view.sequence))
        reach = reach_around(voxel, grid.shape, grid.spacing_mm, _REACH_MM)
        region = SeededRegion(
            volume.data,
            voxel,
            level,
            plane_axis=plane_axis,
            permitted=permitted_voxels(editing),
            most_voxels=max(1, int(self.limit_ml / grid.voxel_volume_ml)),
            reach=reach,
        )
        limit = _limit_text(self.limit_ml, reach, voxel, grid)
        self._growing = _Growing(view, region, point, tolerance, self._factor, self._factor, limit)
        self._ask()

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        growing = self._growing
        if growing is None or growing.released or view is not growing.view:
            return
        up = growing.start.y() - point.y()
        up = 0.0 if abs(up) < _CLICK else up
        factor = min(max(_LEAST_FACTOR, growing.last_factor * 2.0 ** (up / _DOUBLING)), _MOST_FACTOR)
        if factor != growing.factor:
            growing.factor = factor
            self._ask()

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if self._growing is not None:
            self._growing.released = True
            self._settle()

    def finish(self) -> None:
        """Another tool or case is chosen: what was not computed to the end is dropped, and that is said."""
        if self._relabels or (self._growing is not None and self._growing.released):
            self._editing.say(tr("Fill: dropped, as it was not ready. Nothing has changed."))
        self.cancel()

    def cancel(self) -> None:
        """Drop the region; the mask was not touched."""
        if self.is_busy:
            self._growing, self._relabels = None, False
            self._latest.drop()
            self._editing.cancel()
            self._state.tool_changed.emit()

    def _ask(self) -> None:
        growing = self._growing
        assert growing is not None
        tolerance = growing.tolerance * growing.factor
        self._latest.ask(lambda: growing.region.at(tolerance), self._show, self.cancel)

    def _show(self, found: Fill) -> None:
        if self._growing is not None:
            self._growing.found = found
            self._settle()
            self._state.tool_changed.emit()

    def _settle(self) -> None:
        """Make the region a step once the mouse is up and the region is that of the last tolerance."""
        growing = self._growing
        if growing is None or not growing.released or not self._latest.is_idle or growing.found is None:
            return
        self._growing, found = None, growing.found
        self._factor = growing.factor
        if found.is_limited and found.tolerance > 0:
            self._factor = max(_LEAST_FACTOR, found.tolerance / growing.tolerance)
        filled = self._commit(found.growth, "Fill")
        if found.is_limited:
            stopped = (
                tr("stopped at {tolerance}", tolerance=_tolerance_text(found.tolerance))
                if filled
                else tr("nothing is filled")
            )
            self._editing.say(
                tr(
                    "Fill: {stopped}, as with more it would leak beyond {limit}.",
                    stopped=stopped,
                    limit=growing.limit,
                )
            )
        elif not filled:
            self._editing.say(tr("Fill: no voxel changes."))
        self._state.tool_changed.emit()

    def _commit(self, growth: Growth, what: str) -> bool:
        """Give the region the chosen label, as one step; False if nothing changed."""
        tissue, box = self._state.tissue, growth.box
        if not growth.voxels:
            self._editing.cancel()
            return False
        try:
            self._editing.paint(box, growth.mask)
        except BaseException:
            self._editing.cancel()
            raise
        labels = self._editing.labels
        assert labels is not None
        # What the constraints kept out does not count.
        voxels = int(np.count_nonzero(growth.mask & (labels[box.slices] == tissue)))
        assert self._grid is not None
        size = volume_text(voxels, self._grid)
        return self._editing.commit(f"{what}, {TISSUE_NAMES[tissue].lower()}, {size}")

    # Holes and components ---------------------------------------------------------------------------

    def _relabel(self, voxel: Voxel, plane_axis: int | None) -> None:
        editing, tissue = self._editing, self._state.tissue
        labels = editing.labels
        if labels is None or not editing.begin():
            return
        labels = editing.labels
        assert labels is not None
        old = Tissue(int(labels[voxel]))
        if old is tissue:
            editing.cancel()
            editing.say(tr("This is {label} already.", label=TISSUE_NAMES[tissue].lower()))
            return
        self._relabels = True
        fixed = labels

        def done(growth: Growth) -> None:
            self._relabels = False
            self._apply(growth, old)

        self._latest.ask(lambda: label_component(fixed, voxel, plane_axis), done, self.cancel)

    def _apply(self, growth: Growth, old: Tissue) -> None:
        is_hole = old is Tissue.BACKGROUND
        if not growth.is_whole:
            self._editing.cancel()
            self._editing.say(
                tr("This is no hole: the background here is open to the outside.")
                if is_hole
                else tr("This part of the label is too large to be relabelled by a click.")
            )
        else:
            name = "Fill hole" if is_hole else f"Relabel {TISSUE_NAMES[old].lower()}"
            if not self._commit(growth, name):
                self._editing.say(
                    tr("{name}: no voxel changes under the rules that are on.", name=step_words(name))
                )
        self._state.tool_changed.emit()

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        growing = self._growing
        if growing is None or growing.found is None or self._grid is None:
            return
        found, grid = growing.found, self._grid
        draw_region(painter, projection, view.index, found.growth, self._state.colours[self._state.tissue])
        if view is growing.view and view.pointer is not None:
            text = f"{volume_text(found.growth.voxels, grid)}   {_tolerance_text(found.tolerance)}"
            if found.is_limited:
                text += tr("   leaks beyond {limit}", limit=growing.limit)
            draw_note(painter, view, view.pointer, text)


# What the tools that look at intensities share --------------------------------------------------------


def usable_volume(editing: Editing, view: SliceView) -> Volume | None:
    """The image of a view if it lies on the grid of the mask; else None, and the reader is told why."""
    case = editing.state.case
    volume = None if case is None else case.aligned.get(view.sequence)
    if volume is None:
        editing.say(
            tr(
                "{sequence} lies on another grid than the mask. Use a view of another sequence.",
                sequence=view.sequence.value,
            )
        )
    return volume


def permitted_voxels(editing: Editing) -> Accept | None:
    """Which voxels would have the chosen label if all were given it, under the rules of now; None for all.

    The rules, the label and the mask are those of the call, so another thread may ask.
    """
    state, labels = editing.state, editing.labels
    rules, tissue, case = state.constraints, state.tissue, state.case
    if rules == Constraints() or labels is None or case is None:
        return None
    volume = case.aligned.get(rules.intensity.sequence) if rules.intensity is not None else None

    def permitted(box: Box) -> NDArray[np.bool_]:
        before = labels[box.slices]
        values = None if volume is None else volume.data[box.slices]
        may = rules.permitted(before, np.full(box.shape, tissue, np.uint8), tissue, values)
        return np.asarray(may | (before == tissue))

    return permitted


def least_sd(state: ViewState, sequence: Sequence) -> float:
    """What a tissue varies at least, as a standard deviation: 6 % of the default window.

    The few voxels around a place tell its noise, and less than a lesion varies: resampled images are smooth.
    With 6 % a dab of 16 mm of the smart brush, at 2.5 SD, covers 0.8 to 0.9 of the lesion under it and 0.02
    to 0.05 beside it (FLAIR of BraTS2021_00006).
    """
    low, high = state.default_windows[sequence]
    return 0.06 * (high - low)


def volume_text(voxels: int, grid: Grid) -> str:
    """A volume in mL, or the number of voxels where their size is not known.

    Examples
    --------
    >>> volume_text(12345, Grid((2, 2, 2), np.eye(4))), volume_text(12345, Grid((2, 2, 2), np.eye(4), False))
    ('12.3 mL', '12,345 voxels')
    """
    if not grid.spacing_known:
        return tr("{count:,} voxels", count=voxels)
    ml = voxels * grid.voxel_volume_ml
    return f"{ml:.1f} mL" if ml >= 1 else f"{ml:.2g} mL" if ml > 0 else "0 mL"


def range_text(limits: tuple[float, float]) -> str:
    """A range of intensities, with decimals only where it is narrow."""
    decimals = 0 if limits[1] - limits[0] >= 20 else 2
    return tr(
        "{low:.{decimals}f} to {high:.{decimals}f}",
        low=limits[0],
        decimals=decimals,
        high=limits[1],
    )


def _tolerance_text(tolerance: float) -> str:
    return f"\u00b1 {tolerance:.3g}" if tolerance < 100 else f"\u00b1 {tolerance:.0f}"


def _limit_text(limit_ml: float, reach: Box, seed: Voxel, grid: Grid) -> str:
    """How large a region may become, in words."""
    if not grid.spacing_known:
        return tr("{count:,} voxels", count=int(limit_ml / grid.voxel_volume_ml))
    # Fine grids are not searched as far, to stay quick.
    radius = max(
        max(i - first, last - 1 - i) * mm
        for i, first, last, mm in zip(seed, reach.start, reach.stop, grid.spacing_mm, strict=True)
    )
    return tr("{volume:g} mL or {radius:.0f} mm", volume=limit_ml, radius=radius)


def draw_region(
    painter: QPainter, projection: Projection, index: int, growth: Growth, colour: Colour
) -> None:
    """Draw a slice of a region that is not a step yet: filled, its outermost voxels light."""
    plane = projection.plane
    box = growth.box
    if box.is_empty or not box.holds_plane(plane.axis, index):
        return
    inside = tuple(index - box.start[a] if a == plane.axis else slice(None) for a in range(3))
    rows = np.pad(turned(growth.mask[inside], plane, projection.orientation), 1)
    middle = rows[1:-1, 1:-1]
    deep = middle & rows[2:, 1:-1] & rows[:-2, 1:-1] & rows[1:-1, 2:] & rows[1:-1, :-2]
    red, green, blue = ((c + 255) // 2 for c in colour)
    table = np.array([0, premultiplied(colour, 0.5), premultiplied((red, green, blue), 0.9)], dtype=np.uint32)
    pixels = np.ascontiguousarray(table[middle.astype(np.uint8) + (middle & ~deep)])
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)  # type: ignore[call-overload]
    first = projection.point_of((box.start[0] - 0.5, box.start[1] - 0.5, box.start[2] - 0.5))
    last = projection.point_of((box.stop[0] - 0.5, box.stop[1] - 0.5, box.stop[2] - 0.5))
    painter.drawImage(QRectF(first, last).normalized(), image)


def draw_note(painter: QPainter, view: SliceView, point: QPointF, text: str) -> None:
    """Write a few words beside the mouse, inside of the view."""
    metrics = QFontMetricsF(painter.font())
    frame = metrics.boundingRect(text).adjusted(-5, -2, 5, 2)
    frame.moveTo(point + QPointF(14, 12))
    frame.moveLeft(max(2.0, min(frame.left(), view.width() - frame.width() - 2)))
    frame.moveTop(max(2.0, min(frame.top(), view.height() - frame.height() - 2)))
    painter.fillRect(frame, QColor(0, 0, 0, 225))
    painter.setPen(QColor(235, 238, 241))
    painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, text)
