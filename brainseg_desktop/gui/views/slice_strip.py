"""The bar beside a view that goes through its slices and shows where the labels and the doubt lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QToolTip

from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.views.overlay import UNCERTAINTY_COLOURS, Colour
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr, tr_many

_WIDTH = 26
_PAGE = 10
# Space above the highest and below the lowest slice, so that the mark is whole there too.
_PAD = 5
_SIDE = 4
_DOUBT_WIDTH = 6
_WIDEST_COLUMN = 4
_MARK_HEIGHT = 5
# The strip goes on with the picture beside it, which is black in both themes: the colours of the labels and
# of doubt are made for that ground.
_GROUND: Colour = (20, 22, 25)
_TRACK: Colour = (38, 42, 47)
_MARK = QColor(255, 255, 255)
_MARK_EDGE = QColor(0, 0, 0)
# Below this part of the largest doubt of any slice nothing is drawn.
_LEAST_DOUBT = 0.02

_OWN_KEYS = frozenset(
    {
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    }
)


class SliceStrip(QAbstractSlider):
    """One thin column a label, one for the network's doubt, and a mark at the slice shown.

    The top is the last slice: superior, anterior or right. A slider to screen readers; its value is the
    slice, from 0.

    Parameters
    ----------
    state : ViewState
    navigator : Navigator
        Knows what lies in which slice.
    position : callable, optional
        The slice shown; whoever gives it calls `follow` when it changes. Else the shared cursor.
    go : callable, optional
        Goes to a slice. Else the shared cursor moves.
    """

    def __init__(
        self,
        state: ViewState,
        navigator: Navigator,
        position: Callable[[], int] | None = None,
        go: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self._state, self._navigator = state, navigator
        self._plane = Plane.AXIAL
        self._position = position or (lambda: state.cursor[self._plane.axis])
        self._go = go or (lambda index: state.step(self._plane, index - self._position()))
        self._pixmap: QPixmap | None = None
        self._drawn_with: object = None
        self._marked = 0
        self._following = False
        self._wheel_rest = 0
        self.setOrientation(Qt.Orientation.Vertical)
        self.setPageStep(_PAGE)
        self.setMouseTracking(True)
        # A click must not take the keys away from the view.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setToolTip(_keys_help())
        self.valueChanged.connect(self._moved)
        state.overlay_changed.connect(self._follow_colours)
        navigator.profiles_changed.connect(self._redraw)
        navigator.regions_changed.connect(self._redraw)
        state.case_changed.connect(self.follow)
        if position is None:
            state.cursor_changed.connect(self.follow)
        self.set_plane(self._plane)

    @property
    def plane(self) -> Plane:
        return self._plane

    def set_plane(self, plane: Plane) -> None:
        """Show the slices of this plane."""
        self._plane = plane
        self.setAccessibleName(tr("{plane} slice", plane=plane.words.capitalize()))
        self.follow()
        self._redraw()

    def follow(self) -> None:
        """Bring the mark to the slice shown."""
        case = self._state.case
        if case is None:
            return
        last = case.grid.shape[self._plane.axis] - 1
        self._following = True
        try:
            if self.maximum() != last:
                self.setRange(0, last)
                self._redraw()
            self.setValue(self._position())
        finally:
            self._following = False
        if QAccessible.isActive():
            self.setAccessibleDescription(self.text_of(self.value()))

    def text_of(self, index: int) -> str:
        """What lies in a slice, e.g. ``"Slice 77 of 155; oedema, enhancing"``."""
        text = tr("Slice {index} of {count}", index=index + 1, count=self.maximum() + 1)
        counts = self._counts()
        if counts is not None:
            names = [TISSUE_NAMES[t].lower() for t in self._tissues(counts) if counts[index, t]]
            if names:
                text += "; " + ", ".join(names)
        doubtful = [
            str(number)
            for number, region in enumerate(self._navigator.regions, start=1)
            if region.box.holds_plane(self._plane.axis, index)
        ]
        if doubtful:
            text += tr_many(
                "; doubtful region {names}",
                "; doubtful regions {names}",
                len(doubtful),
                names=", ".join(doubtful),
            )
        return text

    # Places -----------------------------------------------------------------------------------------

    def index_at(self, y: float) -> int:
        """The slice at a height of the widget, in pixels from its top."""
        slices, height = self.maximum() + 1, max(1, self.height() - 2 * _PAD)
        return min(max(0, int((1 - (y - _PAD) / height) * slices)), slices - 1)

    def height_of(self, index: int) -> float:
        """The middle of a slice, in pixels from the top; the inverse of `index_at`."""
        slices, height = self.maximum() + 1, max(1, self.height() - 2 * _PAD)
        return _PAD + (1 - (index + 0.5) / slices) * height

    def _mark_rect(self, index: int) -> QRect:
        top = round(self.height_of(index) - _MARK_HEIGHT / 2)
        return QRect(1, top, self.width() - 2, _MARK_HEIGHT)

    def sizeHint(self) -> QSize:
        # Wider for a reader who needs large type: it is also a larger thing to hit.
        return QSize(max(_WIDTH, round(self.fontMetrics().height() * 1.4)), 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width(), 40)

    # Going ------------------------------------------------------------------------------------------

    def _moved(self, index: int) -> None:
        if not self._following and self._state.case is not None:
            self._go(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setSliderDown(True)
        self.setValue(self.index_at(event.position().y()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        y, where = event.position().y(), event.globalPosition().toPoint()
        if self.isSliderDown():
            self.setValue(self.index_at(y))
            self._tell(y, where, short=True)
        elif QToolTip.isVisible():
            self._tell(y, where)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(False)
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # As in the view beside it: one notch, one slice; up is up.
        self._wheel_rest += event.angleDelta().y() or event.angleDelta().x()
        steps = int(self._wheel_rest / 120)
        self._wheel_rest -= steps * 120
        self.setValue(self.value() + steps)
        event.accept()

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            # The window has the same keys for the view in use; here they mean this strip.
            if event.key() in _OWN_KEYS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
                event.accept()
                return True
        elif event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._tell(event.pos().y(), event.globalPos())
            return True
        return super().event(event)

    def _tell(self, y: float, where: QPoint, *, short: bool = False) -> None:
        text = self.text_of(self.index_at(y))
        QToolTip.showText(where, text if short else f"{text}\n{_keys_help()}", self)

    # Drawing ----------------------------------------------------------------------------------------

    def sliderChange(self, change: QAbstractSlider.SliderChange) -> None:
        # Qt would draw all of it anew at every slice.
        if change is QAbstractSlider.SliderChange.SliderValueChange:
            self.update(self._mark_rect(self._marked))
            self._marked = self.value()
            self.update(self._mark_rect(self._marked))
        else:
            super().sliderChange(change)

    def _redraw(self) -> None:
        self._pixmap = None
        self.update()

    def _follow_colours(self) -> None:
        # This signal tells also of what the strip does not show, at every move of the opacity slider.
        if (self._state.hidden, dict(self._state.colours)) != self._drawn_with:
            self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._redraw()

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._pixmap is None or self._pixmap.devicePixelRatio() != ratio:
            self._pixmap = self._draw(ratio)
            self._drawn_with = (self._state.hidden, dict(self._state.colours))
        painter = QPainter(self)
        keep_sides(painter)
        painter.drawPixmap(0, 0, self._pixmap)
        if self._state.case is not None:
            mark = self._mark_rect(self.value())
            painter.fillRect(mark, _MARK_EDGE)
            painter.fillRect(mark.adjusted(1, 1, -1, -1), _MARK)
        if self.hasFocus():
            painter.setPen(self.palette().color(self.palette().ColorRole.Accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _counts(self) -> NDArray[np.int64] | None:
        """Voxels by slice and tissue; None until they are counted for the case shown."""
        profiles, case = self._navigator.profiles, self._state.case
        if profiles is None or case is None or profiles.shape != case.grid.shape:
            return None
        return profiles.counts(self._plane.axis)

    def _tissues(self, counts: NDArray[np.int64]) -> list[Tissue]:
        """The labels that get a column."""
        present = counts.sum(axis=0) > 0
        return [
            t for t in Tissue if t is not Tissue.BACKGROUND and present[t] and t not in self._state.hidden
        ]

    def _draw(self, ratio: float) -> QPixmap:
        """Everything but the mark, in the screen's own pixels."""
        width, height = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        picture = np.empty((height, width, 3), dtype=np.uint8)
        picture[:] = _GROUND
        pad = round(_PAD * ratio)
        rows = picture[pad : max(pad + 1, height - pad)]
        left, right = round(_SIDE * ratio), width - round(_SIDE * ratio)
        doubt_left = right - round(_DOUBT_WIDTH * ratio)
        gap = max(1, round(ratio))
        if self._state.case is not None and len(rows):
            self._draw_labels(rows[:, left : doubt_left - gap], gap, round(_WIDEST_COLUMN * ratio))
            self._draw_doubt(rows[:, doubt_left:right])
        argb = np.full((height, width), 0xFF000000, dtype=np.uint32)
        for channel, shift in enumerate((16, 8, 0)):
            argb |= picture[..., channel].astype(np.uint32) << shift
        # fromImage copies, so the array may go.
        pixmap = QPixmap.fromImage(QImage(argb.data, width, height, 4 * width, QImage.Format.Format_RGB32))
        pixmap.setDevicePixelRatio(ratio)
        return pixmap

    def _draw_labels(self, area: NDArray[np.uint8], gap: int, widest: int) -> None:
        """Columns of the labels, side by side from the left."""
        area[:] = _TRACK
        counts = self._counts()
        tissues = [] if counts is None else self._tissues(counts)
        if counts is None or not tissues:
            return
        width = min(widest, max(1, (area.shape[1] + gap) // len(tissues) - gap))
        for place, tissue in enumerate(tissues):
            there = _to_rows(counts[:, tissue], len(area)) > 0
            column = area[:, place * (width + gap) :][:, :width]
            column[there] = self._state.colours[tissue]

    def _draw_doubt(self, area: NDArray[np.uint8]) -> None:
        """The brighter, the more doubt lies in a slice; the brightest is the slice with most."""
        area[:] = _TRACK
        doubt = self._navigator.doubt(self._plane)
        if doubt is None or len(doubt) != self.maximum() + 1 or not doubt.any():
            return
        part = _to_rows(doubt / doubt.max(), len(area))
        steps = np.linspace(0, 1, len(UNCERTAINTY_COLOURS))
        colours = [np.interp(part, steps, channel) for channel in zip(*UNCERTAINTY_COLOURS, strict=True)]
        drawn = part >= _LEAST_DOUBT
        area[drawn] = np.stack(colours, axis=-1).round().astype(np.uint8)[drawn][:, None, :]


def _to_rows(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """One value for each row of pixels, the last slice at the top.

    The largest where several slices share a row, so that a label in a single slice is never lost.
    """
    first = np.arange(rows) * len(values) // rows
    return np.maximum.reduceat(values, first)[::-1]


def _keys_help() -> str:
    return tr(
        "Click or drag to go there; the wheel goes slice by slice. Reached by Tab: arrow keys 1 slice, Page "
        "up and Page down {slices}, Home and End the ends.",
        slices=_PAGE,
    )
