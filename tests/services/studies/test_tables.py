"""Tables and JSON of a study hold the report's own numbers, all or none of them."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.services.studies.tables import study_to_dict, write_tables
from tests.studies_example import NETWORK, READERS, example_report, make_report

Rows = list[dict[str, str]]
NAMES = ["pairs", "summary", "volumes", "agreement", "consensus", "repeats", "exclusions"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "new" / "reports"
    written = write_tables(example_report(), folder)
    assert [p.name for p in written] == ["study.json", *(f"{n}.csv" for n in NAMES)]
    assert sorted(folder.iterdir()) == sorted(written)
    return folder


def rows_of(folder: Path, name: str) -> Rows:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    return float(text) if text else None


def test_every_score_has_a_row_with_its_state(folder: Path) -> None:
    report = example_report()
    rows = rows_of(folder, "pairs")
    found = {(r["region"], r["measure"], r["rater"], r["other_rater"], r["case"]): r for r in rows}
    assert len(found) == len(rows)
    wanted = 0
    for name, results in report.regions.items():
        for key, table in results.measures.items():
            for pair, scores in table.scores.items():
                for case in report.cases:
                    row = found[name, key, *pair, case]
                    score = scores.get(case)
                    assert number(row["value"]) == (None if score is None else score.value)
                    assert row["state"] == ("missing" if score is None else score.state)
                    assert row["unit"] == (table.measure.unit or "1")
                    wanted += 1
    assert wanted == len(rows)


def test_means_and_their_counts_are_the_reports(folder: Path) -> None:
    report = example_report()
    rows = {(r["region"], r["measure"], r["rater"], r["other_rater"]): r for r in rows_of(folder, "summary")}
    for name, results in report.regions.items():
        for key, table in results.measures.items():
            means = {("all readers", "all readers"): table.readers, **table.pairs}
            for pair, mean in means.items():
                row = rows[name, key, *pair]
                for column in ("mean", "sd", "median", "lowest", "highest"):
                    assert number(row[column]) == getattr(mean, column)
                assert [int(row[c]) for c in ("n", "left_out", "missing")] == [
                    mean.n,
                    mean.left_out,
                    mean.missing,
                ]
                assert mean.interval is not None
                assert number(row["lower_95"]) == mean.interval.lower


def test_volumes_agreement_consensus_and_repeats_are_the_reports(folder: Path) -> None:
    report = example_report()
    wt = report.regions["WT"]
    volumes = {(r["region"], r["rater"], r["case"]): r for r in rows_of(folder, "volumes")}
    assert len(volumes) == 3 * 5 * 8
    assert (
        number(volumes["WT", READERS[1], "case-01"]["volume_mL"])
        == wt.volumes_ml[READERS[1]]["case-01"].value
    )
    assert volumes["WT", READERS[3], "case-08"]["state"] == "missing"
    times = report.active_s[READERS[0]]["case-02"]
    assert number(volumes["TC", READERS[0], "case-02"]["active_time_s"]) == times

    agreement = {
        (r["region"], r["statistic"], r["rater"], r["other_rater"], r["case"]): r
        for r in rows_of(folder, "agreement")
    }
    everyone = ("all readers", "all readers")
    assert number(agreement["WT", "icc_2_1", *everyone, "all"]["value"]) == wt.icc.icc_2_1
    assert number(agreement["WT", "fleiss_kappa", *everyone, "mean"]["value"]) == wt.fleiss_kappa.mean.mean
    assert agreement["ET", "krippendorff_alpha", *everyone, "case-03"]["state"] == "empty"
    assert agreement["ET", "krippendorff_alpha", *everyone, "case-03"]["value"] == ""
    pair = (READERS[0], READERS[3])
    bland = wt.bland_altman[pair]
    upper = agreement["WT", "bland_altman_upper", *pair, "all"]
    assert bland.upper_ci is not None
    assert (number(upper["value"]), number(upper["upper_95"])) == (bland.upper, bland.upper_ci.upper)
    assert (upper["unit"], upper["n"], upper["left_out"]) == ("mL", "7", "1")
    kappa = wt.cohen_kappa[pair].cases["case-01"].value
    assert number(agreement["WT", "cohen_kappa", *pair, "case-01"]["value"]) == kappa

    consensus = {(r["region"], r["rater"], r["case"]): r for r in rows_of(folder, "consensus")}
    assert number(consensus["WT", NETWORK, "mean"]["dice"]) == wt.consensus[NETWORK].mean
    assert consensus["WT", NETWORK, "case-02"]["state"] == "missing"
    repeats = rows_of(folder, "repeats")
    assert {r["reader"] for r in repeats} == set(READERS[:2])
    assert number(repeats[0]["rmse_mL"]) == wt.repeats[READERS[0]].rmse_ml.value


def test_exclusions_are_told_in_words(folder: Path) -> None:
    rows = rows_of(folder, "exclusions")
    assert {r["code"] for r in rows} == {"mask_grid_mismatch", "label_outside_scheme"}
    assert all(r["reason"].endswith(".") for r in rows)


def test_json_holds_the_same_numbers(folder: Path) -> None:
    report = example_report()
    held = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert held == json.loads(json.dumps(study_to_dict(report)))
    pairs = held["regions"]["ET"]["measures"]["hd95_mm"]["pairs"]
    for entry in pairs:
        scores = report.regions["ET"].measures["hd95_mm"].scores[entry["raters"][0], entry["raters"][1]]
        assert entry["cases"] == {c: s.to_dict() for c, s in scores.items()}
    assert pairs[0]["cases"]["case-03"] == {"value": None, "state": "both_empty", "unit": "mm"}
    assert held["software"] == report.software
    assert held["regions"]["WT"]["icc"]["icc_3_1"] == report.regions["WT"].icc.icc_3_1


def test_a_name_that_a_spreadsheet_would_run_is_only_a_name(tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)")
    write_tables(make_report(names, None, cases=3, regions=("WT",)), tmp_path)
    for name in NAMES:
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        # A number may begin with a minus; nothing else may.
        bad = [
            c
            for c in cells
            if c.startswith(("=", "+", "-", "@"))
            and not c.lstrip("-").replace(".", "").replace("e-", "").isdigit()
        ]
        assert bad == []
        assert name in ("exclusions", "repeats") or any(c.startswith("'=cmd") for c in cells)
    held = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert [r["name"] for r in held["raters"]] == list(names)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    report = example_report()
    results = report.regions["WT"]
    scores = {**results.volumes_ml[READERS[0]], "case-01": Score(np.float64(12.5), "ok", "mL")}  # type: ignore[arg-type]
    volumes = {**results.volumes_ml, READERS[0]: scores}
    changed = replace(report, regions={"WT": replace(results, volumes_ml=volumes)})
    write_tables(changed, tmp_path)
    assert rows_of(tmp_path, "volumes")[0]["volume_mL"] == "12.5"
    assert (
        json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["regions"]["WT"]["volume_ml"][
            READERS[0]
        ]["case-01"]["value"]
        == 12.5
    )


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tables(example_report(), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    real, calls = Path.replace, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 4:
            raise OSError(errno.EACCES, "no")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(UserError, match="no_permission"):
        write_tables(make_report(seed=9), tmp_path)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"write_failed"):
        write_tables(example_report(), tmp_path / "file" / "reports")
