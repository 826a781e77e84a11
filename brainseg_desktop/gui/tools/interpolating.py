"""Interpolation between drawn slices: proposed on the views, then accepted as one step or dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QTransform

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.interpolation import Interpolated, interpolate
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.overlay import outline_path
from brainseg_desktop.gui.views.plane import Plane, Projection
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import tr, tr_many

_log = logging.getLogger(__name__)

# Above the colour of the label itself, so that what is proposed is told from what is there.
_LIGHTER = 140
_TINT_ALPHA, _HATCH_ALPHA = 35, 150
_MOST = 64


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be added, and to which label of which mask."""

    rating: Rating
    tissue: Tissue
    found: Interpolated

    @property
    def plane(self) -> Plane:
        """The plane of the slices that were drawn."""
        return next(p for p in Plane if p.axis == self.found.axis)

    @property
    def in_words(self) -> str:
        """Number and plane of the slices."""
        n = len(self.found.slices)
        return tr_many("{count} slice {plane}", "{count} slices {plane}", n, plane=self.plane.words)


class Interpolating(QObject):
    """Proposes the slices between drawn ones, in the background.

    A proposal belongs to the mask as it was: any change of the mask, another mask or another case drops it.

    Parameters
    ----------
    state : ViewState
    editing : Editing
    jobs : Jobs
    say : callable
        Shows a sentence to the reader.

    Signals
    -------
    changed : there is a proposal, or no longer; or the work on one has begun or ended.
    """

    changed = Signal()

    def __init__(
        self,
        state: ViewState,
        editing: Editing,
        jobs: Jobs,
        say: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._editing, self._jobs, self._say = state, editing, jobs, say
        self.proposal: Proposal | None = None
        # The mask that work goes on for, and the number of this work: only the latest result counts.
        self._wanted: Rating | None = None
        self._number = 0
        self._paths: dict[tuple[object, ...], tuple[QPainterPath, QPainterPath]] = {}
        state.case_changed.connect(self._follow)
        state.overlay_changed.connect(self._follow)
        state.voxels_changed.connect(self._edited)

    @property
    def is_working(self) -> bool:
        """Whether a proposal is being made."""
        return self._wanted is not None

    def preview(self, tissue: Tissue | None = None, axis: int | None = None) -> None:
        """Propose the empty slices between those on which a label is drawn.

        Parameters
        ----------
        tissue : Tissue or None
            None for the chosen label; another one becomes the chosen label.
        axis : int or None
            Across the slices; None to find it.
        """
        self._clear()
        if tissue is not None and tissue is not self._state.tissue:
            self._state.set_tissue(tissue)
        # A mask that may not be changed is said now, not after the reader has looked at a proposal.
        if self._state.case is None or not self._editing.begin():
            return
        self._editing.cancel()
        rating = self._state.rating
        if rating is None:
            return
        self._wanted = rating
        self.changed.emit()
        wanted = self._state.tissue
        work = partial(interpolate, rating.label_map.array, wanted, self._state.case.grid, axis)
        self._jobs.free(
            work, partial(self._take, self._number, rating, wanted), partial(self._fail, self._number)
        )

    def accept(self) -> bool:
        """Add what is proposed as one step; False if there is no proposal or no voxel changed."""
        proposal = self.proposal
        if proposal is None:
            return False
        self._clear()
        if self._state.tissue is not proposal.tissue:
            # The rules are about the chosen label.
            self._state.set_tissue(proposal.tissue)
        box, mask = proposal.found.box, proposal.found.mask
        before = proposal.rating.label_map.array[box.slices]
        labels = np.where(mask, np.uint8(proposal.tissue), before)
        slices, plane = len(proposal.found.slices), proposal.plane.title
        label = TISSUE_NAMES[proposal.tissue].lower()
        name = f"Interpolate, {label}, {slices} slice{'s' if slices != 1 else ''} {plane}"
        return self._editing.once(name, box, labels)

    def drop(self) -> None:
        """Let the proposal, or the work on one, go; no voxel has changed."""
        self._clear()

    # The work and its end ---------------------------------------------------------------------------

    def _take(self, number: int, rating: Rating, tissue: Tissue, found: Interpolated | None) -> None:
        if number != self._number:
            return
        self._wanted = None
        name = TISSUE_NAMES[tissue]
        if found is None:
            self._say(
                tr(
                    "{name}: nothing to interpolate. Draw it on two or more slices of one plane, with "
                    "empty slices between them.",
                    name=name,
                )
            )
            self.changed.emit()
            return
        self.proposal = Proposal(rating, tissue, found)
        self._say(
            tr(
                "{name}: {slices} proposed{volume}. Accept or drop them.",
                name=name,
                slices=self.proposal.in_words,
                volume=self._volume(found),
            )
        )
        self._redraw()

    def _volume(self, found: Interpolated) -> str:
        grid: Grid | None = None if self._state.case is None else self._state.case.grid
        if grid is None or not grid.spacing_known:
            return ""
        return f", {np.count_nonzero(found.mask) * grid.voxel_volume_ml:.1f} mL"

    def _fail(self, number: int, error: BaseException) -> None:
        _log.error("interpolation failed", exc_info=error)
        if number == self._number:
            self._wanted = None
            self._say(tr("The slices could not be interpolated; the mask is as it was."))
            self.changed.emit()

    def _follow(self) -> None:
        """Another mask or another case is shown: what was proposed does not belong to it."""
        of = self.proposal.rating if self.proposal is not None else self._wanted
        if of is not None and of is not self._state.rating:
            self._clear()

    def _edited(self, _: object) -> None:
        if self.proposal is not None or self.is_working:
            self._clear()
            self._say(tr("The mask has changed, so the proposed slices were dropped."))

    def _clear(self) -> None:
        had = self.proposal is not None or self.is_working
        self.proposal, self._wanted = None, None
        self._number += 1
        self._paths.clear()
        if had:
            self._redraw()

    def _redraw(self) -> None:
        self.changed.emit()
        # The views repaint.
        self._state.tool_changed.emit()

    # Drawing ----------------------------------------------------------------------------------------

    def draw(self, painter: QPainter, view: SliceView, projection: Projection) -> None:
        """Draw the proposed voxels of a view's slice: hatched, with an outline, lighter than the label."""
        proposal = self.proposal
        if proposal is None or not proposal.found.box.holds_plane(view.plane.axis, view.index):
            return
        area, edges = self._path(proposal, view.plane, view.index)
        if area.isEmpty():
            return
        # From voxel edges, counted from the corner of the box, to the widget.
        start = [v - 0.5 for v in proposal.found.box.start]
        origin = projection.point_of((start[0], start[1], start[2]))
        unit = projection.point_of((start[0] + 1, start[1] + 1, start[2] + 1)) - origin
        to_widget = QTransform(unit.x(), 0, 0, unit.y(), origin.x(), origin.y())
        colour = QColor(*self._state.colours[proposal.tissue]).lighter(_LIGHTER)
        tint, hatch = QColor(colour), QColor(colour)
        tint.setAlpha(_TINT_ALPHA)
        hatch.setAlpha(_HATCH_ALPHA)
        painter.save()
        painter.setClipRect(view.rect(), Qt.ClipOperation.IntersectClip)
        on_widget = to_widget.map(area)
        painter.fillPath(on_widget, tint)
        painter.fillPath(on_widget, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        for pen in (QPen(QColor(0, 0, 0, 180), 3), QPen(colour, 1.5)):
            painter.strokePath(to_widget.map(edges), pen)
        painter.restore()

    def _path(self, proposal: Proposal, plane: Plane, index: int) -> tuple[QPainterPath, QPainterPath]:
        """The area and the edges of the proposed voxels on a slice, in voxels from the corner of the box."""
        key = (plane, index)
        if key not in self._paths:
            if len(self._paths) >= _MOST:
                self._paths.clear()
            at = index - proposal.found.box.start[plane.axis]
            # Rows down the second axis of the plane, columns along the first: x and y of a path.
            cut = np.moveaxis(proposal.found.mask, plane.axis, 0)[at].T
            area = QPainterPath()
            steps = np.diff(np.pad(cut, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
            for (row, first), (_, last) in zip(starts.tolist(), stops.tolist(), strict=True):
                area.addRect(QRectF(first, row, last - first, 1))
            self._paths[key] = (area, outline_path(cut))
        return self._paths[key]
