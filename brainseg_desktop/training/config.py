"""The training recipe: a typed TOML file. A key that is misspelt is refused, not ignored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from brainseg_desktop.core.errors import UserError


class CaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One BraTS case: its folder below the data root, its file form and how its reference is numbered."""

    folder: str
    coding: Literal["brats2015", "brats2021", "brats2023"]

    @property
    def name(self) -> str:
        return Path(self.folder).name


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the data lies. `root` is relative to the working directory; BRAINSEG_DATA overrides it."""

    root: str
    lgg: str
    brats: tuple[CaseConfig, ...]

    @property
    def folder(self) -> Path:
        return Path(os.environ.get("BRAINSEG_DATA") or self.root)


class SplitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Patients by name, each on one side."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


class NetworkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of the U-Net."""

    widths: tuple[int, ...] = (32, 64, 128, 256, 512)


class ScheduleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long and how fast to learn."""

    steps: int
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 200
    ema: float = 0.998
    checkpoint_every: int = 200
    validate_every: int = 1000
    threads: int = 2
    bf16: bool = True


class SamplingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which slices a batch is made of.

    `whole_head` is the share of batches of that kind, `tumour` the share of slices drawn among those with
    tumour. `stripped` is the share of skull-stripped batches' slices that come from LGG patients whose skull
    was removed by us: the stripped cases proper are few.
    """

    whole_head: float = 0.55
    tumour: float = 0.65
    stripped: float = 0.3
    patch: tuple[int, int] = (112, 128)


class AugmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strength of the augmentation; lengths in working pixels, angles in degrees."""

    rotation: float = 15.0
    scale: float = 0.2
    shift: float = 10.0
    gamma: float = 0.35
    contrast: float = 0.3
    brightness: float = 0.4
    noise: float = 0.25
    bias: float = 0.35
    blur: float = 0.25
    drop: float = 0.15
    drop_flair: float = 0.05


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole recipe. `note` is printed on the model's card."""

    name: str
    version: str
    seed: int
    work: str
    model: str
    note: str = ""
    data: DataConfig
    split: SplitConfig
    network: NetworkConfig
    schedule: ScheduleConfig
    sampling: SamplingConfig
    augment: AugmentConfig


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    UserError
        ``recipe_missing`` or ``recipe_invalid`` (params ``path``, ``reason``): unknown key, wrong type, or a
        patient on two sides of the split.
    """
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except FileNotFoundError as error:
        raise UserError("recipe_missing", path=path) from error
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError("recipe_invalid", path=path, reason=str(error)) from error
    twice = patients_on_two_sides(recipe.split)
    if twice:
        raise UserError("recipe_invalid", path=path, reason=f"on two sides of the split: {', '.join(twice)}")
    return recipe


def patients_on_two_sides(split: SplitConfig) -> list[str]:
    """Names that occur on more than one side of the split, or twice on one."""
    names = [*split.train, *split.validation, *split.test]
    return sorted({name for name in names if names.count(name) > 1})
