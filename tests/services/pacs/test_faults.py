"""Archives that refuse, break off, fall silent or lie: one sentence each, soon, and nothing left behind."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pydicom
import pytest
from pydicom.dataset import Dataset

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.client import check_node, find, retrieve, send
from brainseg_desktop.services.pacs.credentials import Credentials
from brainseg_desktop.services.pacs.reaching import Patience
from brainseg_desktop.services.pacs.records import Query, StudyEntry

from .exams import write_series
from .servers import free_port, listener, node, scp, web_server

SOON = Patience(connect=0.5, greet=0.6, answer=0.7)
STUDY = StudyEntry("1.2.3")


@pytest.fixture(autouse=True)
def no_open_sockets() -> Iterator[None]:
    """A test that leaves a socket open fails."""
    before = _sockets()
    yield
    end = time.monotonic() + 3
    while (left := _sockets() - before) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left


def _sockets() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def code_of(call: Any, *arguments: Any, within: float = 4.0, **named: Any) -> str:
    """The code of the failure, which comes soon and makes a sentence."""
    begun = time.monotonic()
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    assert time.monotonic() - begun < within
    sentence = words(caught.value)
    assert sentence.endswith(".")
    assert "unknown" not in sentence
    assert "Something went wrong" not in sentence
    return caught.value.code


def test_nothing_listens() -> None:
    assert code_of(check_node, node(free_port()), patience=SOON) == "pacs_refused"
    web = node(0, kind="web", url=f"http://127.0.0.1:{free_port()}/dicom-web")
    assert code_of(check_node, web, patience=SOON) == "pacs_refused"


def test_no_such_host() -> None:
    gone = node(104, host="no-such-host.invalid")
    assert code_of(check_node, gone, patience=SOON, within=20) == "pacs_host_unknown"


def test_a_listener_that_never_answers() -> None:
    with listener(lambda _: None) as port:
        assert code_of(check_node, node(port), patience=SOON) == "pacs_no_greeting"
        encrypted = node(port, tls=True)
        assert code_of(check_node, encrypted, patience=SOON) == "pacs_tls"
        web = node(0, kind="web", url=f"http://127.0.0.1:{port}/")
        assert code_of(check_node, web, patience=SOON) == "pacs_silent"


def test_a_listener_that_talks_nonsense() -> None:
    def shout(taken: socket.socket) -> None:
        try:
            taken.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 20)
        except OSError:
            return

    with listener(shout) as port:
        assert code_of(check_node, node(port), patience=SOON) == "pacs_no_greeting"
        assert code_of(check_node, node(port, tls=True), patience=SOON) == "pacs_tls"


def test_wrong_titles_on_either_side() -> None:
    with scp(callers=("FRIEND",)) as archive:
        assert code_of(check_node, archive) == "pacs_calling_title"
        friend = msgspec.structs.replace(archive, own_title="FRIEND")
        assert check_node(friend) > 0
        assert code_of(check_node, msgspec.structs.replace(friend, ae_title="OTHER")) == "pacs_called_title"


def test_an_archive_without_the_service() -> None:
    with scp(services=False) as archive:
        assert code_of(check_node, archive) == "pacs_no_service"
        assert code_of(find, archive, Query()) == "pacs_no_service"


def test_broken_off_in_the_middle_of_a_find() -> None:
    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        one = Dataset()
        one.StudyInstanceUID = "1.2.3"
        yield 0xFF00, one
        event.assoc.abort(block=False)
        yield 0xFF00, one

    with scp(find=answers) as archive:
        assert code_of(find, archive, Query(), patience=SOON) == "pacs_broken"


def test_a_failure_of_a_find_and_an_endless_one() -> None:
    def fails(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xA700, None

    def endless(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        number = 0
        while not event.is_cancelled and event.assoc.is_established and number < 5000:
            number += 1
            one = Dataset()
            one.StudyInstanceUID = f"1.2.{number}"
            yield 0xFF00, one

    with scp(find=fails) as archive:
        assert code_of(find, archive, Query()) == "pacs_failed"
    with scp(find=endless) as archive:
        assert len(find(archive, Query(limit=7))) == 7


def test_an_archive_that_falls_silent_is_given_up_and_can_be_cancelled() -> None:
    over = threading.Event()

    def silent(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        over.wait(20)
        yield 0x0000, None

    with scp(find=silent) as archive:
        try:
            assert code_of(find, archive, Query(), patience=SOON) == "pacs_broken"
            stop = threading.Event()
            timer = threading.Timer(0.3, stop.set)
            timer.start()
            code = code_of(find, archive, Query(), cancelled=stop.is_set, within=2)
            timer.join()
            assert code == "pacs_cancelled"
        finally:
            over.set()


def test_values_of_every_sort_are_read() -> None:
    def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        odd = Dataset()
        odd.SpecificCharacterSet = "ISO_IR 100"
        odd.StudyInstanceUID = "1.2.3"
        odd.PatientName = "Müller^Jürgen"
        odd.StudyDate = "20261301"
        odd.ModalitiesInStudy = ["MR", "SEG", "MR"]
        odd.NumberOfStudyRelatedSeries = None
        yield 0xFF00, odd
        useless = Dataset()
        useless.PatientID = "1"
        yield 0xFF00, useless
        yield 0x0000, None

    with scp(find=answers) as archive:
        found = find(archive, Query(patient_name="Mül"))
    # An answer without a UID is of no use and is left out.
    assert len(found) == 1
    assert (found[0].patient_name, found[0].day) == ("Müller Jürgen", None)
    assert (found[0].modalities, found[0].series) == (("MR", "SEG"), None)


def test_a_query_with_odd_signs_is_refused_before_it_is_sent() -> None:
    assert code_of(find, node(free_port()), Query(patient_id="a\\b")) in ("pacs_query", "pacs_refused")
    with pytest.raises(UserError, match="pacs_query"):
        Query(accession="x" * 65).matched()


def test_a_move_to_a_port_in_use_and_to_an_unknown_destination(tmp_path: Path) -> None:
    def unknown(_: Any) -> Iterator[tuple[Any, Any]]:
        yield None, None

    with scp(move=unknown) as archive, socket.create_server(("127.0.0.1", 0)) as taken:
        busy = msgspec.structs.replace(archive, receive_port=taken.getsockname()[1])
        assert code_of(retrieve, busy, STUDY, tmp_path / "a") == "pacs_port_taken"
        ours = msgspec.structs.replace(archive, receive_port=free_port())
        assert code_of(retrieve, ours, STUDY, tmp_path / "b") == "pacs_move_destination"
        elsewhere = msgspec.structs.replace(ours, receive_address="192.0.2.1")
        assert code_of(retrieve, elsewhere, STUDY, tmp_path / "c") == "pacs_no_address"
    assert not list(tmp_path.iterdir())


def test_instances_of_another_study_are_not_taken(tmp_path: Path) -> None:
    wrong = pydicom.dcmread(write_series(tmp_path / "wrong", 1)[0])

    def other(_: Any) -> Iterator[Any]:
        yield 1
        yield 0xFF00, wrong

    with scp(get=other) as archive:
        assert code_of(retrieve, archive, STUDY, tmp_path / "back") == "pacs_other_study"
    assert not (tmp_path / "back").exists()


def test_what_came_before_a_break_stays(tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam", 2)
    first, uid = pydicom.dcmread(files[0]), str(pydicom.dcmread(files[0]).StudyInstanceUID)

    def breaks(event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, first
        event.assoc.abort(block=False)
        yield 0xFF00, first

    with scp(get=breaks) as archive:
        back = retrieve(archive, StudyEntry(uid), tmp_path / "back", patience=SOON)
    assert back.new == 1
    assert back.problem is not None
    assert back.problem.code == "pacs_broken"
    assert pydicom.dcmread(next((tmp_path / "back").iterdir())) == first


def test_files_that_are_not_taken_are_named(tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam", 3)
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    statuses = iter((0x0000, 0xA700, 0xB000))
    with scp(store=lambda _: next(statuses)) as archive:
        sent = send(archive, [text, *files, tmp_path / "gone.dcm"])
    assert (sent.sent, sent.failed) == (2, 3)
    assert sent.problem is not None
    assert sent.problem.code == "pacs_not_dicom"
    assert "notes.txt" in words(sent.problem)
    assert send(node(free_port()), [text]).failed == 1


def test_a_break_while_sending_says_how_far_it_was(tmp_path: Path) -> None:
    files, count = write_series(tmp_path / "exam", 3), 0

    def store(event: Any) -> int:
        nonlocal count
        count += 1
        if count == 2:
            event.assoc.abort(block=False)
        return 0x0000

    with scp(store=store) as archive:
        sent = send(archive, files, patience=SOON)
        assert (sent.sent, sent.failed, sent.cancelled) == (1, 2, False)
        count = 1
        assert code_of(send, archive, files, patience=SOON) == "pacs_broken"


def test_sending_can_be_cancelled(tmp_path: Path) -> None:
    files, stop = write_series(tmp_path / "exam", 4), threading.Event()
    with scp(store=lambda _: 0x0000) as archive:
        sent = send(archive, files, lambda done, _: stop.set() if done == 2 else None, stop.is_set)
    assert (sent.sent, sent.cancelled) == (2, True)


def _reply(status: int, body: bytes, kind: str = "application/dicom+json") -> Any:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, b"", "text/plain", "pacs_login"),
        (403, b"", "text/plain", "pacs_login"),
        (404, b"", "text/html", "pacs_not_dicomweb"),
        (500, b"oh", "text/plain", "pacs_http"),
        (200, b"<html>", "text/html", "pacs_not_dicomweb"),
        (200, b"[3]", "application/dicom+json", "pacs_not_dicomweb"),
        (200, b'{"a": 1}', "application/dicom+json", "pacs_not_dicomweb"),
        (200, b"[" + b" " * 70_000_000 + b"]", "application/dicom+json", "pacs_too_large"),
    ],
)
def test_web_servers_that_answer_otherwise(status: int, body: bytes, kind: str, code: str) -> None:
    with web_server(_reply(status, body, kind)) as archive:
        assert code_of(check_node, archive) == code


def test_a_silent_web_server_can_be_cancelled() -> None:
    over, stop = threading.Event(), threading.Event()
    with web_server(lambda _: over.wait(20) and None) as archive:
        try:
            assert code_of(find, archive, Query(), patience=SOON) == "pacs_silent"
            timer = threading.Timer(0.3, stop.set)
            timer.start()
            assert code_of(find, archive, Query(), cancelled=stop.is_set, within=2) == "pacs_cancelled"
            timer.join()
        finally:
            over.set()


def test_a_password_is_not_sent_in_the_open() -> None:
    far = node(0, kind="web", url="http://pacs.example.org/dicom-web", login="password")
    assert code_of(check_node, far, Credentials("me", "secret")) == "pacs_login_plain"


def test_a_full_disk_while_retrieving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_series(tmp_path / "exam", 1)
    one, uid = pydicom.dcmread(files[0]), str(pydicom.dcmread(files[0]).StudyInstanceUID)

    def gives(_: Any) -> Iterator[Any]:
        yield 1
        yield 0xFF00, one

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with scp(get=gives) as archive:
        monkeypatch.setattr(os, "fsync", full)
        assert code_of(retrieve, archive, StudyEntry(uid), tmp_path / "back") == "disk_full"
    assert not list((tmp_path / "back").iterdir())
