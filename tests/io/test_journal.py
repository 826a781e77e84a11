"""The journal: any prefix of a file is a state that was, and nothing else is."""

import errno
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.io.journal import Journal, replay
from brainseg_desktop.io.journal_format import (
    MAGIC,
    SAVED,
    About,
    Header,
    ImageEntry,
    frame,
    read_journal,
)

SHAPE = (5, 6, 4)
ABOUT = About(rater="Reader", kind="human", scheme="brats2021")
HEADER = Header(
    case="case",
    images=(ImageEntry("FLAIR", "/somewhere/flair.nii.gz", "00ff"),),
    shape=SHAPE,
    base_sha256="",
    program_version="0",
    started_utc="2026-01-01T00:00:00+00:00",
)


@dataclass
class Desk:
    """A history, its journal, and what the labels and undo names were at each length of the file."""

    path: Path
    history: History
    journal: Journal
    states: list[tuple[int, np.ndarray, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)

    def note(self):
        size = self.path.stat().st_size if self.path.exists() else 0
        self.states.append((size, self.history.label_map.array.copy(), *self.names()))

    def names(self):
        return self.history.undo_names, self.history.redo_names


def desk(folder, base=None):
    labels = np.zeros(SHAPE, np.uint8) if base is None else base
    history = History(LabelMap(labels))
    path = folder / "a.journal"
    journal = Journal.start(path, HEADER, lambda: ABOUT, history.label_map.array)
    journal.attach(history)
    return Desk(path, history, journal)


def paint(history, box, value, name="Brush"):
    with history.edit(name) as stroke:
        stroke.paint(box, np.ones(box.shape, bool), value)


def restored(path):
    content = read_journal(path)
    history = History(LabelMap(content.base))
    replay(content, history)
    return content, history


boxes = st.tuples(*[st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in SHAPE]).map(
    lambda spans: Box(
        tuple(a for a, _ in spans), tuple(min(a + n, s) for (a, n), s in zip(spans, SHAPE, strict=True))
    )
)
steps = st.lists(
    st.one_of(st.tuples(boxes, st.integers(0, 6)), st.sampled_from(["undo", "redo"])), min_size=1, max_size=12
)


def act(desk, actions):
    for i, action in enumerate(actions):
        if action == "undo":
            desk.history.undo()
        elif action == "redo":
            desk.history.redo()
        else:
            paint(desk.history, *action, name=f"Brush {i}")
        desk.note()


@settings(max_examples=60, deadline=None)
@given(actions=steps, seed=st.integers(0, 1000))
def test_replay_gives_the_same_labels_and_the_same_undo(tmp_path_factory, actions, seed):
    base = np.random.default_rng(seed).integers(0, 4, SHAPE).astype(np.uint8)
    made = desk(tmp_path_factory.mktemp("j"), base)
    act(made, actions)
    made.journal.close(keep=True)
    if not made.path.exists():  # nothing changed, so nothing was written
        assert made.history.undo_names == ()
        return
    content, history = restored(made.path)
    np.testing.assert_array_equal(content.base, base)
    np.testing.assert_array_equal(history.label_map.array, made.history.label_map.array)
    assert (history.undo_names, history.redo_names) == made.names()
    while history.undo():
        pass
    np.testing.assert_array_equal(history.label_map.array, base)


@settings(max_examples=40, deadline=None)
@given(actions=steps, cut=st.floats(0, 1))
def test_a_file_cut_anywhere_is_a_state_that_was(tmp_path_factory, actions, cut):
    made = desk(tmp_path_factory.mktemp("j"))
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1, "First")
    made.note()
    act(made, actions)
    made.journal.close(keep=True)
    raw = made.path.read_bytes()
    first = made.states[0][0]
    length = first + round(cut * (len(raw) - first))
    made.path.write_bytes(raw[:length])
    _, labels, undo, redo = [s for s in made.states if s[0] <= length][-1]
    _, history = restored(made.path)
    np.testing.assert_array_equal(history.label_map.array, labels)
    assert (history.undo_names, history.redo_names) == (undo, redo)


@settings(max_examples=40, deadline=None)
@given(actions=steps, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_ends_the_journal_before_it(tmp_path_factory, actions, place, bit):
    made = desk(tmp_path_factory.mktemp("j"))
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1, "First")
    made.note()
    act(made, actions)
    made.journal.close(keep=True)
    raw = bytearray(made.path.read_bytes())
    first = made.states[0][0]
    if len(raw) == first:
        return
    at = first + int(place * (len(raw) - first))
    raw[at] ^= 1 << bit
    made.path.write_bytes(raw)
    _, labels, undo, redo = [s for s in made.states if s[0] <= at][-1]
    _, history = restored(made.path)
    np.testing.assert_array_equal(history.label_map.array, labels)
    assert (history.undo_names, history.redo_names) == (undo, redo)


def test_nothing_is_written_before_the_first_step(tmp_path):
    made = desk(tmp_path)
    assert not made.path.exists()
    made.journal.close()
    assert list(tmp_path.iterdir()) == []


def test_go_on_after_a_torn_tail(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 1, "One")
    paint(made.history, Box((1, 1, 1), (3, 3, 3)), 2, "Two")
    made.journal.close(keep=True)
    made.path.write_bytes(made.path.read_bytes()[:-3])
    content, history = restored(made.path)
    assert history.undo_names == ("One",)
    journal = Journal.resume(made.path, content, lambda: ABOUT)
    journal.attach(history)
    paint(history, Box((0, 0, 0), (1, 1, 1)), 3, "Three")
    history.undo()
    journal.close(keep=True)
    _, again = restored(made.path)
    assert (again.undo_names, again.redo_names) == (("One",), ("Three",))
    np.testing.assert_array_equal(again.label_map.array, history.label_map.array)


def test_full_disk_keeps_the_strokes_and_tells(tmp_path, monkeypatch):
    made = desk(tmp_path)
    told = []
    made.journal.failed.connect(lambda error: told.append(error.code))
    made.journal.mended.connect(lambda _: told.append("mended"))
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1, "One")
    real, calls = os.write, 0

    def half(descriptor, data):
        nonlocal calls
        calls += 1
        if calls % 2:
            return real(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", half)
        paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "Two")
        paint(made.history, Box((0, 0, 0), (3, 3, 3)), 3, "Three")
        assert told == ["disk_full"]
        assert made.journal.retry() is False
        assert restored(made.path)[1].undo_names == ("One",)
    assert made.journal.retry() is True
    assert told == ["disk_full", "mended"]
    assert made.journal.error is None
    _, history = restored(made.path)
    assert history.undo_names == ("Three", "Two", "One")
    np.testing.assert_array_equal(history.label_map.array, made.history.label_map.array)
    made.journal.close()


@pytest.mark.parametrize("function", ["os.fsync", "os.open", "os.write"])
@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EACCES, "no_permission")])
def test_a_journal_that_cannot_begin_begins_later(tmp_path, monkeypatch, function, number, code):
    made = desk(tmp_path / "deep" / "state")
    told = []
    made.journal.failed.connect(lambda error: told.append(error.code))

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(function, fail)
        paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    assert told == [code]
    paint(made.history, Box((0, 0, 0), (3, 3, 3)), 3, "Two")
    assert restored(made.path)[1].undo_names == ("Two", "One")
    made.journal.close()


def test_checkpoint_and_close(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    assert read_journal(made.path).unsaved
    made.journal.checkpoint()
    assert not read_journal(made.path).unsaved
    paint(made.history, Box((0, 0, 0), (2, 3, 2)), 3, "Two")
    content = read_journal(made.path)
    assert content.unsaved
    assert content.strokes == 2
    made.journal.close()  # unsaved work stays
    assert made.path.exists()
    journal = Journal.resume(made.path, content, lambda: ABOUT)
    journal.checkpoint()
    journal.close()
    assert not made.path.exists()


def test_what_the_rating_is_may_change(tmp_path):
    history = History(LabelMap(np.zeros(SHAPE, np.uint8)))
    about = [ABOUT]
    journal = Journal.start(tmp_path / "a.journal", HEADER, lambda: about[0], history.label_map.array)
    journal.attach(history)
    paint(history, Box((0, 0, 0), (1, 1, 1)), 1)
    about[0] = About(
        rater="Reader", kind="human", scheme="brats2023", details={"started_from": {"rater": "AI"}}
    )
    paint(history, Box((0, 0, 0), (2, 1, 1)), 1)
    journal.close(keep=True)
    assert read_journal(journal.path).about == about[0]


def test_a_second_program_is_kept_out(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1)
    with pytest.raises(UserError, match="journal_in_use"):
        Journal.resume(made.path, read_journal(made.path), lambda: ABOUT)
    made.journal.close()


def test_damaged_beginnings(tmp_path):
    path = tmp_path / "a.journal"
    with pytest.raises(UserError, match="file_missing"):
        read_journal(path)
    for raw in (b"", b"rubbish", MAGIC, MAGIC + frame(SAVED, b""), MAGIC + frame(ord("H"), b"{}")):
        path.write_bytes(raw)
        with pytest.raises(UserError, match="journal_damaged"):
            read_journal(path)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x94\xa1a\x93\0\0\0\x93\x09\x01\x01\xc4\x00",
    ],
)
def test_an_edit_that_makes_no_sense_ends_the_journal(tmp_path, payload):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1, "One")
    made.journal.close(keep=True)
    raw = made.path.read_bytes()
    made.path.write_bytes(raw + frame(ord("E"), payload))
    content = read_journal(made.path)
    assert (content.strokes, content.length) == (1, len(raw))


def test_values_are_compressed(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2)
    edit = read_journal(made.path).steps[0]
    assert zlib.decompress(edit.after) == bytes([2]) * 8
    made.journal.close()
