"""Small exams made in millimetres of the patient: a round head with a bright block whose place is known."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.affines import apply_affine
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

# RAS mm: the patient's left, in front, above.
BLOCK_MM = np.array([-17.0, 16.0, 15.0])
BLOCK_HALF_MM = np.array([6.0, 6.5, 7.0])
HEAD_MM = np.array([34.0, 38.0, 33.0])
HEAD, BLOCK = 200, 1000


def rotation(degrees_x: float = 0.0, degrees_z: float = 0.0) -> np.ndarray:
    """About x after about z."""
    (c, s), (d, t) = [(np.cos(a), np.sin(a)) for a in np.radians([degrees_z, degrees_x])]
    return np.array([[1, 0, 0], [0, d, -t], [0, t, d]]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def make_image(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    codes: str = "RAS",
    turn: np.ndarray | None = None,
    middle_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    block: int = BLOCK,
) -> nibabel.Nifti1Image:
    """The phantom on a grid around a point, stored with the axes in this order and direction.

    Parameters
    ----------
    shape, spacing_mm : along the axes closest to R, A, S
    codes : str
        Of the axes as stored, e.g. ``"PSR"``.
    turn : (3, 3) array, optional
        Turns the grid, not the patient.
    """
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) * spacing_mm
    affine[:3, 3] = np.array(middle_mm) - affine[:3, :3] @ (np.array(shape) - 1) / 2
    places = apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    data = np.zeros(shape, np.int16)
    data[((places / HEAD_MM) ** 2).sum(axis=-1) < 1] = HEAD
    data[(np.abs(places - BLOCK_MM) < BLOCK_HALF_MM).all(axis=-1)] = block
    image = nibabel.Nifti1Image(data, affine)
    stored = image.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt(tuple(codes))))
    stored.set_sform(stored.affine, 1)
    stored.set_qform(stored.affine, 1)
    return stored


def save_exam(folder: Path, images: dict[str, nibabel.Nifti1Image]) -> Path:
    """Files of a case, by the ends of their names (``t1``, ``t1ce``, ``t2``, ``flair``, ``seg``)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        nibabel.save(image, folder / f"{folder.name}_{name}.nii.gz")
    return folder
