"""Networks of the program and of the user: what is offered, what is refused and why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import DEFAULT_MODEL, Offer, find_network, list_offers
from brainseg_desktop.services.paths import user_models_dir
from tests.inference.tiny import network_table, onnx_bytes, random_layers, write_card, write_tiny


def own(name: str) -> Path:
    folder = user_models_dir() / name
    folder.mkdir(parents=True)
    return folder


def offered() -> dict[str, Offer]:
    return {offer.name: offer for offer in list_offers() if offer.is_own}


def test_a_network_is_found_by_name_and_by_folder(tmp_path: Path) -> None:
    bundled = find_network(None)
    assert find_network(DEFAULT_MODEL) == find_network(str(bundled)) == bundled
    mine = write_tiny(own("mine"))
    assert find_network("mine") == mine
    elsewhere = write_tiny(tmp_path / "elsewhere")
    assert find_network(str(elsewhere)) == elsewhere
    with pytest.raises(UserError) as caught:
        find_network("nobody")
    assert caught.value.code == "model_unknown"
    assert caught.value.params["known"] == [DEFAULT_MODEL, "mine"]


def test_bundled_networks_come_first_and_all_are_told(own_home: Path) -> None:
    assert [offer.name for offer in list_offers()] == [DEFAULT_MODEL]
    write_tiny(own("a-network"))
    bundled, mine = list_offers()
    assert (bundled.name, bundled.is_own, bundled.problem) == (DEFAULT_MODEL, False, None)
    assert (mine.name, mine.is_own, mine.card.name) == ("a-network", True, "tiny")
    entry = mine.to_dict()
    assert entry["problem"] is None
    assert [n["regions"] for n in entry["networks"]] == [["WT"], ["WT", "TC", "ET"]]
    assert bundled.to_dict()["networks"][0]["figures"]


def test_every_wrong_thing_is_listed_with_its_reason() -> None:
    write_tiny(own("right"))
    changed = write_tiny(own("changed"))
    (changed / "heads.onnx").write_bytes((changed / "heads.onnx").read_bytes() + b" ")
    (write_tiny(own("weightless")) / "stripped.onnx").unlink()
    card = write_tiny(own("surprising")) / "model.toml"
    card.write_text("surprise = 1\n" + card.read_text())
    picture = own("picture")
    (picture / "p.onnx").write_bytes(onnx_bytes(random_layers(1, 1, seed=1)))
    more = '[networks.preparation]\nchannels = ["image"]\nsize = [128, 128]'
    write_card(picture, network_table(picture, "p.onnx", ["whole_head"], ["WT"], more=more))
    unfit = own("unfit")
    (unfit / "u.onnx").write_bytes(onnx_bytes(random_layers(3, 1, seed=1)))
    write_card(unfit, network_table(unfit, "u.onnx", ["whole_head"], ["WT"]))
    text = own("text")
    (text / "t.onnx").write_text("no network")
    write_card(text, network_table(text, "t.onnx", ["whole_head"], ["WT"]))
    own("empty")
    (own("pickled") / "net.pth").write_bytes(b"\x80\x02.")
    (user_models_dir() / "lone.onnx").write_bytes(b"x")
    (user_models_dir() / "lone.pt").write_bytes(b"x")
    (user_models_dir() / "notes.txt").write_text("not a network at all")
    shutil.copytree(find_network(None), user_models_dir() / DEFAULT_MODEL)
    found = offered()
    codes = {name: offer.problem.code if offer.problem else None for name, offer in found.items()}
    assert codes == {
        "right": None,
        "changed": "model_corrupt",
        "weightless": "model_missing",
        "surprising": "card_invalid",
        "picture": "model_for_pictures",
        "unfit": "weights_unfit",
        "text": "weights_not_onnx",
        "empty": "model_missing",
        "pickled": "model_pickled",
        "lone.onnx": "model_not_in_folder",
        "lone.pt": "model_pickled",
        DEFAULT_MODEL: "model_name_taken",
    }
    for name, offer in found.items():
        if offer.problem is not None:
            assert words(offer.problem) == offer.to_dict()["problem"]
            # No parameter is missing: the card's own unknown key aside.
            assert "unknown" not in words(offer.problem).replace("unknown field", ""), name
            assert offer.card is None
    assert "slices (? x 3 x ? x ?)" in words(found["unfit"].problem)
    assert "surprise" in words(found["surprising"].problem)
    # A wrong one cannot be had by its name either.
    for name, code in codes.items():
        if code is not None and name not in (DEFAULT_MODEL, "empty", "pickled") and "." not in name:
            with pytest.raises(UserError) as caught:
                find_network(name)
            assert caught.value.code == code


def test_a_folder_that_cannot_be_read_offers_nothing(own_home: Path) -> None:
    user_models_dir().parent.mkdir(parents=True, exist_ok=True)
    user_models_dir().write_text("a file")
    assert offered() == {}
