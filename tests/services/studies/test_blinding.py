"""Every way to another's mask, the network's mask or a score that does not go through the window."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.cli import Front, run
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import CaseFiles, CaseKind, assign, find_case
from brainseg_desktop.services.opening import check_readable, load_mask, open_case, read_rating
from brainseg_desktop.services.recovery import pending_for
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.studies.blinding import check_open
from brainseg_desktop.services.studies.material import material_of, open_comparison
from brainseg_desktop.services.studies.reading import open_reading, save_reading
from brainseg_desktop.services.studies.study import Study

from .conftest import SHAPE, ball

Make = Callable[..., Study]
Read = Callable[..., None]
FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)


@pytest.fixture
def blind(make_study: Make, read: Read) -> Study:
    """A blinded study in which Anna has locked everything and Ben has not begun."""
    study = make_study()
    read(study.folder, "Anna", lambda r: 2 * ball((12, 10, 6), 3))
    return study


@pytest.fixture
def ben(blind: Study) -> Iterator[Study]:
    study = Study.open(blind.folder, "Ben")
    yield study
    study.close()


@pytest.fixture
def annas(blind: Study) -> Path:
    """A mask that Ben must not see."""
    return blind.mask_path(blind.readings["Anna"][0])


@pytest.fixture
def case(blind: Study) -> Path:
    return blind.case_path(blind.readings["Anna"][0].case)


def _refused(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([str(a) for a in arguments], FRONT) == 2
    said = capsys.readouterr()
    assert "blinded" in said.err
    assert len(said.err.strip().splitlines()) == 1 or "study" in said.err
    return said.out


# Files ---------------------------------------------------------------------------------------------------


def _ways(path: Path, tmp_path: Path) -> Iterator[Path]:
    """The same file by other names."""
    yield path
    yield path.parent / ".." / path.parent.name / path.name
    yield Path(os.path.relpath(path))
    link = tmp_path / "innocent.nii.gz"
    link.symlink_to(path)
    yield link
    folder = tmp_path / "elsewhere"
    folder.symlink_to(path.parent, target_is_directory=True)
    yield folder / path.name


def test_a_mask_is_not_read_by_any_name(annas: Path, case: Path, tmp_path: Path) -> None:
    other = open_case_elsewhere(case, tmp_path)
    for path in _ways(annas, tmp_path):
        with pytest.raises(UserError, match="blinded_mask"):
            load_mask(path)
        with pytest.raises(UserError, match="blinded_mask"):
            read_rating(other, path)
        with pytest.raises(UserError, match="blinded_mask"):
            open_case(assign([path], {path: Sequence.FLAIR}))
        copied = find_case(tmp_path / "copy" / case.name)
        with pytest.raises(UserError, match="blinded_mask"):
            open_case(CaseFiles("x", CaseKind.NIFTI, dict(copied.images), (path,)))
        with pytest.raises(UserError, match="blinded_mask"):
            check_readable([path])


def open_case_elsewhere(case: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A copy of a case outside the study, which anybody may open."""
    copy = shutil.copytree(case, tmp_path / "copy" / case.name)
    return open_case(find_case(copy)).case


def test_not_even_ones_own_first_reading_is_loaded_beside(
    blind: Study, read: Read, case: Path, tmp_path: Path
) -> None:
    read(blind.folder, "Ben", lambda r: ball((12, 10, 6), 3), lock=False)
    mine = blind.mask_path(blind.readings["Ben"][0])
    with pytest.raises(UserError, match="blinded_mask"):
        load_mask(mine)


def test_a_case_of_the_study_is_not_opened_alone(case: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(case, target_is_directory=True)
    image = next(case.glob("*flair*"))
    for path in (case, link, image, link / image.name):
        with pytest.raises(UserError, match="blinded_case"):
            open_case(find_case(path))
    with pytest.raises(UserError, match="blinded_case"):
        load_mask(next(case.glob("*seg*")))


def test_the_case_is_known_on_this_machine_though_it_lies_outside_the_study(case: Path, blind: Study) -> None:
    assert not case.resolve().is_relative_to(blind.folder.resolve())
    check_open([blind.folder.parent / "nothing"])
    with pytest.raises(UserError, match="blinded_case"):
        check_open([case])


@pytest.mark.parametrize("file", ["study.toml", "unblinded.json"])
def test_damage_does_not_unblind(blind: Study, annas: Path, file: str) -> None:
    (blind.folder / file).write_bytes(b"\xff\x00 broken")
    with pytest.raises(UserError, match="blinded_mask"):
        load_mask(annas)


def test_reports_of_a_blinded_study_are_not_opened_either(blind: Study) -> None:
    with pytest.raises(UserError, match="blinded_mask"):
        check_open([blind.folder / "reports" / "study.json"])


# Readings ------------------------------------------------------------------------------------------------


def test_a_reading_holds_no_mask_but_ones_own(ben: Study, tmp_path: Path) -> None:
    for reading in ben.readings["Ben"]:
        opened = open_reading(ben, reading, tmp_path)
        assert [r.rater for r in opened.case.ratings] == ["Ben"]
        assert not opened.rating.label_map.array.any()
        assert reading.case not in opened.case.name


def test_nobody_reads_in_anothers_name_while_he_reads(blind: Study) -> None:
    anna = Study.open(blind.folder, "Anna")
    with pytest.raises(UserError, match="study_reader_elsewhere"):
        Study.open(blind.folder, "Anna")
    anna.close()


def test_comparison_and_statistics_wait(ben: Study, blind: Study, case: Path) -> None:
    for study in (ben, blind):
        with pytest.raises(UserError, match="study_blinded"):
            open_comparison(study, case.name)
    with pytest.raises(UserError, match="study_blinded") as told:
        material_of(blind.folder)
    assert (told.value.params["open"], told.value.params["all"]) == (3, 6)


def test_strokes_of_another_are_not_offered_on_the_same_machine(
    blind: Study, read: Read, tmp_path: Path, ben: Study
) -> None:
    """Ben's program crashed; Carl opens the same images, or Ben the case alone: neither gets the strokes."""
    from brainseg_desktop.core.geometry import Box

    state = tmp_path / "shared-state"
    opened = open_reading(ben, ben.readings["Ben"][0], state)
    session = Session(state, "Ben")
    session.open(opened.case)
    with opened.rating.history.edit("Brush") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), np.ones(SHAPE, np.uint8))
    session.close()
    assert pending_for(opened.case, state) is None
    assert open_reading(ben, ben.readings["Ben"][0], state).found is not None
    assert open_reading(ben, ben.readings["Ben"][1], state).found is None
    anna = Study.open(blind.folder, "Anna")
    same = next(r for r in anna.readings["Anna"] if r.case == ben.readings["Ben"][0].case)
    assert open_reading(anna, same, state).found is None
    anna.close()


def test_the_own_mask_cannot_be_written_over_anothers(ben: Study, annas: Path, tmp_path: Path) -> None:
    from brainseg_desktop.services.export import export_rating

    opened = open_reading(ben, ben.readings["Ben"][0], tmp_path)
    before = annas.read_bytes()
    for path in _ways(annas, tmp_path):
        with pytest.raises(UserError, match="inside_ratings"):
            export_rating(opened.case, opened.rating, path)
    assert annas.read_bytes() == before


# Command line --------------------------------------------------------------------------------------------


def test_the_command_line_gives_nothing_away(
    blind: Study, annas: Path, case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seg, out = next(case.glob("*seg*")), tmp_path / "out"
    image = next(case.glob("*flair*"))
    for arguments in (
        ["compare", annas, annas],
        ["compare", seg, annas, "--json"],
        ["agreement", annas, seg],
        ["agreement", annas, annas.parent / ".." / "Anna" / annas.name, "-o", out],
        ["export", annas, "--like", image, "--to", "nifti", "-o", out / "x.nii.gz"],
        ["export", annas, "--like", image, "--to", "png", "-o", out / "x.png"],
        ["audit", annas, "-o", out / "a.csv"],
        ["evaluate", "glioma-unet", case],
        ["data", "describe", case.parent],
        ["data", "describe", case],
    ):
        printed = _refused(arguments, capsys)
        assert "0." not in printed, arguments
    assert not out.exists() or not any(out.rglob("*.*"))


def test_segmenting_a_case_of_the_study_is_refused(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["segment", str(case), "-o", str(tmp_path / "out"), "--json"], FRONT) == 2
    result = json.loads(capsys.readouterr().out)["cases"][0]
    assert result["output"] is None
    assert "blinded" in result["error"]
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_checking_says_what_a_file_is_and_no_more(
    annas: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(["check", str(annas), "--json"], FRONT)
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert not result["opens"]
    assert result["masks"] == {}


def test_all_of_it_is_to_be_had_after_unblinding(
    blind: Study, read: Read, annas: Path, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(blind.folder, "Ben", lambda r: 2 * ball((12, 10, 6), 3.3))
    blind.unblind(by="Anna")
    assert load_mask(annas).tissues.any()
    assert open_case(find_case(case)).case.ratings
    assert run(["compare", str(next(case.glob("*seg*"))), str(annas), "--json"], FRONT) == 0
    assert json.loads(capsys.readouterr().out)["regions"]["WT"]["dice"]["value"] > 0.5


def test_a_study_that_is_not_blinded_hides_nothing(make_study: Make, read: Read) -> None:
    study = make_study(blinded=False)
    read(study.folder, "Anna", lambda r: 2 * ball((12, 10, 6), 3))
    assert load_mask(study.mask_path(study.readings["Anna"][0])).tissues.any()
    assert open_case(find_case(study.case_path("BraTS2021_00001"))).case.ratings


def test_saving_needs_the_readers_own_claim(ben: Study, blind: Study, tmp_path: Path) -> None:
    """Whoever opened the study without being its reader has no way to write a reading."""
    opened = open_reading(ben, ben.readings["Ben"][0], tmp_path)
    with pytest.raises(AssertionError):
        save_reading(blind, opened, LabelMap(np.zeros(SHAPE, np.uint8)), opened.record)
