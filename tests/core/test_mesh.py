"""Surfaces: closed, outward, of the right volume, at the right place; nothing thin is lost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core import mesh as mesh_module
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.mesh import Mesh, head_surface, label_surface
from brainseg_desktop.core.volume import Source, Volume


def turn(degrees: float, axis: int) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    return matrix


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float], rotation: np.ndarray) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing)
    affine[:3, 3] = (-31.0, 12.5, 40.0)
    return Grid(shape, affine)


def ball(grid: Grid, centre_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return (np.linalg.norm(grid.world_of(voxels) - centre_mm, axis=-1) <= radius_mm).astype(np.uint8)


def is_closed(mesh: Mesh) -> bool:
    """Every edge lies in two triangles, once in either direction."""
    edges = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).astype(np.int64)
    there = edges[:, 0] * len(mesh.vertices_mm) + edges[:, 1]
    back = edges[:, 1] * len(mesh.vertices_mm) + edges[:, 0]
    return len(np.unique(there)) == len(there) and np.array_equal(np.sort(there), np.sort(back))


OBLIQUE = turn(21, 2) @ turn(-14, 0)
GRIDS = {
    "isotropic": grid_of((64, 60, 62), (1, 1, 1), np.eye(3)),
    "fine": grid_of((120, 116, 118), (0.5, 0.5, 0.5), np.eye(3)),
    "thick slices": grid_of((60, 60, 16), (1, 1, 4), np.eye(3)),
    "oblique": grid_of((64, 64, 34), (1, 1, 2), OBLIQUE),
    "left-handed": grid_of((64, 60, 62), (1, 1, 1), np.diag([-1.0, 1.0, 1.0])),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("max_vertices", [60_000, 1500])
def test_ball_has_its_volume_place_and_direction(grid: Grid, max_vertices: int) -> None:
    centre = grid.world_of((np.array(grid.shape) - 1) / 2 + 0.2)
    mesh = label_surface(ball(grid, centre, 22.0) * 3, (3,), grid, max_vertices=max_vertices)
    assert mesh is not None
    assert is_closed(mesh)
    assert mesh.volume_ml == pytest.approx(4 / 3 * math.pi * 22**3 / 1000, rel=0.03)
    out = mesh.vertices_mm - centre
    assert np.abs(mesh.vertices_mm.mean(axis=0) - centre).max() < 0.6
    distance = np.linalg.norm(out, axis=1)
    assert np.abs(distance - 22).max() < 0.8 * max(grid.spacing_mm)
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1.0, abs=1e-5)
    # Smooth: the normals of a ball point away from its middle, not along the steps of the voxels.
    cosine = (mesh.normals * out).sum(axis=1) / distance
    assert cosine.min() > 0.5
    assert cosine.mean() > (0.97 if max(grid.spacing_mm) < 3 else 0.93)
    assert len(mesh.vertices_mm) <= max_vertices


def test_box_has_its_volume() -> None:
    grid = grid_of((60, 50, 40), (0.8, 1.0, 1.5), OBLIQUE)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[10:50, 5:45, 8:32] = 2
    mesh = label_surface(labels, (2,), grid)
    assert mesh is not None
    assert mesh.volume_ml == pytest.approx(40 * 40 * 24 * grid.voxel_volume_ml, rel=0.02)
    corners = grid.voxel_of(mesh.vertices_mm)
    assert corners.min(axis=0) == pytest.approx([9.5, 4.5, 7.5], abs=0.2)
    assert corners.max(axis=0) == pytest.approx([49.5, 44.5, 31.5], abs=0.2)


def test_only_the_values_asked_for_are_inside() -> None:
    grid = GRIDS["isotropic"]
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[10:30, 10:30, 10:30] = 1
    labels[30:50, 10:30, 10:30] = 3
    one, both = label_surface(labels, (1,), grid), label_surface(labels, (1, 3), grid)
    assert one is not None
    assert both is not None
    assert both.volume_ml == pytest.approx(2 * one.volume_ml, rel=0.02)
    assert label_surface(labels, (2,), grid) is None
    assert label_surface(np.zeros(grid.shape, dtype=np.uint8), (1,), grid) is None


@pytest.mark.parametrize("share", [0.03, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("max_vertices", [10**6, 2000])
def test_noise_is_closed_and_slabs_make_no_difference(
    share: float, max_vertices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = (np.random.default_rng(4).random((25, 21, 23)) < share).astype(np.uint8)
    grid = Grid(labels.shape, np.eye(4))
    whole = label_surface(labels, (1,), grid, max_vertices=max_vertices)
    monkeypatch.setattr(mesh_module, "_CELLS_AT_ONCE", 4 * 23 * 25)
    slabs = label_surface(labels, (1,), grid, max_vertices=max_vertices)
    assert whole is not None
    assert slabs is not None
    assert is_closed(whole)
    assert is_closed(slabs)
    assert len(slabs.vertices_mm) == len(whole.vertices_mm)
    assert slabs.volume_ml == pytest.approx(whole.volume_ml, rel=1e-3)


def test_mask_at_the_edge_of_the_scan_is_closed() -> None:
    labels = np.ones((8, 9, 10), dtype=np.uint8)
    mesh = label_surface(labels, (1,), Grid(labels.shape, np.eye(4)), smoothing=0)
    assert mesh is not None
    assert is_closed(mesh)
    assert mesh.volume_ml * 1000 == pytest.approx(720, rel=0.03)


@pytest.mark.parametrize("max_vertices", [60_000, 1500])
def test_what_is_one_voxel_thin_stays(max_vertices: int) -> None:
    grid = grid_of((70, 70, 70), (1, 1, 1), OBLIQUE)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[5:45, 5:45, 5:45] = 1
    labels[60, 10:40, 10:40] = 1
    labels[52, 52, 10:40] = 1
    labels[66, 66, 66] = 1
    mesh = label_surface(labels, (1,), grid, max_vertices=max_vertices)
    assert mesh is not None
    voxels = grid.voxel_of(mesh.vertices_mm)

    def near(*voxel: float) -> float:
        return float(np.linalg.norm(voxels - np.array(voxel), axis=1).min())

    reach = 0.6 if max_vertices > 2000 else 3.0
    for voxel in ((60, 25, 25), (60, 12, 37), (52, 52, 25), (66, 66, 66)):
        assert near(*voxel) < reach
    assert is_closed(mesh)


def test_one_voxel_lies_where_it_was_marked() -> None:
    grid = grid_of((40, 40, 20), (1, 1, 3), OBLIQUE)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[31, 7, 15] = 1
    mesh = label_surface(labels, (1,), grid)
    assert mesh is not None
    assert mesh.vertices_mm.mean(axis=0) == pytest.approx(grid.world_of((31, 7, 15)), abs=0.01)


def test_ray_hits_a_ball_where_geometry_says() -> None:
    grid = GRIDS["isotropic"]
    centre = grid.world_of((31.0, 30.0, 30.0))
    mesh = label_surface(ball(grid, centre, 20.0), (1,), grid)
    assert mesh is not None
    random = np.random.default_rng(8)
    for _ in range(30):
        way = random.normal(size=3)
        way /= np.linalg.norm(way)
        aside = np.cross(way, random.normal(size=3))
        aside *= random.uniform(0, 15) / np.linalg.norm(aside)
        expected = 200 - math.sqrt(20**2 - aside @ aside)
        assert mesh.hit(centre + aside - 200 * way, way) == pytest.approx(expected, abs=1.0)
        assert mesh.hit(centre + aside + 200 * way, way) is None
        assert mesh.hit(centre + 1.6 * 15 / max(np.linalg.norm(aside), 1e-9) * aside - 200 * way, way) is None


def test_ray_hits_what_every_triangle_by_itself_says() -> None:
    labels = (np.random.default_rng(1).random((6, 6, 6)) < 0.3).astype(np.uint8)
    mesh = label_surface(labels, (1,), Grid(labels.shape, np.eye(4)), smoothing=3)
    assert mesh is not None
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(40):
        origin = random.normal(size=3)
        origin *= 20 / np.linalg.norm(origin)
        way = random.uniform(0, 5, 3) - origin
        way /= np.linalg.norm(way)
        distances = []
        for face in mesh.faces:
            a, b, c = mesh.vertices_mm[face].astype(np.float64)
            # origin + t way = a + u (b - a) + v (c - a)
            system = np.stack([b - a, c - a, -way], axis=1)
            if abs(np.linalg.det(system)) < 1e-12 or np.cross(b - a, c - a) @ way > 0:
                continue
            u, v, t = np.linalg.solve(system, origin - a)
            if u >= 0 and v >= 0 and u + v <= 1 and t > 0:
                distances.append(t)
        found = mesh.hit(origin, way)
        assert (found is None) == (not distances)
        if distances:
            hits += 1
            assert found == pytest.approx(min(distances), abs=1e-6)
    assert hits > 10


@pytest.mark.parametrize("background", [0.0, -1.7])
def test_head_is_outlined_without_its_holes(background: float) -> None:
    grid = grid_of((90, 96, 60), (2, 2, 3), np.eye(3))
    random = np.random.default_rng(3)
    centre = grid.world_of((45, 48, 22))
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm(grid.world_of(voxels) - centre, axis=-1)
    head = (distance < 75) & ~((distance > 20) & (distance < 40))
    data = background + np.where(head, 2 + random.random(grid.shape), 0)
    data[1, 1, 1] = 40.0
    volume = Volume(data.astype(np.float32), grid, Source(Path("a"), ""))
    mesh = head_surface(volume)
    assert mesh is not None
    assert is_closed(mesh)
    out = np.linalg.norm(mesh.vertices_mm - centre, axis=1)
    # The scan cuts this head off below, so its outline is flat there.
    cut = grid.voxel_of(mesh.vertices_mm)[:, 2] < 1.5
    assert np.abs(out[~cut] - 75).max() < 6
    below = float(centre[2] - grid.world_of((0, 0, 0))[2]) + 1.5
    part = math.pi * (75 + below) ** 2 * (3 * 75 - (75 + below)) / 3000
    assert mesh.volume_ml == pytest.approx(part, rel=0.06)


def test_empty_image_has_no_head() -> None:
    grid = Grid((30, 30, 30), np.eye(4))
    assert head_surface(Volume(np.zeros(grid.shape, np.float32), grid, Source(Path("a"), ""))) is None
