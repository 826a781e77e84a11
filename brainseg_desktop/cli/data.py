"""data fetch, describe, prepare: commands about the data that networks learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from brainseg_desktop.training.config import Recipe
    from brainseg_desktop.training.data.describe import Description

FILE = click.Path(path_type=Path)
KINDS = ("lgg", "brats", "stacks", "coco", "pictures")


@click.group("data")
def data_command() -> None:
    """Get, look at and prepare the data that networks learn from."""


@data_command.command("fetch")
@click.argument("name", type=click.Choice(["lgg"]))
@click.option("-o", "folder", type=FILE, default=Path("data"), show_default=True, help="Folder to fill.")
@click.option("--no-unpack", is_flag=True, help="Keep the zip only.")
def fetch_command(name: str, folder: Path, no_unpack: bool) -> int:
    """Download a data set from Kaggle; needs your token, a file kaggle.json.

    The token comes from https://www.kaggle.com/settings and lies in ~/.kaggle or in KAGGLE_CONFIG_DIR.
    """
    from brainseg_desktop.training.data.fetch import fetch_lgg

    click.echo(str(fetch_lgg(folder, unpack=not no_unpack, tell=_tell)))
    return 0


@data_command.command("describe")
@click.argument("data", type=FILE, metavar="RECIPE.toml|FOLDER|ZIP")
@click.option("--run", help="Run of a recipe that has several.")
@click.option("--kind", type=click.Choice(KINDS), help="Of a folder or zip, where it is not recognised.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@click.option("-o", "folder", type=FILE, help="Folder for description.json and slices.png.")
def describe_command(
    data: Path, run: str | None, kind: str | None, as_json: bool, folder: Path | None
) -> int:
    """Say what data are like: sizes, labels, empty masks, copies, boxes, near-duplicates, damage."""
    from brainseg_desktop.training.data.describe import describe, to_builtins
    from brainseg_desktop.training.data.loading import problem_lines
    from brainseg_desktop.training.data.sources import recipe_of

    has_split = data.suffix == ".toml"
    recipe = _first_run(data, run) if has_split else recipe_of(data, kind)
    with progress_bar("Reading") as bar:
        description = describe(recipe, bar, folder, by_split=has_split)
    if as_json:
        print_json(to_builtins(description))
    else:
        _print(description)
    for line in [*description.warnings, *problem_lines(description.problems)]:
        _tell(line)
    return 0


@data_command.command("prepare")
@click.argument("recipe", type=FILE, metavar="RECIPE.toml")
@click.option("--run", help="Run of a recipe that has several.")
def prepare_command(recipe: Path, run: str | None) -> int:
    """Make the network slices of a recipe beforehand, and count what is on each side."""
    from brainseg_desktop.training.data.loading import load_data

    data = load_data(_first_run(recipe, run), _tell)
    print_table(["Side", "Patients", "Exams", "Slices", "With tumour"], data.counts())
    return 0


def _first_run(path: Path, run: str | None) -> Recipe:
    """The named run; else the first, since the runs of a recipe mostly share their data."""
    from brainseg_desktop.training.config import read_recipe, read_runs

    return read_recipe(path, run) if run is not None else read_runs(path)[0]


def _print(description: Description) -> None:
    for source in description.sources:
        shares = ", ".join(f"{value}: {100 * share:.3g} %" for value, share in source.label_shares.items())
        rows = [
            ["Kind", source.kind],
            ["Cases", str(source.cases)],
            ["Patients", str(source.patients)],
            ["Image and mask pairs", str(source.pairs)],
            ["Sizes", _counted(source.sizes)],
            ["Types", _counted(source.dtypes)],
            ["Spacing in mm", _counted(source.spacings_mm)],
            ["Sequences", _counted(source.sequences)],
            ["Missing", _counted(source.missing)],
            ["Copies of another", _counted(source.copied)],
            ["Share of empty masks", number(source.empty_share)],
            ["Share of box masks", number(source.rectangle_share)],
            ["Voxels by label", shares or "-"],
        ]
        print_table([source.path, ""], rows)
        click.echo()
    for pair in description.alike[:20]:
        sides = f" ({pair.sides[0]} and {pair.sides[1]})" if all(pair.sides) else ""
        click.echo(f"Alike: {pair.first} and {pair.second}{sides}")


def _counted(counts: dict[str, int]) -> str:
    shown = sorted(counts.items(), key=lambda item: -item[1])
    rest = f", {len(shown) - 5} others" if len(shown) > 5 else ""
    return ", ".join(f"{name} ({count})" for name, count in shown[:5]) + rest or "-"


def _tell(line: str) -> None:
    click.echo(line, err=True)
