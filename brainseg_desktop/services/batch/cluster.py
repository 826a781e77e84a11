"""The workers of a Dask cluster. The one file that knows Dask, and loaded only where a scheduler is named.

Each Dask worker keeps processes of ours for cases (`CaseProcesses`), as this machine does for its own: what a
case does to its process, it does not do to Dask. Files are read and written where they lie, so every machine
must see them under the same path; through Dask go only the jobs and their results, as JSON.
"""

from __future__ import annotations

# distributed has annotations, but not of all that it returns.
# mypy: disable-error-code="no-untyped-call,type-arg"
import logging
import queue
import re
import secrets
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from distributed import Client, Future, WorkerPlugin, get_worker

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.services.batch.look import LookJob, Seen, difference, here
from brainseg_desktop.services.batch.runners import (
    CASE_BYTES,
    Answer,
    Cancelled,
    CaseProcess,
    Lost,
    Stopped,
    how_many,
)

# A job that ends its process or its worker so often is given up.
TRIES = 3
_CONNECT_SECONDS = 10.0
_WORKERS_SECONDS = 30.0
# A scheduler that does not answer for so long is gone; so is a cluster without a worker.
_GONE_SECONDS = 15.0
_EMPTY_SECONDS = 300.0
_PATIENCE_SECONDS = 0.1
_REFRESH_SECONDS = 1.0
_LOOK_SECONDS = 180.0

_log = logging.getLogger(__name__)


class CaseProcesses(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Processes for cases in one Dask worker, as many at once as its threads and its memory allow."""

    def __init__(self, name: str) -> None:
        self.name = name

    def setup(self, worker: Any) -> None:
        """Called by Dask in each worker, those that come later too."""
        threads, memory = worker.state.nthreads, worker.memory_manager.memory_limit
        count = how_many(threads, memory, CASE_BYTES, threads)
        self.count = count
        self._threads = max(1, threads // count)
        self._gate = threading.BoundedSemaphore(count)
        self._folder = tempfile.TemporaryDirectory(prefix="brainseg-")
        self._idle: list[CaseProcess] = []
        self._all: set[CaseProcess] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the worker ends or the run does."""
        self.stop()

    def stop(self) -> None:
        """End every process, with what it works on."""
        self._stopped = True
        with self._lock:
            for process in self._all:
                process.kill()
            for process in self._idle:
                process.dispose()
            self._idle.clear()
        with suppress(OSError):
            self._folder.cleanup()

    def do(self, op: str, job: bytes) -> Answer:
        """Have a process do a job; blocks."""
        with self._gate:
            process = self._take()
            try:
                process.ask(op, job, self._threads)
                while (found := process.answer(_PATIENCE_SECONDS)) is None:
                    if self._stopped:
                        return Lost("stopped")
                return found
            finally:
                self._give_back(process)

    def _take(self) -> CaseProcess:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                # One that was idle for long has ended itself.
                if process.is_running:
                    return process
                self._all.discard(process)
                process.dispose()
            process = CaseProcess(self._folder.name)
            self._all.add(process)
            return process

    def _give_back(self, process: CaseProcess) -> None:
        with self._lock:
            if process.is_running and not self._stopped:
                self._idle.append(process)
                return
            self._all.discard(process)
        process.dispose()


def _do(plugin: str, op: str, job: bytes) -> tuple[bytes | None, str, int]:
    """In a Dask worker: the result, the reason why there is none, and how many jobs it does at once."""
    processes: Any = get_worker().plugins[plugin]
    found = processes.do(op, job)
    content, reason = (None, found.reason) if isinstance(found, Lost) else (found, "")
    return content, reason, processes.count


def _stop(plugin: str, dask_worker: Any = None) -> None:
    """In a Dask worker: end what it does for a run."""
    if plugin in dask_worker.plugins:
        dask_worker.plugins[plugin].stop()


class ClusterRunner:
    """The workers of one scheduler.

    Parameters
    ----------
    address : str
        ``tcp://host:port``, or ``tls://`` with the certificates of Dask's configuration.
    asked : LookJob
        What each worker must see and have.
    share : Path, optional
        A folder that they must be able to write to.
    """

    def __init__(self, address: str, asked: LookJob, share: Path | None = None) -> None:
        self._address = address
        self._asked = asked
        self._share = share

    def run(
        self, op: str, jobs: Sequence[bytes], cancelled: Cancelled
    ) -> Generator[tuple[int, Answer], None, None]:
        """See `Runner`. A job whose worker dies is done again, by another one if there is one.

        Raises
        ------
        UserError
            ``scheduler_unreachable``, ``scheduler_empty``, ``workers_unfit`` before anything is begun;
            ``scheduler_lost``.
        """
        if not jobs:
            return
        _quiet()
        client = self._connect()
        try:
            with _token(self._share) as token:
                asked = msgspec.structs.replace(self._asked, token=token)
                yield from _Shares(client, self._address, asked, op, jobs).answers(cancelled)
        finally:
            with suppress(Exception):  # it may be gone
                client.close(timeout=2)

    def _connect(self) -> Client:
        # Dask's client hangs at its end if it was given something else.
        if re.fullmatch(r"[a-z]+://.+:\d+/?", self._address) is None:
            reason = "an address is like tcp://host:8786"
            raise UserError("scheduler_unreachable", address=self._address, reason=reason)
        try:
            client = Client(self._address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError, RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError("scheduler_unreachable", address=self._address, reason=reason) from error
        try:
            client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
        except TimeoutError as error:
            client.close(timeout=2)
            raise UserError("scheduler_empty", address=self._address) from error
        return client


class _Shares:
    """The jobs of one run, each given to one worker at a time.

    Dask would choose the workers itself, but could not keep a job from one that computes otherwise, and
    counts the deaths of workers by a setting of the scheduler.
    """

    def __init__(self, client: Client, address: str, asked: LookJob, op: str, jobs: Sequence[bytes]) -> None:
        self._client = client
        self._address = address
        self._asked = asked
        self._op = op
        self._jobs = jobs
        self._plugin = CaseProcesses(f"brainseg-{secrets.token_hex(6)}")
        self._waiting = deque(range(len(jobs)))
        self._running: dict[int, tuple[Future, str]] = {}
        self._tries: Counter[int] = Counter()
        # How many jobs a worker does at once; of one that is not fit none.
        self._slots: dict[str, int] = {}
        self._looking: dict[str, Future] = {}
        self._ended: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
        self._first: Seen | None = None
        self._alive_at = self._worker_at = time.monotonic()
        self._refreshed_at = -_REFRESH_SECONDS

    def answers(self, cancelled: Cancelled) -> Generator[tuple[int, Answer], None, None]:
        """See `Runner.run`."""
        try:
            self._begin()
            while self._waiting or self._running:
                if cancelled():
                    raise Stopped
                yield from self._refresh()
                self._give_out()
                try:
                    number, future = self._ended.get(timeout=_PATIENCE_SECONDS)
                except queue.Empty:
                    continue
                if self._running.get(number, (None, ""))[0] is future:
                    yield from self._take(number, future)
        finally:
            self._leave()

    def _begin(self) -> None:
        """Look at every worker before the first job."""
        found = self._client.run(_probe(), on_error="return")
        if absent := {worker: str(said) for worker, said in found.items() if said != __version__}:
            told = {
                w: f"it has BrainSeg Desktop {s or 'not installed'}, here is {__version__}."
                for w, s in absent.items()
            }
            raise _unfit(told)
        self._client.register_plugin(self._plugin)
        workers = list(self._client.ncores())
        for worker in workers:
            self._look(worker)
        problems = {}
        for worker in workers:
            if reason := self._seen(worker, self._looking.pop(worker)):
                problems[worker] = reason
        if problems:
            raise _unfit(problems)

    def _look(self, worker: str) -> None:
        job = msgspec.json.encode(self._asked)
        self._looking[worker] = self._submit(worker, "look", job)

    def _seen(self, worker: str, future: Future) -> str:
        """Take a worker in; else the reason why not."""
        try:
            content, reason, count = future.result(timeout=_LOOK_SECONDS)
            if content is None:
                return reason or "its process for cases ends at once."
            seen = msgspec.json.decode(content, type=Seen)
            if seen.problem:
                return seen.problem
            mine = here(self._asked)
            if reason := difference(mine, seen):
                return reason
            self._first = self._first or seen
            if seen.device != self._first.device:
                return f"it computes on {seen.device}, others on {self._first.device}: say --device."
            self._slots[worker] = count
        except Exception as error:  # whatever Dask or a worker of another kind comes up with
            return f"{type(error).__name__}: {error}"
        return ""

    def _refresh(self) -> Generator[tuple[int, Answer], None, None]:
        """See who is there: what a worker that is gone was doing is done again, a new one is looked at."""
        now = time.monotonic()
        if now - self._refreshed_at < _REFRESH_SECONDS:
            return
        self._refreshed_at = now
        if self._client.status != "running":
            if now - self._alive_at > _GONE_SECONDS or self._client.status == "closed":
                raise UserError("scheduler_lost", address=self._address)
            return
        try:
            there = set(self._client.ncores())
        except (OSError, TimeoutError, RuntimeError, ValueError):
            return
        self._alive_at = time.monotonic()
        if there:
            self._worker_at = self._alive_at
        elif now - self._worker_at > _EMPTY_SECONDS:
            raise UserError("scheduler_empty", address=self._address)
        for worker in set(self._slots) - there:
            del self._slots[worker]
        for number, (future, worker) in list(self._running.items()):
            if worker not in there:
                del self._running[number]
                future.cancel()
                yield from self._again(number)
        for worker in there - set(self._slots) - set(self._looking):
            self._look(worker)
        for worker, future in list(self._looking.items()):
            if worker not in there:
                del self._looking[worker]
            elif future.done():
                del self._looking[worker]
                if reason := self._seen(worker, future):
                    self._slots[worker] = 0
                    _log.info("a worker that came later is not used: %s", reason)

    def _give_out(self) -> None:
        if self._client.status != "running":
            return
        used = Counter(worker for _, worker in self._running.values())
        while self._waiting:
            free = {worker: count - used[worker] for worker, count in self._slots.items()}
            worker = max(free, key=lambda w: free[w], default=None)
            if worker is None or free[worker] < 1:
                return
            number = self._waiting.popleft()
            future = self._submit(worker, self._op, self._jobs[number])
            self._running[number] = future, worker
            used[worker] += 1
            future.add_done_callback(lambda ended, number=number: self._ended.put((number, ended)))

    def _submit(self, worker: str, op: str, job: bytes) -> Future:
        return self._client.submit(_do, self._plugin.name, op, job, workers=[worker], pure=False)

    def _take(self, number: int, future: Future) -> Generator[tuple[int, Answer], None, None]:
        del self._running[number]
        if future.status in ("cancelled", "lost"):
            # The scheduler forgot it, or is gone: no fault of the job.
            self._waiting.appendleft(number)
            return
        if future.status != "finished":
            _log.info("a job came to nothing in Dask: %s", future.status)
            yield from self._again(number)
            return
        content, reason, _ = future.result()
        if content is not None:
            yield number, content
        elif reason:
            yield number, Lost(reason)
        else:
            yield from self._again(number)

    def _again(self, number: int) -> Generator[tuple[int, Answer], None, None]:
        """A job whose process or worker died waits behind all others, unless it was tried often enough."""
        self._tries[number] += 1
        if self._tries[number] < TRIES:
            self._waiting.append(number)
        else:
            yield number, Lost()

    def _leave(self) -> None:
        """End what the workers still do for this run."""
        futures = [future for future, _ in self._running.values()] + list(self._looking.values())
        if self._client.status != "running":
            return
        with suppress(Exception):  # whatever is gone by now needs no end
            self._client.cancel(futures, force=True)
            self._client.run(_stop, self._plugin.name, on_error="ignore")
            self._client.unregister_worker_plugin(self._plugin.name)


def _probe() -> Callable[[], str]:
    """A function that says which release a worker has; it travels by value, to where there may be none."""

    def release() -> str:
        try:
            import brainseg_desktop
        except ImportError:
            return ""
        return str(brainseg_desktop.__version__)

    return release


def _unfit(reasons: Mapping[str, str]) -> UserError:
    """One sentence on all workers; those with one reason are counted."""
    by_reason: dict[str, list[str]] = {}
    for worker, reason in reasons.items():
        by_reason.setdefault(reason, []).append(worker)
    told = [
        f"{workers[0]}{f' and {len(workers) - 1} more' if len(workers) > 1 else ''}: {reason}"
        for reason, workers in by_reason.items()
    ]
    return UserError("workers_unfit", reasons=" ".join(told))


@contextmanager
def _token(share: Path | None) -> Iterator[tuple[str, str] | None]:
    """A file in a shared folder by which other machines know that it is the same."""
    if share is None:
        yield None
        return
    path, content = share / f".brainseg-look-{secrets.token_hex(6)}", secrets.token_hex(16)
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise write_error(error, share) from error
    try:
        yield str(path), content
    finally:
        with suppress(OSError):
            path.unlink()


def _quiet() -> None:
    """What Dask has to say goes to the log, not among the progress on stderr."""
    families = ("distributed", "tornado")
    names = {name for name in logging.root.manager.loggerDict if name.startswith(families)}
    for name in names | set(families):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
