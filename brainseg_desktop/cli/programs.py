"""train, evaluate, bench, selftest, worker: commands about the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from brainseg_desktop.cli.entry import Front

MENDABLE = 2
FILE = click.Path(path_type=Path)


@click.command("train")
@click.argument("recipe", type=FILE, metavar="RECIPE.toml")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
def train_command(recipe: Path, resume: bool) -> int:
    """Train a network from a recipe, write its weights and card, and measure it on the held-out patients."""
    _require("torch", "train")
    from brainseg_desktop.training.loop import train
    from brainseg_desktop.training.publish import publish

    train(recipe, resume=resume, progress=_tell_step)
    click.echo(str(publish(recipe, tell=lambda line: click.echo(line, err=True))))
    return 0


@click.command("evaluate")
@click.argument("model")
@click.argument("data", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def evaluate_command(model: str, data: Path, as_json: bool) -> int:
    """Measure MODEL on DATA: a folder of cases with references, or a recipe for its held-out patients."""
    if data.suffix == ".toml":
        return _evaluate_recipe(model, data, as_json)
    from brainseg_desktop.services.evaluate import evaluate_cases

    with progress_bar("Evaluating") as bar:
        result = evaluate_cases(model, data, bar)
    if as_json:
        print_json(result.to_dict())
    else:
        print_table(["Case", "Region", "Dice", "HD95 mm", "Reference mL", "Mask mL"], result.rows())
    for problem in result.problems:
        click.echo(f"brainseg: {problem}", err=True)
    return MENDABLE if result.problems else 0


def _evaluate_recipe(model: str, recipe: Path, as_json: bool) -> int:
    """The patients that the recipe keeps out of training, straight from the data set."""
    _require("torch", "train")
    from brainseg_desktop.services.headless import find_network
    from brainseg_desktop.training.evaluate import evaluate

    scores = evaluate(find_network(model), recipe, tell=lambda line: click.echo(line, err=True))
    if as_json:
        print_json({"cases": {s.name: {"data": s.data, "kind": s.kind, "dice": s.dice} for s in scores}})
    else:
        rows = [[s.name, s.data, region, number(d)] for s in scores for region, d in s.dice.items()]
        print_table(["Patient", "Data", "Region", "Dice"], rows)
    return 0


@click.command("bench")
@click.argument("case", required=False, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@click.option("--peer", type=FILE, help="A Python that has napari, to be measured beside.")
@click.option("--window", "part", type=click.Choice(["start", "all"]), hidden=True)
@click.pass_obj
def bench_command(front: Front, case: Path | None, as_json: bool, peer: Path | None, part: str | None) -> int:
    """Measure the speed of this program here, beside its budgets."""
    if part is not None and case is not None:
        # A process of the bench itself, which times the start: nothing else may be loaded here.
        return front.measure_window(case, part)
    from brainseg_desktop.services.bench import run_bench

    report = run_bench(case, tell=lambda line: click.echo(line, err=True), peer=peer)
    if as_json:
        print_json(report.to_dict())
    else:
        for line in report.preamble:
            click.echo(line)
        print_table(["What", "Median", "p95", "Budget", "", "napari"], report.rows())
    return 0


@click.command("selftest")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def selftest_command(as_json: bool) -> int:
    """Check that this installation is whole and works."""
    from brainseg_desktop.services.selftest import run_selftest

    steps = run_selftest()
    if as_json:
        print_json({"ok": all(s.ok for s in steps), "steps": [s.to_dict() for s in steps]})
    else:
        print_table(["", "Check", ""], [["ok" if s.ok else "FAILED", s.name, s.detail] for s in steps])
    return 0 if all(s.ok for s in steps) else MENDABLE


@click.command("worker")
def worker_command() -> int:
    """Serve a window: requests and replies as JSON lines (started by the program itself)."""
    from brainseg_desktop.inference.worker import main

    return int(main() or 0)


def _tell_step(step: int, steps: int, text: str) -> None:
    click.echo(f"{step}/{steps}  {text}", err=True)


def _require(package: str, extra: str) -> None:
    import importlib.util

    if importlib.util.find_spec(package) is None:
        from brainseg_desktop.core.errors import UserError

        raise UserError("extra_missing", package=package, extra=extra)
