"""How network slices lie on an exam's own grid, and the resampling both ways.

The weights are sparse matrices: few native pixels take part in a working one, and scipy multiplies them in
the calling thread, so that a busy processor does not slow them down as it does the threads of a BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Frame:
    """How network slices lie on the exam's own grid.

    Parameters
    ----------
    native_shape : (int, int, int)
        Shape of the exam's arrays.
    working_shape : (int, int)
        In-plane shape after resampling, before the crop.
    start, size : (int, int)
        First working pixel of the network slice (may be negative: padding) and its size, multiples of 16.
    """

    native_shape: tuple[int, int, int]
    working_shape: tuple[int, int]
    start: tuple[int, int]
    size: tuple[int, int]


def to_working(data: NDArray[np.generic], frame: Frame, empty: float = 0.0) -> FloatArray:
    """Resample a volume to network slices.

    Parameters
    ----------
    data : (X, Y, Z) array
    empty : float
        Taken for voxels that are not finite.

    Returns
    -------
    (Z, H, W) array
        Beyond the edge of the exam the edge is repeated.
    """
    rows, columns = averaging(frame, 0), averaging(frame, 1)
    used = tuple(slice(int(m.indices.min()), int(m.indices.max()) + 1) for m in (rows, columns))
    cut = np.ascontiguousarray(data[used], dtype=np.float32)
    if data.dtype.kind == "f" and not np.isfinite(cut).all():
        cut[~np.isfinite(cut)] = empty
    part = _along_first(rows[:, used[0]], cut).transpose(1, 0, 2)
    part = _along_first(columns[:, used[1]], part).transpose(2, 1, 0)
    return np.ascontiguousarray(part)


def to_native(slices: FloatArray, frame: Frame) -> FloatArray:
    """Bring network slices back onto the exam's own in-plane grid, by linear interpolation.

    Parameters
    ----------
    slices : (N, C, H, W) array

    Returns
    -------
    (C, X, Y, N) array
        Zero outside the network slice.
    """
    part = _along_first(interpolation(frame, 0), slices.transpose(2, 3, 1, 0))
    part = _along_first(interpolation(frame, 1), part.transpose(1, 0, 2, 3))
    return part.transpose(2, 1, 0, 3)


def averaging(frame: Frame, axis: int) -> csr_array:
    """Weights (H, X) of a triangle filter as wide as a working pixel, so that fine detail does not alias."""
    n, scale = frame.native_shape[axis], frame.native_shape[axis] / frame.working_shape[axis]
    centres = (np.arange(frame.size[axis]) + frame.start[axis] + 0.5) * scale - 0.5
    reach = max(scale, 1.0)
    taps = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 2)
    positions = np.floor(centres)[:, None] + taps
    weights = np.clip(1 - np.abs(positions - centres[:, None]) / reach, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return _sparse(weights, np.clip(positions, 0, n - 1), n)


def interpolation(frame: Frame, axis: int) -> csr_array:
    """Weights (X, H) of linear interpolation between network pixels; a row of zeros outside them."""
    n, scale = frame.native_shape[axis], frame.working_shape[axis] / frame.native_shape[axis]
    places = (np.arange(n) + 0.5) * scale - 0.5 - frame.start[axis]
    positions = np.floor(places)[:, None] + np.arange(2)
    weights = 1 - np.abs(positions - places[:, None])
    weights[(positions < 0) | (positions >= frame.size[axis])] = 0
    return _sparse(weights, np.clip(positions, 0, frame.size[axis] - 1), frame.size[axis])


def _sparse(weights: NDArray[np.float64], columns: NDArray[np.float64], width: int) -> csr_array:
    """A matrix of one row for each row of weights; weights of one place are added up, zeros left out."""
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    entries = (weights.ravel().astype(np.float32), (rows, columns.ravel().astype(np.int32)))
    matrix = csr_array(entries, shape=(len(weights), width))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _along_first(matrix: csr_array, data: FloatArray) -> FloatArray:
    """Multiply along the first axis of an array of any number of axes."""
    flat = np.ascontiguousarray(data).reshape(data.shape[0], -1)
    return np.asarray(matrix @ flat, np.float32).reshape(matrix.shape[0], *data.shape[1:])
