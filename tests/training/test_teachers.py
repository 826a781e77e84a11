from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training import learning, loop
from brainseg_desktop.training.batches import BatchSource
from brainseg_desktop.training.checkpoint import CHECKPOINT
from brainseg_desktop.training.config import contradiction
from brainseg_desktop.training.losses import build_loss
from brainseg_desktop.training.ranks import Ranks
from brainseg_desktop.training.teachers import Teachers, load_teachers
from tests.training.miniature import make_dataset, make_recipe

CPU = torch.device("cpu")


def silent(line: str) -> None:
    pass


class Says(torch.nn.Module):
    """A network that is as sure of tumour everywhere as it is told."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.logit = torch.logit(torch.tensor(probability))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logit.expand(len(images), 1, *images.shape[2:])


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0.0, 1.0)), (0.5, (0.2, 0.7)), (1.0, (0.4, 0.4))])
def test_their_mean_answer_is_mixed_in(share, expected):
    targets = torch.zeros(2, 1, 4, 4)
    targets[1] = 1
    softened = Teachers([Says(0.2), Says(0.6)], share, bf16=False).softened(torch.zeros(2, 4, 4, 4), targets)
    for found, value in zip(softened, expected, strict=True):
        torch.testing.assert_close(found, torch.full((1, 4, 4), value))


def test_a_network_learns_from_what_others_say(tmp_path):
    """Taught that all is tumour, it says so."""
    recipe = make_recipe(tmp_path, optimizer={"learning_rate": 0.02})
    shares = []
    for teachers in (None, Teachers([Says(0.99)], 1.0, bf16=False)):
        state = loop.start_state(recipe, CPU, silent)
        source = BatchSource(make_dataset().train, [], recipe)
        run = learning.Course(
            recipe, Ranks(0, 1, CPU), source, [], build_loss(recipe.loss), state.network, 40, silent, teachers
        )
        for step in range(40):
            learning.learn(state, source.draw(step), run)
        (batch,) = source.draw(99)
        shares.append(float((state.network(batch.images) > 0).float().mean()))
    assert shares[0] < 0.9
    assert shares[1] > 0.95


def test_teachers_are_earlier_runs(tmp_path):
    dataset, lines = make_dataset(), []
    first = make_recipe(tmp_path / "first", schedule={"steps": 2, "ema": 0.9})
    learnt = loop.train(first, dataset, tell=silent).network
    weights = [str(tmp_path / "first" / CHECKPOINT)]
    second = make_recipe(tmp_path / "second", schedule={"steps": 2}, teachers={"weights": weights})
    teachers = load_teachers(second, CPU, lines.append)
    images = torch.randn(2, 4, 32, 32)
    found = teachers.softened(images, torch.zeros(2, 1, 32, 32))
    with torch.no_grad():
        torch.testing.assert_close(found, torch.sigmoid(learnt(images)) / 2)
    assert lines == ["1 teachers have 50% of the say."]
    alone = make_recipe(tmp_path / "alone", schedule={"steps": 2})
    taught, untaught = (loop.train(recipe, dataset, tell=silent) for recipe in (second, alone))
    assert taught.history[0].train_loss != untaught.history[0].train_loss
    # Loading them draws no random number: the weights to begin with are the same.
    assert torch.equal(*(loop.start_state(r, CPU, silent).network.head.weight for r in (second, alone)))
    assert (
        load_file(tmp_path / "second" / CHECKPOINT).keys()
        == load_file(tmp_path / "alone" / CHECKPOINT).keys()
    )


def test_a_teacher_that_is_missing_is_told(tmp_path):
    recipe = make_recipe(tmp_path, teachers={"weights": [str(tmp_path / "none.safetensors")]})
    with pytest.raises(UserError) as caught:
        load_teachers(recipe, CPU, silent)
    assert caught.value.code == "checkpoint_missing"
    assert load_teachers(make_recipe(tmp_path), CPU, silent) is None


def test_what_teachers_cannot_be(tmp_path):
    classes = {
        "selection": {"targets": "classes"},
        "loss": {"name": "ce_dice"},
        "regions": ["WT", "TC", "ET"],
    }
    assert "classes" in contradiction(make_recipe(tmp_path, teachers={"weights": ["a"]}, **classes))
    assert "share" in contradiction(make_recipe(tmp_path, teachers={"share": 1.5}))
