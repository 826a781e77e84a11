"""Volumes as SimpleITK images and back.

SimpleITK's own frame of reference is left-posterior-superior; nothing in resampling and registration depends
on it, so the millimetres stay RAS on both sides and no axis is ever flipped.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid


@lru_cache(maxsize=1)
def sitk() -> Any:
    """The library; it takes a third of a second to load, so only who aligns waits for it."""
    import SimpleITK

    library: Any = SimpleITK
    library.ProcessObject.SetGlobalDefaultNumberOfThreads(max(1, os.cpu_count() or 1))
    return library


def to_image(data: NDArray[Any], grid: Grid) -> Any:
    """An image of an array (X, Y, Z) on its grid."""
    image = sitk().GetImageFromArray(np.ascontiguousarray(data.transpose(2, 1, 0)))
    spacing = np.array(grid.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((grid.voxel_to_world[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(grid.voxel_to_world[:3, 3].tolist())
    return image


def to_array(image: Any) -> NDArray[Any]:
    """The array (X, Y, Z) of an image."""
    return np.asarray(sitk().GetArrayFromImage(image)).transpose(2, 1, 0)
