"""Turns a checkpoint into a bundled model: weights file, card, held-out figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.preprocess import CHANNELS
from brainseg_desktop.inference.registry import CARD_FILE, read_model
from brainseg_desktop.inference.segmenter import Figure, ModelCard
from brainseg_desktop.training.architectures.unet import UNet, count_parameters
from brainseg_desktop.training.checkpoint import load_average
from brainseg_desktop.training.config import Recipe, read_recipe
from brainseg_desktop.training.datasets import find_exams
from brainseg_desktop.training.evaluate import ExamScore, dice_text, figures, score_exams
from brainseg_desktop.training.export import write_weights

LICENCE = "CC BY-NC-SA 4.0"
TRAINING_DATA = (
    "TCGA-LGG slices with FLAIR abnormality masks (Buda et al., lgg-mri-segmentation), CC BY-NC-SA 4.0",
    "RSNA-ASNR-MICCAI BraTS 2021/2023 glioma cases",
    "BraTS 2015 cases of the 2013 challenge, CC BY-NC-SA 3.0",
)


def publish(
    recipe_path: Path, *, score: bool = True, tell: Callable[[str], None] = lambda text: None
) -> Path:
    """Write the model of a recipe's last checkpoint into its model folder.

    Parameters
    ----------
    recipe_path : Path
    score : bool
        Measure the held-out sides and print them on the card.
    tell : callable
        Called with one line for each exam scored.

    Returns
    -------
    Path
        The model's folder.
    """
    recipe = read_recipe(recipe_path)
    folder = Path(recipe.model)
    network = UNet(recipe.network.widths)
    progress = load_average(network, Path(recipe.work))
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    weights = f"{recipe.name}.onnx"
    sha256 = write_weights(state, len(recipe.network.widths) - 1, folder / weights)
    card = ModelCard(
        name=recipe.name,
        version=recipe.version,
        title="Glioma, whole heads and skull-stripped brains",
        weights=weights,
        sha256=sha256,
        licence=LICENCE,
        architecture=architecture(recipe),
        parameters=count_parameters(network),
        inputs=tuple(s.value for s in CHANNELS),
        regions={"whole_head": ("WT",), "skull_stripped": ("WT", "TC", "ET")},
        training_data=TRAINING_DATA,
        recipe=f"resources/recipes/{recipe_path.name}",
        steps=progress.step,
        train=recipe.split.train,
        validation=recipe.split.validation,
        test=recipe.split.test,
        note=recipe.note,
    )
    write_card(card, [], folder)
    if score:
        scores: list[ExamScore] = []
        found: list[Figure] = []
        segmenter = OnnxSegmenter(read_model(folder), recipe.schedule.threads)
        for side in ("validation", "test"):
            of_side = score_exams(segmenter, find_exams(recipe.data, getattr(recipe.split, side)), tell)
            scores += of_side
            found += figures(of_side, side)
        write_card(msgspec.structs.replace(card, figures=tuple(found)), scores, folder)
    return folder


def architecture(recipe: Recipe) -> str:
    """One line on the network."""
    widths = "-".join(str(w) for w in recipe.network.widths)
    return f"2-D U-Net {widths}, convolutions shared, batch norms per kind of exam, kernels stored as float16"


def write_card(card: ModelCard, scores: list[ExamScore], folder: Path) -> None:
    """Write ``model.toml`` for the program and ``README.md`` for people."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).write_text(card_toml(card), encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(card_text(card, scores), encoding="utf-8", newline="\n")


def card_toml(card: ModelCard) -> str:
    """The card as TOML. JSON strings and lists of strings are TOML too."""
    content = msgspec.to_builtins(card)
    tables = {"regions": content.pop("regions")}
    rows = content.pop("figures")
    lines = [f"{key} = {_value(value)}" for key, value in content.items()]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    for row in rows:
        lines += ["", "[[figures]]", *(f"{key} = {_value(value)}" for key, value in row.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list | tuple) and len(value) > 3:
        return "[\n" + "".join(f"    {json.dumps(item, ensure_ascii=False)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def card_text(card: ModelCard, scores: list[ExamScore]) -> str:
    """The card as a page."""
    rows = "\n".join(
        f"| {f.data} | {f.side} | {f.region} | {f.dice:.3f} | {f.lowest:.3f} | {f.n} |" for f in card.figures
    )
    patients = "\n".join(f"| {s.name} | {dice_text(s.dice)} |" for s in scores)
    data = "\n".join(f"- {line}" for line in card.training_data)
    return f"""# {card.name} {card.version}

{card.title}. Research use only; no medical device. Licence of the weights: {card.licence}.

| | |
|---|---|
| network | {card.architecture} |
| parameters | {card.parameters:,} |
| inputs | {", ".join(card.inputs)}; any may be missing, FLAIR matters most |
| whole heads | {", ".join(card.regions["whole_head"])} |
| skull-stripped brains | {", ".join(card.regions["skull_stripped"])} |
| trained for | {card.steps} steps of `{card.recipe}` |
| weights | `{card.weights}`, sha256 `{card.sha256}` |

## Trained on

{data}

Whole heads teach the whole tumour (FLAIR abnormality) only, so that is all the network says of a whole head.
Enhancing tumour and core were learnt from {sum(not n.startswith("TCGA") for n in card.train)} skull-stripped
cases, of which few have all four sequences: look at these outlines with more doubt. Whether an exam is a
whole head or stripped is told from the images.

## Held out

Dice on the exam's own grid, mean over patients, through the code path of the program. Validation patients
were looked at while training. {card.note}

| data | side | region | mean Dice | worst patient | n |
|---|---|---|---|---|---|
{rows}

| patient | Dice |
|---|---|
{patients}

The names of the training patients stand in `model.toml`. No case of the same patient is on two sides.
"""
