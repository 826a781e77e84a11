"""train, evaluate, bench, selftest, worker: commands about the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar
from brainseg_desktop.cli.extras import require
from brainseg_desktop.core.errors import UserError

if TYPE_CHECKING:
    from brainseg_desktop.cli.entry import Front
    from brainseg_desktop.training.figures import RegionFigures
    from brainseg_desktop.training.report.results import Results

MENDABLE, INTERRUPTED = 2, 130
FILE = click.Path(path_type=Path)
FIGURE_HEAD = ["Run", "Side", "Data", "Region", "n", "Dice", "low", "high", "Median", "Worst", "IoU"]
FIGURE_HEAD += ["Slice Dice", "Tumour slices", "False slices %"]


@click.command("train")
@click.argument("recipe", type=FILE, metavar="RECIPE.toml")
@click.option("--run", help="Only this run of a recipe that has several; all in order if not given.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint; runs not begun are started.")
@click.option("--evaluate-only", is_flag=True, help="Measure and publish what the checkpoint holds.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def train_command(recipe: Path, run: str | None, resume: bool, evaluate_only: bool, as_json: bool) -> int:
    """Train a network from a recipe, measure it on the held-out patients, and write report and model."""
    require("torch", "train")
    require("onnxscript", "train")
    from brainseg_desktop.training.config import read_recipe, read_runs
    from brainseg_desktop.training.run import compare_runs, run_recipe

    chosen = [read_recipe(recipe, run)] if run else read_runs(recipe)
    results = []
    for one in chosen:
        name = one.name.rpartition("/")[2]
        try:
            done = run_recipe(recipe, name, resume=resume, evaluate_only=evaluate_only, tell=_tell)
        except KeyboardInterrupt:
            again = f"brainseg train {recipe}{f' --run {run}' if run else ''} --resume"
            _tell(f"Stopped. The last checkpoint is kept in {one.work}. Go on with: {again}")
            return INTERRUPTED
        if done is not None:
            results.append(done)
    index = compare_runs(chosen[0].title or recipe.stem, results)
    if as_json:
        from brainseg_desktop.training.report.results import to_json

        print_json({"runs": [to_json(one) for one in results]})
        return 0
    print_table(FIGURE_HEAD, [row for one in results for row in _run_rows(one)])
    for found in results:
        click.echo(f"{found.name}: {Path(str(found.recipe['work'])) / 'report.html'}")
    if index is not None:
        click.echo(f"side by side: {index}")
    return 0


@click.command("evaluate")
@click.argument("model")
@click.argument("data", type=FILE, metavar="FOLDER|RECIPE.toml")
@click.option("--side", default="test", show_default=True, help="Side of the recipe's split.")
@click.option("--run", help="Run of a recipe that has several.")
@click.option("--drop", multiple=True, metavar="SEQUENCE", help="Withhold T1, T1CE, T2 or FLAIR; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def evaluate_command(
    model: str, data: Path, side: str, run: str | None, drop: tuple[str, ...], as_json: bool
) -> int:
    """Measure MODEL on a folder of cases with references, or on the held-out patients of a recipe."""
    if data.suffix == ".toml":
        return _evaluate_recipe(model, data, side, run, drop, as_json)
    if drop:
        raise UserError("drop_needs_recipe", path=data)
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


def _evaluate_recipe(
    model: str, path: Path, side: str, run: str | None, drop: tuple[str, ...], as_json: bool
) -> int:
    """Exams of one side of a recipe, straight from its sources and through the program's own path."""
    require("torch", "train")
    from brainseg_desktop.inference.registry import CARD_FILE
    from brainseg_desktop.services.models import find_network
    from brainseg_desktop.training.config import read_recipe, read_runs
    from brainseg_desktop.training.data.loading import problem_lines
    from brainseg_desktop.training.evaluate import evaluate_model
    from brainseg_desktop.training.figures import CLASSES, summarise
    from brainseg_desktop.training.report.results import case_of, to_json

    recipe = read_recipe(path, run) if run is not None else read_runs(path)[0]
    # A folder may hold a network for pictures, which the window has no use for and does not find.
    folder = Path(model) if (Path(model) / CARD_FILE).is_file() else find_network(model)
    measured = evaluate_model(folder, recipe, side, drop=drop, tell=_tell)
    figures = summarise(measured.exams, resamplings=recipe.evaluation.bootstrap, seed=recipe.seed)
    for text in problem_lines(measured.problems):
        _tell(text)
    if as_json:
        cases = {exam.name: to_json(case_of(exam)) for exam in measured.exams}
        print_json({"side": side, "dropped": drop, "figures": to_json(figures), "cases": cases})
        return 0
    name = recipe.name.rpartition("/")[2]
    print_table(FIGURE_HEAD, [_figure_row(name, side, f) for f in figures if f.region not in CLASSES])
    return 0


@click.command("bench")
@click.argument("case", required=False, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@click.option("--against", type=click.Choice(["napari"]), help="A peer to be measured in the same run.")
@click.option("--peer", type=FILE, help="The Python that has the peer, if it is not this one.")
@click.option(
    "--study", "is_study", is_flag=True, help="Measure a study of 20 cases by 5 readers; no window."
)
@click.option("--window", "part", type=click.Choice(["start", "all", "series"]), hidden=True)
@click.pass_obj
def bench_command(
    front: Front,
    case: Path | None,
    as_json: bool,
    against: str | None,
    peer: Path | None,
    is_study: bool,
    part: str | None,
) -> int:
    """Measure the speed of this program here, beside its budgets."""
    if part is not None and case is not None:
        # A process of the bench itself, which times the start: nothing else may be loaded here.
        return front.measure_window(case, part)
    from brainseg_desktop.services.bench import find_peer, run_bench, run_study_bench

    if against is not None and peer is None:
        peer = find_peer(against)

    def tell(line: str) -> None:
        click.echo(line, err=True)

    report = run_study_bench(case, tell) if is_study else run_bench(case, tell, peer=peer)
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


@click.command("measure", hidden=True)
def measure_command() -> int:
    """Measure or segment cases for another process (started by the program itself, where it is frozen)."""
    from brainseg_desktop.services.batch.case_worker import main

    return main()


@click.command("register", hidden=True)
def register_command() -> int:
    """Register two volumes for another process (started by the program itself, where it is frozen)."""
    from brainseg_desktop.services.alignment.worker import main

    return main()


@click.command("worker")
def worker_command() -> int:
    """Serve a window: requests and replies as JSON lines (started by the program itself)."""
    from brainseg_desktop.inference.worker import main

    return int(main() or 0)


def _run_rows(results: Results) -> list[list[str]]:
    """The regions of each held-out side of a run; classes stand in the report."""
    from brainseg_desktop.training.figures import CLASSES

    name = results.name.rpartition("/")[2]
    return [
        _figure_row(name, side, figure)
        for side, found in results.sides.items()
        for figure in found.figures
        if figure.region not in CLASSES
    ]


def _figure_row(run: str, side: str, figure: RegionFigures) -> list[str]:
    dice, iou = figure.patients.get("dice"), figure.patients.get("iou")
    spread = [None] * 5 if dice is None else [dice.mean, dice.low, dice.high, dice.median, dice.lowest]
    false = figure.false_slices
    return [
        run,
        side,
        figure.data,
        figure.region,
        str(dice.n if dice is not None else 0),
        *map(number, spread),
        number(iou.mean if iou is not None else None),
        number(figure.all_slices["dice"]),
        number(figure.tumour_slices["dice"]),
        number(None if false is None else 100 * false, 1),
    ]


def _tell(text: str) -> None:
    click.echo(text, err=True)
