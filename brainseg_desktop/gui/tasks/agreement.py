"""Keeps the agreement panel and the volumes in step with the masks, while painting too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.labels import TISSUE_NAMES, Region, Tissue
from brainseg_desktop.gui.agreement.consensus_making import ConsensusMaking
from brainseg_desktop.gui.agreement.reporting import Reporting
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.compare_panel import ComparePanel
from brainseg_desktop.gui.panels.labels_panel import LabelsPanel
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.gui.views.view_state import OverlayKind
from brainseg_desktop.gui.views.viewer import Viewer
from brainseg_desktop.services.consensus import Method
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.pair_report import middle_of_difference, rows_of, shared_regions

# The numbers follow the brush, but the screen need not show more than some twenty sets a second.
_REFRESH_MS = 50
# What needs masks beside the one shown: how many masks of the case, at least.
_NEEDED = {
    "compare": 1,
    "swap_pair": 2,
    "both_masks": 1,
    "difference": 1,
    "agreement_map": 2,
    "majority": 2,
    "staple": 2,
}


class Agreement(QObject):
    """Between the session's counts and the panels that show them."""

    def __init__(self, desk: Desk, panel: ComparePanel, labels: LabelsPanel, viewer: Viewer) -> None:
        super().__init__(desk.window)
        self._desk, self._panel, self._labels, self._viewer = desk, panel, labels, viewer
        self._ratings: list[Rating] = []
        self._references: list[Rating] = []
        self._masks: list[Rating] = []
        self._sets: dict[str, Region] = {}
        self._actions: Mapping[str, QAction] = {}
        self._available, self._why = True, ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.reporting = Reporting(desk, lambda: self._plane)
        self.consensus = ConsensusMaking(desk)
        panel.reference_chosen.connect(self._choose_reference)
        panel.mask_chosen.connect(self._choose_mask)
        panel.swap_wanted.connect(self.swap)
        panel.report_wanted.connect(self.show_report)
        panel.region_chosen.connect(self._choose_region)
        panel.slice_clicked.connect(self._go_to_slice)
        panel.number_clicked.connect(self._go_to_worst)
        desk.state.cursor_changed.connect(self._mark_slice)

    # Switching off ----------------------------------------------------------------------------------

    def set_actions(self, actions: Mapping[str, QAction]) -> None:
        """The window's actions, of which those of agreement are switched on and off here."""
        self._actions = actions

    @property
    def is_available(self) -> bool:
        """Whether masks may be compared."""
        return self._available

    def set_available(self, on: bool, why: str = "") -> None:
        """Allow to compare masks, or not: in a blinded reading no number of another's mask may be had.

        Parameters
        ----------
        why : str
            What the panel says in place of numbers while it is off.
        """
        self._available, self._why = on, why
        if not on:
            self.reporting.close()
            self.consensus.drop()
            self._desk.session.compare_pair(None, None)
        self._desk.state.set_may_compare(on)
        self.follow()

    def follow_actions(self) -> None:
        """Switch the actions on for which there are masks enough."""
        case = self._desk.session.case
        masks = len(case.ratings) if case is not None and self._available else 0
        for name, needed in _NEEDED.items():
            if name in self._actions:
                self._actions[name].setEnabled(masks >= needed)

    # Following --------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Masks came, went or changed places."""
        session, state = self._desk.session, self._desk.state
        if not self._available and session.reference is not None:
            session.compare_pair(None, None)
            return
        self._ratings = list(session.case.ratings) if session.case is not None and self._available else []
        self.reporting.follow()
        if session.case is None:
            self.consensus.drop()
        # Neither side offers the mask of the other: who goes through a list by the keys would swap them.
        self._references = [r for r in self._ratings if r is not session.measured]
        self._masks = [r for r in self._ratings if r is not session.reference]
        self._panel.set_references(
            [r.rater for r in self._references], _row(self._references, session.reference)
        )
        shown = session.shown.rater if session.shown is not None and self._available else ""
        self._panel.set_masks(shown, [r.rater for r in self._masks], _row(self._masks, session.compared))
        self._sets = self._regions(session.measured, session.reference)
        if state.region.name not in self._sets and self._sets:
            state.region = next(iter(self._sets.values()))
        self._panel.set_regions(list(self._sets), state.region.name)
        state.set_readers(self.readers() if self._available else ())
        if state.overlay is OverlayKind.AGREEMENT_MAP and len(state.readers) < 2:
            state.set_overlay(OverlayKind.MASK)
        self.follow_actions()
        self.refresh()

    def readers(self) -> tuple[Rating, ...]:
        """Whose votes count: all readers who marked anything, else all masks that are no consensus."""
        marked = [r for r in self._ratings if not self._desk.session.is_blank(r)]
        people = tuple(r for r in marked if r.kind is RaterKind.HUMAN)
        if len(people) > 1:
            return people
        return tuple(r for r in marked if r.kind is not RaterKind.CONSENSUS)

    def voxels_changed(self) -> None:
        """A stroke goes on: refresh soon."""
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Bring all numbers up to date."""
        self._timer.stop()
        self._refresh_volumes()
        session, state = self._desk.session, self._desk.state
        if state.overlay is OverlayKind.AGREEMENT_MAP:
            # The first stroke makes a blank mask one of those that vote.
            state.set_readers(self.readers())
        live, mask, reference = session.live, session.measured, session.reference
        if not self._available or live is None or mask is None or reference is None:
            self._panel.clear(self._why_no_numbers())
            return
        regions = [r for r in self._sets.values() if r.name in ("WT", "TC", "ET")]
        tissues = mask.scheme.tissues
        scores = live.scores(regions, tissues)
        named = {TISSUE_NAMES[t]: scores[t.name.lower()] for t in tissues}
        self._panel.set_scores({r.name: scores[r.name] for r in regions}, named)
        self._panel.set_difference(live.confusion(state.region.tissues), self._voxel_ml())
        plane = self._plane
        self._panel.set_slices(
            live.dice_by_slice(plane.axis, state.region), state.cursor[plane.axis], state.region.name
        )

    def _why_no_numbers(self) -> str:
        if not self._available:
            return self._why
        if self._desk.session.case is None:
            return tr("Open a case to compare masks.")
        if len(self._ratings) < 2:
            return tr("There is no other mask to compare with. Segment with AI, or load a mask.")
        return tr("Choose a mask to compare with.")

    def _refresh_volumes(self) -> None:
        session = self._desk.session
        if session.case is None or session.shown is None:
            self._labels.set_volumes({})
            return
        live, grid = session.live, session.case.grid
        if live is not None and session.measured is session.shown:
            counts = live.histogram.sum(axis=0)
        elif live is not None and session.reference is session.shown:
            counts = live.histogram.sum(axis=1)
        else:
            counts = np.zeros(len(Tissue), np.int64)
            for part in session.shown.label_map.array:  # the whole array at once would become int64
                if part.any():
                    counts += np.bincount(part.ravel(), minlength=len(Tissue))
        self._labels.set_unit("mL" if grid.spacing_known else tr("voxels"))
        factor = grid.voxel_volume_ml if grid.spacing_known else 1.0
        decimals = 1 if grid.spacing_known else 0
        self._labels.set_volumes({t: f"{counts[t] * factor:,.{decimals}f}" for t in Tissue})

    def _voxel_ml(self) -> float | None:
        case = self._desk.session.case
        return case.grid.voxel_volume_ml if case is not None and case.grid.spacing_known else None

    @staticmethod
    def _regions(mask: Rating | None, other: Rating | None) -> dict[str, Region]:
        """Regions that both masks can tell apart, then the labels of the mask, each as a region."""
        if mask is None:
            return {}
        regions = mask.scheme.regions if other is None else shared_regions(other, mask)
        return rows_of(regions, mask.scheme.tissues)

    # Choosing ---------------------------------------------------------------------------------------

    def swap(self) -> None:
        """Take the mask as reference and the reference as mask, whichever is shown."""
        session = self._desk.session
        reference, mask = session.reference, session.measured
        if reference is None or mask is None or not self._available:
            self._desk.say(tr("Choose a mask to compare with, in the agreement panel."))
            return
        session.compare_pair(mask, reference if reference is not session.shown else None)

    def _choose_reference(self, row: int) -> None:
        self._desk.session.compare_with(self._references[row] if row >= 0 else None)

    def _choose_mask(self, row: int) -> None:
        """Measure this one, whichever is shown; -1 for the mask shown."""
        session = self._desk.session
        chosen = self._masks[row] if row >= 0 else None
        # If the mask shown is the reference, the two change places.
        swaps = chosen is None and session.shown is session.reference
        session.compare_pair(session.measured if swaps else session.reference, chosen)

    def _choose_region(self, name: str) -> None:
        if name in self._sets:
            self._desk.state.set_region(self._sets[name])
            self.refresh()

    # Going there ------------------------------------------------------------------------------------

    @property
    def _plane(self) -> Plane:
        return self._viewer.views[0].plane if self._viewer.views else self._viewer.plane

    def _go_to_slice(self, index: int) -> None:
        state = self._desk.state
        state.step(self._plane, index - state.cursor[self._plane.axis])

    def _go_to_worst(self, name: str) -> None:
        """Where the pair differs most in this region, on the slices of the first view."""
        session = self._desk.session
        live, mask, reference = session.live, session.measured, session.reference
        region = self._sets.get(name)
        if live is None or mask is None or reference is None or region is None:
            return
        voxel = middle_of_difference(
            live, reference.label_map.array, mask.label_map.array, region, self._plane.axis
        )
        if voxel is None:
            self._desk.say(tr("The two masks do not differ in {name}.", name=name))
            return
        self._desk.state.set_cursor(voxel)

    def _mark_slice(self) -> None:
        if self._viewer.views:
            self._panel.set_current_slice(self._desk.state.cursor[self._plane.axis])

    # More than fits the panel -----------------------------------------------------------------------

    def show_report(self) -> None:
        """All measures of the pair, distances too, in a window of their own."""
        session = self._desk.session
        if session.case is None or not self._available:
            return
        if session.reference is None:
            self._desk.say(tr("Choose a mask to compare with, in the agreement panel."))
            return
        self.reporting.show()

    def ask_consensus(self, method: Method) -> None:
        """Make a mask of several; the readers who marked anything are ticked."""
        if self._available and self._desk.session.case is not None:
            people = [r for r in self.readers() if r.kind is RaterKind.HUMAN]
            self.consensus.ask(method, people)


def _row(ratings: list[Rating], rating: Rating | None) -> int:
    return ratings.index(rating) if rating in ratings else -1
