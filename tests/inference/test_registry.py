from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.inference.registry import find_model, list_models, read_card, read_model
from tests.inference.tiny import network_table, onnx_bytes, random_layers, write_card


@pytest.fixture
def root(tiny_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    return tmp_path


def refused(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read_model(folder)
    return caught.value


def test_a_model_is_found_by_name(root):
    assert list_models(root) == ["tiny"]
    model = find_model(root, "tiny")
    assert model.card.title == 'Random "numbers"'
    assert model.card.regions == {"whole_head": ("WT",), "skull_stripped": ("WT", "TC", "ET")}
    heads = model.card.network_for("whole_head")
    assert heads.preparation == Preparation(context=(-1, 0, 1))
    assert heads.preparation.input_channels == 12
    assert heads.postprocess == Postprocess()
    assert model.weights(heads) == root / "tiny" / "heads.onnx"
    assert model.card.network_for("picture") is None


def test_an_unknown_name_tells_the_known_ones(root):
    with pytest.raises(UserError) as caught:
        find_model(root, "other")
    assert caught.value.code == "model_unknown"
    assert caught.value.params["known"] == ["tiny"]


def test_no_folder_of_models(tmp_path):
    assert list_models(tmp_path / "none") == []


@pytest.mark.parametrize("file", ["heads.onnx", "stripped.onnx", "model.toml"])
def test_a_missing_file_is_named(root, file):
    (root / "tiny" / file).unlink()
    error = refused(root / "tiny")
    assert error.code == "model_missing"
    assert error.params["path"] == root / "tiny" / file


@pytest.mark.parametrize("file", ["heads.onnx", "stripped.onnx"])
def test_one_changed_byte_is_noticed(root, file):
    weights = root / "tiny" / file
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    error = refused(root / "tiny")
    assert error.code == "model_corrupt"
    assert error.params["path"] == weights
    assert "sha256" in error.params["reason"]


CARD = 'name = "x"\nversion = "1"\ntitle = "t"\nlicence = "l"\n'


@pytest.mark.parametrize(
    "text",
    ["name = 3", "]", f"{CARD}networks = []\nsurprise = 1", f"{CARD}[[networks]]\nkinds = []", "\xff"],
)
def test_a_broken_card_is_told(root, text):
    (root / "tiny" / "model.toml").write_bytes(text.encode("latin-1"))
    assert refused(root / "tiny").code == "card_invalid"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A folder with weights of one channel for each of four sequences, that tell WT."""
    (tmp_path / "a.onnx").write_bytes(onnx_bytes(random_layers(4, 1, seed=1)))
    return tmp_path


@pytest.mark.parametrize(
    ("kinds", "regions", "more", "said"),
    [
        (["whole_hat"], ["WT"], "", "no kind of exam whole_hat"),
        ([], ["WT"], "", "needs a network"),
        (["whole_head", "whole_head"], ["WT"], "", "two networks"),
        (["whole_head"], ["TC"], "", "regions are"),
        (["whole_head"], [], "", "regions are"),
        (["whole_head"], ["WT"], "[networks.preparation]\nchannels = ['T1', 'T1']", "channels"),
        (["whole_head"], ["WT"], "[networks.preparation]\ncontext = [-1, 1]", "context"),
        (["whole_head"], ["WT"], "[networks.preparation]\nsize = [100, 96]", "multiples of 16"),
        (["whole_head"], ["WT"], "[networks.preparation]\nspacing_mm = 0", "spacing"),
        (["whole_head"], ["WT"], "[networks.preparation]\nnormalise = 'quantile'", "normalise"),
        (["whole_head"], ["WT"], "[networks.postprocess.thresholds]\nWT = 1.5", "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_told(one, kinds, regions, more, said):
    error = refused(write_card(one, network_table(one, "a.onnx", kinds, regions, more=more)))
    assert error.code == "card_invalid"
    assert said in error.params["reason"]


def test_weights_outside_the_folder_are_refused(one):
    inside = one / "inside"
    inside.mkdir()
    write_card(inside, network_table(inside, "../a.onnx", ["whole_head"], ["WT"]))
    error = refused(inside)
    assert error.code == "card_invalid"
    assert "beside the card" in error.params["reason"]


@pytest.mark.parametrize(
    ("regions", "more", "what", "found"),
    [
        (["WT", "TC", "ET"], "", "output", "probabilities (? x 1 x ? x ?)"),
        (["WT"], "[networks.preparation]\nchannels = ['T1']", "input", "slices (? x 4 x ? x ?)"),
        (["WT"], "[networks.preparation]\ncontext = [0, 1]", "input", "slices (? x 4 x ? x ?)"),
    ],
)
def test_a_graph_that_does_not_fit_its_card_is_told(one, regions, more, what, found):
    error = refused(write_card(one, network_table(one, "a.onnx", ["whole_head"], regions, more=more)))
    assert error.code == "weights_unfit"
    assert (error.params["what"], error.params["found"]) == (what, found)


def test_a_graph_with_other_names_is_told(one):
    content = (one / "a.onnx").read_bytes().replace(b"slices", b"inputs")
    (one / "a.onnx").write_bytes(content)
    error = refused(write_card(one, network_table(one, "a.onnx", ["whole_head"], ["WT"])))
    assert (error.code, error.params["found"]) == ("weights_unfit", "inputs (? x 4 x ? x ?)")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"onnx, I promise"])
def test_weights_that_are_not_onnx_are_told(one, content):
    (one / "a.onnx").write_bytes(content)
    error = refused(write_card(one, network_table(one, "a.onnx", ["whole_head"], ["WT"])))
    assert error.code == "weights_not_onnx"


@pytest.mark.parametrize("name", ["a.pt", "a.PTH", "a.pkl"])
def test_a_pickle_is_not_even_read(one, name):
    (one / "a.onnx").rename(one / name)
    write_card(one, network_table(one, name, ["whole_head"], ["WT"]))
    (one / name).unlink()
    assert refused(one).code == "model_pickled"


def test_infinity_is_a_number_of_voxels(one):
    more = "[networks.postprocess]\nspeck_share = 0.15\nspeck_voxels = inf"
    card = read_card(write_card(one, network_table(one, "a.onnx", ["whole_head"], ["WT"], more=more)))
    assert card.networks[0].postprocess == Postprocess(speck_share=0.15)
