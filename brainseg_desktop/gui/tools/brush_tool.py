"""The brush and the eraser: mouse positions in, one named step in the history out."""

from __future__ import annotations

from collections.abc import Callable

from brainseg_desktop.core.brush import allowed, capsule
from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.history import Stroke
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import Mode, ViewState


class BrushTool:
    """Paints into the rating that `editable` returns.

    Parameters
    ----------
    state : ViewState
        Brush size, shape, label and rules.
    editable : callable
        The rating to paint into, or None (and the reader told why) if there is none that may be changed.
    """

    def __init__(self, state: ViewState, editable: Callable[[], Rating | None]) -> None:
        self._state = state
        self._editable = editable
        self._rating: Rating | None = None
        self._stroke: Stroke | None = None
        self._last: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self._plane = Plane.AXIAL
        self._erase = False
        self._hover_erase = False

    @property
    def is_painting(self) -> bool:
        return self._stroke is not None

    @property
    def is_erasing(self) -> bool:
        """Whether the present or the next stroke removes."""
        if self.is_painting:
            return self._erase
        return self._hover_erase or self._state.mode is Mode.ERASER

    def hover(self, *, erase: bool) -> None:
        """The mouse moves without painting; held Ctrl is shown at once."""
        self._hover_erase = erase

    def press(self, voxel: tuple[float, float, float], plane: Plane, *, erase: bool) -> None:
        """Begin a stroke at a voxel position on a slice of `plane`."""
        if self.is_painting:
            return
        rating = self._editable()
        if rating is None or rating.history.is_editing:
            return
        self._rating, self._plane, self._last = rating, plane, voxel
        self._erase = erase or self._state.mode is Mode.ERASER
        self._stroke = rating.history.begin()
        self._dab(voxel, voxel)

    def move(self, voxel: tuple[float, float, float]) -> None:
        """Go on to another voxel position; a change of slice starts there afresh, without a bridge."""
        if self._stroke is None:
            return
        axis = self._plane.axis
        start = self._last if self._last[axis] == voxel[axis] else voxel
        self._dab(start, voxel)
        self._last = voxel

    def release(self) -> None:
        """End the stroke as one step."""
        if self._stroke is None or self._rating is None:
            return
        rating, self._stroke, self._rating = self._rating, None, None
        index = round(self._last[self._plane.axis]) + 1
        what = "Erase" if self._erase else "Brush"
        rating.history.commit(f"{what}, {self._tissue_name()}, {self._plane.title} {index}")

    def cancel(self) -> None:
        """Take the stroke back, as if it had not been begun."""
        if self._stroke is None or self._rating is None:
            return
        rating, self._stroke, self._rating = self._rating, None, None
        rating.history.cancel()

    def _tissue_name(self) -> str:
        if self._erase and not self._state.keep_others:
            return "all labels"
        return TISSUE_NAMES[self._state.tissue].lower()

    def _dab(self, start: tuple[float, float, float], end: tuple[float, float, float]) -> None:
        state, stroke = self._state, self._stroke
        assert state.case is not None
        assert stroke is not None
        grid = state.case.grid
        dab = capsule(
            start,
            end,
            state.brush_mm,
            grid.spacing_mm,
            grid.shape,
            None if state.ball else self._plane.axis,
        )
        if dab.box.is_empty:
            return
        mask = allowed(
            dab.mask,
            stroke.labels[dab.box.slices],
            state.tissue,
            erase=self._erase,
            keep_others=state.keep_others,
        )
        stroke.paint(dab.box, mask, Tissue.BACKGROUND if self._erase else state.tissue)
