"""The chart in the window, by real mouse and key events: what is pointed at, chosen, said and saved."""

from __future__ import annotations

import errno
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QFontMetricsF, QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QToolTip
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.studies.chart_painting import chart_font, chart_png
from brainseg_desktop.gui.studies.chart_view import ChartView
from brainseg_desktop.gui.theme import DARK, LIGHT, apply_theme
from brainseg_desktop.services.charts.chart import PAPER, Chart, Circle, Rect, Spot
from brainseg_desktop.services.charts.letters import text_width
from brainseg_desktop.services.charts.study_charts import box_and_swarm, heat_map
from brainseg_desktop.services.messages import words
from tests.studies_example import READERS, example_report

MATRIX = heat_map(example_report(), "WT", "dice")
DOTS = box_and_swarm(example_report(), "WT", "dice")


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> ChartView:
    apply_theme(qapp, LIGHT)
    view = ChartView()
    qtbot.addWidget(view)
    view.resize(700, 620)
    view.show()
    qtbot.waitExposed(view)
    view.set_chart(MATRIX)
    return view


def colour_at(view: ChartView, point: QPoint) -> QColor:
    return view.grab().toImage().pixelColor(point)


def test_a_click_on_a_cell_tells_its_pair(view: ChartView, qtbot: QtBot) -> None:
    for spot in MATRIX.spots[::5]:
        with qtbot.waitSignal(view.spot_clicked) as told:
            qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.point_of(spot))
        assert told.args == [spot]
        assert view.current == spot


@pytest.mark.parametrize("size", [(300, 200), (520, 900), (1500, 700)])
def test_dots_are_found_at_any_size(view: ChartView, qtbot: QtBot, size: tuple[int, int]) -> None:
    view.set_chart(DOTS)
    view.resize(*size)
    found: list[Spot] = []
    view.spot_clicked.connect(found.append)
    for spot in DOTS.spots[::7]:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.point_of(spot))
    # On a small picture neighbours share a pixel; case and pair are then still those of a dot there.
    assert len(found) == len(DOTS.spots[::7])
    for spot, wanted in zip(found, DOTS.spots[::7], strict=True):
        assert abs(view.point_of(spot).x() - view.point_of(wanted).x()) <= 3
    if size[0] > 1000:
        assert found == list(DOTS.spots[::7])


def test_a_press_that_moves_away_chooses_nothing(view: ChartView, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(view.spot_clicked):
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=view.point_of(MATRIX.spots[0]))
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
        qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=view.point_of(MATRIX.spots[0]))


def test_what_is_under_the_mouse_has_a_frame_and_a_tip(view: ChartView, qtbot: QtBot) -> None:
    spot = MATRIX.spots[3]
    before = view.grab().toImage()
    qtbot.mouseMove(view, view.point_of(spot))
    assert view.cursor().shape() == Qt.CursorShape.PointingHandCursor
    assert view.grab().toImage() != before
    point = view.point_of(spot)
    QApplication.sendEvent(view, QHelpEvent(QEvent.Type.ToolTip, point, view.mapToGlobal(point)))
    assert QToolTip.text() == spot.tip
    assert READERS[0] in spot.tip
    qtbot.mouseMove(view, QPoint(3, 3))
    assert view.cursor().shape() == Qt.CursorShape.ArrowCursor
    QApplication.sendEvent(
        view, QHelpEvent(QEvent.Type.ToolTip, QPoint(3, 3), view.mapToGlobal(QPoint(3, 3)))
    )
    QToolTip.hideText()
    assert view.grab().toImage() == before


def test_keys_go_through_the_matrix_and_choose(view: ChartView, qtbot: QtBot) -> None:
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert view.current is None
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.current == MATRIX.spots[0]
    first = view.current
    qtbot.keyClick(view, Qt.Key.Key_Right)
    second = view.current
    assert second is not None
    assert (second.y, second.x > first.x) == (first.y, True)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert view.current == MATRIX.spots[-1]
    assert MATRIX.spots[-1].tip in view.accessibleDescription()
    assert MATRIX.note in view.accessibleDescription()
    with qtbot.waitSignal(view.spot_clicked) as told:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert told.args == [MATRIX.spots[-1]]
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.current == MATRIX.spots[0]
    QToolTip.hideText()


@pytest.mark.parametrize("chart", [MATRIX, DOTS], ids=["matrix", "dots"])
def test_every_spot_can_be_reached_by_keys(view: ChartView, chart: Chart) -> None:
    view.set_chart(chart)
    reached, new = {chart.spots[0]}, [chart.spots[0]]
    while new:
        here = new.pop()
        for across, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            view._choose(here)
            there = view._next(across, down)
            if there not in reached:
                reached.add(there)
                new.append(there)
    assert reached == set(chart.spots)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_it_is_drawn_in_the_theme_of_the_window(view: ChartView, qapp: QApplication, theme: object) -> None:
    apply_theme(qapp, theme)  # type: ignore[arg-type]
    ground = colour_at(view, QPoint(3, 3))
    assert ground.name() == view.theme.colour("paper")
    assert (ground.lightness() < 128) == (theme is DARK)
    # Colours that stand for numbers are the same in both.
    spot = MATRIX.spots[0]
    fill = next(s.fill for s in MATRIX.shapes if isinstance(s, Rect) and (s.x, s.y) == (spot.x, spot.y))
    corner = view.point_of(Spot(spot.x + 2, spot.y + 2, 2, 2, ""))
    assert colour_at(view, corner).name() == PAPER.colour(fill)
    apply_theme(qapp, LIGHT)


def test_without_a_chart_it_says_why(view: ChartView, qtbot: QtBot) -> None:
    view.set_chart(None, "No case has been read by two readers.")
    assert view.accessibleDescription() == "No case has been read by two readers."
    image = view.grab().toImage()
    assert any(image.pixelColor(x, 310) != image.pixelColor(0, 0) for x in range(100, 600))
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Right)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(350, 310))
    assert view.current is None
    assert view.chart is None


def test_letters_are_as_wide_as_they_were_laid_out(qapp: QApplication) -> None:
    for text in ("Ольга Константиновна", "Łukasz and Müller", "0.123 [1.2, 3.4] mL"):
        for bold in (False, True):
            width = QFontMetricsF(chart_font(9, bold)).horizontalAdvance(text) / 16
            assert width == pytest.approx(text_width(text, 9, bold), rel=0.01)


def test_a_picture_is_saved_on_paper_whatever_the_theme(
    view: ChartView, qapp: QApplication, tmp_path: Path
) -> None:
    apply_theme(qapp, DARK)
    view.save(tmp_path / "chart.png")
    view.save(tmp_path / "chart.SVG")
    image = QImage(str(tmp_path / "chart.png"))
    assert (image.width(), image.height()) == (round(MATRIX.width * 3), round(MATRIX.height * 3))
    assert image.pixelColor(2, 2).name() == "#ffffff"
    assert ElementTree.parse(tmp_path / "chart.SVG").getroot().tag.endswith("svg")
    apply_theme(qapp, LIGHT)
    dots = QImage.fromData(chart_png(DOTS))
    for shape in DOTS.shapes:
        if isinstance(shape, Circle):
            assert dots.pixelColor(round(shape.x * 3), round(shape.y * 3)).name() == PAPER.colour(shape.fill)


def test_a_picture_that_cannot_be_saved_leaves_the_old_one(
    view: ChartView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chart.png"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="chart_format") as caught:
        view.save(tmp_path / "chart.jpg")
    assert ".png or .svg" in words(caught.value)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="disk_full"):
        view.save(path)
    assert path.read_bytes() == b"old"


def test_the_menu_asks_for_a_file_and_tells_what_became_of_it(
    view: ChartView, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [str(tmp_path / "chart.svg"), "", str(tmp_path / "chart.gif")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (answers.pop(0), ""))

    def choose() -> None:
        point = QPoint(50, 50)
        reason = QContextMenuEvent.Reason.Mouse
        QApplication.sendEvent(view, QContextMenuEvent(reason, point, view.mapToGlobal(point)))
        menu = view.findChildren(QMenu)[-1]
        qtbot.keyClick(menu, Qt.Key.Key_Down)
        qtbot.keyClick(menu, Qt.Key.Key_Return)

    with qtbot.waitSignal(view.saved) as saved:
        choose()
    assert saved.args == [tmp_path / "chart.svg"]
    assert (tmp_path / "chart.svg").is_file()
    choose()
    with qtbot.waitSignal(view.failed) as failed:
        choose()
    assert failed.args[0].code == "chart_format"
