"""Whether an exam is of the sort that the networks learnt from; what speaks against it, as codes.

The limits are wide: on 88 whole heads and 8 stripped brains of the training data and on other heads none of
them is met. They are for exams on which a mask would be there and mean nothing, not for poor ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.background import find_background
from brainseg_desktop.inference.kinds import read_signs

# Air in Hounsfield units, and what scanners fill the corners with.
CT_BACKGROUND = (-4096.0, -800.0)
# Of what is bright, in the plane and over all slices, in mm.
LEAST_HEAD_MM, MOST_HEAD_MM = 90.0, 330.0
LEAST_DEPTH_MM = 50.0
# In the plane; between slices; in mm.
FINEST_MM, COARSEST_MM, THICKEST_MM = 0.2, 3.0, 10.0
FEWEST_GREYS = 16


def outside_scope(
    volumes: Mapping[Sequence, NDArray[np.generic]],
    grid: Grid,
    modalities: Mapping[Sequence, str] | None = None,
) -> tuple[UserError, ...]:
    """What puts an exam outside of what the networks know; empty for a usual one.

    Parameters
    ----------
    volumes : mapping of Sequence to (X, Y, Z) array
        On `grid`; what the network would get.
    modalities : mapping of Sequence to str, optional
        What the files say, e.g. ``"MR"``; absent or empty where they do not.

    Returns
    -------
    tuple of UserError
        Remarks, not errors: ``outside_not_mr``, ``outside_inverted``, ``outside_greys``, ``outside_no_head``
        (param ``sequence``), ``outside_voxels``, ``outside_few_slices``, ``outside_small``,
        ``outside_large``, ``outside_few_sequences``; see `is_hopeless`.
    """
    found = []
    for sequence, data in volumes.items():
        found += _of_image(sequence, data, (modalities or {}).get(sequence, ""))
    if grid.spacing_known:
        found += _of_grid(grid, volumes)
    if len(volumes) == 1:
        found.append(UserError("outside_few_sequences", present=[s.value for s in volumes]))
    return tuple(found)


def is_hopeless(remarks: tuple[UserError, ...], volumes: Mapping[Sequence, object]) -> bool:
    """Whether a mask would mean nothing: something else than MR, or every image inverted."""
    codes = [r.code for r in remarks]
    return "outside_not_mr" in codes or codes.count("outside_inverted") == len(volumes)


def _of_image(sequence: Sequence, data: NDArray[np.generic], modality: str) -> list[UserError]:
    name = sequence.value
    sample = np.asarray(data[::3, ::3, :: max(1, data.shape[2] // 40)], np.float32)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return []
    background = find_background(data)
    if modality not in ("", "MR") or _looks_like_ct(sample, background.value):
        return [UserError("outside_not_mr", sequence=name, modality=modality or "CT")]
    low, high = (float(v) for v in np.percentile(sample, (1, 99)))
    if background.value >= high - 0.02 * (high - low) and background.value > low:
        return [UserError("outside_inverted", sequence=name)]
    greys = len(np.unique(sample))
    if greys < FEWEST_GREYS:
        return [UserError("outside_greys", sequence=name, n=greys)]
    if read_signs(data) is None:
        return [UserError("outside_no_head", sequence=name)]
    return []


def _looks_like_ct(sample: NDArray[np.float32], background: float) -> bool:
    """Air at -1000, soft tissue near 0, bone far above, all whole numbers."""
    low, high = CT_BACKGROUND
    around_water = float(((sample > -200) & (sample < 200)).mean())
    return low <= background <= high and around_water > 0.02 and bool(np.all(sample == np.rint(sample)))


def _of_grid(grid: Grid, volumes: Mapping[Sequence, NDArray[np.generic]]) -> list[UserError]:
    spacing = grid.spacing_mm
    told = " x ".join(f"{s:.3g}" for s in spacing)
    if min(spacing[:2]) < FINEST_MM or max(spacing[:2]) > COARSEST_MM or spacing[2] > THICKEST_MM:
        return [UserError("outside_voxels", spacing_mm=told)]
    found = []
    if grid.shape[2] * spacing[2] < LEAST_DEPTH_MM:
        found.append(UserError("outside_few_slices", n=grid.shape[2], thickness_mm=round(spacing[2], 2)))
    sizes = [_widest_mm(data, grid) for data in volumes.values()]
    size = max(sizes, default=0.0)
    if 0 < size < LEAST_HEAD_MM:
        found.append(UserError("outside_small", size_mm=round(size), least_mm=round(LEAST_HEAD_MM)))
    elif size > MOST_HEAD_MM:
        found.append(UserError("outside_large", size_mm=round(size)))
    return found


def _widest_mm(data: NDArray[np.generic], grid: Grid) -> float:
    """How far what is bright reaches in the plane, in mm; stray noise does not count."""
    background = find_background(data)
    image = np.asarray(data[:, :, :: max(1, data.shape[2] // 20)], np.float32)
    image = np.where(np.isfinite(image), image, np.float32(background.value))
    bright = background.foreground(image)
    widths = []
    for axis in range(2):
        profile = bright.mean(axis=tuple({0, 1, 2} - {axis}))
        inside = np.flatnonzero(profile > 0.06 * profile.max()) if profile.any() else np.array([], int)
        widths.append(float(np.ptp(inside) + 1) * grid.spacing_mm[axis] if inside.size else 0.0)
    return max(widths)
