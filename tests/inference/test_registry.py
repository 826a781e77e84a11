from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.registry import find_model, list_models, read_model


@pytest.fixture
def root(tiny_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    return tmp_path


def test_a_model_is_found_by_name(root):
    assert list_models(root) == ["tiny"]
    model = find_model(root, "tiny")
    assert model.card.title == 'Random "numbers"'
    assert model.card.train == ("a", "b", "c", "d")
    assert model.card.regions["whole_head"] == ("WT",)


def test_an_unknown_name_tells_the_known_ones(root):
    with pytest.raises(UserError) as caught:
        find_model(root, "other")
    assert caught.value.code == "model_unknown"
    assert caught.value.params["known"] == ["tiny"]


def test_no_folder_of_models(tmp_path):
    assert list_models(tmp_path / "none") == []


@pytest.mark.parametrize("file", ["tiny.onnx", "model.toml"])
def test_a_missing_file_is_named(root, file):
    (root / "tiny" / file).unlink()
    with pytest.raises(UserError) as caught:
        read_model(root / "tiny")
    assert caught.value.code == "model_missing"
    assert caught.value.params["path"] == root / "tiny" / file


def test_one_changed_byte_is_noticed(root):
    weights = root / "tiny" / "tiny.onnx"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_model(root / "tiny")
    assert caught.value.code == "model_corrupt"
    assert caught.value.params["reason"] == "sha256"


@pytest.mark.parametrize("text", ["name = 3", "]", "name = 'x'\nsurprise = 1"])
def test_a_broken_card_is_told(root, text):
    (root / "tiny" / "model.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_model(root / "tiny")
    assert caught.value.code == "model_corrupt"
