"""Archives in the real window, by mouse and keys, against archives that do as the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends import fail
from pydicom.dataset import Dataset
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.pacs.pacs_dialogs import InboxDialog, LoginDialog, NodeDialog
from brainseg_desktop.gui.pacs.pacs_window import PacsWindow
from brainseg_desktop.services.pacs.client import send
from brainseg_desktop.services.pacs.nodes import (
    InboxSettings,
    PacsNode,
    PacsSettings,
    load_pacs,
    pacs_path,
    save_pacs,
    with_node,
)
from brainseg_desktop.services.studies.study import Study
from tests.gui.studies.conftest import join, make_study, read_next
from tests.services.pacs.exams import mr_slice, write_series
from tests.services.pacs.servers import free_port, node, scp, web_server

__all__ = ["make_study"]
STUDY = "1.2.840.99.1"


def click(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def known(archive: PacsNode) -> None:
    """The archive is set up already when the program starts."""
    save_pacs(with_node(PacsSettings(), archive))


def opened(window: MainWindow) -> PacsWindow:
    window.actions_by_name["pacs"].trigger()
    return window.archiving.window


def idle(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: window.jobs.is_idle and not window.archiving.is_busy, timeout=10_000)


def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
    for number, (day, name) in enumerate((("20260131", "Doe^Jane"), ("20260305", "Roe^Richard"))):
        one = Dataset()
        one.StudyInstanceUID = STUDY if number == 0 else f"{STUDY}.{number}"
        one.StudyDate, one.PatientName, one.PatientID = day, name, f"P{number}"
        one.StudyDescription, one.ModalitiesInStudy = "Brain", ["MR", "SEG"]
        one.NumberOfStudyRelatedSeries = 4
        yield 0xFF00, one
    yield 0x0000, None


def gives(_: Any) -> Iterator[Any]:
    yield 3
    for number in range(3):
        yield 0xFF00, mr_slice(STUDY, "1.2.840.99.2", number)


def texts(pacs: PacsWindow) -> list[list[str]]:
    model = pacs.table.model()
    return [
        [str(model.index(row, column).data()) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_an_archive_is_added_tested_changed_and_removed(qtbot: QtBot, window: MainWindow) -> None:
    pacs = opened(window)
    assert "No archive is set up" in pacs.tested.text()
    assert not pacs.test.isEnabled()
    with scp() as archive:
        click(qtbot, pacs.add)
        dialog = window.archiving.dialog
        assert isinstance(dialog, NodeDialog)
        ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
        qtbot.keyClicks(dialog.name, "Ward")
        click(qtbot, ok)
        assert "The host of the archive" in dialog.problem.text()
        qtbot.keyClicks(dialog.host, archive.host)
        dialog.port.setValue(archive.port)
        qtbot.keyClicks(dialog.ae_title, "ARCHIV")
        click(qtbot, ok)
        assert window.archiving.dialog is None
        assert [n.title for n in load_pacs()[0].nodes] == ["Ward"]
        click(qtbot, pacs.test)
        click(qtbot, pacs.test)
        idle(qtbot, window)
        assert "does not answer to the AE title ARCHIV" in pacs.tested.text()
        assert pacs.tested.objectName() == "warning"
        click(qtbot, pacs.edit)
        dialog = window.archiving.dialog
        assert isinstance(dialog, NodeDialog)
        qtbot.keyClicks(dialog.ae_title, "E")
        click(qtbot, dialog.buttons.button(QDialogButtonBox.StandardButton.Ok))
        click(qtbot, pacs.test)
        idle(qtbot, window)
    assert pacs.tested.text().startswith("Ward answered in ")
    click(qtbot, pacs.test)
    idle(qtbot, window)
    assert "nothing answers" in pacs.tested.text()
    click(qtbot, pacs.remove)
    assert load_pacs()[0].nodes == ()
    assert pacs.node is None


def test_a_study_is_found_retrieved_and_opened(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Dataset] = []

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        yield from answers(event)

    opened_paths: list[Path] = []
    monkeypatch.setattr(window.archiving, "_open_path", opened_paths.append)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    with scp(find=find, get=gives) as archive:
        known(archive)
        pacs = opened(window)
        qtbot.keyClicks(pacs.name, "doe")
        qtbot.keyClicks(pacs.first, "2026-01-01")
        pacs.modality.setCurrentText("MR")
        qtbot.keyClick(pacs.name, Qt.Key.Key_Return)
        idle(qtbot, window)
        assert [row[:6] for row in texts(pacs)] == [
            ["2026-03-05", "Roe Richard", "P1", "Brain", "MR, SEG", "4"],
            ["2026-01-31", "Doe Jane", "P0", "Brain", "MR, SEG", "4"],
        ]
        assert (str(asked[0].PatientName), asked[0].StudyDate) == ("doe*", "20260101-")
        assert pacs.status.text() == "2 studies found."
        pacs.table.selectRow(1)
        click(qtbot, pacs.retrieve)
        idle(qtbot, window)
    assert pacs.status.text().startswith("3 images retrieved into ")
    assert len(opened_paths) == 1
    assert len(list(opened_paths[0].iterdir())) == 3
    assert "Doe" not in str(opened_paths[0])
    assert STUDY not in str(opened_paths[0])


def test_another_archive_shows_nothing_of_the_first(qtbot: QtBot, window: MainWindow) -> None:
    with scp(find=answers) as archive:
        save_pacs(with_node(with_node(PacsSettings(), archive), node(free_port(), title="Other")))
        pacs = opened(window)
        click(qtbot, pacs.find_button)
        # While it is asked the keys are on Cancel, and not on the inbox.
        assert pacs.focusWidget() is pacs.cancel
        idle(qtbot, window)
        assert pacs.focusWidget() is not pacs.inbox
        assert len(texts(pacs)) == 2
        assert pacs.retrieve.isEnabled()
        pacs.list.setCurrentRow(1)
        assert texts(pacs) == []
        assert not pacs.retrieve.isEnabled()
        assert pacs.status.text() == ""


def test_a_date_that_is_none_is_said(qtbot: QtBot, window: MainWindow) -> None:
    known(node(free_port()))
    pacs = opened(window)
    qtbot.keyClicks(pacs.last, "31.1.2026")
    click(qtbot, pacs.find_button)
    assert pacs.status.text() == "31.1.2026 is no date. Write it as 2026-01-31."
    assert not window.archiving.is_busy


def test_cancelling_and_closing_while_an_archive_is_silent(
    qtbot: QtBot, make: Callable[[], MainWindow]
) -> None:
    over = threading.Event()

    def silent(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        over.wait(20)
        yield 0x0000, None

    with scp(find=silent) as archive:
        try:
            known(archive)
            window = make()
            pacs = opened(window)
            click(qtbot, pacs.find_button)
            assert not pacs.find_button.isEnabled()
            assert pacs.progress.isVisible()
            qtbot.wait(150)
            click(qtbot, pacs.cancel)
            idle(qtbot, window)
            assert pacs.status.text() == "Cancelled."
            assert pacs.find_button.isEnabled()
            click(qtbot, pacs.find_button)
            qtbot.wait(150)
            pacs.close()
            idle(qtbot, window)
            assert not pacs.isVisible()
            pacs = opened(window)
            click(qtbot, pacs.find_button)
            qtbot.wait(150)
            # The program is closed in the middle: it does not wait for the archive.
            window.close()
        finally:
            over.set()


def test_files_are_sent_and_what_is_refused_is_said(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_series(tmp_path, 3)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(p) for p in files], ""))
    statuses = iter((0, 0, 0xA700, 0, 0, 0))
    with scp(store=lambda _: next(statuses)) as archive:
        known(archive)
        pacs = opened(window)
        click(qtbot, pacs.send)
        idle(qtbot, window)
        assert pacs.status.text().startswith("2 of 3 files sent to Archive. Archive did not take ")
        click(qtbot, pacs.send)
        idle(qtbot, window)
        assert pacs.status.text() == "3 of 3 files sent to Archive."


def test_a_login_is_asked_for_and_kept_nowhere_without_a_keyring(
    qtbot: QtBot, window: MainWindow, own_home: Path
) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    seen: list[str | None] = []

    def reply(handler: Any) -> None:
        seen.append(handler.headers.get("Authorization"))
        body = b"[]"
        handler.send_response(200 if len(seen) > 1 else 401)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def log_in(secret: str) -> None:
        qtbot.waitUntil(lambda: isinstance(window.archiving.dialog, LoginDialog))
        dialog = window.archiving.dialog
        assert isinstance(dialog, LoginDialog)
        assert not dialog.keep.isEnabled()
        qtbot.keyClicks(dialog.user, "me")
        qtbot.keyClicks(dialog.secret, secret)
        click(qtbot, dialog.buttons.button(QDialogButtonBox.StandardButton.Ok))
        idle(qtbot, window)

    try:
        with web_server(reply) as archive:
            known(PacsNode(title="Web", kind="web", url=archive.url, login="password"))
            pacs = opened(window)
            click(qtbot, pacs.test)
            log_in("wrong-s3cret")
            assert "did not accept" in pacs.tested.text()
            click(qtbot, pacs.test)
            log_in("right-s3cret")
            assert "answered in" in pacs.tested.text()
            # Asked for once while the window is open, again when it is opened anew.
            click(qtbot, pacs.test)
            idle(qtbot, window)
            assert len(seen) == 3
            pacs.close()
            pacs = opened(window)
            click(qtbot, pacs.test)
            qtbot.waitUntil(lambda: isinstance(window.archiving.dialog, QDialog))
            assert window.archiving.dialog is not None
            window.archiving.dialog.reject()
            idle(qtbot, window)
            assert len(seen) == 3
    finally:
        keyring.set_keyring(before)
    assert len(set(seen)) == 2
    written = b"".join(p.read_bytes() for p in own_home.rglob("*") if p.is_file())
    assert b"s3cret" not in written


def test_the_inbox_takes_exams_and_says_so(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    pacs, port = opened(window), free_port()
    click(qtbot, pacs.inbox_settings)
    dialog = window.archiving.dialog
    assert isinstance(dialog, InboxDialog)
    dialog.address.setText("127.0.0.1")
    dialog.port.setValue(port)
    dialog.folder.setText(str(tmp_path / "in"))
    click(qtbot, dialog.buttons.button(QDialogButtonBox.StandardButton.Ok))
    assert not window.archiving.inbox_label.isVisible()
    click(qtbot, pacs.inbox)
    qtbot.waitUntil(lambda: window.archiving.inbox_label.isVisible(), timeout=5000)
    assert window.archiving.inbox_label.text() == "Inbox on: 0 exams, 0 images"
    us = node(port, ae_title="BRAINSEG", own_title="SCANNER")
    assert send(us, write_series(tmp_path / "exam", 3)).sent == 3
    qtbot.waitUntil(lambda: "3 images" in window.archiving.inbox_label.text(), timeout=5000)
    assert "1 exam, 3 images" in pacs.inbox_state.text()
    click(qtbot, pacs.inbox)
    qtbot.waitUntil(lambda: not window.archiving.inbox_label.isVisible(), timeout=5000)
    with pytest.raises(UserError, match="pacs_refused"):
        send(us, write_series(tmp_path / "other", 1))
    # A port in use is said, and the tick goes away.
    with scp() as taken:
        window.archiving._keep(PacsSettings(inbox=InboxSettings(address="127.0.0.1", port=taken.port)))
        click(qtbot, pacs.inbox)
        qtbot.waitUntil(lambda: "cannot be listened at" in pacs.inbox_state.text(), timeout=5000)
        assert not pacs.inbox.isChecked()


def test_the_inbox_ends_with_the_program(qtbot: QtBot, make: Callable[[], MainWindow]) -> None:
    window, port = make(), free_port()
    pacs = opened(window)
    window.archiving._keep(PacsSettings(inbox=InboxSettings(address="127.0.0.1", port=port)))
    click(qtbot, pacs.inbox)
    qtbot.waitUntil(lambda: window.archiving.inbox_label.isVisible(), timeout=5000)
    window.close()
    with pytest.raises(UserError, match="pacs_refused"):
        send(node(port, ae_title="BRAINSEG"), write_series(pacs_path().parent / "x", 1))


def test_a_blinded_reading_closes_it(
    qtbot: QtBot,
    window: MainWindow,
    make_study: Callable[..., Study],
) -> None:
    pacs = opened(window)
    assert pacs.isVisible()
    join(qtbot, window, make_study().folder, "Anna")
    read_next(qtbot, window)
    assert not pacs.isVisible()
    assert not window.actions_by_name["pacs"].isEnabled()
    window.archiving.show()
    assert not pacs.isVisible()
    assert "blinded" in window.messages.text
