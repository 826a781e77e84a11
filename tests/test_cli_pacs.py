"""The command line and archives: what is printed, what is kept back, exit codes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from brainseg_desktop.cli import Front, run
from brainseg_desktop.services.pacs.client import send
from brainseg_desktop.services.pacs.nodes import PacsSettings, save_pacs, with_node
from tests.services.pacs.exams import mr_slice, write_series
from tests.services.pacs.servers import free_port, node, scp, web_server

FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)
STUDY = "1.2.840.99.1"


def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
    one = Dataset()
    one.StudyInstanceUID, one.StudyDate, one.PatientName, one.PatientID = STUDY, "20260131", "Doe^Jane", "P7"
    one.StudyDescription, one.ModalitiesInStudy, one.NumberOfStudyRelatedSeries = "Brain", "MR", 2
    yield 0xFF00, one
    yield 0x0000, None


def gives(_: Any) -> Iterator[Any]:
    yield 2
    for number in range(2):
        yield 0xFF00, mr_slice(STUDY, "1.2.840.99.2", number, f"1.2.840.99.3.{number}")


def test_an_archive_is_tested_by_name_or_address(
    brainseg_json: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with scp() as archive:
        save_pacs(with_node(PacsSettings(), archive))
        assert brainseg_json("pacs", "test", "Archive")["node"] == "Archive"
        assert brainseg_json("pacs", "test", f"127.0.0.1:{archive.port}/ARCHIVE")["ms"] > 0
        assert run(["pacs", "test", "Archive"], FRONT) == 0
        assert capsys.readouterr().out.startswith("Archive answered in ")
        assert run(["pacs", "test", f"127.0.0.1:{archive.port}/OTHER"], FRONT) == 2
        assert "does not answer to the AE title OTHER" in capsys.readouterr().err
    assert run(["pacs", "test", "nobody"], FRONT) == 2
    assert "There is no archive nobody. Use one of those set up (Archive)" in capsys.readouterr().err
    assert run(["pacs", "test", f"127.0.0.1:{free_port()}/X"], FRONT) == 2
    assert "nothing answers" in capsys.readouterr().err


def test_names_are_printed_only_when_asked_for(
    brainseg_json: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with scp(find=answers) as archive:
        place = f"127.0.0.1:{archive.port}/ARCHIVE"
        found = brainseg_json("pacs", "find", place, "--name", "Doe", "--from", "2026-01-01")
        assert found["studies"] == [
            {
                "date": "2026-01-31",
                "description": "Brain",
                "modalities": ["MR"],
                "series": 2,
                "images": None,
                "uid": STUDY,
            }
        ]
        assert brainseg_json("pacs", "find", place, "--names")["studies"][0]["name"] == "Doe Jane"
        assert run(["pacs", "find", place], FRONT) == 0
        said = capsys.readouterr().out
        assert STUDY in said
        assert "Doe" not in said


def test_a_study_is_fetched_and_sent(brainseg_json: Callable[..., Any], tmp_path: Path) -> None:
    with scp(find=answers, get=gives, store=lambda _: 0) as archive:
        place = f"127.0.0.1:{archive.port}/ARCHIVE"
        came = brainseg_json("pacs", "fetch", place, tmp_path / "exam", "--id", "P7")
        assert (came["new"], came["duplicates"], came["failed"]) == (2, 0, 0)
        again = brainseg_json("pacs", "fetch", place, tmp_path / "exam", "--study", STUDY)
        assert (again["new"], again["duplicates"]) == (0, 2)
        assert brainseg_json("pacs", "send", place, tmp_path / "exam")["sent"] == 2


def test_what_is_not_sent_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "a.txt"
    text.write_text("no image")
    assert run(["pacs", "send", f"127.0.0.1:{free_port()}/X", str(text)], FRONT) == 2
    out = capsys.readouterr()
    assert out.out == "0 of 1 files sent to X.\n"
    assert "a.txt is not a DICOM file" in out.err


def test_a_login_without_anyone_to_ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainseg_desktop.services.pacs.credentials.keyring_name", lambda: None)
    with web_server(lambda _: None) as archive:
        assert run(["pacs", "test", archive.url, "--login", "password"], FRONT) == 2
    assert "wants a login" in capsys.readouterr().err


def test_what_is_sent_here_is_taken(brainseg_json: Callable[..., Any], tmp_path: Path) -> None:
    port, files = free_port(), write_series(tmp_path / "exam", 3)
    us = node(port, ae_title="BRAINSEG")

    def push() -> None:
        for _ in range(50):
            try:
                send(us, files)
                return
            except Exception:
                threading.Event().wait(0.1)

    sender = threading.Thread(target=push)
    sender.start()
    came = brainseg_json(
        "pacs",
        "receive",
        tmp_path / "in",
        "--address",
        "127.0.0.1",
        "--port",
        port,
        "--images",
        3,
        "--seconds",
        20,
    )
    sender.join()
    assert (came["new"], came["refused"]) == (3, 0)
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == 3
