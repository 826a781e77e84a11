"""Going to what matters: labels, labelled slices, doubtful regions; and running through the slices (cine)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.doubt import SMALLEST_ML, DoubtfulRegion, doubtful_regions
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.profiles import LabelProfiles, central_voxel, doubt_profile
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.services.language import mark, tr

CINE_FRAMES_PER_SECOND = 12.0
MOST_FRAMES_PER_SECOND = 60.0
# Painting is seen in the strips after this time; the count itself takes well under a millisecond.
_UPDATE_MS = 50
# A case that opens is drawn first and counted then.
_AFTER_OPENING_MS = 60

_Doubt = tuple[tuple[NDArray[np.float64], ...], tuple[DoubtfulRegion, ...]]


class Navigator(QObject):
    """Keeps what lies where in the mask shown and where the network was unsure, and goes there.

    Parameters
    ----------
    desk : Desk

    Signals
    -------
    profiles_changed : the voxels in some slices have changed, or another mask is shown.
    regions_changed : the list of doubtful regions, or whether there is one, has changed.
    region_chosen : number of the doubtful region gone to, from 0.
    cine_changed : whether the slices run by themselves.
    """

    profiles_changed = Signal()
    regions_changed = Signal()
    region_chosen = Signal(int)
    cine_changed = Signal(bool)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._case: Case | None = None
        self._rating: Rating | None = None
        self._profiles: LabelProfiles | None = None
        self._changed: Box | None = None
        self._uncertainty: NDArray[np.uint8] | None = None
        self._doubt: tuple[NDArray[np.float64], ...] | None = None
        self._looking = False
        self.regions: tuple[DoubtfulRegion, ...] = ()
        self.region: int | None = None
        self._cine_plane: Plane | None = None
        self._cine_step = 1
        self._stepping = False
        self._count_timer = QTimer(self, singleShot=True)
        self._count_timer.timeout.connect(self._count)
        self._cine_timer = QTimer(self)
        self._cine_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._cine_timer.timeout.connect(self._cine_frame)
        desk.session.ratings_changed.connect(lambda _: self._follow_ratings())
        desk.session.voxels_changed.connect(self._follow_voxels)
        desk.state.cursor_changed.connect(self._stop_cine_for_user)
        desk.state.case_changed.connect(self.stop_cine)
        self._follow_ratings()

    # What lies where --------------------------------------------------------------------------------

    @property
    def profiles(self) -> LabelProfiles | None:
        """Voxels of each label in each slice of the mask shown; None until they are counted."""
        return self._profiles

    def doubt(self, plane: Plane) -> NDArray[np.float64] | None:
        """Bits of doubt in each slice of a plane, (slices,); None where no network has told."""
        return None if self._doubt is None else self._doubt[plane.axis]

    @property
    def has_uncertainty(self) -> bool:
        """Whether a network has told how sure it was of this case."""
        return self._uncertainty is not None

    @property
    def is_looking(self) -> bool:
        """Whether doubtful regions are being looked for."""
        return self._looking

    def _follow_ratings(self) -> None:
        session = self._desk.session
        new_case = session.case is not self._case
        self._case = session.case
        if session.shown is not self._rating:
            self._rating = session.shown
            self._profiles = self._changed = None
            self._count_timer.stop()
            if self._rating is None or not new_case:
                self._count()
            else:
                self._count_timer.start(_AFTER_OPENING_MS)
                self.profiles_changed.emit()
        self._follow_doubt()

    def _follow_voxels(self, change: tuple[Rating, Box]) -> None:
        rating, box = change
        # Who paints wants to see the slice under the brush.
        self.stop_cine()
        if rating is not self._rating:
            return
        self._changed = box if self._changed is None else self._changed.union(box)
        # Not started anew by each dab: a long stroke is followed while it lasts.
        if not self._count_timer.isActive():
            self._count_timer.start(_UPDATE_MS)

    def _count(self) -> None:
        """Bring the profiles up to date."""
        self._count_timer.stop()
        changed, self._changed = self._changed, None
        if self._rating is None:
            self._profiles = None
        elif self._profiles is None:
            self._profiles = LabelProfiles(self._rating.label_map.array)
        elif changed is None or not self._profiles.update(self._rating.label_map.array, changed):
            return
        self.profiles_changed.emit()

    def _counted(self) -> LabelProfiles | None:
        """The profiles with every change so far in them."""
        if self._rating is not None and (self._profiles is None or self._changed is not None):
            self._count()
        return self._profiles

    # Doubt ------------------------------------------------------------------------------------------

    def _follow_doubt(self) -> None:
        session = self._desk.session
        doubted = session.doubted
        uncertainty = doubted.uncertainty if doubted is not None else None
        if uncertainty is self._uncertainty:
            return
        self._uncertainty = uncertainty
        self._doubt, self.regions, self.region, self._looking = None, (), None, False
        if uncertainty is not None and doubted is not None and session.case is not None:
            # A copy: the mask may be the reader's own, and only the main thread may touch that.
            grid, labels = session.case.grid, doubted.label_map.array.copy()
            self._looking = True
            self._desk.jobs.free(
                lambda: _doubt_of(uncertainty, grid, labels),
                lambda found: self._take_doubt(uncertainty, found),
                lambda error: self._no_doubt(uncertainty, error),
            )
        self.regions_changed.emit()

    def _take_doubt(self, uncertainty: NDArray[np.uint8], found: _Doubt) -> None:
        # Another case may have been opened, or another network have run, meanwhile.
        if uncertainty is self._uncertainty:
            self._looking = False
            self._doubt, self.regions = found
            self.regions_changed.emit()

    def _no_doubt(self, uncertainty: NDArray[np.uint8], error: BaseException) -> None:
        if uncertainty is self._uncertainty:
            self._looking = False
            self.regions_changed.emit()
            self._desk.complain(error)

    def next_doubtful(self, direction: int = 1) -> None:
        """Go to the next doubtful region by rank (1) or the one before (-1); after the last, the first."""
        if not self.regions:
            self._desk.say(self._why_no_regions())
            return
        if self.region is None:
            number = 0 if direction > 0 else len(self.regions) - 1
        else:
            number = (self.region + direction) % len(self.regions)
        self.go_to_region(number)

    def go_to_region(self, number: int) -> None:
        """Go to where the doubt of a region (from 0, by rank) is densest."""
        if 0 <= number < len(self.regions):
            self.region = number
            self._desk.state.set_cursor(self.regions[number].centre)
            self.region_chosen.emit(number)

    def _why_no_regions(self) -> str:
        if self._case is None:
            return tr("Open a case first.")
        if self._uncertainty is None:
            return tr("No network has outlined this case yet, so there are no doubtful regions.")
        if self.is_looking:
            return tr("The doubtful regions are being looked for. Try again in a moment.")
        return tr(
            "The network has no doubtful region of {least:g} mL or more in this case.",
            least=SMALLEST_ML,
        )

    # Labels -----------------------------------------------------------------------------------------

    def go_to_label(self, tissue: Tissue) -> None:
        """Go to the middle of a label: in its largest piece the voxel nearest to the centroid."""
        profiles = self._counted()
        if profiles is None or self._rating is None or self._case is None:
            self._desk.say(tr("Open a case first."))
            return
        box = profiles.box_of(tissue)
        if box.is_empty:
            self._desk.say(tr("This mask has no {label}.", label=TISSUE_NAMES[tissue].lower()))
            return
        x, y, z = central_voxel(
            self._rating.label_map.array[box.slices] == tissue, self._case.grid.spacing_mm
        )
        self._desk.state.set_cursor((x + box.start[0], y + box.start[1], z + box.start[2]))

    def next_labelled(self, plane: Plane, direction: int) -> None:
        """Go to the next slice up (1) or down (-1) that holds a label which is not hidden."""
        profiles, state = self._counted(), self._desk.state
        if profiles is None or state.case is None:
            self._desk.say(tr("Open a case first."))
            return
        shown = [int(t) for t in Tissue if t is not Tissue.BACKGROUND and t not in state.hidden]
        labelled = np.flatnonzero(profiles.counts(plane.axis)[:, shown].any(axis=1))
        here = state.cursor[plane.axis]
        ahead = labelled[labelled > here] if direction > 0 else labelled[labelled < here][::-1]
        if ahead.size:
            state.step(plane, int(ahead[0]) - here)
        elif labelled.size == 0:
            self._desk.say(tr("This mask has no label that is shown."))
        else:
            where = _WAYS[plane][0 if direction > 0 else 1]
            self._desk.say(
                tr("There is no labelled {plane} slice further {where}.", plane=plane.words, where=tr(where))
            )

    # Cine -------------------------------------------------------------------------------------------

    @property
    def cine_plane(self) -> Plane | None:
        """The plane whose slices run by themselves; None while they stand."""
        return self._cine_plane

    def cine(self, plane: Plane, frames_per_second: float = CINE_FRAMES_PER_SECOND) -> None:
        """Let the slices of a plane run to the end and back, or stop them if they run.

        Any navigation, any stroke and another case stop them too.
        """
        if self._cine_plane is not None:
            self.stop_cine()
            return
        case = self._desk.state.case
        if case is None:
            self._desk.say(tr("Open a case first."))
            return
        self._cine_plane, self._cine_step = plane, 1
        self._cine_timer.start(round(1000 / min(max(0.5, frames_per_second), MOST_FRAMES_PER_SECOND)))
        self.cine_changed.emit(True)

    def stop_cine(self) -> None:
        """Let the slices stand."""
        if self._cine_plane is not None:
            self._cine_plane = None
            self._cine_timer.stop()
            self.cine_changed.emit(False)

    def _cine_frame(self) -> None:
        plane, state = self._cine_plane, self._desk.state
        if plane is None or state.case is None:
            return
        last, here = state.case.grid.shape[plane.axis] - 1, state.cursor[plane.axis]
        if not 0 <= here + self._cine_step <= last:
            self._cine_step = -self._cine_step
        self._stepping = True
        try:
            state.step(plane, self._cine_step)
        finally:
            self._stepping = False

    def _stop_cine_for_user(self) -> None:
        if not self._stepping:
            self.stop_cine()


# Words for the two ways across each plane, as the slices are numbered.
_WAYS = {
    Plane.AXIAL: (mark("up"), mark("down")),
    Plane.CORONAL: (mark("to the front"), mark("to the back")),
    Plane.SAGITTAL: (mark("to the patient's right"), mark("to the patient's left")),
}


def _doubt_of(uncertainty: NDArray[np.uint8], grid: Grid, labels: NDArray[np.uint8]) -> _Doubt:
    profiles = tuple(doubt_profile(uncertainty, axis) for axis in range(3))
    return profiles, doubtful_regions(uncertainty, grid, labels=labels)
