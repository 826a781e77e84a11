"""The dialog in which sequences are brought together and the result is looked at before it is taken."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.panels.blink_check import BlinkCheck
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import mark, tr

AUTOMATIC = mark("Automatic")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a sequence, what its header says, and what was done with it."""

    sequence: Sequence
    header: str
    placed: str
    can_be_taken_back: bool


class AlignDialog(QDialog):
    """A list of sequences, a check, and buttons; what they do is `gui.tasks.aligning`'s business.

    Signals
    -------
    register_wanted, headers_wanted, back_wanted : Sequence
    cancelled, accepted_result, discarded : the running registration, the result shown
    reference_chosen : name of a sequence, empty for the usual rule
    gone : the dialog was closed
    """

    register_wanted = Signal(object)
    headers_wanted = Signal(object)
    back_wanted = Signal(object)
    cancelled = Signal()
    accepted_result = Signal()
    discarded = Signal()
    reference_chosen = Signal(str)
    gone = Signal()

    def __init__(self, state: ViewState, reference: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Align sequences"))
        self._rows: tuple[Row, ...] = ()
        self._busy = self._pending = False
        self._about = QLabel(wordWrap=True)
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(
            [tr("Sequence"), tr("Its header says"), tr("For the network and the views")]
        )
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName(tr("Sequences to be brought together"))
        self.table.itemSelectionChanged.connect(self._follow)
        self.headers = QPushButton(tr("Use headers"))
        self.headers.setToolTip(tr("Resample this sequence for the network where its header puts it"))
        self.register = QPushButton(tr("Register"))
        self.register.setToolTip(tr("Find where this sequence fits the reference best, then check it"))
        self.back = QPushButton(tr("Take back"))
        self.back.setToolTip(tr("Leave this sequence as its file has it"))
        self.headers.clicked.connect(lambda: self._ask(self.headers_wanted))
        self.register.clicked.connect(lambda: self._ask(self.register_wanted))
        self.back.clicked.connect(lambda: self._ask(self.back_wanted))
        self.bar = QProgressBar()
        self.bar.setAccessibleName(tr("Progress of the registration"))
        self.cancel = QPushButton(tr("Cancel"))
        self.cancel.setAccessibleName(tr("Cancel registration"))
        self.cancel.clicked.connect(self.cancelled)
        self.check = BlinkCheck(state)
        self.verdict = QLabel(wordWrap=True)
        self.verdict.setAccessibleName(tr("Verdict on the registration"))
        self.blink = QCheckBox(tr("Blink"))
        self.blink.setChecked(True)
        self.blink.toggled.connect(self.check.set_blinking)
        self.swap = QPushButton(tr("Swap"))
        self.swap.setToolTip(tr("Show the other picture by hand"))
        self.swap.clicked.connect(self.check.swap)
        self.plane = QComboBox()
        self.plane.setAccessibleName(tr("Plane of the check"))
        for plane in Plane:
            self.plane.addItem(plane.words, plane)
        self.plane.currentIndexChanged.connect(lambda _: self.check.set_plane(self.plane.currentData()))
        self.accept_button = QPushButton(tr("Accept"))
        self.discard = QPushButton(tr("Discard"))
        self.accept_button.clicked.connect(self.accepted_result)
        self.discard.clicked.connect(self.discarded)
        self.reference = QComboBox()
        self.reference.setAccessibleName(tr("Sequence that masks are drawn on"))
        self.reference.addItems([tr(AUTOMATIC), Sequence.FLAIR.value, Sequence.T1CE.value])
        self.reference.setCurrentText(reference or tr(AUTOMATIC))
        self.reference.currentTextChanged.connect(
            lambda text: self.reference_chosen.emit("" if text == tr(AUTOMATIC) else text)
        )
        self.close_button = QPushButton(tr("Close"))
        self.close_button.clicked.connect(self.close)
        self._lay_out()
        line = self.fontMetrics().height()
        self.resize(52 * line, 40 * line)
        room = self.screen().availableSize()
        self.resize(min(self.width(), int(room.width() * 0.9)), min(self.height(), int(room.height() * 0.9)))
        self.set_busy(None)
        self.set_result(None)

    def _lay_out(self) -> None:
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        column = QVBoxLayout(self)
        column.addWidget(self._about)
        column.addWidget(self.table)
        column.addLayout(_row(self.headers, self.register, self.back, None, self.bar, self.cancel))
        column.addWidget(self.check, 1)
        column.addWidget(self.verdict)
        column.addLayout(_row(self.plane, self.blink, self.swap, None, self.discard, self.accept_button))
        note = QLabel(tr("Where there is no mask yet, from the next case opened"))
        column.addLayout(
            _row(QLabel(tr("Masks are drawn on")), self.reference, note, None, self.close_button)
        )

    def set_rows(self, reference: Sequence, rows: Items[Row]) -> None:
        """List the sequences; the chosen line stays chosen."""
        row = max(0, self.table.currentRow())
        self._rows = tuple(rows)
        self._about.setText(
            tr(
                "Sequences are brought to {reference}, which the masks are drawn on. Files and "
                "voxels stay as measured; only the place of a sequence changes.",
                reference=reference.value,
            )
        )
        self.table.setRowCount(len(rows))
        for number, line in enumerate(rows):
            for place, text in enumerate((line.sequence.value, line.header, line.placed)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(number, place, item)
        self.table.resizeRowsToContents()
        lines = sum(self.table.rowHeight(n) for n in range(len(rows)))
        self.table.setFixedHeight(lines + self.table.horizontalHeader().sizeHint().height() + 4)
        if rows:
            self.table.selectRow(min(row, len(rows) - 1))
        self._follow()

    def set_busy(self, share: float | None) -> None:
        """Show how far a registration is; None: none runs."""
        self._busy = share is not None
        for widget in (self.bar, self.cancel):
            widget.setVisible(self._busy)
        if share is not None:
            self.bar.setRange(0, 100)
            self.bar.setValue(round(100 * share))
        self._follow()

    def set_reference(self, name: str) -> None:
        """Show which sequence masks are drawn on; empty for the usual rule."""
        self.reference.setCurrentText(name or AUTOMATIC)

    def set_result(self, text: str | None, *, acceptable: bool = True) -> None:
        """Say what was found and let it be taken or dropped; None: nothing is to be decided."""
        self._pending = text is not None
        self.verdict.setText(text or "")
        for widget in (self.plane, self.blink, self.swap):
            widget.setEnabled(self._pending)
        self.accept_button.setEnabled(self._pending and acceptable)
        self.discard.setEnabled(self._pending)
        if text is None:
            self.check.clear()
        else:
            self.check.set_blinking(self.blink.isChecked())
        self._follow()

    def say(self, text: str) -> None:
        """A remark where the verdict stands."""
        self.verdict.setText(text)

    def reject(self) -> None:
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.check.set_blinking(False)
        self.gone.emit()
        # Not QDialog's own way, which asks `reject` and so would come back here.
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # As the wheel does, the page keys go through the slices of the check.
        step = {int(Qt.Key.Key_PageUp): 1, int(Qt.Key.Key_PageDown): -1}.get(event.key())
        if step is not None and self._pending:
            self.check.step(step)
        else:
            super().keyPressEvent(event)

    def _chosen(self) -> Row | None:
        row = self.table.currentRow()
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def _ask(self, signal: SignalInstance) -> None:
        row = self._chosen()
        if row is not None:
            signal.emit(row.sequence)

    def _follow(self) -> None:
        row, free = self._chosen(), not self._busy and not self._pending
        self.headers.setEnabled(row is not None and free)
        self.register.setEnabled(row is not None and free)
        self.back.setEnabled(row is not None and free and row.can_be_taken_back)
        self.table.setEnabled(free)


def _row(*widgets: QWidget | None) -> QHBoxLayout:
    """Widgets beside each other; None takes what room is left."""
    row = QHBoxLayout()
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row
