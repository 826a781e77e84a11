"""The journal: any prefix of a file is a state that was, and nothing else is."""

import base64
import errno
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.audit import START, Given, Tally, ToolUse, Totals
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.io.journal import Journal, exported_folder, exported_path
from brainseg_desktop.io.journal_format import (
    MAGIC,
    SAVED,
    UNDO,
    About,
    Header,
    ImageEntry,
    Turn,
    digest_of,
    frame,
    read_journal,
)
from brainseg_desktop.io.journal_replay import replay

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


def desk(folder, base=None, totals=None):
    labels = np.zeros(SHAPE, np.uint8) if base is None else base
    history = History(LabelMap(labels))
    path = folder / "a.journal"
    journal = Journal.start(path, HEADER, lambda: ABOUT, history.label_map.array, totals)
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
    st.one_of(st.tuples(boxes, st.integers(0, 6)), st.sampled_from(["undo", "redo"]), st.integers(0, 12)),
    min_size=1,
    max_size=12,
)


def act(desk, actions, *, jumps=True):
    for i, action in enumerate(actions):
        if isinstance(action, int) and not jumps:
            continue
        if action == "undo":
            desk.history.undo()
        elif action == "redo":
            desk.history.redo()
        elif isinstance(action, int):
            desk.history.go_to(action)
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
    act(made, actions, jumps=False)
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
    act(made, actions, jumps=False)
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
    journal.attach(restored(made.path)[1])
    journal.checkpoint()
    journal.close()
    assert not made.path.exists()
    assert exported_path(tmp_path, content.header, journal.exported).exists()


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


# Written by version 0.2 (format 1): two strokes, an export, a third; undo, undo, redo.
OLD = base64.b85decode(
    "LQ_Oa0SyWO4FLcEw-vE8NP8k<VRL07IwE6Xb7dkdB57@5XJvCDI$L`pb7gULWo~0-B03^QOhHLfA}k_sVRUFBIwCJ~Z*66FX"
    "k~I`FJ^3EX>u-ZX=yHJdLk?$b7)~QH8vtTA}}y!W+HuEEFyDgVQ^(4I$Jd?HY_w<EFxlIb7fz1XkjunHX=GAHf3aFIc7FyIb"
    "&lvGGk<AWHUBpHe)nlH8?OiGc#s6V>xCqVmUB1HZo!~HaRdeVmL51W->83Ffw5=VKp>nA}k_sa&KpHVQpV_WpZ<AZ*C$wA}}"
    "H>B6D<Ma&%>6Uv+e2B03^6FfukRFflDKF;p-xIxsLgFfc1HFgh?WA}k_iZ*py6bRs%2eGLEr05*kGfkJozV_+B<0001Z00Be"
    "*0014x80<lNB64ALWpW}qB2r~xWMy(9EFx=ZZe$`lB4~AOVQwNUB6DMCWo>05IwE3nVRUmcFfuVBEFxrObYW?1b0Ru>eSI4M"
    "007+j2U|syqfc&SlK=n!lL7()#0z)<V`PK?001li2^#<a0OonlSVfehRCjNa0RaJ%1Ox=c3wQxzV!{ak0}lW<0RR91!|z}qQ"
    "yl;R0Lq2j97U9+RA_Q#Ws?8{0Fwm<0mKV<0b^!H0RRDa04@Ol008z%1IbkZ0002?N(0GN0RR91Ro`b<QU"
)


def test_a_journal_of_the_first_format_is_read_and_goes_on(tmp_path):
    path = tmp_path / "old.journal"
    path.write_bytes(OLD)
    content = read_journal(path)
    assert (content.header.format, content.strokes, content.unsaved, content.exported) == (1, 3, True, "")
    assert content.steps[3:] == (Turn(UNDO), Turn(UNDO), Turn(ord("R")))
    history, tally = History(LabelMap(content.base)), Tally()
    replay(content, history, tally)
    assert (history.undo_names, history.redo_names) == (("Two", "One"), ("Three",))
    expected = np.zeros(SHAPE, np.uint8)
    expected[:2, :2, :2] = 1
    expected[1:4, 1:4, 1:4] = 2
    np.testing.assert_array_equal(history.label_map.array, expected)
    assert tally.totals.tools["Two"] == ToolUse(1, 1, 27, 0)  # nobody knows when
    journal = Journal.resume(path, content, lambda: ABOUT)
    journal.attach(history)
    history.redo()
    paint(history, Box((0, 0, 0), (1, 1, 1)), 6, "Four")
    journal.close()
    assert restored(path)[1].undo_names == ("Four", "Three", "Two", "One")


def test_a_journal_of_a_later_format_is_left_alone(tmp_path):
    path = tmp_path / "a.journal"
    path.write_bytes(MAGIC + frame(ord("H"), b'{"format":3,"case":"x","images":[],"shape":[1,1,1]}'))
    with pytest.raises(UserError, match="journal_newer"):
        read_journal(path)


def at(made, seconds):
    made.history.clock = lambda: seconds


def test_times_and_totals_survive(tmp_path):
    totals = Totals(Given.of("AI", np.ones(SHAPE, np.uint8)), {"Brush": ToolUse(2, 0, 50, 7000)})
    made = desk(tmp_path, totals=totals)
    at(made, 100)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "Brush, oedema")
    at(made, 110)
    paint(made.history, Box((0, 0, 0), (3, 3, 3)), 3, "Fill")
    at(made, 115)
    made.history.undo()
    at(made, 118)
    made.history.redo()
    at(made, 120)
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 5, f"{START}Reference")
    made.journal.close(keep=True)
    content = read_journal(made.path)
    history, tally = History(LabelMap(content.base)), Tally()
    replay(content, history, tally)
    assert tally.totals == made.journal.tally.totals
    assert tally.totals.tools == {"Brush": ToolUse(3, 0, 58, 7000), "Fill": ToolUse(1, 1, 27, 18_000)}
    assert [c.time_ms for c in history.steps] == [100_000, 110_000, 120_000]
    assert [c.voxels for c in history.steps] == [c.voxels for c in made.history.steps]
    assert tally.given.by == "Reference"
    history.undo()
    tally.undone(history.steps[-1], 0)
    assert tally.given == totals.given


def test_an_exported_journal_is_put_away_by_its_labels(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    paint(made.history, Box((0, 0, 0), (2, 3, 2)), 2, "Two")
    made.history.undo()
    made.journal.checkpoint()
    made.journal.checkpoint()
    assert (made.journal.unsaved, made.journal.exported) == (False, digest_of(made.history.label_map.array))
    made.journal.close()
    assert not made.path.exists()
    (kept,) = exported_folder(tmp_path).iterdir()
    assert kept == exported_path(tmp_path, HEADER, digest_of(made.history.label_map.array))
    content, history = restored(kept)
    assert (content.unsaved, content.exported) == (False, made.journal.exported)
    assert (history.undo_names, history.redo_names) == (("One",), ("Two",))
    np.testing.assert_array_equal(history.label_map.array, made.history.label_map.array)


def test_an_export_in_the_middle_of_a_stroke_gives_the_labels_no_name(tmp_path):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    made.history.begin()
    made.journal.checkpoint()
    made.history.cancel()
    assert (made.journal.unsaved, made.journal.exported) == (False, "")
    made.journal.close()
    assert list(tmp_path.iterdir()) == []


def test_an_export_before_any_step_writes_nothing(tmp_path):
    made = desk(tmp_path)
    made.journal.checkpoint()
    made.journal.close()
    assert list(tmp_path.iterdir()) == []


def test_steps_made_before_the_journal_are_in_it(tmp_path):
    history = History(LabelMap(np.ones(SHAPE, np.uint8)))
    paint(history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    paint(history, Box((0, 0, 0), (2, 3, 2)), 3, "Two")
    history.undo()
    path = tmp_path / "a.journal"
    journal = Journal.start(path, HEADER, lambda: ABOUT, history.label_map.array)
    journal.attach(history)
    assert restored(path)[1].redo_names == ("Two",)
    history.redo()
    history.go_to(0)
    journal.close(keep=True)
    _, again = restored(path)
    assert again.label_map.array.min() == again.label_map.array.max() == 1
    assert again.redo_names == ("One", "Two")
    assert {name: use.undone for name, use in journal.tally.totals.tools.items()} == {"One": 1, "Two": 2}


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted")
@pytest.mark.parametrize("gone", ["file", "folder", "replaced"])
def test_a_deleted_journal_is_written_anew_from_the_history(tmp_path, gone):
    made = desk(tmp_path / "state", np.ones(SHAPE, np.uint8))
    at(made, 100)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    at(made, 107)
    paint(made.history, Box((0, 0, 0), (2, 3, 2)), 3, "Two")
    made.history.undo()
    made.path.unlink()
    if gone == "folder":
        made.path.parent.rmdir()
    elif gone == "replaced":
        made.path.write_bytes(b"")
    paint(made.history, Box((1, 1, 1), (4, 4, 4)), 4, "Three")
    made.history.undo()
    made.journal.close(keep=True)
    content = read_journal(made.path)
    history, tally = History(LabelMap(content.base)), Tally()
    replay(content, history, tally)
    assert (history.undo_names, history.redo_names) == (("One",), ("Three",))
    np.testing.assert_array_equal(history.label_map.array, made.history.label_map.array)
    assert content.base.min() == 1
    assert tally.totals == made.journal.tally.totals


def test_a_disk_that_went_and_came_back(tmp_path, monkeypatch):
    made = desk(tmp_path)
    paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")

    def broken(*_):
        raise OSError(errno.EIO, "gone")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", broken)
        paint(made.history, Box((0, 0, 0), (2, 3, 2)), 3, "Two")
    assert made.journal.error.code == "write_failed"
    assert made.journal.retry()
    assert restored(made.path)[1].undo_names == ("Two", "One")
    made.journal.close()


def test_nothing_is_tried_again_in_the_middle_of_a_stroke(tmp_path, monkeypatch):
    made = desk(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        paint(made.history, Box((0, 0, 0), (2, 2, 2)), 2, "One")
    made.history.begin()
    assert made.journal.retry() is False
    made.history.cancel()
    assert made.journal.retry() is True
    made.journal.close()


def test_steps_of_a_jump_reach_the_disk_together(tmp_path, monkeypatch):
    made = desk(tmp_path)
    for i in range(5):
        paint(made.history, Box((i, 0, 0), (i + 1, 2, 2)), 2, f"{i}")
    real, calls = os.fsync, []
    monkeypatch.setattr("os.fsync", lambda d: (calls.append(d), real(d)))
    made.history.go_to(1)
    assert len(calls) == 1
    _, history = restored(made.path)
    assert (history.undo_names, history.redo_names) == (("0",), ("1", "2", "3", "4"))
    made.journal.close()


def test_replay_forgets_no_step_that_a_later_frame_takes_back(tmp_path):
    noise = np.random.default_rng(0)
    made = desk(tmp_path, noise.integers(0, 7, SHAPE).astype(np.uint8))
    states = [made.history.label_map.array.copy()]
    for i in range(6):
        with made.history.edit(f"{i}") as stroke:
            stroke.replace(Box((0, 0, 0), SHAPE), noise.integers(0, 7, SHAPE).astype(np.uint8))
        states.append(made.history.label_map.array.copy())
    made.history.go_to(1)
    paint(made.history, Box((0, 0, 0), (1, 1, 1)), 1, "last")
    made.history.undo()
    made.journal.close(keep=True)
    content = read_journal(made.path)
    history = History(LabelMap(content.base), budget_bytes=1)
    replay(content, history)
    np.testing.assert_array_equal(history.label_map.array, states[1])


lives = st.lists(
    st.one_of(
        st.tuples(boxes, st.integers(0, 6)),
        st.sampled_from(["undo", "redo", "export", "retry", "full", "room", "deleted", "cancelled", "empty"]),
        st.integers(0, 8).map(lambda n: ("jump", n)),
        st.floats(0, 1).map(lambda cut: ("crash", cut)),
    ),
    min_size=3,
    max_size=18,
)


@settings(max_examples=1500, deadline=None)
@given(actions=lives, seed=st.integers(0, 1000))
def test_any_life_of_a_mask_gives_exact_voxels(tmp_path_factory, actions, seed):
    """Edits, undo, redo, jumps, exports, full disks, deleted journals, crashes with a torn tail."""
    base = np.random.default_rng(seed).integers(0, 4, SHAPE).astype(np.uint8)
    patch = pytest.MonkeyPatch()
    full = False
    real = os.write

    def write(descriptor, data):
        if full:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data)

    patch.setattr("os.write", write)
    patch.setattr("os.fsync", lambda _: None)
    made = desk(tmp_path_factory.mktemp("life"), base)
    history, journal = made.history, made.journal
    # What a plain list of arrays says, and what the disk must hold at least.
    past, future = [base.copy()], []
    on_disk = None

    def state():
        return past[-1].copy(), len(past) - 1, len(future)

    try:
        for i, action in enumerate(actions):
            kind, value = action if isinstance(action, tuple) else (action, None)
            if kind == "undo" and history.undo():
                future.append(past.pop())
            elif kind == "redo" and history.redo():
                past.append(future.pop())
            elif kind == "jump":
                history.go_to(value)
                everything = past + future[::-1]
                cut = min(value, len(everything) - 1) + 1
                past, future = everything[:cut], everything[cut:][::-1]
            elif kind == "export":
                journal.checkpoint()
            elif kind == "retry":
                journal.retry()
            elif kind in ("full", "room"):
                full = kind == "full"
            elif kind == "deleted":
                if os.name != "nt":
                    made.path.unlink(missing_ok=True)
                    on_disk = None
            elif kind == "cancelled":
                history.begin().paint(Box((0, 0, 0), SHAPE), np.ones(SHAPE, bool), 5)
                history.cancel()
            elif kind == "empty":
                paint(history, Box((0, 0, 0), (1, 1, 1)), int(past[-1][0, 0, 0]), "empty")
            elif isinstance(kind, Box):
                plain = past[-1].copy()
                plain[kind.slices] = value
                paint(history, kind, value, f"step {i}")
                if not np.array_equal(plain, past[-1]):
                    past.append(plain)
                    future = []
            np.testing.assert_array_equal(history.label_map.array, past[-1])
            assert (history.depth, len(history.steps)) == (len(past) - 1, len(past) + len(future) - 1)
            if made.path.exists() and journal.error is None and not journal._waiting:
                on_disk = state()
            if kind == "crash" and on_disk is not None and made.path.stat().st_size > 0:
                journal._drop_descriptor()
                for disconnect in journal._connections:
                    disconnect()
                content, history = restored(made.path)
                np.testing.assert_array_equal(history.label_map.array, on_disk[0])
                assert (history.depth, len(history.steps) - history.depth) == on_disk[1:]
                # Rubbish behind the last whole frame, as a torn write leaves it.
                with made.path.open("ab") as file:
                    file.write(bytes([7]) * int(value * 40))
                content = read_journal(made.path)
                full = False
                journal = Journal.resume(made.path, content, lambda: ABOUT)
                journal.attach(history)
                past, future = _arrays(history)
    finally:
        full = False
        journal.close(keep=True)
        patch.undo()
    assert made.path.exists() or not history.steps
    if made.path.exists():
        _, history = restored(made.path)
        np.testing.assert_array_equal(history.label_map.array, past[-1])
        assert (history.depth, len(history.steps) - history.depth) == (len(past) - 1, len(future))


def _arrays(history):
    """The states that a history stands for, by its steps alone."""
    states = [history.base()]
    for command in history.steps:
        states.append(states[-1].copy())
        states[-1][command.box.slices] = command.values(after=True)
    return states[: history.depth + 1], states[history.depth + 1 :][::-1]
