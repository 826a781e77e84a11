"""Menus and the tool bar, made from the actions."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Entries

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QComboBox, QMenu, QMenuBar, QSizePolicy, QToolBar, QToolButton, QWidget

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.icons import icon_size
from brainseg_desktop.gui.views.layouts import Layout
from brainseg_desktop.services.language import tr

# Tools that share a button: the first is on it, all are behind its arrow.
_CHOICES = (
    ("brush", "smart_brush"),
    ("polygon", "lasso", "spline", "scissors"),
    ("fill", "threshold", "scribble", "interpolate"),
    ("ruler", "angle", "roi", "diameters"),
)
LAYOUTS = tuple(layout.value for layout in Layout)
# Room is short on a small screen: the others show their icon alone, and say what they are when pointed at.
_WITH_WORDS = {"open", "segment", "undo", "axial", "coronal", "sagittal", "compare", "export"}
# These show their icon alone too, in this order, where the words of a language are too long for the window.
_GIVE_WAY = ("undo", "open", "compare", "export")
_NO_LIMIT = 16_777_215


def make_menus(bar: QMenuBar, actions: Mapping[str, QAction], networks: QMenu) -> None:
    """All actions by subject, and the list of networks."""
    for title, names in (
        (
            tr("&Case"),
            "open open_files load_mask align - next_case previous_case - export case_report - pacs - "
            "close_case quit",
        ),
        (
            tr("&Edit"),
            "undo redo - brush smart_brush eraser ball smaller larger - polygon lasso spline scissors - fill "
            "threshold scribble - interpolate drop_proposal - keep_others intensity_rule - settings",
        ),
        (
            tr("&View"),
            "sequences row planes surface big two - axial coronal sagittal - maximise link view_window "
            "view_menu - window auto_window smooth fit - crosshair neurological nose_right - copy_picture "
            "save_picture - theme",
        ),
        (
            tr("&Mask"),
            "show_mask outline fill_outline less_opaque more_opaque label_colours - both_masks difference "
            "uncertainty - curtain blink",
        ),
        (
            tr("&Slices"),
            "slice_up slice_down - label_centre next_labelled previous_labelled - next_doubt "
            "previous_doubt accept_doubt edit_doubt clear_doubt - cine",
        ),
        (tr("Mea&sure"), "ruler angle roi diameters - delete_measurement"),
        (tr("&Network"), "segment cancel - ? about_network models_folder - uncertainty"),
        (tr("&Agreement"), "compare swap_pair - both_masks difference agreement_map - majority staple"),
        (
            tr("St&udy"),
            "new_study open_study last_study - study_window - accept_reading save_reading - close_study",
        ),
        (tr("&Help"), "guide tour sample - help - log_folder about"),
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
        super().__init__(tr("Tools"))
        self.setObjectName("tools")
        self.setMovable(False)
        self.setIconSize(icon_size(self.font()))
        self._undo_room = self.fontMetrics().horizontalAdvance("Undo Brush, enhancing")
        # Its icon and the air around both; too little, and the button cuts once more what was cut to fit.
        self._undo_width = self._undo_room + self.iconSize().width() + 30
        row = (
            "open segment | undo redo | crosshair window brush eraser polygon fill ruler | layout | "
            "axial coronal sagittal = > compare export"
        )
        for name in row.split():
            if name == "|":
                self.addSeparator()
            elif name == "=":
                self._add_sequences()
            elif name == ">":
                room = QWidget()
                room.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
                self.addWidget(room)
            elif name == "layout":
                self.layout_button = self._add_menu(tr("Layout of the views"), [actions[n] for n in LAYOUTS])
            else:
                self._add(name, actions[name], networks)
        for names in _CHOICES:
            self._add_choices(self.widgetForAction(actions[names[0]]), [actions[n] for n in names])

    def _add(self, name: str, action: QAction, networks: QMenu) -> None:
        self.addAction(action)
        button = self.widgetForAction(action)
        if not isinstance(button, QToolButton):
            return
        button.setObjectName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(action.text())
        if name in _WITH_WORDS:
            self._set_words(button, True)
        if name == "segment":
            button.setMenu(networks)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)

    def _set_words(self, button: QToolButton, on: bool) -> None:
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if on else Qt.ToolButtonStyle.ToolButtonIconOnly
        button.setToolButtonStyle(style)
        if button.objectName() == "undo":
            button.setMinimumWidth(self._undo_width if on else 0)
            button.setMaximumWidth(self._undo_width if on else _NO_LIMIT)

    def _fit(self) -> None:
        """Let words go until every button is on the bar: one behind its end is not found."""
        buttons = [b for n in _GIVE_WAY if (b := self.findChild(QToolButton, n)) is not None]
        for button in buttons:
            self._set_words(button, True)
        for button in buttons:
            if self.sizeHint().width() <= self.width():
                return
            self._set_words(button, False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    def _add_menu(self, title: str, entries: Entries[QAction]) -> QToolButton:
        """A button that opens a list of actions."""
        button = QToolButton()
        button.setObjectName("layout")
        button.setAccessibleName(title)
        button.setToolTip(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addActions(list(entries))
        button.setMenu(menu)
        self.addWidget(button)
        return button

    @staticmethod
    def _add_choices(button: QWidget, entries: Entries[QAction]) -> None:
        """Further tools behind the arrow of a button."""
        assert isinstance(button, QToolButton)
        menu = QMenu(button)
        menu.addActions(list(entries))
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)

    def _add_sequences(self) -> None:
        self._sequence = QComboBox()
        self._sequence.setAccessibleName(tr("Sequence of the three planes"))
        self._sequence.setToolTip(tr("Sequence shown in three planes"))
        self._sequence.currentTextChanged.connect(self._chosen)
        self._sequence_action = self.addWidget(self._sequence)

    def show_layout(self, action: QAction) -> None:
        """Show which layout is on."""
        self.layout_button.setIcon(action.icon())
        self.layout_button.setToolTip(tr("Layout of the views: {layout}", layout=action.text()))

    def elided(self, name: str, text: str) -> str:
        """A step's name cut to the width of its button, so that the buttons behind it stay in place."""
        room = self._undo_room if name == "undo" else 60
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)

    def set_sequences(self, sequences: list[Sequence], chosen: Sequence, *, shown: bool) -> None:
        """List the sequences to choose from, or hide the list."""
        self._sequence_action.setVisible(shown)
        self._sequence.blockSignals(True)
        self._sequence.clear()
        self._sequence.addItems([s.value for s in sequences])
        self._sequence.setCurrentText(chosen.value)
        self._sequence.blockSignals(False)
        self._fit()

    def _chosen(self, name: str) -> None:
        if name:
            self.sequence_chosen.emit(Sequence(name))
