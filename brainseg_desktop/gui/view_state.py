"""What the views show: cursor, camera, windows, overlay and tool. One object, shared by all views.

It holds no image and no mask of its own; it points at the case and the ratings that the session holds.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.geometry import Box, centre_voxel
from brainseg_desktop.core.labels import WT, Region, Tissue
from brainseg_desktop.core.volume import Sequence, Volume, background_value, default_window
from brainseg_desktop.gui.overlay import (
    DIFFERENCE_COLOURS,
    MaskPicture,
    label_picture,
    render,
    render_uncertainty,
    tissue_colours,
)
from brainseg_desktop.gui.plane import Camera, Plane
from brainseg_desktop.services.compare import difference_map

MIN_BRUSH_MM, MAX_BRUSH_MM = 1.0, 80.0
MIN_ZOOM, MAX_ZOOM = 0.5, 40.0


class Mode(Enum):
    """What the left button does."""

    CROSSHAIR = "crosshair"
    WINDOW = "window"
    BRUSH = "brush"
    ERASER = "eraser"


class OverlayKind(Enum):
    """What is laid over the images."""

    MASK = "mask"
    DIFFERENCE = "difference"
    UNCERTAINTY = "uncertainty"


class ViewState(QObject):
    """Shared state of the views; every setter clamps, and tells only when something changed."""

    case_changed = Signal()
    cursor_changed = Signal()
    camera_changed = Signal()
    windows_changed = Signal()
    overlay_changed = Signal()
    voxels_changed = Signal(object)  # Box
    tool_changed = Signal()
    layout_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.case: Case | None = None
        self.rating: Rating | None = None
        self.reference: Rating | None = None
        self.cursor: tuple[int, int, int] = (0, 0, 0)
        self.camera = Camera(1.0, (0.0, 0.0, 0.0))
        self._fitted = self.camera
        self.windows: dict[Sequence, tuple[float, float]] = {}
        self.mode = Mode.CROSSHAIR
        self.brush_mm = 8.0
        self.ball = False
        self.keep_others = False
        self.tissue = Tissue.NECROSIS
        self.show_mask = True
        self.opacity = 0.5
        self.outline_only = False
        self.hidden: frozenset[Tissue] = frozenset()
        self.overlay = OverlayKind.MASK
        # How undecided a network was, (X, Y, Z) uint8; None where there is no such map.
        self.uncertainty: np.ndarray | None = None
        self.region: Region = WT
        self.smooth = False
        # Slices a running segmentation has delivered so far, shown until it ends.
        self.preview: np.ndarray | None = None
        self._pictures: dict[tuple[Plane, int], MaskPicture] = {}
        self._default_windows: dict[Sequence, tuple[float, float]] = {}

    # The case ---------------------------------------------------------------------------------------

    def set_case(self, case: Case | None) -> None:
        """Show a case from its middle, fitted, each sequence in its default window."""
        self.case = case
        self.rating = self.reference = None
        self.preview = self.uncertainty = None
        self._pictures.clear()
        self.windows = {}
        self._default_windows = {}
        if case is not None:
            self.cursor = centre_voxel(case.grid.shape)
            self._fitted = self._fit_head(case)
            self.camera = self._fitted
            self.windows = {s: default_window(v.data) for s, v in case.volumes.items()}
            self._default_windows = dict(self.windows)
        self.overlay = OverlayKind.MASK
        self.case_changed.emit()
        self.cursor_changed.emit()

    def set_rating(self, rating: Rating | None) -> None:
        """Lay this rating over the images."""
        self.rating = rating
        self.refresh_overlay()

    def set_reference(self, rating: Rating | None) -> None:
        """Compare with this rating in the difference overlay."""
        self.reference = rating
        self.refresh_overlay()

    def set_preview(self, labels: np.ndarray | None) -> None:
        """Show the growing result of a segmentation instead of the mask; None ends it."""
        self.preview = labels
        self.refresh_overlay()

    def volume(self, sequence: Sequence) -> Volume | None:
        return None if self.case is None else self.case.volumes.get(sequence)

    # Navigation -------------------------------------------------------------------------------------

    def set_cursor(self, voxel: tuple[int, int, int]) -> None:
        """Move the crosshair; the voxel is clamped into the case."""
        if self.case is None:
            return
        x, y, z = (min(max(0, i), n - 1) for i, n in zip(voxel, self.case.grid.shape, strict=True))
        if (x, y, z) != self.cursor:
            self.cursor = (x, y, z)
            self.cursor_changed.emit()

    def step(self, plane: Plane, steps: int) -> None:
        """Go some slices up (to superior, anterior, right) or down."""
        voxel = list(self.cursor)
        voxel[plane.axis] += steps
        self.set_cursor((voxel[0], voxel[1], voxel[2]))

    def set_camera(self, camera: Camera) -> None:
        zoom = min(max(MIN_ZOOM, camera.zoom), MAX_ZOOM)
        self.camera = Camera(zoom, camera.centre)
        self.camera_changed.emit()

    def reset_camera(self) -> None:
        """Fit the head into every view again."""
        self.set_camera(self._fitted)

    @staticmethod
    def _fit_head(case: Case) -> Camera:
        """A camera on what is not background in any plane, so that an empty border takes no room."""
        data = next(iter(case.volumes.values())).data[::2, ::2, ::2]
        n = case.grid.shape
        box = Box.of(data != background_value(data))
        if box.is_empty:
            box = Box((0, 0, 0), data.shape)
        first = [2 * a for a in box.start]
        last = [min(2 * b, m) for b, m in zip(box.stop, n, strict=True)]
        zoom = min(m / (b - a) for a, b, m in zip(first, last, n, strict=True)) * 0.92
        middle = [(a + b - 1) / 2 for a, b in zip(first, last, strict=True)]
        return Camera(max(1.0, zoom), (middle[0], middle[1], middle[2]))

    # Display ----------------------------------------------------------------------------------------

    def set_window(self, sequence: Sequence, window: tuple[float, float]) -> None:
        """Set lower and upper grey limit of one sequence."""
        low, high = window
        if high - low < 1e-6:
            high = low + 1e-6
        self.windows[sequence] = (low, high)
        self.windows_changed.emit()

    def auto_windows(self) -> None:
        """Back to 0.5-99.5 % of what is not background, for every sequence."""
        self.windows = dict(self._default_windows)
        self.windows_changed.emit()

    def set_show_mask(self, on: bool) -> None:
        self.show_mask = on
        self.overlay_changed.emit()

    def set_opacity(self, opacity: float) -> None:
        self.opacity = min(max(0.0, opacity), 1.0)
        self.refresh_overlay()

    def set_outline_only(self, on: bool) -> None:
        self.outline_only = on
        self.refresh_overlay()

    def set_hidden(self, tissue: Tissue, hidden: bool) -> None:
        """Hide or show one label in the overlay."""
        self.hidden = self.hidden | {tissue} if hidden else self.hidden - {tissue}
        self.refresh_overlay()

    def set_overlay(self, kind: OverlayKind) -> None:
        self.overlay = kind
        self.refresh_overlay()

    @property
    def shows_uncertainty(self) -> bool:
        """Whether the views show how undecided the network was."""
        chosen = self.overlay is OverlayKind.UNCERTAINTY and self.show_mask and self.preview is None
        return chosen and self.uncertainty is not None

    def set_region(self, region: Region) -> None:
        """Region whose difference is shown."""
        self.region = region
        self.refresh_overlay()

    def set_smooth(self, on: bool) -> None:
        """Interpolate the images between voxels (display only)."""
        self.smooth = on
        self.windows_changed.emit()

    # Tool -------------------------------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.tool_changed.emit()

    def set_brush_mm(self, diameter: float) -> None:
        self.brush_mm = min(max(MIN_BRUSH_MM, diameter), MAX_BRUSH_MM)
        self.tool_changed.emit()

    def set_ball(self, on: bool) -> None:
        self.ball = on
        self.tool_changed.emit()

    def set_keep_others(self, on: bool) -> None:
        self.keep_others = on
        self.tool_changed.emit()

    def set_tissue(self, tissue: Tissue) -> None:
        self.tissue = tissue
        self.tool_changed.emit()

    # Masks as pictures ------------------------------------------------------------------------------

    def refresh_overlay(self) -> None:
        """Draw all mask pictures anew."""
        self._pictures.clear()
        self.overlay_changed.emit()

    def touch(self, box: Box) -> None:
        """Voxels in `box` have changed: only pictures of slices that cut it are dropped."""
        for plane, index in list(self._pictures):
            if box.holds_plane(plane.axis, index):
                del self._pictures[plane, index]
        self.voxels_changed.emit(box)

    def mask_picture(self, plane: Plane, index: int) -> MaskPicture | None:
        """The overlay of one slice; None where nothing is to be shown."""
        if not self.show_mask or self.case is None:
            return None
        key = (plane, index)
        found = self._pictures.get(key)
        if found is None:
            found = self._render(plane, index)
            if found is None:
                return None
            if len(self._pictures) > 64:
                self._pictures.clear()
            self._pictures[key] = found
        return found

    def _render(self, plane: Plane, index: int) -> MaskPicture | None:
        if self.preview is not None:
            labels = label_picture(self.preview, plane, index)
            return render(labels, tissue_colours(self.hidden), self.opacity, fill=True, outline=False)
        if self.rating is None:
            return None
        labels = label_picture(self.rating.label_map.array, plane, index)
        if self.uncertainty is not None and self.overlay is OverlayKind.UNCERTAINTY:
            values = label_picture(self.uncertainty, plane, index)
            return render_uncertainty(values, labels > 0, self.opacity)
        if self.overlay is OverlayKind.DIFFERENCE and self.reference is not None:
            reference = label_picture(self.reference.label_map.array, plane, index)
            codes = difference_map(reference, labels, self.region)
            return render(
                codes, DIFFERENCE_COLOURS, self.opacity, fill=not self.outline_only, outline=self.outline_only
            )
        return render(
            labels,
            tissue_colours(self.hidden),
            self.opacity,
            fill=not self.outline_only,
            outline=self.outline_only,
        )
