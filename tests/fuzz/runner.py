"""Runs workers over the targets, ends those that hang, and gathers what failed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10.0  # for one file
_START_SECONDS = 60.0  # until the first: imports, and making the sound files
CHUNK = 250


@dataclass(frozen=True)
class Failure:
    """An input that did anything but open or be refused."""

    target: str
    number: int
    reason: str


def run(targets: Iterable[str], seed: int, first: int, count: int, processes: int = 2) -> list[Failure]:
    """Read `count` inputs of each target, in chunks, in several processes."""
    chunks = [
        (name, start, min(CHUNK, first + count - start))
        for start in range(first, first + count, CHUNK)
        for name in targets
    ]
    with ThreadPoolExecutor(processes) as pool:
        found = pool.map(lambda chunk: run_chunk(chunk[0], seed, chunk[1], chunk[2]), chunks)
        return [failure for failures in found for failure in failures]


def run_chunk(name: str, seed: int, first: int, count: int) -> list[Failure]:
    """Read some inputs of one target; a process that dies or hangs is followed by another."""
    failures: list[Failure] = []
    stop = first + count
    with tempfile.TemporaryDirectory() as place:
        while first < stop:
            last, failed, reason = _run_worker(name, seed, first, stop - first, place)
            failures += failed
            if reason is None:
                return failures
            failures.append(Failure(name, max(last, first), reason))
            if last < first:  # not even begun: no other process would do better
                return failures
            first = last + 1
    return failures


def _run_worker(
    name: str, seed: int, first: int, count: int, place: str
) -> tuple[int, list[Failure], str | None]:
    """The input that was begun last, what failed, and why the process ended early; None if it did not."""
    # One thread: libraries that take memory for each would fill the limit by themselves.
    alone = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    command = [sys.executable, "-m", "tests.fuzz.worker", name, str(seed), str(first), str(count), place]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **alone}
        ) as process,
    ):
        assert process.stdout is not None
        last, ended, failures = first - 1, first - 1, []
        wait, pending = _START_SECONDS, b""
        while True:
            ready, _, _ = select.select([process.stdout], [], [], wait)
            part = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not ready:
                process.kill()
                return last, failures, f"hangs: more than {wait:g} s"
            if not part:
                break
            *lines, pending = (pending + part).split(b"\n")
            for line in lines:
                word, number, *rest = line.decode().split(" ", 2)
                wait = SECONDS
                if word == "begin":
                    last = int(number)
                elif word == "end":
                    ended = int(number)
                else:
                    failures.append(Failure(name, int(number), " ".join(rest)))
        code = process.wait()
        errors.seek(0)
        told = errors.read().decode("utf-8", "replace").strip()
    if code != 0 or ended != first + count - 1:
        return last, failures, f"process ended with {code}: {told[-300:]}"
    if told:
        failures.append(Failure(name, last, f"said on stderr: {told[-300:]}"))
    return last, failures, None
