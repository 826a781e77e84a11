"""Edits, undo and redo against a plain list of arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.history import EditCommand, History, LabelMap

SHAPE = (6, 5, 4)
starts = st.tuples(*[st.integers(0, n - 1) for n in SHAPE])
boxes = starts.flatmap(
    lambda start: st.tuples(*[st.integers(a + 1, n) for a, n in zip(start, SHAPE, strict=True)]).map(
        lambda stop: Box(start, stop)
    )
)
dabs = st.tuples(boxes, st.integers(0, 6), st.integers(0, 2**16))
strokes = st.lists(dabs, min_size=0, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["edit", "fail", "cancel"]), strokes),
        st.sampled_from(["undo", "redo"]),
        st.integers(-1, 21),
    ),
    max_size=20,
)


class Oops(Exception):
    pass


def new_history(budget=10**9):
    return History(LabelMap(np.zeros(SHAPE, np.uint8)), budget)


def draw(stroke, plain, dab):
    """Paint into the history's map and, independently, into a plain array."""
    box, value, seed = dab
    mask = np.random.default_rng(seed).random(box.shape) < 0.6
    before = plain.copy()
    plain[box.slices][mask] = value
    assert stroke.paint(box, mask, value) == np.count_nonzero(before != plain)


@given(steps)
@settings(deadline=None, max_examples=400)
def test_any_sequence_equals_a_list_of_arrays(actions):
    history = new_history()
    seen = history.label_map.array.copy()
    told = []

    def follow(box):
        seen[box.slices] = history.label_map.array[box.slices]

    history.changed.connect(follow)
    history.committed.connect(lambda c: told.append(("committed", c.name)))
    history.undone.connect(lambda c: told.append(("undone", c.name)))
    history.redone.connect(lambda c: told.append(("redone", c.name)))
    past, future, expected = [history.label_map.array.copy()], [], []
    names, undone = [], []
    numbered = {}
    for number, action in enumerate(actions):
        name = f"step {number}"
        if isinstance(action, int):
            target = min(max(0, action), len(names) + len(undone))
            gone = history.go_to(action)
            assert gone == abs(target - len(names))
            while len(names) > target:
                future.append(past.pop())
                undone.append(names.pop())
                expected.append(("undone", undone[-1]))
            while len(names) < target:
                past.append(future.pop())
                names.append(undone.pop())
                expected.append(("redone", names[-1]))
        elif action == "undo":
            command = history.undo()
            assert (command is None) == (len(past) == 1)
            if command is not None:
                future.append(past.pop())
                undone.append(names.pop())
                expected.append(("undone", undone[-1]))
        elif action == "redo":
            command = history.redo()
            assert (command is None) == (not future)
            if command is not None:
                past.append(future.pop())
                names.append(undone.pop())
                expected.append(("redone", names[-1]))
        else:
            kind, stroke_dabs = action
            plain = past[-1].copy()
            if kind == "edit":
                with history.edit(name) as stroke:
                    for dab in stroke_dabs:
                        draw(stroke, plain, dab)
                if not np.array_equal(plain, past[-1]):
                    past.append(plain)
                    names.append(name)
                    future.clear()
                    undone.clear()
                    expected.append(("committed", name))
            elif kind == "fail":
                with pytest.raises(Oops), history.edit(name) as stroke:  # noqa: PT012
                    for dab in stroke_dabs:
                        draw(stroke, plain, dab)
                    raise Oops
            else:
                stroke = history.begin()
                for dab in stroke_dabs:
                    draw(stroke, plain, dab)
                assert history.undo() is None
                assert history.redo() is None
                assert history.go_to(0) == 0
                history.cancel()
        np.testing.assert_array_equal(history.label_map.array, past[-1])
        np.testing.assert_array_equal(seen, past[-1])
        assert history.undo_names == tuple(reversed(names))
        assert history.redo_names == tuple(reversed(undone))
        assert tuple(c.name for c in history.steps) == (*names, *reversed(undone))
        assert history.depth == len(names)
        np.testing.assert_array_equal(history.base(), past[0])
        # One number, one state: what was seen under it before is what it shows now.
        np.testing.assert_array_equal(numbered.setdefault(history.present, past[-1]), past[-1])
        assert not history.is_editing
    assert told == expected


def edit(history, box, value, name="Brush"):
    with history.edit(name) as stroke:
        stroke.paint(box, np.ones(box.shape, bool), value)


@given(st.lists(dabs, min_size=1, max_size=15), st.integers(0, 400))
@settings(deadline=None, max_examples=60)
def test_bytes_are_bounded_and_the_newest_step_stays(all_dabs, budget):
    history = new_history(budget)
    states = [history.label_map.array.copy()]
    for dab in all_dabs:
        plain = states[-1].copy()
        with history.edit("Brush") as stroke:
            draw(stroke, plain, dab)
        if not np.array_equal(plain, states[-1]):
            states.append(plain)
            assert len(history.undo_names) >= 1
        assert history.size_bytes <= budget or len(history.undo_names) <= 1
    kept = len(history.undo_names)
    for back in range(1, kept + 1):
        history.undo()
        np.testing.assert_array_equal(history.label_map.array, states[-1 - back])
    assert history.undo() is None
    for _ in range(kept):
        history.redo()
    np.testing.assert_array_equal(history.label_map.array, states[-1])


def test_an_edit_without_change_makes_no_step():
    history = new_history()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 0)
    with history.edit("Nothing"):
        pass
    with history.edit("There and back") as stroke:
        box = Box((1, 1, 1), (3, 3, 3))
        stroke.paint(box, np.ones(box.shape, bool), 3)
        stroke.paint(box, np.ones(box.shape, bool), 0)
    assert history.undo_names == ()
    assert history.size_bytes == 0


def test_an_edit_without_change_keeps_redo():
    history = new_history()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 1)
    history.undo()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 0)
    assert history.redo_names == ("Brush",)


def test_size_is_that_of_both_stacks():
    history = new_history()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 1)
    edit(history, Box((1, 1, 1), (4, 4, 4)), 2)
    size = history.size_bytes
    history.undo()
    assert history.size_bytes == size
    edit(history, Box((0, 0, 0), (1, 1, 1)), 5)
    commands = [history.undo(), history.undo()]
    assert history.size_bytes == sum(c.size_bytes for c in commands)


def test_the_changed_box_is_tight():
    history = new_history()
    seen = []
    history.changed.connect(seen.append)
    mask = np.zeros(SHAPE, bool)
    mask[2:4, 1, 3] = True
    with history.edit("Brush") as stroke:
        assert stroke.paint(Box((0, 0, 0), SHAPE), mask, 2) == 2
    assert seen == [Box((2, 1, 3), (4, 2, 4))]
    assert history.undo().box == seen[0]


def test_replace_sets_a_whole_box():
    history = new_history()
    values = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 7
    with history.edit("Smooth") as stroke:
        assert stroke.replace(Box((1, 1, 1), (3, 3, 3)), values) == np.count_nonzero(values)
    np.testing.assert_array_equal(history.label_map.array[1:3, 1:3, 1:3], values)


def test_misuse_is_refused():
    history = new_history()
    with pytest.raises(RuntimeError, match="no edit is open"):
        history.commit("x")
    stroke = history.begin()
    with pytest.raises(RuntimeError, match="another edit"):
        history.begin()
    with pytest.raises(ValueError, match="does not fit"):
        stroke.replace(Box((0, 0, 0), (9, 1, 1)), np.zeros((9, 1, 1), np.uint8))
    history.cancel()
    with pytest.raises(RuntimeError, match="ended"):
        stroke.paint(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), bool), 1)
    with pytest.raises(ValueError, match="read-only"):
        history.label_map.array[0, 0, 0] = 1
    with pytest.raises(ValueError, match="three axes"):
        LabelMap(np.zeros((2, 2), np.uint8))


def test_a_label_map_copies_what_it_is_given():
    given_array = np.zeros(SHAPE, np.uint8)
    label_map = LabelMap(given_array)
    given_array[0, 0, 0] = 1
    assert label_map.array[0, 0, 0] == 0
    assert label_map.shape == SHAPE


def test_apply_replays_a_known_step_without_telling_the_journal():
    history = new_history()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 4)
    command = history.undo()
    other = new_history()
    told = []
    other.committed.connect(told.append)
    other.apply(command)
    assert told == []
    assert other.label_map.array[1, 1, 1] == 4
    assert isinstance(other.undo(), EditCommand)
    assert not other.label_map.array.any()


def test_a_jump_is_told_once():
    history = new_history()
    for i in range(4):
        edit(history, Box((i, 0, 0), (i + 1, 1, 1)), i + 1, f"step {i}")
    boxes, told, jumping = [], [], []
    history.changed.connect(boxes.append)
    history.jumped.connect(told.append)
    history.undone.connect(lambda _: jumping.append(history.is_jumping))
    assert history.go_to(1) == 3
    assert boxes == [Box((1, 0, 0), (4, 1, 1))]
    assert (told, jumping, history.is_jumping) == ([3], [True] * 3, False)
    assert history.go_to(1) == 0
    assert told == [3]
    assert history.label_map.array[:, 0, 0].tolist() == [1, 0, 0, 0, 0, 0]
    history.undo()
    assert jumping[-1] is False


def test_a_jump_that_fails_half_way_tells_where_it_is(monkeypatch):
    history = new_history()
    for i in range(4):
        edit(history, Box((i, 0, 0), (i + 1, 1, 1)), i + 1)
    seen = history.label_map.array.copy()
    history.changed.connect(lambda box: seen.__setitem__(box.slices, history.label_map.array[box.slices]))
    real, calls = EditCommand.values, []

    def values(command, *, after):
        calls.append(command)
        if len(calls) == 3:
            raise MemoryError
        return real(command, after=after)

    monkeypatch.setattr(EditCommand, "values", values)
    with pytest.raises(MemoryError):
        history.go_to(0)
    assert (history.depth, len(history.steps), history.is_jumping) == (2, 4, False)
    np.testing.assert_array_equal(seen, history.label_map.array)
    assert history.label_map.array[:, 0, 0].tolist() == [1, 2, 0, 0, 0, 0]
    history.go_to(4)
    assert history.label_map.array[:, 0, 0].tolist() == [1, 2, 3, 4, 0, 0]


def test_a_step_knows_its_voxels_and_times():
    times = iter([10.0, 12.5, 20.0])
    history = History(LabelMap(np.zeros(SHAPE, np.uint8)), clock=lambda: next(times))
    with history.edit("Brush") as stroke:
        stroke.paint(Box((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), bool), 1)
        stroke.paint(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), bool), 0)
    (command,) = history.steps
    assert (command.voxels, command.begun_ms, command.time_ms) == (7, 10_000, 12_500)
    assert history.time_ms == 12_500
    history.undo()
    assert history.time_ms == 20_000


def test_numbers_tell_states_apart_that_names_do_not():
    history = new_history()
    edit(history, Box((0, 0, 0), (1, 1, 1)), 1)
    first, names = history.present, history.undo_names
    history.undo()
    assert history.present == 0
    edit(history, Box((2, 2, 2), (3, 3, 3)), 1)
    assert history.undo_names == names
    assert history.present != first


def test_forgotten_steps_are_counted_and_numbers_stay():
    history = new_history(budget=1)
    for i in range(3):
        edit(history, Box((i, 0, 0), (i + 1, 1, 1)), 1)
    assert (history.dropped, history.depth, history.present) == (2, 1, 3)
    history.undo()
    assert history.present == 2
    assert history.base()[:, 0, 0].tolist() == [1, 1, 0, 0, 0, 0]


def test_steps_of_an_equal_mask_can_be_adopted():
    history = new_history()
    edit(history, Box((0, 0, 0), (2, 2, 2)), 4, "One")
    edit(history, Box((1, 1, 1), (3, 3, 3)), 5, "Two")
    history.undo()
    other = History(LabelMap(history.label_map.array))
    other.adopt(history)
    assert (other.undo_names, other.redo_names) == (("One",), ("Two",))
    assert (other.size_bytes, other.present) == (history.size_bytes, history.present)
    other.go_to(0)
    assert not other.label_map.array.any()
    assert history.depth == 1
    with pytest.raises(ValueError, match="differ"):
        new_history().adopt(history)
