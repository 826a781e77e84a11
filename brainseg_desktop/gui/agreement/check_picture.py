"""The picture to check a pair of masks by: the image, the reference's outline, the mask's outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.views.overlay import Colour, label_picture, render
from brainseg_desktop.gui.views.plane import Plane, Projection, grey_pixels, picture, side_letters
from brainseg_desktop.gui.views.slice_drawing import draw_mask
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr

REFERENCE_COLOUR: Colour = (86, 180, 233)
MASK_COLOUR: Colour = (230, 159, 0)
_TEXT = QColor(222, 226, 230)
_LETTER = QColor(240, 200, 80)
_PANELS = 3
_GAP = 2


@dataclass(frozen=True, slots=True)
class Check:
    """What the picture shows.

    Parameters
    ----------
    sequence : Sequence
        One that lies on the grid of the masks.
    plane : Plane
    index : int
        Slice, from 0.
    reference, mask : (X, Y, Z) bool arrays
        Of the region chosen.
    titles : (str, str, str)
        Of the three parts.
    """

    sequence: Sequence
    plane: Plane
    index: int
    reference: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    titles: tuple[str, str, str]


def draw_check(state: ViewState, check: Check, size: QSize, font: QFont, ratio: float = 1.0) -> QImage:
    """Draw the three parts side by side.

    Parameters
    ----------
    state : ViewState
        With the case, the windows and from which side the reader looks.
    size : QSize
        In pixels of the screen; `ratio` of the image's for each.
    """
    image = QImage(size * ratio, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.black)
    painter = QPainter(image)
    keep_sides(painter)
    painter.setFont(font)
    wide = (size.width() - (_PANELS - 1) * _GAP) / _PANELS
    outlines = ((None, None), (check.reference, REFERENCE_COLOUR), (check.mask, MASK_COLOUR))
    for number, (mask, colour) in enumerate(outlines):
        frame = QRectF(number * (wide + _GAP), 0, wide, size.height())
        painter.save()
        painter.setClipRect(frame)
        painter.translate(frame.topLeft())
        _draw_part(painter, state, check, frame, mask, colour)
        _write_part(painter, state, check, frame, check.titles[number], colour)
        painter.restore()
    painter.end()
    return image


def _draw_part(
    painter: QPainter,
    state: ViewState,
    check: Check,
    frame: QRectF,
    mask: NDArray[np.bool_] | None,
    colour: Colour | None,
) -> None:
    case = state.case
    assert case is not None
    projection = Projection(
        check.plane,
        case.grid.shape,
        case.grid.spacing_mm,
        frame.width(),
        frame.height(),
        state.fitted_camera,
        state.orientation,
    )
    cut = picture(case.aligned[check.sequence].data, check.plane, check.index, state.orientation)
    pixels = grey_pixels(cut, state.windows[check.sequence])
    rows, columns = pixels.shape
    grey = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
    painter.drawImage(projection.target, grey)
    if mask is not None and colour is not None:
        labels = label_picture(mask.view(np.uint8), check.plane, check.index, state.orientation)
        draw_mask(painter, render(labels, {1: colour}, 1.0, fill=False, outline=True), projection.target)


def _write_part(
    painter: QPainter, state: ViewState, check: Check, frame: QRectF, title: str, colour: Colour | None
) -> None:
    assert state.case is not None
    inside = QRectF(6, 4, frame.width() - 12, frame.height() - 8)
    metrics = QFontMetricsF(painter.font())
    ink = _TEXT if colour is None else QColor(*colour)
    text = metrics.elidedText(title, Qt.TextElideMode.ElideRight, inside.width())
    _shadowed(painter, inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text, ink)
    if colour is None:
        where = f"{check.plane.words} {check.index + 1}/{state.case.grid.shape[check.plane.axis]}"
        low = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        _shadowed(painter, inside, low, where, _TEXT)
    left, right, _, _ = side_letters(state.case.grid, check.plane, state.orientation)
    middle = Qt.AlignmentFlag.AlignVCenter
    _shadowed(painter, inside, Qt.AlignmentFlag.AlignLeft | middle, left, _LETTER)
    _shadowed(painter, inside, Qt.AlignmentFlag.AlignRight | middle, right, _LETTER)


def _shadowed(painter: QPainter, frame: QRectF, where: Qt.AlignmentFlag, text: str, ink: QColor) -> None:
    painter.setPen(QColor(0, 0, 0, 200))
    painter.drawText(frame.translated(1, 1), where, text)
    painter.setPen(ink)
    painter.drawText(frame, where, text)


class CheckPicture(QWidget):
    """Shows the picture as large as there is room."""

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._check: Check | None = None
        self.setMinimumSize(360, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Image, reference and mask"))

    def set_check(self, check: Check | None) -> None:
        """Show this; None for nothing."""
        self._check = check
        self.update()

    def image(self, part_height: int, ratio: float = 1.0) -> QImage | None:
        """The picture for the clipboard or a file; None where there is nothing to show."""
        if self._check is None or self._state.case is None:
            return None
        size = QSize(_PANELS * part_height + (_PANELS - 1) * _GAP, part_height)
        return draw_check(self._state, self._check, size, self.font(), ratio)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._check is not None and self._state.case is not None:
            ratio = self.devicePixelRatioF()
            painter.drawImage(0, 0, draw_check(self._state, self._check, self.size(), self.font(), ratio))
