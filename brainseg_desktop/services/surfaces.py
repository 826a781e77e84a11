"""The surfaces of a mask and of the head it lies in, for the three-dimensional view."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.mesh import Mesh, head_surface, label_surface
from brainseg_desktop.core.volume import Sequence

# T1 shows the skin best; where it is missing the others will do.
_HEAD_ORDER = (Sequence.T1, Sequence.T1CE, Sequence.FLAIR, Sequence.T2)
# So many vertices a computer without a graphics card can turn fluently.
_LIGHT_VERTICES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class TissueSurface:
    """The surface of one tissue.

    Parameters
    ----------
    fine : Mesh
    light : Mesh
        A coarser one, to be shown while it is turned on a slow computer.
    voxels : (Box, int)
        The box of the tissue and a checksum of its voxels, to know whether an edit has changed them.
    """

    fine: Mesh
    light: Mesh
    voxels: tuple[Box, int]


def tissue_surfaces(
    labels: NDArray[np.uint8],
    grid: Grid,
    *,
    known: Mapping[Tissue, TissueSurface] | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[Tissue, TissueSurface] | None:
    """One surface for each tissue that occurs.

    Parameters
    ----------
    labels : (X, Y, Z) array
        May be edited meanwhile by another thread: it is copied first, and whoever edits asks anew.
    grid : Grid
    known : mapping of Tissue to TissueSurface
        Made earlier on the same grid; what has not changed since is taken over.
    wanted : callable
        Asked between two tissues; the answer False ends the work.

    Returns
    -------
    dict of Tissue to TissueSurface, or None if it was no longer wanted
    """
    box = Box.of(labels > 0)
    part = np.array(labels[box.slices])
    surfaces: dict[Tissue, TissueSurface] = {}
    for tissue in (t for t in Tissue if t is not Tissue.BACKGROUND):
        if not wanted():
            return None
        mask = part == tissue
        inner = Box.of(mask)
        if inner.is_empty:
            continue
        found = _tissue_surface(
            mask[inner.slices], _shifted(inner, box.start), grid, (known or {}).get(tissue)
        )
        if found is not None:
            surfaces[tissue] = found
    return surfaces


def _tissue_surface(
    mask: NDArray[np.bool_], box: Box, grid: Grid, known: TissueSurface | None
) -> TissueSurface | None:
    """The surface of a mask that fills a box of a grid."""
    voxels = (box, zlib.crc32(np.packbits(mask).tobytes()))
    if known is not None and known.voxels == voxels:
        return known
    affine = np.array(grid.voxel_to_world)
    affine[:3, 3] = grid.world_of(box.start)
    here = Grid(box.shape, affine, grid.spacing_known)
    inside = mask.view(np.uint8)
    fine = label_surface(inside, (1,), here)
    light = fine
    if fine is not None and len(fine.vertices_mm) > _LIGHT_VERTICES:
        light = label_surface(inside, (1,), here, max_vertices=_LIGHT_VERTICES)
    return None if fine is None else TissueSurface(fine, light or fine, voxels)


def _shifted(box: Box, by: tuple[int, int, int]) -> Box:
    start, stop = (tuple(p + q for p, q in zip(edge, by, strict=True)) for edge in box)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def head_outline(case: Case) -> Mesh | None:
    """The outline of the head from the sequence that shows it best; None where nothing stands out."""
    volume = next(case.volumes[s] for s in _HEAD_ORDER if s in case.volumes)
    return head_surface(volume)
