"""Against a real archive: what is sent is found, and comes back as it was, by every way there is."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pydicom
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.client import check_node, find, retrieve, send, series_of
from brainseg_desktop.services.pacs.credentials import Credentials
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.records import Query, Retrieved, SeriesEntry, StudyEntry

from .exams import NAME, PATIENT, write_series
from .orthanc import PASSWORD, USER, Orthanc

LOGIN = Credentials(USER, PASSWORD)
WAYS = ("move", "get", "web")


def node_of(orthanc: Orthanc, way: str) -> PacsNode:
    if way == "web":
        return orthanc.web
    return orthanc.node if way == "move" else msgspec.structs.replace(orthanc.node, receive_port=0)


def study_of(node: PacsNode, files: list[Path]) -> StudyEntry:
    uid = str(pydicom.dcmread(files[0]).StudyInstanceUID)
    found = [s for s in find(node, Query(patient_id=PATIENT), LOGIN) if s.uid == uid]
    assert len(found) == 1
    return found[0]


def same_as(files: list[Path], back: list[Path]) -> None:
    """Every instance came back once, equal element by element."""
    sent = {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, files)}
    came = [pydicom.dcmread(path) for path in back]
    assert sorted(str(d.SOPInstanceUID) for d in came) == sorted(sent)
    for each in came:
        assert each == sent[str(each.SOPInstanceUID)]
        assert np.array_equal(each.pixel_array, sent[str(each.SOPInstanceUID)].pixel_array)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("outward", ["move", "web"])
def test_a_series_comes_back_as_it_was(orthanc: Orthanc, tmp_path: Path, way: str, outward: str) -> None:
    files = write_series(tmp_path / "exam", count=5)
    told: list[tuple[int, int | None]] = []
    sent = send(node_of(orthanc, outward), files, lambda d, t: told.append((d, t)), credentials=LOGIN)
    assert (sent.sent, sent.failed, sent.cancelled, sent.problem) == (5, 0, False, None)
    assert told == [(n, 5) for n in range(1, 6)]
    node = node_of(orthanc, way)
    study = study_of(node, files)
    assert (study.patient_name, study.patient_id, study.accession) == ("Doe Jane", PATIENT, "ACC99")
    assert (study.day, study.description) == (date(2026, 1, 31), "Brain MR")
    assert (study.modalities, study.series) == (("MR",), 1)
    told.clear()
    back = retrieve(node, study, tmp_path / "back", lambda d, t: told.append((d, t)), credentials=LOGIN)
    assert (back.new, back.replaced, back.duplicates, back.failed) == (5, 0, 0, 0)
    assert (back.cancelled, back.problem) == (False, None)
    same_as(files, list((tmp_path / "back").iterdir()))
    assert told[-1][0] >= 4
    # Once more: recognised, nothing doubled.
    again = retrieve(node, study, tmp_path / "back", credentials=LOGIN)
    assert (again.new, again.replaced, again.duplicates) == (0, 0, 5)
    assert len(list((tmp_path / "back").iterdir())) == 5


@pytest.mark.parametrize("way", WAYS)
def test_one_series_of_a_study(orthanc: Orthanc, tmp_path: Path, way: str) -> None:
    study_uid = pydicom.uid.generate_uid()
    first = write_series(tmp_path / "a", 2, study_uid)
    second = write_series(tmp_path / "b", 3, study_uid)
    assert send(orthanc.node, [*first, *second]).sent == 5
    node = node_of(orthanc, way)
    series = series_of(node, study_of(node, first), LOGIN)
    assert sorted(s.instances or 0 for s in series) == [2, 3]
    assert {(s.number, s.modality, s.description) for s in series} == {(3, "MR", "T1 ax")}
    wanted = next(s for s in series if s.instances == 3)
    assert isinstance(wanted, SeriesEntry)
    back = retrieve(node, wanted, tmp_path / "back", credentials=LOGIN)
    assert back.new == 3
    same_as(second, list((tmp_path / "back").iterdir()))


@pytest.mark.data
@pytest.mark.parametrize("way", WAYS)
def test_a_segmentation_and_packed_images_come_back_equal(
    orthanc: Orthanc, tmp_path: Path, data_dir: Path, way: str
) -> None:
    folder = data_dir / "dicom"
    names = ("seg_image_ct_binary.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm")
    for name in names:
        path = folder / name
        assert send(orthanc.node, [path]).sent == 1
        given = pydicom.dcmread(path)
        node = node_of(orthanc, way)
        study = StudyEntry(str(given.StudyInstanceUID))
        series = [s for s in series_of(node, study, LOGIN) if s.uid == given.SeriesInstanceUID]
        back = retrieve(node, series[0], tmp_path / f"{way}-{path.stem}", credentials=LOGIN)
        came = {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, sorted(back.folder.iterdir()))}[
            str(given.SOPInstanceUID)
        ]
        assert np.array_equal(came.pixel_array, given.pixel_array)
        if name.startswith("seg"):
            assert came == given
            if way != "get":
                assert came.file_meta.TransferSyntaxUID == given.file_meta.TransferSyntaxUID


def test_what_is_asked_narrows_what_is_found(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam", 1)
    assert send(orthanc.node, files).sent == 1
    uid = str(pydicom.dcmread(files[0]).StudyInstanceUID)
    there = (
        Query(),
        Query(patient_name="Doe"),
        Query(patient_name="doe^j*"),
        Query(accession="ACC99"),
        Query(first=date(2026, 1, 31), last=date(2026, 1, 31)),
        Query(last=date(2026, 2, 1)),
        Query(modality="mr"),
    )
    absent = (
        Query(patient_name="Smith"),
        Query(patient_id="nobody"),
        Query(first=date(2026, 2, 1)),
        Query(last=date(2026, 1, 30)),
        Query(modality="CT", patient_id=PATIENT),
        Query(accession="other"),
    )
    for node in (orthanc.node, orthanc.web):
        for query in there:
            assert uid in {s.uid for s in find(node, query, LOGIN)}, (node.title, query.matched())
        for query in absent:
            assert uid not in {s.uid for s in find(node, query, LOGIN)}, (node.title, query.matched())
        assert len(find(node, Query(limit=1), LOGIN)) == 1


def test_a_test_says_how_long_it_took_or_why_not(orthanc: Orthanc) -> None:
    assert 0 < check_node(orthanc.node) < 10
    assert 0 < check_node(orthanc.web, LOGIN) < 10
    replace = msgspec.structs.replace
    for node, login, code, said in (
        (replace(orthanc.node, ae_title="OTHER"), None, "pacs_called_title", "OTHER"),
        (replace(orthanc.web, url=orthanc.web.url + "x"), LOGIN, "pacs_not_dicomweb", "URL"),
        (orthanc.web, Credentials(USER, "wrong"), "pacs_login", "again"),
        (orthanc.web, None, "pacs_login_needed", "login"),
        (replace(orthanc.web, login="token"), Credentials("", "abc"), "pacs_login", "token"),
    ):
        with pytest.raises(UserError) as caught:
            check_node(node, login)
        assert caught.value.code == code
        assert said in words(caught.value)
        assert PASSWORD not in words(caught.value)


def test_a_stranger_is_told_that_it_is_not_known(orthanc: Orthanc, tmp_path: Path) -> None:
    node = msgspec.structs.replace(orthanc.node, own_title="STRANGER")
    with pytest.raises(UserError) as caught:
        find(node, Query())
    assert caught.value.code in ("pacs_failed", "pacs_calling_title", "pacs_no_service", "pacs_broken")
    files = write_series(tmp_path, 1)
    with pytest.raises(UserError):
        send(node, files)


def test_an_exam_that_is_gone_is_said_to_be(orthanc: Orthanc, tmp_path: Path) -> None:
    for way in WAYS:
        node = node_of(orthanc, way)
        try:
            back = retrieve(node, StudyEntry("1.2.3.4.5.6"), tmp_path / way, credentials=LOGIN)
            problem = back.problem
        except UserError as error:
            problem = error
        assert problem is not None
        assert not (tmp_path / way).exists()


def test_nothing_of_the_patient_is_logged_or_named(
    orthanc: Orthanc, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    files = write_series(tmp_path / "exam", 2)
    found = pydicom.dcmread(files[0])
    hidden = (NAME, "Jane", PATIENT, "ACC99", "19700101", str(found.StudyInstanceUID), PASSWORD)
    shown: list[object] = []
    with caplog.at_level(0):
        for node in (orthanc.node, orthanc.web):
            shown.append(send(node, files, credentials=LOGIN))
            study = study_of(node, files)
            shown += [study, Query(patient_name=NAME, patient_id=PATIENT), LOGIN]
            back = retrieve(node, study, tmp_path / node.key, credentials=LOGIN)
            shown += [back, *(p.name for p in (tmp_path / node.key).iterdir())]
    out = capfd.readouterr()
    said = "\n".join([caplog.text, out.out, out.err, *map(repr, shown)]).replace(str(tmp_path), "")
    assert isinstance(back, Retrieved)
    for secret in hidden:
        assert secret not in said


def test_cancelling_ends_at_once_and_leaves_nothing_running(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam", 60)
    assert send(orthanc.node, files).sent == 60
    for way in WAYS:
        node = node_of(orthanc, way)
        study, stop = study_of(node, files), threading.Event()
        back = retrieve(
            node,
            study,
            tmp_path / way,
            lambda done, _, stop=stop: stop.set() if done >= 2 else None,
            stop.is_set,
            credentials=LOGIN,
        )
        assert back.cancelled or back.new == 60
        assert back.problem is None
        assert len(list((tmp_path / way).iterdir())) == back.new
