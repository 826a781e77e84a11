"""What a file means that somebody double-clicks: the case beside it, and never another one's files."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainseg_desktop.io.neighbours import find_around, group_files, path_given


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), path)
    return path


@pytest.mark.parametrize("scheme", ["file://", "FILE://localhost", "file:"])
def test_an_address_is_a_path(tmp_path: Path, scheme: str) -> None:
    place = tmp_path / "Bürger, Ä 100% #1?" / "t1.nii.gz"
    address = place.as_uri().removeprefix("file://")
    assert path_given(scheme + address) == place


def test_a_path_stays_as_it_is_but_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_given("a%20b/../c d.nii") == tmp_path / "c d.nii"
    assert path_given(str(tmp_path / "100%25.nii")) == tmp_path / "100%25.nii"


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_found_again(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/t1\xff.nii"
    assert os.fsencode(path_given(f"file://{tmp_path}/t1%FF.nii")) == raw


def test_the_case_beside_a_file_and_what_opens_it(small_case: Path) -> None:
    found = find_around(small_case / "BraTS2021_77777_t1ce.nii.gz")
    assert found is not None
    case, opens = found
    assert (len(case.images), len(case.masks), opens) == (4, 1, (small_case,))
    assert find_around(small_case / "BraTS2021_77777_seg.nii.gz") is not None


def test_two_cases_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    for name in ("A_1", "B_2"):
        for sequence in ("t1", "flair"):
            image(tmp_path / f"{name}_{sequence}.nii.gz")
    found = find_around(tmp_path / "B_2_flair.nii.gz")
    assert found is not None
    assert {p.name for p in found[1]} == {"B_2_t1.nii.gz", "B_2_flair.nii.gz"}


def test_a_file_that_stands_alone(tmp_path: Path) -> None:
    assert find_around(image(tmp_path / "a" / "scan.nii.gz")) is None
    assert find_around(image(tmp_path / "b" / "t1.nii.gz")) is None
    image(tmp_path / "c" / "case_t1.nii.gz")
    # An image of unknown sequence beside a case is not taken for a part of it.
    image(tmp_path / "c" / "case_flair.nii.gz")
    assert find_around(image(tmp_path / "c" / "scan.nii.gz")) is None
    assert find_around(image(tmp_path / "d" / "case_seg.nii.gz")) is None
    assert find_around(tmp_path / "d") is None


def test_files_chosen_together(tmp_path: Path) -> None:
    t1, flair = image(tmp_path / "x" / "case_t1.nii"), image(tmp_path / "y" / "case_flair.nii")
    assert group_files([t1, flair]) == [[t1, flair]]
    other = [image(tmp_path / "z" / f"case_{s}.nii") for s in ("t1", "t2")]
    assert group_files([t1, *other]) == [[t1], other]
    assert group_files([tmp_path / "x", tmp_path / "z"]) == [[tmp_path / "x"], [tmp_path / "z"]]
    assert group_files([tmp_path / "x", *other]) == [[tmp_path / "x"], other]
