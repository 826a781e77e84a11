"""Puts a network into a model's folder: weights file, card for the program, page for people.

The weights go to a file of a new name before the card names it, so that the folder is a whole model at any
moment; what no card names any more is deleted last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import ModelCard, NetworkCard
from brainseg_desktop.inference.registry import CARD_FILE, read_card
from brainseg_desktop.io.atomic import staged, write_bytes

PAGE_FILE = "README.md"
KIND_NAMES = {"whole_head": "whole heads", "skull_stripped": "skull-stripped brains"}


def publish(
    folder: Path, network: NetworkCard, content: bytes, *, version: str, title: str, licence: str
) -> ModelCard:
    """Write a network into a model's folder, in the place of what was there for the same kinds of exam.

    Parameters
    ----------
    folder : Path
        The model has its name. Networks in it for other kinds of exam stay.
    network : NetworkCard
        Its `weights` and `sha256` are filled in here.
    content : bytes
        Of the weights file.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission``, ``write_failed``; ``card_invalid`` where a card is there and cannot
        be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(content).hexdigest()
    which = network.kinds[0] if len(network.kinds) == 1 else "exams"
    weights = f"{folder.name}-{which.replace('_', '-')}-{sha256[:8]}.onnx"
    network = msgspec.structs.replace(network, weights=weights, sha256=sha256)
    old = _present(folder)
    others = [kept for one in old if (kept := _without(one, network.kinds)) is not None]
    card = ModelCard(
        name=folder.name,
        version=version,
        title=title,
        licence=licence,
        networks=tuple(sorted([*others, network], key=lambda n: n.kinds, reverse=True)),
    )
    write_bytes(folder / weights, content)
    write_card(folder, card)
    named = {one.weights for one in card.networks}
    for name in {one.weights for one in old} - named:
        with suppress(OSError):  # only room is lost
            (folder / name).unlink()
    return card


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.toml`` and the page, both or neither."""
    with staged(folder) as stage:
        stage.add(folder / CARD_FILE, card_toml(card).encode())
        stage.add(folder / PAGE_FILE, card_page(card).encode())
        stage.commit()


def card_toml(card: ModelCard) -> str:
    """The card as TOML."""
    content = msgspec.to_builtins(card)
    networks = content.pop("networks")
    lines = [f"{key} = {_value(value)}" for key, value in content.items()]
    for network in networks:
        lines += _table("networks", network, array=True)
    return "\n".join(lines) + "\n"


def _table(name: str, content: Mapping[str, Any], *, array: bool = False) -> list[str]:
    """A table and those inside it; what is None is left out."""
    inner = {k: v for k, v in content.items() if isinstance(v, dict)}
    rows = {k: v for k, v in content.items() if _is_rows(v)}
    plain = {
        k: v for k, v in content.items() if k not in inner and k not in rows and v is not None and v != []
    }
    lines = ["", f"[[{name}]]" if array else f"[{name}]"]
    lines += [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in inner.items():
        if value:
            lines += _table(f"{name}.{key}", value)
    for key, values in rows.items():
        for value in values:
            lines += _table(f"{name}.{key}", value, array=True)
    return lines


def _is_rows(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    """A string, number, truth value or list of them. JSON is TOML here but for the infinite."""
    if isinstance(value, list | tuple):
        cells = [_value(v) for v in value]
        if len(cells) > 3 and isinstance(value[0], str):
            return "[\n" + "".join(f"    {cell},\n" for cell in cells) + "]"
        return f"[{', '.join(cells)}]"
    if value == float("inf"):
        return "inf"
    return json.dumps(value, ensure_ascii=False)


def card_page(card: ModelCard) -> str:
    """The card as a page in Markdown."""
    sections = "\n".join(_network_section(network) for network in card.networks)
    return f"""# {card.name} {card.version}

{card.title}. **Research use only; no medical device.** Licence of the weights: {card.licence}.

Which network an exam gets is told from its images: whether they show a whole head or a brain without its
skull. The patients of each side of the split stand below and in `{CARD_FILE}`.

{sections}"""


def _network_section(network: NetworkCard) -> str:
    preparation = network.preparation
    context = "" if preparation.context == (0,) else f", slices {', '.join(map(str, preparation.context))}"
    size = preparation.size
    grid = f"{size[0]} x {size[1]} pixels" if size else f"{preparation.spacing_mm:g} mm"
    cells = {
        "network": f"`{network.architecture}`, {network.parameters:,} parameters",
        "regions": ", ".join(network.regions),
        "inputs": f"{', '.join(preparation.channels)}{context}; {grid}, {preparation.normalise}",
        "trained for": f"{network.steps:,} steps of `{network.recipe}`",
        "weights": f"`{network.weights}`, sha256 `{network.sha256}`",
        "export": f"probabilities are within {network.export_difference:.4f} of the trained network's",
        "clean-up": _postprocess_words(network),
        "mirror image": "averaged where the exam has few slices" if network.mirrored else "not used",
    }
    facts = "\n".join(f"| {name} | {cell} |" for name, cell in cells.items())
    data = "\n".join(f"- {line}" for line in network.training_data) or "- not stated"
    sides = "\n".join(
        f"- {name} ({len(names)}): {', '.join(names) or 'none'}"
        for name, names in (
            ("training", network.train),
            ("validation", network.validation),
            ("test", network.test),
        )
    )
    note = f"\n{network.note}\n" if network.note else ""
    return f"""## {" and ".join(KIND_NAMES.get(kind, kind) for kind in network.kinds).capitalize()}

| | |
|---|---|
{facts}

### Held out

Dice on the exam's own grid, after the clean-up. The interval is a 95 % bootstrap of the mean over patients.
Slice Dice is 1 where reference and mask are both empty, 0 where one is; false slices are those without the
region in which the mask holds some. Thresholds, clean-up and temperature were chosen without the test side.
{note}
{_figure_rows(network)}

### Calibration

{_calibration_rows(network)}

### Trained on

{data}

{sides}
"""


def _figure_rows(network: NetworkCard) -> str:
    if not network.figures:
        return "Not measured."
    head = "| side | data | region | n | mean Dice | 95 % | median | worst | slice Dice | false slices |"
    rows = [
        f"| {f.side} | {f.data} | {f.region} | {f.n} | {f.dice:.3f} | {f.low:.3f} to {f.high:.3f} "
        f"| {f.median:.3f} | {f.lowest:.3f} | {f.slice_dice:.3f} | {100 * f.false_slices:.1f} % |"
        for f in network.figures
    ]
    return "\n".join([head, "|" + "---|" * 10, *rows])


def _calibration_rows(network: NetworkCard) -> str:
    if not network.calibration:
        return "Not calibrated."
    rows = [
        f"| {region} | {c.temperature:.3f} | {c.ece_before:.4f} | {c.ece_after:.4f} |"
        for region, c in network.calibration.items()
    ]
    head = "| region | temperature | calibration error before | after |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def _postprocess_words(network: NetworkCard) -> str:
    post = network.postprocess
    cuts = ", ".join(f"{region} {post.thresholds.get(region, 0.5):g}" for region in network.regions)
    words = [f"thresholds {cuts}"]
    if post.speck_share:
        size = "" if post.speck_voxels == float("inf") else f" and than {post.speck_voxels:g} voxels"
        words.append(f"pieces smaller than {post.speck_share:g} of the largest{size} dropped")
    if post.fill_holes:
        words.append("holes filled slice by slice")
    return "; ".join(words)


def _present(folder: Path) -> tuple[NetworkCard, ...]:
    """The networks of the card that is there."""
    try:
        return read_card(folder).networks
    except UserError as error:
        if error.code == "model_missing":
            return ()
        raise


def _without(network: NetworkCard, kinds: tuple[str, ...]) -> NetworkCard | None:
    """A network without some kinds of exam; None if it has no other."""
    left = tuple(kind for kind in network.kinds if kind not in kinds)
    return msgspec.structs.replace(network, kinds=left) if left else None
