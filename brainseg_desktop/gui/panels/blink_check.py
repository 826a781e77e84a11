"""Two pictures side by side, before and after an alignment, each blinking between reference and sequence."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from brainseg_desktop.core.reslice import slice_of
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.views.plane import Plane, Projection, grey_pixels, side_letters, turned
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr

BLINK_MS = 700
_GAP = 6
_TEXT, _LETTER = QColor(235, 235, 235), QColor(255, 210, 90)


class BlinkCheck(QWidget):
    """What does not jump between the two pictures lies right.

    Parameters
    ----------
    state : ViewState
        Whose windows and sides are used.
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._volumes: tuple[Volume, Volume, Volume] | None = None
        self._sequences: tuple[Sequence, Sequence] | None = None
        self._plane, self._index = Plane.AXIAL, 0
        self._pixels: dict[tuple[int, Plane, int], QImage] = {}
        self.shows_reference = True
        self._timer = QTimer(self, interval=BLINK_MS)
        self._timer.timeout.connect(self.swap)
        self.setMinimumSize(480, 220)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Before and after the alignment"))

    @property
    def index(self) -> int:
        """The slice shown."""
        return self._index

    def set_volumes(
        self, reference: Volume, before: Volume, after: Volume, sequences: tuple[Sequence, Sequence]
    ) -> None:
        """Show a sequence where it was and where it would be, against the reference."""
        self._volumes, self._sequences = (reference, before, after), sequences
        self._pixels.clear()
        self.set_plane(self._plane)

    def clear(self) -> None:
        """Show nothing."""
        self._volumes = self._sequences = None
        self._pixels.clear()
        self._timer.stop()
        self.update()

    def set_plane(self, plane: Plane) -> None:
        """Cut in another direction, through the crosshair."""
        self._plane, self._index = plane, self._state.cursor[plane.axis]
        self.update()

    def step(self, steps: int) -> None:
        """Go some slices on."""
        if self._volumes is not None:
            last = self._volumes[0].grid.shape[self._plane.axis] - 1
            self._index = min(max(0, self._index + steps), last)
            self.update()

    def set_blinking(self, on: bool) -> None:
        """Swap the pictures by themselves, or stand still."""
        if on and self._volumes is not None:
            self._timer.start()
        else:
            self._timer.stop()

    def swap(self) -> None:
        """Show the other picture on both sides."""
        self.shows_reference = not self.shows_reference
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.step(1 if event.angleDelta().y() > 0 else -1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        keep_sides(painter)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._volumes is None or self._sequences is None:
            painter.setPen(_TEXT)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Nothing to check yet."))
            return
        wide = (self.width() - _GAP) / 2
        for number, title in enumerate((tr("Before"), tr("After"))):
            frame = QRectF(number * (wide + _GAP), 0, wide, self.height())
            painter.save()
            painter.setClipRect(frame)
            painter.translate(frame.topLeft())
            self._draw(painter, frame, title, number + 1)
            painter.restore()

    def _draw(self, painter: QPainter, frame: QRectF, title: str, place: int) -> None:
        assert self._volumes is not None
        assert self._sequences is not None
        grid, state = self._volumes[0].grid, self._state
        projection = Projection(
            self._plane,
            grid.shape,
            grid.spacing_mm,
            frame.width(),
            frame.height(),
            state.fitted_camera,
            state.orientation,
        )
        which = 0 if self.shows_reference else place
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(projection.target, self._image(which))
        shown = self._sequences[0 if self.shows_reference else 1]
        painter.setPen(_TEXT)
        inside = QRectF(6, 4, frame.width() - 12, frame.height() - 8)
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, title)
        painter.drawText(inside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, shown.value)
        where = f"{self._plane.words} {self._index + 1}/{grid.shape[self._plane.axis]}"
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, where)
        left, right, _, _ = side_letters(grid, self._plane, state.orientation)
        painter.setPen(_LETTER)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | middle, left)
        painter.drawText(inside, Qt.AlignmentFlag.AlignRight | middle, right)

    def _image(self, which: int) -> QImage:
        """The slice of the reference, the sequence before, or after; each is cut once."""
        assert self._volumes is not None
        assert self._sequences is not None
        key = (which, self._plane, self._index)
        if key not in self._pixels:
            cut = slice_of(
                self._volumes[which], self._volumes[0].grid, self._plane.axis, self._index, linear=True
            )
            window = self._state.windows[self._sequences[min(which, 1)]]
            pixels = grey_pixels(turned(cut.values, self._plane, self._state.orientation), window)
            rows, columns = pixels.shape
            image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)  # type: ignore[call-overload]
            self._pixels[key] = image.copy()
        return self._pixels[key]
