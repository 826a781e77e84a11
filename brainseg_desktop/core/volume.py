"""Image volumes and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.geometry import Grid


class Sequence(str, Enum):
    """An MR sequence, in the order in which networks take them."""

    T1 = "T1"
    T1CE = "T1CE"
    T2 = "T2"
    FLAIR = "FLAIR"


@dataclass(frozen=True, slots=True)
class Source:
    """The file a volume was read from, and what is needed to write beside it in its own form.

    Parameters
    ----------
    path : Path
        File, or folder for a stack of slices.
    sha256 : str
        Of the file's bytes; of the concatenated slices for a folder.
    header : object
        The original header as the reader gave it, never interpreted outside io.
    native_shape : tuple of int
        Shape of the array as stored.
    native_axes : tuple of (int, int)
        For each canonical axis: the stored axis it came from, and +1 or -1 if it was flipped.
    files : tuple of Path
        The slices of a folder in order from inferior to superior; empty for a single file.
    volume : int
        Which volume of a file with several was read, from 1; 0 where the file has one only.
    """

    path: Path
    sha256: str
    header: Any = field(default=None, compare=False, repr=False)
    native_shape: tuple[int, ...] = ()
    native_axes: tuple[tuple[int, int], ...] = ((0, 1), (1, 1), (2, 1))
    files: tuple[Path, ...] = ()
    volume: int = 0


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """What somebody said of a file that does not say it itself.

    Parameters
    ----------
    volume : int or None
        Which volume of a file with several, from 1.
    spacing_mm : tuple of float or None
        Distance of neighbouring voxels to the right, to the front and upwards, of pictures that state none.
    """

    volume: int | None = None
    spacing_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A read-only image on a grid.

    Parameters
    ----------
    data : (X, Y, Z) array
        Canonical order (closest to R, A, S), any real dtype.
    grid : Grid
    source : Source
    sequence : Sequence or None
        None where nothing tells what was measured.
    """

    data: NDArray[Any]
    grid: Grid
    source: Source
    sequence: Sequence | None = None

    def __post_init__(self) -> None:
        if self.data.shape != self.grid.shape:
            raise ValueError(f"array {self.data.shape} does not fit its grid {self.grid.shape}")
        view = self.data.view()
        view.flags.writeable = False
        object.__setattr__(self, "data", view)


def to_native(data: NDArray[Any], source: Source) -> NDArray[Any]:
    """Bring an array from canonical order back to the axes in which its file was stored.

    Examples
    --------
    >>> data = np.arange(6).reshape(1, 2, 3)
    >>> source = Source(Path("a"), "", native_shape=(3, 1, 2), native_axes=((1, 1), (2, -1), (0, 1)))
    >>> to_native(data, source).shape
    (3, 1, 2)
    """
    flips = tuple(slice(None, None, -1) if sign < 0 else slice(None) for _, sign in source.native_axes)
    order = np.argsort([axis for axis, _ in source.native_axes])
    return data[flips].transpose(order)


def to_canonical(data: NDArray[Any], native_axes: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """Bring an array from its stored axes to canonical order; the inverse of `to_native`."""
    turned = data.transpose([axis for axis, _ in native_axes])
    return turned[tuple(slice(None, None, -1) if sign < 0 else slice(None) for _, sign in native_axes)]


def background_value(data: NDArray[Any]) -> float:
    """The value that fills the border of an image: not always 0, z-scored exports have it at their minimum.

    The most frequent value on the six faces if it fills at least a quarter of them, else the smallest
    finite value (an image without an empty border has no background value).
    """
    faces = np.concatenate([data[s].ravel() for axis in range(3) for s in _faces(axis)])
    faces = faces[np.isfinite(faces)]
    if faces.size == 0:
        return 0.0
    values, counts = np.unique(faces, return_counts=True)
    best = int(np.argmax(counts))
    if counts[best] * 4 >= faces.size:
        return float(values[best])
    return float(values[0])


def _faces(axis: int) -> tuple[tuple[slice | int, ...], tuple[slice | int, ...]]:
    first: list[slice | int] = [slice(None)] * 3
    last: list[slice | int] = [slice(None)] * 3
    first[axis], last[axis] = 0, -1
    return tuple(first), tuple(last)


def default_window(data: NDArray[Any]) -> tuple[float, float]:
    """Lower and upper grey limit: 0.5 and 99.5 % of the voxels that are not background.

    A sample of at most about 500,000 voxels is used: the percentiles of a whole volume cost 100 ms and
    do not differ visibly.
    """
    step = max(1, round((data.size / 500_000) ** (1 / 3)))
    sample = np.asarray(data[::step, ::step, ::step], dtype=np.float32)
    sample = sample[np.isfinite(sample) & (sample != background_value(data))]
    if sample.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    return (low, high) if high > low else (low, low + 1.0)
