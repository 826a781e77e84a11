"""Export: right on the disk, or the old file stays."""

import errno
import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.io import nifti
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services import export, opening

DATA = Path(os.environ.get("BRAINSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHAPE = (6, 7, 5)
AFFINE = np.array([[0, -1.5, 0, 4], [-1, 0, 0, 239], [0, 0, 2, -3], [0, 0, 0, 1.0]])


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "BraTS2021_00001"
    folder.mkdir()
    for sequence in ("t1", "flair"):
        data = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(data, AFFINE), folder / f"BraTS2021_00001_{sequence}.nii.gz")
    seg = np.random.default_rng(1).choice(np.array([0, 1, 2, 4], np.uint8), SHAPE)
    nibabel.save(nibabel.Nifti1Image(seg, AFFINE), folder / "BraTS2021_00001_seg.nii.gz")
    return opening.open_case(find_case(folder)).case


@pytest.fixture
def slices(tmp_path):
    folder = tmp_path / "TCGA_A_1"
    folder.mkdir()
    for k in range(1, 13):
        picture = np.random.default_rng(k).integers(0, 255, (8, 10, 3), dtype=np.uint8)
        tifffile.imwrite(folder / f"TCGA_A_1_{k}.tif", picture, photometric="rgb")
        mask = np.zeros((8, 10), np.uint8)
        mask[k % 8, k % 10] = 255 * (k > 3)
        tifffile.imwrite(folder / f"TCGA_A_1_{k}_mask.tif", mask)
    return opening.open_case(find_case(folder)).case


def test_the_reference_comes_out_as_it_went_in(case, tmp_path):
    out = tmp_path / "out" / "mask.nii.gz"
    result = export.export_rating(case, case.ratings[0], out)
    expected = nibabel.load(case.ratings[0].source.path)
    written = nibabel.load(out)
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(expected.dataobj))
    np.testing.assert_array_equal(written.affine, expected.affine)
    assert result.voxels == np.count_nonzero(np.asanyarray(expected.dataobj))
    assert sorted(p.name for p in out.parent.iterdir()) == ["mask.json", "mask.nii.gz"]


def test_the_sidecar(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    rating.details = {"model": {"name": "glioma-unet", "figure": float("nan"), "path": Path("x")}}
    with rating.history.edit("Brush") as stroke:
        stroke.paint(Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), bool), Tissue.ENHANCING)
    result = export.export_rating(case, rating, tmp_path / "m.nii")
    about = json.loads(result.sidecar.read_text())
    mask = nifti.read_mask(tmp_path / "m.nii")
    assert (about["case"], about["rater"], about["kind"]) == ("BraTS2021_00001", "Reader", "human")
    assert about["sha256"] == mask.source.sha256
    assert about["voxels"] == {"Enhancing": 8}
    assert about["volumes_ml"] == {"WT": 0.024, "TC": 0.024, "ET": 0.024}
    assert set(about["images"]) == {"T1", "FLAIR"}
    assert about["details"]["model"]["name"] == "glioma-unet"
    assert "Research use only" in about["notice"]
    assert mask.why.code == "scheme_by_sidecar"
    np.testing.assert_array_equal(mask.tissues, rating.label_map.array)


def test_another_scheme(case, tmp_path):
    out = tmp_path / "m.nii.gz"
    export.export_rating(case, case.ratings[0], out, scheme=scheme_named("brats2023"))
    assert np.unique(np.asanyarray(nibabel.load(out).dataobj)).tolist() == [0, 1, 2, 3]
    assert nifti.read_mask(out).scheme.name == "brats2023"
    rating = opening.new_rating(case, "Reader", scheme=scheme_named("brats2024"))
    with rating.history.edit("Brush") as stroke:
        stroke.paint(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), bool), Tissue.CAVITY)
    before = out.read_bytes()
    with pytest.raises(UserError, match="scheme_cannot_hold"):
        export.export_rating(case, rating, out, scheme=scheme_named("brats2021"))
    assert out.read_bytes() == before


def test_inputs_are_never_overwritten(case, tmp_path):
    folder = case.ratings[0].source.path.parent
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    reader = opening.new_rating(case, "Reader")
    (tmp_path / "link.nii.gz").symlink_to(folder / "BraTS2021_00001_seg.nii.gz")
    for path in (
        folder / "BraTS2021_00001_flair.nii.gz",
        folder / "BraTS2021_00001_seg.nii.gz",
        folder / ".." / folder.name / "BraTS2021_00001_seg.nii.gz",
        tmp_path / "link.nii.gz",
    ):
        with pytest.raises(UserError, match="would_overwrite_input"):
            export.export_rating(case, reader, path)
    with pytest.raises(UserError, match="would_overwrite_input"):
        export.export_rating(case, case.ratings[0], folder / "BraTS2021_00001_seg.nii.gz")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_own_export_may_be_written_again(case, tmp_path):
    reader = opening.new_rating(case, "Reader")
    out = tmp_path / "own.nii.gz"
    export.export_rating(case, reader, out)
    again, _ = opening.read_rating(case, out)
    assert (again.rater, again.kind) == ("Reader", RaterKind.HUMAN)
    export.export_rating(case, again, out)


def test_destinations_that_cannot_be(case, tmp_path):
    for name in ("folder", "m.png", "m.hdr"):
        with pytest.raises(UserError, match="destination_not_nifti"):
            export.export_rating(case, case.ratings[0], tmp_path / name)


@pytest.mark.parametrize(
    ("function", "number", "code"),
    [
        ("os.replace", errno.ENOSPC, "disk_full"),
        ("os.fsync", errno.ENOSPC, "disk_full"),
        ("pathlib.Path.open", errno.EACCES, "no_permission"),
        ("pathlib.Path.mkdir", errno.EROFS, "write_failed"),
    ],
)
@pytest.mark.parametrize("nth", [1, 2])
def test_faults_leave_mask_and_sidecar_alone(case, tmp_path, monkeypatch, function, number, code, nth):
    folder = tmp_path / "out"
    out = folder / "m.nii.gz"
    export.export_rating(case, opening.new_rating(case, "Reader"), out)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    owner, name = {"os": os, "pathlib.Path": Path}[function.rpartition(".")[0]], function.rpartition(".")[2]
    real, count = getattr(owner, name), 0

    def fail(*args, **kwargs):
        nonlocal count
        count += 1
        if count == nth:
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(UserError) as caught:
            export.export_rating(case, case.ratings[0], out)
    assert caught.value.code == code
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_disk_that_lies_is_found_out(case, tmp_path, monkeypatch):
    out = tmp_path / "m.nii.gz"
    export.export_rating(case, opening.new_rating(case, "Reader"), out)
    before = out.read_bytes()
    real = export.atomic.write_synced

    def lie(path, data):
        real(path, data[:-1] + b"\1")

    monkeypatch.setattr(export.atomic, "write_synced", lie)
    with pytest.raises(UserError, match="export_differs"):
        export.export_rating(case, case.ratings[0], out)
    assert out.read_bytes() == before


def test_an_encoder_that_errs_is_found_out(case, tmp_path, monkeypatch):
    real = nifti.mask_bytes

    def shifted(path, tissues, *rest):
        return real(path, np.roll(tissues, 1, axis=0), *rest)

    monkeypatch.setattr(export.nifti, "mask_bytes", shifted)
    with pytest.raises(UserError, match="export_differs"):
        export.export_rating(case, case.ratings[0], tmp_path / "m.nii.gz")
    assert [p.name for p in tmp_path.iterdir()] == ["BraTS2021_00001"]


def doubtful(case):
    values = np.random.default_rng(2).integers(0, 256, case.grid.shape).astype(np.uint8)
    labels = opening.new_rating(case, "AI")
    labels.uncertainty = values
    return labels


def test_uncertainty_comes_out_in_bits_where_it_was(case, tmp_path):
    rating = doubtful(case)
    out = export.export_uncertainty(case, rating, tmp_path / "out" / "u.nii.gz")
    image = nibabel.load(out)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    # By another reader than the one that checks it: through canonical order and scaling.
    canonical = nibabel.as_closest_canonical(image).get_fdata()
    np.testing.assert_allclose(canonical, rating.uncertainty / 255, atol=1e-6)
    # Our own reader sees the same.
    np.testing.assert_allclose(nifti.read_volume(out).data, rating.uncertainty / 255, atol=1e-6)


def test_uncertainty_of_slices_is_one_file(slices, tmp_path):
    rating = doubtful(slices)
    out = export.export_uncertainty(slices, rating, tmp_path / "u.nii.gz")
    np.testing.assert_allclose(nifti.read_volume(out).data, rating.uncertainty / 255, atol=1e-6)


def test_uncertainty_overwrites_no_input_and_nothing_by_halves(case, tmp_path, monkeypatch):
    rating = doubtful(case)
    with pytest.raises(UserError, match="would_overwrite_input"):
        export.export_uncertainty(case, rating, next(iter(case.volumes.values())).source.path)
    with pytest.raises(UserError, match="destination_not_nifti"):
        export.export_uncertainty(case, rating, tmp_path / "u.png")
    out = export.export_uncertainty(case, rating, tmp_path / "u.nii")
    before = out.read_bytes()
    real = export.nifti.map_bytes
    monkeypatch.setattr(export.nifti, "map_bytes", lambda *args: real(*args[:-1], 1 / 100))
    with pytest.raises(UserError, match="export_differs"):
        export.export_uncertainty(case, rating, out)
    assert out.read_bytes() == before


def test_slices_become_masks_as_they_were(slices, tmp_path):
    source = slices.ratings[0].source.path
    out = tmp_path / "out" / slices.name
    result = export.export_rating(slices, slices.ratings[0], out)
    names = sorted(p.name for p in source.glob("*_mask.tif"))
    assert sorted(p.name for p in out.iterdir()) == sorted([*names, "masks.json"])
    for name in names:
        np.testing.assert_array_equal(tifffile.imread(out / name), tifffile.imread(source / name))
    about = json.loads(result.sidecar.read_text())
    assert about["volumes_ml"] == {"WT": None}
    assert about["voxels"] == {"Whole tumour": 9}
    again = opening.load_mask(out)
    assert again.sidecar["rater"] == "Reference"
    np.testing.assert_array_equal(again.tissues, slices.ratings[0].label_map.array)
    with pytest.raises(UserError, match="would_overwrite_input"):
        export.export_rating(slices, slices.ratings[0], source)


def test_slices_as_nifti(slices, tmp_path):
    out = tmp_path / "m.nii.gz"
    export.export_rating(slices, slices.ratings[0], out)
    rating, _ = opening.read_rating(slices, out)
    np.testing.assert_array_equal(rating.label_map.array, slices.ratings[0].label_map.array)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real cases at {DATA}")
def test_real_case(tmp_path):
    case = opening.open_case(find_case(DATA / "brats" / "BraTS2021_00006")).case
    out = tmp_path / "m.nii.gz"
    export.export_rating(case, case.ratings[0], out)
    expected, written = nibabel.load(case.ratings[0].source.path), nibabel.load(out)
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(expected.dataobj))
    np.testing.assert_array_equal(written.affine, expected.affine)
    assert nibabel.aff2axcodes(written.affine) == ("L", "P", "S")
