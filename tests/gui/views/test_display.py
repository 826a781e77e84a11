"""What lies over the images and beside them: curtain, blink, two masks, colours, sides, pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.palettes import CLASSIC
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.plane import Orientation
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import MaskStyle, OverlayKind, Split
from tests.gui.conftest import open_case, pixel_of


@pytest.fixture
def two_masks(qtbot: QtBot, window: MainWindow, sample: Path) -> MainWindow:
    """The sample with two masks of boxes on the middle slice: the one shown left of the other's place."""
    open_case(qtbot, window, sample)
    session, (x, y, z) = window.session, window.state.cursor
    scheme = session.own_rating().scheme
    masks = []
    for name, start, tissue in (("One", x - 20, Tissue.OEDEMA), ("Two", x - 10, Tissue.ENHANCING)):
        labels = np.zeros(session.case.grid.shape, np.uint8)
        labels[start : start + 20, y - 10 : y + 10, z] = tissue
        masks.append(Rating(name, RaterKind.MODEL, LabelMap(labels), scheme))
        session.add(masks[-1])
    session.show(masks[0])
    session.compare_with(masks[1])
    window.state.set_opacity(1.0)
    window.state.set_camera(replace(window.state.camera, zoom=2.0))
    qtbot.wait(10)
    return window


def colour(
    view: SliceView, voxel: tuple[float, float, float], image: QImage | None = None
) -> tuple[int, ...]:
    pixel = (image or view.grab().toImage()).pixelColor(pixel_of(view, voxel))
    return (pixel.red(), pixel.green(), pixel.blue())


OEDEMA, ENHANCING = (0, 158, 115), (240, 228, 66)


def test_blink_shows_the_other_mask_and_comes_back(qtbot: QtBot, two_masks: MainWindow) -> None:
    view, (x, y, z) = two_masks.viewer.views[0], two_masks.state.cursor
    only_one, only_two = (x - 15, y + 5, z), (x + 5, y + 5, z)
    assert colour(view, only_one) == OEDEMA
    assert colour(view, only_two) != ENHANCING
    qtbot.keyClick(view, Qt.Key.Key_T)
    assert two_masks.state.split is Split.BLINK
    assert colour(view, only_one) != OEDEMA
    assert colour(view, only_two) == ENHANCING
    qtbot.keyClick(view, Qt.Key.Key_T)
    assert colour(view, only_one) == OEDEMA


def test_the_curtain_is_dragged_and_parts_the_masks(qtbot: QtBot, two_masks: MainWindow) -> None:
    """Left of the line the mask shown, right of it the one compared with; radiological: +x is left."""
    view, (x, y, z) = two_masks.viewer.views[0], two_masks.state.cursor
    qtbot.keyClick(view, Qt.Key.Key_C)
    line = view.width() // 2
    start = QPoint(line, view.height() // 4)
    end = QPoint(pixel_of(view, (x - 5, y, z)).x(), start.y())
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view, QPoint((line + end.x()) // 2, start.y()))
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert two_masks.state.curtain == pytest.approx(end.x() / view.width())
    assert two_masks.state.cursor == (x, y, z), "the crosshair stays"
    # x - 2 lies left of the line: mask One; x - 8 right of it: mask Two has it too; x - 15 only mask One.
    assert colour(view, (x - 2, y + 5, z)) == OEDEMA
    assert colour(view, (x - 8, y + 5, z)) == ENHANCING
    assert colour(view, (x - 15, y + 5, z)) != OEDEMA
    assert colour(view, (x + 5, y + 5, z)) != ENHANCING


def test_the_curtain_uncovers_another_sequence(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.state.set_show_mask(False)
    flair, t1ce = window.viewer.views[:2]
    alone = flair.grab().toImage(), t1ce.grab().toImage()
    qtbot.keyClick(flair, Qt.Key.Key_C)
    assert window.state.split is Split.CURTAIN
    window.state.set_second_sequence(Sequence.T1CE)
    both = flair.grab().toImage()
    left, right = (
        QPoint(flair.width() // 3, flair.height() // 3),
        QPoint(2 * flair.width() // 3, flair.height() // 3),
    )
    assert both.pixelColor(left) == alone[0].pixelColor(left)
    assert both.pixelColor(right) == alone[1].pixelColor(right)


def test_without_a_second_mask_or_sequence_it_is_said(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    for path in sample.glob("sample_*.nii.gz"):
        if "flair" not in path.name:
            path.unlink()
    open_case(qtbot, window, sample)
    window.actions_by_name["curtain"].trigger()
    assert window.state.split is Split.NONE
    assert not window.actions_by_name["curtain"].isChecked()
    assert "no second" in window.messages.text


def test_both_masks_at_once(qtbot: QtBot, two_masks: MainWindow) -> None:
    view, (x, y, z) = two_masks.viewer.views[0], two_masks.state.cursor
    qtbot.keyClick(view, Qt.Key.Key_F, Qt.KeyboardModifier.ShiftModifier)
    assert two_masks.state.overlay is OverlayKind.BOTH_MASKS
    image = view.grab().toImage()
    assert colour(view, (x - 15, y + 5, z), image) == OEDEMA
    edge = pixel_of(view, (x + 9.5, y + 5, z))
    near = [image.pixelColor(edge.x() + dx, edge.y() + dy) for dx in range(-2, 3) for dy in range(-6, 7)]
    assert any(c.red() > 180 and c.green() > 170 and c.blue() < 120 for c in near), "the other's outline"


def test_fill_outline_and_both(qtbot: QtBot, two_masks: MainWindow) -> None:
    view, state = two_masks.viewer.views[0], two_masks.state
    x, y, z = state.cursor
    inside = (x - 15, y + 5, z)
    qtbot.keyClick(view, Qt.Key.Key_O)
    assert state.style is MaskStyle.OUTLINE
    assert colour(view, inside) != OEDEMA
    qtbot.keyClick(view, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    assert state.style is MaskStyle.BOTH
    picture = state.mask_picture(view.plane, view.index)
    assert picture.outlines
    assert colour(view, inside) == OEDEMA


def test_colours_are_changed_everywhere(qtbot: QtBot, two_masks: MainWindow) -> None:
    view, (x, y, z) = two_masks.viewer.views[0], two_masks.state.cursor
    two_masks._show_colours(CLASSIC)
    assert colour(view, (x - 15, y + 5, z)) == CLASSIC[Tissue.OEDEMA]


@pytest.mark.parametrize("orientation", [Orientation(r, n) for r in (True, False) for n in (True, False)])
def test_other_sides_are_said_on_the_views_concerned(
    qtbot: QtBot, window: MainWindow, sample: Path, orientation: Orientation
) -> None:
    open_case(qtbot, window, sample)
    window.actions_by_name["planes"].trigger()
    window.state.set_orientation(orientation)
    said = [v._captions(v.volume).marks for v in window.viewer.views]
    axial = () if orientation.radiological else ("neurological",)
    assert said == [axial, axial, () if orientation.nose_left else ("nose right",)]


def test_sides_are_remembered(qtbot: QtBot, make, sample: Path) -> None:
    window = make()
    open_case(qtbot, window, sample)
    window.actions_by_name["neurological"].trigger()
    window.close()
    again = make()
    assert again.state.orientation == Orientation(radiological=False, nose_left=True)
    assert again.actions_by_name["neurological"].isChecked()


def test_pictures_with_and_without_annotations(qtbot: QtBot, two_masks: MainWindow, tmp_path: Path) -> None:
    view, (x, y, z) = two_masks.viewer.views[0], two_masks.state.cursor
    bare, full = (view.picture(annotated=a) for a in (False, True))
    assert bare.size() == view.size()
    # The letter of the side and the crosshair are on one alone; slice and mask on both.
    top = range(view.width() // 2 - 12, view.width() // 2 + 12)
    bright = [sum(i.pixelColor(u, 12).lightness() > 150 for u in top) for i in (bare, full)]
    assert bright[0] == 0
    assert bright[1] > 0
    assert colour(view, (x - 15, y + 5, z), bare) == OEDEMA
    assert colour(view, (x - 15, y + 5, z), full) == OEDEMA
    assert view.annotated, "the view itself goes on as before"

    path = tmp_path / "picture.png"
    assert two_masks.view_pictures.save(view, path, annotated=True)
    assert QImage(str(path)).width() == 2 * view.width()
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().image().size() == view.size()


def test_a_picture_that_cannot_be_written_is_told(
    qtbot: QtBot, two_masks: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "picture.png"
    assert not two_masks.view_pictures.save(two_masks.viewer.views[0], path, annotated=True)
    assert str(path) in two_masks.messages.text


def test_windows_and_measurements_are_kept_with_the_case(qtbot: QtBot, make, sample: Path) -> None:
    window = make()
    open_case(qtbot, window, sample)
    window.state.set_window(Sequence.FLAIR, (11.0, 222.0))
    view = window.viewer.views[0]
    qtbot.keyClick(view, Qt.Key.Key_M)
    for act, pos in (
        (qtbot.mousePress, QPoint(100, 100)),
        (qtbot.mouseRelease, QPoint(160, 140)),
    ):
        qtbot.mouseMove(view, pos)
        act(view, Qt.MouseButton.LeftButton, pos=pos)
    (ruler,) = window.state.measurements
    window.close()
    again = make()
    open_case(qtbot, again, sample)
    assert again.state.windows[Sequence.FLAIR] == (11.0, 222.0)
    (kept,) = again.state.measurements
    assert kept.kind is ruler.kind
    np.testing.assert_allclose(kept.points, ruler.points)
    qtbot.keyClick(again.viewer.views[0], Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert again.state.windows == again.state.default_windows
