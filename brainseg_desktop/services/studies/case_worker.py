"""A process of its own that measures cases: JSON lines in, JSON lines out, numbers in files.

It ends when its input closes, so it never outlives the program. Requests and events::

    {"job": CaseJob, "result": FILE}    FILE gets the `CaseNumbers` as JSON
    {"event": "done"}
    {"event": "failed", "reason": TEXT}
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

import msgspec

from brainseg_desktop.services.own_program import own_command
from brainseg_desktop.services.studies.case_numbers import CaseJob, measure_files


class Request(msgspec.Struct, frozen=True):
    """What the process is asked."""

    job: CaseJob
    result: str


def command() -> list[str]:
    """How the process is started, from a source tree, an installed wheel and a frozen app."""
    return own_command("measure", "brainseg_desktop.services.studies.case_worker")


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Measure one case after the other until the stream of them ends."""
    for line in requests:
        event = {"event": "done"}
        try:
            request = msgspec.json.decode(line, type=Request)
            Path(request.result).write_bytes(msgspec.json.encode(measure_files(request.job)))
        except Exception as error:  # a case that fails is left out by name; the others go on
            event = {"event": "failed", "reason": f"{type(error).__name__}: {error}"}
        replies.write(msgspec.json.encode(event) + b"\n")
        replies.flush()


def main() -> int:
    """Serve this process's own streams; what a library prints goes to stderr, not among the replies."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin.buffer, replies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
