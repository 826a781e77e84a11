"""What the pages of the settings window share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from brainseg_desktop.gui.panels.parts import faint, heading

_NARROWEST_EM = 10


class Page(QScrollArea):
    """A page that scrolls where the window is small."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        inside = QWidget()
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(14, 10, 14, 10)
        self.column.setSpacing(8)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def finish(self) -> None:
        """The page is whole: names take the same width, so that the controls stand below each other."""
        self.column.addStretch(1)
        names = [
            label
            for form in self.findChildren(QFormLayout)
            for row in range(form.rowCount())
            if (item := form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None
            and isinstance(label := item.widget(), QLabel)
        ]
        widest = max((label.sizeHint().width() for label in names), default=0)
        for label in names:
            label.setMinimumWidth(widest)
        self.follow()

    def follow(self) -> None:
        """Show the settings as they are now."""

    def leave(self) -> None:
        """The window is being closed."""

    def add_heading(self, text: str) -> None:
        """Begin a section."""
        if self.column.count():
            self.column.addSpacing(6)
        self.column.addWidget(heading(text))

    def add_form(self) -> QFormLayout:
        """Rows of a name and a control."""
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.column.addLayout(form)
        return form

    def add_note(self, text: str) -> QLabel:
        """A sentence of second rank."""
        label = faint(text)
        self.column.addWidget(label)
        return label


class Choice(QComboBox):
    """A list of (value, words); tells the value only when the reader chooses another.

    Parameters
    ----------
    name : str
        For screen readers, and shown when pointed at.
    entries : iterable of (value, words)
    chosen : callable
        Gets the value.
    """

    def __init__(
        self, name: str, entries: Iterable[tuple[str, str]], chosen: Callable[[str], object]
    ) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        # Wide words need not make a small window wider; the list opens in full.
        self.setMinimumWidth(_NARROWEST_EM * self.fontMetrics().height())
        for value, text in entries:
            self.addItem(text, value)
        self.activated.connect(lambda row: chosen(self.itemData(row)))

    def set_value(self, value: str) -> None:
        """Show a value."""
        row = self.findData(value)
        if row >= 0:
            self.setCurrentIndex(row)


def push(text: str, what: str, pressed: Callable[[], object], name: str = "") -> QPushButton:
    """A button; Enter elsewhere on a page does not press it."""
    button = QPushButton(text)
    button.setToolTip(what)
    button.setAutoDefault(False)
    if name:
        button.setAccessibleName(name)
    button.clicked.connect(lambda: pressed())
    return button
