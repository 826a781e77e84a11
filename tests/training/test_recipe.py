"""Recipes: runs laid over what they share, what cannot be, what is misspelt, and those that are shipped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.config import contradiction, patients_on_two_sides, read_recipe, read_runs

SHIPPED = Path(__file__).parents[2] / "resources" / "recipes"
TEXT = """
name = "small"
work = "runs/small"
[[sources]]
kind = "lgg"
path = "lgg.zip"
[split]
train = ["a", "b"]
validation = ["c"]
[loss]
name = "bce_dice"
[optimizer]
learning_rate = 1e-3
weight_decay = 0.0
[schedule]
epochs = 2
"""
RUNS = """
[[runs]]
name = "plain"
[[runs]]
name = "other"
optimizer = { learning_rate = 1e-4 }
published = { dice = 0.7 }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    return path


def test_a_run_is_laid_over_what_all_share(path: Path) -> None:
    path.write_text(TEXT + RUNS)
    plain, other = read_runs(path)
    assert (plain.name, other.name) == ("small/plain", "small/other")
    assert (plain.work, other.work) == ("runs/small/plain", "runs/small/other")
    assert (plain.optimizer.learning_rate, other.optimizer.learning_rate) == (1e-3, 1e-4)
    assert other.optimizer.weight_decay == 0
    assert other.published == {"dice": 0.7}
    assert (
        msgspec.structs.replace(
            other, name=plain.name, work=plain.work, optimizer=plain.optimizer, published={}
        )
        == plain
    )
    assert read_recipe(path, "other") == other


def test_a_run_must_be_named_and_known(path: Path) -> None:
    assert read_recipe(path) == read_recipe(path, "small")
    path.write_text(TEXT + RUNS)
    for run in (None, "third"):
        with pytest.raises(UserError) as caught:
            read_recipe(path, run)
        assert caught.value.code == "recipe_run_unknown"
        assert caught.value.params["known"] == ["plain", "other"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('work = "', 'speed = 3\nwork = "'),
        ('work = "runs/small"', "work = 3"),
        ("epochs = 2", "epoch = 2"),
        ("epochs = 2", "epochs = 2\nsteps = 9"),
        ("epochs = 2", 'steps = 9\npolicy = "plateau"'),
        ('validation = ["c"]', 'validation = ["a"]'),
        ("[split]", "[split"),
        ('kind = "lgg"', 'kind = "mgh"'),
        ('name = "bce_dice"', 'name = "ce_dice"'),
        ("[loss]", '[selection]\ntargets = "classes"\n[loss]'),
        ('train = ["a", "b"]\nvalidation = ["c"]', "folds = 3\nfold = 3"),
        ('validation = ["c"]', 'validation = ["c"]\nparts = 2\npart = 2'),
        ('validation = ["c"]', 'validation = ["c"]\nparts = 2\nby = "slice"'),
        ('train = ["a", "b"]\nvalidation = ["c"]', "fractions = [0.5, 0.4, 0.2]"),
        ("[[sources]]", "[[runs]]\n[[sources]]"),
        ("[[sources]]", '[[runs]]\nname = "a"\n[[runs]]\nname = "a"\n[[sources]]'),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(path: Path, old: str, new: str) -> None:
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_runs(path)
    assert caught.value.code == "recipe_invalid"
    assert caught.value.params["reason"]


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_runs(tmp_path / "none.toml")
    assert caught.value.code == "recipe_missing"


def test_the_environment_moves_the_data(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BRAINSEG_DATA", str(tmp_path / "elsewhere"))
    assert read_recipe(path).folder == tmp_path / "elsewhere"


@pytest.mark.parametrize("shipped", sorted(SHIPPED.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_valid_and_keep_patients_apart(shipped: Path) -> None:
    for recipe in read_runs(shipped):
        assert contradiction(recipe) is None
        assert patients_on_two_sides(recipe.split) == []
        assert recipe.name.startswith(shipped.stem)
        split = recipe.split
        learnt_from = {*split.train, *split.validation}
        # Another data set shows the same patient; BraTS2021_00006 is measured once, at the very end.
        if split.train:
            assert not {"TCGA_DU_7294", "BraTS2021_00006"} & learnt_from
