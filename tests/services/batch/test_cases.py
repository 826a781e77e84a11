"""Which cases are meant: told before any is begun, and the same in another process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services.batch.cases import CaseRef, as_ref, from_ref, input_files, plan_cases
from tests.dicom_example import example


def case(folder: Path, name: str | None = None) -> Path:
    folder.mkdir(parents=True)
    for sequence in ("t1", "flair"):
        (folder / f"{name or folder.name}_{sequence}.nii.gz").write_bytes(sequence.encode())
    return folder


def test_a_tree_is_every_case_in_it(tmp_path: Path) -> None:
    for place in ("b", "sub/a", "sub/deep/er/c"):
        case(tmp_path / "tree" / place)
    plan = plan_cases([tmp_path / "tree"], tmp_path / "out")
    assert [c.name for c in plan.cases] == ["b", "a", "c"]
    assert all(c.error is None for c in plan.cases)


def test_of_two_with_one_name_the_second_loses_in_any_letters(tmp_path: Path) -> None:
    first, second, third = case(tmp_path / "x/P1"), case(tmp_path / "y/P1"), case(tmp_path / "z/p1")
    for places in ([first, second, third], [tmp_path]):
        plan = plan_cases(places, tmp_path / "out")
        assert [c.error and c.error.code for c in plan.cases] == [
            None,
            "output_name_taken",
            "output_name_taken",
        ]


def test_what_is_no_case_is_told_in_its_place(tmp_path: Path) -> None:
    good = case(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    plan = plan_cases([tmp_path / "missing", good, tmp_path / "empty"], tmp_path / "out")
    assert [c.error and c.error.code for c in plan.cases] == ["file_missing", None, "case_not_found"]


def test_a_case_is_the_same_in_another_process(small_case: Path) -> None:
    files = find_case(small_case)
    ref = msgspec.json.decode(msgspec.json.encode(as_ref(files)), type=CaseRef)
    assert from_ref(ref) == files


def test_remarks_travel_with_a_case(tmp_path: Path) -> None:
    folder = case(tmp_path / "P")
    (folder / "P_t1_again.nii.gz").write_bytes(b"")
    files = find_case(folder)
    assert files.notes
    found = from_ref(msgspec.json.decode(msgspec.json.encode(as_ref(files)), type=CaseRef))
    assert [(n.code, n.params) for n in found.notes] == [(n.code, n.params) for n in files.notes]


def test_a_dicom_exam_is_found_again(tmp_path: Path) -> None:
    example(tmp_path / "exam", np.eye(4), (6, 5, 4))
    files = find_case(tmp_path / "exam")
    found = from_ref(msgspec.json.decode(msgspec.json.encode(as_ref(files)), type=CaseRef))
    assert found.images
    assert (found.name, found.images, set(found.series)) == (files.name, files.images, set(files.series))


def test_inputs_are_all_that_a_mask_follows_from_but_the_run_s_own(tmp_path: Path) -> None:
    folder = case(tmp_path / "P")
    for name in ("P_seg.nii.gz", "P_seg.json", "P_other_seg.nii.gz", "P_other_seg.json"):
        (folder / name).write_bytes(b"")
    own = [folder / "P_seg.nii.gz", folder / "P_seg.json"]
    found = {p.name for paths in input_files(find_case(folder), own).values() for p in paths}
    assert found == {"P_t1.nii.gz", "P_flair.nii.gz", "P_other_seg.nii.gz", "P_other_seg.json"}


@pytest.mark.parametrize("name", ["T1", "FLAIR"])
def test_a_sequence_is_told_by_its_name_not_by_its_order(tmp_path: Path, name: str) -> None:
    found = input_files(find_case(case(tmp_path / "P")), [])
    assert [p.name for p in found[name]] == [f"P_{name.lower()}.nii.gz"]
