from __future__ import annotations

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.config import patients_on_two_sides, read_recipe
from tests.training.conftest import RECIPE


def test_bundled_recipe_keeps_patients_apart():
    split = read_recipe(RECIPE).split
    assert patients_on_two_sides(split) == []
    patients = {
        name.rsplit("_", 1)[0] if name.startswith("TCGA") and name.count("_") > 2 else name
        for name in split.train
    }
    assert not patients & {*split.validation, *split.test}


def test_bundled_recipe_never_trains_on_what_is_measured():
    split = read_recipe(RECIPE).split
    for held_out in ("BraTS2021_00006", "TCGA_DU_7294"):
        assert held_out in split.test
        assert held_out not in (*split.train, *split.validation)
    assert sum(name.startswith("TCGA") for name in split.test) == 16
    assert sum(name.startswith("TCGA") for name in split.validation) == 8
    assert len(split.train) == 64 + 6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 7", "seed = 7\nspeed = 3"),
        ("seed = 7", 'seed = "seven"'),
        ("steps = 6", "step = 6"),
        ('["TCGA_AA_0003"]', '["TCGA_AA_0001"]'),
        ("[split]", "[split"),
    ],
)
def test_a_wrong_recipe_is_refused(recipe_path, old, new):
    recipe_path.write_text(recipe_path.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        read_recipe(recipe_path)
    assert caught.value.code == "recipe_invalid"


def test_a_missing_recipe_is_told(tmp_path):
    with pytest.raises(UserError) as caught:
        read_recipe(tmp_path / "none.toml")
    assert caught.value.code == "recipe_missing"


def test_the_environment_moves_the_data(recipe_path, monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSEG_DATA", str(tmp_path / "elsewhere"))
    assert read_recipe(recipe_path).data.folder == tmp_path / "elsewhere"
