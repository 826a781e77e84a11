"""The few questions the program asks: what a file is, what a mask's numbers mean, where to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop import __version__
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.actions import ACTIONS, MOUSE
from brainseg_desktop.gui.parts import faint

_MASK, _SKIP = "Mask", "Leave out"


class AssignDialog(QDialog):
    """Says for each file which sequence it is; what the names tell is filled in."""

    def __init__(
        self, paths: Items[Path], guesses: Mapping[Path, Sequence | str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which sequence is each file?")
        self.resize(640, 320)
        self._paths = list(paths)
        self._choices: list[QComboBox] = []
        self._table = QTableWidget(len(self._paths), 2)
        self._table.setHorizontalHeaderLabels(["File", "Is"])
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self._table.setColumnWidth(1, 150)
        for row, path in enumerate(self._paths):
            item = QTableWidgetItem(path.name)
            item.setToolTip(str(path))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self._table.setItem(row, 0, item)
            choice = QComboBox()
            choice.addItems([_SKIP, *(s.value for s in Sequence), _MASK])
            guess = guesses.get(path)
            choice.setCurrentText(guess.value if isinstance(guess, Sequence) else guess or _SKIP)
            choice.setAccessibleName(f"Sequence of {path.name}")
            choice.currentTextChanged.connect(self._check)
            self._table.setCellWidget(row, 1, choice)
            self._choices.append(choice)
        self._why = faint()
        self._buttons = _buttons(self, "Open")
        layout = QVBoxLayout(self)
        layout.addWidget(faint("Each sequence at most once. Sequences that are missing are allowed."))
        layout.addWidget(self._table)
        layout.addWidget(self._why)
        layout.addWidget(self._buttons)
        self._check()

    @property
    def images(self) -> dict[Sequence, Path]:
        """The files chosen as sequences."""
        return {
            Sequence(c.currentText()): p
            for p, c in zip(self._paths, self._choices, strict=True)
            if c.currentText() not in (_MASK, _SKIP)
        }

    @property
    def masks(self) -> tuple[Path, ...]:
        """The files chosen as masks."""
        return tuple(p for p, c in zip(self._paths, self._choices, strict=True) if c.currentText() == _MASK)

    def _check(self) -> None:
        chosen = [c.currentText() for c in self._choices if c.currentText() not in (_MASK, _SKIP)]
        twice = sorted({c for c in chosen if chosen.count(c) > 1})
        why = (
            f"{' and '.join(twice)} chosen twice."
            if twice
            else ""
            if chosen
            else "Choose at least one sequence."
        )
        self._why.setText(why)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not why)


class SchemeDialog(QDialog):
    """Asks what the numbers of a mask mean, where the file does not tell."""

    def __init__(self, path: Path, schemes: Items[LabelScheme], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("What do the numbers mean?")
        self._schemes = list(schemes)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(f"The mask {path.name} can be read in more than one way:"))
        self._radios: list[QRadioButton] = []
        for scheme in self._schemes:
            meaning = ", ".join(f"{label.value} {label.name.lower()}" for label in scheme.labels)
            radio = QRadioButton(f"{scheme.title}: {meaning}")
            radio.toggled.connect(self._check)
            layout.addWidget(radio)
            self._radios.append(radio)
        layout.addWidget(faint("Nothing is chosen for you: a wrong guess would swap tissues."))
        self._buttons = _buttons(self, "Read the mask")
        layout.addWidget(self._buttons)
        self._check()

    @property
    def scheme(self) -> LabelScheme | None:
        return next((s for s, r in zip(self._schemes, self._radios, strict=True) if r.isChecked()), None)

    def _check(self) -> None:
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(self.scheme is not None)


class ExportDialog(QDialog):
    """Where the mask is written, with which numbers, in one sentence."""

    def __init__(
        self,
        rater: str,
        destination: Path,
        schemes: Items[LabelScheme],
        scheme: LabelScheme,
        *,
        folder: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export mask")
        self.resize(620, 200)
        self._folder = folder
        self._rater = rater
        self._schemes = list(schemes)
        self._path = QLineEdit(str(destination))
        self._path.setAccessibleName("File to write")
        self._path.textChanged.connect(self._say)
        browse = QPushButton("Browse...")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self._path, 1)
        row.addWidget(browse)
        self._scheme = QComboBox()
        self._scheme.setAccessibleName("Numbers of the labels")
        for one in self._schemes:
            self._scheme.addItem(one.title)
        self._scheme.setCurrentIndex(self._schemes.index(scheme))
        self._scheme.currentIndexChanged.connect(self._say)
        self._scheme.setVisible(not folder)
        self._sentence = faint()
        self._buttons = _buttons(self, "Export")
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self._scheme)
        layout.addWidget(self._sentence)
        layout.addStretch(1)
        layout.addWidget(self._buttons)
        self._say()

    @property
    def destination(self) -> Path:
        return Path(self._path.text().strip()).expanduser()

    @property
    def scheme(self) -> LabelScheme:
        return self._schemes[self._scheme.currentIndex()]

    def _say(self) -> None:
        text = self._path.text().strip()
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(text))
        if self._folder:
            self._sentence.setText(
                f"The mask of {self._rater} will be written as one 0/255 .tif for each slice into "
                f"{self.destination}, read back and compared before it counts as saved."
            )
            return
        numbers = ", ".join(f"{label.value} = {label.name.lower()}" for label in self.scheme.labels)
        replaced = " The file there now will be replaced." if self.destination.is_file() else ""
        self._sentence.setText(
            f"The mask of {self._rater} will be written to {self.destination} on the grid of the images, "
            f"with {numbers}, a .json beside it, read back and compared before it counts as saved.{replaced}"
        )

    def _browse(self) -> None:
        if self._folder:
            chosen = QFileDialog.getExistingDirectory(self, "Folder for the masks", self._path.text())
        else:
            chosen, _ = QFileDialog.getSaveFileName(
                self, "Export mask", self._path.text(), "NIfTI (*.nii.gz *.nii)"
            )
        if chosen:
            self._path.setText(chosen)


class RecoveryDialog(QDialog):
    """Offers strokes that a crash or a closed window left in journals: restore, discard, or ask again later.

    Attributes
    ----------
    choice : "restore", "discard", "show" or "later"
    """

    def __init__(self, lines: Items[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Unsaved work was found")
        self.choice = "later"
        layout = QVBoxLayout(self)
        layout.addWidget(
            QLabel("The program ended while this mask had strokes that are in no exported file:")
        )
        for line in lines:
            layout.addWidget(QLabel(line))
        layout.addWidget(
            faint(
                "Restore opens the case with every stroke and its undo. "
                "Nothing is lost by asking again later."
            )
        )
        row = QHBoxLayout()
        for name, text in (
            ("restore", "Restore"),
            ("show", "Show where it is"),
            ("discard", "Discard"),
            ("later", "Ask again later"),
        ):
            button = QPushButton(text)
            button.clicked.connect(lambda _=False, name=name: self._choose(name))
            button.setDefault(name == "restore")
            row.addWidget(button)
        layout.addLayout(row)

    def _choose(self, name: str) -> None:
        self.choice = name
        self.accept()


class HelpSheet(QDialog):
    """Every key and mouse act, made from the table of actions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        self.resize(820, 700)
        rows = [(", ".join(a.keys), a.text.rstrip("."), a.tip) for a in ACTIONS if a.keys]
        rows += [(act, "Mouse", what) for act, what in MOUSE]
        table = QTableWidget(len(rows), 3)
        table.setHorizontalHeaderLabels(["Key or mouse", "Action", "What it does"])
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        for line, cells in enumerate(rows):
            for place, text in enumerate(cells):
                table.setItem(line, place, QTableWidgetItem(text))
        table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        table.resizeColumnsToContents()
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        table.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(table)


def ask(dialog: QDialog, answered: Callable[[bool], None]) -> None:
    """Show a dialog without stopping the program; `answered` is told whether it was accepted."""

    def finished(result: int) -> None:
        # Not every window system gives the keys back to the window by itself.
        parent = dialog.parentWidget()
        if parent is not None:
            parent.activateWindow()
        answered(result == QDialog.DialogCode.Accepted)
        dialog.deleteLater()

    dialog.finished.connect(finished)
    dialog.open()


def about_text() -> str:
    """What the program is and may be used for."""
    return (
        f"<b>BrainSeg Desktop {__version__}</b><br><br>"
        "Segment, correct and measure brain tumour masks in multimodal MRI.<br><br>"
        "<b>For research use only.</b> Not a medical device; not for diagnosis or treatment.<br><br>"
        "Code: Apache-2.0. Bundled network: CC BY-NC-SA 4.0, as its training masks."
    )


def _buttons(dialog: QDialog, accept: str) -> QDialogButtonBox:
    """Cancel, and a button that says what it does."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    box.button(QDialogButtonBox.StandardButton.Ok).setText(accept)
    box.accepted.connect(dialog.accept)
    box.rejected.connect(dialog.reject)
    return box
