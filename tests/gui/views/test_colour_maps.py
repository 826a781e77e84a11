"""Colour maps: as dark and as bright as the values say, whatever the colour."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.views import colour_maps
from brainseg_desktop.gui.views.colour_maps import (
    COLOUR_MAPS,
    GREY,
    INVERTED_GREY,
    colour_table,
    is_available,
)


def channels(name: str) -> np.ndarray:
    """(256, 3) red, green, blue from 0 to 1."""
    table = colour_table(name)
    return np.stack([table >> shift & 0xFF for shift in (16, 8, 0)], axis=1) / 255


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIELAB L* of sRGB colours (IEC 61966-2-1; CIE 1976)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return np.where(luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, luminance * (29 / 3) ** 3)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_lightness_runs_one_way(name: str) -> None:
    table = colour_table(name)
    assert table.shape == (256,)
    assert table.dtype == np.uint32
    assert (table >> 24 == 0xFF).all()
    steps = np.diff(lightness(channels(name)))
    assert ((steps if name != INVERTED_GREY else -steps) > -0.15).all()  # 8 bits a channel: it may rest
    ends = lightness(channels(name))[[0, -1]]
    assert abs(ends[1] - ends[0]) > 70


@pytest.mark.parametrize("name", ["viridis", "magma", "inferno", "cividis"])
def test_perceptual_maps_rise_evenly(name: str) -> None:
    light = lightness(channels(name))
    line = np.linspace(light[0], light[-1], 256)
    # They are even in CAM02-UCS, whose lightness differs from L* by some units in the dark.
    assert np.abs(light - line).max() < 8


def test_grey_is_grey() -> None:
    assert colour_table(GREY)[[0, 1, 255]].tolist() == [0xFF000000, 0xFF010101, 0xFFFFFFFF]
    np.testing.assert_array_equal(colour_table(INVERTED_GREY), colour_table(GREY)[::-1])


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("viridis", 0x440154, 0xFDE725), ("magma", 0x000004, 0xFCFDBF), ("inferno", 0x000004, 0xFCFFA4)],
)
def test_maps_are_those_of_their_authors(name: str, first: int, last: int) -> None:
    assert (colour_table(name)[[0, 255]] & 0xFFFFFF).tolist() == [first, last]


def test_a_table_is_made_once_and_cannot_be_spoilt() -> None:
    assert colour_table("magma") is colour_table("magma")
    with pytest.raises(ValueError, match="read-only"):
        colour_table("magma")[0] = 0


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        colour_table("jet")
    assert not is_available("jet")
    assert all(map(is_available, COLOUR_MAPS))


def test_an_installation_without_the_data_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour_maps, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="resource_missing"):
        colour_table.__wrapped__("inferno")
    monkeypatch.setattr(colour_maps, "colour_table", colour_table.__wrapped__)
    assert [name for name in COLOUR_MAPS if is_available(name)] == [GREY, INVERTED_GREY]


def test_pyqtgraph_is_not_loaded_for_it() -> None:
    code = (
        "import sys; from brainseg_desktop.gui.views.colour_maps import COLOUR_MAPS, colour_table;"
        "[colour_table(n) for n in COLOUR_MAPS]; sys.exit('pyqtgraph' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
