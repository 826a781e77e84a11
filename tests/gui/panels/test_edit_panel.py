"""The edit panel, by mouse and keys: what it asks of the whole-label tools and of the constraints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFont, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.constraints import Constraints, IntensityRange
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.panels.edit_panel import EditPanel
from brainseg_desktop.gui.theme import THEMES, apply_theme
from tests.gui.tasks.test_label_editing import MIDDLE, Room, make_case, ml

LEFT = Qt.MouseButton.LeftButton
NECROSIS, OEDEMA, ENHANCING = Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING


@pytest.fixture
def room(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Room]:
    room = Room(qtbot, tmp_path, make_case())
    yield room
    room.close()


@pytest.fixture
def panel(qtbot: QtBot, room: Room) -> Iterator[EditPanel]:
    panel = EditPanel(room.tools, room.state)
    frame = QScrollArea()
    frame.setWidget(panel)
    frame.setWidgetResizable(True)
    frame.resize(320, 560)
    qtbot.addWidget(frame)
    frame.show()
    qtbot.waitExposed(frame)
    frame.activateWindow()
    yield panel
    frame.close()


def child(panel: QWidget, kind: type, name: str) -> QWidget:
    """The control with this accessible name or text."""
    found = [
        w for w in panel.findChildren(kind) if name in (w.accessibleName(), getattr(w, "text", str)() or "")
    ]
    assert len(found) == 1, name
    return found[0]


def press(room: Room, panel: EditPanel, name: str) -> None:
    room.qtbot.mouseClick(child(panel, QPushButton, name), LEFT)
    room.wait()


def enter(qtbot: QtBot, panel: EditPanel, name: str, text: str) -> None:
    spin = child(panel, QDoubleSpinBox, name)
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, text)
    qtbot.keyClick(spin, Qt.Key.Key_Return)


def choose(panel: EditPanel, name: str, text: str) -> None:
    """Choose an entry as a click in the list does."""
    combo = child(panel, QComboBox, name)
    row = combo.findText(text)
    assert row >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(row)
    combo.activated.emit(row)


def check(room: Room, panel: EditPanel, name: str) -> None:
    box = child(panel, QCheckBox, name)
    room.qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))


def words(panel: EditPanel) -> str:
    return " | ".join(w.text() for w in panel.findChildren(QLabel) if w.isVisible() and w.text())


# Whole label --------------------------------------------------------------------------------------------


def test_every_button_makes_its_step(room: Room, panel: EditPanel) -> None:
    qtbot = room.qtbot
    enter(qtbot, panel, "Distance to grow", "2")
    enter(qtbot, panel, "Distance to shrink", "2")
    enter(qtbot, panel, "Strength of smoothing", "1.5")
    enter(qtbot, panel, "Smallest part to keep", "0.03")
    choose(panel, "Where holes are looked for", "in axial slices")
    choose(panel, "Label to swap with", "necrosis")
    choose(panel, "Label of the part", "necrosis")
    room.state.set_cursor(MIDDLE)
    before = room.labels.copy()
    expected = {
        "Grow": "Grow, oedema, 2 mm",
        "Shrink": "Shrink, oedema, 2 mm",
        "Smooth": "Smooth, oedema, 1.5 mm",
        "Drop islands": "Drop islands, oedema, under 0.03 mL",
        "Keep largest": "Keep largest, oedema",
        "Swap with": "Swap, oedema and necrosis",
        "Relabel part": "Relabel, enhancing to necrosis",
        "Take here": "Take from AI",
        "Clear label": "Clear, oedema",
    }
    for button, name in expected.items():
        press(room, panel, button)
        (step,) = room.steps
        assert step.partition(":")[0] == name
        assert step in words(panel)
        room.session.undo()
        assert np.array_equal(room.labels, before)
    press(room, panel, "Fill holes")
    assert room.said == ["Fill holes, oedema, axial slices: no voxel changes."]


def test_smoothing_by_the_button_changes_voxels_and_keeps_the_volume(room: Room, panel: EditPanel) -> None:
    before = room.labels.copy()
    press(room, panel, "Smooth")
    assert not np.array_equal(room.labels, before)
    assert ml(room.labels, OEDEMA) == pytest.approx(ml(before, OEDEMA), rel=0.02)


def test_nothing_can_be_pressed_where_there_is_nothing_to_edit(room: Room, panel: EditPanel) -> None:
    def enabled() -> list[str]:
        return [b.text() for b in panel._section.findChildren(QAbstractButton) if b.isEnabled()]

    assert len(enabled()) == 10
    room.session.show(room.ai)
    assert enabled() == []
    assert "AI is read only" in words(panel)
    room.session.show(room.own)
    assert len(enabled()) == 10
    room.state.set_constraints(Constraints(locked=frozenset({OEDEMA})))
    assert enabled() == []
    assert "Oedema is locked" in words(panel)
    room.state.set_tissue(ENHANCING)
    assert len(enabled()) == 10
    room.session.close()
    room.state.set_case(None)
    assert enabled() == []
    assert not panel.rules.isEnabled()


def test_it_says_what_is_worked_out_and_forgets_it_with_the_case(room: Room, panel: EditPanel) -> None:
    room.qtbot.mouseClick(child(panel, QPushButton, "Grow"), LEFT)
    assert "Grow, oedema, 1 mm ..." in words(panel)
    room.wait()
    # Choosing a label does not wipe it away.
    room.state.set_tissue(ENHANCING)
    assert room.steps[0] in words(panel)
    room.open(make_case())
    assert "Grow" not in words(panel)


def test_labels_and_masks_are_listed_anew(room: Room, panel: EditPanel) -> None:
    second = child(panel, QComboBox, "Label to swap with")
    texts = [second.itemText(i) for i in range(second.count())]
    assert texts == ["necrosis", "enhancing"]
    choose(panel, "Label to swap with", "enhancing")
    room.state.set_tissue(NECROSIS)
    assert second.currentText() == "enhancing"
    assert "Necrosis" in words(panel)
    source = child(panel, QComboBox, "Mask to take from")
    assert source.currentText() == "AI"
    room.open(make_case())
    assert room.session.case is not None
    room.session.case.ratings.pop()
    room.session.ratings_changed.emit(None)
    assert not child(panel, QPushButton, "Take here").isEnabled()


def test_units_follow_the_grid(room: Room, panel: EditPanel) -> None:
    island, border = (
        child(panel, QDoubleSpinBox, name) for name in ("Smallest part to keep", "Distance to grow")
    )
    assert island.text() == "0.10 mL"
    assert border.text() == "1.0 mm"
    border.setValue(0.2)
    # Less than a voxel would never move anything.
    assert border.value() == 1.0
    room.open(make_case(known=False))
    assert island.text() == "50 voxels"
    assert border.text() == "1.0 px"
    press(room, panel, "Drop islands")
    assert room.steps[0].startswith("Drop islands, oedema, under 50 voxels: ")


def test_the_wheel_goes_on_to_the_panel(room: Room, panel: EditPanel) -> None:
    for kind in (QDoubleSpinBox, QComboBox):
        for field in panel.findChildren(kind):
            event = QWheelEvent(
                QPointF(5, 5),
                QPointF(field.mapToGlobal(QPoint(5, 5))),
                QPoint(),
                QPoint(0, -120),
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            field.clearFocus()
            before = field.currentIndex() if kind is QComboBox else field.value()
            QApplication.sendEvent(field, event)
            assert (field.currentIndex() if kind is QComboBox else field.value()) == before


# Rules --------------------------------------------------------------------------------------------------


def test_keep_and_inside_are_written_and_followed(room: Room, panel: EditPanel) -> None:
    state = room.state
    check(room, panel, "Keep other labels")
    choose(panel, "Only inside", "enhancing")
    assert state.constraints == Constraints(keep_others=True, only_inside=ENHANCING)
    state.set_constraints(Constraints(only_inside=Tissue.BACKGROUND))
    assert not child(panel, QCheckBox, "Keep other labels").isChecked()
    assert child(panel, QComboBox, "Only inside").currentText() == "background"
    state.set_constraints(Constraints(only_inside=Tissue.CAVITY))
    assert child(panel, QComboBox, "Only inside").currentText() == "resection cavity"
    choose(panel, "Only inside", "anywhere")
    assert state.constraints == Constraints()


def test_the_range_starts_with_the_chosen_label(room: Room, panel: EditPanel) -> None:
    state = room.state
    assert state.case is not None
    image = state.case.aligned[Sequence.FLAIR].data
    low, high = np.percentile(image[room.labels == OEDEMA], (5, 95))
    assert not panel.rules._details.isVisible()
    check(room, panel, "Only intensities")
    rule = state.constraints.intensity
    assert rule is not None
    assert (rule.sequence, rule.inverse) == (Sequence.FLAIR, False)
    assert (rule.low, rule.high) == pytest.approx((low, high), rel=1e-5)
    assert panel.rules._details.isVisible()
    enter(room.qtbot, panel, "Lowest intensity", "95")
    # The other limit is not rounded to what its field shows.
    assert state.constraints.intensity == IntensityRange(Sequence.FLAIR, 95.0, rule.high)
    enter(room.qtbot, panel, "Lowest intensity", "200")
    assert state.constraints.intensity == IntensityRange(Sequence.FLAIR, 200.0, 200.0)
    check(room, panel, "Outside only")
    enter(room.qtbot, panel, "Highest intensity", "180")
    kept = IntensityRange(Sequence.FLAIR, 180.0, 180.0, inverse=True)
    assert state.constraints.intensity == kept
    # Off and on again: as it was left; measured anew on demand.
    panel.rules.toggle_intensity()
    assert state.constraints.intensity is None
    panel.rules.toggle_intensity()
    assert state.constraints.intensity == kept
    state.set_tissue(ENHANCING)
    press(room, panel, "From label")
    rule = state.constraints.intensity
    low, high = np.percentile(image[room.labels == ENHANCING], (5, 95))
    assert rule is not None
    assert (rule.low, rule.high, rule.inverse) == pytest.approx((low, high, True), rel=1e-5)


def test_without_voxels_the_range_is_the_window(room: Room, panel: EditPanel) -> None:
    room.state.set_tissue(NECROSIS)
    check(room, panel, "Only intensities")
    low, high = room.state.windows[Sequence.FLAIR]
    assert room.state.constraints.intensity == IntensityRange(Sequence.FLAIR, low, high)


def test_another_sequence_has_another_range_and_another_case_none(room: Room, panel: EditPanel) -> None:
    case = make_case()
    flair = case.volumes[Sequence.FLAIR]
    t2 = Volume(flair.data * 0.01, case.grid, Source(Path("t2.nii.gz"), "2"), Sequence.T2)
    room.open(type(case)("two", case.grid, {**case.volumes, Sequence.T2: t2}, case.ratings))
    check(room, panel, "Only intensities")
    first = room.state.constraints.intensity
    assert first is not None
    choose(panel, "Sequence of the range", "T2")
    second = room.state.constraints.intensity
    assert second is not None
    assert second.sequence is Sequence.T2
    assert (second.low, second.high) == pytest.approx((first.low * 0.01, first.high * 0.01), rel=1e-4)
    assert child(panel, QDoubleSpinBox, "Lowest intensity").decimals() == 2
    room.state.set_keep_others(True)
    room.open(make_case())
    # Grey values of one exam mean nothing in the next; the other rules stay, and are seen to be on.
    assert room.state.constraints == Constraints(keep_others=True)
    assert not child(panel, QCheckBox, "Only intensities").isChecked()
    check(room, panel, "Only intensities")
    rule = room.state.constraints.intensity
    assert rule is not None
    assert rule.low == pytest.approx(first.low)


# Looks --------------------------------------------------------------------------------------------------


@pytest.fixture
def large_font(qapp: QApplication) -> Iterator[None]:
    before = QFont(qapp.font())
    larger = QFont(before)
    larger.setPointSizeF(before.pointSizeF() * 1.5)
    qapp.setFont(larger)
    yield
    qapp.setFont(before)


@pytest.mark.parametrize("theme", list(THEMES))
def test_it_fits_a_narrow_dock(
    qtbot: QtBot, qapp: QApplication, large_font: None, room: Room, theme: str
) -> None:
    before = qapp.styleSheet()
    apply_theme(qapp, THEMES[theme])
    panel = EditPanel(room.tools, room.state)
    qtbot.addWidget(panel)
    room.state.set_constraints(Constraints(intensity=IntensityRange(Sequence.FLAIR, 12.0, 3400.0)))
    try:
        assert panel.minimumSizeHint().width() <= 290  # a dock of 310 less its margins
        panel.resize(290, panel.sizeHint().height())
        panel.show()
        qtbot.waitExposed(panel)
        for button in panel.findChildren(QPushButton):
            assert button.width() >= button.minimumSizeHint().width(), button.text()
        for button in panel.findChildren(QCheckBox):
            assert button.width() >= button.sizeHint().width(), button.text()
    finally:
        panel.close()
        qapp.setStyleSheet(before)


def test_everything_has_a_name_and_a_tip(room: Room, panel: EditPanel) -> None:
    for kind in (QAbstractButton, QComboBox, QDoubleSpinBox):
        for control in panel.findChildren(kind):
            if isinstance(control.parentWidget(), QComboBox | QDoubleSpinBox):
                continue
            assert control.toolTip(), control
            assert control.accessibleName() or control.text()
