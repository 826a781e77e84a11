"""Held-out figures: Dice of each patient on its own grid, through the code path of the product."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import REGIONS
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.segmentation import segment
from brainseg_desktop.inference.segmenter import Figure, Segmenter
from brainseg_desktop.training.config import read_recipe
from brainseg_desktop.training.datasets import Exam, find_exams

DATA_NAMES = {"whole_head": "LGG", "skull_stripped": "BraTS"}


@dataclass(frozen=True, slots=True)
class ExamScore:
    """One exam: the kind it was taken for, and Dice of each region that its reference knows.

    Dice is None where neither the reference nor the mask holds the region.
    """

    name: str
    data: str
    kind: str
    dice: dict[str, float | None]


def evaluate(
    model_dir: Path, recipe_path: Path, side: str = "test", tell: Callable[[str], None] | None = None
) -> list[ExamScore]:
    """Score a model on one side of a recipe's split.

    Parameters
    ----------
    model_dir : Path
        Folder with ``model.toml``.
    recipe_path : Path
    side : {"train", "validation", "test"}
    tell : callable, optional
        Called with one line for each exam.
    """
    recipe = read_recipe(recipe_path)
    if side not in ("train", "validation", "test"):
        raise UserError("recipe_invalid", path=recipe_path, reason=f"no side {side}")
    segmenter = OnnxSegmenter(read_model(model_dir))
    return score_exams(segmenter, find_exams(recipe.data, getattr(recipe.split, side)), tell)


def score_exams(
    segmenter: Segmenter, exams: Iterable[Exam], tell: Callable[[str], None] | None = None
) -> list[ExamScore]:
    """Segment exams and compare each with its reference. The kind is found from the images, as in use."""
    scores = []
    for exam in exams:
        prediction = segment(segmenter, exam.volumes, exam.spacing_mm)
        dice = {
            region.name: dice_of(region.mask(prediction.labels), exam.regions[index])
            for index, region in enumerate(REGIONS)
            if exam.taught[index] and region.name in prediction.regions
        }
        score = ExamScore(exam.name, DATA_NAMES[KINDS[exam.kind]], prediction.kind, dice)
        scores.append(score)
        if tell:
            tell(f"{exam.name} ({prediction.kind}): {dice_text(dice)}")
    return scores


def dice_text(dice: dict[str, float | None]) -> str:
    """Scores in one line; a dash where both masks are empty."""
    return ", ".join(f"{region} -" if d is None else f"{region} {d:.3f}" for region, d in dice.items())


def dice_of(mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float | None:
    """Dice of two masks; None if both are empty."""
    size = int(mask.sum()) + int(reference.sum())
    return 2 * int((mask & reference).sum()) / size if size else None


def figures(scores: list[ExamScore], side: str) -> list[Figure]:
    """Mean and worst patient for each data set and region."""
    groups: dict[tuple[str, str], list[float]] = {}
    for score in scores:
        for region, dice in score.dice.items():
            if dice is not None:
                groups.setdefault((score.data, region), []).append(dice)
    return [
        Figure(
            side=side,
            data=data,
            region=region,
            dice=round(float(np.mean(values)), 4),
            lowest=round(min(values), 4),
            n=len(values),
        )
        for (data, region), values in sorted(groups.items())
    ]
