"""What is found in a folder or a DICOMDIR, and what is never looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.dicom import scan as scanning
from brainseg_desktop.io.dicom.exams import find_exams
from brainseg_desktop.io.dicom.scan import holds_dicom, scan_folder
from brainseg_desktop.io.layouts import CaseKind, choose_series, find_case, find_cases, find_exam, series_at
from tests.dicom_making import (
    AXIAL,
    CORONAL,
    PATIENT,
    SAGITTAL,
    SCREENSHOT,
    Making,
    blocks,
    one_slice,
    save,
    save_series,
)


def save_listing(folder: Path, references: Iterable[list[str]]) -> Path:
    """A DICOMDIR with these file IDs."""
    listing = Dataset()
    listing.SOPClassUID, listing.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3.4"
    records = []
    for parts in references:
        record = Dataset()
        record.OffsetOfTheNextDirectoryRecord = 400  # to itself: nobody may follow it
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        records.append(record)
    listing.DirectoryRecordSequence = Items(records)
    return save(listing, folder / "DICOMDIR")


def exam(folder: Path, study: str = "1.2.1", **tags: str) -> Path:
    """Two series of one study, in folders of their own."""
    for number, (name, description) in enumerate((("A", "t1_tse"), ("B", "t2_tse")), 1):
        making = Making(blocks(), description=description, number=number, study=study, place="1.9", tags=tags)
        save_series(folder / name, making)
    return folder


def test_nested_folders_without_suffixes(tmp_path: Path) -> None:
    exam(tmp_path / "disc" / "DATA")
    (tmp_path / "disc" / "readme.txt").write_text("DICOM images. " * 40)
    (tmp_path / "disc" / "empty").write_bytes(b"")
    case = find_case(tmp_path / "disc")
    assert case.kind is CaseKind.DICOM
    assert case.name == "disc"
    assert {s.value: one.name for s, one in case.series.items()} == {"T1": "series 1", "T2": "series 2"}
    assert [n.code for n in case.notes] == ["series_taken", "series_taken"]


def test_a_file_stands_for_its_exam(tmp_path: Path) -> None:
    making = Making(blocks(), description="t1")
    files = save_series(tmp_path / "one", making)
    case = find_case(files[3])
    assert set(case.series) == {Sequence.T1}
    assert case.notes[-1].code == "whole_exam_taken"


def test_a_folder_without_dicom_holds_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x" * 500)
    assert not holds_dicom(tmp_path)
    assert find_cases(tmp_path) == []
    with pytest.raises(UserError, match="case_not_found"):
        find_case(tmp_path)


def test_two_studies_in_one_folder_are_two_exams(tmp_path: Path) -> None:
    for number, (study, date) in enumerate((("1.2.1", "20240301"), ("1.2.2", "20230301"))):
        tags = {"StudyDate": date}
        save_series(tmp_path / "flat", Making(blocks(), number=number + 1, study=study, tags=tags))
    with pytest.raises(UserError) as raised:
        find_case(tmp_path / "flat")
    assert raised.value.code == "folder_of_cases"
    cases = find_cases(tmp_path / "flat")
    assert [c.name for c in cases] == ["flat exam 1", "flat exam 2"]
    # The older one first.
    assert cases[0].exam is not None
    assert cases[0].exam.series[0].study_uid == "1.2.2"
    again = find_exam(tmp_path / "flat", cases[1].exam.series[0].path)
    assert again.series[Sequence.T1].study_uid == "1.2.1"


def test_studies_in_folders_of_their_own_keep_their_names(tmp_path: Path) -> None:
    exam(tmp_path / "all" / "before", "1.2.1")
    exam(tmp_path / "all" / "after", "1.2.2")
    assert sorted((c.name, c.folder.name) for c in find_cases(tmp_path / "all")) == [
        ("after", "after"),
        ("before", "before"),
    ]


def test_an_exam_beside_cases_of_another_kind(tmp_path: Path, small_case: Path) -> None:
    exam(tmp_path / "scanner")
    assert sorted((c.kind.value, c.name) for c in find_cases(tmp_path)) == [
        ("dicom", "scanner"),
        ("nifti", small_case.name),
    ]


def test_the_same_series_are_found_again_by_their_files(tmp_path: Path) -> None:
    case = find_case(exam(tmp_path / "e"))
    turned = choose_series(case, {Sequence.FLAIR: case.series[Sequence.T1]})
    assert [n.code for n in turned.notes] == []
    again = series_at(turned.images)
    assert {s: one.name for s, one in again.series.items()} == {Sequence.FLAIR: "series 1"}
    with pytest.raises(UserError, match="file_missing"):
        series_at({Sequence.T1: tmp_path / "e" / "gone"})


# Listings and links --------------------------------------------------------------------------------------


def test_a_dicomdir_gives_the_files_it_lists(tmp_path: Path) -> None:
    files = save_series(tmp_path / "IMAGES", Making(blocks()))
    save_series(tmp_path / "OTHERS", Making(blocks(), number=2))
    listing = save_listing(tmp_path, (["IMAGES", p.name] for p in files))
    case = find_case(listing)
    assert case.name == tmp_path.name
    assert case.exam is not None
    assert [one.shape for one in case.exam.series] == [(8, 10, 6)]


def test_a_dicomdir_in_small_letters(tmp_path: Path) -> None:
    files = save_series(tmp_path / "images", Making(blocks()))
    for path in files:
        path.rename(path.with_name(path.name.lower()))
    listing = save_listing(tmp_path, (["IMAGES", p.name] for p in files))
    assert len(scan_folder(listing).instances) == 6


@pytest.mark.parametrize(
    "way", [["..", "secret"], ["/", "secret"], ["IMAGES", "..", "..", "secret"], ["link"]]
)
def test_a_dicomdir_does_not_lead_outside(tmp_path: Path, way: list[str]) -> None:
    save(one_slice(Making(blocks()), 0), tmp_path / "secret")
    disc = tmp_path / "disc"
    files = save_series(disc / "IMAGES", Making(blocks(), number=2))
    (disc / "link").symlink_to(tmp_path / "secret")
    steps = [str(tmp_path / "secret")] if way[0] == "/" else way
    listing = save_listing(disc, [steps, *(["IMAGES", p.name] for p in files)])
    found = scan_folder(listing)
    assert [i.path.parent.name for i in found.instances] == ["IMAGES"] * 6
    assert [n.code for n in found.notes] == ["dicomdir_leads_outside"]


def test_a_dicomdir_of_nothing(tmp_path: Path) -> None:
    listing = save_listing(tmp_path, [["IMAGES", "IM1"]])
    with pytest.raises(UserError) as raised:
        find_case(listing)
    assert raised.value.code == "dicomdir_empty"


def test_a_damaged_dicomdir(tmp_path: Path) -> None:
    listing = save_listing(tmp_path, [["IMAGES", "IM1"]])
    listing.write_bytes(listing.read_bytes()[:-30])
    with pytest.raises(UserError) as raised:
        find_case(listing)
    assert raised.value.code in ("dicomdir_empty", "dicom_damaged")


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    save_series(tmp_path / "other", Making(blocks(), number=2))
    save_series(tmp_path / "exam", Making(blocks()))
    (tmp_path / "exam" / "more").symlink_to(tmp_path / "other")
    (tmp_path / "exam" / "again").symlink_to(tmp_path / "exam")
    found = scan_folder(tmp_path / "exam")
    assert len(found.instances) == 6
    assert [(n.code, n.params["count"]) for n in found.notes] == [("dicom_links_left_out", 1)]


def test_too_many_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_FILES", 4)
    save_series(tmp_path, Making(blocks()))
    found = scan_folder(tmp_path)
    assert len(found.instances) == 4
    assert [n.code for n in found.notes] == ["dicom_folder_large"]


def test_progress_is_told(tmp_path: Path) -> None:
    save_series(tmp_path, Making(blocks()))
    seen: list[tuple[int, int]] = []
    scan_folder(tmp_path, lambda done, total: seen.append((done, total)))
    assert sorted(seen)[-1] == (6, 6)
    assert len(seen) == 6


# What is no volume of a head -----------------------------------------------------------------------------


def reasons(folder: Path) -> list[str]:
    (found,) = find_exams(folder)
    return [(one.refusal or one.aside or UserError("offered")).code for one in found.series]


def test_a_localiser_in_three_planes(tmp_path: Path) -> None:
    for number, frame in enumerate((AXIAL, SAGITTAL, CORONAL)):
        making = Making(blocks(3), frame, description="survey", series="1.5", study="1.6")
        for index in range(3):
            save(one_slice(making, index), tmp_path / f"{number}{index}")
    assert reasons(tmp_path) == ["series_localiser"]


def test_a_screenshot_and_other_objects(tmp_path: Path) -> None:
    for number, (sop_class, modality, tags) in enumerate(
        (
            (SCREENSHOT, "OT", {}),
            ("1.2.840.10008.5.1.4.1.1.66.4", "SEG", {}),
            ("1.2.840.10008.5.1.4.1.1.88.11", "SR", {}),
            ("1.2.840.10008.5.1.4.1.1.2", "CT", {}),
            ("1.2.840.10008.5.1.4.1.1.4", "MR", {"ImageType": ["DERIVED", "PRIMARY", "MIP"]}),
            ("1.2.840.10008.5.1.4.1.1.4", "MR", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ),
        1,
    ):
        tags = {"Modality": modality, **tags}
        making = Making(blocks(), number=number, study="1.6", sop_class=sop_class, tags=tags)
        save_series(tmp_path / str(number), making)
    assert reasons(tmp_path) == [
        "series_screenshot",
        "series_no_image",
        "series_no_image",
        "series_not_mr",
        "series_projection",
        "series_colour",
    ]


def test_a_diffusion_series_is_one_row(tmp_path: Path) -> None:
    for value in range(6):
        making = Making(blocks(), series="1.5", study="1.6", tags={"DiffusionBValue": float(value)})
        for index in range(6):
            save(one_slice(making, index), tmp_path / f"{value}{index}")
    assert reasons(tmp_path) == ["series_many_volumes"]


def test_a_folder_named_like_the_patient_gives_no_name(tmp_path: Path) -> None:
    family = PATIENT.split("^")[0]
    assert find_case(exam(tmp_path / f"{family.upper()}_2024")).name == "exam 1"
    stand_in = exam(tmp_path / f"{family}_b", PatientIdentityRemoved="YES")
    assert find_case(stand_in).name == f"{family}_b"


def test_the_patient_is_in_nothing_that_is_shown(tmp_path: Path) -> None:
    family = PATIENT.split("^")[0]
    case = find_case(exam(tmp_path / "e", SeriesDescription=f"t1 {family.lower()}"))
    assert case.exam is not None
    shown = f"{case!r} {case.exam!r} {[s.description for s in case.exam.series]} {case.notes}"
    for one in case.exam.series:
        shown += repr(one)
    for secret in ("quillfeather", "zebedee", "qz-48151623", "19310714", "acc-9970077", "1.2.1"):
        assert secret not in shown.lower()
    assert case.exam.series[0].description == "t1 ..."
