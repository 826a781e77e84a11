"""Small data sets of every kind, written to disk."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.training.config import Recipe, ScheduleConfig, SourceConfig

DEPTH = 6


def head(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A head of 64 x 64 with a bright square, and the square's mask: rows 20-29, columns 34-43."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    image = np.where(np.hypot((y - 32) / 26, (x - 32) / 20) < 1, 100, 2) + random.integers(0, 20, (64, 64))
    mask = np.zeros((64, 64), np.uint8)
    mask[20:30, 34:44] = 255
    return np.where(mask > 0, 220, image).astype(np.uint8), mask


def tiff_bytes(data: np.ndarray) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, data)
    return content.getvalue()


def lgg_files(patients: int, date: int = 19990101) -> dict[str, bytes]:
    """Names and bytes of LGG slices; the mask is empty but in slices 3 to 5."""
    files = {}
    for patient in range(1, patients + 1):
        case = f"TCGA_AA_000{patient}_{date}"
        for k in range(1, DEPTH + 1):
            image, mask = head(10 * patient + k)
            mask = mask if 2 < k < 6 else np.zeros_like(mask)
            channels = np.stack([255 - image, image, image // 2], axis=-1)
            files[f"kaggle_3m/{case}/{case}_{k}.tif"] = tiff_bytes(channels)
            files[f"kaggle_3m/{case}/{case}_{k}_mask.tif"] = tiff_bytes(mask)
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def brats_arrays() -> dict[str, np.ndarray]:
    """Axial slices (Z, row, column): WT 300, TC 108, ET 54 voxels in the coding of 2023."""
    images = np.stack([np.where(head(k)[0] < 30, 0, head(k)[0]) for k in range(DEPTH)]).astype(np.uint8)
    seg = np.zeros_like(images)
    seg[2:5, 20:30, 34:44] = 2
    seg[2:5, 22:28, 36:42] = 1
    seg[2:5, 22:25, 36:42] = 3
    return {"flair": images, "t1ce": images[:, :, ::-1].copy(), "seg": seg}


def write_stacks(folder: Path, **changes: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for name, data in (brats_arrays() | changes).items():
        tifffile.imwrite(folder / f"{name}.tif", data)
    return folder


def write_nifti(folder: Path, endings: dict[str, str], suffix: str = ".nii.gz", label: int = 3) -> Path:
    """A case with files named ``<folder><ending>``; LPS, as BraTS is. `label` is written for enhancing."""
    folder.mkdir(parents=True)
    for name, data in brats_arrays().items():
        if name in endings:
            data = np.where((data == 3) & (name == "seg"), label, data).astype(np.int16)
            image = nibabel.Nifti1Image(data.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]))
            nibabel.save(image, folder / f"{folder.name}{endings[name]}{suffix}")
    return folder


def write_coco(folder: Path, pictures: int = 4) -> dict[str, Any]:
    """Pictures of 64 x 64 with a polygon, a packed and a plain run length, and one without tumour."""
    folder.mkdir(parents=True)
    images, annotations = [], []
    mask = head(0)[1] > 0
    runs = np.flatnonzero(np.diff(np.r_[False, mask.T.ravel(), False].astype(int)))
    counts = np.diff(np.r_[0, runs, mask.size]).tolist()
    shapes = [
        [[34, 20, 44, 20, 44, 30, 34, 30]],
        {"size": [64, 64], "counts": counts},
        [[34, 20, 39, 20, 39, 30, 34, 30], [39, 20, 44, 20, 44, 30, 39, 30]],
    ]
    for k in range(pictures):
        name = f"{k}_jpg.rf.{k:032x}.png"
        Image.fromarray(head(k)[0]).save(folder / name)
        images.append({"id": k, "file_name": name, "height": 64, "width": 64})
        if k < len(shapes):
            annotations.append(
                {"id": k, "image_id": k, "category_id": 1, "iscrowd": k % 2, "segmentation": shapes[k]}
            )
    content = {"categories": [{"id": 1, "name": "tumour"}], "images": images, "annotations": annotations}
    (folder / "_annotations.coco.json").write_text(json.dumps(content))
    return content


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    """Makes a recipe on the data below ``tmp_path``; each has a work folder of its own name."""
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)

    def make(*sources: SourceConfig, name: str = "small", **tables: Any) -> Recipe:
        tables.setdefault("preparation", Preparation(channels=("T1", "FLAIR", "T1CE")))
        return Recipe(
            name=name,
            root=str(tmp_path),
            work=str(tmp_path / "work" / name),
            sources=sources,
            schedule=ScheduleConfig(epochs=1),
            **tables,
        )

    return make
