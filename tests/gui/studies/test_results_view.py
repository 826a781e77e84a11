"""The results of a study on the screen: the numbers are the report's, and each leads somewhere."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.studies.results_view import BLAND_ALTMAN, BOXES, PICTURES, ResultsView
from brainseg_desktop.services.messages import words
from tests.studies_example import example_report, make_report

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(qtbot: QtBot) -> ResultsView:
    """The example study: four readers and a network, eight cases."""
    made = ResultsView()
    qtbot.addWidget(made)
    made.resize(1200, 700)
    made.set_report(example_report(), can_measure=True)
    made.show()
    qtbot.waitExposed(made)
    return made


def _texts(table: QTableWidget) -> list[list[str]]:
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_without_a_report_it_says_why_and_offers_nothing(qtbot: QtBot) -> None:
    view = ResultsView()
    qtbot.addWidget(view)
    view.set_report(None, "Scores are shown after the study is unblinded.")
    view.show()
    assert view._why.text() == "Scores are shown after the study is unblinded."
    assert not view._measure.isEnabled()
    assert not [b for b in view._buttons if b.isEnabled()]
    view.go_to_worst()


def test_the_measures_are_those_of_the_readers_with_their_counts(view: ResultsView) -> None:
    table = example_report().regions["WT"].measures["dice"]
    row = next(r for r in _texts(view._summary) if r[0] == "Dice")
    mean = table.readers
    assert row[1] == f"{mean.mean:.3f}"
    assert row[5] == f"{mean.interval.lower:.3f} to {mean.interval.upper:.3f}"  # type: ignore[union-attr]
    assert row[6:] == [str(mean.n), str(mean.left_out), str(mean.missing)]


def test_cases_of_a_pair_stand_worst_first_and_those_without_a_number_last(view: ResultsView) -> None:
    report = example_report()
    pair = view.pair
    assert pair is not None
    rows = _texts(view._cases)
    assert {r[0] for r in rows} == set(report.cases)
    scores = report.regions["WT"].measures["dice"].scores[pair]
    values = [scores[r[0]].value if r[0] in scores else None for r in rows]
    numbers = [v for v in values if v is not None]
    assert numbers == sorted(numbers)
    assert values[: len(numbers)] == numbers
    assert rows[0][0] == report.worst("WT", "dice", pair)
    for row, value in zip(rows, values, strict=True):
        assert (value is None) == (not row[1][:1].isdigit())


def test_exclusions_are_told_in_words(view: ResultsView) -> None:
    report = example_report()
    assert [r[2] for r in _texts(view._left_out)] == [words(e.reason) for e in report.exclusions]
    assert f"({len(report.exclusions)})" in view._tabs.tabText(4)


@pytest.mark.parametrize("region", ["WT", "TC", "ET"])
@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_of_every_region_and_measure_is_drawn(
    view: ResultsView, region: str, picture: str
) -> None:
    view._region.setCurrentText(region)
    view._picture.setCurrentText(picture)
    for row in range(view._score.count()):
        view._score.setCurrentIndex(row)
        assert view.chart.chart is not None
        assert region in view.chart.chart.title
        assert not view.chart.grab().isNull()


def test_a_dot_leads_to_its_case_and_a_cell_to_its_pair(qtbot: QtBot, view: ResultsView) -> None:
    gone: list[tuple[str, object, str]] = []
    view.go_to.connect(lambda *where: gone.append(where))
    cell = next(s for s in view.chart.chart.spots if s.pair is not None)  # type: ignore[union-attr]
    qtbot.mouseClick(view.chart, LEFT, pos=view.chart.point_of(cell))
    assert set(view.pair or ()) == set(cell.pair or ())
    assert gone == []
    view._picture.setCurrentText(BOXES)
    dot = next(s for s in view.chart.chart.spots if s.case is not None)  # type: ignore[union-attr]
    qtbot.mouseClick(view.chart, LEFT, pos=view.chart.point_of(dot))
    assert gone == [(dot.case, dot.pair, "WT")]


def test_enter_on_a_case_goes_there(qtbot: QtBot, view: ResultsView) -> None:
    view._cases.setCurrentCell(1, 0)
    case = view._cases.item(1, 0).text()
    with qtbot.waitSignal(view.go_to) as went:
        qtbot.keyClick(view._cases, Qt.Key.Key_Return)
    assert went.args == [case, view.pair, "WT"]


def test_directed_measures_offer_both_orders_and_volumes_one(view: ResultsView) -> None:
    symmetric = view._pair.count()
    view._score.setCurrentText("Precision")
    assert view._pair.count() == 2 * symmetric
    view._pair.setCurrentIndex(view._pair.count() - 1)
    view._picture.setCurrentText(BLAND_ALTMAN)
    assert view.chart.chart is not None
    assert view.chart.chart.spots


def test_another_study_takes_the_place_of_the_first(view: ResultsView) -> None:
    view._region.setCurrentText("TC")
    view.set_report(make_report(readers=("Anna", "Ben"), network=None, cases=3, regions=("WT",)))
    assert view.region == "WT"
    assert view.pair == ("Anna", "Ben")
    assert len(_texts(view._cases)) == 3


def test_one_reader_alone_has_no_pair_and_says_so(view: ResultsView) -> None:
    view.set_report(make_report(readers=("Anna",), network=None, cases=3))
    assert view.pair is None
    assert not view._worst.isEnabled()
    for picture in PICTURES:
        view._picture.setCurrentText(picture)
        view.grab()
    assert [r[1] for r in _texts(view._whole) if r[0].startswith("ICC")] == ["too few", "too few"]
