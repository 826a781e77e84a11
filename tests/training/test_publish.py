"""A model's folder: what is written is read back, and a failure at any moment leaves a whole model."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
from onnx import TensorProto, helper  # noqa: E402

from brainseg_desktop.core.errors import UserError  # noqa: E402
from brainseg_desktop.inference.card import (  # noqa: E402
    Calibration,
    Figure,
    ModelCard,
    NetworkCard,
    Postprocess,
)
from brainseg_desktop.inference.preparation import Preparation  # noqa: E402
from brainseg_desktop.inference.registry import read_model  # noqa: E402
from brainseg_desktop.training.publish import card_page, card_toml, publish  # noqa: E402

FACTS = {"version": "1.2", "title": 'Title with "quotes"', "licence": "CC0"}


def weights(channels: int, outputs: int, salt: str = "") -> bytes:
    """The smallest graph that fits a card."""
    kernel = helper.make_tensor("k", TensorProto.FLOAT, [outputs, channels, 1, 1], [0.1] * outputs * channels)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "h", "w"])
        for name, count in (("slices", channels), ("probabilities", outputs))
    ]
    nodes = [
        helper.make_node("Conv", ["slices", "k"], ["x"]),
        helper.make_node("Sigmoid", ["x"], ["probabilities"]),
    ]
    # Raw bytes, as the exporter stores numbers.
    kernel = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel), "k")
    graph = helper.make_graph(nodes, salt or "graph", ends[:1], ends[1:], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    content: bytes = model.SerializeToString()
    return content


def network(*kinds: str, **changes: object) -> NetworkCard:
    card = NetworkCard(
        kinds=kinds,
        weights="",
        sha256="",
        architecture="unet",
        parameters=7,
        regions=("WT",),
        train=("a", "b", "c", "d"),
        validation=("e",),
        note='With "quotes" and\na new line.',
    )
    return msgspec.structs.replace(card, **changes)


FULL = network(
    "skull_stripped",
    regions=("WT", "TC", "ET"),
    preparation=Preparation(context=(-1, 0, 1), size=(128, 96)),
    postprocess=Postprocess(thresholds={"WT": 0.45, "ET": 0.6}, speck_share=0.1, fill_holes=True),
    calibration={"WT": Calibration(temperature=1.25, ece_before=0.05, ece_after=0.01)},
    mirrored=True,
    figures=(
        Figure(
            side="test", data="LGG", region="WT", n=3, dice=0.9, median=0.91, lowest=0.8, low=0.85, high=0.95,
            slice_dice=0.92, false_slices=0.01,
        ),
    ),
)  # fmt: skip


def test_a_card_is_read_back_as_it_was_written() -> None:
    card = ModelCard(name="m", networks=(FULL, network("whole_head")), **FACTS)
    assert msgspec.toml.decode(card_toml(card), type=ModelCard) == card
    assert "speck_voxels = inf" in card_toml(card)


def test_the_page_tells_what_a_reader_must_know() -> None:
    page = card_page(ModelCard(name="m", networks=(FULL,), **FACTS))
    for words in (
        "Research use only",
        "0.850 to 0.950",
        "| WT | 1.250 | 0.0500 | 0.0100 |",
        "training (4): a, b, c, d",
        "pieces smaller than 0.1 of the largest dropped",
        "thresholds WT 0.45, TC 0.5, ET 0.6",
        "128 x 96 pixels",
        "CC0",
    ):
        assert words in page
    bare = card_page(ModelCard(name="m", networks=(network("whole_head"),), **FACTS))
    assert "Not measured." in bare
    assert "Not calibrated." in bare


def test_a_network_takes_the_place_of_its_kind_only(tmp_path: Path) -> None:
    folder = tmp_path / "glioma"
    publish(folder, network("whole_head"), weights(4, 1, "first"), **FACTS)
    publish(folder, FULL, weights(12, 3), **FACTS)
    both = read_model(folder).card
    assert [n.kinds for n in both.networks] == [("whole_head",), ("skull_stripped",)]
    publish(folder, network("whole_head", steps=5), weights(4, 1, "second"), **(FACTS | {"version": "2"}))
    card = read_model(folder).card
    assert (card.name, card.version) == ("glioma", "2")
    assert [n.steps for n in card.networks] == [5, 0]
    assert card.networks[1] == both.networks[1]
    # What no card names any more is gone.
    assert {p.name for p in folder.glob("*.onnx")} == {n.weights for n in card.networks}
    assert len(list(folder.iterdir())) == 4


def test_a_network_for_both_kinds_gives_way_kind_by_kind(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    publish(folder, network("whole_head", "skull_stripped"), weights(4, 1, "both"), **FACTS)
    publish(folder, network("whole_head", steps=1), weights(4, 1, "head"), **FACTS)
    assert {n.kinds: n.steps for n in read_model(folder).card.networks} == {
        ("whole_head",): 1,
        ("skull_stripped",): 0,
    }
    publish(folder, network("skull_stripped", "whole_head", steps=2), weights(4, 1, "new"), **FACTS)
    assert [n.steps for n in read_model(folder).card.networks] == [2]


@pytest.mark.parametrize("at", range(3))
def test_a_full_disk_leaves_the_old_model_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    folder = tmp_path / "m"
    publish(folder, network("whole_head"), weights(4, 1, "old"), **FACTS)
    old = {p.name: p.read_bytes() for p in folder.iterdir()}
    replaced, real = [], Path.replace

    def replace(self: Path, target: Path) -> Path:
        replaced.append(target)
        if len(replaced) == at + 1:
            raise OSError(errno.ENOSPC, "no space")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(UserError) as caught:
        publish(folder, network("whole_head", steps=9), weights(4, 1, "new"), **FACTS)
    monkeypatch.undo()
    assert caught.value.code == "disk_full"
    assert read_model(folder).card.networks[0].steps == 0
    assert {name: (folder / name).read_bytes() for name in old} == old


def test_a_card_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text("name = 3")
    with pytest.raises(UserError) as caught:
        publish(tmp_path, network("whole_head"), weights(4, 1), **FACTS)
    assert caught.value.code == "card_invalid"
    assert (tmp_path / "model.toml").read_text() == "name = 3"
