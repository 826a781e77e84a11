"""Surfaces of masks as triangles in millimetres: made, smoothed, measured, and hit by a ray.

A surface runs half way between voxels inside and voxels outside. It is smoothed by moving its vertices, not
by blurring the mask: a blurred mask loses whatever is one voxel thin, and a thin enhancing rim or a small
satellite must not vanish from the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.volume import Volume, background_value

Field = NDArray[np.float32]
Factors = tuple[int, int, int]

# A little under one half: no voxel or mean of a block of voxels has this value, so no vertex falls on a
# corner and no face of a cube is undecided between two ways to cut it. Both would tear the surface.
_LEVEL = 0.491
# Marching cubes holds Python's lock from beginning to end; so many cells take it about 15 ms.
_CELLS_AT_ONCE = 400_000
# Taubin's weights: a step inwards and a slightly longer one outwards leave the volume as it was.
_INWARDS, _OUTWARDS = 0.5, -0.53
# How far smoothing may move a vertex, in voxels: along the line between the two voxels, and across it.
_REACH_ALONG, _REACH_ACROSS = 0.3, 0.5
_HEAD_SPACING_MM = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A closed surface of triangles.

    Parameters
    ----------
    vertices_mm : (N, 3) array
        RAS mm.
    faces : (M, 3) array
        Vertex numbers, counter-clockwise seen from outside.
    normals : (N, 3) array
        Of length 1, pointing outwards.
    """

    vertices_mm: NDArray[np.float32]
    faces: NDArray[np.uint32]
    normals: NDArray[np.float32]

    @property
    def volume_ml(self) -> float:
        """Enclosed volume by the divergence theorem: the sum of a . (b x c) / 6 over the triangles."""
        a, b, c = _corners(self.vertices_mm.astype(np.float64) - self.vertices_mm.mean(axis=0), self.faces)
        return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6000.0

    def hit(self, origin_mm: ArrayLike, direction: ArrayLike) -> float | None:
        """Distance in mm along a ray to the first triangle that faces it; None where it meets none.

        Moeller and Trumbore, Fast, minimum storage ray/triangle intersection, 1997.

        Parameters
        ----------
        origin_mm, direction : (3,) array
            RAS; `direction` of length 1.
        """
        way = np.asarray(direction, dtype=np.float64)
        points = self.vertices_mm - np.asarray(origin_mm, dtype=np.float64)
        # Seen along the ray, a triangle around it has corners on either side, both across and upwards.
        sideways = np.cross(way, np.eye(3)[np.argmin(np.abs(way))])
        sides = points @ np.stack([sideways, np.cross(way, sideways)], axis=1) > 0
        first, second, third = (sides[self.faces[:, corner]] for corner in range(3))
        around = ((first != second) | (second != third)).all(axis=1)
        a, b, c = _corners(points, self.faces[around])
        ab, ac = b - a, c - a
        across = np.cross(way, ac)
        determinant = np.einsum("ij,ij->i", ab, across)
        facing = np.flatnonzero(determinant > 1e-12)
        a, ab, ac, across = a[facing], ab[facing], ac[facing], across[facing]
        scale = 1.0 / determinant[facing]
        u = -np.einsum("ij,ij->i", a, across) * scale
        beside = np.cross(-a, ab)
        v = beside @ way * scale
        distance = np.einsum("ij,ij->i", ac, beside) * scale
        inside = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 0)
        return float(distance[inside].min()) if inside.any() else None


def label_surface(
    labels: NDArray[np.uint8],
    values: Iterable[int],
    grid: Grid,
    *,
    smoothing: int = 12,
    max_vertices: int = 60_000,
) -> Mesh | None:
    """The surface around all voxels with one of some values; None if there are none.

    Parameters
    ----------
    labels : (X, Y, Z) array
    values : label values that are inside
    grid : Grid
        On which `labels` lies; may be oblique and anisotropic.
    smoothing : int
        Rounds of Taubin smoothing; 0 leaves the steps of the voxels. It works in voxels, so thick slices are
        smoothed as far as thin ones are, each in its own spacing.
    max_vertices : int
        About how fine: a larger surface is made of blocks of voxels. What a block would swallow (a rim, a
        satellite) is kept, as thick as the block.
    """
    table = np.zeros(256, dtype=bool)
    table[list(values)] = True
    mask = table[labels]
    box = Box.of(mask)
    if box.is_empty:
        return None
    inside = mask[box.slices]
    factors = _block_factors(inside, grid.spacing_mm, max_vertices)
    field = _block_means(inside, factors)
    return _field_surface(field, factors, box.start, grid, smoothing)


def head_surface(volume: Volume) -> Mesh | None:
    """A coarse outline of the head (of the brain, where the skull was removed); None for an empty image.

    The largest connected part above an eighth of the range of the image, its holes filled.
    """
    factors = _factors_of(volume.grid.spacing_mm, _HEAD_SPACING_MM)
    data = np.nan_to_num(np.asarray(volume.data[:: factors[0], :: factors[1], :: factors[2]], np.float32))
    empty = background_value(data)
    above = data[data > empty]
    if above.size == 0:
        return None
    mask = data > empty + 0.125 * (float(np.percentile(above, 99)) - empty)
    # The border is left free, so that a head cut off by the scan is closed there as well.
    mask = ndimage.binary_closing(np.pad(mask, 2), iterations=2)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label(mask)
    if count == 0:
        return None
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = ndimage.binary_fill_holes(largest).astype(np.float32)
    smooth = ndimage.gaussian_filter(filled, 0.8, mode="constant")
    # One voxel was padded, and a sample stands for its own voxel and not for the middle of a block.
    return _surface_of(smooth, np.array(factors, float), -np.array(factors, float), volume.grid, 4)


# Blocks of voxels --------------------------------------------------------------------------------------


def _block_factors(inside: NDArray[np.bool_], spacing: tuple[float, float, float], limit: int) -> Factors:
    """How many voxels make a block along each axis, so that about `limit` vertices come out.

    Marching cubes puts one vertex between every two neighbours of which one is inside.
    """
    padded = np.pad(inside, 1)
    crossed = [np.count_nonzero(np.diff(padded, axis=axis)) for axis in range(3)]
    size = min(spacing)
    while True:
        f = _factors_of(spacing, size)
        blocks = [n * f[axis] / math.prod(f) for axis, n in enumerate(crossed)]
        if sum(blocks) <= limit or min(f) >= min(inside.shape):
            return f
        size *= 1.2


def _factors_of(spacing: tuple[float, float, float], size_mm: float) -> Factors:
    """Voxels that come closest to `size_mm` along each axis, at least one."""
    x, y, z = (max(1, round(size_mm / s)) for s in spacing)
    return (x, y, z)


def _block_means(inside: NDArray[np.bool_], factors: Factors) -> Field:
    """The share of each block that is inside, with a free block on every side."""
    if factors == (1, 1, 1):
        return np.pad(inside, 1).astype(np.float32)
    counts = [-(-n // f) for n, f in zip(inside.shape, factors, strict=True)]
    whole = np.pad(inside, [(0, c * f - n) for n, c, f in zip(inside.shape, counts, factors, strict=True)])
    x, y, z = counts
    blocks = whole.reshape(x, factors[0], y, factors[1], z, factors[2])
    share = np.pad(blocks.mean(axis=(1, 3, 5), dtype=np.float32), 1)
    near = ndimage.binary_dilation(share > _LEVEL, np.ones((3, 3, 3), dtype=bool))
    share[(share > 0) & ~near] = 0.6
    return share


def _field_surface(
    field: Field, factors: Factors, start: tuple[int, int, int], grid: Grid, smoothing: int
) -> Mesh | None:
    step = np.array(factors, dtype=np.float64)
    # Index 0 of the field is the free block before `start`; a block's place is its middle.
    origin = np.array(start) - step + (step - 1) / 2
    return _surface_of(field, step, origin, grid, smoothing)


def _surface_of(
    field: Field, step: NDArray[np.float64], origin: NDArray[np.float64], grid: Grid, smoothing: int
) -> Mesh | None:
    """The surface of a field whose index i lies at voxel ``origin + step * i``."""
    vertices, faces = _march(field)
    if len(faces) == 0:
        return None
    if np.linalg.det(grid.voxel_to_world[:3, :3]) < 0:
        faces = faces[:, ::-1]
    vertices = _smooth(vertices, faces, smoothing)
    world = grid.world_of(vertices * step + origin).astype(np.float32)
    return Mesh(world, np.ascontiguousarray(faces, dtype=np.uint32), _normals(world, faces))


# Triangles ---------------------------------------------------------------------------------------------


def _march(field: Field) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Marching cubes (Lewiner 2003) in slabs, sewn together; vertices in indices of the field.

    Between two slabs other threads get their turn, so that no picture waits for a large mask.
    """
    from skimage.measure import marching_cubes

    field = np.ascontiguousarray(field)
    thick = max(1, _CELLS_AT_ONCE // (field.shape[1] * field.shape[2]))
    vertices, faces, seams, total = [], [], [], 0
    for first in range(0, field.shape[0] - 1, thick):
        slab = field[first : first + thick + 1]
        if slab.max() <= _LEVEL or slab.min() >= _LEVEL:
            continue
        # What is inside is brighter; "ascent" is the word that makes it counter-clockwise from outside.
        points, triangles, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
            slab, _LEVEL, gradient_direction="ascent"
        )
        points = points.astype(np.float64)
        points[:, 0] += first
        vertices.append(points)
        faces.append(triangles.astype(np.int64) + total)
        total += len(points)
        seams += [first, first + thick]
    if not vertices:
        return np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)
    points, triangles = np.concatenate(vertices), np.concatenate(faces)
    return (points, triangles) if len(vertices) == 1 else _sew(points, triangles, np.unique(seams))


def _sew(
    points: NDArray[np.float64], faces: NDArray[np.int64], planes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make one vertex of the two that neighbouring slabs have at the same place of their common plane."""
    nearest = np.round(points[:, 0])
    on_seam = np.flatnonzero((np.abs(points[:, 0] - nearest) < 1e-4) & np.isin(nearest, planes))
    keys = np.round(points[on_seam] * 1000).astype(np.int64)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    target = np.arange(len(points))
    target[on_seam] = on_seam[first[which.ravel()]]
    kept, numbers = np.unique(target, return_inverse=True)
    return points[kept], numbers[faces]


def _smooth(vertices: NDArray[np.float64], faces: NDArray[np.int64], rounds: int) -> NDArray[np.float64]:
    """Taubin, A signal processing approach to fair surface design, 1995: smooths without shrinking.

    A vertex lies on a line from a voxel inside to one outside and never comes near either of them, so that
    threads and single voxels, which this filter would shrink to nothing, stay in the picture.
    """
    if rounds == 0:
        return vertices
    from scipy.sparse import csr_array

    # In a closed surface every edge occurs once in either direction, so this is each pair of neighbours.
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    count = np.maximum(np.bincount(start, minlength=len(vertices)), 1)
    weights = 1.0 / count[start]
    mean = csr_array((weights, (start, end)), shape=(len(vertices), len(vertices)))
    reach = np.where(np.abs(vertices - np.round(vertices)) > 1e-4, _REACH_ALONG, _REACH_ACROSS)
    lowest, highest = vertices - reach, vertices + reach
    for _ in range(rounds):
        for step in (_INWARDS, _OUTWARDS):
            vertices = vertices + step * (mean @ vertices - vertices)
        vertices = np.clip(vertices, lowest, highest)
    return vertices


def _normals(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of the normals of the triangles around each vertex, weighted by their areas."""
    a, b, c = _corners(vertices, faces)
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, corner], across[:, axis], minlength=len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-20), dtype=np.float32)


def _corners(points: NDArray[np.floating], faces: NDArray[np.integer]) -> tuple[NDArray[np.floating], ...]:
    return points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
