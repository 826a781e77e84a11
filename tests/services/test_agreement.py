"""Agreement of several readers on one case: pairs, summaries, consensus of the others, files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import WT, Tissue
from brainseg_desktop.services.agreement import (
    agree_on_files,
    measure_readers,
    write_agreement,
)
from brainseg_desktop.services.compare import compare

SHAPE = (24, 22, 20)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))


def box(start: int, stop: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[start:stop, 5:15, 5:15] = Tissue.OEDEMA
    return labels


def test_every_pair_is_that_of_compare() -> None:
    masks = [box(4, 14), box(5, 14), box(6, 16)]
    report = measure_readers(["a", "b", "c"], masks, GRID, [WT])
    region = report.regions["WT"]
    assert set(region.pairs["dice"]) == {(0, 1), (0, 2), (1, 2)}
    for (i, j), score in region.pairs["dice"].items():
        alone = compare(masks[i], masks[j], GRID, [WT], ()).regions["WT"]
        assert score == alone.overlap.dice
        assert region.pairs["hd95_mm"][i, j] == alone.surface.hd95_mm
    # 9 of 10, 8 of 12 and 8 of 11 slices of 100 voxels are common.
    assert region.conformity.value == pytest.approx((9 + 8 + 8) / (10 + 12 + 11))
    assert [v.value for v in region.volumes_ml] == pytest.approx([2.0, 1.8, 2.0])


def test_two_readers_are_each_others_consensus() -> None:
    region = measure_readers(["a", "b"], [box(4, 14), box(5, 14)], GRID, [WT]).regions["WT"]
    dice = region.pairs["dice"][0, 1]
    assert [s.value for s in region.against_consensus] == pytest.approx([dice.value] * 2)


def test_equal_readers_agree_wholly() -> None:
    report = measure_readers(["a", "b", "c"], [box(4, 14)] * 3, GRID, [WT])
    assert report.regions["WT"].fleiss_kappa.value == pytest.approx(1.0)
    assert report.regions["WT"].krippendorff_alpha.value == pytest.approx(1.0)
    assert report.regions["WT"].conformity.value == 1.0
    assert all(s.value == pytest.approx(1.0) for s in report.regions["WT"].against_consensus)


def test_empty_masks_are_counted_not_averaged() -> None:
    empty = np.zeros(SHAPE, np.uint8)
    content = measure_readers(["a", "b", "c"], [empty, empty, box(4, 14)], GRID, [WT]).to_dict()
    summary = content["regions"]["WT"]["summary"]["dice"]
    assert (summary["n"], summary["left_out"]) == (2, 1)
    states = [p["dice"]["state"] for p in content["regions"]["WT"]["pairs"]]
    assert states == ["both_empty", "one_empty", "one_empty"]
    json.dumps(content, allow_nan=False)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for name, labels in (("anna", box(4, 14)), ("ben", box(5, 14)), ("cleo", box(6, 16))):
        path = tmp_path / f"BraTS2021_00001_seg-{name}.nii.gz"
        nib.save(nib.Nifti1Image(labels, GRID.voxel_to_world), path)
        paths.append(path)
    return paths


def test_files_in_tables_and_the_majority_out(files: list[Path], tmp_path: Path) -> None:
    report, loose = agree_on_files(files, "brats2021")
    written = write_agreement(tmp_path / "out", report, loose)
    assert [p.name for p in written] == ["agreement.json", "agreement_pairs.csv", "majority_seg.nii.gz"]
    rows = list(csv.DictReader(written[1].read_text().splitlines()))
    assert len(rows) == 3 * len(report.regions)
    first = next(r for r in rows if r["region"] == "WT")
    assert float(first["dice"]) == pytest.approx(2 * 9 / 19, abs=1e-6)
    majority = np.asarray(nib.load(written[2]).dataobj)
    np.testing.assert_array_equal(majority > 0, box(5, 14) > 0)
    content = json.loads(written[0].read_text())
    assert content["readers"] == list(loose.names)


def test_one_reader_is_too_few(files: list[Path]) -> None:
    with pytest.raises(UserError) as error:
        agree_on_files([files[0], files[0]], "brats2021")
    assert error.value.code == "masks_too_few"


def test_another_grid_is_named(files: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other_seg.nii.gz"
    nib.save(nib.Nifti1Image(box(4, 14)[:-1], GRID.voxel_to_world), other)
    with pytest.raises(UserError) as error:
        agree_on_files([files[0], other], "brats2021")
    assert error.value.code == "mask_grid_mismatch"


def test_a_folder_that_cannot_be_written_is_told(files: list[Path], tmp_path: Path) -> None:
    report, loose = agree_on_files(files, "brats2021")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError) as error:
        write_agreement(blocked, report, loose)
    assert str(blocked) in str(error.value.params["path"])
