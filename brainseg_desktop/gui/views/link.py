"""Where a view is: with all the others, or by itself while its link is held off."""

from __future__ import annotations

from collections.abc import Callable

from brainseg_desktop.gui.views.plane import Camera, Plane
from brainseg_desktop.gui.views.view_state import ViewState

Voxel = tuple[int, int, int]


class Position:
    """Cursor and camera of one view.

    Parameters
    ----------
    state : ViewState
        The position that linked views share.
    moved : callable
        Called after an own position has changed; linked views hear it from the state.
    """

    def __init__(self, state: ViewState, moved: Callable[[], None]) -> None:
        self._state = state
        self._moved = moved
        self._own: tuple[Voxel, Camera] | None = None
        state.case_changed.connect(self._follow_case)

    @property
    def is_linked(self) -> bool:
        return self._own is None

    def set_linked(self, on: bool) -> None:
        """Go with the others again, or stay here while they move on."""
        self._own = None if on else (self.cursor, self.camera)
        self._moved()

    @property
    def cursor(self) -> Voxel:
        return self._state.cursor if self._own is None else self._own[0]

    @property
    def camera(self) -> Camera:
        return self._state.camera if self._own is None else self._own[1]

    def set_cursor(self, voxel: Voxel) -> None:
        """Move the crosshair; the voxel is clamped into the case."""
        if self._own is None:
            self._state.set_cursor(voxel)
        elif self._state.case is not None:
            self._own = (self._state.clamped(voxel), self._own[1])
            self._moved()

    def step(self, plane: Plane, steps: int) -> None:
        """Go some slices up (to superior, anterior, right) or down."""
        voxel = list(self.cursor)
        voxel[plane.axis] += steps
        self.set_cursor((voxel[0], voxel[1], voxel[2]))

    def go(self, plane: Plane, index: int) -> None:
        """Go to a slice."""
        self.step(plane, index - self.cursor[plane.axis])

    def set_camera(self, camera: Camera) -> None:
        if self._own is None:
            self._state.set_camera(camera)
        else:
            self._own = (self._own[0], self._state.limited(camera))
            self._moved()

    def _follow_case(self) -> None:
        # A place in one case means nothing in the next.
        self._own = None
