"""Menus and the tool bar, made from the actions."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QMenu, QMenuBar, QSizePolicy, QToolBar, QToolButton, QWidget

from brainseg_desktop.core.volume import Sequence


def make_menus(bar: QMenuBar, actions: Mapping[str, QAction], networks: QMenu) -> None:
    """All actions by subject, and the list of networks."""
    for title, names in (
        ("&Case", "open open_files load_mask - next_case previous_case - export - close_case quit"),
        ("&Edit", "undo redo - brush eraser ball keep_others smaller larger"),
        (
            "&View",
            "sequences planes - axial coronal sagittal - show_mask outline less_opaque more_opaque "
            "difference uncertainty - window auto_window crosshair fit maximise smooth theme",
        ),
        ("&Network", "segment cancel - ? about_network models_folder - uncertainty"),
        ("&Agreement", "compare difference"),
        ("&Help", "help about"),
    ):
        menu = bar.addMenu(title)
        for name in names.split():
            if name == "-":
                menu.addSeparator()
            elif name == "?":
                menu.addMenu(networks)
            else:
                menu.addAction(actions[name])


class ToolBar(QToolBar):
    """The buttons that are needed all the time.

    Signals
    -------
    sequence_chosen : `Sequence` to show in three planes.
    """

    sequence_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction], networks: QMenu) -> None:
        super().__init__("Tools")
        self.setObjectName("tools")
        self.setMovable(False)
        self._undo_width = self.fontMetrics().horizontalAdvance("Undo Brush, enhancing") + 24
        row = (
            "open segment | undo redo | crosshair window brush eraser | "
            "sequences planes | axial coronal sagittal = > compare export"
        )
        for name in row.split():
            if name == "|":
                self.addSeparator()
            elif name == "=":
                self._sequence = QComboBox()
                self._sequence.setAccessibleName("Sequence of the three planes")
                self._sequence.setToolTip("Sequence shown in three planes")
                self._sequence.currentTextChanged.connect(self._chosen)
                self._sequence_action = self.addWidget(self._sequence)
            elif name == ">":
                room = QWidget()
                room.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
                self.addWidget(room)
            else:
                self.addAction(actions[name])
                button = self.widgetForAction(actions[name])
                if isinstance(button, QToolButton):
                    button.setObjectName(name)
                    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
                    if name == "undo":
                        button.setFixedWidth(self._undo_width)
                    elif name == "segment":
                        button.setMenu(networks)
                        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)

    def elided(self, name: str, text: str) -> str:
        """A step's name cut to the width of its button, so that the buttons behind it stay in place."""
        room = self._undo_width - 24 if name == "undo" else 60
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)

    def set_sequences(self, sequences: list[Sequence], chosen: Sequence, *, shown: bool) -> None:
        """List the sequences to choose from, or hide the list."""
        self._sequence_action.setVisible(shown)
        self._sequence.blockSignals(True)
        self._sequence.clear()
        self._sequence.addItems([s.value for s in sequences])
        self._sequence.setCurrentText(chosen.value)
        self._sequence.blockSignals(False)

    def _chosen(self, name: str) -> None:
        if name:
            self.sequence_chosen.emit(Sequence(name))
