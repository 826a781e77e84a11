"""Readings: opened blind, saved, locked, and everything that may have changed meanwhile."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import nibabel
import numpy as np
import pytest

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.study import Reading
from brainseg_desktop.io import atomic
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.studies.material import material_of, open_comparison
from brainseg_desktop.services.studies.reading import open_reading, save_reading, write_record
from brainseg_desktop.services.studies.study import Study

from .conftest import SHAPE, ball

Make = Callable[..., Study]
Read = Callable[..., None]


@pytest.fixture
def anna(make_study: Make) -> Study:
    """The study, opened by its first reader; two of his four readings are of one case."""
    return Study.open(make_study(repeats=1).folder, "Anna")


def _save(study: Study, reading: Reading, labels: np.ndarray, state: Path, **options: object) -> None:
    opened = open_reading(study, reading, state)
    save_reading(study, opened, LabelMap(labels.astype(np.uint8)), opened.record, **options)  # type: ignore[arg-type]


def test_a_reading_starts_with_the_images_and_nothing_else(anna: Study, tmp_path: Path) -> None:
    reading = anna.readings["Anna"][0]
    opened = open_reading(anna, reading, tmp_path)
    assert opened.case.name == "Reading 001"
    assert [r.rater for r in opened.case.ratings] == ["Anna"]
    assert not opened.rating.label_map.array.any()
    assert opened.rating.scheme.name == "brats2021"
    record = json.loads(anna.sidecar_path(reading).read_bytes())["reading"]
    assert record["status"] == "started"
    assert record["started_utc"]


def test_saved_voxels_come_back_and_the_file_is_right_on_the_native_grid(anna: Study, tmp_path: Path) -> None:
    reading = anna.readings["Anna"][0]
    labels = np.where(ball((12, 10, 6), 3), 2, 0)
    _save(anna, reading, labels, tmp_path)
    again = open_reading(anna, reading, tmp_path)
    assert np.array_equal(again.rating.label_map.array, labels)
    assert again.notes == ()
    image = nibabel.load(anna.mask_path(reading))
    flair = next(anna.case_path(reading.case).glob("*flair*"))
    assert np.allclose(image.affine, nibabel.load(flair).affine)
    # RAS inside; the file is LPS, so both first axes are turned round.
    assert np.array_equal(np.asarray(image.dataobj), labels[::-1, ::-1, :])
    sidecar = json.loads(anna.sidecar_path(reading).read_bytes())
    assert sidecar["case"] == reading.case
    assert sidecar["rater"] == "Anna"


def test_a_locked_reading_can_neither_be_saved_nor_annotated_again(anna: Study, tmp_path: Path) -> None:
    reading = anna.readings["Anna"][0]
    _save(anna, reading, ball((12, 10, 6), 3), tmp_path, lock=True)
    before = anna.mask_path(reading).read_bytes(), anna.sidecar_path(reading).read_bytes()
    opened = open_reading(anna, reading, tmp_path)
    assert opened.is_locked
    with pytest.raises(UserError, match="reading_locked"):
        save_reading(anna, opened, LabelMap(np.zeros(SHAPE, np.uint8)), opened.record)
    with pytest.raises(UserError, match="reading_locked"):
        write_record(anna, reading, opened.record)
    assert (anna.mask_path(reading).read_bytes(), anna.sidecar_path(reading).read_bytes()) == before
    assert not anna.mask_path(reading).stat().st_mode & stat.S_IWUSR


def test_the_second_reading_of_a_case_shows_nothing_of_the_first(anna: Study, tmp_path: Path) -> None:
    second = next(r for r in anna.readings["Anna"] if r.repeat == 2)
    first = next(r for r in anna.readings["Anna"] if r.case == second.case and r.repeat == 1)
    session = Session(tmp_path, "Anna")
    opened = open_reading(anna, first, tmp_path)
    session.open(opened.case)
    with opened.rating.history.edit("Brush") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), np.ones(SHAPE, np.uint8))
    again = open_reading(anna, second, tmp_path)
    session.close()
    assert again.found is None
    again = open_reading(anna, second, tmp_path)
    assert again.found is None, "steps of the first reading are offered in the second"
    assert open_reading(anna, first, tmp_path).found is not None
    # Not even its undo steps after an export of equal labels.
    _save(anna, first, np.zeros(SHAPE), tmp_path)
    _save(anna, second, np.zeros(SHAPE), tmp_path)
    session.open(open_reading(anna, second, tmp_path).case)
    assert session.shown is not None
    assert session.shown.history.undo_names == ()
    session.close()


def test_a_reading_that_starts_from_the_network_gets_its_mask_as_a_step(
    make_study: Make, tmp_path: Path
) -> None:
    study = Study.open(make_study(start="ai").folder, "Ben")
    reading = study.readings["Ben"][0]
    with pytest.raises(UserError, match="study_start_missing"):
        open_reading(study, reading, tmp_path)
    _write_ai(study, reading.case)
    opened = open_reading(study, reading, tmp_path)
    assert opened.start is not None
    session = Session(tmp_path, "Ben")
    session.open(opened.case)
    session.start_from(opened.start)
    assert [r.rater for r in opened.case.ratings] == ["Ben"], "the network's mask itself is not listed"
    assert np.array_equal(opened.rating.label_map.array, np.where(ball((12, 10, 6), 4), 2, 0))
    session.undo()
    assert not opened.rating.label_map.array.any()
    session.close()
    study.close()


def _write_ai(study: Study, case: str, labels: np.ndarray | None = None) -> None:
    path = study.other_path("ai", case)
    path.parent.mkdir(parents=True, exist_ok=True)
    flair = nibabel.load(next(study.case_path(case).glob("*flair*")))
    numbers = np.where(ball((12, 10, 6), 4), 2, 0) if labels is None else labels
    nibabel.save(nibabel.Nifti1Image(numbers[::-1, ::-1].astype(np.uint8), flair.affine), path)


def test_a_full_disk_leaves_the_older_draft_as_it_was(
    anna: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = anna.readings["Anna"][0]
    _save(anna, reading, ball((12, 10, 6), 3), tmp_path)
    before = anna.mask_path(reading).read_bytes(), anna.sidecar_path(reading).read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "write_synced", full)
    with pytest.raises(UserError, match="disk_full"):
        _save(anna, reading, ball((12, 10, 6), 4), tmp_path, lock=True)
    assert (anna.mask_path(reading).read_bytes(), anna.sidecar_path(reading).read_bytes()) == before


# What changed meanwhile ----------------------------------------------------------------------------------


@pytest.fixture
def finished(make_study: Make, read: Read) -> Path:
    """A study of two readers, all locked and unblinded; each mask a ball of its own size."""
    study = make_study(repeats=1)
    read(study.folder, "Anna", lambda r: 2 * ball((12, 10, 6), 3 + 0.2 * r.repeat))
    read(study.folder, "Ben", lambda r: 2 * ball((12, 11, 6), 3.4))
    study.unblind(by="Anna")
    return study.folder


def test_locked_readings_of_an_unblinded_study_are_its_material(finished: Path) -> None:
    material = material_of(finished)
    assert material.exclusions == ()
    assert [(r.name, r.kind) for r in material.raters] == [
        ("Anna", RaterKind.HUMAN),
        ("Ben", RaterKind.HUMAN),
        ("Reference", RaterKind.REFERENCE),
    ]
    readings = [f for f in material.files if f.kind is RaterKind.HUMAN]
    assert len(readings) == 8
    assert sum(f.repeat == 2 for f in readings) == 2
    assert all(f.blinded for f in readings)
    assert "seed 5" in material.design["Order"]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("mask", "reading_mask_changed"),
        ("sidecar", "reading_seal_broken"),
        ("sidecar gone", "reading_sidecar_missing"),
        ("sidecar broken", "reading_sidecar_broken"),
        ("mask gone", "reading_mask_missing"),
        ("image", "reading_images_changed"),
        ("image gone", "reading_images_changed"),
    ],
)
def test_what_was_changed_after_locking_is_left_out_and_named(finished: Path, damage: str, code: str) -> None:
    study = Study.open(finished)
    reading = next(r for r in study.readings["Ben"] if r.repeat == 1)
    mask, sidecar = study.mask_path(reading), study.sidecar_path(reading)
    image = next(study.case_path(reading.case).glob("*t1ce*"))
    if damage == "mask":
        mask.chmod(0o644)
        nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), nibabel.load(mask).affine), mask)
    elif damage == "sidecar":
        sidecar.chmod(0o644)
        content = json.loads(sidecar.read_bytes())
        content["reading"]["active_s"] = 1.0
        sidecar.write_text(json.dumps(content))
    elif damage == "sidecar gone":
        sidecar.unlink()
    elif damage == "sidecar broken":
        sidecar.chmod(0o644)
        sidecar.write_bytes(b"\xff{")
    elif damage == "mask gone":
        mask.unlink()
    elif damage == "image":
        data = nibabel.load(image)
        nibabel.save(nibabel.Nifti1Image(np.asarray(data.dataobj) + 1, data.affine), image)
    else:
        image.unlink()
    material = material_of(finished)
    named = {(e.case, e.rater, e.reason.code) for e in material.exclusions}
    assert (reading.case, "Ben", code) in named
    left = [f for f in material.files if f.rater == "Ben" and f.case == reading.case]
    assert (
        len(left) == sum(r.case == reading.case and r.repeat == 2 for r in study.readings["Ben"]) or not left
    )


def test_the_reader_is_told_of_changed_images_at_the_next_opening(anna: Study, tmp_path: Path) -> None:
    reading = anna.readings["Anna"][0]
    _save(anna, reading, ball((12, 10, 6), 3), tmp_path)
    image = next(anna.case_path(reading.case).glob("*flair*"))
    data = nibabel.load(image)
    nibabel.save(nibabel.Nifti1Image(np.asarray(data.dataobj) + 1, data.affine), image)
    notes = open_reading(anna, reading, tmp_path).notes
    assert [n.code for n in notes] == ["reading_images_changed"]
    assert notes[0].params["sequences"] == ["FLAIR"]


def test_drafts_do_not_count(make_study: Make, read: Read) -> None:
    study = make_study(blinded=False)
    read(study.folder, "Anna", lambda r: ball((12, 10, 6), 3), lock=False)
    read(study.folder, "Ben", lambda r: ball((12, 10, 6), 3))
    material = material_of(study.folder)
    assert {f.rater for f in material.files} == {"Ben", "Reference"}
    assert [e.reason.code for e in material.exclusions] == ["reading_not_locked"] * 3


def test_after_unblinding_a_case_is_opened_with_all_its_masks(finished: Path) -> None:
    study = Study.open(finished)
    repeated = next(r.case for r in study.readings["Anna"] if r.repeat == 2)
    opened = open_comparison(study, repeated)
    names = [r.rater for r in opened.case.ratings]
    assert sorted(names) == ["Anna", "Anna (repeat)", "Ben", "Ben (repeat)", "Reference"]
    anna = opened.case.rating("Anna")
    assert anna is not None
    assert np.array_equal(anna.label_map.array, 2 * ball((12, 10, 6), 3.2))


def test_a_reading_locked_after_unblinding_says_so(make_study: Make, read: Read) -> None:
    study = make_study()
    read(study.folder, "Anna", lambda r: ball((12, 10, 6), 3))
    study.unblind(by="Anna", early=True)
    read(study.folder, "Ben", lambda r: ball((12, 10, 6), 3))
    material = material_of(study.folder)
    assert {(f.rater, f.blinded) for f in material.files if f.kind is RaterKind.HUMAN} == {
        ("Anna", True),
        ("Ben", False),
    }
    assert "3 readings open" in material.design["Blinding"]


def test_time_flags_and_remark_go_into_the_locked_record(anna: Study, tmp_path: Path) -> None:
    reading = anna.readings["Anna"][0]
    opened = open_reading(anna, reading, tmp_path)
    record = msgspec.structs.replace(opened.record, active_s=61.0, flags=("unsure",), remark="where?")
    save_reading(anna, opened, LabelMap(np.zeros(SHAPE, np.uint8)), record, lock=True)
    item = anna.worklist("Anna")[0]
    assert (item.status, item.active_s, item.flags, item.remark) == ("locked", 61.0, ("unsure",), "where?")
