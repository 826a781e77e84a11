"""What every editing tool is: mouse events on a view in, a preview on the view, one named step out.

The mouse (`gui.views.slice_mouse`) hands the left button and the wheel of a view to the tool of the present
mode; pan, zoom and the crosshair by Shift stay the mouse's. Positions reach a tool as a point of the view;
``view.voxel_at(point)`` is the fractional voxel, `Grid.world_of` of it the millimetres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QPainter

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.plane import Projection
    from brainseg_desktop.gui.views.slice_view import SliceView


class Tool:
    """A tool that does nothing yet; each tool overrides what it needs."""

    @property
    def is_busy(self) -> bool:
        """Whether something is under way that Esc would take back."""
        return False

    def press(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        """The left button goes down."""

    def move(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier, *, pressed: bool) -> None:
        """The mouse moves, the left button held or not."""

    def release(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        """The left button comes up."""

    def double_click(self, view: SliceView, point: QPointF, keys: Qt.KeyboardModifier) -> None:
        """A second click soon after the first; an ordinary press unless the tool says otherwise."""
        self.press(view, point, keys)

    def wheel(self, view: SliceView, point: QPointF, steps: int, keys: Qt.KeyboardModifier) -> bool:
        """The wheel turns; True if the tool took it, else it goes through the slices."""
        return False

    def scrolled(self, view: SliceView, point: QPointF) -> None:
        """Another slice is shown under the mouse while the tool is busy."""

    def key(self, view: SliceView, event: QKeyEvent) -> bool:
        """A key is pressed while the tool is on; True if the tool took it (Enter, Backspace)."""
        return False

    def finish(self) -> None:
        """Another tool is chosen or the case let go: what can be kept becomes a step, the rest is dropped."""
        self.cancel()

    def cancel(self) -> None:
        """Esc: take back what is under way."""

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        """Draw the preview on a view, over image and mask."""
