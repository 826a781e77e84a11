"""DICOM exams as cases: opened, checked, segmented, recovered, blinded; nobody is named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine

from brainseg_desktop.cli import Front, run
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.layouts import choose_series, find_case
from brainseg_desktop.services.check import check
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import new_rating, open_case
from brainseg_desktop.services.recovery import case_files, pending_for, restore, start_journal
from brainseg_desktop.services.series_preview import preview
from brainseg_desktop.services.studies.study import cases_in, create_study
from tests.dicom_making import (
    AXIAL,
    CORONAL,
    PATIENT,
    PATIENT_ID,
    SAGITTAL,
    SCREENSHOT,
    Making,
    blocks,
    save_series,
    turned,
)

FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)
SECRETS = (*PATIENT.lower().split("^"), PATIENT_ID.lower(), "19310714", "acc-9970077", "1.2.826", "20240102")


def makings(**shared: Any) -> dict[Sequence, Making]:
    """Four series: FLAIR and T1 share an oblique grid, T1CE and T2 have their own."""
    common = {"study": "1.2.826.1", "place": "1.2.826.2", **shared}
    oblique = turned(AXIAL, 12, 5)
    rng = np.random.default_rng(4)
    head = (blocks(20, 24, 22) % 7 + 200 + rng.integers(0, 40, (20, 24, 22))).astype(np.int16)
    return {
        Sequence.FLAIR: Making(head, oblique, (0.9, 0.9, 5.0), description="flair", number=3, **common),
        Sequence.T1: Making(head + 1, oblique, (0.9, 0.9, 5.0), description="t1", number=2, **common),
        Sequence.T1CE: Making(head, SAGITTAL, (1, 1, 1.2), description="t1_km", number=7, **common),
        Sequence.T2: Making(head, CORONAL, (0.8, 0.8, 3), description="t2", number=4, **common),
    }


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    for making in makings().values():
        save_series(tmp_path / "exam", making)
    return tmp_path / "exam"


def test_it_opens_on_the_grid_that_most_share(exam: Path) -> None:
    opened = open_case(find_case(exam))
    case = opened.case
    assert case.name == "exam"
    assert list(case.aligned) == [Sequence.T1, Sequence.FLAIR]
    assert set(case.off_grid) == {Sequence.T1CE, Sequence.T2}
    told = [words(note) for note in opened.notes]
    assert any("T1CE lies on another grid than T1, FLAIR" in one for one in told)
    assert any("So series 7 (t1_km) is taken as T1CE." in one for one in told)
    for sequence, making in makings().items():
        volume = case.volumes[sequence]
        voxel = np.rint(volume.grid.voxel_of(making.world(3, 5, 7))).astype(int)
        assert volume.data[tuple(voxel)] == making.data[7, 5, 3]


def test_another_frame_of_reference_is_told(tmp_path: Path) -> None:
    made = makings()
    for making in made.values():
        save_series(tmp_path, replace(making, place="1.9" if making.number == 4 else making.place))
    codes = {
        n.params["sequence"]: n.code for n in open_case(find_case(tmp_path)).notes if "masks_on" in n.params
    }
    assert codes == {"T2": "series_other_frame", "T1CE": "series_off_grid"}


def test_a_mask_is_written_on_the_grid_as_stored(exam: Path, tmp_path: Path) -> None:
    case = open_case(find_case(exam)).case
    rating = new_rating(case, "Reader")
    making = makings()[Sequence.FLAIR]
    voxel = np.rint(case.grid.voxel_of(making.world(3, 5, 7))).astype(int)
    with rating.history.edit("mark") as stroke:
        start = tuple(int(v) for v in voxel)
        box = Box(start, tuple(v + 1 for v in start))
        stroke.paint(box, np.ones((1, 1, 1), bool), int(Tissue.OEDEMA))
    export_rating(case, rating, tmp_path / "mask.nii.gz")
    image = nibabel.load(tmp_path / "mask.nii.gz")
    (marked,) = np.argwhere(np.asarray(image.dataobj) > 0)
    assert marked.tolist() == [3, 5, 7]
    assert np.allclose(apply_affine(image.affine, marked), making.world(3, 5, 7), atol=1e-3)
    header = case.volumes[Sequence.FLAIR].source.header
    assert isinstance(header, DicomHeader)
    assert np.allclose(image.affine, header.affine, atol=1e-4)


def test_check_says_what_it_is(exam: Path, brainseg_json: Callable[..., Any]) -> None:
    (found,) = brainseg_json("check", exam)["results"]
    assert found["kind"] == "dicom"
    assert found["sequences"] == ["T1", "T1CE", "T2", "FLAIR"]
    assert found["shape"] == [22, 24, 20]
    assert found["other_grids"] == {"T1CE": "shape", "T2": "shape"}
    (result,) = check(exam)
    assert result.is_sound


def test_check_of_an_exam_that_tells_nothing(tmp_path: Path) -> None:
    save_series(tmp_path / "x", Making(blocks(), description="unknown"))
    (result,) = check(tmp_path / "x")
    assert not result.opens
    assert "none of its 1 series tells" in result.problems[0]


def test_segment_writes_a_mask_on_the_native_grid(exam: Path, tmp_path: Path, brainseg_json: Any) -> None:
    (found,) = brainseg_json("segment", exam, "-o", tmp_path / "out", "--device", "cpu")["cases"]
    image = nibabel.load(found["output"])
    assert Path(found["output"]).name == "exam_seg.nii.gz"
    assert image.shape == (22, 24, 20)
    assert np.allclose(
        apply_affine(image.affine, (3, 5, 7)), makings()[Sequence.FLAIR].world(3, 5, 7), atol=1e-3
    )
    assert any("is taken as FLAIR" in note for note in found["notes"])


def test_strokes_come_back_on_the_series_that_were_chosen(exam: Path, tmp_path: Path) -> None:
    files = find_case(exam)
    chosen = choose_series(files, {Sequence.T1CE: files.series[Sequence.T2]})
    case = open_case(chosen).case
    rating = new_rating(case, "Reader")
    journal = start_journal(case, rating, tmp_path / "state")
    with rating.history.edit("mark") as stroke:
        stroke.paint(Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), bool), 2)
    journal.close()
    found = pending_for(open_case(chosen).case, tmp_path / "state")
    assert found is not None
    again = case_files(found)
    assert {s: one.name for s, one in again.series.items()} == {Sequence.T1CE: "series 4"}
    restored, journal = restore(found, open_case(again).case)
    journal.close()
    assert int((restored.label_map.array == 2).sum()) == 8


def test_a_blinded_exam_stays_shut(exam: Path, tmp_path: Path) -> None:
    create_study(
        tmp_path / "study", "Trial", cases_in(exam.parent), ["Anna", "Ben"], scheme="brats2021", seed=1
    )
    files = find_case(exam)
    for act in (lambda: open_case(files), lambda: preview(files.series[Sequence.T1])):
        with pytest.raises(UserError) as raised:
            act()
        assert raised.value.code == "blinded_case"


# Pictures to choose by -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "left", "top"),
    [(AXIAL, (-1, 0, 0), (0, 1, 0)), (CORONAL, (-1, 0, 0), (0, 0, 1)), (SAGITTAL, (0, 1, 0), (0, 0, 1))],
    ids=["axial", "coronal", "sagittal"],
)
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_picture_has_its_sides_where_readers_expect_them(
    tmp_path: Path, frame: Any, left: tuple, top: tuple, down: bool, turn: int
) -> None:
    frame = tuple(tuple(turn * v for v in way) for way in frame)
    making = Making(np.zeros((7, 20, 30), np.int16), frame, (1.0, 1.5, 2.0), down=down)
    making.data[3, 2:6, 3:7] = 100
    save_series(tmp_path, making)
    case = find_case(tmp_path)
    assert case.exam is not None
    found = preview(case.exam.series[0])
    assert found.size_mm == pytest.approx((20.0, 45.0))
    assert found.left == ("A" if frame[0][1] else "R")
    row, column = np.argwhere(found.pixels > 128).mean(axis=0)
    # From the middle of the slice to the mark, RAS mm; radiological: the patient's right is on the left.
    way = making.world(4.5, 3.5, 3) - making.world(14.5, 9.5, 3)
    sideways = way @ np.array(left if found.left == "R" else (0, -1, 0))
    assert np.sign(column - 14.5) == np.sign(sideways)
    assert np.sign(9.5 - row) == np.sign(way @ np.array(top))


# Nobody is named -----------------------------------------------------------------------------------------


def test_no_word_of_the_patient_leaves(
    exam: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    own_home: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    files = sorted(exam.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:600])
    files[1].write_bytes(files[1].read_bytes()[:-40])
    save_series(exam, Making(blocks(), number=99, study="1.2.826.1", sop_class=SCREENSHOT))
    run(["check", str(exam)], FRONT)
    run(["segment", str(exam), "-o", str(tmp_path / "out"), "--device", "cpu"], FRONT)
    said = capsys.readouterr()
    kept = [p for folder in (own_home, tmp_path / "out") for p in folder.rglob("*")]
    texts = [said.out, said.err, caplog.text, *(str(p) for p in kept)]
    texts += [p.read_bytes().decode("latin-1") for p in kept if p.is_file()]
    for secret in SECRETS:
        assert not any(secret in text.lower() for text in texts), secret
    assert "damaged" in said.out + said.err or "cut short" in said.out + said.err
