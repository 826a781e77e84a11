"""Which mask is whose: folders of readers, folders of cases, files of one case."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.studies.loose import material_from_folder, material_from_masks

from .conftest import NECROSIS, OEDEMA, SHAPE, box, write

CORED = box(4, 14, core=3)


def told(folder: Path, scheme: str | None = "brats2021") -> set[tuple[str, str, int]]:
    return {(f.case, f.rater, f.repeat) for f in material_from_folder(folder, scheme).files}


def test_a_folder_a_reader(tmp_path: Path) -> None:
    for case in ("p1", "p2"):
        write(tmp_path / "ratings" / "anna" / f"{case}_seg-anna_dseg.nii.gz", CORED)
        write(tmp_path / "ratings" / "ben" / f"{case}_seg.nii.gz", CORED)
    write(tmp_path / "ratings" / "majority" / "p1_seg-majority_dseg.nii.gz", CORED)
    write(tmp_path / "cases" / "p1" / "p1_flair.nii.gz", CORED)
    material = material_from_folder(tmp_path, "brats2021", 2.0)
    assert material.cases == ("p1", "p2")
    assert [(r.name, r.kind.value) for r in material.raters] == [
        ("anna", "human"),
        ("ben", "human"),
        ("majority", "consensus"),
    ]
    assert len(material.files) == 5
    assert material.tolerance_mm == 2.0
    assert "without a study" in material.design["Origin"]
    first = material.files[0]
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_plain_names_in_folders_of_readers(tmp_path: Path) -> None:
    for reader in ("anna", "ben"):
        write(tmp_path / reader / "patient-7.nii.gz", CORED)
    assert told(tmp_path) == {("patient-7", "anna", 1), ("patient-7", "ben", 1)}


def test_a_second_reading(tmp_path: Path) -> None:
    write(tmp_path / "anna" / "p1_seg-anna_dseg.nii.gz", CORED)
    write(tmp_path / "anna" / "p1_run-2_seg-anna_dseg.nii.gz", CORED)
    write(tmp_path / "ben" / "p1_seg-ben_dseg.nii.gz", CORED)
    assert told(tmp_path) == {("p1", "anna", 1), ("p1", "anna", 2), ("p1", "ben", 1)}


def test_a_folder_a_case(tmp_path: Path) -> None:
    for case in ("p1", "p2"):
        write(tmp_path / case / "flair.nii.gz", box(0, 20))
        write(tmp_path / case / "rater-anna.nii.gz", CORED)
        write(tmp_path / case / "rater-ben.nii.gz", CORED)
        write(tmp_path / case / f"{case}_seg.nii.gz", CORED)
    material = material_from_folder(tmp_path, "brats2021")
    assert {(f.case, f.rater) for f in material.files} == {
        (case, rater) for case in ("p1", "p2") for rater in ("anna", "ben", "Reference")
    }
    assert material.raters[-1].kind is RaterKind.REFERENCE


def test_masks_of_different_raters_make_a_case_without_images(tmp_path: Path) -> None:
    write(tmp_path / "p1" / "p1_seg-anna.nii.gz", CORED)
    write(tmp_path / "p1" / "p1_seg-ben.nii.gz", CORED)
    assert told(tmp_path) == {("p1", "anna", 1), ("p1", "ben", 1)}


def test_five_real_raters(data_dir: Path) -> None:
    for folder in (data_dir / "raters", data_dir / "raters" / "TCGA-DU-7294"):
        material = material_from_folder(folder, "brats2021")
        assert material.cases == ("TCGA-DU-7294",)
        assert [r.name for r in material.raters] == [
            "hnfnetv1-20",
            "isen-20",
            "sanet0-20",
            "scan-20",
            "yixinmpl-20",
        ]


def test_a_sidecar_of_ours_says_who_made_it(tmp_path: Path) -> None:
    path = write(tmp_path / "anna" / "p1_seg-anna_dseg.nii.gz", CORED)
    other = write(tmp_path / "net" / "p1_seg-net_dseg.nii.gz", CORED)
    about = {
        "program": "BrainSeg Desktop",
        "sha256": hashlib.sha256(other.read_bytes()).hexdigest(),
        "scheme": "brats2021",
        "kind": "model",
    }
    (tmp_path / "net" / "p1_seg-net_dseg.json").write_text(json.dumps(about))
    material = material_from_folder(tmp_path)
    assert material.scheme == "brats2021"
    assert {r.name: r.kind.value for r in material.raters} == {"anna": "human", "net": "model"}
    assert path in {f.path for f in material.files}


def test_the_scheme_is_found_by_all_masks_together(tmp_path: Path) -> None:
    oedema = np.where(box(4, 14) > 0, np.uint8(OEDEMA), np.uint8(0))
    oedema[5, 5, 5] = NECROSIS
    write(tmp_path / "anna" / "BraTS2021_1_seg-anna_dseg.nii.gz", oedema)
    write(tmp_path / "ben" / "BraTS2021_1_seg-ben_dseg.nii.gz", CORED)
    assert material_from_folder(tmp_path).scheme == "brats2021"
    three = np.where(CORED == 4, np.uint8(3), CORED)
    write(tmp_path / "plain" / "anna" / "p_seg-anna_dseg.nii.gz", oedema)
    write(tmp_path / "plain" / "ben" / "p_seg-ben_dseg.nii.gz", three)
    assert material_from_folder(tmp_path / "plain").scheme == "brats2023"


def test_a_scheme_that_is_not_plain_is_asked_for(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        write(tmp_path / name / f"p_seg-{name}_dseg.nii.gz", CORED)
    with pytest.raises(UserError) as error:
        material_from_folder(tmp_path)
    assert error.value.code == "scheme_ambiguous"


def test_folders_without_masks_and_two_masks_of_one_reading(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as error:
        material_from_folder(tmp_path / "empty")
    assert str(tmp_path / "empty") in words(error.value)
    with pytest.raises(UserError) as error:
        material_from_folder(tmp_path / "nowhere")
    assert error.value.code == "file_missing"
    write(tmp_path / "twice" / "anna" / "p1_seg.nii.gz", CORED)
    write(tmp_path / "twice" / "anna" / "p1_mask.nii.gz", CORED)
    with pytest.raises(UserError) as error:
        material_from_folder(tmp_path / "twice", "brats2021")
    assert "p1_mask.nii.gz, p1_seg.nii.gz all seem to be the mask of p1 by anna" in words(error.value)


def test_files_of_one_case(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"BraTS2021_00001_seg-{n}.nii.gz", CORED) for n in ("anna", "ben")]
    material = material_from_masks(paths)
    assert material.cases == ("BraTS2021_00001",)
    assert [r.name for r in material.raters] == ["anna", "ben"]
    assert material.scheme == "brats2021"
    with pytest.raises(UserError) as error:
        material_from_masks([paths[0], paths[0]])
    assert error.value.code == "masks_too_few"


def test_files_with_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "mask.nii.gz", np.zeros(SHAPE, np.uint8)) for folder in "ab"]
    material = material_from_masks(paths, "brats2021")
    assert [r.name for r in material.raters] == [str(p) for p in paths]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"x_seg-{n}.nii.gz", CORED) for n in ("anna", "ben")]
    with pytest.raises(UserError) as error:
        material_from_masks([*paths, tmp_path / "gone_seg.nii.gz"], "brats2021")
    assert error.value.code == "file_missing"
