"""Tools for a whole label, and the rules that all tools obey."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.panels.parts import faint, heading, swatch
from brainseg_desktop.gui.panels.quiet import QuietCombo, QuietSpin
from brainseg_desktop.gui.panels.rules_panel import RulesPanel
from brainseg_desktop.gui.tasks.label_editing import LabelEditing
from brainseg_desktop.gui.tasks.label_words import name_of
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr

_MOST_MM = 30.0
_GAP = 5


class EditPanel(QWidget):
    """A section "Whole label" for the chosen label, and the `rules`.

    Parameters
    ----------
    tools : LabelEditing
    state : ViewState
        Chosen label, crosshair and constraints.
    """

    def __init__(self, tools: LabelEditing, state: ViewState) -> None:
        super().__init__()
        self._tools, self._state = tools, state
        self._listed: object = None
        self._case: Case | None = None
        self._others: tuple[Rating, ...] = ()
        self._result = ""
        self._in_ml = True
        self.rules = RulesPanel(state)
        self._make_fields()
        self._said = faint()
        self._label = QLabel()
        self._swatch = QLabel()
        self._lay_out()
        tools.told.connect(self._tell)
        tools.busy_changed.connect(lambda _: self.follow())
        tools.masks_changed.connect(self.follow)
        for signal in (state.tool_changed, state.case_changed, state.overlay_changed):
            signal.connect(self.follow)
        self.follow()

    # Building ---------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self._grow_mm = QuietSpin(tr("Distance to grow"), tr("How far the border moves out, in 3D"))
        self._shrink_mm = QuietSpin(tr("Distance to shrink"), tr("How far the border moves in, in 3D"))
        self._smooth_mm = QuietSpin(
            tr("Strength of smoothing"),
            tr("Standard deviation of the Gaussian: details smaller than this go"),
        )
        self._distances = (self._grow_mm, self._shrink_mm, self._smooth_mm)
        for spin, value in zip(self._distances, (1.0, 1.0, 1.5), strict=True):
            spin.setDecimals(1)
            spin.setSuffix(" mm")
            spin.setRange(0.1, _MOST_MM)
            spin.setSingleStep(0.5)
            spin.setValue(value)
        self._island = QuietSpin(tr("Smallest part to keep"), tr("Connected parts smaller than this go"))
        self._set_island_unit()
        self._holes = QuietCombo(tr("Where holes are looked for"), tr("In 3D, or in each slice of a plane"))
        self._holes.addItem(tr("in 3D"), None)
        for plane in Plane:
            self._holes.addItem(tr("in {plane} slices", plane=plane.words), plane)
        self._second = QuietCombo(tr("Label to swap with"), tr("The other label"))
        self._target = QuietCombo(tr("Label of the part"), tr("What the part under the crosshair becomes"))
        self._source = QuietCombo(tr("Mask to take from"), tr("The mask that is right there"))

    def _lay_out(self) -> None:
        tools = self._tools
        grow = _button(
            tr("Grow"),
            tr("Add what lies within this distance to the label"),
            lambda: tools.grow(_rounded(self._grow_mm)),
        )
        shrink = _button(
            tr("Shrink"),
            tr("Take what lies within this distance of the border away; it becomes what lies beside it"),
            lambda: tools.shrink(_rounded(self._shrink_mm)),
        )
        smooth = _button(
            tr("Smooth"),
            tr("Round off the border; the volume stays"),
            lambda: tools.smooth(_rounded(self._smooth_mm)),
        )
        islands = _button(
            tr("Drop islands"), tr("Small parts become what lies around them"), self._drop_islands
        )
        holes = _button(
            tr("Fill holes"),
            tr("Background that labels enclose, and that touches this label, becomes this label"),
            lambda: tools.fill_holes(self._holes.currentData()),
        )
        self._swap_button = _button(tr("Swap with"), tr("Exchange the two labels everywhere"), self._swap)
        part = _button(
            tr("Relabel part"),
            tr("Give the connected part under the crosshair, of whatever label, to this one"),
            self._relabel,
        )
        self._take_button = _button(
            tr("Take here"),
            tr("In the lesion under the crosshair, make this mask equal to another one: all its labels"),
            self._take,
        )
        largest = _button(
            tr("Keep largest"),
            tr("All connected parts but the largest become what lies around them"),
            tools.keep_largest,
        )
        clear = _button(tr("Clear label"), tr("Make the whole label background"), tools.clear_label)
        rows = QGridLayout()
        rows.setHorizontalSpacing(6)
        rows.setVerticalSpacing(_GAP)
        fields = (
            (grow, self._grow_mm),
            (shrink, self._shrink_mm),
            (smooth, self._smooth_mm),
            (islands, self._island),
            (holes, self._holes),
            (self._swap_button, self._second),
            (part, self._target),
            (self._take_button, self._source),
        )
        for row, (button, field) in enumerate(fields):
            rows.addWidget(button, row, 0)
            rows.addWidget(field, row, 1)
        rows.setColumnStretch(0, 1)
        rows.setColumnStretch(1, 1)
        last = QHBoxLayout()
        last.setSpacing(6)
        last.addWidget(largest, 1)
        last.addWidget(clear, 1)
        self._section = QWidget()
        section = QVBoxLayout(self._section)
        section.setContentsMargins(0, 0, 0, 0)
        section.setSpacing(_GAP)
        section.addLayout(rows)
        section.addLayout(last)
        top = QHBoxLayout()
        top.setSpacing(5)
        top.addWidget(heading(tr("Whole label")))
        top.addStretch(1)
        top.addWidget(self._swatch)
        top.addWidget(self._label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(_GAP)
        column.addLayout(top)
        column.addWidget(self._section)
        column.addWidget(self._said)
        column.addSpacing(7)
        column.addWidget(self.rules)

    # Following --------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Show for which label the tools are, and whether there is a mask to change."""
        state, tools = self._state, self._tools
        rating, case = tools.editable, state.case
        tissues = rating.scheme.tissues if rating is not None else ()
        listed = (
            case,
            tissues,
            state.tissue,
            dict(state.colours),
            tuple((id(r), r.rater) for r in tools.others),
        )
        if listed != self._listed:
            self._listed = listed
            self._list(tissues)
        if case is not self._case:
            self._case = case
            self._follow_case(case)
        why = self._why_not(rating)
        self._section.setEnabled(not why)
        for field, button in ((self._second, self._swap_button), (self._source, self._take_button)):
            field.setEnabled(field.count() > 0)
            button.setEnabled(field.count() > 0)
        words = why or (f"{tools.busy} ..." if tools.busy else self._result)
        self._said.setText(words)
        self._said.setVisible(bool(words))

    def _why_not(self, rating: Rating | None) -> str:
        """Why nothing can be changed; empty if it can."""
        state, shown = self._state, self._tools.shown
        if state.case is None or shown is None:
            return tr("There is no mask to edit.")
        if rating is None:
            return tr("{rater} is read only. Start from this mask to edit it.", rater=shown.rater)
        if state.tissue in state.constraints.locked:
            return tr("{label} is locked.", label=TISSUE_NAMES[state.tissue])
        return ""

    def _list(self, tissues: tuple[Tissue, ...]) -> None:
        """Name the chosen label, and list the others and the masks to take from; choices stay."""
        state = self._state
        known = state.tissue in tissues
        self._label.setText(TISSUE_NAMES[state.tissue] if known else "")
        side = self._label.fontMetrics().height()
        icon = swatch(state.colours[state.tissue]) if known else QIcon()
        self._swatch.setPixmap(icon.pixmap(side, side))
        others = [t for t in tissues if t is not state.tissue]
        for combo, listed in ((self._second, others), (self._target, [*tissues, Tissue.BACKGROUND])):
            before = combo.currentData()
            combo.clear()
            for tissue in listed:
                erases = tissue is Tissue.BACKGROUND
                icon = QIcon() if erases else swatch(state.colours[tissue])
                combo.addItem(icon, tr("nothing (erase)") if erases else name_of(tissue), int(tissue))
            combo.setCurrentIndex(max(0, combo.findData(before)))
        source = self._source.currentText()
        self._others = self._tools.others
        self._source.clear()
        self._source.addItems([r.rater for r in self._others])
        self._source.setCurrentIndex(max(0, self._source.findText(source)))

    def _follow_case(self, case: Case | None) -> None:
        """Another grid: less than a voxel is no distance, and mL are not known everywhere."""
        self._result = ""
        known = case is None or case.grid.spacing_known
        for spin in self._distances:
            spin.setSuffix(" mm" if known else " px")
        if case is not None:
            # Rounded up: at 0.94 mm a voxel, 0.9 would reach none.
            least = math.ceil(min(case.grid.spacing_mm) * 10 - 1e-6) / 10
            for spin in (self._grow_mm, self._shrink_mm):
                spin.setMinimum(min(_MOST_MM, least))
        if known != self._in_ml:
            self._in_ml = known
            self._set_island_unit()

    def _set_island_unit(self) -> None:
        spin = self._island
        spin.setSuffix(" mL" if self._in_ml else " voxels")
        spin.setDecimals(2 if self._in_ml else 0)
        spin.setRange(0.01 if self._in_ml else 2, 1000 if self._in_ml else 1_000_000)
        spin.setSingleStep(0.05 if self._in_ml else 10)
        spin.setValue(0.1 if self._in_ml else 50)

    def _tell(self, words: str) -> None:
        self._result = words
        self.follow()

    # Acting -----------------------------------------------------------------------------------------

    def _drop_islands(self) -> None:
        case, size = self._state.case, self._island.value()
        if case is not None:
            self._tools.drop_islands(size if self._in_ml else size * case.grid.voxel_volume_ml)

    def _swap(self) -> None:
        self._tools.swap(self._state.tissue, Tissue(self._second.currentData()))

    def _relabel(self) -> None:
        self._tools.relabel_component(self._state.cursor, Tissue(self._target.currentData()))

    def _take(self) -> None:
        row = self._source.currentIndex()
        if 0 <= row < len(self._others):
            self._tools.take_from(self._others[row], self._state.cursor)


def _rounded(spin: QuietSpin) -> float:
    """What the field shows, without the tail of a binary fraction."""
    return round(spin.value(), spin.decimals())


def _button(text: str, tip: str, call: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    # Without the "checked" that Qt sends along.
    button.clicked.connect(lambda: call())
    return button
