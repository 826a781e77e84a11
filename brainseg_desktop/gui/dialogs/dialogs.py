"""The few questions the program asks: what a file is, what a mask's numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from html import escape
from pathlib import Path
from typing import cast

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.actions import ACTIONS, MOUSE
from brainseg_desktop.gui.keys import FIRST, Keys
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.phrases import listed
from brainseg_desktop.services.language import mark, tr

_MASK, _SKIP = mark("Mask"), mark("Leave out")


class AssignDialog(QDialog):
    """Says for each file which sequence it is; what the names tell is filled in."""

    def __init__(
        self, paths: Items[Path], guesses: Mapping[Path, Sequence | str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Which sequence is each file?"))
        size_by_font(self, 44, 22)
        self._paths = list(paths)
        self._choices: list[QComboBox] = []
        self._table = QTableWidget(len(self._paths), 2)
        self._table.setHorizontalHeaderLabels([tr("File"), tr("Is")])
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self._table.setColumnWidth(1, 10 * self.fontMetrics().height())
        self._table.setAccessibleName(tr("Files and what they are"))
        self._table.setTabKeyNavigation(False)
        self._table.verticalHeader().setDefaultSectionSize(2 * self.fontMetrics().height())
        for row, path in enumerate(self._paths):
            item = QTableWidgetItem(path.name)
            item.setToolTip(str(path))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self._table.setItem(row, 0, item)
            choice = QComboBox()
            choice.addItems([tr(_SKIP), *(s.value for s in Sequence), tr(_MASK)])
            guess = guesses.get(path)
            choice.setCurrentText(guess.value if isinstance(guess, Sequence) else tr(guess or _SKIP))
            choice.setAccessibleName(tr("Sequence of {file}", file=path.name))
            choice.currentTextChanged.connect(self._check)
            self._table.setCellWidget(row, 1, choice)
            self._choices.append(choice)
        self._why = faint()
        self._buttons = accept_buttons(self, tr("Open"))
        layout = QVBoxLayout(self)
        layout.addWidget(faint(tr("Each sequence at most once. Sequences that are missing are allowed.")))
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
            if c.currentText() not in (tr(_MASK), tr(_SKIP))
        }

    @property
    def masks(self) -> tuple[Path, ...]:
        """The files chosen as masks."""
        return tuple(
            p for p, c in zip(self._paths, self._choices, strict=True) if c.currentText() == tr(_MASK)
        )

    def _check(self) -> None:
        chosen = [c.currentText() for c in self._choices if c.currentText() not in (tr(_MASK), tr(_SKIP))]
        twice = sorted({c for c in chosen if chosen.count(c) > 1})
        why = (
            tr("{sequences} chosen twice.", sequences=listed(twice))
            if twice
            else ""
            if chosen
            else tr("Choose at least one sequence.")
        )
        self._why.setText(why)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not why)


class SchemeDialog(QDialog):
    """Asks what the numbers of a mask mean, where the file does not tell."""

    def __init__(self, path: Path, schemes: Items[LabelScheme], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("What do the numbers mean?"))
        self._schemes = list(schemes)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(tr("The mask {file} can be read in more than one way:", file=path.name)))
        self._radios: list[QRadioButton] = []
        for scheme in self._schemes:
            meaning = ", ".join(f"{label.value} {label.name.lower()}" for label in scheme.labels)
            radio = QRadioButton(f"{scheme.title}: {meaning}")
            radio.toggled.connect(self._check)
            layout.addWidget(radio)
            self._radios.append(radio)
        layout.addWidget(faint(tr("Nothing is chosen for you: a wrong guess would swap tissues.")))
        self._buttons = accept_buttons(self, tr("Read the mask"))
        layout.addWidget(self._buttons)
        self._check()

    @property
    def scheme(self) -> LabelScheme | None:
        return next((s for s, r in zip(self._schemes, self._radios, strict=True) if r.isChecked()), None)

    def _check(self) -> None:
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(self.scheme is not None)


class RecoveryDialog(QDialog):
    """Offers strokes that a crash or a closed window left in journals: restore, discard, or ask again later.

    Attributes
    ----------
    choice : "restore", "discard", "show" or "later"
    """

    def __init__(self, lines: Items[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Unsaved work was found"))
        self.choice = "later"
        layout = QVBoxLayout(self)
        layout.addWidget(
            QLabel(tr("The program ended while this mask had strokes that are in no exported file:"))
        )
        for line in lines:
            layout.addWidget(QLabel(line))
        layout.addWidget(
            faint(
                tr(
                    "Restore opens the case with every stroke and its undo. Nothing is lost by asking "
                    "again later."
                )
            )
        )
        row = QHBoxLayout()
        for name, text in (
            ("restore", tr("Restore")),
            ("show", tr("Show where it is")),
            ("discard", tr("Discard")),
            ("later", tr("Ask again later")),
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
    """Every action, key and mouse act, made from the table of actions; can be searched and copied."""

    def __init__(self, parent: QWidget | None = None, keys: Keys = FIRST) -> None:
        super().__init__(parent)
        self._keys = keys
        self.setWindowTitle(tr("Keys and mouse"))
        size_by_font(self, 56, 44)
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search, for example: slice, brush, Ctrl"))
        self._search.setAccessibleName(tr("Search keys and mouse acts"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._show_rows)
        self._page = QTextBrowser()
        self._page.setAccessibleName(tr("Keys and mouse"))
        self._page.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        copy = buttons.addButton(tr("Copy as text"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip(tr("Copy the lines shown, for a note or to print"))
        copy.clicked.connect(
            lambda: QGuiApplication.clipboard().setText(help_text(self._search.text(), keys))
        )
        for button in buttons.buttons():
            # Enter in the search field may not close the sheet.
            cast(QPushButton, button).setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.addWidget(self._search)
        layout.addWidget(self._page)
        layout.addWidget(buttons)
        self._show_rows()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_rows()

    def _show_rows(self) -> None:
        search = self._search.text()
        faint_colour = self.palette().placeholderText().color().name()
        parts = []
        for group, rows in _help_groups(search, self._keys).items():
            lines = "".join(
                f"<tr><td width='26%'><b>{escape(keys) or '-'}</b></td><td width='24%'>{escape(text)}</td>"
                f"<td style='color:{faint_colour}'>{escape(what)}</td></tr>"
                for keys, text, what in rows
            )
            parts.append(f"<h3>{escape(group)}</h3><table width='100%' cellpadding='3'>{lines}</table>")
        self._page.setHtml(
            "".join(parts) or f"<p>{tr('Nothing found for {search}.', search=escape(search.strip()))}</p>"
        )


def help_text(search: str = "", keys: Keys = FIRST) -> str:
    """The help sheet as plain lines, tabs between key, action and what it does."""
    parts = []
    for group, rows in _help_groups(search, keys).items():
        parts += [group, *("\t".join(row) for row in rows), ""]
    return "\n".join(parts)


def _help_groups(search: str, in_use: Keys) -> dict[str, list[tuple[str, str, str]]]:
    """Rows (keys, action, what it does) by group; only those that hold every word of the search."""
    rows = [(tr(a.group), ", ".join(in_use[a.name]), tr(a.text).rstrip("."), tr(a.tip)) for a in ACTIONS]
    rows += [(tr("Mouse"), tr(act), "", tr(what)) for act, what in MOUSE]
    words = search.lower().split()
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for group, *row in rows:
        if all(word in " ".join((group, *row)).lower() for word in words):
            groups.setdefault(group, []).append((row[0], row[1], row[2]))
    return groups


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


def accept_buttons(dialog: QDialog, accept: str) -> QDialogButtonBox:
    """Cancel, and a button that says what it does."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    box.button(QDialogButtonBox.StandardButton.Ok).setText(accept)
    box.accepted.connect(dialog.accept)
    box.rejected.connect(dialog.reject)
    return box


def size_by_font(dialog: QDialog, width: int, height: int) -> None:
    """Open a dialog at a size in heights of a line, but never larger than the screen."""
    line = dialog.fontMetrics().height()
    room = dialog.screen().availableSize() * 0.9
    dialog.resize(QSize(width * line, height * line).boundedTo(room))
