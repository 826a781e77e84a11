from __future__ import annotations

import zipfile

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.training.config import read_recipe
from brainseg_desktop.training.datasets import (
    find_exams,
    prepare_exam,
    read_lgg,
    stack_to_canonical,
)


def test_lgg_teaches_the_whole_tumour_only(recipe_path):
    (exam,) = find_exams(read_recipe(recipe_path).data, ("TCGA_AA_0001",))
    assert exam.taught == (True, False, False)
    assert set(exam.volumes) == {Sequence.T1, Sequence.FLAIR, Sequence.T1CE}
    assert exam.spacing_mm is None
    assert exam.regions.shape == (3, 64, 64, 6)
    assert exam.regions[0].sum() == 3 * 100
    assert not exam.regions[1:].any()
    # The square lies at rows 20-29 and columns 34-43; rows run to the back, columns to the left.
    where = np.argwhere(exam.regions[0])
    assert where.min(axis=0).tolist() == [20, 34, 2]
    assert where.max(axis=0).tolist() == [29, 43, 4]
    assert (exam.volumes[Sequence.FLAIR][exam.regions[0]] == 220).all()


def test_unpacked_folder_and_zip_are_the_same(recipe_path, tmp_path):
    source = read_recipe(recipe_path).data.folder / "lgg.zip"
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path / "lgg")
    (packed,), (unpacked,) = (list(read_lgg(s, ["TCGA_AA_0002"])) for s in (source, tmp_path / "lgg"))
    for sequence, data in packed.volumes.items():
        np.testing.assert_array_equal(data, unpacked.volumes[sequence])
    np.testing.assert_array_equal(packed.regions, unpacked.regions)


def test_brats_labels_become_nested_regions(recipe_path):
    (exam,) = find_exams(read_recipe(recipe_path).data, ("case-1",))
    assert exam.taught == (True, True, True)
    assert set(exam.volumes) == {Sequence.FLAIR, Sequence.T1CE}
    assert [int(r.sum()) for r in exam.regions] == [300, 108, 54]


def test_prepared_exam_keeps_slices_and_tumour_area(recipe_path):
    (exam,) = find_exams(read_recipe(recipe_path).data, ("case-1",))
    prepared = prepare_exam(exam)
    assert prepared.slices.dtype == np.float16
    assert len(prepared.slices) == len(prepared.regions) == 6
    assert prepared.regions.any(axis=(2, 3))[:, 0].tolist() == [False, False, True, True, True, False]
    # 100 voxels of 1 mm are 44 pixels of 1.5 mm.
    assert int(prepared.regions[3, 0].sum()) == pytest.approx(44, abs=8)


def test_stack_axes():
    stack = np.zeros((3, 4, 5), np.uint8)
    stack[2, 0, 0] = 1  # top slice, front row, rightmost column
    assert np.argwhere(stack_to_canonical(stack)).tolist() == [[4, 3, 2]]


def test_absent_data_is_told(recipe_path):
    data = read_recipe(recipe_path).data
    for source, names in ((data.folder / "none.zip", ["x"]), (data.folder / data.lgg, ["TCGA_ZZ_9999"])):
        with pytest.raises(UserError) as caught:
            list(read_lgg(source, names))
        assert caught.value.code == "training_data_missing"
