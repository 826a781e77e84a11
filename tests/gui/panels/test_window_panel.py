"""The window panel, by mouse and keys: what it asks of the state, and what it draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QColor, QShortcut, QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QMenu,
    QPushButton,
    QScrollArea,
    QWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.histogram import histogram_of, percentile_window
from brainseg_desktop.core.volume import Sequence, Source, Volume, default_window
from brainseg_desktop.gui.panels.histogram_view import Part
from brainseg_desktop.gui.panels.window_panel import WindowPanel
from brainseg_desktop.gui.panels.window_presets import PresetDialog
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.gui.views.colour_maps import COLOUR_MAPS, colour_table
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.case_display import WindowPreset

LEFT = Qt.MouseButton.LeftButton
FLAIR, T1, T2 = Sequence.FLAIR, Sequence.T1, Sequence.T2


def make_case(seed: int = 0) -> Case:
    """FLAIR around 1,000, T1 the same times three, T2 around 0 as a z-scored export, no T1CE."""
    grid = Grid((32, 32, 24), np.eye(4))
    inside = np.zeros(grid.shape, bool)
    inside[4:28, 4:28, 4:20] = True
    noise = np.random.default_rng(seed).normal(1000, 200, grid.shape).clip(200, 1900)
    flair = np.where(inside, noise, 0).astype(np.float32)
    t2 = np.where(inside, (noise - 1000) / 200, -9).astype(np.float32)
    arrays = {T1: flair * 3, T2: t2, FLAIR: flair}
    return Case("x", grid, {s: Volume(a, grid, Source(Path("x"), "1"), s) for s, a in arrays.items()})


@pytest.fixture
def state(qapp: QApplication) -> ViewState:
    state = ViewState()
    state.set_case(make_case())
    return state


@pytest.fixture
def panel(qtbot: QtBot, state: ViewState) -> Iterator[WindowPanel]:
    frame = QWidget()
    panel = WindowPanel(state)
    panel.setParent(frame)
    frame.resize(300, 260)
    panel.resize(300, 260)
    qtbot.addWidget(frame)
    frame.show()
    qtbot.waitExposed(frame)
    frame.activateWindow()
    qtbot.waitUntil(lambda: panel._counted(panel.sequence) is not None)
    yield panel
    frame.close()


def child(panel: QWidget, kind: type, name: str) -> QWidget:
    """The control with this accessible name or text."""
    found = [
        w for w in panel.findChildren(kind) if name in (w.accessibleName(), getattr(w, "text", str)() or "")
    ]
    assert len(found) == 1, name
    return found[0]


def at(panel: WindowPanel, value: float) -> QPoint:
    return QPoint(round(panel.view.x_of(value)), panel.view.height() // 3)


def choose(qtbot: QtBot, panel: WindowPanel, sequence: Sequence) -> None:
    """Show a sequence and wait until its bars are drawn."""
    panel.set_sequence(sequence)
    qtbot.waitUntil(lambda: panel._counted(sequence) is not None)


def drag(qtbot: QtBot, panel: WindowPanel, start: QPoint, stop: QPoint) -> None:
    qtbot.mousePress(panel.view, LEFT, pos=start)
    qtbot.mouseMove(panel.view, stop)
    qtbot.mouseRelease(panel.view, LEFT, pos=stop)


def pixel(panel: WindowPanel) -> float:
    """Grey values a pixel is wide: how exactly the mouse can aim."""
    return 1 / (panel.view.x_of(1.0) - panel.view.x_of(0.0))


def menu_entry(panel: WindowPanel, button: str, text: str) -> QAction:
    """The entry of a button's menu, which is opened for it."""
    menu = child(panel, QPushButton, button).menu()
    menu.aboutToShow.emit()
    return entry(menu, text)


def entry(menu: QMenu, text: str) -> QAction:
    return next(a for a in menu.actions() if a.text().startswith(text))


def test_it_starts_with_flair_and_the_window_of_the_state(panel: WindowPanel, state: ViewState) -> None:
    low, high = state.windows[FLAIR]
    assert panel.sequence is FLAIR
    assert child(panel, QDoubleSpinBox, "Window width").value() == pytest.approx(high - low, abs=0.5)
    assert child(panel, QDoubleSpinBox, "Window level").value() == pytest.approx((high + low) / 2, abs=0.5)
    chooser = child(panel, QComboBox, "Sequence whose window is set")
    assert [chooser.itemText(row) for row in range(chooser.count())] == ["T1", "T2", "FLAIR"]


@pytest.mark.parametrize("sequence", [FLAIR, T1, T2])
@pytest.mark.parametrize("part", [0, 1])
def test_a_limit_is_dragged(
    qtbot: QtBot, panel: WindowPanel, state: ViewState, sequence: Sequence, part: int
) -> None:
    choose(qtbot, panel, sequence)
    before, others = state.windows[sequence], {s: w for s, w in state.windows.items() if s is not sequence}
    middle = panel.histogram(sequence).value_at((40.0, 60.0)[part])
    drag(qtbot, panel, at(panel, before[part]), at(panel, middle))
    after = state.windows[sequence]
    assert after[part] == pytest.approx(middle, abs=2 * pixel(panel))
    assert after[1 - part] == before[1 - part]
    assert {s: w for s, w in state.windows.items() if s is not sequence} == others


def test_between_the_limits_the_level_is_dragged(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    low, high = state.windows[FLAIR]
    drag(qtbot, panel, at(panel, 1000), at(panel, 1200))
    after = state.windows[FLAIR]
    assert after[1] - after[0] == pytest.approx(high - low)
    assert after[0] - low == pytest.approx(200, abs=2 * pixel(panel))


def test_each_move_of_a_drag_is_told_at_once(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    seen = []
    state.windows_changed.connect(lambda: seen.append(state.windows[FLAIR][1]))
    qtbot.mousePress(panel.view, LEFT, pos=at(panel, state.windows[FLAIR][1]))
    for value in (1400, 1300, 1200):
        qtbot.mouseMove(panel.view, at(panel, value))
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)
    qtbot.mouseRelease(panel.view, LEFT, pos=at(panel, 1200))


def test_limits_do_not_cross(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    low, high = state.windows[FLAIR]
    drag(qtbot, panel, at(panel, low), at(panel, high) + QPoint(30, 0))
    after = state.windows[FLAIR]
    assert after[0] < after[1] == high
    # Though so narrow, the window can be taken at either side again.
    drag(qtbot, panel, at(panel, high) + QPoint(-3, 0), at(panel, 900))
    assert state.windows[FLAIR][0] == pytest.approx(900, abs=6 * pixel(panel))


def test_a_window_far_outside_can_be_brought_back(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    state.set_window(FLAIR, (-50_000, 90_000))
    assert 0 <= panel.view.x_of(200) < panel.view.x_of(1900) <= panel.view.width()
    right = QPoint(panel.view.width() - 1, 20)
    for _ in range(2):
        drag(qtbot, panel, right, right - QPoint(20, 0))
    assert state.windows[FLAIR][1] < 90_000
    qtbot.mouseClick(child(panel, QPushButton, "Auto"), LEFT)
    assert state.windows[FLAIR] == default_window(state.case.volumes[FLAIR].data)


def test_other_buttons_and_a_press_beside_the_window_do_nothing(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    state.set_window(FLAIR, (900, 1100))
    drag(qtbot, panel, at(panel, 1600), at(panel, 1700))
    qtbot.mousePress(panel.view, Qt.MouseButton.RightButton, pos=at(panel, 900))
    qtbot.mouseMove(panel.view, at(panel, 700))
    assert state.windows[FLAIR] == (900, 1100)


def test_the_keys_move_one_limit_after_the_other(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    state.set_window(FLAIR, (900, 1100))
    step = panel.histogram(FLAIR).body / 100
    panel.view.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(panel.view, Qt.Key.Key_Right)
    assert state.windows[FLAIR] == pytest.approx((900 + step, 1100))
    qtbot.keyClick(panel.view, Qt.Key.Key_Tab)
    assert panel.view.part is Part.LEVEL
    qtbot.keyClick(panel.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert state.windows[FLAIR] == pytest.approx((900 - 9 * step, 1100 - 10 * step))
    qtbot.keyClick(panel.view, Qt.Key.Key_Tab)
    qtbot.keyClick(panel.view, Qt.Key.Key_PageUp)
    assert state.windows[FLAIR] == pytest.approx((900 - 9 * step, 1100))
    assert "upper limit" in panel.view.accessibleDescription()
    qtbot.keyClick(panel.view, Qt.Key.Key_Tab)
    assert not panel.view.hasFocus()
    qtbot.keyClick(panel.window().focusWidget(), Qt.Key.Key_Backtab)
    assert panel.view.hasFocus()
    assert panel.view.part is Part.HIGH


def test_the_arrow_keys_of_the_program_are_not_lost_to_it(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    called = []
    shortcut = QShortcut(Qt.Key.Key_Up, panel.window())
    shortcut.activated.connect(lambda: called.append(1))
    state.set_window(FLAIR, (900, 1100))
    panel.view.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(panel.view, Qt.Key.Key_Up)
    assert called == []
    assert state.windows[FLAIR][0] > 900


def test_typed_numbers_change_only_what_was_typed(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    state.set_window(FLAIR, (900.123, 1100.456))
    width, level = (child(panel, QDoubleSpinBox, n) for n in ("Window width", "Window level"))
    level.selectAll()
    qtbot.keyClicks(level, "800")
    assert state.windows[FLAIR] == (900.123, 1100.456)  # half typed
    qtbot.keyClick(level, Qt.Key.Key_Return)
    low, high = state.windows[FLAIR]
    assert ((low + high) / 2, high - low) == pytest.approx((800, 200.333))
    width.selectAll()
    qtbot.keyClicks(width, "0")
    qtbot.keyClick(width, Qt.Key.Key_Return)
    low, high = state.windows[FLAIR]
    assert (low + high) / 2 == pytest.approx(800)
    assert high > low


def test_following_does_not_write_back(panel: WindowPanel, state: ViewState) -> None:
    exact = (900.123456, 1100.654321)
    state.set_window(FLAIR, exact)
    panel.set_sequence(T1)
    panel.set_sequence(FLAIR)
    assert state.windows[FLAIR] == exact


@pytest.mark.parametrize("sequence", [FLAIR, T2])
def test_presets_are_shares_of_the_histogram(
    panel: WindowPanel, state: ViewState, sequence: Sequence
) -> None:
    panel.set_sequence(sequence)
    menu_entry(panel, "Presets", "Bright lesions").trigger()
    expected = percentile_window(state.case.volumes[sequence].data, 25, 99.9)
    assert state.windows[sequence] == pytest.approx(expected)


def test_own_presets_are_saved_used_replaced_and_deleted(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    told: list[tuple[WindowPreset, ...]] = []
    panel.presets_changed.connect(told.append)
    histogram = panel.histogram(FLAIR)

    def save(
        window: tuple[float, float], name: str, *, value: bool, only: bool, button: str = "Save"
    ) -> None:
        state.set_window(FLAIR, window)
        menu_entry(panel, "Presets", "Save this window").trigger()
        dialog = panel.findChild(PresetDialog)
        qtbot.keyClicks(dialog.name, name)
        (dialog.value if value else dialog.percent).setChecked(True)
        dialog.only.setChecked(only)
        qtbot.mouseClick(child(dialog, QPushButton, button), LEFT)
        qtbot.waitUntil(lambda: panel.findChild(PresetDialog) is None)

    save((850, 1150), "Rim & core", value=False, only=False)
    save((700, 800), "Narrow", value=True, only=True)
    assert [p.name for p in told[-1]] == ["Rim & core", "Narrow"]
    state.set_window(FLAIR, (0, 1))
    menu_entry(panel, "Presets", "Rim && core").trigger()
    assert state.windows[FLAIR] == pytest.approx((850, 1150), rel=1e-6)
    menu_entry(panel, "Presets", "Narrow").trigger()
    assert state.windows[FLAIR] == (700, 800)
    # By percent it fits a sequence of another scale; one kept for FLAIR is not offered there.
    panel.set_sequence(T2)
    menu_entry(panel, "Presets", "Rim && core").trigger()
    t2 = panel.histogram(T2)
    expected = tuple(t2.value_at(histogram.percent_of(v)) for v in (850, 1150))
    assert state.windows[T2] == pytest.approx(expected)
    assert not any(a.text() == "Narrow" for a in child(panel, QPushButton, "Presets").menu().actions())
    panel.set_sequence(FLAIR)
    save((10, 20), "Narrow", value=True, only=True, button="Replace")
    assert [(p.name, p.low, p.high) for p in panel.presets if p.unit == "value"] == [("Narrow", 10, 20)]
    entry(menu_entry(panel, "Presets", "Delete").menu(), "Narrow").trigger()
    assert [p.name for p in told[-1]] == [p.name for p in panel.presets] == ["Rim & core"]


def test_remembered_presets_are_offered_without_being_told_again(
    panel: WindowPanel, state: ViewState
) -> None:
    panel.presets_changed.connect(pytest.fail)
    panel.set_presets([WindowPreset(name="Mine", low=5, high=6, unit="value", sequence="FLAIR")])
    menu_entry(panel, "Presets", "Mine").trigger()
    assert state.windows[FLAIR] == (5, 6)


def test_a_preset_needs_a_name_and_says_when_it_replaces(qtbot: QtBot) -> None:
    present = [WindowPreset(name="A", low=0, high=1, sequence="T1")]
    dialog = PresetDialog(T1, (1.0, 2.0), histogram_of(make_case().volumes[T1].data), present)
    qtbot.addWidget(dialog)
    save = child(dialog, QPushButton, "Save")
    assert not save.isEnabled()
    qtbot.keyClicks(dialog.name, " A ")
    assert save.isEnabled()
    assert save.text() == "Replace"
    dialog.only.setChecked(False)
    assert save.text() == "Save"
    assert dialog.preset.name == "A"


def test_copies_by_percentile_by_value_and_of_colours(panel: WindowPanel, state: ViewState) -> None:
    window = (850.0, 1150.0)
    state.set_window(FLAIR, window)
    menu_entry(panel, "Copy to all sequences", "Window to all, same percentiles").trigger()
    assert state.windows[FLAIR] == window
    assert state.windows[T1] == pytest.approx((3 * 850, 3 * 1150), rel=1e-4)
    assert state.windows[T2] == pytest.approx((-0.75, 0.75), abs=1e-3)
    menu_entry(panel, "Copy to all sequences", "Window to all, same values").trigger()
    assert set(state.windows.values()) == {window}
    state.set_colour_map(FLAIR, "magma")
    menu_entry(panel, "Copy to all sequences", "Colours").trigger()
    assert [state.colour_maps[s] for s in (T1, T2, FLAIR)] == ["magma"] * 3


def test_colours_are_chosen_for_one_sequence_and_drawn(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    colours = child(panel, QComboBox, "Colour map")
    assert [colours.itemText(row) for row in range(colours.count())] == list(COLOUR_MAPS.values())
    assert not any(colours.itemIcon(row).isNull() for row in range(colours.count()))
    colours.setFocus()
    for _ in range(3):
        qtbot.keyClick(colours, Qt.Key.Key_Down)
    assert state.colour_maps.get(FLAIR) == "magma"
    assert state.colour_maps.get(T1, "grey") == "grey"
    # The strip below the bars shows the colours in place.
    state.set_window(FLAIR, (600, 1400))
    picture = panel.view.grab().toImage()
    for value, step in ((500, 0), (1000, 127), (1600, 255)):
        seen = QColor(picture.pixel(round(panel.view.x_of(value)), int(panel.view._plot.bottom()) + 6))
        wanted = QColor(int(colour_table("magma")[step]))
        assert all(abs(a - b) < 9 for a, b in zip(seen.getRgb()[:3], wanted.getRgb()[:3], strict=True)), value
    panel.set_sequence(T1)
    assert colours.currentData() == "grey"


def test_bars_are_as_high_as_the_roots_of_the_counts(panel: WindowPanel) -> None:
    heights = panel.view._heights(200)
    assert heights.max() == 1
    first, last = panel.view._axis
    data = panel._state.case.volumes[FLAIR].data
    counts, _ = np.histogram(data[data != 0], 200, (first, last))
    expected = np.sqrt(counts / counts.max())
    assert np.corrcoef(heights, expected)[0, 1] > 0.98


def test_smoothing_is_switched_here_and_followed(qtbot: QtBot, panel: WindowPanel, state: ViewState) -> None:
    box = child(panel, QCheckBox, "Smooth images")
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert state.smooth
    state.set_smooth(False)
    assert not box.isChecked()


def test_the_sequence_follows_the_chooser_and_the_views(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    chooser = child(panel, QComboBox, "Sequence whose window is set")
    chooser.setFocus()
    qtbot.keyClick(chooser, Qt.Key.Key_Up)
    assert panel.sequence is T2
    panel.set_sequence(T1)
    assert chooser.currentText() == "T1"
    panel.set_sequence(Sequence.T1CE)  # which this case does not have
    assert panel.sequence is T1
    assert "T1" in panel.view.accessibleName()


def test_another_case_is_counted_anew_and_none_is_empty(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    before = panel.histogram(FLAIR)
    state.set_case(make_case(seed=1))
    qtbot.waitUntil(lambda: panel._counted(FLAIR) is not None)
    assert panel.histogram(FLAIR) is not before
    state.set_case(None)
    assert panel.sequence is None
    assert not panel.isEnabled()
    panel.grab()
    qtbot.mouseClick(panel.view, LEFT)
    qtbot.keyClick(panel.view, Qt.Key.Key_Right)
    state.set_case(make_case())
    assert panel.sequence is FLAIR


def test_the_wheel_scrolls_the_panel_and_changes_nothing(
    qtbot: QtBot, panel: WindowPanel, state: ViewState
) -> None:
    before = dict(state.windows)
    panel.view.setFocus()
    for control in (*panel.findChildren(QDoubleSpinBox), *panel.findChildren(QComboBox), panel.view):
        place = QPointF(control.rect().center())
        wheel = QWheelEvent(
            place,
            control.mapToGlobal(place),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(control, wheel)
        assert not wheel.isAccepted()
    assert state.windows == before
    assert panel.sequence is FLAIR


def test_every_control_says_its_name_and_what_it_does(panel: WindowPanel) -> None:
    for kind in (QPushButton, QComboBox, QDoubleSpinBox, QCheckBox):
        for control in panel.findChildren(kind):
            assert control.accessibleName() or control.text(), control
            assert control.toolTip(), control
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
    assert panel.view.toolTip()
    assert "arrow keys" in panel.view.accessibleDescription()


@pytest.mark.parametrize("theme", THEMES)
def test_it_fits_beside_the_pictures_in_large_type(
    qtbot: QtBot, qapp: QApplication, state: ViewState, theme: str
) -> None:
    font, sheet, palette = qapp.font(), qapp.styleSheet(), qapp.palette()
    large = qapp.font()
    large.setPointSizeF(font.pointSizeF() * 1.5)
    try:
        qapp.setFont(large)
        apply_theme(qapp, THEMES[theme])
        area = QScrollArea()
        qtbot.addWidget(area)
        panel = WindowPanel(state)
        area.setWidget(panel)
        area.setWidgetResizable(True)
        area.resize(310, 500)
        area.show()
        qtbot.waitExposed(area)
        assert panel.minimumSizeHint().width() <= 300
        for button in panel.findChildren(QPushButton):
            assert button.width() >= button.minimumSizeHint().width()
        area.close()
    finally:
        qapp.setFont(font)
        qapp.setStyleSheet(sheet)
        qapp.setPalette(palette)
