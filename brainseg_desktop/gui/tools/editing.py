"""The mask that the tools change, and the rules under which they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import Stroke
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr


class Editing:
    """One edit at a time, from `begin` to `commit` or `cancel`; every voxel passes the constraints.

    Parameters
    ----------
    state : ViewState
        Label and constraints.
    editable : callable
        The rating to change, or None (and the reader told why) if there is none that may be changed.
    say : callable
        Shows a sentence to the reader.
    """

    def __init__(
        self, state: ViewState, editable: Callable[[], Rating | None], say: Callable[[str], None]
    ) -> None:
        self.state = state
        self.say = say
        self._editable = editable
        self._rating: Rating | None = None
        self._stroke: Stroke | None = None

    @property
    def is_open(self) -> bool:
        return self._stroke is not None

    @property
    def labels(self) -> NDArray[np.uint8] | None:
        """The labels that an edit would change, read-only; None where there is no mask to change."""
        rating = self._rating or self.state.rating
        return None if rating is None else rating.label_map.array

    def begin(self) -> bool:
        """Open an edit; False, and the reader is told, if there is nothing that may be changed."""
        if self._stroke is not None:
            return False
        rating = self._editable()
        if rating is None or rating.history.is_editing:
            return False
        if self.state.tissue in self.state.constraints.locked:
            self.say(tr("The chosen label is locked. Unlock it in the list of labels, or choose another."))
            return False
        self._rating, self._stroke = rating, rating.history.begin()
        return True

    def paint(self, box: Box, mask: NDArray[np.bool_], tissue: Tissue | None = None) -> int:
        """Set the true voxels of `mask` (of ``box.shape``) to a label; number of voxels that changed.

        Parameters
        ----------
        tissue : Tissue or None
            None for the chosen one; BACKGROUND erases.
        """
        assert self._stroke is not None
        value = self.state.tissue if tissue is None else tissue
        before = self._stroke.labels[box.slices]
        return self.replace(box, np.where(mask, np.uint8(value), before))

    def replace(self, box: Box, labels: NDArray[np.uint8]) -> int:
        """Set a box to `labels` where the constraints permit it; number of voxels that changed."""
        assert self._stroke is not None
        if box.is_empty:
            return 0
        before = self._stroke.labels[box.slices]
        may = self.permitted(box, labels)
        return self._stroke.replace(box, np.where(may, labels, before))

    def permitted(self, box: Box, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where the constraints permit the mask to become `labels` inside a box."""
        current = self.labels
        assert current is not None
        constraints = self.state.constraints
        return constraints.permitted(current[box.slices], labels, self.state.tissue, self._values(box))

    def _values(self, box: Box) -> NDArray[Any] | None:
        rule, case = self.state.constraints.intensity, self.state.case
        if rule is None or case is None:
            return None
        volume = case.aligned.get(rule.sequence)
        return None if volume is None else volume.data[box.slices]

    def commit(self, name: str) -> bool:
        """End the edit as one step called `name`; False if nothing changed and there is no step."""
        rating = self._end()
        return rating is not None and rating.history.commit(name) is not None

    def cancel(self) -> None:
        """End the edit and bring every voxel back."""
        rating = self._end()
        if rating is not None:
            rating.history.cancel()

    def once(self, name: str, box: Box, labels: NDArray[np.uint8]) -> bool:
        """A whole edit at once: one step called `name`. False, and the reader is told, if nothing changed."""
        if not self.begin():
            return False
        try:
            self.replace(box, labels)
        except BaseException:
            self.cancel()
            raise
        changed = self.commit(name)
        if not changed:
            rules = (
                tr(" under the rules that are on")
                if self.state.constraints != type(self.state.constraints)()
                else ""
            )
            self.say(tr("{name}: no voxel changes{rules}.", name=step_words(name), rules=rules))
        return changed

    def _end(self) -> Rating | None:
        rating, self._rating, self._stroke = self._rating, None, None
        return rating
