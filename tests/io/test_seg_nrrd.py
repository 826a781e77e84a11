"""NRRD masks of Slicer and others."""

from __future__ import annotations

from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.io.seg_nrrd import read_nrrd_mask, seg_nrrd_bytes
from brainseg_desktop.services.opening import load_mask, read_rating
from tests.exporting_example import ORIENTATIONS, nifti_case, octants, orientation_affine

AFFINE = orientation_affine(ORIENTATIONS[20])


def test_label_maps_of_other_programs(tmp_path: Path) -> None:
    case = nifti_case(tmp_path / "in", AFFINE)
    image = sitk.ReadImage(str(tmp_path / "in" / "exam_flair.nii.gz"))
    numbers = np.zeros(sitk.GetArrayFromImage(image).shape, np.int16)
    numbers[1, 2, 3], numbers[4, 0, 5] = 2, 4
    mask = sitk.GetImageFromArray(numbers)
    mask.CopyInformation(image)
    for compressed in (True, False):
        sitk.WriteImage(mask, str(tmp_path / "BraTS2021_m.nrrd"), compressed)
        rating, why = read_rating(case, tmp_path / "BraTS2021_m.nrrd")
        assert why.code == "scheme_by_name"
        sitk.WriteImage(mask, str(tmp_path / "BraTS2021_m.nii.gz"))
        same, _ = read_rating(case, tmp_path / "BraTS2021_m.nii.gz")
        np.testing.assert_array_equal(rating.label_map.array, same.label_map.array)
        assert rating.label_map.array.any()
    sitk.WriteImage(mask, str(tmp_path / "plain.nrrd"))
    with pytest.raises(UserError, match="scheme_ambiguous"):
        read_rating(case, tmp_path / "plain.nrrd")
    assert read_rating(case, tmp_path / "plain.nrrd", scheme_named("brats2021"))[0].scheme.name == "brats2021"


def test_a_cut_out_of_slicer_is_put_back(tmp_path: Path) -> None:
    """Slicer saves the box around the segments, numbered in its own way, told by names alone."""
    case = nifti_case(tmp_path / "in", AFFINE)
    rating = octants(case)
    source = case.volumes[next(iter(case.volumes))].source
    whole = seg_nrrd_bytes(rating.label_map.array, rating.scheme, source, case.grid, "x")
    (tmp_path / "whole.seg.nrrd").write_bytes(whole)
    numbers, header = nrrd.read(str(tmp_path / "whole.seg.nrrd"))
    part = np.zeros((3, 4, 5), np.uint8)
    part[1, 2, 3], part[0, 0, 0] = 1, 2
    start = np.array([2, 1, 3])
    header = {k: v for k, v in header.items() if not k.startswith("Segment")}
    header["space origin"] = header["space origin"] + start @ np.array(header["space directions"])
    header["sizes"] = np.array(part.shape)
    header |= {
        "Segment0_Name": "enhancing tumor", "Segment0_LabelValue": "1",
        "Segment1_Name": "edema", "Segment1_LabelValue": "2",
    }  # fmt: skip
    nrrd.write(str(tmp_path / "part.seg.nrrd"), part, header)
    read, why = read_rating(case, tmp_path / "part.seg.nrrd")
    assert why.code == "scheme_by_segments"
    stored = np.zeros(numbers.shape, np.uint8)
    stored[3, 3, 6], stored[2, 1, 3] = Tissue.ENHANCING, Tissue.OEDEMA
    from brainseg_desktop.core.volume import to_canonical

    np.testing.assert_array_equal(read.label_map.array, to_canonical(stored, source.native_axes))
    header["space origin"] = header["space origin"] + 0.5
    nrrd.write(str(tmp_path / "moved.seg.nrrd"), part, header)
    with pytest.raises(UserError, match="mask_grid_mismatch"):
        read_rating(case, tmp_path / "moved.seg.nrrd")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw[:60], "nrrd_unusable"),
        (lambda raw: raw[:-20], "file_truncated"),
        (lambda raw: raw.replace(b"encoding: gzip", b"encoding: bzip2"), "nrrd_unusable"),
        (
            lambda raw: raw.replace(b"encoding: gzip", b"data file: /etc/passwd\nencoding: gzip"),
            "nrrd_unusable",
        ),
        (lambda raw: raw.replace(b"sizes: ", b"sizes: 99999999"), "nrrd_unusable"),
        (lambda raw: raw.replace(b"space: left-posterior-superior\n", b""), "nrrd_unusable"),
        (lambda raw: raw.replace(b"unsigned char", b"block"), "nrrd_unusable"),
        (lambda raw: raw.replace(b"space directions: (", b"space directions: (nan"), "nrrd_unusable"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: object, code: str) -> None:
    case = nifti_case(tmp_path / "in", AFFINE)
    rating = octants(case)
    source = case.volumes[next(iter(case.volumes))].source
    raw = seg_nrrd_bytes(rating.label_map.array, rating.scheme, source, case.grid, "x")
    path = tmp_path / "m.seg.nrrd"
    path.write_bytes(change(raw))  # type: ignore[operator]
    with pytest.raises(UserError) as caught:
        load_mask(path)
    assert caught.value.code == code
    assert caught.value.params["path"] == path


def test_layers_that_overlap_are_refused(tmp_path: Path) -> None:
    layers = np.zeros((2, 3, 3, 3), np.uint8)
    layers[:, 1, 1, 1] = 1
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([np.full(3, np.nan), np.eye(3)]),
        "space origin": [0, 0, 0],
        "kinds": ["list", "domain", "domain", "domain"],
    }
    nrrd.write(str(tmp_path / "m.seg.nrrd"), layers, header)
    with pytest.raises(UserError) as caught:
        read_nrrd_mask(tmp_path / "m.seg.nrrd")
    assert (caught.value.code, caught.value.params["count"]) == ("segments_overlap", 1)
