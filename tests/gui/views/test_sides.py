"""Sides, from the file to the screen and back: a flipped side may harm somebody.

The truth is nibabel's: files of every kind are made in millimetres of the patient, what is on the screen is
told from its pixels alone, and what was painted there is read back with nibabel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.plane import Orientation, Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.export import export_rating
from tests.gui.conftest import dab, open_case
from tests.gui.phantom import BLOCK, BLOCK_HALF_MM, BLOCK_MM, make_image, rotation, save_exam

USUAL, OTHER = Orientation(), Orientation(radiological=False, nose_left=False)
# Where on the screen each plane shows the patient's left (axial, coronal) or the nose (sagittal).
RIGHT_OF_SCREEN = {
    (Plane.AXIAL, USUAL): True,
    (Plane.CORONAL, USUAL): True,
    (Plane.SAGITTAL, USUAL): False,
    (Plane.AXIAL, OTHER): False,
    (Plane.CORONAL, OTHER): False,
    (Plane.SAGITTAL, OTHER): True,
}
# Letters at the left, right, top and bottom edge.
LETTERS = {
    (Plane.AXIAL, USUAL): "RLAP",
    (Plane.CORONAL, USUAL): "RLSI",
    (Plane.SAGITTAL, USUAL): "APSI",
    (Plane.AXIAL, OTHER): "LRAP",
    (Plane.CORONAL, OTHER): "LRSI",
    (Plane.SAGITTAL, OTHER): "PASI",
}
SHAPE, SPACING = (44, 52, 38), (2.0, 1.75, 2.25)
FILES = {
    "RAS": lambda: make_image(SHAPE, SPACING, "RAS"),
    "LPS": lambda: make_image(SHAPE, SPACING, "LPS"),
    "LAS": lambda: make_image(SHAPE, SPACING, "LAS"),
    "PSR": lambda: make_image(SHAPE, SPACING, "PSR"),
    "oblique": lambda: make_image(SHAPE, SPACING, "RAS", rotation(20, 20)),
    "oblique, stored ILP": lambda: make_image(SHAPE, SPACING, "ILP", rotation(-20, 20)),
}


@pytest.fixture(params=FILES)
def exam(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    image = FILES[request.param]()
    codes = "".join(nibabel.aff2axcodes(image.affine))
    assert codes == (request.param if len(request.param) == 3 else codes)
    return save_exam(tmp_path / "exam", dict.fromkeys(("t1", "t1ce", "t2", "flair"), image))


@pytest.fixture
def shown(qtbot: QtBot, make: Callable[[], MainWindow], exam: Path) -> MainWindow:
    """The window with the exam, the crosshair on the block, one grey window that tells head from block."""
    window = make()
    open_case(qtbot, window, exam)
    state = window.state
    case = state.case
    assert case is not None
    for sequence in Sequence:
        state.set_window(sequence, (0.0, float(BLOCK)))
    x, y, z = np.rint(case.grid.voxel_of(BLOCK_MM)).astype(int)
    state.set_cursor((int(x), int(y), int(z)))
    return window


def look(window: MainWindow, plane: Plane, orientation: Orientation, sequence: Sequence) -> SliceView:
    window.state.set_orientation(orientation)
    window.viewer.set_plane(plane)
    view = next(v for v in window.viewer.views if v.sequence is sequence)
    assert view.plane is plane
    return view


def levels(image: QImage) -> np.ndarray:
    """Red, green and blue of each pixel, (rows, columns, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    raw = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return raw[:, : image.width(), 2::-1].copy()


def middle_of_block(view: SliceView) -> QPoint:
    """The middle of the bright pixels on the screen."""
    view.annotated = False
    pixels = levels(view.grab().toImage())
    view.annotated = True
    rows, columns = np.nonzero((pixels > 230).all(axis=-1))
    assert rows.size > 50
    return QPoint(round(float(columns.mean())), round(float(rows.mean())))


@pytest.mark.parametrize("orientation", [USUAL, OTHER], ids=["usual", "mirrored"])
def test_the_block_is_where_the_letters_say(shown: MainWindow, orientation: Orientation) -> None:
    for plane in Plane:
        for sequence in Sequence:
            view = look(shown, plane, orientation, sequence)
            where = middle_of_block(view)
            # Well off the middle, so that a little turn of an oblique exam does not decide it.
            off = 0.05 * view.width()
            if RIGHT_OF_SCREEN[plane, orientation]:
                assert where.x() > view.width() / 2 + off
            else:
                assert where.x() < view.width() / 2 - off
            assert where.y() < view.height() / 2 - 0.05 * view.height()


@pytest.mark.parametrize("orientation", [USUAL, OTHER], ids=["usual", "mirrored"])
def test_the_letters_drawn_are_the_sides(shown: MainWindow, orientation: Orientation) -> None:
    for plane in Plane:
        view = look(shown, plane, orientation, Sequence.FLAIR)
        pixels = levels(view.grab().toImage())
        edges = _edges(view)
        for letter, edge in zip(LETTERS[plane, orientation], edges, strict=True):
            drawn = {other: _is_letter(pixels, view, other, edge) for other in "RLAPSI"}
            assert [other for other, there in drawn.items() if there] == [letter]


def _edges(view: SliceView) -> tuple[Qt.AlignmentFlag, ...]:
    flag = Qt.AlignmentFlag
    return (
        flag.AlignLeft | flag.AlignVCenter,
        flag.AlignRight | flag.AlignVCenter,
        flag.AlignHCenter | flag.AlignTop,
        flag.AlignHCenter | flag.AlignBottom,
    )


def _is_letter(pixels: np.ndarray, view: SliceView, letter: str, edge: Qt.AlignmentFlag) -> bool:
    """Whether a letter stands at this edge: the full pixels of its shape are there, and no others."""
    paper = QImage(view.size(), QImage.Format.Format_RGB32)
    paper.fill(Qt.GlobalColor.black)
    painter = QPainter(paper)
    font = view.font()
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(QRectF(view.rect()).adjusted(8, 6, -8, -6), edge, letter)
    painter.end()
    ink = levels(paper)
    rows, columns = np.nonzero(ink.any(axis=-1))
    # The place of the widest letter, so that a part of one is not taken for another.
    box = np.s_[max(0, rows.min() - 3) : rows.max() + 4, max(0, columns.min() - 5) : columns.max() + 6]
    letter_colour = np.array([240, 200, 80])
    return bool(np.array_equal((pixels[box] == letter_colour).all(axis=-1), (ink[box] == 255).all(axis=-1)))


def test_what_is_painted_there_is_exported_there(
    qtbot: QtBot, shown: MainWindow, exam: Path, tmp_path: Path
) -> None:
    session, state = shown.session, shown.state
    own = session.own_rating()
    state.set_mode(Mode.BRUSH)
    state.set_brush_mm(5)
    source = nibabel.load(exam / "exam_flair.nii.gz")
    block = np.asarray(source.dataobj) == BLOCK
    for number, ((plane, orientation), sequence) in enumerate(
        zip(RIGHT_OF_SCREEN, [*Sequence, Sequence.T1, Sequence.T2], strict=True)
    ):
        view = look(shown, plane, orientation, sequence)
        state.set_show_mask(False)
        where = middle_of_block(view)
        state.set_show_mask(True)
        dab(qtbot, view, where)
        written = export_rating(state.case, own, tmp_path / f"{number}.nii.gz").path
        mask = nibabel.load(written)
        np.testing.assert_array_equal(mask.affine, source.affine)
        labelled = np.argwhere(np.asarray(mask.dataobj))
        places = apply_affine(mask.affine, labelled)
        assert len(labelled) > 3
        # Inside the block of the file itself, by voxel and by millimetre, and nowhere else.
        assert block[tuple(labelled.T)].all()
        assert (np.abs(places - BLOCK_MM) < BLOCK_HALF_MM).all()
        # Around its middle, as far as the screen can tell it, on the slice that was looked at.
        assert np.linalg.norm(places.mean(axis=0) - BLOCK_MM) < np.linalg.norm(SPACING)
        assert session.undo() is not None
        assert not own.label_map.array.any()
