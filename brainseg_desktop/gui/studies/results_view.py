"""What a study came to: pictures and tables, each leading to the case and slice it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.agreement.click_table import ClickTable
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.studies import result_rows
from brainseg_desktop.gui.studies.chart_view import ChartView
from brainseg_desktop.services.charts.study_charts import (
    bland_altman_chart,
    box_and_swarm,
    heat_map,
    volume_scatter,
)
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies.results import Pair, StudyReport

if TYPE_CHECKING:
    from brainseg_desktop.services.charts.chart import Chart, Spot

MATRIX, BOXES, BLAND_ALTMAN, VOLUMES = (
    mark("Matrix of pairs"),
    mark("Boxes of pairs"),
    mark("Bland-Altman"),
    mark("Volumes"),
)
PICTURES = (MATRIX, BOXES, BLAND_ALTMAN, VOLUMES)


class ResultsView(QWidget):
    """Shows a `StudyReport`; does nothing itself.

    Signals
    -------
    measure_wanted, cancel_wanted : start and end measuring.
    report_wanted, tables_wanted, picture_wanted, consensus_wanted : buttons that write something.
    go_to : (case, pair or None, region name) open the case where these two differ most.
    """

    measure_wanted = Signal()
    cancel_wanted = Signal()
    report_wanted = Signal()
    tables_wanted = Signal()
    picture_wanted = Signal()
    consensus_wanted = Signal()
    go_to = Signal(str, object, str)

    def __init__(self) -> None:
        super().__init__()
        self.report: StudyReport | None = None
        self.chart = ChartView()
        self.chart.spot_clicked.connect(self._chosen)
        self._why = faint()
        self._measure = QPushButton(tr("Measure"))
        self._measure.setToolTip(
            tr("Compare all locked readings; what was measured before is not measured again")
        )
        self._measure.clicked.connect(self.measure_wanted)
        self._progress = QProgressBar()
        self._progress.setFixedWidth(180)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.setAccessibleName(tr("Cancel measuring"))
        self._cancel.clicked.connect(self.cancel_wanted)
        self._picture = _choice(tr("Picture"), self._draw)
        self._region = _choice(tr("Region"), self._fill)
        self._score = _choice(tr("Measure of pairs"), self._fill)
        self._pair = _choice(tr("Pair of raters"), self._fill_pair)
        self._buttons: list[QPushButton] = []
        for text, tip, signal in (
            (
                tr("Consensus"),
                tr("Write majority and STAPLE of the readers as new masks of each case"),
                "consensus",
            ),
            (tr("Picture..."), tr("Save the picture as PNG or SVG"), "picture"),
            (tr("Tables..."), tr("Write everything as CSV and JSON"), "tables"),
            (tr("Report..."), tr("Write a report as PDF or HTML"), "report"),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(getattr(self, f"{signal}_wanted"))
            self._buttons.append(button)
        self._named = QCheckBox(tr("Name cases in reports"))
        self._named.setToolTip(
            tr("Names of cases often name the patient; without the tick they are numbered")
        )
        self._worst = QPushButton(tr("Where these two differ most"))
        self._worst.setToolTip(
            tr("Open the case on which this pair agrees least, at the slice of most differences")
        )
        self._worst.clicked.connect(self.go_to_worst)
        self._cases = _table(tr("Cases of this pair"), 4, words=(0,))
        self._cases.chosen.connect(self._case_chosen)
        self._summary = _table(tr("Measures over all pairs of readers"), 9, words=(0,))
        self._raters = _table(tr("Raters"), 6, words=(0, 1))
        self._whole = _table(tr("Agreement of all readers"), 4, words=(0, 3))
        self._left_out = _table(tr("Left out"), 3, words=(0, 1, 2))
        self._rules = QLabel()
        self._rules.setWordWrap(True)
        self._rules.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._rules.setMargin(8)
        self._list(self._picture, [(tr(kind), kind) for kind in PICTURES])
        self._lay_out()
        self.set_progress(None)
        self.set_report(None)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self._measure)
        top.addWidget(self._progress)
        top.addWidget(self._cancel)
        top.addStretch(1)
        top.addWidget(self._named)
        for button in self._buttons:
            top.addWidget(button)
        chosen = QHBoxLayout()
        for box in (self._region, self._score, self._picture, self._pair):
            chosen.addWidget(box)
        chosen.addStretch(1)
        chosen.addWidget(self._worst)
        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        rules = QWidget()
        column = QVBoxLayout(rules)
        column.addWidget(self._rules)
        column.addStretch(1)
        for widget, title in (
            (self._cases, tr("Cases")),
            (self._summary, tr("Measures")),
            (self._whole, tr("Statistics")),
            (self._raters, tr("Raters")),
            (self._left_out, tr("Left out")),
            (_scrolled(rules), tr("Rules")),
        ):
            self._tabs.addTab(widget, title)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.addWidget(self.chart)
        self._split.addWidget(self._tabs)
        self._split.setSizes([560, 500])
        self._split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._why)
        layout.addLayout(chosen)
        layout.addWidget(self._split, 1)

    # Showing ----------------------------------------------------------------------------------------

    def set_report(self, report: StudyReport | None, why: str = "", *, can_measure: bool = False) -> None:
        """Show results, or why there are none."""
        self.report = report
        self._why.setText(why)
        self._why.setVisible(bool(why))
        self._measure.setEnabled(can_measure)
        self._measure.setText(tr("Measure again") if report is not None else tr("Measure"))
        shown: tuple[QWidget, ...] = (self._region, self._score, self._picture, self._pair, self._worst)
        for widget in (*shown, self._split):
            widget.setVisible(report is not None)
        for button in self._buttons:
            button.setEnabled(report is not None)
        if report is not None:
            self._list(self._region, [(name, name) for name in report.regions])
            first = next(iter(report.regions.values()))
            self._list(self._score, [(tr(t.measure.title), key) for key, t in first.measures.items()])
            self._rules.setText("\n\n".join(report.rules.values()))
            self._left_out.setRowCount(0)
            _fill_table(
                self._left_out,
                (tr("Case"), tr("Rater"), tr("Reason")),
                [(e.case, e.rater or "all", words(e.reason)) for e in report.exclusions],
            )
            self._tabs.setTabText(4, tr("Left out ({count})", count=len(report.exclusions)))
            self._fill()
        else:
            self.chart.set_chart(None, why)

    def set_progress(self, done: float | None) -> None:
        """Show how far measuring is; None: nothing is measured."""
        running = done is not None
        self._progress.setVisible(running)
        self._cancel.setVisible(running)
        self._measure.setVisible(not running)
        self._progress.setRange(0, 1000)
        self._progress.setValue(round(1000 * (done or 0)))

    @property
    def is_named(self) -> bool:
        """Whether reports may name the cases."""
        return self._named.isChecked()

    @property
    def region(self) -> str:
        return str(self._region.currentData() or "")

    @property
    def measure(self) -> str:
        """Key of the measure."""
        return str(self._score.currentData() or "")

    @property
    def pair(self) -> Pair | None:
        """The two raters chosen, the first being the reference."""
        chosen = self._pair.currentData()
        return None if chosen is None else (str(chosen[0]), str(chosen[1]))

    def choose_region(self, name: str) -> None:
        """Show another region."""
        self._region.setCurrentText(name)

    def choose_pair(self, pair: Pair) -> None:
        """Show a pair; the other way round where only that order has numbers."""
        for wanted in (pair, pair[::-1]):
            for row in range(self._pair.count()):
                if tuple(self._pair.itemData(row)) == wanted:
                    self._pair.setCurrentIndex(row)
                    return

    def _list(self, box: QComboBox, entries: Sequence[tuple[str, object]]) -> None:
        """Offer other entries; the one that was chosen stays chosen if it is among them."""
        before = box.currentData()
        box.blockSignals(True)
        box.clear()
        for text, data in entries:
            box.addItem(text, data)
        row = next((r for r in range(box.count()) if box.itemData(r) == before), 0)
        box.setCurrentIndex(row)
        box.blockSignals(False)

    def _fill(self) -> None:
        """Another region or measure."""
        report = self.report
        if report is None or not self.region or not self.measure:
            return
        results = report.regions[self.region]
        pairs = list(results.measures[self.measure].pairs)
        self._list(self._pair, [(tr("{a} and {b}", a=a, b=b), [a, b]) for a, b in pairs])
        _fill_table(
            self._summary, [tr(head) for head in result_rows.MEASURE_HEADS], result_rows.measures(results)
        )
        _fill_table(
            self._whole, [tr(head) for head in result_rows.STATISTIC_HEADS], result_rows.statistics(results)
        )
        _fill_table(
            self._raters, [tr(head) for head in result_rows.RATER_HEADS], result_rows.raters(report, results)
        )
        self._fill_pair()

    def _fill_pair(self) -> None:
        report, pair = self.report, self.pair
        if report is None:
            return
        rows = result_rows.cases(report, self.region, self.measure, pair) if pair is not None else []
        title = report.regions[self.region].measures[self.measure].measure.title
        heads = (tr("Case"), tr(title), *(f"{name}, mL" for name in pair or ("", "")))
        _fill_table(self._cases, heads, rows)
        self._worst.setEnabled(pair is not None and report.worst(self.region, self.measure, pair) is not None)
        self._draw()

    def _draw(self) -> None:
        report, pair = self.report, self.pair
        if report is None:
            return
        kind, chart = str(self._picture.currentData()), None
        if kind == MATRIX:
            chart = heat_map(report, self.region, self.measure)
        elif kind == BOXES:
            chart = box_and_swarm(report, self.region, self.measure)
        elif pair is not None:
            chart = self._chart_of_pair(report, kind, pair)
        self.chart.set_chart(chart, "" if chart is not None else tr("There is no pair of raters."))

    def _chart_of_pair(self, report: StudyReport, kind: str, pair: Pair) -> Chart:
        # Volumes are kept in the order of the raters, whichever is the reference of a directed measure.
        names = [r.name for r in report.raters]
        first, second = sorted(pair, key=names.index)
        draw = bland_altman_chart if kind == BLAND_ALTMAN else volume_scatter
        return draw(report, self.region, (first, second))

    # Going somewhere --------------------------------------------------------------------------------

    def go_to_worst(self) -> None:
        """Open the case on which the chosen pair agrees least."""
        if self.report is None or self.pair is None:
            return
        case = self.report.worst(self.region, self.measure, self.pair)
        if case is not None:
            self.go_to.emit(case, self.pair, self.region)

    def _chosen(self, spot: Spot) -> None:
        """A cell of the matrix chooses its pair; a dot goes to its case."""
        if spot.pair is not None:
            self.choose_pair(spot.pair)
        if spot.case is not None:
            self.go_to.emit(spot.case, spot.pair or self.pair, self.region)
        else:
            self._tabs.setCurrentWidget(self._cases)

    def _case_chosen(self, row: int, _: int) -> None:
        item = self._cases.item(row, 0)
        if item is not None:
            self.go_to.emit(item.text(), self.pair, self.region)


def _choice(name: str, changed: Callable[[], None]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    box.currentIndexChanged.connect(lambda _: changed())
    return box


def _table(name: str, columns: int, words: Sequence[int]) -> ClickTable:
    table = ClickTable(name, columns, words=words)
    table.verticalHeader().hide()
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    return table


def _fill_table(table: ClickTable, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table.setColumnCount(len(heads))
    table.setRowCount(len(rows))
    table.put_headings(heads)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            table.put(number, column, text)


def _scrolled(inside: QWidget) -> QWidget:
    from PySide6.QtWidgets import QScrollArea

    area = QScrollArea()
    area.setWidget(inside)
    area.setWidgetResizable(True)
    return area
