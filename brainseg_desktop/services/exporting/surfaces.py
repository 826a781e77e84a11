"""STL and PLY: the surfaces of labels and regions, in RAS mm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import TISSUE_COLOURS, TISSUE_NAMES, Tissue
from brainseg_desktop.core.mesh import Mesh, label_surface
from brainseg_desktop.io.surface_files import ply_bytes, ply_corners, stl_bytes, stl_corners
from brainseg_desktop.services.exporting.job import Content, Job, plain, present

# Finer than on the screen: so many vertices leave every voxel of a large tumour its own.
_MOST_VERTICES = 2_000_000
Named = tuple[str, tuple[int, int, int], Mesh]


def stl_content(job: Job) -> Content:
    """A file holds the surface around all labels that go in; a folder gets one for each label and region."""
    if job.destination.suffix.lower() == ".stl":
        named = {job.destination: _surface(job, "tumour", present(job.labels))}
    else:
        named = {job.destination / f"{job.stem}_{plain(n[0]).lower()}.stl": n for n in _surfaces(job)}
    files = {path: stl_bytes(mesh, name) for path, (name, _, mesh) in named.items()}

    def check(written: Mapping[Path, Path]) -> bool:
        return all(
            np.array_equal(stl_corners(written[path].read_bytes()), _corners([mesh]))
            for path, (_, _, mesh) in named.items()
        )

    return Content(files, check)


def ply_content(job: Job) -> Content:
    """A file holds the surfaces of all labels in their colours; a folder gets one each, of regions too."""
    if job.destination.suffix.lower() == ".ply":
        groups = {job.destination: [_surface(job, TISSUE_NAMES[t], [t]) for t in present(job.labels)]}
        if not groups[job.destination]:
            raise UserError("nothing_marked", name=job.case.name)
    else:
        groups = {job.destination / f"{job.stem}_{plain(n[0]).lower()}.ply": [n] for n in _surfaces(job)}
    files = {path: ply_bytes(group) for path, group in groups.items()}

    def check(written: Mapping[Path, Path]) -> bool:
        return all(
            np.array_equal(ply_corners(written[path].read_bytes()), _corners([mesh for _, _, mesh in group]))
            for path, group in groups.items()
        )

    return Content(files, check)


def _surfaces(job: Job) -> list[Named]:
    """Of every label that occurs, and of every region that is more than one label."""
    occurring = present(job.labels)
    wanted = [(TISSUE_NAMES[t], [t]) for t in occurring]
    for region in job.scheme.regions:
        inside = [t for t in occurring if t in region.tissues]
        if len(inside) > 1:
            wanted.append((region.name, inside))
    if not wanted:
        raise UserError("nothing_marked", name=job.case.name)
    found = []
    for count, (name, tissues) in enumerate(wanted, 1):
        found.append(_surface(job, name, tissues))
        job.tell(0.9 * count / len(wanted))
    return found


def _surface(job: Job, name: str, tissues: list[Tissue]) -> Named:
    mesh = label_surface(job.labels, [int(t) for t in tissues], job.case.grid, max_vertices=_MOST_VERTICES)
    if mesh is None:
        raise UserError("nothing_marked", name=job.case.name)
    return name, TISSUE_COLOURS[tissues[0] if len(tissues) == 1 else Tissue.TUMOUR], mesh


def _corners(meshes: list[Mesh]) -> NDArray[np.float32]:
    return np.concatenate([mesh.vertices_mm[mesh.faces] for mesh in meshes])
