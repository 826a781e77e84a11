"""Small studies made of boxes, written as files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.services.studies.results import Material, Rater, RatingFile

SHAPE = (26, 22, 20)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))
KINDS = {"AI": RaterKind.MODEL, "Reference": RaterKind.REFERENCE}
# What the file of a mask holds: BraTS 2021 numbers.
NECROSIS, OEDEMA, ENHANCING = 1, 2, 4


def box(start: int, stop: int, *, core: int = 0) -> np.ndarray:
    """Oedema in some sagittal slices, with so many slices of enhancing tumour in the middle."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[start:stop, 4:14, 5:15] = OEDEMA
    labels[start + 2 : start + 2 + core, 6:12, 7:13] = ENHANCING
    return labels


def write(path: Path, labels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, GRID.voxel_to_world if affine is None else affine), path)
    return path


def rating(case: str, rater: str, path: Path, repeat: int = 1, active_s: float | None = None) -> RatingFile:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    kind = KINDS.get(rater, RaterKind.HUMAN)
    return RatingFile(case, rater, kind, path, sha256, repeat, active_s)


Masks = dict[str, dict[str, np.ndarray]]
Make = Callable[[Masks], Material]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write masks, by case and rater (``anna#2`` is her second reading), and describe them."""

    def made(masks: Masks) -> Material:
        files, names = [], []
        for case, by_rater in masks.items():
            for key, labels in by_rater.items():
                rater, _, repeat = key.partition("#")
                path = write(tmp_path / "masks" / f"{case}-{key.replace('#', '_')}.nii.gz", labels)
                files.append(rating(case, rater, path, int(repeat or 1), 60.0))
                names.append(rater)
        raters = sorted(set(names), key=lambda n: (n in KINDS, n))
        return Material(
            "small study",
            "brats2021",
            tuple(masks),
            tuple(Rater(n, KINDS.get(n, RaterKind.HUMAN)) for n in raters),
            tuple(files),
        )

    return made


@pytest.fixture
def three_readers(make: Make) -> Material:
    """Three readers, a network and a reference on three cases; anna read the first twice."""
    return make(
        {
            "c1": {
                "anna": box(4, 14, core=4),
                "ben": box(5, 14, core=3),
                "cleo": box(6, 16, core=4),
                "AI": box(4, 13, core=5),
                "Reference": box(4, 15, core=4),
                "anna#2": box(4, 15, core=4),
            },
            "c2": {"anna": box(3, 9, core=2), "ben": box(3, 10, core=2), "cleo": box(4, 9), "AI": box(3, 9)},
            "c3": {"anna": box(8, 20, core=6), "ben": box(8, 19, core=6)},
        }
    )
