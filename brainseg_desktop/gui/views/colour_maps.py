"""Colours of the grey values: grey, inverted grey, and maps whose steps look equally large to the eye."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.language import mark

GREY = "grey"
INVERTED_GREY = "inverted grey"

# In the order in which they are offered: name for the settings, title for the reader.
COLOUR_MAPS: Mapping[str, str] = MappingProxyType(
    {
        GREY: mark("Grey"),
        INVERTED_GREY: mark("Inverted grey"),
        "viridis": mark("Viridis (blue to yellow)"),
        "magma": mark("Magma (black to cream)"),
        "inferno": mark("Inferno (black to yellow)"),
        "cividis": mark("Cividis (safe for colour blindness)"),
    }
)


@cache
def colour_table(name: str) -> NDArray[np.uint32]:
    """The colours of the 256 steps of a window.

    The data of the perceptual maps (viridis, magma and inferno by Smith and van der Walt, 2015; cividis by
    Nuñez, Anderton and Renslow, 2018; CC0) are files of pyqtgraph. They are read without importing it, which
    would take half a second while the reader waits for his picture.

    Parameters
    ----------
    name : str
        A key of `COLOUR_MAPS`.

    Returns
    -------
    (256,) uint32 array
        ``0xFFRRGGBB``, the form of QImage's RGB32; read-only.

    Raises
    ------
    KeyError
        For a name that is not in `COLOUR_MAPS`.
    UserError
        ``resource_missing`` if this installation lacks the file of the map.
    """
    if name not in COLOUR_MAPS:
        raise KeyError(name)
    grey = np.arange(256, dtype=np.uint32)
    if name == GREY:
        table = _packed(np.stack([grey] * 3, axis=1))
    elif name == INVERTED_GREY:
        table = _packed(np.stack([grey[::-1]] * 3, axis=1))
    else:
        table = _packed(_read(name))
    table.flags.writeable = False
    return table


def is_available(name: str) -> bool:
    """Whether there is such a map here: a case may have been left by another version or installation."""
    try:
        colour_table(name)
    except (KeyError, UserError):
        return False
    return True


def _read(name: str) -> NDArray[np.uint32]:
    """Red, green and blue of a map, (256, 3), 0 to 255."""
    spec = find_spec("pyqtgraph")
    folder = Path((spec.submodule_search_locations or ["."])[0]) if spec is not None else Path()
    path = folder / "colors" / "maps" / f"{name}.csv"
    try:
        values = np.loadtxt(path, comments=";", delimiter=",", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError("resource_missing", path=path) from error
    places = np.linspace(0, 1, len(values))
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, places, values[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1) * 255).astype(np.uint32)


def _packed(channels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(N, 3) red, green, blue as (N,) RGB32."""
    red, green, blue = channels.astype(np.uint32).T
    packed: NDArray[np.uint32] = np.uint32(0xFF000000) | red << np.uint32(16) | green << np.uint32(8) | blue
    return packed
