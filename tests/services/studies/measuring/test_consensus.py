"""A consensus as a new rating: its labels, its record, its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.consensus import majority_vote, staple_labels
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.nifti import read_mask
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.studies.consensus import consensus_path, make_consensus, write_consensus
from brainseg_desktop.services.studies.loose import material_from_folder
from brainseg_desktop.services.studies.results import Material

from .conftest import box, rating, write

SCHEME = scheme_named("brats2021")


def readers_masks(material: Material, case: str) -> list[np.ndarray]:
    return [
        read_mask(f.path, SCHEME).tissues
        for f in material.files
        if f.case == case and f.kind is RaterKind.HUMAN and f.repeat == 1
    ]


def test_the_labels_are_those_of_the_readers_first_readings(three_readers: Material) -> None:
    masks = readers_masks(three_readers, "c1")
    assert len(masks) == 3
    majority = make_consensus(three_readers, "c1", "majority")
    np.testing.assert_array_equal(majority.labels, majority_vote(masks))
    fused = make_consensus(three_readers, "c1", "staple")
    direct = staple_labels(masks, SCHEME.tissues)
    np.testing.assert_array_equal(fused.labels, direct.labels)
    readers = fused.details["regions"]["WT"]["readers"]
    assert list(readers) == ["anna", "ben", "cleo"]
    assert readers["ben"]["sensitivity"] == direct.regions["WT"].sensitivity[1].to_dict()
    assert fused.details["regions"]["ET"]["converged"]


def test_the_file_is_a_rating_of_the_kind_consensus(three_readers: Material, tmp_path: Path) -> None:
    consensus = make_consensus(three_readers, "c1", "staple")
    path, sidecar = write_consensus(consensus, consensus_path(tmp_path / "ratings", "c1", "staple"))
    loaded = read_mask(path)
    assert loaded.scheme.name == "brats2021"
    assert loaded.why.code == "scheme_by_sidecar"
    np.testing.assert_array_equal(loaded.tissues, consensus.labels)
    content = json.loads(sidecar.read_text())
    assert (content["kind"], content["rater"], content["case"]) == ("consensus", "STAPLE", "c1")
    used = {f.rater: f.sha256 for f in three_readers.files if f.case == "c1" and f.repeat == 1}
    assert content["details"]["readers"] == [
        {"rater": name, "sha256": used[name]} for name in ("anna", "ben", "cleo")
    ]
    np.testing.assert_allclose(nib.load(path).affine, consensus.grid.voxel_to_world)
    write_consensus(make_consensus(three_readers, "c2", "staple"), path)
    material = material_from_folder(tmp_path / "ratings")
    assert [r.kind for r in material.raters] == [RaterKind.CONSENSUS]


def test_somebodys_mask_is_never_overwritten(three_readers: Material, tmp_path: Path) -> None:
    consensus = make_consensus(three_readers, "c1", "majority")
    drawn = write(tmp_path / "c1_seg.nii.gz", box(4, 14))
    before = drawn.read_bytes()
    with pytest.raises(UserError) as error:
        write_consensus(consensus, drawn)
    assert error.value.code == "would_overwrite_input"
    assert drawn.read_bytes() == before
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError):
        write_consensus(consensus, blocked / "x_seg.nii.gz")


def test_what_cannot_be_used_is_left_out_and_one_mask_is_no_consensus(
    three_readers: Material, tmp_path: Path
) -> None:
    odd = write(tmp_path / "odd.nii.gz", box(4, 14)[:-1])
    files = [
        rating("c1", "ben", odd) if (f.case, f.rater) == ("c1", "ben") else f for f in three_readers.files
    ]
    material = replace(three_readers, files=tuple(files))
    consensus = make_consensus(material, "c1", "majority")
    assert [(e.rater, e.reason.code) for e in consensus.left_out] == [("ben", "rating_off_grid")]
    assert [r["rater"] for r in consensus.details["readers"]] == ["anna", "cleo"]
    for file in material.files:
        if file.case == "c3" and file.rater == "anna":
            write(file.path, box(1, 3))
    with pytest.raises(UserError) as error:
        make_consensus(material, "c3", "staple")
    assert (error.value.code, error.value.params["n"]) == ("readers_too_few", 1)
    with pytest.raises(UserError):
        make_consensus(material, "no such case", "staple")
