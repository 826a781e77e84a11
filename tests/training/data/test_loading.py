from __future__ import annotations

import errno
import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.frame import to_working
from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.training.config import LossConfig, SelectionConfig, SourceConfig, SplitConfig
from brainseg_desktop.training.data import preparing, sources
from brainseg_desktop.training.data.loading import load_data, problem_lines
from brainseg_desktop.training.data.preparing import cache_folder, prepare_exam
from brainseg_desktop.training.data.stripping import brain_mask
from brainseg_desktop.training.exams import Exam, Problem

from .conftest import head, lgg_files, write_coco, write_files, write_stacks, write_zip

LGG = SourceConfig(kind="lgg", path="lgg.zip", coding="lgg")
STACKS = SourceConfig(kind="stacks", path="stacks", coding="brats2023")
SPLIT = SplitConfig(fractions=(0.5, 0.25, 0.25))


@pytest.fixture
def lgg(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "lgg.zip", lgg_files(4))


@pytest.fixture
def exam(tmp_path: Path) -> Exam:
    write_stacks(tmp_path / "stacks" / "case-1")
    (entry,) = sources.find_entries(tmp_path, STACKS, [])
    return entry.read([])


def silent(line: str) -> None:
    pass


def test_regions_come_onto_the_network_grid(exam, recipe):
    prepared = prepare_exam(exam, recipe(STACKS))
    assert prepared.slices.dtype == np.float16
    assert len(prepared.slices) == len(prepared.targets) == 6
    assert (prepared.present, prepared.taught) == ((False, True, True), (True, True, True))
    assert prepared.kept.tolist() == list(range(6))
    assert prepared.targets.any(axis=(2, 3))[:, 0].tolist() == [False, False, True, True, True, False]
    # 100 voxels of 1 mm are 44 pixels of 1.5 mm.
    assert int(prepared.targets[3, 0].sum()) == pytest.approx(44, abs=8)
    assert prepared.regions.sum(axis=(1, 2, 3)).tolist() == [300, 108, 54]
    assert prepared.frame.size == prepared.slices.shape[2:]
    # Nested as the regions are.
    assert (prepared.targets[:, 0] >= prepared.targets[:, 1]).all()
    assert (prepared.targets[:, 1] >= prepared.targets[:, 2]).all()


def test_classes_are_exclusive_and_4_becomes_3(exam, recipe):
    classes = recipe(STACKS, selection=SelectionConfig(targets="classes"), loss=LossConfig(name="ce_dice"))
    old = replace(exam, coding="brats2021", reference=np.where(exam.reference == 3, 4, exam.reference))
    prepared, same = prepare_exam(exam, classes), prepare_exam(old, classes)
    np.testing.assert_array_equal(prepared.targets, same.targets)
    assert prepared.targets.sum(axis=1).max() == 1
    assert prepared.taught == (True, True, True)
    # Necrosis 54, oedema 192, enhancing 54 voxels of 1 mm; 2.25 to a network pixel.
    areas = prepared.targets.sum(axis=(0, 2, 3)) * 2.25
    assert areas.tolist() == pytest.approx([54, 192, 54], rel=0.35)
    where = to_working((exam.reference == 2).astype(np.uint8), prepared.frame)
    assert prepared.targets[:, 1][where > 0.99].all()
    with pytest.raises(UserError) as error:
        prepare_exam(replace(exam, coding="binary"), classes)
    assert error.value.code == "classes_not_known"


def test_binary_and_a_range_of_slices(exam, recipe):
    selection = SelectionConfig(targets="binary", first_slice=3, slice_count=2)
    prepared = prepare_exam(exam, recipe(STACKS, selection=selection))
    assert prepared.targets.shape[:2] == (2, 1)
    assert prepared.taught == (True,)
    assert prepared.kept.tolist() == [3, 4]
    assert prepared.known == (True, True, True)
    none = recipe(STACKS, selection=SelectionConfig(first_slice=6))
    assert prepare_exam(exam, none) is None


def test_empty_slices_are_cropped(exam, recipe):
    volumes = {name: data.copy() for name, data in exam.volumes.items()}
    for data in volumes.values():
        data[:, :, [0, 5]] = 0
    crop = recipe(STACKS, selection=SelectionConfig(crop_empty=True))
    assert prepare_exam(replace(exam, volumes=volumes), crop).kept.tolist() == [1, 2, 3, 4]


def test_sides_hold_whole_patients_mapped_from_disk(lgg, recipe):
    lines: list[str] = []
    data = load_data(recipe(LGG, split=SPLIT), lines.append)
    assert [len(data.side(side)) for side in ("train", "validation", "test")] == [2, 1, 1]
    assert (data.problems, data.warnings, lines) == ([], [], [])
    for exam in [*data.train, *data.validation, *data.test]:
        for array in (exam.slices, exam.targets, exam.regions, exam.kept):
            assert isinstance(array, np.memmap)
            assert not array.flags.writeable
        assert exam.regions.dtype == bool
        assert exam.slices.shape[:2] == (6, 3)
    assert data.counts()[0] == ["train", "2", "2", "12", "6"]


def test_the_cache_gives_what_was_prepared(lgg, recipe, monkeypatch):
    small = recipe(LGG, split=SPLIT)
    first = load_data(small, silent)
    monkeypatch.setattr(preparing, "prepare_exam", lambda *_: pytest.fail("prepared again"))
    second = load_data(small, silent)
    for a, b in zip(first.train, second.train, strict=True):
        assert (a.name, a.patient, a.kind, a.frame, a.present) == (
            b.name,
            b.patient,
            b.kind,
            b.frame,
            b.present,
        )
        for name in preparing.ARRAYS:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_another_preparation_or_file_is_prepared_anew(lgg, recipe, tmp_path):
    base = recipe(LGG, split=SPLIT)
    load_data(base, silent)
    folder = cache_folder(base)
    assert len(list(folder.iterdir())) == 4
    load_data(recipe(LGG, split=SPLIT, preparation=Preparation(channels=("FLAIR",))), silent)
    assert len(list(folder.iterdir())) == 8
    files = lgg_files(4)
    name = "kaggle_3m/TCGA_AA_0001_19990101/TCGA_AA_0001_19990101_1.tif"
    write_zip(tmp_path / "lgg.zip", files | {name: files[name.replace("_1.tif", "_2.tif")]})
    load_data(base, silent)
    assert len(list(folder.iterdir())) == 9


def test_runs_of_a_recipe_share_the_cache(lgg, recipe):
    names = ("study", "study/a", "study/b")
    runs = [msgspec.structs.replace(recipe(LGG), name=name, work=f"runs/{name}") for name in names]
    assert [cache_folder(run) for run in runs] == [Path("runs/study/cache")] * 3


@pytest.mark.parametrize("damage", ["cut", "empty", "json", "other", "gone"])
def test_a_damaged_cache_entry_is_made_anew(lgg, recipe, damage):
    small = recipe(LGG, split=SPLIT)
    before = [exam.slices.copy() for exam in load_data(small, silent).train]
    gc.collect()
    for folder in cache_folder(small).iterdir():
        arrays, beside = folder / "arrays.npy", folder / "exam.json"
        if damage == "cut":
            arrays.write_bytes(arrays.read_bytes()[:-5000])
        elif damage == "empty":
            arrays.write_bytes(b"")
        elif damage == "json":
            beside.write_text("{")
        elif damage == "other":
            beside.write_text(json.dumps({"kind": 3}))
        else:
            beside.unlink()
    for a, b in zip(before, load_data(small, silent).train, strict=True):
        np.testing.assert_array_equal(a, b.slices)


def test_a_full_disk_is_told_and_leaves_nothing_half(lgg, recipe, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    small = recipe(LGG, split=SPLIT)
    monkeypatch.setattr(preparing.np, "save", full)
    with pytest.raises(UserError) as error:
        load_data(small, silent)
    assert error.value.code == "disk_full"
    assert list(cache_folder(small).iterdir()) == []
    monkeypatch.undo()
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)
    assert len(load_data(small, silent).train) == 2


def test_one_exam_is_in_memory_at_a_time(lgg, recipe, monkeypatch):
    alive: list[weakref.ref] = []
    most = 0

    def watched(exam, small):
        nonlocal most
        prepared = prepare_exam(exam, small)
        alive.append(weakref.ref(prepared.slices))
        most = max(most, sum(ref() is not None for ref in alive))
        return prepared

    monkeypatch.setattr(preparing, "prepare_exam", watched)
    data = load_data(recipe(LGG, split=SPLIT), silent)
    assert len(alive) == 4
    assert most == 1
    assert sum(ref() is not None for ref in alive) == 0
    assert len(data.train) == 2


def test_each_exam_keeps_one_file_open(tmp_path, recipe):
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("counts files as Linux does")
    write_coco(tmp_path / "c", pictures=40)
    pictures = recipe(
        SourceConfig(kind="coco", path="c"),
        preparation=Preparation(channels=("image",), size=(32, 32), normalise="minmax"),
        selection=SelectionConfig(targets="binary"),
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    data = load_data(pictures, silent)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 41
    assert data.train[0].slices.shape == (1, 1, 32, 32)
    assert data.train[0].targets.shape == (1, 1, 32, 32)


def test_problems_are_told_again_from_the_cache(tmp_path, recipe):
    files = lgg_files(4)
    bad = "kaggle_3m/TCGA_AA_0002_19990101/TCGA_AA_0002_19990101_4.tif"
    write_zip(tmp_path / "lgg.zip", files | {bad: b"broken"})
    small = recipe(LGG, split=SPLIT)
    for _ in range(2):
        lines: list[str] = []
        data = load_data(small, lines.append)
        assert [(p.code, p.name) for p in data.problems] == [("slice_corrupt", bad)]
        assert len(lines) == 1
        assert bad in lines[0]


def test_by_slice_parts_are_cut_and_the_leak_is_told(lgg, recipe):
    lines: list[str] = []
    data = load_data(recipe(LGG, split=SplitConfig(by="slice", fractions=(0.5, 0.25, 0.25))), lines.append)
    assert any("by slice" in line for line in lines)
    assert sum(len(exam.kept) for side in ("train", "validation", "test") for exam in data.side(side)) == 24
    by_name = {exam.name: set(exam.kept.tolist()) for exam in data.train}
    assert not any(by_name[exam.name] & set(exam.kept.tolist()) for exam in data.validation)
    assert isinstance(data.train[0].slices, np.memmap)


def test_an_empty_held_out_side_is_told_and_an_empty_training_side_is_fatal(lgg, recipe):
    split = SplitConfig(train=("TCGA_AA_0001",), validation=("TCGA_ZZ_0009",))
    data = load_data(recipe(LGG, split=split), silent)
    assert [p.code for p in data.problems] == ["case_missing", "split_empty"]
    assert "The validation side of the split is empty" in data.warnings[-1]
    with pytest.raises(UserError) as error:
        load_data(recipe(LGG, split=SplitConfig(validation=("TCGA_AA_0001",))), silent)
    assert (error.value.code, error.value.params) == ("split_empty", {"side": "train"})


def test_if_nothing_can_be_read_it_is_fatal(tmp_path, recipe):
    write_files(tmp_path / "lgg.d", dict.fromkeys(lgg_files(2), b"broken"))
    lines: list[str] = []
    with pytest.raises(UserError) as error:
        load_data(recipe(SourceConfig(kind="lgg", path="lgg.d", coding="lgg")), lines.append)
    assert error.value.code == "training_data_missing"


def test_the_data_variable_goes_before_the_root(lgg, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSEG_DATA", str(tmp_path / "absent"))
    with pytest.raises(UserError) as error:
        load_data(recipe(LGG), silent)
    assert error.value.code == "training_data_missing"


def test_of_many_problems_the_first_are_told_and_the_rest_counted():
    problems = [Problem("slice_corrupt", f"s{k}.tif", "broken") for k in range(8)]
    lines = problem_lines([*problems, Problem("split_empty", "test")], most=2)
    assert lines == [
        "The slice s0.tif cannot be read (broken) and is left out.",
        "The slice s1.tif cannot be read (broken) and is left out.",
        "... and 6 more of this kind.",
        "The test side of the split is empty. Change the split, or add patients.",
    ]


def test_stripping_needs_its_preparation(lgg, recipe):
    with pytest.raises(UserError) as error:
        load_data(
            recipe(
                LGG,
                preparation=Preparation(channels=("T1", "FLAIR", "T1CE"), spacing_mm=2.0),
                selection=SelectionConfig(stripped_too=True),
            ),
            silent,
        )
    assert error.value.code == "stripping_impossible"


def test_the_brain_is_what_lies_inside_the_skull():
    y, x = np.mgrid[:144, :144]
    radius = np.hypot((y - 72) / 1.15, x - 72)
    image = np.where(radius < 50, 1.0, -1.5).astype(np.float32)
    image[(radius >= 50) & (radius < 56)] = -1.2
    image[(radius >= 56) & (radius < 60)] = 0.8
    image += np.random.default_rng(0).normal(0, 0.05, image.shape).astype(np.float32)
    brain = brain_mask(image)
    assert brain[radius < 44].mean() > 0.98
    assert not brain[radius > 54].any()
    assert not brain_mask(np.zeros((64, 64), np.float32)).any()


@pytest.mark.data
def test_real_data_of_every_kind(data_dir, tmp_path, recipe):
    chosen = ("TCGA_DU_7294", "TCGA_HT_A61B")
    made = recipe(
        SourceConfig(kind="lgg", path="lgg-mri-segmentation.zip", coding="lgg", cases=chosen),
        SourceConfig(kind="stacks", path="brats-stacks", coding="brats2015", cases=("brats_2013_pat0003_1",)),
        preparation=Preparation(),
        selection=SelectionConfig(stripped_too=True),
        split=SplitConfig(train=("TCGA_HT_A61B", "brats_2013_pat0003_1"), validation=("TCGA_DU_7294",)),
    )
    data = load_data(msgspec.structs.replace(made, root=str(data_dir)), silent)
    assert data.problems == []
    assert [(e.name, e.kind, len(e.kept)) for e in [*data.train, *data.validation]] == [
        ("TCGA_HT_A61B", "whole_head", 88),
        ("brats_2013_pat0003_1", "skull_stripped", 155),
        ("TCGA_DU_7294", "whole_head", 34),
    ]
    assert data.train[1].present == (False, True, False, True)
    assert [(e.name, e.kind) for e in data.stripped] == [("TCGA_HT_A61B stripped", "skull_stripped")]
    stripped = data.stripped[0]
    assert stripped.targets.any()
    assert np.isin(stripped.kept, data.train[0].kept).all()


@pytest.mark.data
def test_a_recipe_for_stripped_brains_sees_heads_stripped_only(data_dir, recipe):
    sources = (
        SourceConfig(kind="lgg", path="lgg-mri-segmentation.zip", coding="lgg", cases=("TCGA_HT_A61B",)),
        SourceConfig(kind="stacks", path="brats-stacks", coding="brats2015", cases=("brats_2013_pat0003_1",)),
    )
    made = recipe(
        *sources,
        preparation=Preparation(),
        split=SplitConfig(train=("brats_2013_pat0003_1",), validation=("TCGA_HT_A61B",)),
    )
    made = msgspec.structs.replace(made, root=str(data_dir), kinds=("skull_stripped",))
    left = load_data(made, silent)
    assert left.validation == []
    assert next((p.code, p.name) for p in left.problems) == ("kind_not_wanted", "TCGA_HT_A61B")
    both = msgspec.structs.replace(made, selection=SelectionConfig(stripped_too=True))
    data = load_data(both, silent)
    assert [e.kind for e in [*data.train, *data.validation]] == ["skull_stripped"] * 2
    assert data.validation[0].name == "TCGA_HT_A61B stripped"
    assert data.stripped == []


def test_pictures_of_two_sizes(tmp_path, recipe):
    (tmp_path / "p").mkdir()
    for k, scale in enumerate((1, 2, 3, 4)):
        for name, data in zip((f"{k}.png", f"{k}_mask.png"), head(k), strict=True):
            Image.fromarray(np.kron(data, np.ones((scale, scale), np.uint8))).save(tmp_path / "p" / name)
    pictures = recipe(
        SourceConfig(kind="pictures", path="p"),
        preparation=Preparation(channels=("image",), size=(48, 48), normalise="zscore"),
        selection=SelectionConfig(targets="binary"),
        split=SplitConfig(fractions=(1.0, 0.0, 0.0)),
    )
    exams = load_data(pictures, silent).train
    assert {exam.slices.shape for exam in exams} == {(1, 1, 48, 48)}
    # One tumour in four sizes has one area on one grid: (10 / 64) of the side.
    areas = [int(exam.targets.sum()) for exam in exams]
    assert areas == pytest.approx([(10 / 64 * 48) ** 2] * 4, abs=9)
