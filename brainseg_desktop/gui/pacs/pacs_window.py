"""The window of the archives: which there are, what they hold, and what is going on with them."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.pacs.study_table import StudyTable
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.services.language import mark, tr, tr_in
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.records import Query, StudyEntry

_MODALITIES = (mark("Any"), "MR", "CT", "PT", "SEG", "RTSTRUCT", "SR")
_EMPTY = mark("No archive is set up yet. Add one; whoever looks after it knows its address and AE title.")


class PacsWindow(QWidget):
    """Shows archives; does nothing itself.

    Signals
    -------
    closed : the user closed the window.
    add_wanted, edit_wanted, remove_wanted, test_wanted : buttons of the list of archives.
    find_wanted, retrieve_wanted, send_wanted, cancel_wanted : buttons of the right side.
    inbox_wanted : bool, whether exams are to be taken; inbox_settings_wanted, received_wanted : buttons.
    """

    closed = Signal()
    add_wanted = Signal()
    edit_wanted = Signal()
    remove_wanted = Signal()
    test_wanted = Signal()
    find_wanted = Signal()
    retrieve_wanted = Signal()
    send_wanted = Signal()
    cancel_wanted = Signal()
    inbox_wanted = Signal(bool)
    inbox_settings_wanted = Signal()
    received_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("PACS")
        self.resize(1180, 680)
        self._nodes: list[PacsNode] = []
        self._busy = False
        self._keys: QWidget | None = None
        row = QHBoxLayout()
        row.addLayout(self._left())
        row.addLayout(self._right(), 1)
        layout = QVBoxLayout(self)
        layout.addLayout(row, 1)
        layout.addWidget(faint(tr("For research use only. Nothing shown here is logged.")))
        self.set_nodes([])
        self.set_progress(None)
        self.set_status("")

    # Building ---------------------------------------------------------------------------------------

    def _left(self) -> QVBoxLayout:
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Archives"))
        self.list.currentRowChanged.connect(lambda _: self._node_chosen())
        self.list.itemActivated.connect(lambda _: self.edit_wanted.emit())
        self.list.setFixedWidth(22 * self.fontMetrics().horizontalAdvance("m"))
        self.add = _button(tr("Add..."), tr("Enter how another archive is reached"), self.add_wanted)
        self.edit = _button(tr("Edit..."), tr("Change how the chosen archive is reached"), self.edit_wanted)
        self.remove = _button(
            tr("Remove"), tr("Forget the chosen archive and its password"), self.remove_wanted
        )
        self.test = _button(tr("Test"), tr("Ask the chosen archive whether it is there"), self.test_wanted)
        self.tested = faint()
        self.inbox = QCheckBox(tr("Take exams sent here"))
        self.inbox.setToolTip(tr("Listen for exams that an archive or a scanner sends to this computer"))
        self.inbox.clicked.connect(self.inbox_wanted)
        self.inbox_state = faint()
        self.inbox_settings = _button(
            tr("Settings..."), tr("Where and from whom"), self.inbox_settings_wanted
        )
        self.received = _button(
            tr("Open received..."), tr("Open an exam that was sent here"), self.received_wanted
        )
        column = QVBoxLayout()
        column.addWidget(heading(tr("Archives")))
        column.addWidget(self.list, 1)
        for pair in ((self.add, self.edit), (self.remove, self.test)):
            line = QHBoxLayout()
            for button in pair:
                line.addWidget(button)
            column.addLayout(line)
        column.addWidget(self.tested)
        column.addSpacing(12)
        column.addWidget(heading(tr("Inbox")))
        column.addWidget(self.inbox)
        column.addWidget(self.inbox_state)
        line = QHBoxLayout()
        line.addWidget(self.inbox_settings)
        line.addWidget(self.received)
        column.addLayout(line)
        for label in (self.tested, self.inbox_state):
            label.setFixedWidth(self.list.width())
        return column

    def _right(self) -> QVBoxLayout:
        self.name = self._field(tr("Patient's name"), tr("Begins with"))
        self.patient_id = self._field(tr("Patient ID"), "")
        self.accession = self._field(tr("Accession number"), "")
        self.first = self._field(tr_in("a date", "From"), "YYYY-MM-DD")
        self.last = self._field(tr_in("a date", "To"), "YYYY-MM-DD")
        self.modality = QComboBox()
        self.modality.setAccessibleName(tr("Modality"))
        self.modality.addItems([tr(_MODALITIES[0]), *_MODALITIES[1:]])
        self.find_button = _button(tr("Find"), tr("Ask the chosen archive for studies"), self.find_wanted)
        self.find_button.setDefault(True)
        grid = QGridLayout()
        fields = (self.name, self.patient_id, self.accession, self.first, self.last, self.modality)
        for place, widget in enumerate(fields):
            label = QLabel(widget.accessibleName())
            label.setBuddy(widget)
            grid.addWidget(label, 0, place)
            grid.addWidget(widget, 1, place)
        grid.addWidget(self.find_button, 1, len(fields))
        for place, share in enumerate((3, 2, 2, 2, 2, 2)):
            grid.setColumnStretch(place, share)
        self.table = StudyTable()
        self.table.picked.connect(self._follow)
        self.retrieve = _button(
            tr("Retrieve and open..."),
            tr("Bring the chosen study into a folder and open it"),
            self.retrieve_wanted,
        )
        self.table.wanted.connect(self.retrieve.click)
        self.send = _button(
            tr("Send files..."),
            tr("Send DICOM files, such as an exported segmentation, here"),
            self.send_wanted,
        )
        self.progress = QProgressBar()
        self.progress.setFixedWidth(200)
        self.cancel = _button(tr("Cancel"), tr("Stop what is going on"), self.cancel_wanted)
        self.status = faint()
        bottom = QHBoxLayout()
        bottom.addWidget(self.status, 1)
        for widget in (self.progress, self.cancel, self.send, self.retrieve):
            bottom.addWidget(widget)
        column = QVBoxLayout()
        column.addWidget(heading(tr("Studies")))
        column.addLayout(grid)
        column.addWidget(self.table, 1)
        column.addLayout(bottom)
        return column

    def _field(self, name: str, hint: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(hint)
        # A date that is cut off cannot be checked.
        line.setMinimumWidth(line.fontMetrics().horizontalAdvance(hint) + 24)
        line.returnPressed.connect(lambda: self.find_button.click())
        return line

    # Showing ----------------------------------------------------------------------------------------

    def set_nodes(self, nodes: list[PacsNode], chosen: str = "") -> None:
        """Show the archives, one of them (by its key) chosen."""
        before = chosen or (self.node.key if self.node is not None else "")
        self._nodes = nodes
        self.list.clear()
        self.list.addItems([n.title for n in nodes])
        row = next((i for i, n in enumerate(nodes) if n.key == before), 0)
        self.list.setCurrentRow(row if nodes else -1)
        self._follow()
        if not nodes:
            self.set_tested(tr(_EMPTY))

    @property
    def node(self) -> PacsNode | None:
        """The chosen archive."""
        row = self.list.currentRow()
        return self._nodes[row] if 0 <= row < len(self._nodes) else None

    @property
    def study(self) -> StudyEntry | None:
        """The chosen study."""
        return self.table.chosen

    def query(self) -> Query:
        """What is asked for.

        Raises
        ------
        UserError
            ``pacs_date``: one of the dates is none.
        """
        modality = self.modality.currentText()
        return Query(
            patient_name=self.name.text(),
            patient_id=self.patient_id.text(),
            accession=self.accession.text(),
            first=_day(self.first),
            last=_day(self.last),
            modality="" if modality == tr(_MODALITIES[0]) else modality,
        )

    def set_tested(self, text: str, *, warning: bool = False) -> None:
        """What the test of an archive came to."""
        _say(self.tested, text, warning)

    def set_status(self, text: str, *, warning: bool = False) -> None:
        """What is going on, or came of it."""
        _say(self.status, text, warning)

    def set_inbox(self, on: bool, text: str) -> None:
        """Whether exams are taken, and what came."""
        self.inbox.setChecked(on)
        self.inbox_state.setText(text)
        self.inbox_settings.setEnabled(not on)

    def set_progress(self, done: int | None, total: int | None = None) -> None:
        """Show how far a job is; None: there is none."""
        self._busy, before = done is not None, self._busy
        begun = self.focusWidget() if self._busy and not before else None
        self.progress.setVisible(self._busy)
        self.cancel.setVisible(self._busy)
        self.cancel.setEnabled(True)
        self.progress.setRange(0, total or 0)
        self.progress.setValue(done or 0)
        self.progress.setFormat(tr("%v of %m") if total else "")
        self._follow()
        # The button that had the keys is off now; they are not to fall to whatever comes next to it.
        if begun is not None:
            self._keys = begun
            self.cancel.setFocus()
        elif before and not self._busy:
            (self._keys if self._keys is not None and self._keys.isEnabled() else self.name).setFocus()

    def _node_chosen(self) -> None:
        """What another archive found or said is not this one's."""
        self.table.set_studies([])
        self.set_tested("")
        self.set_status("")
        self._follow()

    def _follow(self) -> None:
        """What can be done now."""
        free = not self._busy
        chosen = free and self.node is not None
        self.list.setEnabled(free)
        self.add.setEnabled(free)
        for button in (self.edit, self.remove, self.test, self.find_button, self.send):
            button.setEnabled(chosen)
        self.retrieve.setEnabled(chosen and self.study is not None)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closed.emit()
        super().closeEvent(event)


def _button(text: str, tip: str, wanted: SignalInstance) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: wanted.emit())
    return button


def _say(label: QLabel, text: str, warning: bool) -> None:
    label.setText(text)
    label.setAccessibleName(text)
    name = "warning" if warning else "faint"
    if label.objectName() != name:
        label.setObjectName(name)
        label.style().unpolish(label)
        label.style().polish(label)


def _day(line: QLineEdit) -> date | None:
    text = line.text().strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UserError("pacs_date", text=text) from error
