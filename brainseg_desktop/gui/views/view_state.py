"""What the views show: cursor, camera, windows, overlay and tool. One object, shared by all views.

It holds no image and no mask of its own; it points at the case and the ratings that the session holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

import numpy as np
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, centre_voxel
from brainseg_desktop.core.labels import TISSUE_COLOURS, WT, Region, Tissue
from brainseg_desktop.core.measurements import Measurement
from brainseg_desktop.core.volume import Sequence, Volume, background_value, default_window
from brainseg_desktop.gui.views.mask_pictures import MaskPictures
from brainseg_desktop.gui.views.overlay import Colour, MaskPicture
from brainseg_desktop.gui.views.plane import USUAL, Camera, Orientation, Plane

MIN_BRUSH_MM, MAX_BRUSH_MM = 1.0, 80.0
MIN_ZOOM, MAX_ZOOM = 0.3, 40.0
# A fitted head leaves so much room for what is written around it.
_MARGIN = 1.18


class Mode(Enum):
    """What the left button does."""

    CROSSHAIR = "crosshair"
    WINDOW = "window"
    BRUSH = "brush"
    ERASER = "eraser"
    SMART_BRUSH = "smart_brush"
    POLYGON = "polygon"
    LASSO = "lasso"
    SPLINE = "spline"
    SCISSORS = "scissors"
    FILL = "fill"
    THRESHOLD = "threshold"
    SCRIBBLE = "scribble"
    RULER = "ruler"
    ANGLE = "angle"
    ROI = "roi"


class OverlayKind(Enum):
    """What is laid over the images."""

    MASK = "mask"
    BOTH_MASKS = "both_masks"
    DIFFERENCE = "difference"
    UNCERTAINTY = "uncertainty"
    AGREEMENT_MAP = "agreement_map"


# What shows masks beside the one that is shown.
OF_SEVERAL_MASKS = (OverlayKind.BOTH_MASKS, OverlayKind.DIFFERENCE, OverlayKind.AGREEMENT_MAP)


class MaskStyle(Enum):
    """How a mask is drawn: (name, filled, outlined)."""

    FILL = ("fill", True, False)
    OUTLINE = ("outline", False, True)
    BOTH = ("both", True, True)

    @property
    def fill(self) -> bool:
        return self.value[1]

    @property
    def outline(self) -> bool:
        return self.value[2]


class Split(Enum):
    """How a second sequence or mask is shown in the same view."""

    NONE = "none"
    CURTAIN = "curtain"
    BLINK = "blink"


class ViewState(QObject):
    """Shared state of the views; every setter clamps, and tells only when something changed."""

    case_changed = Signal()
    cursor_changed = Signal()
    camera_changed = Signal()
    windows_changed = Signal()
    overlay_changed = Signal()
    voxels_changed = Signal(object)  # Box
    tool_changed = Signal()
    measurements_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.case: Case | None = None
        self.rating: Rating | None = None
        self.reference: Rating | None = None
        # The mask side of the difference, where it is not the mask shown.
        self.compared: Rating | None = None
        # Those whose votes the agreement map counts.
        self.readers: tuple[Rating, ...] = ()
        self.may_compare = True
        self.cursor: tuple[int, int, int] = (0, 0, 0)
        self.camera = Camera(1.0, (0.0, 0.0, 0.0))
        self._fitted = self.camera
        self.windows: dict[Sequence, tuple[float, float]] = {}
        self.mode = Mode.CROSSHAIR
        self.brush_mm = 8.0
        self.eraser_mm = 8.0
        self.ball = False
        self.constraints = Constraints()
        self.tissue = Tissue.NECROSIS
        self.show_mask = True
        self.opacity = 0.5
        self.style = MaskStyle.FILL
        self.colours: Mapping[Tissue, Colour] = TISSUE_COLOURS
        self.hidden: frozenset[Tissue] = frozenset()
        self.overlay = OverlayKind.MASK
        # How undecided a network was, (X, Y, Z) uint8; None where there is no such map.
        self.uncertainty: np.ndarray | None = None
        self.region: Region = WT
        self.smooth = False
        self.colour_maps: dict[Sequence, str] = {}
        self.orientation = USUAL
        # What the curtain uncovers and blinking brings: another sequence, and the mask compared with.
        self.split = Split.NONE
        self.second_sequence: Sequence | None = None
        self.curtain = 0.5
        self.measurements: tuple[Measurement, ...] = ()
        # Slices a running segmentation has delivered so far, shown until it ends.
        self.preview: np.ndarray | None = None
        self._pictures = MaskPictures(self)
        self.default_windows: dict[Sequence, tuple[float, float]] = {}

    # The case ---------------------------------------------------------------------------------------

    def set_case(self, case: Case | None) -> None:
        """Show a case from its middle, fitted, each sequence in its default window."""
        self.case = case
        self.rating = self.reference = self.compared = None
        self.readers = ()
        self.preview = self.uncertainty = None
        self._pictures.clear()
        self.windows = {}
        self.colour_maps = {}
        self.measurements = ()
        self.split, self.second_sequence = Split.NONE, None
        # A range of intensities means nothing in another exam.
        self.constraints = replace(self.constraints, intensity=None)
        self.default_windows = {}
        if case is not None:
            self.cursor = centre_voxel(case.grid.shape)
            self._fitted = self._fit_head(case)
            self.camera = self._fitted
            self.windows = {s: default_window(v.data) for s, v in case.volumes.items()}
            self.default_windows = dict(self.windows)
        self.overlay = OverlayKind.MASK
        self.case_changed.emit()
        self.measurements_changed.emit()
        self.cursor_changed.emit()

    def set_rating(self, rating: Rating | None) -> None:
        """Lay this rating over the images."""
        self.rating = rating
        self.refresh_overlay()

    def set_reference(self, rating: Rating | None) -> None:
        """Compare with this rating in the difference overlay."""
        self.reference = rating
        self.refresh_overlay()

    def set_readers(self, ratings: tuple[Rating, ...]) -> None:
        """Count the votes of these in the agreement map."""
        if ratings != self.readers:
            self.readers = ratings
            self.refresh_overlay()

    def set_may_compare(self, on: bool) -> None:
        """Allow what shows several masks, or not: in a blinded reading there is one."""
        self.may_compare = on
        self.set_overlay(self.overlay)

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
        inside = self.clamped(voxel)
        if inside != self.cursor:
            self.cursor = inside
            self.cursor_changed.emit()

    def clamped(self, voxel: tuple[int, int, int]) -> tuple[int, int, int]:
        """The voxel of the open case nearest to this one."""
        assert self.case is not None
        x, y, z = (min(max(0, i), n - 1) for i, n in zip(voxel, self.case.grid.shape, strict=True))
        return (x, y, z)

    def step(self, plane: Plane, steps: int) -> None:
        """Go some slices up (to superior, anterior, right) or down."""
        voxel = list(self.cursor)
        voxel[plane.axis] += steps
        self.set_cursor((voxel[0], voxel[1], voxel[2]))

    @staticmethod
    def limited(camera: Camera) -> Camera:
        """The camera with a zoom within the limits."""
        return replace(camera, zoom=min(max(MIN_ZOOM, camera.zoom), MAX_ZOOM))

    def set_camera(self, camera: Camera) -> None:
        self.camera = self.limited(camera)
        self.camera_changed.emit()

    def set_orientation(self, orientation: Orientation) -> None:
        """Look from the other side; voxels and files stay as they are."""
        if orientation != self.orientation:
            self.orientation = orientation
            self._pictures.clear()
            self.camera_changed.emit()

    @property
    def fitted_camera(self) -> Camera:
        """The camera on the whole head."""
        return self._fitted

    def reset_camera(self) -> None:
        """Fit the head into every view again."""
        self.set_camera(self._fitted)

    @staticmethod
    def _fit_head(case: Case) -> Camera:
        """A camera on what is not background in any plane, so that an empty border takes no room."""
        data = next(iter(case.aligned.values())).data[::2, ::2, ::2]
        n = case.grid.shape
        box = Box.of(data != background_value(data))
        if box.is_empty:
            box = Box((0, 0, 0), data.shape)
        first = [2 * a for a in box.start]
        last = [min(2 * b, m) for b, m in zip(box.stop, n, strict=True)]
        middle = [(a + b - 1) / 2 for a, b in zip(first, last, strict=True)]
        extent = [_MARGIN * (b - a) for a, b in zip(first, last, strict=True)]
        return Camera(1.0, (middle[0], middle[1], middle[2]), (extent[0], extent[1], extent[2]))

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
        self.windows = dict(self.default_windows)
        self.windows_changed.emit()

    def auto_window(self, sequence: Sequence) -> None:
        """The same for one sequence."""
        self.windows[sequence] = self.default_windows[sequence]
        self.windows_changed.emit()

    def set_show_mask(self, on: bool) -> None:
        self.show_mask = on
        self.overlay_changed.emit()

    def set_opacity(self, opacity: float) -> None:
        self.opacity = min(max(0.0, opacity), 1.0)
        self.refresh_overlay()

    def set_style(self, style: MaskStyle) -> None:
        """Fill, outline or both."""
        self.style = style
        self.refresh_overlay()

    def set_colours(self, colours: Mapping[Tissue, Colour]) -> None:
        """Draw the labels in these colours."""
        self.colours = dict(colours)
        self.refresh_overlay()

    def set_colour_map(self, sequence: Sequence, name: str) -> None:
        """Draw a sequence in a colour map of `colour_maps`; "grey" is usual."""
        self.colour_maps[sequence] = name
        self.windows_changed.emit()

    def set_hidden(self, tissue: Tissue, hidden: bool) -> None:
        """Hide or show one label in the overlay."""
        self.hidden = self.hidden | {tissue} if hidden else self.hidden - {tissue}
        self.refresh_overlay()

    def set_overlay(self, kind: OverlayKind) -> None:
        self.overlay = kind if self.may_compare or kind not in OF_SEVERAL_MASKS else OverlayKind.MASK
        self.refresh_overlay()

    @property
    def shows_agreement_map(self) -> bool:
        """Whether the views show how many readers marked each voxel."""
        chosen = self.overlay is OverlayKind.AGREEMENT_MAP and self.show_mask and self.preview is None
        return chosen and len(self.readers) > 1

    @property
    def shows_uncertainty(self) -> bool:
        """Whether the views show how undecided the network was."""
        chosen = self.overlay is OverlayKind.UNCERTAINTY and self.show_mask and self.preview is None
        return chosen and self.uncertainty is not None

    def set_region(self, region: Region) -> None:
        """Region whose difference is shown."""
        self.region = region
        self.refresh_overlay()

    def set_split(self, split: Split) -> None:
        """Show the second sequence or mask behind a curtain, in place of the first, or not at all."""
        self.split = split
        self.overlay_changed.emit()

    def set_second_sequence(self, sequence: Sequence | None) -> None:
        """Sequence behind the curtain; None for the same one (and only the mask differs)."""
        self.second_sequence = sequence
        self.overlay_changed.emit()

    def set_curtain(self, share: float) -> None:
        """Where the curtain hangs: 0 at the left edge of each view, 1 at the right."""
        self.curtain = min(max(0.0, share), 1.0)
        self.overlay_changed.emit()

    def set_smooth(self, on: bool) -> None:
        """Interpolate the images between voxels (display only)."""
        self.smooth = on
        self.windows_changed.emit()

    def set_measurements(self, measurements: tuple[Measurement, ...]) -> None:
        """Rulers, angles, regions and diameters drawn on the case."""
        self.measurements = measurements
        self.measurements_changed.emit()

    # Tool -------------------------------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.tool_changed.emit()

    def set_brush_mm(self, diameter: float) -> None:
        self.brush_mm = min(max(MIN_BRUSH_MM, diameter), MAX_BRUSH_MM)
        self.tool_changed.emit()

    @property
    def tool_mm(self) -> float:
        """Diameter of the present tool: the eraser has its own."""
        return self.eraser_mm if self.mode is Mode.ERASER else self.brush_mm

    def set_tool_mm(self, diameter: float) -> None:
        """Change the diameter of the present tool."""
        if self.mode is Mode.ERASER:
            self.eraser_mm = min(max(MIN_BRUSH_MM, diameter), MAX_BRUSH_MM)
            self.tool_changed.emit()
        else:
            self.set_brush_mm(diameter)

    def set_ball(self, on: bool) -> None:
        self.ball = on
        self.tool_changed.emit()

    def set_constraints(self, constraints: Constraints) -> None:
        """Which voxels the tools may change."""
        self.constraints = constraints
        self.tool_changed.emit()

    def set_locked(self, tissue: Tissue, locked: bool) -> None:
        """Protect one label from all tools, or free it."""
        others = self.constraints.locked - {tissue}
        self.set_constraints(replace(self.constraints, locked=others | {tissue} if locked else others))

    def set_keep_others(self, on: bool) -> None:
        self.set_constraints(replace(self.constraints, keep_others=on))

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
        self._pictures.touch(box)
        self.voxels_changed.emit(box)

    def mask_picture(self, plane: Plane, index: int, *, other: bool = False) -> MaskPicture | None:
        """The overlay of one slice, or that of the mask compared with; None where nothing is to be shown."""
        return self._pictures.get(plane, index, other=other)
