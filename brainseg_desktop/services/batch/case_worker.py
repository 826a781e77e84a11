"""A process of its own that works on cases: JSON lines in, JSON lines out, results in files.

It ends when its input closes, in the middle of a case too, so it never outlives the program; and when nobody
has asked it for anything for a while. Requests and events::

    {"op": "measure", "job": CaseJob, "result": FILE}       FILE gets the `CaseNumbers` as JSON
    {"op": "segment", "job": SegmentJob, "result": FILE, "threads": N | null}                  `Finished`
    {"op": "look", "job": LookJob, "result": FILE}                                             `Seen`
    {"event": "done"}
    {"event": "failed", "reason": TEXT, "again": true | false}     whether it may go better another time
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from brainseg_desktop.services.batch.look import LookJob, look
from brainseg_desktop.services.own_program import own_command
from brainseg_desktop.services.studies.case_numbers import CaseJob, measure_files

if TYPE_CHECKING:
    from brainseg_desktop.services.batch.segment_job import CaseSegmenter

# A process that a killed client left on another machine gives its memory back after so long.
IDLE_SECONDS = 300.0


class Request(msgspec.Struct, frozen=True):
    """What the process is asked."""

    job: msgspec.Raw
    result: str
    op: str = "measure"
    threads: int | None = None


class Again(Exception):
    """A case failed for the moment: alone, or on another machine, it may be done."""


class CaseWorker:
    """Does what it is asked, and keeps the network at hand between two cases."""

    def __init__(self) -> None:
        self._segmenter: CaseSegmenter | None = None

    def do(self, request: Request) -> bytes:
        """The result of one request as JSON.

        Raises
        ------
        Again
            If the network's process died or there was too little memory.
        """
        if request.op == "measure":
            return msgspec.json.encode(measure_files(msgspec.json.decode(request.job, type=CaseJob)))
        if request.op == "look":
            return msgspec.json.encode(look(msgspec.json.decode(request.job, type=LookJob)))
        # The network's client is not loaded for measuring.
        from brainseg_desktop.services.batch import segment_job

        job = msgspec.json.decode(request.job, type=segment_job.SegmentJob)
        if self._segmenter is None or not self._segmenter.fits(job.options):
            self.close()
            self._segmenter = segment_job.CaseSegmenter(job.options, request.threads)
        finished = self._segmenter.do(job)
        if finished.code in segment_job.PASSING:
            raise Again(finished.entry["error"])
        return msgspec.json.encode(finished)

    def close(self) -> None:
        """End the network's process."""
        if self._segmenter is not None:
            self._segmenter.close()
            self._segmenter = None


def command() -> list[str]:
    """How the process is started, from a source tree, an installed wheel and a frozen app."""
    return own_command("measure", "brainseg_desktop.services.batch.case_worker")


def serve(requests: IO[bytes], replies: IO[bytes], orphaned: Callable[[], object] = lambda: None) -> None:
    """Work on one case after the other until the stream of requests ends.

    Parameters
    ----------
    orphaned : callable
        Called by another thread if the stream ends while a case is worked on.
    """
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    busy = threading.Event()

    def listen() -> None:
        for line in iter(requests.readline, b""):
            busy.set()
            lines.put(line)
        lines.put(None)
        if busy.is_set():
            orphaned()

    threading.Thread(target=listen, daemon=True, name="requests").start()
    worker = CaseWorker()
    with contextlib.closing(worker), contextlib.suppress(queue.Empty):
        while (line := lines.get(timeout=IDLE_SECONDS)) is not None:
            event: dict[str, object] = {"event": "done"}
            try:
                request = msgspec.json.decode(line, type=Request)
                Path(request.result).write_bytes(worker.do(request))
            except (Again, MemoryError) as error:
                event = {"event": "failed", "reason": f"{type(error).__name__}: {error}", "again": True}
            except Exception as error:  # a case that fails is left out by name; the others go on
                event = {"event": "failed", "reason": f"{type(error).__name__}: {error}", "again": False}
            if lines.empty():
                busy.clear()
            replies.write(msgspec.json.encode(event) + b"\n")
            replies.flush()


def main() -> int:
    """Serve this process's own streams; what a library prints goes to stderr, not among the replies."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    # Unbuffered: a buffer's lock, held by the waiting reader thread, would abort the interpreter as it ends.
    requests = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(requests, replies, lambda: os._exit(1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
