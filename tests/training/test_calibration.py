"""Temperatures of logits whose true temperature is known, and the calibration error in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from brainseg_desktop.training.calibration import (  # noqa: E402
    calibrate,
    expected_error,
    region_probabilities,
    region_targets,
    reliability,
    sample_voxels,
)
from tests.training.miniature import make_exam, make_recipe  # noqa: E402

SHAPE = (6, 64, 64)


def drawn_exam(logits: np.ndarray, temperature: float, seed: int = 0):
    """An exam whose voxels are tumour as often as the logits over the temperature say."""
    random = np.random.default_rng(seed)
    exam = make_exam("a", depth=SHAPE[0], size=SHAPE[1:], targets="binary")
    chance = 1 / (1 + np.exp(-logits / temperature))
    return replace(exam, targets=(random.random(chance.shape) < chance).astype(np.uint8))


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_a_known_temperature_is_found(tmp_path: Path, temperature: float) -> None:
    random = np.random.default_rng(5)
    recipe = make_recipe(tmp_path, selection={"targets": "binary"}, loss={"name": "bce_dice"})
    logits = random.normal(-1, 3, (SHAPE[0], 1, *SHAPE[1:])).astype(np.float32)
    exams = [drawn_exam(logits, temperature, seed) for seed in range(3)]
    found, (told,) = calibrate(lambda exam: [logits], exams, recipe)
    assert found["WT"] == pytest.approx(temperature, rel=0.05)
    assert told.region == "WT"
    assert told.calibration.ece_after < 0.012
    if temperature != 1:
        assert told.calibration.ece_before > 3 * told.calibration.ece_after


def test_classes_share_one_temperature(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    regions = ["WT", "TC", "ET"]
    recipe = make_recipe(
        tmp_path, selection={"targets": "classes"}, loss={"name": "ce_dice"}, regions=regions
    )
    logits = random.normal(0, 3, (6, 4, 48, 48)).astype(np.float32)
    chances = torch.softmax(torch.from_numpy(logits / 1.8), dim=1).numpy()
    drawn = (chances.cumsum(axis=1) < random.random((6, 1, 48, 48))).sum(axis=1)
    targets = np.stack([drawn == c for c in (1, 2, 3)], axis=1).astype(np.uint8)
    exam = replace(make_exam("a", depth=6, size=(48, 48), targets="classes"), targets=targets)
    found, told = calibrate(lambda _: [logits], [exam], recipe)
    assert found == dict.fromkeys(regions, found["WT"])
    assert found["WT"] == pytest.approx(1.8, rel=0.05)
    assert [r.region for r in told] == regions
    assert max(r.calibration.ece_after for r in told) < 0.02


def test_the_mean_with_the_mirror_image_is_what_is_calibrated(tmp_path: Path) -> None:
    # Two views that disagree: their mean is less sure than either, so it needs a lower temperature.
    random = np.random.default_rng(7)
    recipe = make_recipe(tmp_path, selection={"targets": "binary"}, loss={"name": "bce_dice"})
    logits = random.normal(0, 3, (SHAPE[0], 1, *SHAPE[1:])).astype(np.float32)
    views = [logits + random.normal(0, 2, logits.shape).astype(np.float32) for _ in range(2)]
    exam = drawn_exam(logits, 1.0)
    one, _ = calibrate(lambda _: views[:1], [exam], recipe)
    both, (told,) = calibrate(lambda _: views, [exam], recipe)
    assert both["WT"] < one["WT"]
    assert told.calibration.ece_after < told.calibration.ece_before


def test_a_region_that_nobody_knows_keeps_one(tmp_path: Path) -> None:
    regions = ["WT", "TC", "ET"]
    recipe = make_recipe(tmp_path, regions=regions)
    exam = make_exam("a", taught=(True, False, False))
    logits = np.random.default_rng(0).normal(0, 2, (4, 3, 32, 32)).astype(np.float32)
    found, told = calibrate(lambda _: [logits], [exam], recipe)
    assert (found["TC"], found["ET"]) == (1, 1)
    assert [r.region for r in told] == ["WT"]


def test_voxels_are_chosen_by_what_the_network_says_alone() -> None:
    exam = make_exam("a", targets="binary")
    logits = np.full((4, 1, 32, 32), -20, np.float32)
    logits[:, :, :8] = 0
    sample = sample_voxels([logits], exam, "binary", np.random.default_rng(0))
    assert sample.logits.shape == (4 * 8 * 32, 1, 1)
    expected = np.asarray(exam.targets)[:, 0, :8].reshape(-1) > 0
    assert np.array_equal(sample.truth[:, 0], expected)


def test_expected_error_in_closed_form() -> None:
    probabilities = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 0.3, 0.005, 0.005])
    truth = np.array([1, 1, 0, 0, 1, 0, 1, 1], bool)
    # Two bins: 4 voxels at 0.9 of which half are tumour, 2 at 0.3 of which half are; the rest is not counted.
    assert expected_error(probabilities, truth) == pytest.approx((4 * 0.4 + 2 * 0.2) / 6)
    assert sum(b.share for b in reliability(probabilities, truth)) == pytest.approx(1)
    assert expected_error(np.array([1.0]), np.array([True])) == 0


def test_probabilities_are_nested_and_classes_add_up() -> None:
    logits = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3
    nested = region_probabilities(logits, "regions", torch.tensor([1.0, 2.0, 0.5]))
    assert (nested[:, 1:] <= nested[:, :-1]).all()
    assert torch.allclose(nested[:, 0], torch.sigmoid(logits[:, 0]))
    expected = torch.sigmoid(logits / torch.tensor([1.0, 2.0, 0.5]).reshape(1, 3, 1, 1)).cummin(dim=1).values
    assert torch.allclose(nested, expected)
    four = torch.randn(5, 4, 4, 4)
    summed = region_probabilities(four, "classes", torch.ones(4))
    shares = torch.softmax(four, dim=1)
    assert torch.allclose(summed[:, 0], shares[:, 1:].sum(dim=1), atol=1e-6)
    assert torch.allclose(summed[:, 1], shares[:, 1] + shares[:, 3])
    assert torch.equal(summed[:, 2], shares[:, 3])


def test_targets_of_classes_are_nested_regions() -> None:
    targets = np.eye(4, 3, dtype=np.uint8)[None].transpose(0, 2, 1)  # necrosis, oedema, enhancing, none
    found = region_targets(targets, "classes")
    assert found[0].astype(int).tolist() == [[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]]
