"""Cases with one marked voxel in each octant, in every orientation that a file can be stored in."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel
import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io import nifti
from brainseg_desktop.io.schemes import scheme_named

SHAPE = (6, 7, 8)
SPACING = (0.9, 1.1, 2.5)
TISSUES = (Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING)
ORIENTATIONS = [
    tuple(zip(axes, signs, strict=True))
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def orientation_affine(orientation: tuple[tuple[int, int], ...]) -> np.ndarray:
    """RAS affine of a file whose stored axis i runs along world axis ``orientation[i]``."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for stored, (world, sign) in enumerate(orientation):
        affine[world, stored] = sign * SPACING[stored]
    affine[:3, 3] = (-12.503, 30.252, 7.001)
    return affine


def nifti_case(folder: Path, affine: np.ndarray, shape: tuple[int, int, int] = SHAPE) -> Case:
    """A case of one FLAIR image with this stored affine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "exam_flair.nii.gz"
    data = np.random.default_rng(3).integers(1, 900, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    volume = nifti.read_volume(path, Sequence.FLAIR)
    return Case("Exam", volume.grid, {Sequence.FLAIR: volume})


def octants(case: Case) -> Rating:
    """One marked voxel in each octant, none at a mirrored place, three tissues in turn."""
    labels = np.zeros(case.grid.shape, np.uint8)
    for number, high in enumerate(itertools.product((0, 1), repeat=3)):
        place = tuple(
            (n - 1 - (number % 2) if h else (number // 2) % 2)
            for h, n in zip(high, case.grid.shape, strict=True)
        )
        labels[place] = TISSUES[number % 3]
    assert np.count_nonzero(labels) == 8
    return Rating("Dr. Who", RaterKind.HUMAN, LabelMap(labels), scheme_named("brats2021"))


def marked_mm(case: Case, rating: Rating) -> set[tuple[int, float, float, float]]:
    """Number and RAS mm of each marked voxel, to a hundredth of a millimetre."""
    numbers = rating.scheme.encode(rating.label_map.array)
    return listed(numbers, case.grid.voxel_to_world)


def listed(numbers: np.ndarray, affine: np.ndarray) -> set[tuple[int, float, float, float]]:
    """The same of any array and its RAS affine."""
    voxels = np.argwhere(numbers)
    places = voxels @ affine[:3, :3].T + affine[:3, 3]
    return {
        (int(numbers[tuple(v)]), *(round(float(c), 2) + 0.0 for c in p))
        for v, p in zip(voxels, places, strict=True)
    }
