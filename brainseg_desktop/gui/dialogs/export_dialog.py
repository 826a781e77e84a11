"""Where a mask goes, in which form, with which labels and numbers; one sentence says what will be written."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import TISSUE_NAMES, LabelScheme, Tissue
from brainseg_desktop.gui.dialogs.dialogs import accept_buttons, size_by_font
from brainseg_desktop.gui.panels.parts import faint, swatch
from brainseg_desktop.gui.phrases import listed
from brainseg_desktop.services.exporting.job import Form
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words

# Why a form cannot be chosen, in the room of a list; the whole sentence is shown on the item's tip.
_IMPOSSIBLE = mark("not possible here")
_SHORT = {"form_needs_dicom": mark("needs a DICOM exam"), "form_needs_spacing": mark("needs a spacing in mm")}


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What the dialog offers.

    Parameters
    ----------
    rater : str
        Of the mask shown.
    forms : pairs of a form and the reason why it cannot be chosen, or None
    form : str
        Key of the one chosen at first.
    folder : Path
        Where files are proposed.
    stem : str
        Name proposed, without its ending.
    schemes, scheme
        Numbers that can be written, and those of the mask.
    tissues : labels that occur, with their colours
    slices : bool
        Whether the images are a folder of slices, whose masks are named after them.
    cases : int
        How many cases the list has.
    """

    rater: str
    forms: Items[tuple[Form, UserError | None]]
    form: str
    folder: Path
    stem: str
    schemes: Items[LabelScheme]
    scheme: LabelScheme
    tissues: Mapping[Tissue, tuple[int, int, int]]
    slices: bool = False
    cases: int = 0


class ExportDialog(QDialog):
    """Asks for form, place, labels and numbers."""

    def __init__(self, choices: Choices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export mask"))
        size_by_font(self, 54, 27)
        self._choices = choices
        self._typed = False
        self._forms = self._list_of_forms()
        self._path = QLineEdit()
        self._path.setAccessibleName(tr("File or folder to write"))
        self._path.textEdited.connect(self._edited)
        self._path.textChanged.connect(self._say)
        self._browse_button = QPushButton(tr("Browse..."))
        self._browse_button.clicked.connect(self._browse)
        self._as_folder = QCheckBox(tr("A file each, in a folder"))
        self._as_folder.toggled.connect(self._propose)
        self._all_cases = QCheckBox(
            tr("The masks beside the images of all {cases} cases of the list", cases=choices.cases)
        )
        self._all_cases.setVisible(choices.cases > 1)
        self._all_cases.toggled.connect(self._form_changed)
        self._scheme = QComboBox()
        self._scheme.setAccessibleName(tr("Numbers of the labels"))
        self._scheme.addItems([scheme.title for scheme in choices.schemes])
        self._scheme.setCurrentIndex(list(choices.schemes).index(choices.scheme))
        self._scheme.currentIndexChanged.connect(self._say)
        self._wide = QCheckBox(tr("16-bit numbers (int16)"))
        self._wide.toggled.connect(self._say)
        self._labels: dict[Tissue, QCheckBox] = {}
        self._sentence = faint()
        self._buttons = accept_buttons(self, tr("Export"))
        self._arrange()
        row = next(i for i, (form, _) in enumerate(choices.forms) if form.key == choices.form)
        self._forms.setCurrentRow(row)
        self._forms.currentRowChanged.connect(self._form_changed)
        self._form_changed()
        self._path.setFocus()

    def _list_of_forms(self) -> QListWidget:
        forms = QListWidget()
        forms.setAccessibleName(tr("Form of the file"))
        for form, refusal in self._choices.forms:
            text = form.title
            if refusal is not None:
                text += f"\n    {tr(_SHORT.get(refusal.code, _IMPOSSIBLE))}"
            item = QListWidgetItem(text)
            lines = 1 + text.count("\n")
            item.setSizeHint(QSize(0, round((lines + 0.7) * self.fontMetrics().height())))
            item.setToolTip(
                words(refusal) if refusal is not None else tr("Written {how}.", how=tr(form.says))
            )
            if refusal is not None:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled & ~Qt.ItemFlag.ItemIsSelectable)
            forms.addItem(item)
        forms.setMinimumWidth(17 * self.fontMetrics().height())
        return forms

    def _arrange(self) -> None:
        place = QHBoxLayout()
        place.addWidget(self._path, 1)
        place.addWidget(self._browse_button)
        labels = QVBoxLayout()
        for tissue, colour in self._choices.tissues.items():
            box = QCheckBox(TISSUE_NAMES[tissue])
            box.setIcon(swatch(colour))
            box.setChecked(True)
            box.toggled.connect(self._say)
            labels.addWidget(box)
            self._labels[tissue] = box
        if not self._labels:
            labels.addWidget(QLabel(tr("None: the mask marks nothing.")))
        table = QFormLayout()
        table.addRow(tr("Write to"), place)
        table.addRow("", self._as_folder)
        table.addRow(tr("Labels"), labels)
        table.addRow(tr("Numbers"), self._scheme)
        table.addRow("", self._wide)
        table.addRow("", self._all_cases)
        right = QVBoxLayout()
        right.addLayout(table)
        right.addStretch(1)
        right.addWidget(self._sentence)
        columns = QHBoxLayout()
        columns.addWidget(self._forms)
        columns.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(columns)
        layout.addWidget(self._buttons)

    @property
    def form(self) -> Form:
        """The form chosen."""
        return self._choices.forms[self._forms.currentRow()][0]

    @property
    def destination(self) -> Path:
        """File or folder to write."""
        return Path(self._path.text().strip()).expanduser()

    @property
    def scheme(self) -> LabelScheme:
        """Numbers to write."""
        return self._choices.schemes[self._scheme.currentIndex()]

    @property
    def tissues(self) -> tuple[Tissue, ...] | None:
        """The labels that go in; None for all."""
        chosen = tuple(tissue for tissue, box in self._labels.items() if box.isChecked())
        return None if len(chosen) == len(self._labels) else chosen

    @property
    def wide(self) -> bool:
        """Whether numbers have 16 bits."""
        return self._wide.isEnabled() and self._wide.isChecked()

    @property
    def all_cases(self) -> bool:
        """Whether the masks of every case of the list are meant."""
        return self._all_cases.isChecked() and not self._all_cases.isHidden()

    # What follows from what ------------------------------------------------------------------------

    def _form_changed(self) -> None:
        form = self.form
        both = form.folder and bool(form.suffixes) and not self.all_cases
        self._as_folder.setVisible(both)
        if both:
            several = form.key != "tif" or self._choices.slices
            self._as_folder.blockSignals(True)
            self._as_folder.setChecked(several)
            self._as_folder.blockSignals(False)
        # Masks of other cases may have other labels: all of them go in, with their own numbers.
        own = not (form.key == "tif" and self._choices.slices)
        self._scheme.setEnabled(form.numbers and own and not self.all_cases)
        self._wide.setEnabled(form.wide)
        for box in self._labels.values():
            box.setEnabled(not self.all_cases)
        self._propose()

    def _propose(self) -> None:
        """Keep the folder and name that were typed, with the ending of the form."""
        form, text = self.form, self._path.text().strip()
        folder, stem = self._choices.folder, self._choices.stem
        if self._typed and text:
            typed = Path(text)
            folder, stem = typed.parent, typed.name
            for suffix in sorted((s for f, _ in self._choices.forms for s in f.suffixes), key=len)[::-1]:
                if stem.lower().endswith(suffix):
                    stem = stem[: -len(suffix)]
                    break
        if self.all_cases:
            self._path.setText(str(folder if form.key == "bids" or not self._typed else folder / stem))
        elif form.suffixes and not (form.folder and self._as_folder.isChecked()):
            self._path.setText(str(folder / (stem + form.suffixes[0])))
        elif form.key == "bids" and not self._typed:
            self._path.setText(str(folder))
        else:
            self._path.setText(str(folder / stem))
        self._say()

    def _edited(self) -> None:
        self._typed = True

    def _say(self) -> None:
        text, form = self._path.text().strip(), self.form
        named = bool(text) and (self.all_cases or form.takes(self.destination))
        chosen = not self._labels or any(box.isChecked() for box in self._labels.values())
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(named and chosen)
        if not text:
            self._sentence.setText(tr("Say where to write."))
        elif not named:
            endings = [*form.suffixes, *([tr("a folder's name")] if form.folder else [])]
            self._sentence.setText(
                tr(
                    "{form} needs a name that ends in {endings}.",
                    form=form.title,
                    endings=listed(endings, tr("or")),
                )
            )
        elif not chosen:
            self._sentence.setText(tr("Choose at least one label."))
        else:
            self._sentence.setText(self._told())

    def _told(self) -> str:
        form, path = self.form, self.destination
        after = tr("Each file is read back and compared before it counts as saved.")
        if self.all_cases:
            return tr(
                "The masks that lie beside the images of {cases} cases will be written into {path}, "
                "each {how}. What is not exported of the open mask is not among them. {after}",
                cases=self._choices.cases,
                path=path,
                how=tr(form.says),
                after=after,
            )
        how = tr(form.says)
        if form.key == "tif" and self._choices.slices and self._as_folder.isChecked():
            how = tr("as one 0/255 .tif for each slice, named after the images")
        numbers = ""
        if self._scheme.isEnabled():
            held = ", ".join(f"{label.value} = {label.name.lower()}" for label in self.scheme.labels)
            numbers = tr(", with {numbers}", numbers=held)
        kept = self.tissues
        what = tr("The mask") if kept is None else listed([TISSUE_NAMES[t] for t in kept])
        replaced = tr(" The file there now will be replaced.") if path.is_file() else ""
        return tr(
            "{what} of {rater} will be written to {path} {how}{numbers}. {after}{replaced}",
            what=what,
            rater=self._choices.rater,
            path=path,
            how=how,
            numbers=numbers,
            after=after,
            replaced=replaced,
        )

    def _browse(self) -> None:
        form = self.form
        if self.all_cases or path_is_folder(form, self.destination):
            chosen = QFileDialog.getExistingDirectory(self, tr("Folder to write into"), self._path.text())
        else:
            patterns = " ".join(f"*{suffix}" for suffix in form.suffixes)
            chosen, _ = QFileDialog.getSaveFileName(
                self, tr("Export mask"), self._path.text(), f"{form.title} ({patterns})"
            )
        if chosen:
            self._typed = True
            self._path.setText(chosen)


def path_is_folder(form: Form, path: Path) -> bool:
    """Whether a name means a folder to this form."""
    return form.folder and not (form.suffixes and path.name.lower().endswith(form.suffixes))
