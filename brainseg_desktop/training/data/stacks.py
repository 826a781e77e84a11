"""BraTS cases as multi-page TIFF: axial slices from inferior to superior, voxels of 1 mm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.brats import Form, find_cases
from brainseg_desktop.training.data.entries import Entry, stack_to_canonical
from brainseg_desktop.training.exams import Problem


def find_stacks(path: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The cases of a folder of TIFF stacks, or of a folder of such folders."""
    return find_cases(path, source, problems, Form("stacks", (".tif", ".tiff"), _read_stack))


def _read_stack(path: Path) -> tuple[NDArray[np.generic], Grid]:
    import tifffile

    try:
        stack = np.asarray(tifffile.imread(path))
    except Exception as error:  # the decoders raise whatever they like on damaged data
        reason = str(error) or type(error).__name__
        raise UserError("slice_unreadable", path=path, reason=reason) from error
    if stack.ndim != 3:
        raise UserError("slice_unreadable", path=path, reason=f"shape {stack.shape}")
    data = stack_to_canonical(stack)
    x, y, z = data.shape
    return data, Grid((x, y, z), np.eye(4))
