"""The owner of the worker: whatever the worker does, one clear error and nothing left behind."""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.services.worker_client import WorkerClient

FAKE = Path(__file__).with_name("fake_worker.py")
MODEL = Path("models/glioma-unet")


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Every test sees which files and threads it left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = set(threading.enumerate())
    yield folder
    assert list(folder.iterdir()) == []
    assert set(threading.enumerate()) <= before


@pytest.fixture
def start():
    clients = []

    def make(mode, **kwargs):
        clients.append(WorkerClient([sys.executable, str(FAKE), mode], **kwargs))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        assert not client.is_running


def head():
    data = np.zeros((6, 5, 8), np.int16)
    data[2:4, 1:4, 2:6] = 100
    return {Sequence.FLAIR: data, Sequence.T1: data // 2}


def segment(client, **kwargs):
    return client.segment(MODEL, head(), (1.0, 1.0), **kwargs)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_gives_its_slices_its_progress_and_its_result(start):
    client = start("good")
    seen, progress = [], []
    result = segment(
        client,
        first_slice=3,
        on_slice=lambda z, tissues: seen.append((z, tissues.copy())),
        on_progress=lambda *numbers: progress.append(numbers),
    )
    expected = (head()[Sequence.FLAIR] > 50).astype(np.uint8) * 2
    np.testing.assert_array_equal(result.labels, expected)
    assert result.probabilities.shape == (3, 6, 5, 8)
    assert (result.model, result.version, result.device) == ("glioma-unet", "1", "cpu")
    assert result.present == ("FLAIR", "T1")
    assert [z for z, _ in seen] == [3, 0, 1, 2, 4, 5, 6, 7]
    for z, tissues in seen:
        np.testing.assert_array_equal(tissues, expected[:, :, z])
    assert progress[-1] == (8, 8, 0.1)


def test_the_process_serves_one_job_after_the_other(start):
    client = start("good")
    segment(client)
    pid = client._process.pid
    segment(client)
    assert client._process.pid == pid


def test_warm_up_returns_at_once_and_is_used(start):
    client = start("good")
    client.warm_up(MODEL)
    assert client.is_running
    pid = client._process.pid
    segment(client)
    assert client._process.pid == pid


def test_another_model_asked_for_while_one_loads(start):
    client = start("good")
    client.warm_up(Path("models/another"))
    assert segment(client).model == "glioma-unet"


def test_a_killed_worker_is_told_and_the_next_job_starts_another(start):
    client = start("good")
    segment(client)
    client._process.kill()
    client._process.exit_code()
    assert segment(client).kind == "skull_stripped"


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("die", "worker_died"),
        ("stillborn", "worker_died"),
        ("rubbish", "worker_garbled"),
        ("endless", "worker_garbled"),
        ("shape", "worker_garbled"),
        ("outside", "worker_garbled"),
        ("incomplete", "worker_garbled"),
        ("error", "out_of_memory"),
        ("corrupt", "model_corrupt"),
    ],
)
def test_what_goes_wrong_has_a_code(start, mode, code):
    client = start(mode)
    with pytest.raises(UserError) as caught:
        segment(client)
    assert caught.value.code == code
    assert client.is_running == (mode in ("error", "corrupt"))
    with pytest.raises(UserError, match=code):
        segment(client)


def test_what_the_worker_last_said_is_kept(start):
    client = start("die")
    with pytest.raises(UserError) as caught:
        segment(client)
    assert caught.value.params["status"] == 3
    assert "the last words" in client.stderr_tail


def test_a_hung_worker_is_ended(start):
    client = start("hang", hang_seconds=1.0)
    with pytest.raises(UserError, match="worker_hung"):
        segment(client)
    assert not client.is_running


def test_a_worker_that_cannot_start():
    client = WorkerClient(["/nowhere/brainseg"])
    with pytest.raises(UserError, match="worker_missing"):
        segment(client)
    with pytest.raises(UserError, match="worker_missing"):
        client.warm_up(MODEL)
    client.close()


@pytest.mark.parametrize("mode", ["slow", "hang", "slow-load"])
def test_cancel_returns_at_once_and_kills(start, mode):
    client = start(mode)
    cancel = threading.Event()
    times = []

    def stop():
        times.append((time.monotonic(), client._process.pid))
        cancel.set()

    timer = threading.Timer(0.8, stop)
    timer.start()
    with pytest.raises(UserError, match="cancelled"):
        segment(client, cancel=cancel)
    began, pid = times[0]
    assert time.monotonic() - began < 0.5
    assert not is_alive(pid)
    timer.join()


def test_cancelled_before_it_began(start):
    client = start("good")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(UserError, match="cancelled"):
        segment(client, cancel=cancel)
    assert not client.is_running


def test_a_job_after_a_cancelled_one(start):
    client = start("slow")
    cancel = threading.Event()
    with pytest.raises(UserError, match="cancelled"):
        segment(client, cancel=cancel, on_slice=lambda z, t: cancel.set())
    assert segment(client).model == "glioma-unet"


def test_a_waiting_job_can_be_cancelled(start):
    client = start("slow")
    first = threading.Event()

    def run():
        with pytest.raises(UserError, match="cancelled"):
            segment(client, cancel=first)

    running = threading.Thread(target=run)
    running.start()
    time.sleep(0.4)
    second = threading.Event()
    threading.Timer(0.2, second.set).start()
    with pytest.raises(UserError, match="cancelled"):
        segment(client, cancel=second)
    assert client.is_running
    first.set()
    running.join(5)
    assert not running.is_alive()


@pytest.mark.parametrize("mode", ["slow", "hang", "slow-load"])
def test_closing_while_a_job_runs_is_quick_and_clean(start, mode):
    client = start(mode)
    errors = []

    def run():
        try:
            segment(client)
        except UserError as error:
            errors.append(error.code)

    running = threading.Thread(target=run)
    running.start()
    time.sleep(0.8)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 1.0
    running.join(5)
    assert errors == ["cancelled"]
    with pytest.raises(UserError, match="cancelled"):
        segment(client)
    client.warm_up(MODEL)
    assert not client.is_running


def test_a_failing_callback_ends_the_job_and_comes_through(start):
    client = start("slow")
    with pytest.raises(ZeroDivisionError):
        segment(client, on_slice=lambda z, tissues: 1 / 0)
    assert not client.is_running
    assert segment(client).model == "glioma-unet"


def test_closing_twice_and_unused(start):
    client = start("good")
    client.close()
    client.close()


def test_a_full_disk_is_told_and_the_worker_stays(start, monkeypatch):
    client = start("good")
    client.warm_up(MODEL)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(UserError, match="disk_full"):
            segment(client)
    assert client.is_running
    assert segment(client).model == "glioma-unet"
