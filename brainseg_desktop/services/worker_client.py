"""Has the worker process segment an exam; a crash, a hang or rubbish is a message and not the end of the app.

Calls block and are meant for an executor's thread; callbacks come on that thread. One job runs at a time.
"""

from __future__ import annotations

import logging
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.worker_messages import (
    Event,
    Garbled,
    Inputs,
    Segmentation,
    read_progress,
    read_segmentation,
    read_slices,
    segment_request,
    told_error,
    understood,
)
from brainseg_desktop.services.worker_process import WorkerProcess, worker_command

_log = logging.getLogger(__name__)

HANG_SECONDS = 90.0
# How soon a cancel is noticed while nothing comes from the worker.
_POLL_SECONDS = 0.02

# z and the tissues (X, Y) of a slice.
OnSlice = Callable[[int, NDArray[np.uint8]], object]
# Slices done, of how many, and seconds left (None until it is known).
OnProgress = Callable[[int, int, float | None], object]


class WorkerClient:
    """Owner of the worker process.

    Parameters
    ----------
    command : sequence of str, optional
        How to start the worker; a test gives its own.
    hang_seconds : float
        Without any event for so long the worker counts as hung.
    threads : int, optional
        For the network; one a core if not given.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        hang_seconds: float = HANG_SECONDS,
        threads: int | None = None,
    ) -> None:
        self._command = list(command) if command is not None else worker_command()
        self._hang_seconds = hang_seconds
        self._threads = threads
        self._device = ""
        self._process: WorkerProcess | None = None
        self._asked: tuple[Path, str] | None = None
        self._loaded = False
        # Whether the worker owes an answer.
        self._working = False
        self._busy = threading.RLock()
        self._closed = threading.Event()
        self._jobs = count(1)
        self.stderr_tail = ""

    @property
    def is_running(self) -> bool:
        """Whether a worker process is there."""
        process = self._process
        return process is not None and process.is_running

    def warm_up(self, model_dir: Path, device: str = "auto") -> None:
        """Start the worker and have it load the model.

        Returns at once, and does nothing while a job runs. `segment` tells of a model that cannot be loaded.

        Raises
        ------
        UserError
            ``worker_missing`` if it cannot be started.
        """
        if not self._busy.acquire(blocking=False):
            return
        try:
            if not self._closed.is_set():
                self._ask_for(model_dir, device)
        except OSError:
            # It died at once; `segment` starts another one and says so if that dies too.
            self._dispose()
        finally:
            self._busy.release()

    def device_for(self, model_dir: Path, device: str = "auto") -> str:
        """The device that the model is run on here, ``"cpu"`` or ``"cuda"``; blocks until it is loaded.

        Raises
        ------
        UserError
            Those of `segment` that have to do with the model and its process.
        """
        cancel = threading.Event()
        with self._turn(cancel):
            try:
                self._load(model_dir, device, cancel)
                self._working = False
                return self._device
            finally:
                if self._working:
                    self._dispose()

    def segment(
        self,
        model_dir: Path,
        inputs: Inputs,
        spacing_mm: tuple[float, float] | None,
        *,
        device: str = "auto",
        first_slice: int | None = None,
        on_slice: OnSlice | None = None,
        on_progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> Segmentation:
        """Segment an exam; blocks until it is done, failed or cancelled.

        Parameters
        ----------
        model_dir : Path
            Folder of the model.
        inputs : mapping of Sequence to (X, Y, Z) array
            Canonical order, on one grid.
        spacing_mm : (float, float) or None
            In-plane voxel size; None where the files state none.
        first_slice : int or None
            Slice to begin with.
        on_slice : callable, optional
            Gets z and the tissues (X, Y) of each slice as it comes.
        on_progress : callable, optional
            Gets the slices done, of how many, and the seconds left.
        cancel : threading.Event, optional
            Set it to stop the job: the worker is killed and this raises ``cancelled`` at once.

        Raises
        ------
        UserError
            ``cancelled``, ``worker_missing``, ``worker_died``, ``worker_garbled``, ``worker_hung``, or what
            the worker says (a missing or corrupt model, ...).
        """
        cancel = cancel if cancel is not None else threading.Event()
        with self._turn(cancel), _folder() as folder:
            try:
                self._require(cancel)
                self._load(model_dir, device, cancel)
                self._working = False
                job = f"job-{next(self._jobs)}"
                shape = next(iter(inputs.values())).shape
                request = segment_request(job, inputs, spacing_mm, first_slice, folder)
                self._require(cancel)
                self._working = True
                self._send(request)
                for event in self._events(cancel, job):
                    match event["event"]:
                        case "slice" if on_slice is not None:
                            for z, tissues in understood(read_slices, event, folder, shape):
                                on_slice(z, tissues)
                        case "progress" if on_progress is not None:
                            on_progress(*understood(read_progress, event))
                        case "done":
                            found = understood(read_segmentation, event, folder, shape)
                            self._working = False
                            return found
                raise AssertionError("events end by an exception only")
            except Garbled as error:
                _log.warning("the worker's answer makes no sense: %r", error)
                raise UserError("worker_garbled") from error
            finally:
                # Whatever ended the job early, be it a callback that failed: no one waits for it any more.
                if self._working:
                    self._dispose()

    def close(self) -> None:
        """Stop the worker and the job it runs; leaves no process, thread or file. Safe to call twice."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.kill()
        with self._busy:
            self._dispose()

    # ------------------------------------------------------------------------------------------------

    @contextmanager
    def _turn(self, cancel: threading.Event) -> Iterator[None]:
        """Wait for an earlier job to end, unless this one is cancelled meanwhile."""
        while not self._busy.acquire(timeout=_POLL_SECONDS):
            self._require(cancel)
        try:
            yield
        finally:
            self._busy.release()

    def _require(self, cancel: threading.Event) -> None:
        if cancel.is_set() or self._closed.is_set():
            raise UserError("cancelled")

    def _ask_for(self, model_dir: Path, device: str) -> None:
        """Start the worker if there is none, and ask it to load a model if it has another."""
        asked_for_another = self._asked not in (None, (model_dir, device)) and not self._loaded
        if self._process is not None and (asked_for_another or not self._process.is_running):
            self._dispose()
        if self._process is None:
            self._process = WorkerProcess(self._command)
            if self._closed.is_set():
                self._process.kill()
        if self._asked != (model_dir, device):
            self._loaded = False
            request = {"op": "load", "model_dir": str(model_dir), "device": device, "threads": self._threads}
            self._process.send(request)
            self._asked = (model_dir, device)

    def _load(self, model_dir: Path, device: str, cancel: threading.Event) -> None:
        self._working = True
        try:
            self._ask_for(model_dir, device)
        except OSError as error:
            raise self._death() from error
        if not self._loaded:
            loaded = next(event for event in self._events(cancel, None) if event["event"] == "loaded")
            self._loaded, self._device = True, str(loaded.get("device"))

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process is not None
        try:
            self._process.send(request)
        except OSError as error:
            raise self._death() from error

    def _events(self, cancel: threading.Event, job: str | None) -> Iterator[Event]:
        """The events of a job (None: of loading) as they come; an error event is raised."""
        assert self._process is not None
        last = time.monotonic()
        while True:
            self._require(cancel)
            try:
                event = self._process.next_event(_POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() - last > self._hang_seconds:
                    raise UserError("worker_hung", seconds=round(self._hang_seconds)) from None
                continue
            last = time.monotonic()
            if event is None:
                self._require(cancel)
                raise self._death()
            if event["event"] == "error" and event.get("job") in (job, None):
                if job is None:
                    self._asked = None
                self._working = False
                raise told_error(event)
            if event.get("job") == job:
                yield event

    def _death(self) -> UserError:
        assert self._process is not None
        code = self._process.exit_code()
        _log.warning("the worker died (exit status %s)\n%s", code, self._process.stderr_tail)
        return UserError("worker_died", status=code)

    def _dispose(self) -> None:
        process, self._process = self._process, None
        self._asked, self._loaded, self._working = None, False, False
        if process is not None:
            process.dispose()
            self.stderr_tail = process.stderr_tail


@contextmanager
def _folder() -> Iterator[Path]:
    """A job's folder, gone at the end even while a killed worker's files are let go of."""
    folder = Path(tempfile.mkdtemp(prefix="brainseg-job-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
