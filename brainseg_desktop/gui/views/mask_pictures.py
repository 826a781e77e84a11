"""The masks as pictures, one slice each, kept because the linked views of one plane show the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.consensus import vote_counts
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.gui.views.overlay import (
    DIFFERENCE_COLOURS,
    MaskPicture,
    label_picture,
    render,
    render_uncertainty,
    tissue_colours,
    vote_colours,
    with_outlines,
)
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.services.compare import difference_map

if TYPE_CHECKING:
    from brainseg_desktop.gui.views.view_state import ViewState

_MOST = 64


class MaskPictures:
    """Renders what a `ViewState` says lies over the images.

    Parameters
    ----------
    state : ViewState
    """

    def __init__(self, state: ViewState) -> None:
        self._state = state
        self._kept: dict[tuple[Plane, int, bool], MaskPicture] = {}

    def clear(self) -> None:
        """Draw all anew when next asked."""
        self._kept.clear()

    def touch(self, box: Box) -> None:
        """Voxels in `box` have changed: only pictures of slices that cut it are dropped."""
        for key in [k for k in self._kept if box.holds_plane(k[0].axis, k[1])]:
            del self._kept[key]

    def get(self, plane: Plane, index: int, *, other: bool = False) -> MaskPicture | None:
        """The overlay of one slice; None where nothing is to be shown.

        Parameters
        ----------
        other : bool
            The mask compared with in place of the one shown.
        """
        if not self._state.show_mask or self._state.case is None:
            return None
        key = (plane, index, other)
        found = self._kept.get(key)
        if found is None:
            found = self._render(plane, index, other=other)
            if found is None:
                return None
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _render(self, plane: Plane, index: int, *, other: bool) -> MaskPicture | None:
        from brainseg_desktop.gui.views.view_state import OverlayKind

        state = self._state
        colours = tissue_colours(state.colours, state.hidden)
        if state.preview is not None:
            labels = label_picture(state.preview, plane, index, state.orientation)
            return render(labels, colours, state.opacity, fill=True, outline=False)
        rating = state.reference if other and state.reference is not None else state.rating
        if rating is None:
            return None
        labels = self._labels(rating, plane, index)
        fill, outline = state.style.fill, state.style.outline
        if other:
            return render(labels, colours, state.opacity, fill=fill, outline=outline)
        if state.overlay is OverlayKind.UNCERTAINTY and state.uncertainty is not None:
            values = label_picture(state.uncertainty, plane, index, state.orientation)
            return render_uncertainty(values, labels > 0, state.opacity)
        if state.shows_agreement_map:
            cuts = [self._labels(reader, plane, index) for reader in state.readers]
            votes = vote_counts(cuts, state.region.mask)
            return render(votes, vote_colours(len(cuts)), state.opacity, fill=fill, outline=outline)
        if state.overlay is OverlayKind.DIFFERENCE and state.reference is not None:
            reference = self._labels(state.reference, plane, index)
            if state.compared is not None:
                labels = self._labels(state.compared, plane, index)
            codes = difference_map(reference, labels, state.region)
            return render(codes, DIFFERENCE_COLOURS, state.opacity, fill=fill, outline=outline)
        made = render(labels, colours, state.opacity, fill=fill, outline=outline)
        if state.overlay is OverlayKind.BOTH_MASKS and state.reference is not None:
            return with_outlines(made, self._labels(state.reference, plane, index), colours)
        return made

    def _labels(self, rating: Rating, plane: Plane, index: int) -> NDArray[np.uint8]:
        return label_picture(rating.label_map.array, plane, index, self._state.orientation)
