"""Growing regions against brute force, closed forms and scikit-image."""

from __future__ import annotations

from collections import deque
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.growing import (
    CORNERS,
    FACES,
    Growth,
    Level,
    SeededRegion,
    connected_part,
    grow,
    label_component,
    lesion_range,
    level_near,
    otsu_threshold,
    reach_around,
    tightened,
    touching,
)

Voxel = tuple[int, int, int]


def flooded(
    accepted: NDArray[np.bool_], seed: Voxel, connectivity: int = FACES, plane_axis: int | None = None
) -> NDArray[np.bool_]:
    """Breadth first, voxel by voxel: the oracle."""
    found = np.zeros(accepted.shape, dtype=bool)
    steps = [s for s in product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, s)) <= connectivity]
    if plane_axis is not None:
        steps = [s for s in steps if s[plane_axis] == 0]
    queue = deque([seed] if accepted[seed] else [])
    found[seed] = accepted[seed]
    while queue:
        at = queue.popleft()
        for step in steps:
            to = (at[0] + step[0], at[1] + step[1], at[2] + step[2])
            inside = all(0 <= i < n for i, n in zip(to, accepted.shape, strict=True))
            if inside and accepted[to] and not found[to]:
                found[to] = True
                queue.append(to)
    return found


def whole(growth: Growth, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The region as a mask of the array."""
    mask = np.zeros(shape, dtype=bool)
    mask[growth.box.slices] = growth.mask
    return mask


def noise(seed: int, shape: Voxel) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return ndimage.gaussian_filter(random.normal(0, 1, shape), 1.2).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    number=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30)),
    share=st.floats(0.2, 0.9),
    connectivity=st.sampled_from([FACES, CORNERS]),
    plane_axis=st.sampled_from([None, 0, 1, 2]),
)
def test_a_region_is_what_a_flood_reaches(
    number: int, shape: Voxel, share: float, connectivity: int, plane_axis: int | None
) -> None:
    random = np.random.default_rng(number)
    accepted = random.random(shape) < share
    seed = tuple(int(random.integers(n)) for n in shape)
    growth = grow(
        lambda box: accepted[box.slices], seed, shape, connectivity=connectivity, plane_axis=plane_axis
    )
    expected = flooded(accepted, seed, connectivity, plane_axis)
    np.testing.assert_array_equal(whole(growth, shape), expected)
    assert growth.is_whole
    assert growth.box == Box.of(expected)
    border = np.zeros(shape, dtype=bool)
    for axis in range(3):
        if axis != plane_axis:
            ends: list[Any] = [slice(None)] * 3
            ends[axis] = [0, -1]
            border[tuple(ends)] = True
    assert growth.is_open == bool((expected & border).any())


def test_a_long_thin_region_is_followed_to_its_end() -> None:
    accepted = np.zeros((200, 60, 60), dtype=bool)
    accepted[3:197, 5, 5] = accepted[196, 5:55, 5] = accepted[196, 54, 5:57] = True
    growth = grow(lambda box: accepted[box.slices], (3, 5, 5), accepted.shape)
    np.testing.assert_array_equal(whole(growth, accepted.shape), accepted)
    assert not growth.is_open


def test_a_region_asks_for_no_more_than_its_surroundings() -> None:
    accepted = np.zeros((300, 300, 300), dtype=bool)
    accepted[150:170, 150:170, 150:170] = True
    asked: list[Box] = []

    def accept(box: Box) -> NDArray[np.bool_]:
        asked.append(box)
        return accepted[box.slices]

    assert grow(accept, (160, 160, 160), accepted.shape).voxels == 20**3
    assert all(np.prod(box.shape) < 60**3 for box in asked)


def test_too_many_voxels_and_too_far_are_said() -> None:
    shape = (60, 60, 60)
    air = np.ones(shape, dtype=bool)

    def accept(box: Box) -> NDArray[np.bool_]:
        return air[box.slices]

    assert not grow(accept, (30, 30, 30), shape, most_voxels=1000).is_whole
    assert grow(accept, (30, 30, 30), shape, most_voxels=60**3).is_whole
    reach = Box((20, 20, 20), (40, 40, 40))
    stopped = grow(accept, (30, 30, 30), shape, reach=reach)
    assert (stopped.is_whole, stopped.box) == (False, reach)
    # What touches the reach only where the array ends has reached nothing.
    assert grow(accept, (30, 30, 30), shape, reach=Box((0, 0, 0), shape)).is_whole


def test_reach_is_in_millimetres_and_never_too_large() -> None:
    box = reach_around((50, 50, 20), (100, 100, 40), (1.0, 0.5, 2.0), 10.0)
    assert box == Box((40, 30, 15), (61, 71, 26))
    for shape in ((512, 512, 400), (2000, 2000, 3)):
        middle = tuple(n // 2 for n in shape)
        small = reach_around(middle, shape, (0.4, 0.4, 0.4), 400.0, 1_000_000)
        assert 500_000 < np.prod(small.shape) <= 1_000_000
        assert small.clipped(shape) == small


# Tolerances -----------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, 10_000),
    tolerances=st.lists(st.floats(0, 1.0), min_size=1, max_size=6),
    plane_axis=st.sampled_from([None, 0, 2]),
)
def test_a_tolerance_gives_the_same_whatever_was_asked_before(
    number: int, tolerances: list[float], plane_axis: int | None
) -> None:
    values = noise(number, (20, 16, 12))
    seed = (9, 8, 6)
    level = level_near(values, seed, plane_axis)
    assert level is not None
    region = SeededRegion(values, seed, level, plane_axis=plane_axis)
    for tolerance in tolerances:
        found = region.at(tolerance)
        low, high = level.within(tolerance)
        accepted = (values >= low) & (values <= high)
        accepted[seed] = True
        np.testing.assert_array_equal(
            whole(found.growth, values.shape), flooded(accepted, seed, FACES, plane_axis)
        )
        assert (found.tolerance, found.is_limited) == (tolerance, False)


def test_a_leak_stops_just_before() -> None:
    """A ball on a slope: at 40 it opens into the rest."""
    shape = (80, 80, 80)
    x, y, z = np.meshgrid(*(np.arange(n) - 40 for n in shape), indexing="ij")
    distance = np.sqrt(x**2 + y**2 + z**2)
    values = np.where(distance <= 20, 100 - 1.5 * distance, 60.0).astype(np.float32)
    region = SeededRegion(values, (40, 40, 40), Level(100.0, 0.0), most_voxels=100_000)
    ball = distance <= 20
    assert region.at(10.0).growth.voxels == np.count_nonzero(distance <= 10 / 1.5)
    found = region.at(55.0)
    assert found.is_limited
    assert 30 <= found.tolerance < 40
    np.testing.assert_array_equal(whole(found.growth, shape), ball)
    # Asked again it is the same, and below the leak all is as before.
    assert region.at(45.0).tolerance == found.tolerance
    assert not region.at(20.0).is_limited
    assert region.at(20.0).growth.voxels == np.count_nonzero(distance <= 20 / 1.5)


def test_air_gives_nothing_rather_than_half_of_it() -> None:
    air = np.zeros((60, 60, 60), dtype=np.int16)
    found = SeededRegion(air, (30, 30, 30), Level(0.0, 0.0), most_voxels=5000).at(3.0)
    assert (found.growth.voxels, found.is_limited) == (0, True)


def test_a_region_grows_through_permitted_voxels_only() -> None:
    values = np.full((40, 40, 40), 7, dtype=np.int16)
    wall = np.ones(values.shape, dtype=bool)
    wall[20] = False
    region = SeededRegion(
        values, (10, 10, 10), Level(7.0, 0.0), permitted=lambda box: wall[box.slices], most_voxels=10**6
    )
    assert region.at(1.0).growth.box == Box((0, 0, 0), (20, 40, 40))
    forbidden = SeededRegion(values, (20, 10, 10), Level(7.0, 0.0), permitted=lambda box: wall[box.slices])
    assert forbidden.at(1.0).growth.voxels == 0


def test_levels() -> None:
    values = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    everywhere = level_near(values, (1, 1, 1))
    assert everywhere is not None
    assert (everywhere.mean, everywhere.sd) == (13.0, pytest.approx(np.arange(27).std()))
    flat = level_near(values, (1, 1, 1), 2)
    assert flat is not None
    assert flat.mean == values[:, :, 1].mean()
    corner = level_near(values, (0, 0, 0))
    assert corner is not None
    assert corner.mean == values[:2, :2, :2].mean()
    values[0, 0, 0] = np.nan
    assert level_near(values, (0, 0, 0)) is None
    beside = level_near(values, (1, 1, 1))
    assert beside is not None
    assert beside.mean == values.ravel()[1:].mean()


# Labels ---------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10_000), plane_axis=st.sampled_from([None, 0, 1, 2]))
def test_components_of_labels(number: int, plane_axis: int | None) -> None:
    random = np.random.default_rng(number)
    labels = random.choice(np.array([0, 1, 2], np.uint8), (20, 18, 16), p=[0.3, 0.3, 0.4])
    seed = tuple(int(random.integers(n)) for n in labels.shape)
    growth = label_component(labels, seed, plane_axis)
    if labels[seed]:
        expected = flooded(labels == labels[seed], seed, CORNERS, plane_axis)
        assert growth.is_whole
        np.testing.assert_array_equal(whole(growth, labels.shape), expected)
    else:
        expected = flooded(labels == 0, seed, FACES, plane_axis)
        inner = np.ones(labels.shape, dtype=bool)
        for axis in range(3):
            if axis != plane_axis:
                inner[(slice(None),) * axis + ([0, -1],)] = False
        assert growth.is_whole == bool(inner[expected].all())
        if growth.is_whole:
            np.testing.assert_array_equal(whole(growth, labels.shape), expected)


# Dabs -----------------------------------------------------------------------------------------------


def test_the_connected_part_of_a_dab() -> None:
    mask = np.zeros((9, 9, 1), dtype=bool)
    mask[0:4, 4] = mask[5:9, 4] = True
    seeds = np.zeros_like(mask)
    assert not connected_part(mask, seeds).any()
    seeds[2, 4] = seeds[4, 4] = True
    np.testing.assert_array_equal(np.argwhere(connected_part(mask, seeds))[:, 0], [0, 1, 2, 3])


@pytest.mark.parametrize("axis", [None, 0, 2])
def test_touching_voxels_in_another_box(axis: int | None) -> None:
    shape = (20, 20, 20)
    way = capsule((4.0, 4.0, 4.0), (9.0, 6.0, 4.0), 0.0, (1.0, 1.0, 2.0), shape, axis)
    mask = np.zeros(shape, dtype=bool)
    mask[way.box.slices] = way.mask
    near = ndimage.binary_dilation(mask, ndimage.generate_binary_structure(3, 1))
    for box in (Box((0, 0, 0), shape), Box((5, 3, 4), (12, 6, 9)), Box((15, 15, 15), (18, 18, 18))):
        np.testing.assert_array_equal(touching(way, box), near[box.slices])


def test_tightened() -> None:
    mask = np.zeros((4, 5, 6), dtype=bool)
    assert tightened(Box((1, 1, 1), (5, 6, 7)), mask).box.is_empty
    mask[1, 2:4, 5] = True
    found = tightened(Box((10, 20, 30), (14, 25, 36)), mask)
    assert (found.box, found.voxels) == (Box((11, 22, 35), (12, 24, 36)), 2)


# Ranges ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_otsu_is_scikit_images(dtype: type) -> None:
    from skimage.filters import threshold_otsu

    random = np.random.default_rng(4)
    values = np.concatenate([random.normal(300, 40, 6000), random.normal(700, 60, 2000)]).astype(dtype)
    low, high = np.percentile(values, (0.5, 99.5))
    theirs = threshold_otsu(np.clip(values.astype(float), low, high))
    assert otsu_threshold(values) == pytest.approx(theirs, abs=(high - low) / 256)
    assert otsu_threshold(np.full(10, 5.0)) == 5.0


@pytest.mark.parametrize("lesion", [900.0, 150.0])
@pytest.mark.parametrize("depth", [1, 24])
def test_the_range_is_that_of_the_lesion_bright_or_dark(lesion: float, depth: int) -> None:
    random = np.random.default_rng(2)
    x, y, z = np.meshgrid(
        np.arange(40) - 20, np.arange(36) - 17, np.arange(depth) - depth // 2, indexing="ij"
    )
    ball = x**2 + y**2 + z**2 <= 11**2
    values = np.where(ball, lesion, 500.0) + random.normal(0, 30, ball.shape)
    values[:6] = 0.0  # air
    values[30, 30, 0] = np.nan
    limits = lesion_range(values, 0.0)
    assert limits is not None
    image = values != 0
    np.testing.assert_array_equal(image & (values >= limits[0]) & (values <= limits[1]), ball)


def test_there_is_no_range_where_there_is_no_image() -> None:
    assert lesion_range(np.zeros((5, 5, 5)), 0.0) is None
    assert lesion_range(np.full((5, 5, 5), np.nan), 0.0) is None
    assert lesion_range(np.full((5, 5, 5), 3.0), 0.0) == (3.0, np.inf)
