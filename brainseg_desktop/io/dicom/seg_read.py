"""Masks out of DICOM segmentation objects, wherever they come from.

Each frame lies by its own position, whatever its number; frames that mark nothing are usually left out.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Source, to_canonical
from brainseg_desktop.io.nifti import MaskFile, canonical_grid
from brainseg_desktop.io.segments import Segment, understand

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_LPS = np.array([-1.0, -1.0, 1.0])
_MOST_VOXELS = 1 << 29
# Of a slice: positions are rounded text.
_TOLERANCE = 0.05


def is_dicom(raw: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file, whatever it is called."""
    return raw[128:132] == b"DICM"


def read_seg(path: Path, scheme: LabelScheme | None = None, near: Grid | None = None) -> MaskFile:
    """Read a segmentation object: binary, fractional (marked from one half up) or a label map.

    Parameters
    ----------
    path : Path
    scheme : LabelScheme or None
        Of the mask; also how segments without a telling code or name are numbered.
    near : Grid or None
        Of the images: its slice distance helps where the object does not state one.

    Returns
    -------
    MaskFile
        On the smallest grid that holds all frames, a part of the images'; `core.placing` puts it back. Who
        made it stands in `sidecar`.

    Raises
    ------
    UserError
        ``file_missing``, ``file_unreadable``, ``seg_unusable`` (param ``reason``), ``segments_overlap``, and
        what `io.segments.understand` raises.
    """
    import pydicom

    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("file_missing", path=path) from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    try:
        data = pydicom.dcmread(io.BytesIO(raw))
        if str(data.get("SOPClassUID", "")) not in SEGMENTATION_CLASSES:
            raise UserError("seg_unusable", path=path, reason="it is another kind of DICOM object")
        stored, affine = _assembled(data, path, near)
        segments = [_segment(item) for item in data.SegmentSequence]
        grid, axes = canonical_grid((stored.shape[0], stored.shape[1], stored.shape[2]), affine)
    except UserError:
        raise
    except Exception as error:  # the library raises whatever it likes on damaged objects
        raise UserError("seg_unusable", path=path, reason=str(error)[:80] or type(error).__name__) from error
    found = set(np.unique(stored).tolist()) - {0}
    described = [s for s in segments if s.value in found or not found]
    if not {s.value for s in described} >= found:
        raise UserError("seg_unusable", path=path, reason="it marks segments that it does not describe")
    told = understand(described, path, scheme)
    table = np.zeros(256, np.uint8)
    table[list(told.tissues)] = list(told.tissues.values())
    tissues = np.ascontiguousarray(to_canonical(table[stored], axes))
    source = Source(path, hashlib.sha256(raw).hexdigest(), None, stored.shape, axes)
    return MaskFile(tissues, grid, told.scheme, told.why, source, _author(data, path), part=True)


def _assembled(data: Any, path: Path, near: Grid | None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Segment numbers as (column, row, slice), and their affine to RAS mm."""
    rows, columns, count = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames", 1))
    groups = data.PerFrameFunctionalGroupsSequence
    if len(groups) != count or rows * columns * count > _MOST_VOXELS or rows * columns * count < 1:
        raise UserError("seg_unusable", path=path, reason=f"{count} frames of {rows} x {columns}")
    shared = data.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in data else None

    def group(index: int, name: str) -> Any:
        own = groups[index]
        return (own if name in own or shared is None else shared)[name].value[0]

    first = group(0, "PlaneOrientationSequence").ImageOrientationPatient
    if any(
        not np.allclose(group(i, "PlaneOrientationSequence").ImageOrientationPatient, first, atol=1e-4)
        for i in range(count)
    ):
        raise UserError("seg_unusable", path=path, reason="its frames are tilted against each other")
    measures = group(0, "PixelMeasuresSequence")
    directions = np.array(first, dtype=np.float64).reshape(2, 3)
    between_rows, between_columns = (float(v) for v in measures.PixelSpacing)
    positions = np.array(
        [group(i, "PlanePositionSequence").ImagePositionPatient for i in range(count)], float
    )
    stated = [measures.get("SpacingBetweenSlices"), _spacing_near(near, directions)]
    stated += [measures.get("SliceThickness")]
    places, step = _slices(positions, np.cross(*directions), [abs(float(s)) for s in stated if s], path)
    stored = _marked(data, (columns, rows, int(places.max()) + 1), places, group, path)
    affine = np.eye(4)
    steps = (directions[0] * between_columns, directions[1] * between_rows, step)
    for axis, one in enumerate(steps):
        affine[:3, axis] = _LPS * one
    affine[:3, 3] = _LPS * positions[int(np.argmin(places))]
    return stored, affine


def _marked(
    data: Any, shape: tuple[int, int, int], places: NDArray[np.int64], group: Any, path: Path
) -> NDArray[np.uint8]:
    """The number of the segment at each voxel, frame after frame."""
    if np.prod([int(n) for n in shape]) > _MOST_VOXELS:
        raise UserError("seg_unusable", path=path, reason="its frames lie too far from each other")
    pixels = np.asarray(data.pixel_array).reshape(len(places), shape[1], shape[0])
    kind = str(data.get("SegmentationType", "BINARY"))
    half = int(data.get("MaximumFractionalValue", 255)) / 2 if kind == "FRACTIONAL" else 0.5
    stored = np.zeros(shape, np.uint8)
    overlap = 0
    for index, place in enumerate(places):
        plane = stored[:, :, place]
        picture = pixels[index].T
        if kind == "LABELMAP":
            if int(picture.max()) > 255:
                raise UserError("seg_unusable", path=path, reason="it has more than 255 segments")
            np.copyto(plane, picture.astype(np.uint8), where=picture > 0)
            continue
        number = int(group(index, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        if not 0 < number < 256:
            raise UserError("seg_unusable", path=path, reason="it has more than 255 segments")
        inside = picture >= half
        overlap += int(np.count_nonzero(inside & (plane > 0) & (plane != number)))
        plane[inside] = number
    if overlap:
        raise UserError("segments_overlap", path=path, count=overlap)
    return stored


def _slices(
    positions: NDArray[np.float64], normal: NDArray[np.float64], stated: list[float], path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The slice of each frame, from 0, and the step between slices; LPS mm."""
    depth = positions @ normal
    depth = depth - depth.min()
    apart = np.unique(np.round(depth, 3))
    gaps = np.diff(apart)
    gaps = gaps[gaps > 0.01]
    if gaps.size == 0:
        return np.zeros(len(positions), np.int64), normal * (stated[0] if stated else 1.0)
    for spacing in (*stated[:2], float(gaps.min())):
        places = np.rint(depth / spacing).astype(np.int64)
        if float(np.abs(depth / spacing - places).max()) <= _TOLERANCE:
            break
    else:
        raise UserError("seg_unusable", path=path, reason="its slices are not evenly spaced")
    first, last = int(np.argmin(places)), int(np.argmax(places))
    step = (positions[last] - positions[first]) / places[last]
    expected = positions[first] + places[:, None] * step
    if float(np.abs(positions - expected).max()) > max(0.02, _TOLERANCE * spacing):
        raise UserError("seg_unusable", path=path, reason="its slices do not lie behind each other")
    return places, step


def _spacing_near(near: Grid | None, directions: NDArray[np.float64]) -> float | None:
    """Distance of the images' slices along the normal of the frames."""
    if near is None:
        return None
    columns = near.voxel_to_world[:3, :3] * _LPS[:, None]
    along = np.abs(np.cross(*directions) @ columns)
    return float(along.max())


def _segment(item: Any) -> Segment:
    types = item.get("SegmentedPropertyTypeCodeSequence") or [None]
    code, coding = "", ""
    if types[0] is not None:
        code, coding = str(types[0].get("CodeValue", "")), str(types[0].get("CodingSchemeDesignator", ""))
    return Segment(int(item.SegmentNumber), str(item.get("SegmentLabel", "")), code, coding)


def _author(data: Any, path: Path) -> dict[str, Any]:
    """Who made it, in the form of our own sidecar."""
    kinds = {str(item.get("SegmentAlgorithmType", "")) for item in data.SegmentSequence}
    item = data.SegmentSequence[0]
    algorithm = str(item.get("SegmentAlgorithmName", ""))
    identified = item.get("SegmentationAlgorithmIdentificationSequence")
    version = str(identified[0].get("AlgorithmVersion", "")) if identified else ""
    network = {"model": algorithm, "version": version}
    creator = str(data.get("ContentCreatorName") or "").replace("^", " ").strip()
    if kinds == {"AUTOMATIC"}:
        return {"rater": algorithm or path.stem, "kind": "model", "details": network}
    started = {"started_from": {"rater": algorithm, "kind": "model", **network}}
    return {
        "rater": creator or path.stem,
        "kind": "human",
        "details": started if algorithm and "MANUAL" not in kinds else {},
    }
