"""The colours of the labels: a set that all readers can tell apart, the classic one, or the reader's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.palettes import Colour, Vision, colour_text, confusable, palette, seen_as
from brainseg_desktop.gui.panels.parts import faint, heading, swatch
from brainseg_desktop.services.language import mark, tr

_CHOICES = (
    (
        "safe",
        mark("Safe"),
        mark("Readers with red-green colour blindness can tell all labels apart (default)"),
    ),
    ("classic", mark("Classic"), mark("Necrosis red, oedema green, enhancing tumour yellow")),
    ("own", mark("My own"), mark("Choose a colour for each label below")),
)
_EYES = (
    (Vision.PROTANOPIA, mark("No red cones"), mark("As a reader with protanopia (no red cones) sees it")),
    (
        Vision.DEUTERANOPIA,
        mark("No green cones"),
        mark("As a reader with deuteranopia (no green cones) sees it"),
    ),
)


class ColoursDialog(QDialog):
    """Every change is shown in the views at once; Cancel takes it back.

    Parameters
    ----------
    choice : str
        ``"safe"``, ``"classic"`` or ``"own"``.
    own : mapping of tissue name to ``"#rrggbb"``
        The reader's own colours, as kept in the settings.
    preview : callable
        Is handed the colours to show, one for each `Tissue`.
    """

    def __init__(
        self,
        choice: str,
        own: Mapping[str, str],
        preview: Callable[[dict[Tissue, Colour]], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Colours of the labels"))
        self._preview = preview
        self._before = palette(choice, own)
        self._own: dict[Tissue, Colour] | None = palette("own", own) if own else None
        self._choice = choice if choice in {name for name, *_ in _CHOICES} else "safe"
        self._radios: dict[str, QRadioButton] = {}
        self._buttons: dict[Tissue, QPushButton] = {}
        self._seen: dict[tuple[Tissue, Vision], QLabel] = {}
        self._warning = QLabel()
        self._warning.setWordWrap(True)
        self._warning.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for name, title, what in _CHOICES:
            radio = QRadioButton(tr(title))
            radio.setToolTip(tr(what))
            radio.setAccessibleDescription(tr(what))
            radio.toggled.connect(lambda on, name=name: self._choose(name) if on else None)
            self._radios[name] = radio
            layout.addWidget(radio)
            layout.addWidget(faint(tr(what)))
        layout.addLayout(self._grid())
        layout.addWidget(self._warning)
        layout.addStretch(1)
        box = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.Reset
        )
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        reset = box.button(QDialogButtonBox.StandardButton.Reset)
        reset.setToolTip(tr("Back to the safe colours; forget your own"))
        reset.clicked.connect(self._reset)
        layout.addWidget(box)
        self.rejected.connect(lambda: preview(self._before))
        self._radios[self._choice].setChecked(True)
        self._radios[self._choice].setFocus()
        self._follow()

    @property
    def choice(self) -> str:
        """The set chosen: ``"safe"``, ``"classic"`` or ``"own"``."""
        return self._choice

    @property
    def own(self) -> dict[str, str]:
        """The reader's own colours for the settings; empty if none were ever chosen."""
        return {tissue.name.lower(): colour_text(colour) for tissue, colour in (self._own or {}).items()}

    @property
    def colours(self) -> dict[Tissue, Colour]:
        """The colour of each label as it is shown now."""
        return palette(self._choice, self.own)

    def set_own(self, tissue: Tissue, colour: Colour) -> None:
        """Give a label a colour of the reader's own."""
        self._own = {**(self._own or self.colours), tissue: colour}
        self._follow()

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        for column, (title, tip) in enumerate(
            ((tr("Label"), ""), (tr("Colour"), ""), *((tr(title), tr(tip)) for _, title, tip in _EYES))
        ):
            head = heading(title)
            head.setToolTip(tip)
            grid.addWidget(head, 0, column)
        for row, tissue in enumerate(palette("safe"), start=1):
            name = TISSUE_NAMES[tissue]
            button = QPushButton()
            button.setAccessibleName(tr("Colour of {name}", name=name.lower()))
            button.setToolTip(tr("Choose another colour for {name}", name=name.lower()))
            button.clicked.connect(lambda _=False, tissue=tissue: self._pick(tissue))
            self._buttons[tissue] = button
            grid.addWidget(QLabel(name), row, 0)
            grid.addWidget(button, row, 1)
            for column, (vision, _, tip) in enumerate(_EYES, start=2):
                seen = QLabel()
                seen.setToolTip(tr(tip))
                self._seen[tissue, vision] = seen
                grid.addWidget(seen, row, column)
        grid.setColumnStretch(0, 1)
        return grid

    def _choose(self, name: str) -> None:
        if name == "own" and self._own is None:
            # One's own colours begin with those on the screen.
            self._own = self.colours
        self._choice = name
        self._follow()

    def _pick(self, tissue: Tissue) -> None:
        old = self.colours[tissue]
        dialog = QColorDialog(QColor(*old), self)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.setWindowTitle(tr("Colour of {label}", label=TISSUE_NAMES[tissue].lower()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.currentColorChanged.connect(
            lambda colour: self.set_own(tissue, (colour.red(), colour.green(), colour.blue()))
        )
        dialog.rejected.connect(lambda: self.set_own(tissue, old))
        dialog.open()

    def _reset(self) -> None:
        self._radios["safe"].setChecked(True)
        self._own = None
        self._follow()

    def _follow(self) -> None:
        """Show the colours chosen, here and in the views, and say which pairs look alike."""
        colours = self.colours
        for tissue, button in self._buttons.items():
            button.setIcon(swatch(colours[tissue]))
            button.setText(colour_text(colours[tissue]))
            button.setEnabled(self._choice == "own")
        for (tissue, vision), label in self._seen.items():
            seen = seen_as(colours[tissue], vision)
            label.setPixmap(swatch(seen).pixmap(self.fontMetrics().height()))
            label.setAccessibleName(f"{TISSUE_NAMES[tissue]}: {colour_text(seen)}")
        pairs = confusable(colours)
        lines = [
            tr(
                "{first} and {second} look alike to a reader with {vision}.",
                first=TISSUE_NAMES[first],
                second=TISSUE_NAMES[second].lower(),
                vision=tr(vision.value),
            )
            for first, second, vision in pairs
        ]
        self._warning.setText(
            "\n".join(lines) or tr("All labels can be told apart, also without red or green cones.")
        )
        self._warning.setObjectName("warning" if pairs else "faint")
        self._warning.style().polish(self._warning)
        self._preview(colours)
