"""The list of steps: what it names, marks and greys, and that a click goes there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QListView
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.panels.history_panel import HistoryPanel
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.session import Session

SHAPE = (6, 5, 4)
NAMES = ("Brush, oedema", "Grow, oedema, 2 mm", "Fill, necrosis")


class Room:
    """A panel beside a session with a mask."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot = qtbot
        self.session = Session(folder)
        self.panel = HistoryPanel(self.session)
        qtbot.addWidget(self.panel)
        grid = Grid(SHAPE, np.eye(4))
        volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("/x/a.nii"), "00"), Sequence.FLAIR)
        self.session.open(Case("case", grid, {Sequence.FLAIR: volume}))
        self.own = self.session.own_rating()
        self.list = self.panel.findChild(QListView)
        self.panel.resize(280, 300)
        self.panel.show()
        qtbot.waitExposed(self.panel)

    def paint(self, i: int, name: str) -> None:
        with self.own.history.edit(name) as stroke:
            stroke.paint(Box((i, 0, 0), (i + 1, 1, 1)), np.ones((1, 1, 1), bool), i + 1)
        self.qtbot.wait(5)

    def texts(self) -> list[str]:
        model = self.list.model()
        return [model.index(row, 0).data().strip() for row in range(model.rowCount())]

    def data(self, row: int, role: Qt.ItemDataRole) -> object:
        return self.list.model().index(row, 0).data(role)

    def click(self, row: int) -> None:
        index = self.list.model().index(row, 0)
        self.list.scrollTo(index)
        place = self.list.visualRect(index).center()
        self.qtbot.mouseClick(self.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
        self.qtbot.wait(5)

    def voxels(self) -> list[int]:
        return self.own.label_map.array[:3, 0, 0].tolist()


def test_steps_are_listed_and_a_click_goes_there(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    assert room.list.isHidden()
    for i, name in enumerate(NAMES):
        room.paint(i, name)
    assert room.list.isVisible()
    assert room.texts() == ["Before the first step", *NAMES[:2], f"▸ {NAMES[2]}"]
    room.click(1)
    assert room.voxels() == [1, 0, 0]
    assert room.texts() == ["Before the first step", f"▸ {NAMES[0]}", *NAMES[1:]]
    grey = QPalette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    colours = [room.data(row, Qt.ItemDataRole.ForegroundRole) for row in range(4)]
    assert colours == [None, None, grey, grey]
    assert [room.data(row, Qt.ItemDataRole.FontRole).bold() for row in range(4)] == [
        False,
        True,
        False,
        False,
    ]
    assert room.data(3, Qt.ItemDataRole.AccessibleTextRole) == f"{NAMES[2]}, taken back"
    room.click(0)
    assert room.voxels() == [0, 0, 0]
    room.click(3)
    assert room.voxels() == [1, 2, 3]
    room.session.close()


def test_it_follows_undo_and_the_keyboard_jumps_only_on_enter(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    for i, name in enumerate(NAMES):
        room.paint(i, name)
    room.session.undo()
    qtbot.wait(5)
    assert room.texts()[2].startswith("▸")
    room.list.setFocus()
    qtbot.keyClick(room.list, Qt.Key.Key_Up)
    assert room.voxels() == [1, 2, 0]
    qtbot.keyClick(room.list, Qt.Key.Key_Return)
    assert room.voxels() == [1, 0, 0]
    room.session.close()


def test_a_click_while_a_stroke_is_open_changes_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    for i, name in enumerate(NAMES):
        room.paint(i, name)
    room.own.history.begin()
    room.click(0)
    assert room.voxels() == [1, 2, 3]
    room.own.history.cancel()
    assert room.texts()[3].startswith("▸")
    room.session.close()


def test_forgotten_steps_are_said(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    room.own.history.budget_bytes = 1
    for i, name in enumerate(NAMES):
        room.paint(i, name)
    assert room.texts() == ["Before these steps (2 older forgotten)", f"▸ {NAMES[2]}"]
    room.session.close()


def test_masks_of_others_have_no_steps_to_go_to(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    room.paint(0, NAMES[0])
    other = Rating(
        "Reference", RaterKind.REFERENCE, LabelMap(np.zeros(SHAPE, np.uint8)), scheme_named("brats2021")
    )
    room.session.add(other)
    room.session.show(other)
    qtbot.wait(5)
    assert room.list.isHidden()
    assert "read only" in room.panel._said.text()
    room.session.show(room.own)
    qtbot.wait(5)
    assert room.list.isVisible()
    room.session.close()
    qtbot.wait(5)
    assert room.panel._said.text() == "No steps yet."


def test_thousands_of_steps_are_no_thousand_widgets(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    for i in range(2000):
        with room.own.history.edit(f"Brush, {i}") as stroke:
            stroke.paint(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), bool), 1 + i % 2)
    qtbot.wait(5)
    assert room.list.model().rowCount() == 2001
    room.click(1000)
    assert room.own.history.depth == 1000
    assert room.list.currentIndex().row() == 1000
    room.session.close()
