"""No committed stroke is lost: killed at any moment, disk full, in a folder that cannot be written."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.io.journal_format import digest_of, read_journal
from brainseg_desktop.io.journal_replay import replay
from brainseg_desktop.services import recovery
from brainseg_desktop.services.session import Session
from tests.gui import scripted_edit
from tests.gui.conftest import dab, open_case

ROOT = Path(__file__).resolve().parents[2]
# All fifty in a row: BRAINSEG_KILLS=50. The suite makes a few.
KILLS = int(os.environ.get("BRAINSEG_KILLS", "3"))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    command = [sys.executable, "-m", "tests.gui.scripted_edit", str(state), str(seed)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, cwd=ROOT) as process:
        try:
            deadline = time.monotonic() + 60
            while not log.stat().st_size and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            # Most moments fall into a write: the program does little else.
            time.sleep(random.uniform(0, 0.6))
            assert process.poll() is None, "the script ended by itself"
        finally:
            process.send_signal(signal.SIGKILL)
    told = [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert told
    last = int(told[-1][0])
    # The same actions again, up to the one that was under way.
    case = scripted_edit.make_case()
    again = History(LabelMap(np.zeros(scripted_edit.SHAPE, np.uint8)))
    steps = scripted_edit.edit(again, seed)
    digests = []
    for _ in range(last + 1):
        digests.append(next(steps))
    assert digests == [digest for _, digest in told]
    before = again.steps[: again.depth]
    under_way: set[str] = set()
    # A jump reaches the disk in one write; cut in its middle, it is one of the states it passes.
    for event in (again.undone, again.redone):
        event.connect(lambda _: under_way.add(digest_of(again.label_map.array)))
    under_way.add(next(steps))
    found = recovery.pending(state)
    if not found:  # killed after nothing but actions without a change
        assert not before
        return
    rating, journal = recovery.restore(found[0], case)
    recovered = digest_of(rating.label_map.array)
    assert recovered in {digests[-1], *under_way}, f"{last + 1} steps were told"
    if under_way == {digests[-1]}:
        assert rating.history.undo_names == tuple(c.name for c in reversed(before))
    # It is a journal like any other: it goes on, and all its steps can be taken back.
    with rating.history.edit("After") as stroke:
        stroke.paint(Box((1, 1, 1), (4, 4, 4)), np.ones((3, 3, 3), bool), 5)
    after = rating.label_map.array.copy()
    journal.close(keep=True)
    content = read_journal(found[0].path)
    history = History(LabelMap(content.base))
    replay(content, history)
    np.testing.assert_array_equal(history.label_map.array, after)
    history.go_to(0)
    assert not history.label_map.array.any()


def paint_at(qtbot: QtBot, window: MainWindow, place: int) -> None:
    window.state.set_mode(Mode.BRUSH)
    view = window.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2 + 12 * place, view.height() // 2))


def recovered(window: MainWindow) -> np.ndarray:
    """What a start after a crash at this moment would bring back."""
    (path,) = (window.session.state_dir / "journals").glob("*.journal")
    content = read_journal(path)
    history = History(LabelMap(content.base))
    replay(content, history)
    return history.label_map.array


@pytest.mark.parametrize(
    ("function", "number", "sentence"),
    [
        ("fsync", errno.ENOSPC, "no room left"),
        ("write", errno.ENOSPC, "no room left"),
        ("open", errno.EACCES, "permission"),
        ("open", errno.EROFS, "could not be written"),
        ("fsync", errno.EIO, "could not be written"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_painting_goes_on_while_nothing_can_be_written(
    qtbot: QtBot,
    window: MainWindow,
    sample: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    number: int,
    sentence: str,
    begun: bool,
) -> None:
    open_case(qtbot, window, sample)
    own = window.session.own_rating()
    if begun:
        paint_at(qtbot, window, -1)
        if function == "open":
            # The file is open already: only one that is gone must be opened again.
            (path,) = (window.session.state_dir / "journals").glob("*.journal")
            path.unlink()
    real = getattr(os, function)

    def fail(*args: object, **more: object) -> object:
        if function != "open" or ".journal" in str(args[0]):
            raise OSError(number, os.strerror(number))
        return real(*args, **more)

    first = int(begun)
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        for place in range(3):
            paint_at(qtbot, window, place)
        assert len(own.history.undo_names) == first + 3
        window.session.undo()
        window.session.redo()
        assert sentence in window.messages.text
        assert "kept in memory" in window.messages.text
        window.session.retry_journals()
        assert sentence in window.messages.text
    assert window.session.unsaved == (own,)
    # The room is back: the next stroke brings all of them to the disk, and the banner goes.
    paint_at(qtbot, window, 3)
    assert window.messages.text == ""
    assert len(own.history.undo_names) == first + 4
    np.testing.assert_array_equal(recovered(window), own.label_map.array)


def test_room_back_at_the_end_is_soon_enough(
    qtbot: QtBot, window: MainWindow, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(qtbot, window, sample)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        paint_at(qtbot, window, 0)
        paint_at(qtbot, window, 1)
    labels = window.session.own_rating().label_map.array.copy()
    assert labels.any()
    window.close_case()
    np.testing.assert_array_equal(recovered(window), labels)
    assert len(recovery.pending(window.session.state_dir)) == 1


def test_an_empty_click_makes_no_step(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.state.set_mode(Mode.ERASER)
    view = window.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    own = window.session.own_rating()
    assert own.history.steps == ()
    paint_at(qtbot, window, 0)
    paint_at(qtbot, window, 0)
    assert len(own.history.steps) == 1


def test_undo_survives_save_and_reload_in_the_window(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    session: Session = window.session
    own = session.own_rating()
    for place in range(3):
        paint_at(qtbot, window, place)
    session.undo()
    labels, names = own.label_map.array.copy(), own.history.undo_names
    target = sample / "sample_seg-reader.nii.gz"
    with qtbot.waitSignal(window.exporter.exported, timeout=20_000):
        window.exporter.write(session.case, own, target, own.scheme)
    assert session.unsaved == ()
    window.close_case()
    open_case(qtbot, window, sample)
    again = session.own_rating()
    assert again is not own
    assert again.source.path == target
    np.testing.assert_array_equal(again.label_map.array, labels)
    assert again.history.undo_names == names
    assert len(again.history.redo_names) == 1
    assert session.unsaved == ()
    assert window.actions_by_name["undo"].isEnabled()
    again.history.go_to(0)
    assert not again.label_map.array.any()
