"""Windows with a name: those by share of the histogram, and the reader's own."""

from __future__ import annotations

from collections.abc import Sequence as Items
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QMenu,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.histogram import WINDOW_SHARES, Histogram
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.panels.histogram_view import decimals_of
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.case_display import WindowPreset
from brainseg_desktop.services.language import tr


class PresetMenu(QMenu):
    """Offers the presets that fit a sequence; made anew each time it opens.

    Signals
    -------
    chosen : a `WindowShare` or a `WindowPreset` to be used.
    save_requested : the window shown is to get a name.
    presets_changed : the reader's own presets, a tuple of `WindowPreset`, to be remembered.
    """

    chosen = Signal(object)
    save_requested = Signal()
    presets_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.presets: tuple[WindowPreset, ...] = ()
        self.sequence: Sequence | None = None
        self._delete = QMenu(tr("Delete a preset"), self)
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self._fill)

    def add(self, preset: WindowPreset) -> None:
        """Add a preset; it takes the place of one of the same name and sequence."""
        others = [p for p in self.presets if (p.name, p.sequence) != (preset.name, preset.sequence)]
        self._change((*others, preset))

    def remove(self, preset: WindowPreset) -> None:
        """Take a preset away."""
        self._change(tuple(p for p in self.presets if p != preset))

    def _change(self, presets: tuple[WindowPreset, ...]) -> None:
        self.presets = presets
        self.presets_changed.emit(presets)

    def _fill(self) -> None:
        self.clear()
        for share in WINDOW_SHARES:
            text = f"{tr(share.title)}  ({share.low_percent:g}-{share.high_percent:g} %)"
            action = self.addAction(text, partial(self.chosen.emit, share))
            action.setToolTip(tr(share.purpose).capitalize())
        self.addSeparator()
        fitting = [p for p in self.presets if p.sequence in ("", self.sequence)]
        for preset in fitting:
            action = self.addAction(_plain(preset.name), partial(self.chosen.emit, preset))
            unit = " %" if preset.unit == "percent" else ""
            where = preset.sequence or tr("all sequences")
            action.setToolTip(
                tr(
                    "{low:.4g} to {high:.4g}{unit}, for {where}",
                    low=preset.low,
                    high=preset.high,
                    unit=unit,
                    where=where,
                )
            )
        if fitting:
            self.addSeparator()
        self.addAction(tr("Save this window as a preset ..."), self.save_requested.emit)
        self.addMenu(self._delete)
        self._delete.clear()
        self._delete.setEnabled(bool(self.presets))
        for preset in self.presets:
            text = f"{_plain(preset.name)}  ({preset.sequence or tr('all sequences')})"
            self._delete.addAction(text, partial(self.remove, preset))


def _plain(name: str) -> str:
    """A name in a menu, where an ampersand would underline a letter."""
    return name.replace("&", "&&")


class PresetDialog(QDialog):
    """Asks for a name, for which sequences, and whether shares or values are kept.

    Parameters
    ----------
    sequence : the sequence shown.
    window : its lower and upper limit.
    histogram : of this sequence.
    present : the reader's presets so far; one of the same name and sequence is replaced.
    """

    def __init__(
        self,
        sequence: Sequence,
        window: tuple[float, float],
        histogram: Histogram,
        present: Items[WindowPreset],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Save this window as a preset"))
        self._sequence, self._window, self._present = sequence, window, tuple(present)
        self._percents = (histogram.percent_of(window[0]), histogram.percent_of(window[1]))
        self.name = QLineEdit()
        self.name.setMaxLength(60)
        self.name.setAccessibleName(tr("Name of the preset"))
        self.name.textChanged.connect(self._check)
        decimals = decimals_of(histogram)
        self.percent = QRadioButton(
            tr(
                "Percent of the histogram: {low:.1f} to {high:.1f} %",
                low=self._percents[0],
                high=self._percents[1],
            )
        )
        self.value = QRadioButton(
            tr(
                "Values: {low:.{decimals}f} to {high:.{decimals}f}",
                low=window[0],
                decimals=decimals,
                high=window[1],
            )
        )
        self.percent.setChecked(True)
        self.only = QCheckBox(tr("Only for {sequence}", sequence=sequence.value))
        self.only.setChecked(True)
        self.only.toggled.connect(self._check)
        self._note = faint()
        buttons = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(buttons.Save | buttons.Cancel)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow(tr("Name"), self.name)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.percent)
        column.addWidget(self.value)
        column.addWidget(
            faint(
                tr(
                    "MR images have no fixed unit. Percent fits other exams too; values fit only images "
                    "that are scaled alike."
                )
            )
        )
        column.addWidget(self.only)
        column.addWidget(self._note)
        column.addWidget(self._buttons)
        self._check()

    @property
    def preset(self) -> WindowPreset:
        """What was asked for; only with a name."""
        in_percent = self.percent.isChecked()
        low, high = self._percents if in_percent else self._window
        return WindowPreset(
            name=self.name.text().strip(),
            sequence=self._sequence.value if self.only.isChecked() else "",
            unit="percent" if in_percent else "value",
            low=low,
            high=high,
        )

    def _check(self) -> None:
        name = self.name.text().strip()
        save = self._buttons.button(QDialogButtonBox.StandardButton.Save)
        save.setEnabled(bool(name))
        sequence = self._sequence.value if self.only.isChecked() else ""
        replaces = any((p.name, p.sequence) == (name, sequence) for p in self._present)
        save.setText(tr("Replace") if replaces else tr("Save"))
        self._note.setText(tr("There is a preset of this name. It will be replaced.") if replaces else "")
