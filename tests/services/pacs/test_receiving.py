"""What is pushed to us: stored once, named after nobody, refused where it is too much or no image."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.client import make_receiver, receive, send
from brainseg_desktop.services.pacs.instances import InstanceFolder, Outcome, identity_of
from brainseg_desktop.services.pacs.nodes import InboxSettings, inbox_folder
from brainseg_desktop.services.pacs.reaching import Patience
from brainseg_desktop.services.pacs.receiving import Receiver

from .exams import MR, mr_slice, write_series
from .orthanc import HERE, Orthanc
from .servers import free_port, node


@contextmanager
def inbox(
    folder: Path, callers: tuple[str, ...] = (), **limits: int
) -> Iterator[tuple[Receiver, InstanceFolder]]:
    store = InstanceFolder(folder, by_study=True, **limits)
    settings = InboxSettings(address=HERE, port=free_port(), callers=callers)
    with receive(settings, store, Patience(answer=2)) as receiver:
        yield receiver, store


def to_us(receiver: Receiver) -> Any:
    return node(receiver.port, ae_title="BRAINSEG", own_title="SCANNER")


def files_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def push(receiver: Receiver, data: Dataset) -> int | None:
    """Send a dataset however wrong it is; the status we answer, None where we hang up."""
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(MR, "1.2.840.10008.1.2.1")
    association = entity.associate(HERE, receiver.port, ae_title="BRAINSEG")
    assert association.is_established
    try:
        status = association.send_c_store(data)
        return int(status.Status) if "Status" in status else None
    finally:
        if association.is_established:
            association.release()


def test_pushed_studies_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    took: list[tuple[Path, Outcome]] = []
    first, second = write_series(tmp_path / "a", 3), write_series(tmp_path / "b", 2)
    store = InstanceFolder(tmp_path / "in", by_study=True, took=lambda f, o: took.append((f, o)))
    with receive(InboxSettings(address=HERE, port=free_port()), store) as receiver:
        assert send(to_us(receiver), [*first, *second]).sent == 5
        assert send(to_us(receiver), first).sent == 3
        changed = pydicom.dcmread(first[0])
        changed.SeriesDescription = "another"
        changed.save_as(first[0])
        assert send(to_us(receiver), first[:1]).sent == 1
    counts = {outcome.value: count for outcome, count in store.counts.items()}
    assert counts == {"new": 5, "duplicate": 3, "replaced": 1}
    assert len({folder for folder, _ in took}) == 2
    assert len(took) == 9
    stored = files_in(tmp_path / "in")
    assert len(stored) == 5
    came = {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, stored)}
    for path in (*first, *second):
        given = pydicom.dcmread(path)
        assert came[str(given.SOPInstanceUID)] == given
    for path in stored:
        name = str(path.relative_to(tmp_path / "in"))
        assert "Doe" not in name
        assert str(UID(pydicom.dcmread(path).StudyInstanceUID)) not in name


def test_a_real_archive_pushes(orthanc: Orthanc, tmp_path: Path) -> None:
    """Orthanc's own C-STORE to the port it knows us by."""
    import base64
    import json
    import urllib.request

    from .orthanc import PASSWORD, USER

    files = write_series(tmp_path / "exam", 2)
    assert send(orthanc.node, files).sent == 2
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def ask(path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://{HERE}:{orthanc.web_port}{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Basic {login}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    uid = str(pydicom.dcmread(files[0]).StudyInstanceUID)
    found = ask("/tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": uid}})
    store = InstanceFolder(tmp_path / "in", by_study=True)
    settings = InboxSettings(address=HERE, port=orthanc.our_port, callers=("ORTHANC",))
    with receive(settings, store):
        assert ask("/modalities/us/store", found)["FailedInstancesCount"] == 0
    assert store.counts[Outcome.NEW] == 2


def test_only_known_senders_and_our_own_title(tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam", 1)
    with inbox(tmp_path / "in", ("FRIEND",)) as (receiver, store):
        with pytest.raises(UserError, match="pacs_calling_title"):
            send(to_us(receiver), files)
        with pytest.raises(UserError, match="pacs_called_title"):
            send(node(receiver.port, ae_title="ELSE", own_title="FRIEND"), files)
        assert send(node(receiver.port, ae_title="BRAINSEG", own_title="FRIEND"), files).sent == 1
    assert store.counts[Outcome.NEW] == 1


@pytest.mark.parametrize("uid", ["../../../evil", "/etc/passwd", "con", "1.2/3"])
def test_tricks_in_uids_write_nothing_elsewhere(tmp_path: Path, uid: str) -> None:
    data = mr_slice("1.2.3", "1.2.4", 1)
    with inbox(tmp_path / "deep" / "in") as (receiver, _):
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            element = pydicom.DataElement(keyword, "UI", uid, validation_mode=pydicom.config.IGNORE)
            data[keyword] = element
        push(receiver, data)
    inside = tmp_path / "deep" / "in"
    assert [p for p in files_in(tmp_path) if inside not in p.parents] == []
    assert all(p.stem.isalnum() and len(p.stem) == 32 for p in files_in(inside))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with inbox(tmp_path / "in") as (receiver, store):
        lacking = mr_slice("1.2.3", "1.2.4", 1)
        del lacking.StudyInstanceUID
        assert push(receiver, lacking) == 0xC000
        # And the next one is taken as if nothing had been.
        assert push(receiver, mr_slice("1.2.3", "1.2.4", 2)) == 0x0000
    assert store.refused == 1
    assert len(files_in(tmp_path / "in")) == 1
    for data in (b"", b"\0" * 200, b"\0" * 128 + b"DICM" + b"\xff" * 50, b"no image at all"):
        with pytest.raises(UserError, match="pacs_malformed"):
            identity_of(data)


def test_a_full_disk_is_said_to_the_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with inbox(tmp_path / "in") as (receiver, store):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert push(receiver, mr_slice("1.2.3", "1.2.4", 1)) == 0xA700
        with monkeypatch.context() as patch:
            usage = namedtuple("usage", "total used free")
            patch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
            assert push(receiver, mr_slice("1.2.3", "1.2.4", 1)) == 0xA700
        assert push(receiver, mr_slice("1.2.3", "1.2.4", 1)) == 0x0000
    assert store.refused == 2
    assert store.problem is not None
    assert store.problem.code == "disk_full"
    assert len(files_in(tmp_path / "in")) == 1


def test_too_large_an_instance_is_cut_off_before_it_is_whole(tmp_path: Path) -> None:
    large = mr_slice("1.2.3", "1.2.4", 1)
    large.Rows, large.Columns = 1000, 1000
    large.PixelData = bytes(2_000_000)
    with inbox(tmp_path / "in", max_instance_bytes=200_000) as (receiver, store):
        assert push(receiver, large) is None
        assert push(receiver, mr_slice("1.2.3", "1.2.4", 2)) == 0x0000
    assert store.problem is not None
    assert store.problem.code == "pacs_too_large"
    assert len(files_in(tmp_path / "in")) == 1


def test_no_more_than_the_whole_is_taken(tmp_path: Path) -> None:
    with inbox(tmp_path / "in", max_total_bytes=4000) as (receiver, _):
        statuses = [push(receiver, mr_slice("1.2.3", "1.2.4", n)) for n in range(6)]
    assert statuses[0] == 0x0000
    assert statuses[-1] == 0xA700
    assert sum(p.stat().st_size for p in files_in(tmp_path / "in")) <= 4000


def test_the_port_is_free_again_and_a_sender_in_the_middle_is_let_go(tmp_path: Path) -> None:
    settings = InboxSettings(address=HERE, port=free_port())
    receiver = make_receiver(settings, InstanceFolder(tmp_path / "in"))
    receiver.start()
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(MR)
    association = entity.associate(HERE, receiver.port, ae_title="BRAINSEG")
    assert association.is_established
    begun = time.monotonic()
    receiver.stop()
    receiver.stop()
    assert time.monotonic() - begun < 3
    association.join(3)
    assert not association.is_established
    with receive(settings, InstanceFolder(tmp_path / "in")) as again:
        assert again.port == settings.port
        with pytest.raises(UserError, match="pacs_port_taken"):
            make_receiver(settings).start()


def test_many_senders_at_once(tmp_path: Path) -> None:
    exams = [write_series(tmp_path / str(n), 4) for n in range(3)]
    with inbox(tmp_path / "in") as (receiver, store):
        threads = [threading.Thread(target=send, args=(to_us(receiver), files)) for files in exams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert store.counts[Outcome.NEW] == 12
    assert len(files_in(tmp_path / "in")) == 12


def test_settings_of_the_inbox(own_home: Path) -> None:
    assert inbox_folder(InboxSettings()).is_relative_to(own_home)
    assert inbox_folder(InboxSettings(folder="/x")) == Path("/x")
    with pytest.raises(UserError, match="pacs_field"):
        make_receiver(InboxSettings(own_title="seventeen letters"))
    with pytest.raises(UserError, match="pacs_field"):
        make_receiver(InboxSettings(callers=("a\\b",)))
