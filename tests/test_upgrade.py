"""What older versions wrote opens for ever; what newer ones wrote is refused in words and left as it is."""

from __future__ import annotations

import json
import re
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from brainseg_desktop import __version__
from brainseg_desktop.core.case import Case, RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.io import journal_format
from brainseg_desktop.io.journal import move_to_exported
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services import choices
from brainseg_desktop.services.case_display import CaseDisplay, DisplayKeeper, display_path, load_display
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import open_case, read_rating
from brainseg_desktop.services.pacs.nodes import load_pacs, pacs_path, save_pacs
from brainseg_desktop.services.paths import state_dir
from brainseg_desktop.services.recovery import pending
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import load_settings, save_settings, settings_path
from brainseg_desktop.services.studies.known import known_studies, remember_study
from brainseg_desktop.services.studies.material import material_of
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.reading import changes_since, hash_file, open_reading, save_reading
from brainseg_desktop.services.studies.record import study_to_dict
from brainseg_desktop.services.studies.study import Study
from tests.kept.make_kept import CASE, forms, study_labels

KEPT = Path(__file__).parent / "kept"
VERSIONS = sorted(path.name for path in KEPT.iterdir() if (path / "home").is_dir())


def holding(part: str) -> list[str]:
    """The versions that have kept files of a kind."""
    return [version for version in VERSIONS if (KEPT / version / part).exists()]


Place = Callable[[str], Path]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Puts the files of a version where this test's program looks for its own."""

    def put(version: str) -> Path:
        folder = tmp_path / version
        shutil.copytree(KEPT / version, folder)
        for path in folder.rglob("*"):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        monkeypatch.setenv("BRAINSEG_HOME", str(folder / "home"))
        return folder

    return put


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """The case that all versions drew on, in another place than then."""
    shutil.copytree(KEPT / CASE, tmp_path / "moved" / CASE)
    return open_case(find_case(tmp_path / "moved" / CASE)).case


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(state_dir(), "First reader")
    yield made
    made.close()


# Older versions ---------------------------------------------------------------------------------------------


def test_every_version_has_kept_files() -> None:
    assert {"0.1.0", "0.2.0", "0.3.0", __version__} <= set(VERSIONS)
    assert sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file()) < 700_000


def test_no_file_tells_where_it_was_made() -> None:
    for path in (p for p in KEPT.rglob("*") if p.suffix in (".json", ".toml", ".journal")):
        for told in re.findall(rb'"(/[^"]*)"', path.read_bytes()):
            assert told.startswith(b"/tmp/brainseg-kept"), path


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_arrive(version: str, place: Place) -> None:
    written = json.loads((place(version) / "home" / "config" / "settings.json").read_bytes())
    before = settings_path().read_bytes()
    loaded = load_settings()
    assert loaded.problem is None
    assert settings_path().read_bytes() == before
    arrived = json.loads(msgspec.json.encode(loaded.settings))
    if written.pop("outline_only", False):
        assert arrived["mask_style"] == "outline"
    assert len(written) > 8
    for name, value in written.items():
        if isinstance(value, dict):
            assert {**arrived[name], **value} == arrived[name], name
        else:
            assert arrived[name] == value, name


@pytest.mark.parametrize("version", holding("home/config/pacs.json"))
def test_archives_arrive(version: str, place: Place) -> None:
    place(version)
    found, problem = load_pacs()
    assert problem is None
    assert [(n.title, n.host, n.port, n.ae_title) for n in found.nodes] == [
        ("Archive", "192.0.2.7", 11113, "ARCHIVE")
    ]
    assert (found.inbox.port, found.inbox.callers) == (11114, ("MR1",))


@pytest.mark.parametrize("version", VERSIONS)
def test_strokes_after_a_crash_come_back_with_undo(
    version: str, place: Place, case: Case, session: Session
) -> None:
    states = np.load(place(version) / "states.npz")["states"]
    session.state_dir = state_dir()
    (found,) = pending(state_dir())
    assert found.strokes == 4
    session.open(case)
    rating = session.recover(found)
    assert (rating.rater, rating.kind, rating.scheme.name) == ("First reader", RaterKind.HUMAN, "brats2021")
    np.testing.assert_array_equal(rating.label_map.array, states[2])
    assert session.redo() == "Brush 2"
    np.testing.assert_array_equal(rating.label_map.array, states[3])
    for state in reversed(states[:3]):
        session.undo()
        np.testing.assert_array_equal(rating.label_map.array, state)
    session.undo()
    assert not rating.label_map.array.any()
    assert session.undo() is None
    # The journal goes on: what is drawn now is in it too.
    with rating.history.edit("Brush, today") as stroke:
        stroke.paint(found_box(case), np.ones((2, 2, 2), bool), 2)
    session.close()
    (again,) = pending(state_dir())
    session.open(open_case(find_case(Path(case.volumes[next(iter(case.volumes))].source.path).parent)).case)
    assert np.count_nonzero(session.recover(again).label_map.array) == 8


def found_box(case: Case) -> Any:
    from brainseg_desktop.core.geometry import Box

    return Box((1, 1, 1), (3, 3, 3))


@pytest.mark.parametrize("version", VERSIONS)
def test_exported_masks_open_with_their_labels_and_sides(version: str, place: Place, case: Case) -> None:
    folder = place(version) / "exported"
    expected = np.load(folder / "expected.npz")["labels"]
    assert not np.array_equal(expected, expected[::-1]), "a mask that could not tell left from right"
    rating, why = read_rating(case, folder / "mask.nii.gz")
    np.testing.assert_array_equal(rating.label_map.array, expected)
    assert (rating.rater, rating.kind) == ("First reader", RaterKind.HUMAN)
    assert why.code == "scheme_by_sidecar"
    for name in ("mask.seg.nrrd", "bids"):
        if (folder / name).exists():
            path = next(folder.joinpath(name).rglob("*.nii.gz")) if name == "bids" else folder / name
            other, _ = read_rating(case, path)
            np.testing.assert_array_equal(other.label_map.array, expected)


@pytest.mark.parametrize("version", holding("home/state/display"))
def test_windows_of_a_case_arrive(version: str, place: Place, case: Case) -> None:
    place(version)
    display = load_display(case)
    assert display is not None
    assert display.windows == {"FLAIR": (12.0, 180.0)}
    assert display.colour_maps == {"T2": "hot"}


@pytest.mark.parametrize("version", VERSIONS)
def test_networks_of_ones_own_stay_known(version: str) -> None:
    """From 0.2.0 on, which was the first that took networks of its user's own."""
    folder = KEPT / version / "network"
    if version.startswith("0.1."):
        # One network for every kind of exam, in one file that nothing reads any more: said, not guessed at.
        with pytest.raises(UserError, match="card_invalid"):
            read_card(folder)
        return
    written = tomllib.loads((folder / "model.toml").read_text())
    card = read_card(folder)
    assert (card.name, card.version) == (written["name"], written["version"])
    assert [list(one.regions) for one in card.networks] == [one["regions"] for one in written["networks"]]
    assert [one.sha256 for one in card.networks] == [one["sha256"] for one in written["networks"]]


@pytest.mark.parametrize("version", holding("study"))
def test_a_study_opens_with_all_readings_as_they_were(version: str, place: Place) -> None:
    folder = place(version) / "study"
    study = Study.open(folder)
    assert study.unblinded is not None
    assert study.unblinded.by == "First reader"
    first, other = study.design.readers
    expected = {
        first.key: [("locked", ()), ("draft", ()), ("draft", ("poor_quality",))],
        other.key: [("locked", ())] * 3,
    }
    for reader in study.design.readers:
        for number, reading in enumerate(study.readings[reader.key]):
            found = study.sidecar(reading)
            assert found is not None
            assert found.seal_holds
            assert (found.record.status, found.record.flags) == expected[reader.key][number]
            assert found.record.active_s == 61.5 + number
            path = study.mask_path(reading)
            assert changes_since(found, hash_file(path), None, path) == []
    # As a reader: each opens with the labels drawn then, an unfinished one can be locked now.
    study = Study.open(folder, first.key)
    try:
        for number, reading in enumerate(study.readings[first.key]):
            opened = open_reading(study, reading, state_dir())
            assert list(opened.notes) == [
                note for note in opened.notes if not note.code.startswith("reading")
            ]
            labels = opened.rating.label_map.array
            np.testing.assert_array_equal(labels, study_labels(labels.shape, number))
            assert opened.is_locked == (number == 0)
            if number == 2:
                assert opened.record.remark == "Motion."
                save_reading(study, opened, LabelMap(np.array(labels)), opened.record, lock=True)
                assert study.sidecar(reading).record.status == "locked"
    finally:
        study.close()


@pytest.mark.parametrize("version", holding("study"))
def test_a_study_has_the_results_of_then(version: str, place: Place, tmp_path: Path) -> None:
    folder = place(version) / "study"
    expected = json.loads((folder / "expected.json").read_bytes())
    report = measure_study(material_of(folder), workers=0, cache=tmp_path / "cache")
    found = json.loads(msgspec.json.encode(study_to_dict(report), enc_hook=float))["regions"]
    assert expected["WT"]["dice"]["pairs"]
    for region, numbers in expected.items():
        assert found[region]["measures"]["dice"] == numbers["dice"]
        assert found[region]["volume_ml"] == numbers["volume_ml"]


def test_forms_did_not_change_without_kept_files() -> None:
    kept = json.loads((KEPT / __version__ / "forms.json").read_bytes())
    changed = [name for name, form in forms().items() if kept.get(name) != json.loads(json.dumps(form))]
    assert not changed, (
        f"{changed}: make the kept files of {__version__} anew (tests/kept/README.md), and raise the version "
        "of a form that an older program would misread"
    )


# Newer versions ---------------------------------------------------------------------------------------------


def aside_of(path: Path) -> Path:
    (found,) = path.parent.glob(f"{path.stem}-broken-*{path.suffix}")
    return found


def make_newer(path: Path, key: str = "version") -> bytes:
    """A file as a later version might write it: another number, a value and a field that nobody knows yet."""
    content = {**json.loads(path.read_bytes()), key: 99, "theme": "by the sun", "later": [1]}
    path.write_bytes(json.dumps(content).encode())
    return path.read_bytes()


@pytest.mark.parametrize(
    ("where", "load", "save"),
    [(settings_path, lambda: load_settings().problem, lambda: save_settings(load_settings().settings)),
     (pacs_path, lambda: load_pacs()[1], lambda: save_pacs(load_pacs()[0]))],
    ids=["settings", "archives"],
)  # fmt: skip
def test_newer_settings_are_put_aside_whole(
    place: Place, where: Callable[[], Path], load: Callable[[], UserError | None], save: Callable[[], None]
) -> None:
    place(__version__)
    content = make_newer(where())
    problem = load()
    assert problem is not None
    assert "newer version" in words(problem)
    assert str(aside_of(where())) in words(problem)
    save()
    assert load() is None
    assert aside_of(where()).read_bytes() == content


def test_settings_that_cannot_be_read_are_not_written_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(__version__)
    content = settings_path().read_bytes()
    whole = Path.read_bytes

    def fail(self: Path) -> bytes:
        if self == settings_path():
            raise PermissionError(13, "Permission denied")
        return whole(self)

    monkeypatch.setattr(Path, "read_bytes", fail)
    loaded = load_settings()
    assert loaded.problem is not None
    save_settings(loaded.settings)
    assert whole(aside_of(settings_path())) == content


def test_newer_windows_of_a_case_are_put_aside_whole(place: Place, case: Case) -> None:
    place(__version__)
    path = display_path(case)
    assert path is not None
    content = make_newer(path)
    told: list[UserError] = []
    keeper = DisplayKeeper(told.append)
    keeper.load(case)
    assert "newer version" in words(told[0])
    keeper.save(case, CaseDisplay(windows={"T1": (1.0, 2.0)}))
    assert aside_of(path).read_bytes() == content


@pytest.mark.parametrize("change", ["header", "magic"])
def test_a_newer_journal_is_told_and_kept(place: Place, case: Case, session: Session, change: str) -> None:
    place(__version__)
    session.state_dir = state_dir()
    (path,) = (state_dir() / "journals").glob("*.journal")
    content = path.read_bytes()
    if change == "magic":
        content = content[:4] + b"\x02" + content[5:]
    else:
        header = b'{"format":99,"pictures":"otherwise"}'
        content = journal_format.MAGIC + journal_format.frame(journal_format.HEADER, header) + content[8:]
    path.write_bytes(content)
    told: list[UserError] = []
    assert pending(state_dir(), told) == []
    (error,) = told
    assert "newer version" in words(error)
    assert path.name in words(error)
    # Work goes on beside it, in a journal of its own.
    session.open(case)
    own = session.own_rating()
    with own.history.edit("Brush") as stroke:
        stroke.paint(found_box(case), np.ones((2, 2, 2), bool), 2)
    session.close()
    assert len(pending(state_dir())) == 1
    assert path.read_bytes() == content


def test_a_newer_journal_of_an_exported_mask_stays(place: Place) -> None:
    folder = place(__version__) / "home" / "state" / "journals"
    (path,) = (folder / "exported").glob("*.journal")
    (own,) = folder.glob("*.journal")
    content = path.read_bytes()
    header = journal_format.read_journal(path).header
    newer = content[:4] + b"\x02" + content[5:]
    path.write_bytes(newer)
    assert move_to_exported(own, header, path.stem.rpartition("-")[2]) == path
    assert path.read_bytes() == newer


def test_a_newer_study_is_refused_and_kept(place: Place) -> None:
    path = place(__version__) / "study" / "study.toml"
    path.write_text(path.read_text().replace("format = 1", "format = 2"))
    content = path.read_bytes()
    with pytest.raises(UserError, match="study_newer") as told:
        Study.open(path.parent, "Firstreader")
    assert "newer version" in words(told.value)
    assert path.read_bytes() == content


def test_a_newer_note_of_unblinding_is_refused_and_kept(place: Place) -> None:
    folder = place(__version__) / "study"
    content = make_newer(folder / "unblinded.json", "format")
    study = Study.open(folder)
    with pytest.raises(UserError, match="study_newer"):
        _ = study.is_blinded
    with pytest.raises(UserError, match="study_newer"):
        study.unblind(by="First reader", early=True)
    assert (folder / "unblinded.json").read_bytes() == content


def test_a_newer_reading_is_refused_and_kept(place: Place) -> None:
    folder = place(__version__) / "study"
    design = Study.open(folder).design
    study = Study.open(folder, design.readers[0].key)
    try:
        reading = study.readings[design.readers[0].key][1]
        whole = open_reading(study, reading, state_dir())
        content, mask = (
            make_newer(study.sidecar_path(reading), "format"),
            study.mask_path(reading).read_bytes(),
        )
        with pytest.raises(UserError, match="sidecar_newer") as told:
            open_reading(study, reading, state_dir())
        assert "newer version" in words(told.value)
        labels = LabelMap(np.zeros_like(whole.rating.label_map.array))
        with pytest.raises(UserError, match="sidecar_newer"):
            save_reading(study, whole, labels, whole.record)
        items = [item for item in study.worklist(reading.reader) if item.reading == reading]
        assert items[0].problem is not None
        assert study.sidecar_path(reading).read_bytes() == content
        assert study.mask_path(reading).read_bytes() == mask
    finally:
        study.close()


def test_a_newer_sidecar_keeps_its_mask_closed(place: Place, case: Case) -> None:
    folder = place(__version__) / "exported"
    content = make_newer(folder / "mask.json", "format")
    with pytest.raises(UserError, match="sidecar_newer") as told:
        read_rating(case, folder / "mask.nii.gz")
    assert "newer version" in words(told.value)
    assert (folder / "mask.json").read_bytes() == content


def test_a_newer_network_is_refused_and_kept(place: Place) -> None:
    path = place(__version__) / "network" / "model.toml"
    path.write_text("later = 1\n" + path.read_text())
    content = path.read_bytes()
    with pytest.raises(UserError, match="card_invalid") as told:
        read_card(path.parent)
    assert "later" in words(told.value)
    assert path.read_bytes() == content


def test_lists_of_a_later_form_are_put_aside_whole(place: Place, tmp_path: Path) -> None:
    place(__version__)
    for path in (state_dir() / "studies.json", choices.choices_path()):
        path.write_bytes(b'{"version": 2, "studies": {"later": true}}')
    remember_study(tmp_path)
    choices.remember({tmp_path / "a.nii": choices.ImageChoice(2)})
    assert known_studies() == (tmp_path,)
    for path in (state_dir() / "studies.json", choices.choices_path()):
        assert aside_of(path).read_bytes() == b'{"version": 2, "studies": {"later": true}}'
