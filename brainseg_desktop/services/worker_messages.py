"""What is said to the worker and what is made of its answers; see `inference.worker` for the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence

P = ParamSpec("P")
T = TypeVar("T")
Event = Mapping[str, Any]
Inputs = Mapping[Sequence, NDArray[Any]]


class Garbled(Exception):
    """An answer that makes no sense."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What the worker returns for an exam.

    Parameters
    ----------
    labels : (X, Y, Z) array of uint8
        `Tissue` values on the exam's own grid.
    probabilities : (R, X, Y, Z) array of uint8
        0..255 for 0..1.
    uncertainty : (X, Y, Z) array of uint8
        0..255 for 0..1 bit.
    regions : tuple of str
        The R regions, outermost first.
    kind : str
        Kind of exam that the network took it for.
    present : tuple of str
        Sequences that were used; a copy of another counts as missing.
    model, version, device : str
    seconds : float
        That the worker took.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]
    uncertainty: NDArray[np.uint8]
    regions: tuple[str, ...]
    kind: str
    present: tuple[str, ...]
    model: str
    version: str
    device: str
    seconds: float


def segment_request(
    job: str,
    inputs: Inputs,
    spacing_mm: tuple[float, float] | None,
    first_slice: int | None,
    folder: Path,
) -> dict[str, Any]:
    """Write the arrays where the worker finds them, and say what to do with them."""
    paths = {}
    for sequence, data in inputs.items():
        path = folder / f"{sequence.value}.npy"
        try:
            np.save(path, data, allow_pickle=False)
        except OSError as error:
            raise UserError("disk_full", path=folder) from error
        paths[sequence.value] = str(path)
    return {
        "op": "segment",
        "job": job,
        "inputs": paths,
        "spacing_mm": list(spacing_mm) if spacing_mm is not None else None,
        "first_slice": first_slice,
        "out_dir": str(folder),
    }


def understood(
    read: Callable[Concatenate[Event, P], T], event: Event, *args: P.args, **kwargs: P.kwargs
) -> T:
    """What a reader makes of an event; one it cannot make sense of is as bad as rubbish."""
    try:
        return read(event, *args, **kwargs)
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled(repr(error)) from error


def _read(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array that the worker wrote into the job's folder, and nowhere else."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise ValueError("a file outside the job's folder")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, EOFError) as error:
        raise ValueError("no array in the job's folder") from error
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"an array of {array.dtype}, {array.shape} in place of uint8, {shape}")
    return np.asarray(array)


def read_slices(event: Event, folder: Path, shape: tuple[int, ...]) -> list[tuple[int, NDArray[np.uint8]]]:
    """The slices of a "slice" event: z and tissues (X, Y) of each."""
    positions = [int(z) for z in event["z"]]
    if not all(0 <= z < shape[2] for z in positions):
        raise ValueError(f"slices {positions} of {shape[2]}")
    tissues = _read(folder, event["labels"], (*shape[:2], len(positions)))
    return [(z, tissues[:, :, i]) for i, z in enumerate(positions)]


def read_progress(event: Event) -> tuple[int, int, float | None]:
    """Slices done, of how many, and the seconds left."""
    left = event.get("seconds_left")
    return (int(event["done"]), int(event["total"]), None if left is None else float(left))


def read_segmentation(event: Event, folder: Path, shape: tuple[int, ...]) -> Segmentation:
    """What a "done" event tells of."""
    regions = tuple(str(region) for region in event["regions"])
    return Segmentation(
        labels=_read(folder, event["labels"], shape),
        probabilities=_read(folder, event["probabilities"], (len(regions), *shape)),
        uncertainty=_read(folder, event["uncertainty"], shape),
        regions=regions,
        kind=str(event["kind"]),
        present=tuple(str(sequence) for sequence in event.get("present", ())),
        model=str(event["model"]),
        version=str(event["version"]),
        device=str(event["device"]),
        seconds=float(event["seconds"]),
    )


def told_error(event: Event) -> UserError:
    """The error that the worker tells of."""
    params = event.get("params")
    named = params.items() if isinstance(params, dict) else ()
    return UserError(str(event.get("code")), **{str(name): value for name, value in named if name != "code"})
