from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.training import loop
from brainseg_desktop.training.batches import BatchSource, draw_slice, sort_slices
from brainseg_desktop.training.checkpoint import load_checkpoint
from brainseg_desktop.training.config import ScheduleConfig, read_recipe
from brainseg_desktop.training.evaluate import ExamScore, evaluate, figures


@pytest.fixture
def unpublished(monkeypatch: pytest.MonkeyPatch) -> None:
    """End a run with its checkpoint."""
    monkeypatch.setattr(loop, "publish", lambda recipe_path, tell: recipe_path)


def numbers(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "checkpoint.safetensors")


@pytest.mark.usefixtures("unpublished")
def test_a_resumed_run_ends_where_an_unbroken_one_does(recipe_path, tmp_path):
    loop.train(recipe_path)
    unbroken = numbers(tmp_path / "work")
    shutil.rmtree(tmp_path / "work")
    with pytest.raises(KeyboardInterrupt):
        loop.train(recipe_path, progress=StopAfter(3))
    loop.train(recipe_path, resume=True)
    resumed = numbers(tmp_path / "work")
    assert unbroken.keys() == resumed.keys()
    for name, tensor in unbroken.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-6, msg=name)


class StopAfter:
    """Interrupts the run at the first message after a checkpoint exists, as Ctrl+C would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, step: int, steps: int, text: str) -> None:
        if step >= self.step:
            raise KeyboardInterrupt


def test_training_writes_a_model_that_the_program_opens(recipe_path, tmp_path):
    lines: list[str] = []
    folder = loop.train(recipe_path, progress=lambda step, steps, text: lines.append(text))
    model = read_model(folder)
    assert model.card.steps == 6
    assert model.card.test == ("TCGA_AA_0004",)
    assert [(f.side, f.data, f.region, f.n) for f in model.card.figures] == [
        ("validation", "LGG", "WT", 1),
        ("test", "LGG", "WT", 1),
    ]
    assert any("validation WT Dice" in line for line in lines)
    assert "TCGA_AA_0004" in (folder / "README.md").read_text()
    assert [s.name for s in evaluate(folder, recipe_path, "validation")] == ["TCGA_AA_0003"]
    with pytest.raises(UserError):
        evaluate(folder, recipe_path, "all")


def test_nothing_to_resume_is_told(recipe_path):
    with pytest.raises(UserError) as caught:
        loop.train(recipe_path, resume=True)
    assert caught.value.code == "checkpoint_missing"


@pytest.mark.usefixtures("unpublished")
def test_a_checkpoint_of_another_network_is_refused(recipe_path, tmp_path):
    loop.train(recipe_path)
    recipe_path.write_text(recipe_path.read_text().replace("[4, 8]", "[4, 12]"))
    with pytest.raises(UserError) as caught:
        load_checkpoint(loop.start_state(read_recipe(recipe_path)), tmp_path / "work")
    assert caught.value.code == "checkpoint_unfit"


def test_loss_goes_down(recipe_path):
    recipe = read_recipe(recipe_path)
    recipe = msgspec.structs.replace(
        recipe, schedule=msgspec.structs.replace(recipe.schedule, learning_rate=1e-2, steps=60, warmup=1)
    )
    exams = loop.read_exams(recipe, recipe.split.train, lambda *_: None)
    state, source = loop.start_state(recipe), BatchSource(exams, [], recipe)
    losses = []
    for step in range(50):
        losses.append(loop.learn(state, source.draw(step), recipe.schedule))
        state.step += 1
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])


def test_batches_hold_one_kind_and_follow_from_the_step(recipe_path):
    recipe = read_recipe(recipe_path)
    exams = loop.read_exams(recipe, recipe.split.train, lambda *_: None)
    source = BatchSource(exams, [], recipe)
    batches = [source.draw(step) for step in range(12)]
    assert {b.kind for b in batches} == {0, 1}
    for batch in batches:
        assert batch.images.shape == (2, 4, 32, 32)
        assert batch.taught.tolist() == [[1, 0, 0]] * 2 if batch.kind == 0 else [[1, 1, 1]] * 2
    again = source.draw(5)
    assert torch.equal(again.images, batches[5].images)


def test_tumour_slices_are_drawn_as_often_as_asked(recipe_path):
    recipe = read_recipe(recipe_path)
    (exam,) = loop.read_exams(recipe, ("TCGA_AA_0001",), lambda *_: None)
    slices = sort_slices(exam)
    assert slices.tumour == (2, 3, 4)
    assert slices.other == (0, 1, 5)
    random = np.random.default_rng(0)
    drawn = [draw_slice([slices], 0.8, random)[1] in slices.tumour for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(0.8, abs=0.06)


def test_learning_rate_warms_up_and_falls_to_a_hundredth():
    schedule = ScheduleConfig(steps=100, warmup=10, learning_rate=1.0)
    rates = [loop.learning_rate(step, schedule) for step in (0, 9, 10, 55, 100)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.505, 0.01])


def test_average_moves_towards_the_weights(recipe_path):
    state = loop.start_state(read_recipe(recipe_path))
    state.step = 10**6
    name = "head.weight"
    before = state.average[name].clone()
    with torch.no_grad():
        state.network.head.weight += 1
    loop.update_average(state, ScheduleConfig(steps=1, ema=0.9))
    torch.testing.assert_close(state.average[name], before + 0.1)


def test_figures_leave_out_what_is_empty_on_both_sides():
    score = ExamScore("a", "BraTS", "skull_stripped", {"WT": 0.8, "ET": None})
    rows = figures([score, dataclasses.replace(score, name="b", dice={"WT": 0.6, "ET": 0.5})], "test")
    assert [(f.region, f.dice, f.lowest, f.n) for f in rows] == [("ET", 0.5, 0.5, 1), ("WT", 0.7, 0.6, 2)]
