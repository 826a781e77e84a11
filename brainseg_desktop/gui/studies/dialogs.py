"""Questions about a study: how it is made, and who opens it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.study import StudyDesign
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.io.layouts import CaseFiles
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies.study import cases_in

LOOK_ONLY = mark("Nobody: only look after the study")


class NewStudyDialog(QDialog):
    """Asks for everything that makes a study; says in one sentence what will be read.

    Parameters
    ----------
    schemes : sequence of LabelScheme
    jobs : Jobs
        Looks for the cases, perhaps on a slow share.
    folder : str
        Of cases, to begin with.
    """

    def __init__(
        self, schemes: Sequence[LabelScheme], jobs: Jobs, folder: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("New study"))
        self._jobs, self._turn = jobs, 0
        self._schemes = list(schemes)
        self.cases: list[CaseFiles] = []
        em = self.fontMetrics().horizontalAdvance("m")
        self.resize(52 * em, 0)
        self._name = QLineEdit(tr("Study"))
        self._folder, folder_row = _folder_line(tr("Folder of the study"), self)
        self._cases_folder, cases_row = _folder_line(tr("Folder with the cases"), self)
        self._cases_folder.setText(folder)
        self._found = faint()
        self._readers = QPlainTextEdit()
        self._readers.setPlaceholderText(tr("One name a line"))
        self._readers.setFixedHeight(6 * self.fontMetrics().height())
        self._readers.setTabChangesFocus(True)
        self._scheme = QComboBox()
        for scheme in self._schemes:
            numbers = ", ".join(f"{label.value} {label.name.lower()}" for label in scheme.labels)
            self._scheme.addItem(f"{scheme.title}: {numbers}", scheme.name)
        self._scheme.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._scheme.setMinimumContentsLength(30)
        self._blinded = QCheckBox(tr("Hide the masks of others, the network's mask and all scores"))
        self._blinded.setChecked(True)
        self._reveal = QComboBox()
        self._reveal.addItem(tr("until the study is unblinded"), "study")
        self._reveal.addItem(tr("until the reader has locked all readings of the case"), "case")
        self._start = QComboBox()
        self._start.addItem(tr("a blank mask"), "blank")
        self._start.addItem(tr("the network's mask"), "ai")
        self._repeats = QSpinBox()
        self._repeats.setRange(0, 0)
        self._repeats.setSuffix(tr(" cases a reader"))
        self._seed = QSpinBox()
        self._seed.setRange(0, 999_999_999)
        self._seed.setValue(1)
        self._split = QCheckBox(tr("Choose which cases each reader reads"))
        self._assignment = QTableWidget(0, 0)
        self._assignment.setAccessibleName(tr("Who reads which case"))
        self._assignment.setFixedHeight(9 * self.fontMetrics().height())
        self._assignment.hide()
        self._tolerance = QDoubleSpinBox()
        self._tolerance.setRange(0.1, 20.0)
        self._tolerance.setValue(1.0)
        self._tolerance.setSuffix(" mm")
        self._tolerance.setToolTip(tr("Of the surface Dice"))
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, field in (
            (tr("Name"), self._name),
            (tr("Folder of the study"), folder_row),
            (tr("Cases"), cases_row),
            ("", self._found),
            (tr("Readers"), self._readers),
            (tr("Labels"), self._scheme),
            (tr("Blinding"), self._blinded),
            ("", self._reveal),
            (tr("Readings start from"), self._start),
            (tr("Hidden repeats"), self._repeats),
            (tr("Seed of the order"), self._seed),
            (tr("Assignment"), self._split),
            ("", self._assignment),
            (tr("Tolerance"), self._tolerance),
        ):
            form.addRow(title, field)
            if title and isinstance(field, QWidget):
                field.setAccessibleName(title)
        self._why = faint()
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setText(tr("Make the study"))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._why)
        layout.addWidget(self._buttons)
        self._cases_folder.textChanged.connect(self._look_for_cases)
        self._name.textChanged.connect(self._check)
        self._folder.textChanged.connect(self._check)
        self._readers.textChanged.connect(self._follow_readers)
        self._repeats.valueChanged.connect(self._check)
        self._blinded.toggled.connect(self._reveal.setEnabled)
        self._split.toggled.connect(self._follow_readers)
        self._look_for_cases()

    @property
    def folder(self) -> Path:
        """Where the study is to be made."""
        return Path(self._folder.text().strip())

    @property
    def readers(self) -> list[str]:
        """Names, one a line; empty lines do not count."""
        lines = (line.strip() for line in self._readers.toPlainText().splitlines())
        return [line for line in lines if line]

    @property
    def options(self) -> dict[str, object]:
        """What `create_study` takes beside folder, cases and readers."""
        return {
            "name": self._name.text().strip(),
            "scheme": self._scheme.currentData(),
            "blinded": self._blinded.isChecked(),
            "reveal": self._reveal.currentData(),
            "start": self._start.currentData(),
            "seed": self._seed.value(),
            "repeats": self._repeats.value(),
            "assigned": self._assigned(),
            "tolerance_mm": self._tolerance.value(),
        }

    def set_scheme(self, name: str) -> None:
        """Choose a label scheme."""
        self._scheme.setCurrentIndex(self._scheme.findData(name))

    def _assigned(self) -> dict[str, list[str]]:
        if not self._split.isChecked():
            return {}
        chosen: dict[str, list[str]] = {}
        for column, reader in enumerate(self.readers):
            ticked = (self._assignment.item(row, column) for row in range(len(self.cases)))
            chosen[reader] = [
                case.name
                for case, item in zip(self.cases, ticked, strict=True)
                if item is not None and item.checkState() is Qt.CheckState.Checked
            ]
        return chosen

    def _unticked(self) -> set[tuple[str, str]]:
        """(reader, case) pairs that were taken off, by the names that head the table at present."""
        table = self._assignment
        heads = [table.horizontalHeaderItem(c) for c in range(table.columnCount())]
        sides = [table.verticalHeaderItem(r) for r in range(table.rowCount())]
        return {
            (head.text(), side.text())
            for column, head in enumerate(heads)
            for row, side in enumerate(sides)
            if head is not None and side is not None
            if (item := table.item(row, column)) is not None and item.checkState() is Qt.CheckState.Unchecked
        }

    def _look_for_cases(self) -> None:
        text = self._cases_folder.text().strip()
        self._turn += 1
        turn = self._turn
        if not text:
            self._take_cases([], tr("Choose a folder that holds a folder for each case."))
            return
        self._take_cases([], tr("Looking for cases ..."))

        def found(cases: list[CaseFiles]) -> None:
            if turn == self._turn:
                names = ", ".join(c.name for c in cases[:4])
                more = tr(" and {count} more", count=len(cases) - 4) if len(cases) > 4 else ""
                self._take_cases(
                    cases, tr("{count} cases: {names}{more}", count=len(cases), names=names, more=more)
                )

        def failed(error: BaseException) -> None:
            if turn == self._turn:
                self._take_cases([], words(error) if isinstance(error, UserError) else str(error))

        self._jobs.free(lambda: cases_in(Path(text)), found, failed)

    def _take_cases(self, cases: list[CaseFiles], said: str) -> None:
        self.cases = cases
        self._found.setText(said)
        self._repeats.setMaximum(len(cases))
        self._follow_readers()

    def done(self, result: int) -> None:
        # What is still being looked for comes home to nobody.
        self._turn += 1
        super().done(result)

    def _follow_readers(self) -> None:
        taken_off = self._unticked()
        split, readers = self._split.isChecked(), self.readers
        self._assignment.setVisible(split)
        if split:
            self._assignment.setRowCount(len(self.cases))
            self._assignment.setColumnCount(len(readers))
            self._assignment.setHorizontalHeaderLabels(readers)
            self._assignment.setVerticalHeaderLabels([c.name for c in self.cases])
            for row, case in enumerate(self.cases):
                for column, reader in enumerate(readers):
                    item = QTableWidgetItem()
                    item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
                    ticked = (reader, case.name) not in taken_off
                    item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                    self._assignment.setItem(row, column, item)
        self._check()

    def _check(self) -> None:
        readers, cases = self.readers, len(self.cases)
        why = ""
        if not self._name.text().strip():
            why = tr("Give the study a name.")
        elif not self._folder.text().strip():
            why = tr("Choose a folder for the study; masks and records are written there.")
        elif not cases:
            why = tr("There are no cases yet.")
        elif not readers:
            why = tr("Name the readers, one a line.")
        elif len({r.casefold() for r in readers}) < len(readers):
            why = tr("Two readers have the same name.")
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not why)
        repeats = self._repeats.value()
        self._why.setText(
            why
            or tr("{count} readers read {cases} cases each", count=len(readers), cases=cases)
            + (tr(", {repeats} of them twice without being told", repeats=repeats) if repeats else "")
            + (tr(", or those chosen above") if self._split.isChecked() else "")
            + tr(". The cases stay where they are and are not changed.")
        )


class JoinDialog(QDialog):
    """Asks who opens a study."""

    def __init__(self, design: StudyDesign, chosen: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Study: {study}", study=design.name))
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Who are you?"))
        for reader in design.readers:
            item = QListWidgetItem(reader.name)
            item.setData(Qt.ItemDataRole.UserRole, reader.key)
            self._list.addItem(item)
            if reader.key == chosen:
                self._list.setCurrentItem(item)
        look = QListWidgetItem(tr(LOOK_ONLY))
        look.setData(Qt.ItemDataRole.UserRole, "")
        self._list.addItem(look)
        if self._list.currentRow() < 0:
            self._list.setCurrentItem(look if not design.readers else self._list.item(0))
        self._list.itemActivated.connect(lambda _: self.accept())
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText(tr("Open"))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(tr("Who are you?")))
        layout.addWidget(self._list)
        layout.addWidget(
            faint(
                tr(
                    "Each reader writes only his own readings. While he reads, nobody else opens it in "
                    "his name."
                )
            )
        )
        layout.addWidget(buttons)

    @property
    def reader(self) -> str | None:
        """Key of the reader; None for who only looks after the study."""
        item = self._list.currentItem()
        return (item.data(Qt.ItemDataRole.UserRole) or None) if item is not None else None


def _folder_line(title: str, parent: QWidget) -> tuple[QLineEdit, QWidget]:
    """A line for a folder with a button that asks for it."""
    line = QLineEdit()
    line.setAccessibleName(title)
    button = QPushButton(tr("Choose..."))
    button.setAccessibleName(tr("{what}: choose", what=title))

    def ask() -> None:
        chosen = QFileDialog.getExistingDirectory(parent, title, line.text())
        if chosen:
            line.setText(chosen)

    button.clicked.connect(lambda _=False: ask())
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(line, 1)
    layout.addWidget(button)
    return line, row
