from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest

WAIT_SECONDS = 60


class Process:
    """A real worker and a thread that collects its events."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "brainseg_desktop.inference.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._events: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self._events.put(json.loads(line))

    def ask(self, request: dict | bytes) -> None:
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def event(self) -> dict:
        return self._events.get(timeout=WAIT_SECONDS)

    def events_until(self, name: str) -> list[dict]:
        events = [self.event()]
        while events[-1]["event"] not in (name, "error"):
            events.append(self.event())
        return events

    def close(self) -> int:
        self.process.stdin.close()
        code = self.process.wait(WAIT_SECONDS)
        self._thread.join(WAIT_SECONDS)
        self.process.stdout.close()
        return code


@pytest.fixture
def worker():
    process = Process()
    yield process
    process.process.kill()
    process.close()


@pytest.fixture
def inputs(stripped_exam, tmp_path):
    files = {}
    for sequence, data in stripped_exam.items():
        files[sequence.value] = str(tmp_path / f"{sequence.value}.npy")
        np.save(files[sequence.value], data)
    return files


def segment_request(inputs: dict[str, str], folder: Path, **more) -> dict:
    request = {"op": "segment", "job": "j1", "inputs": inputs, "out_dir": str(folder), "spacing_mm": [1, 1]}
    return request | more


def test_a_whole_job(worker, tiny_folder, inputs, tmp_path):
    worker.ask({"op": "load", "model_dir": str(tiny_folder), "device": "cpu", "threads": 1})
    assert worker.event()["model"] == "tiny"
    worker.ask(segment_request(inputs, tmp_path / "out", first_slice=7))
    events = worker.events_until("done")
    slices = [e for e in events if e["event"] == "slice"]
    assert slices[0]["z"] == [7]
    assert sorted(z for e in slices for z in e["z"]) == list(range(20))
    progress = [e for e in events if e["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 20
    done = events[-1]
    assert done["event"] == "done"
    assert done["kind"] == "skull_stripped"
    assert done["present"] == ["T1", "T1CE", "T2", "FLAIR"]
    probabilities, labels = np.load(done["probabilities"]), np.load(done["labels"])
    uncertainty = np.load(done["uncertainty"])
    assert uncertainty.shape == labels.shape == (96, 112, 20)
    assert uncertainty.dtype == np.uint8
    assert probabilities.shape == (3, 96, 112, 20)
    assert probabilities.dtype == labels.dtype == np.uint8
    first = np.load(slices[0]["labels"])
    assert first.shape == (96, 112, 1)


def test_what_cannot_be_done_is_told_and_the_worker_lives(worker, tiny_folder, inputs, tmp_path):
    worker.ask(b"\xff{ not json")
    assert worker.event()["code"] == "request_malformed"
    worker.ask({"op": "dance"})
    assert worker.event()["code"] == "request_unknown"
    worker.ask({"op": "segment", "job": "j0"})
    assert worker.event()["code"] == "request_malformed"
    worker.ask(segment_request(inputs, tmp_path / "out"))
    error = worker.event()
    assert (error["code"], error["job"]) == ("model_not_loaded", "j1")
    worker.ask({"op": "load", "model_dir": str(tmp_path / "none")})
    assert worker.event()["code"] == "model_missing"
    worker.ask({"op": "load", "model_dir": str(tiny_folder), "device": "abacus"})
    assert worker.event()["code"] == "device_unknown"
    worker.ask({"op": "load", "model_dir": str(tiny_folder), "device": "cpu", "threads": 1})
    assert worker.event()["event"] == "loaded"
    worker.ask(segment_request({"FLAIR": str(tmp_path / "gone.npy")}, tmp_path / "out"))
    assert worker.event()["code"] == "file_missing"
    (tmp_path / "torn.npy").write_bytes(Path(inputs["FLAIR"]).read_bytes()[:200])
    worker.ask(segment_request({"FLAIR": str(tmp_path / "torn.npy")}, tmp_path / "out"))
    assert worker.event()["code"] == "file_unreadable"
    np.save(tmp_path / "other.npy", np.zeros((5, 5, 5), np.float32))
    worker.ask(segment_request({**inputs, "T2": str(tmp_path / "other.npy")}, tmp_path / "out"))
    assert worker.event()["code"] == "sequences_differ"
    for name, x in (("here", 0), ("there", 3)):
        place = np.eye(4)
        place[0, 3] = x
        nibabel.save(nibabel.Nifti1Image(np.ones((5, 5, 5), np.int16), place), tmp_path / f"{name}.nii")
    files = {"FLAIR": str(tmp_path / "here.nii"), "T2": str(tmp_path / "there.nii")}
    worker.ask(segment_request(files, tmp_path / "out"))
    error = worker.event()
    assert (error["code"], error["params"]["reason"]) == ("grid_mismatch", "position")
    worker.ask(segment_request({}, tmp_path / "out"))
    assert worker.event()["code"] == "no_sequences"
    (tmp_path / "file").write_text("")
    worker.ask(segment_request(inputs, tmp_path / "file" / "out"))
    assert worker.event()["code"] == "write_failed"
    worker.ask({"op": "ping"})
    assert worker.event()["event"] == "pong"


def test_it_ends_when_its_parent_closes_the_pipe(worker):
    worker.ask({"op": "ping"})
    assert worker.event()["event"] == "pong"
    assert worker.close() == 0


def test_quit(worker):
    worker.ask({"op": "quit"})
    assert worker.process.wait(WAIT_SECONDS) == 0


def test_torch_is_not_imported():
    code = "import brainseg_desktop.inference.worker, sys; print([m for m in sys.modules if 'torch' in m])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
