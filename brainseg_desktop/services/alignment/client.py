"""Has a process of its own register two volumes: it can be ended at once, and the window stays alive."""

from __future__ import annotations

import logging
import queue
import shutil
import tempfile
import time
from collections.abc import Callable
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Volume
from brainseg_desktop.services.alignment import worker
from brainseg_desktop.services.alignment.registration import Registration, Tell
from brainseg_desktop.services.worker_messages import Event, Garbled
from brainseg_desktop.services.worker_process import WorkerProcess

_log = logging.getLogger(__name__)

HANG_SECONDS = 120.0
_POLL_SECONDS = 0.02


def register_rigid(
    moving: Volume,
    fixed: Volume,
    *,
    tell: Tell | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    command: Items[str] | None = None,
) -> Registration:
    """Find the motion that brings a sequence onto another one; blocks, so it is meant for an executor.

    Parameters
    ----------
    moving, fixed : Volume
        Of the same head, with known spacings.
    tell : callable, optional
        Gets the share done, 0 to 1.
    cancelled : callable
        Asked all the time; True ends the process at once.
    command : sequence of str, optional
        How to start the process; a test gives its own.

    Raises
    ------
    UserError
        ``cancelled``, ``alignment_constant``, ``alignment_no_overlap``, ``alignment_died``,
        ``alignment_hung``, ``worker_missing``, ``disk_full``.
    """
    if not (moving.grid.spacing_known and fixed.grid.spacing_known):
        raise UserError("alignment_no_spacing")
    folder = Path(tempfile.mkdtemp(prefix="brainseg-align-"))
    process: WorkerProcess | None = None
    try:
        request: dict[str, Any] = {}
        for name, volume in (("moving", moving), ("fixed", fixed)):
            path = folder / f"{name}.npy"
            np.save(path, np.asarray(volume.data, np.float32))
            request |= {name: str(path), f"{name}_grid": volume.grid.voxel_to_world.tolist()}
        if cancelled():
            raise UserError("cancelled")
        process = WorkerProcess(command if command is not None else worker.command())
        process.send(request)
        return _follow(process, tell, cancelled)
    except OSError as error:
        _log.warning("the registration could not be started: %s", error)
        raise UserError("alignment_died") from error
    finally:
        if process is not None:
            process.dispose()
        shutil.rmtree(folder, ignore_errors=True)


def _follow(process: WorkerProcess, tell: Tell | None, cancelled: Callable[[], bool]) -> Registration:
    """The answer, as soon as it is there."""
    last = time.monotonic()
    while True:
        if cancelled():
            raise UserError("cancelled")
        try:
            event = process.next_event(_POLL_SECONDS)
        except queue.Empty:
            if time.monotonic() - last > HANG_SECONDS:
                raise UserError("alignment_hung") from None
            continue
        except Garbled as error:
            raise UserError("alignment_died") from error
        last = time.monotonic()
        if event is None:
            _log.warning("the registration died (%s)\n%s", process.exit_code(), process.stderr_tail)
            raise UserError("alignment_died")
        if event["event"] == "error":
            raise UserError(str(event.get("code")), **dict(event.get("params") or {}))
        if event["event"] == "done":
            return _read(event)
        if event["event"] == "progress" and tell is not None:
            tell(float(event.get("share", 0.0)))


def _read(event: Event) -> Registration:
    try:
        return Registration(
            RigidTransform.from_matrix(event["matrix"]),
            float(event["before"]),
            float(event["after"]),
            str(event["started_from"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("alignment_died") from error
