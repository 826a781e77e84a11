"""What grey values tell of a sequence, on heads made for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.contrasts import ENHANCED, enhancement, fluid_is_bright, likeness
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Source, Volume

SIDE = 60


def radius() -> np.ndarray:
    x, y, z = np.indices((SIDE,) * 3) - (SIDE - 1) / 2
    return np.sqrt(x**2 + y**2 + z**2)


def head(white: float, grey: float, fluid: float, *, spot: float = 1.0, move_mm: float = 0.0) -> Volume:
    """A shell of grey around white matter with fluid in the middle, 2 mm; a spot beside the middle."""
    r = radius()
    data = np.zeros(r.shape)
    data[r < 28] = grey
    data[r < 22] = white
    data[r < 8] = fluid
    data[38:49, 28:39, 28:39] *= spot
    data *= np.random.default_rng(int(white + grey)).normal(1, 0.03, data.shape)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = move_mm
    return Volume(data.astype(np.int16), Grid(data.shape, affine), Source(Path("x"), ""))


T1, T1CE = head(500, 350, 150), head(500, 350, 150, spot=2.5)
T2, FLAIR = head(300, 420, 1200), head(300, 420, 100)


def test_fluid_is_bright_on_t2_alone() -> None:
    assert [fluid_is_bright(v) for v in (T2, T1, T1CE, FLAIR)] == [True, False, False, False]


def test_flair_follows_t2_and_t1_runs_against_it() -> None:
    follows, against = likeness(T2, FLAIR), likeness(T2, T1)
    assert follows is not None
    assert against is not None
    assert follows > 0.5
    assert against < -0.5


def test_the_one_with_contrast_agent_is_told_whichever_comes_first() -> None:
    gain, loss = enhancement(T1, T1CE), enhancement(T1CE, T1)
    assert gain is not None
    assert loss is not None
    assert gain > 3
    assert loss == pytest.approx(1 / gain, rel=1e-6)


def test_twice_the_same_head_has_no_contrast_agent() -> None:
    other = Volume(np.asarray(T1.data * 1.7), T1.grid, T1.source)
    again = enhancement(T1, other)
    assert again is not None
    assert 1 / ENHANCED < again < ENHANCED


def test_the_places_are_those_in_mm() -> None:
    """A head of which half lies outside the other grid is compared where both are."""
    moved = Volume(np.roll(T1CE.data, -10, axis=0), Grid(T1.grid.shape, moved_affine(20.0)), T1.source)
    whole, part = enhancement(T1, T1CE), enhancement(T1, moved)
    assert whole is not None
    assert part is not None
    assert part > ENHANCED


def moved_affine(x_mm: float) -> np.ndarray:
    affine = T1.grid.voxel_to_world.copy()
    affine[0, 3] += x_mm
    return affine


def test_heads_that_do_not_meet_tell_nothing() -> None:
    far = head(500, 350, 150, move_mm=900.0)
    assert likeness(T1, far) is None
    assert enhancement(T1, far) is None


def test_an_empty_image_tells_nothing() -> None:
    empty = Volume(np.zeros(T1.data.shape, np.int16), T1.grid, T1.source)
    assert not fluid_is_bright(empty)
    assert likeness(T1, empty) is None
