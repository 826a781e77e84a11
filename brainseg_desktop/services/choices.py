"""What the user said of files that do not say it themselves: kept, so that nobody is asked twice.

Kept by the place of the file, in the folder of the program's state; written whole or not at all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice, default_window
from brainseg_desktop.io.atomic import set_aside, write_bytes
from brainseg_desktop.io.images import read_image
from brainseg_desktop.io.layouts import CaseFiles, CaseKind
from brainseg_desktop.io.pictures import is_pictures
from brainseg_desktop.services.paths import state_dir
from brainseg_desktop.services.studies.blinding import check_open

_KEPT = 1000
_log = logging.getLogger(__name__)


class _Said(msgspec.Struct, frozen=True):
    volume: int | None = None
    spacing_mm: tuple[float, float, float] | None = None


def choices_path() -> Path:
    """The file, whether it exists or not."""
    return state_dir() / "choices.json"


def recall(files: CaseFiles) -> CaseFiles:
    """The same files with what was said of them earlier; what is said now goes before."""
    known = _load()
    found = {}
    for path in (*files.images.values(), *files.masks, *files.unassigned):
        said = known.get(_key(path))
        if said is not None:
            found[path] = ImageChoice(said.volume, said.spacing_mm)
    return replace(files, choices={**found, **files.choices})


def remember(choices: Mapping[Path, ImageChoice]) -> None:
    """Keep what was said; a disk that cannot be written only means that it is asked for again."""
    known = _load()
    for path, choice in choices.items():
        known.pop(_key(path), None)
        known[_key(path)] = _Said(choice.volume, choice.spacing_mm)
    kept = dict(list(known.items())[-_KEPT:])
    try:
        choices_path().parent.mkdir(parents=True, exist_ok=True)
        write_bytes(choices_path(), msgspec.json.encode(kept))
    except (OSError, UserError) as error:
        _log.warning("choices not kept: %s", getattr(error, "code", type(error).__name__))


def lacks_spacing(files: CaseFiles) -> bool:
    """Whether a case is made of pictures of which nobody has said yet how large a voxel is."""
    return files.kind is not CaseKind.SLICES and any(
        is_pictures(path) and path not in files.choices for path in files.images.values()
    )


def middle_slice(path: Path, volume: int) -> NDArray[np.uint8]:
    """A picture to choose a volume by: its middle axial slice in grey, as a radiologist looks at it.

    Parameters
    ----------
    path : Path
    volume : int
        From 1.

    Returns
    -------
    (row, column) array of uint8
        Rows run to the back, columns to the patient's left.

    Raises
    ------
    UserError
        What `io.images.read_image` raises; ``blinded_mask``.
    """
    check_open([path])
    data = read_image(path, choice=ImageChoice(volume)).data
    low, high = default_window(data)
    plane = data[:, :, data.shape[2] // 2].astype(np.float32)
    grey = np.clip((plane - low) / max(high - low, 1e-6), 0.0, 1.0) * 255.0
    return np.ascontiguousarray(np.rint(grey).astype(np.uint8).T[::-1, ::-1])


def _load() -> dict[str, _Said]:
    """What is kept. The file states no version: a later form must have another name."""
    with suppress(OSError):
        try:
            return msgspec.json.decode(choices_path().read_bytes(), type=dict[str, _Said])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _log.warning("choices not readable, set aside as %s", set_aside(choices_path()).name)
    return {}


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - a link keeps its name
