"""The window of agreement: every measure of two masks, their lesions and slices, a picture to check them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal, SignalInstance
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.agreement.check_picture import MASK_COLOUR, REFERENCE_COLOUR, Check, CheckPicture
from brainseg_desktop.gui.agreement.click_table import ClickTable
from brainseg_desktop.gui.agreement.report_words import definitions_html
from brainseg_desktop.gui.agreement.slice_chart import Areas, SlicesChart
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.phrases import by_parts
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.pair_report import PairReport, Voxel
from brainseg_desktop.services.pair_tables import (
    COLUMNS,
    LESION_COLUMNS,
    cell,
    columns_of,
    definition_text,
    lesion_row,
    lesion_summary,
    rule,
    state_words,
)

_PLANES = tuple(Plane)
_AFTER_MS = 40
# The tolerance is typed digit by digit.
_TYPING_MS = 500


class ReportWindow(QDialog):
    """Shows a report it is given; measures nothing.

    Signals
    -------
    go_to : voxel to show in the linked views.
    refresh_wanted, cancel_wanted, copy_wanted, save_wanted : buttons.
    copy_picture_wanted, save_picture_wanted : buttons.
    tolerance_chosen : mm of the surface Dice.
    """

    go_to = Signal(object)
    refresh_wanted = Signal()
    cancel_wanted = Signal()
    tolerance_chosen = Signal(float)
    copy_wanted = Signal()
    save_wanted = Signal()
    copy_picture_wanted = Signal()
    save_picture_wanted = Signal()

    def __init__(self, state: ViewState, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self.report: PairReport | None = None
        self._row = ""
        self.setWindowTitle(tr("Agreement"))
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self._make_head()
        self._make_parts()
        self._lay_out()
        self.resize(1200, 640)
        self._follow = QTimer(self, singleShot=True, interval=_AFTER_MS)
        self._follow.timeout.connect(self._show_slice)
        for signal in (state.cursor_changed, state.windows_changed, state.camera_changed):
            signal.connect(self._follow_soon)

    # Building ---------------------------------------------------------------------------------------

    def _make_head(self) -> None:
        self.pair = QLabel()
        self.pair.setObjectName("step")
        self.pair.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status = QLabel()
        self.status.setObjectName("faint")
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.0, 20.0)
        self.tolerance.setDecimals(1)
        self.tolerance.setSingleStep(0.5)
        self.tolerance.setValue(1.0)
        self.tolerance.setSuffix(" mm")
        self.tolerance.setAccessibleName(tr("Tolerance of the surface Dice"))
        self.tolerance.setToolTip(tr("Outlines so near to each other count as agreed in the surface Dice"))
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(lambda: self.tolerance_chosen.emit(self.tolerance.value()))
        self.tolerance.valueChanged.connect(lambda _: self._typing.start())
        self.refresh = _button(
            tr("Refresh"), tr("Measure the masks as they are now (F5)"), self.refresh_wanted
        )
        self.refresh.setShortcut("F5")
        self.cancel = _button(tr("Cancel"), tr("Stop measuring; the numbers before stay"), self.cancel_wanted)

    def _make_parts(self) -> None:
        last = len(COLUMNS)
        self.measures = ClickTable(tr("Measures"), last + 1, words=(last,))
        self.measures.setToolTip(tr("Click a number to go to where the two differ most"))
        self.measures.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.measures.horizontalHeader().setStretchLastSection(True)
        self.measures.chosen.connect(self._choose_number)
        self.measures.currentCellChanged.connect(lambda row, *_: self._show_row(row))
        self.rule = faint()
        self.axis = QComboBox()
        self.axis.setAccessibleName(tr("Slices along"))
        self.axis.addItems([tr("{plane} slices", plane=p.words.capitalize()) for p in _PLANES])
        self.axis.currentIndexChanged.connect(lambda _: self._show_row_again())
        self.worst = _button(tr("Worst slice"), tr("Go to the slice on which the two differ most"))
        self.worst.clicked.connect(self._go_to_worst)
        self.legend = QLabel()
        self.chart = SlicesChart(tr("Dice and areas by slice"))
        self.chart.chosen.connect(self._choose_slice)
        self.lesion_summary = faint()
        self.lesions = ClickTable(tr("Lesions"), len(LESION_COLUMNS), words=(0,))
        self.lesions.put_headings([tr(heading) for heading in LESION_COLUMNS])
        self.lesions.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.lesions.verticalHeader().hide()
        self.lesions.setToolTip(tr("Click a lesion to go to its middle"))
        self.lesions.chosen.connect(self._choose_lesion)
        self.meanings = QTextBrowser()
        self.meanings.setAccessibleName(tr("What the measures mean"))
        self.picture = CheckPicture(self._state)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.pair, 1)
        head.addWidget(self.status)
        head.addWidget(self.cancel)
        head.addWidget(self.refresh)
        slices = QWidget()
        column = QVBoxLayout(slices)
        column.setContentsMargins(0, 6, 0, 0)
        tools = QHBoxLayout()
        tools.addWidget(self.axis)
        tools.addWidget(self.worst)
        tools.addStretch(1)
        tools.addWidget(self.legend)
        column.addLayout(tools)
        column.addWidget(self.chart, 1)
        lesions = QWidget()
        column = QVBoxLayout(lesions)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self.lesion_summary)
        column.addWidget(self.lesions, 1)
        self.tabs = QTabWidget()
        for part, title in (
            (slices, tr("Slices")),
            (lesions, tr("Lesions")),
            (self.meanings, tr("What it means")),
        ):
            self.tabs.addTab(part, title)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.picture, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(
            _button(tr("Copy picture"), tr("Put the picture on the clipboard"), self.copy_picture_wanted)
        )
        row.addWidget(
            _button(tr("Save picture..."), tr("Write the picture to a PNG file"), self.save_picture_wanted)
        )
        column.addLayout(row)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.tabs)
        split.addWidget(right)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 3)
        split.setSizes([480, 720])
        split.setChildrenCollapsible(False)
        foot = QHBoxLayout()
        foot.addWidget(QLabel(tr("Surface Dice within")))
        foot.addWidget(self.tolerance)
        foot.addStretch(1)
        foot.addWidget(
            _button(
                tr("Copy table"), tr("Put the measures on the clipboard, for a spreadsheet"), self.copy_wanted
            )
        )
        foot.addWidget(
            _button(tr("Save CSV..."), tr("Write measures and lesions to two CSV files"), self.save_wanted)
        )
        close = _button(tr("Close"), tr("Close this window"))
        close.clicked.connect(self.close)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self.measures)
        layout.addWidget(self.rule)
        layout.addWidget(split, 1)
        layout.addLayout(foot)

    # Showing ----------------------------------------------------------------------------------------

    def set_status(self, text: str, *, warning: bool = False, busy: bool = False) -> None:
        """Say whether the numbers are those of the masks now."""
        self.status.setText(text)
        name = "warning" if warning else "faint"
        if self.status.objectName() != name:
            self.status.setObjectName(name)
            self.status.style().unpolish(self.status)
            self.status.style().polish(self.status)
        self.cancel.setVisible(busy)
        self.refresh.setEnabled(not busy)

    def set_report(self, report: PairReport | None) -> None:
        """Show the numbers; None for none yet."""
        self.report = report
        for part in (self.measures, self.tabs, self.picture, self.rule):
            part.setEnabled(report is not None)
        if report is None:
            self.pair.setText("")
            self.measures.setRowCount(0)
            self.lesions.setRowCount(0)
            self.picture.set_check(None)
            return
        source = report.source
        self.pair.setText(
            tr(
                "{case}: {mask} against {reference}",
                case=source.case,
                mask=source.mask_name,
                reference=source.reference_name,
            )
        )
        self.pair.setToolTip(self.pair.text())
        self.legend.setText(
            f"<span style='color: rgb{REFERENCE_COLOUR}'>&#9632;</span> {tr('reference')} &nbsp; "
            f"<span style='color: rgb{MASK_COLOUR}'>&#9632;</span> {tr('mask')}"
        )
        columns = columns_of(report)
        tips = [tr(definition_text(c), tolerance_mm=report.agreement.tolerance_mm) for c in columns]
        self.measures.put_headings([*(tr(c.heading) for c in columns), tr("State")], [*tips, tr(_STATE_TIP)])
        names = list(report.rows)
        self.measures.blockSignals(True)
        self.measures.setRowCount(len(names))
        self.measures.setVerticalHeaderLabels(names)
        for row, name in enumerate(names):
            words = by_parts(state_words(report, name))
            for column, one in enumerate(columns):
                self.measures.put(row, column, cell(report, name, one), rule(report, name))
            self.measures.put(row, len(columns), words, rule(report, name))
        if self._row not in names:
            self._row = self._state.region.name if self._state.region.name in names else names[0]
        self.measures.setCurrentCell(names.index(self._row), max(0, self.measures.currentColumn()))
        self.measures.blockSignals(False)
        rows = min(max(len(names), 3), 9) * self.measures.verticalHeader().defaultSectionSize()
        self.measures.setFixedHeight(self.measures.horizontalHeader().sizeHint().height() + rows + 6)
        self.meanings.setHtml(definitions_html(report))
        self._show_row(names.index(self._row))

    def _show_row(self, row: int) -> None:
        """The chart, the lesions and the picture of the region in this row."""
        report = self.report
        if report is None or not 0 <= row < len(report.rows):
            return
        self._row = list(report.rows)[row]
        self.rule.setText(rule(report, self._row))
        self.rule.setVisible(bool(self.rule.text()))
        grid, plane = report.source.grid, self.plane
        voxel, unit = 1.0, "voxels"
        if grid.spacing_known:
            spacing = grid.spacing_mm
            voxel, unit = spacing[plane.horizontal] * spacing[plane.vertical] / 100, "cm\u00b2"
        counts = report.slices(self._row, plane.axis)
        areas = Areas(
            np.multiply(counts.reference, voxel, dtype=np.float64),
            np.multiply(counts.mask, voxel, dtype=np.float64),
            unit,
        )
        self.chart.set_slices(counts.dice, areas, tr("{plane} slice", plane=plane.words.capitalize()))
        self.worst.setEnabled(counts.worst is not None)
        found = report.lesions(self._row)
        self.lesion_summary.setText(lesion_summary(report, self._row))
        lesions = found.lesions if found is not None else ()
        self.lesions.setRowCount(len(lesions))
        for number, lesion in enumerate(lesions):
            for column, text in enumerate(lesion_row(lesion)):
                self.lesions.put(number, column, by_parts(text))
        self._masks = tuple(
            report.rows[self._row].mask(labels) for labels in (report.source.reference, report.source.mask)
        )
        self._show_slice()

    def _show_row_again(self) -> None:
        if self.report is not None:
            self._show_row(list(self.report.rows).index(self._row))

    @property
    def plane(self) -> Plane:
        """Along which the slices of the chart are cut."""
        return _PLANES[self.axis.currentIndex()]

    def set_plane(self, plane: Plane) -> None:
        """Cut along this plane."""
        self.axis.setCurrentIndex(_PLANES.index(plane))

    def _follow_soon(self) -> None:
        if self.isVisible() and self.report is not None:
            self._follow.start()

    def _show_slice(self) -> None:
        """The slice of the linked views, in chart and picture."""
        report, case = self.report, self._state.case
        if report is None or case is None:
            return
        index = self._state.cursor[self.plane.axis]
        self.chart.set_current(index)
        sequence = self._sequence()
        first, second = self._masks
        titles = (
            f"{sequence.value}, {self._row}",
            tr("Reference: {reference}", reference=report.source.reference_name),
            tr("Mask: {mask}", mask=report.source.mask_name),
        )
        self.picture.set_check(Check(sequence, self.plane, index, first, second, titles))

    def _sequence(self) -> Sequence:
        """That of the first sequence that lies on the grid; T1CE for the core, FLAIR else, if there are."""
        assert self._state.case is not None
        aligned = self._state.case.aligned
        best = Sequence.T1CE if self._row in ("TC", "ET", "Enhancing", "Necrosis") else Sequence.FLAIR
        return best if best in aligned else next(iter(aligned))

    # Going there ------------------------------------------------------------------------------------

    def _choose_number(self, row: int, column: int) -> None:
        report = self.report
        if report is None or not 0 <= row < len(report.rows):
            return
        self._show_row(row)
        columns = columns_of(report)
        if column < len(columns) and columns[column].key == "hd95_mm":
            self._go(report.surface(self._row).hd95_voxel)
        else:
            self._go_to_worst()

    def _go_to_worst(self) -> None:
        if self.report is not None:
            self._go(self.report.worst_voxel(self._row, self.plane.axis))

    def _choose_lesion(self, row: int, column: int) -> None:
        found = self.report.lesions(self._row) if self.report is not None else None
        if found is not None and 0 <= row < len(found.lesions):
            self._go(found.lesions[row].centre)

    def _choose_slice(self, index: int) -> None:
        if self.report is None:
            return
        voxel = self.report.middle_of_slice(self._row, self.plane.axis, index)
        if voxel is None:
            place = list(self._state.cursor)
            place[self.plane.axis] = index
            voxel = (place[0], place[1], place[2])
        self._go(voxel)

    def _go(self, voxel: Voxel | None) -> None:
        """Nowhere to go where nothing differs: the rule below the table says why."""
        if voxel is not None:
            self.go_to.emit(voxel)
        self._show_slice()


_STATE_TIP = mark("Which of the two masks is empty, and whether the files state a voxel size")


def _button(text: str, tip: str, signal: SignalInstance | None = None) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setAutoDefault(False)
    if signal is not None:
        made.clicked.connect(lambda _=False: signal.emit())
    return made
