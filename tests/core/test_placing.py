"""Parts of a grid: where they lie on it, and when they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.placing import joint_grid, offset_on, placed
from tests.dicom_example import oblique

GRID = Grid((7, 8, 9), oblique((14, -20, 33), (0.9, 1.1, 4.0)))
starts = st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(0, 8))


def part(start: tuple[float, float, float], shape: tuple[int, int, int], grid: Grid = GRID) -> Grid:
    """The grid of a box, whose first voxel lies at a (perhaps fractional) voxel of another."""
    affine = grid.voxel_to_world.copy()
    affine[:3, 3] = grid.world_of(start)
    return Grid(shape, affine)


@given(starts, starts)
def test_a_part_comes_back_to_its_place(first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    low, high = np.minimum(first, last), np.maximum(first, last) + 1
    whole = np.zeros(GRID.shape, np.uint8)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    whole[box] = np.arange(1, whole[box].size + 1).reshape(whole[box].shape) % 250 + 1
    small = part(tuple(low.tolist()), whole[box].shape)
    offset = offset_on(small, GRID)
    assert offset == tuple(low)
    np.testing.assert_array_equal(placed(whole[box], offset, GRID), whole)


@given(starts, starts)
def test_two_parts_have_a_smallest_grid(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    a, b = part(first, (2, 1, 3)), part(second, (1, 4, 2))
    joint = joint_grid(a, b)
    assert isinstance(joint, Grid)
    low = np.minimum(first, second)
    high = np.maximum(np.add(first, (2, 1, 3)), np.add(second, (1, 4, 2)))
    assert joint.shape == tuple(high - low)
    assert offset_on(a, joint) == tuple(np.subtract(first, low))
    assert offset_on(b, joint) == tuple(np.subtract(second, low))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (part((0.2, 0, 0), (3, 3, 3)), "position"),
        (part((0.2, 0, 0), GRID.shape), "position"),
        (part((5, 0, 0), (3, 3, 3)), "shape"),
        (part((-1, 0, 0), (3, 3, 3)), "shape"),
        (Grid((3, 3, 3), GRID.voxel_to_world @ np.diag([1, 1, 2.0, 1])), "spacing"),
        (Grid((3, 3, 3), oblique((0, 0, 9), (1, 1, 1)) @ GRID.voxel_to_world), "orientation"),
        (Grid((3, 3, 3), GRID.voxel_to_world, spacing_known=False), "shape"),
    ],
)
def test_what_does_not_lie_on_the_voxels_is_not_moved(other: Grid, reason: str) -> None:
    assert offset_on(other, GRID) == reason


def test_one_slice_has_no_distance_to_the_next() -> None:
    thick = Grid((7, 8, 1), GRID.voxel_to_world @ np.diag([1, 1, 2.5, 1]))
    assert offset_on(thick, GRID) == (0, 0, 0)
    assert offset_on(thick, Grid((7, 8, 1), GRID.voxel_to_world)) == (0, 0, 0)
