"""A Dask cluster makes the same masks, and whatever dies, no case is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brainseg_desktop.services.batch.record import Record
from brainseg_desktop.services.batch.segment_job import SegmentOptions
from brainseg_desktop.services.batch.segment_run import segment_many

from .conftest import BRAINSEG, Cluster, interruptible

Make = Callable[[Path, int], Path]
pytestmark = pytest.mark.slow


def start(address: str, cases: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*BRAINSEG, "segment", str(cases), "-o", str(out), "--json", "--scheduler", address, *arguments]
    return interruptible(command)


def finish(client: subprocess.Popen[str]) -> list[dict]:
    said, errors = client.communicate(timeout=240)
    assert client.returncode == 0, errors
    return json.loads(said)["cases"]


def faults(said: str) -> list[str]:
    """What was said but how far it is, which only slow machines are told."""
    return [line for line in said.splitlines() if not line.startswith("Segmenting: ")]


def masks(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*_seg.nii.gz"))}


def wait_for_lines(out: Path, count: int) -> None:
    until = time.monotonic() + 200
    while len(Record(out).lines()) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def by_one_process(cases: Path, out: Path, model: str | None) -> dict[str, bytes]:
    done = segment_many([cases], out, SegmentOptions(str(out), model))
    assert {o.status for o in done.outcomes} == {"done"}
    return masks(out)


def test_two_workers_make_the_masks_of_one_process_with_the_bundled_network(
    make_cases: Make, tmp_path: Path, cluster: Cluster
) -> None:
    cases = make_cases(tmp_path / "cases", 3)
    entries = finish(start(cluster.address, cases, tmp_path / "out"))
    assert [(e["case"], e["status"]) for e in entries] == [("P00", "done"), ("P01", "done"), ("P02", "done")]
    found = masks(tmp_path / "out")
    assert len(set(found.values())) == 3
    assert found == by_one_process(cases, tmp_path / "one", None)
    assert {e["status"] for e in finish(start(cluster.address, cases, tmp_path / "out", "--resume"))} == {
        "kept"
    }


def test_a_worker_killed_in_the_middle_loses_no_case(
    make_cases: Make, tiny: str, tmp_path: Path, cluster: Cluster
) -> None:
    cases, out = make_cases(tmp_path / "cases", 10), tmp_path / "out"
    victim = cluster.pids()[0]
    client = start(cluster.address, cases, out, "--model", tiny)
    wait_for_lines(out, 2)
    os.kill(victim, signal.SIGKILL)
    entries = finish(client)
    assert [e["status"] for e in entries] == ["done"] * 10
    assert masks(out) == by_one_process(cases, tmp_path / "one", tiny)
    assert victim not in cluster.pids()


def test_a_client_killed_in_the_middle_goes_on_and_one_stopped_says_how(
    make_cases: Make, tiny: str, tmp_path: Path, cluster: Cluster
) -> None:
    cases, out = make_cases(tmp_path / "cases", 12), tmp_path / "out"
    client = start(cluster.address, cases, out, "--model", tiny)
    wait_for_lines(out, 1)
    client.kill()
    client.communicate()
    recorded = len(Record(out).lines())
    client = start(cluster.address, cases, out, "--model", tiny, "--resume")
    wait_for_lines(out, recorded + 1)
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=60)[1]
    assert client.returncode == 130
    assert [line[:18] for line in faults(said)] == ["brainseg: Stopped."]
    entries = finish(start(cluster.address, cases, out, "--model", tiny, "--resume"))
    assert [e["status"] for e in entries].count("kept") >= recorded
    assert {e["status"] for e in entries} <= {"kept", "done"}
    assert masks(out) == by_one_process(cases, tmp_path / "one", tiny)


def test_a_scheduler_that_goes_is_told_and_what_was_done_is_kept(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cluster = Cluster()
    cases, out = make_cases(tmp_path / "cases", 10), tmp_path / "out"
    client = start(cluster.address, cases, out, "--model", tiny)
    wait_for_lines(out, 1)
    cluster.process.kill()
    cluster.close()
    said = client.communicate(timeout=120)[1]
    assert client.returncode == 2
    assert len(faults(said)) == 1, said
    (line,) = faults(said)
    assert f"The Dask scheduler at {cluster.address} is gone" in line
    assert "--resume" in line
    done = segment_many([cases], out, SegmentOptions(str(out), tiny), resume=True)
    assert {o.status for o in done.outcomes} == {"kept", "done"}


@pytest.fixture
def odd_cluster(tmp_path: Path) -> Iterator[Callable[[str], Cluster]]:
    """A cluster whose workers run a script first."""
    made: list[Cluster] = []

    def make(script: str) -> Cluster:
        place = tmp_path / "preload.py"
        place.write_text(script)
        made.append(Cluster(str(place)))
        return made[-1]

    yield make
    for one in made:
        one.close()


DEADLY = """
import os
from brainseg_desktop.services.batch import runners
ask = runners.CaseProcess.ask
def deadly(self, op, job, threads=None, ask=ask):
    if b'"name":"P01"' in job:
        with open({marker!r}, "a") as file:
            file.write("x")
        {act}
    ask(self, op, job, threads)
# Dask may run this twice.
if ask.__name__ != "deadly":
    runners.CaseProcess.ask = deadly
"""


@pytest.mark.parametrize("act", ["os._exit(9)", "self.kill()"])
def test_a_case_that_kills_its_workers_is_given_up_after_three_and_the_rest_is_done(
    make_cases: Make, tiny: str, tmp_path: Path, odd_cluster: Callable[[str], Cluster], act: str
) -> None:
    marker = tmp_path / "deaths"
    cluster = odd_cluster(DEADLY.format(marker=str(marker), act=act))
    cases, out = make_cases(tmp_path / "cases", 4), tmp_path / "out"
    client = start(cluster.address, cases, out, "--model", tiny)
    said, errors = client.communicate(timeout=240)
    assert client.returncode == 2
    entries = json.loads(said)["cases"]
    assert [e["status"] for e in entries] == ["done", "failed", "done", "done"]
    assert "P01 was given up" in entries[1]["error"]
    assert marker.read_text() == "xxx"
    assert f"brainseg: {entries[1]['error']}" == faults(errors)[-1]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import brainseg_desktop\nbrainseg_desktop.__version__ = '0.0.9'", "0.0.9"),
        (
            "from brainseg_desktop.services.batch import runners\nfrom pathlib import Path\nimport sys\n"
            "place = Path(__file__).with_name('look.py')\n"
            "place.write_text('from brainseg_desktop.services.batch import look, case_worker\\n"
            'look.network_key = lambda _: "another"\\ncase_worker.main()\')\n'
            "runners.case_worker.command = lambda: [sys.executable, str(place)]",
            "its network is another one",
        ),
    ],
)
def test_workers_of_another_kind_are_refused_before_anything_is_begun(
    make_cases: Make,
    tiny: str,
    tmp_path: Path,
    odd_cluster: Callable[[str], Cluster],
    script: str,
    told: str,
) -> None:
    cluster = odd_cluster(script)
    client = start(cluster.address, make_cases(tmp_path / "cases", 2), tmp_path / "out", "--model", tiny)
    said = client.communicate(timeout=120)[1]
    assert client.returncode == 2
    (line,) = faults(said)
    assert line.startswith("brainseg: The Dask workers cannot be used: ")
    assert told in line
    assert not list((tmp_path / "out").iterdir())


def test_no_scheduler_is_one_sentence(tmp_path: Path, small_case: Path) -> None:
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        client = start(address, small_case, tmp_path / "out")
        said = client.communicate(timeout=60)[1]
        assert client.returncode == 2
        (line,) = faults(said)
        assert line.startswith(f"brainseg: No Dask scheduler answers at {address}")


def test_a_study_measured_by_a_cluster_is_the_same(
    make_cases: Make, tmp_path: Path, sample_dir: Path, cluster: Cluster
) -> None:
    masks_of = tmp_path / "masks"
    for case in ("c1", "c2", "c3"):
        for reader, name in (("anna", "seg"), ("ben", "seg-reader2")):
            place = masks_of / reader / f"{case}_seg.nii.gz"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((sample_dir / f"sample_{name}.nii.gz").read_bytes())
    command = [*BRAINSEG, "agreement", str(masks_of), "--json", "--anew", "--scheme", "brats2021"]
    found = []
    for more in (["--jobs", "2"], ["--scheduler", cluster.address]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=240, check=True)
        told = json.loads(done.stdout)
        assert told.pop("run")["done"] == 3
        told.pop("created_utc", None)
        found.append(told)
    assert found[0] == found[1]


def test_dask_is_loaded_only_for_a_cluster() -> None:
    code = (
        "import sys; from brainseg_desktop.cli import run;"
        "import brainseg_desktop.services.batch.segment_run, brainseg_desktop.services.studies.measuring;"
        "print([m for m in ('dask', 'distributed') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
