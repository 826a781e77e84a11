"""Proposed slices: made in the background, shown, accepted as one step, dropped when out of date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPixmap
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.interpolation import interpolate
from brainseg_desktop.core.labels import Label, LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.gui.bridge import Bridge
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.tools import interpolating
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.interpolating import Interpolating
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.views.plane import Orientation, Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs

DRAWN = (5, 11, 18)


def make_case(*, known: bool = True) -> Case:
    """Discs of oedema on three axial slices, necrosis beside them on all."""
    grid = Grid((60, 50, 30), np.diag([1.0, 1.2, 2.5, 1.0]), known)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    i, j = np.indices(grid.shape[:2])
    for index, radius in zip(DRAWN, (8, 12, 5), strict=True):
        labels[:, :, index][(i - 30) ** 2 + (j - 25) ** 2 <= radius**2] = Tissue.OEDEMA
    labels[32:36, 25:28][labels[32:36, 25:28] == 0] = Tissue.NECROSIS
    volume = Volume(np.full(grid.shape, 100, np.float32), grid, Source(Path("x"), ""), Sequence.FLAIR)
    scheme = LabelScheme("x", "x", (Label(1, Tissue.NECROSIS), Label(2, Tissue.OEDEMA)))
    rating = Rating("Reader", RaterKind.HUMAN, LabelMap(labels), scheme)
    return Case("x", grid, {Sequence.FLAIR: volume}, [rating])


class Room:
    """A view of one case and the interpolation."""

    def __init__(self, qtbot: QtBot, jobs: Jobs, case: Case) -> None:
        self.qtbot, self.jobs = qtbot, jobs
        self.state, self.said = ViewState(), []  # type: ignore[var-annotated]
        self.is_editable = True
        self.editing = Editing(self.state, self._editable, self.said.append)
        self.interpolating = Interpolating(self.state, self.editing, jobs, self.said.append)
        measuring = Measuring(self.state, self.said.append)
        self.view = SliceView(self.state, Toolbox(self.state, {}), measuring, Sequence.FLAIR, Plane.AXIAL)
        qtbot.addWidget(self.view)
        self.view.resize(430, 390)
        self.view.show()
        self.open(case)
        self.state.set_tissue(Tissue.OEDEMA)

    def open(self, case: Case) -> None:
        self.case, self.rating = case, case.ratings[0]
        self.state.set_case(case)
        self.state.set_rating(self.rating)
        self.rating.history.changed.connect(self.state.touch)

    def _editable(self) -> Rating | None:
        if not self.is_editable:
            self.said.append("read only")
            return None
        return self.state.rating

    @property
    def labels(self) -> np.ndarray:
        return self.rating.label_map.array

    def preview(self, tissue: Tissue | None = None) -> None:
        self.interpolating.preview(tissue)
        self.qtbot.waitUntil(lambda: self.jobs.is_idle and not self.interpolating.is_working)

    def picture(self) -> QPixmap:
        """What is drawn over the view, on black."""
        picture = QPixmap(self.view.size())
        picture.fill(Qt.GlobalColor.black)
        painter, projection = QPainter(picture), self.view.projection
        assert projection is not None
        self.interpolating.draw(painter, self.view, projection)
        painter.end()
        return picture

    def drawn_on(self, index: int) -> bool:
        self.state.step(Plane.AXIAL, index - self.view.index)
        image = self.picture().toImage()
        return any(
            image.pixelColor(x, y) != QColor(0, 0, 0)
            for x in range(0, image.width(), 2)
            for y in range(0, image.height(), 2)
        )


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    made = Jobs(Bridge().post)
    yield made
    made.close()


@pytest.fixture
def room(qtbot: QtBot, jobs: Jobs) -> Room:
    return Room(qtbot, jobs, make_case())


def test_preview_and_accept(room: Room) -> None:
    before = room.labels.copy()
    room.preview()
    proposal = room.interpolating.proposal
    assert proposal is not None
    assert np.array_equal(room.labels, before)
    expected = interpolate(before, Tissue.OEDEMA, room.case.grid)
    assert expected is not None
    ml = np.count_nonzero(expected.mask) * 3.0 / 1000
    assert room.said == [f"Oedema: 11 slices axial proposed, {ml:.1f} mL. Accept or drop them."]
    assert room.interpolating.accept()
    after = before.copy()
    after[expected.box.slices][expected.mask] = Tissue.OEDEMA
    assert np.array_equal(room.labels, after)
    assert room.rating.history.undo_names == ("Interpolate, oedema, 11 slices axial",)
    assert room.interpolating.proposal is None
    # Its own change is not taken for that of somebody else.
    assert len(room.said) == 1
    room.rating.history.undo()
    assert np.array_equal(room.labels, before)
    assert not room.interpolating.accept()


def test_drop(room: Room) -> None:
    before = room.labels.copy()
    room.preview()
    room.interpolating.drop()
    assert room.interpolating.proposal is None
    assert not room.drawn_on(8)
    assert np.array_equal(room.labels, before)
    assert room.rating.history.undo_names == ()


def test_the_rules_hold(room: Room) -> None:
    room.state.set_constraints(Constraints(keep_others=True))
    before = room.labels.copy()
    room.preview()
    assert room.interpolating.accept()
    changed = room.labels != before
    assert changed.any()
    assert (before[changed] == Tissue.BACKGROUND).all()
    assert (room.labels[before == Tissue.NECROSIS] == Tissue.NECROSIS).all()


def test_another_label_becomes_the_chosen_one_so_that_the_rules_are_about_it(room: Room) -> None:
    room.state.set_tissue(Tissue.NECROSIS)
    room.state.set_constraints(Constraints(keep_others=True))
    before = room.labels.copy()
    room.preview(Tissue.OEDEMA)
    assert room.state.tissue is Tissue.OEDEMA
    room.state.set_tissue(Tissue.NECROSIS)
    assert room.interpolating.accept()
    assert room.state.tissue is Tissue.OEDEMA
    assert (room.labels[before == Tissue.NECROSIS] == Tissue.NECROSIS).all()


def test_locked_and_read_only_are_said_before_the_work(room: Room) -> None:
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.OEDEMA})))
    room.interpolating.preview()
    assert "locked" in room.said[-1]
    room.state.set_constraints(Constraints())
    room.is_editable = False
    room.interpolating.preview()
    assert room.said[-1] == "read only"
    assert not room.interpolating.is_working
    assert not room.rating.history.is_editing


def test_locked_after_the_preview(room: Room) -> None:
    before = room.labels.copy()
    room.preview()
    room.state.set_constraints(Constraints(locked=frozenset({Tissue.OEDEMA})))
    assert not room.interpolating.accept()
    assert "locked" in room.said[-1]
    assert np.array_equal(room.labels, before)


def test_nothing_to_interpolate_is_said(room: Room) -> None:
    room.preview(Tissue.ENHANCING)
    assert room.interpolating.proposal is None
    assert room.said[-1].startswith("Enhancing: nothing to interpolate.")


def test_a_change_of_the_mask_drops_it(room: Room) -> None:
    room.preview()
    assert room.editing.begin()
    room.editing.paint(Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), bool))
    room.editing.commit("Brush")
    assert room.interpolating.proposal is None
    assert room.said[-1] == "The mask has changed, so the proposed slices were dropped."
    # While it is being made too.
    room.interpolating.preview()
    room.rating.history.undo()
    room.qtbot.waitUntil(lambda: room.jobs.is_idle)
    assert room.interpolating.proposal is None
    assert not room.interpolating.is_working
    assert room.said[-1] == "The mask has changed, so the proposed slices were dropped."


@pytest.mark.parametrize("early", [True, False])
def test_another_case_or_mask_drops_it(room: Room, early: bool) -> None:
    for change in (
        lambda: room.open(make_case()),
        lambda: room.state.set_rating(make_case().ratings[0]),
        lambda: room.state.set_case(None),
    ):
        room.interpolating.preview()
        assert room.interpolating.is_working
        if not early:
            room.qtbot.waitUntil(lambda: room.interpolating.proposal is not None)
        change()
        room.qtbot.waitUntil(lambda: room.jobs.is_idle)
        assert room.interpolating.proposal is None
        assert not room.interpolating.is_working
    room.interpolating.preview()
    assert not room.interpolating.is_working


def test_only_the_last_of_two_counts(room: Room) -> None:
    room.interpolating.preview(Tissue.NECROSIS)
    room.preview(Tissue.OEDEMA)
    assert len(room.said) == 1
    assert room.interpolating.proposal is not None
    assert room.interpolating.proposal.tissue is Tissue.OEDEMA


def test_a_failure_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(interpolating, "interpolate", broken)
    room.preview()
    assert room.said == ["The slices could not be interpolated; the mask is as it was."]


def test_without_a_voxel_size_there_are_no_millilitres(qtbot: QtBot, jobs: Jobs) -> None:
    room = Room(qtbot, jobs, make_case(known=False))
    room.preview()
    assert room.said == ["Oedema: 11 slices axial proposed. Accept or drop them."]


def test_it_is_drawn_on_the_slices_between(room: Room) -> None:
    room.preview()
    assert [room.drawn_on(k) for k in (4, 5, 6, 10, 11, 12, 17, 18, 19)] == [
        False, False, True, True, False, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("orientation", [Orientation(r, r) for r in (True, False)])
def test_it_is_drawn_where_it_is(room: Room, plane: Plane, orientation: Orientation) -> None:
    room.preview()
    state, view = room.state, room.view
    assert room.interpolating.proposal is not None
    found = room.interpolating.proposal.found
    whole = np.zeros(room.case.grid.shape, bool)
    whole[found.box.slices] = found.mask
    state.set_orientation(orientation)
    view.set_shown(Sequence.FLAIR, plane)
    state.set_cursor((28, 22, 9))
    image, projection = room.picture().toImage(), view.projection
    assert projection is not None
    cut = whole.take(state.cursor[plane.axis], axis=plane.axis)
    assert cut.any()
    padded = np.pad(cut, 1)
    for h, v in np.argwhere(np.ones_like(cut))[::7].tolist():
        around = padded[h : h + 3, v : v + 3]
        if around.all() or not around.any():
            voxel = [0.0, 0.0, 0.0]
            voxel[plane.axis], voxel[plane.horizontal], voxel[plane.vertical] = view.index, h, v
            at = projection.point_of((voxel[0], voxel[1], voxel[2])).toPoint()
            if image.rect().contains(at):
                assert (image.pixelColor(at) != QColor(0, 0, 0)) == bool(cut[h, v])
