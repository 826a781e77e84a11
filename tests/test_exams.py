"""The exams made for other tests are what they say: the same head, other grids, known motions."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as itk

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.services.alignment.resampling import resample
from tests.exams import make_exam, phantom, write_dicom, write_nifti

SEQUENCES = (Sequence.FLAIR, Sequence.T1)


@pytest.fixture
def exam():
    return make_exam(dict.fromkeys(SEQUENCES, phantom()), spacing=(2.5, 2.0, 6.0), seed=2)


def test_its_motion_brings_a_sequence_back(exam) -> None:
    t1, motion = exam.volumes[Sequence.T1], exam.motions[Sequence.T1]
    flair = exam.volumes[Sequence.FLAIR]
    agreement = []
    for grid in (t1.grid, motion.moved(t1.grid)):
        back = resample(type(t1)(t1.data, grid, t1.source), flair.grid)
        agreement.append(np.corrcoef(back.data.ravel(), flair.data.ravel())[0, 1])
    assert agreement[1] > 0.97
    assert agreement[1] > agreement[0] + 0.02
    assert t1.grid.spacing_mm == pytest.approx((2.5, 2.0, 6.0))
    assert t1.grid.obliquity_degrees > 1


def test_nifti_files_lie_where_the_exam_does(exam, tmp_path: Path) -> None:
    folder = write_nifti(exam, tmp_path / "Exam_01")
    image = nibabel.load(folder / "Exam_01_t1.nii.gz")
    assert image.affine == pytest.approx(exam.volumes[Sequence.T1].grid.voxel_to_world, abs=1e-3)
    assert np.array_equal(image.dataobj, exam.volumes[Sequence.T1].data)


def test_dicom_series_lie_where_the_exam_does(exam, tmp_path: Path) -> None:
    folder = write_dicom(exam, tmp_path / "dicom")
    reader = itk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    assert len(series) == len(SEQUENCES)
    found = []
    for uid in series:
        image = itk.ReadImage(reader.GetGDCMSeriesFileNames(str(folder), uid))
        found.append(image)
    t1 = exam.volumes[Sequence.T1]
    (image,) = (i for i in found if i.GetSize() == t1.grid.shape)
    marked = np.array([[4, 5, 1], [20, 3, 2], [9, 30, 5]])
    for voxel in marked:
        lps = t1.grid.world_of(voxel) * [-1, -1, 1]
        index = image.TransformPhysicalPointToContinuousIndex(lps.tolist())
        nearest = [round(i) for i in index]
        assert index == pytest.approx(nearest, abs=1e-3)
        assert image.GetPixel(nearest) == max(0, t1.data[tuple(voxel)])
