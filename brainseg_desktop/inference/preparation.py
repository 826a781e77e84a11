"""What a network's input is made of; stated in its card, so that use and training are one."""

from __future__ import annotations

from typing import Literal

import msgspec


class Preparation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How network slices are made from an exam (`inference.preprocess.prepare`).

    Parameters
    ----------
    channels : tuple of str
        Sequences in the order of the network's channels; a missing one is all zero.
    context : tuple of int
        Slices that the network sees together, as distances from the one it outlines (2.5-D); ``(0,)`` for
        one. Channels are stacked slice by slice: all sequences of the first, then all of the next. Beyond the
        ends of the exam the last slice is repeated.
    normalise : str
        ``tissue``: mean 0 and deviation 1 over what is not background, clipped. ``zscore``: the same over the
        voxels that are not 0, not clipped. ``minmax``: 0 to 1 over the voxels that are not 0.
    spacing_mm : float
        In-plane spacing of the network slices, which are cropped to the head.
    size : (int, int) or None
        Instead of a spacing: the whole slice resized to so many rows and columns (multiples of 16).
    """

    channels: tuple[str, ...] = ("T1", "T1CE", "T2", "FLAIR")
    context: tuple[int, ...] = (0,)
    normalise: Literal["tissue", "zscore", "minmax"] = "tissue"
    spacing_mm: float = 1.5
    size: tuple[int, int] | None = None

    @property
    def input_channels(self) -> int:
        """Channels of the network's first layer."""
        return len(self.channels) * len(self.context)
