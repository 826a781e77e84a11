"""Whole-label tools: worked out in the background on a copy of the mask, applied as one named step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core import label_parts, label_tools
from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.label_tools import Change, Kept
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.tasks.label_words import counts_of, name_of, volumes_in_words
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.session import Session

Voxel = tuple[int, int, int]
_Work = Callable[[NDArray[np.uint8]], Change | None]


@dataclass(frozen=True, slots=True)
class _Task:
    """What was asked for, and of what: if any of it is another one later, the result is stale.

    Parameters
    ----------
    title : str
        Name of the step, without volumes.
    told : tuple of Tissue
        Labels whose volumes the step's name tells; empty for all labels together.
    whole : bool
        All of it or nothing: half a swap would mix two labels for good.
    """

    title: str
    told: tuple[Tissue, ...]
    whole: bool
    case: Case
    rating: Rating
    tissue: Tissue
    constraints: Constraints


class LabelEditing(QObject):
    """The tools that change a label of the mask shown as a whole.

    Parameters
    ----------
    state : ViewState
        Chosen label and constraints.
    editing : Editing
    jobs : Jobs
    session : Session
        The mask shown, and the others to take from.
    say : callable
        Shows a sentence to the reader.
    complain : callable
        Tells of an error in background work.

    Signals
    -------
    told : the name of the step that was made, with volumes before and after.
    busy_changed : title of what is being worked out; empty when nothing is.
    masks_changed : another mask is shown, or masks came or went.
    """

    told = Signal(str)
    busy_changed = Signal(str)
    masks_changed = Signal()

    def __init__(
        self,
        state: ViewState,
        editing: Editing,
        jobs: Jobs,
        session: Session,
        say: Callable[[str], None],
        complain: Callable[[BaseException], None],
    ) -> None:
        super().__init__(state)
        self._state, self._editing, self._jobs, self._session = state, editing, jobs, session
        self._say, self._complain = say, complain
        self._busy = ""
        session.ratings_changed.connect(lambda _: self.masks_changed.emit())

    @property
    def busy(self) -> str:
        """Title of what is being worked out; empty when nothing is."""
        return self._busy

    @property
    def editable(self) -> Rating | None:
        """The mask that would be changed; None where there is none."""
        return self._session.editable()

    @property
    def shown(self) -> Rating | None:
        """The mask shown, editable or not."""
        return self._session.shown

    @property
    def others(self) -> tuple[Rating, ...]:
        """The masks that can be taken from."""
        case = self._session.case
        return tuple(r for r in case.ratings if r is not self._session.shown) if case is not None else ()

    # Tools ------------------------------------------------------------------------------------------

    def grow(self, mm: float) -> None:
        """Add what lies within a distance of the chosen label to it."""
        self._border("Grow", mm, lambda labels, t, grid, kept: label_tools.grow(labels, t, grid, mm))

    def shrink(self, mm: float) -> None:
        """Take what lies within a distance of the chosen label's border from it."""
        self._border(
            "Shrink", mm, lambda labels, t, grid, kept: label_tools.shrink(labels, t, grid, mm, kept)
        )

    def smooth(self, mm: float) -> None:
        """Round off the chosen label, its volume kept."""
        self._border(
            "Smooth", mm, lambda labels, t, grid, kept: label_tools.smooth(labels, t, grid, mm, kept)
        )

    def fill_holes(self, plane: Plane | None = None) -> None:
        """Fill background that labels enclose and the chosen one touches.

        Parameters
        ----------
        plane : Plane or None
            In each slice of this plane; None in three dimensions.
        """
        tissue, axis = self._state.tissue, None if plane is None else plane.axis
        where = "3D" if plane is None else f"{plane.title} slices"
        self._start(
            f"Fill holes, {name_of(tissue)}, {where}",
            lambda labels: label_parts.fill_holes(labels, tissue, axis),
            (tissue,),
        )

    def drop_islands(self, ml: float) -> None:
        """Take the connected parts of the chosen label that are smaller than a volume from it."""
        case = self._state.case
        if case is None:
            return
        grid, tissue, kept = case.grid, self._state.tissue, self._kept()
        size = f"{ml:g} mL" if grid.spacing_known else f"{round(ml / grid.voxel_volume_ml):,} voxels"
        self._start(
            f"Drop islands, {name_of(tissue)}, under {size}",
            lambda labels: label_parts.drop_islands(labels, tissue, grid, ml, kept),
            (tissue,),
        )

    def keep_largest(self) -> None:
        """Take all connected parts of the chosen label but the largest from it."""
        tissue, kept = self._state.tissue, self._kept()
        self._start(
            f"Keep largest, {name_of(tissue)}",
            lambda labels: label_parts.keep_largest(labels, tissue, kept),
            (tissue,),
        )

    def relabel_component(self, voxel: Voxel, tissue: Tissue) -> None:
        """Give the connected part of the label at a voxel to another label; BACKGROUND erases it."""
        rating = self._session.editable()
        if rating is None:
            self._ready("Relabel")
            return
        source = Tissue(int(rating.label_map.array[voxel]))
        if source is Tissue.BACKGROUND:
            self._say(tr("There is no label under the crosshair. Shift+move puts the crosshair on a part."))
            return
        if source is tissue:
            self._say(tr("The part under the crosshair is {label} already.", label=name_of(tissue)))
            return
        told = tuple(t for t in (source, tissue) if t is not Tissue.BACKGROUND)
        self._start(
            f"Relabel, {name_of(source)} to {name_of(tissue)}",
            lambda labels: label_parts.relabel_component(labels, voxel, tissue),
            told,
        )

    def swap(self, first: Tissue, second: Tissue) -> None:
        """Exchange two labels everywhere, or nowhere if a rule forbids it for a part of them."""
        self._start(
            f"Swap, {name_of(first)} and {name_of(second)}",
            lambda labels: label_parts.swap(labels, first, second),
            (first, second),
            whole=True,
        )

    def take_from(self, source: Rating, where: Voxel | Box) -> None:
        """Make the mask equal to another one in the lesion at a voxel, or in a box."""
        rating, other = self._session.editable(), source.label_map.array
        title = f"Take from {source.rater}"
        if rating is None:
            self._ready(title)
            return
        if other.shape != rating.label_map.shape:
            self._say(tr("{title}: that mask is of another case.", title=step_words(title)))
            return
        scheme, copied = rating.scheme, other.copy()

        def work(labels: NDArray[np.uint8]) -> Change | None:
            if isinstance(where, Box):
                change = label_parts.take_box(labels, copied, where)
            else:
                change = label_parts.take_lesion(labels, copied, where)
            if change is not None:
                # Labels that the mask's file could not hold are refused now, not at the export.
                scheme.encode(np.unique(change.labels))
            return change

        self._start(title, work, ())

    def clear_label(self) -> None:
        """Make every voxel of the chosen label background."""
        tissue = self._state.tissue
        self._start(
            f"Clear, {name_of(tissue)}", lambda labels: label_parts.clear_label(labels, tissue), (tissue,)
        )

    # Inside -----------------------------------------------------------------------------------------

    def _border(
        self,
        verb: str,
        mm: float,
        tool: Callable[[NDArray[np.uint8], Tissue, Grid, Kept], Change | None],
    ) -> None:
        case, tissue, kept = self._state.case, self._state.tissue, self._kept()
        if case is None:
            return
        grid = case.grid
        unit = "mm" if grid.spacing_known else "px"
        self._start(
            f"{verb}, {name_of(tissue)}, {mm:g} {unit}",
            lambda labels: tool(labels, tissue, grid, kept),
            (tissue,),
        )

    def _kept(self) -> Kept:
        """The labels that neither lose nor gain a voxel under the rules that are on."""
        rules = self._state.constraints
        others = frozenset(Tissue) - {Tissue.BACKGROUND, self._state.tissue}
        return rules.locked | others if rules.keep_others else rules.locked

    def _ready(self, title: str) -> Rating | None:
        """The mask to be changed; None, and the reader is told why, if nothing can be changed now."""
        if self._busy:
            self._say(
                tr(
                    "{busy} is still being worked out. Wait for it, then choose {title} again.",
                    busy=step_words(self._busy),
                    title=step_words(title),
                )
            )
            return None
        if self._editing.is_open:
            self._say(tr("{title}: another edit is under way. Finish it first.", title=step_words(title)))
            return None
        # Opened only to be told now, and not after the work, that the mask or the label may not be changed.
        if not self._editing.begin():
            return None
        self._editing.cancel()
        return self._session.editable()

    def _start(self, title: str, work: _Work, told: tuple[Tissue, ...], *, whole: bool = False) -> None:
        rating, state = self._ready(title), self._state
        case = self._session.case
        if rating is None or case is None:
            return
        task = _Task(title, told, whole, case, rating, state.tissue, state.constraints)
        labels = rating.label_map.array.copy()
        edited: list[Box] = []
        disconnect = rating.history.changed.connect(edited.append)

        def done(result: tuple[Change | None, NDArray[np.int64]]) -> None:
            disconnect()
            self._set_busy("")
            reason = self._stale(task, edited=bool(edited))
            if reason:
                self._say(tr("{title} was dropped: {reason}", title=step_words(title), reason=reason))
            else:
                self._apply(task, *result)

        def failed(error: BaseException) -> None:
            disconnect()
            self._set_busy("")
            self._complain(error)

        self._set_busy(title)
        self._jobs.free(lambda: (work(labels), counts_of(labels)), done, failed)

    def _stale(self, task: _Task, *, edited: bool) -> str:
        """Why a result does not fit any more; empty if it does."""
        state, session = self._state, self._session
        if session.case is not task.case or session.editable() is not task.rating:
            return tr("another case or mask is shown now.")
        if edited or self._editing.is_open or task.rating.history.is_editing:
            return tr("the mask was edited meanwhile. Choose it again.")
        if (state.tissue, state.constraints) != (task.tissue, task.constraints):
            return tr("the label or the rules were changed meanwhile. Choose it again.")
        return ""

    def _apply(self, task: _Task, change: Change | None, counts: NDArray[np.int64]) -> None:
        """Make the step, with the volumes that the rules leave of it in its name."""
        if change is None:
            missing = [name_of(t) for t in task.told if not counts[t]]
            self._say(
                tr("{task}: no voxel changes", task=step_words(task.title))
                + "".join(tr("; there is no {label}", label=m) for m in missing)
                + "."
            )
            return
        box, before = change.box, task.rating.label_map.array[change.box.slices]
        may = self._editing.permitted(box, change.labels)
        after = np.where(may, change.labels, before)
        if np.array_equal(after, before):
            self._say(
                tr("{task}: no voxel changes under the rules that are on.", task=step_words(task.title))
            )
            return
        if task.whole and not np.array_equal(after, change.labels):
            self._say(
                tr(
                    "{task}: the rules that are on forbid it for some voxels. Nothing was changed.",
                    task=step_words(task.title),
                )
            )
            return
        left = counts - counts_of(before) + counts_of(after)
        name = f"{task.title}: {volumes_in_words(counts, left, task.told, task.case.grid)}"
        if self._editing.once(name, box, after):
            self.told.emit(name)

    def _set_busy(self, title: str) -> None:
        self._busy = title
        self.busy_changed.emit(title)
