"""Lengths, angles, values inside an ellipse, and what of them is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.geometry import Grid, nearest_voxel
from brainseg_desktop.core.measurements import (
    Measurement,
    MeasurementKind,
    angle_degrees,
    as_point,
    crossing_degrees,
    diameters_mm,
    from_dict,
    in_units_of,
    length_mm,
    on_slice,
    product_mm2,
    roi_statistics,
    slice_index,
    to_dict,
)
from brainseg_desktop.core.volume import Sequence, Source, Volume

RULER, ANGLE, ROI, DIAMETERS = MeasurementKind


def oblique(shape: tuple[int, int, int], spacing: tuple[float, float, float], sheared: bool = False) -> Grid:
    c, s = math.cos(0.3), math.sin(0.3)
    turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag(spacing)
    if sheared:
        affine[:3, 1] += 0.2 * affine[:3, 0]
    affine[:3, 3] = (-80.3, 11.7, -5.2)
    return Grid(shape, affine)


def drawn(
    kind: MeasurementKind, grid: Grid, *voxels: tuple[float, float, float], axis: int = 2
) -> Measurement:
    return Measurement(kind, axis, tuple(as_point(grid.world_of(v)) for v in voxels))


def image(data: np.ndarray, grid: Grid) -> Volume:
    return Volume(data, grid, Source(Path("x"), ""), Sequence.T1)


def test_a_ruler_on_anisotropic_voxels() -> None:
    grid = oblique((30, 30, 10), (0.5, 2.0, 3.0))
    assert length_mm(drawn(RULER, grid, (1, 2, 4), (13, 10, 4))) == pytest.approx(math.hypot(6, 16))


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 30.0, 90.0, 135.0, 179.9999, 180.0])
def test_an_angle(degrees: float) -> None:
    turn = math.radians(degrees)
    points = ((12.0, 5.0, 5.0), (5.0, 5.0, 5.0), (5 + 3 * math.cos(turn), 5 + 3 * math.sin(turn), 5.0))
    assert angle_degrees(Measurement(ANGLE, 2, points)) == pytest.approx(degrees, abs=1e-9)
    assert angle_degrees(Measurement(ANGLE, 2, points[::-1])) == pytest.approx(degrees, abs=1e-9)


def test_an_angle_of_a_point_is_not_a_number() -> None:
    assert math.isnan(angle_degrees(Measurement(ANGLE, 2, ((1, 1, 1), (1, 1, 1), (2, 1, 1)))))


def test_diameters_are_ordered_by_length() -> None:
    m = Measurement(DIAMETERS, 2, ((0, 0, 0), (10, 0, 0), (5, -8, 0), (5, 9, 0)))
    assert diameters_mm(m) == (17, 10)
    assert product_mm2(m) == 170
    assert crossing_degrees(m) == pytest.approx(90)
    turned = Measurement(DIAMETERS, 2, ((0, 0, 0), (10, 0, 0), (9, 9, 0), (0, 0, 0)))
    assert crossing_degrees(turned) == pytest.approx(45)


def test_on_slice() -> None:
    grid = oblique((30, 20, 10), (0.5, 2.0, 3.0))
    for axis in range(3):
        voxels = [[3.2, 4.7, 5.1], [11.0, 8.0, 6.0]]
        for v in voxels:
            v[axis] = 4
        m = drawn(RULER, grid, *(as_point(v) for v in voxels), axis=axis)
        assert slice_index(m, grid) == 4
        seen = [(a, i) for a in range(3) for i in range(grid.shape[a]) if on_slice(m, grid, a, i)]
        assert seen == [(axis, 4)]
    across = drawn(RULER, grid, (1, 1, 4), (5, 5, 6))
    assert not any(on_slice(across, grid, 2, i) for i in range(10))


def test_units_without_a_spacing() -> None:
    nominal = Grid((30, 30, 10), np.diag([1.0, 1.0, 8.0, 1.0]), spacing_known=False)
    m = drawn(RULER, nominal, (2, 3, 1), (2, 3, 7), axis=0)
    assert length_mm(m) == 48
    inside, unit = in_units_of(m, nominal)
    assert (length_mm(inside), unit) == (pytest.approx(6), "px")
    known = Grid((30, 30, 10), np.diag([1.0, 1.0, 8.0, 1.0]))
    assert in_units_of(m, known) == (m, "mm")


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_roi_against_every_voxel(axis: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    grid = oblique((14, 17, 12), (0.8, 1.7, 3.0))
    data = random.normal(100, 20, grid.shape).astype(np.float32)
    a, b = (random.uniform(-3, np.array(grid.shape) + 3) for _ in range(2))
    a[axis] = b[axis] = 5
    m = drawn(ROI, grid, as_point(a), as_point(b), axis=axis)
    centre, radius = (a + b) / 2, abs(a - b) / 2
    radius[axis] = 0.4
    values = np.array(
        [data[v] for v in np.ndindex(grid.shape) if (((np.array(v) - centre) / radius) ** 2).sum() <= 1],
        dtype=float,
    )
    found = roi_statistics(m, image(data, grid), grid)
    if values.size == 0:
        assert found is None
        return
    assert found is not None
    assert found.voxels == values.size
    expected = (values.mean(), values.min(), values.max(), np.median(values))
    assert (found.mean, found.minimum, found.maximum, found.median) == pytest.approx(expected)
    if values.size > 1:
        assert found.sd == pytest.approx(values.std(ddof=1))
    rows, columns = (x for x in range(3) if x != axis)
    sides = 2 * radius * grid.spacing_mm
    assert found.area_mm2 == pytest.approx(math.pi / 4 * sides[rows] * sides[columns])


def test_a_disc_counts_its_rim() -> None:
    grid = oblique((21, 21, 3), (1.0, 1.0, 5.0))
    data = np.zeros(grid.shape, dtype=np.int16)
    data[10, 5, 1] = 7
    # Centre (10, 10), radius exactly 5: the four points on the axes and the twelve of 3-4-5 lie on the rim.
    found = roi_statistics(drawn(ROI, grid, (5, 15, 1), (15, 5, 1)), image(data, grid), grid)
    assert found is not None
    assert found.voxels == 81
    assert found.maximum == 7
    assert found.area_mm2 == pytest.approx(25 * math.pi)


def test_area_on_a_sheared_grid() -> None:
    grid = oblique((21, 21, 3), (1.0, 2.0, 5.0), sheared=True)
    found = roi_statistics(drawn(ROI, grid, (5, 5, 1), (15, 11, 1)), image(np.ones(grid.shape), grid), grid)
    assert found is not None
    assert found.area_mm2 == pytest.approx(math.pi / 4 * 10 * 12)


def test_nothing_inside() -> None:
    grid = oblique((21, 21, 3), (1.0, 1.0, 5.0))
    volume = image(np.ones(grid.shape), grid)
    assert roi_statistics(drawn(ROI, grid, (5.2, 5.2, 1), (5.8, 5.8, 1)), volume, grid) is None
    assert roi_statistics(drawn(ROI, grid, (5, 5, 1), (5, 9, 1)), volume, grid) is None
    assert roi_statistics(drawn(ROI, grid, (30, 30, 1), (40, 40, 1)), volume, grid) is None
    one = roi_statistics(drawn(ROI, grid, (4.6, 4.6, 1), (5.4, 5.4, 1)), volume, grid)
    assert one is not None
    assert one.voxels == 1
    assert math.isnan(one.sd)


def test_values_that_are_not_finite_are_left_out() -> None:
    grid = oblique((21, 21, 3), (1.0, 1.0, 5.0))
    data = np.full(grid.shape, 4.0)
    data[10, 10, 1], data[9, 10, 1] = np.nan, np.inf
    found = roi_statistics(drawn(ROI, grid, (5, 5, 1), (15, 15, 1)), image(data, grid), grid)
    assert found is not None
    assert (found.voxels, found.mean, found.maximum) == (79, 4.0, 4.0)
    bare = roi_statistics(drawn(ROI, grid, (9.6, 9.6, 1), (10.4, 10.4, 1)), image(data, grid), grid)
    assert bare is None


def test_without_a_spacing_there_is_no_area() -> None:
    grid = Grid((21, 21, 3), np.diag([1.0, 1.0, 5.0, 1.0]), spacing_known=False)
    found = roi_statistics(drawn(ROI, grid, (5, 5, 1), (15, 15, 1)), image(np.ones(grid.shape), grid), grid)
    assert found is not None
    assert (found.voxels, found.area_mm2) == (81, None)


def test_another_grid_is_read_at_the_same_millimetres() -> None:
    grid = oblique((20, 20, 9), (1.0, 1.0, 2.0))
    # Coarser, with its axes along the world's, and only covering a part.
    other = Grid((7, 6, 12), np.array([[2.5, 0, 0, -90], [0, 3.0, 0, 13], [0, 0, 1.5, -8], [0, 0, 0, 1.0]]))
    random = np.random.default_rng(3)
    data = random.integers(0, 500, other.shape).astype(np.int16)
    m = drawn(ROI, grid, (1, 1, 4), (18, 16, 4))
    values = []
    for i in range(20):
        for j in range(20):
            if ((i - 9.5) / 8.5) ** 2 + ((j - 8.5) / 7.5) ** 2 <= 1:
                there = nearest_voxel(other.voxel_of(grid.world_of((i, j, 4))))
                if other.contains(there):
                    values.append(data[there])
    assert len(values) > 10
    found = roi_statistics(m, image(data, other), grid)
    assert found is not None
    assert found.voxels == len(values)
    assert found.mean == pytest.approx(np.mean(values))


@pytest.mark.parametrize("sequence", [None, Sequence.FLAIR])
@pytest.mark.parametrize("kind", MeasurementKind)
def test_there_and_back_through_json(kind: MeasurementKind, sequence: Sequence | None) -> None:
    points = tuple((0.1 + n, -3.7e-5, 1 / 3) for n in range(kind.points))
    m = Measurement(kind, 1, points, "Enhancing (edited)", sequence)
    assert from_dict(json.loads(json.dumps(to_dict(m)))) == m


GOOD = to_dict(Measurement(RULER, 2, ((0, 0, 0), (1, 2, 3)), "a", Sequence.T1))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "circle"},
        {"kind": None},
        {"kind": []},
        {"plane_axis": 3},
        {"plane_axis": -1},
        {"plane_axis": True},
        {"plane_axis": "2"},
        {"points_ras_mm": [[0, 0, 0]]},
        {"points_ras_mm": [[0, 0], [1, 1]]},
        {"points_ras_mm": [[0, 0, 0], [1, 1, float("nan")]]},
        {"points_ras_mm": [[0, 0, 0], [1, 1, 10**400]]},
        {"points_ras_mm": [[0, 0, 0], [1, 1, "7"]]},
        {"points_ras_mm": [[0, 0, 0], [1, 1, True]]},
        {"points_ras_mm": 5},
        {"points_ras_mm": None},
        {"name": 7},
        {"sequence": "PET"},
        {"sequence": 1},
        {"sequence": []},
    ],
)
def test_rubbish_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_dict({**GOOD, **change})


@pytest.mark.parametrize("missing", list(GOOD))
def test_nothing_may_be_missing(missing: str) -> None:
    with pytest.raises(ValueError, match="not a measurement"):
        from_dict({key: value for key, value in GOOD.items() if key != missing})


def test_a_measurement_checks_itself() -> None:
    with pytest.raises(ValueError, match="needs 3 points"):
        Measurement(ANGLE, 2, ((0, 0, 0), (1, 1, 1)))
