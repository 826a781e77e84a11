"""Small studies: synthetic heads of a few slices, with a reference beside each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.study import Reading
from brainseg_desktop.services.studies.reading import open_reading, save_reading
from brainseg_desktop.services.studies.study import Study, cases_in, create_study

SHAPE = (24, 20, 12)
SPACING = (1.0, 1.2, 2.0)


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Where voxels lie within a ball, by brute force in voxels."""
    x, y, z = np.indices(SHAPE)
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= radius**2


def write_case(folder: Path, seed: int, reference: bool = True) -> Path:
    """A case of FLAIR and T1CE with a bright ball, BraTS 2021 names."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    inside = ball((12, 10, 6), 4)
    for name in ("flair", "t1ce"):
        image = 60 + 10 * random.standard_normal(SHAPE) + 80 * inside
        nibabel.save(
            nibabel.Nifti1Image(image.astype(np.int16), affine), folder / f"{folder.name}_{name}.nii.gz"
        )
    if reference:
        labels = np.where(inside, 2, 0) + np.where(ball((12, 10, 6), 2), 2, 0)
        nibabel.save(
            nibabel.Nifti1Image(labels.astype(np.uint8), affine), folder / f"{folder.name}_seg.nii.gz"
        )
    return folder


@pytest.fixture
def case_folder(tmp_path: Path) -> Path:
    """Three cases outside any study."""
    root = tmp_path / "exams"
    for number in range(3):
        write_case(root / f"BraTS2021_{number:05d}", number)
    return root


@pytest.fixture
def make_study(tmp_path: Path, case_folder: Path) -> Callable[..., Study]:
    """Makes a study of two readers on the three cases; options as for `create_study`."""

    def make(**options: object) -> Study:
        settings: dict[str, object] = {"scheme": "brats2021", "seed": 5, **options}
        readers = settings.pop("readers", ["Anna", "Ben"])
        return create_study(tmp_path / "study", "Trial", cases_in(case_folder), readers, **settings)

    return make


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., None]:
    """Does readings of a reader with given labels and locks them."""

    def do(folder: Path, reader: str, labels: Callable[[Reading], np.ndarray], *, lock: bool = True) -> None:
        study = Study.open(folder, reader)
        try:
            for reading in study.readings[reader]:
                opened = open_reading(study, reading, tmp_path / "state")
                save_reading(
                    study, opened, LabelMap(labels(reading).astype(np.uint8)), opened.record, lock=lock
                )
        finally:
            study.close()

    return do
