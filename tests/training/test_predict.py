from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainseg_desktop.training.architectures import build_network
from brainseg_desktop.training.losses import build_loss
from brainseg_desktop.training.predict import predict_exam, predict_logits
from brainseg_desktop.training.targets import output_count, taught_rows
from brainseg_desktop.training.validation import METRICS, count, decide, metrics, validate
from tests.training.miniature import make_exam, make_recipe


class Echo(nn.Module):
    """Gives some of its input channels back as logits."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.channels = channels
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.channels]


def test_logits_have_the_order_of_the_slices_with_their_neighbours(tmp_path):
    exam = make_exam("a", depth=35)
    recipe = make_recipe(tmp_path, preparation={"context": [-1, 0, 1]})
    found = predict_logits(Echo([3, 7, 11]), exam, recipe)
    flair = exam.slices[:, 3].astype(np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 1], flair)
    np.testing.assert_array_equal(found[1:, 0], flair[:-1])
    np.testing.assert_array_equal(found[:-1, 2], flair[1:])
    np.testing.assert_array_equal(found[0, 0], flair[0])
    np.testing.assert_array_equal(found[-1, 2], flair[-1])


def test_regions_are_nested(tmp_path):
    exam = make_exam("a")
    recipe = make_recipe(tmp_path, regions=["WT", "TC", "ET"])
    found = predict_exam(Echo([0, 2, 3]), exam, recipe)
    logits = exam.slices[:, [0, 2, 3]].astype(np.float64)
    np.testing.assert_allclose(found, np.minimum.accumulate(1 / (1 + np.exp(-logits)), axis=1), atol=1e-6)


def test_classes_add_up_to_1(tmp_path):
    recipe = make_recipe(tmp_path, selection={"targets": "classes"}, loss={"name": "ce_dice"})
    found = predict_exam(Echo([0, 1, 2, 3]), make_exam("a", targets="classes"), recipe)
    assert found.shape[1] == output_count(recipe) == 4
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_binary_has_one_row(tmp_path):
    recipe = make_recipe(tmp_path, selection={"targets": "binary"})
    assert taught_rows(recipe) == (0,)
    exam = make_exam("a", targets="binary")
    assert predict_exam(Echo([3]), exam, recipe).shape == (4, 1, 32, 32)


class FromTheLeft(nn.Module):
    """The sum of the rows so far: what a mirror image changes."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 3:].cumsum(dim=-2) / 10


def test_mirrored_is_the_mean_of_both_sides(tmp_path):
    exam, recipe = make_exam("a"), make_recipe(tmp_path)
    flair = exam.slices[:, 3:].astype(np.float64)

    def sigmoid(logits):
        return 1 / (1 + np.exp(-logits / 10))

    left = sigmoid(flair.cumsum(axis=2))
    right = sigmoid(flair[:, :, ::-1].cumsum(axis=2))[:, :, ::-1]
    np.testing.assert_allclose(predict_exam(FromTheLeft(), exam, recipe), left, atol=1e-5)
    found = predict_exam(FromTheLeft(), exam, recipe, mirrored=True)
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 5, 8, 9, 12, 21])
def test_blocks_cover_every_slice(tmp_path, depth):
    recipe = make_recipe(tmp_path, network={"name": "unet3d", "depth": 8})
    exam = make_exam("a", depth=depth)
    found = predict_logits(Echo([3]), exam, recipe)
    np.testing.assert_allclose(found[:, 0], exam.slices[:, 3].astype(np.float32), atol=1e-5)


def test_asking_leaves_the_norms_alone(tmp_path):
    recipe = make_recipe(tmp_path)
    network = build_network(recipe.network, 4, 1)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    first = predict_exam(network, make_exam("a"), recipe)
    np.testing.assert_array_equal(first, predict_exam(network, make_exam("a"), recipe))
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    half = predict_exam(network, make_exam("a"), recipe, bf16=True)
    np.testing.assert_allclose(half, first, atol=0.02)
    assert not np.array_equal(half, first)


def test_counts_and_metrics_in_closed_form():
    found = torch.zeros(1, 1, 4, 5, dtype=torch.bool)
    reference = found.clone()
    found[0, 0, :2] = True
    reference[0, 0, 1:3, :4] = True
    counts = count(found, reference)
    assert counts.tolist() == [[4, 6, 4, 6]]
    assert metrics([counts]) == pytest.approx(
        {
            "dice": 8 / 18,
            "iou": 4 / 14,
            "accuracy": 0.5,
            "precision": 0.4,
            "sensitivity": 0.5,
            "specificity": 0.5,
        }
    )


def test_a_figure_is_the_mean_of_those_it_is_defined_for():
    healthy = np.array([[0.0, 0, 0, 20]])
    half = np.array([[5.0, 5, 5, 5]])
    found = metrics([healthy, half])
    assert found["dice"] == 0.5
    assert found["accuracy"] == 0.75
    assert "precision" not in metrics([healthy])
    assert metrics([]) == {}


def test_the_likeliest_class_is_taken(tmp_path):
    recipe = make_recipe(tmp_path, selection={"targets": "classes"}, loss={"name": "ce_dice"})
    logits = torch.zeros(1, 4, 1, 4)
    for i in range(4):
        logits[0, i, 0, i] = 1
    masks = decide(logits, recipe)
    assert masks[0, :, 0].int().tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("targets", ["regions", "classes", "binary"])
def test_the_right_answer_has_dice_1(tmp_path, targets):
    loss = {"name": "ce_dice" if targets == "classes" else "bce_dice"}
    recipe = make_recipe(tmp_path, selection={"targets": targets}, loss=loss, regions=["WT", "TC", "ET"])
    exam = make_exam("a", targets=targets)
    known = exam.targets.astype(np.float16)
    if targets == "classes":
        known = np.concatenate([1 - known.sum(axis=1, keepdims=True), known], axis=1)
    answers = make_exam("a", targets=targets)
    answers.slices[:, : known.shape[1]] = 40 * known - 20
    value, found = validate(Echo(list(range(known.shape[1]))), [answers], recipe, build_loss(recipe.loss))
    assert found == dict.fromkeys(METRICS, 1.0)
    assert value < 0.01


def test_pictures_of_one_patient_are_one(tmp_path):
    recipe = make_recipe(tmp_path, selection={"targets": "binary"})
    # One picture without tumour on which everything is marked, and one that is right.
    good, bad = (make_exam(n, targets="binary", patient="p") for n in "ab")
    good.slices[:, 3] = 40.0 * good.targets[:, 0] - 20
    bad.targets[:] = 0
    bad.slices[:, 3] = 20
    _, found = validate(Echo([3]), [good, bad], recipe, build_loss(recipe.loss))
    right, false = good.targets.sum(), bad.targets[:, 0].size
    assert found["dice"] == pytest.approx(2 * right / (2 * right + false))


def test_what_the_reference_does_not_know_is_not_measured(tmp_path):
    recipe = make_recipe(tmp_path, selection={"targets": "classes"}, loss={"name": "ce_dice"})
    exam = make_exam("a", targets="classes", taught=(False, False, False))
    value, found = validate(Echo([0, 1, 2, 3]), [exam], recipe, build_loss(recipe.loss))
    assert np.isnan(value)
    assert found == {}
