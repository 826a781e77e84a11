"""Filled polygons against rational arithmetic, and splines through their nodes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.contours import SAMPLES_PER_NODE, close_spline, fill_polygon, nearest_on

# Multiples of 1/8 voxel, many of them whole: centres on edges and corners are the hard cases.
coordinate = st.one_of(
    st.integers(-3, 13).map(float), st.integers(-24, 104).map(lambda n: n / 8), st.floats(-4, 14, width=16)
)
polygons = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9)
shapes = st.tuples(st.integers(1, 11), st.integers(1, 11))


def winding(points: list[tuple[float, float]], i: int, j: int) -> int:
    """How often the polygon winds around the point just beyond (i, j), in exact arithmetic."""
    total = 0
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        x1, y1, x2, y2 = (Fraction(v) for v in (ax, ay, bx, by))
        if (y1 <= j) != (y2 <= j):
            crossing = x1 + (j - y1) * (x2 - x1) / (y2 - y1)
            if crossing <= i:
                total += 1 if y1 <= j else -1
    return total


@given(polygons, shapes)
@settings(max_examples=400, deadline=None)
def test_a_voxel_is_inside_when_the_polygon_winds_around_its_centre(points, shape):
    found = fill_polygon(points, shape)
    expected = [[winding(points, i, j) != 0 for j in range(shape[1])] for i in range(shape[0])]
    assert found.dtype == bool
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("low", "high"), [((2, 1), (7, 5)), ((1.5, 0.5), (6.5, 4.5)), ((1.9, 0.1), (6.1, 4.01))]
)
def test_a_rectangle(low, high):
    corners = [low, (high[0], low[1]), high, (low[0], high[1])]
    expected = np.zeros((9, 8), bool)
    expected[int(np.ceil(low[0])) : int(np.ceil(high[0])), int(np.ceil(low[1])) : int(np.ceil(high[1]))] = (
        True
    )
    for turned in (corners, corners[::-1], corners[2:] + corners[:2]):
        assert np.array_equal(fill_polygon(turned, (9, 8)), expected)


def test_a_triangle_has_the_voxels_below_its_diagonal():
    i, j = np.indices((12, 12))
    found = fill_polygon([(-0.5, -0.5), (10.5, -0.5), (-0.5, 10.5)], (12, 12))
    # Centres on the diagonal have their inside towards lower coordinates.
    assert np.array_equal(found, i + j < 10)
    assert np.array_equal(
        fill_polygon([(10, 0), (10, 10), (0, 10)], (12, 12)), (i + j >= 10) & (i < 10) & (j < 10)
    )


def test_a_circle_is_the_disc():
    angles = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    i, j = np.indices((60, 50))
    found = fill_polygon(np.stack([30.2 + 17.3 * np.cos(angles), 24.7 + 17.3 * np.sin(angles)], 1), (60, 50))
    assert np.array_equal(found, (i - 30.2) ** 2 + (j - 24.7) ** 2 < 17.3**2)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=4, max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_polygons_that_share_an_edge_share_no_voxel(points, data):
    # A star around an inner point, cut into two along a line from it: no fold, so the parts are the whole.
    centre = np.array([5.125, 4.625])
    order = np.argsort(np.arctan2(*(np.array(points) - centre).T))
    star = np.array(points)[order]
    cut = data.draw(st.integers(1, len(star) - 2))
    winds = [
        np.cross([*(a - centre), 0], [*(b - centre), 0])[2]
        for a, b in zip(star, np.roll(star, -1, 0), strict=True)
    ]
    assume(all(w < 0 for w in winds) or all(w > 0 for w in winds))
    whole = fill_polygon(star, (11, 10))
    first = fill_polygon([centre, *star[: cut + 1]], (11, 10))
    second = fill_polygon([centre, *star[cut:], star[0]], (11, 10))
    assert not (first & second).any()
    assert np.array_equal(first | second, whole)


def test_what_crosses_itself_has_no_hole():
    # Round twice: by the even-odd rule the inside would be empty.
    square = [(1, 1), (6, 1), (6, 6), (1, 6)]
    assert np.array_equal(fill_polygon(square * 2, (8, 8)), fill_polygon(square, (8, 8)))
    # Both lobes of an eight.
    eight = fill_polygon([(0, 0), (8, 8), (8, 0), (0, 8)], (9, 9))
    assert eight[1, 4]
    assert eight[7, 4]


def test_outside_and_degenerate():
    assert not fill_polygon([], (4, 4)).any()
    assert not fill_polygon([(0, 0), (3, 3)], (4, 4)).any()
    assert not fill_polygon([(1, 1), (1, 1), (1, 1)], (4, 4)).any()
    assert not fill_polygon([(9, 9), (12, 9), (12, 12)], (4, 4)).any()
    assert fill_polygon([(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)], (4, 4)).all()
    with pytest.raises(ValueError, match="finite"):
        fill_polygon([(0, 0), (1, 0), (np.nan, 1)], (4, 4))


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_spline_passes_through_its_nodes(nodes):
    curve = close_spline(nodes, (0.7, 2.5))
    assert curve.shape == (len(nodes) * SAMPLES_PER_NODE, 2)
    assert np.isfinite(curve).all()
    assert curve[::SAMPLES_PER_NODE] == pytest.approx(np.array(nodes), abs=1e-6)


def test_a_spline_through_a_circle_is_nearly_the_circle():
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    # A circle of 20 mm on voxels of 0.5 x 2 mm.
    spacing = (0.5, 2.0)
    nodes = 20 * np.stack([np.cos(angles), np.sin(angles)], 1) / spacing
    curve = close_spline(nodes, spacing) * spacing
    assert np.hypot(*curve.T) == pytest.approx(np.full(len(curve), 20.0), abs=0.2)


def test_a_spline_keeps_its_shape_under_another_spacing_and_does_not_overshoot():
    nodes = np.array([(0.0, 0.0), (30.0, 0.0), (30.5, 0.4), (30.0, 20.0), (0.0, 20.0)])
    curve = close_spline(nodes)
    assert close_spline(nodes / (2, 5), (2, 5)) * (2, 5) == pytest.approx(curve)
    # Two nodes close together: a uniform Catmull-Rom spline makes a loop of several voxels here.
    piece = curve[SAMPLES_PER_NODE : 2 * SAMPLES_PER_NODE]
    assert (piece[:, 0] > 29.8).all()
    assert (piece[:, 0] < 31.0).all()
    assert np.diff(piece[:, 1]).min() > -0.05


def test_few_nodes_are_left_as_they_are():
    assert close_spline([]).shape == (0, 2)
    assert close_spline([(1, 2), (3, 4)]).tolist() == [[1, 2], [3, 4]]
    assert np.isfinite(close_spline([(1, 1), (1, 1), (1, 1)])).all()


def test_the_nearest_piece_in_mm():
    square = np.array([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)])
    assert nearest_on(square, (5, -1)) == (0, 1.0)
    assert nearest_on(square, (-2, 5)) == (3, 2.0)
    # 3 voxels along the first axis are less than 1 along the second.
    assert nearest_on(square, (7, 9), (0.2, 2.0)) == (1, pytest.approx(0.6))
    assert nearest_on(np.array([(1.0, 1.0)]), (4.0, 5.0)) == (0, 5.0)
