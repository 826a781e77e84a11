"""A study on the disk: made, opened by its readers, its worklist, its blinding."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import Reader, StudyCase, StudyDesign
from brainseg_desktop.io.study import DESIGN_FILE, read_design, write_design
from brainseg_desktop.services.studies.known import known_studies
from brainseg_desktop.services.studies.reading import open_reading, write_record
from brainseg_desktop.services.studies.study import Study, cases_in, create_study

from .conftest import SHAPE, ball, write_case

Make = Callable[..., Study]
Read = Callable[..., None]


def test_a_study_is_read_back_as_it_was_made(make_study: Make) -> None:
    made = make_study(repeats=1, start="ai", reveal="case", assigned={"Ben": ["BraTS2021_00001"]})
    assert read_design(made.folder) == made.design
    assert [r.case for r in made.readings["Ben"]] == ["BraTS2021_00001"] * 2
    assert len(made.readings["Anna"]) == 4


def test_names_that_toml_and_files_could_trip_over_survive(tmp_path: Path, case_folder: Path) -> None:
    study = create_study(
        tmp_path / "s",
        'Müller\'s "trial"\n[x] = 1',
        cases_in(case_folder),
        ["Łukasz 'O\"Neil", "李", "../../etc"],
        scheme="brats2021",
    )
    assert read_design(study.folder) == study.design
    for reader in study.design.readers:
        opened = Study.open(study.folder, reader.key)
        assert (
            opened.mask_path(opened.readings[reader.key][0]).resolve().is_relative_to(study.folder.resolve())
        )
        opened.close()


def test_the_case_folders_may_lie_in_the_study_and_move_with_it(tmp_path: Path) -> None:
    write_case(tmp_path / "a" / "cases" / "BraTS2021_00007", 1)
    study = create_study(
        tmp_path / "a", "Trial", cases_in(tmp_path / "a" / "cases"), ["Anna"], scheme="brats2021"
    )
    assert [c.path for c in study.design.cases] == ["cases/BraTS2021_00007"]
    (tmp_path / "a").rename(tmp_path / "b")
    assert Study.open(tmp_path / "b").case_path("BraTS2021_00007").is_dir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"readers": []}, "no readers"),
        ({"readers": ["Anna", "anna"]}, "two readers"),
        ({"repeats": 4}, "4 repeats of 3 cases"),
        ({"tolerance_mm": 0.0}, "tolerance"),
        ({"assigned": {"Anna": ["nobody"]}}, "nobody is assigned"),
    ],
)
def test_a_design_that_cannot_be_carried_out_is_refused(make_study: Make, change: dict, reason: str) -> None:
    with pytest.raises(UserError, match="study_invalid") as told:
        make_study(**change)
    assert reason in str(told.value)


def test_a_second_study_in_the_same_folder_is_refused(make_study: Make) -> None:
    first = make_study()
    with pytest.raises(UserError, match="study_exists"):
        make_study(repeats=1)
    assert read_design(first.folder) == first.design


@pytest.mark.parametrize(
    "text", ["", "format = 1", "format = 'x'", "\x00\xff", "a = [" * 2000, "format = 99\nname = 'x'"]
)
def test_a_damaged_design_is_named(make_study: Make, text: str) -> None:
    study = make_study()
    (study.folder / DESIGN_FILE).write_text(text, encoding="latin-1")
    with pytest.raises(UserError) as told:
        Study.open(study.folder)
    assert told.value.code in ("study_broken", "study_newer")
    assert str(DESIGN_FILE) in str(told.value)


# Order ---------------------------------------------------------------------------------------------------


def _design(cases: int, repeats: int = 0, seed: int = 1, readers: int = 3) -> StudyDesign:
    return StudyDesign(
        "Trial",
        "brats2021",
        tuple(Reader(f"Reader {i}", f"r{i}") for i in range(readers)),
        tuple(StudyCase(f"case{i}", f"c/{i}") for i in range(cases)),
        seed=seed,
        repeats=repeats,
    )


def test_each_reader_has_an_order_of_his_own_that_only_the_seed_decides() -> None:
    design = _design(40)
    orders = [[r.case for r in design.readings(f"r{i}")] for i in range(3)]
    assert all(sorted(o) == sorted(c.name for c in design.cases) for o in orders)
    assert len({tuple(o) for o in orders}) == 3
    assert orders == [[r.case for r in _design(40).readings(f"r{i}")] for i in range(3)]
    assert orders[0] != [r.case for r in _design(40, seed=2).readings("r0")]
    # Another reader joins: the others' orders stay.
    assert orders[0] == [r.case for r in _design(40, readers=5).readings("r0")]


@pytest.mark.parametrize("seed", range(8))
def test_repeats_come_late_enough_and_are_the_same_cases_for_all(seed: int) -> None:
    design = _design(40, repeats=10, seed=seed)
    repeated = []
    for reader in ("r0", "r1"):
        readings = design.readings(reader)
        assert [r.number for r in readings] == list(range(1, 51))
        place = {(r.case, r.repeat): r.number for r in readings}
        again = [r for r in readings if r.repeat == 2]
        assert all(place[r.case, 2] > place[r.case, 1] for r in again)
        assert np.mean([place[r.case, 2] - place[r.case, 1] for r in again]) > 15
        repeated.append({r.case for r in again})
    assert repeated[0] == repeated[1]
    assert len(repeated[0]) == 10


# Readers -------------------------------------------------------------------------------------------------


def test_the_same_reader_twice_is_told_where_and_others_are_not_disturbed(make_study: Make) -> None:
    folder = make_study().folder
    anna = Study.open(folder, "Anna")
    with pytest.raises(UserError, match="study_reader_elsewhere") as told:
        Study.open(folder, "Anna")
    assert told.value.params["reader"] == "Anna"
    assert told.value.params["host"]
    ben = Study.open(folder, "Ben")
    anna.close()
    Study.open(folder, "Anna").close()
    ben.close()
    with pytest.raises(UserError, match="study_reader_unknown"):
        Study.open(folder, "Carl")


def test_writing_after_the_folder_was_taken_over_is_refused(make_study: Make, tmp_path: Path) -> None:
    folder = make_study().folder
    anna = Study.open(folder, "Anna")
    opened = open_reading(anna, anna.readings["Anna"][0], tmp_path / "state")
    assert anna.claim is not None
    anna.claim.path.unlink()
    other = Study.open(folder, "Anna")
    before = anna.sidecar_path(opened.reading).read_bytes()
    with pytest.raises(UserError, match="claim_lost"):
        write_record(anna, opened.reading, opened.record)
    assert anna.sidecar_path(opened.reading).read_bytes() == before
    anna.close()
    assert other.claim is not None
    assert other.claim.path.exists(), "the first program must not take the claim of the second away"
    other.close()


# Worklist ------------------------------------------------------------------------------------------------


def test_the_worklist_tells_how_far_each_reading_is(make_study: Make, read: Read, tmp_path: Path) -> None:
    folder = make_study().folder
    anna = Study.open(folder, "Anna")
    first = anna.readings["Anna"][0]
    opened = open_reading(anna, first, tmp_path / "state")
    assert [i.status for i in anna.worklist("Anna")] == ["started", "new", "new"]
    import msgspec

    write_record(
        anna,
        first,
        msgspec.structs.replace(opened.record, flags=("discuss",), remark="edge?", active_s=12.5),
    )
    item = anna.worklist("Anna")[0]
    assert (item.flags, item.remark, item.active_s) == (("discuss",), "edge?", 12.5)
    anna.close()
    read(folder, "Anna", lambda r: np.zeros(SHAPE))
    assert [i.status for i in Study.open(folder).worklist()] == ["locked"] * 3 + ["new"] * 3


def test_a_blinded_reader_sees_numbers_in_place_of_names(make_study: Make) -> None:
    study = make_study(repeats=1)
    assert [i.title for i in study.worklist("Anna")] == [f"Reading {n:03d}" for n in range(1, 5)]
    study.unblind(by="Anna", early=True)
    titles = [i.title for i in study.worklist("Anna")]
    assert {t for t in titles if "repeat" not in t} == {f"BraTS2021_{n:05d}" for n in range(3)}
    assert sum(t.endswith(" (repeat)") for t in titles) == 1


def test_a_broken_record_is_a_line_of_the_worklist_and_not_its_end(make_study: Make) -> None:
    study = make_study()
    path = study.sidecar_path(study.readings["Anna"][1])
    path.parent.mkdir(parents=True)
    path.write_text("{ not json")
    items = study.worklist("Anna")
    assert [i.problem is None for i in items] == [True, False, True]
    assert items[1].problem is not None
    assert items[1].problem.code == "reading_sidecar_broken"


def test_a_thousand_cases_are_listed_quickly_enough(tmp_path: Path) -> None:
    # The budget of 1 s is measured by the bench; here only that nothing is quadratic or reads images.
    design = _design(1000, repeats=50)
    write_design(tmp_path, design)
    begun = time.process_time()
    study = Study.open(tmp_path)
    assert len(study.worklist("r0")) == 1050
    assert time.process_time() - begun < 10


def test_opened_studies_are_known_on_this_machine(make_study: Make) -> None:
    study = make_study()
    assert known_studies() == (study.folder,)


# Blinding ------------------------------------------------------------------------------------------------


def test_unblinding_waits_for_all_readings_unless_it_is_meant(make_study: Make, read: Read) -> None:
    study = make_study()
    read(study.folder, "Anna", lambda r: ball((12, 10, 6), 3))
    with pytest.raises(UserError, match="study_not_finished") as told:
        study.unblind(by="Anna")
    assert (told.value.params["open"], told.value.params["all"]) == (3, 6)
    assert study.is_blinded
    read(study.folder, "Ben", lambda r: ball((12, 10, 6), 3))
    note = study.unblind(by="Anna")
    assert note.open_readings == 0
    assert not Study.open(study.folder).is_blinded


def test_who_reads_a_case_to_the_end_may_see_it_where_the_design_says_so(
    make_study: Make, read: Read
) -> None:
    study = make_study(reveal="case", repeats=1)
    repeated = next(r.case for r in study.readings["Anna"] if r.repeat == 2)
    plain = next(c.name for c in study.design.cases if c.name != repeated)
    anna = Study.open(study.folder, "Anna")
    assert not anna.may_see_others(plain)
    anna.close()
    read(study.folder, "Anna", lambda r: ball((12, 10, 6), 3))
    anna, ben = Study.open(study.folder, "Anna"), Study.open(study.folder, "Ben")
    assert anna.may_see_others(plain)
    assert anna.may_see_others(repeated)
    assert not ben.may_see_others(plain)
    assert not Study.open(study.folder).may_see_others(plain)
    anna.close()
    ben.close()


def test_a_damaged_note_of_unblinding_opens_nothing(make_study: Make) -> None:
    study = make_study()
    (study.folder / "unblinded.json").write_text("yes")
    with pytest.raises(UserError, match="study_broken"):
        study.worklist()
