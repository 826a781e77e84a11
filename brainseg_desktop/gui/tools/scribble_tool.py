"""Scribbles: strokes inside and outside of a label, and the border that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QPainter, QPen, QPolygonF

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.refinement import (
    LEAST_REACH_MM,
    MOST_REACH_MM,
    REACH_MM,
    crop_around,
    refine,
)
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.overlay import Colour, MaskPicture, render
from brainseg_desktop.gui.views.plane import Plane, Projection, picture
from brainseg_desktop.gui.views.slice_drawing import draw_mask
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import tr

PEN_MM = 2.0
_OUTSIDE_INK: Colour = (255, 255, 255)
# Voxels that would lose their label are drawn in this colour, over the mask.
_REMOVED_INK: Colour = (235, 235, 245)
_REMOVED = 255
_OPACITY = 0.8

Voxel = tuple[float, float, float]
# The network's probability of a label inside a box; None where there is none.
Opinion = Callable[[Box, Tissue], NDArray[np.float32] | None]


@dataclass(slots=True)
class Scribble:
    """One stroke: its way on a slice, and the voxels it holds."""

    plane: Plane
    index: int
    outside: bool
    points: list[Voxel] = field(default_factory=list)
    dabs: list[tuple[Box, NDArray[np.bool_]]] = field(default_factory=list)

    @property
    def box(self) -> Box:
        box = self.dabs[0][0]
        for other, _ in self.dabs[1:]:
            box = box.union(other)
        return box


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """What strokes come to: the labels of a box before and after."""

    box: Box
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


class ScribbleTool(Tool):
    """Left drag marks what is the chosen label, Ctrl+drag what is not; the border is found between them.

    The result is a preview until Enter takes it over as one step; Esc drops it, Backspace takes back the last
    stroke, more strokes refine on. Choosing another label gives the strokes to that one.

    Parameters
    ----------
    editing : Editing
    jobs : Jobs
    opinion : callable
        The network's probability of a label inside a box, or None.
    """

    def __init__(self, editing: Editing, jobs: Jobs, opinion: Opinion = lambda box, tissue: None) -> None:
        self._editing, self._state, self._jobs, self._opinion = editing, editing.state, jobs, opinion
        self.reach_mm = REACH_MM
        self._strokes: list[Scribble] = []
        self._drawn: Scribble | None = None
        self._case: Case | None = None
        self._rating: Rating | None = None
        self._tissue = self._state.tissue
        self._found: Refined | None = None
        # Counts what was asked for; an answer to an older question is dropped.
        self._asked = 0
        self._running = self._again = self._accept = False
        self._pictures: dict[tuple[Plane, int], MaskPicture] = {}
        self._state.tool_changed.connect(self._follow)

    @property
    def is_busy(self) -> bool:
        return bool(self._strokes) or self._drawn is not None

    @property
    def is_ready(self) -> bool:
        """Whether a preview of all strokes is shown, to be taken over or dropped."""
        return self._found is not None and not self._running and self._drawn is None

    @property
    def preview(self) -> Refined | None:
        """What Enter would make of the mask, under the rules that are on; None while there is nothing."""
        found = self._found
        if found is None or self._editing.labels is None:
            return None
        may = self._editing.permitted(found.box, found.after)
        return Refined(found.box, found.before, np.where(may, found.after, found.before))

    # Mouse and keys ---------------------------------------------------------------------------------

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        if self._drawn is not None or keys & Qt.KeyboardModifier.ShiftModifier:
            return
        if self._state.rating is not self._rating or self._state.case is not self._case:
            self._forget()
        # Whether this mask may be changed is told now, not after the work.
        if not self._editing.begin():
            return
        self._editing.cancel()
        self._begin_set()
        outside = bool(keys & Qt.KeyboardModifier.ControlModifier)
        self._drawn = Scribble(view.plane, view.index, outside)
        self._extend(view.voxel_at(point))

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        drawn = self._drawn
        # A stroke stays on its slice; the wheel in between does not carry it to another.
        if drawn is not None and (view.plane, view.index) == (drawn.plane, drawn.index):
            self._extend(view.voxel_at(point))

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        drawn, self._drawn = self._drawn, None
        if drawn is None or not drawn.dabs:
            return
        if self._strokes and self._crop([*self._strokes, drawn]) is None:
            self._editing.say(
                tr("The strokes before lie far away from this one: they are a step of their own.")
            )
            self.finish()
            self._begin_set()
        self._strokes.append(drawn)
        self._refine()

    def wheel(self, view: SliceView, point: QPointF, steps: int, keys: Qt.KeyboardModifier) -> bool:
        if not keys & Qt.KeyboardModifier.ShiftModifier:
            return False
        self.set_reach_mm(self.reach_mm + steps)
        return True

    def set_reach_mm(self, reach_mm: float) -> None:
        """How far the strokes act in even tissue, in mm; the preview follows."""
        self.reach_mm = min(max(LEAST_REACH_MM, reach_mm), MOST_REACH_MM)
        self._state.tool_changed.emit()
        if self._strokes:
            self._refine()

    def key(self, view: SliceView, event: QKeyEvent) -> bool:
        if not self.is_busy:
            return False
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        elif event.key() == Qt.Key.Key_Backspace:
            self.take_back()
        else:
            return False
        return True

    # What is done with them -------------------------------------------------------------------------

    def accept(self) -> None:
        """Take the preview over as one step; at once, or as soon as it has been found."""
        if self._running:
            self._accept = True
        elif self._found is not None:
            self._commit(self._found)

    def take_back(self) -> None:
        """Forget the last stroke."""
        if self._drawn is not None:
            self._drawn = None
        elif self._strokes:
            self._strokes.pop()
            if self._strokes:
                self._refine()
            else:
                self._forget()
        self._state.tool_changed.emit()

    def finish(self) -> None:
        """Take over what the strokes come to, waiting for it if need be."""
        if self._drawn is not None:
            drawn, self._drawn = self._drawn, None
            if drawn.dabs and self._crop([*self._strokes, drawn]) is not None:
                self._strokes.append(drawn)
                self._found = None
        if not self._strokes:
            self._forget()
            return
        found = self._found
        if found is None or self._running:
            found = self._work()()
        self._commit(found)
        self._forget()

    def cancel(self) -> None:
        """Drop the strokes and their preview; the mask is as it was."""
        self._forget()

    def _begin_set(self) -> None:
        self._case, self._rating, self._tissue = self._state.case, self._state.rating, self._state.tissue

    def _extend(self, voxel: Voxel) -> None:
        drawn, case = self._drawn, self._state.case
        assert drawn is not None
        assert case is not None
        last = drawn.points[-1] if drawn.points else voxel
        drawn.points.append(voxel)
        grid = case.grid
        dab = capsule(last, voxel, PEN_MM, grid.spacing_mm, grid.shape, drawn.plane.axis)
        if not dab.box.is_empty and dab.mask.any():
            drawn.dabs.append((dab.box, dab.mask))

    def _crop(self, strokes: list[Scribble]) -> Box | None:
        assert self._case is not None
        box = strokes[0].box
        for stroke in strokes[1:]:
            box = box.union(stroke.box)
        return crop_around(box, self._case.grid, self.reach_mm)

    def _refine(self) -> None:
        """Find the border anew, in the background."""
        if self._running:
            self._again = True
            return
        self._running, self._again = True, False
        self._asked += 1
        asked = self._asked
        self._jobs.free(
            self._work(), lambda found: self._take(asked, found), lambda error: self._fail(asked, error)
        )

    def _work(self) -> Callable[[], Refined]:
        """What is to be computed, on copies and on images that never change."""
        case, labels = self._case, self._editing.labels
        assert case is not None
        assert labels is not None
        box = self._crop(self._strokes)
        assert box is not None
        inside, outside = np.zeros(box.shape, bool), np.zeros(box.shape, bool)
        for stroke in self._strokes:
            mine, other = (outside, inside) if stroke.outside else (inside, outside)
            for dab, mask in stroke.dabs:
                at = tuple(
                    slice(a - o, b - o) for a, b, o in zip(dab.start, dab.stop, box.start, strict=True)
                )
                # The newer of two strokes over one voxel holds.
                mine[at] |= mask
                other[at] &= ~mask
        images = [volume.data[box.slices] for volume in case.aligned.values()]
        before, tissue, reach_mm = labels[box.slices].copy(), self._tissue, self.reach_mm
        opinion, spacing = self._opinion(box, tissue), case.grid.spacing_mm

        def work() -> Refined:
            after = refine(images, spacing, inside, outside, before, tissue, opinion, reach_mm)
            return Refined(box, before, after)

        return work

    def _take(self, asked: int, found: Refined) -> None:
        if asked != self._asked:
            return
        self._running = False
        accept, self._accept = self._accept, False
        if self._again or self._is_stale(found):
            self._refine()
            self._accept = accept
            return
        self._found = found
        self._pictures.clear()
        if accept:
            self._commit(found)
        self._state.tool_changed.emit()

    def _fail(self, asked: int, error: BaseException) -> None:
        if asked == self._asked:
            self._running = self._accept = False
        raise error

    def _is_stale(self, found: Refined) -> bool:
        """Whether the mask has changed under the preview."""
        labels = self._editing.labels
        return labels is None or not np.array_equal(labels[found.box.slices], found.before)

    def _commit(self, found: Refined) -> None:
        if self._state.rating is not self._rating or self._state.case is not self._case:
            self._forget()
            self._editing.say(tr("Another mask is shown: the strokes were dropped."))
            return
        if self._is_stale(found):
            found = self._work()()
        if self._editing.once(f"Refine, {TISSUE_NAMES[self._tissue].lower()}", found.box, found.after):
            self._forget()
        elif self._state.tissue not in self._state.constraints.locked:
            # Nothing to change: the strokes agree with the mask.
            self._forget()

    def _forget(self) -> None:
        self._asked += 1
        self._strokes.clear()
        self._drawn = self._found = None
        self._running = self._again = self._accept = False
        self._pictures.clear()
        self._state.tool_changed.emit()

    def _follow(self) -> None:
        """Another label or another rule: the preview follows."""
        self._pictures.clear()
        if self._strokes and self._state.tissue is not self._tissue:
            self._tissue = self._state.tissue
            self._refine()

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        found = self._found
        if found is not None and found.box.holds_plane(view.plane.axis, view.index):
            made = self._picture(view.plane, view.index)
            if made is not None:
                draw_mask(painter, made, projection.target)
        drawn = [] if self._drawn is None else [self._drawn]
        for stroke in [*self._strokes, *drawn]:
            if (stroke.plane, stroke.index) == (view.plane, view.index):
                self._draw_stroke(painter, stroke, projection)
        if view.pointer is not None:
            self._draw_words(painter, view)

    def _picture(self, plane: Plane, index: int) -> MaskPicture | None:
        """The voxels of a slice that would change."""
        made = self._pictures.get((plane, index))
        shown = self.preview if made is None else None
        if shown is not None and self._case is not None:
            box, orientation = shown.box, self._state.orientation
            cut = [slice(None)] * 3
            cut[plane.axis] = slice(index - box.start[plane.axis], index - box.start[plane.axis] + 1)
            before, after = shown.before[tuple(cut)], shown.after[tuple(cut)]
            flat = np.zeros(
                [1 if a == plane.axis else n for a, n in enumerate(self._case.grid.shape)], np.uint8
            )
            where = list(box.slices)
            where[plane.axis] = slice(None)
            codes = np.where(after == Tissue.BACKGROUND, np.uint8(_REMOVED), after)
            flat[tuple(where)] = np.where(before != after, codes, 0)
            colours = {int(t): c for t, c in self._state.colours.items()} | {_REMOVED: _REMOVED_INK}
            made = render(picture(flat, plane, 0, orientation), colours, _OPACITY, fill=True, outline=True)
            self._pictures[plane, index] = made
        return made

    def _draw_stroke(self, painter: QPainter, stroke: Scribble, projection: Projection) -> None:
        ink = QColor(*(_OUTSIDE_INK if stroke.outside else self._state.colours[self._tissue]))
        points = [projection.point_of(point) for point in stroke.points]
        width = max(2.0, PEN_MM * projection.pixels_per_mm)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        # Black under the colour: a stroke is seen on its own label too.
        for colour, wide in ((QColor(0, 0, 0), width + 3), (ink, width)):
            pen = QPen(colour, wide)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            if stroke.outside and colour is ink:
                pen.setStyle(Qt.PenStyle.DotLine)
            painter.setPen(pen)
            if len(stroke.points) == 1:
                painter.drawPoint(points[0])
            else:
                painter.drawPolyline(QPolygonF(points))
        painter.restore()

    def _draw_words(self, painter: QPainter, view: SliceView) -> None:
        """On the view under the mouse: what is going on, and which key does what."""
        if self._running:
            text = tr("Refining...")
        elif self._strokes and self._found is not None:
            text = tr("Enter: take over    Esc: drop    Backspace: last stroke back")
        else:
            return
        # At the lower edge, above the captions there: beside the pointer it would hide what is looked at.
        metrics = QFontMetricsF(painter.font())
        width, height = metrics.horizontalAdvance(text) + 12, metrics.height() + 4
        left = max(2.0, (view.width() - width) / 2)
        frame = QRectF(left, view.height() - 3 * metrics.height() - height, width, height)
        painter.fillRect(frame, QColor(0, 0, 0, 190))
        painter.setPen(QColor(235, 238, 241))
        painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, text)
