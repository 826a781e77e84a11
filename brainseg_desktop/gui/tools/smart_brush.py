"""The smart brush: paints only what resembles the place where the stroke began."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QPainter

from brainseg_desktop.core.brush import Dab, capsule
from brainseg_desktop.core.geometry import nearest_voxel
from brainseg_desktop.core.growing import connected_part, level_near, touching
from brainseg_desktop.core.volume import Volume
from brainseg_desktop.gui.tools.brush_tool import BrushTool, Voxel
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.fill_tool import draw_note, least_sd, range_text, usable_volume
from brainseg_desktop.gui.views.plane import Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.language import tr

LEAST_LIKENESS, MOST_LIKENESS, _STEP = 0.5, 6.0, 0.25


class SmartBrush(BrushTool):
    """A brush that keeps to intensities like those where the stroke began, and to what is connected.

    Of the voxels within the dab those are painted whose intensity, in the sequence of the view under the
    mouse, is within `likeness` standard deviations of the mean of the 3 x 3 (ball: 3 x 3 x 3) voxels where
    the stroke began, and which are connected by such voxels to the middle of the brush. Ctrl erases likewise.

    Parameters
    ----------
    editing : Editing
    """

    paints, erases = "Smart brush", "Smart erase"

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.likeness = 2.5
        self._volume: Volume | None = None
        self._range = (0.0, 0.0)

    def set_likeness(self, likeness: float) -> None:
        """How many standard deviations from the mean still resemble it, from 0.5 to 6."""
        self.likeness = min(max(LEAST_LIKENESS, likeness), MOST_LIKENESS)
        self._state.tool_changed.emit()

    def key(self, view: SliceView, event: QKeyEvent) -> bool:
        """Plus and minus: more or less alike."""
        steps = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1}.get(Qt.Key(event.key()))
        if steps is None or self.is_busy:
            return False
        self.set_likeness(self.likeness + steps * _STEP)
        return True

    def _prepare(self, view: SliceView, voxel: Voxel) -> bool:
        state = self._state
        volume = usable_volume(self._editing, view)
        place = nearest_voxel(voxel)
        if volume is None or not volume.grid.contains(place):
            return False
        level = level_near(volume.data, place, None if state.ball else view.plane.axis)
        if level is None:
            self._editing.say(tr("The image has no value here. Begin the stroke beside it."))
            return False
        self._volume = volume
        self._range = level.within(self.likeness * max(level.sd, least_sd(state, view.sequence)))
        return True

    def _covered(self, start: Voxel, end: Voxel, diameter_mm: float) -> Dab:
        dab = super()._covered(start, end, diameter_mm)
        if dab.box.is_empty:
            return dab
        assert self._volume is not None
        values = self._volume.data[dab.box.slices]
        low, high = self._range
        alike = dab.mask & (values >= low) & (values <= high)
        # One noisy voxel under the mouse stops no stroke: its neighbours count as the middle too.
        way = capsule(start, end, 0.0, self._volume.grid.spacing_mm, self._volume.grid.shape, self._flat_axis)
        return Dab(dab.box, connected_part(alike, alike & touching(way, dab.box)))

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        super().draw(painter, view, projection)
        if view.pointer is not None:
            below = self.size_mm(view) / 2 * projection.pixels_per_mm
            text = range_text(self._range) if self.is_busy else f"\u00b1 {self.likeness:g} SD"
            draw_note(painter, view, view.pointer + QPointF(0, below), text)
