"""What polygon, lasso, spline and scissors share: a contour on one slice that fills or cuts when it closes.

Points are kept as voxel positions of their slice, so zoom, pan and the side from which the reader looks may
change while drawing. The history is opened only when the contour closes, for the one step that it makes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt

from brainseg_desktop.core.contours import fill_polygon
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.tools.contour_drawing import Flat, Place
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.language import tr

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


class ContourTool(Tool):
    """A contour in the making.

    Parameters
    ----------
    editing : Editing

    Attributes
    ----------
    place : Place or None
        The slice it is drawn on; None while there is none.
    points : list of (float, float)
        Voxel positions along the two axes of the slice, in the order drawn.
    """

    title = "Contour"

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._state = editing.state
        self.place: Place | None = None
        self.points: list[Flat] = []
        self._hover: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
        # Whatever happens, a contour never lands on another case.
        self._state.case_changed.connect(self._drop)

    @property
    def is_busy(self) -> bool:
        return self.place is not None

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        self._hover = keys

    def cancel(self) -> None:
        """Drop the contour; no voxel has changed."""
        if self.is_busy:
            self._drop()
            self._state.tool_changed.emit()

    def finish(self) -> None:
        """Drop a contour that was not closed, and say so: what it would enclose was never seen."""
        if self.is_busy:
            self._editing.say(
                tr(
                    "{tool}: the open contour on {place} was dropped.",
                    tool=tr(self.title),
                    place=step_words(str(self.place)),
                )
            )
            self.cancel()

    def _begin(self, view: SliceView, point: QPointF) -> bool:
        """Start a contour; not on a mask that may not be changed, and the reader is told at once."""
        if self._state.case is None or not self._editing.begin():
            return False
        self._editing.cancel()
        self.place = Place.of(view)
        self.points = [self.place.flat(view.voxel_at(point))]
        return True

    def _drop(self) -> None:
        self.place = None
        self.points = []

    def _inside(self, outline: Sequence[Flat] | NDArray[np.float64]) -> NDArray[np.bool_]:
        """The voxels of the slice inside an outline."""
        assert self.place is not None
        assert self._state.case is not None
        shape, plane = self._state.case.grid.shape, self.place.plane
        return fill_polygon(outline, (shape[plane.horizontal], shape[plane.vertical]))

    def _apply(self, outline: Sequence[Flat] | NDArray[np.float64], *, cut: bool) -> bool:
        """Fill or cut what an outline encloses as one step, and end the contour.

        False, the contour kept, if the mask may not be changed now.
        """
        place = self.place
        assert place is not None
        axis = place.plane.axis
        mask = np.expand_dims(self._inside(outline), axis)
        box = Box.of(mask)
        flat = mask[box.slices]
        start, stop = list(box.start), list(box.stop)
        start[axis], stop[axis] = place.index, place.index + 1
        if not box.is_empty:
            box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        title = f"{self.title} cut" if cut else self.title
        name = f"{title}, {self._tissue_name(cut=cut)}, {place}"
        return self._step(name, box, flat, Tissue.BACKGROUND if cut else self._state.tissue)

    def _step(self, name: str, box: Box, mask: NDArray[np.bool_], tissue: Tissue) -> bool:
        """Paint a mask as one step called `name`; the contour is then done with."""
        if not self._editing.begin():
            return False
        self._drop()
        try:
            if not box.is_empty:
                self._editing.paint(box, mask, tissue)
        except BaseException:
            self._editing.cancel()
            raise
        if not self._editing.commit(name):
            if box.is_empty:
                why = tr("no voxel lies inside")
            elif self._state.constraints == type(self._state.constraints)():
                why = tr("no voxel changes")
            else:
                why = tr("no voxel changes under the rules that are on")
            self._editing.say(f"{step_words(name)}: {why}.")
        self._state.tool_changed.emit()
        return True

    def _tissue_name(self, *, cut: bool) -> str:
        if cut and not self._state.constraints.keep_others:
            return "all labels"
        return TISSUE_NAMES[self._state.tissue].lower()
