"""Window and level of one sequence: histogram, numbers, presets, colours, and copies to other sequences."""

from __future__ import annotations

from collections.abc import Sequence as Items

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.histogram import (
    AUTO,
    Histogram,
    WindowShare,
    carried_window,
    histogram_of,
    percentile_window,
)
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.gui.panels.histogram_view import HistogramView, decimals_of
from brainseg_desktop.gui.panels.parts import heading
from brainseg_desktop.gui.panels.quiet import QuietWheel
from brainseg_desktop.gui.panels.window_presets import PresetDialog, PresetMenu
from brainseg_desktop.gui.views.colour_maps import COLOUR_MAPS, GREY, colour_table, is_available
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.case_display import WindowPreset
from brainseg_desktop.services.language import tr

_FIRST = (Sequence.FLAIR, Sequence.T1CE, Sequence.T2, Sequence.T1)
_ICON = QSize(40, 12)


class WindowPanel(QWidget):
    """Follows the `ViewState` and changes it, for one sequence at a time.

    Signals
    -------
    presets_changed : the reader's own presets, a tuple of `WindowPreset`, to be remembered.
    """

    presets_changed = Signal(object)

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._sequence: Sequence | None = None
        # Counting takes some milliseconds: once for a sequence, and after the pictures are on the screen.
        self._histograms: dict[Sequence, tuple[Volume, Histogram]] = {}
        self._counting = QTimer(self, singleShot=True, interval=0)
        self._counting.timeout.connect(self._count)
        self._make_controls()
        self._lay_out()
        state.case_changed.connect(self._follow_case)
        state.windows_changed.connect(self.follow)
        self._follow_case()

    # Building ---------------------------------------------------------------------------------------

    def _make_controls(self) -> None:
        self._chooser = _QuietCombo()
        self._chooser.setAccessibleName(tr("Sequence whose window is set"))
        self._chooser.setToolTip(tr("Sequence whose window is set; it follows the view that has the focus"))
        # Qt gives a text back where it was given one of a Sequence.
        self._chooser.activated.connect(lambda row: self.set_sequence(Sequence(self._chooser.itemData(row))))
        self.view = HistogramView()
        self.view.window_moved.connect(lambda low, high: self._set((low, high)))
        self._auto = QPushButton(tr("Auto"))
        self._auto.setToolTip(
            tr(
                "{low_percent:g}-{high_percent:g} % of what is not background, for this sequence "
                "(Ctrl+J: all sequences)",
                low_percent=AUTO.low_percent,
                high_percent=AUTO.high_percent,
            )
        )
        self._auto.clicked.connect(lambda: self._apply(AUTO))
        self._menu = PresetMenu(self)
        self._menu.chosen.connect(self._apply)
        self._menu.save_requested.connect(self._ask_preset)
        self._menu.presets_changed.connect(self.presets_changed)
        self._preset_button = QPushButton(tr("Presets"))
        self._preset_button.setToolTip(tr("Windows by share of the histogram, and your own"))
        self._preset_button.setMenu(self._menu)
        self._copy_button = QPushButton(tr("Copy"))
        self._copy_button.setAccessibleName(tr("Copy to all sequences"))
        self._copy_button.setToolTip(tr("Give all sequences the window or the colours of this one"))
        copies = QMenu(self)
        copies.setToolTipsVisible(True)
        for text, tip, call in (
            (
                tr("Window to all, same percentiles"),
                tr("The same shares of each sequence's own histogram"),
                self._copy_share,
            ),
            (
                tr("Window to all, same values"),
                tr("The same grey values: only for images that are scaled alike"),
                self._copy_values,
            ),
            (tr("Colours to all"), tr("The colour map of this sequence"), self._copy_colours),
        ):
            action = copies.addAction(text, call)
            action.setToolTip(tip)
        self._copy_button.setMenu(copies)
        self._width = self._spin(tr("Window width"), tr("Window width (W): upper minus lower limit"))
        self._width.valueChanged.connect(self._set_width)
        self._level = self._spin(tr("Window level"), tr("Window level (L): middle of the window"))
        self._level.valueChanged.connect(self._set_level)
        self._colours = _QuietCombo()
        self._colours.setAccessibleName(tr("Colour map"))
        self._colours.setToolTip(tr("Colours of the grey values of this sequence"))
        self._colours.setIconSize(_ICON)
        self._colours.activated.connect(self._choose_colours)
        self._smooth = QCheckBox(tr("Smooth images"))
        self._smooth.setToolTip(tr("Interpolate between voxels, in the pictures only: no value changes"))
        self._smooth.toggled.connect(self._state.set_smooth)

    def _spin(self, name: str, tip: str) -> QDoubleSpinBox:
        spin = _QuietSpin()
        spin.setAccessibleName(name)
        spin.setToolTip(tip)
        spin.setKeyboardTracking(False)  # a number half typed is no window
        return spin

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        top = QHBoxLayout()
        top.addWidget(heading(tr("Window")))
        top.addStretch(1)
        top.addWidget(self._chooser)
        column.addLayout(top)
        column.addWidget(self.view)
        rows = QGridLayout()
        rows.setHorizontalSpacing(6)
        rows.setVerticalSpacing(5)
        for place, (letter, spin) in enumerate((("W", self._width), ("L", self._level))):
            label = QLabel(letter)
            label.setBuddy(spin)
            rows.addWidget(label, 0, 2 * place)
            rows.addWidget(spin, 0, 2 * place + 1)
        rows.setColumnStretch(1, 1)
        rows.setColumnStretch(3, 1)
        column.addLayout(rows)
        buttons = QHBoxLayout()
        buttons.setSpacing(5)
        for button in (self._auto, self._preset_button, self._copy_button):
            # Three beside each other, at 150 % of the font too.
            button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
            buttons.addWidget(button, 1)
        column.addLayout(buttons)
        column.addWidget(self._colours)
        column.addWidget(self._smooth)

    # Following --------------------------------------------------------------------------------------

    @property
    def sequence(self) -> Sequence | None:
        """The sequence whose window is set; None without a case."""
        return self._sequence

    def set_sequence(self, sequence: Sequence) -> None:
        """Show the window of this sequence, if the case has it."""
        if sequence in self._state.windows and sequence is not self._sequence:
            self._sequence = sequence
            self.follow()

    def set_presets(self, presets: Items[WindowPreset]) -> None:
        """The reader's own presets, as remembered."""
        self._menu.presets = tuple(presets)

    @property
    def presets(self) -> tuple[WindowPreset, ...]:
        """The reader's own presets."""
        return self._menu.presets

    def _follow_case(self) -> None:
        case = self._state.case
        self._histograms.clear()
        present = [s for s in Sequence if case is not None and s in case.volumes]
        self._chooser.clear()
        for sequence in present:
            self._chooser.addItem(sequence.value, sequence)
        self.setEnabled(bool(present))
        self._copy_button.setEnabled(len(present) > 1)
        if self._sequence not in present:
            self._sequence = next((s for s in _FIRST if s in present), None)
        self.follow()

    def follow(self) -> None:
        """Show what the state says."""
        state, sequence = self._state, self._sequence
        self._menu.sequence = sequence
        with QSignalBlocker(self._smooth):
            self._smooth.setChecked(state.smooth)
        window = state.windows.get(sequence) if sequence is not None else None
        if sequence is None or window is None:
            self.view.set_shown(tr("no sequence"), None, None, colour_table(GREY))
            return
        self._chooser.setCurrentIndex(self._chooser.findData(sequence))
        name = state.colour_maps.get(sequence, GREY)
        counted = self._counted(sequence)
        if counted is None and self.isVisible():
            self._counting.start()
        self.view.set_shown(sequence.value, counted, window, colour_table(name))
        low, high = window
        for spin, value in ((self._width, high - low), (self._level, (low + high) / 2)):
            with QSignalBlocker(spin):
                spin.setDecimals(decimals_of(counted))
                spin.setSingleStep(counted.body / 100 if counted is not None else 1.0)
                spin.setValue(value)
        if self._colours.count():
            self._colours.setCurrentIndex(self._colours.findData(name))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._colours.count():
            for name in filter(is_available, COLOUR_MAPS):
                self._colours.addItem(_gradient(name), tr(COLOUR_MAPS[name]), name)
        self.follow()

    def _counted(self, sequence: Sequence) -> Histogram | None:
        """The histogram of a sequence, if it was counted."""
        volume = self._state.volume(sequence)
        found = self._histograms.get(sequence)
        return found[1] if found is not None and found[0] is volume else None

    def histogram(self, sequence: Sequence) -> Histogram:
        """The histogram of a sequence of the case, counted at need."""
        found = self._counted(sequence)
        if found is None:
            volume = self._state.volume(sequence)
            assert volume is not None
            found = histogram_of(volume.data)
            self._histograms[sequence] = (volume, found)
        return found

    def _count(self) -> None:
        if self._sequence is not None and self._state.volume(self._sequence) is not None:
            self.histogram(self._sequence)
            self.follow()

    # Changing ---------------------------------------------------------------------------------------

    def _set(self, window: tuple[float, float]) -> None:
        if self._sequence is not None:
            self._state.set_window(self._sequence, window)

    # Only what was entered changes; the other is not rounded to what its field shows.

    def _set_width(self, width: float) -> None:
        if self._sequence is not None:
            low, high = self._state.windows[self._sequence]
            half = max(width, 10.0 ** -self._width.decimals()) / 2
            self._set(((low + high) / 2 - half, (low + high) / 2 + half))

    def _set_level(self, level: float) -> None:
        if self._sequence is not None:
            low, high = self._state.windows[self._sequence]
            self._set((level - (high - low) / 2, level + (high - low) / 2))

    def _apply(self, preset: WindowShare | WindowPreset) -> None:
        if self._sequence is None:
            return
        if isinstance(preset, WindowShare):
            histogram = self.histogram(self._sequence)
            self._set(percentile_window(histogram, preset.low_percent, preset.high_percent))
        elif preset.unit == "percent":
            histogram = self.histogram(self._sequence)
            low, high = histogram.value_at(preset.low), histogram.value_at(preset.high)
            self._set((low, high if high > low else low + 1.0))
        else:
            self._set((preset.low, preset.high))

    def _others(self) -> list[Sequence]:
        return [s for s in self._state.windows if s is not self._sequence]

    def _copy_share(self) -> None:
        assert self._sequence is not None
        window, source = self._state.windows[self._sequence], self.histogram(self._sequence)
        for other in self._others():
            self._state.set_window(other, carried_window(window, source, self.histogram(other)))

    def _copy_values(self) -> None:
        assert self._sequence is not None
        for other in self._others():
            self._state.set_window(other, self._state.windows[self._sequence])

    def _copy_colours(self) -> None:
        assert self._sequence is not None
        name = self._state.colour_maps.get(self._sequence, GREY)
        for other in self._others():
            self._state.set_colour_map(other, name)

    def _choose_colours(self, row: int) -> None:
        if self._sequence is not None:
            self._state.set_colour_map(self._sequence, self._colours.itemData(row))

    def _ask_preset(self) -> None:
        sequence = self._sequence
        if sequence is None:
            return
        dialog = PresetDialog(
            sequence, self._state.windows[sequence], self.histogram(sequence), self._menu.presets, self
        )
        ask(dialog, lambda accepted: self._menu.add(dialog.preset) if accepted else None)


class _QuietSpin(QuietWheel, QDoubleSpinBox):
    """A number that the wheel changes only when it has the keys: it stands in a panel that scrolls."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(-1e9, 1e9)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("-00000.00") + 24)


class _QuietCombo(QuietWheel, QComboBox):
    """A choice that the wheel changes only when it has the keys."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def _gradient(name: str) -> QIcon:
    """The colours of a map from left to right."""
    row = colour_table(name).copy()
    image = QImage(row.data, 256, 1, 1024, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
    return QIcon(QPixmap.fromImage(image.scaled(_ICON)))
