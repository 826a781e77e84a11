"""Keeps the surfaces of the mask shown up to date, in the background and only while somebody looks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.mesh import Mesh
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.surfaces import TissueSurface, head_outline, tissue_surfaces

_log = logging.getLogger(__name__)

# A stroke sends many changes; the surface follows when the hand rests.
_REST_MS = 150


class Surfaces(QObject):
    """The surfaces of the mask that a `ViewState` shows.

    Signals
    -------
    changed : there are other surfaces than before, or none.

    Attributes
    ----------
    tissues : mapping of Tissue to TissueSurface
    head : Mesh or None
    failed : bool
        The last attempt ended with an error; it is in the log.
    """

    changed = Signal()

    def __init__(self, state: ViewState, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._jobs = state, jobs
        self.tissues: Mapping[Tissue, TissueSurface] = {}
        self.head: Mesh | None = None
        self.failed = False
        self._case: Case | None = None
        self._rating: Rating | None = None
        self._active = False
        # Counts what the surfaces depend on: a result that belongs to an older number is thrown away.
        self._version = 0
        self._built = 0
        self._head_asked = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._build)
        state.case_changed.connect(self._follow)
        state.overlay_changed.connect(self._follow)
        state.voxels_changed.connect(self._edited)
        self._follow()

    @property
    def is_current(self) -> bool:
        """Whether the surfaces are those of the mask as it is now."""
        return self._built == self._version

    def set_active(self, active: bool) -> None:
        """Whether somebody looks; what was changed meanwhile is then made up for."""
        self._active = active
        if active:
            self._build()

    def _follow(self) -> None:
        """Another case or another mask is shown: nothing of the old one may stay."""
        state = self._state
        if state.case is self._case and state.rating is self._rating:
            return
        if state.case is not self._case:
            self._case, self.head, self._head_asked = state.case, None, False
        self._rating = state.rating
        self.tissues = {}
        self.failed = False
        self._version += 1
        self._rest.stop()
        self.changed.emit()
        self._build()

    def _edited(self, _: object) -> None:
        self._version += 1
        if self._active:
            self._rest.start()

    def _build(self) -> None:
        if not self._active or self._case is None:
            return
        if not self._head_asked:
            self._head_asked = True
            case = self._case
            self._jobs.free(partial(head_outline, case), partial(self._take_head, case), self._fail)
        if self.is_current:
            return
        if self._rating is None:
            self._built = self._version
            return
        version = self._version
        work = partial(
            tissue_surfaces,
            self._rating.label_map.array,
            self._case.grid,
            known=self.tissues,
            wanted=lambda: self._version == version,
        )
        self._jobs.free(work, partial(self._take, version), self._fail)

    def _take(self, version: int, tissues: Mapping[Tissue, TissueSurface] | None) -> None:
        if version != self._version or tissues is None:
            return
        self.tissues, self._built, self.failed = tissues, version, False
        self.changed.emit()

    def _take_head(self, case: Case, head: Mesh | None) -> None:
        if case is self._case:
            self.head = head
            self.changed.emit()

    def _fail(self, error: BaseException) -> None:
        _log.error("surface not made", exc_info=error)
        self.failed = True
        self.changed.emit()
