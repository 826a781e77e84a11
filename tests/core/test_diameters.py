"""The two diameters of a label: closed forms, and brute force over all pairs of points of its outline."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.diameters import rano_diameters
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.measurements import crossing_degrees, diameters_mm, on_slice

Mask = NDArray[np.bool_]


def turn(degrees: float, axis: int) -> NDArray[np.float64]:
    """A rotation about one world axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = np.eye(3)
    u, v = (a for a in range(3) if a != axis)
    rotation[u, u], rotation[u, v], rotation[v, u], rotation[v, v] = c, -s, s, c
    return rotation


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float], *, oblique: bool) -> Grid:
    affine = np.diag([*spacing, 1.0])
    if oblique:
        affine[:3, :3] = turn(17, 0) @ turn(-11, 2) @ affine[:3, :3]
    affine[:3, 3] = (-90.0, 35.5, 12.25)
    return Grid(shape, affine)


UNIT = Grid((40, 40, 5), np.diag([1.0, 1.0, 1.0, 1.0]))


def on_one_slice(flat: Mask, index: int = 2, slices: int = 5) -> Mask:
    mask = np.zeros((*flat.shape, slices), dtype=bool)
    mask[:, :, index] = flat
    return mask


def ellipse(
    shape: tuple[int, int], spacing: tuple[float, float], radii: tuple[float, float], degrees: float
) -> Mask:
    """Pixels with their centre in an ellipse, `radii` in mm, its long axis turned."""
    i, j = np.indices(shape)
    x, y = (i - (shape[0] - 1) / 2) * spacing[0], (j - (shape[1] - 1) / 2) * spacing[1]
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((x * c + y * s) / radii[0]) ** 2 + ((y * c - x * s) / radii[1]) ** 2 <= 1


def blob(seed: int, shape: tuple[int, int]) -> Mask:
    """An irregular connected spot with holes and bays."""
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=shape), 2.5)
    parts, _ = ndimage.label(noise > 0.05, structure=np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts == np.argmax(sizes)


def edge_points(flat: Mask) -> NDArray[np.float64]:
    """The middles of all pixel edges between inside and outside, in pixels."""
    padded = np.pad(flat, 1)
    found = []
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        rim = padded & ~np.roll(padded, step, axis)
        points = np.argwhere(rim).astype(float) - 1
        points[:, axis] -= step / 2
        found.append(points)
    return np.vstack(found)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("oblique", [False, True])
def test_the_long_diameter_is_the_longest_of_all_pairs(seed: int, axis: int, oblique: bool) -> None:
    flat = blob(seed, (31, 26))
    mask = np.moveaxis(on_one_slice(flat), 2, axis)
    grid = grid_of(mask.shape, (0.7, 1.3, 2.9), oblique=oblique)
    found = rano_diameters(mask, grid, axis)
    assert found is not None
    assert (found.axis, found.index) == (axis, 2)
    voxels = np.insert(edge_points(ndimage.binary_fill_holes(flat)), axis, 2, axis=1)
    world = grid.world_of(voxels)
    distances = np.linalg.norm(world[:, None] - world[None], axis=2)
    assert found.long == pytest.approx(distances.max())
    # Its ends are such points.
    for end in found.points[:2]:
        assert np.linalg.norm(world - np.array(end), axis=1).min() < 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_the_short_diameter_is_the_longest_perpendicular_inside(seed: int) -> None:
    """Sampled densely on the mask itself, smooth between voxel centres: no outline is used."""
    flat = blob(seed, (31, 26))
    filled = np.pad(ndimage.binary_fill_holes(flat), 1).astype(float)
    found = rano_diameters(on_one_slice(flat), grid_of((31, 26, 5), (1.0, 1.0, 1.0), oblique=False))
    assert found is not None
    ends = np.array([p[:2] for p in found.points]) - (-90.0, 35.5) + 1
    along = (ends[1] - ends[0]) / found.long
    aside = np.array([-along[1], along[0]])
    steps = np.arange(-30.0, 30.0, 0.05)
    longest = 0.0
    for t in np.linspace(0.0, found.long, 400):
        points = ends[0] + t * along + steps[:, None] * aside
        inside = ndimage.map_coordinates(filled, points.T, order=1) >= 0.5
        runs, number = ndimage.label(inside)
        for run in range(1, number + 1):
            where = steps[runs == run]
            # The line must cross the long one; a gap below one voxel is its staircase.
            if where[0] <= 1.0 and where[-1] >= -1.0:
                longest = max(longest, where[-1] - where[0])
    assert found.short == pytest.approx(longest, abs=0.6)


@pytest.mark.parametrize("degrees", [0, 20, 45, 77])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.8), (0.94, 2.0)])
@pytest.mark.parametrize("oblique", [False, True])
def test_an_ellipse_gives_its_axes_within_a_voxel(
    degrees: float, spacing: tuple[float, float], oblique: bool
) -> None:
    radii = (18.0, 10.0)
    shape = (round(50 / spacing[0]), round(50 / spacing[1]))
    mask = on_one_slice(ellipse(shape, spacing, radii, degrees))
    grid = grid_of(mask.shape, (*spacing, 4.0), oblique=oblique)
    found = rano_diameters(mask, grid)
    assert found is not None
    voxel = max(spacing)
    assert found.long == pytest.approx(36.0, abs=voxel)
    # A slightly turned long axis makes the other one meet the ellipse obliquely.
    assert found.short == pytest.approx(20.0, abs=1.2 * voxel)
    assert found.product == pytest.approx(found.long * found.short)
    assert found.inside == pytest.approx(1.0)


@pytest.mark.parametrize("diameter", [6.0, 11.0, 24.5, 33.0])
def test_a_disc_gives_its_diameter_within_a_voxel(diameter: float) -> None:
    mask = on_one_slice(ellipse((40, 40), (1.0, 1.0), (diameter / 2, diameter / 2), 0))
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.long == pytest.approx(diameter, abs=1.0)
    assert found.short == pytest.approx(diameter, abs=1.0)


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_measurement_lies_on_its_slice_and_is_perpendicular(axis: int, oblique: bool) -> None:
    mask = np.moveaxis(on_one_slice(blob(11, (30, 34))), 2, axis)
    grid = grid_of(mask.shape, (0.6, 1.1, 3.0), oblique=oblique)
    found = rano_diameters(mask, grid, axis)
    assert found is not None
    drawn = found.measurement("Whole tumour")
    assert drawn.name == "Whole tumour"
    assert on_slice(drawn, grid, axis, 2)
    assert diameters_mm(drawn) == pytest.approx((found.long, found.short))
    assert crossing_degrees(drawn) == pytest.approx(90.0)
    # The lines cross: each has its ends on both sides of the other, but for the staircase of the outline.
    a, b, c, d = (np.array(p) for p in drawn.points)
    t = ((c - a) @ (b - a)) / found.long
    assert 0 <= t <= found.long
    foot = a + t * (b - a) / found.long
    u = (d - c) / found.short
    assert (c - foot) @ u <= 3.0 + 1e-6
    assert (d - foot) @ u >= -3.0 - 1e-6


def test_one_voxel_and_a_row() -> None:
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[7, 9, 3] = True
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert (found.index, found.long, found.short) == (3, pytest.approx(1.0), pytest.approx(1.0))
    mask[7:19, 9, 3] = True
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.long == pytest.approx(12.0)
    assert found.short == pytest.approx(1.0)
    assert sorted(p[0] for p in found.points[:2]) == pytest.approx([6.5, 18.5])


def test_the_border_of_the_array_is_no_obstacle() -> None:
    found = rano_diameters(np.ones((12, 5, 1), dtype=bool), Grid((12, 5, 1), np.eye(4)))
    assert found is not None
    # The corners are cut by half a voxel.
    assert found.long == pytest.approx(math.hypot(12, 4), abs=1e-9)


def test_an_empty_mask_has_none() -> None:
    assert rano_diameters(np.zeros((4, 4, 4), dtype=bool), Grid((4, 4, 4), np.eye(4))) is None


def test_the_largest_lesion_is_measured_and_not_the_largest_sum() -> None:
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[2:12, 2:12, 1] = True  # two lesions of 100 and 99: more voxels, but none is the largest
    mask[20:29, 2:13, 1] = True
    mask[2:13, 2:13, 3] = True  # one of 121
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.index == 3
    mask[20:32, 20:32, 1] = True
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.index == 1
    assert min(p[0] for p in found.points) > 19
    assert found.long < 12 * math.sqrt(2)


def test_of_equal_slices_the_higher() -> None:
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[10:20, 10:20, 1:4] = True
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.index == 3


def test_parts_that_touch_by_a_corner_are_one() -> None:
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[5:10, 5:10, 2] = True
    mask[10:15, 10:15, 2] = True
    found = rano_diameters(mask, UNIT)
    assert found is not None
    assert found.long == pytest.approx(math.hypot(10, 9), abs=1e-9)


def test_a_ring_is_measured_across() -> None:
    ring = ellipse((40, 40), (1, 1), (15, 15), 0) & ~ellipse((40, 40), (1, 1), (11, 11), 0)
    found = rano_diameters(on_one_slice(ring), UNIT)
    assert found is not None
    assert found.short == pytest.approx(30.0, abs=1.0)
    assert found.inside == pytest.approx(1.0)


def test_a_triangle_with_its_long_side_along_the_outline() -> None:
    """The staircase of the long side is not outside the label."""
    i, j = np.indices((40, 40))
    found = rano_diameters(on_one_slice((i >= 5) & (j >= 5) & (i + j <= 40)), UNIT)
    assert found is not None
    assert found.long == pytest.approx(31 * math.sqrt(2), abs=1.5)
    assert found.short == pytest.approx(31 / math.sqrt(2), abs=1.5)
    assert found.inside > 0.95


def test_a_crescent_says_that_its_long_diameter_runs_outside() -> None:
    j = np.indices((40, 40))[1]
    shell = ellipse((40, 40), (1, 1), (18, 18), 0) & ~ellipse((40, 40), (1, 1), (14, 14), 0)
    found = rano_diameters(on_one_slice(shell & (j > 19)), UNIT)
    assert found is not None
    assert found.long == pytest.approx(36, abs=1.0)
    assert found.inside < 0.4


def test_measurable() -> None:
    thin = Grid((40, 40, 5), np.eye(4))
    thick = Grid((40, 40, 5), np.diag([1.0, 1.0, 6.0, 1.0]))
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[10:30, 10:21, 2] = True
    one_slice = rano_diameters(mask, thin)
    assert one_slice is not None
    assert one_slice.short > 10
    assert not one_slice.measurable  # needs two slices
    mask[0:3, 0:3, 3] = True
    elsewhere = rano_diameters(mask, thin)
    assert elsewhere is not None
    assert not elsewhere.measurable  # another lesion is not its second slice
    mask[10:20, 10:20, 3] = True
    two = rano_diameters(mask, thin)
    assert two is not None
    assert two.measurable
    assert two.least_mm == 10
    on_thick = rano_diameters(mask, thick)
    assert on_thick is not None
    assert on_thick.least_mm == 12
    assert on_thick.measurable == (on_thick.short >= 12)
    mask[10:30, 15:30, 2:4] = False
    narrow = rano_diameters(mask, thin)
    assert narrow is not None
    assert narrow.short < 10
    assert not narrow.measurable
    sagittal = rano_diameters(np.ones((20, 20, 20), dtype=bool), Grid((20, 20, 20), np.eye(4)), axis=0)
    assert sagittal is not None
    assert not sagittal.measurable  # axial slices only


def test_without_a_spacing_lengths_are_pixels() -> None:
    grid = Grid((40, 40, 5), np.diag([1.0, 1.0, 8.0, 1.0]), spacing_known=False)
    mask = np.zeros((40, 40, 5), dtype=bool)
    mask[20, 10:30, 1:4] = True
    found = rano_diameters(mask, grid, axis=0)
    assert found is not None
    assert found.unit == "px"
    # 20 by 3 voxels, whatever the nominal 8 mm say.
    assert found.long == pytest.approx(math.hypot(20, 2), abs=1e-9)
    assert not found.measurable
    assert on_slice(found.measurement("x"), grid, 0, 20)
