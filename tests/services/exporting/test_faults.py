"""What must not happen: inputs overwritten, halves left, wrong files called saved, patients mixed up."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.exporting import labels as label_forms
from brainseg_desktop.services.exporting.dicom import origin_of
from brainseg_desktop.services.exporting.forms import FORMS, form_named
from brainseg_desktop.services.exporting.job import Form, job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import read_rating
from tests.dicom_example import example, oblique
from tests.exporting_example import ORIENTATIONS, SHAPE, nifti_case, octants, orientation_affine

OBLIQUE = oblique((12, -20, 33), (0.9, 0.9, 5.0))


@pytest.fixture
def exam(tmp_path: Path) -> Case:
    return example(tmp_path / "exam", OBLIQUE, SHAPE)


def names(form: Form) -> list[str]:
    return [f"m{form.suffixes[0]}"] if form.suffixes else ["m"]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.key)
def test_a_failing_disk_leaves_everything_as_it_was(
    exam: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    out = tmp_path / "out"
    first, second = octants(exam), octants(exam)
    with second.history.edit("x") as stroke:
        from brainseg_desktop.core.geometry import Box

        stroke.paint(Box((2, 2, 2), (4, 4, 4)), np.ones((2, 2, 2), bool), 3)
    destination = out / names(form)[0]
    write_form(form, job_for(exam, first, destination))
    before = tree(tmp_path)
    for owner, name, number, code in (
        (os, "fsync", errno.ENOSPC, "disk_full"),
        (Path, "open", errno.EACCES, "no_permission"),
    ):
        real, count = getattr(owner, name), 0

        def fail(*args: object, real=real, number=number, name=name, **kwargs: object) -> object:  # type: ignore[no-untyped-def]
            nonlocal count
            writes = name == "fsync" or "x" in str(args[1:])
            count += writes
            if writes and count >= 1:
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            with pytest.raises(UserError) as caught:
                write_form(form, job_for(exam, second, destination))
        assert caught.value.code == code
        assert tree(tmp_path) == before
    fresh = tmp_path / "new" / "deep" / names(form)[0]
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(UserError):
        write_form(form, job_for(exam, second, fresh))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.key)
def test_a_disk_that_lies_is_found_out(
    exam: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    from brainseg_desktop.io import atomic

    real = atomic.write_synced
    monkeypatch.setattr(atomic, "write_synced", lambda path, data: real(path, data[:-1] + b"\1"))
    with pytest.raises(UserError, match="export_differs"):
        write_form(form, job_for(exam, octants(exam), tmp_path / "out" / names(form)[0]))
    assert not (tmp_path / "out").exists()


def test_a_writer_that_errs_is_found_out(exam: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = label_forms.seg_nrrd_bytes
    shifted = Grid(exam.grid.shape, exam.grid.voxel_to_world + np.eye(4, k=3))
    for wrong in (
        lambda tissues, scheme, like, grid, author: real(np.roll(tissues, 1, 0), scheme, like, grid, author),
        lambda tissues, scheme, like, grid, author: real(tissues, scheme, like, shifted, author),
    ):
        monkeypatch.setattr(label_forms, "seg_nrrd_bytes", wrong)
        with pytest.raises(UserError, match="export_differs"):
            write_form(form_named("nrrd"), job_for(exam, octants(exam), tmp_path / "m.seg.nrrd"))
    assert not list(tmp_path.glob("*.nrrd"))


def test_inputs_are_never_overwritten(exam: Case, tmp_path: Path) -> None:
    first = sorted((tmp_path / "exam").iterdir())[0]
    (tmp_path / "link.dcm").symlink_to(first)
    before = tree(tmp_path / "exam")
    with pytest.raises(UserError, match="would_overwrite_input"):
        write_form(form_named("dicom-seg"), job_for(exam, octants(exam), tmp_path / "link.dcm"))
    case = nifti_case(tmp_path / "in", orientation_affine(ORIENTATIONS[4]))
    with pytest.raises(UserError, match="would_overwrite_input"):
        write_form(form_named("itksnap"), job_for(case, octants(case), tmp_path / "in" / "exam_flair.nii.gz"))
    assert tree(tmp_path / "exam") == before


def test_what_a_form_cannot_hold_is_said(exam: Case, tmp_path: Path) -> None:
    case = nifti_case(tmp_path / "in", OBLIQUE)
    with pytest.raises(UserError) as caught:
        write_form(form_named("dicom-seg"), job_for(case, octants(case), tmp_path / "m.dcm"))
    assert "Open the DICOM exam" in words(caught.value)
    for key, name in (
        ("nifti", "m.png"),
        ("stl", "m.obj"),
        ("nrrd", "m"),
        ("coco", "m.json"),
        ("csv", ".csv"),
    ):
        with pytest.raises(UserError, match="destination_not_form"):
            write_form(form_named(key), job_for(case, octants(case), tmp_path / name))
    blank = octants(case)
    blank.label_map = LabelMap(np.zeros(case.grid.shape, np.uint8))
    for key in ("stl", "ply"):
        with pytest.raises(UserError, match="nothing_marked"):
            write_form(form_named(key), job_for(case, blank, tmp_path / "surfaces"))
    assert not (tmp_path / "surfaces").exists()
    with pytest.raises(UserError, match="format_not_offered"):
        form_named("docx")


@pytest.mark.parametrize("form", [f for f in FORMS if f.key not in ("stl", "ply")], ids=lambda f: f.key)
def test_an_empty_mask_is_a_finding_too(exam: Case, tmp_path: Path, form: Form) -> None:
    blank = Rating("R", RaterKind.HUMAN, LabelMap(np.zeros(SHAPE, np.uint8)), scheme_named("brats2021"))
    blank.label_map = LabelMap(np.zeros(exam.grid.shape, np.uint8))
    written = write_form(form, job_for(exam, blank, tmp_path / names(form)[0]))
    assert written.voxels == 0
    if form.key in ("nifti", "itksnap", "nrrd", "dicom-seg"):
        back, _ = read_rating(exam, written.path)
        assert not back.label_map.array.any()


def test_a_segmentation_refers_to_what_it_was_drawn_on(exam: Case, tmp_path: Path) -> None:
    rating = octants(exam)
    write_form(form_named("dicom-seg"), job_for(exam, rating, tmp_path / "m.dcm"))
    made = pydicom.dcmread(tmp_path / "m.dcm")
    files = next(iter(exam.volumes.values())).source.header.files
    originals = {pydicom.dcmread(f).SOPInstanceUID for f in files}
    first = pydicom.dcmread(files[0])
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    referenced = {
        i.ReferencedSOPInstanceUID for i in made.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referenced <= originals
    for name in ("StudyInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID"):
        assert made[name].value == first[name].value
    codes = {
        s.SegmentLabel: (
            s.SegmentedPropertyTypeCodeSequence[0].CodeValue,
            s.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator,
            s.SegmentedPropertyCategoryCodeSequence[0].CodeValue,
            s.SegmentAlgorithmType,
        )
        for s in made.SegmentSequence
    }
    assert codes == {
        "Necrosis": ("6574001", "SCT", "49755003", "MANUAL"),
        "Oedema": ("79654002", "SCT", "49755003", "MANUAL"),
        "Enhancing": ("C113842", "NCIt", "49755003", "MANUAL"),
    }


def test_a_series_that_is_no_more_what_was_opened_is_refused(exam: Case, tmp_path: Path) -> None:
    files = next(iter(exam.volumes.values())).source.header.files
    before = files[2].read_bytes()
    for change, reason in (
        ({"SeriesInstanceUID": "1.2.3"}, "another series"),
        ({"Rows": 5}, "another size"),
        ({"ImagePositionPatient": [0, 0, 0]}, "another place"),
        ({"PixelSpacing": [2, 2]}, "another place"),
    ):
        instance = pydicom.dcmread(files[2])
        for name, value in change.items():
            setattr(instance, name, value)
        instance.save_as(files[2])
        with pytest.raises(UserError) as caught:
            write_form(form_named("dicom-seg"), job_for(exam, octants(exam), tmp_path / "m.dcm"))
        assert caught.value.code == "dicom_source_changed"
        assert reason in words(caught.value)
        files[2].write_bytes(before)
    files[2].unlink()
    with pytest.raises(UserError, match="dicom_source_missing"):
        write_form(form_named("dicom-seg"), job_for(exam, octants(exam), tmp_path / "m.dcm"))
    assert not (tmp_path / "m.dcm").exists()


def test_who_made_it(exam: Case, tmp_path: Path) -> None:
    network = {"model": "glioma-unet", "version": "1.2"}
    cases = [
        (RaterKind.MODEL, network, ("AUTOMATIC", "glioma-unet", "1.2")),
        (RaterKind.HUMAN, {"started_from": {"kind": "model", **network}},
         ("SEMIAUTOMATIC", "glioma-unet", "1.2")),
        (RaterKind.HUMAN, {"started_from": {"kind": "human", "started_from": {"kind": "model", **network}}},
         ("SEMIAUTOMATIC", "glioma-unet", "1.2")),
        (RaterKind.HUMAN, {"started_from": {"kind": "human"}}, ("MANUAL", "", "")),
        (RaterKind.REFERENCE, {}, ("MANUAL", "", "")),
        (RaterKind.CONSENSUS, {"consensus": "staple"}, ("SEMIAUTOMATIC", "Consensus (staple)", "1")),
    ]  # fmt: skip
    for number, (kind, details, expected) in enumerate(cases):
        rating = octants(exam)
        rating.kind, rating.details = kind, details
        origin = origin_of(rating)
        assert (origin.kind, origin.algorithm, origin.version) == expected
        path = tmp_path / f"{number}.dcm"
        write_form(form_named("dicom-seg"), job_for(exam, rating, path))
        segment = pydicom.dcmread(path).SegmentSequence[0]
        assert (segment.SegmentAlgorithmType, segment.get("SegmentAlgorithmName", "")) == expected[:2]
        back, _ = read_rating(exam, path)
        # What is written again from what was read says the same.
        assert origin_of(back).kind == expected[0]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)")
@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("kind", [RaterKind.MODEL, RaterKind.HUMAN])
def test_the_validator_finds_no_error(tmp_path: Path, frames: bool, kind: RaterKind) -> None:
    case = example(tmp_path / "exam", OBLIQUE, SHAPE, frames=frames)
    rating = octants(case)
    rating.kind, rating.details = kind, {"model": "glioma-unet", "version": "1.0"}
    write_form(form_named("dicom-seg"), job_for(case, rating, tmp_path / "m.dcm"))
    done = subprocess.run(["dciodvfy", tmp_path / "m.dcm"], capture_output=True, text=True, check=False)
    assert "Segmentation" in done.stderr
    assert [line for line in done.stderr.splitlines() if "Error" in line] == []
