"""The bench's table and its case; the times themselves are no matter for a test."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services import bench, bench_study
from brainseg_desktop.services.bench import BenchReport, Budget, Measured, make_bench_case, run_bench
from brainseg_desktop.services.bench_study import make_study
from brainseg_desktop.services.opening import load_mask, open_case
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.results import Material

STEP = Budget("slice_step_ms", "slice step", "ms", 8.0, 16.0)


def test_a_budget_is_kept_by_median_and_tail() -> None:
    assert Measured(STEP, (7.0,) * 20).ok
    assert Measured(STEP, (9.0,) * 20).ok is False
    assert Measured(STEP, (7.0,) * 18 + (40.0,) * 2).ok is False
    assert Measured(STEP, ()).ok is None
    assert Measured(STEP, (1.0,) * 19).p95 is None


def test_a_budget_may_ask_to_be_faster_than_the_peer() -> None:
    faster = replace(STEP, times_faster=8.0)
    assert Measured(faster, (5.0,) * 20, peer=(41.0,)).ok
    assert Measured(faster, (5.0,) * 20, peer=(39.0,)).ok is False
    assert Measured(faster, (5.0,) * 20).ok, "no peer in this run"


def test_the_report_is_a_table_and_json() -> None:
    report = BenchReport("a machine", (Measured(STEP, (7.0,) * 20), Measured(STEP, ())))
    assert report.rows()[0] == ["slice step", "7 ms", "7 ms", "8 ms, p95 16", "ok", "-"]
    assert report.rows()[1][1:] == ["-", "-", "8 ms, p95 16", "not measured", "-"]
    beside = Measured(STEP, (7.0,), peer=(70.0, 80.0, 75.0))
    assert BenchReport("a machine", (beside,)).rows()[0][-1] == "75 ms, 10.7 x"
    assert beside.to_dict()["napari_median"] == 75.0
    assert json.loads(json.dumps(report.to_dict()))["results"]["slice_step_ms"]["budget"] == 8.0


def test_the_made_case_has_the_size_of_a_real_one(tmp_path: Path) -> None:
    case = open_case(find_case(make_bench_case(tmp_path / "bench"))).case
    assert case.grid.shape == (240, 240, 155)
    assert case.grid.spacing_mm == (1.0, 1.0, 1.0)
    assert not case.missing
    assert case.ratings[0].scheme.name == "brats2021"


def test_what_cannot_be_measured_is_said(small_case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: Path, tell: bench.Tell) -> dict[str, list[float]]:
        raise ValueError("the window ended early")

    monkeypatch.setattr(bench, "_measure_window", broken)
    report = run_bench(small_case, lambda line: None)
    results = report.to_dict()["results"]
    assert results["slice_step_ms"]["ok"] is None
    assert results["metrics_ms"]["samples"] == 9
    assert "the window ended early" in report.problems[-1]


@pytest.fixture
def sample_mask(sample_dir: Path) -> MaskFile:
    return load_mask(sample_dir / "sample_seg.nii.gz", scheme_named("brats2021"))


def test_made_readers_differ_as_readers_do_and_are_the_same_each_time(
    sample_mask: MaskFile, tmp_path: Path
) -> None:
    first, again = (make_study(sample_mask, tmp_path / name, cases=2, readers=2) for name in ("a", "b"))
    assert [f.sha256 for f in first.files] == [f.sha256 for f in again.files]
    dice = measure_study(first, workers=0).regions["WT"].measures["dice"].readers
    assert dice.n == 2
    assert 0.6 < dice.lowest <= dice.highest < 0.98


def test_a_study_is_measured_in_time_and_memory(
    sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(mask: MaskFile, folder: Path) -> Material:
        return make_study(mask, folder, cases=1, readers=2)

    monkeypatch.setattr(bench_study, "make_study", small)
    case = tmp_path / "BraTS2021_77777"
    case.mkdir()
    for name in ("flair", "seg"):
        shutil.copy(sample_dir / f"sample_{name}.nii.gz", case / f"BraTS2021_77777_{name}.nii.gz")
    told: list[str] = []
    report = bench.run_study_bench(case, told.append)
    results = report.to_dict()["results"]
    assert results["study_s"]["median"] > results["study_again_s"]["median"] > 0
    assert results["study_memory_mb"]["median"] > 50
    assert results["staple_ms"]["samples"] == results["metrics_ms"]["samples"] == 9
    assert "Measuring the study" in told
    (case / "BraTS2021_77777_seg.nii.gz").unlink()
    report = bench.run_study_bench(case, told.append)
    assert "has no mask" in report.problems[-1]
    assert {m.budget.key for m in report.measured if m.ok is not None} == {"worklist_ms"}
