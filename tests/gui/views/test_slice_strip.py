"""The strip beside a view: what it shows and where it goes."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QHelpEvent, QImage, QKeyEvent, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.slice_strip import SliceStrip
from tests.gui.tasks.test_navigating import SHAPE, Room, doubt, room, two_labels

__all__ = ["room"]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tooltips that were shown; Qt's offscreen platform cannot raise a tooltip and would warn."""
    texts: list[str] = []
    monkeypatch.setattr(
        "brainseg_desktop.gui.views.slice_strip.QToolTip.showText",
        lambda where, text, widget: texts.append(text),
    )
    return texts


def show(qtbot: QtBot, strip: SliceStrip, height: int = 290) -> SliceStrip:
    qtbot.addWidget(strip)
    strip.resize(strip.sizeHint().width(), height)
    strip.show()
    qtbot.waitExposed(strip)
    return strip


@pytest.fixture
def strip(qtbot: QtBot, room: Room) -> SliceStrip:
    """Beside a case with a mask; far from what the tests look at stands the mark."""
    room.open()
    room.add(two_labels())
    room.navigator._counted()
    room.state.set_cursor((30, 25, 39))
    return show(qtbot, SliceStrip(room.state, room.navigator))


def colours_at(strip: SliceStrip, index: int) -> set[tuple[int, int, int]]:
    """All colours in the row of pixels in the middle of a slice."""
    image: QImage = strip.grab().toImage()
    y = round(strip.height_of(index) - 0.5)
    return {QColor(image.pixel(x, y)).getRgb()[:3] for x in range(image.width())}


def labels_at(strip: SliceStrip, index: int) -> set[Tissue]:
    seen = colours_at(strip, index)
    return {t for t in (Tissue.NECROSIS, Tissue.OEDEMA) if TISSUE_COLOURS[t] in seen}


def test_it_shows_each_label_where_it_lies(strip: SliceStrip) -> None:
    labels = two_labels()
    for index in range(SHAPE[2] - 2):
        present = {Tissue(int(t)) for t in np.unique(labels[:, :, index])} - {Tissue.BACKGROUND}
        assert labels_at(strip, index) == present, index
    strip.set_plane(Plane.SAGITTAL)
    for index in range(0, SHAPE[0], 3):
        if abs(index - 30) > 2:
            present = {Tissue(int(t)) for t in np.unique(labels[index])} - {Tissue.BACKGROUND}
            assert labels_at(strip, index) == present, index


def test_a_label_in_one_slice_shows_even_in_a_low_strip(strip: SliceStrip) -> None:
    strip.resize(strip.width(), 45)
    image = strip.grab().toImage()
    rows = [
        y
        for y in range(image.height())
        if TISSUE_COLOURS[Tissue.OEDEMA]
        in {QColor(image.pixel(x, y)).getRgb()[:3] for x in range(image.width())}
    ]
    assert any(abs(y + 0.5 - strip.height_of(30)) <= 1 for y in rows)


def test_hidden_labels_are_left_out_and_colours_followed(room: Room, strip: SliceStrip) -> None:
    room.state.set_hidden(Tissue.OEDEMA, True)
    assert labels_at(strip, 13) == {Tissue.NECROSIS}
    assert strip.text_of(13) == "Slice 14 of 40; necrosis"
    room.state.set_hidden(Tissue.OEDEMA, False)
    room.state.set_colours({**TISSUE_COLOURS, Tissue.NECROSIS: (1, 2, 250)})
    assert (1, 2, 250) in colours_at(strip, 13)
    assert TISSUE_COLOURS[Tissue.NECROSIS] not in colours_at(strip, 13)


def test_it_follows_the_brush(qtbot: QtBot, room: Room, strip: SliceStrip) -> None:
    own = room.session.own_rating()
    room.session.show(own)
    assert labels_at(strip, 13) == set()
    with qtbot.waitSignal(room.navigator.profiles_changed), own.history.edit("Brush") as stroke:
        stroke.paint(Box((1, 1, 13), (3, 3, 14)), np.ones((2, 2, 1), bool), Tissue.OEDEMA)
    assert labels_at(strip, 13) == {Tissue.OEDEMA}
    assert labels_at(strip, 12) == set()


def test_doubt_is_brightest_where_there_is_most(qtbot: QtBot, room: Room, strip: SliceStrip) -> None:
    room.add(two_labels(), doubt())
    qtbot.waitUntil(lambda: not room.navigator.is_looking)

    def brightness(index: int) -> int:
        pixel = QColor(strip.grab().toImage().pixel(strip.width() - 7, round(strip.height_of(index) - 0.5)))
        return pixel.red() + pixel.green() + pixel.blue()

    # Both places in slice 13, one in 18 and in 11, none in 25.
    assert brightness(13) > brightness(18) > brightness(11) > brightness(25)
    assert strip.text_of(13) == "Slice 14 of 40; necrosis, oedema; doubtful regions 1, 2"
    assert strip.text_of(18).endswith("; oedema; doubtful region 1")


@pytest.mark.parametrize("plane", list(Plane))
def test_click_and_drag_go_to_the_slice(
    qtbot: QtBot, room: Room, strip: SliceStrip, told: list[str], plane: Plane
) -> None:
    strip.set_plane(plane)
    last = SHAPE[plane.axis] - 1
    for index in (0, 7, last):
        point = QPoint(10, int(strip.height_of(index)))
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=point)
        assert room.state.cursor[plane.axis] == index
        assert strip.value() == index
    # The top is the highest slice: superior, anterior, right.
    assert strip.height_of(last) < strip.height_of(0)
    qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(10, int(strip.height_of(5))))
    qtbot.mouseMove(strip, QPoint(10, int(strip.height_of(21))))
    assert room.state.cursor[plane.axis] == 21
    assert told == [strip.text_of(21)]
    qtbot.mouseMove(strip, QPoint(10, -500))
    assert room.state.cursor[plane.axis] == last
    qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(10, -500))
    qtbot.mouseMove(strip, QPoint(10, int(strip.height_of(5))))
    assert room.state.cursor[plane.axis] == last
    qtbot.mouseClick(strip, Qt.MouseButton.RightButton, pos=QPoint(10, 100))
    assert room.state.cursor[plane.axis] == last


def test_every_height_belongs_to_the_slice_drawn_there(strip: SliceStrip) -> None:
    for height in (60, 290, 1001):
        strip.resize(strip.width(), height)
        assert [strip.index_at(strip.height_of(i)) for i in range(SHAPE[2])] == list(range(SHAPE[2]))


def test_wheel_and_keys(qtbot: QtBot, room: Room, strip: SliceStrip) -> None:
    def wheel(angle: int) -> None:
        where = QPointF(10, 50)
        event = QWheelEvent(
            where,
            strip.mapToGlobal(where),
            QPoint(),
            QPoint(0, angle),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(strip, event)

    room.state.set_cursor((30, 25, 20))
    wheel(120)
    assert room.state.cursor == (30, 25, 21)
    wheel(-60)
    wheel(-60)
    wheel(-240)
    assert room.state.cursor[2] == 18
    strip.setFocus(Qt.FocusReason.TabFocusReason)
    for key, index in (
        (Qt.Key.Key_Up, 19),
        (Qt.Key.Key_Down, 18),
        (Qt.Key.Key_PageUp, 28),
        (Qt.Key.Key_PageDown, 18),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, 39),
    ):
        # The window has shortcuts on these keys.
        override = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        override.ignore()
        QApplication.sendEvent(strip, override)
        assert override.isAccepted()
        qtbot.keyClick(strip, key)
        assert room.state.cursor == (30, 25, index)
    assert strip.focusPolicy() is Qt.FocusPolicy.TabFocus


class CountingStrip(SliceStrip):
    """Remembers how high each repainted part was."""

    painted: tuple[int, ...] = ()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painted += (event.region().boundingRect().height(),)
        super().paintEvent(event)


def test_it_follows_the_cursor_and_repaints_only_the_mark(qtbot: QtBot, room: Room) -> None:
    room.open()
    room.state.set_cursor((30, 25, 20))
    room.navigator._counted()
    strip = CountingStrip(room.state, room.navigator)
    show(qtbot, strip)
    qtbot.waitUntil(lambda: bool(strip.painted))
    strip.painted = ()
    pixmap = strip._pixmap
    room.state.step(Plane.AXIAL, 1)
    qtbot.waitUntil(lambda: bool(strip.painted))
    assert strip.value() == 21
    assert max(strip.painted) < 25
    assert strip._pixmap is pixmap
    assert (255, 255, 255) in colours_at(strip, 21)
    assert (255, 255, 255) not in colours_at(strip, 18)


def test_the_tooltip_tells_what_lies_under_the_mouse(strip: SliceStrip, told: list[str]) -> None:
    for index in (13, 30):
        point = QPoint(10, int(strip.height_of(index)))
        QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, point, strip.mapToGlobal(point)))
    assert told[0].startswith("Slice 14 of 40; necrosis, oedema\nClick or drag")
    assert told[1].startswith("Slice 31 of 40; oedema\n")


def test_a_view_of_its_own_goes_its_own_way(qtbot: QtBot, room: Room) -> None:
    room.open()
    place, went = [12], []
    strip = show(qtbot, SliceStrip(room.state, room.navigator, lambda: place[0], went.append))
    strip.follow()
    assert strip.value() == 12
    before = room.state.cursor
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(10, int(strip.height_of(33))))
    assert went == [33]
    assert room.state.cursor == before


def test_screen_readers_get_a_slider(room: Room, strip: SliceStrip) -> None:
    room.state.set_cursor((30, 25, 13))
    interface = QAccessible.queryAccessibleInterface(strip)
    assert interface.role() == QAccessible.Role.Slider
    assert interface.text(QAccessible.Text.Name) == "Axial slice"
    values = interface.valueInterface()
    assert (values.minimumValue(), values.currentValue(), values.maximumValue()) == (0, 13, 39)
    assert "Page up" in strip.toolTip()


def test_it_is_wider_for_large_type(qtbot: QtBot, room: Room) -> None:
    small = SliceStrip(room.state, room.navigator)
    large = SliceStrip(room.state, room.navigator)
    for one in (small, large):
        qtbot.addWidget(one)
    font = large.font()
    font.setPointSizeF(24)
    large.setFont(font)
    assert small.sizeHint().width() == 26
    assert large.sizeHint().width() > 30
