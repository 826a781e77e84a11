"""Which of an exam's targets a recipe teaches, and how many logits that takes."""

from __future__ import annotations

from brainseg_desktop.training.config import Recipe

REGIONS = ("WT", "TC", "ET")
CLASSES = 3


def taught_rows(recipe: Recipe) -> tuple[int, ...]:
    """Which rows R of `PreparedExam.targets` the network learns, in the order of its outputs."""
    match recipe.selection.targets:
        case "regions":
            return tuple(REGIONS.index(region) for region in recipe.regions)
        case "classes":
            return tuple(range(CLASSES))
        case "binary":
            return (0,)


def output_count(recipe: Recipe) -> int:
    """Logits of a pixel: one for each target, and for classes one more, the first, for the background."""
    return len(taught_rows(recipe)) + (recipe.selection.targets == "classes")
