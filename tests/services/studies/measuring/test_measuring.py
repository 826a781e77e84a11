"""A study measured: every number against the direct way, what is kept, what goes wrong."""

from __future__ import annotations

import io
import itertools
import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from brainseg_desktop.cli import Front, run
from brainseg_desktop.core.consensus import staple
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.kappa import cohen_kappa, fleiss_kappa_of_masks, krippendorff_alpha_of_masks
from brainseg_desktop.core.metrics import Score, confusion
from brainseg_desktop.core.reliability import generalised_conformity_index
from brainseg_desktop.io.nifti import read_mask
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.batch import case_worker
from brainseg_desktop.services.compare import compare
from brainseg_desktop.services.mask_files import compare_files
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies import measuring
from brainseg_desktop.services.studies.case_numbers import CaseNumbers, measure_files, measures_of
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.results import MEASURES, Material, StudyReport

from .conftest import GRID, SHAPE, Make, box, rating, write

SCHEME = scheme_named("brats2021")


def here(material: Material, **options: object) -> StudyReport:
    """Measured in this process."""
    return measure_study(material, workers=0, **options)


def numbers_of(report: StudyReport) -> StudyReport:
    return replace(report, created_utc="")


def tissues(material: Material, case: str, rater: str, repeat: int = 1) -> np.ndarray:
    file = next(f for f in material.files if (f.case, f.rater, f.repeat) == (case, rater, repeat))
    return read_mask(file.path, SCHEME).tissues


def test_every_pair_has_what_compare_says_in_either_order(three_readers: Material) -> None:
    report = here(three_readers)
    assert [r.name for r in report.raters] == ["anna", "ben", "cleo", "AI", "Reference"]
    for case, names in {"c1": ["anna", "ben", "cleo", "AI", "Reference"], "c3": ["anna", "ben"]}.items():
        for a, b in itertools.permutations(names, 2):
            direct = compare(
                tissues(three_readers, case, a), tissues(three_readers, case, b), GRID, SCHEME.regions, ()
            )
            is_in_order = names.index(a) < names.index(b)
            for region in SCHEME.regions:
                expected = measures_of(direct.regions[region.name])
                for measure in MEASURES:
                    scores = report.regions[region.name].measures[measure.key].scores
                    if is_in_order or measure.directed:
                        assert scores[a, b][case] == expected[measure.key], (a, b, measure.key)
                    else:
                        assert (a, b) not in scores


def test_the_file_comparison_says_the_same(three_readers: Material) -> None:
    files = {f.rater: f.path for f in three_readers.files if f.case == "c1" and f.repeat == 1}
    direct = compare_files(files["ben"], files["anna"], "brats2021")
    measures = here(three_readers).regions["TC"].measures
    assert measures["dice"].scores["anna", "ben"]["c1"] == direct.regions["TC"].overlap.dice
    assert measures["precision"].scores["ben", "anna"]["c1"] == direct.regions["TC"].overlap.precision
    assert measures["hd95_mm"].scores["anna", "ben"]["c1"] == direct.regions["TC"].surface.hd95_mm
    assert measures["lesion_dice"].scores["ben", "anna"]["c1"] == direct.regions["TC"].lesions.dice


def test_statistics_of_all_readers_are_those_of_the_masks(three_readers: Material) -> None:
    report = here(three_readers)
    labels = [tissues(three_readers, "c1", name) for name in ("anna", "ben", "cleo")]
    for region in SCHEME.regions:
        found = report.regions[region.name]
        sets = [region.tissues]
        assert found.fleiss_kappa.cases["c1"] == fleiss_kappa_of_masks(labels, sets, scope="grid")
        assert found.krippendorff_alpha.cases["c1"] == krippendorff_alpha_of_masks(labels, sets, scope="grid")
        drawn = [region.mask(mask) for mask in labels]
        assert found.conformity.cases["c1"] == generalised_conformity_index(drawn)
        for (i, a), (j, b) in itertools.combinations(enumerate(("anna", "ben", "cleo")), 2):
            direct = cohen_kappa(labels[i], labels[j], sets, scope="grid")
            assert found.cohen_kappa[a, b].cases["c1"] == direct
        others = staple(drawn[1:]).mask
        assert found.against_consensus["anna"]["c1"] == confusion(others, drawn[0]).dice
        ai = region.mask(tissues(three_readers, "c1", "AI"))
        assert found.against_consensus["AI"]["c1"] == confusion(staple(drawn).mask, ai).dice


def test_repeats_are_compared_with_the_first_reading_and_with_nobody_else(three_readers: Material) -> None:
    region = here(three_readers).regions["WT"]
    assert list(region.repeats) == ["anna"]
    repeats = region.repeats["anna"]
    assert repeats.volumes_ml == {"c1": (2.0, 2.2)}
    assert repeats.dice.mean == pytest.approx(2 * 10 / 21)
    assert (repeats.dice.n, repeats.dice.missing) == (1, 0)
    assert repeats.rmse_ml.value == pytest.approx(0.2)
    assert repeats.variation.value == pytest.approx(np.std([2.0, 2.2], ddof=1) / 2.1)
    assert region.volumes_ml["anna"]["c1"].value == 2.0


def test_processes_and_order_make_no_difference(three_readers: Material, tmp_path: Path) -> None:
    alone = here(three_readers, cache=tmp_path / "one")
    done: list[float] = []
    shared = measure_study(three_readers, workers=2, cache=tmp_path / "two", tell=done.append)
    assert numbers_of(shared) == numbers_of(alone)
    assert done == sorted(done)
    assert done[-1] == 1.0
    turned = replace(three_readers, files=three_readers.files[::-1])
    assert numbers_of(here(turned, cache=tmp_path / "three")) == numbers_of(alone)


def test_kept_numbers_are_used_again_and_hold_no_names(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = here(three_readers, cache=tmp_path / "kept")
    kept = sorted((tmp_path / "kept").iterdir())
    assert len(kept) == 3
    text = "".join(p.name + p.read_text() for p in kept)
    assert not any(name in text for name in ("anna", "ben", "cleo", "c1-", "small study", "masks"))

    def never(job: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measuring, "measure_files", never)
    assert numbers_of(here(three_readers, cache=tmp_path / "kept")) == numbers_of(first)
    with pytest.raises(AssertionError):
        here(replace(three_readers, tolerance_mm=2.0), cache=tmp_path / "kept")


def test_renamed_readers_are_known_again(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = here(three_readers, cache=tmp_path / "kept")
    new = {"anna": "zoe"}
    raters = [replace(r, name=new.get(r.name, r.name)) for r in three_readers.raters]
    renamed = replace(
        three_readers,
        raters=(*raters[1:3], raters[0], *raters[3:]),
        files=tuple(replace(f, rater=new.get(f.rater, f.rater)) for f in three_readers.files),
    )
    monkeypatch.setattr(measuring, "measure_files", None)
    again = here(renamed, cache=tmp_path / "kept")
    for key in ("precision", "dice", "volume_difference_ml"):
        old, now = (r.regions["WT"].measures[key].scores for r in (first, again))
        assert now["ben", "zoe"] == old.get(("ben", "anna"), old["anna", "ben"])


@pytest.mark.parametrize("damage", ["", "{}", "flipped"])
def test_a_damaged_file_of_kept_numbers_is_as_good_as_none(
    three_readers: Material, tmp_path: Path, damage: str
) -> None:
    first = here(three_readers, cache=tmp_path / "kept")
    for path in (tmp_path / "kept").iterdir():
        path.write_text(
            path.read_text().replace('"value":2.0', '"value":3.0') if damage == "flipped" else damage
        )
    assert numbers_of(here(three_readers, cache=tmp_path / "kept")) == numbers_of(first)


def test_numbers_that_cannot_be_kept_are_given_all_the_same(
    three_readers: Material, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert numbers_of(here(three_readers, cache=blocked)) == numbers_of(here(three_readers))
    assert "could not be kept" in caplog.text


def test_a_run_that_was_broken_off_goes_on_where_it_was(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = []

    def stop() -> bool:
        return bool(share and share[-1] > 0.3)

    with pytest.raises(UserError) as error:
        here(three_readers, cache=tmp_path / "kept", tell=share.append, cancelled=stop)
    assert error.value.code == "measuring_cancelled"
    assert len(list((tmp_path / "kept").iterdir())) == 1
    measured = []
    monkeypatch.setattr(
        measuring,
        "measure_files",
        lambda job, real=measuring.measure_files: measured.append(job) or real(job),
    )
    here(three_readers, cache=tmp_path / "kept")
    assert len(measured) == 2


def test_a_mask_that_was_changed_is_left_out_and_said(three_readers: Material, tmp_path: Path) -> None:
    here(three_readers, cache=tmp_path / "kept")
    path = next(f.path for f in three_readers.files if (f.case, f.rater) == ("c2", "ben"))
    write(path, box(1, 20))
    for _ in range(2):
        report = here(three_readers, cache=tmp_path / "kept")
        (exclusion,) = report.exclusions
        assert (exclusion.case, exclusion.rater, exclusion.reason.code) == ("c2", "ben", "mask_changed")
        assert str(path) in words(exclusion.reason)
        scores = report.regions["WT"].measures["dice"]
        assert "c2" not in scores.scores["anna", "ben"]
        assert scores.pairs["anna", "ben"].missing == 1
        assert "c2" in scores.scores["anna", "cleo"]


def test_a_mask_that_is_gone_is_left_out_and_said(three_readers: Material) -> None:
    path = next(f.path for f in three_readers.files if (f.case, f.rater) == ("c2", "ben"))
    path.unlink()
    (exclusion,) = here(three_readers).exclusions
    assert exclusion.reason.code == "file_missing"


@pytest.mark.parametrize("first", ["anna", "ben", "cleo"])
def test_another_grid_is_left_out_whoever_comes_first(
    three_readers: Material, tmp_path: Path, first: str
) -> None:
    odd = write(tmp_path / "odd.nii.gz", box(4, 14)[:-1])
    files = [
        rating("c1", f.rater, odd) if (f.case, f.rater, f.repeat) == ("c1", first, 1) else f
        for f in three_readers.files
        if f.rater not in ("AI", "Reference")
    ]
    report = here(replace(three_readers, files=tuple(files)))
    (exclusion,) = report.exclusions
    assert (exclusion.rater, exclusion.reason.code) == (first, "rating_off_grid")
    assert "shape differs" in words(exclusion.reason)


def test_of_two_grids_the_first_wins(make: Make, tmp_path: Path) -> None:
    material = make({"c1": {"anna": box(4, 14), "ben": box(5, 14)}})
    shifted = GRID.voxel_to_world.copy()
    shifted[0, 3] = 5.0
    odd = write(tmp_path / "odd.nii.gz", box(4, 14), shifted)
    for place in (0, 1):
        files = list(material.files)
        files[place] = rating("c1", files[place].rater, odd)
        report = here(replace(material, files=tuple(files)))
        assert [e.rater for e in report.exclusions] == ["ben"]
        assert report.regions["WT"].measures["dice"].readers.missing == 1


def test_labels_outside_the_scheme_are_left_out_and_kept_so(make: Make, tmp_path: Path) -> None:
    strange = box(4, 14)
    strange[5, 5, 5] = 9
    material = make({"c1": {"anna": box(4, 14), "ben": box(5, 14), "cleo": strange}})
    for _ in range(2):
        report = here(material, cache=tmp_path / "kept")
        (exclusion,) = report.exclusions
        assert exclusion.rater == "cleo"
        assert "labels 9 outside the scheme brats2021" in words(exclusion.reason)
        assert str(material.files[2].path) in words(exclusion.reason)
    assert report.regions["WT"].measures["dice"].readers.n == 1
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_cases_a_reader_lacks_are_counted(three_readers: Material) -> None:
    found = here(three_readers).regions["WT"]
    pair = found.measures["dice"].pairs["anna", "cleo"]
    assert (pair.n, pair.left_out, pair.missing) == (2, 0, 1)
    readers = found.measures["dice"].readers
    assert (readers.n, readers.missing) == (7, 2)
    assert found.icc.n == 2
    assert found.icc.excluded == 1
    assert found.bland_altman["anna", "cleo"].excluded == 1


def test_empty_masks_and_a_region_nobody_marked(make: Make) -> None:
    empty = np.zeros(SHAPE, np.uint8)
    report = here(make({"c1": {"anna": empty, "ben": empty, "cleo": box(4, 14)}}))
    dice = report.regions["WT"].measures["dice"]
    assert dice.scores["anna", "ben"]["c1"] == Score(None, "both_empty")
    assert dice.scores["anna", "cleo"]["c1"] == Score(0.0, "one_empty")
    assert (dice.readers.n, dice.readers.left_out, dice.readers.mean) == (2, 1, 0.0)
    hd95 = report.regions["WT"].measures["hd95_mm"]
    assert (hd95.readers.n, hd95.readers.left_out, hd95.readers.mean) == (0, 3, None)
    core = report.regions["TC"]
    assert core.measures["dice"].readers.left_out == 3
    assert core.fleiss_kappa.cases["c1"].state == "empty"
    assert (core.fleiss_kappa.mean.n, core.fleiss_kappa.mean.left_out) == (0, 1)
    assert core.icc.state == "too_few"
    assert core.against_consensus["anna"]["c1"].state == "both_empty"


def test_one_reader_has_volumes_and_named_states(make: Make) -> None:
    report = here(make({"c1": {"anna": box(4, 14)}, "c2": {"anna": box(5, 9)}}))
    region = report.regions["WT"]
    assert region.volumes_ml["anna"]["c2"].value == pytest.approx(0.8)
    assert region.measures["dice"].scores == {}
    assert region.measures["dice"].readers.n == 0
    assert region.icc.state == "too_few"
    assert region.fleiss_kappa.cases["c1"].state == "too_few"
    assert region.fleiss_kappa.mean.missing == 2
    assert region.against_consensus == {}


def test_networks_without_readers_and_a_reader_beside_one_network(make: Make) -> None:
    report = here(make({"c1": {"AI": box(4, 14), "Reference": box(5, 14)}}))
    assert report.regions["WT"].measures["dice"].pairs["AI", "Reference"].n == 1
    assert report.regions["WT"].measures["dice"].readers.n == 0
    assert report.regions["WT"].icc.state == "too_few"
    report = here(make({"c1": {"AI": box(4, 14), "anna": box(5, 14)}}))
    dice = report.regions["WT"].measures["dice"].scores["anna", "AI"]["c1"]
    assert report.regions["WT"].against_consensus == {"AI": {"c1": dice}}


def test_a_study_without_masks_says_so(three_readers: Material) -> None:
    with pytest.raises(UserError) as error:
        here(replace(three_readers, files=()))
    assert error.value.code == "study_without_masks"


def test_a_case_without_any_usable_mask_is_missing_everywhere(make: Make) -> None:
    material = make(
        {"c1": {"anna": box(4, 14), "ben": box(5, 14)}, "c2": {"anna": box(4, 9), "ben": box(4, 8)}}
    )
    for file in material.files[2:]:
        file.path.write_bytes(b"rubbish")
    report = here(material)
    assert [e.case for e in report.exclusions] == ["c2", "c2"]
    assert report.regions["WT"].measures["dice"].pairs["anna", "ben"].missing == 1
    assert report.regions["WT"].fleiss_kappa.mean.missing == 1


# Processes ----------------------------------------------------------------------------------------------

MISBEHAVING = """
import os, sys, time
from pathlib import Path
from brainseg_desktop.services.batch import case_worker
from brainseg_desktop.services.studies import case_numbers
real = case_numbers.measure_files
def measure(job):
    first = Path(job.masks[0].path)
    marker = first.parent / "deaths"
    if len(job.masks) == {masks}:
        {act}
    return real(job)
case_worker.measure_files = measure
case_worker.main()
"""
DIE = 'marker.open("a").write("x"); os._exit(9)'
DIE_ONCE = "if not marker.exists(): " + DIE
RAISE = 'raise ValueError("a bug")'
NO_MEMORY = 'if not marker.exists(): marker.write_text("x"); raise MemoryError'


def misbehave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, masks: int, act: str) -> None:
    """Let the processes do something else with the case that has so many masks."""
    script = tmp_path / "worker.py"
    script.write_text(MISBEHAVING.format(masks=masks, act=act))
    monkeypatch.setattr(case_worker, "command", lambda: [sys.executable, str(script)])


def test_a_case_that_ends_its_process_is_tried_once_more_and_left_out(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(monkeypatch, tmp_path, 6, DIE)
    report = measure_study(three_readers, workers=2)
    (exclusion,) = report.exclusions
    assert (exclusion.case, exclusion.rater, exclusion.reason.code) == ("c1", "", "case_not_measured")
    assert "c1 could not be measured" in words(exclusion.reason)
    assert (tmp_path / "masks" / "deaths").read_text() == "xx"
    assert set(report.regions["WT"].measures["dice"].scores["anna", "ben"]) == {"c2", "c3"}


@pytest.mark.parametrize("act", [DIE_ONCE, NO_MEMORY])
def test_a_case_that_fails_for_the_moment_is_measured_at_last(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    misbehave(monkeypatch, tmp_path, 2, act)
    material = make({"c1": {"anna": box(4, 14), "ben": box(5, 14)}})
    report = measure_study(material, workers=1, cache=tmp_path / "kept")
    assert (tmp_path / "masks" / "deaths").exists()
    assert numbers_of(report) == numbers_of(here(material, cache=tmp_path / "other"))


def test_a_fault_in_one_case_is_named_and_the_rest_goes_on(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(monkeypatch, tmp_path, 2, RAISE)
    report = measure_study(three_readers, workers=1)
    (exclusion,) = report.exclusions
    assert exclusion.case == "c3"
    assert "ValueError: a bug" in words(exclusion.reason)
    assert report.regions["WT"].measures["dice"].pairs["anna", "ben"].n == 2


def test_cancelling_is_quick_and_leaves_no_process(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(monkeypatch, tmp_path, 6, "marker.touch(); time.sleep(60)")
    marker = tmp_path / "masks" / "deaths"
    stopped: list[float] = []

    def cancelled() -> bool:
        if marker.exists():
            stopped.append(time.monotonic())
        return bool(stopped)

    with pytest.raises(UserError) as error:
        measure_study(three_readers, workers=2, cancelled=cancelled)
    assert error.value.code == "measuring_cancelled"
    assert time.monotonic() - stopped[0] < 5
    assert not [t for t in threading.enumerate() if t.name.startswith("worker-")]


def test_a_process_that_cannot_be_started_is_told(
    three_readers: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_worker, "command", lambda: [str(tmp_path / "nothing")])
    with pytest.raises(UserError) as error:
        measure_study(three_readers)
    assert error.value.code == "worker_missing"


def test_the_process_answers_every_line_and_survives_nonsense(
    three_readers: Material, tmp_path: Path
) -> None:
    (job,) = [measuring._work_of(three_readers, "c3").job]
    request = msgspec.json.encode({"job": job, "result": str(tmp_path / "numbers.json")})
    replies = io.BytesIO()
    case_worker.serve(io.BytesIO(b"nonsense\n" + request + b"\n"), replies)
    failed, done = (json.loads(line) for line in replies.getvalue().splitlines())
    assert failed["event"] == "failed"
    assert done == {"event": "done"}
    found = msgspec.json.decode((tmp_path / "numbers.json").read_bytes(), type=CaseNumbers)
    assert found == measure_files(job)


def test_a_frozen_app_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert case_worker.command() == [str(Path(sys.executable).with_name("brainseg")), "measure"]
    monkeypatch.setattr(case_worker, "main", lambda: 0)
    assert run(["measure"], Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)) == 0
