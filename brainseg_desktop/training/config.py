"""The training recipe: a typed TOML file. A key that is misspelt is refused, not ignored.

A recipe may hold several runs that share everything but what each names: the tables of a ``[[runs]]`` entry
are laid over those of the recipe (`read_runs`).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.inference.preparation import Preparation

Coding = Literal["lgg", "brats2015", "brats2021", "brats2023", "binary"]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a recipe."""


class SourceConfig(Strict, frozen=True):
    """One place that data comes from.

    Parameters
    ----------
    kind : str
        ``lgg``: the Kaggle layout, zip or folder. ``brats``: a BraTS case folder of .nii(.gz) files, or a
        folder of such folders (2019 to 2023, Africa). ``stacks``: the same as multi-page TIFF. ``coco``: a
        folder of pictures with ``_annotations.coco.json``, or that JSON file. ``pictures``: a folder with
        ``images/`` and ``masks/`` of equal names, or ``*_mask`` beside each picture.
    path : str
        Below `Recipe.root`.
    coding : str
        How the reference is numbered; ``binary``: what is not 0 is tumour.
    cases : tuple of str
        Take only these; empty for all.
    side : str
        Put all of it on one side of the split, as data sets that come split need; empty: by `SplitConfig`.
    """

    kind: Literal["lgg", "brats", "stacks", "coco", "pictures"]
    path: str
    coding: Coding = "binary"
    cases: tuple[str, ...] = ()
    side: Literal["", "train", "validation", "test"] = ""


class SplitConfig(Strict, frozen=True):
    """Who is on which side.

    Named patients go where they are named. If none is named on any side, patients are drawn: `fractions` for
    train, validation and test, or fold number `fold` of `folds` as validation. ``by = "slice"`` lets slices
    of one patient fall on two sides, which leaks; it is there to reproduce published figures that did so.

    With `parts` the patients of the training side are divided once more, alike for every seed: part number
    `part` becomes the validation side, and the validation and test sides as they were are left out. That is
    cross-validation within the training side.
    """

    by: Literal["patient", "slice"] = "patient"
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    folds: int = 0
    fold: int = 0
    parts: int = 0
    part: int = 0
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


class SelectionConfig(Strict, frozen=True):
    """Which slices of a volume are used, and what is learnt from the reference.

    Parameters
    ----------
    targets : str
        ``regions``: WT, TC and ET, nested, each known or not (partial labels). ``classes``: background,
        necrosis, oedema, enhancing, exclusive; the BraTS label 4 becomes 3. ``binary``: tumour or not.
    first_slice, slice_count : int
        Axial slices from the first on; 0 for `slice_count` takes all.
    crop_empty : bool
        Leave out slices that show nothing.
    stripped_too : bool
        Also use whole heads with their skull roughly removed, as skull-stripped exams: on the training side,
        and on all sides where `Recipe.kinds` does not want the heads themselves.
    """

    targets: Literal["regions", "classes", "binary"] = "regions"
    first_slice: int = 0
    slice_count: int = 0
    crop_empty: bool = False
    stripped_too: bool = False


class NetworkConfig(Strict, frozen=True):
    """An architecture by name, and its size. What an architecture does not know must be left at its default.

    Parameters
    ----------
    widths : tuple of int
        Channels of each level, the bottleneck last; empty for the architecture's own.
    depth : int
        Slices of a patch of ``unet3d``.
    encoder_weights : str
        A local safetensors file with ImageNet weights for ``resnet34_unet`` (torchvision's names).
    start : str
        Weights to start from: a safetensors checkpoint of ours or an .onnx file that we exported.
    """

    name: Literal["unet", "attention_unet", "res_unet", "resnet34_unet", "trans_unet", "unet3d"] = "unet"
    widths: tuple[int, ...] = ()
    depth: int = 16
    encoder_weights: str = ""
    start: str = ""


class LossConfig(Strict, frozen=True):
    """`pos_weight` is for ``weighted_bce_dice``; `alpha`, `beta`, `gamma` for ``focal_tversky``."""

    name: Literal["dice", "bce_dice", "weighted_bce_dice", "ce_dice", "focal_tversky", "region"] = "region"
    pos_weight: float = 3.0
    alpha: float = 0.3
    beta: float = 0.7
    gamma: float = 0.75


class TeachersConfig(Strict, frozen=True):
    """Networks that have learnt before, whose mean answer is mixed into the targets (distillation).

    They see the same augmented slices as the network that learns (Beyer et al., "Knowledge distillation: a
    good teacher is patient and consistent", CVPR 2022).

    Parameters
    ----------
    weights : tuple of str
        Checkpoints of ours, of networks with the architecture of the recipe.
    share : float
        Of their answer in the target; the rest is the reference.
    """

    weights: tuple[str, ...] = ()
    share: float = 0.5


class OptimizerConfig(Strict, frozen=True):
    """Decay is applied to kernels only."""

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


class ScheduleConfig(Strict, frozen=True):
    """How long and how fast to learn.

    Parameters
    ----------
    epochs, steps : int
        One of them is 0. An epoch is as many slices as the training side has.
    minutes : float
        Stop after so much training time at the end of an epoch (0: never); the report says that it did.
    batch, accumulate : int
        Slices (3-D: patches) in a batch, batches in an optimizer step.
    policy : str
        ``plateau``: times 0.5 after 3 epochs without a better validation loss. ``polynomial``: power 0.9.
    warmup : int
        Optimizer steps of a linear rise (not for ``one_cycle``, which has its own).
    ema : float
        Decay of the running average of the weights that is validated and published; 0 for none.
    early_stop : int
        Stop after so many epochs without a better validation Dice and keep the best; 0 for never.
    validate_every : int
        In epochs.
    """

    epochs: int = 0
    steps: int = 0
    minutes: float = 0.0
    batch: int = 8
    accumulate: int = 1
    policy: Literal["constant", "cosine", "one_cycle", "plateau", "polynomial"] = "one_cycle"
    warmup: int = 0
    ema: float = 0.0
    early_stop: int = 0
    validate_every: int = 1
    checkpoint_every: int = 200
    clip: float = 5.0
    threads: int = 2
    bf16: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"


class SamplingConfig(Strict, frozen=True):
    """Which slices a batch is made of.

    Parameters
    ----------
    balance : str
        ``slices``: each slice once an epoch, in random order. ``patients``: a patient, then one of its
        slices.
    tumour : float
        With ``patients``: share of slices drawn among those with tumour.
    stripped : float
        With ``patients``: share of slices drawn from the heads that were stripped
        (`SelectionConfig.stripped_too`).
    patch : (int, int) or None
        Crop of the network slices; None for whole ones, padded to the largest of a batch.
    """

    balance: Literal["slices", "patients"] = "slices"
    tumour: float = 0.6
    stripped: float = 0.0
    patch: tuple[int, int] | None = None


class AugmentConfig(Strict, frozen=True):
    """Strength of the augmentation, 0 for none; lengths in working pixels, angles in degrees.

    Parameters
    ----------
    flip, flip_rows : float
        Chance of a mirror image left to right, and front to back.
    quarter_turns : float
        Chance of a turn by 90, 180 or 270 degrees.
    rotation, scale, shift, elastic : float
        `elastic`: root mean square of a smooth displacement.
    gamma, contrast, brightness, noise, bias, blur : float
    drop, drop_flair : float
        Chance that a sequence is left out; FLAIR has its own.
    mix : float
        Chance that the tumour of another case is pasted into a slice.
    """

    flip: float = 0.0
    flip_rows: float = 0.0
    quarter_turns: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    bias: float = 0.0
    blur: float = 0.0
    drop: float = 0.0
    drop_flair: float = 0.0
    mix: float = 0.0


class EvaluationConfig(Strict, frozen=True):
    """How the held-out sides are measured.

    Parameters
    ----------
    mirrored : bool
        Average with the left-right mirror image (test-time flip).
    tune : bool
        Choose thresholds, specks, holes and temperature on the validation side.
    parts : tuple of str
        Checkpoints of the runs of a cross-validation (`SplitConfig.parts`), in the order of the parts. What
        is chosen is then chosen on the training side too, each patient as the network sees it that has not
        met it: eight patients are few to choose by.
    postprocess : Postprocess
        What is taken where nothing is tuned.
    bootstrap : int
        Resamplings of the patients for the intervals.
    """

    mirrored: bool = False
    tune: bool = True
    parts: tuple[str, ...] = ()
    postprocess: Postprocess = Postprocess()
    bootstrap: int = 1000


class Recipe(Strict, frozen=True, kw_only=True):
    """A whole recipe: one run.

    Parameters
    ----------
    name, version, title : str
    root : str
        Where the data lies, relative to the working directory; BRAINSEG_DATA overrides it.
    work : str
        Folder of checkpoints, cache, curves and report.
    model : str
        Folder of the published model; empty: the network is only measured.
    kinds : tuple of str
        Kinds of exam (`inference.preprocess.KINDS`) that the network is for; others are left out.
    regions : tuple of str
        Regions that the published network tells, outermost first; for ``classes`` all three.
    published : dict
        The published figures this recipe is compared with, e.g. ``{dice = 0.7752}``, and where they stand.
    note : str
        Printed on the card.
    """

    name: str
    version: str = "1.0"
    title: str = ""
    seed: int = 2021
    root: str = "../shared/data"
    work: str
    model: str = ""
    kinds: tuple[str, ...] = ("whole_head", "skull_stripped")
    regions: tuple[str, ...] = ("WT",)
    published: dict[str, float | str] = {}
    licence: str = "CC BY-NC-SA 4.0"
    training_data: tuple[str, ...] = ()
    note: str = ""
    sources: tuple[SourceConfig, ...]
    split: SplitConfig = SplitConfig()
    preparation: Preparation = Preparation()
    selection: SelectionConfig = SelectionConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    teachers: TeachersConfig = TeachersConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig
    sampling: SamplingConfig = SamplingConfig()
    augment: AugmentConfig = AugmentConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @property
    def folder(self) -> Path:
        """Where the data lies."""
        return Path(os.environ.get("BRAINSEG_DATA") or self.root)


def read_runs(path: Path) -> list[Recipe]:
    """Read and check a recipe; one `Recipe` for each of its runs, in order (one where it names none).

    A run is called ``<recipe>/<run>`` and works in a folder of its own below the recipe's.

    Raises
    ------
    UserError
        ``recipe_missing`` or ``recipe_invalid`` (params ``path``, ``reason``).
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("recipe_missing", path=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError("recipe_invalid", path=path, reason=str(error)) from error
    entries = tables.pop("runs", None)
    if entries is None:
        return [_recipe(path, tables)]
    if not isinstance(entries, list) or not entries or not all("name" in entry for entry in entries):
        raise UserError("recipe_invalid", path=path, reason="each of [[runs]] needs a name")
    runs = []
    for entry in entries:
        merged = _overlaid(tables, {k: v for k, v in entry.items() if k != "name"})
        merged["name"] = f"{tables.get('name', path.stem)}/{entry['name']}"
        merged["work"] = f"{merged.get('work', 'runs')}/{entry['name']}"
        runs.append(_recipe(path, merged))
    if len({run.name for run in runs}) < len(runs):
        raise UserError("recipe_invalid", path=path, reason="two runs have one name")
    return runs


def read_recipe(path: Path, run: str | None = None) -> Recipe:
    """Read a recipe of one run, or the named run of several.

    Raises
    ------
    UserError
        Those of `read_runs`, and ``recipe_run_unknown`` (params ``path``, ``run``, ``known``).
    """
    runs = read_runs(path)
    if run is None and len(runs) == 1:
        return runs[0]
    for recipe in runs:
        if recipe.name.rpartition("/")[2] == run:
            return recipe
    known = [recipe.name.rpartition("/")[2] for recipe in runs]
    raise UserError("recipe_run_unknown", path=path, run=run, known=known)


def _recipe(path: Path, tables: dict[str, Any]) -> Recipe:
    try:
        recipe = msgspec.convert(tables, type=Recipe)
    except msgspec.ValidationError as error:
        raise UserError("recipe_invalid", path=path, reason=str(error)) from error
    reason = contradiction(recipe)
    if reason:
        raise UserError("recipe_invalid", path=path, reason=reason)
    return recipe


def contradiction(recipe: Recipe) -> str | None:
    """What in a recipe cannot be, in words; None if nothing."""
    twice = patients_on_two_sides(recipe.split)
    if twice:
        return f"on two sides of the split: {', '.join(twice)}"
    if bool(recipe.schedule.epochs) == bool(recipe.schedule.steps):
        return "give either schedule.epochs or schedule.steps"
    if not recipe.sources:
        return "no sources"
    split = recipe.split
    if split.folds and not 0 <= split.fold < split.folds:
        return f"fold {split.fold} of {split.folds}"
    if not split.folds and (abs(sum(split.fractions) - 1) > 1e-6 or min(split.fractions) < 0):
        return "split.fractions must add up to 1"
    if split.parts and not 0 <= split.part < split.parts:
        return f"part {split.part} of {split.parts}"
    if split.parts and split.by == "slice":
        return "split.parts are parts of the patients"
    classes = recipe.selection.targets == "classes"
    if classes and recipe.teachers.weights:
        return "teachers know regions, not classes"
    if not 0 <= recipe.teachers.share <= 1:
        return "teachers.share must be from 0 to 1"
    if classes != (recipe.loss.name == "ce_dice"):
        return 'targets = "classes" goes with the loss ce_dice, and only with it'
    if recipe.schedule.policy == "plateau" and not recipe.schedule.epochs:
        return "policy plateau needs epochs"
    return None


def patients_on_two_sides(split: SplitConfig) -> list[str]:
    """Names that occur on more than one side of the split, or twice on one."""
    names = [*split.train, *split.validation, *split.test]
    return sorted({name for name in names if names.count(name) > 1})


def _overlaid(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlaid(merged[key], value) if both else value
    return merged
