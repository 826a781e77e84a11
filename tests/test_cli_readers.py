"""agreement, audit: the command line about several readers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from brainseg_desktop.cli.readers import agreement_command, audit_command
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.mask_files import compare_files


def test_agreement_of_the_samples_two_readers(sample_dir: Path, tmp_path: Path) -> None:
    masks = [str(sample_dir / "sample_seg.nii.gz"), str(sample_dir / "sample_seg-reader2.nii.gz")]
    done = CliRunner().invoke(agreement_command, [*masks, "-o", str(tmp_path / "out"), "--json"])
    assert done.exception is None, done.output
    content = json.loads(done.stdout)
    (pair,) = content["regions"]["WT"]["pairs"]
    assert pair["dice"]["state"] == "ok"
    assert 0.5 < pair["dice"]["value"] < 1
    assert all(Path(p).is_file() for p in content["written"])
    plain = CliRunner().invoke(agreement_command, masks)
    assert "generalised conformity index" in plain.stdout


@pytest.fixture
def two_cases(sample_dir: Path, tmp_path: Path) -> Path:
    """A folder a reader: two cases by anna, one of them by ben."""
    folder = tmp_path / "readings"
    for name, case, source in (
        ("anna", "BraTS2021_1", "sample_seg"),
        ("ben", "BraTS2021_1", "sample_seg-reader2"),
        ("anna", "BraTS2021_2", "sample_seg"),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
        target = folder / name / f"{case}_seg-{name}_dseg.nii.gz"
        shutil.copy(sample_dir / f"{source}.nii.gz", target)
    return folder


def test_a_folder_of_readers_is_a_study(two_cases: Path, sample_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = CliRunner().invoke(agreement_command, [str(two_cases), "-o", str(output), "--json"])
    assert done.exception is None, done.output
    content = json.loads(done.stdout)
    assert content["cases"] == ["BraTS2021_1", "BraTS2021_2"]
    (pair,) = content["regions"]["WT"]["measures"]["dice"]["pairs"]
    assert pair["raters"] == ["anna", "ben"]
    assert pair["mean"]["missing"] == 1
    # The same numbers as of the two files alone, and as of compare.
    masks = [sample_dir / "sample_seg.nii.gz", sample_dir / "sample_seg-reader2.nii.gz"]
    direct = compare_files(*masks, "brats2021").regions["WT"]
    assert pair["cases"]["BraTS2021_1"]["value"] == direct.overlap.dice.value
    alone = CliRunner().invoke(agreement_command, [*map(str, masks), "--json"])
    assert alone.exception is None, alone.output
    (loose,) = json.loads(alone.stdout)["regions"]["WT"]["pairs"]
    assert loose["dice"] == pair["cases"]["BraTS2021_1"]
    names = {Path(p).relative_to(output).as_posix() for p in content["written"]}
    assert {"study.json", "report.html", "report.pdf"} <= names
    assert "consensus/staple/BraTS2021_1_seg-staple_dseg.nii.gz" in names
    assert not any("BraTS2021_2" in name for name in names)
    assert all((output / name).stat().st_size for name in names)


def test_a_study_in_words(two_cases: Path) -> None:
    (two_cases / "ben" / "BraTS2021_2_seg-ben_dseg.nii.gz").write_bytes(b"rubbish")
    done = CliRunner().invoke(agreement_command, [str(two_cases), "--workers", "1", "--scheme", "brats2021"])
    assert done.exception is None, done.output
    assert "readings: 2 cases, 2 human readers and 0 other raters, scheme brats2021" in done.stdout
    assert "left out: BraTS2021_2 by ben." in done.stdout
    assert "is not a NIfTI file" in done.stdout
    assert "Fleiss' kappa" in done.stdout
    assert "Volumes, mL (Bland-Altman)" in done.stdout
    assert "bland_altman: Volume of the first rater minus that of the second" in done.stdout


def test_masks_of_one_case_get_pages_too(sample_dir: Path, tmp_path: Path) -> None:
    masks = [str(sample_dir / "sample_seg.nii.gz"), str(sample_dir / "sample_seg-reader2.nii.gz")]
    done = CliRunner().invoke(agreement_command, [*masks, "-o", str(tmp_path / "out")])
    assert done.exception is None, done.output
    for name in ("agreement.json", "agreement_pairs.csv", "majority_seg.nii.gz", "report.pdf", "pairs.csv"):
        assert (tmp_path / "out" / name).is_file()


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(agreement_command, [str(tmp_path)])
    assert isinstance(done.exception, UserError)
    assert done.exception.code == "masks_not_found"
    done = CliRunner().invoke(agreement_command, [str(tmp_path / "nowhere")])
    assert isinstance(done.exception, UserError)
    assert done.exception.code == "file_missing"


def test_a_mask_without_audit_is_named(sample_dir: Path, tmp_path: Path) -> None:
    mask = sample_dir / "sample_seg.nii.gz"
    done = CliRunner().invoke(audit_command, [str(mask), "-o", str(tmp_path / "audit.csv")])
    assert isinstance(done.exception, UserError)
    assert done.exception.code == "audit_missing"
    assert not (tmp_path / "audit.csv").exists()
