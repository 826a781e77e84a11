"""The audit: counts by brute force, and the time of work by hand."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from brainseg_desktop.core.audit import (
    IDLE_MS,
    START,
    Given,
    Tally,
    ToolUse,
    Totals,
    label_change,
    tool_of,
)
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.core.labels import TC, WT, Tissue
from brainseg_desktop.core.metrics import joint_histogram

SHAPE = (4, 3, 5)
labels = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 6))


@given(labels, labels, st.sampled_from([{Tissue.OEDEMA}, {Tissue.TUMOUR}, TC.tissues, WT.tissues]))
def test_changes_are_those_of_brute_force(given_labels, now, tissues):
    change = label_change(joint_histogram(given_labels, now), tissues)
    kept = added = removed = 0
    for before, after in zip(given_labels.ravel(), now.ravel(), strict=True):
        kept += before in tissues and after in tissues
        removed += before in tissues and after not in tissues
        added += before not in tissues and after in tissues
    assert (change.given, change.kept, change.added, change.removed) == (kept + removed, kept, added, removed)
    whole = 2 * kept + added + removed
    assert change.dice.value == (2 * kept / whole if whole else None)


@given(labels)
def test_given_labels_come_back(array):
    packed = Given.of("AI", array)
    np.testing.assert_array_equal(packed.array(), array)
    assert packed.shape == SHAPE


@pytest.mark.parametrize(
    "bad",
    [
        Given("AI", SHAPE, Box((0, 0, 0), (9, 1, 1)), zlib.compress(bytes(9))),
        Given("AI", SHAPE, Box((0, 0, 0), (2, 1, 1)), zlib.compress(bytes(3))),
        Given("AI", SHAPE, Box((0, 0, 0), (2, 1, 1)), zlib.compress(bytes(1))),
        Given("AI", SHAPE, Box((0, 0, 0), (2, 1, 1)), b"rubbish"),
        Given("AI", SHAPE, Box((0, 0, 0), (2, 1, 1)), zlib.compress(b"\x01\x09")),
        Given("AI", SHAPE, Box((0, 0, 0), (2, 1, 1)), zlib.compress(bytes(10**7))),
    ],
)
def test_given_labels_that_make_no_sense(bad):
    with pytest.raises(ValueError, match=r".+"):
        bad.array()


def test_names_of_tools():
    assert tool_of("Grow, oedema, 2 mm") == "Grow"
    assert tool_of("Brush, oedema, axial 77") == "Brush"
    assert tool_of("Fill") == "Fill"


class Desk:
    """A history with a clock that is set by hand, and its tally."""

    def __init__(self, totals=None):
        self.now = 1000.0
        self.history = History(LabelMap(np.zeros(SHAPE, np.uint8)), clock=lambda: self.now)
        self.tally = Tally(totals)
        history = self.history
        history.committed.connect(lambda c: self.tally.committed(c, history.label_map.array))
        history.undone.connect(lambda c: self.tally.undone(c, history.time_ms))
        history.redone.connect(lambda c: self.tally.redone(c, history.time_ms))

    def edit(self, name, n, value=1, *, wait=0.0, draw=0.0):
        """Wait, then draw `n` voxels for some time."""
        self.now += wait
        box = Box((0, 0, 0), (n, 1, 1))
        self.history.begin()
        self.now += draw
        self.history._stroke.paint(box, np.ones(box.shape, bool), value)
        return self.history.commit(name)


def test_time_of_work_leaves_pauses_out():
    desk = Desk()
    desk.edit("Brush, oedema", 2, draw=3)  # no event before: its own 3 s
    desk.edit("Brush, oedema", 3, wait=10, draw=2)
    desk.edit("Fill, oedema", 4, wait=IDLE_MS / 1000 - 0.001)
    desk.edit("Fill, oedema", 1, 2, wait=IDLE_MS / 1000, draw=1)  # a pause, then 1 s
    tools = desk.tally.totals.tools
    assert tools["Brush"] == ToolUse(steps=2, voxels=3, active_ms=15_000)
    assert tools["Fill"] == ToolUse(steps=2, voxels=2, active_ms=60_999)
    assert desk.tally.totals.active_s == pytest.approx(75.999)


def test_steps_taken_back_count_time_but_not_voxels():
    desk = Desk()
    desk.edit("Brush", 2)
    desk.edit("Fill", 4, 2, wait=5)
    desk.now += 4
    desk.history.undo()
    assert desk.tally.totals.tools["Fill"] == ToolUse(steps=0, undone=1, voxels=0, active_ms=9000)
    desk.now += 2
    desk.history.redo()
    assert desk.tally.totals.tools["Fill"] == ToolUse(steps=1, undone=1, voxels=4, active_ms=11_000)
    desk.history.go_to(0)
    assert [t.steps for t in desk.tally.totals.tools.values()] == [0, 0]


def test_a_clock_set_back_counts_nothing():
    desk = Desk()
    desk.edit("Brush", 2)
    desk.edit("Brush", 3, wait=-500, draw=2)
    assert desk.tally.totals.active_s == 2.0


def test_given_is_what_the_mask_was_last_started_from():
    desk = Desk()
    assert desk.tally.given is None
    desk.edit("Brush", 1, 1, draw=1)
    desk.edit(f"{START}AI (net)", 3, 2, wait=20)
    assert desk.tally.given.by == "AI (net)"
    assert desk.tally.given.array()[:, 0, 0].tolist() == [2, 2, 2, 0]
    # Copying a mask is no work of a tool, and choosing it neither.
    assert desk.tally.totals.tools == {"Brush": ToolUse(1, 0, 1, 1000)}
    desk.edit("Brush", 1, 3, wait=2)
    assert desk.tally.given.array()[:, 0, 0].tolist() == [2, 2, 2, 0]
    assert desk.tally.totals.active_s == 3.0
    desk.edit(f"{START}Reference", 2, 5)
    desk.history.go_to(2)
    assert desk.tally.given.by == "AI (net)"
    desk.history.go_to(0)
    assert desk.tally.given is None
    desk.history.go_to(4)
    assert desk.tally.given.by == "Reference"
    desk.history.go_to(1)
    desk.edit("Brush", 4, 3)
    assert desk.tally.given is None


def test_earlier_totals_go_on():
    before = Totals(Given.of("AI", np.ones(SHAPE, np.uint8)), {"Brush": ToolUse(4, 1, 100, 60_000)})
    desk = Desk(before)
    desk.edit("Brush", 2, draw=2)
    assert desk.tally.totals == Totals(before.given, {"Brush": ToolUse(5, 1, 102, 62_000)})
    assert before.tools["Brush"].steps == 4


@given(st.lists(st.one_of(st.integers(1, 4), st.sampled_from(["undo", "redo", "start"])), max_size=30))
@settings(max_examples=300, deadline=None)
def test_tools_hold_exactly_the_steps_that_stand(actions):
    desk = Desk()
    for i, action in enumerate(actions):
        desk.now += 1
        if action == "undo":
            desk.history.undo()
        elif action == "redo":
            desk.history.redo()
        elif action == "start":
            desk.edit(f"{START}mask {i}", 1 + i % 4, 1 + i % 6)
        else:
            desk.edit(f"Tool {action}, {i}", action, 1 + (i + action) % 6)
        standing = desk.history.steps[: desk.history.depth]
        tools = [c for c in standing if not c.name.startswith(START)]
        starts = [c for c in standing if c.name.startswith(START)]
        totals = desk.tally.totals
        assert sum(t.steps for t in totals.tools.values()) == len(tools)
        assert sum(t.voxels for t in totals.tools.values()) == sum(c.voxels for c in tools)
        assert (totals.given.by if totals.given else None) == (
            starts[-1].name.removeprefix(START) if starts else None
        )
