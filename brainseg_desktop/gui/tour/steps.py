"""The steps of the tour: what to do, on which control, and how to see that it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QDockWidget, QWidget

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.language import mark

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow


@dataclass(frozen=True, slots=True)
class Step:
    """One card.

    Parameters
    ----------
    name, title, text : str
        In English; a name in braces stands for the key of that action.
    target : function
        The control that the card points at; None for none.
    measure : function
        What the step changes, as a value to be compared.
    is_done : function
        Of the value before and now.
    needs_hands : bool
        False for a card that is only read.
    """

    name: str
    title: str
    text: str
    target: Callable[[MainWindow], QWidget | None] = lambda window: None
    measure: Callable[[MainWindow], Any] = lambda window: None
    is_done: Callable[[Any, Any], bool] = lambda before, now: bool(before != now)
    needs_hands: bool = True


def _button(name: str) -> Callable[[MainWindow], QWidget | None]:
    """A button of the tool bar; where the window is too narrow for it, the arrow behind which it is."""

    def find(window: MainWindow) -> QWidget | None:
        bar = window.tool_bar
        button = bar.widgetForAction(window.actions_by_name[name])
        if isinstance(button, QWidget) and button.isVisible():
            return button
        more = bar.findChild(QWidget, "qt_toolbar_ext_button")
        return more if isinstance(more, QWidget) and more.isVisible() else None

    return find


def _view(window: MainWindow) -> QWidget:
    return window.viewer.active_panel.view


def _panel(name: str) -> Callable[[MainWindow], QWidget | None]:
    """A section of the panel at the right, brought to the front."""

    def find(window: MainWindow) -> QWidget | None:
        section: QWidget = getattr(window, name)
        dock = window.findChild(QDockWidget, "Reading")
        return section if isinstance(dock, QDockWidget) and dock.isVisible() else None

    return find


def _count(window: MainWindow, kind: RaterKind) -> int:
    case = window.session.case
    return sum(r.kind is kind for r in case.ratings) if case is not None else 0


def _depth(window: MainWindow) -> int:
    rating = window.session.editable()
    return len(rating.history.undo_names) if rating is not None else 0


def _compared(window: MainWindow) -> tuple[bool, int]:
    report = window.agreement.reporting.window
    return report is not None and report.isVisible(), id(window.session.reference)


def _painted(before: tuple[int, Mode], now: tuple[int, Mode]) -> bool:
    return now[0] > before[0]


STEPS = (
    Step(
        "start",
        mark("Three minutes around the program"),
        mark(
            "This is a computed case that shows no patient. Each card asks you to do one thing, and goes "
            "on when you have done it. Esc ends the tour at any time; nothing of it is kept."
        ),
        needs_hands=False,
    ),
    Step(
        "scroll",
        mark("Scroll through the slices"),
        mark(
            "Turn the wheel over a picture, or press Up and Down. All four sequences follow. Ctrl+wheel "
            "zooms."
        ),
        _view,
        lambda window: window.state.cursor,
    ),
    Step(
        "window",
        mark("Set the contrast"),
        mark(
            "Press {window} or this button, then drag over a picture: sideways for the window, up and "
            "down for the level. {auto_window} brings the first contrast back."
        ),
        _button("window"),
        lambda window: dict(window.state.windows),
    ),
    Step(
        "segment",
        mark("Let the network outline"),
        mark(
            "Press Segment with AI, or {segment}. The first slices show after a second or two; the whole "
            "takes a few seconds more."
        ),
        _button("segment"),
        lambda window: _count(window, RaterKind.MODEL),
        lambda before, now: now > before,
    ),
    Step(
        "label",
        mark("Choose what to paint"),
        mark(
            "Your own mask starts from the outline; the network's stays as it is. Choose another label "
            "here, or press 1 to 4."
        ),
        _panel("labels"),
        lambda window: window.state.tissue,
    ),
    Step(
        "paint",
        mark("Correct with the brush"),
        mark(
            "Press {brush} or this button and paint into a picture. Hold Ctrl to erase; Shift+wheel "
            "changes the size."
        ),
        _button("brush"),
        lambda window: (_depth(window), window.state.mode),
        _painted,
    ),
    Step(
        "undo",
        mark("Take it back"),
        mark(
            "Press {undo} or this button. Its name says which step goes; every step is on the disk at "
            "once and survives a crash."
        ),
        _button("undo"),
        _depth,
        lambda before, now: now < before,
    ),
    Step(
        "compare",
        mark("Measure the agreement"),
        mark(
            "Dice and volumes here change while you paint. Press Compare or {compare} for all measures, "
            "or choose another mask to compare with."
        ),
        _panel("compare"),
        _compared,
    ),
    Step(
        "export",
        mark("Export the mask"),
        mark(
            "Press Export or {export}, then Export in the dialog. The file is read back before it is "
            "called saved. In the tour it goes into a folder that is deleted at the end."
        ),
        _button("export"),
        lambda window: window.touring.exports,
    ),
    Step(
        "end",
        mark("That is the whole way"),
        mark(
            "Drop a case folder onto the window to begin with your own. {help} lists all keys. Finish "
            "closes the sample and leaves nothing behind."
        ),
        needs_hands=False,
    ),
)
