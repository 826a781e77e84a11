"""The tools by mode, and the one that has the left button now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtGui import QPainter

from brainseg_desktop.gui.tools.tool import Tool
from brainseg_desktop.gui.views.view_state import Mode, ViewState

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.plane import Projection
    from brainseg_desktop.gui.views.slice_view import SliceView


class Toolbox:
    """Hands the mode's tool to the mouse; a tool that is left finishes what it can.

    Parameters
    ----------
    state : ViewState
    tools : mapping of Mode to Tool
        Modes without one are the mouse's own (crosshair, window) or the measuring tools'.
    """

    def __init__(self, state: ViewState, tools: Mapping[Mode, Tool]) -> None:
        self._state = state
        self._tools = dict(tools)
        # Proposals that no mode has, drawn on every view (an interpolation waiting to be accepted).
        self.proposals: list[Callable[[QPainter, SliceView, Projection], None]] = []
        self._last = self.active
        state.tool_changed.connect(self._follow)

    def __getitem__(self, mode: Mode) -> Tool:
        return self._tools[mode]

    @property
    def active(self) -> Tool | None:
        """The tool of the present mode, if that edits."""
        return self._tools.get(self._state.mode)

    @property
    def is_busy(self) -> bool:
        """Whether an edit is under way."""
        return any(tool.is_busy for tool in self._tools.values())

    def finish(self) -> None:
        """The case or the mask is let go."""
        for tool in self._tools.values():
            if tool.is_busy:
                tool.finish()

    def cancel(self) -> None:
        """Esc."""
        for tool in self._tools.values():
            if tool.is_busy:
                tool.cancel()

    def _follow(self) -> None:
        now = self.active
        if now is not self._last:
            last, self._last = self._last, now
            if last is not None and last.is_busy:
                last.finish()
