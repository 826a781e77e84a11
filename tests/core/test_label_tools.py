"""Whole-label tools against closed forms and brute force."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core import label_tools
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.label_parts import (
    clear_label,
    drop_islands,
    fill_holes,
    keep_largest,
    relabel_component,
    swap,
    take_box,
    take_lesion,
    usual_range,
)
from brainseg_desktop.core.label_tools import Change, grow, shrink, smooth
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.surface import surface_of

NECROSIS, OEDEMA, ENHANCING = Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING
SPACINGS = [(1.0, 1.0, 1.0), (0.9, 1.2, 2.5), (0.47, 0.47, 1.0)]
STEPS_26 = [s for s in product((-1, 0, 1), repeat=3) if any(s)]
STEPS_6 = [s for s in STEPS_26 if sum(map(abs, s)) == 1]

shapes = st.tuples(*[st.integers(1, 7)] * 3)
spacings = st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 1.3, 3.0])] * 3)


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """Random labels, sparse to dense, in lumps or as noise."""
    size = shape or draw(shapes)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.05, 0.3, 0.6, 0.95, 1.0]))
    labels = random.choice(np.array([1, 2, 2, 2, 3], np.uint8), size)
    labels[random.random(size) >= share] = 0
    labels.flags.writeable = False
    return labels


def grid_of(labels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    return Grid(labels.shape, np.diag([*spacing, 1.0]))


def applied(labels: np.ndarray, change: Change | None) -> np.ndarray:
    """The labels after a change, which must be tight and inside."""
    after = labels.copy()
    if change is not None:
        assert change.labels.shape == change.box.shape
        assert change.labels.dtype == np.uint8
        assert change.box.clipped(labels.shape) == change.box
        after[change.box.slices] = change.labels
        assert Box.of(after != labels) == change.box
    return after


def ball(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    radius: float,
    at: np.ndarray | None = None,
) -> np.ndarray:
    centre = (np.array(shape) - 1) / 2 if at is None else at
    places = np.moveaxis(np.indices(shape), 0, -1) - centre
    return ((places * spacing) ** 2).sum(axis=-1) <= radius**2 + 1e-9


def parts_of(mask: np.ndarray, steps: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Connected parts, by flooding, in the order of their first voxel."""
    left = {tuple(int(i) for i in v) for v in np.argwhere(mask)}
    for start in sorted(left):
        if start not in left:
            continue
        left.discard(start)
        part, queue = [], deque([start])
        while queue:
            voxel = queue.popleft()
            part.append(voxel)
            for step in steps:
                near = tuple(a + b for a, b in zip(voxel, step, strict=True))
                if near in left:
                    left.discard(near)
                    queue.append(near)
        yield part


def distances(labels: np.ndarray, spacing: tuple[float, float, float], sources: np.ndarray) -> np.ndarray:
    """From every voxel to every source, (X, Y, Z, sources)."""
    places = np.moveaxis(np.indices(labels.shape), 0, -1) * np.array(spacing)
    return np.linalg.norm(places[:, :, :, None] - np.argwhere(sources) * np.array(spacing), axis=-1)


# Grow and shrink ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_voxel_grows_to_a_ball(spacing: tuple[float, float, float]) -> None:
    radius = 12.0
    n = [2 * int(radius / s) + 5 for s in spacing]
    labels = np.zeros(n, np.uint8)
    labels[n[0] // 2, n[1] // 2, n[2] // 2] = OEDEMA
    after = applied(labels, grow(labels, OEDEMA, grid_of(labels, spacing), radius))
    assert np.array_equal(after == OEDEMA, ball(labels.shape, spacing, radius))
    volume = np.count_nonzero(after) * math.prod(spacing)
    assert volume == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)


@pytest.mark.parametrize("spacing", SPACINGS[:2])
@pytest.mark.parametrize("radius", [14.0, 18.0])
def test_a_ball_grows_and_shrinks_to_balls(spacing: tuple[float, float, float], radius: float) -> None:
    """Of a ball already in voxels the outermost centres lie inside its surface: never too far, and short by
    less than 0.4 voxel."""
    mm = 4.0
    n = tuple(2 * int((radius + mm) / s) + 5 for s in spacing)
    labels = np.where(ball(n, spacing, radius), np.uint8(OEDEMA), np.uint8(0))
    grid = grid_of(labels, spacing)
    for change, sign in ((grow(labels, OEDEMA, grid, mm), 1), (shrink(labels, OEDEMA, grid, mm), -1)):
        count = np.count_nonzero(applied(labels, change) == OEDEMA)
        found = (count * math.prod(spacing) * 3 / 4 / math.pi) ** (1 / 3)
        short = mm - sign * (found - radius)
        assert 0 <= short < 0.4 * max(spacing)


@given(labels=masks(), spacing=spacings, mm=st.sampled_from([0.4, 0.5, 1.0, 1.5, 2.6, 40.0]))
@settings(max_examples=150, deadline=None)
def test_grow_is_every_voxel_within_the_distance(
    labels: np.ndarray, spacing: tuple[float, float, float], mm: float
) -> None:
    expected = labels.copy()
    if (labels == OEDEMA).any():
        expected[distances(labels, spacing, labels == OEDEMA).min(axis=-1) <= mm + 1e-6] = OEDEMA
    assert np.array_equal(applied(labels, grow(labels, OEDEMA, grid_of(labels, spacing), mm)), expected)


@given(labels=masks(), spacing=spacings, mm=st.sampled_from([0.5, 1.0, 1.5, 2.6, 40.0]), keeps=st.booleans())
@settings(max_examples=150, deadline=None)
def test_shrink_gives_what_is_near_to_its_nearest_neighbour(
    labels: np.ndarray, spacing: tuple[float, float, float], mm: float, keeps: bool
) -> None:
    kept = frozenset({NECROSIS, ENHANCING}) if keeps else frozenset()
    after = applied(labels, shrink(labels, OEDEMA, grid_of(labels, spacing), mm, kept))
    sources = (labels == 0) if keeps else (labels != OEDEMA)
    if not sources.any():
        assert np.array_equal(after, labels)
        return
    far = distances(labels, spacing, sources)
    near = (far.min(axis=-1) <= mm + 1e-6) & (labels == OEDEMA)
    assert np.array_equal(after == OEDEMA, (labels == OEDEMA) & ~near)
    values = labels[sources]
    for voxel in np.argwhere(near):
        place = tuple(voxel)
        nearest = set(values[far[place] <= far[place].min() + 1e-6].tolist())
        assert after[place] in nearest
    assert np.array_equal(after[~near], labels[~near])


def test_a_label_at_the_edge_of_the_image_is_not_shrunk_from_there() -> None:
    labels = np.zeros((12, 9, 9), np.uint8)
    labels[:8] = OEDEMA
    after = applied(labels, shrink(labels, OEDEMA, grid_of(labels), 2.0))
    assert np.array_equal(after == OEDEMA, np.arange(12)[:, None, None] + 0 * labels < 6)


def test_shrinking_a_rim_leaves_no_gap() -> None:
    labels = np.full((30, 30, 30), OEDEMA, np.uint8)
    labels[ball(labels.shape, (1, 1, 1), 11)] = ENHANCING
    labels[ball(labels.shape, (1, 1, 1), 5)] = NECROSIS
    after = applied(labels, shrink(labels, ENHANCING, grid_of(labels), 1.0))
    assert not (after == 0).any()
    assert np.count_nonzero(after == NECROSIS) > np.count_nonzero(labels == NECROSIS)
    kept = applied(labels, shrink(labels, ENHANCING, grid_of(labels), 1.0, frozenset({NECROSIS})))
    assert np.array_equal(kept == NECROSIS, labels == NECROSIS)
    assert np.count_nonzero(kept == OEDEMA) > np.count_nonzero(labels == OEDEMA)


@given(labels=masks((9, 9, 9)), spacing=spacings, mm=st.sampled_from([1.0, 2.6]))
@settings(max_examples=40, deadline=None)
def test_tiles_do_not_show(labels: np.ndarray, spacing: tuple[float, float, float], mm: float) -> None:
    grid = grid_of(labels, spacing)
    whole = [applied(labels, f(labels, OEDEMA, grid, mm)) for f in (grow, shrink)]
    before = label_tools._TILE_VOXELS, label_tools._TILE_MARGINS
    label_tools._TILE_VOXELS, label_tools._TILE_MARGINS = 2, 0
    try:
        tiled = [applied(labels, f(labels, OEDEMA, grid, mm)) for f in (grow, shrink)]
    finally:
        label_tools._TILE_VOXELS, label_tools._TILE_MARGINS = before
    assert np.array_equal(tiled[0], whole[0])
    # Of two neighbours equally near another one may win; what is given up may not differ.
    assert np.array_equal(tiled[1] == OEDEMA, whole[1] == OEDEMA)


def test_nothing_to_do_is_none() -> None:
    labels = np.zeros((5, 6, 7), np.uint8)
    grid = grid_of(labels)
    for change in (
        grow(labels, OEDEMA, grid, 2.0),
        shrink(labels, OEDEMA, grid, 2.0),
        smooth(labels, OEDEMA, grid, 2.0),
        drop_islands(labels, OEDEMA, grid, 1.0),
        keep_largest(labels, OEDEMA),
        fill_holes(labels, OEDEMA),
        swap(labels, OEDEMA, NECROSIS),
        clear_label(labels, OEDEMA),
        relabel_component(labels, (1, 1, 1), OEDEMA),
        take_box(labels, labels, Box((0, 0, 0), (9, 9, 9))),
        take_box(labels, labels + np.uint8(1), Box((9, 9, 9), (12, 12, 12))),
        take_lesion(labels, labels, (1, 1, 1)),
    ):
        assert change is None
    labels[2, 2, 2] = OEDEMA
    assert grow(labels, OEDEMA, grid, 0.9) is None
    labels[:] = OEDEMA
    for f in (grow, shrink, smooth):
        assert f(labels, OEDEMA, grid, 2.0) is None


# Smooth -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("mm", [0.5, 1.0, 2.0, 4.0])
def test_smoothing_keeps_the_volume(spacing: tuple[float, float, float], mm: float) -> None:
    n = tuple(2 * int(18 / s) + 3 for s in spacing)
    labels = np.where(ball(n, spacing, 13.0), np.uint8(OEDEMA), np.uint8(0))
    random = np.random.default_rng(3)
    edge = surface_of(labels > 0)
    labels[edge & (random.random(n) < 0.4)] = 0
    before = np.count_nonzero(labels)
    after = applied(labels, smooth(labels, OEDEMA, grid_of(labels, spacing), mm))
    assert np.count_nonzero(after) == pytest.approx(before, rel=0.02)
    # The ragged surface has become a smaller one, where the Gaussian reaches the next voxels.
    if mm >= 1:
        assert np.count_nonzero(surface_of(after > 0)) < np.count_nonzero(surface_of(labels > 0))


def test_a_smoothed_ball_is_the_same_ball() -> None:
    labels = np.where(ball((41, 41, 41), (1, 1, 1), 15.0), np.uint8(OEDEMA), np.uint8(0))
    after = applied(labels, smooth(labels, OEDEMA, grid_of(labels), 2.0))
    both = np.count_nonzero((after > 0) & (labels > 0))
    assert 2 * both / (np.count_nonzero(after) + np.count_nonzero(labels)) > 0.99


def test_a_thin_rim_survives_smoothing() -> None:
    shape = (31, 31, 31)
    labels = np.where(ball(shape, (1, 1, 1), 11.0), np.uint8(ENHANCING), np.uint8(0))
    labels[ball(shape, (1, 1, 1), 9.5)] = NECROSIS
    after = applied(labels, smooth(labels, ENHANCING, grid_of(labels), 2.0))
    rim = labels == ENHANCING
    assert np.count_nonzero(after == ENHANCING) == pytest.approx(np.count_nonzero(rim), rel=0.02)
    assert np.count_nonzero((after == ENHANCING) & rim) > 0.6 * np.count_nonzero(rim)


@given(labels=masks((6, 7, 5)), spacing=spacings, mm=st.sampled_from([0.3, 1.0, 2.0]), keeps=st.booleans())
@settings(max_examples=60, deadline=None)
def test_smoothing_does_not_depend_on_the_crop_and_keeps_what_is_kept(
    labels: np.ndarray, spacing: tuple[float, float, float], mm: float, keeps: bool
) -> None:
    kept = frozenset({NECROSIS, ENHANCING}) if keeps else frozenset()
    results = []
    for pad in (17, 20):
        wide = np.pad(labels, pad)
        after = applied(wide, smooth(wide, OEDEMA, grid_of(wide, spacing), mm, kept))
        results.append(
            after[pad - 17 : after.shape[0] - pad + 17, pad - 17 : -pad + 17 or None][..., pad:-pad]
        )
        if keeps:
            others = (wide != 0) & (wide != OEDEMA)
            assert np.array_equal(after[others], wide[others])
            assert set(np.unique(after[~others])) <= {0, int(OEDEMA)}
    assert np.array_equal(results[0] == OEDEMA, results[1] == OEDEMA)


def test_a_kept_label_does_not_move_the_border_against_it() -> None:
    """Oedema in half of the image, a kept core in the other: with the core neutral nothing is convex."""
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[:15] = OEDEMA
    labels[15:] = ENHANCING
    assert smooth(labels, OEDEMA, grid_of(labels), 2.0, frozenset({ENHANCING})) is None


# Parts --------------------------------------------------------------------------------------------------


def without(
    labels: np.ndarray, parts: list[list[tuple[int, int, int]]], kept: frozenset[Tissue]
) -> np.ndarray:
    """Parts given to what most of their faces touch, by brute force."""
    after = labels.copy()
    for part in parts:
        inside, votes = set(part), Counter({0: 0})
        for voxel in part:
            for step in STEPS_6:
                near = tuple(a + b for a, b in zip(voxel, step, strict=True))
                if near not in inside and all(0 <= i < n for i, n in zip(near, labels.shape, strict=True)):
                    votes[int(labels[near])] += 1
        most = max(votes.values())
        winner = min(t for t, n in votes.items() if n == most)
        if Tissue(winner) not in kept:
            for voxel in part:
                after[voxel] = winner
    return after


@given(labels=masks(), least=st.integers(0, 12), keeps=st.booleans())
@settings(max_examples=150, deadline=None)
def test_islands_by_brute_force(labels: np.ndarray, least: int, keeps: bool) -> None:
    kept = frozenset({ENHANCING}) if keeps else frozenset()
    grid = grid_of(labels, (0.7, 1.0, 1.3))
    parts = list(parts_of(labels == OEDEMA, STEPS_26))
    small = [p for p in parts if len(p) < least]
    change = drop_islands(labels, OEDEMA, grid, least * grid.voxel_volume_ml, kept)
    assert np.array_equal(applied(labels, change), without(labels, small, kept))
    largest = max(parts, key=len, default=None)
    others = [p for p in parts if p is not largest]
    assert np.array_equal(applied(labels, keep_largest(labels, OEDEMA, kept)), without(labels, others, kept))


@given(labels=masks(), axis=st.sampled_from([None, 0, 1, 2]))
@settings(max_examples=150, deadline=None)
def test_holes_by_brute_force(labels: np.ndarray, axis: int | None) -> None:
    steps = [s for s in STEPS_6 if axis is None or s[axis] == 0]
    open_axes = [a for a in range(3) if a != axis]
    expected = labels.copy()
    for part in parts_of(labels == 0, steps):
        is_open = any(v[a] in (0, labels.shape[a] - 1) for v in part for a in open_axes)
        touched = {
            int(labels[near])
            for v in part
            for near in (tuple(a + b for a, b in zip(v, s, strict=True)) for s in steps)
            if all(0 <= i < n for i, n in zip(near, labels.shape, strict=True))
        }
        if not is_open and int(OEDEMA) in touched:
            for voxel in part:
                expected[voxel] = OEDEMA
    assert np.array_equal(applied(labels, fill_holes(labels, OEDEMA, axis)), expected)


def test_a_hole_in_a_hole() -> None:
    labels = np.zeros((15, 15, 15), np.uint8)
    labels[2:13, 2:13, 2:13] = ENHANCING
    labels[4:11, 4:11, 4:11] = NECROSIS
    labels[6:9, 6:9, 6:9] = 0  # in the necrosis
    labels[3, 3, 3] = 0  # in the rim
    filled = applied(labels, fill_holes(labels, ENHANCING))
    assert filled[3, 3, 3] == ENHANCING
    assert filled[7, 7, 7] == 0
    assert np.array_equal(filled == NECROSIS, labels == NECROSIS)
    assert applied(labels, fill_holes(labels, NECROSIS))[7, 7, 7] == NECROSIS


@given(labels=masks(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_one_part_is_relabelled(labels: np.ndarray, data: st.DataObject) -> None:
    voxel = tuple(data.draw(st.integers(-1, n)) for n in labels.shape)
    target = data.draw(st.sampled_from([Tissue.BACKGROUND, NECROSIS, ENHANCING]))
    change = relabel_component(labels, voxel, target)
    expected = labels.copy()
    if all(0 <= i < n for i, n in zip(voxel, labels.shape, strict=True)) and labels[voxel]:
        (part,) = [p for p in parts_of(labels == labels[voxel], STEPS_26) if voxel in p]
        for place in part:
            expected[place] = target
    assert np.array_equal(applied(labels, change), expected)


@given(labels=masks((6, 5, 4)), other=masks((6, 5, 4)), data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_others_lesion_is_taken(labels: np.ndarray, other: np.ndarray, data: st.DataObject) -> None:
    voxel = tuple(data.draw(st.integers(0, n - 1)) for n in labels.shape)
    expected = labels.copy()
    for part in parts_of((labels > 0) | (other > 0), STEPS_26):
        if voxel in part:
            for place in part:
                expected[place] = other[place]
    assert np.array_equal(applied(labels, take_lesion(labels, other, voxel)), expected)
    box = Box((-1, 2, 1), (4, 9, 3))
    expected = labels.copy()
    expected[0:4, 2:5, 1:3] = other[0:4, 2:5, 1:3]
    assert np.array_equal(applied(labels, take_box(labels, other, box)), expected)


@given(labels=masks())
@settings(max_examples=50, deadline=None)
def test_swap_and_clear(labels: np.ndarray) -> None:
    after = applied(labels, swap(labels, OEDEMA, ENHANCING))
    assert np.array_equal(after == OEDEMA, labels == ENHANCING)
    assert np.array_equal(after == ENHANCING, labels == OEDEMA)
    assert np.array_equal(after == NECROSIS, labels == NECROSIS)
    assert np.array_equal(applied(after, swap(after, ENHANCING, OEDEMA)), labels)
    assert swap(labels, OEDEMA, OEDEMA) is None
    cleared = applied(labels, clear_label(labels, OEDEMA))
    assert np.array_equal(cleared, np.where(labels == OEDEMA, 0, labels))


def test_the_usual_range_is_of_the_label_alone() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = OEDEMA
    values = np.full(labels.shape, -1000.0, np.float32)
    values[labels == OEDEMA] = np.arange(1000)
    assert usual_range(values, labels, OEDEMA) == pytest.approx((49.95, 949.05))
    values[6, 6, 6] = np.nan
    assert usual_range(values, labels, OEDEMA) == pytest.approx((49.95, 949.05), abs=1.5)
    assert usual_range(values, labels, NECROSIS) is None
