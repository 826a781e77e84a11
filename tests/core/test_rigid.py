"""Rigid motions: a group, and nothing but rotations and shifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform

mm = st.floats(-200, 200)
points = st.tuples(mm, mm, mm)
motions = st.builds(
    RigidTransform.about,
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 1)),
    st.floats(0, 179),
    points,
    points,
)


@given(motions, points)
def test_a_motion_and_its_inverse_leave_every_point(motion: RigidTransform, point: tuple) -> None:
    there = motion.apply(point)
    assert motion.inverse().apply(there) == pytest.approx(point, abs=1e-8)
    assert motion.inverse().angle_degrees == pytest.approx(motion.angle_degrees, abs=1e-9)
    assert motion.shift_mm(point) == pytest.approx(np.linalg.norm(there - point))


@given(motions, motions, motions, points)
def test_composition_is_one_after_the_other_and_associative(
    a: RigidTransform, b: RigidTransform, c: RigidTransform, point: tuple
) -> None:
    assert a.compose(b).apply(point) == pytest.approx(a.apply(b.apply(point)), abs=1e-7)
    one, other = a.compose(b).compose(c), a.compose(b.compose(c))
    assert one.matrix == pytest.approx(other.matrix, abs=1e-7)


@given(motions)
def test_the_angle_is_that_of_scipy(motion: RigidTransform) -> None:
    expected = np.degrees(Rotation.from_matrix(motion.rotation).magnitude())
    assert motion.angle_degrees == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("degrees", [1e-7, 1e-4, 179.9999])
def test_small_and_large_angles_are_told_exactly(degrees: float) -> None:
    assert RigidTransform.about((1, 2, 3), degrees).angle_degrees == pytest.approx(degrees, rel=1e-6)


@given(motions, points)
def test_distances_are_kept(motion: RigidTransform, point: tuple) -> None:
    assert np.linalg.norm(motion.apply(point) - motion.apply((0, 0, 0))) == pytest.approx(
        np.linalg.norm(point), abs=1e-7
    )


@given(motions)
@settings(max_examples=20)
def test_a_grid_is_carried_along(motion: RigidTransform) -> None:
    grid = Grid((3, 4, 5), np.diag([1.0, 2.0, 3.0, 1.0]))
    moved = motion.moved(grid)
    assert moved.spacing_mm == pytest.approx(grid.spacing_mm)
    assert moved.world_of((1, 2, 3)) == pytest.approx(motion.apply(grid.world_of((1, 2, 3))))


def test_the_matrix_goes_there_and_back() -> None:
    motion = RigidTransform.about((0, 1, 0), 30, (1, 2, 3), (4, 5, 6))
    assert RigidTransform.from_matrix(motion.matrix.tolist()).matrix == pytest.approx(motion.matrix)
    with pytest.raises(ValueError, match="homogeneous"):
        RigidTransform.from_matrix(np.ones((4, 4)))


@pytest.mark.parametrize(
    ("rotation", "translation"),
    [
        (np.diag([1.0, 1.0, -1.0]), np.zeros(3)),
        (np.diag([2.0, 1.0, 1.0]), np.zeros(3)),
        (np.eye(3), np.array([np.nan, 0, 0])),
        (np.eye(2), np.zeros(3)),
    ],
)
def test_what_is_no_rigid_motion_is_refused(rotation: np.ndarray, translation: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"rigid|rotation"):
        RigidTransform(rotation, translation)


def test_nobody_changes_a_motion() -> None:
    with pytest.raises(ValueError, match="read-only"):
        RigidTransform.identity().translation[0] = 1
