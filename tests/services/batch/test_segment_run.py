"""Many cases on one machine: the same masks whoever makes them, and nothing is lost or done twice."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import atomic
from brainseg_desktop.services import worker_client
from brainseg_desktop.services.batch import case_worker, segment_run
from brainseg_desktop.services.batch.record import FILE, Record
from brainseg_desktop.services.batch.segment_job import SegmentOptions
from brainseg_desktop.services.batch.segment_run import Run, segment_many
from brainseg_desktop.services.batch.segment_summary import summarise, write_summary
from brainseg_desktop.services.batch.tally import Tally

from .conftest import BRAINSEG, interruptible

Make = Callable[[Path, int], Path]
FAKE = Path(__file__).parents[1] / "fake_worker.py"


def run(cases: Path, out: Path, **options: object) -> Run:
    return segment_many([cases], out, SegmentOptions(str(out), "tiny"), **options)


def statuses(done: Run) -> list[str]:
    return [outcome.status for outcome in done.outcomes]


def masks(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*_seg.nii.gz"))}


def sidecars(folder: Path) -> list[dict]:
    """But for times."""
    found = [json.loads(p.read_bytes()) for p in sorted(folder.glob("*_seg.json"))]
    for about in found:
        assert about.pop("created_utc")
        assert about["details"].pop("seconds")
    return found


def test_masks_do_not_depend_on_how_many_processes_there_are(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cases = make_cases(tmp_path / "cases", 4)
    tallies: list[tuple[int, int]] = []
    one = run(cases, tmp_path / "one", tell=lambda t: tallies.append((t.counts["done"], t.left)))
    two = run(cases, tmp_path / "two", jobs=2)
    assert statuses(one) == statuses(two) == ["done"] * 4
    assert len(set(masks(tmp_path / "one").values())) == 4
    assert masks(tmp_path / "one") == masks(tmp_path / "two")
    assert sidecars(tmp_path / "one") == sidecars(tmp_path / "two")
    assert (tallies[0], tallies[-1]) == ((0, 4), (4, 0))
    for first, second in zip(one.outcomes, two.outcomes, strict=True):
        a, b = first.to_dict(), second.to_dict()
        assert Path(a.pop("output")).name == Path(b["output"]).name
        assert Path(b.pop("output")).parent == tmp_path / "two"
        assert (a.pop("seconds"), b.pop("seconds")) > (0, 0)
        assert a == b


def test_resuming_does_what_is_missing_or_changed_and_nothing_else(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cases, out = make_cases(tmp_path / "cases", 5), tmp_path / "out"
    first = run(cases, out)
    before = {p: p.stat().st_mtime_ns for p in out.glob("P*")}
    (out / "P01_seg.nii.gz").unlink()
    (out / "P02_seg.nii.gz").write_bytes(b"someone else's")
    image = nibabel.load(cases / "P03" / "P03_t1.nii.gz")
    changed = np.asarray(image.dataobj)[::-1]
    nibabel.save(nibabel.Nifti1Image(changed, image.affine), cases / "P03" / "P03_t1.nii.gz")
    second = run(cases, out, resume=True)
    assert statuses(second) == ["kept", "done", "done", "done", "kept"]
    assert all(p.stat().st_mtime_ns == t for p, t in before.items() if p.name[:3] in ("P00", "P04"))
    kept, was = second.outcomes[0].segmented, first.outcomes[0].segmented
    assert kept.to_dict() == {**was.to_dict(), "seconds": round(was.seconds or 0, 3)}
    assert statuses(run(cases, out, resume=True, jobs=2)) == ["kept"] * 5


def test_resuming_with_other_options_or_another_network_does_all_again(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cases, out = make_cases(tmp_path / "cases", 2), tmp_path / "out"
    run(cases, out)
    other = SegmentOptions(str(out), "tiny", scheme="brats2021")
    assert statuses(segment_many([cases], out, other, resume=True)) == ["done", "done"]
    assert statuses(segment_many([cases], out, other, resume=True)) == ["kept", "kept"]
    from brainseg_desktop.services.paths import user_models_dir

    card = user_models_dir() / "tiny" / "model.toml"
    card.write_text(card.read_text().replace('version = "0.0.1"', 'version = "0.0.2"'))
    assert statuses(segment_many([cases], out, other, resume=True)) == ["done", "done"]


def test_without_resume_all_is_written_anew(make_cases: Make, tiny: str, tmp_path: Path) -> None:
    cases, out = make_cases(tmp_path / "cases", 2), tmp_path / "out"
    run(cases, out)
    assert statuses(run(cases, out)) == ["done", "done"]


def test_the_record_names_no_more_than_the_outputs_do(make_cases: Make, tiny: str, tmp_path: Path) -> None:
    cases = make_cases(tmp_path / "Jane Doe", 2)
    run(cases, tmp_path / "out")
    assert len(Record(tmp_path / "out").lines()) == 2
    text = (tmp_path / "out" / FILE).read_text()
    assert "Jane" not in text
    assert "t1" not in text


def test_of_two_cases_with_one_name_the_same_one_loses_whoever_is_faster(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    make_cases(tmp_path / "a", 2)
    make_cases(tmp_path / "b", 2)
    places = [tmp_path / "b", tmp_path / "a"]
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        done = segment_many(places, out, SegmentOptions(str(out), "tiny"), jobs=jobs)
        assert statuses(done) == ["done", "done", "failed", "failed"]
        assert {o.segmented.code for o in done.outcomes[2:]} == {"output_name_taken"}


MISBEHAVING = """
import os, sys
from pathlib import Path
from brainseg_desktop.services import headless
from brainseg_desktop.services.batch import case_worker
real = headless.Segmenting.__call__
def call(self, case, progress):
    marker = Path({marker!r})
    if case.name == "P01":
        {act}
    return real(self, case, progress)
headless.Segmenting.__call__ = call
case_worker.main()
"""
DIE = 'marker.open("a").write("x"); os._exit(9)'


def misbehave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: str) -> Path:
    """Let case P01 do something else in the processes for cases."""
    script, marker = tmp_path / "worker.py", tmp_path / "deaths"
    script.write_text(MISBEHAVING.format(marker=str(marker), act=act))
    monkeypatch.setattr(case_worker, "command", lambda: [sys.executable, str(script)])
    return marker


@pytest.mark.parametrize(("act", "last"), [(DIE, "failed"), (f"if not marker.exists(): {DIE}", "done")])
def test_a_case_whose_process_dies_is_done_again_and_else_named(
    make_cases: Make, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, last: str
) -> None:
    marker = misbehave(monkeypatch, tmp_path, act)
    done = run(make_cases(tmp_path / "cases", 3), tmp_path / "out", jobs=2)
    assert statuses(done) == ["done", last, "done"]
    if last == "failed":
        assert marker.read_text() == "xx"
        error = done.outcomes[1].segmented.error or ""
        assert "P01 was given up" in error


def test_a_bug_in_one_case_is_named_and_the_rest_goes_on(
    make_cases: Make, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(monkeypatch, tmp_path, 'raise ValueError("a bug")')
    done = run(make_cases(tmp_path / "cases", 3), tmp_path / "out", jobs=2)
    assert statuses(done) == ["done", "failed", "done"]
    assert "ValueError: a bug" in (done.outcomes[1].segmented.error or "")


def test_a_full_disk_fails_its_case_and_resuming_mends_it(
    make_cases: Make, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, out = make_cases(tmp_path / "cases", 3), tmp_path / "out"
    write = atomic.write_synced

    def full(path: Path, data: bytes) -> None:
        if path.name == "P01_seg.nii.gz":
            raise OSError(errno.ENOSPC, "full")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_synced", full)
        first = run(cases, out)
    assert [o.segmented.code for o in first.outcomes] == [None, "disk_full", None]
    assert sorted(p.name for p in out.glob("*.gz")) == ["P00_seg.nii.gz", "P02_seg.nii.gz"]
    assert not list(out.glob(".brainseg-*"))
    assert statuses(run(cases, out, resume=True)) == ["kept", "done", "kept"]


def test_a_record_that_cannot_be_written_is_told_and_the_masks_are_there(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cases, out = make_cases(tmp_path / "cases", 2), tmp_path / "out"
    (out / FILE).mkdir(parents=True)
    done = run(cases, out)
    assert statuses(done) == ["done", "done"]
    assert done.problem is not None
    assert done.problem.code == "record_not_written"


def test_what_is_wrong_with_all_is_told_before_any_process_starts(tmp_path: Path, small_case: Path) -> None:
    for options in ({"model": "nobody's"}, {"scheme": "nobody's"}):
        with pytest.raises(UserError):
            segment_many([small_case], tmp_path / "out", SegmentOptions("out", **options), jobs=2)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_what_killed_programs_left_is_swept_once_it_is_old(
    make_cases: Make, tiny: str, tmp_path: Path
) -> None:
    cases, out = make_cases(tmp_path / "cases", 2), tmp_path / "out"
    for name in (".brainseg-old", ".brainseg-new"):
        (out / name).mkdir(parents=True)
    os.utime(out / ".brainseg-old", (1, 1))
    run(cases, out)
    assert [p.name for p in out.glob(".brainseg-*")] == [".brainseg-new"]


def test_thousands_of_cases_take_little_memory_and_one_network(
    small_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiny images and a worker that thresholds: what grows by the case would show."""
    import tracemalloc

    monkeypatch.setattr(worker_client, "worker_command", lambda: [sys.executable, str(FAKE), "good"])
    cases, out = tmp_path / "cases", tmp_path / "out"
    cases.mkdir()
    data = np.arange(6 * 5 * 8, dtype=np.int16).reshape(6, 5, 8)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "image.nii")
    content = (tmp_path / "image.nii").read_bytes()
    for number in range(COUNT):
        for name in ("t1", "flair"):
            (cases / f"C{number:04d}_{name}.nii").write_bytes(content)
    sizes: list[int] = []
    # What was begun by the program; threads that other tests left (Dask keeps its own) allocate too.
    of_the_program = tracemalloc.Filter(True, "*/brainseg_desktop/*", all_frames=True)

    def watch(tally: Tally) -> None:
        if tally.counts.total() in (COUNT // 4, COUNT):
            ours = tracemalloc.take_snapshot().filter_traces([of_the_program])
            sizes.append(sum(trace.size for trace in ours.traces))

    monkeypatch.setattr(atomic, "sync_folder", lambda _: None)
    # pytest keeps every line of the log.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    tracemalloc.start(8)
    try:
        done = segment_many([cases], out, SegmentOptions(str(out), "glioma-unet"), tell=watch)
    finally:
        tracemalloc.stop()
    assert summarise(done.outcomes, done.seconds).counts == {"done": COUNT, "kept": 0, "failed": 0}
    assert (sizes[-1] - sizes[0]) / (COUNT * 3 // 4) < 8_000
    rows = write_summary(out, done.outcomes).read_text().splitlines()
    assert len(rows) == COUNT + 1


COUNT = 60


def start(cases: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*BRAINSEG, "segment", str(cases), "-o", str(out), "--model", "tiny", *arguments]
    return interruptible(command)


def wait_for_lines(out: Path, count: int) -> None:
    until = time.monotonic() + 120
    while len(Record(out).lines()) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on(
    make_cases: Make, tiny: str, tmp_path: Path, ending: signal.Signals
) -> None:
    cases, out = make_cases(tmp_path / "cases", 8), tmp_path / "out"
    client = start(cases, out, "--jobs", "2")
    wait_for_lines(out, 1)
    client.send_signal(ending)
    said = client.communicate()[1]
    if ending == signal.SIGINT:
        assert client.returncode == 130
        assert "--resume" in said
    for mask in out.glob("*_seg.nii.gz"):
        nibabel.load(mask).get_fdata()
        assert json.loads(mask.with_name(mask.name[:3] + "_seg.json").read_bytes())
    recorded = set(Record(out).lines())
    done = run(cases, out, resume=True)
    assert {o.segmented.output.name for o in done.outcomes if o.status == "kept"} == recorded
    assert statuses(done).count("failed") == 0
    run(cases, tmp_path / "one")
    assert masks(out) == masks(tmp_path / "one")


def test_auto_takes_no_more_than_memory_holds(
    make_cases: Make, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    real = segment_run.LocalRunner

    def local(processes: int, threads: int) -> object:
        counts.append(processes)
        return real(processes, threads)

    monkeypatch.setattr(segment_run, "LocalRunner", local)
    monkeypatch.setattr(segment_run, "cores", lambda: 8)
    cases = make_cases(tmp_path / "cases", 3)
    for memory in (10_000_000_000, 3_500_000_000, 1_000):
        monkeypatch.setattr(segment_run, "free_memory", lambda memory=memory: memory)
        with monkeypatch.context() as patch:
            patch.setattr(segment_run, "_collect", lambda *_: None)
            run(cases, tmp_path / "out", jobs=segment_run.AUTO)
    assert counts == [3, 2, 1]
