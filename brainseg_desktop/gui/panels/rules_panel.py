"""The rules that every tool obeys: which voxels may change."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from brainseg_desktop.core.constraints import IntensityRange
from brainseg_desktop.core.label_parts import USUAL_PERCENTS, usual_range
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.panels.parts import heading, swatch
from brainseg_desktop.gui.panels.quiet import QuietCombo, QuietSpin
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr, tr_in

_FIRST = (Sequence.FLAIR, Sequence.T1CE, Sequence.T2, Sequence.T1)
# Below this width of a range whole numbers do not tell its values apart.
_NARROW = 20.0
_PERCENTS = f"{USUAL_PERCENTS[0]:g}-{USUAL_PERCENTS[1]:g} %"


class RulesPanel(QWidget):
    """Follows the constraints of the `ViewState` and changes them.

    A range of intensities belongs to one exam, because MR values have no absolute unit: it is let go with
    the case.
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._case = state.case
        # The range as it was left, for when the rule is switched on again.
        self._range: IntensityRange | None = None
        self._listed: object = None
        self._keep = self._box(
            tr("Keep other labels"),
            tr("Painting only fills background, erasing only removes the chosen label (B)"),
        )
        self._keep.toggled.connect(state.set_keep_others)
        self._inside = QuietCombo(tr("Only inside"), tr("Only voxels that have this label now may change"))
        self._inside.activated.connect(self._choose_inside)
        self._on = self._box(
            tr("Only intensities"), tr("Only voxels whose grey value lies in a range may change (I)")
        )
        self._on.toggled.connect(self.set_intensity_on)
        self._sequence = QuietCombo(tr("Sequence of the range"), tr("Sequence whose grey values count"))
        self._sequence.activated.connect(lambda row: self._choose(Sequence(self._sequence.itemData(row))))
        self._low = QuietSpin(tr("Lowest intensity"), tr("Lowest grey value of the range, as in the image"))
        self._high = QuietSpin(
            tr("Highest intensity"), tr("Highest grey value of the range, as in the image")
        )
        for spin in (self._low, self._high):
            spin.setRange(-1e9, 1e9)
        self._low.valueChanged.connect(lambda v: self._set(low=v))
        self._high.valueChanged.connect(lambda v: self._set(high=v))
        self._inverse = self._box(tr("Outside only"), tr("Only voxels outside of the range may change"))
        self._inverse.toggled.connect(lambda on: self._set(inverse=on))
        self._measure = QPushButton(tr("From label"))
        self._measure.setToolTip(
            tr("Set the range to {percents} of the voxels of the chosen label", percents=_PERCENTS)
        )
        self._measure.clicked.connect(self._measure_label)
        self._lay_out()
        state.tool_changed.connect(self.follow)
        state.overlay_changed.connect(self._follow_labels)
        state.case_changed.connect(self._follow_case)
        self._follow_case()

    @staticmethod
    def _box(text: str, tip: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setToolTip(tip)
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return box

    def _lay_out(self) -> None:
        rows = QGridLayout()
        rows.setHorizontalSpacing(6)
        rows.setVerticalSpacing(5)
        inside = QLabel(tr("Only inside"))
        inside.setBuddy(self._inside)
        rows.addWidget(inside, 0, 0)
        rows.addWidget(self._inside, 0, 1)
        rows.addWidget(self._on, 1, 0)
        rows.addWidget(self._sequence, 1, 1)
        rows.setColumnStretch(1, 1)
        self._details = QWidget()
        limits = QHBoxLayout()
        limits.setSpacing(6)
        limits.addWidget(self._low, 1)
        limits.addWidget(QLabel(tr_in("from a value to another", "to")))
        limits.addWidget(self._high, 1)
        last = QHBoxLayout()
        last.setSpacing(6)
        last.addWidget(self._inverse, 1)
        last.addWidget(self._measure)
        details = QVBoxLayout(self._details)
        details.setContentsMargins(0, 0, 0, 0)
        details.setSpacing(5)
        details.addLayout(limits)
        details.addLayout(last)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(heading(tr("Rules")))
        column.addWidget(self._keep)
        column.addLayout(rows)
        column.addWidget(self._details)

    # Following --------------------------------------------------------------------------------------

    def _follow_case(self) -> None:
        case, self._case = self._case, self._state.case
        if case is not self._case:
            self._range = None
            if self._state.constraints.intensity is not None:
                self._state.set_constraints(replace(self._state.constraints, intensity=None))
        aligned = self._state.case.aligned if self._state.case is not None else {}
        with QSignalBlocker(self._sequence):
            self._sequence.clear()
            for sequence in Sequence:
                if sequence in aligned:
                    self._sequence.addItem(sequence.value, sequence)
            first = next((s for s in _FIRST if s in aligned), None)
            if first is not None:
                self._sequence.setCurrentIndex(self._sequence.findData(first))
        self.setEnabled(bool(aligned))
        self._follow_labels()
        self.follow()

    def _follow_labels(self) -> None:
        """Another mask is shown, or the labels have other colours."""
        rating, colours = self._state.rating, self._state.colours
        tissues = rating.scheme.tissues if rating is not None else ()
        only = self._state.constraints.only_inside
        listed = (tissues, dict(colours), only)
        if listed == self._listed:  # the mask's opacity is dragged
            return
        self._listed = listed
        with QSignalBlocker(self._inside):
            self._inside.clear()
            self._inside.addItem(tr("anywhere"), None)
            self._inside.addItem(tr("background"), Tissue.BACKGROUND)
            for tissue in tissues:
                self._inside.addItem(swatch(colours[tissue]), TISSUE_NAMES[tissue].lower(), tissue)
            if only is not None and only not in (Tissue.BACKGROUND, *tissues):
                # On, and seen to be on, though this mask has no such label.
                self._inside.addItem(TISSUE_NAMES[only].lower(), only)
        self.follow()

    def follow(self) -> None:
        """Show what the state says."""
        rules = self._state.constraints
        for box, on in ((self._keep, rules.keep_others), (self._on, rules.intensity is not None)):
            with QSignalBlocker(box):
                box.setChecked(on)
        if rules.only_inside is not None and self._row_of(rules.only_inside) < 0:
            self._follow_labels()
            return
        self._inside.setCurrentIndex(max(0, self._row_of(rules.only_inside)))
        self._sequence.setEnabled(rules.intensity is not None)
        self._details.setVisible(rules.intensity is not None)
        if rules.intensity is not None:
            self._show(rules.intensity)

    def _row_of(self, tissue: Tissue | None) -> int:
        values = [self._inside.itemData(row) for row in range(self._inside.count())]
        return next((r for r, v in enumerate(values) if v == tissue and (v is None) == (tissue is None)), -1)

    def _show(self, rule: IntensityRange) -> None:
        self._range = rule
        self._sequence.setCurrentIndex(self._sequence.findData(rule.sequence))
        width = rule.high - rule.low
        for spin, value in ((self._low, rule.low), (self._high, rule.high)):
            with QSignalBlocker(spin):
                spin.setDecimals(0 if width >= _NARROW else 2)
                spin.setSingleStep(max(width / 50, 0.01))
                spin.setValue(value)
        with QSignalBlocker(self._inverse):
            self._inverse.setChecked(rule.inverse)

    # Changing ---------------------------------------------------------------------------------------

    def set_intensity_on(self, on: bool) -> None:
        """Switch the rule on intensities; the first time with the range of the chosen label."""
        rules = self._state.constraints
        if not on:
            self._state.set_constraints(replace(rules, intensity=None))
            return
        if self._range is None and self._sequence.count():
            self._range = self._usual(Sequence(self._sequence.currentData()))
        self._state.set_constraints(replace(rules, intensity=self._range))

    def toggle_intensity(self) -> None:
        """The key I."""
        self.set_intensity_on(self._state.constraints.intensity is None)

    def _usual(self, sequence: Sequence, *, inverse: bool = False) -> IntensityRange:
        """The range of the chosen label in a sequence; the window where the mask has no such label."""
        case, rating = self._state.case, self._state.rating
        assert case is not None
        found = None
        if rating is not None:
            values = case.aligned[sequence].data
            found = usual_range(values, rating.label_map.array, self._state.tissue)
        low, high = found or self._state.windows[sequence]
        return IntensityRange(sequence, low, high, inverse)

    def _choose_inside(self, row: int) -> None:
        value = self._inside.itemData(row)
        tissue = None if value is None else Tissue(value)
        self._state.set_constraints(replace(self._state.constraints, only_inside=tissue))

    def _choose(self, sequence: Sequence) -> None:
        """Another sequence has other values, so the range is found anew."""
        rule = self._state.constraints.intensity
        if rule is not None and sequence is not rule.sequence:
            new = self._usual(sequence, inverse=rule.inverse)
            self._state.set_constraints(replace(self._state.constraints, intensity=new))

    def _measure_label(self) -> None:
        rule = self._state.constraints.intensity
        if rule is not None:
            new = self._usual(rule.sequence, inverse=rule.inverse)
            self._state.set_constraints(replace(self._state.constraints, intensity=new))

    def _set(
        self, *, low: float | None = None, high: float | None = None, inverse: bool | None = None
    ) -> None:
        """Change a part of the range; what is not given is not rounded to what its field shows."""
        rule = self._state.constraints.intensity
        if rule is None:
            return
        if low is not None:
            rule = replace(rule, low=low, high=max(low, rule.high))
        if high is not None:
            rule = replace(rule, low=min(rule.low, high), high=high)
        if inverse is not None:
            rule = replace(rule, inverse=inverse)
        self._state.set_constraints(replace(self._state.constraints, intensity=rule))
