"""The table of what the reader changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QTableWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.audit import START
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.panels.audit_panel import AuditPanel, _short, duration_text
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.audit import Audit
from brainseg_desktop.services.recovery import start_journal

SHAPE = (20, 20, 10)


class Room:
    """A panel that follows a mask; the clock moves by 5 s at each look."""

    def __init__(self, qtbot: QtBot, folder: Path, *, known: bool = True) -> None:
        self.qtbot = qtbot
        grid = Grid(SHAPE, np.diag([2.0, 1.0, 5.0, 1.0]), known)
        volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("/x/a.nii"), "00"), Sequence.FLAIR)
        self.case = Case("case", grid, {Sequence.FLAIR: volume})
        self.own = Rating(
            "Reader", RaterKind.HUMAN, LabelMap(np.zeros(SHAPE, np.uint8)), scheme_named("brats2021")
        )
        self.journal = start_journal(self.case, self.own, folder)
        times = iter(range(1000, 9000, 5))
        self.own.history.clock = lambda: next(times)
        self.audit = Audit(self.case, self.own, self.journal.tally)
        self.panel = AuditPanel()
        qtbot.addWidget(self.panel)
        self.table = self.panel.findChild(QTableWidget)
        self.panel.resize(300, 300)
        self.panel.show()
        qtbot.waitExposed(self.panel)

    def paint(self, box: Box, value: int, name: str) -> None:
        with self.own.history.edit(name) as stroke:
            stroke.paint(box, np.ones(box.shape, bool), value)
        self.panel.set_audit(self.audit)

    def rows(self) -> dict[str, list[str]]:
        table = self.table
        return {
            table.verticalHeaderItem(r).text(): [table.item(r, c).text() for c in range(table.columnCount())]
            for r in range(table.rowCount())
        }


def test_given_kept_added_removed_in_ml(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    room.paint(Box((0, 0, 0), (10, 10, 1)), 2, f"{START}AI (net)")
    room.paint(Box((0, 0, 0), (5, 2, 1)), 3, "Brush, enhancing")
    room.paint(Box((10, 0, 0), (15, 10, 1)), 2, "Fill, oedema")
    room.panel.refresh()
    # 0.01 mL a voxel: 100 of oedema given, 10 of them made enhancing, 50 added.
    assert room.rows()["Oedema"] == ["1.00", "0.90", "0.50", "0.10", f"{2 * 90 / 240:.2f}"]
    assert room.rows()["Enhancing"] == ["0.00", "0.00", "0.10", "0.00", "0.00"]
    assert room.rows()["Necrosis"] == ["0.00", "0.00", "0.00", "0.00", "\u2013"]
    assert room.rows()["WT"] == ["1.00", "1.00", "0.50", "0.00", "0.80"]
    assert "AI (net)" in room.panel._pair.text()
    assert room.panel._time.text().startswith("Time of work 20 s;")
    assert room.panel._tools.text().splitlines() == ["Brush: 1 step, 10 s", "Fill: 1 step, 10 s"]
    assert room.panel._tools.toolTip().splitlines() == [
        "Brush: 1 step, 10 voxels, 10 s",
        "Fill: 1 step, 50 voxels, 10 s",
    ]
    room.own.history.undo()
    room.panel.set_audit(room.audit)
    qtbot.waitUntil(lambda: room.rows()["Oedema"][2] == "0.00")
    assert "Fill: 0 steps, 1 taken back, 0 voxels, 15 s" in room.panel._tools.toolTip()
    room.journal.close(keep=False)


def test_voxels_where_no_spacing_is_known(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path, known=False)
    room.paint(Box((0, 0, 0), (20, 20, 5)), 2, f"{START}AI (net)")
    room.panel.refresh()
    assert room.rows()["Oedema"][:4] == ["2,000", "2,000", "0", "0"]
    assert room.table.item(1, 0).toolTip() == "Given: 2,000 voxels"
    assert "voxels" in room.panel._pair.text()
    room.journal.close(keep=False)


def test_masks_without_a_beginning(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    assert "own mask" in room.panel._pair.text()
    assert room.table.isHidden()
    room.paint(Box((0, 0, 0), (1, 1, 1)), 2, "Brush")
    assert room.table.isHidden()
    assert "not started from another" in room.panel._pair.text()
    qtbot.waitUntil(lambda: "Brush: 1 step, 1 voxel," in room.panel._tools.toolTip())
    room.panel.set_audit(None)
    assert room.panel._tools.isHidden()
    room.journal.close(keep=False)


def test_a_narrow_column_holds_every_volume(qtbot: QtBot, tmp_path: Path) -> None:
    room = Room(qtbot, tmp_path)
    for n, text in ((999, "9.99"), (1000, "10.0"), (4000, "40.0")):
        values = np.zeros(SHAPE, np.uint8)
        values.ravel()[:n] = 2
        with room.own.history.edit(f"{START}AI") as stroke:
            stroke.replace(Box((0, 0, 0), SHAPE), values)
        room.panel.set_audit(room.audit)
        room.panel.refresh()
        assert room.rows()["Oedema"][0] == text
    assert [_short(v) for v in (0.0, 9.994, 9.996, 99.94, 99.96, 1234.5)] == [
        *("0.00", "9.99", "10.0", "99.9", "100", "1234")
    ]
    room.journal.close(keep=False)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
