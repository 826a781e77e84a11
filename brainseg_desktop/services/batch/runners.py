"""Who works on the cases: processes of this machine. What is asked and answered is JSON, whoever does it."""

from __future__ import annotations

import logging
import os
import queue
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from brainseg_desktop.services.batch import case_worker
from brainseg_desktop.services.batch.look import LookJob
from brainseg_desktop.services.worker_messages import Garbled
from brainseg_desktop.services.worker_process import WorkerProcess

# What a process and the network's own need for an exam of four sequences of 240 x 240 x 155 is 0.8 GB
# (measured); an exam of twice as many voxels must fit too.
CASE_BYTES = 1_500_000_000
_PATIENCE_SECONDS = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """A job without a result.

    Parameters
    ----------
    reason : str
        What went wrong in its process; empty if that ended, each time it was tried.
    """

    reason: str = ""


Answer = bytes | Lost
Cancelled = Callable[[], bool]


class Runner(Protocol):
    """Has jobs done somewhere."""

    def run(
        self, op: str, jobs: Sequence[bytes], cancelled: Cancelled
    ) -> Generator[tuple[int, Answer], None, None]:
        """The answer to each job with the job's number, in the order in which they come.

        Raises
        ------
        Stopped
            Once `cancelled` says so; it is asked several times a second.
        """


class Stopped(Exception):
    """The jobs were cancelled."""


class CaseProcess:
    """One process for cases; its result files lie in a folder that the owner removes."""

    def __init__(self, folder: str) -> None:
        self._process = WorkerProcess(case_worker.command())
        self._place = Path(folder) / f"{self._process.pid}.json"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def ask(self, op: str, job: bytes, threads: int | None = None) -> None:
        """Have it begin; if it is gone, that shows where the answer is awaited."""
        request = {"op": op, "job": msgspec.json.decode(job), "result": str(self._place), "threads": threads}
        try:
            self._process.send(request)
        except OSError:
            _log.debug("a process ended before it was asked", exc_info=True)

    def answer(self, timeout: float) -> Answer | None:
        """What it found; None: nothing yet. After an empty `Lost` it may be gone."""
        try:
            event = self._process.next_event(timeout)
        except queue.Empty:
            return None
        except Garbled:
            event = None
        if event is None:
            _log.info("a case ended its process: %s", self._process.stderr_tail)
            self.kill()
            return Lost()
        if event.get("event") == "failed":
            return Lost("" if event.get("again") else str(event.get("reason")))
        try:
            content = self._place.read_bytes()
        except OSError as error:
            return Lost(str(error))
        self._place.unlink(missing_ok=True)
        return content

    def kill(self) -> None:
        """End it; safe from any thread."""
        self._process.kill()

    def dispose(self) -> None:
        """End it and let go of its pipes."""
        self._process.dispose()


class LocalRunner:
    """Processes of this machine.

    Parameters
    ----------
    processes : int
    threads : int, optional
        For the network, in each process.
    """

    def __init__(self, processes: int, threads: int | None = None) -> None:
        self._processes = processes
        self._threads = threads

    def run(
        self, op: str, jobs: Sequence[bytes], cancelled: Cancelled
    ) -> Generator[tuple[int, Answer], None, None]:
        """See `Runner`; a job that ends its process is done once more, alone, after all the others."""
        again: list[int] = []
        for number, found in self._share_out(op, dict(enumerate(jobs)), self._processes, cancelled):
            if found == Lost():
                again.append(number)
            else:
                yield number, found
        # Beside others there may have been too little memory; alone a case has all of it.
        for number in again:
            yield from self._share_out(op, {number: jobs[number]}, 1, cancelled)

    def _share_out(
        self, op: str, jobs: Mapping[int, bytes], processes: int, cancelled: Cancelled
    ) -> Generator[tuple[int, Answer], None, None]:
        """Give jobs to processes as they get free."""
        waiting = deque(jobs)
        busy: dict[int, CaseProcess] = {}
        with tempfile.TemporaryDirectory(prefix="brainseg-") as folder:
            try:
                while waiting or busy:
                    while waiting and len(busy) < processes:
                        number = waiting.popleft()
                        busy[number] = CaseProcess(folder)
                        busy[number].ask(op, jobs[number], self._threads)
                    for number, process in list(busy.items()):
                        if cancelled():
                            raise Stopped
                        found = process.answer(_PATIENCE_SECONDS / len(busy))
                        if found is None:
                            continue
                        del busy[number]
                        if found != Lost() and waiting:
                            following = waiting.popleft()
                            busy[following] = process
                            process.ask(op, jobs[following], self._threads)
                        else:
                            process.dispose()
                        yield number, found
            finally:
                for process in busy.values():
                    process.kill()
                for process in busy.values():
                    process.dispose()


def cores() -> int:
    """How many cores this process may use."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> int | None:
    """Bytes of memory that nobody uses; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def how_many(wanted: int, memory: int | None, each: int, work: int) -> int:
    """How many processes fit: at most `wanted`, one for each piece of work, with `each` bytes for all.

    Examples
    --------
    >>> how_many(8, 6_000, 1_500, 100), how_many(8, 100, 1_500, 100), how_many(8, None, 1_500, 3)
    (4, 1, 3)
    """
    fitting = wanted if memory is None else memory // each
    return max(1, min(wanted, fitting, work))


def cluster_runner(scheduler: str, asked: LookJob, share: Path | None = None) -> Runner:
    """The workers of a Dask cluster; Dask is loaded here and nowhere else.

    Parameters
    ----------
    asked : LookJob
        What each worker must see and have before it gets work.
    share : Path, optional
        A folder that they must be able to write to.
    """
    from brainseg_desktop.services.batch.cluster import ClusterRunner

    runner: Runner = ClusterRunner(scheduler, asked, share)
    return runner
