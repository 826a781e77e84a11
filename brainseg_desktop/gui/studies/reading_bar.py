"""The bar above the pictures while a reading of a study is open."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.language import tr


def duration_text(seconds: float) -> str:
    """Time of work, as minutes and seconds or hours and minutes.

    Examples
    --------
    >>> duration_text(65.4), duration_text(3720)
    ('1:05 min', '1:02 h')
    """
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


# Heights of a line that flags and buttons may take of one line beside the state.
_ROOM = 40


class ReadingBar(QFrame):
    """Which reading it is, its flags and remark, and the button that locks it.

    Signals
    -------
    accepted : lock this reading and go to the next.
    saved : keep it as a draft.
    noted : flags or remark were changed by the reader.
    """

    accepted = Signal()
    saved = Signal()
    noted = Signal()

    def __init__(self, flags: Mapping[str, str]) -> None:
        super().__init__()
        self.setObjectName("tile")
        self._title = QLabel()
        self._title.setObjectName("step")
        self._state = faint()
        self._state.setWordWrap(False)
        self._flags: dict[str, QCheckBox] = {}
        self._remark = QLineEdit()
        self._remark.setPlaceholderText(tr("Remark"))
        self._remark.setAccessibleName(tr("Remark on this reading"))
        self._remark.setMaxLength(2000)
        self._remark.setMinimumWidth(8 * self.fontMetrics().horizontalAdvance("m"))
        self._remark.editingFinished.connect(self._remarked)
        self._known_remark = ""
        self._save = QPushButton(tr("Save draft"))
        self._save.setToolTip(tr("Write the mask as it is into the study; the reading stays open"))
        self._save.clicked.connect(self.saved)
        self._accept = QPushButton(tr("Accept and next"))
        self._accept.setToolTip(tr("Lock this reading for good and open the next one (Ctrl+Alt+A)"))
        self._accept.clicked.connect(self.accepted)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 6, 4)
        column.setSpacing(2)
        row = QHBoxLayout()
        column.addLayout(row)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._title)
        words.addWidget(self._state)
        row.addLayout(words)
        row.addSpacing(8)
        notes = QHBoxLayout()
        for key, text in flags.items():
            box = QCheckBox(tr(text))
            box.clicked.connect(lambda _=False: self.noted.emit())
            notes.addWidget(box)
            self._flags[key] = box
        notes.addWidget(self._remark, 1)
        parts = (*self._flags.values(), self._save, self._accept)
        if sum(part.sizeHint().width() for part in parts) <= _ROOM * self.fontMetrics().height():
            row.addLayout(notes, 1)
        else:
            # In one line the words of some languages would widen the window beyond a small screen.
            self._state.setWordWrap(True)
            row.setStretch(0, 1)
            column.addLayout(notes)
        row.addWidget(self._save)
        row.addWidget(self._accept)
        self.hide()

    def show_reading(
        self, title: str, state: str, flags: tuple[str, ...], remark: str, *, locked: bool
    ) -> None:
        """Show a reading; one that is locked cannot be changed."""
        self._title.setText(title)
        self._state.setText(state)
        for key, box in self._flags.items():
            box.setChecked(key in flags)
        self._remark.setText(remark)
        self._known_remark = remark
        self.set_busy(False, locked=locked)
        self.show()

    def set_state(self, text: str) -> None:
        """How far it is and how long it took."""
        self._state.setText(text)

    def set_busy(self, busy: bool, *, locked: bool = False) -> None:
        """While it is being locked nothing can be pressed; after that the button only goes on."""
        self._save.setEnabled(not busy and not locked)
        self._remark.setReadOnly(busy or locked)
        for box in self._flags.values():
            box.setEnabled(not busy and not locked)
        self._accept.setEnabled(not busy)
        self._accept.setText(tr("Next reading") if locked else tr("Accept and next"))

    @property
    def flags(self) -> tuple[str, ...]:
        """Keys of the flags that are set."""
        return tuple(key for key, box in self._flags.items() if box.isChecked())

    @property
    def remark(self) -> str:
        return self._remark.text().strip()

    def focus_widget(self) -> QWidget:
        """Where a remark is typed."""
        return self._remark

    def _remarked(self) -> None:
        if self.remark != self._known_remark and not self._remark.isReadOnly():
            self._known_remark = self.remark
            self.noted.emit()
