"""One worker subprocess: JSON lines in, JSON lines out, its standard error kept for the log."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import brainseg_desktop
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.own_program import NO_CONSOLE, own_command
from brainseg_desktop.services.worker_messages import Event, Garbled

_log = logging.getLogger(__name__)

# No answer is near this long; a stream without line ends must not fill the memory.
MAX_LINE = 1 << 20
STDERR_LINES = 200
_JOIN_SECONDS = 2.0


def worker_command() -> list[str]:
    """How the worker is started, from a source tree, an installed wheel and a frozen app."""
    return own_command("worker", "brainseg_desktop.inference.worker")


class WorkerProcess:
    """A running worker, its reader threads and its queue of events; used once and thrown away.

    Parameters
    ----------
    command : sequence of str

    Raises
    ------
    UserError
        ``worker_missing`` if it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        package = str(Path(brainseg_desktop.__file__).parents[1])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            self._popen = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"},
                creationflags=NO_CONSOLE,
            )
        except OSError as error:
            raise UserError("worker_missing", path=command[0], reason=error.strerror or str(error)) from error
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._stdin: IO[bytes] = self._popen.stdin
        self._stdout: IO[bytes] = self._popen.stdout
        self._stderr: IO[bytes] = self._popen.stderr
        self._events: queue.SimpleQueue[Event | Garbled | None] = queue.SimpleQueue()
        self._stderr_tail: deque[str] = deque(maxlen=STDERR_LINES)
        self._threads = [
            threading.Thread(target=self._read_events, name="worker-events", daemon=True),
            threading.Thread(target=self._read_stderr, name="worker-stderr", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    @property
    def stderr_tail(self) -> str:
        """The last lines the worker wrote to its standard error."""
        return "\n".join(self._stderr_tail)

    def send(self, request: Mapping[str, Any]) -> None:
        """Write one request.

        Raises
        ------
        OSError
            If the worker is gone.
        """
        self._stdin.write(json.dumps(request).encode() + b"\n")
        self._stdin.flush()

    def next_event(self, timeout: float) -> Event | None:
        """The next event, or None when the worker has closed its output.

        Raises
        ------
        queue.Empty
            Nothing within `timeout` seconds.
        Garbled
            Something that is no event.
        """
        event = self._events.get(timeout=timeout)
        if isinstance(event, Garbled):
            raise event
        return event

    def exit_code(self, wait: float = 1.0) -> int | None:
        """Its exit status, negative for a signal; None if it still runs."""
        try:
            return self._popen.wait(wait)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Stop it by its own handle; safe to call from any thread, and twice."""
        self._popen.kill()

    def dispose(self) -> None:
        """Stop it and let go of its threads and pipes."""
        self._popen.kill()
        self._popen.wait()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            # Someone else holds the worker's output open; closing it here would wait for them.
            _log.warning("the worker's output stays open after its end")
            return
        for stream in (self._stdin, self._stdout, self._stderr):
            try:
                stream.close()
            except OSError:
                # Bytes that were never read by the worker are lost with it.
                _log.debug("closing a pipe of the worker", exc_info=True)

    def _read_events(self) -> None:
        try:
            while line := self._stdout.readline(MAX_LINE):
                self._events.put(_parse(line))
        except (OSError, ValueError):
            _log.debug("the worker's output ended", exc_info=True)
        finally:
            self._events.put(None)

    def _read_stderr(self) -> None:
        try:
            while line := self._stderr.readline(MAX_LINE):
                self._stderr_tail.append(line.decode(errors="replace").rstrip())
        except (OSError, ValueError):
            _log.debug("the worker's standard error ended", exc_info=True)


def _parse(line: bytes) -> Event | Garbled:
    try:
        event = json.loads(line)
    except ValueError:
        return Garbled(repr(line[:80]))
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return Garbled(repr(line[:80]))
    return event
