"""Correcting with what the network told: other thresholds, its answer again in a box, doubtful regions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.doubt import DoubtfulRegion
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.refinement import probability_of
from brainseg_desktop.core.regrowth import (
    AI_AGAIN,
    RESET,
    THRESHOLD,
    Answer,
    Cleaning,
    Regrowth,
    reach,
    regrow,
    thresholds_of,
)
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.tasks.segmenting import Segmenting
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.services.language import tr

BOX_MM = 40
_THREE = ("WT", "TC", "ET")


class Refining(QObject):
    """What the network told of the reader's mask, and the edits that follow from it.

    Parameters
    ----------
    desk : Desk
    editing : Editing
    segmenting : Segmenting or None
        Runs the network where it has not outlined the case yet.

    Signals
    -------
    changed : the mask shown, its thresholds, or what is checked has changed.
    """

    changed = Signal()

    def __init__(self, desk: Desk, editing: Editing, segmenting: Segmenting | None = None) -> None:
        super().__init__(desk.window)
        self._desk, self._editing, self._segmenting = desk, editing, segmenting
        self._regrowth: Regrowth | None = None
        self._wanted: dict[str, float] = {}
        self._checked: set[tuple[str, tuple[int, int, int], int]] = set()
        # A box that waits for the network.
        self._waiting: tuple[Case, Rating, Box] | None = None
        desk.session.ratings_changed.connect(lambda _: self._follow())
        desk.session.history_changed.connect(lambda _: self._follow())
        if segmenting is not None:
            segmenting.running.connect(self._network_runs)

    def _follow(self) -> None:
        if self._regrowth is None:
            self.changed.emit()

    # What the network told --------------------------------------------------------------------------

    @property
    def why_not(self) -> str:
        """Why the thresholds of the mask shown cannot be changed; empty where they can."""
        session = self._desk.session
        if session.case is None or session.shown is None:
            return tr("Open a case first.")
        if not session.is_own(session.shown):
            return tr("This mask is read only. Show your own to change its thresholds.")
        if self.answer is None:
            if self._newest() is None:
                return tr("No network has outlined this case yet (Segment with AI).")
            return tr(
                "This mask was not begun from a network's. Choose the AI mask, then 'Start from this mask'."
            )
        return ""

    @property
    def answer(self) -> Answer | None:
        """What the network told from which the mask shown was begun; None where there is none."""
        source = self._origin()
        return None if source is None else answer_of(source)

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds in effect, 0..1, by region; empty where there are none."""
        answer, rating = self.answer, self._desk.session.shown
        if self._regrowth is not None:
            return dict(self._wanted)
        if answer is None or rating is None:
            return {}
        return thresholds_of(rating.history.steps[: rating.history.depth], answer)

    def opinion(self, box: Box, tissue: Tissue) -> NDArray[np.float32] | None:
        """The network's probability of a label in a box, for the scribbles; None where there is none."""
        source = self._origin() or self._newest()
        answer = None if source is None else answer_of(source)
        if answer is None:
            return None
        return probability_of(answer.probabilities[(slice(None), *box.slices)], answer.regions, tissue)

    def _origin(self) -> Rating | None:
        """The network's mask from which the one shown was begun, if it is there with its probabilities."""
        session = self._desk.session
        if session.case is None or session.shown is None:
            return None
        name = session.shown.details.get("started_from", {}).get("rater")
        return next((r for r in session.case.ratings if r.rater == name and _tells(r)), None)

    def _newest(self) -> Rating | None:
        case = self._desk.session.case
        return next((r for r in reversed(case.ratings if case is not None else []) if _tells(r)), None)

    # Thresholds -------------------------------------------------------------------------------------

    @property
    def is_regrowing(self) -> bool:
        """Whether a threshold is being moved."""
        return self._regrowth is not None

    def begin_threshold(self) -> bool:
        """A slider is taken hold of; False, and the reader is told, if nothing may be changed."""
        answer, rating = self.answer, self._desk.session.shown
        if self._regrowth is not None or answer is None or rating is None or not self._editing.begin():
            return False
        history = rating.history
        self._regrowth = Regrowth(answer, rating.label_map.array, history.steps[: history.depth])
        self._wanted = dict(self._regrowth.thresholds)
        return True

    def move_threshold(self, region: str, threshold: float) -> None:
        """Show the mask at another threshold of one region, as a part of the edit that is open."""
        if self._regrowth is not None and region in self._wanted:
            self._wanted[region] = threshold
            self._show()

    def end_threshold(self, region: str) -> None:
        """Keep what is shown as one step; none if nothing differs."""
        if self._regrowth is not None:
            self._regrowth = None
            self._editing.commit(f"{THRESHOLD} {region} {round(100 * self._wanted[region])} %")
            self.changed.emit()

    def cancel_threshold(self) -> None:
        """The mask is as it was."""
        if self._regrowth is not None:
            self._regrowth = None
            self._editing.cancel()
            self.changed.emit()

    def set_threshold(self, region: str, threshold: float) -> None:
        """A whole step at once, e.g. by a key."""
        if self.begin_threshold():
            self.move_threshold(region, threshold)
            self.end_threshold(region)
        else:
            self.changed.emit()

    def reset_thresholds(self) -> None:
        """Back to the thresholds of the network itself, as one step."""
        answer = self.answer
        if answer is not None and self.begin_threshold():
            self._wanted = answer.own
            self._show()
            self._regrowth = None
            self._editing.commit(RESET)
            self.changed.emit()

    def _show(self) -> None:
        regrowth = self._regrowth
        assert regrowth is not None
        # From the mask as it was at the press each time: with rules on, the way there must not matter, and
        # an edit keeps a copy of all it has passed through.
        self._editing.cancel()
        if not self._editing.begin():
            self._regrowth = None
            self.changed.emit()
            return
        self._editing.replace(regrowth.box, regrowth.at(self._wanted))

    # The network's answer again ---------------------------------------------------------------------

    def box_here(self, side_mm: float) -> Box | None:
        """A cube round the crosshair, of so many mm a side; None without a case."""
        case, cursor = self._desk.state.case, self._desk.state.cursor
        if case is None:
            return None
        half = [int(side_mm / 2 / s) for s in case.grid.spacing_mm]
        start = [c - h for c, h in zip(cursor, half, strict=True)]
        stop = [c + h + 1 for c, h in zip(cursor, half, strict=True)]
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).clipped(case.grid.shape)

    def rerun_box(self, box: Box) -> None:
        """Take over what the network has drawn inside a box, as one step; the rest stays as it is.

        At the thresholds in effect. Where no network has outlined the case it is run first, and the box is
        taken over when it has ended.
        """
        session = self._desk.session
        if session.case is None or session.shown is None or box.is_empty:
            return
        if self._origin() or self._newest():
            self._take_over(box)
        elif self._segmenting is None or not session.is_own(session.shown):
            self._desk.say(self.why_not)
        else:
            self._waiting = (session.case, session.shown, box)
            self._desk.say(
                tr("The network outlines the case first; then its answer is taken over in the box.")
            )
            self._segmenting.start()

    def _network_runs(self, running: bool) -> None:
        if running or self._waiting is None:
            return
        # The network's mask is added to the case only after this signal.
        self._desk.jobs.post(self._network_ended)

    def _network_ended(self) -> None:
        waiting, self._waiting = self._waiting, None
        session = self._desk.session
        if waiting is None or session.case is not waiting[0]:
            return
        if session.shown is not waiting[1]:
            self._desk.say(tr("Another mask is shown now: the box was left as it is."))
        elif self._newest() is not None and not self._origin():
            # A blank mask has been started from the network's as a whole already.
            self._take_over(waiting[2])

    def _take_over(self, box: Box) -> None:
        rating, source = self._desk.session.shown, self._origin() or self._newest()
        assert rating is not None
        assert source is not None
        labels, answer = source.label_map.array, answer_of(source)
        if answer is not None and source is self._origin():
            wanted = self.thresholds
            if wanted != answer.own:
                whole = reach(answer)
                labels = np.zeros(labels.shape, np.uint8)
                cut = answer.probabilities[(slice(None), *whole.slices)]
                labels[whole.slices] = regrow(cut, answer.regions, wanted, answer.cleaning)
        try:
            # Labels that the mask's file could not hold are refused now, not at the export.
            rating.scheme.encode(np.unique(labels[box.slices]))
        except UserError as error:
            self._desk.complain(error)
            return
        if np.array_equal(rating.label_map.array[box.slices], labels[box.slices]):
            self._desk.say(tr("Inside this box the mask is the network's already."))
        else:
            self._editing.once(AI_AGAIN, box, labels[box.slices].copy())

    # Doubtful regions -------------------------------------------------------------------------------

    def is_checked(self, region: DoubtfulRegion) -> bool:
        """Whether the reader has accepted this doubtful region in this session."""
        return self._key(region) in self._checked

    def check(self, region: DoubtfulRegion) -> None:
        """Remember that the reader has accepted a doubtful region."""
        self._checked.add(self._key(region))
        self.changed.emit()

    def clear(self, region: DoubtfulRegion, number: int) -> bool:
        """Set the voxels of a doubtful region to background, as one step; False if nothing changed."""
        rating = self._desk.session.shown
        mask: NDArray[np.bool_] | None = region.mask
        if rating is None or mask is None:
            return False
        labels = rating.label_map.array[region.box.slices]
        if not labels[mask].any():
            self._desk.say(tr("Doubtful region {number} holds no label.", number=number))
            return False
        return self._editing.once(
            f"Clear doubtful region {number}", region.box, np.where(mask, np.uint8(0), labels)
        )

    def _key(self, region: DoubtfulRegion) -> tuple[str, tuple[int, int, int], int]:
        case = self._desk.session.case
        return ("" if case is None else case.name, region.centre, region.voxels)


def answer_of(rating: Rating) -> Answer | None:
    """What a network's rating tells, for other thresholds; None without probabilities.

    The thresholds and the clean-up are those that the model's card gave, as the rating's details say.
    """
    probabilities, details = rating.probabilities, rating.details
    if probabilities is None:
        return None
    regions = tuple(details.get("regions") or (_THREE if len(probabilities) == 3 else _THREE[:1]))
    shape = (len(regions), *rating.label_map.shape)
    if regions not in (_THREE, _THREE[:1]) or probabilities.shape != shape:
        return None
    made = details.get("postprocess") or {}
    voxels = made.get("speck_voxels", 0.0)
    cleaning = Cleaning(
        float(made.get("speck_share", 0.0)),
        # Infinity has no place in a sidecar.
        math.inf if voxels is None else float(voxels),
        bool(made.get("fill_holes", False)),
    )
    return Answer(probabilities, regions, rating.label_map.array, dict(made.get("thresholds", {})), cleaning)


def _tells(rating: Rating) -> bool:
    return rating.kind is RaterKind.MODEL and answer_of(rating) is not None
