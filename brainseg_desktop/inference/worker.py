"""The network's own process: JSON lines in on stdin and out on stdout, arrays as .npy files.

It ends when stdin closes, so it never outlives the window. To cancel a job, kill it.

Requests::

    {"op": "ping"}
    {"op": "load", "model_dir": DIR, "device": "auto" | "cpu" | "cuda", "threads": N | null}
    {"op": "segment", "job": ID, "inputs": {"FLAIR": FILE, ...}, "spacing_mm": [x, y] | null, "out_dir": DIR,
     "first_slice": z | null, "kind": "whole_head" | "skull_stripped" | null}
    {"op": "quit"}

An input FILE is a .npy array (X, Y, Z) in canonical order, or an image that `read_volume` reads; `spacing_mm`
may then be left out. Events::

    {"event": "pong", "version": V}
    {"event": "loaded", "model", "version", "device", "seconds"}
    {"event": "slice", "job", "z": [z, ...], "labels": FILE}    tissues (X, Y, n); the first slice comes alone
    {"event": "progress", "job", "done", "total", "seconds_left"}
    {"event": "done", "job", "probabilities": FILE, "labels": FILE, "uncertainty": FILE, "regions": [...],
     "kind", "present": [...], "model", "version", "device", "seconds"}
                                                             (R, X, Y, Z) and twice (X, Y, Z), all uint8
    {"event": "error", "job", "code", "params"}     job is null if it belongs to none
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.inference.devices import open_segmenter
from brainseg_desktop.inference.kinds import KINDS
from brainseg_desktop.inference.postprocess import label_tissues
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.segmentation import finish, prepare_for, segment_slices
from brainseg_desktop.inference.segmenter import Segmenter

Send = Callable[[Mapping[str, object]], None]
ReadVolume = Callable[[Path], Volume]


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    op: str


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring."""

    model_dir: str
    device: str = "auto"
    threads: int | None = None


class SegmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring."""

    job: str
    inputs: dict[Sequence, str]
    out_dir: str
    spacing_mm: tuple[float, float] | None = None
    first_slice: int | None = None
    kind: str | None = None


class Worker:
    """Holds the loaded network and answers requests one after the other."""

    def __init__(self, send: Send, read_volume: ReadVolume) -> None:
        self._send = send
        self._read_volume = read_volume
        self._segmenter: Segmenter | None = None

    def handle(self, line: bytes) -> bool:
        """Answer one request; False if the worker is to end. Nothing a request does makes this raise."""
        job: str | None = None
        try:
            try:
                op = msgspec.json.decode(line, type=_Request).op
                if op == "segment":
                    segment_request = msgspec.json.decode(line, type=SegmentRequest)
                    job = segment_request.job
                    self.segment(segment_request)
                elif op == "load":
                    self.load(msgspec.json.decode(line, type=LoadRequest))
                elif op == "ping":
                    self._send({"event": "pong", "version": __version__})
                elif op == "quit":
                    return False
                else:
                    raise UserError("request_unknown", op=op)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UserError("request_malformed", reason=str(error)) from error
        except UserError as error:
            params = {name: _plain(value) for name, value in error.params.items()}
            self._send({"event": "error", "job": job, "code": error.code, "params": params})
        except MemoryError:
            self._send({"event": "error", "job": job, "code": "out_of_memory", "params": {}})
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            params = {"reason": f"{type(error).__name__}: {error}"}
            self._send({"event": "error", "job": job, "code": "worker_bug", "params": params})
        return True

    def load(self, request: LoadRequest) -> None:
        """Read a network; it replaces the one before."""
        started = time.monotonic()
        model = read_model(Path(request.model_dir))
        self._segmenter = open_segmenter(model, request.device, request.threads)
        self._send(
            {
                "event": "loaded",
                "model": model.card.name,
                "version": model.card.version,
                "device": self._segmenter.device,
                "seconds": round(time.monotonic() - started, 3),
            }
        )

    def segment(self, request: SegmentRequest) -> None:
        """Segment one exam, telling each slice as it is done."""
        started = time.monotonic()
        segmenter = self._segmenter
        if segmenter is None:
            raise UserError("model_not_loaded")
        if request.kind is not None and request.kind not in KINDS:
            raise UserError("request_malformed", reason=f"kind {request.kind}")
        folder = Path(request.out_dir)
        volumes, spacing_mm = self._read_inputs(request)
        network, prepared = prepare_for(segmenter.model.card, volumes, spacing_mm, request.kind)
        total = prepared.frame.native_shape[2]
        probabilities = np.zeros((len(network.regions), *prepared.frame.native_shape), np.uint8)
        first = None if request.first_slice is None else min(max(request.first_slice, 0), total - 1)
        done, network_started = 0, time.monotonic()
        for number, result in enumerate(segment_slices(segmenter, network, prepared, first)):
            z = list(result.z)
            probabilities[..., z] = result.probabilities
            labels = label_tissues(result.probabilities, network.regions, network.postprocess)
            file = save(folder / f"slices-{number:04d}.npy", labels)
            self._send({"event": "slice", "job": request.job, "z": z, "labels": str(file)})
            done += len(z)
            left = (time.monotonic() - network_started) / done * (total - done)
            self._send(
                {
                    "event": "progress",
                    "job": request.job,
                    "done": done,
                    "total": total,
                    "seconds_left": round(left, 1),
                }
            )
        prediction = finish(probabilities, network, prepared.kind)
        channels = network.preparation.channels
        card = segmenter.model.card
        self._send(
            {
                "event": "done",
                "job": request.job,
                "probabilities": str(save(folder / "probabilities.npy", prediction.probabilities)),
                "labels": str(save(folder / "labels.npy", prediction.labels)),
                "uncertainty": str(save(folder / "uncertainty.npy", prediction.uncertainty)),
                "regions": list(prediction.regions),
                "kind": prediction.kind,
                "present": [name for name, there in zip(channels, prepared.present, strict=True) if there],
                "model": card.name,
                "version": card.version,
                "device": segmenter.device,
                "seconds": round(time.monotonic() - started, 3),
            }
        )

    def _read_inputs(
        self, request: SegmentRequest
    ) -> tuple[dict[Sequence, NDArray[np.generic]], tuple[float, float] | None]:
        if not request.inputs:
            raise UserError("no_sequences")
        volumes: dict[Sequence, NDArray[np.generic]] = {}
        spacing_mm = request.spacing_mm
        grid: Grid | None = None
        for sequence, name in request.inputs.items():
            path = Path(name)
            if path.suffix == ".npy":
                volumes[sequence] = read_array(path)
            else:
                volume = self._read_volume(path)
                volumes[sequence] = volume.data
                reason = None if grid is None else grid.mismatch(volume.grid)
                # Of one shape and still not the same place: the network would mix up what lies where.
                if reason not in (None, "shape"):
                    raise UserError("grid_mismatch", path=path, sequence=sequence.value, reason=reason)
                grid = grid or volume.grid
                if spacing_mm is None and volume.grid.spacing_known:
                    spacing_mm = volume.grid.spacing_mm[:2]
        shapes = {str(s.value): list(data.shape) for s, data in volumes.items()}
        if any(data.ndim != 3 for data in volumes.values()) or len({d.shape for d in volumes.values()}) > 1:
            raise UserError("sequences_differ", shapes=shapes)
        return volumes, spacing_mm


def read_array(path: Path) -> NDArray[np.generic]:
    """An array file, mapped into memory."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError as error:
        raise UserError("file_missing", path=path) from error
    except (OSError, ValueError, EOFError) as error:
        raise UserError("file_unreadable", path=path, reason=str(error)) from error


def save(path: Path, array: NDArray[np.uint8]) -> Path:
    """Write an array file so that whoever is told of it finds it whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array, allow_pickle=False)
    except OSError as error:
        raise UserError("write_failed", path=path, reason=error.strerror or str(error)) from error
    return path


def read_nifti(path: Path) -> Volume:
    """Read an image the way the program does."""
    from brainseg_desktop.io.nifti import read_volume

    return read_volume(path)


def serve(requests: IO[bytes], replies: BinaryIO, read_volume: ReadVolume = read_nifti) -> None:
    """Answer requests until the stream of them ends or one says quit.

    A thread reads the requests: the end of the stream, which means that the parent is gone, is noticed in the
    middle of a job too, and ends the process there.
    """

    def send(event: Mapping[str, object]) -> None:
        try:
            replies.write(json.dumps(event).encode() + b"\n")
            replies.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)

    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    idle = threading.Event()

    def listen() -> None:
        for line in iter(requests.readline, b""):
            if line.strip():
                lines.put(line)
        lines.put(None)
        if not idle.is_set():
            os._exit(0)

    threading.Thread(target=listen, daemon=True, name="requests").start()
    worker = Worker(send, read_volume)
    while True:
        idle.set()
        line = lines.get()
        idle.clear()
        if line is None or not worker.handle(line):
            return


def main() -> int:
    """Run the worker on this process's own streams.

    Replies go to a private copy of stdout; stdout itself is turned to stderr, so that no print of a library
    can break the protocol.
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    # Unbuffered: a buffer's lock, held by the waiting reader thread, would abort the interpreter as it ends.
    requests = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115
    with contextlib.suppress(KeyboardInterrupt):
        serve(requests, replies)
    return 0


def _plain(value: object) -> Any:
    """A parameter of an error as JSON can hold it."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
