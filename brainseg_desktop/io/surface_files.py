"""Surfaces as STL (binary) and PLY files, in RAS mm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.mesh import Mesh

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_VERTEX = np.dtype([("place", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 3)])


def stl_bytes(mesh: Mesh, name: str) -> bytes:
    """A binary STL file.

    Parameters
    ----------
    mesh : Mesh
    name : str
        In the header of 80 bytes. It may not begin with "solid": readers would take the file for text.
    """
    triangles = np.zeros(len(mesh.faces), _TRIANGLE)
    corners = mesh.vertices_mm[mesh.faces]
    triangles["corners"] = corners
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    triangles["normal"] = across / np.maximum(length, 1e-20)
    # Slicer looks for the space here and takes LPS where it finds none.
    head = f"BrainSeg Desktop {name}; SPACE=RAS; mm".encode("ascii", "replace")[:80].ljust(80)
    return head + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def stl_corners(content: bytes) -> NDArray[np.float32]:
    """Corners (triangles, 3, 3) of a binary STL file, in its own millimetres."""
    count = int(np.frombuffer(content, "<u4", 1, 80)[0])
    if len(content) != 84 + count * _TRIANGLE.itemsize:
        raise ValueError("its length does not fit the number of triangles")
    return np.asarray(np.frombuffer(content, _TRIANGLE, count, 84)["corners"])


def ply_bytes(meshes: list[tuple[str, tuple[int, int, int], Mesh]]) -> bytes:
    """A binary PLY file with coloured vertices, of several surfaces one after the other.

    Parameters
    ----------
    meshes : list of (name, colour, mesh)
    """
    vertices = np.concatenate([_vertices(mesh, colour) for _, colour, mesh in meshes])
    starts = np.cumsum([0, *(len(mesh.vertices_mm) for _, _, mesh in meshes)])
    faces = np.concatenate(
        [mesh.faces.astype(np.int64) + start for (_, _, mesh), start in zip(meshes, starts, strict=False)]
    )
    table = np.zeros(len(faces), _FACE)
    table["count"], table["corners"] = 3, faces
    names = ", ".join(name for name, _, _ in meshes)
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment BrainSeg Desktop: {names}",
        "comment SPACE=RAS, mm",
        f"element vertex {len(vertices)}",
        *(f"property float {p}" for p in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {c}" for c in ("red", "green", "blue")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    return "\n".join(lines).encode("ascii", "replace") + b"\n" + vertices.tobytes() + table.tobytes()


def ply_corners(content: bytes) -> NDArray[np.float32]:
    """Corners (triangles, 3, 3) of a PLY file that `ply_bytes` has written."""
    end = content.index(b"end_header\n") + len(b"end_header\n")
    counts = [int(line.split()[-1]) for line in content[:end].splitlines() if line.startswith(b"element")]
    vertices = np.frombuffer(content, _VERTEX, counts[0], end)
    faces = np.frombuffer(content, _FACE, counts[1], end + vertices.nbytes)
    if len(content) != end + vertices.nbytes + faces.nbytes:
        raise ValueError("its length does not fit its header")
    return np.asarray(vertices["place"][faces["corners"]])


def _vertices(mesh: Mesh, colour: tuple[int, int, int]) -> NDArray[np.void]:
    table = np.zeros(len(mesh.vertices_mm), _VERTEX)
    table["place"], table["normal"], table["colour"] = mesh.vertices_mm, mesh.normals, colour
    return table
