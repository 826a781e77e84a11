from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.batches import Batch, BatchSource, EachSlice, prefetched, sort_slices
from brainseg_desktop.training.resident import fits
from tests.training.miniature import make_exam, make_recipe

WORK = Path("none")
FULL = {"augment": {"flip": 0.5, "rotation": 10.0, "noise": 0.1, "drop": 0.2, "mix": 0.3}}


def source(exams, stripped=(), rank=0, ranks=1, **tables) -> BatchSource:
    return BatchSource(exams, stripped, make_recipe(WORK, **tables), rank, ranks)


def marked(count: int, depth: int = 4, **kwargs):
    """Exams whose pixels are their number times 100 plus the slice, in FLAIR."""
    exams = []
    for i in range(count):
        exam = make_exam(f"e{i}", seed=i, depth=depth, **kwargs)
        exam.slices[:, 3] = (100 * i + np.arange(depth))[:, None, None]
        exams.append(exam)
    return exams


def centres(batch: Batch, channel: int = 3) -> list[int]:
    middle = [side // 2 for side in batch.images.shape[-2:]]
    return batch.images[:, channel, ..., middle[0], middle[1]].flatten().int().tolist()


# Values beyond the range of the preparation are cut, and these are markers.
ZSCORE = {"preparation": {"normalise": "zscore"}}


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    size=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_every_slice_once_an_epoch(lengths, size, seed):
    sampler = EachSlice(lengths, size, 1, seed)
    expected = sorted((e, z) for e, n in enumerate(lengths) for z in range(n))
    epochs = []
    for epoch in range(2):
        steps = range(epoch * sampler.steps_per_epoch, (epoch + 1) * sampler.steps_per_epoch)
        drawn = [sampler.draw(step) for step in steps]
        assert all(0 < len(places) <= size for places in drawn)
        epochs.append([place for places in drawn for place in places])
        assert sorted(epochs[-1]) == expected
    if len(expected) > 8:
        assert epochs[0] != epochs[1]


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4), depth=st.integers(2, 8))
def test_blocks_fill_their_exams(lengths, depth):
    sampler = EachSlice(lengths, 1, depth, 5)
    places = [place for step in range(sampler.steps_per_epoch) for place in sampler.draw(step)]
    assert Counter(e for e, _ in places) == {e: -(-n // depth) for e, n in enumerate(lengths)}
    assert all(0 <= z < lengths[e] for e, z in places)


def test_an_epoch_is_drawn_with_its_last_short_batch():
    drawn = source(marked(3), schedule={"batch": 5}, **ZSCORE)
    assert drawn.steps_per_epoch == 3
    batches = [batch for step in range(3) for batch in drawn.draw(step)]
    assert [len(batch.images) for batch in batches] == [5, 5, 2]
    values = [v for batch in batches for v in centres(batch)]
    assert sorted(values) == [100 * e + z for e in range(3) for z in range(4)]


def test_accumulated_batches_are_parts_of_one_step():
    drawn = source(marked(3), schedule={"batch": 2, "accumulate": 3}, **ZSCORE)
    assert drawn.steps_per_epoch == 2
    assert [len(b.images) for b in drawn.draw(0)] == [2, 2, 2]
    large = source(marked(3), schedule={"batch": 6}, **ZSCORE).draw(0)[0]
    assert [v for b in drawn.draw(0) for v in centres(b)] == centres(large)


@pytest.mark.parametrize("balance", ["slices", "patients"])
def test_a_batch_follows_from_seed_and_step(balance):
    exams = [make_exam(f"e{i}", seed=i) for i in range(4)]
    tables = {"sampling": {"balance": balance}, **FULL}
    ahead = source(exams, **tables)
    for step in range(7):
        expected = ahead.draw(step)
        (found,), (again,) = source(exams, **tables).draw(step), expected
        for name in ("images", "targets", "taught"):
            assert torch.equal(getattr(found, name), getattr(again, name))
    other = source(exams, seed=8, **tables).draw(6)[0]
    assert not torch.equal(other.images, again.images)


def test_neighbours_and_the_ends_of_an_exam():
    drawn = source(
        marked(1), schedule={"batch": 4}, preparation={"normalise": "zscore", "context": [-1, 0, 2]}
    )
    (batch,) = drawn.draw(0)
    assert batch.images.shape == (4, 12, 32, 32)
    seen = {tuple(centres(batch, slice(3, 12, 4))[3 * i : 3 * i + 3]) for i in range(4)}
    assert seen == {(0, 0, 2), (0, 1, 3), (1, 2, 3), (2, 3, 3)}


def test_slices_of_several_sizes_share_a_canvas():
    exams = [make_exam("a", size=(32, 48)), make_exam("b", size=(40, 32))]
    (batch,) = source(exams, schedule={"batch": 8}).draw(0)
    assert batch.images.shape == (8, 4, 48, 48)
    assert batch.targets.sum() == exams[0].targets[:, 0].sum() + exams[1].targets[:, 0].sum()
    (batch,) = source(exams, schedule={"batch": 8}, sampling={"patch": [16, 32]}).draw(0)
    assert batch.images.shape == (8, 4, 16, 32)


@pytest.mark.parametrize("context", [[0], [-1, 0, 1]])
@pytest.mark.parametrize("patch", [None, [16, 32]])
def test_batches_of_resident_slices_are_those_of_the_disk(context, patch):
    exams = [make_exam(f"e{i}", seed=i, depth=3 + i) for i in range(3)]
    tables = {**FULL, "preparation": {"context": context}, "sampling": {"patch": patch}}
    recipe = make_recipe(WORK, **tables)
    mapped, resident = (BatchSource(exams, [], recipe, resident=kept) for kept in (False, True))
    for step in range(4):
        for one, other in zip(mapped.draw(step), resident.draw(step), strict=True):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.targets, other.targets)
            assert torch.equal(one.taught, other.taught)


def test_resident_slices_of_several_sizes_share_a_canvas():
    exams = [make_exam("a", size=(32, 48)), make_exam("b", size=(40, 32))]
    tables = {"schedule": {"batch": 8}, "sampling": {"patch": [32, 32]}}
    sources = [BatchSource(exams, [], make_recipe(WORK, **tables), resident=kept) for kept in (False, True)]
    (one,), (other,) = (source.draw(0) for source in sources)
    torch.testing.assert_close(one.images, other.images, rtol=0, atol=1e-4)
    assert torch.equal(one.targets, other.targets)


def test_resident_blocks_of_slices():
    exams = [make_exam("a", depth=5, seed=1), make_exam("b", depth=7, seed=2)]
    tables = {"network": {"name": "unet3d", "depth": 4, "widths": [4, 8]}, "schedule": {"batch": 2}}
    recipe = make_recipe(WORK, **tables)
    (one,), (other,) = (BatchSource(exams, [], recipe, resident=kept).draw(0) for kept in (False, True))
    assert one.images.shape == (2, 4, 4, 32, 32)
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.targets, other.targets)


def test_slices_stay_on_the_disk_where_there_is_no_room(monkeypatch):
    exams, canvas = [make_exam("a", depth=5)], (32, 32)
    needed = 5 * 32 * 32 * (2 * 4 + 3)
    gpu = torch.device("cuda")
    assert not fits(exams, canvas, torch.device("cpu"))
    for free, expected in ((4 * needed, True), (4 * needed - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 2 * free))
        assert fits(exams, canvas, gpu) is expected


def test_only_the_regions_of_the_recipe_are_taught():
    exams = [make_exam("a", taught=(True, False, False))]
    (one,) = source(exams).draw(0)
    assert one.targets.shape[1] == one.taught.shape[1] == 1
    (three,) = source(exams, regions=["WT", "TC", "ET"]).draw(0)
    assert three.taught.tolist() == [[1, 0, 0]] * 4
    (classes,) = source(
        [make_exam("a", targets="classes")], selection={"targets": "classes"}, loss={"name": "ce_dice"}
    ).draw(0)
    assert classes.targets.shape[1] == 3
    assert classes.targets.sum(dim=1).max() == 1


def test_blocks_of_slices():
    exams = marked(2, depth=10)
    drawn = source(exams, network={"name": "unet3d", "depth": 4}, schedule={"batch": 2}, **ZSCORE)
    (batch,) = drawn.draw(0)
    assert batch.images.shape == (2, 4, 4, 32, 32)
    assert batch.targets.shape == (2, 1, 4, 32, 32)
    for i in range(2):
        values = batch.images[i, 3, :, 16, 16].int().tolist()
        exam, slices = values[0] // 100, [v % 100 for v in values]
        assert all(b - a in (0, 1) for a, b in pairwise(slices))
        expected = torch.from_numpy(exams[exam].targets[slices, 0]).float()
        assert torch.equal(batch.targets[i, 0], expected)


def test_tumour_slices_are_drawn_as_often_as_asked():
    exams = [make_exam(f"e{i}", depth=12, seed=i) for i in range(2)]
    drawn = source(exams, sampling={"balance": "patients", "tumour": 0.8}, schedule={"batch": 50})
    shares = [float(drawn.draw(s)[0].targets.flatten(1).any(dim=1).float().mean()) for s in range(8)]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.08)


def test_patients_weigh_alike_however_many_slices_they_have():
    exams = [*marked(1, depth=4), *(dataclasses.replace(e, patient="b") for e in marked(3, depth=20)[1:])]
    drawn = source(exams, sampling={"balance": "patients"}, schedule={"batch": 100}, **ZSCORE)
    assert drawn.steps_per_epoch == 1
    values = [v for step in range(4) for v in centres(drawn.draw(step)[0])]
    assert np.mean([v < 100 for v in values]) == pytest.approx(0.5, abs=0.08)


def test_stripped_heads_are_drawn_as_often_as_asked():
    own, stripped = marked(4)[:2], marked(4)[2:]
    drawn = source(
        own, stripped, sampling={"balance": "patients", "stripped": 0.3}, schedule={"batch": 100}, **ZSCORE
    )
    values = [v for step in range(4) for v in centres(drawn.draw(step)[0])]
    assert np.mean([v >= 200 for v in values]) == pytest.approx(0.3, abs=0.08)


def test_slices_that_show_nothing_are_left_out():
    exam = make_exam("a", depth=6)
    exam.slices[5] = -1
    assert sort_slices(exam, 0.5) == ([1, 2, 3, 4], [0])
    exam.slices[0] = -1
    assert sort_slices(exam, 0.5) == ([1, 2, 3, 4], [0, 5])


@pytest.mark.parametrize("balance", ["slices", "patients"])
def test_processes_share_a_batch(balance):
    exams = marked(3)
    tables = {"sampling": {"balance": balance}, "schedule": {"batch": 4}, **ZSCORE}
    whole = source(exams, **tables)
    parts = [source(exams, rank=rank, ranks=2, **tables) for rank in range(2)]
    for step in range(3):
        (batch,) = whole.draw(step)
        halves = [centres(part.draw(step)[0]) for part in parts]
        assert [len(half) for half in halves] == [2, 2]
        assert sorted(chain(*halves)) == sorted(centres(batch))


def test_a_rest_that_does_not_divide_is_filled_up():
    exams = marked(1, depth=5)
    parts = [source(exams, rank=r, ranks=2, schedule={"batch": 4}, **ZSCORE).draw(1)[0] for r in range(2)]
    assert len(parts[0].images) == len(parts[1].images) == 1
    assert centres(parts[0]) == centres(parts[1])


@pytest.mark.parametrize(
    ("exams", "ranks", "tables", "code"),
    [
        ([], 1, {}, "nothing_to_train"),
        ([make_exam("a")], 3, {}, "batch_not_shared"),
        ([make_exam("a")], 1, {"sampling": {"patch": [20, 32]}}, "patch_unfit"),
    ],
)
def test_what_cannot_be_is_told(exams, ranks, tables, code):
    with pytest.raises(UserError) as caught:
        source(exams, ranks=ranks, **tables)
    assert caught.value.code == code


def test_only_what_a_batch_needs_is_read(tmp_path):
    exam = make_exam("a", depth=8)
    touched = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            touched.append(key)
            return np.asarray(super().__getitem__(key))

    watched = dataclasses.replace(exam, slices=exam.slices.view(Watched), targets=exam.targets.view(Watched))
    source([watched], schedule={"batch": 2}).draw(0)
    assert sum(np.size(key) for key in touched) == 2 * 2


def test_batches_come_in_order_and_what_fails_is_raised_in_its_turn():
    def draw(step: int):
        if step == 3:
            raise OSError("the disk is gone")
        return [step]

    got: list[list[int]] = []
    with pytest.raises(OSError, match="gone"), prefetched(draw, 1, 9) as batches:
        got.extend(batches)
    assert got == [[1], [2]]


def test_leaving_early_ends_the_thread():
    before = set(threading.enumerate())
    with prefetched(lambda step: [step], 0, 100) as batches:
        assert next(batches) == [0]
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before
