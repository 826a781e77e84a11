"""Palettes, and which of their colours readers without red or green cones cannot tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import color

from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.core.palettes import (
    CLASSIC,
    SAFE,
    Pair,
    Vision,
    alike,
    colour_distance,
    colour_text,
    confusable,
    palette,
    parse_colour,
    seen_as,
)

colours = st.tuples(*(st.integers(0, 255),) * 3)
DICHROMATS = (Vision.PROTANOPIA, Vision.DEUTERANOPIA)


def test_the_safe_set_is_the_present_one_and_all_sets_colour_every_tissue() -> None:
    painted = {t for t in Tissue if t is not Tissue.BACKGROUND}
    assert palette("safe") == TISSUE_COLOURS
    for name in ("safe", "classic", "own"):
        assert set(palette(name)) == painted
    assert palette("no such set") == dict(SAFE)


def test_the_classic_set_is_red_green_yellow() -> None:
    red, green, yellow = (CLASSIC[t] for t in (Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING))
    assert red[0] > 2 * max(red[1:])
    assert green[1] > 2 * max(green[0], green[2])
    assert min(yellow[:2]) > 2 * yellow[2]


def test_own_colours_fall_back_where_they_are_broken() -> None:
    own = {
        "oedema": "#0A141E",
        "NECROSIS": "#ffffff",
        "cavity": "purple",
        "tumour": "#12345",
        "enhancing": 7,
        "bone": "#000000",
    }
    mixed = palette("own", own)  # type: ignore[arg-type]
    assert mixed[Tissue.OEDEMA] == (10, 20, 30)
    assert mixed[Tissue.NECROSIS] == (255, 255, 255)
    for tissue in (Tissue.CAVITY, Tissue.TUMOUR, Tissue.ENHANCING):
        assert mixed[tissue] == SAFE[tissue]
    assert palette("safe", own) == dict(SAFE)  # type: ignore[arg-type]


def test_a_palette_handed_out_can_be_changed_without_harm() -> None:
    palette("safe")[Tissue.OEDEMA] = (0, 0, 0)
    assert SAFE[Tissue.OEDEMA] != (0, 0, 0)


@given(colours)
def test_text_and_colour_are_inverse(colour: tuple[int, int, int]) -> None:
    assert parse_colour(colour_text(colour)) == colour


@pytest.mark.parametrize("text", ["", "#12", "#12345g", "112233", "#1122334", "#112233 ", None, 5])
def test_what_is_no_colour_is_refused(text: object) -> None:
    assert parse_colour(text) is None


@pytest.mark.parametrize(
    ("vision", "weights"),
    # Red and green of the simulated colour are this mixture of linear red and green; values as in the
    # independent implementation libDaltonLens (Viénot 1999, sRGB).
    [(Vision.PROTANOPIA, (0.11238, 0.88762)), (Vision.DEUTERANOPIA, (0.29275, 0.70725))],
)
def test_simulation_agrees_with_published_matrices(vision: Vision, weights: tuple[float, float]) -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (213, 94, 0), (128, 128, 128), (40, 110, 255)):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(colour) / 255]
        light = weights[0] * linear[0] + weights[1] * linear[1]
        shown = 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
        red, green, _ = seen_as(colour, vision)
        assert abs(red - shown) <= 1
        assert abs(green - shown) <= 1


@given(colours)
def test_dichromats_see_red_as_green_and_grey_as_grey(colour: tuple[int, int, int]) -> None:
    assert seen_as(colour, Vision.USUAL) == colour
    grey = (colour[0],) * 3
    for vision in DICHROMATS:
        red, green, _ = seen_as(colour, vision)
        assert abs(red - green) <= 1
        assert np.abs(np.subtract(seen_as(grey, vision), grey)).max() <= 1


@given(colours, colours)
def test_distance_is_cielab_with_lightness_counted_half(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    labs = [color.rgb2lab(np.array(c, dtype=np.float64) / 255) for c in (first, second)]
    difference = (labs[0] - labs[1]) * (0.5, 1, 1)
    # scikit-image rounds the white point differently.
    assert colour_distance(first, second) == pytest.approx(float(np.linalg.norm(difference)), abs=0.15)
    assert colour_distance(first, second) == colour_distance(second, first)
    assert colour_distance(first, first) == 0


def test_everybody_can_tell_the_safe_colours_apart() -> None:
    assert confusable(SAFE) == ()


def test_red_and_green_of_the_classic_set_are_alike_without_green_cones() -> None:
    assert Pair(Tissue.NECROSIS, Tissue.OEDEMA, Vision.DEUTERANOPIA) in confusable(CLASSIC)
    assert colour_distance(CLASSIC[Tissue.NECROSIS], CLASSIC[Tissue.OEDEMA]) > 100
    # Enhancing tumour stays apart from both.
    assert not {p for p in confusable(CLASSIC) if Tissue.ENHANCING in p[:2]}


def test_two_nearly_equal_colours_are_alike_to_everybody() -> None:
    assert alike((200, 30, 30), (205, 32, 28)) is Vision.USUAL
    assert alike((0, 0, 255), (255, 255, 0)) is None
    assert confusable({Tissue.OEDEMA: (1, 2, 3), Tissue.TUMOUR: (1, 2, 3)}, (Tissue.OEDEMA,)) == ()
