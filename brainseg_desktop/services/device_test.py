"""Measures how long a network takes for the sample case on a device, in a worker of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.opening import read_case
from brainseg_desktop.services.predict import predict_case
from brainseg_desktop.services.settings import DeviceTime
from brainseg_desktop.services.worker_client import OnProgress, WorkerClient

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("cpu", "cuda")


def measure_device(
    device: Device,
    model: Path,
    *,
    cancel: threading.Event,
    on_progress: OnProgress | None = None,
    command: Sequence[str] | None = None,
) -> DeviceTime:
    """Segment the sample case; blocks, so it is meant for an executor's thread.

    The window's own worker is left alone: it keeps its network, and a test that is cancelled kills another.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    model : Path
        Folder of the network.
    cancel : threading.Event
        Set it to end the test at once.
    on_progress : callable, optional
        Gets the slices done, of how many, and the seconds left.
    command : sequence of str, optional
        How to start the worker; a test gives its own.

    Raises
    ------
    UserError
        ``cancelled``, ``cuda_missing``, ``torch_missing``, ``architecture_not_on_gpu``, what reading the
        sample raises, and those of `predict_case`.
    """
    card = read_card(model)
    files = replace(find_case(resources_dir() / "sample"), masks=())
    case = read_case(files).case
    client = WorkerClient(command)
    try:
        started = time.monotonic()
        rating = predict_case(case, client, model, device=device, on_progress=on_progress, cancel=cancel)
        whole = time.monotonic() - started
    finally:
        client.close()
    seconds = float(rating.details["seconds"])
    return DeviceTime(
        device=device,
        network=f"{card.name} {card.version}",
        seconds=round(seconds, 2),
        start_seconds=round(max(0.0, whole - seconds), 2),
        day=datetime.now(UTC).astimezone().date().isoformat(),
    )
