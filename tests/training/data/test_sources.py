from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.sources import find_all, find_entries, recipe_of
from brainseg_desktop.training.exams import Problem, region_masks

from .conftest import (
    head,
    lgg_files,
    tiff_bytes,
    write_coco,
    write_files,
    write_nifti,
    write_stacks,
    write_zip,
)

LGG = SourceConfig(kind="lgg", path="lgg.zip", coding="lgg")


def found(folder: Path, source: SourceConfig) -> tuple[dict, list[Problem]]:
    problems: list[Problem] = []
    entries = find_entries(folder, source, problems)
    return {entry.name: entry for entry in entries}, problems


def codes(problems: list[Problem]) -> list[str]:
    return sorted(problem.code for problem in problems)


def test_lgg_teaches_the_whole_tumour_only(tmp_path):
    write_zip(tmp_path / "lgg.zip", lgg_files(2))
    entries, problems = found(tmp_path, LGG)
    assert list(entries) == ["TCGA_AA_0001", "TCGA_AA_0002"]
    assert entries["TCGA_AA_0001"].slices == 6
    exam = entries["TCGA_AA_0001"].read(problems)
    assert problems == []
    assert exam.taught == (True, False, False)
    assert set(exam.volumes) == {"T1", "FLAIR", "T1CE"}
    assert (exam.kind, exam.spacing_mm) == ("whole_head", None)
    whole = region_masks(exam.reference, exam.coding)[0]
    assert whole.shape == (64, 64, 6)
    # The square lies at rows 20-29 and columns 34-43; rows run to the back, columns to the left.
    where = np.argwhere(whole)
    assert where.min(axis=0).tolist() == [20, 34, 2]
    assert where.max(axis=0).tolist() == [29, 43, 4]
    assert (exam.volumes["FLAIR"][whole] == 220).all()


def test_folder_and_zip_are_the_same(tmp_path):
    files = lgg_files(1)
    write_zip(tmp_path / "lgg.zip", files)
    write_files(tmp_path / "lgg", files)
    (packed,) = found(tmp_path, LGG)[0].values()
    for place in ("lgg", "lgg/kaggle_3m/TCGA_AA_0001_19990101"):
        (unpacked,) = found(tmp_path, SourceConfig(kind="lgg", path=place, coding="lgg"))[0].values()
        a, b = packed.read([]), unpacked.read([])
        for sequence, data in a.volumes.items():
            np.testing.assert_array_equal(data, b.volumes[sequence])
        np.testing.assert_array_equal(a.reference, b.reference)


def test_a_set_that_holds_everything_twice_is_read_once(tmp_path):
    files = lgg_files(1)
    write_zip(tmp_path / "lgg.zip", files | {f"lgg-mri-segmentation/{n}": c for n, c in files.items()})
    entries, problems = found(tmp_path, LGG)
    assert [entry.slices for entry in entries.values()] == [6]
    assert problems == []


def test_two_exams_of_a_patient_keep_their_dates(tmp_path):
    write_zip(tmp_path / "lgg.zip", lgg_files(1) | lgg_files(1, date=20010101))
    entries, _ = found(tmp_path, LGG)
    assert list(entries) == ["TCGA_AA_0001_19990101", "TCGA_AA_0001_20010101"]
    assert {entry.patient for entry in entries.values()} == {"TCGA_AA_0001"}


def test_damaged_slices_cost_their_pair_only(tmp_path):
    files = lgg_files(1)
    base = "kaggle_3m/TCGA_AA_0001_19990101/TCGA_AA_0001_19990101"
    files[f"{base}_1.tif"] = b"II*\0 no picture"
    files[f"{base}_2_mask.tif"] = tiff_bytes(np.zeros((32, 32), np.uint8))
    del files[f"{base}_5_mask.tif"]
    del files[f"{base}_6.tif"]
    write_zip(tmp_path / "lgg.zip", files)
    (entry,), problems = found(tmp_path, LGG)[0].values(), found(tmp_path, LGG)[1]
    assert codes(problems) == ["image_without_mask", "mask_without_image"]
    exam = entry.read(problems)
    assert exam.reference.shape[2] == 2
    assert codes(problems)[2:] == ["sizes_differ", "slice_corrupt"]
    assert next(p for p in problems if p.code == "slice_corrupt").name == f"{base}_1.tif"


def test_a_flipped_byte_in_the_zip_is_a_corrupt_slice(tmp_path):
    write_zip(tmp_path / "lgg.zip", lgg_files(1))
    content = bytearray((tmp_path / "lgg.zip").read_bytes())
    content[200] ^= 0xFF
    (tmp_path / "lgg.zip").write_bytes(content)
    (entry,), problems = found(tmp_path, LGG)[0].values(), []
    assert entry.read(problems).reference.shape[2] == 5
    assert codes(problems) == ["slice_corrupt"]


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut short"])
def test_a_zip_that_is_none_is_told(tmp_path, content):
    (tmp_path / "lgg.zip").write_bytes(content)
    entries, problems = found(tmp_path, LGG)
    assert entries == {}
    assert codes(problems) == ["source_empty", "source_unreadable"]


def test_foreign_labels_become_background(tmp_path):
    files = lgg_files(1)
    name = "kaggle_3m/TCGA_AA_0001_19990101/TCGA_AA_0001_19990101_3_mask.tif"
    mask = head(0)[1]
    mask[0, :7] = 9
    write_zip(tmp_path / "lgg.zip", files | {name: tiff_bytes(mask)})
    (entry,), problems = found(tmp_path, LGG)[0].values(), []
    exam = entry.read(problems)
    assert problems == [Problem("class_id_unknown", "TCGA_AA_0001", "9 (7 voxels)")]
    assert set(np.unique(exam.reference)) == {0, 255}


@pytest.mark.parametrize(
    ("case", "endings", "suffix", "patient"),
    [
        (
            "BraTS2021_00006",
            {"flair": "_flair", "t1ce": "_t1ce", "seg": "_seg"},
            ".nii.gz",
            "BraTS2021_00006",
        ),
        (
            "BraTS-GLI-00012-001",
            {"flair": "-t2f", "t1ce": "-t1c", "seg": "-seg"},
            ".nii.gz",
            "BraTS-GLI-00012",
        ),
        (
            "BraTS19_CBICA_AAB_1",
            {"flair": "_flair", "t1ce": "_t1ce", "seg": "_seg"},
            ".nii",
            "BraTS19_CBICA_AAB",
        ),
    ],
)
def test_names_of_every_brats_year(tmp_path, case, endings, suffix, patient):
    write_nifti(tmp_path / "year" / "HGG" / case, endings, suffix)
    source = SourceConfig(kind="brats", path="year", coding="brats2023")
    entries, problems = found(tmp_path, source)
    exam = entries[case].read(problems)
    assert problems == []
    assert (exam.patient, exam.kind, exam.spacing_mm) == (patient, "skull_stripped", (1.0, 1.0))
    assert set(exam.volumes) == {"FLAIR", "T1CE"}
    assert region_masks(exam.reference, exam.coding).sum(axis=(1, 2, 3)).tolist() == [300, 108, 54]


def test_the_reference_of_2020_with_another_name(tmp_path):
    folder = write_nifti(tmp_path / "BraTS20_Training_355", {"flair": "_flair", "seg": "_seg"}, ".nii")
    (folder / "BraTS20_Training_355_seg.nii").rename(folder / "W39_1998.09.19_Segm.nii")
    entries, problems = found(tmp_path, SourceConfig(kind="brats", path=".", coding="brats2023"))
    assert entries["BraTS20_Training_355"].read(problems).reference.any()
    assert problems == []


def test_stacks_and_nifti_lie_the_same_way(tmp_path):
    write_stacks(tmp_path / "stacks" / "case-1")
    write_nifti(tmp_path / "nifti" / "case-1", {"flair": "-flair", "t1ce": "-t1ce", "seg": "-seg"})
    (stack,) = found(tmp_path, SourceConfig(kind="stacks", path="stacks", coding="brats2023"))[0].values()
    (nifti,) = found(tmp_path, SourceConfig(kind="brats", path="nifti/case-1", coding="brats2023"))[
        0
    ].values()
    a, b = stack.read([]), nifti.read([])
    for sequence, data in a.volumes.items():
        np.testing.assert_array_equal(data, b.volumes[sequence])
    np.testing.assert_array_equal(a.reference, b.reference)


def test_a_truncated_volume_is_left_out(tmp_path):
    folder = write_nifti(tmp_path / "c1", {"flair": "_flair", "t1ce": "_t1ce", "seg": "_seg"})
    flair = folder / "c1_flair.nii.gz"
    flair.write_bytes(flair.read_bytes()[:-900])
    (entry,), problems = (
        found(tmp_path, SourceConfig(kind="brats", path=".", coding="brats2023"))[0].values(),
        [],
    )
    assert set(entry.read(problems).volumes) == {"T1CE"}
    assert problems == [Problem("volume_corrupt", "c1/c1_flair.nii.gz", "file truncated")]
    seg = folder / "c1_seg.nii.gz"
    seg.write_bytes(gzip.compress(b"no volume"))
    problems.clear()
    assert entry.read(problems) is None
    assert codes(problems) == ["case_unusable", "volume_corrupt"]


def test_cases_with_parts_missing_are_told(tmp_path):
    write_nifti(tmp_path / "a", {"flair": "_flair"})
    write_nifti(tmp_path / "b", {"seg": "_seg"})
    (tmp_path / "empty").mkdir()
    entries, problems = found(tmp_path, SourceConfig(kind="brats", path="."))
    assert entries == {}
    assert codes(problems) == ["image_without_mask", "mask_without_image", "source_empty"]


def test_a_volume_of_another_size_is_left_out(tmp_path):
    write_stacks(tmp_path / "c1", t1ce=np.zeros((6, 32, 64), np.uint8))
    (entry,), problems = (
        found(tmp_path, SourceConfig(kind="stacks", path=".", coding="brats2023"))[0].values(),
        [],
    )
    assert set(entry.read(problems).volumes) == {"FLAIR"}
    assert problems == [Problem("sizes_differ", "c1/t1ce.tif", "shape differs from the reference's")]


def test_chosen_cases_only(tmp_path):
    for name in ("c1", "c2", "c3"):
        write_stacks(tmp_path / name)
    source = SourceConfig(kind="stacks", path=".", cases=("c2", "c9"), side="test")
    entries, problems = found(tmp_path, source)
    assert [(entry.name, entry.side) for entry in entries.values()] == [("c2", "test")]
    assert problems == [Problem("case_missing", "c9", ".")]


@pytest.mark.parametrize("layout", ["folders", "beside"])
def test_pictures(tmp_path, layout):
    image, mask = head(1)
    names = ("images/p.png", "masks/p.png") if layout == "folders" else ("p.jpg", "p_mask.png")
    for name, data in zip(names, (image, mask), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(data).save(tmp_path / name)
    Image.fromarray(image).save((tmp_path / names[0]).with_name("alone.png"))
    Image.fromarray(mask).save(
        (tmp_path / names[1]).with_name("lost.png" if layout == "folders" else "lost_mask.png")
    )
    entries, problems = found(tmp_path, SourceConfig(kind="pictures", path="."))
    assert codes(problems) == ["image_without_mask", "mask_without_image"]
    exam = entries["p"].read(problems)
    assert exam.volumes["image"].shape == exam.reference.shape == (64, 64, 1)
    assert region_masks(exam.reference, "binary")[0].sum() == 100
    assert exam.volumes["image"][exam.reference > 0].mean() == pytest.approx(220, abs=12)


def test_a_lossy_mask_keeps_its_edge(tmp_path):
    image, mask = head(1)
    tifffile.imwrite(tmp_path / "p.tif", np.stack([image] * 3, axis=-1))
    Image.fromarray(mask).save(tmp_path / "p_mask.jpg", quality=60)
    (entry,), _ = found(tmp_path, SourceConfig(kind="pictures", path="."))[0].values(), []
    exam = entry.read([])
    assert int((exam.reference > 0).sum()) == pytest.approx(100, abs=8)
    assert exam.volumes["image"].max() == 220


def test_pictures_that_do_not_fit(tmp_path):
    image, mask = head(1)
    Image.fromarray(image).save(tmp_path / "small.png")
    Image.fromarray(mask[:32]).save(tmp_path / "small_mask.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG broken")
    Image.fromarray(mask).save(tmp_path / "bad_mask.png")
    entries, problems = found(tmp_path, SourceConfig(kind="pictures", path="."))
    assert [entry.read(problems) for entry in entries.values()] == [None, None]
    assert codes(problems) == ["sizes_differ", "slice_corrupt"]


def test_names_are_unique_in_a_recipe(tmp_path, recipe):
    write_coco(tmp_path / "train")
    write_coco(tmp_path / "val")
    problems: list[Problem] = []
    sources = find_all(
        recipe(SourceConfig(kind="coco", path="train"), SourceConfig(kind="coco", path="val")), problems
    )
    names = [entry.name for _, entries in sources for entry in entries]
    assert len(set(names)) == 8
    assert names[0].startswith("train/0_jpg")
    again = SourceConfig(kind="coco", path="train")
    sources = find_all(recipe(again, again), problems)
    assert sum(len(entries) for _, entries in sources) == 4
    assert codes(problems) == ["case_listed_twice"] * 4


def test_nothing_at_all_is_an_error(tmp_path, recipe):
    problems: list[Problem] = []
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as error:
        find_all(recipe(LGG, SourceConfig(kind="coco", path="empty")), problems)
    assert error.value.code == "training_data_missing"
    assert codes(problems) == ["source_empty", "source_missing", "source_unreadable"]


def test_kinds_are_recognised(tmp_path):
    write_zip(tmp_path / "lgg.zip", lgg_files(1))
    write_coco(tmp_path / "coco" / "train")
    write_coco(tmp_path / "coco" / "valid")
    write_stacks(tmp_path / "stacks" / "brats_2013_pat0001_1")
    write_nifti(tmp_path / "nifti" / "BraTS-GLI-00001-000", {"flair": "-t2f", "seg": "-seg"})
    (tmp_path / "pictures").mkdir()
    for name, data in zip(("p.png", "p_mask.png"), head(1), strict=True):
        Image.fromarray(data).save(tmp_path / "pictures" / name)
    told = {
        name: [(s.kind, s.coding, s.side) for s in recipe_of(tmp_path / name).sources]
        for name in ("lgg.zip", "coco", "stacks", "nifti", "pictures")
    }
    assert told == {
        "lgg.zip": [("lgg", "lgg", "")],
        "coco": [("coco", "binary", "train"), ("coco", "binary", "validation")],
        "stacks": [("stacks", "brats2015", "")],
        "nifti": [("brats", "brats2023", "")],
        "pictures": [("pictures", "binary", "")],
    }
    (tmp_path / "notes.txt").write_text("nothing")
    for name, code in (("notes.txt", "source_not_recognised"), ("absent", "file_missing")):
        with pytest.raises(UserError) as error:
            recipe_of(tmp_path / name)
        assert error.value.code == code


def test_coco_problems_are_counted(tmp_path):
    content = write_coco(tmp_path / "c")
    content["annotations"] += [
        {"id": 10, "image_id": 3, "category_id": 7, "segmentation": [[0, 0, 5, 0, 5, 5]]},
        {"id": 11, "image_id": 99, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]]},
        {"id": 12, "image_id": 3, "category_id": 1, "segmentation": [[0, 0, 5, 0]]},
        {"id": 13, "image_id": 3, "category_id": 1, "segmentation": {"size": [64, 64], "counts": [5]}},
        {"id": 14, "image_id": 3, "category_id": 1, "segmentation": []},
    ]
    content["images"] += [
        {"id": 4, "file_name": "absent.png", "height": 64, "width": 64},
        {"id": 5, "file_name": "../../secret.png", "height": 64, "width": 64},
        {"id": 6, "file_name": "other.png", "height": 32, "width": 64},
    ]
    for name in ("other.png", "unlisted.png"):
        Image.fromarray(head(9)[0]).save(tmp_path / "c" / name)
    Image.fromarray(head(9)[0]).save(tmp_path / "secret.png")
    (tmp_path / "c" / "_annotations.coco.json").write_text(json.dumps(content))
    entries, problems = found(tmp_path, SourceConfig(kind="coco", path="c"))
    expected = ["class_id_unknown", "image_without_mask", *["mask_without_image"] * 3]
    assert codes(problems) == expected
    exams = {name: entry.read(problems) for name, entry in entries.items()}
    assert codes(problems) == sorted([*expected, *["annotation_broken"] * 3, "sizes_differ"])
    filled = [int((exam.reference > 0).sum()) for exam in exams.values() if exam is not None]
    assert filled == [100, 100, 100, 0]
    assert {entry.patient for entry in entries.values()} == {"0", "1", "2", "3", "other"}
