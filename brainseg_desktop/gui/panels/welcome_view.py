"""The first page a new user sees: what the program is, what it may be used for, and where to begin."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.panels.parts import faint, heading, show_page
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.notice import NOTICE

_LONGEST_NAME = 30


class WelcomeView(QWidget):
    """The research-use notice, to be ticked, and buttons that begin.

    Parameters
    ----------
    again : bool
        The notice was acknowledged before, and has changed since.
    waiting : str
        Name of the file that the program was started with; empty if there is none.
    guide : bool
        Whether there is a guide to be opened.

    Signals
    -------
    chosen : "tour", "sample", "open", "guide" or "go_on"; the notice is acknowledged by then.
    """

    chosen = Signal(str)

    def __init__(self, *, again: bool, waiting: str, guide: bool) -> None:
        super().__init__()
        self.setAccessibleName(tr("Welcome"))
        title = QLabel(
            tr("The research-use notice has changed") if again else tr("Welcome to BrainSeg Desktop")
        )
        title.setObjectName("title")
        title.setWordWrap(True)
        self.tick = QCheckBox(tr("I have read this and will use the program for research only"))
        self.tick.toggled.connect(self._ticked)
        self.buttons: dict[str, QPushButton] = {}
        row = QGridLayout()
        row.setSpacing(8)
        entries = [
            (
                "tour",
                tr("Take the tour (3 minutes)"),
                tr("Each step in this window, on the sample case"),
            ),
            ("sample", tr("Open the sample case"), tr("A computed case that comes with the program")),
            ("open", tr("Open a case..."), tr("Choose a case folder")),
            ("guide", tr("Read the guide"), tr("Each task in a few words, with pictures")),
        ]
        if waiting:
            entries.insert(
                0, ("go_on", tr("Go on to {name}", name=_shortened(waiting)), tr("Open what you chose"))
            )
        elif again:
            entries.insert(0, ("go_on", tr("Go on"), tr("To the start page")))
        if not guide:
            entries.pop()
        for place, (name, text, tip) in enumerate(entries):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setDefault(place == 0)
            button.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            row.addWidget(button, place // 2, place % 2)
            self.buttons[name] = button
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(title)
        what = QLabel(
            tr(
                "Open a brain MRI, let the bundled network outline the tumour, correct the outline by hand, "
                "measure how far readers agree, and export a mask that was read back and compared."
            )
        )
        what.setWordWrap(True)
        column.addWidget(what)
        column.addWidget(self._notice())
        column.addWidget(self.tick)
        column.addLayout(row)
        self._hint = faint(tr("Tick the box to begin. The tour and the sample are in the Help menu, too."))
        column.addWidget(self._hint)
        column.addStretch(3)
        show_page(self, page)
        self._ticked(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.tick.setFocus(Qt.FocusReason.OtherFocusReason)

    def _notice(self) -> QFrame:
        tile = QFrame()
        tile.setObjectName("tile")
        column = QVBoxLayout(tile)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(heading(tr("Research-use notice")))
        for place, text in enumerate(NOTICE):
            line = QLabel(tr(text))
            line.setObjectName("step" if place == 0 else "")
            line.setWordWrap(True)
            column.addWidget(line)
        return tile

    def _ticked(self, on: bool) -> None:
        for button in self.buttons.values():
            button.setEnabled(on)
        self._hint.setHidden(on)
        if on:
            next(iter(self.buttons.values())).setFocus(Qt.FocusReason.OtherFocusReason)


def _shortened(name: str) -> str:
    """A name that fits a button: its middle left out."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}...{name[-10:]}"
