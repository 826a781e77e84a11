"""Measuring on the exam's own grid: masks, slices that count, and two ways of predicting that agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from brainseg_desktop.core.labels import Tissue  # noqa: E402
from brainseg_desktop.inference.card import Postprocess  # noqa: E402
from brainseg_desktop.inference.frame import Frame  # noqa: E402
from brainseg_desktop.training.architectures import build_network  # noqa: E402
from brainseg_desktop.training.evaluate import (  # noqa: E402
    count_labels,
    evaluate,
    line,
    measured_places,
    network_predictor,
    network_views,
    whole_exam,
)
from brainseg_desktop.training.figures import CLASSES, measure  # noqa: E402
from brainseg_desktop.training.targets import output_count  # noqa: E402
from tests.training.miniature import make_exam, make_recipe  # noqa: E402


def told(exam, share: float = 0.9) -> np.ndarray:
    """Probabilities that are right."""
    return np.rint(255 * share * exam.regions[:1]).astype(np.uint8)


def test_a_right_answer_scores_one_and_empty_slices_too(tmp_path: Path) -> None:
    exam = make_exam("a")
    lines: list[str] = []
    (counts,) = evaluate(lambda _: told(exam), [exam], make_recipe(tmp_path), Postprocess(), lines.append)
    assert counts.rows == ("WT",)
    assert counts.value("WT", "dice") == 1
    assert counts.counts.shape == (4, 1, 4)
    assert lines == ["a (whole_head): WT 1.000"]
    assert line(replace(counts, counts=np.zeros_like(counts.counts))) == "a (whole_head): WT -"


def test_thresholds_and_clean_up_are_those_of_the_card(tmp_path: Path) -> None:
    exam = make_exam("a")
    shown = told(exam, 0.4)
    shown[0, 0, 0, 0] = 255
    recipe = make_recipe(tmp_path)
    (plain,) = evaluate(lambda _: shown, [exam], recipe, Postprocess())
    assert plain.value("WT", "dice") == 0
    low = Postprocess(thresholds={"WT": 0.35}, speck_share=0.1)
    (cleaned,) = evaluate(lambda _: shown, [exam], recipe, low)
    assert cleaned.value("WT", "dice") == 1


def test_slices_that_were_left_out_count_as_empty(tmp_path: Path) -> None:
    exam = make_exam("a", depth=6)
    cut = replace(exam, slices=exam.slices[2:4], targets=exam.targets[2:4], kept=np.array([2, 3]))
    recipe = make_recipe(tmp_path, selection={"crop_empty": True})
    assert measured_places(cut, recipe).tolist() == list(range(6))
    (counts,) = evaluate(lambda _: told(exam)[..., 2:4], [cut], recipe, Postprocess())
    sensitivity = exam.regions[0, ..., 2:4].sum() / exam.regions[0].sum()
    assert counts.value("WT", "sensitivity") == pytest.approx(sensitivity)
    some = make_recipe(tmp_path, selection={"first_slice": 2, "slice_count": 2})
    (counts,) = evaluate(lambda _: told(exam)[..., 2:4], [cut], some, Postprocess())
    assert counts.places.tolist() == [2, 3]
    assert counts.value("WT", "sensitivity") == 1
    leaky = make_recipe(tmp_path, split={"by": "slice"})
    assert measured_places(cut, leaky).tolist() == [2, 3]
    assert not whole_exam(told(exam)[..., 2:4], cut)[..., :2].any()


def test_classes_are_what_a_region_has_more_than_the_one_inside() -> None:
    labels = np.zeros((2, 3, 1), np.uint8)
    labels[:, :, 0] = [[Tissue.OEDEMA, Tissue.NECROSIS, 0], [Tissue.ENHANCING, Tissue.ENHANCING, 0]]
    reference = np.zeros((3, 2, 3, 1), bool)
    reference[0, :, :2] = True
    reference[1, 1] = [[True], [True], [False]]
    reference[2, 1, 0] = True
    rows, counts = count_labels(labels, reference, (True,) * 3, ("WT", "TC", "ET"), np.arange(1))
    assert rows == ("WT", "TC", "ET", *CLASSES)
    found = {row: counts[0, i].tolist() for i, row in enumerate(rows)}
    assert found["WT"] == [4, 0, 0, 2]
    assert found["background"] == [2, 0, 0, 4]
    assert found["oedema"] == [1, 0, 1, 4]
    assert found["necrosis"] == [0, 1, 1, 4]
    assert found["enhancing"] == [1, 1, 0, 4]
    only_whole, counts = count_labels(
        labels, reference, (True, False, False), ("WT", "TC", "ET"), np.arange(1)
    )
    assert (only_whole, counts.shape) == (("WT",), (1, 1, 4))


def test_the_exams_own_grid_is_what_counts(tmp_path: Path) -> None:
    # Network slices of half the resolution and cropped: a mask drawn there comes back onto 64 x 64.
    exam = make_exam("a", size=(32, 32))
    regions = np.zeros((3, 64, 64, 4), bool)
    regions[0, 20:40, 20:40, 1:3] = True
    frame = Frame((64, 64, 4), (32, 32), (4, 4), (16, 16))
    exam = replace(exam, slices=exam.slices[..., :16, :16], frame=frame, regions=regions)

    def views(_):
        logits = np.full((4, 1, 16, 16), -9, np.float32)
        logits[1:3, 0, 6:16, 6:16] = 9
        return [logits]

    recipe = make_recipe(tmp_path)
    (counts,) = evaluate(network_predictor(views, recipe, {}), [exam], recipe, Postprocess())
    assert counts.value("WT", "dice") == pytest.approx(1, abs=0.02)
    assert counts.of("WT").sum() == 64 * 64 * 4


@pytest.mark.parametrize("targets", ["regions", "classes", "binary"])
def test_probabilities_of_a_torch_network(tmp_path: Path, targets: str) -> None:
    recipe = make_recipe(
        tmp_path,
        selection={"targets": targets},
        loss={"name": "ce_dice" if targets == "classes" else "bce_dice"},
        regions=["WT"] if targets == "binary" else ["WT", "TC", "ET"],
        evaluation={"mirrored": True},
    )
    torch.manual_seed(0)
    network = build_network(recipe.network, 4, output_count(recipe)).eval()
    exam = make_exam("a", targets=targets)
    views = network_views(network, recipe)
    assert len(views(exam)) == 2
    shown = network_predictor(views, recipe, {})(exam)
    assert shown.shape == (len(recipe.regions), 32, 32, 4)
    assert (shown[1:] <= shown[:-1]).all()
    # Of a mirrored exam the mirrored answer: both are averaged.
    flipped = replace(exam, slices=np.asarray(exam.slices)[:, :, ::-1])
    other = network_predictor(views, recipe, {})(flipped)
    assert np.abs(other[:, ::-1].astype(int) - shown).max() <= 1
    assert measure(np.array([0, 0, 0, 4]), "accuracy") == 1
