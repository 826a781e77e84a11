"""The command line on real cases: a BraTS folder, and a patient folder of the LGG set."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from brainseg_desktop.cli import Front, run

pytestmark = [pytest.mark.data, pytest.mark.slow]

PATIENT = "TCGA_DU_5874"
FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)


@pytest.fixture
def lgg_patient(data_dir: Path, tmp_path: Path) -> Path:
    """The slices of one patient kept out of training, unpacked."""
    with zipfile.ZipFile(data_dir / "lgg-mri-segmentation.zip") as archive:
        names = [n for n in archive.namelist() if f"/{PATIENT}_" in n and n.endswith(".tif")]
        for name in dict.fromkeys(names):
            target = tmp_path / "lgg" / Path(name).parent.name / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
    [folder] = (tmp_path / "lgg").iterdir()
    return folder


def test_a_real_case_is_outlined(data_dir: Path, tmp_path: Path, brainseg_json: Callable[..., Any]) -> None:
    case = data_dir / "brats" / "BraTS2021_00006"
    [entry] = brainseg_json("segment", case, "-o", tmp_path)["cases"]
    assert entry["scheme"] == "brats2021"
    report = brainseg_json("compare", case / "BraTS2021_00006_seg.nii.gz", entry["output"])
    assert report["regions"]["WT"]["dice"]["value"] >= 0.80


def test_lgg_slices_give_a_mask_each(
    lgg_patient: Path, tmp_path: Path, brainseg_json: Callable[..., Any]
) -> None:
    [entry] = brainseg_json("segment", lgg_patient, "-o", tmp_path / "out")["cases"]
    assert (entry["error"], entry["scheme"]) == (None, "lgg")
    assert entry["volumes_ml"] == {"WT": None, "TC": None, "ET": None}
    images = sorted(p for p in lgg_patient.glob("*.tif") if not p.stem.endswith("_mask"))
    for image in images:
        mask = tifffile.imread(tmp_path / "out" / lgg_patient.name / f"{image.stem}_mask.tif")
        assert mask.shape == tifffile.imread(image).shape[:2]
        assert set(np.unique(mask)) <= {0, 255}
    report = brainseg_json("compare", lgg_patient, tmp_path / "out" / lgg_patient.name)
    assert report["scheme"] == "lgg"
    assert report["regions"]["WT"]["dice"]["value"] > 0.5
    assert report["regions"]["WT"]["hd95_mm"] == {"value": None, "state": "no_spacing", "unit": "mm"}


def test_masks_of_slices_are_exported_as_slices(lgg_patient: Path, tmp_path: Path) -> None:
    target = tmp_path / "masks"
    arguments = ["export", lgg_patient, "--like", lgg_patient, "--to", "tif", "-o", target]
    assert run([str(a) for a in arguments], FRONT) == 0
    originals = sorted(lgg_patient.glob("*_mask.tif"))
    assert [p.name for p in sorted(target.glob("*.tif"))] == [p.name for p in originals]
    for original in originals:
        assert np.array_equal(tifffile.imread(target / original.name) > 0, tifffile.imread(original) > 0)
    assert json.loads((target / "masks.json").read_text())["scheme"] == "lgg"
