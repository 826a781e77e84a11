"""The grey picture of a slice, kept while the same slice is shown in the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from brainseg_desktop.core.reslice import slice_of
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.views.colour_maps import GREY, colour_table
from brainseg_desktop.gui.views.plane import Plane, grey_pixels, picture, turned
from brainseg_desktop.gui.views.view_state import ViewState


class SlicePicture:
    """One kept picture."""

    def __init__(self) -> None:
        self._image: QImage | None = None
        self._pixels: NDArray[np.uint32] | None = None
        self._key: object = None
        self._volume: Volume | None = None

    def forget(self) -> None:
        """Let the picture go."""
        self._image = self._pixels = self._key = self._volume = None

    def image(self, state: ViewState, sequence: Sequence, plane: Plane, index: int) -> QImage:
        """A slice of a sequence of the open case, windowed, coloured and turned as on the screen."""
        window, colours = state.windows[sequence], state.colour_maps.get(sequence, GREY)
        key = (sequence, plane, index, window, colours, state.orientation)
        # A sequence that was brought to another place is another volume.
        volume = state.volume(sequence)
        if self._image is None or self._key != key or self._volume is not volume:
            self._volume = volume
            pixels = grey_pixels(_cut(state, sequence, plane, index), window, colour_table(colours))
            rows, columns = pixels.shape
            self._pixels = pixels  # the image shares this memory
            self._image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
            self._key = key
        return self._image


def _cut(state: ViewState, sequence: Sequence, plane: Plane, index: int) -> NDArray[np.generic]:
    case = state.case
    assert case is not None
    volume = case.volumes[sequence]
    if case.is_aligned(sequence):
        return picture(volume.data, plane, index, state.orientation)
    # Nearest voxels of a thick, oblique series would show as steps that are in no image.
    cut = slice_of(volume, case.grid, plane.axis, index, linear=True)
    return turned(cut.values, plane, state.orientation)
