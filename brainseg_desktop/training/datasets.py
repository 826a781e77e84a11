"""The training data: LGG slices, BraTS NIfTI folders and TIFF stacks, each with the regions it teaches."""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.preprocess import KINDS, prepare, to_working
from brainseg_desktop.training.config import CaseConfig, DataConfig

WHOLE_HEAD, SKULL_STRIPPED = range(len(KINDS))
# Values of the reference that make WT, TC and ET. LGG masks hold 255 and know WT only.
REGION_VALUES = {
    "lgg": ((255,), (), ()),
    "brats2015": ((1, 2, 3, 4), (1, 3, 4), (4,)),
    "brats2021": ((1, 2, 4), (1, 4), (4,)),
    "brats2023": ((1, 2, 3), (1, 3), (3,)),
}
LGG_CHANNELS = (Sequence.T1, Sequence.FLAIR, Sequence.T1CE)
BRATS_FILES = {
    Sequence.T1: ("t1", "t1n"),
    Sequence.T1CE: ("t1ce", "t1c"),
    Sequence.T2: ("t2", "t2w"),
    Sequence.FLAIR: ("flair", "t2f"),
}
LGG_SLICE = re.compile(r"(?:^|/)(TCGA_[A-Z]{2}_[A-Z0-9]+)_\d+/TCGA_\w+?_(\d+)(_mask)?\.tif$")


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """An exam with its reference.

    Parameters
    ----------
    name : str
        Patient (LGG) or case (BraTS), as in the split.
    kind : int
        Index into `preprocess.KINDS`.
    volumes : dict of Sequence to (X, Y, Z) array
        Canonical order.
    spacing_mm : (float, float) or None
        In-plane.
    regions : (3, X, Y, Z) bool array
        WT, TC, ET.
    taught : (bool, bool, bool)
        Which regions the reference knows.
    """

    name: str
    kind: int
    volumes: dict[Sequence, NDArray[np.generic]]
    spacing_mm: tuple[float, float] | None
    regions: NDArray[np.bool_]
    taught: tuple[bool, bool, bool]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingExam:
    """An exam as network slices: images (Z, 4, H, W) float16 and regions (Z, 3, H, W) uint8."""

    name: str
    kind: int
    slices: NDArray[np.float16]
    regions: NDArray[np.uint8]
    present: tuple[bool, ...]
    taught: tuple[bool, bool, bool]


def find_exams(data: DataConfig, names: tuple[str, ...]) -> Iterator[Exam]:
    """Read the named exams one after the other.

    Raises
    ------
    UserError
        ``training_data_missing`` (params ``path``, ``names``).
    """
    cases = {case.name: case for case in data.brats}
    patients = [name for name in names if name not in cases]
    if patients:
        yield from read_lgg(data.folder / data.lgg, patients)
    for name in names:
        if name in cases:
            yield read_brats(data.folder, cases[name])


def read_lgg(source: Path, patients: list[str]) -> Iterator[Exam]:
    """Read LGG patients out of the data set's zip file or its unpacked folder."""
    if source.is_dir():
        files = {str(p.relative_to(source)): p for p in source.rglob("*.tif")}
        yield from _read_lgg_slices(source, patients, list(files), lambda name: files[name].read_bytes())
    elif source.is_file():
        with zipfile.ZipFile(source) as archive:
            yield from _read_lgg_slices(source, patients, archive.namelist(), archive.read)
    else:
        raise UserError("training_data_missing", path=source, names=patients)


def _read_lgg_slices(
    source: Path, patients: list[str], names: list[str], read: Callable[[str], bytes]
) -> Iterator[Exam]:
    slices: dict[str, dict[int, dict[bool, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        match = LGG_SLICE.search(name)
        if match:
            slices[match[1]][int(match[2])][bool(match[3])] = name
    absent = [patient for patient in patients if patient not in slices]
    if absent:
        raise UserError("training_data_missing", path=source, names=absent)
    for patient in patients:
        order = sorted(slices[patient])
        images = np.stack([_read_tiff(read(slices[patient][k][False])) for k in order])
        masks = np.stack([_read_tiff(read(slices[patient][k][True])) for k in order])
        volumes: dict[Sequence, NDArray[np.generic]] = {
            sequence: stack_to_canonical(images[..., c]) for c, sequence in enumerate(LGG_CHANNELS)
        }
        regions = _regions(stack_to_canonical(masks), "lgg")
        yield Exam(patient, WHOLE_HEAD, volumes, None, regions, (True, False, False))


def _read_tiff(content: bytes) -> NDArray[np.generic]:
    import tifffile

    return np.asarray(tifffile.imread(io.BytesIO(content)))


def read_brats(root: Path, case: CaseConfig) -> Exam:
    """Read a BraTS case: a folder of .nii(.gz) files, or of multi-page .tif stacks with 1 mm voxels."""
    folder = root / case.folder
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    volumes: dict[Sequence, NDArray[np.generic]] = {}
    reference: NDArray[np.generic] | None = None
    spacing_mm = (1.0, 1.0)
    for file in files:
        stem = re.split(r"[_-]", file.name.split(".")[0])[-1].lower()
        sequence = next((s for s, names in BRATS_FILES.items() if stem in names), None)
        if sequence is None and stem != "seg":
            continue
        data, spacing_mm = read_volume(file)
        if sequence is None:
            reference = data
        else:
            volumes[sequence] = data
    if reference is None or not volumes:
        raise UserError("training_data_missing", path=folder, names=[case.name])
    regions = _regions(reference, case.coding)
    return Exam(case.name, SKULL_STRIPPED, volumes, spacing_mm, regions, (True, True, True))


def read_volume(file: Path) -> tuple[NDArray[np.generic], tuple[float, float]]:
    """A volume in canonical order and its in-plane spacing in mm."""
    if file.suffix == ".tif":
        import tifffile

        return stack_to_canonical(np.asarray(tifffile.imread(file))), (1.0, 1.0)
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(file))  # type: ignore[no-untyped-call]
    zooms = image.header.get_zooms()
    return np.asarray(image.dataobj), (float(zooms[0]), float(zooms[1]))


def stack_to_canonical(stack: NDArray[np.generic]) -> NDArray[np.generic]:
    """Canonical (X, Y, Z) of axial slices (Z, row, column): rows run to posterior, columns to the left."""
    return np.ascontiguousarray(stack.transpose(2, 1, 0)[::-1, ::-1])


def _regions(reference: NDArray[np.generic], coding: str) -> NDArray[np.bool_]:
    return np.stack([np.isin(reference, values) for values in REGION_VALUES[coding]])


def prepare_exam(exam: Exam) -> TrainingExam:
    """Preprocess an exam as the product does, and its reference onto the same network slices."""
    prepared = prepare(exam.volumes, exam.spacing_mm, KINDS[exam.kind])
    regions = np.stack([to_working(region, prepared.frame) >= 0.5 for region in exam.regions], axis=1)
    return TrainingExam(
        exam.name,
        exam.kind,
        prepared.slices.astype(np.float16),
        regions.astype(np.uint8),
        prepared.present,
        exam.taught,
    )
