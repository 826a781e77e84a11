"""The process that registers: one request on its input, events as JSON lines on its output.

It ends when its input closes, so it never outlives the program; to cancel, kill it. Request and events::

    {"moving": FILE, "fixed": FILE, "moving_grid": [[4x4]], "fixed_grid": [[4x4]]}    .npy arrays (X, Y, Z)
    {"event": "progress", "share": S}
    {"event": "done", "matrix": [[4x4]], "before": M, "after": M, "started_from": NAME}
    {"event": "error", "code": CODE, "params": {...}}
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

import msgspec
import numpy as np

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.services.own_program import own_command


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring."""

    moving: str
    fixed: str
    moving_grid: list[list[float]]
    fixed_grid: list[list[float]]


def command() -> list[str]:
    """How the process is started, from a source tree, an installed wheel and a frozen app."""
    return own_command("register", "brainseg_desktop.services.alignment.worker")


def serve(line: bytes, replies: IO[bytes]) -> None:
    """Answer one request."""
    from brainseg_desktop.services.alignment.registration import register

    def send(event: Mapping[str, Any]) -> None:
        replies.write(msgspec.json.encode(event) + b"\n")
        replies.flush()

    try:
        request = msgspec.json.decode(line, type=Request)
        moving, fixed = (np.load(p, allow_pickle=False) for p in (request.moving, request.fixed))
        found = register(
            moving,
            Grid(moving.shape, np.array(request.moving_grid)),
            fixed,
            Grid(fixed.shape, np.array(request.fixed_grid)),
            lambda share: send({"event": "progress", "share": share}),
        )
    except UserError as error:
        send({"event": "error", "code": error.code, "params": dict(error.params)})
        return
    send(
        {
            "event": "done",
            "matrix": found.transform.matrix.tolist(),
            "before": found.before,
            "after": found.after,
            "started_from": found.started_from,
        }
    )


def main() -> int:
    """Serve this process's own streams; what a library prints goes to stderr, not among the replies."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    line = sys.stdin.buffer.readline()
    # The program that asked may die without a word: its end of the pipe closes then.
    threading.Thread(target=_end_with_input, daemon=True).start()
    if line:
        serve(line, replies)
    return 0


def _end_with_input() -> None:
    # Not through sys.stdin: its lock, held by this thread, would break the end of the process.
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
